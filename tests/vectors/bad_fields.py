"""Records with a field that must be refused: memories, items and spaces."""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any

from vectors.case import Case, bad
from vectors.maps import ITEM, MEMORY, SPACE, item, json_memory, memory, space
from vectors.scribe import Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _memories()
    yield from _contents()
    yield from _vectors()
    yield from _items()
    yield from _spaces()
    yield from _missing()


def _memories() -> Iterator[Case]:
    """One field of a memory."""
    deep = '{"a":' * 69 + "{}" + "}" * 69
    fields: dict[str, tuple[str, dict[str, Any]]] = {
        "id-a-number": ("An id that is a number.", {"id": 5}),
        "id-bytes": ("An id that is bytes.", {"id": b"m1"}),
        "id-empty": ("An empty id.", {"id": ""}),
        "id-long": ("An id of 513 bytes in 257 letters.", {"id": "é" * 256 + "e"}),
        "id-control": ("An id with a line end.", {"id": "m\n1"}),
        "id-delete": ("An id with U+007F.", {"id": "m\x7f1"}),
        "id-next-line": ("An id with U+0085.", {"id": "m\x851"}),
        "namespace-a-text": ("A namespace that is text.", {"ns": "a"}),
        "namespace-a-number": ("A label that is a number.", {"ns": ["a", 5]}),
        "namespace-deep": ("A namespace of 33 labels.", {"ns": ["a"] * 33}),
        "label-empty": ("An empty label.", {"ns": ["a", ""]}),
        "label-long": ("A label of 513 bytes.", {"ns": ["a" * 513]}),
        "type-a-number": ("A type that is a number.", {"ty": 1}),
        "tier-3": ("Tier 3.", {"ti": 3}),
        "tier-negative": ("Tier -1.", {"ti": -1}),
        "tier-true": ("A tier that is true.", {"ti": True}),
        "tier-a-float": ("A tier that is a float.", {"ti": 1.0}),
        "tags-a-text": ("Tags that are text.", {"tg": "a"}),
        "tags-a-number": ("A tag that is a number.", {"tg": [1]}),
        "tags-many": ("257 tags.", {"tg": [str(n) for n in range(257)]}),
        "tag-empty": ("An empty tag.", {"tg": [""]}),
        "tag-long": ("A tag of 513 bytes.", {"tg": ["a" * 513]}),
        "metadata-not-json": ("Metadata that is not JSON.", {"md": "{"}),
        "metadata-a-list": ("Metadata that is a list.", {"md": "[]"}),
        "metadata-a-map": ("Metadata that is a msgpack map.", {"md": {}}),
        "metadata-deep": ("Metadata of depth 70.", {"md": deep}),
        "importance-above": ("An importance above 1.", {"im": 1.5}),
        "importance-negative": ("An importance below 0.", {"im": -0.5}),
        "importance-nan": ("An importance that is not a number.", {"im": float("nan")}),
        "importance-a-text": ("An importance that is text.", {"im": "1"}),
        "confidence-above": ("A confidence above 1.", {"cf": 1.0001}),
        "intensity-negative": ("An emotional intensity below 0.", {"ei": -1.0}),
        "valence-above": ("A valence above 1.", {"va": 2.0}),
        "valence-below": ("A valence below -1.", {"va": -1.5}),
        "sensitivity-a-list": ("A sensitivity that is a list.", {"se": []}),
        "source-a-number": ("A source that is a number.", {"src": 1}),
        "thread-bytes": ("A thread that is bytes.", {"th": b"t"}),
        "data-class-a-number": ("A data class that is a number.", {"dc": 1}),
        "position-negative": ("Position -1.", {"po": -1}),
        "position-a-float": ("A position that is a float.", {"po": 0.0}),
        "event-time-a-float": ("An event time that is a float.", {"ev": 1.5}),
        "event-time-above": ("An event time that is no signed 64-bit number.", {"ev": 2**63}),
        "valid-from-a-text": ("A valid-from that is text.", {"vf": "2026-01-01"}),
        "valid-to-true": ("A valid-to that is true.", {"vt": True}),
        "expires-a-text": ("An expiry that is text.", {"ex": "never"}),
        "slot-of-three": ("A fact's slot of three.", {"sl": ["a", "b", "c"]}),
        "slot-a-number": ("A fact's slot with a number.", {"sl": ["a", 1]}),
        "supersedes-a-text": ("Supersedes that is text.", {"su": "m0"}),
        "supersedes-a-number": ("Supersedes with a number.", {"su": [0]}),
        "created-a-text": ("A time of creation that is text.", {"ca": "now"}),
        "updated-a-float": ("A time of update that is a float.", {"ua": 0.5}),
        "provenance-a-list": ("Provenance that is a list.", {"by": []}),
        "provenance-a-number": ("Provenance with a number.", {"by": {"app": 1}}),
        "reason-a-number": ("A reason that is a number.", {"why": 1}),
        "state-short": ("A carried state of four.", {"st": [0, 0, 0, None]}),
        "state-flag-2": ("A carried state that is archived twice.", {"st": [2, 0, 0, None, None]}),
        "state-negative": ("A carried state of -1 uses.", {"st": [0, 0, -1, None, None]}),
        "state-time-a-text": ("A carried state with a time that is text.", {"st": [0, 0, 0, "", None]}),
        "index-true": ("An index that is true.", {"ix": True}),
        "index-a-list": ("An index that is a list.", {"ix": ["text"]}),
        "index-a-number": ("An index with a number.", {"ix": {"title": 1}}),
    }
    for name, (what, changes) in fields.items():
        s = Scribe.begun(f"memory-{name}")
        s.commit((MEMORY, memory("tea") | changes))
        yield bad(s, what)

    s = Scribe.begun("memory-without-id")
    s.commit((MEMORY, _without(memory("tea"), "id")))
    yield bad(s, "A memory without id.")


def _contents() -> Iterator[Case]:
    """Contents and their hashes."""
    tea = memory("tea")
    maps: dict[str, tuple[str, dict[str, Any]]] = {
        "missing": ("A memory without content.", _without(tea, "c")),
        "twice": ("A memory with text and JSON.", tea | {"j": '"tea"'}),
        "bytes": ("Text content that is bytes.", tea | {"c": b"tea"}),
        "hash-missing": ("A memory without content hash.", _without(tea, "h")),
        "hash-a-text": ("A content hash that is text.", tea | {"h": "0" * 32}),
        "hash-short": ("A content hash of 31 bytes.", tea | {"h": tea["h"][:31]}),
        "hash-other": ("The content hash of another text.", tea | {"h": memory("coffee")["h"]}),
        "hash-bare": ("A content hash without the byte t.", tea | {"h": hashlib.sha256(b"tea").digest()}),
        "hash-of-json": ("The content hash of the same text as JSON.", tea | {"h": json_memory('"tea"')["h"]}),
        "json-hash-other": ("The content hash of another JSON value.", json_memory("[1]", "[2]")),
        "json-hash-as-given": ("The content hash of JSON that is not canonical.", json_memory("[1, 2]")),
        "json-hash-escaped": ("The content hash of JSON with escapes.", json_memory('["\\u00e9"]')),
        "json-a-map": ("JSON content that is a msgpack map.", json_memory("{}") | {"j": {}}),
        "json-broken": ("JSON content that is not JSON.", json_memory('{"a":')),
        "json-two-values": ("JSON content of two values.", json_memory("1 2")),
        "json-single-quotes": ("JSON content in single quotes.", json_memory("'tea'")),
        "json-minus-nan": ("JSON content with -NaN.", json_memory("[-NaN]")),
        "json-leading-zero": ("JSON content with a number that begins with 0.", json_memory("[01]")),
        "json-trailing-comma": ("JSON content with a comma at the end.", json_memory("[1,]")),
    }
    decomposed = hashlib.sha256("tcafe\u0301".encode()).digest()
    maps["hash-not-nfc"] = "The content hash of text not in NFC.", memory("café") | {"h": decomposed}
    for name, (what, fields) in maps.items():
        s = Scribe.begun(f"content-{name}")
        s.commit((MEMORY, fields))
        yield bad(s, what)


def _without(fields: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != key}


def _vectors() -> Iterator[Case]:
    """Vectors; the space `default` has three dimensions."""
    three = struct.pack("<3f", 1, 0, 0)
    vectors: dict[str, tuple[str, Any]] = {
        "dimension": ("A vector of two dimensions.", {"default": {"": three[:8]}}),
        "one-of-two": ("The second vector has four dimensions.", {"default": {"": three, "a": three + bytes(4)}}),
        "cut": ("A vector whose last float is cut.", {"default": {"": three[:11]}}),
        "empty": ("A vector without a float.", {"default": {"": b""}}),
        "floats": ("A vector that is a list of floats.", {"default": {"": [1.0, 0.0, 0.0]}}),
        "text": ("A vector that is text.", {"default": {"": "x" * 12}}),
        "without-field": ("A vector without a field name.", {"default": three}),
        "a-list": ("Vectors that are a list.", [three]),
        "space-unknown": ("A vector of a space that was never written.", {"image": {"": three}}),
        "many": ("1,025 vectors.", {"default": {str(n): three for n in range(1025)}}),
    }
    for name, (what, value) in vectors.items():
        s = Scribe.begun(f"vector-{name}")
        s.commit((SPACE, space()))
        s.commit((MEMORY, memory("tea", v=value)))
        yield bad(s, what)

    s = Scribe("vector-space-of-another-box")
    s.add_way("file")
    s.add_box("work")
    s.new_header()
    s.commit((SPACE, space()), box="work")
    s.commit((MEMORY, memory("tea", v={"default": {"": three}})))
    yield bad(s, "A vector of a space that only another box has.")


def _items() -> Iterator[Case]:
    """One field of an item."""
    items: dict[str, tuple[str, dict[str, Any]]] = {
        "collection-a-number": ("An item whose collection is a number.", {"col": 1}),
        "key-empty": ("An item with an empty key.", {"key": ""}),
        "key-long": ("An item with a key of 1,025 bytes.", {"key": "k" * 1025}),
        "key-bytes": ("An item whose key is bytes.", {"key": b"k1"}),
        "value-a-text": ("An item whose value is text.", {"val": "value"}),
        "value-nil": ("An item whose value is nil.", {"val": None}),
        "written-a-float": ("An item written at a float.", {"at": 1.5}),
        "created-a-text": ("An item first written at a text.", {"ad": "now"}),
        "attributes-a-list": ("Attributes that are a list.", {"attr": "[]"}),
        "attributes-a-map": ("Attributes that are a msgpack map.", {"attr": {}}),
        "attributes-deep": ("Attributes of depth 70.", {"attr": '{"a":' * 69 + "{}" + "}" * 69}),
    }
    for name, (what, changes) in items.items():
        s = Scribe.begun(f"item-{name}")
        s.commit((ITEM, item(**changes)))
        yield bad(s, what)


def _spaces() -> Iterator[Case]:
    """One field of a space."""
    spaces: dict[str, tuple[str, dict[str, Any]]] = {
        "name-a-number": ("A space whose name is a number.", {"name": 1}),
        "dimension-0": ("A space of no dimension.", {"dim": 0}),
        "dimension-above": ("A space of 16,385 dimensions.", {"dim": 16_385}),
        "dimension-a-text": ("A space whose dimension is text.", {"dim": "3"}),
        "fingerprint-nil": ("A space whose fingerprint is nil.", {"fp": None}),
    }
    for name, (what, changes) in spaces.items():
        s = Scribe.begun(f"space-{name}")
        s.commit((SPACE, space(**changes)))
        yield bad(s, what)


def _missing() -> Iterator[Case]:
    """A field too few."""
    for kind, whole, keys in (
        (ITEM, item(), ("col", "key", "val", "at", "ad")),
        (SPACE, space(), ("name", "dim", "fp")),
    ):
        thing = "item" if kind == ITEM else "space"
        for key in keys:
            s = Scribe.begun(f"{thing}-without-{key}")
            s.commit((kind, _without(whole, key)))
            yield bad(s, f"The field {key} of the {thing} is missing.")

"""Records with a field that must be refused: memories, items and spaces."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

from vectors.case import Case, bad
from vectors.maps import FIRST_TIME, ITEM, LAST_TIME, MEMORY, SPACE, TIME, item, json_memory, memory, nested, space
from vectors.scribe import Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _memories()
    yield from _labels()
    yield from _numbers()
    yield from _times()
    yield from _contents()
    yield from _hashes()
    yield from _vectors()
    yield from _items()
    yield from _spaces()
    yield from _missing()


def _memories() -> Iterator[Case]:
    """One field of a memory."""
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
        "type-a-number": ("A type that is a number.", {"ty": 1}),
        "tier-3": ("Tier 3.", {"ti": 3}),
        "tier-negative": ("Tier -1.", {"ti": -1}),
        "tier-true": ("A tier that is true.", {"ti": True}),
        "tier-a-float": ("A tier that is a float.", {"ti": 1.0}),
        "tags-a-text": ("Tags that are text.", {"tg": "a"}),
        "tags-a-number": ("A tag that is a number.", {"tg": [1]}),
        "tags-many": ("257 tags.", {"tg": [str(n) for n in range(257)]}),
        "metadata-not-json": ("Metadata that is not JSON.", {"md": "{"}),
        "metadata-a-list": ("Metadata that is a list.", {"md": "[]"}),
        "metadata-a-map": ("Metadata that is a msgpack map.", {"md": {}}),
        "metadata-deep": ("Metadata of 65 objects inside one another.", {"md": nested(65)}),
        "metadata-deep-lists": (
            "Metadata of an object around 64 lists inside one another.",
            {"md": '{"a":' + "[" * 64 + "]" * 64 + "}"},
        ),
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
        "event-time-above": ("An event time that is no signed 64-bit number.", {"ev": 2**63}),
        "event-time-a-float": ("An event time that is a float.", {"ev": 1.5}),
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
        "origin-a-number": ("An origin that is a number.", {"or": 1}),
        "origin-empty": ("An origin that is empty.", {"or": ""}),
        "trusted-2": ("A version vouched for twice.", {"tr": 2}),
        "trusted-true": ("A version that is vouched for by true.", {"tr": True}),
        "trusted-0": ("A version that is vouched for by 0.", {"tr": 0}),
        "ghost-a-float": ("A ghost until a float.", {"gh": 1.0}),
        "state-long": ("A carried state of six.", {"st": [0, 0, 0, None, None, None]}),
        "state-a-map": ("A carried state that is a map.", {"st": {}}),
        "state-flag-true": ("A carried state whose archived is true.", {"st": [True, 0, 0, None, None]}),
        "state-flag-false": ("A carried state whose pinned is false.", {"st": [0, False, 0, None, None]}),
        "state-flag-a-float": ("A carried state whose pinned is 1.0.", {"st": [0, 1.0, 0, None, None]}),
        "state-flag-nil": ("A carried state whose archived is nil.", {"st": [None, 0, 0, None, None]}),
        "state-flag-negative": ("A carried state whose pinned is -1.", {"st": [0, -1, 0, None, None]}),
        "state-uses-a-float": ("A carried state of 1.0 uses.", {"st": [0, 0, 1.0, None, None]}),
        "state-uses-nil": ("A carried state whose uses are nil.", {"st": [0, 0, None, None, None]}),
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

    for key in ("id", "ty", "ca", "ua"):
        s = Scribe.begun(f"memory-without-{key}")
        s.commit((MEMORY, _without(memory("tea"), key)))
        yield bad(s, f"The field {key} of the memory is missing.")


def _labels() -> Iterator[Case]:
    """Texts that are no labels, where the page wants one."""
    whole = {MEMORY: memory("tea"), ITEM: item(), SPACE: space()}
    places: dict[str, tuple[int, str, Callable[[str], dict[str, Any]]]] = {
        "memory-label": (MEMORY, "A label of a namespace", lambda text: {"ns": ["a", text]}),
        "memory-tag": (MEMORY, "A tag", lambda text: {"tg": [text]}),
        "memory-type": (MEMORY, "A type", lambda text: {"ty": text}),
        "memory-sensitivity": (MEMORY, "A sensitivity", lambda text: {"se": text}),
        "memory-source": (MEMORY, "A source", lambda text: {"src": text}),
        "memory-thread": (MEMORY, "A thread", lambda text: {"th": text}),
        "memory-data-class": (MEMORY, "A data class", lambda text: {"dc": text}),
        "item-collection": (ITEM, "A collection", lambda text: {"col": text}),
        "space-name": (SPACE, "The name of a space", lambda text: {"name": text}),
    }
    texts = {
        "empty": ("is empty", ""),
        "long": ("is 513 bytes long", "é" * 256 + "e"),
        "line-end": ("has a line end", "a\nb"),
        "delete": ("has U+007F", "a\x7f"),
        "next-line": ("has U+0085", "\x85a"),
    }
    for place, (kind, thing, fields) in places.items():
        for name, (what, text) in texts.items():
            s = Scribe.begun(f"{place}-{name}")
            s.commit((kind, whole[kind] | fields(text)))
            yield bad(s, f"{thing} {what}.")


def _numbers() -> Iterator[Case]:
    """Integers where the page wants floats, and the other way round."""
    fields: dict[str, tuple[str, dict[str, Any]]] = {
        "importance-an-integer": ("Importance is the integer 1.", {"im": 1}),
        "confidence-an-integer": ("Confidence is the integer 0.", {"cf": 0}),
        "intensity-an-integer": ("Emotional intensity is the integer 1.", {"ei": 1}),
        "valence-an-integer": ("Valence is the integer -1.", {"va": -1}),
        "importance-true": ("Importance is true.", {"im": True}),
        "importance-nil": ("Importance is nil.", {"im": None}),
        "valence-nan": ("Valence is not a number.", {"va": float("nan")}),
        "confidence-infinite": ("Confidence is infinite.", {"cf": float("inf")}),
        "position-true": ("Position is true.", {"po": True}),
        "created-a-float": ("The time of creation is a float.", {"ca": float(TIME)}),
        "expires-a-float": ("The expiry is a float.", {"ex": float(TIME)}),
    }
    for name, (what, changes) in fields.items():
        s = Scribe.begun(f"memory-{name}")
        s.commit((MEMORY, memory("tea") | changes))
        yield bad(s, what)


def _times() -> Iterator[Case]:
    """Times outside the years 1 to 9999."""
    whole = {MEMORY: memory("tea"), ITEM: item()}
    places: dict[str, tuple[int, str, Callable[[int], dict[str, Any]]]] = {
        "memory-event-time": (MEMORY, "An event time", lambda time: {"ev": time}),
        "memory-valid-from": (MEMORY, "Valid-from", lambda time: {"vf": time}),
        "memory-valid-to": (MEMORY, "Valid-to", lambda time: {"vt": time}),
        "memory-expires": (MEMORY, "An expiry", lambda time: {"ex": time}),
        "memory-created": (MEMORY, "The time of creation", lambda time: {"ca": time}),
        "memory-updated": (MEMORY, "The time of update", lambda time: {"ua": time}),
        "memory-state-used": (MEMORY, "The carried time of use", lambda time: {"st": [0, 0, 1, time, None]}),
        "memory-state-refreshed": (
            MEMORY,
            "The carried time of refreshing",
            lambda time: {"st": [0, 0, 1, None, time]},
        ),
        "item-written": (ITEM, "The time of writing an item", lambda time: {"at": time}),
        "item-created": (ITEM, "The time of first writing an item", lambda time: {"ad": time}),
    }
    times = {"in-year-0": ("before year 1", FIRST_TIME - 1), "in-year-10000": ("after year 9999", LAST_TIME + 1)}
    for place, (kind, thing, fields) in places.items():
        for name, (what, time) in times.items():
            s = Scribe.begun(f"{place}-{name}")
            s.commit((kind, whole[kind] | fields(time)))
            yield bad(s, f"{thing} is {what}.")


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
        "json-and-text-nil": ("A memory with JSON and text that is nil.", json_memory("1") | {"c": None}),
        "json-deep": ("JSON content of 65 objects inside one another.", json_memory(nested(65))),
        "json-deep-lists": ("JSON content of 65 lists inside one another.", json_memory("[" * 65 + "]" * 65)),
        "json-deep-mixed": (
            "JSON content of 33 objects and 32 lists inside one another.",
            json_memory('{"a":[' * 32 + "{}" + "]}" * 32),
        ),
        "json-line-end": ("JSON content with a line end in a text.", json_memory('["\n"]')),
        "json-form-feed": ("JSON content with a form feed as white space.", json_memory("[\f1]", "[1]")),
        "json-infinity-plus": ("JSON content with +Infinity.", json_memory("[+Infinity]", "[Infinity]")),
        "json-hash-other": ("The content hash of another JSON value.", json_memory("[1]", "[2]")),
        "json-hash-as-given": ("The content hash of JSON that is not canonical.", json_memory("[1, 2]")),
        "json-hash-escaped": ("The content hash of JSON with escapes.", json_memory('["\\u00e9"]')),
        "json-a-map": ("JSON content that is a msgpack map.", json_memory("{}") | {"j": {}}),
        "json-key-twice": ("JSON content with a key twice.", json_memory('{"a":1,"a":1}', '{"a":1}')),
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


def _hashes() -> Iterator[Case]:
    """Content hashes of JSON that is nearly canonical."""
    hashes: dict[str, tuple[str, str, str]] = {
        "unsorted": ("keys in the order given", '{"b":1,"a":2}', '{"b":1,"a":2}'),
        "utf-16": (
            "keys sorted as UTF-16",
            '{"\U0001f375":1,"\uff61":2}',
            '{"\U0001f375":1,"\uff61":2}',
        ),
        "sorted-before-nfc": ("keys sorted before NFC", '{"e\u0301":1,"f":2}', '{"é":1,"f":2}'),
        "key-not-nfc": ("a key that is not in NFC", '{"e\u0301":1}', '{"e\u0301":1}'),
        "first-key": ("the first of two equal keys", '{"a":1,"a":2}', '{"a":1}'),
        "first-key-of-nfc": ("the first of two keys equal in NFC", '{"é":1,"e\u0301":2}', '{"é":1}'),
        "both-keys": ("both of two equal keys", '{"a":1,"a":2}', '{"a":1,"a":2}'),
        "nfc-of-all": ("NFC of the whole text", '["\\n\u0301"]', '["\\ń"]'),
        "upper-hex": ("an escape with upper-case digits", '["\\u001f"]', '["\\u001F"]'),
        "long-escape": ("a line end escaped by number", '["\\n"]', '["\\u000a"]'),
        "escaped-delete": ("U+007F escaped", '["\x7f"]', '["\\u007f"]'),
        "escaped-slash": ("an escaped slash", '["/"]', '["\\/"]'),
        "escaped-surrogates": ("a character as two surrogates", '["\U0001f375"]', '["\\ud83c\\udf75"]'),
        "no-fraction": ("1.0 as an integer", "[1.0]", "[1]"),
        "fraction": ("an integer with a fraction", "[1]", "[1.0]"),
        "exponent": ("1e16 without an exponent", "[1e16]", "[10000000000000000.0]"),
        "exponent-without-sign": ("1e16 without a sign", "[1e16]", "[1e16]"),
        "exponent-of-one-digit": ("an exponent of one digit", "[1.5e-07]", "[1.5e-7]"),
        "digits-given": ("more digits than needed", "[0.10000000000000000555]", "[0.10000000000000000555]"),
        "zero-without-sign": ("-0.0 without its sign", "[-0.0]", "[0.0]"),
        "big-as-float": ("a large integer as a float", "[100000000000000000000]", "[1e+20]"),
        "nan-as-null": ("NaN as null", "[NaN]", "[null]"),
    }
    for name, (what, text, same) in hashes.items():
        s = Scribe.begun(f"content-json-hash-{name}")
        s.commit((MEMORY, json_memory(text, same)))
        yield bad(s, f"The content hash of JSON with {what}.")


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

    s = Scribe.begun("vector-before-its-space")
    s.commit((MEMORY, memory("tea", v={"default": {"": three}})))
    s.commit((SPACE, space()))
    yield bad(s, "A vector of a space that only a later commit brings.")

    s = Scribe.begun("vector-dimension-of-its-commit")
    s.commit((SPACE, space(dim=4)), (MEMORY, memory("tea", v={"default": {"": three}})))
    yield bad(s, "A vector of three dimensions of a space of four that the same commit brings.")

    s = Scribe.begun("vector-of-the-space-before")
    s.commit((SPACE, space()))
    s.commit((SPACE, space(dim=2)), ops=[[2, 2, 0]])
    s.erase(2)
    s.commit((MEMORY, memory("tea", v={"default": {"": three}})))
    yield bad(s, "A vector of three dimensions after its space was declared anew with two.")

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
        "attributes-deep": ("Attributes of 65 objects inside one another.", {"attr": nested(65)}),
        "created-a-float": ("An item first written at a float.", {"ad": float(TIME)}),
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
        "dimension-a-float": ("A space whose dimension is 3.0.", {"dim": 3.0}),
        "dimension-true": ("A space whose dimension is true.", {"dim": True}),
        "fingerprint-bytes": ("A space whose fingerprint is bytes.", {"fp": b"small"}),
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

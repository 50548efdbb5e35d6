"""Vaults that must open: what a memory may hold."""

import struct
from collections.abc import Iterator
from typing import Any

from vectors.case import Case, good
from vectors.expected import HOUR, floats, seen, seen_item, seen_space
from vectors.maps import (
    ALWAYS,
    FIRST_TIME,
    ITEM,
    LAST_TIME,
    MEMORY,
    SPACE,
    TIME,
    item,
    json_memory,
    memory,
    nested,
    space,
)
from vectors.parts import b64, pack
from vectors.scribe import Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _texts()
    yield from _jsons()
    yield from _forms()
    yield from _vectors()
    yield from _fields()


def _texts() -> Iterator[Case]:
    texts = {
        "good-empty-text": ("The content is the empty text.", ""),
        "good-decomposed-text": ("Text is kept as given and hashed in NFC.", "cafe\u0301"),
        "good-large-record": ("A record of several chunks.", "0123456789 " * 5000),
    }
    for name, (what, text) in texts.items():
        s = Scribe.begun(name)
        s.commit((MEMORY, memory(text)))
        yield good(s, what, seen("m1", text, 2, 0))

    s = Scribe.begun("good-chunk-border")
    text = "x" * (16_384 - 128)  # with the map around it, PADMÉ rounds up to 16 KiB
    s.commit((MEMORY, memory(text)))
    assert len(s.records[2 << 24]) == 72 + 16_384 + 16
    yield good(s, "A padded record of exactly 16 KiB ends in an empty chunk.", seen("m1", text, 2, 0))


def _jsons() -> Iterator[Case]:
    jsons = {
        "good-json": (
            "JSON content is hashed in canonical form.",
            '{"b": "caf\\u00e9", "a": [1, true, null]}',
            '{"a":[1,true,null],"b":"café"}',
        ),
        "good-json-nan-bigint": (
            "JSON content may hold NaN, infinities and integers of any size.",
            '{"big":1' + "0" * 100 + ',"nan":NaN,"out":[Infinity,-Infinity]}',
            None,
        ),
        "good-json-null": ("The content is the JSON value null.", "null", None),
        "good-json-decomposed": ("Strings of JSON content are hashed in NFC.", '["cafe\u0301"]', '["caf\u00e9"]'),
        "good-json-nfc-of-each-text": (
            "NFC is of each text, not of the JSON around it: the n of an escaped line end takes no accent.",
            '["\\n\u0301"]',
            None,
        ),
        "good-json-escapes": (
            "The quotation mark, the backslash and characters below U+0020 are escaped, all else is as it is.",
            '["\\u0001\\u0008\\u000C\\u000a\\u000d\\u0009\\u001F \\u0022\\u005C\\/\\u007f\\u2028\\ud83c\\udf75"]',
            '["\\u0001\\b\\f\\n\\r\\t\\u001f \\"\\\\/\x7f\u2028\U0001f375"]',
        ),
        "good-json-keys": (
            "Keys are sorted by code point, in NFC: not by UTF-16, and not as given.",
            '{"\U0001f375":1,"\uff61":2,"e\u0301":3,"f":4,"":5,"B":6,"a":7}',
            '{"":5,"B":6,"a":7,"f":4,"é":3,"\uff61":2,"\U0001f375":1}',
        ),
        "good-json-keys-equal": (
            "Of keys that become equal in NFC the last counts.",
            '{"a":[3],"é":2,"e\u0301":4}',
            '{"a":[3],"é":4}',
        ),
        "good-json-numbers": (
            "Integers in decimal; other numbers as the shortest decimal of the same binary64.",
            "[12, 1.0, 1e2, 1E16, 0.00000015, 1.50, -0.0, 9007199254740993.0, 5e-324, 0.1, 100000000000000000000]",
            "[12,1.0,100.0,1e+16,1.5e-07,1.5,-0.0,9007199254740992.0,5e-324,0.1,100000000000000000000]",
        ),
    }
    for name, (what, given, same) in jsons.items():
        s = Scribe.begun(name)
        s.commit((MEMORY, json_memory(given, same)))
        yield good(s, what, seen("m1", None, 2, 0, json=given))

    s = Scribe.begun("good-json-deep")
    content = "[" * 63 + '{"[[{{\\"[":0}' + "]" * 63
    s.commit(
        (MEMORY, json_memory(content)),
        (MEMORY, memory("tea", "m2", md=nested(64))),
        (ITEM, item(attr=nested(64))),
    )
    yield good(
        s,
        "Content, metadata and attributes of 64 objects or lists inside one another; brackets in texts do not count.",
        seen("m1", None, 2, 0, json=content),
        seen("m2", "tea", 2, 1, metadata=nested(64)),
        items=[seen_item("k1", b"value", 2, 2, attributes=nested(64))],
    )


def _forms() -> Iterator[Case]:
    s = Scribe.begun("good-most")
    most: dict[str, Any] = {"ns": ["n" * 512] * 32, "tg": ["t" * 512] * 256}
    labels = {"ty": "y" * 512, "se": "e" * 512, "src": "s" * 512, "th": "h" * 512, "dc": "é" * 256}
    s.commit((MEMORY, memory("tea", "i" * 512, **most, **labels)))
    yield good(
        s,
        "An id, a type, labels and tags of the greatest length and number.",
        seen(
            "i" * 512,
            "tea",
            2,
            0,
            namespace=most["ns"],
            tags=most["tg"],
            type=labels["ty"],
            sensitivity=labels["se"],
            source=labels["src"],
            thread=labels["th"],
            data_class=labels["dc"],
        ),
    )

    s = Scribe.begun("good-labels")
    odd = " \u200b\u2028\xad\ue000 "
    s.commit((MEMORY, memory("tea", odd, ns=[odd], tg=[odd], th=odd)))
    yield good(
        s,
        "Labels may have any character that is no control character (category Cc), white space too.",
        seen(odd, "tea", 2, 0, namespace=[odd], tags=[odd], thread=odd),
    )

    s = Scribe.begun("good-before-1970")
    s.commit((MEMORY, memory("moon", ev=-14_182_940_000_000)))
    yield good(s, "Times before 1970 are negative.", seen("m1", "moon", 2, 0, event_time=-14_182_940_000_000))

    s = Scribe.begun("good-first-and-last-time")
    times: dict[str, Any] = {"ca": FIRST_TIME, "ua": LAST_TIME, "ev": LAST_TIME, "vf": FIRST_TIME, "vt": LAST_TIME}
    s.commit((MEMORY, memory("tea", **times, ex=LAST_TIME, st=[0, 0, 1, FIRST_TIME, LAST_TIME])))
    yield good(
        s,
        "Times reach from the first microsecond of year 1 to the last of year 9999.",
        seen(
            "m1",
            "tea",
            2,
            0,
            created_at=FIRST_TIME,
            updated_at=LAST_TIME,
            event_time=LAST_TIME,
            valid_from=FIRST_TIME,
            valid_to=LAST_TIME,
            expires_at=LAST_TIME,
            uses=1,
            last_used=FIRST_TIME,
            refreshed=LAST_TIME,
        ),
    )

    s = Scribe.begun("good-msgpack-forms")
    by_hand = b"".join(
        (
            b"\xde\x00\x08",  # map 16
            b"\xa2id\xd9\x02m1",  # str 8
            b"\xa1c\xda\x00\x03tea",  # str 16
            b"\xa1h\xc5\x00\x20" + memory("tea")["h"],  # bin 16
            b"\xa2po\xcf" + (7).to_bytes(8),  # uint 64
            b"\xa2im\xca" + struct.pack(">f", 0.5),  # float 32
            *(pack(key) + pack(value) for key, value in ALWAYS.items()),
        )
    )
    s.commit((MEMORY, by_hand))
    yield good(
        s,
        "msgpack values need not take their shortest form.",
        seen("m1", "tea", 2, 0, position=7, importance=0.5),
    )


def _vectors() -> Iterator[Case]:
    s = Scribe.begun("good-vectors")
    s.commit((SPACE, space()), (SPACE, space("image", 2)))
    both = {"default": {"text": floats(1, 0, 0), "title": floats(0, 1, 0)}}
    both["image"] = {"": floats(0.5, -0.5)}
    s.commit((MEMORY, memory("tea", v=both)), (MEMORY, memory("coffee", "m2", v={})))
    yield good(
        s,
        "A memory with two vectors in one space and one in another.",
        seen(
            "m1",
            "tea",
            3,
            0,
            vectors={space: {field: b64(vector) for field, vector in fields.items()} for space, fields in both.items()},
        ),
        seen("m2", "coffee", 3, 1, vectors={}),
        spaces=[seen_space(), seen_space("image", 2)],
    )

    s = Scribe.begun("good-vectors-with-their-space")
    there = {"default": {"": floats(1, 0, 0)}}
    s.commit((MEMORY, memory("tea", v=there)), (SPACE, space()))
    yield good(
        s,
        "One commit brings a memory with a vector and, after it, the vector's space.",
        seen("m1", "tea", 2, 0, vectors={"default": {"": b64(floats(1, 0, 0))}}),
        spaces=[seen_space()],
    )

    s = Scribe.begun("good-index")
    s.commit((MEMORY, memory("tea", ix=False)), (MEMORY, memory("cup", "m2", ix={"title": "mug"})))
    yield good(
        s,
        "One memory is not searched, another by a text of its own.",
        seen("m1", "tea", 2, 0, index=False),
        seen("m2", "cup", 2, 1, index={"title": "mug"}),
    )


def _fields() -> Iterator[Case]:
    s = Scribe.begun("good-every-field")
    s.commit((SPACE, space()))
    fields: dict[str, tuple[str, Any]] = {
        "ty": ("type", "SEMANTIC"),
        "ti": ("tier", 2),
        "tg": ("tags", ["a", "b"]),
        "md": ("metadata", '{"n":[1,2.5,null],"é":{}}'),
        "im": ("importance", 0.25),
        "cf": ("confidence", 1.0),
        "ei": ("emotional_intensity", 0.0),
        "va": ("valence", -1.0),
        "se": ("sensitivity", "private"),
        "src": ("source", "chat"),
        "th": ("thread", "t-1"),
        "dc": ("data_class", "preference"),
        "po": ("position", 0),
        "ev": ("event_time", TIME - 1),
        "vf": ("valid_from", TIME - 2),
        "vt": ("valid_to", TIME + HOUR),
        "ex": ("expires_at", TIME + 2 * HOUR),
        "sl": ("slot", ["ada", "drink"]),
        "su": ("supersedes", ["m0", "m00"]),
        "ca": ("created_at", TIME + 3),
        "ua": ("updated_at", TIME + 4),
        "by": ("provenance", {"app": "demo"}),
        "or": ("origin", "agent"),
        "why": ("reason", "said so"),
    }
    stored: dict[str, Any] = {key: value for key, (_, value) in fields.items()}
    stored |= {"ns": ["ada", "work"], "v": {"default": {"": floats(0, 0, 1)}}}
    stored |= {"st": [0, 1, 3, TIME, TIME + 1], "ix": {"": "tea, green"}, "tr": 1, "gh": TIME + 3 * HOUR}
    s.commit((MEMORY, memory("tea", **stored)))
    yield good(
        s,
        "A memory with every field.",
        seen(
            "m1",
            "tea",
            3,
            0,
            namespace=["ada", "work"],
            **dict(fields.values()),
            vectors={"default": {"": b64(floats(0, 0, 1))}},
            index={"": "tea, green"},
            pinned=True,
            trusted=True,
            ghost_until=TIME + 3 * HOUR,
            uses=3,
            last_used=TIME,
            refreshed=TIME + 1,
        ),
        spaces=[seen_space()],
    )

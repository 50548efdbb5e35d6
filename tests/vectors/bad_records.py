"""Records whose stored, sealed, padded or packed bytes must be refused."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from vectors.case import Case, bad
from vectors.maps import MEMORY, memory
from vectors.parts import pack, pad
from vectors.scribe import Scribe

FIRST = 2 << 24  # the address of the record in the second entry


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _stored()
    yield from _unnamed()
    yield from _erased()
    yield from _sealed()
    yield from _chunks()
    yield from _padded()
    yield from _packed()


def two(name: str, **commit: Any) -> Scribe:
    """A vault with two memories of the same size in its second entry."""
    scribe = Scribe.begun(name)
    scribe.commit((MEMORY, memory("tea")), (MEMORY, memory("ice", "m2")), **commit)
    return scribe


def _stored() -> Iterator[Case]:
    """What the storage side can do to records without a key."""
    s = two("record-swapped")
    s.records[FIRST], s.records[FIRST + 1] = s.records[FIRST + 1], s.records[FIRST]
    yield bad(s, "Two records are swapped.")

    s = two("record-flipped")
    s.records[FIRST] = s.records[FIRST][:-1] + bytes([s.records[FIRST][-1] ^ 1])
    yield bad(s, "A bit of a record changed.")

    s = two("record-cut")
    s.records[FIRST] = s.records[FIRST][:-1]
    yield bad(s, "The last byte of a record is missing.")

    s = two("record-missing")
    del s.records[FIRST + 1]
    yield bad(s, "A live record is missing.")

    s = two("record-zeroed")
    s.erase(2)
    yield bad(s, "A live record was zeroed; no op erased it.")

    s = two("record-emptied")
    s.records[FIRST] = b""
    yield bad(s, "A live record was emptied.")

    s = two("record-zeroed-and-written")
    s.erase(2)
    s.commit((MEMORY, memory("tea")))
    yield bad(s, "A record was zeroed when a newer version was written; no op erased it.")


def _unnamed() -> Iterator[Case]:
    """Records that no entry names."""
    s = two("record-beyond-its-commit")
    s.records[FIRST + 2] = s.records[FIRST]
    yield bad(s, "A record more than its commit brought.")

    s = two("record-beyond-the-log")
    s.records[3 << 24] = s.records[FIRST]
    yield bad(s, "A record beyond the head of the log.")

    s = two("record-of-the-first-entry")
    s.records[1 << 24] = s.records[FIRST]
    yield bad(s, "A record of the first entry, which brought none.")

    s = two("record-of-zeros")
    s.commit(ops=[[2, 2, 0]])
    s.erase(2)
    s.records[3 << 24] = bytes(len(s.records[FIRST]))
    yield bad(s, "A record of zeros that no entry names.")


def _erased() -> Iterator[Case]:
    """Records that are erased and not there as zeros."""
    s = two("erased-but-there")
    s.commit(ops=[[2, 2, 0]])
    yield bad(s, "An erased record still has its bytes.")

    s = two("erased-but-not-zeros")
    s.commit(ops=[[2, 2, 0]])
    s.erase(2)
    s.records[FIRST] = s.records[FIRST][:-1] + b"\1"
    yield bad(s, "An erased record ends in a byte that is not zero.")

    s = two("erased-and-missing")
    s.commit(ops=[[2, 2, 0]])
    del s.records[FIRST]
    yield bad(s, "An erased record is missing instead of zero.")

    s = two("erased-emptied")
    s.commit(ops=[[2, 2, 0]])
    s.records[FIRST] = b""
    yield bad(s, "An erased record was emptied instead of overwritten.")

    s = two("erased-and-grown")
    s.commit(ops=[[2, 2, 0]])
    s.records[FIRST] = bytes(len(s.records[FIRST]) + 1)
    yield bad(s, "An erased record is a zero longer than anything sealed can be.")

    s = two("erased-rewritten")
    s.commit(ops=[[2, 2, 0]])
    s.records[FIRST] = s.records[FIRST + 1]
    yield bad(s, "An erased record has the bytes of another one.")


def _sealed() -> Iterator[Case]:
    """Records sealed for another place, with hashes and signatures that fit."""
    s = two("record-of-another-n", stored=lambda sealed: sealed[::-1])
    yield bad(s, "Two records are sealed for each other's n.")

    s = two("record-of-another-commit")
    s.commit((MEMORY, memory("tea")), stored=_instead(s.records[FIRST]))
    yield bad(s, "A record is sealed for an address of an earlier commit.")

    other = two("another")
    s = Scribe.begun("record-of-another-vault")
    s.commit((MEMORY, memory("tea")), stored=_instead(other.records[FIRST]))
    yield bad(s, "A record is sealed with another vault's key, for another vault.")

    for name, what, changes in (
        ("record-for-another-vault", "with the right key, for another vault", {"vault": bytes(16)}),
        ("record-for-another-box", "for another box", {"box": b"b" * 16}),
        ("record-for-another-generation", "for another generation", {"generation": 2}),
        ("record-as-a-part", "as a snapshot's part", {"kind": b"part"}),
    ):
        s = Scribe.begun(name)
        place: dict[str, Any] = {"kind": b"reco", "box": s.boxes["main"].id, "generation": 1}
        context = s.context(**(place | {"seq": 2} | changes))
        sealed = s.seal(s.boxes["main"].keys[1], context, pack(memory("tea")))
        s.commit((MEMORY, memory("tea")), stored=_instead(sealed))
        yield bad(s, f"A record is sealed {what}.")

    s = Scribe.begun("record-with-the-older-key")
    s.rotate_keys()
    s.new_header()
    box = s.boxes["main"]
    context = s.context(b"reco", box=box.id, generation=2, seq=3)
    sealed = s.seal(box.keys[1], context, pack(memory("tea")))
    s.commit((MEMORY, memory("tea")), stored=_instead(sealed))
    yield bad(s, "A record is sealed with the key of the older generation.")

    s = Scribe.begun("sealed-zeros")
    s.commit((MEMORY, memory("tea")), stored=lambda sealed: [bytes(len(sealed[0]))])
    yield bad(s, "A commit brought a record that was zeros from the beginning.")


def _instead(sealed: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """Store this in place of the one record of the commit."""
    return lambda _: [sealed]


def _chunks() -> Iterator[Case]:
    """A record of three chunks, changed after it was sealed."""
    chunk = 16_384 + 16
    long = memory("0123456789" * 4000)
    changes: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "commitment": (
            "The key commitment has a bit changed.",
            lambda each: each[:24] + bytes([each[24] ^ 1]) + each[25:],
        ),
        "salt": ("The salt has a bit changed.", lambda each: bytes([each[0] ^ 1]) + each[1:]),
        "tag": ("The last tag has a bit changed.", lambda each: each[:-1] + bytes([each[-1] ^ 1])),
        "cut-at-a-chunk": ("The last chunk is missing.", lambda each: each[: 56 + 2 * chunk]),
        "cut-in-a-tag": ("The last chunk is shorter than its tag.", lambda each: each[: 56 + chunk + 9]),
        "chunks-swapped": (
            "Two chunks are swapped.",
            lambda each: each[:56] + each[56 + chunk : 56 + 2 * chunk] + each[56 : 56 + chunk] + each[56 + 2 * chunk :],
        ),
        "header-only": ("There is no chunk.", lambda each: each[:56]),
        "left-over": ("A byte follows the last chunk.", lambda each: each + b"\0"),
        "empty": ("The sealed record is empty.", lambda _: b""),
    }
    for name, (what, change) in changes.items():
        s = Scribe.begun(f"sealed-{name}")
        s.commit((MEMORY, long), stored=partial(_changed, change))
        yield bad(s, f"{what} Hash and signature fit.")


def _changed(change: Callable[[bytes], bytes], sealed: list[bytes]) -> list[bytes]:
    return [change(each) for each in sealed]


def _padded() -> Iterator[Case]:
    """Paddings; the memory's plaintext is 85 bytes and is padded, with its length, to 96."""
    plain = pack(memory("tea"))
    assert len(plain) == 85
    assert len(pad(plain)) == 96
    paddings: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "not-zero": ("The last byte of the padding is 1.", lambda plain: pad(plain)[:-1] + b"\1"),
        "none": ("There is no padding.", lambda plain: len(plain).to_bytes(4) + plain),
        "short": ("The padding is a byte short.", lambda plain: pad(plain)[:-1]),
        "long": ("The padding is a byte long.", lambda plain: pad(plain) + b"\0"),
        "next": ("The padding goes on to the length after.", lambda plain: pad(plain) + bytes(8)),
        "block": ("The padding goes on to 256 bytes.", lambda plain: pad(plain).ljust(256, b"\0")),
        "length-above": ("The length goes beyond the padding.", lambda plain: (93).to_bytes(4) + pad(plain)[4:]),
        "length-below": ("The length is too short by one.", lambda plain: (84).to_bytes(4) + pad(plain)[4:]),
        "length-0": ("The length is 0.", lambda plain: bytes(4) + pad(plain)[4:]),
        "length-cut": ("There are only three bytes.", lambda _: b"\0\0\0"),
        "little-endian": (
            "The length is little-endian.",
            lambda plain: len(plain).to_bytes(4, "little") + pad(plain)[4:],
        ),
    }
    for name, (what, padding) in paddings.items():
        s = Scribe.begun(f"padding-{name}")
        s.commit((MEMORY, plain), padded=padding)
        yield bad(s, what)


def _packed() -> Iterator[Case]:
    plain = pack(memory("tea"))
    plaintexts: dict[str, tuple[str, bytes]] = {
        "empty": ("A record of no bytes.", b""),
        "garbage": ("A record that is not msgpack.", b"\xc1" * 40),
        "cut": ("The msgpack ends too early.", plain[:-1]),
        "left-over": ("A byte follows the msgpack.", plain + b"\0"),
        "a-list": ("A record that is a list.", pack(["m1", "tea"])),
        "nil": ("A record that is nil.", b"\xc0"),
        "not-utf-8": ("A text that is not UTF-8.", plain.replace(b"tea", b"t\xffa")),
        "key-twice": ("A key comes twice.", bytes([plain[0] + 1]) + plain[1:] + pack("c") + pack("tea")),
        "unknown-key-twice": (
            "A key comes twice that this format does not know.",
            bytes([plain[0] + 2]) + plain[1:] + (pack("zz") + pack(1)) * 2,
        ),
        "inner-key-twice": (
            "A key comes twice in provenance.",
            bytes([plain[0] + 1]) + plain[1:] + pack("by") + b"\x82" + (pack("app") + pack("demo")) * 2,
        ),
        "key-a-number": ("A key that is a number.", bytes([plain[0] + 1]) + plain[1:] + b"\x05\x05"),
        "key-bytes": ("A key that is bytes.", bytes([plain[0] + 1]) + plain[1:] + pack(b"zz") + pack(1)),
        "content-hash-a-text": ("A hash written as text.", plain.replace(b"\xc4\x20", b"\xd9\x20")),
    }
    for name, (what, plaintext) in plaintexts.items():
        s = Scribe.begun(f"msgpack-{name}")
        s.commit((MEMORY, plaintext))
        yield bad(s, what)

"""Entries that must be refused: their bytes, their chain, and what signs them."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from typing import Any

from vectors.case import Case, bad
from vectors.maps import MEMORY, memory
from vectors.parts import Clear
from vectors.scribe import Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _bytes()
    yield from _clear_parts()
    yield from _chains()
    yield from _keys()
    yield from _generations()
    yield from _rotations()
    yield from _first_entries()


def _bytes() -> Iterator[Case]:
    """Defects of the stored bytes of the last entry."""
    changes: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "hmac": ("A bit of the HMAC changed.", lambda entry: entry[:-1] + bytes([entry[-1] ^ 1])),
        "flipped": (
            "A bit of the sealed ops changed.",
            lambda entry: entry[:-40] + bytes([entry[-40] ^ 1]) + entry[-39:],
        ),
        "writer-flipped": (
            "A bit of the writer id changed.",
            lambda entry: entry[:64] + bytes([entry[64] ^ 1]) + entry[65:],
        ),
        "left-over": ("A byte follows the HMAC.", lambda entry: entry + b"\0"),
        "cut": ("The last byte is missing.", lambda entry: entry[:-1]),
        "cut-in-the-clear-part": ("The entry ends in its clear part.", lambda entry: entry[:80]),
        "empty": ("The entry is empty.", lambda _: b""),
        "ops-too-long": ("The ops are said to be longer than the entry.", _longer_ops),
    }
    for name, (what, change) in changes.items():
        s = Scribe.begun(f"entry-{name}")
        s.commit((MEMORY, memory("tea")), body=change)
        yield bad(s, what)


def _longer_ops(entry: bytes) -> bytes:
    at = 92 + 32 + 2
    return entry[:at] + (int.from_bytes(entry[at : at + 4]) + 1000).to_bytes(4) + entry[at + 4 :]


def _clear_parts() -> Iterator[Case]:
    """Defects of one field of the clear part, everything signed."""
    edits: dict[str, tuple[str, dict[str, Any]]] = {
        "magic": ("Another magic.", {"magic": b"SRE2"}),
        "seq-again": ("The seq of the entry before.", {"seq": 1}),
        "seq-skipped": ("A seq left out.", {"seq": 3}),
        "prev": ("prev names nothing.", {"prev": bytes(32)}),
        "box-unknown": ("A box that the keyring does not have.", {"box": b"\x07" * 16}),
        "count-above": ("A count of 1 without a hash.", {"count": 1}),
        "count-huge": ("A count of 100,001.", {"count": 100_001}),
        "signature": ("A signature of 64 bytes.", {"signature": bytes(64)}),
        "counter-0": ("The first entry of a writer has counter 0.", {"writer": b"w" * 16, "counter": 0}),
        "counter-2": ("The first entry of a writer has counter 2.", {"writer": b"w" * 16, "counter": 2}),
        "counter-again": ("A writer's counter comes twice.", {"counter": 1}),
        "counter-skipped": ("A writer's counter leaves one out.", {"counter": 3}),
    }
    for name, (what, fields) in edits.items():
        s = Scribe.begun(f"entry-{name}")
        s.commit(edit=_setting(**fields))
        yield bad(s, what)

    s = Scribe.begun("entry-count-below")
    s.commit((MEMORY, memory("tea")), edit=_setting(count=0))
    yield bad(s, "A count of 0 before a hash.")

    s = Scribe.begun("entry-signature-length")
    s.commit(body=lambda entry: entry[:92] + b"\0\1" + entry[94:])
    s.entries[2] = _signed_again(s, s.entries[2])
    yield bad(s, "A signature length of 1 without a signature.")

    s = Scribe.begun("entry-record-hash")
    s.commit((MEMORY, memory("tea")), edit=_setting(hashes=[bytes(32)]))
    yield bad(s, "The hash of a record is another one.")

    s = Scribe.begun("entry-record-hashes-swapped")
    s.commit(
        (MEMORY, memory("tea")),
        (MEMORY, memory("coffee", "m2")),
        edit=lambda clear: clear.hashes.reverse(),
    )
    yield bad(s, "The hashes of two records are swapped.")


def _setting(**fields: Any) -> Callable[[Clear], None]:
    def edit(clear: Clear) -> None:
        for name, value in fields.items():
            setattr(clear, name, value)

    return edit


def _signed_again(s: Scribe, entry: bytes) -> bytes:
    return entry[:-32] + hmac.digest(s.log_keys[1], entry[:-32], "sha256")


def _chains() -> Iterator[Case]:
    """Entries missing, moved, or of another vault."""
    s = Scribe.with_memory("log-gap")
    s.commit((MEMORY, memory("coffee")))
    del s.entries[2], s.records[2 << 24]
    yield bad(s, "The second of three entries is missing.")

    s = Scribe.with_memory("log-without-first")
    del s.entries[1]
    yield bad(s, "The first entry is missing.")

    s = Scribe.with_memory("log-from-0")
    s.entries = {seq - 1: entry for seq, entry in s.entries.items()}
    yield bad(s, "The entries are stored one seq too low.")

    s = Scribe.with_memory("log-empty")
    s.entries.clear()
    s.records.clear()
    yield bad(s, "The log is empty.")

    s = Scribe.with_memory("log-swapped")
    s.commit((MEMORY, memory("coffee")))
    s.entries[2], s.entries[3] = s.entries[3], s.entries[2]
    yield bad(s, "Two entries are swapped.")

    s = Scribe.with_memory("log-repeated")
    s.entries[3] = s.entries[2]
    yield bad(s, "The last entry comes twice.")

    s, other = Scribe.with_memory("log-of-another-vault"), Scribe.with_memory("another")
    s.entries[2], s.records[2 << 24] = other.entries[2], other.records[2 << 24]
    yield bad(s, "The second entry and its record are another vault's.")

    s = Scribe.with_memory("log-forked")
    fork = Scribe.with_memory("log-forked")
    fork.commit((MEMORY, memory("coffee")))
    s.commit((MEMORY, memory("water")))
    s.commit((MEMORY, memory("milk")))
    s.entries[3], s.records[3 << 24] = fork.entries[3], fork.records[3 << 24]
    yield bad(s, "The third entry is from a fork of the same vault.")

    s = Scribe("log-first-prev")
    s.add_way("file")
    s.write_header()
    digest = hashlib.sha256(s.body).digest()
    s.commit(box=None, ops=[[5, 1, digest]], edit=_setting(prev=bytes(32)))
    yield bad(s, "The prev of the first entry does not come from the vault id.")


def _keys() -> Iterator[Case]:
    """Entries signed or sealed with another key, or for another place."""
    s = Scribe.with_memory("entry-hmac-key")
    s.commit(hmac_key=bytes(32))
    yield bad(s, "The HMAC is made with another key.")

    s = Scribe.with_memory("entry-hmac-box-key")
    s.commit(hmac_key=s.boxes["main"].keys[1])
    yield bad(s, "The HMAC is made with the key of the box.")

    s = Scribe.with_memory("ops-bound-elsewhere")
    s.commit(bound=hashlib.sha256(b"another clear part").digest())
    yield bad(s, "The ops are sealed for another clear part.")

    s = Scribe("ops-of-another-box")
    s.add_way("file")
    s.add_box("work")
    s.new_header()
    s.commit(edit=_setting(box=s.boxes["work"].id))
    yield bad(s, "The ops are sealed with the key of another box.")

    s = Scribe.with_memory("ops-of-the-vault-in-a-box")
    s.commit(box=None, edit=_setting(box=s.boxes["main"].id))
    yield bad(s, "The ops of a box are sealed with the vault key.")

    s = Scribe.with_memory("entry-generation-unknown")
    s.commit(edit=_setting(generation=2))
    yield bad(s, "A key generation that the keyring does not have.")

    s = Scribe.with_memory("entry-generation-0")
    s.commit(edit=_setting(generation=0))
    yield bad(s, "Key generation 0.")


def _generations() -> Iterator[Case]:
    """Key generations that go back or come too early."""
    s = Scribe.with_memory("entry-generation-older")
    s.rotate_keys()
    s.new_header()
    s.commit((MEMORY, memory("coffee")), generation=1)
    yield bad(s, "An entry of the older generation right after a rotation.")

    s = Scribe.with_memory("entry-generation-back")
    s.rotate_keys()
    s.new_header()
    s.commit((MEMORY, memory("coffee")))
    s.commit((MEMORY, memory("water")), generation=1)
    yield bad(s, "An entry of the older generation after one of the newer.")

    s = Scribe.with_memory("entry-generation-old-log-key")
    s.rotate_keys()
    s.new_header()
    s.commit(hmac_key=s.log_keys[1])
    yield bad(s, "An entry of the newer generation signed with the older log key.")

    s = Scribe.with_memory("entry-generation-early")
    s.rotate_keys()
    s.commit((MEMORY, memory("coffee")))
    s.new_header()
    yield bad(s, "An entry of the newer generation before its header.")

    s = Scribe.begun("entry-generation-before-the-box")
    s.add_box("work")
    s.commit(box="work")
    s.rotate_keys()
    del s.boxes["work"].keys[1]
    s.new_header()
    yield bad(s, "An entry of a box, of a generation from before the box was made.")


def _rotations() -> Iterator[Case]:
    """Key generations that rise elsewhere than in the entry that brings the header."""
    s = Scribe.with_memory("entry-generation-late")
    s.rotate_keys()
    s.write_header()
    s.commit_header(generation=1)
    yield bad(s, "The entry that brings the header of a rotation is of the older generation.")

    s = Scribe.with_memory("entry-generation-after-the-header")
    s.rotate_keys()
    s.write_header()
    s.commit_header(generation=1)
    s.commit((MEMORY, memory("coffee")))
    yield bad(s, "The generation rises in the entry after the one that brings the header.")

    s = Scribe.with_memory("entry-generation-pending")
    s.rotate_keys()
    s.write_header()
    s.commit((MEMORY, memory("coffee")))
    yield bad(s, "An entry of the newer generation while its header still waits.")

    s = Scribe.with_memory("entry-generation-by-two")
    s.rotate_keys()
    s.rotate_keys()
    s.new_header()
    yield bad(s, "The generation rises by two.")

    s = Scribe.with_memory("entry-generation-with-restored")
    s.rotate_keys()
    s.commit(box=None, ops=[[6, 2, 9, bytes(32)]])
    s.new_header()
    yield bad(s, "The generation rises in a vault entry without a new header.")

    s = Scribe("first-key-generation-2")
    s.add_way("file")
    s.rotate_keys()
    s.new_header()
    yield bad(s, "The first entry is of key generation 2.")


def _first_entries() -> Iterator[Case]:
    """What brings headers."""

    def first(name: str, **commit: Any) -> Scribe:
        scribe = Scribe(name)
        scribe.add_way("file")
        scribe.write_header()
        digest = hashlib.sha256(scribe.body).digest()
        scribe.commit(**({"box": None, "ops": [[5, 1, digest]]} | commit))
        return scribe

    yield bad(first("first-without-header-op", ops=[]), "The first entry has no op 5.")
    yield bad(first("first-in-a-box", box="main", ops=[]), "The first entry is one of box main.")
    yield bad(first("first-hash", ops=[[5, 1, bytes(32)]]), "Op 5 has the hash of another header.")
    yield bad(first("first-hash-short", ops=[[5, 1, bytes(31)]]), "Op 5 has a hash of 31 bytes.")

    s = Scribe("first-generation-2")
    s.add_way("file")
    s.generation = 1
    s.new_header()
    yield bad(s, "The first header has generation 2.")

    s = Scribe.begun("header-op-generation-skipped")
    s.generation += 1
    s.new_header()
    yield bad(s, "Op 5 leaves a header generation out.")

    s = Scribe.begun("header-op-again")
    s.commit_header()
    yield bad(s, "Op 5 names the same header twice.")

    digest = hashlib.sha256(first("header-op-generation").body).digest()
    for name, what, op in (
        ("a-float", "Op 5 whose generation is a float.", [5, 1.0, digest]),
        ("a-text", "Op 5 whose hash is text.", [5, 1, digest.hex()]),
        ("short", "Op 5 without a hash.", [5, 1]),
        ("long", "Op 5 with a fourth value.", [5, 1, digest, None]),
    ):
        s = first("header-op-generation", ops=[op])
        s.seed = f"header-op-{name}"
        yield bad(s, what)

    s = Scribe.begun("header-op-in-a-box")
    s.write_header()
    s.commit(ops=[[5, 2, hashlib.sha256(s.body).digest()]])
    yield bad(s, "Op 5 in an entry of a box.")

"""Ops that must be refused, in entries that are right."""

from collections.abc import Iterator
from typing import Any

from vectors.case import Case, bad
from vectors.maps import FIRST_TIME, ITEM, LAST_TIME, MEMORY, SPACE, TIME, item, memory, space
from vectors.parts import pack, pad
from vectors.scribe import Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _plaintexts()
    yield from _puts()
    yield from _addresses()
    yield from _kinds()
    yield from _codes()
    yield from _vault_codes()
    yield from _again()


def _plaintexts() -> Iterator[Case]:
    """Ops that are not what ops are."""
    only: dict[str, tuple[str, Any]] = {
        "not-msgpack": ("The ops are not msgpack.", b"\xc1"),
        "empty": ("The ops are no bytes at all.", b""),
        "left-over": ("A byte follows the ops.", pack([TIME, []]) + b"\xc0"),
        "a-map": ("The ops are a map.", {"time": TIME, "ops": []}),
        "without-time": ("The ops have no time.", [[[4, 2, 0, 1, 1]]]),
        "three": ("A third value follows time and ops.", [TIME, [], None]),
        "time-a-text": ("The time is text.", ["now", []]),
        "time-a-float": ("The time is a float.", [1.5, []]),
        "time-nil": ("The time is nil.", [None, []]),
        "time-in-year-0": ("The time is before year 1.", [FIRST_TIME - 1, []]),
        "time-in-year-10000": ("The time is after year 9999.", [LAST_TIME + 1, []]),
        "not-a-list": ("The ops are a map in a list.", [TIME, {}]),
        "op-a-number": ("An op is a number.", [TIME, [4]]),
        "op-empty": ("An op is an empty list.", [TIME, [[]]]),
    }
    for name, (what, plaintext) in only.items():
        s = Scribe.with_memory(f"ops-{name}")
        s.commit(only=plaintext)
        yield bad(s, what)

    s = Scribe.with_memory("ops-padding")
    s.commit(padded_ops=lambda plaintext: pad(plaintext)[:-1] + b"\1", only=_ending_in_padding())
    yield bad(s, "The padding of the ops is not zero.")


def _ending_in_padding() -> bytes:
    """Ops whose padding is not empty."""
    plaintext = pack([TIME, [[3, 2, 0, 1, TIME, TIME, TIME]]])
    assert len(pad(plaintext)) > 4 + len(plaintext)
    return plaintext


def _puts() -> Iterator[Case]:
    """Records and the ops that name them."""
    one = [(MEMORY, memory("tea"))]
    only: dict[str, tuple[str, list[Any], list[Any]]] = {
        "record-without-put": ("A record without its op.", one, []),
        "put-without-record": ("An op without its record.", [], [[1, 0, MEMORY]]),
        "put-another-n": ("The op names n 1, the record is n 0.", one, [[1, 1, MEMORY]]),
        "put-twice": ("A record has two ops.", one, [[1, 0, MEMORY], [1, 0, MEMORY]]),
        "put-kind-unknown": ("A record of kind 4.", one, [[1, 0, 4]]),
        "put-kind-0": ("A record of kind 0.", one, [[1, 0, 0]]),
        "put-kind-a-float": ("A record whose kind is a float.", one, [[1, 0, 1.0]]),
        "put-n-a-float": ("A record whose n is a float.", one, [[1, 0.0, MEMORY]]),
        "put-kind-true": ("A record whose kind is true.", one, [[1, 0, True]]),
        "put-short": ("An op 1 without kind.", one, [[1, 0]]),
        "put-long": ("An op 1 with a fourth value.", one, [[1, 0, MEMORY, 0]]),
        "put-memory-as-item": ("A memory under the kind of an item.", one, [[1, 0, ITEM]]),
        "put-item-as-memory": ("An item under the kind of a memory.", [(ITEM, item())], [[1, 0, MEMORY]]),
        "put-space-as-item": ("A space under the kind of an item.", [(SPACE, space())], [[1, 0, ITEM]]),
    }
    for name, (what, puts, ops) in only.items():
        s = Scribe.begun(name)
        s.commit(*puts, only=[TIME, ops])
        yield bad(s, what)

    s = Scribe.begun("put-in-the-vault")
    s.commit((MEMORY, memory("tea")), box=None, only=[TIME, [[1, 0, MEMORY]]])
    yield bad(s, "A vault entry brings a record.")

    s = Scribe.begun("put-in-the-vault-without-op")
    s.commit((MEMORY, memory("tea")), box=None, only=[TIME, []])
    yield bad(s, "A vault entry has a record without op.")


def _addresses() -> Iterator[Case]:
    """Ops that name an address they must not name. (2, 0) is a live memory of box main."""
    ops: dict[str, tuple[str, list[Any]]] = {
        "erase-twice-in-a-commit": ("An address is erased twice.", [[2, 2, 0], [2, 2, 0]]),
        "erase-never-written": ("An erase of an n that its commit does not have.", [[2, 2, 1]]),
        "erase-in-the-vault-entry": ("An erase of a record of the first entry.", [[2, 1, 0]]),
        "erase-of-the-future": ("An erase of an address of a later commit.", [[2, 9, 0]]),
        "erase-seq-0": ("An erase of seq 0.", [[2, 0, 0]]),
        "erase-n-negative": ("An erase of n -1.", [[2, 2, -1]]),
        "erase-n-wide": ("An erase whose n reaches into the seq.", [[2, 1, 1 << 24]]),
        "use-never-written": ("A use of an address that never was.", [[3, 2, 1, 1, TIME, None, None]]),
        "pin-never-written": ("A pin of an address that never was.", [[4, 2, 1, None, 1]]),
    }
    for name, (what, each) in ops.items():
        s = Scribe.with_memory(name)
        s.commit(ops=each)
        if name == "erase-twice-in-a-commit":
            s.erase(2)
        yield bad(s, what)

    s = Scribe.with_memory("erase-again")
    s.commit(ops=[[2, 2, 0]])
    s.commit(ops=[[2, 2, 0]])
    s.erase(2)
    yield bad(s, "An address is erased that an earlier commit erased.")

    for name, what, op in (
        ("erase-in-another-box", "An erase of an address of another box.", [2, 2, 0]),
        ("use-in-another-box", "A use of a memory of another box.", [3, 2, 0, 1, None, None, None]),
        ("pin-in-another-box", "A pin of a memory of another box.", [4, 2, 0, None, 1]),
    ):
        s = Scribe(name)
        s.add_way("file")
        s.add_box("work")
        s.new_header()
        s.commit((MEMORY, memory("tea")))
        s.commit(box="work", ops=[op])
        if op[0] == 2:
            s.erase(2)
        yield bad(s, what)

    for name, what, put in (
        ("erase-of-its-own-commit", "A commit erases the memory that it brings.", (MEMORY, memory("tea"))),
        ("erase-of-its-own-item", "A commit erases the item that it brings.", (ITEM, item())),
    ):
        s = Scribe.begun(name)
        s.commit(put, ops=[[2, 2, 0]])
        s.erase(2)
        yield bad(s, what)


def _kinds() -> Iterator[Case]:
    """Ops 3 and 4 name memories only, live or erased."""
    use, pin = [3, 2, 0, 1, TIME, None, None], [4, 2, 0, None, 1]
    for thing, named, put in (("item", "an item", (ITEM, item())), ("space", "a space", (SPACE, space()))):
        for what, op in (("use", use), ("pin", pin)):
            s = Scribe.begun(f"{what}-of-{named.replace(' ', '-')}")
            s.commit(put)
            s.commit(ops=[op])
            yield bad(s, f"A {what} of {named}.")

            s = Scribe.begun(f"{what}-of-an-erased-{thing}")
            s.commit(put)
            s.commit(ops=[[2, 2, 0]])
            s.erase(2)
            s.commit(ops=[op])
            yield bad(s, f"A {what} of {named} that was erased.")


def _again() -> Iterator[Case]:
    """Items and spaces written again without an erase of the one before."""
    things: dict[str, tuple[int, dict[str, Any], dict[str, Any], str]] = {
        "item": (ITEM, item(), item(val=b"newer"), "of one collection and key"),
        "space": (SPACE, space(), space(fp="newer"), "of one name"),
    }
    for thing, (kind, older, newer, same) in things.items():
        s = Scribe.begun(f"{thing}-twice-in-a-commit")
        s.commit((kind, older), (kind, newer))
        yield bad(s, f"A commit brings two {thing}s {same}.")

        s = Scribe.begun(f"{thing}-written-again")
        s.commit((kind, older))
        s.commit((kind, newer))
        yield bad(s, f"The {thing} was written again and the one before not erased.")

        s = Scribe.begun(f"{thing}-written-again-the-same")
        s.commit((kind, older))
        s.commit((MEMORY, memory("tea")))
        s.commit((kind, older))
        yield bad(s, f"Two live {thing}s {same} are equal in all else too.")

        s = Scribe.begun(f"{thing}-written-again-other-erased")
        s.commit((kind, older), (MEMORY, memory("tea")))
        s.commit((kind, newer), ops=[[2, 2, 1]])
        s.erase(2, 1)
        yield bad(s, f"The {thing} was written again and something else erased.")


def _codes() -> Iterator[Case]:
    """Ops with wrong values. (2, 0) is a live memory of box main."""
    ops: dict[str, tuple[str, list[Any]]] = {
        "op-unknown": ("An op with code 9.", [9, 2, 0]),
        "op-code-text": ("An op whose code is text.", ["1", 2, 0]),
        "op-code-true": ("An op whose code is true.", [True, 0, 1]),
        "erase-short": ("An erase without n.", [2, 2]),
        "erase-long": ("An erase with a fourth value.", [2, 2, 0, 0]),
        "erase-seq-a-float": ("An erase whose seq is a float.", [2, 2.0, 0]),
        "erase-n-a-float": ("An erase whose n is a float.", [2, 2, 0.0]),
        "use-time-in-year-0": ("A time of use before year 1.", [3, 2, 0, 1, FIRST_TIME - 1, None, None]),
        "use-refreshed-in-year-10000": ("Seen again after year 9999.", [3, 2, 0, None, None, LAST_TIME + 1, None]),
        "use-expires-in-year-10000": ("An expiry after year 9999.", [3, 2, 0, None, None, None, LAST_TIME + 1]),
        "use-true": ("A memory used true times.", [3, 2, 0, True, TIME, None, None]),
        "use-time-a-float": ("A time of use that is a float.", [3, 2, 0, 1, 1.0, None, None]),
        "use-long": ("An op 3 with an eighth value.", [3, 2, 0, 1, TIME, None, None, None]),
        "pin-long": ("An op 4 with a sixth value.", [4, 2, 0, None, 1, None]),
        "erase-a-text": ("An erase whose seq is text.", [2, "2", 0]),
        "use-short": ("An op 3 without expires.", [3, 2, 0, 1, TIME, None]),
        "use-negative": ("A memory used -1 times.", [3, 2, 0, -1, TIME, None, None]),
        "use-a-float": ("A memory used 1.5 times.", [3, 2, 0, 1.5, TIME, None, None]),
        "use-time-a-text": ("A time of use that is text.", [3, 2, 0, 1, "now", None, None]),
        "use-expires-a-float": ("A memory that expires at a float.", [3, 2, 0, 1, None, None, 0.5]),
        "trust-2": ("Trusted is 2.", [7, 2, 0, 2]),
        "trust-true": ("Trusted is true.", [7, 2, 0, True]),
        "trust-nil": ("Trusted is nil.", [7, 2, 0, None]),
        "trust-short": ("An op 7 without trusted.", [7, 2, 0]),
        "ghost-a-float": ("A ghost until a float.", [8, 2, 0, 1.0]),
        "ghost-in-year-10000": ("A ghost until after year 9999.", [8, 2, 0, LAST_TIME + 1]),
        "ghost-short": ("An op 8 without until.", [8, 2, 0]),
        "pin-2": ("Pinned is 2.", [4, 2, 0, None, 2]),
        "pin-true": ("Pinned is true.", [4, 2, 0, None, True]),
        "pin-a-float": ("Pinned is 1.0.", [4, 2, 0, None, 1.0]),
        "archive-false": ("Archived is false.", [4, 2, 0, False, None]),
        "archive-a-text": ("Archived is text.", [4, 2, 0, "1", None]),
        "archive-negative": ("Archived is -1.", [4, 2, 0, -1, None]),
        "pin-short": ("An op 4 without pinned.", [4, 2, 0, 1]),
        "restored-in-a-box": ("Op 6 in an entry of a box.", [6, 2, 9, bytes(32)]),
    }
    for name, (what, op) in ops.items():
        s = Scribe.with_memory(name)
        s.commit(ops=[op])
        yield bad(s, what)


def _vault_codes() -> Iterator[Case]:
    """Ops of vault entries with wrong values; the entry before has seq 2."""
    vault_ops: dict[str, tuple[str, list[Any]]] = {
        "erase-in-a-vault-entry": ("An erase in a vault entry.", [2, 2, 0]),
        "pin-in-a-vault-entry": ("A pin in a vault entry.", [4, 2, 0, None, 1]),
        "restored-beyond": ("Op 6 names a base that the log has not reached.", [6, 7, 9, bytes(32)]),
        "restored-below": ("Op 6 names a base before the last commit.", [6, 1, 9, bytes(32)]),
        "restored-itself": ("Op 6 names its own commit as base.", [6, 3, 9, bytes(32)]),
        "restored-base-0": ("Op 6 has base 0.", [6, 0, 9, bytes(32)]),
        "restored-head-0": ("Op 6 has head 0, which no log reaches.", [6, 2, 0, bytes(32)]),
        "restored-head-negative": ("Op 6 has head -1.", [6, 2, -1, bytes(32)]),
        "restored-head-a-float": ("Op 6 has a head that is a float.", [6, 2, 9.0, bytes(32)]),
        "restored-head-nil": ("Op 6 has head nil.", [6, 2, None, bytes(32)]),
        "restored-hash-long": ("Op 6 has a hash of 33 bytes.", [6, 2, 9, bytes(33)]),
        "restored-long": ("Op 6 has a fifth value.", [6, 2, 9, bytes(32), None]),
        "restored-hash-short": ("Op 6 has a hash of 31 bytes.", [6, 2, 9, bytes(31)]),
        "restored-hash-a-text": ("Op 6 has a hash that is text.", [6, 2, 9, "0" * 32]),
        "restored-short": ("Op 6 has no hash.", [6, 2, 9]),
    }
    for name, (what, op) in vault_ops.items():
        s = Scribe.with_memory(name)
        s.commit(box=None, ops=[op])
        if name == "erase-in-a-vault-entry":
            s.erase(2)
        yield bad(s, what)

"""Vaults that must open: their logs, boxes, items and spaces."""

from collections.abc import Iterator

from vectors.case import Case, good
from vectors.expected import HOUR, floats, seen, seen_item, seen_space
from vectors.maps import FIRST_TIME, ITEM, LAST_TIME, MEMORY, SPACE, TIME, item, memory, space
from vectors.parts import b64
from vectors.scribe import Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _first()
    yield from _versions()
    yield from _ops()
    yield from _boxes()
    yield from _restored()
    yield from _items()
    yield from _spaces()


def _first() -> Iterator[Case]:
    s = Scribe.begun("good-empty")
    yield good(s, "A new vault holds no memory.")

    s = Scribe.begun("good-memory")
    s.commit((MEMORY, memory("I met Bob", ty="EPISODIC", tg=["people", "work"])))
    yield good(
        s,
        "One memory with a type and tags.",
        seen("m1", "I met Bob", 2, 0, type="EPISODIC", tags=["people", "work"]),
    )

    s = Scribe.begun("good-many-in-a-commit")
    s.commit(*[(MEMORY, memory(f"number {n}", f"m{n}")) for n in range(5)])
    yield good(
        s,
        "Five memories in one commit have n from 0 to 4.",
        *[seen(f"m{n}", f"number {n}", 2, n) for n in range(5)],
    )

    s = Scribe.begun("good-two-writers")
    other = s.fresh(16)
    for n in range(4):
        s.commit((MEMORY, memory(f"number {n}", f"m{n}")), writer=other if n % 2 else None)
    yield good(
        s,
        "Two sessions write in turn; each counts its own entries.",
        *[seen(f"m{n}", f"number {n}", 2 + n, 0) for n in range(4)],
    )

    s = Scribe.begun("good-puts-in-another-order")
    puts = [(MEMORY, memory("first", "m1")), (ITEM, item())]
    s.commit(*puts, only=[TIME, [[1, 1, ITEM], [1, 0, MEMORY]]])
    yield good(
        s,
        "The ops of a commit need not follow the order of its records.",
        seen("m1", "first", 2, 0),
        items=[seen_item("k1", b"value", 2, 1)],
    )

    s = Scribe.begun("good-unknown-keys")
    s.settings["colour"] = {"deep": [1, 2.5, None]}
    s.new_header()
    s.commit(
        (MEMORY, memory("kept", zz={"later": [True]}, Id="other")),
        (ITEM, item(ttl=5)),
        (SPACE, space(norm=True)),
    )
    yield good(
        s,
        "Keys of maps that this format does not know are ignored.",
        seen("m1", "kept", 3, 0),
        items=[seen_item("k1", b"value", 3, 1)],
        spaces=[seen_space()],
    )


def _versions() -> Iterator[Case]:
    s = Scribe.begun("good-versions")
    for text in ("tea", "coffee", "water"):
        s.commit((MEMORY, memory(text)))
    yield good(
        s,
        "Of three live versions the highest address is current.",
        seen("m1", "water", 4, 0, older=[[3, 0], [2, 0]]),
    )

    s = Scribe.begun("good-versions-in-a-commit")
    s.commit((MEMORY, memory("tea")), (MEMORY, memory("coffee")))
    yield good(
        s,
        "Two versions in one commit: the higher n is current.",
        seen("m1", "coffee", 2, 1, older=[[2, 0]]),
    )

    s = Scribe.begun("good-erased-version")
    s.commit((MEMORY, memory("tea")))
    s.commit((MEMORY, memory("coffee")), ops=[[2, 2, 0]])
    s.erase(2)
    yield good(s, "The version before was erased.", seen("m1", "coffee", 3, 0))

    s = Scribe.begun("good-erased-newest")
    s.commit((MEMORY, memory("tea")))
    s.commit((MEMORY, memory("coffee")))
    s.commit(ops=[[2, 3, 0]])
    s.erase(3)
    yield good(s, "The newest version was erased, so the one before holds.", seen("m1", "tea", 2, 0))

    s = Scribe.begun("good-erased")
    s.commit((MEMORY, memory("tea")), (MEMORY, memory("coffee", "m2")), (SPACE, space()))
    s.commit(ops=[[2, 2, 0], [2, 2, 2]])
    s.erase(2, 0)
    s.erase(2, 2)
    yield good(s, "A memory and a space were erased.", seen("m2", "coffee", 2, 1))

    s = Scribe.begun("good-written-again")
    s.commit((MEMORY, memory("tea")))
    s.commit(ops=[[2, 2, 0]])
    s.erase(2)
    s.commit((MEMORY, memory("tea")))
    yield good(s, "An erased memory was written again.", seen("m1", "tea", 4, 0))


def _ops() -> Iterator[Case]:
    s = Scribe.begun("good-used")
    s.commit((MEMORY, memory("tea", ex=TIME)), (MEMORY, memory("coffee", "m2", ex=TIME)))
    s.commit(ops=[[3, 2, 0, 2, TIME, None, TIME + HOUR], [3, 2, 1, 1, TIME, TIME, -1]])
    s.commit(ops=[[3, 2, 0, 3, TIME + 1, None, None], [3, 2, 1, None, None, TIME + 2, None]])
    yield good(
        s,
        "Uses add up, times are replaced, -1 ends an expiry, nil changes nothing.",
        seen("m1", "tea", 2, 0, uses=5, last_used=TIME + 1, expires_at=TIME + HOUR),
        seen("m2", "coffee", 2, 1, uses=1, last_used=TIME, refreshed=TIME + 2),
    )

    s = Scribe.begun("good-used-earlier")
    s.commit((MEMORY, memory("tea")), (MEMORY, memory("coffee", "m2", st=[0, 0, 4, TIME, TIME])))
    s.commit(ops=[[3, 2, 0, 1, TIME + 2, None, None], [3, 2, 1, 1, TIME - 1, TIME - 1, None]])
    s.commit(ops=[[3, 2, 0, 1, TIME + 1, None, None]])
    yield good(
        s,
        "Of two times of use the later counts, also if it was known first; other times are replaced.",
        seen("m1", "tea", 2, 0, uses=2, last_used=TIME + 2),
        seen("m2", "coffee", 2, 1, uses=5, last_used=TIME, refreshed=TIME - 1),
    )

    s = Scribe.begun("good-ops-first-and-last-time")
    s.commit((MEMORY, memory("tea")), (MEMORY, memory("coffee", "m2")))
    s.commit(only=[FIRST_TIME, [[3, 2, 0, 1, FIRST_TIME, FIRST_TIME, FIRST_TIME]]])
    s.commit(only=[LAST_TIME, [[3, 2, 1, 1, LAST_TIME, LAST_TIME, LAST_TIME]]])
    first = {"last_used": FIRST_TIME, "refreshed": FIRST_TIME, "expires_at": FIRST_TIME}
    last = {"last_used": LAST_TIME, "refreshed": LAST_TIME, "expires_at": LAST_TIME}
    yield good(
        s,
        "Times of commits and ops reach from year 1 to the end of year 9999.",
        seen("m1", "tea", 2, 0, uses=1, **first),
        seen("m2", "coffee", 2, 1, uses=1, **last),
    )

    s = Scribe.begun("good-archived-pinned")
    s.commit(*[(MEMORY, memory("tea", name)) for name in ("m1", "m2", "m3")])
    s.commit(ops=[[4, 2, 0, 1, None], [4, 2, 1, None, 1], [4, 2, 2, 1, 1]])
    s.commit(ops=[[4, 2, 2, 0, None]])
    yield good(
        s,
        "Archived and pinned are set and unset apart.",
        seen("m1", "tea", 2, 0, archived=True),
        seen("m2", "tea", 2, 1, pinned=True),
        seen("m3", "tea", 2, 2, pinned=True),
    )

    s = Scribe.begun("good-ops-after-erase")
    s.commit((MEMORY, memory("tea")), (MEMORY, memory("coffee", "m2")))
    s.commit(ops=[[2, 2, 0]])
    s.erase(2)
    s.commit(ops=[[3, 2, 0, 1, TIME, None, None], [4, 2, 0, 1, 1], [3, 2, 1, 1, TIME, None, None]])
    yield good(
        s,
        "Ops 3 and 4 may name a memory that was erased meanwhile.",
        seen("m2", "coffee", 2, 1, uses=1, last_used=TIME),
    )

    s = Scribe.begun("good-ops-on-an-older-version")
    s.commit((MEMORY, memory("tea")))
    s.commit((MEMORY, memory("coffee")))
    s.commit(ops=[[4, 2, 0, 1, 1]])
    yield good(
        s,
        "An op changes the version that it names, not the current one.",
        seen("m1", "coffee", 3, 0, older=[[2, 0]]),
    )

    s = Scribe.begun("good-carried-over")
    s.commit((MEMORY, memory("tea", st=[1, 1, 7, TIME, None])))
    s.commit(ops=[[3, 2, 0, 1, None, TIME, None], [4, 2, 0, 0, None]])
    yield good(
        s,
        "Ops go on from the state that a version carries over.",
        seen("m1", "tea", 2, 0, pinned=True, uses=8, last_used=TIME, refreshed=TIME),
    )


def _restored() -> Iterator[Case]:
    heads = {
        "good-restored": ("The owner accepted the log up to 2 in place of one that had reached 9.", 9),
        "good-restored-fork": ("The owner accepted the log up to 2 in place of a fork that had reached 2 too.", 2),
        "good-restored-shorter": ("The owner accepted the log up to 2 in place of one that had reached 1.", 1),
        "good-restored-far": ("The owner accepted the log up to 2 in place of one of any length.", 2**64 - 1),
    }
    for name, (what, head) in heads.items():
        s = Scribe.begun(name)
        s.commit((MEMORY, memory("tea")))
        s.commit(box=None, ops=[[6, 2, head, s.fresh(32)]])
        s.commit((MEMORY, memory("coffee", "m2")))
        yield good(s, what, seen("m1", "tea", 2, 0), seen("m2", "coffee", 4, 0))


def _boxes() -> Iterator[Case]:
    s = Scribe("good-boxes")
    s.add_way("file")
    s.add_box("work")
    s.add_box("família")
    s.new_header()
    for name in ("main", "work", "família"):
        s.commit((MEMORY, memory(f"in {name}")), (SPACE, space(dim=len(name))), box=name)
    s.commit(ops=[[2, 3, 0]], box="work")
    s.erase(3)
    yield good(
        s,
        "Three boxes with the same id and space in each; one memory was erased.",
        seen("m1", "in família", 4, 0, box="família"),
        seen("m1", "in main", 2, 0),
        spaces=[
            seen_space(dimension=7, box="família"),
            seen_space(dimension=4),
            seen_space(dimension=4, box="work"),
        ],
    )

    s = Scribe.begun("good-namespaces")
    places = [["a"], ["a", "b"], ["b"], []]
    s.commit(*[(MEMORY, memory(f"at {place}", ns=place)) for place in places])
    yield good(
        s,
        "The same id in four namespaces is four memories.",
        seen("m1", "at []", 2, 3),
        seen("m1", "at ['a']", 2, 0, namespace=["a"]),
        seen("m1", "at ['a', 'b']", 2, 1, namespace=["a", "b"]),
        seen("m1", "at ['b']", 2, 2, namespace=["b"]),
    )

    s = Scribe.begun("good-box-made-later")
    s.rotate_keys()
    s.new_header()
    s.add_box("work")
    s.new_header()
    s.commit((MEMORY, memory("tea")), box="work")
    yield good(
        s,
        "A box made after a rotation has keys from that generation on.",
        seen("m1", "tea", 4, 0, box="work"),
    )


def _items() -> Iterator[Case]:
    s = Scribe.begun("good-items")
    s.commit(
        (ITEM, item("k" * 1024, val=b"")),
        (ITEM, item("k1", attr='{"role":"user"}')),
        (ITEM, item("k1", col="other")),
    )
    yield good(
        s,
        "Items of two collections, one with attributes, one empty under the longest key.",
        items=[
            seen_item("k1", b"value", 2, 1, attributes='{"role":"user"}'),
            seen_item("k" * 1024, b"", 2, 0),
            seen_item("k1", b"value", 2, 2, collection="other"),
        ],
    )

    s = Scribe.begun("good-items-overwritten")
    s.commit((ITEM, item("k1")), (ITEM, item("k2")))
    s.commit((ITEM, item("k1", val=b"newer", at=TIME + 9)), ops=[[2, 2, 0]])
    s.erase(2, 0)
    s.commit(ops=[[2, 2, 1]])
    s.erase(2, 1)
    yield good(
        s,
        "One item was overwritten, another deleted.",
        items=[seen_item("k1", b"newer", 3, 0, written=TIME + 9)],
    )

    s = Scribe.begun("good-items-written-again")
    s.commit((ITEM, item()))
    s.commit(ops=[[2, 2, 0]])
    s.erase(2)
    s.commit((ITEM, item(val=b"newer")))
    yield good(s, "A deleted item was written again.", items=[seen_item("k1", b"newer", 4, 0)])

    s = Scribe("good-items-of-boxes")
    s.add_way("file")
    s.add_box("work")
    s.new_header()
    s.commit((ITEM, item()))
    s.commit((ITEM, item()), box="work")
    yield good(
        s,
        "Two boxes have an item of the same collection and key.",
        items=[seen_item("k1", b"value", 2, 0), seen_item("k1", b"value", 3, 0, box="work")],
    )

    s = Scribe.begun("good-items-most")
    s.commit((ITEM, item("k\n\x7f", col="c" * 512, at=FIRST_TIME, ad=LAST_TIME)))
    yield good(
        s,
        "An item of the longest collection, the first and the last time; its key is no label.",
        items=[
            seen_item("k\n\x7f", b"value", 2, 0, collection="c" * 512, written=FIRST_TIME, created=LAST_TIME),
        ],
    )


def _spaces() -> Iterator[Case]:
    yield _declared_anew()

    s = Scribe.begun("good-spaces-replaced")
    s.commit((SPACE, space(fp="small")), (SPACE, space("image")))
    s.commit((SPACE, space(dim=5)), ops=[[2, 2, 0], [2, 2, 1]])
    s.erase(2, 0)
    s.erase(2, 1)
    s.commit((SPACE, space("image", 16_384)), (SPACE, space("n" * 512, 1)))
    yield good(
        s,
        "A space was replaced in one commit, another in two; a third has the longest name.",
        spaces=[seen_space(dimension=5), seen_space("image", 16_384), seen_space("n" * 512, 1)],
    )


def _declared_anew() -> Case:
    s = Scribe.begun("good-space-declared-anew")
    three, two = {"default": {"": floats(1, 0, 0)}}, {"default": {"": floats(0, 1), "window 2": floats(1, 0)}}
    s.commit((SPACE, space(fp="small")), (SPACE, space("image")))
    s.commit((MEMORY, memory("tea", v=three)), (MEMORY, memory("cup", "m2", v=three | {"image": three["default"]})))
    s.commit((MEMORY, memory("pot", "m3", v=three)))
    s.commit((SPACE, space(dim=2, fp="new")), (MEMORY, memory("tea", v=two)), ops=[[2, 2, 0], [2, 3, 0]])
    s.erase(2, 0)
    s.erase(3, 0)
    s.commit((MEMORY, memory("jug", "m4", v=two)))
    shown = {"default": {field: b64(vector) for field, vector in two["default"].items()}}
    return good(
        s,
        "A space of three dimensions was declared anew with two: vectors of before don't count, those of others do.",
        seen("m1", "tea", 5, 1, vectors=shown),
        seen("m2", "cup", 3, 1, vectors={"image": {"": b64(floats(1, 0, 0))}}),
        seen("m3", "pot", 4, 0, vectors={}),
        seen("m4", "jug", 6, 0, vectors=shown),
        spaces=[seen_space(dimension=2) | {"fingerprint": "new"}, seen_space("image")],
    )

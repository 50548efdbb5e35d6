"""Whole vaults in S3: many processes, what the operator sees, what passes on the wire, answers that get lost."""

import os
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from support import FULL, vaults
from support.objects import KEYS, Proxy, Request, objects_of, url
from support.processes import Other
from vault_core import Draft, Passphrase, UnavailableError, Vault, VaultError
from vault_core.store.object import ObjectStore, store

CANARIES = ["Quetzalcoatl", "zanzibar-tag", "namespace-of-xanadu", "yggdrasil@example.org"]
PROCESSES, COMMITS = 8, 100
SEQUENCES = 200 if FULL else 12


@pytest.fixture
def proxy(s3: str) -> Iterator[Proxy]:
    with Proxy(s3) as between:
        yield between


def create(where: str, folder: Path) -> Vault:
    """A vault on the store itself: nothing is tried again, and nothing is cached."""
    return Vault.create(ObjectStore(where, create=True), unlock=vaults.key_in(folder))


def reopen(where: str, folder: Path) -> Vault:
    return Vault.open(ObjectStore(where), unlock=vaults.key_in(folder))


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_eight_processes_write_into_one_vault_and_nothing_is_lost_or_doubled(
    kind: str, s3: str, prefix: str, tmp_path: Path
) -> None:
    where = url(s3, prefix) if kind == "s3" else (tmp_path / "vault").as_uri()
    times = COMMITS if FULL or kind == "folder" else 12  # moto answers one request at a time
    create(where, tmp_path).close()
    others = [Other(write_many, where, tmp_path, number, times) for number in range(PROCESSES)]
    for other in others:
        other.hear()
    for other in others:
        other.say("go")

    assert [other.join() for other in others] == [0] * PROCESSES

    with reopen(where, tmp_path) as vault:
        assert sorted(vaults.texts(vault)) == sorted(
            f"{number} wrote {nth}" for number in range(PROCESSES) for nth in range(times)
        )
        assert vault.stats().commits == 1 + PROCESSES * times
        assert vault.verify(full=True).records == PROCESSES * times


def write_many(pipe: Connection, where: str, folder: Path, number: int, times: int) -> None:
    os.environ.update(KEYS)
    with reopen(where, folder) as vault:
        pipe.send("ready")
        pipe.recv()
        for nth in range(times):
            vault.add(f"{number} wrote {nth}")


def test_neither_the_bucket_nor_the_wire_shows_what_is_remembered(proxy: Proxy, prefix: str, tmp_path: Path) -> None:
    where = url(proxy.endpoint, prefix)
    with create(where, tmp_path) as vault:
        vault.add_many(
            [
                Draft(content=f"{CANARIES[0]} was here", tags=[CANARIES[1]], namespace=(CANARIES[2],)),
                Draft(content={"mail": CANARIES[3]}, metadata={"who": CANARIES[3]}),
            ]
        )
        vault.items("chat").put("row", CANARIES[0].encode(), {"role": CANARIES[1]})
        vault.add_slot(Passphrase(vaults.PASSPHRASE), kdf=vaults.CHEAP)
        vault.checkpoint()
        vault.forget_many(filter={"metadata.who": CANARIES[3]})
        vault.stats()
    with reopen(where, tmp_path) as vault:
        assert vaults.found(vault, CANARIES[0])

    objects = objects_of(proxy.endpoint, prefix)
    stored = b"".join((*objects.values(), *map(str.encode, objects)))
    wire = b"".join(
        part for one in proxy.seen for part in (one.path.encode(), one.body, one.answer, repr(one.headers).encode())
    )
    for canary in (*CANARIES, KEYS["AWS_SECRET_ACCESS_KEY"], vaults.PASSPHRASE):
        for raw in (canary.encode(), canary.encode().hex().encode(), canary.encode("utf-16-le")):
            assert raw not in stored
            assert raw not in wire
    assert b"SRB1" in stored  # the harness sees what there is to see
    assert b"SRB1" in wire
    assert KEYS["AWS_ACCESS_KEY_ID"].encode() in wire


def test_erased_memories_and_removed_slots_are_in_no_object(s3: str, prefix: str, tmp_path: Path) -> None:
    where = url(s3, prefix)
    with create(where, tmp_path) as vault:
        vault.add("to be forgotten", id="gone")
        slot = vault.add_slot(Passphrase(vaults.PASSPHRASE), kdf=vaults.CHEAP)
        before = objects_of(s3, prefix)
        address = (2 << 24) | 0
        record = ObjectStore(where).records([address])[address]
        header = ObjectStore(where).read_header()
        assert any(record in body for body in before.values())
        assert any(header.body in body for body in before.values())

        assert vault.forget("gone").purged
        vault.remove_slot(slot.id)

    after = objects_of(s3, prefix)
    assert [name for name, body in after.items() if record in body or header.body in body] == []
    assert [name for name in after if name.startswith("unfinished/")] == []


FATES = ["409", "412", "500", "503", "after 409", "after 412", "after 500", "after 503", "cut", "after cut", "twice"]


def test_lost_doubled_and_invented_answers_lose_and_double_nothing(
    proxy: Proxy, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random work of whole vaults, header changes included, while the network does its worst."""
    monkeypatch.setattr(store, "_PAUSE", 0)
    for seed in range(SEQUENCES):
        proxy.fate = lambda _: "pass"
        where = url(proxy.endpoint, f"{prefix}-{seed}")
        dice = random.Random(seed)
        create(where, tmp_path).close()
        vault = reopen(where, tmp_path)
        expected, uncertain, slots = set[str](), set[str](), 1
        for number in range(8):
            proxy.fate = lambda _, dice=dice: dice.choice(FATES) if dice.random() < 0.15 else "pass"
            text = f"memory {number}"
            kind = dice.choice(["add", "add", "forget", "slot", "rotate"])
            try:
                if kind == "add":
                    uncertain.add(text)
                    vault.add(text, id=text)
                    expected.add(text)
                elif kind == "forget" and expected:
                    gone = min(expected)
                    uncertain.add(gone)
                    expected.discard(gone)
                    vault.forget(gone)
                    uncertain.discard(gone)
                elif kind == "slot":
                    vault.add_slot(vaults.key_in(tmp_path, f"{seed} {number}"))
                    slots += slots > 0  # 0: nobody knows; the log will
                elif kind == "rotate":
                    vault.rotate(vaults.key_in(tmp_path))
                    slots = 1
            except UnavailableError:
                if kind in ("slot", "rotate"):
                    slots = 0
        proxy.fate = lambda _: "pass"
        with reopen(where, tmp_path) as after:
            texts = vaults.texts(after)
            assert len(texts) == len(set(texts)), seed
            assert expected <= set(texts) <= expected | uncertain, seed
            assert slots in (0, len(after.slots())), seed
            after.verify(full=True)
            assert vaults.texts(vault) == texts, seed  # the session recovers by itself
        vault.close()


def test_what_takes_effect_long_after_it_was_given_up_spoils_nothing(proxy: Proxy, prefix: str, tmp_path: Path) -> None:
    where = url(proxy.endpoint, prefix)
    with create(where, tmp_path) as vault:
        vault.add("first", id="first")
        proxy.fate = held_creates
        with pytest.raises(UnavailableError):
            vault.add("given up", id="given up")
        proxy.fate = lambda _: "pass"
        with reopen(where, tmp_path) as other:
            other.add("second", id="second")

        late = proxy.release()

        assert late
        assert set(late) == {412}
        assert sorted(vaults.texts(vault)) == ["first", "second"]
        vault.add("third", id="third")
        vault.verify(full=True)


def held_creates(request: Request) -> str:
    return "held" if request.method == "PUT" else "pass"


def test_reads_that_may_be_behind_cost_no_request_for_that_long(
    proxy: Proxy, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(url(proxy.endpoint, prefix), tmp_path) as other:
        other.add("first", id="first")
        with reopen(url(proxy.endpoint, prefix, staleness=30), tmp_path) as vault:
            assert vault.count() == 1
            other.add("second", id="second")
            before = len(proxy.seen)
            assert vault.count() == 1
            assert len(proxy.seen) == before
            now = time.monotonic()
            monkeypatch.setattr(store.time, "monotonic", lambda: now + 31)
            assert vault.count() == 2
            monkeypatch.undo()
            vault.add("third", id="third")  # writing is never behind
            assert vault.count() == 3


# requests: the table in docs/stores-objects.md

REQUESTS = {  # operation -> GET, PUT, LIST, DELETE
    "search, nothing new": "2 0 0 0",
    "body of a hit": "3 0 0 0",  # with the look that every read begins with
    "add": "2 1 0 0",
    "add_many(1000)": "2 1 0 0",
    "forget": "4 3 2 1",
    "following another's commit": "7 0 0 0",
    "add_slot": "6 3 1 1",
    "open, 1 commit": "11 0 2 0",
}
DOCS = Path(__file__).parents[2] / "docs" / "stores-objects.md"


def kind_of(request: Request) -> str:
    if "list-type" in request.path:
        return "LIST"
    return "DELETE" if request.method in ("POST", "DELETE") else request.method


def test_operations_cost_the_requests_that_the_docs_say(proxy: Proxy, prefix: str, tmp_path: Path) -> None:
    where = url(proxy.endpoint, prefix)
    create(where, tmp_path).close()
    counted = dict[str, str]()

    def count(name: str, work: Callable[[], object]) -> None:
        proxy.seen.clear()
        work()
        kinds = [kind_of(request) for request in proxy.seen]
        counted[name] = " ".join(str(kinds.count(kind)) for kind in ("GET", "PUT", "LIST", "DELETE"))

    count("open, 1 commit", lambda: reopen(where, tmp_path).close())
    with reopen(where, tmp_path) as vault, reopen(where, tmp_path) as other:
        vault.add("the first memory", id="one")
        count("search, nothing new", vault.count)
        count("body of a hit", lambda: vault.get("one"))
        count("add", lambda: vault.add("another memory", id="two"))
        count("add_many(1000)", lambda: vault.add_many([Draft(content=f"memory {n}") for n in range(1000)]))
        count("forget", lambda: vault.forget("two"))
        other.count()
        vault.add("one more")
        count("following another's commit", other.count)
        count("add_slot", lambda: vault.add_slot(vaults.key_in(tmp_path, "second")))

    assert counted == REQUESTS
    rows = {line.split("|")[1].strip(): line for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| ")}
    for name, requests in REQUESTS.items():
        assert rows[name].split("|")[2].split() == requests.split(), name


def test_a_vault_that_is_cut_off_says_so_and_recovers(proxy: Proxy, prefix: str, tmp_path: Path) -> None:
    with create(url(proxy.endpoint, prefix), tmp_path) as vault:
        vault.add("first", id="first")
        proxy.fate = lambda _: "cut"
        for work in (vault.count, lambda: vault.add("second"), lambda: vault.forget("first")):
            with pytest.raises(VaultError) as refused:
                work()
            assert isinstance(refused.value, UnavailableError)
        proxy.fate = lambda _: "pass"
        assert vaults.texts(vault) == ["first"]
        vault.add("third")
        assert vault.count() == 2

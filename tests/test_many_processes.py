"""Many processes hold one vault at the same time: nothing is lost, nothing is doubled, everyone sees it at once."""

from collections import Counter
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

from support import vaults
from support.processes import Other
from vault_core import ConflictError, MemoryNotFoundError, Vault

PROCESSES, ADDS = 8, 250


def add_one_by_one(pipe: Connection, folder: Path, writer: int) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        pipe.recv()
        for number in range(ADDS):
            vault.add(f"writer {writer} says {number}")


def test_eight_processes_add_250_memories_each_and_none_is_lost_or_doubled(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()

    with ExitStack() as stack:
        writers = [stack.enter_context(Other(add_one_by_one, tmp_path, n)) for n in range(PROCESSES)]
        assert [writer.hear() for writer in writers] == ["open"] * PROCESSES
        for writer in writers:
            writer.say("go")

    said = {f"writer {writer} says {number}" for writer in range(PROCESSES) for number in range(ADDS)}
    with vaults.reopen(tmp_path) as vault:
        assert Counter(vaults.texts(vault)) == Counter(said)
        assert vault.verify(full=True).commits == 1 + PROCESSES * ADDS
        assert vault.count() == vault.stats().memories == PROCESSES * ADDS


def do_as_told(pipe: Connection, folder: Path) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        while (told := pipe.recv()) != "end":
            verb, *arguments = told
            result = getattr(vault, verb)(*arguments)
            pipe.send([hit.memory.text for hit in result] if verb == "search" else None)


def test_an_add_in_one_process_is_in_the_next_search_of_another(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as ours, Other(do_as_told, tmp_path) as other:
        other.hear()
        for number in range(50):
            other.ask(("add", f"theirs{number} is a word"))
            assert vaults.found(ours, f"theirs{number}") == [f"theirs{number} is a word"]

            ours.add(f"ours{number} is a word")
            assert other.ask(("search", f"ours{number}")) == [f"ours{number} is a word"]
        other.say("end")


def test_what_one_process_changes_is_in_the_next_read_of_another(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as ours, Other(do_as_told, tmp_path) as other:
        other.hear()
        ours.add("the kettle is green", id="kettle")
        assert other.ask(("search", "kettle")) == ["the kettle is green"]

        other.ask(("archive", "kettle"))
        assert vaults.found(ours, "kettle") == []
        assert ours.get("kettle").state.archived

        other.ask(("add_box", "work"))
        assert ours.boxes() == ["main", "work"]

        other.ask(("forget", "kettle"))
        assert raises_not_found(ours, "kettle")
        other.say("end")


def raises_not_found(vault: Vault, id_: str) -> bool:
    try:
        vault.get(id_)
    except MemoryNotFoundError:
        return True
    return False


def test_a_session_that_slept_through_600_commits_and_two_snapshots_knows_them_all(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as sleeper, Other(do_as_told, tmp_path) as other:
        other.hear()
        for number in range(600):
            other.ask(("add", f"word{number}"))
            if number % 250 == 249:
                other.ask(("checkpoint",))

        assert sleeper.count() == 600
        assert vaults.found(sleeper, "word599") == ["word599"]
        other.say("end")


def count_up(pipe: Connection, folder: Path, times: int) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send("open")
        pipe.recv()
        for _ in range(times):
            vault.transact(lambda tx: tx.put_item("counters", "visits", b"%d" % (int(count_of(tx)) + 1)))


def count_of(reader: object) -> bytes:
    item = reader.get_item("counters", "visits")  # type: ignore[attr-defined]
    return b"0" if item is None else item.value


def test_transactions_of_four_processes_never_miss_each_other(tmp_path: Path) -> None:
    vaults.create(tmp_path).close()

    with ExitStack() as stack:
        others = [stack.enter_context(Other(count_up, tmp_path, 50)) for _ in range(4)]
        for other in others:
            other.hear()
        for other in others:
            other.say("go")

    with vaults.reopen(tmp_path) as vault:
        item = vault.items("counters").get("visits")
        assert item is not None
        assert item.value == b"200"


def create_when_told(pipe: Connection, folder: Path, name: str) -> None:
    pipe.send("ready")
    pipe.recv()
    try:
        vaults.create(folder, name).close()
    except ConflictError:
        pipe.send("conflict")
    else:
        pipe.send("created")


def test_of_processes_that_create_the_same_vault_one_succeeds_and_the_others_are_told(tmp_path: Path) -> None:
    vaults.key_in(tmp_path)
    for attempt in range(20):
        name = f"{attempt}.vault"
        with ExitStack() as stack:
            others = [stack.enter_context(Other(create_when_told, tmp_path, name)) for _ in range(3)]
            for other in others:
                other.hear()
            for other in others:
                other.say("go")
            assert sorted(other.hear() for other in others) == ["conflict", "conflict", "created"]

        with vaults.reopen(tmp_path, name) as vault:
            assert vault.verify(full=True).commits == 1

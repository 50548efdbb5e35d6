"""Copying a vault between stores: the same bytes, checked in clear, resumable, and no vault before it is whole."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.places import HERE, KINDS
from vault_core import (
    ConflictError,
    Draft,
    EphemeralStore,
    InvalidInputError,
    RollbackError,
    SqliteStore,
    UnavailableError,
    Vault,
    VaultAlreadyOpenError,
    VaultError,
    VaultNotFoundError,
    VaultTamperedError,
    copy_vault,
)
from vault_core.store import Change, Head, RetryingStore, Store, StoredHeader
from vault_core.testing import Crashed, Fault, FaultPlan, FaultyStore, Place
from vault_core.testing.conformance import at, contents


def fill(vault: Vault) -> None:
    """Something of everything: many records, erased ones, other headers, a snapshot."""
    vault.add("I met Bob yesterday", id="bob")
    vault.add_many([Draft(content=f"memory {n}", id=f"m{n}") for n in range(30)])
    vault.add("a secret", id="secret")
    vault.forget("secret")
    vault.add_box("work")
    vault.add("in the box", box="work")
    vault.items("chat").put("row", b"first")
    vault.items("chat").put("row", b"second")
    vault.rotate(vault_key(vault))
    vault.checkpoint()
    vault.add("after the snapshot")


def vault_key(vault: Vault) -> Any:
    provider = vault._session._provider
    assert provider is not None
    return provider


@pytest.fixture
def source(tmp_path: Path) -> EphemeralStore:
    """A vault in RAM, closed."""
    store = EphemeralStore()
    with Vault.create(store, unlock=vaults.key_in(tmp_path)) as vault:
        fill(vault)
    return store


PlaceOf = Callable[[str, Path], Place]


@pytest.fixture
def target() -> EphemeralStore:
    return EphemeralStore()


def opened(store: Any, folder: Path, **options: Any) -> Vault:
    return Vault.open(store, unlock=vaults.key_in(folder), **options)


# the copy


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("by", KINDS)
def test_the_copy_holds_the_same_bytes_and_opens_with_the_same_key(
    tmp_path: Path, place_of: PlaceOf, by: str, to: str
) -> None:
    folders = [tmp_path / "from", tmp_path / "to"]
    for folder in folders:
        folder.mkdir()
    places = [place_of(kind, folder) for kind, folder in zip((by, to), folders, strict=True)]
    with Vault.create(places[0].create(), unlock=vaults.key_in(tmp_path)) as vault:
        fill(vault)
        chain = vault.verify().chain_hash
    theirs, ours = places[0].open(), places[1].create()

    report = copy_vault(theirs, ours)

    theirs, ours = (place.open() for place in places)
    assert contents(ours) == contents(theirs)
    assert (report.commits, report.copied, report.chain_hash) == (theirs.head(), theirs.head() - 1, chain)
    assert (report.records, report.erased) == (34, 2)
    assert report.parts == len(ours.parts()) > 0
    ours.close()
    theirs.close()
    with opened(places[1].open(), tmp_path) as copy:
        assert copy.verify(full=True).chain_hash == chain
        assert vaults.found(copy, "Bob")[0] == "I met Bob yesterday"
        copy.add("and it goes on")


def test_from_a_file_to_ram_to_a_file(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        fill(vault)
    between = EphemeralStore()

    copy_vault(tmp_path / vaults.NAME, between)
    copy_vault(between, tmp_path / "back.vault")

    assert contents(SqliteStore(tmp_path / "back.vault")) == contents(SqliteStore(tmp_path / vaults.NAME))
    with vaults.reopen(tmp_path, "back.vault") as back:
        back.verify(full=True)


def test_copying_again_copies_nothing_and_reads_everything(source: EphemeralStore, target: EphemeralStore) -> None:
    first = copy_vault(source, target)
    before = contents(target)

    again = copy_vault(source, target)

    assert again.copied == 0
    assert (again.commits, again.records, again.erased) == (first.commits, first.records, first.erased)
    assert contents(target) == before


def test_what_the_source_brought_since_is_caught_up_with(
    tmp_path: Path, source: EphemeralStore, target: EphemeralStore
) -> None:
    copy_vault(source, target)
    with opened(source, tmp_path) as vault:
        vault.add("later")
        vault.forget("bob")
        vault.add_box("later")
        vault.checkpoint()

    assert copy_vault(source, target).copied == 3

    assert contents(target) == contents(source)
    with opened(target, tmp_path) as copy:
        copy.verify(full=True)


def test_progress_is_told_and_ends_where_it_said(source: EphemeralStore, target: EphemeralStore) -> None:
    told: list[tuple[int, int]] = []

    copy_vault(source, target, progress=lambda done, total: told.append((done, total)))

    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= total for done, total in told)
    assert told[-1][0] >= told[-1][1] - 1


def test_a_commit_of_thousands_of_records_is_copied(tmp_path: Path, target: EphemeralStore) -> None:
    source = EphemeralStore()
    with Vault.create(source, unlock=vaults.key_in(tmp_path)) as vault:
        vault.add_many([Draft(content=f"memory {n}") for n in range(1_700)])
        for n in range(700):
            vault.items("chat").put(f"row {n}", b"value")

    report = copy_vault(source, target)

    assert report.records == 2_400
    assert contents(target) == contents(source)


def test_memory_does_not_grow_with_the_vault(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        for batch in range(12):
            rows = [(f"row {batch} {n}", bytes(20_000)) for n in range(100)]
            vault.items("chat").put_many(rows)
    assert (tmp_path / vaults.NAME).stat().st_size > 24e6

    tracemalloc.start()
    copy_vault(tmp_path / vaults.NAME, tmp_path / "copy.vault")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 18e6  # 500 records at once, and SQLite keeps its own


# interrupted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_stopped_at_any_write_it_is_no_vault_yet_or_a_whole_one_and_goes_on(
    tmp_path: Path, place_of: PlaceOf, source: EphemeralStore, kind: str, fault: Fault
) -> None:
    writes, step = 0, 1 if kind in HERE else 5
    while True:
        folder = tmp_path / str(writes)
        folder.mkdir()
        place = place_of(kind, folder)
        faulty = FaultyStore(place.create(), counted=["create", "append"])
        faulty.fail(fault, at=writes)
        try:
            copy_vault(source, faulty)
        except (UnavailableError, Crashed):
            pass
        finally:
            faulty.inner.close()
        if faulty.armed:
            break
        assert whole_or_no_vault(place, tmp_path, source)
        again = place.create() if writes == 0 and not fault.persists and kind != "sqlite" else None
        if again is None and writes == 0 and not fault.persists:
            writes += step  # an empty file, as a vault that was not created leaves it: see docs/stores.md
            continue
        store = again or place.open()
        copy_vault(source, store)
        store = place.open()
        assert contents(store) == contents(source)
        store.close()
        writes += step
    assert writes > 12


def whole_or_no_vault(place: Place, folder: Path, source: Store) -> bool:
    try:
        store = place.open()
    except VaultNotFoundError:
        return True
    try:
        with opened(store, folder, read_only=True) as vault:
            vault.verify(full=True)
            return vault.stats().commits == source.head()
    except VaultNotFoundError:
        return True
    finally:
        store.close()


def test_an_unfinished_copy_says_what_it_is_and_what_to_do(
    tmp_path: Path, source: EphemeralStore, target: EphemeralStore
) -> None:
    faulty = FaultyStore(target, counted=["append"])
    faulty.fail(Fault.LOST, at=3)
    with pytest.raises(UnavailableError):
        copy_vault(source, faulty)

    with pytest.raises(VaultNotFoundError, match="not finished; run strongroom copy again"):
        opened(target, tmp_path)
    with pytest.raises(VaultNotFoundError, match="not finished"):
        copy_vault(target, EphemeralStore())
    with pytest.raises(ConflictError):
        Vault.create(target, unlock=vaults.key_in(tmp_path))


def test_over_a_store_that_fails_now_and_then_it_gets_through(source: EphemeralStore, target: EphemeralStore) -> None:
    for seed in range(30):
        target, stores = EphemeralStore(), []
        for store in source.another(), target:
            stores.append(FaultyStore(store))
            stores[-1].follow(FaultPlan(seed=seed, chance=0.15))
        wrapped = [RetryingStore(store, sleep=lambda _: None) for store in stores]

        report = copy_vault(*wrapped)

        for store in stores:
            store.follow(None)
        assert contents(target) == contents(source)
        assert report.records == 34


# the source goes on


class Busy(EphemeralStore):
    """Does something before the n-th call that reads from it, or before every fifth."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[int, Callable[[], object]] = {}
        self.looks, self.looking = [0], [True]

    def look(self) -> None:
        if self.looking[0]:
            self.looking[0] = False
            self.looks[0] += 1
            if act := self.at.get(self.looks[0]) or (self.looks[0] % 5 == 0 and self.at.get(-1)):
                act()
            self.looking[0] = True

    def head(self) -> int:
        self.look()
        return super().head()

    def read_header(self) -> StoredHeader:
        self.look()
        return super().read_header()

    def entries(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        self.look()
        return super().entries(after, upto)

    def records(self, addresses: Iterable[int]) -> dict[int, bytes]:
        self.look()
        return super().records(addresses)

    def parts(self) -> list[str]:
        self.look()
        return super().parts()

    def part(self, name: str) -> bytes | None:
        self.look()
        return super().part(name)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[Busy, Vault]]:
    store = Busy()
    with Vault.create(store, unlock=vaults.key_in(tmp_path)) as vault:
        fill(vault)
        vault.add("to be forgotten", id="doomed")
        yield store, vault


@pytest.mark.parametrize("look", range(1, 26))
def test_what_the_source_commits_and_erases_meanwhile_is_in_the_copy(
    tmp_path: Path, busy: tuple[Busy, Vault], target: EphemeralStore, look: int
) -> None:
    store, vault = busy

    def act() -> None:
        vault.forget("doomed")
        vault.add("meanwhile")
        vault.add_box("meanwhile")
        vault.checkpoint()

    store.looks[0] = 0
    store.at[look] = act

    copy_vault(store, target)

    acted = store.looks[0] >= look
    store.at.clear()
    assert acted
    assert contents(target) == contents(store)
    with opened(target, tmp_path) as copy:
        copy.verify(full=True)
        assert "meanwhile" in vaults.texts(copy)
        assert "to be forgotten" not in vaults.texts(copy)


def test_a_source_that_never_rests_is_said_and_what_is_copied_stays(
    busy: tuple[Busy, Vault], target: EphemeralStore
) -> None:
    store, vault = busy
    words = iter(range(1_000))
    store.at[-1] = lambda: vault.add(f"again and again {next(words)}")

    with pytest.raises(UnavailableError, match="run the copy again"):
        copy_vault(store, target)
    store.at.clear()

    assert target.head() > 20
    copy_vault(store, target)
    assert contents(target) == contents(store)


# refused


def test_another_vault_at_the_destination_is_refused_and_left(tmp_path: Path, source: EphemeralStore) -> None:
    other = EphemeralStore()
    with Vault.create(other, unlock=vaults.key_in(tmp_path)) as vault:
        vault.add("another vault")
    before = contents(other)

    with pytest.raises(ConflictError, match="another vault"):
        copy_vault(source, other)

    assert contents(other) == before


def test_an_unfinished_copy_of_another_vault_is_refused(tmp_path: Path, source: EphemeralStore) -> None:
    other, target = EphemeralStore(), FaultyStore(EphemeralStore(), counted=["append"])
    with Vault.create(other, unlock=vaults.key_in(tmp_path)) as vault:
        vault.add("another vault")
    target.fail(Fault.LOST)
    with pytest.raises(UnavailableError):
        copy_vault(other, target)

    with pytest.raises(ConflictError, match="another vault"):
        copy_vault(source, target.inner)


def test_a_copy_that_went_on_by_itself_is_refused_and_left(
    tmp_path: Path, source: EphemeralStore, target: EphemeralStore
) -> None:
    copy_vault(source, target)
    with opened(target, tmp_path) as vault:
        vault.add("only in the copy")
    before = contents(target)
    with pytest.raises(ConflictError, match="gone on"):
        copy_vault(source, target)
    with opened(source, tmp_path) as vault:
        vault.add("only in the source")

    with pytest.raises(ConflictError, match="different ways"):
        copy_vault(source, target)

    assert contents(target) == before


def test_both_go_on_and_a_machine_that_has_seen_one_refuses_the_other(tmp_path: Path) -> None:
    with vaults.create(tmp_path) as vault:
        vault.add("memory")
    copy_vault(tmp_path / vaults.NAME, tmp_path / "copy.vault")
    with vaults.reopen(tmp_path, "copy.vault") as copy:
        copy.add("in the copy")

    with pytest.raises(RollbackError):
        vaults.reopen(tmp_path)


def test_a_place_is_not_copied_onto_itself(tmp_path: Path, source: EphemeralStore) -> None:
    vaults.create(tmp_path).close()
    path = tmp_path / vaults.NAME

    for place in source, path, str(path):
        with pytest.raises(InvalidInputError, match="same place"):
            copy_vault(place, place)


def test_a_file_that_is_something_else_is_not_written_over(tmp_path: Path, source: EphemeralStore) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"something else")

    with pytest.raises(ConflictError):
        copy_vault(source, path)

    assert path.read_bytes() == b"something else"


def test_no_vault_no_copy(tmp_path: Path, target: EphemeralStore) -> None:
    with pytest.raises(VaultNotFoundError):
        copy_vault(tmp_path / "nothing.vault", tmp_path / "copy.vault")
    with pytest.raises(VaultNotFoundError):
        copy_vault(EphemeralStore(), target)

    assert not (tmp_path / "copy.vault").exists()


def test_sessions_that_hold_the_source_alone_or_the_destination_are_in_the_way(
    tmp_path: Path, source: EphemeralStore, target: EphemeralStore
) -> None:
    with opened(source, tmp_path, exclusive=True), pytest.raises(VaultAlreadyOpenError):
        copy_vault(source, target)
    copy_vault(source, target)
    with opened(target, tmp_path), pytest.raises(VaultAlreadyOpenError):
        copy_vault(source, target)


# a source that was tampered with

Harm = Callable[[EphemeralStore], object]


def flip(raw: bytes) -> bytes:
    return raw[:20] + bytes([raw[20] ^ 1]) + raw[21:]


def drop(rows: dict[int, bytes], key: int) -> None:
    del rows[key]


HARMS: dict[str, Harm] = {
    "a changed header": lambda store: setattr(store, "header", StoredHeader(flip(store.header.body), store.header.mac)),
    "a changed first entry": lambda store: store.entry.update({1: flip(store.entry[1])}),
    "no first entry": lambda store: drop(store.entry, 1),
    "a changed entry": lambda store: store.entry.update({4: flip(store.entry[4])}),
    "an entry of another place": lambda store: store.entry.update({4: store.entry[3]}),
    "a missing entry": lambda store: drop(store.entry, 5),
    "two entries exchanged": lambda store: store.entry.update({4: store.entry[5], 5: store.entry[4]}),
    "an entry cut short": lambda store: store.entry.update({4: store.entry[4][:-40]}),
    "a last entry cut off": lambda store: drop(store.entry, max(store.entry)),
    "a changed record": lambda store: store.record.update({at(3, 7): flip(store.record[at(3, 7)])}),
    "a missing record": lambda store: drop(store.record, at(3, 7)),
    "a record cut short": lambda store: store.record.update({at(3, 7): store.record[at(3, 7)][:-1]}),
    "zeros of no record's size": lambda store: store.record.update({at(3, 7): bytes(7)}),
    "an entry beyond the end": lambda store: store.entry.update({max(store.entry) + 1: store.entry[2]}),
    "a header of before a rotation": lambda store: setattr(store, "header", OLD[0]),
    "keys that go back": lambda store: store.entry.update({len(store.entry): older(store.entry[len(store.entry)])}),
}
OLD: list[Any] = []


def older(entry: bytes) -> bytes:
    """An entry that names the key generation before."""
    return entry[:60] + (1).to_bytes(4, "big") + entry[64:]


@pytest.mark.parametrize("harm", HARMS)
def test_a_source_that_was_tampered_with_is_refused_before_the_copy_is_a_vault(
    tmp_path: Path, target: EphemeralStore, harm: str
) -> None:
    source = EphemeralStore()
    with Vault.create(source, unlock=vaults.key_in(tmp_path)) as vault:
        OLD[:] = [source.header]
        fill(vault)
    HARMS[harm](source)

    with pytest.raises(VaultTamperedError):
        copy_vault(source, target)

    with pytest.raises(VaultNotFoundError):
        opened(target, tmp_path)


def test_a_destination_that_does_not_keep_what_it_was_given_is_found_out(
    tmp_path: Path, source: EphemeralStore
) -> None:
    class Forgetful(EphemeralStore):
        def append(self, make: Callable[[Head], Change | None]) -> Change | None:
            change = super().append(make)
            if change is not None and change.seq == 3:
                self.record[at(3, 5)] = flip(self.record[at(3, 5)])
            return change

    target = Forgetful()
    with pytest.raises(VaultTamperedError):
        copy_vault(source, target)
    with pytest.raises(VaultNotFoundError):
        opened(target, tmp_path)


def test_a_copy_whose_record_went_to_zeros_is_found_out(source: EphemeralStore, target: EphemeralStore) -> None:
    copy_vault(source, target)
    target.record[at(3, 5)] = bytes(len(target.record[at(3, 5)]))

    with pytest.raises(VaultTamperedError, match="has lost a record"):
        copy_vault(source, target)


def test_parts_that_the_source_has_dropped_are_dropped(
    tmp_path: Path, source: EphemeralStore, target: EphemeralStore
) -> None:
    copy_vault(source, target)
    with opened(source, tmp_path) as vault:
        vault.forget("m3")
        assert not set(target.parts()) <= set(source.parts())

    copy_vault(source, target)

    assert target.parts() == source.parts()
    assert target.record[at(3, 3)] == bytes(len(target.record[at(3, 3)]))


def test_no_error_holds_what_is_in_the_vault(source: EphemeralStore, target: EphemeralStore) -> None:
    source.record[at(3, 7)] = b"I met Bob"

    with pytest.raises(VaultError) as caught:
        copy_vault(source, target)
    assert "Bob" not in str(caught.value)

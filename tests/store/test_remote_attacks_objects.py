"""Someone tries to break vaults in object storage from outside: by URLs, by what lies in the folder, by the server."""

import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import vaults
from support.objects import Proxy, Request, objects_of, url
from vault_core import Draft, InvalidInputError, UnavailableError, Vault, VaultNotFoundError, VaultTamperedError
from vault_core.store.location import open_store
from vault_core.store.object import ObjectStore, blocks, client, erasing, layout
from vault_core.store.object import store as object_store
from vault_core.store.object.folder import FolderBucket


@pytest.fixture
def proxy(s3: str) -> Iterator[Proxy]:
    with Proxy(s3) as between:
        yield between


# what a URL can say


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("s3://bucket/v?endpoint=https://:hunter22@minio", "without credentials"),
        ("s3://bucket/v?endpoint=https://@minio", "without credentials"),
        ("s3://bucket/v?endpoint=http://[::1", "endpoint="),
        ("s3://bucket/v?endpoint=http://localhost:99999999", "endpoint="),
        ("s3://bucket/v?endpoint=http://localhost:port", "endpoint="),
        ("s3://bucket/v?endpoint=https://minio/%0d%0aHost:x", "endpoint="),
        ("s3://bucket/v?region=%0d%0ax&endpoint=http://127.0.0.1:9", "region="),
        ("s3://bu cket/v?region=a", "no bucket has such a name"),
        ("s3://../v?region=a", "no bucket has such a name"),
        ("s3://bucket/%ff?region=a", "not UTF-8"),
        ("s3://bucket/a%2f..%2fb?region=a", "plain names"),
        ("s3://bucket/%252e%252e?region=a", "plain names"),
        ("file:///tmp/" + "v" * 300, "too long"),
    ],
)
def test_a_url_that_the_client_would_choke_on_is_refused_before_it_is_asked(where: str, says: str) -> None:
    for create in (False, True):
        with pytest.raises(InvalidInputError) as refused:
            open_store(where, create=create)
        assert says in str(refused.value)
        assert "hunter22" not in repr(refused.value)


def test_two_folders_whose_names_are_no_text_are_two_vaults(tmp_path: Path) -> None:
    places = [f"{tmp_path.as_uri()}/{name}" for name in ("%ff", "%fe")]
    Vault.create(places[0], unlock=vaults.key_in(tmp_path)).close()

    assert (Path(os.fsdecode(bytes(tmp_path) + b"/\xff")) / "log").is_dir()
    with pytest.raises(VaultNotFoundError):
        Vault.open(places[1], unlock=vaults.key_in(tmp_path))


@pytest.mark.parametrize("name", ["a b+c", "d=e&f", "é", "e\u0301", "日本", "(x)!$',;:@-_.", "log", "part", "..."])
def test_neighbours_and_vaults_inside_of_a_vault_stay_apart(s3: str, prefix: str, tmp_path: Path, name: str) -> None:
    from urllib.parse import quote

    key = vaults.key_in(tmp_path)
    inner = f"{prefix}/{quote(name)}"
    for where in (prefix, inner, f"{prefix}{quote(name)}"):
        with Vault.create(url(s3, where, cache="no"), unlock=key) as vault:
            vault.forget(vault.add("soon gone").id)
            vault.add(f"I live in {where}")
            vault.checkpoint()
    for where in (prefix, inner, f"{prefix}{quote(name)}"):
        with Vault.open(url(s3, f"{where}/", cache="no"), unlock=key) as vault:
            assert vaults.texts(vault) == [f"I live in {where}"]
            vault.verify(full=True)
    assert any(one.startswith(f"{name}/log/") for one in objects_of(s3, prefix))


# what lies in a folder


def test_whoever_can_write_to_a_folder_can_not_have_files_elsewhere_removed(tmp_path: Path) -> None:
    """Purging clears what killed writers left in `.new`; a link there leads to the files of who purges."""
    where, key = (tmp_path / "vault").as_uri(), vaults.key_in(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("diary", "0" * 32):
        (home / name).write_text("dear diary")
    with Vault.create(where, unlock=key) as vault:
        memory = vault.add("to be forgotten")
        new = tmp_path / "vault" / ".new"
        new.rmdir()
        new.symlink_to(home)
        vault.forget(memory.id)

    assert {path.name for path in home.iterdir()} == {"diary", "0" * 32}


def test_what_others_put_beside_files_that_are_written_stays_and_is_in_nobody_s_way(tmp_path: Path) -> None:
    where, key = (tmp_path / "vault").as_uri(), vaults.key_in(tmp_path)
    with Vault.create(where, unlock=key) as vault:
        (tmp_path / "vault" / ".new" / "folder").mkdir()
        (tmp_path / "vault" / ".new" / "notes").write_text("mine")

        assert vault.forget(vault.add("to be forgotten").id).purged
    assert (tmp_path / "vault" / ".new" / "notes").read_text() == "mine"


# what a server can send


def test_a_listing_without_an_end_ends(proxy: Proxy, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with nothing in them: the client asks for the next one, and for the next one."""
    monkeypatch.setattr(client, "PAGE", 0.2)
    store = ObjectStore(url(proxy.endpoint, prefix), create=True)
    asked = threading.Event()

    def nothing(request: Request) -> None:
        if "list-type" in request.path:
            asked.set()

    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>"
    proxy.change = nothing
    proxy.answer = 200, f"<ListBucketResult>{more}</ListBucketResult>"
    with pytest.raises(UnavailableError, match="does not come to an end"):
        store.parts()
    proxy.answer = 200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"

    assert asked.is_set()
    assert store.parts() == []


def test_a_pack_larger_than_its_commits_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker, which anyone can put, has the next purge look at a pack, which anyone can make a gigabyte long."""
    for module in (blocks, erasing, layout, object_store):
        if hasattr(module, "WINDOW"):
            monkeypatch.setattr(module, "WINDOW", 4)
    folder = tmp_path / "vault"
    with Vault.create(folder.as_uri(), unlock=vaults.key_in(tmp_path)) as vault:
        for n in range(6):
            vault.add(f"memory {n}", id=f"m{n}")
    for name in ("pack", "unfinished"):
        (folder / name).mkdir(exist_ok=True)
    with (folder / layout.pack_name(0)).open("wb") as pack:
        pack.truncate(1 << 30)

    with Vault.open(folder.as_uri(), unlock=vaults.key_in(tmp_path)) as vault:
        tracemalloc.start()
        with pytest.raises(VaultTamperedError, match="larger than the commits"):
            object_store.Rewriter(bucket := FolderBucket(folder, make=False), blocks.Blocks(bucket)).pack(0)
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()
        assert vault.count() == 6


# a writer that sleeps between two of its requests, and wakes when others have gone on


class Sleeper(FolderBucket):
    """A folder whose `at`-th change waits until it is woken."""

    def __init__(self, folder: Path, at: int) -> None:
        super().__init__(folder, make=False)
        self.sleeps, self.wake, self._left, self._lock = threading.Event(), threading.Event(), at, threading.Lock()

    def _change(self) -> None:
        with self._lock:
            self._left -= 1
            turn = self._left == 0
        if turn:
            self.sleeps.set()
            assert self.wake.wait(60)

    def create(self, name: str, body: bytes) -> str | None:
        self._change()
        return super().create(name, body)

    def replace(self, name: str, body: bytes, tag: str) -> bool:
        self._change()
        return super().replace(name, body, tag)

    def put(self, name: str, body: bytes) -> None:
        self._change()
        super().put(name, body)

    def delete(self, name: str) -> None:
        self._change()
        super().delete(name)


WORK: dict[str, Callable[[Vault], object]] = {
    "add": lambda vault: vault.add("from the sleeper", id="late"),
    "forget": lambda vault: vault.forget("m0"),
    "reclaim": lambda vault: vault.reclaim(),
    "checkpoint": lambda vault: vault.checkpoint(),
}


@pytest.mark.parametrize("work", WORK)
def test_whoever_wakes_after_others_forgot_and_packed_brings_nothing_back_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    sleep_and_wake(tmp_path, monkeypatch, work, Sleeper)


class Careless(Sleeper):
    """One that replaces whatever is there by now."""

    def replace(self, name: str, body: bytes, tag: str) -> bool:  # noqa: ARG002  that is its fault
        self._change()
        FolderBucket.put(self, name, body)
        return True


def test_a_sleeper_that_replaces_without_a_condition_brings_erased_bytes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    with pytest.raises(AssertionError):
        sleep_and_wake(tmp_path, monkeypatch, "forget", Careless)


def sleep_and_wake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, kind: type[Sleeper]) -> None:
    """Let it sleep before each of its changes in turn, while another forgets, packs and rotates."""
    for module in (blocks, erasing, layout, object_store):
        if hasattr(module, "WINDOW"):
            monkeypatch.setattr(module, "WINDOW", 4)
    key, at, slept = vaults.key_in(tmp_path), 0, True
    while slept:
        at += 1
        folder = tmp_path / f"vault-{at}"
        with Vault.create(folder.as_uri(), unlock=key) as vault:
            vault.add("a secret", id="secret")
            vault.add_many([Draft(content=f"memory {n}", id=f"m{n}") for n in range(3)])
            vault.add("memory 3", id="m3")
        store = open_store(folder.as_uri())
        before, header = store.records(store.addresses(0)), store.read_header()
        bucket = kind(folder, at)
        with Vault.open(object_store.ObjectStore(folder.as_uri(), bucket=bucket), unlock=key) as sleeper:
            asleep = threading.Thread(target=WORK[work], args=(sleeper,))
            asleep.start()
            while asleep.is_alive() and not bucket.sleeps.wait(0.01):
                pass
            slept = bucket.sleeps.is_set()
            with Vault.open(folder.as_uri(), unlock=key) as other:
                other.forget("secret")
                other.forget("m1")
                other.add("meanwhile", id="new")
                other.reclaim()
                other.rotate(key)
            bucket.wake.set()
            asleep.join()
            sleeper.add("afterwards", id="after")
        with Vault.open(folder.as_uri(), unlock=key) as vault:
            vault.verify(full=True)
            ids = {memory.id for memory in vault.stream()}
        late = {"add": {"late"}, "forget": {"m0"}}.get(work, set())
        assert ids == {"m0", "m2", "m3", "new", "after"} ^ late
        raw = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        kept = {"m0", "m2", "m3"} - late
        assert sum(any(body) and body in raw for body in before.values()) == len(kept)
        assert header.body not in raw
    assert at > 1

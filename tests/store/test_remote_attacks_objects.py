"""Someone tries to break vaults in object storage from outside: by URLs, by what lies in the folder, by the server."""

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import vaults
from support.objects import Proxy, Request, objects_of, url
from vault_core import InvalidInputError, UnavailableError, Vault, VaultNotFoundError, VaultTamperedError
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

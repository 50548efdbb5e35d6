"""What is wrong with a URL, a bucket, a key or a server is said with the fix, and never with a secret."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.objects import BUCKET, KEYS, Proxy, Request, url
from support.processes import call
from vault_core.errors import (
    ConflictError,
    InvalidInputError,
    SessionStateError,
    UnavailableError,
    VaultError,
    VaultNotFoundError,
)
from vault_core.store import Change, StoredHeader
from vault_core.store.location import open_store
from vault_core.store.object import ObjectStore
from vault_core.store.object.url import parse

HEADER = StoredHeader(b"header", b"m" * 64)


@pytest.fixture
def proxy(s3: str) -> Iterator[Proxy]:
    with Proxy(s3) as between:
        yield between


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("s3://bucket/v?colour=red", "allow_http, endpoint, profile, region"),
        ("s3://bucket/v?secret_access_key=hunter22", "AWS_SECRET_ACCESS_KEY"),
        ("s3://AKIA:hunter22@bucket/v", "AWS_ACCESS_KEY_ID"),
        ("s3://hunter22@bucket/v", "AWS_ACCESS_KEY_ID"),
        ("az://bucket/v?sas_token=hunter22", "AZURE_STORAGE_SAS_KEY"),
        ("gs://user:hunter22@bucket/v", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("s3:///v", "names no bucket"),
        ("s3://bucket:99/v", "endpoint"),
        ("s3://bucket/v#part", "endpoint"),
        ("s3://bucket/a//b", "plain names"),
        ("s3://bucket/a/../b", "plain names"),
        ("s3://bucket/" + "v" * 600, "512"),
        ("s3://bucket/v?region", "not a URL"),
        ("s3://bucket/v?staleness=often", "staleness"),
        ("s3://bucket/v?staleness=-1", "staleness"),
        ("s3://bucket/v?staleness=nan", "staleness"),
        ("s3://bucket/v?allow_http=yes", "true or false"),
        ("s3://bucket/v?endpoint=minio", "endpoint="),
        ("s3://bucket/v?endpoint=https://me:hunter22@minio", "without credentials"),
        ("s3://bucket/v?endpoint=http://minio.example.org:9000", "allow_http"),
        ("abfss://container/v", "abfss://container@account"),
        ("abfss://container:hunter22@account.dfs.core.windows.net/v", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("file://host/folder", "three slashes"),
        ("file:///", "folder of its own"),
        ("file:///folder?region=x", "staleness"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_with_the_reason(where: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        open_store(where, create=True)

    assert says in str(refused.value)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    ("where", "location"),
    [
        ("s3://bucket/alice/vault?region=eu-central-1&staleness=2.5", "s3://bucket/alice/vault"),
        ("gs://bucket/v", "gs://bucket/v"),
        ("az://container/v?account=alice", "az://container/v?account=alice"),
        ("abfss://container@account.dfs.core.windows.net/v", "abfss://container@account/v"),
        ("s3://bucket", "s3://bucket/"),
        ("s3://bucket/v?endpoint=http://127.0.0.1:9000", "s3://bucket/v?endpoint=http://127.0.0.1:9000"),
        ("s3://bucket/v?endpoint=http://[::1]:9000", "s3://bucket/v?endpoint=http://[::1]:9000"),
        ("s3://bucket/v?endpoint=http://minio:9000&allow_http=true", "s3://bucket/v?endpoint=http://minio:9000"),
    ],
)
def test_the_location_is_the_url_with_no_option_but_those_that_say_where(
    where: str, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")

    assert parse(where).location == location


def test_a_missing_vault_a_missing_bucket_and_a_taken_place_are_told_apart(s3: str, prefix: str) -> None:
    with pytest.raises(VaultNotFoundError, match="strongroom init"):
        open_store(url(s3, prefix))
    with pytest.raises(VaultNotFoundError, match="no bucket"):
        open_store(url(s3, prefix, "nothing-here"))
    with pytest.raises(VaultNotFoundError, match="no bucket"):
        open_store(url(s3, prefix, "nothing-here"), create=True).create(HEADER, b"entry")
    open_store(url(s3, prefix), create=True).create(HEADER, b"entry")
    with pytest.raises(ConflictError, match="already"):
        open_store(url(s3, prefix), create=True).create(HEADER, b"entry")


ANSWERS = {  # what servers say -> the error, and what it says to do
    "RequestTimeTooSkewed": (403, UnavailableError, "clock"),
    "ExpiredToken": (400, UnavailableError, "expired"),
    "InvalidAccessKeyId": (403, UnavailableError, "AWS_ACCESS_KEY_ID"),
    "SignatureDoesNotMatch": (403, UnavailableError, "AWS_SECRET_ACCESS_KEY"),
    "AccessDenied": (403, UnavailableError, "docs/stores-objects.md"),
    "PermanentRedirect": (301, InvalidInputError, "region="),
    "AuthorizationHeaderMalformed": (400, InvalidInputError, "region="),
    "NoSuchBucket": (404, VaultNotFoundError, "no bucket"),
    "NotImplemented": (501, InvalidInputError, "If-None-Match"),
    "SlowDown": (503, UnavailableError, "patience"),
    "InternalError": (500, UnavailableError, "try again"),
    "XMinioStorageFull": (507, UnavailableError, "full"),
    "Whatever": (418, UnavailableError, "try again"),
}
CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "head": ObjectStore.head,
    "append": lambda store: store.append(lambda head: Change(seq=head.seq + 1, entry=b"entry")),
    "parts": ObjectStore.parts,
    "entries": lambda store: list(store.entries(0)),
}


@pytest.mark.parametrize("code", ANSWERS)
def test_what_a_server_answers_becomes_an_error_that_names_the_fix(proxy: Proxy, prefix: str, code: str) -> None:
    status, kind, says = ANSWERS[code]
    store = ObjectStore(url(proxy.endpoint, prefix), create=True)
    store.create(HEADER, b"entry")
    secret = f"<StringToSign>{KEYS['AWS_ACCESS_KEY_ID']}</StringToSign>"
    proxy.answer = status, f"<Error><Code>{code}</Code><Message>{secret}</Message></Error>"

    for name, work in CALLS.items():
        with pytest.raises(kind) as refused:
            work(store)
        assert says in str(refused.value), name
        assert KEYS["AWS_ACCESS_KEY_ID"] not in repr(refused.value)
        assert refused.value.__cause__ is None


def test_nobody_listening_and_no_tls_are_told(s3: str, prefix: str) -> None:
    with pytest.raises(UnavailableError, match=r"can't be reached; check the endpoint"):
        ObjectStore(url("http://127.0.0.1:9", prefix))
    with pytest.raises(UnavailableError, match=r"secure connection|can't be reached"):
        ObjectStore(url(s3.replace("http", "https"), prefix))


def test_a_server_that_ignores_conditions_is_refused_when_a_vault_is_made(proxy: Proxy, prefix: str) -> None:
    for header in ("if-none-match", "if-match"):

        def forget(request: Request, header: str = header) -> None:
            request.headers = {name: value for name, value in request.headers.items() if name.lower() != header}

        proxy.change = forget
        with pytest.raises(InvalidInputError, match="two writers would destroy each other's commits"):
            ObjectStore(url(proxy.endpoint, prefix), create=True).create(HEADER, b"entry")
    proxy.change = lambda _: None

    with pytest.raises(VaultNotFoundError):
        ObjectStore(url(proxy.endpoint, prefix))
    ObjectStore(url(proxy.endpoint, prefix), create=True).create(HEADER, b"entry")


def test_no_error_and_no_repr_holds_the_bucket_s_keys(s3: str, prefix: str) -> None:
    store = ObjectStore(url(s3, prefix), create=True)
    told = [repr(store), store.location, repr(vars(store))]
    try:
        store.read_header()
    except VaultError as error:
        told.append(repr(error))

    assert all(KEYS["AWS_SECRET_ACCESS_KEY"] not in one for one in told)


def test_a_forked_child_is_told_instead_of_waiting_for_ever(s3: str, prefix: str) -> None:
    where = url(s3, prefix)
    ObjectStore(where, create=True).create(HEADER, b"entry")

    assert call(fork_and_try, where) == [
        "SessionStateError",
        "SessionStateError",
        "SessionStateError: spawn or forkserver",
    ]


def fork_and_try(where: str) -> list[str]:
    """What a child hears that was forked under an open store: of that store, and of one of its own."""
    os.environ.update(KEYS)
    store = ObjectStore(where)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        told = list[str]()
        try:
            for work in (store.head, lambda: list(store.entries(0)), lambda: ObjectStore(where)):
                try:
                    work()
                except SessionStateError as error:
                    told.append("SessionStateError" + ": spawn or forkserver" * ("forkserver" in str(error)))
            store.abandon()
            store.close()
        finally:
            os.write(theirs, "|".join(told).encode())
            os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    told = os.read(ours, 1000).decode().split("|")
    assert store.head() == 1  # the parent goes on
    return told


def test_a_forked_child_may_use_objects_when_its_parent_has_not(s3: str, prefix: str, tmp_path: Path) -> None:
    ObjectStore(url(s3, prefix), create=True).create(HEADER, b"entry")
    program = f"""
import os
import vault_core.store.object.client
from vault_core.store.object import ObjectStore
child = os.fork()
if child == 0:
    os._exit(ObjectStore({url(s3, prefix)!r}).head())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "1\n"


def test_a_folder_needs_no_client(tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules["obstore"] = None
from vault_core.errors import InvalidInputError
from vault_core.store.location import open_store
store = open_store({(tmp_path / "vault").as_uri()!r}, create=True)
try:
    open_store("s3://{BUCKET}/v")
except InvalidInputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert "pip install 'strongroom[object]'" in done.stdout


def test_a_folder_that_can_not_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(VaultNotFoundError, match="make it first"):
        open_store((tmp_path / "a" / "b").as_uri(), create=True)
    with pytest.raises(VaultNotFoundError, match="strongroom init"):
        open_store((tmp_path / "nothing").as_uri())
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError):
        open_store((tmp_path / "file").as_uri(), create=True).create(HEADER, b"entry")


def test_nobody_holds_an_object_store_alone(s3: str, prefix: str) -> None:
    store = ObjectStore(url(s3, prefix), create=True)

    with pytest.raises(InvalidInputError, match="can't be held alone"):
        store.lock(exclusive=True)


def test_a_read_only_session_writes_nothing(s3: str, prefix: str) -> None:
    ObjectStore(url(s3, prefix), create=True).create(HEADER, b"entry")
    store = ObjectStore(url(s3, prefix), read_only=True)

    with pytest.raises(SessionStateError):
        store.append(lambda head: Change(seq=head.seq + 1, entry=b"entry"))
    with pytest.raises(SessionStateError):
        store.reclaim()
    assert not store.purge()

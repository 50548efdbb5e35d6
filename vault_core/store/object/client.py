"""obstore's stores as buckets: its answers to a vault's few questions, errors translated.

Rules:
- obstore repeats nothing by itself: a create that it repeated after taking effect would say "exists" of our own object.
- Every request has an end, and no answer is read without a bound.
- A foreign error's text is looked at, never shown: it may hold addresses, signatures and ids.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore import exceptions as foreign

from vault_core.errors import (
    InvalidInputError,
    SessionStateError,
    UnavailableError,
    VaultError,
    VaultNotFoundError,
    VaultTamperedError,
)
from vault_core.store.object.bucket import ChangedError, Found

if TYPE_CHECKING:
    from obstore import GetOptions, UpdateVersion

TIMEOUT = 30  # seconds for one request
PATIENT = 900  # likewise for one that moves a large object: 1.25 GiB at 1.5 MB/s
PAGE = 3 * TIMEOUT  # for a page of a listing: the client goes on for ever if a server sends empty ones for ever
LARGE = 4 << 20  # bytes from which a request is given that time
MAX_NAMES = 20_000_000  # names that a listing may go on for
Result = TypeVar("Result")


class ObjectBucket:
    """A prefix of a bucket, through one of obstore's stores."""

    durable = True
    probed = True

    def __init__(self, store: Any, patient: Any, location: str, credentials: str) -> None:
        self.location = location
        self._store, self._patient, self._credentials = store, patient, credentials

    def get(self, name: str, start: int, length: int, tag: str | None = None) -> Found | None:
        """See `Bucket.get`."""
        options: GetOptions = {"range": (start, start + length)}
        if tag is not None:
            options["if_match"] = _parts_of(tag)["e_tag"] or ""
        with self._translated():
            try:
                answer = obstore.get(self._for(length), name, options=options)
            except FileNotFoundError as error:
                self._no_bucket(error)
                return None
            except foreign.PreconditionError:
                if tag is None:
                    raise  # an answer to a question that was not asked
                raise ChangedError from None
            size, held = answer.meta["size"], _tag_of(answer.meta)
            wanted = min(length, max(size - start, 0))
            body = _bounded(answer, wanted)
        if held is None or len(body) != wanted or answer.range[0] != start:
            raise UnavailableError("the object store's answer was cut short or makes no sense; try again")
        return Found(body, held, size)

    def tag(self, name: str) -> str | None:
        """See `Bucket.tag`. A read of one byte: unlike HEAD, its refusals say why."""
        found = self.get(name, 0, 1)
        return found.tag if found is not None else None

    def create(self, name: str, body: bytes) -> str | None:
        """See `Bucket.create`."""
        with self._translated():
            try:
                put = obstore.put(self._for(len(body)), name, body, mode="create", use_multipart=False)
            except (foreign.AlreadyExistsError, foreign.PreconditionError):
                return None
            except FileNotFoundError as error:
                self._no_bucket(error)
                raise
        return _tag_of(put) or self.tag(name)

    def replace(self, name: str, body: bytes, tag: str) -> bool:
        """See `Bucket.replace`."""
        with self._translated():
            try:
                obstore.put(self._for(len(body)), name, body, mode=_parts_of(tag), use_multipart=False)
            except (foreign.AlreadyExistsError, foreign.PreconditionError, FileNotFoundError):
                return False
        return True

    def put(self, name: str, body: bytes) -> None:
        """See `Bucket.put`."""
        with self._translated():
            obstore.put(self._for(len(body)), name, body, use_multipart=False)

    def delete(self, name: str) -> None:
        """See `Bucket.delete`."""
        with self._translated():
            try:
                obstore.delete(self._for(0), name)
            except FileNotFoundError as error:
                self._no_bucket(error)

    def tidy(self) -> None:
        """See `Bucket.tidy`: an object is there whole or not at all."""

    def names(self, folder: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Bucket.names`."""
        count = 0
        with self._translated():
            pages = iter(obstore.list(self._for(0), folder.rstrip("/"), offset=after or None, chunk_size=1000))
        while True:
            with self._translated():
                page = _in_time(lambda: next(pages, None), PAGE)
            if page is None:
                return
            count += len(page)
            if count > MAX_NAMES:
                raise VaultTamperedError("the vault's folder lists more objects than a vault can have")
            yield from ((one["path"], one["size"]) for one in page if one["path"] > after)

    def _for(self, size: int) -> Any:
        _check_runtime()
        return self._patient if size >= LARGE else self._store

    def _no_bucket(self, error: BaseException) -> None:
        if _says(error, "NoSuchBucket", "ContainerNotFound", "bucket does not exist", "container does not exist"):
            raise self._translation(error)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (VaultError, ChangedError):
            raise
        except (foreign.BaseError, OSError, ValueError, NotImplementedError) as error:
            raise self._translation(error) from None
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  a panic of the client, which is written in Rust, is no Exception
            raise UnavailableError(f"the object store's client failed ({type(error).__name__}); try again") from None

    def _translation(self, error: BaseException) -> VaultError:
        if _says(error, "NoSuchBucket", "ContainerNotFound", "bucket does not exist", "container does not exist"):
            return VaultNotFoundError(
                f"there is no bucket for {self.location}; make it first, or check its name, region and endpoint"
            )
        for words, kind, sentence in _MEANINGS:
            if _says(error, *words):
                return kind(sentence.format(credentials=self._credentials))
        if isinstance(error, foreign.PermissionDeniedError):
            return UnavailableError("access was denied; the key needs the rights listed in docs/stores-objects.md")
        if isinstance(error, foreign.UnauthenticatedError):
            return UnavailableError(f"the object store accepts no request without credentials; {self._credentials}")
        return UnavailableError("the object store did not answer as it should; try again")


_MEANINGS: tuple[tuple[tuple[str, ...], type[VaultError], str], ...] = (
    (
        ("RequestTimeTooSkewed", "RequestExpired"),
        UnavailableError,
        "this machine's clock differs too much from the server's; set it (timedatectl set-ntp true) and try again",
    ),
    (
        ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "/metadata/identity"),
        UnavailableError,
        "there are no credentials for the object store; {credentials}",
    ),
    (
        ("ExpiredToken", "TokenRefreshRequired", "token has expired", "AuthenticationFailed: expired"),
        UnavailableError,
        "the credentials have expired; get new ones and try again ({credentials})",
    ),
    (
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthenticationFailed", "InvalidSecurity"),
        UnavailableError,
        "the object store does not know these credentials; {credentials}",
    ),
    (
        (
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraint",
            "redirect without LOCATION",
            "incorrectly configured region",
        ),
        InvalidInputError,
        "the bucket is in another region; name it in the URL: ?region=…",
    ),
    (
        ("AccessDenied", "AllAccessDisabled", "AuthorizationPermissionMismatch", "403 Forbidden"),
        UnavailableError,
        "access was denied; the key needs the rights listed in docs/stores-objects.md",
    ),
    (
        ("NotImplemented", "501 Not Implemented", "not yet implemented"),
        InvalidInputError,
        "this object store can't do what a vault needs of it: writes on condition (If-None-Match, If-Match)",
    ),
    (
        ("SlowDown", "ServerBusy", "429 Too Many", "503 Service", "TooManyRequests"),
        UnavailableError,
        "the object store asks for patience; try again in a moment",
    ),
    (
        ("certificate", "UnknownIssuer", "InvalidContentType", "tls handshake", "CorruptMessage", "HandshakeFailure"),
        UnavailableError,
        "no secure connection to the object store: check that the endpoint speaks https with a valid certificate",
    ),
    (
        ("dns error", "failed to lookup", "Name or service not known"),
        UnavailableError,
        "the object store's name can't be looked up; check the endpoint and the network",
    ),
    (
        ("Connection refused", "kind: Connect", "ConnectError", "ConnectionRefused"),
        UnavailableError,
        "the object store can't be reached; check the endpoint, and that it is running",
    ),
    (
        ("kind: Timeout", "TimedOut", "timed out", "operation timed out"),
        UnavailableError,
        "the object store did not answer in time; try again",
    ),
    (
        ("EntityTooLarge",),
        InvalidInputError,
        "the object store takes no object of this size; write in smaller batches",
    ),
    (
        ("QuotaExceeded", "StorageFull", "XMinioStorageFull", "No space left"),
        UnavailableError,
        "the object store is full; make room, nothing was half-written",
    ),
)


def _tag_of(about: Any) -> str | None:
    """What S3 and Azure compare (the ETag) and what GCS does (the version), in one."""
    return f"{about['e_tag']}\n{about['version'] or ''}" if about["e_tag"] else None


def _parts_of(tag: str) -> "UpdateVersion":
    e_tag, _, version = tag.partition("\n")
    return {"e_tag": e_tag, "version": version} if version else {"e_tag": e_tag}


def _says(error: BaseException, *words: str) -> bool:
    text = str(error)
    return any(word in text for word in words)


def _bounded(answer: Any, limit: int) -> bytes:
    """What an answer holds, and no more than was asked for, whatever the server goes on to send."""
    chunks, total = list[bytes](), 0
    if limit == 0:
        return b""
    for chunk in answer.stream(min_chunk_size=min(limit, 1 << 20)):
        total += len(chunk)
        if total > limit:
            raise UnavailableError("the object store sent more than it was asked for")
        chunks.append(bytes(chunk))
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _in_time(work: Callable[[], Result], seconds: float) -> Result:
    """What `work` gives, unless it takes longer: the client can't be told to stop, but it can be left behind.

    Waiting here, unlike in the client, ends with Ctrl-C.
    """
    answer: Future[Result] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001  raised where the answer is waited for
            answer.set_exception(error)

    Thread(target=run, daemon=True, name="strongroom-listing").start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise UnavailableError("the object store's listing does not come to an end; try again") from None


_runtime: list[int] = []  # the process whose threads serve obstore's requests: the first one that makes any


def _check_runtime() -> None:
    """Refuse in a forked child what would wait for ever: obstore's threads stay with the process that began them."""
    if not _runtime:
        _runtime.append(os.getpid())
    if _runtime[0] != os.getpid():
        raise SessionStateError(
            "an object store can't be used in a process forked from one that has used it; "
            "start processes with multiprocessing's spawn or forkserver method"
        )

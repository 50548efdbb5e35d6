"""What a URL of an object store says, and the bucket it means.

Rules:
- Credentials come from the environment of the store's own client, never from the URL: those end up in histories.
- Plain http only to this machine, or when the URL says `allow_http=true`.
- An option that nobody knows is refused, with the known ones named.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes, urlsplit

from vault_core.errors import InvalidInputError
from vault_core.store.object.bucket import Bucket
from vault_core.store.object.folder import FolderBucket

OPTIONS = {  # scheme -> the options that its URLs take
    "s3": ("allow_http", "endpoint", "profile", "region", "staleness", "virtual_host"),
    "gs": ("allow_http", "endpoint", "staleness"),
    "az": ("account", "allow_http", "endpoint", "staleness"),
    "abfss": ("allow_http", "endpoint", "staleness"),
    "file": ("staleness",),
}
CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in the URL (?profile=…)",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or log in with: gcloud auth application-default login",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_KEY)",
    "abfss": "set AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_KEY)",
}
STALLED = 30  # seconds without a byte until a request is given up
MAX_STALENESS = 3600.0
MAX_PREFIX = 512  # bytes: a key has at most 1,024, and parts have long names
_WHERE = ("account", "endpoint")
_NO_HOST = '@\\%{}^`"<>|'  # never in a host; what is before an @ would be credentials
_BUCKET = re.compile(r"[A-Za-z0-9$](?:[A-Za-z0-9._$-]*[A-Za-z0-9$])?")  # any store's names, and S3's access points
_OPTION = re.compile(r"[A-Za-z0-9-]*")
_SECRET_WORDS = ("secret", "password", "passwd", "token", "key", "sas", "sig", "credential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A URL taken apart."""

    scheme: str
    bucket: str
    account: str
    prefix: str
    options: Mapping[str, str]

    @property
    def staleness(self) -> float:
        """Seconds that a read may be behind."""
        text = self.options.get("staleness", "0")
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= MAX_STALENESS:
            raise InvalidInputError(f"staleness= is a number of seconds from 0 to {MAX_STALENESS:.0f}")
        return seconds

    @property
    def location(self) -> str:
        """The URL, of its options only those that say where: two servers may have a bucket of one name."""
        where = f"{self.bucket}@{self.account}" if self.scheme == "abfss" else self.bucket
        said = "&".join(f"{name}={self.options[name]}" for name in _WHERE if name in self.options)
        return f"{self.scheme}://{where}/{quote(self.prefix)}{'?' * bool(said)}{said}"


def parse(url: str) -> Address:
    """Take a URL apart.

    Raises:
        InvalidInputError: something about it can't be used; says what.
    """
    try:
        split = urlsplit(url)
        port, user, password = split.port, split.username, split.password
        options = dict(parse_qsl(split.query, keep_blank_values=True, strict_parsing=bool(split.query)))
    except ValueError:
        raise InvalidInputError("this is not a URL; an object store's is like s3://bucket/prefix?region=…") from None
    scheme = split.scheme
    if password is not None or (user is not None and scheme != "abfss"):
        raise _secret_in_url(scheme)
    if split.fragment or port is not None:
        raise InvalidInputError("the URL of an object store has no port and no #; the server goes into ?endpoint=…")
    _check_options(scheme, options)
    raw = unquote_to_bytes(split.path)
    if scheme == "file":  # any bytes: two folders' names stay two
        return Address(scheme=scheme, bucket=split.netloc, account="", prefix=os.fsdecode(raw), options=options)
    try:
        prefix = raw.decode().strip("/")
    except UnicodeDecodeError:
        raise InvalidInputError("the URL's folder is not UTF-8") from None
    _check_prefix(prefix)
    bucket, account = _bucket_of(split, user)
    return Address(
        scheme=scheme, bucket=bucket, account=account or options.get("account", ""), prefix=prefix, options=options
    )


def check_url(url: str) -> None:
    """Refuse a URL that `ObjectStore` would refuse, without going there.

    Raises:
        InvalidInputError: something about it can't be used; says what.
    """
    address = parse(url)
    _ = address.staleness
    if "endpoint" in address.options:
        _plain(address.options["endpoint"], address.options.get("allow_http"))


def open_bucket(address: Address, *, make: bool) -> Bucket:
    """The bucket that an address means; with `make`, a folder is made."""
    if address.scheme == "file":
        return _folder(address, make=make)
    try:
        from vault_core.store.object.client import PATIENT, TIMEOUT, ObjectBucket
    except ModuleNotFoundError:
        raise InvalidInputError(f"{address.scheme}:// needs a client: pip install 'strongroom[object]'") from None

    endpoint, plain = address.options.get("endpoint"), False
    if endpoint is not None:
        plain = _plain(endpoint, address.options.get("allow_http"))
    make_store = {"s3": _s3, "gs": _gs, "az": _azure, "abfss": _azure}[address.scheme]
    small, large = (make_store(address, endpoint, _client(plain, seconds)) for seconds in (TIMEOUT, PATIENT))
    return ObjectBucket(small, large, address.location, CREDENTIALS[address.scheme])


def _check_options(scheme: str, options: Mapping[str, str]) -> None:
    known = OPTIONS[scheme]
    for name in options:
        if name in known:
            continue
        if any(word in name.lower() for word in _SECRET_WORDS):
            raise InvalidInputError(
                f"no credentials in the URL, where histories keep them; {CREDENTIALS.get(scheme, '')}"
            )
        raise InvalidInputError(f"{scheme}:// has no option {name[:40]!r}; it has {', '.join(known)}")
    for name in ("account", "region"):
        if not _OPTION.fullmatch(options.get(name, "")):
            raise InvalidInputError(f"{name}= is a name of letters, digits and -")
    for name in ("allow_http", "virtual_host"):
        if options.get(name, "true") not in ("true", "false"):
            raise InvalidInputError(f"{name}= is true or false")


def _secret_in_url(scheme: str) -> InvalidInputError:
    return InvalidInputError(f"no credentials in the URL, where histories keep them; {CREDENTIALS.get(scheme, '')}")


def _check_prefix(prefix: str) -> None:
    parts = prefix.split("/") if prefix else []
    odd = any(part in ("", ".", "..") for part in parts) or not prefix.isprintable()
    if odd or len(prefix.encode()) > MAX_PREFIX or set(prefix) & set('\\{}^%`[]"<>~#|*?'):
        raise InvalidInputError(
            f"the folder in the bucket is at most {MAX_PREFIX} bytes of plain names between slashes, like alice/vault"
        )


def _bucket_of(split: SplitResult, user: str | None) -> tuple[str, str]:
    host = split.netloc
    if split.scheme != "abfss":
        if not host:
            raise InvalidInputError(f"the URL names no bucket: {split.scheme}://bucket/prefix")
        if not _BUCKET.fullmatch(host):
            raise InvalidInputError("no bucket has such a name; the URL is like s3://bucket/prefix")
        return host, ""
    account, _, domain = (split.hostname or "").partition(".")
    if not user or not account or domain not in ("dfs.core.windows.net", "blob.core.windows.net"):
        raise InvalidInputError("an abfss URL is like abfss://container@account.dfs.core.windows.net/prefix")
    return user, account


def _plain(endpoint: str, allow_http: str | None) -> bool:
    """Whether an endpoint is reached without TLS; refused unless it is this machine's, or allowed."""
    try:
        split = urlsplit(endpoint)
        odd = split.port == 0 or bool(set(split.netloc) & set(_NO_HOST))
    except ValueError:  # brackets, or a port that is no number
        raise _no_endpoint() from None
    odd = odd or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint
    if odd or split.scheme not in ("http", "https") or not split.hostname or split.query or split.fragment:
        raise _no_endpoint()
    if split.scheme == "http" and allow_http != "true" and not _loopback(split.hostname):
        raise InvalidInputError(
            "this endpoint is http, where anyone on the way can read and change what passes; "
            "use https, or say allow_http=true if the network is your own"
        )
    return split.scheme == "http"


def _no_endpoint() -> InvalidInputError:
    return InvalidInputError("endpoint= is a URL like https://minio.example.org:9000, without credentials")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _client(plain: bool, seconds: int) -> dict[str, Any]:
    return {
        "allow_http": plain,
        "connect_timeout": timedelta(seconds=10),
        "timeout": timedelta(seconds=seconds),
        "read_timeout": timedelta(seconds=STALLED),
        "user_agent": "strongroom",
    }


def _s3(address: Address, endpoint: str | None, client: dict[str, Any]) -> Any:
    from obstore.store import S3Store

    config: dict[str, Any] = {"conditional_put": "etag"}
    if endpoint is not None:
        config["endpoint"] = endpoint.rstrip("/")
    region = address.options.get("region")
    if region is not None:
        config["region"] = region
    elif endpoint is not None and not os.environ.get("AWS_REGION") and not os.environ.get("AWS_DEFAULT_REGION"):
        config["region"] = "us-east-1"  # what servers of one's own take, and sign for
    if "virtual_host" in address.options:
        config["virtual_hosted_style_request"] = address.options["virtual_host"] == "true"
    return _made(S3Store, address, config, client, credential_provider=_profile(address))


def _profile(address: Address) -> Any:
    """Credentials from a profile of ~/.aws, which need boto3 to read them."""
    name = address.options.get("profile")
    if name is None:
        return None
    try:
        import boto3  # type: ignore[import-untyped]
        from obstore.auth.boto3 import Boto3CredentialProvider

        return Boto3CredentialProvider(boto3.Session(profile_name=name))
    except ImportError:
        raise InvalidInputError("profile= needs boto3 to read ~/.aws: pip install boto3") from None
    except Exception:  # noqa: BLE001  boto3's own errors, which need not be installed
        raise InvalidInputError("this profile can't be used; see: aws configure list-profiles") from None


def _gs(address: Address, endpoint: str | None, client: dict[str, Any]) -> Any:
    from obstore.store import GCSStore

    return _made(GCSStore, address, {} if endpoint is None else {"base_url": endpoint.rstrip("/")}, client)


def _azure(address: Address, endpoint: str | None, client: dict[str, Any]) -> Any:
    from obstore.store import AzureStore

    config: dict[str, Any] = {}
    if address.account:
        config["account_name"] = address.account
    if endpoint is not None:
        config["endpoint"] = endpoint.rstrip("/")
    return _made(AzureStore, address, config, client)


def _made(kind: Any, address: Address, config: dict[str, Any], client: dict[str, Any], **also: Any) -> Any:
    also = {name: value for name, value in also.items() if value is not None}
    try:
        return kind(
            address.bucket,
            prefix=address.prefix or None,
            config=config,
            client_options=client,
            retry_config={"max_retries": 0},
            **also,
        )
    except Exception:  # noqa: BLE001  its own errors, and pyo3's for settings in the environment that make no sense
        raise InvalidInputError(
            f"the object store's client refuses these settings; check the URL and the environment "
            f"({CREDENTIALS[address.scheme]})"
        ) from None


def _folder(address: Address, *, make: bool) -> FolderBucket:
    if address.bucket not in ("", "localhost") or not address.prefix.startswith("/") or "\0" in address.prefix:
        raise InvalidInputError("a folder's URL has three slashes and the whole path: file:///home/alice/vault")
    if len(address.prefix.strip("/")) == 0:
        raise InvalidInputError("a vault in a folder needs a folder of its own: file:///home/alice/vault")
    return FolderBucket(Path(address.prefix), make=make)

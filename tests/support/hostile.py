"""What a stranger's bytes may cost: run in an interpreter of its own, so that the memory they took can be measured."""
# ruff: noqa: T201  what these programs print is their answer

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgpack

from support.processes import run_program
from vault_core import FileKey, Vault, VaultError, VaultTamperedError
from vault_core.keys import Header, Keyring
from vault_core.log.entry import split_entry
from vault_core.log.ops import decode_ops
from vault_core.memory.codec import decode_item, decode_memory, decode_space
from vault_core.memory.model import Address, StoredHeader

MIB = 1 << 20


def cost_of_opening(path: Path, key: Path) -> tuple[str, int]:
    """What opening, reading and verifying a vault comes to, and how many MiB it took at most."""
    kind, mebibytes = run_program(open_and_read, path, key).split()
    return kind, int(mebibytes)


def open_and_read(path: str, key: str) -> None:
    """Print the error's kind and the MiB taken."""
    print(*_measured(lambda: _read(path, key)))


def cost_of_parsing() -> dict[str, int]:
    """How many MiB each of the bombs took, all of them refused."""
    lines = run_program(parse_bombs).splitlines()
    return {name: int(mebibytes) for name, _, mebibytes in (line.partition(": ") for line in lines)}


def parse_bombs() -> None:
    """Print the MiB that each bomb took."""
    for name, parse, bomb in _bombs():
        kind, mebibytes = _measured(lambda parse=parse, bomb=bomb: parse(bomb))  # type: ignore[misc]
        assert kind == VaultTamperedError.__name__, (name, kind)
        print(f"{name}: {mebibytes}")


def _read(path: str, key: str) -> None:
    with Vault.open(path, unlock=FileKey(key)) as vault:
        vault.list()
        vault.verify(full=True)


def _measured(work: Callable[[], object]) -> tuple[str, int]:
    before = _peak()
    kind = "nothing"
    try:
        work()
    except VaultError as error:
        kind = type(error).__name__
    return kind, (_peak() - before) // MIB


def _peak() -> int:
    """The most memory this process has had, in bytes. The kernel's own mark: what a parent had does not count."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def _bombs() -> Iterable[tuple[str, Callable[[bytes], object], bytes]]:
    """Small bytes that promise to become large ones, for every parser of a stranger's bytes."""
    at = Address(1, 0)

    def memory(plaintext: bytes) -> object:
        return decode_memory(plaintext, at, "main")

    promises = {
        "an array of 2^32-1": b"\xdd\xff\xff\xff\xff",
        "a map of 2^32-1": b"\xdf\xff\xff\xff\xff",
        "a text of 2^32-1": b"\xdb\xff\xff\xff\xff",
        "bytes of 2^32-1": b"\xc6\xff\xff\xff\xff",
        "an extension of 2^32-1": b"\xc9\xff\xff\xff\xff\x01",
        "arrays in arrays": b"\xdd\x00\x00\x00\x01" * 200_000,
        "maps in maps": b"\x81\xa1a" * 200_000,
        "a million empty arrays": b"\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000,
    }
    parsers: dict[str, Callable[[bytes], object]] = {
        "memory": memory,
        "item": lambda plaintext: decode_item(plaintext, at),
        "space": decode_space,
        "ops": decode_ops,
        "settings": lambda settings: Keyring.decode(_keyring(settings)),
    }
    for what, bomb in promises.items():
        for name, parse in parsers.items():
            yield f"{name} that is {what}", parse, bomb
            yield f"{name} that holds {what}", parse, b"\x81\xa2id" + bomb
    for what, text in {
        "lists": "[" * 500_000,
        "objects": '{"a":' * 500_000,
        "digits": "[" + "9" * 900_000 + "]",
    }.items():
        yield f"content of {what}", memory, msgpack.packb({"id": "a", "j": text, "h": bytes(32), "ca": 0, "ua": 0})
        yield f"metadata of {what}", memory, msgpack.packb({"id": "a", "c": "a", "md": text, "h": bytes(32)})
    for what, body in {
        "lists": b"[" * 60_000,
        "slots of lists": b'{"format":1,"slots":' + b"[" * 60_000,
        "digits": b'{"format":' + b"9" * 60_000 + b"}",
        "a million slots": b'{"format":1,"slots":[' + b"{}," * 1_000_000 + b"{}]}",
    }.items():
        yield f"header of {what}", lambda body: Header.parse(StoredHeader(body, bytes(64))), body
    entry = b"SRE1" + (2).to_bytes(8, "big") + bytes(32 + 16) + (1).to_bytes(4, "big") + bytes(24)
    for what, count in {"2^32-1 records": 0xFFFFFFFF, "100,001 records": 100_001, "100,000 records": 100_000}.items():
        yield f"entry of {what}", split_entry, entry + count.to_bytes(4, "big") + bytes(300)
    yield "keyring of 65,535 log keys", lambda raw: Keyring.decode(bytearray(raw)), b"\1" + bytes(36) + b"\xff\xff" * 99
    yield "settings of 2^32-1 bytes", lambda raw: Keyring.decode(bytearray(raw)), bytes(_keyring(b"", 0xFFFFFFFF))


def _keyring(settings: bytes, size: int | None = None) -> bytearray:
    """A keyring with these settings, all else in order."""
    keys = b"\0\1" + (1).to_bytes(4, "big") + bytes(32)
    box = bytes(15) + b"\1" + b"\4main" + keys
    head = b"\1" + (1).to_bytes(4, "big") + bytes(32) + keys + b"\0\1" + box
    return bytearray(head + (len(settings) if size is None else size).to_bytes(4, "big") + settings)


def believe() -> None:
    """Print the MiB that a parser takes which believes what it is promised."""
    print(*_measured(lambda: b"\1" * (256 * MIB)))

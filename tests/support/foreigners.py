"""What the tests of other systems' files share: where they are, imports of made-up ones, forged VaultMem vaults."""

import base64
import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support import vaults
from vault_core import Memory, Vault
from vault_core.transfer import ImportReport

FILES = Path(__file__).parents[1] / "transfer" / "files"
PASSPHRASE = "correct horse battery staple"  # of the vaults there
VAULTMEMS = ("0.1.3", "0.2.1", "0.3.3")


def imported(folder: Path, path: Path, *, name: str = vaults.NAME, **options: Any) -> tuple[list[Memory], ImportReport]:
    """A new vault's memories after one import, whatever their state, in order of writing; and the report."""
    with vaults.create(folder, name) as vault:
        report = vault.import_memories(path, **options)
        return everything(vault), report


def everything(vault: Vault) -> list[Memory]:
    """Every memory, whatever its state."""
    shown = vault.stream(include_superseded=True, include_expired=True, include_archived=True)
    return sorted(shown, key=lambda memory: memory.address)


def written(folder: Path, content: bytes | str | object, name: str = "file.json") -> Path:
    """A file with these bytes, this text, or this JSON."""
    path = folder / name
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def reasons(report: ImportReport) -> dict[str, str]:
    """What was skipped, by place."""
    return {one.place: one.reason for one in report.skipped}


MEK = bytes(range(32))
_MEMORY_KIB = 64  # the package never writes so little; it makes a forgery cheap to open


def forged(
    folder: Path,
    atoms: Sequence[bytes | Mapping[str, Any]],
    *,
    meta: Callable[[dict[str, Any]], Any] = lambda meta: meta,
    index: Callable[[list[dict[str, Any]]], Any] = lambda named: named,
) -> Path:
    """A VaultMem vault that a stranger with a passphrase made: its atoms are any bytes, its other parts are changed."""
    folder.mkdir(parents=True)
    salt, nonce = bytes(16), bytes(12)
    kek = hash_secret_raw(PASSPHRASE.encode(), salt, 3, _MEMORY_KIB, 4, 32, Type.ID)
    wrapped = AESGCM(kek).encrypt(nonce, MEK, b"vmem-mek-v1")
    slot = {"slot_id": "primary", "kdf_salt": _b64(salt), "wrapped_mek_iv": _b64(nonce)}
    slot |= {"wrapped_mek_ct": _b64(wrapped[:32]), "wrapped_mek_tag": _b64(wrapped[32:])}
    about = {"schema_version": 1, "memory_cost": _MEMORY_KIB, "credential_slots": [slot], "owner": "mallory"}
    (folder / "meta.json").write_text(json.dumps(meta(about)))
    named, blocks, at = [], [], 0
    for number, atom in enumerate(atoms):
        id_ = str(UUID(int=number + 1))
        plain = atom if isinstance(atom, bytes) else zlib.compress(json.dumps(atom).encode())
        blocks.append(_block(plain, UUID(id_).bytes))
        named.append({"id": id_, "offset": at, "size": len(blocks[-1])})
        at += len(blocks[-1])
    said = zlib.compress(json.dumps({"owner": "mallory", "atom_map": index(named)}).encode())
    size = 12 + 4 + len(said) + 16
    header = struct.pack(">4sHBBBBHIIII16sI", b"VMEM", 1, 1, 1, 1, 0, 0, 48, size, len(atoms), 7, bytes(16), 0)
    (folder / "current.vmem").write_bytes(header + _block(said, header))
    (folder / "current.atoms").write_bytes(b"".join(blocks))
    return folder


def _block(plain: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(12)
    sealed = AESGCM(MEK).encrypt(nonce, plain, associated)
    return nonce + struct.pack(">I", len(plain)) + sealed


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def atom(content: Any = "The tea is in the blue tin", **fields: Any) -> dict[str, Any]:
    """An atom as VaultMem writes it."""
    return {
        "id": "x",
        "type": "SEMANTIC",
        "granularity": "ATOM",
        "content": content,
        "created_at": 1_700_000_000,
    } | fields

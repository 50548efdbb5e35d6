"""Format 1, section 3: the header and its slots."""

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reader import bech32
from reader.cobblestone import decrypt
from reader.refused import Refused, require
from reader.sealing import Place, derive, unpad
from reader.wire import Integer, unbase64

SUITE = "cobblestone-256+argon2id+hkdf-sha512"
LONGEST = 65_536
MAX_SLOTS = 16
MAX_PASSPHRASES = 4
MAX_KIB = 2_097_152
KEYS = {"format", "generation", "key_generation", "keyring", "slots", "suite", "vault"}
KINDS = {"passphrase", "recovery", "keyring", "command", "file"}
PREFIXES = {
    "strongroom-recovery-": {"recovery"},
    "strongroom-key-": {"keyring", "command", "file"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One sealed copy of the MEK."""

    id: bytes
    kind: str
    kdf: Mapping[str, Any]
    sealed: bytes
    public: bytes  # hash of the public fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header says in clear."""

    vault: bytes
    generation: int
    key_generation: int
    keyring: bytes
    slots: tuple[Slot, ...]
    body: bytes
    mac: bytes


def parse_header(body: bytes, mac: bytes) -> Header:
    """The header, as far as it can be checked without a key."""
    _check_newer(body)
    require(len(mac) == 64, "the header's mac has another length")
    require(hmac.compare_digest(hashlib.sha256(body + mac[:32]).digest(), mac[32:]), "checksum")
    require(len(body) <= LONGEST, "the header is too long")
    found = _object(body)
    if "copy" in found:
        raise Refused("a copy that is not finished", error="VaultNotFoundError")
    if isinstance(found.get("suite"), str) and found["suite"] != SUITE:
        raise Refused("another suite", error="FormatTooNewError")
    require(canonical(found) == body, "the header is not canonical")
    require(found.keys() == KEYS and found["suite"] == SUITE, "the header's keys")
    require(type(found["format"]) is int and found["format"] == 1, "the format is not 1")
    return Header(
        vault=_identity(found["vault"]),
        generation=_whole(found["generation"], least=1, most=2**64 - 1),
        key_generation=_whole(found["key_generation"], least=1, most=2**32 - 1),
        keyring=unbase64(found["keyring"]),
        slots=_slots(found["slots"]),
        body=body,
        mac=mac,
    )


def unlock(header: Header, *, passphrase: str | None, secret: str | None) -> bytes:
    """The MEK, from the first slot that the secret opens; then the header's HMAC is checked."""
    for slot, kek in _keks(header, passphrase, secret):
        place = Place(kind=b"slot", vault=header.vault, then=slot.id + slot.public)
        try:
            padded = decrypt(kek, place.context(), slot.sealed)
        except Refused:
            continue
        inside = unpad(padded)
        require(len(inside) == 48 and inside[32:] == header.vault, "a slot of another vault")
        key = derive(inside[:32], b"strongroom-1 header", header.vault)
        proof = hmac.digest(key, header.body, "sha256")
        require(hmac.compare_digest(proof, header.mac[:32]), "the header's HMAC")
        return inside[:32]
    raise Refused("no slot opens", error="WrongPassphraseError")


def canonical(value: object) -> bytes:
    """JSON in ASCII, keys sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _keks(header: Header, passphrase: str | None, secret: str | None) -> Iterator[tuple[Slot, bytes]]:
    if passphrase is not None:
        typed = unicodedata.normalize("NFKC", passphrase).strip().encode("utf-8")
        for slot in header.slots:
            if slot.kind == "passphrase":
                yield slot, _argon2id(typed, slot.kdf)
    if secret is not None:
        prefix, raw = bech32.decode(secret)
        info = b"strongroom-1 kek\0" + header.vault
        for slot in header.slots:
            if slot.kind in PREFIXES.get(prefix, ()):
                salt = unbase64(slot.kdf["salt"])
                yield slot, HKDF(SHA512(), 32, salt, info).derive(raw)


def _argon2id(typed: bytes, kdf: Mapping[str, Any]) -> bytes:
    return Argon2id(
        salt=unbase64(kdf["salt"]),
        length=32,
        iterations=kdf["t"],
        lanes=kdf["p"],
        memory_cost=kdf["m"],
    ).derive(typed)


def _slots(found: object) -> tuple[Slot, ...]:
    require(isinstance(found, list) and len(found) <= MAX_SLOTS, "the slots")
    slots = tuple(_slot(each) for each in found) if isinstance(found, list) else ()
    passphrases = sum(slot.kind == "passphrase" for slot in slots)
    require(passphrases <= MAX_PASSPHRASES, "too many passphrases")
    require(len({slot.id for slot in slots}) == len(slots), "a slot id comes twice")
    return slots


def _slot(found: Any) -> Slot:
    require(isinstance(found, dict) and found.keys() == {"id", "kind", "kdf", "sealed"}, "a slot")
    require(isinstance(found["kind"], str) and found["kind"] in KINDS, "the kind of a slot")
    public = {key: value for key, value in found.items() if key != "sealed"}
    return Slot(
        id=_identity(found["id"]),
        kind=found["kind"],
        kdf=_kdf(found["kdf"], found["kind"]),
        sealed=unbase64(found["sealed"]),
        public=hashlib.sha256(canonical(public)).digest(),
    )


def _kdf(kdf: Any, kind: str) -> Mapping[str, Any]:
    require(isinstance(kdf, dict), "a kdf is an object")
    name, keys = "hkdf-sha512", {"name", "salt"}
    if kind == "passphrase":
        name, keys = "argon2id", {"name", "salt", "m", "t", "p"}
    require(kdf.keys() == keys and kdf["name"] == name, "a kdf")
    require(len(unbase64(kdf["salt"])) == 16, "a salt has 16 bytes")
    if kind == "passphrase":
        lanes = _whole(kdf["p"], least=1, most=16)
        _whole(kdf["t"], least=1, most=16)
        _whole(kdf["m"], least=8 * lanes, most=MAX_KIB)
    return dict(kdf)


def _check_newer(body: bytes) -> None:
    """Look for a newer format in a body that may be anything else, or damaged."""
    try:
        found = json.loads(body.decode("utf-8"), parse_int=Integer)
    except (ValueError, RecursionError):
        return
    number = found.get("format") if isinstance(found, dict) else None
    if isinstance(number, Integer) and number not in ("-0", "0", "1") and number[0] != "-":
        raise Refused("a newer format", error="FormatTooNewError")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body.decode("ascii"))
    except (ValueError, RecursionError):
        raise Refused("the header is not JSON") from None
    require(isinstance(found, dict), "the header is not an object")
    return dict(found)


def _whole(value: Any, *, least: int, most: int) -> int:
    require(type(value) is int and least <= value <= most, "a number out of bounds")
    return int(value)


def _identity(value: object) -> bytes:
    digits = value if isinstance(value, str) else ""
    require(re.fullmatch("[0-9a-f]{32}", digits), "an id is 32 hex digits")
    return bytes.fromhex(digits)

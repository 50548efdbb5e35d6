"""A small writer of format 1 that can also write it wrong, one rule at a time.

It knows docs/format.md and nothing of `vault_core`. All randomness comes from a seed, so the same
calls write the same bytes. Everything is signed after a defect was put in, unless the signature is
the defect: what a reader refuses is then the broken rule and nothing else.
"""

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from reader.cobblestone import encrypt
from vectors.bech32 import bech32
from vectors.maps import MEMORY, TIME, memory
from vectors.parts import Box, Clear, Keyring, Way, b64, canonical, pack, pad

MAGIC = b"strongroom-1"
VAULT = bytes(16)  # the box id of the vault itself

Change = Callable[[bytes], bytes]
Edit = Callable[[dict[str, Any]], object]


@dataclass
class Scribe:
    """Writes one vault, commit by commit."""

    seed: str
    drawn: int = 0
    generation: int = 0  # of the header
    key_generation: int = 1
    ways: list[Way] = field(default_factory=list)
    log_keys: dict[int, bytes] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: {"owner": "ada", "created": TIME})
    counters: dict[bytes, int] = field(default_factory=dict)
    entries: dict[int, bytes] = field(default_factory=dict)
    records: dict[int, bytes] = field(default_factory=dict)
    body: bytes = b""
    mac: bytes = b""

    def __post_init__(self) -> None:
        self.vault = self.fresh(16)
        self.mek = self.fresh(32)
        self.anchor_key = self.fresh(32)
        self.log_keys[1] = self.fresh(32)
        self.writer = self.fresh(16)
        self.add_box("main")

    @classmethod
    def begun(cls, seed: str) -> "Scribe":
        """A vault with a file slot, its first header and its first entry."""
        scribe = cls(seed)
        scribe.add_way("file")
        scribe.new_header()
        return scribe

    @classmethod
    def with_memory(cls, seed: str) -> "Scribe":
        """The same with the memory `tea` at address (2, 0)."""
        scribe = cls.begun(seed)
        scribe.commit((MEMORY, memory("tea")))
        return scribe

    @property
    def unlock(self) -> dict[str, str]:
        """What opens the first slot."""
        return self.unlock_with(self.ways[0])

    @property
    def seq(self) -> int:
        """The head of the log."""
        return max(self.entries, default=0)

    def unlock_with(self, way: Way) -> dict[str, str]:
        """What opens the slot of that way."""
        if way.kind == "passphrase":
            return {"passphrase": way.secret.decode("utf-8")}
        prefix = "strongroom-recovery-" if way.kind == "recovery" else "strongroom-key-"
        return {"secret": bech32(prefix, way.secret)}

    def fresh(self, size: int) -> bytes:
        """Bytes that the seed and the number of draws decide."""
        self.drawn += 1
        return hashlib.shake_256(f"{self.seed} {self.drawn}".encode()).digest(size)

    def add_box(self, name: str) -> None:
        """A box from this generation on. The header that brings it is written apart."""
        keys = {self.key_generation: self.fresh(32)}
        self.boxes[name] = Box(self.fresh(16), name.encode("utf-8"), keys)

    def add_way(self, kind: str, passphrase: str | None = None) -> Way:
        """A way to unlock, for the headers written from now on."""
        kdf: dict[str, Any] = {"name": "hkdf-sha512", "salt": b64(self.fresh(16))}
        secret = self.fresh(32)
        if passphrase is not None:
            kdf |= {"name": "argon2id", "m": 65_536, "t": 1, "p": 1}
            secret = passphrase.encode("utf-8")
        way = Way(self.fresh(16), kind, secret, kdf)
        self.ways.append(way)
        return way

    def rotate_keys(self) -> None:
        """A new MEK and a new generation of keys, for the headers written from now on."""
        self.mek = self.fresh(32)
        self.key_generation += 1
        self.log_keys[self.key_generation] = self.fresh(32)
        for box in self.boxes.values():
            box.keys[self.key_generation] = self.fresh(32)

    def new_header(self, **changes: Any) -> None:
        """The next header and the commit that brings it; see `write_header`."""
        self.write_header(**changes)
        self.commit_header()

    def commit_header(self, *, generation: int | None = None) -> None:
        """The commit that brings the header."""
        digest = hashlib.sha256(self.body).digest()
        self.commit(box=None, ops=[[5, self.generation, digest]], generation=generation)

    def write_header(
        self,
        *,
        edit: Edit | None = None,
        slot: Edit | None = None,
        keyring: Callable[[Keyring], object] | None = None,
        sealed_keyring: bytes | None = None,
        body: Change | None = None,
        mac: Change | None = None,
    ) -> None:
        """The next header, with its fields, its slots, its keyring, its bytes or its mac changed."""
        self.generation += 1
        sealed = sealed_keyring or self.seal_keyring(keyring)
        found: dict[str, Any] = {
            "format": 1,
            "suite": "cobblestone-256+argon2id+hkdf-sha512",
            "vault": self.vault.hex(),
            "generation": self.generation,
            "key_generation": self.key_generation,
            "keyring": b64(sealed),
            "slots": [self.seal_slot(way, slot) for way in self.ways],
        }
        if edit:
            edit(found)
        self.body = canonical(found) if body is None else body(canonical(found))
        proof = hmac.digest(self.derive(self.mek, b"strongroom-1 header"), self.body, "sha256")
        proof = proof if mac is None else mac(proof)
        self.mac = proof + hashlib.sha256(self.body + proof).digest()

    def seal_keyring(
        self,
        edit: Callable[[Keyring], object] | None = None,
        *,
        generation: int | None = None,
        key_generation: int | None = None,
    ) -> bytes:
        """The keyring, sealed for the header of that generation."""
        keyring = Keyring(
            generation=self.key_generation,
            anchor_key=self.anchor_key,
            log_keys=list(self.log_keys.items()),
            boxes=[(box.id, box.name, list(box.keys.items())) for box in self.boxes.values()],
            settings=dict(self.settings),
        )
        if edit:
            edit(keyring)
        context = self.context(
            b"keyr",
            generation=key_generation or self.key_generation,
            seq=generation or self.generation,
        )
        return self.seal(self.derive(self.mek, b"strongroom-1 keyring"), context, keyring.encode())

    def seal_slot(
        self,
        way: Way,
        edit: Edit | None = None,
        *,
        inside: bytes | None = None,
        vault: bytes | None = None,
    ) -> dict[str, Any]:
        """The slot of that way, around the MEK or something else; `edit` changes its public fields."""
        slot: dict[str, Any] = {"id": way.id.hex(), "kind": way.kind, "kdf": dict(way.kdf)}
        if edit:
            edit(slot)
        context = self.context(b"slot", vault=vault) + way.id
        context += hashlib.sha256(canonical(slot)).digest()
        sealed = self.seal(self.kek(way), context, inside or self.mek + self.vault)
        return slot | {"sealed": b64(sealed)}

    def kek(self, way: Way) -> bytes:
        """The key that seals the slot."""
        salt = base64.b64decode(way.kdf["salt"])
        if way.kind != "passphrase":
            info = b"strongroom-1 kek\0" + self.vault
            return HKDF(SHA512(), 32, salt, info).derive(way.secret)
        typed = unicodedata.normalize("NFKC", way.secret.decode("utf-8")).strip()
        return Argon2id(
            salt=salt,
            length=32,
            iterations=way.kdf["t"],
            lanes=way.kdf["p"],
            memory_cost=way.kdf["m"],
        ).derive(typed.encode("utf-8"))

    def commit(
        self,
        *puts: tuple[int, Any],
        ops: Sequence[Any] = (),
        box: str | None = "main",
        generation: int | None = None,
        writer: bytes | None = None,
        edit: Callable[[Clear], object] | None = None,
        only: Any = None,
        stored: Callable[[list[bytes]], list[bytes]] | None = None,
        padded: Change | None = None,
        padded_ops: Change | None = None,
        bound: bytes | None = None,
        hmac_key: bytes | None = None,
        body: Change | None = None,
    ) -> int:
        """One commit; gives its seq. What is not named is as format 1 wants it.

        `puts` are (kind, map or plaintext). `ops` follow the ops of the puts, `only` stands for the
        whole plaintext. `stored` changes the sealed records and `edit` the clear part before they
        are signed; `padded` and `padded_ops` pad the records and the ops, `body` changes the entry
        at last.
        """
        generation = generation or self.key_generation
        writer = writer or self.writer
        seq = self.seq + 1
        box_id = self.boxes[box].id if box else VAULT
        sealed = [
            self.seal_record(plain, box=box, generation=generation, seq=seq, n=n, padded=padded)
            for n, (_, plain) in enumerate(puts)
        ]
        sealed = sealed if stored is None else stored(sealed)
        clear = Clear(
            seq=seq,
            prev=self.head(),
            box=box_id,
            generation=generation,
            writer=writer,
            counter=self.counters.get(writer, 0) + 1,
            hashes=[hashlib.sha256(each).digest() for each in sealed],
            count=len(sealed),
        )
        if edit:
            edit(clear)
        self.counters[writer] = clear.counter
        all_ops = [[1, n, kind] for n, (kind, _) in enumerate(puts)] + list(ops)
        plaintext = only if isinstance(only, bytes) else pack([TIME + seq, all_ops] if only is None else only)
        digest = bound or hashlib.sha256(clear.encode()).digest()
        context = self.context(b"oper", box=clear.box, generation=clear.generation, seq=clear.seq)
        ops_key = self.ops_key(box, generation)
        ops_sealed = self.seal(ops_key, context + digest, plaintext, padded_ops)
        signed = clear.encode() + len(ops_sealed).to_bytes(4) + ops_sealed
        entry = signed + hmac.digest(hmac_key or self.log_keys[generation], signed, "sha256")
        self.entries[seq] = entry if body is None else body(entry)
        self.records |= {seq << 24 | n: each for n, each in enumerate(sealed)}
        return seq

    def erase(self, seq: int, n: int = 0) -> None:
        """What the store does when a commit erases: zeros of the same length."""
        self.records[seq << 24 | n] = bytes(len(self.records[seq << 24 | n]))

    def head(self) -> bytes:
        """The chain hash."""
        if not self.entries:
            return hashlib.sha256(MAGIC + self.vault).digest()
        return hashlib.sha256(self.entries[self.seq]).digest()

    def ops_key(self, box: str | None, generation: int) -> bytes:
        """The key of the ops of a box, or of the vault."""
        if box is None:
            return self.derive(self.log_keys[generation], b"strongroom-1 vault ops")
        return self.boxes[box].keys[generation]

    def seal_record(
        self,
        plain: Mapping[str, Any] | bytes,
        *,
        box: str | None,
        generation: int,
        seq: int,
        n: int,
        padded: Change | None = None,
    ) -> bytes:
        """A record sealed for its address."""
        box_id = self.boxes[box].id if box else VAULT
        context = self.context(b"reco", box=box_id, generation=generation, seq=seq, n=n)
        plaintext = plain if isinstance(plain, bytes) else pack(plain)
        return self.seal(self.ops_key(box, generation), context, plaintext, padded or pad)

    def context(
        self,
        kind: bytes,
        *,
        vault: bytes | None = None,
        box: bytes = VAULT,
        generation: int = 0,
        seq: int = 0,
        n: int = 0,
    ) -> bytes:
        """The 64 bytes that name a place."""
        numbers = generation.to_bytes(4) + seq.to_bytes(8) + n.to_bytes(4)
        return MAGIC + kind + (vault or self.vault) + box + numbers

    def seal(self, key: bytes, context: bytes, plaintext: bytes, padded: Change | None = None) -> bytes:
        """Sealed bytes with a salt from the seed."""
        return encrypt(key, context, (padded or pad)(plaintext), salt=self.fresh(24))

    def derive(self, key: bytes, label: bytes) -> bytes:
        """A key for one use, from a key of the vault."""
        return HKDFExpand(SHA512(), 32, label + b"\0" + self.vault).derive(key)

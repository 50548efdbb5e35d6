"""Headers and slots that must be refused."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from vectors.case import NEWER, NOT_FOUND, TAMPERED, WRONG, Case, bad
from vectors.parts import b64
from vectors.scribe import Edit, Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _bytes()
    yield from _fields()
    yield from _slots()
    yield from _kdfs()
    yield from _foreign()


def _bytes() -> Iterator[Case]:
    """Defects of the stored bytes and of what authenticates them."""
    first = b'{"format":1,'
    spellings: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "duplicate-key": ("A key comes twice.", lambda body: body.replace(b"{", first, 1)),
        "white-space": ("White space after a comma.", lambda body: body.replace(b",", b", ", 1)),
        "line-end": ("A line end after the object.", lambda body: body + b"\n"),
        "unsorted": ("The first key comes last.", lambda body: b"{" + body[len(first) : -1] + b',"format":1}'),
        "escaped": ("A letter is written as an escape.", lambda body: body.replace(b'"kind"', b'"\\u006bind"', 1)),
        "number-form": ("A number has a fraction.", lambda body: body.replace(b'"generation":1', b'"generation":1.0')),
        "not-json": ("The last brace is missing.", lambda body: body[:-1]),
        "not-an-object": ("The header is a list.", lambda body: b"[" + body + b"]"),
        "not-ascii": ("A byte outside ASCII.", lambda body: body[:-1] + b',"\xc3\xa9":1}'),
        "empty": ("The header is empty.", lambda _: b""),
    }
    for name, (what, change) in spellings.items():
        s = Scribe(f"header-{name}")
        s.add_way("file")
        s.new_header(body=change)
        yield bad(s, f"{what} The rest, signatures too, is right.")

    s = Scribe.begun("header-flipped")
    s.body = s.body.replace(b'"generation":1', b'"generation":2')
    yield bad(s, "A digit of the header changed; the checksum shows it.")

    s = Scribe.begun("header-flipped-wrong-secret")
    s.body = s.body.replace(b'"generation":1', b'"generation":2')
    other = Scribe.begun("another").unlock
    yield bad(s, "The header is damaged and the secret wrong: damage comes first.", unlock=other)

    s = Scribe.begun("header-suite-damaged")
    s.body = s.body.replace(b"argon2id+hkdf", b"argon2id+hkdg")
    yield bad(s, "A letter of the suite changed; the checksum shows it before the suite is judged.")

    s = Scribe.begun("header-checksum")
    s.mac = s.mac[:-1] + bytes([s.mac[-1] ^ 1])
    yield bad(s, "A bit of the checksum changed.")

    s = Scribe.begun("header-hmac-flipped")
    s.mac = bytes([s.mac[0] ^ 1]) + s.mac[1:]
    yield bad(s, "A bit of the HMAC changed; the checksum shows it.")

    s = Scribe.begun("header-unfinished-copy")
    s.body = b'{"copy":"unfinished","format":1,"generation":0,"vault":"%s"}' % s.vault.hex().encode()
    s.mac = bytes(32) + sha256(s.body + bytes(32)).digest()
    yield bad(s, "The header of a copy that is not finished.", error=NOT_FOUND)

    s = Scribe.begun("header-unfinished-copy-damaged")
    s.body = b'{"copy":"unfinished","format":1,"generation":0,"vault":"%s"}' % s.vault.hex().encode()
    s.mac = bytes(64)
    yield bad(s, "The same with a checksum that does not match.")

    s = Scribe("header-hmac")
    s.add_way("file")
    s.new_header(mac=lambda _: bytes(32))
    yield bad(s, "The HMAC is wrong and the checksum made to fit.")

    s = Scribe.begun("header-mac-long")
    s.mac += b"\0"
    yield bad(s, "A byte follows the mac.")

    s = Scribe.begun("header-mac-cut")
    s.mac = s.mac[:32]
    yield bad(s, "The mac has no checksum.")

    s = Scribe("header-too-long")
    s.add_way("file")
    s.settings["filler"] = bytes(50_000)
    s.new_header()
    assert len(s.body) > 65_536
    yield bad(s, "The header is longer than 65,536 bytes.")


def _fields() -> Iterator[Case]:
    """Defects of one field, everything signed."""
    edits: dict[str, tuple[str, dict[str, Any], str]] = {
        "format-newer": ("A newer format.", {"format": 2}, NEWER),
        "format-0": ("Format 0.", {"format": 0}, TAMPERED),
        "format-text": ("The format is text.", {"format": "1"}, TAMPERED),
        "format-true": ("The format is true.", {"format": True}, TAMPERED),
        "suite": ("A suite that this format does not know.", {"suite": "cobblestone-512"}, NEWER),
        "suite-number": ("The suite is a number.", {"suite": 1}, TAMPERED),
        "vault-short": ("The vault id has 30 digits.", {"vault": "00" * 15}, TAMPERED),
        "vault-not-hex": ("The vault id is not hex.", {"vault": "g" * 32}, TAMPERED),
        "vault-other": ("Another vault id, so that no slot opens.", {"vault": "11" * 16}, WRONG),
        "generation-0": ("Header generation 0.", {"generation": 0}, TAMPERED),
        "generation-true": ("The generation is true.", {"generation": True}, TAMPERED),
        "generation-other": ("Header generation 2 around a keyring of 1.", {"generation": 2}, TAMPERED),
        "key-generation-0": ("Key generation 0.", {"key_generation": 0}, TAMPERED),
        "key-generation-other": ("Key generation 2 around a keyring of 1.", {"key_generation": 2}, TAMPERED),
        "format-float": ("The format is 2.0, which is no integer.", {"format": 2.0}, TAMPERED),
        "format-negative": ("The format is -2.", {"format": -2}, TAMPERED),
        "format-huge": ("A newer format of more than 64 bits.", {"format": 10**30}, NEWER),
        "suite-other-kdf": ("A suite with another kdf.", {"suite": "cobblestone-256+scrypt+hkdf-sha512"}, NEWER),
        "vault-upper-case": ("The vault id has upper-case digits.", {"vault": _UPPER}, TAMPERED),
        "generation-float": ("The generation is 1.0.", {"generation": 1.0}, TAMPERED),
        "keyring-empty": ("The keyring is empty.", {"keyring": ""}, TAMPERED),
        "keyring-null": ("The keyring is null.", {"keyring": None}, TAMPERED),
        "keyring-not-base64": ("The keyring is not base64.", {"keyring": "*" * 8}, TAMPERED),
        "slots-an-object": ("The slots are an object.", {"slots": {}}, TAMPERED),
        "unknown-key": ("A key that this format does not have.", {"colour": "red"}, TAMPERED),
    }
    for name, (what, change, error) in edits.items():
        s = Scribe(f"header-{name}")
        s.add_way("file")
        s.vault = bytes.fromhex(_UPPER) if name == "vault-upper-case" else s.vault
        s.new_header(edit=lambda header, change=change: header.update(change))
        yield bad(s, what, error=error)

    for key in ("format", "suite", "vault", "generation", "key_generation", "keyring", "slots"):
        s = Scribe(f"header-without-{key.replace('_', '-')}")
        s.add_way("file")
        s.new_header(edit=lambda header, key=key: header.pop(key))
        yield bad(s, f"The header has no {key}.")

    s = Scribe("header-keyring-stray-bits")
    s.add_way("file")
    s.settings["filler"] = bytes(20)  # a sealed length that base64 has to fill
    s.new_header(edit=lambda header: header.update(keyring=_stray(header["keyring"])))
    yield bad(s, "The base64 of the keyring has bits left over.")

    yield from _newer()


def _newer() -> Iterator[Case]:
    """Formats and suites to come, before and after the checksum."""
    s = Scribe("header-newer-and-different")
    s.add_way("file")
    s.new_header(body=lambda _: b'{"format": 7, "what": "nobody knows yet"}')
    yield bad(s, "A newer format whose header looks different.", error=NEWER)

    s = Scribe("header-newer-not-ascii")
    s.add_way("file")
    s.new_header(body=lambda _: '{"formé":1,"format":2}'.encode())
    yield bad(s, "A newer format whose header is not ASCII.", error=NEWER)

    s = Scribe.begun("header-newer-flipped")
    s.body = s.body.replace(b'"format":1', b'"format":2')
    yield bad(
        s, "The format became a newer one and the checksum does not fit: the format is judged first.", error=NEWER
    )

    s = Scribe.begun("header-newer-other-mac")
    s.body = s.body.replace(b'"format":1', b'"format":2')
    s.mac = b""
    yield bad(s, "A newer format without a mac.", error=NEWER)

    s = Scribe.begun("header-newer-cut")
    s.body = s.body.replace(b'"format":1', b'"format":2')[:-1]
    yield bad(s, "A newer format, but its last brace is missing: no JSON object, so damage.")

    s = Scribe("header-newer-in-a-list")
    s.add_way("file")
    s.new_header(body=lambda body: b"[" + body.replace(b'"format":1', b'"format":2') + b"]")
    yield bad(s, "A newer format in a list: no JSON object, so no header.")

    s = Scribe("header-suite-with-its-kdf")
    s.add_way("file")
    suite = "cobblestone-256+scrypt+hkdf-sha512"
    s.new_header(slot=lambda slot: slot["kdf"].update(name="scrypt"), edit=lambda header: header.update(suite=suite))
    yield bad(s, "Another suite, and a kdf that only it knows: the suite is judged first.", error=NEWER)


_UPPER = "AB" * 16


def _slots() -> Iterator[Case]:
    """Defects of one slot, everything signed."""

    def unpadded(header: dict[str, Any]) -> None:
        header["slots"][0]["sealed"] = header["slots"][0]["sealed"].rstrip("=")

    def stray(header: dict[str, Any]) -> None:
        header["slots"][0]["sealed"] = _stray(header["slots"][0]["sealed"])

    public: dict[str, tuple[str, Edit]] = {
        "id-upper-case": ("A slot id with upper-case digits.", lambda slot: slot.update(id=slot["id"].upper())),
        "id-missing": ("A slot without id.", lambda slot: slot.pop("id")),
        "kind-unknown": ("A slot of an unknown kind.", lambda slot: slot.update(kind="stone")),
        "kdf-missing": ("A slot without kdf.", lambda slot: slot.pop("kdf")),
        "kdf-null": ("A kdf that is null.", lambda slot: slot.update(kdf=None)),
        "unknown-key": ("A slot with a key that this format does not have.", lambda slot: slot.update(note="mine")),
    }
    for name, (what, edit) in public.items():
        s = Scribe(f"slot-{name}")
        s.add_way("file")
        s.new_header(slot=edit)
        yield bad(s, what)

    edits: dict[str, tuple[str, Edit]] = {
        "sealed-missing": ("A slot without bytes.", lambda header: header["slots"][0].pop("sealed")),
        "sealed-unpadded": ("Base64 without its padding.", unpadded),
        "sealed-stray-bits": ("Base64 with bits left over.", stray),
        "sealed-line-end": (
            "Base64 with a line end.",
            lambda header: header["slots"][0].update(sealed=_folded(header)),
        ),
        "not-an-object": ("A slot that is a text.", lambda header: header["slots"].append("slot")),
        "twice": ("A slot comes twice.", lambda header: header["slots"].append(header["slots"][0])),
    }
    for name, (what, edit) in edits.items():
        s = Scribe(f"slot-{name}")
        s.add_way("file")
        s.new_header(edit=edit)
        yield bad(s, what)

    others: dict[str, tuple[str, Edit]] = {
        "unknown-key": ("has a key that this format does not have", lambda slot: slot.update(note="mine")),
        "id-upper-case": ("has an id with upper-case digits", lambda slot: slot.update(id=slot["id"].upper())),
        "kind-unknown": ("is of an unknown kind", lambda slot: slot.update(kind="stone")),
        "kdf": ("has HKDF with another hash", lambda slot: slot["kdf"].update(name="hkdf-sha256")),
        "kdf-unknown-key": ("has a kdf with an unknown key", lambda slot: slot["kdf"].update(info="")),
        "salt": ("has a salt of 15 bytes", lambda slot: slot["kdf"].update(salt=b64(bytes(15)))),
        "not-base64": ("has bytes that are not base64", lambda slot: slot.update(sealed="*" * 8)),
        "passphrase-m-huge": (
            "is one of a passphrase with 4 TiB",
            lambda slot: slot.update(
                kind="passphrase",
                kdf={"name": "argon2id", "m": 2**32 - 1, "t": 1, "p": 1, "salt": b64(bytes(16))},
            ),
        ),
    }
    for name, (what, edit) in others.items():
        s = Scribe(f"slot-other-{name}")
        s.add_way("file")
        s.add_way("file")
        s.new_header(edit=lambda header, edit=edit: edit(header["slots"][1]))
        yield bad(s, f"A slot opens; the other one {what}.")

    s = Scribe("slot-id-twice")
    s.add_way("file")
    s.add_way("file").id = s.ways[0].id
    s.new_header()
    yield bad(s, "Two slots have one id.")

    s = Scribe("slot-id-short")
    way = s.add_way("file")
    way.id = way.id[:15]
    s.new_header()
    yield bad(s, "A slot id of 30 digits.")

    s = Scribe("slot-seventeen")
    for _ in range(17):
        s.add_way("file")
    s.new_header()
    yield bad(s, "The header has seventeen slots.")

    s = Scribe("slot-five-passphrases")
    s.add_way("file")
    for n in range(5):
        s.add_way("passphrase", f"correct horse battery staple {n}")
    s.new_header()
    yield bad(s, "The header has five passphrases.")


def _kdfs() -> Iterator[Case]:
    """Defects of a kdf. Bounds are refused before anything is allocated."""
    impossible: dict[str, tuple[str, dict[str, Any]]] = {
        "m-above": ("Argon2id with 2,097,153 KiB.", {"m": 2_097_153}),
        "m-huge": ("Argon2id with 4 TiB.", {"m": 2**32 - 1}),
        "m-below": ("Argon2id with less than eight KiB a lane.", {"m": 31, "p": 4}),
        "m-negative": ("Argon2id with -1 KiB.", {"m": -1}),
        "m-text": ("Argon2id with a text for m.", {"m": "65536"}),
        "t-0": ("Argon2id with no pass.", {"t": 0}),
        "p-0": ("Argon2id with no lane.", {"p": 0}),
    }
    for name, (what, change) in impossible.items():
        s = Scribe(f"kdf-{name}")
        s.add_way("passphrase", "correct horse battery staple")
        s.new_header(slot=lambda slot, change=change: slot["kdf"].update(change))
        yield bad(s, what)

    # A reader that does not look opens these.
    short = b64(bytes(15))
    opening: dict[str, tuple[str, dict[str, Any]]] = {
        "t-17": ("Argon2id with 17 passes.", {"t": 17, "m": 64}),
        "p-17": ("Argon2id with 17 lanes.", {"p": 17, "m": 256}),
        "argon2i": ("Another member of the Argon2 family.", {"name": "argon2i"}),
        "passphrase-hkdf": ("A passphrase without a slow hash.", {"name": "hkdf-sha512"}),
        "passphrase-salt": ("A salt of 15 bytes for a passphrase.", {"salt": short}),
        "passphrase-unknown-key": ("A kdf with a key that this format does not have.", {"v": 19}),
        "hkdf-sha256": ("HKDF with another hash.", {"name": "hkdf-sha256"}),
        "file-argon2id": ("A file slot with the kdf of a passphrase.", {"name": "argon2id", "m": 64, "t": 1, "p": 1}),
        "salt": ("A salt of 15 bytes.", {"salt": short}),
        "unknown-key": ("A kdf with a key that HKDF does not have here.", {"info": ""}),
        "salt-stray-bits": ("A salt whose base64 has bits left over.", {"salt": _stray(b64(bytes(16)))}),
        "passphrase-t-true": ("Argon2id with true for t.", {"t": True}),
    }
    for name, (what, change) in opening.items():
        s = Scribe(f"kdf-{name}")
        of_passphrase = name in {"t-17", "p-17", "argon2i"} or name.startswith("passphrase")
        way = s.add_way("passphrase", "correct horse battery staple") if of_passphrase else s.add_way("file")
        way.kdf |= change
        s.new_header()
        yield bad(s, what)

    s = Scribe("kdf-salt-number")
    s.add_way("file")
    s.new_header(slot=lambda slot: slot["kdf"].update(salt=5))
    yield bad(s, "A salt that is a number.")


def _stray(text: str) -> str:
    """Another spelling of the same base64."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    assert bare != text
    return bare[:-1] + letters[letters.index(bare[-1]) + 1] + text[len(bare) :]


def _folded(header: dict[str, Any]) -> str:
    sealed: str = header["slots"][0]["sealed"]
    return sealed[:64] + "\n" + sealed[64:]


def _foreign() -> Iterator[Case]:
    """Slots and keyrings that belong elsewhere."""

    def with_slot(s: Scribe, **changes: Any) -> None:
        way = s.add_way("file")
        s.new_header(edit=lambda header: header.update(slots=[s.seal_slot(way, **changes)]))

    s = Scribe("slot-with-another-mek")
    with_slot(s, inside=s.fresh(32) + s.vault)
    yield bad(s, "A stranger's slot: it opens, but its MEK did not sign the header.")

    s = Scribe("slot-with-another-vault-id")
    with_slot(s, inside=s.mek + bytes(16))
    yield bad(s, "The vault id inside a slot is another one.")

    s = Scribe("slot-with-a-short-mek")
    with_slot(s, inside=s.mek[:31] + s.vault)
    yield bad(s, "What a slot holds is a byte too short.")

    s = Scribe("slot-of-another-vault")
    with_slot(s, vault=bytes(16))
    yield bad(s, "A slot sealed for another vault does not open.", error=WRONG)

    s = Scribe("slot-renamed")
    s.add_way("file")
    s.new_header(edit=lambda header: header["slots"][0].update(id="00" * 16))
    yield bad(s, "A slot under another id does not open.", error=WRONG)

    s = Scribe("slot-of-another-kind")
    s.add_way("file")
    s.new_header(edit=lambda header: header["slots"][0].update(kind="command"))
    yield bad(s, "A slot whose kind was changed does not open.", error=WRONG)

    s = Scribe("slot-moved")
    s.add_way("file")
    s.add_way("file")

    def swap(header: dict[str, Any]) -> None:
        one, two = header["slots"]
        one["sealed"], two["sealed"] = two["sealed"], one["sealed"]

    s.new_header(edit=swap)
    yield bad(s, "Two slots with their bytes swapped do not open.", error=WRONG)

    s = Scribe("slot-flipped")
    s.add_way("file")
    s.new_header(edit=lambda header: header["slots"][0].update(sealed=b64(bytes(124))))
    yield bad(s, "A slot of zeros does not open.", error=WRONG)

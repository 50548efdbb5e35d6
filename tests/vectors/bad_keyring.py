"""Keyrings that must be refused."""

import struct
from collections.abc import Callable, Iterator
from typing import Any

from vectors.case import Case, bad
from vectors.maps import FIRST_TIME, LAST_TIME, MEMORY, memory
from vectors.parts import Keyring, pack
from vectors.scribe import VAULT, Scribe


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _foreign()
    yield from _keyrings()
    yield from _cut()


def _foreign() -> Iterator[Case]:
    """Keyrings that belong elsewhere."""
    other = Scribe.begun("another")
    s = Scribe("keyring-of-another-vault")
    s.add_way("file")
    s.new_header(sealed_keyring=other.seal_keyring())
    yield bad(s, "The keyring is another vault's.")

    s = Scribe.begun("keyring-of-another-header")
    s.commit((MEMORY, memory("tea")))
    s.new_header(sealed_keyring=s.seal_keyring(generation=1))
    yield bad(s, "The keyring was sealed for the header before.")

    s = Scribe("keyring-of-another-generation")
    s.add_way("file")
    s.new_header(sealed_keyring=s.seal_keyring(generation=1, key_generation=2))
    yield bad(s, "The keyring was sealed for another key generation.")


def _keyrings() -> Iterator[Case]:
    """Defects of the plaintext of the keyring, sealed and signed. The vault has seen a rotation."""

    def settings(value: Any) -> Callable[[Keyring], None]:
        return lambda keyring: setattr(keyring, "settings", value)

    def main(keyring: Keyring, *keys: int, id: bytes | None = None, name: bytes = b"main") -> None:
        """Box main, with its keys picked from [generation 1, generation 2]."""
        old_id, _, old = keyring.boxes[0]
        keyring.boxes[0] = (id or old_id, name, [old[n - 1] for n in keys])

    def again(keyring: Keyring, **changes: bytes) -> None:
        own, name, keys = keyring.boxes[0]
        keyring.boxes.append((changes.get("id", own), changes.get("name", name), keys))

    edits: dict[str, tuple[str, Callable[[Keyring], object]]] = {
        "version": ("Version 2.", lambda k: setattr(k, "version", 2)),
        "generation": ("Another key generation than the header's.", lambda k: setattr(k, "generation", 1)),
        "no-log-keys": ("No log key.", lambda k: k.log_keys.clear()),
        "log-key-missing": ("No log key for generation 1.", lambda k: k.log_keys.pop(0)),
        "newest-log-key-missing": ("No log key for generation 2.", lambda k: k.log_keys.pop()),
        "log-keys-descending": ("The log keys in descending order.", lambda k: k.log_keys.reverse()),
        "log-key-twice": ("A log key comes twice.", lambda k: k.log_keys.append(k.log_keys[-1])),
        "log-key-of-the-future": ("A log key for generation 3.", lambda k: k.log_keys.append((3, bytes(32)))),
        "log-key-0": ("A log key for generation 0.", lambda k: k.log_keys.insert(0, (0, bytes(32)))),
        "no-boxes": ("No box.", lambda k: k.boxes.clear()),
        "no-main": ("No box main.", lambda k: main(k, 1, 2, name=b"Main")),
        "box-without-keys": ("A box without keys.", main),
        "box-key-missing": ("No box key for generation 2.", lambda k: main(k, 1)),
        "box-keys-descending": ("The keys of a box in descending order.", lambda k: main(k, 2, 1)),
        "box-key-twice": ("A key of a box comes twice.", lambda k: main(k, 1, 2, 2)),
        "box-id-zero": ("A box with the id that stands for the vault.", lambda k: main(k, 1, 2, id=VAULT)),
        "box-id-twice": ("Two boxes with one id.", lambda k: again(k, name=b"work")),
        "box-name-twice": ("Two boxes with one name.", lambda k: again(k, id=bytes(15) + b"\1")),
        "box-name-empty": ("A box without a name.", lambda k: again(k, id=bytes(15) + b"\1", name=b"")),
        "box-name-not-utf-8": ("A box name that is not UTF-8.", lambda k: again(k, id=bytes(15) + b"\1", name=b"\xff")),
        "settings-a-list": ("Settings that are a list.", settings([])),
        "settings-not-msgpack": ("Settings that are not msgpack.", settings(b"\xc1")),
        "settings-left-over": (
            "A byte after the settings' map.",
            lambda k: setattr(k, "settings", pack(k.settings) + b"\0"),
        ),
        "no-owner": ("Settings without owner.", lambda k: k.settings.pop("owner")),
        "owner-a-number": ("An owner that is a number.", lambda k: k.settings.update(owner=5)),
        "no-created": ("Settings without the time of creation.", lambda k: k.settings.pop("created")),
        "created-a-text": ("A time of creation that is text.", lambda k: k.settings.update(created="now")),
        "created-a-float": ("A time of creation that is a float.", lambda k: k.settings.update(created=1.0)),
        "created-true": ("A time of creation that is true.", lambda k: k.settings.update(created=True)),
        "created-in-year-0": ("A time of creation before year 1.", lambda k: k.settings.update(created=FIRST_TIME - 1)),
        "created-in-year-10000": (
            "A time of creation after year 9999.",
            lambda k: k.settings.update(created=LAST_TIME + 1),
        ),
        "owner-bytes": ("An owner that is bytes.", lambda k: k.settings.update(owner=b"ada")),
        "settings-key-a-number": ("A setting whose key is a number.", settings({"owner": "ada", "created": 0, 1: 2})),
        "settings-key-twice": (
            "A setting comes twice.",
            lambda k: setattr(k, "settings", b"\x83" + pack(k.settings)[1:] + pack("owner") + pack("ada")),
        ),
        "left-over": ("A byte after the keyring.", lambda k: setattr(k, "trailing", b"\0")),
    }
    for name, (what, edit) in edits.items():
        s = Scribe.begun(f"keyring-{name}")
        s.rotate_keys()
        s.new_header(keyring=edit)
        yield bad(s, f"In the keyring: {what[0].lower()}{what[1:]}")


def _cut() -> Iterator[Case]:
    s = Scribe.begun("keyring-cut")
    s.rotate_keys()
    s.generation += 1
    context = s.context(b"keyr", generation=2, seq=2)
    key = s.derive(s.mek, b"strongroom-1 keyring")
    plaintext = struct.pack(">BI", 1, 2) + s.anchor_key + b"\0\2" + s.log_keys[1]
    sealed = s.seal(key, context, plaintext)
    s.generation -= 1
    s.new_header(sealed_keyring=sealed)
    yield bad(s, "In the keyring: it ends within the log keys.")

"""Bundles: sealed whole, opened whole or not at all."""

import json
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from support import moving, vaults
from support.moving import EVERYTHING
from vault_core import (
    FormatTooNewError,
    InvalidInputError,
    KdfParameters,
    Vault,
    VaultError,
    VaultTamperedError,
    WrongPassphraseError,
)
from vault_core.crypto import derive
from vault_core.transfer import bundle

PASSPHRASE = vaults.PASSPHRASE
HEAD = len(bundle.MAGIC) + 4


def sealed(folder: Path, texts: int = 2, size: int = 100) -> bytes:
    """A bundle of so many memories."""
    with moving.empty(folder) as vault:
        for number in range(texts):
            vault.add(f"{number} " + "x" * size, id=f"m{number}")
        return moving.export(vault, folder / "sealed", passphrase=PASSPHRASE, kdf=vaults.CHEAP)


def bring(vault: Vault, folder: Path, raw: bytes, passphrase: str | None = PASSPHRASE) -> Any:
    """Import these bytes."""
    (folder / "given").write_bytes(raw)
    return vault.import_memories(folder / "given", source="bundle", passphrase=passphrase)


def segments(raw: bytes) -> tuple[bytes, list[bytes]]:
    """A bundle's head, and its segments."""
    start = HEAD + int.from_bytes(raw[len(bundle.MAGIC) : HEAD], "big") + 32
    return raw[:start], [raw[at : at + bundle._SEALED] for at in range(start, len(raw), bundle._SEALED)]


def with_head(raw: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The bundle with another head, its checksum set anew as a forger would."""
    head, rest = segments(raw)
    shown = json.loads(head[HEAD:-32])
    change(shown)
    body = json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()
    start = bundle.MAGIC + len(body).to_bytes(4, "big") + body
    return start + sha256(start).digest() + b"".join(rest)


def test_a_bundle_holds_what_an_export_holds(tmp_path: Path) -> None:
    """With the real Argon2id."""
    with vaults.create(tmp_path) as vault, moving.empty(tmp_path) as other:
        moving.fill(vault)
        plain = moving.export(vault, tmp_path / "plain.jsonl")
        raw = moving.export(vault, tmp_path / "it.bundle", passphrase=PASSPHRASE, kdf=vaults.CHEAP)
        report = other.import_memories(tmp_path / "it.bundle", passphrase=lambda: PASSPHRASE)

        assert (report.source, report.skipped) == ("bundle", ())
        assert moving.export(other, tmp_path / "again.jsonl") == plain
        assert not any(word in raw for word in (b"tea", b"alice", b"chat", b"Bob", b"export"))
        assert stat.S_IMODE((tmp_path / "it.bundle").stat().st_mode) == 0o600


@pytest.mark.usefixtures("quick")
def test_two_bundles_of_the_same_content_share_nothing(tmp_path: Path) -> None:
    first, second = sealed(tmp_path), sealed(tmp_path)
    assert first[-64:] != second[-64:]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("wrong", ["another horse, another battery", "", "\ud800", None], ids=str)
def test_a_wrong_passphrase_opens_nothing(tmp_path: Path, wrong: str | None) -> None:
    raw = sealed(tmp_path)
    with moving.empty(tmp_path) as vault:
        with pytest.raises(WrongPassphraseError):
            bring(vault, tmp_path, raw, wrong)
        assert vault.count(**EVERYTHING) == 0


@pytest.mark.usefixtures("quick")
def test_no_flipped_byte_goes_unnoticed(tmp_path: Path) -> None:
    """Every byte of a small bundle; nothing is ever brought."""
    raw = sealed(tmp_path, texts=1, size=10)
    with moving.empty(tmp_path) as vault:
        for place in range(len(raw)):
            changed = bytearray(raw)
            changed[place] ^= 1 << place % 8
            with pytest.raises((VaultTamperedError, FormatTooNewError)):
                bring(vault, tmp_path, bytes(changed))
        assert vault.count(**EVERYTHING) == 0
        assert bring(vault, tmp_path, raw).added == 1  # the control


@pytest.mark.usefixtures("quick")
def test_no_length_that_was_cut_goes_unnoticed(tmp_path: Path) -> None:
    raw = sealed(tmp_path, texts=1, size=10)
    with moving.empty(tmp_path) as vault:
        for length in (*range(0, len(raw), 3), len(raw) - 1):
            with pytest.raises(VaultTamperedError):
                bring(vault, tmp_path, raw[:length])
        assert vault.count(**EVERYTHING) == 0


ATTACKS: dict[str, Callable[[list[bytes], list[bytes]], list[bytes]]] = {
    "the last cut off": lambda mine, _: mine[:-1],
    "all cut off": lambda _, __: [],
    "the first taken away": lambda mine, _: mine[1:],
    "one taken away": lambda mine, _: [mine[0], *mine[2:]],
    "two exchanged": lambda mine, _: [mine[1], mine[0], *mine[2:]],
    "one twice": lambda mine, _: [mine[0], *mine],
    "the last twice": lambda mine, _: [*mine, mine[-1]],
    "the last first": lambda mine, _: [mine[-1], *mine[:-1]],
    "one from another bundle": lambda mine, other: [mine[0], other[1], *mine[2:]],
    "the last from another bundle": lambda mine, other: [*mine[:-1], other[-1]],
    "all from another bundle": lambda _, other: other,
    "another put behind": lambda mine, other: mine + other,
    "a byte put behind": lambda mine, _: [*mine, b"\0"],
    "zeros put behind": lambda mine, _: [*mine, bytes(bundle._SEALED)],
}


@pytest.mark.usefixtures("quick")
def test_no_segment_can_be_moved_taken_or_put(tmp_path: Path) -> None:
    raw, foreign = sealed(tmp_path, 4, 800_000), sealed(tmp_path, 4, 800_000)
    (head, mine), (_, other) = segments(raw), segments(foreign)
    assert len(mine) == len(other) == 4
    with moving.empty(tmp_path) as vault:
        for name, attack in ATTACKS.items():
            changed = head + b"".join(attack(list(mine), list(other)))
            with pytest.raises(VaultTamperedError):
                bring(vault, tmp_path, changed)
            assert vault.count(**EVERYTHING) == 0, name  # the first segments were good: none of them was used
        assert bring(vault, tmp_path, head + b"".join(mine)).added == 4  # the control


@pytest.mark.usefixtures("quick")
def test_a_reader_that_ignores_which_segment_is_last_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seeded bug that the attacks above have to find: bundles whose end is not bound."""
    bound = bundle._Segments.context
    monkeypatch.setattr(bundle._Segments, "context", lambda self, number, **_: bound(self, number, last=False))
    head, mine = segments(sealed(tmp_path, 4, 800_000))
    with moving.empty(tmp_path) as vault:
        report = bring(vault, tmp_path, head + b"".join(mine[:-1]))  # not refused any more
        assert report.added == 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("size", [bundle.SEGMENT - 1, bundle.SEGMENT, bundle.SEGMENT + 1, 2 * bundle.SEGMENT])
def test_any_length_of_plaintext_fits(size: int) -> None:
    out: list[bytes] = []
    from vault_core import Passphrase

    writer = bundle.BundleWriter(out.append, Passphrase(PASSPHRASE), vaults.CHEAP)
    for start in range(0, size, 300_000):
        writer.write(bytes(min(300_000, size - start)))
    writer.close()
    assert len(out) == 1 + -(-size // bundle.SEGMENT)
    assert {len(segment) for segment in out[1:-1]} <= {bundle._SEALED}


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], Any], type[VaultError]]] = {
    "newer": (lambda head: head.update(format=2), FormatTooNewError),
    "format 0": (lambda head: head.update(format=0), VaultTamperedError),
    "a truth as format": (lambda head: head.update(format=True), VaultTamperedError),
    "another bundle": (lambda head: head.update(bundle="00" * 16), WrongPassphraseError),
    "a short id": (lambda head: head.update(bundle="00"), VaultTamperedError),
    "a key more": (lambda head: head.update(more=1), VaultTamperedError),
    "no slot": (lambda head: head.pop("slot"), VaultTamperedError),
    "another kind": (lambda head: head["slot"].update(kind="file"), VaultTamperedError),
    "memory without end": (lambda head: head["slot"]["kdf"].update(m=1 << 40), VaultTamperedError),
    "passes without end": (lambda head: head["slot"]["kdf"].update(t=1 << 20), VaultTamperedError),
    "no memory": (lambda head: head["slot"]["kdf"].update(m=1), VaultTamperedError),
    "another cost": (lambda head: head["slot"]["kdf"].update(m=65537), WrongPassphraseError),
    "nothing sealed": (lambda head: head["slot"].update(sealed="AAAA"), VaultTamperedError),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_head_is_refused(tmp_path: Path, name: str) -> None:
    change, refusal = FORGERIES[name]
    raw = sealed(tmp_path)
    with moving.empty(tmp_path) as vault:
        with pytest.raises(refusal):
            bring(vault, tmp_path, with_head(raw, change))
        assert bring(vault, tmp_path, with_head(raw, lambda _: None)).added == 2  # the control


def test_a_costly_derivation_is_refused_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = with_head(sealed(tmp_path), lambda head: head["slot"]["kdf"].update(m=derive.CEILING_KIB + 1))

    def never(*_: Any) -> None:
        raise AssertionError("memory was asked for")

    monkeypatch.setattr(derive.argon2, "core", never)
    with moving.empty(tmp_path) as vault, pytest.raises(VaultTamperedError):
        bring(vault, tmp_path, raw)


@pytest.mark.parametrize(
    "options",
    [
        {"passphrase": "short"},
        {"passphrase": "123456789012345"},
        {"passphrase": ""},
        {"passphrase": 7},
        {"passphrase": PASSPHRASE, "kdf": KdfParameters(memory_kib=1024)},
        {"passphrase": PASSPHRASE, "kdf": "cheap"},
        {"kdf": vaults.CHEAP},
    ],
    ids=str,
)
def test_a_weak_bundle_is_never_written(tmp_path: Path, options: dict[str, Any]) -> None:
    with moving.empty(tmp_path) as vault, pytest.raises(InvalidInputError):
        vault.export_memories(tmp_path / "weak", **options)
    assert not list(tmp_path.glob("*weak*"))


@pytest.mark.usefixtures("quick")
def test_a_bundle_that_changes_while_it_is_read_stops_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first pass someone changes the file: what was committed before stays, and the error says so."""
    raw = sealed(tmp_path, 4, 800_000)
    head, mine = segments(raw)
    path = tmp_path / "given"
    path.write_bytes(raw)
    read_lines = bundle.read_lines

    def changing(file: Any) -> Any:
        for number, finding in enumerate(read_lines(file)):
            if number == 0:
                with path.open("r+b") as open_file:
                    open_file.seek(len(head) + 3 * len(mine[0]) + 100)
                    open_file.write(b"????")
            yield finding

    monkeypatch.setattr(bundle, "read_lines", changing)
    monkeypatch.setattr("vault_core.session.arriving._MEMORIES", 1)
    with moving.empty(tmp_path) as vault:
        with pytest.raises(VaultTamperedError) as refused:
            vault.import_memories(path, passphrase=PASSPHRASE)
        assert "memories were brought before, and stay" in refused.value.__notes__[-1]
        assert 1 <= vault.count() < 4
        vault.verify(full=True)

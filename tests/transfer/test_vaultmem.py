"""VaultMem vaults: all that the published packages wrote is brought, and what strangers forged does no harm."""

import json
import shutil
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import vaults
from support.foreigners import FILES, PASSPHRASE, VAULTMEMS, atom, everything, forged, imported, reasons
from vault_core import InvalidInputError, Memory, VaultError, VaultTamperedError, WrongPassphraseError


def truth(version: str) -> dict[str, dict[str, Any]]:
    """What the package itself read in its vault, by our ids."""
    atoms = json.loads((FILES / f"vaultmem-{version}" / "truth.json").read_text())
    return {f"vaultmem-{one['id']}": one for one in atoms}


def brought(tmp_path: Path, version: str, what: str = "vault") -> dict[str, Memory]:
    path = FILES / f"vaultmem-{version}" / what
    memories, report = imported(tmp_path, path, passphrase=PASSPHRASE)
    assert not report.skipped
    return {memory.id: memory for memory in memories}


def as_told(memory: Memory) -> dict[str, Any]:
    """A memory in VaultMem's words."""
    return {
        "content": memory.content,
        "type": memory.memory_type,
        "granularity": memory.tier,
        "created_at": int(memory.created_at.timestamp()),
        "captured_at": memory.event_time and int(memory.event_time.timestamp()),
        "confidence": memory.confidence,
        "data_class": memory.data_class,
        "session_id": memory.thread or "",
        "is_churned": memory.state.archived,
        "supersedes": [one.removeprefix("vaultmem-") for one in memory.supersedes],
        "owner": memory.metadata["vaultmem"]["owner"],
    }


@pytest.mark.parametrize("version", VAULTMEMS)
def test_every_atom_comes_with_its_text_type_tier_times_and_links(tmp_path: Path, version: str) -> None:
    """Nothing that the package read in its own vault is missing or other here."""
    atoms, memories = truth(version), brought(tmp_path, version)

    assert memories.keys() == atoms.keys()
    for id_, one in atoms.items():
        told = as_told(memories[id_])
        assert told == {key: one.get(key) for key in told}


@pytest.mark.parametrize("version", VAULTMEMS)
def test_every_vector_comes_number_for_number(tmp_path: Path, version: str) -> None:
    """The vectors are those that the package gave, as float32, and an atom without one has none."""
    memories = brought(tmp_path, version)

    for id_, one in truth(version).items():
        if one["embedding"] is None:
            assert memories[id_].vectors == {}
            continue
        given = np.asarray(one["embedding"], np.float32)
        own = memories[id_].vectors["vaultmem-96"][""]
        assert np.array_equal(own, given)


def test_vectors_are_searched_in_a_space_that_names_no_embedder(tmp_path: Path) -> None:
    """A vector of the package's embedder finds its atom; the default space stays the vault's own."""
    one = next(iter(truth("0.3.3").values()))
    with vaults.create(tmp_path) as vault:
        vault.import_memories(FILES / "vaultmem-0.3.3" / "vault", passphrase=PASSPHRASE)
        hits = vault.find_similar(one["embedding"], top_k=1, space="vaultmem-96")
        space = vault.stats().spaces["vaultmem-96"]

    assert [hit.memory.text for hit in hits] == [one["content"]]
    assert (space.dimension, space.fingerprint) == (96, "")


@pytest.mark.parametrize("version", VAULTMEMS)
def test_composites_and_affinities_name_their_atoms_and_figures(tmp_path: Path, version: str) -> None:
    """They are in our own terms, so that searching and forgetting treat them as ours."""
    atoms, memories = truth(version), brought(tmp_path, version)
    composite = next(one for one in memories.values() if one.tier == "COMPOSITE")
    affinity = next(one for one in memories.values() if one.tier == "AFFINITY")

    assert composite.metadata["atoms"] == [f"vaultmem-{one}" for one in atoms[composite.id]["composite_of"]]
    assert [affinity.metadata[key] for key in ("count", "first", "last")] == [7, "2023-07-22", "2024-02-27"]
    assert affinity.metadata["vaultmem"]["significance"] == 0.83


def test_a_corrected_atom_is_hidden_and_a_churned_one_archived(tmp_path: Path) -> None:
    """What the package would not show is not shown, and not lost."""
    with vaults.create(tmp_path) as vault:
        vault.import_memories(FILES / "vaultmem-0.3.3" / "vault", passphrase=PASSPHRASE)
        shown = vaults.texts(vault)
        correction = next(one for one in everything(vault) if one.supersedes)

    assert "The capital of Portugal is Lisboa" in shown
    assert "The capital of Portugal is Lisbon" not in shown
    assert "A thing that was aged out" not in shown
    assert correction.expires_at is not None
    assert (correction.expires_at - correction.created_at).days == 36_500


def test_a_media_file_comes_as_an_item(tmp_path: Path) -> None:
    """The bytes that were given to the package are there again, under the id that the atom names."""
    with vaults.create(tmp_path) as vault:
        report = vault.import_memories(FILES / "vaultmem-0.3.3" / "vault", passphrase=PASSPHRASE)
        memory = next(one for one in everything(vault) if one.event_time)
        name = memory.metadata["vaultmem"]["media_blob_id"]
        item = vault.items("vaultmem-media").get_many([name])[0]

    assert report.items == 1
    assert item is not None
    assert item.value == b"Minutes of the meeting: the roof is to be mended in May."
    assert item.attributes["memory"] == memory.id
    assert memory.event_time == datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize("version", VAULTMEMS)
def test_atoms_that_are_blobs_come_in_the_order_they_were_made(tmp_path: Path, version: str) -> None:
    """The package's other back end: a file for each atom, and none in the index."""
    memories = list(brought(tmp_path, version, "blobs").values())

    assert {one.text for one in memories} == {
        "I met Bob at the AI conference in Lisbon yesterday and we talked about sealed indexes for an hour",
        "The capital of Portugal is Lisbon",
    }
    assert sorted(one.position for one in memories if one.position is not None) == [0, 1]


def test_an_export_in_one_file_holds_the_same_as_its_vault(tmp_path: Path) -> None:
    """All but the media file, which the package does not put into it, and which is reported."""
    path = FILES / "vaultmem-0.3.3" / "export.vmem"
    memories, report = imported(tmp_path, path, passphrase=PASSPHRASE)

    assert {one.id: one.text for one in memories} == {id_: one["content"] for id_, one in truth("0.3.3").items()}
    assert [one.reason for one in report.skipped] == ["an export has no media files"]


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    """Ids and times are the source's."""
    with vaults.create(tmp_path) as vault:
        first = vault.import_memories(FILES / "vaultmem-0.3.3" / "vault", passphrase=PASSPHRASE)
        commits = vault.stats().commits
        second = vault.import_memories(FILES / "vaultmem-0.3.3" / "vault", passphrase=PASSPHRASE)

        assert (first.added, second.added, second.updated, second.unchanged) == (12, 0, 0, 12)
        assert vault.stats().commits == commits


@pytest.mark.parametrize("passphrase", ["wrong horse", "", None, "correct horse battery staple "])
def test_a_wrong_or_missing_passphrase_is_said_so(tmp_path: Path, passphrase: str | None) -> None:
    """And nothing is written."""
    with vaults.create(tmp_path) as vault:
        with pytest.raises(WrongPassphraseError):
            vault.import_memories(FILES / "vaultmem-0.3.3" / "vault", passphrase=passphrase)
        assert vault.count() == 0


def test_the_vault_that_is_read_is_neither_written_nor_locked(tmp_path: Path) -> None:
    """Not a byte, a time or a file of the folder changes."""
    copy = tmp_path / "foreign"
    shutil.copytree(FILES / "vaultmem-0.3.3" / "vault", copy)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in copy.rglob("*")}

    imported(tmp_path, copy, passphrase=PASSPHRASE)

    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in copy.rglob("*")} == before


def test_a_damaged_atom_is_reported_and_the_others_are_brought(tmp_path: Path) -> None:
    """Whichever byte of it is flipped: nonce, length, ciphertext or tag."""
    place = {"nonce": 0, "length": 15, "ciphertext": 40, "tag": -1}
    for name, at in place.items():
        folder = forged(tmp_path / name, [atom("The first"), atom("The second"), atom("The third")])
        atoms = bytearray((folder / "current.atoms").read_bytes())
        start = len(atoms) // 3
        atoms[start + at if at >= 0 else 2 * start - 1] ^= 1
        (folder / "current.atoms").write_bytes(atoms)

        memories, report = imported(tmp_path, folder, name=f"{name}.vault", passphrase=PASSPHRASE)

        assert "The third" in [one.text for one in memories], name
        assert report.skipped_count == 1, name
        assert next(iter(reasons(report).values())).startswith("this atom is damaged"), name


def test_a_damaged_or_cut_index_is_tampering(tmp_path: Path) -> None:
    """Nothing opens without it, so that nothing is brought."""
    for at in range(0, 140, 7):
        folder = forged(tmp_path / f"{at}", [atom()])
        raw = bytearray((folder / "current.vmem").read_bytes())
        raw[at] ^= 1
        (folder / "current.vmem").write_bytes(raw)
        _refused(tmp_path, folder)
    for length in (0, 1, 47, 48, 60, 70):
        folder = forged(tmp_path / f"cut {length}", [atom()])
        (folder / "current.vmem").write_bytes((folder / "current.vmem").read_bytes()[:length])
        _refused(tmp_path, folder)


def _refused(tmp_path: Path, folder: Path) -> None:
    with vaults.create(tmp_path, f"{folder.name}.vault") as vault:
        with pytest.raises((VaultTamperedError, InvalidInputError)):
            vault.import_memories(folder, passphrase=PASSPHRASE, source="vaultmem")
        assert vault.count() == 0


def _with(**changes: Any) -> Any:
    return lambda meta: {**meta, **changes}


def _slot(**changes: Any) -> Any:
    return lambda meta: {**meta, "credential_slots": [{**meta["credential_slots"][0], **changes}]}


_COSTS = (1 << 40, 1 << 22, (512 << 10) + 1, 10**400, 31, 0, -1, True, 65536.0, "65536", None, [])
_SLOTS = (None, [], {}, [None], ["x"], [{}], [{}] * 17)
HOSTILE_METAS: dict[str, Any] = {
    **{f"cost {at}": _with(memory_cost=cost) for at, cost in enumerate(_COSTS)},
    **{f"slots {at}": _with(credential_slots=slots) for at, slots in enumerate(_SLOTS)},
    **{f"salt {at}": _slot(kdf_salt=salt) for at, salt in enumerate(("", "AA==", "not base64!", 7, None, "A" * 4096))},
    **{f"key {at}": _slot(wrapped_mek_ct=key) for at, key in enumerate(("", "AAAA", None, "A" * 4096))},
    "nonce": _slot(wrapped_mek_iv="AAAA"),
    "a list": lambda meta: [meta],
    "a text": lambda _: "meta",
}


@pytest.mark.parametrize("change", HOSTILE_METAS.values(), ids=HOSTILE_METAS)
def test_what_meta_json_asks_for_is_checked_before_it_is_done(tmp_path: Path, change: Any) -> None:
    """Absurd costs are not allocated, and nothing but an error of ours comes of any nonsense."""
    folder = forged(tmp_path / "foreign", [atom()], meta=change)

    with vaults.create(tmp_path) as vault:
        with pytest.raises((VaultTamperedError, WrongPassphraseError, InvalidInputError)):
            vault.import_memories(folder, passphrase=PASSPHRASE, source="vaultmem")
        assert vault.count() == 0


HOSTILE_ATOMS: dict[str, Any] = {
    "a bomb": zlib.compress(bytes(64 << 20)),
    "not packed": b"plain",
    "cut": zlib.compress(b'{"content": "x"}')[:-4],
    "deep": zlib.compress(b"[" * 100_000),
    "a list": zlib.compress(b"[]"),
    "no text": atom(None),
    "text of another type": atom(7),
    "empty text": atom("  "),
    "a lone surrogate": atom("\ud800"),
    "not UTF-8": zlib.compress(b'{"content": "\xff"}'),
    "a key twice": zlib.compress(b'{"content": "a", "content": "b"}'),
}


@pytest.mark.parametrize("what", HOSTILE_ATOMS)
def test_an_atom_that_no_vault_can_hold_is_reported(tmp_path: Path, what: str) -> None:
    """The others are brought."""
    folder = forged(tmp_path / "foreign", [HOSTILE_ATOMS[what], atom("The tea is in the blue tin")])

    memories, report = imported(tmp_path, folder, passphrase=PASSPHRASE)

    assert [one.text for one in memories] == ["The tea is in the blue tin"]
    assert report.skipped_count == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": 10**300, "captured_at": -(10**300)},
        {"created_at": "yesterday", "session_id": 7, "owner": {}},
        {"confidence": 1e308, "valence": "sad", "importance": [], "emotional_intensity": -3},
        {"embedding": [1.0, "x"], "supersedes": "all", "composite_of": {}, "affinity_of": [1, None]},
        {"embedding": [float("nan")], "frequency_count": -1, "significance": {}},
        {"embedding": [], "granularity": "GALAXY", "type": ["SEMANTIC"]},
        {"permissions": {"retention_days": 10**9}, "data_class": "x" * 9999},
        {"media_blob_id": "../../etc/passwd"},
        {"media_blob_id": ["x"], "content_type": "\x00"},
        {"supersedes": [f"{n}" for n in range(10_000)]},
        {"session_id": "../" * 40, "metadata": None, "granularity": None},
    ],
)
def test_a_field_of_the_wrong_kind_does_not_cost_the_memory(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Its text is brought without it."""
    folder = forged(tmp_path / "foreign", [atom(**fields)])

    memories, _ = imported(tmp_path, folder, passphrase=PASSPHRASE)

    assert [one.text for one in memories] == ["The tea is in the blue tin"]


@pytest.mark.parametrize(
    "place",
    [
        {"offset": 1 << 62},
        {"offset": -1},
        {"offset": "0"},
        {"size": 1 << 40},
        {"size": 0},
        {"size": True},
        {"id": "../../etc/passwd"},
        {"id": None},
    ],
)
def test_an_index_that_points_nowhere_is_reported(tmp_path: Path, place: dict[str, Any]) -> None:
    """No read beyond the file, no allocation of what it says."""
    folder = forged(
        tmp_path / "foreign", [atom(), atom("Second")], index=lambda named: [{**named[0], **place}, named[1]]
    )

    memories, report = imported(tmp_path, folder, passphrase=PASSPHRASE)

    assert [one.text for one in memories] == ["Second"]
    assert "atom 1" in reasons(report)


def test_bytes_that_no_index_names_are_reported_and_stay(tmp_path: Path) -> None:
    """The package cuts them off when it opens the vault; an import must not."""
    folder = forged(tmp_path / "foreign", [atom()])
    before = (folder / "current.atoms").read_bytes()
    (folder / "current.atoms").write_bytes(before + b"unfinished")

    _, report = imported(tmp_path, folder, passphrase=PASSPHRASE)

    assert reasons(report) == {"current.atoms": "10 bytes that the index does not name: they were never saved"}
    assert (folder / "current.atoms").read_bytes() == before + b"unfinished"


def test_a_vault_with_missing_parts_is_refused(tmp_path: Path) -> None:
    """Also where a part is a folder, a pipe or empty."""
    for number, spoil in enumerate((_removed, _emptied, _folder, _pipe)):
        for name in ("meta.json", "current.vmem"):
            folder = forged(tmp_path / f"{number} {name}", [atom()])
            spoil(folder / name)
            with vaults.create(tmp_path, f"{number} {name}.vault") as vault, pytest.raises(VaultError):
                vault.import_memories(folder, passphrase=PASSPHRASE, source="vaultmem")


def _removed(path: Path) -> None:
    path.unlink()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    import os

    path.unlink()
    os.mkfifo(path)

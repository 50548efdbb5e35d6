"""With full rights on the database its operator can't read, alter, drop, reorder, splice or roll back unnoticed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support import FULL, postgres_tamper, vaults
from support.postgres import Server
from support.postgres_tamper import DatabaseScene
from support.strangers import FAMILIES, Family, swapped
from support.tamper import Finding, ask, judge
from vault_core import RollbackError, Vault, VaultError, VaultNotFoundError, VaultTamperedError
from vault_core.crypto import RECORD, Place
from vault_core.log import log
from vault_core.session import verify
from vault_core.store.postgres import listener

EACH = 1 if FULL else 9  # of a family's attacks, one in so many; all of them were tried on a file


@pytest.fixture(scope="module")
def scene(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseScene]:
    folder = tmp_path_factory.mktemp("operator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRONGROOM_STATE_DIR", str(folder))
        name = postgres.database("operator")
        yield postgres_tamper.build(postgres, name, folder / "scene")
    postgres.drop(name)


@pytest.fixture(autouse=True)
def _whole(scene: DatabaseScene) -> None:
    scene.restore()


def test_the_untouched_vault_answers_with_the_truth(scene: DatabaseScene) -> None:
    finding = judge(scene)

    assert (finding.problems, finding.refusals) == ([], [])


GONE = "all of header"  # with its row the vault's name is gone too, so that there is no vault to open


@pytest.mark.parametrize("open_meanwhile", [False, True], ids=["closed", "under a session"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_changed_rows_are_refused_or_change_nothing(
    scene: DatabaseScene, family: Family, open_meanwhile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "TRUSTED", 0.0)  # an operator notifies nobody: wait out the time of trust
    problems, unnoticed, tried = [], [], 0
    for name, edit in list(family(scene))[:: EACH * (1 + open_meanwhile)]:
        scene.restore()
        if open_meanwhile:
            with scene.open() as vault:
                vault.list()
                changed = scene.change(edit)
                finding = ask(vault, scene) if changed else Finding()
        else:
            changed = scene.change(edit)
            kinds = VaultNotFoundError if name == GONE else VaultTamperedError
            finding = judge(scene, kinds=kinds) if changed else Finding()
        tried += changed
        problems += [f"{name}: {problem}" for problem in finding.problems]
        unnoticed += [name] if changed and not finding.noticed else []

    assert tried
    assert problems == []
    assert [name for name in unnoticed if not name.startswith("part")] == []  # parts are a cache: who cares, drops them


STATEMENTS = {  # of an operator who changes the tables themselves -> whether opening is refused
    "DROP TABLE strongroom.part": True,
    "DROP TABLE strongroom.record": True,
    "DROP TABLE strongroom.version": True,
    "DROP SCHEMA strongroom CASCADE": True,
    "ALTER TABLE strongroom.record ADD COLUMN more integer": True,
    "ALTER TABLE strongroom.entry RENAME TO old": True,
    """
    ALTER TABLE strongroom.entry RENAME TO old;
    CREATE VIEW strongroom.entry AS SELECT vault, seq, body FROM strongroom.old
    """: True,
    "ALTER TABLE strongroom.entry ALTER COLUMN body TYPE text USING encode(body, 'hex')": True,
    "DELETE FROM strongroom.version": True,
    "UPDATE strongroom.version SET number = 2": True,
    """
    CREATE FUNCTION strongroom.lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER lose BEFORE INSERT ON strongroom.record FOR EACH ROW EXECUTE FUNCTION strongroom.lose()
    """: False,
    "CREATE RULE lose AS ON INSERT TO strongroom.entry DO INSTEAD NOTHING": False,
    """
    CREATE FUNCTION strongroom.twist() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.body := set_byte(NEW.body, 70, 1 # get_byte(NEW.body, 70)); RETURN NEW; END $$;
    CREATE TRIGGER twist BEFORE INSERT ON strongroom.record FOR EACH ROW EXECUTE FUNCTION strongroom.twist()
    """: False,
}


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_other_tables_are_refused_and_under_an_open_session_give_no_wrong_answer(
    tmp_path: Path, postgres: Server, own_database: str, statement: str
) -> None:
    """What is planted can lose what is written, which is noticed; it can't make up anything."""
    url = postgres.url(own_database, "alice")
    with Vault.create(url, unlock=vaults.key_in(tmp_path)) as vault:
        kept = vault.add("kept", id="kept")
        with postgres.connect(own_database) as db:
            db.execute(statement)
        with suppress(VaultError):
            written = vault.add("written after all", id="after")
            with suppress(VaultError):
                assert vault.get("after") == written
        with suppress(VaultError):
            assert vault.get("kept") == kept

    if STATEMENTS[statement]:
        with pytest.raises(VaultError):
            vaults_open(url, tmp_path)


def vaults_open(url: str, folder: Path) -> Vault:
    return Vault.open(url, unlock=vaults.key_in(folder))


def test_a_backup_that_is_restored_is_refused_by_a_machine_that_has_seen_more(
    tmp_path: Path, machine: Path, postgres: Server, own_database: str
) -> None:
    url = postgres.url(own_database, "alice")
    with Vault.create(url, unlock=vaults.key_in(tmp_path)) as vault:
        vault.add("in the backup")
        backup = tmp_path / "backup"
        backup.write_bytes(postgres.run("pg_dump", "-Fc", own_database))
        vault.add("not in the backup")
    restored = postgres.database(f"{own_database}_restored", prepared=False)
    try:
        postgres.run("pg_restore", "-d", restored, str(backup))

        with pytest.raises(RollbackError):
            vaults_open(postgres.url(restored, "alice"), tmp_path)
        with Vault.open(postgres.url(restored, "alice"), unlock=vaults.key_in(tmp_path), accept_rollback=True) as vault:
            assert vaults.texts(vault) == ["in the backup"]
            vault.verify(full=True)
    finally:
        postgres.drop(restored)


def test_a_vault_in_the_place_of_another_is_refused(tmp_path: Path, postgres: Server, own_database: str) -> None:
    for name in ("alice", "other"):
        with Vault.create(postgres.url(own_database, name), unlock=vaults.key_in(tmp_path)) as vault:
            vault.add(f"of {name}")
    with vaults_open(postgres.url(own_database, "alice"), tmp_path) as vault:
        with postgres.connect(own_database) as db:
            db.execute("""
                UPDATE strongroom.vault AS mine SET header = other.header, mac = other.mac
                FROM strongroom.vault AS other WHERE mine.name = 'alice' AND other.name = 'other'
            """)
        with pytest.raises(VaultTamperedError):
            vault.add("to whom?")
    with pytest.raises(VaultTamperedError):
        vaults_open(postgres.url(own_database, "alice"), tmp_path)


# The negative control: what the harness finds in a product that checks less


class Same:
    """Equal to every hash."""

    def digest(self) -> "Same":
        return self

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_with_seals_that_ignore_the_place_swapped_rows_give_wrong_answers(
    tmp_path: Path, postgres: Server, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(place: Place, kind: bytes, seq: int = 0, n: int = 0, also: bytes = b"") -> bytes:
        return original(place, kind, also=also) if kind == RECORD else original(place, kind, seq, n, also)

    original = Place.context
    monkeypatch.setattr(Place, "context", nowhere)
    monkeypatch.setattr(log, "same", lambda *_: True)
    monkeypatch.setattr(log, "check_mac", lambda *_: None)
    monkeypatch.setattr(verify, "sha256", lambda _: Same())
    scene = postgres_tamper.build(postgres, own_database, tmp_path / "scene")
    problems: list[str] = []
    for _, edit in list(swapped(scene))[::3]:
        scene.restore()
        scene.change(edit)
        problems += judge(scene).problems

    assert any("another answer" in problem for problem in problems)

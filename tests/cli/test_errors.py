"""Errors: their exit codes, their words, and what is never in them."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.program import Program, begin, raw, spawn
from vault_core import FileKey, Vault, errors
from vault_core.cli import codes
from vault_core.cli import errors as telling
from vault_core.cli.add import unlock

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.VaultError) and kind is not errors.VaultError
]


def test_every_kind_has_a_code_of_its_own() -> None:
    assert set(codes.OF_KIND) == set(KINDS)
    assert len(set(codes.OF_KIND.values())) == len(KINDS)


def test_the_table_has_every_code_and_kind() -> None:
    rows = dict(row.strip("| ").split(" | ", 1) for row in codes.table().splitlines()[2:])

    named = {int(code): said.partition("`: ")[0].strip("`") for code, said in rows.items()}
    assert {named[code] for code in codes.OF_KIND.values()} == {kind.__name__ for kind in KINDS}
    assert all(named[code] == kind.__name__ for kind, code in codes.OF_KIND.items())
    others = {codes.OK, codes.FAILED, codes.USAGE, codes.LINES_REFUSED, codes.INTERRUPTED, codes.BROKEN_PIPE}
    assert set(named) == {*codes.OF_KIND.values(), *others}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_every_kind_is_told_with_its_code_and_a_hint(
    kind: type[errors.VaultError], as_json: bool, strongroom: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise kind("something is the matter")

    monkeypatch.setattr(unlock, "open_vault", fail)
    told = strongroom("status", *(["--json"] if as_json else []))

    assert told.code == codes.OF_KIND[kind]
    assert told.out == ""
    if as_json:
        assert told.error.keys() == {"kind", "message", "hint"}
        assert (told.error["kind"], told.error["message"]) == (kind.__name__, "something is the matter")
        assert told.error["hint"] or kind is errors.WrongPassphraseError
    else:
        first, *hints = told.err.splitlines()
        assert first == "error: something is the matter"
        assert hints or kind is errors.WrongPassphraseError
        assert "Traceback" not in told.err


def changed(place: Path, statement: str) -> None:
    database = sqlite3.connect(place)
    with database:
        database.execute(statement)
    database.close()


def spoil_record(place: Path) -> None:
    raw("flip", place)


def make_newer(place: Path) -> None:
    changed(place, "PRAGMA user_version=2")


def damage_header(place: Path) -> None:
    changed(place, "UPDATE header SET body = zeroblob(length(body))")


def go_back(place: Path) -> None:
    older = place.with_name("older")
    raw("copy", place, older)
    with Vault.open(place) as vault:
        vault.add("coffee")
    raw("copy", older, place)


def replace_by_text(place: Path) -> None:
    place.write_text("not a vault at all, but a file of some length" * 100)


def remove(place: Path) -> None:
    place.unlink()


@pytest.mark.parametrize(
    ("happens", "command", "kind"),
    [
        (spoil_record, ["verify"], errors.VaultTamperedError),
        (spoil_record, ["show", "tea"], errors.VaultTamperedError),
        (damage_header, ["status"], errors.VaultTamperedError),
        (go_back, ["status"], errors.RollbackError),
        (make_newer, ["status"], errors.FormatTooNewError),
        (replace_by_text, ["status"], errors.VaultNotFoundError),
        (remove, ["status"], errors.VaultNotFoundError),
    ],
    ids=["record, verify", "record, show", "header", "older copy", "newer format", "no vault", "nothing"],
)
def test_what_happened_to_a_vault_is_told_by_the_exit_code(
    happens: Callable[[Path], None], command: list[str], kind: type[errors.VaultError], place: Path, strongroom: Program
) -> None:
    assert strongroom("add", "green tea", "--id", "tea").code == 0
    assert strongroom(*command).code == 0

    happens(place)
    told = strongroom(*command, "--json")

    assert (told.code, told.error["kind"]) == (codes.OF_KIND[kind], kind.__name__)


def test_an_older_copy_is_accepted_on_purpose(place: Path, strongroom: Program) -> None:
    strongroom("add", "green tea")
    go_back(place)
    assert strongroom("status").code == 7

    accepted = strongroom.json("verify", "--accept-rollback")

    assert accepted["accepted_rollback"] is True
    assert strongroom("status").code == 0


def test_a_vault_that_is_held_exclusively_is_told(place: Path, key_file: Path, strongroom: Program) -> None:
    with Vault.open(place, unlock=FileKey(key_file), exclusive=True):
        assert strongroom("status").code == 8

    assert strongroom("status").code == 0


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["init"], 10),
        (["init", "--vault", "memory://"], 3),
        (["show", "no-such-id"], 9),
        (["forget", "no-such-id", "--yes"], 9),
        (["add", ""], 3),
        (["add", "a\x00b"], 3),
        (["add", "tea", "--metadata", "{"], 3),
        (["add", "tea", "--metadata", "[1]"], 3),
        (["add", "tea", "--importance", "7"], 3),
        (["add", "tea", "--event-time", "tomorrow"], 3),
        (["add", "tea", "--namespace", ""], 3),
        (["add", "-", "--id", "one"], 3),
        (["search", "tea", "--top-k", "0"], 3),
        (["list", "--order", "sideways"], 3),
        (["list", "--box", "none"], 3),
        (["slots", "add", "file"], 3),
        (["slots", "add", "command", "--command", "'"], 3),
        (["slots", "remove", "0000", "--yes"], 3),
        (["search"], 2),
        (["search", "tea", "--top-k", "many"], 2),
        (["list", "--bogus"], 2),
        (["bogus"], 2),
        (["slots", "--vault", "elsewhere", "list"], 2),
    ],
    ids=lambda value: " ".join(value).replace("\x00", "NUL") if isinstance(value, list) else "",
)
def test_a_call_that_makes_no_sense_is_refused_with_a_hint(
    arguments: list[str], code: int, strongroom: Program
) -> None:
    told = strongroom(*arguments)

    assert (told.code, told.out) == (code, "")
    assert told.err.startswith("error: ")
    assert "\nhint: " in told.err


@pytest.mark.usefixtures("place")
def test_a_command_line_that_makes_no_sense_is_told_in_json_too(strongroom: Program) -> None:
    told = strongroom("search", "--json")

    assert (told.code, told.error["kind"]) == (2, "UsageError")


def test_a_name_that_was_mistyped_is_recognised(place: Path, strongroom: Program) -> None:
    told = strongroom("status", "--vault", str(place.with_name("mee.vault")))

    assert f"hint: did you mean {place}?" in told.err


def test_a_place_without_a_vault_is_told_how_to_get_one(tmp_path: Path, strongroom: Program) -> None:
    told = strongroom("status", "--vault", str(tmp_path / "my vault"))

    assert f"hint: make one with: strongroom init --vault '{tmp_path}/my vault'" in told.err


def test_what_is_unexpected_shows_no_text_unless_asked(
    strongroom: Program, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the text of a memory")

    monkeypatch.setattr(Vault, "add", fail)
    told = strongroom("add", "the text of a memory")
    assert told.code == 1
    assert "the text of a memory" not in told.err
    assert "RuntimeError" in told.err

    monkeypatch.setenv("STRONGROOM_DEBUG", "1")
    assert "Traceback" in strongroom("add", "tea").err


@pytest.mark.usefixtures("place")
def test_a_reader_that_leaves_early_is_no_reason_to_complain() -> None:
    lines = "\n".join(f"line {number} of a long list" for number in range(3000))
    assert spawn("add", "-", given=lines).code == 0

    running = begin("list", "--limit", "3000")
    assert running.stdout is not None
    running.stdout.read(1)
    running.stdout.close()

    assert running.communicate()[1] == b""
    assert running.returncode == codes.BROKEN_PIPE


def test_errors_are_made_safe_for_a_terminal(tmp_path: Path, strongroom: Program) -> None:
    told = strongroom("status", "--vault", str(tmp_path / "\x1b]0;x\x07.vault"))

    assert told.code == 5
    assert "\x1b" not in told.err
    assert "\\x1b]0;x\\x07" in told.err


def test_a_hint_left_on_the_exception_goes_before_the_general_one(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.ConflictError("it is there")
    error.add_note("take the other one")

    telling.report(error, as_json=False)

    assert capsys.readouterr().err == "error: it is there\nhint: take the other one\n"

"""What the documentation says is what the program does."""

import re
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

import vault_core

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RUN_PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]

COMMANDS = {
    "demo": "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/strongroom demo",
    "test": "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest -q",
}

EXTRACT = [sys.executable, str(ROOT / ".ci" / "readme_command.py")]

FENCE = re.compile(
    r"(?P<before>[^\n]*\n?(?:[ \t]*\n)?)"
    r"^(?P<indent>[ \t]*)```(?P<language>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
NOT_RUN = re.compile(r"<!-- not run: \S.*-->")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One fenced block of a page; `line` is where its body begins."""

    language: str
    body: str
    line: int
    not_run: bool


def fences(text: str) -> Iterator[Fence]:
    """Give the fenced blocks of a page in order."""
    for match in FENCE.finditer(text):
        yield Fence(
            language=match["language"].strip(),
            body=textwrap.dedent(match["body"]),
            line=text.count("\n", 0, match.start("body")) + 1,
            not_run=bool(NOT_RUN.fullmatch(match["before"].strip())),
        )


def run(page: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a page's python blocks in order, in one namespace.

    A text block that follows a python block is what that block prints.
    """
    namespace: dict[str, Any] = {"__name__": page.stem}
    printed: str | None = None
    for fence in fences(text):
        if fence.language == "python" and not fence.not_run:
            numbered = "\n" * (fence.line - 1) + fence.body  # a traceback names the page's own line
            exec(compile(numbered, page, "exec"), namespace)  # noqa: S102  our own pages
            printed = capsys.readouterr().out
        else:
            if fence.language == "text" and printed is not None:
                assert printed == fence.body, f"{page.name}:{fence.line}"
            printed = None


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with anchors in another."""
    work, state = tmp_path / "work", tmp_path / "state"
    work.mkdir()
    state.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("STRONGROOM_STATE_DIR", str(state))


def relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.usefixtures("elsewhere", "loop")
@pytest.mark.parametrize("page", [page for page in RUN_PAGES if "```python" in page.read_text("utf-8")], ids=relative)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(page, page.read_text("utf-8"), capsys)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", AssertionError),
        ("```python\nprint('tea')\n```\n\n```text\ncoffee\n```\n", AssertionError),
        ("<!-- not run: -->\n```python\n1 / 0\n```\n", ZeroDivisionError),
        (
            "<!-- not run: needs a server -->\n\nWords.\n\n```python\n1 / 0\n```\n",
            ZeroDivisionError,
        ),
        ("1. In a list:\n\n   ```python\n   1 / 0\n   ```\n", ZeroDivisionError),
    ],
    ids=["shared namespace", "other output", "no reason", "reason elsewhere", "in a list"],
)
def test_a_page_that_is_wrong_fails(text: str, refusal: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(refusal):
        run(Path("page.md"), text, capsys)


@pytest.mark.parametrize("between", ["", "\n"], ids=["touching", "blank line"])
def test_a_block_marked_with_its_reason_is_not_run(between: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"<!-- not run: needs a server -->\n{between}```python\n1 / 0\n```\n"

    run(Path("page.md"), text, capsys)


def test_no_python_hides_under_another_name() -> None:
    hidden = [
        f"{relative(page)}:{fence.line}"
        for page in RUN_PAGES
        for fence in fences(page.read_text("utf-8"))
        if fence.language.startswith("py") and fence.language != "python"
    ]

    assert hidden == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_command_is_the_one_that_ci_runs(name: str) -> None:
    found = subprocess.run([*EXTRACT, name], capture_output=True, text=True, check=True).stdout

    assert found == COMMANDS[name] + "\n"


def test_ci_stops_when_the_readme_has_no_such_command() -> None:
    found = subprocess.run([*EXTRACT, "absent"], capture_output=True, check=False)

    assert found.returncode != 0


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(page.read_text("utf-8"))]
    local = [target for target in targets if "://" not in target and not target.startswith("#")]

    assert [target for target in local if not (page.parent / target.split("#")[0]).exists()] == []


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "adr" / "README.md").read_text("utf-8")

    missing = [page.name for page in DOCS.glob("adr/[0-9]*.md") if f"({page.name})" not in index]

    assert missing == []


def test_the_picture_is_the_one_its_script_draws() -> None:
    house = runpy.run_path(str(DOCS / "house.py"))

    assert (DOCS / "house.svg").read_text("utf-8") == house["draw"](), "run `make docs`"


def test_the_picture_shows_the_rooms_that_exist() -> None:
    house = runpy.run_path(str(DOCS / "house.py"))
    drawn = {name for row in house["ROOMS"] for name, _ in row}

    built = {module.name for module in iter_modules(vault_core.__path__)}

    assert drawn == built - {"testing"}  # the workshop is not a room of the house


def test_the_cli_page_is_what_the_commands_say() -> None:
    cli = runpy.run_path(str(DOCS / "cli.py"))

    assert (DOCS / "cli.md").read_text("utf-8") == cli["write"](), "run `make docs`"


def test_the_clients_page_shows_what_connect_would_write() -> None:
    clients = runpy.run_path(str(DOCS / "mcp_clients.py"))

    assert (DOCS / "mcp.md").read_text("utf-8") == clients["write"](), "run `make docs`"

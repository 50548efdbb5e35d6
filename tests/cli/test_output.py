"""Text that can't steer a terminal, JSON that keeps it exactly, and the bar."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.program import Program
from vault_core.cli.output import Bar, as_json, safe

EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b31m\u202e\u2066\u2028\x7f\r\x08\u200b\U000e0041"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\U000e0000-\U000e007f]")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("where", ["text", "tag", "source", "namespace", "metadata"])
def test_what_a_terminal_would_obey_never_reaches_it(where: str, strongroom: Program) -> None:
    label = "tea \u202e\u2066\u200b"  # labels refuse control characters
    options = {
        "text": [f"tea {EVIL} end"],
        "tag": ["tea", "--tag", label],
        "source": ["tea", "--source", label],
        "namespace": ["tea", "--namespace", label],
        "metadata": ["tea", "--metadata", json.dumps({"key": EVIL, EVIL: 1})],
    }[where]
    there = ["--namespace", label] if where == "namespace" else []
    assert strongroom("add", *options, "--id", "tea").code == 0

    looks = [["search", "tea", "--explain"], ["list"], ["show", "tea", *there], ["history", "tea", *there], ["status"]]
    for look in looks:
        seen = strongroom(*look)
        assert seen.code == 0
        assert OBEYED.findall(seen.out + seen.err) == [], look


@pytest.mark.usefixtures("place")
def test_json_keeps_a_text_exactly_and_is_safe_as_well(strongroom: Program) -> None:
    text = f"tea {EVIL} grün 🫖 end"
    strongroom("add", text, "--id", "tea")

    shown = strongroom("show", "tea", "--json")

    assert shown.document["content"] == text
    assert shown.out.isascii()
    assert OBEYED.findall(shown.out) == []


@given(st.text())
def test_safe_text_holds_nothing_that_is_obeyed(text: str) -> None:
    assert OBEYED.findall(safe(text)) == []
    assert "\n" not in safe(text)


@given(st.text())
def test_json_gives_every_text_back(text: str) -> None:
    assert json.loads(as_json(text)) == text
    assert OBEYED.findall(as_json(text)) == []


def test_ordinary_writing_is_left_as_it_is() -> None:
    for text in ("grün", "naïve — “quoted”", "می‌خواهم", "👩‍🚀", "שלום"):
        assert safe(text) == text


class Terminal(io.StringIO):
    """A standard error that is, or isn't, a terminal."""

    def __init__(self, *, real: bool) -> None:
        super().__init__()
        self._real = real

    def isatty(self) -> bool:
        return self._real


@pytest.mark.parametrize(
    ("real", "seconds", "shown"),
    [(True, 0.9, False), (True, 1.1, True), (False, 100.0, False)],
    ids=["short", "long", "no terminal"],
)
@pytest.mark.parametrize("total", [10, None], ids=["known end", "unknown end"])
def test_a_bar_is_for_a_person_and_for_what_takes_longer_than_a_second(
    real: bool, seconds: float, shown: bool, total: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(real=real)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    moments = iter([0.0, seconds])

    with Bar("counting", total, clock=lambda: next(moments)) as bar:
        bar.at(5)

    assert ("counting" in terminal.getvalue()) is shown

"""`add -`: lines of standard input, acknowledged once they are durable."""

import io
import json
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from cli.program import Program, begin, spawn
from vault_core import FileKey, Vault
from vault_core.cli.lines import BATCH_LINES, LineReader
from vault_core.memory.limits import MAX_CONTENT_BYTES

TEN_THOUSAND = [f"Entry {number}: on day {number % 365} the answer was {number * 7919}." for number in range(1, 10_001)]

# The bug that the tests here have to find: the commit comes after its acknowledgement, and the power goes in between.
HASTY = """
import os, signal
from vault_core.cli import app, store_lines

store, late = store_lines._stored, []

def hasty(vault, batch, fields, box):
    if batch[0].number > 1000:
        os.kill(os.getpid(), signal.SIGKILL)
    for one in late:
        store(vault, [one], {**fields, "id": f"{one.number:024x}"}, box)
    late[:] = batch
    return [(line.number, f"{line.number:024x}") for line in batch]

store_lines._stored = hasty
app(["add", "-", "--ack"])
"""


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file of 10,000 lines."""
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(TEN_THOUSAND) + "\n")
    return path


def started(lines: Path, *options: str) -> "subprocess.Popen[bytes]":
    with lines.open("rb") as file:
        return begin("add", "-", *options, stdin=file)


def acknowledged(printed: bytes) -> dict[int, str]:
    """Line number -> id, of the acknowledgements that are whole."""
    whole = printed[: printed.rfind(b"\n") + 1].decode().splitlines()
    return {int(number): id_ for number, _, id_ in (line.partition("\t") for line in whole) if id_}


def read_acknowledgements(running: "subprocess.Popen[bytes]", wanted: int) -> bytes:
    assert running.stdout is not None
    printed = b""
    while printed.count(b"\n") < wanted and (chunk := running.stdout.read(4096)):
        printed += chunk
    return printed


def check_all_there(place: Path, key_file: Path, acks: dict[int, str]) -> int:
    """Every acknowledged line is in a vault that verifies; gives how many memories there are."""
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        vault.verify(full=True)
        numbers = list(acks)
        found = vault.get_many(acks[number] for number in numbers)
        assert [memory and memory.content for memory in found] == [TEN_THOUSAND[number - 1] for number in numbers]
        return vault.count()


@pytest.mark.parametrize("moment", [1, 3000, 9500])
def test_every_line_acknowledged_before_ctrl_c_is_there(moment: int, lines: Path, place: Path, key_file: Path) -> None:
    running = started(lines, "--ack")
    printed = read_acknowledgements(running, moment)
    running.send_signal(signal.SIGINT)
    rest, errors = running.communicate()
    acks = acknowledged(printed + rest)

    assert len(acks) >= moment
    assert check_all_there(place, key_file, acks) == len(acks)
    assert b"Traceback" not in errors
    if running.returncode != 0:  # else it was done before the signal came
        assert running.returncode == 130
        assert f"stored {len(acks):,} lines; stopped behind line {len(acks):,}\n".encode() in rest


def test_ctrl_c_in_the_middle_does_stop_it(lines: Path, place: Path, key_file: Path) -> None:
    running = started(lines, "--ack")
    printed = read_acknowledgements(running, 1)
    running.send_signal(signal.SIGINT)  # nobody reads on: it can't be further than what fits into the pipe

    acks = acknowledged(printed + running.communicate()[0])

    assert running.returncode == 130
    assert check_all_there(place, key_file, acks) == len(acks) < len(TEN_THOUSAND)


@pytest.mark.parametrize("moment", [0, 1, 500, 4000, 9500])
def test_every_line_acknowledged_before_kill_9_is_there(moment: int, lines: Path, place: Path, key_file: Path) -> None:
    running = started(lines, "--ack")
    printed = read_acknowledgements(running, moment)
    running.kill()
    acks = acknowledged(printed + running.communicate()[0])

    assert len(acks) >= moment
    stored = check_all_there(place, key_file, acks)
    assert len(acks) <= stored <= len(acks) + BATCH_LINES


def test_lines_acknowledged_before_they_are_durable_are_found_out(lines: Path, place: Path, key_file: Path) -> None:
    with lines.open("rb") as file:
        done = subprocess.run([sys.executable, "-c", HASTY], stdin=file, capture_output=True, check=False)

    assert done.returncode == -signal.SIGKILL
    with pytest.raises(AssertionError):
        check_all_there(place, key_file, acknowledged(done.stdout))


def test_what_was_cut_short_is_completed_by_giving_the_lines_again(lines: Path, place: Path, key_file: Path) -> None:
    running = started(lines, "--ack")
    read_acknowledgements(running, 2000)
    running.kill()
    running.communicate()

    again = spawn("add", "-", "--ack", given=lines.read_text())

    assert again.code == 0
    acks = acknowledged(again.out.encode())
    assert len(acks) == 10_000
    assert check_all_there(place, key_file, acks) == 10_000


def test_each_line_of_someone_who_types_is_acknowledged_at_once(place: Path, key_file: Path) -> None:
    running = begin("add", "-", "--ack")
    assert running.stdin is not None
    assert running.stdout is not None

    for number in range(1, 4):
        running.stdin.write(TEN_THOUSAND[number - 1].encode() + b"\n")
        (line, id_), *_ = acknowledged(running.stdout.read(4096)).items()
        with Vault.open(place, unlock=FileKey(key_file)) as vault:
            assert (line, vault.get(id_).content) == (number, TEN_THOUSAND[number - 1])

    assert running.communicate()[0] == b"stored 3 lines\n"


def test_ctrl_c_while_waiting_for_a_line_ends_at_once(place: Path) -> None:
    running = begin("add", "-", "--ack")
    assert running.stdin is not None
    running.stdin.write(b"green tea\n")
    read_acknowledgements(running, 1)

    running.send_signal(signal.SIGINT)
    running.wait()

    assert running.communicate()[0] == b"stored 1 line; stopped behind line 1\n"
    assert running.returncode == 130


@pytest.mark.usefixtures("place")
def test_lines_that_can_t_be_stored_are_named_and_the_rest_is_stored(strongroom: Program) -> None:
    given = b"tea\n\n  \nNUL \x00\n\xff\xfe\n" + b"x" * (MAX_CONTENT_BYTES + 1) + b"\r\ncoffee"

    done = strongroom("add", "-", "--ack", given=given)

    assert done.code == 15
    assert list(acknowledged(done.out.encode())) == [1, 7]
    assert done.out.endswith("stored 2 lines, skipped 2 blank, refused 3\n")
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["line 4", "line 5", "line 6"]
    assert {memory["content"] for memory in strongroom.json("list")["memories"]} == {"tea", "coffee"}


@pytest.mark.usefixtures("place")
def test_json_tells_the_same(strongroom: Program) -> None:
    summary = strongroom("add", "-", "--json", given=b"tea\n\n\x00\n").document
    first, last = map(json.loads, strongroom("add", "-", "--ack", "--json", given=b"coffee\n").out.splitlines())

    assert {name: summary[name] for name in ("stored", "blank", "last_line", "complete")} == {
        "stored": 1, "blank": 1, "last_line": 3, "complete": True,
    }  # fmt: skip
    assert [refused["line"] for refused in summary["refused"]] == [3]
    assert first["line"] == 1
    assert strongroom.json("show", first["id"])["content"] == "coffee"
    assert last["stored"] == 1


@pytest.mark.usefixtures("place")
def test_options_are_those_of_every_line(strongroom: Program) -> None:
    assert strongroom("add", "-", "--tag", "import", "--namespace", "me", given="tea\ncoffee\n").code == 0

    listed = strongroom.json("list", "--namespace", "me", "--tag", "import")

    assert listed["total"] == 2


@pytest.mark.usefixtures("place")
def test_an_option_that_can_t_be_is_refused_with_nothing_stored(strongroom: Program) -> None:
    done = strongroom("add", "-", "--importance", "7", given="tea\n")

    assert done.code == 3
    assert done.out == "stored 0 lines; stopped behind line 0\n"
    assert strongroom.json("list")["total"] == 0


@pytest.mark.usefixtures("place")
def test_an_input_that_can_t_be_read_is_told(tmp_path: Path) -> None:
    with (tmp_path / "for writing only").open("wb") as file:
        running = begin("add", "-", stdin=file)

    out, errors = running.communicate()

    assert running.returncode == 11
    assert errors.startswith(b"error: standard input can't be read")
    assert out == b"stored 0 lines; stopped behind line 0\n"


class Trickle(io.RawIOBase):
    """A stream that is no file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _size: int = -1) -> bytes:
        data, self._data = self._data, b""
        return data


def texts(data: bytes) -> list[str]:
    stream: Any = Trickle(data)
    return [line.text for batch in LineReader(stream).batches() for line in batch]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"tea", ["tea"]),
        (b"tea\r\ncoffee\r\n", ["tea", "coffee"]),
        (b"\xef\xbb\xbftea\n", ["tea"]),
        ("grün\n".encode(), ["grün"]),
        (b" indented\n", [" indented"]),
    ],
    ids=["nothing", "a line break", "no line break", "windows", "byte order mark", "utf-8", "spaces"],
)
def test_lines_are_read_as_people_write_them(data: bytes, lines: list[str]) -> None:
    assert texts(data) == lines


def test_a_line_without_an_end_costs_no_more_memory_than_a_long_one(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    path.write_bytes(b"tea\n" + b"x" * (40 * MAX_CONTENT_BYTES) + b"\ncoffee\n")

    tracemalloc.start()
    try:
        with path.open("rb", buffering=0) as file:
            found = [(line.text, bool(line.problem)) for batch in LineReader(file).batches() for line in batch]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found == [("tea", False), ("", True), ("coffee", False)]
    assert most < 10 * MAX_CONTENT_BYTES

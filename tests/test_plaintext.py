"""No byte of a memory reaches a file or a socket in the clear, wherever on the machine."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from crash import bugs, strace
from crash.bugs import Bug
from crash.leaks import canary, needles, vector
from crash.trace_writes import Writes, trace_writes

pytestmark = pytest.mark.skipif(strace.absent() is not None, reason=strace.absent() or "")

FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper": lambda text: text.upper().encode(),
    "backwards": lambda text: text[::-1].encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one on": lambda text: base64.b64encode(b"." + text.encode()),
    "base64, two on": lambda text: base64.b64encode(b".." + text.encode()),
    "base64, for addresses": lambda text: base64.urlsafe_b64encode(text.encode()),
}


def writes_of(program: str, folder: Path, *, bug: Bug = Bug.NONE) -> Writes:
    # The spill of an in-RAM database would go to a folder of the machine's; make it one of ours.
    environment = {
        "SQLITE_TMPDIR": str(folder),
        "STRONGROOM_STATE_DIR": str(folder / "state"),
        bugs.VARIABLE: bug,
    }
    arguments = ["-m", "crash.leaks", program]
    return trace_writes(arguments, needles=needles(), folder=folder, environment=environment)


@pytest.mark.exhaustive
def test_no_canary_is_in_anything_written_while_100_000_memories_are_stored_and_searched(
    tmp_path: Path,
) -> None:
    writes = writes_of("use_vault", tmp_path)

    assert writes.hits == {}
    assert writes.unseen == {f"mapping of {tmp_path.resolve() / 'canary.vault-shm'}"}
    assert writes.total > 50e6  # the memories themselves, sealed, at least


def test_a_canary_written_on_purpose_is_found(tmp_path: Path) -> None:
    writes = writes_of("say_it", tmp_path)

    assert list(writes.hits) == [str(tmp_path / "plain")]


def test_a_vector_written_on_purpose_is_found(tmp_path: Path) -> None:
    writes = writes_of("say_vector", tmp_path)

    assert list(writes.hits) == [str(tmp_path / "plain")]


def test_an_index_in_ram_that_may_spill_to_files_is_found(tmp_path: Path) -> None:
    assert writes_of("sort_in_ram", tmp_path).hits == {}

    spilled = writes_of("sort_in_ram", tmp_path, bug=Bug.SPILL)

    assert any("etilqs_" in path for path in spilled.hits)


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_recognised_in_every_form(form: str) -> None:
    assert needles().find(FORMS[form](f"My name is {canary('text')}, said the bird."))
    assert not needles().find(FORMS[form]("My name is heron, said the bird."))


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2"])
def test_a_vector_is_recognised_in_every_width(kind: str) -> None:
    raw = vector(3).astype(kind).tobytes()

    assert needles().find(b"..." + raw)
    assert needles().find(raw.hex().encode())
    assert needles().find(base64.b64encode(b"." + raw))
    assert not needles().find((vector(3) / 3).astype(kind).tobytes())

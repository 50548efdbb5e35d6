"""Embedders on the command line: named by an option or the environment, and what is said while one is out of reach."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.program import Program, on_terminal
from support.ollama_server import DIGEST, OllamaServer, ollama_server, status
from vault_core import FileKey, Vault

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaServer]:
    with ollama_server() as running:
        monkeypatch.setenv("OLLAMA_HOST", running.url)
        yield running


def vectors(place: Path, key_file: Path) -> list[set[str]]:
    with Vault.open(place, unlock=FileKey(key_file)) as vault:
        return [set(memory.vectors) for memory in vault.list(limit=None)]


@pytest.mark.parametrize("by", ["option", "environment"])
def test_an_embedder_that_is_named_is_used(
    strongroom: Program, server: OllamaServer, place: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    options = ["--embedder", "ollama:all-minilm"] if by == "option" else []
    if by == "environment":
        monkeypatch.setenv("STRONGROOM_EMBEDDER", "ollama")

    strongroom.json("add", "green tea", *options)
    found = strongroom.json("search", "tea", "--explain", *options)

    assert found["hits"][0]["parts"]["cosine"] > 0
    assert vectors(place, key_file) == [{"default"}]
    assert server.inputs == [["green tea"], ["tea"]]


def test_lines_are_embedded_too(strongroom: Program, server: OllamaServer, place: Path, key_file: Path) -> None:
    strongroom.json("add", "-", "--embedder", "ollama", given="green tea\nblack coffee\n")

    assert vectors(place, key_file) == [{"default"}] * 2


def test_none_turns_off_what_the_environment_names(
    strongroom: Program, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_EMBEDDER", "ollama")

    strongroom.json("add", "green tea", "--embedder", "none")

    assert server.inputs == []


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_out_of_reach_is_said_once_and_nothing_is_lost(
    strongroom: Program, server: OllamaServer, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.setenv("STRONGROOM_EMBEDDER", "ollama:missing")
    options = ["--json"] if as_json else []

    added = strongroom("add", "-", *options, given="green tea\n")
    found = strongroom("search", "tea", *options)

    assert (added.code, found.code) == (0, 0)
    assert "green tea" in found.out
    for told in (added.err, found.err):
        assert len(told.splitlines()) == 1
        assert "ollama pull missing:latest" in told
        assert "green" not in told
        if as_json:
            assert json.loads(told)["warning"]["kind"] == "EmbedderUnavailableWarning"
        else:
            assert told.startswith("warning: ")


def test_reembed_catches_up_and_has_nothing_to_do_after_that(
    strongroom: Program, server: OllamaServer, place: Path, key_file: Path
) -> None:
    strongroom.json("add", "-", given="green tea\nblack coffee\n")

    first = strongroom.json("reembed", "--embedder", "ollama")
    again = strongroom.json("reembed", "--embedder", "ollama")

    fingerprint = f"ollama/all-minilm:latest@{DIGEST[:16]}"
    assert first == {"embedder": fingerprint, "memories": 2, "vectors": 2, "spaces": 0, "purged": True}
    assert again["memories"] == 0
    assert vectors(place, key_file) == [{"default"}] * 2


def test_another_model_is_refused_with_the_command_that_helps_and_that_helps(
    strongroom: Program, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    strongroom.json("add", "green tea", "--embedder", "ollama")
    server.models["other:latest"] = "ab" * 32
    server.dimension = 24
    monkeypatch.setenv("STRONGROOM_EMBEDDER", "ollama:other")

    refused = strongroom("search", "tea")
    done = strongroom("reembed")
    found = strongroom("search", "tea")

    assert refused.code == 13
    assert "strongroom reembed" in refused.err
    assert "replaced" in done.out
    assert "embedded 1 memory with ollama/other:latest@" in done.out
    assert "green tea" in found.out


def test_reembed_that_fails_on_the_way_goes_on_later(
    strongroom: Program, server: OllamaServer, place: Path, key_file: Path
) -> None:
    strongroom.json("add", "-", given="".join(f"line {number}\n" for number in range(100)))
    server.script = [lambda handler, asked: handler.embed(asked)] * 3 + [status(400)]  # the first learns the dimension

    failed = strongroom("reembed", "--embedder", "ollama")
    done = strongroom.json("reembed", "--embedder", "ollama")

    assert failed.code == 11
    assert done["memories"] == 36
    assert vectors(place, key_file) == [{"default"}] * 100


@pytest.mark.parametrize("command", [["reembed"], ["reembed", "--embedder", "none"]])
def test_reembed_without_an_embedder_says_how_to_name_one(strongroom: Program, command: list[str]) -> None:
    refused = strongroom(*command)

    assert refused.code == 3
    assert "STRONGROOM_EMBEDDER" in refused.err


@pytest.mark.parametrize("name", ["", " ", "openai:x", "sentence", "sentence:", "minilm", "ollama/x"])
def test_a_name_that_means_nothing_is_refused(strongroom: Program, name: str) -> None:
    refused = strongroom("search", "tea", "--embedder", name)

    assert refused.code == 3
    assert "sentence:FOLDER" in refused.err


def test_a_server_elsewhere_needs_to_be_meant(strongroom: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "example.com")

    refused = strongroom("search", "tea", "--embedder", "ollama")

    assert refused.code == 3
    assert "not this machine" in refused.err
    assert "ollama-remote:MODEL" in refused.err


def test_a_model_that_is_no_folder_is_not_downloaded(strongroom: Program) -> None:
    refused = strongroom("search", "tea", "--embedder", "sentence:sentence-transformers/all-MiniLM-L6-v2")

    assert refused.code == 3
    assert "downloads no models" in refused.err


def test_reembed_works_where_a_person_looks(server: OllamaServer, strongroom: Program) -> None:
    strongroom.json("add", "green tea")

    done = on_terminal("reembed", "--embedder", "ollama", answers=[])

    assert done.code == 0
    assert "embedded 1 memory" in done.out

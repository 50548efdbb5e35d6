"""OllamaEmbedder through the real client, against a server that speaks the protocol and fails in every way."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.ollama_server import (
    DIGEST,
    DIMENSION,
    OllamaServer,
    Step,
    body,
    dropped,
    embeddings,
    ollama_server,
    redirect,
    silent,
    status,
    well,
)
from vault_core import (
    Draft,
    EmbedderMismatchError,
    EmbedderUnavailableWarning,
    InvalidInputError,
    OllamaEmbedder,
    UnavailableError,
)
from vault_core.embedders.ollama import BATCH, WAITS

SECRET = "the spare key lies under the third stone"  # a memory, which no message may quote


def test_it_embeds_documents_and_queries(embedder: OllamaEmbedder, server: OllamaServer) -> None:
    documents = embedder.embed_documents(["green tea", "black coffee"])

    assert [list(vector) for vector in documents] == server.vectors(["green tea", "black coffee"])
    assert list(embedder.embed_query("green tea")) == list(documents[0])
    assert embedder.dimension == DIMENSION


def test_many_texts_go_in_batches_and_come_back_in_order(embedder: OllamaEmbedder, server: OllamaServer) -> None:
    texts = [f"text {number}" for number in range(2 * BATCH + 1)]

    vectors = embedder.embed_documents(texts)

    assert [len(asked) for asked in server.inputs] == [BATCH, BATCH, 1]
    assert [list(vector) for vector in vectors] == server.vectors(texts)


def test_nothing_is_asked_before_the_first_use() -> None:
    OllamaEmbedder(host="127.0.0.1:9")  # where nobody listens


def test_the_dimension_is_learned_by_asking(embedder: OllamaEmbedder, server: OllamaServer) -> None:
    assert embedder.dimension == DIMENSION
    assert embedder.dimension == DIMENSION
    assert len(server.inputs) == 1


# the fingerprint


def test_the_fingerprint_names_the_model_and_its_digest(embedder: OllamaEmbedder) -> None:
    assert embedder.fingerprint == f"ollama/all-minilm:latest@{DIGEST[:16]}"


def test_a_model_that_was_pulled_anew_is_another_embedder(
    another: Callable[..., OllamaEmbedder], server: OllamaServer
) -> None:
    before = another().fingerprint
    server.models["all-minilm:latest"] = DIGEST[::-1]

    assert another().fingerprint != before


def test_a_tag_is_part_of_the_name(another: Callable[..., OllamaEmbedder], server: OllamaServer) -> None:
    server.models["user/model:q4"] = "ab" * 32

    assert another("user/model:q4").fingerprint == "ollama/user/model:q4@" + "ab" * 8


@pytest.mark.parametrize("code", [404, 405, 501])
def test_a_server_that_lists_no_models_gives_a_fingerprint_without_digest(
    embedder: OllamaEmbedder, server: OllamaServer, code: int
) -> None:
    server.tags = status(code)

    assert embedder.fingerprint == "ollama/all-minilm:latest"


def test_a_list_that_fails_gives_no_fingerprint_rather_than_another_one(
    embedder: OllamaEmbedder, server: OllamaServer
) -> None:
    server.tags = status(500)
    with pytest.raises(UnavailableError):
        _ = embedder.fingerprint

    server.tags = None
    assert embedder.fingerprint.endswith(DIGEST[:16])


# faults: what is tried again, and what it is in the end

PASSING: dict[str, Step] = {
    "503": status(503),
    "500": status(500),
    "429": status(429),
    "dropped": dropped,
}
REFUSED: dict[str, Step] = {
    "400": status(400),
    "401": status(401),
    "404": status(404),
    "no json": body(b"<html>"),
    "json of another kind": body(b"[1, 2]"),
    "no embeddings": body(b'{"model": "all-minilm"}'),
    "embeddings of texts": body(b'{"model": "all-minilm", "embeddings": [["a", "b"]]}'),
    "empty": body(b""),
}
WRONG: dict[str, Step] = {
    "too few vectors": embeddings(lambda vectors: vectors[:-1]),
    "too many vectors": embeddings(lambda vectors: [*vectors, vectors[0]]),
    "no vectors": embeddings(lambda _: []),
    "another dimension": embeddings(lambda vectors: [[*vector, 0.5] for vector in vectors]),
    "different dimensions": embeddings(lambda vectors: [vectors[0][:-1], *vectors[1:]]),
    "empty vectors": embeddings(lambda vectors: [[] for _ in vectors]),
    "infinite": embeddings(lambda vectors: [[float("inf"), *vector[1:]] for vector in vectors]),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_tried_again(
    embedder: OllamaEmbedder, server: OllamaServer, waits: list[float], fault: str
) -> None:
    server.script = [PASSING[fault]] * len(WAITS)

    assert list(embedder.embed_query("tea")) == server.vectors(["tea"])[0]
    assert waits == list(WAITS)


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_does_not_pass_is_unavailable(
    embedder: OllamaEmbedder, server: OllamaServer, waits: list[float], fault: str
) -> None:
    server.script = [PASSING[fault]] * 10

    with pytest.raises(UnavailableError):
        embedder.embed_query(SECRET)
    assert len(server.inputs) == len(WAITS) + 1


@pytest.mark.parametrize("fault", REFUSED)
def test_what_would_be_refused_again_is_not_tried_again(
    embedder: OllamaEmbedder, server: OllamaServer, waits: list[float], fault: str
) -> None:
    server.script = [REFUSED[fault]]

    with pytest.raises(UnavailableError):
        embedder.embed_query(SECRET)
    assert waits == []


@pytest.mark.parametrize("fault", {**PASSING, **REFUSED})
def test_no_message_quotes_a_memory(embedder: OllamaEmbedder, server: OllamaServer, fault: str) -> None:
    server.script = [{**PASSING, **REFUSED}[fault]] * 10

    with pytest.raises(UnavailableError) as refused:
        embedder.embed_query(SECRET)

    assert "stone" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_model_that_is_missing_is_named_with_the_command_that_gets_it(another: Callable[..., OllamaEmbedder]) -> None:
    with pytest.raises(UnavailableError, match="ollama pull nomic-embed-text:latest"):
        another("nomic-embed-text").embed_query("tea")


def test_a_timeout_is_unavailable_and_not_waited_for_twice(
    another: Callable[..., OllamaEmbedder], server: OllamaServer, waits: list[float]
) -> None:
    server.script = [silent]

    with pytest.raises(UnavailableError, match="in time"):
        another(timeout=0.1).embed_query("tea")
    assert waits == []


def test_nobody_listening_is_unavailable_at_once(waits: list[float]) -> None:
    with ollama_server() as gone:
        pass

    with pytest.raises(UnavailableError, match="ollama serve"):
        OllamaEmbedder(host=gone.url, pause=waits.append).embed_query("tea")
    assert waits == []


# in a vault: a clear error or lexical answers, and nothing lost


def everything_went_on(folder: Path, embedder: OllamaEmbedder, server: OllamaServer, texts: list[str]) -> None:
    """What was stored without vectors is found by words now, and by vectors after `reembed`."""
    server.script = []
    with vaults.reopen(folder) as vault:
        assert sorted(vaults.texts(vault)) == sorted(texts)
        assert vault.verify(full=True)
    with vaults.reopen(folder, embedder=embedder) as vault:
        vault.reembed()
        for text in texts:
            assert vault.search(text, mode="dense")[0].memory.text == text


@pytest.mark.parametrize("fault", {**PASSING, **REFUSED})
def test_an_unreachable_model_loses_nothing(
    tmp_path: Path, embedder: OllamaEmbedder, server: OllamaServer, fault: str
) -> None:
    texts = ["green tea in the morning", "black coffee at noon", SECRET]
    with vaults.create(tmp_path, embedder=embedder) as vault:
        server.script = [{**PASSING, **REFUSED}[fault]] * 100
        with pytest.warns(EmbedderUnavailableWarning, match="reembed") as told:
            vault.add_many([Draft(content=text) for text in texts])
        assert not any(text in str(one.message) for text in texts for one in told)
        assert all(one.vectors == {} for one in vault.list())
        with pytest.warns(EmbedderUnavailableWarning, match="words alone"):
            assert vaults.found(vault, "coffee") == [texts[1]]
        with pytest.raises(UnavailableError):
            vault.search("coffee", mode="dense")
        with pytest.raises(UnavailableError):
            vault.reembed()
    everything_went_on(tmp_path, embedder, server, texts)


@pytest.mark.parametrize("fault", WRONG)
def test_vectors_that_can_not_be_are_an_error_and_nothing_is_written(
    tmp_path: Path, another: Callable[..., OllamaEmbedder], server: OllamaServer, fault: str
) -> None:
    with vaults.create(tmp_path, embedder=another(dimension=DIMENSION)) as vault:
        vault.add("kept", id="kept")
        server.script = [WRONG[fault]] * 10
        with pytest.raises(EmbedderMismatchError):
            vault.add_many([Draft(content="one"), Draft(content="two")])
        assert vaults.texts(vault) == ["kept"]
        server.script = []
        assert vaults.found(vault, "kept") == ["kept"]


def test_a_connection_that_drops_between_batches_loses_nothing(
    tmp_path: Path, embedder: OllamaEmbedder, server: OllamaServer
) -> None:
    texts = [f"text number {number}" for number in range(2 * BATCH)]
    with vaults.create(tmp_path, embedder=embedder) as vault:
        server.script = [well, *[dropped] * 10]
        with pytest.warns(EmbedderUnavailableWarning):
            vault.add_many([Draft(content=text) for text in texts])
        assert vault.count() == len(texts)
        server.script = [well, *[dropped] * 10]
        with pytest.raises(UnavailableError):
            vault.reembed(batch_size=BATCH)
        assert sum("default" in one.vectors for one in vault.list(limit=None)) == BATCH
    everything_went_on(tmp_path, embedder, server, texts)


def test_a_server_that_is_gone_when_the_vault_is_opened_is_no_reason_not_to(tmp_path: Path) -> None:
    with ollama_server() as gone:
        embedder = OllamaEmbedder(host=gone.url)
        with vaults.create(tmp_path, embedder=embedder) as vault:
            vault.add("green tea", id="tea")
    with vaults.reopen(tmp_path, embedder=OllamaEmbedder(host=gone.url)) as vault:
        with pytest.warns(EmbedderUnavailableWarning):
            assert vaults.found(vault, "tea") == ["green tea"]
        with pytest.warns(EmbedderUnavailableWarning):
            vault.update("tea", content="black tea")
        vault.update("tea", tags=["hot"])
        vault.pin("tea")
        vault.items("chat").put("row", b"1")
        vault.transact(lambda tx: tx.add("by a transaction", vector=[1.0] * DIMENSION))


def test_a_warning_names_the_line_that_called(tmp_path: Path) -> None:
    with ollama_server() as gone:
        pass
    with vaults.create(tmp_path, embedder=OllamaEmbedder(host=gone.url)) as vault:
        with pytest.warns(EmbedderUnavailableWarning) as told:
            vault.add("tea")
        assert told[0].filename == __file__


def test_a_warning_that_is_made_an_error_comes_after_the_commit(tmp_path: Path) -> None:
    with ollama_server() as gone:
        pass
    with vaults.create(tmp_path, embedder=OllamaEmbedder(host=gone.url)) as vault:
        with pytest.raises(EmbedderUnavailableWarning):  # as this suite's settings have it
            vault.add("tea")
        assert vaults.texts(vault) == ["tea"]


def test_threads_share_an_embedder(embedder: OllamaEmbedder, server: OllamaServer) -> None:
    found: dict[int, list[list[float]]] = {}

    def ask(number: int) -> None:
        found[number] = [list(vector) for vector in embedder.embed_documents([f"text {number}", "tea"])]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: server.vectors([f"text {number}", "tea"]) for number in range(8)}


# where memories may go

HERE = [
    "", "localhost", "127.0.0.1", "127.1.2.3:80", ":1234", "[::1]", "[::1]:11434", "http://localhost:11434/",
    "https://127.0.0.1", "0.0.0.0:11434", "[::]:11434", "HTTP://LOCALHOST",
]  # fmt: skip
ELSEWHERE = [
    "example.com", "http://example.com:11434", "192.168.1.5", "10.0.0.1:11434", "[fe80::1]", "localhost.example.com",
    "127.0.0.1.example.com", "http://127.0.0.1.nip.io", "1.1.1.1", "[::ffff:8.8.8.8]", "0x7f000001.example",
    "2130706433",
]  # fmt: skip
NOWHERE = ["ftp://localhost", "http://user@localhost", "localhost:99999", "http://exa mple", "http://a\\@b", "unix://x"]


@pytest.mark.parametrize("host", HERE)
def test_this_machine_needs_no_permission(host: str) -> None:
    OllamaEmbedder(host=host)


@pytest.mark.parametrize("host", ELSEWHERE)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_another_machine_needs_permission(monkeypatch: pytest.MonkeyPatch, host: str, by: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    given = {"host": host} if by == "argument" else {}

    with pytest.raises(InvalidInputError, match="allow_remote"):
        OllamaEmbedder(**given)
    OllamaEmbedder(**given, allow_remote=True)


@pytest.mark.parametrize("host", NOWHERE)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(InvalidInputError):
        OllamaEmbedder(host=host, allow_remote=True)


@pytest.mark.parametrize("model", ["gpt-oss:120b-cloud", "embed:cloud"])
def test_a_cloud_model_needs_permission_too(model: str) -> None:
    with pytest.raises(InvalidInputError, match="allow_remote"):
        OllamaEmbedder(model)
    OllamaEmbedder(model, allow_remote=True)


@pytest.mark.parametrize("model", ["", " \n", None, 3, "a\nb"])
def test_a_model_that_is_no_name_is_refused(model: Any) -> None:
    with pytest.raises(InvalidInputError):
        OllamaEmbedder(model)


def test_the_environment_names_the_host(
    monkeypatch: pytest.MonkeyPatch, server: OllamaServer, waits: list[float]
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url)

    assert OllamaEmbedder().dimension == DIMENSION


def test_no_proxy_sees_what_is_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, embedder: OllamaEmbedder, server: OllamaServer
) -> None:
    with ollama_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        OllamaEmbedder(host=server.url).embed_query("tea")

        assert (len(server.inputs), proxy.inputs) == (1, [])


def test_no_redirect_is_followed(embedder: OllamaEmbedder, server: OllamaServer) -> None:
    with ollama_server() as other:
        server.script = [redirect(other.url + "/api/embed")]
        with pytest.raises(UnavailableError):
            embedder.embed_query("tea")

        assert other.inputs == []


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ollama", None)

    with pytest.raises(UnavailableError, match=r"pip install 'strongroom\[ollama\]'"):
        OllamaEmbedder()

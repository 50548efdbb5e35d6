"""A space remembers its embedder: vectors of two models are never compared."""

from pathlib import Path
from typing import Any

import pytest

from support import vaults
from support.embedders import Fragile
from vault_core import (
    CallableEmbedder,
    EmbedderMismatchError,
    EmbedderUnavailableWarning,
    InvalidInputError,
    UnavailableError,
)

OTHERS = {"another name": Fragile("other", 16), "another dimension": Fragile("other", 8)}
CALLS: dict[str, Any] = {
    "search": lambda vault: vault.search("tea"),
    "dense": lambda vault: vault.search("tea", mode="dense"),
    "add": lambda vault: vault.add("coffee"),
    "update": lambda vault: vault.update("tea", content="coffee"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with vaults.create(tmp_path, embedder=Fragile("small", 16)) as vault:
        vault.add("green tea", id="tea")
    return tmp_path


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("other", OTHERS)
def test_another_embedder_is_refused_with_the_command_that_helps(home: Path, other: str, call: str) -> None:
    with vaults.reopen(home, embedder=OTHERS[other]) as vault:
        commits = vault.stats().commits
        with pytest.raises(EmbedderMismatchError, match="strongroom reembed"):
            CALLS[call](vault)
        assert vault.stats().commits == commits
        assert vaults.found(vault, "tea", mode="lexical") == ["green tea"]


def test_opening_with_another_embedder_is_allowed_for_it_may_take_over(home: Path) -> None:
    with vaults.reopen(home, embedder=Fragile("other", 8)) as vault:
        assert vault.count() == 1
        vault.reembed()
        assert vaults.found(vault, "tea") == ["green tea"]


def test_without_an_embedder_the_words_answer(home: Path) -> None:
    with vaults.reopen(home) as vault:
        assert vaults.found(vault, "tea") == ["green tea"]
        vault.add("black coffee")
        with pytest.raises(InvalidInputError, match="embedder"):
            vault.search("tea", mode="dense")


def test_a_space_of_ones_own_is_no_matter_of_the_embedder(home: Path) -> None:
    with vaults.reopen(home, embedder=Fragile("other", 8)) as vault:
        vault.update("tea", vectors={"image": [1.0, 0.0]}, index=False)
        assert vault.find_similar([1.0, 0.0], space="image")[0].memory.id == "tea"
        assert vault.search("green", space="image", query_vector=[1.0, 0.0], mode="dense")


BROKEN: dict[str, Any] = {
    "an exception": lambda _: 1 / 0,
    "not vectors": lambda texts: ["a"] * len(texts),
    "nothing": lambda _: None,
    "too few": lambda _: [],
    "nan": lambda texts: [[float("nan")] * 3] * len(texts),
    "another dimension": lambda texts: [[1.0] * 4] * len(texts),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_embedder_that_is_broken_is_an_error_of_the_vault(tmp_path: Path, what: str) -> None:
    with vaults.create(tmp_path, embedder=CallableEmbedder(BROKEN[what], dimension=3, fingerprint="x")) as vault:
        if what == "an exception":
            with pytest.warns(EmbedderUnavailableWarning, match="ZeroDivisionError"):
                vault.add("tea")
            with pytest.raises(UnavailableError):
                vault.search("tea", mode="dense")
        else:
            with pytest.raises(EmbedderMismatchError):
                vault.add("tea")
        assert vault.count() == (what == "an exception")


@pytest.mark.parametrize("dimension", [0, -1, 16_385, "3", 3.0, True, None])
def test_an_embedder_whose_dimension_is_none_is_refused(tmp_path: Path, dimension: Any) -> None:
    embedder = CallableEmbedder(lambda texts: [[1.0]] * len(texts), dimension=dimension, fingerprint="x")
    with vaults.create(tmp_path, embedder=embedder) as vault, pytest.raises(InvalidInputError, match="dimension"):
        vault.add("tea")


def test_a_fingerprint_that_is_no_text_is_refused(tmp_path: Path) -> None:
    embedder = CallableEmbedder(lambda texts: [[1.0]] * len(texts), dimension=1, fingerprint=3)  # type: ignore[arg-type]
    with vaults.create(tmp_path, embedder=embedder) as vault, pytest.raises(InvalidInputError, match="fingerprint"):
        vault.add("tea")


def test_vectors_of_the_caller_are_stored_while_the_embedder_is_out_of_reach(tmp_path: Path) -> None:
    class Shy(Fragile):
        @property
        def fingerprint(self) -> str:
            self._reach(1)
            return self.name

    with vaults.create(tmp_path, embedder=Shy("shy", 2, down=True)) as vault:
        vault.add("tea", vector=[1.0, 0.0])
        vault.transact(lambda tx: tx.add("coffee", vector=[0.0, 1.0]))

        assert [hit.memory.text for hit in vault.find_similar([1.0, 0.0])] == ["tea", "coffee"]


def test_a_transaction_names_the_embedder_of_its_space(tmp_path: Path) -> None:
    with vaults.create(tmp_path, embedder=Fragile("small", 2)) as vault:
        vault.transact(lambda tx: tx.add("coffee", vector=[0.0, 1.0]))
        assert vault.stats().spaces["default"].fingerprint == "small"

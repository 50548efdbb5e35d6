"""sentence-transformers: embeddings of a model in a folder, computed in this process.

Rules:
- Nothing is downloaded unless the caller says so: a name that is no folder needs `allow_download=True`.
- A model's folder is data: no code of its own is run, and weights are read from safetensors alone, never from a pickle.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from vault_core.errors import InvalidInputError, UnavailableError
from vault_core.memory.draft import check_label
from vault_core.memory.model import Vector

BATCH = 32  # texts at a time: enough to fill two cores, and padding to the longest of them wastes little


class SentenceTransformerEmbedder:
    """Vectors from a sentence-transformers model, which is loaded at once. Safe from several threads.

    `model` is the model's folder, or with `allow_download` a name on the Hugging Face hub. `device` is torch's name of
    what computes; by default the best there is.

    The fingerprint is `sentence-transformers@` and the beginning of a SHA-256 over the weights and the settings that
    change vectors: the same model is the same embedder wherever it lies and however it came there.

    Raises:
        InvalidInputError: there is no such folder, or no model in it.
        UnavailableError: the package is missing, or the download failed.
    """

    def __init__(self, model: str | Path, *, allow_download: bool = False, device: str | None = None) -> None:
        """See the class."""
        check_label(str(model), "model")
        folder = Path(model).expanduser()
        if not folder.is_dir() and not allow_download:
            raise InvalidInputError(
                f"there is no folder {str(model)!r}; to have a model of this name downloaded from huggingface.co, "
                "say allow_download=True"
            )
        self._model = _loaded(str(folder) if folder.is_dir() else str(model), device, local=folder.is_dir())
        self._lock = threading.Lock()  # a tokenizer can't be used by two threads at once
        self.dimension = len(self.embed_query("dimension"))
        self.fingerprint = f"sentence-transformers@{_digest(self._model)[:24]}"

    def embed_documents(self, texts: Sequence[str]) -> Sequence[Vector]:
        """See `Embedder.embed_documents`."""
        with self._lock:
            return list(self._model.encode_document(list(texts), batch_size=BATCH, show_progress_bar=False))

    def embed_query(self, text: str) -> Vector:
        """See `Embedder.embed_query`."""
        with self._lock:
            vector: Vector = self._model.encode_query(text, show_progress_bar=False)
            return vector

    def __repr__(self) -> str:
        return f"<SentenceTransformerEmbedder {self.fingerprint}>"


def _loaded(name: str, device: str | None, *, local: bool) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UnavailableError("SentenceTransformerEmbedder needs: pip install 'strongroom[local]'") from None
    try:
        with _without_bars():
            return SentenceTransformer(
                name,
                device=device,
                local_files_only=local,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
    except Exception as error:
        if local:
            raise InvalidInputError("this folder holds no sentence-transformers model with safetensors") from error
        raise UnavailableError(f"the model {name!r} could not be downloaded") from error


@contextmanager
def _without_bars() -> Iterator[None]:
    """Loading takes a second; a bar for it would stand in the way of the caller's own output."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _digest(model: Any) -> str:
    import torch

    digest = sha256()
    for weights in model.parameters():
        plain = weights.detach().cpu().contiguous().flatten()
        digest.update(repr((tuple(weights.shape), str(weights.dtype))).encode())
        digest.update(plain.view(torch.uint8).numpy().data)
    modules = [(type(one).__name__, str(getattr(one, "pooling_mode", ""))) for one in model.children()]
    prompts = sorted((name, text) for name, text in model.prompts.items() if text)
    settings = (modules, prompts, model.default_prompt_name, model.max_seq_length, model.truncate_dim)
    digest.update(repr(settings).encode())
    return digest.hexdigest()

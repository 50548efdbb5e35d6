"""Index a folder of notes with LlamaIndex, close the vault, open it elsewhere, and ask.

Run it: `python examples/llamaindex_folder.py`. It needs `pip install 'strongroom[llamaindex]'`, no network and no
model: a small embedding by words stands in for yours (`HuggingFaceEmbedding`, `OllamaEmbedding`, …).
"""

import re
import subprocess
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path

from llama_index.core import Document, VectorStoreIndex, load_index_from_storage
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.node_parser import TokenTextSplitter

from llamaindex_strongroom import storage_context
from vault_core import FileKey, Vault, new_key_text

NOTES = {
    "garden.txt": "The tomatoes went into the south bed in May. Water them every second evening.",
    "travel.txt": "Nora's flight to Lisbon leaves on Friday at nine. The hotel is near the river.",
    "house.txt": "The boiler is serviced each October. The plumber's name is on the fridge.",
}


class WordEmbedding(BaseEmbedding):
    """Texts that share words are near. Put your own model here."""

    model_name: str = "words"

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [0.0] * 256
        for word in re.findall(r"\w+", text.lower()):
            vector[blake2b(word.encode(), digest_size=1).digest()[0]] += 1.0
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def index(folder: Path, vault_file: Path, key: FileKey) -> None:
    """Index every text file of a folder into a new vault."""
    documents = [
        Document(text=path.read_text("utf-8"), id_=path.name, metadata={"file": path.name})
        for path in sorted(folder.glob("*.txt"))
    ]
    with Vault.create(vault_file, unlock=key, owner="anna") as vault:
        VectorStoreIndex.from_documents(
            documents,
            storage_context=storage_context(vault),
            embed_model=WordEmbedding(),
            transformations=[TokenTextSplitter(chunk_size=128)],
        )
        print(f"indexed {len(documents)} files, {vault.count()} chunks")


def ask(vault_file: Path, key: FileKey, question: str) -> None:
    """Ask an index that another process has made."""
    with Vault.open(vault_file, unlock=key) as vault:
        found = load_index_from_storage(storage_context(vault), embed_model=WordEmbedding())
        for hit in found.as_retriever(similarity_top_k=1, vector_store_query_mode="hybrid").retrieve(question):
            print(f"{hit.node.metadata['file']}: {hit.node.get_content()}")


def main() -> None:
    """Index here, ask in another process."""
    if sys.argv[1:]:
        vault_file, key_file, question = sys.argv[1:]
        ask(Path(vault_file), FileKey(Path(key_file)), question)
        return
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        key_file, vault_file = work / "anna.key", work / "anna.vault"
        key_file.write_text(new_key_text("file"), "ascii")
        notes = work / "notes"
        notes.mkdir()
        for file, text in NOTES.items():
            (notes / file).write_text(text, "utf-8")
        index(notes, vault_file, FileKey(key_file))
        elsewhere = [sys.executable, __file__, str(vault_file), str(key_file), "When is the flight to Lisbon?"]
        print(subprocess.run(elsewhere, check=True, capture_output=True, text=True).stdout, end="")


if __name__ == "__main__":
    main()

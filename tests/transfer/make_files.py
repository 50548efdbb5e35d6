"""Makes the files of other systems that the tests here read, each with that system's own published package.

They are committed, so that the suite needs none of the packages. To make them anew (versions as of the commit):

    python3 -m venv VENV && VENV/bin/pip install vaultmem==0.3.3   # and 0.1.3, 0.2.1: an environment each
    VENV/bin/python tests/transfer/make_files.py vaultmem FOLDER

    npm install @modelcontextprotocol/server-memory@2026.8.31
    python3 tests/transfer/make_files.py knowledge-graph FOLDER SERVER  # its dist/index.js, in node_modules

    python3 -m venv VENV && VENV/bin/pip install mem0ai==2.2.1
    VENV/bin/python tests/transfer/make_files.py mem0 FOLDER

Nothing of this project is imported here, for none of it is installed there. Beside a VaultMem vault lies what its own
package says is in it (`truth.json`).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PASSPHRASE = "correct horse battery staple"
DIMENSION = 96
_NODE = shutil.which("node") or "node"

FACTS = (
    "I met Bob at the AI conference in Lisbon yesterday and we talked about sealed indexes for an hour",
    "The capital of Portugal is Lisbon",
    "I prefer short answers and tea without sugar",
    "To restart the router, first unplug it, then wait ten seconds, then plug it in again",
    "Größe 42, naïve café — 東京 🍵",
    "We walked along the river on Tuesday and had grilled sardines for lunch at the old market hall",
)


class Embedder:
    """A vector for every text, made of its bytes: the same everywhere, no model."""

    dimension = DIMENSION

    def embed(self, text):
        """Unit length, as VaultMem's own embedder gives them."""
        state, numbers = 2166136261, []
        for at in range(DIMENSION):
            for byte in text.encode() + bytes([at % 256]):
                state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
            numbers.append(state / 0xFFFFFFFF - 0.5)
        length = sum(number * number for number in numbers) ** 0.5
        return [number / length for number in numbers]

    def embed_batch(self, texts):
        """One after the other."""
        return [self.embed(text) for text in texts]


def vaultmem(folder: Path) -> None:
    """A vault of this package's version, with everything that its atoms can hold, and what the package reads back."""
    import vaultmem as package

    vault, embedder = folder / "vault", Embedder()
    with package.VaultSession.create(vault, passphrase=PASSPHRASE, owner="alice", embedder=embedder) as session:
        atoms = [session.add(text, confidence=0.5 + at / 20) for at, text in enumerate(FACTS)]
        session.add("An atom that was never embedded", auto_embed=False)
        session.flush()
        _aggregates(session, atoms, embedder)
        if hasattr(session, "add_media"):
            note = folder / "note.txt"
            note.write_text("Minutes of the meeting: the roof is to be mended in May.")
            session.add_media(note, caption="Meeting notes", override_captured_at=1_700_000_000)
            note.unlink()
    truth = _truth(package, vault, embedder)
    (folder / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n")
    _backend(package, folder / "blobs", embedder)
    if package.__version__ >= "0.3":
        (folder / "export.vmem").write_bytes(_export(package, vault, embedder))
    (vault / "session.lock").unlink()


def _aggregates(session, atoms, embedder) -> None:
    """No method of the package makes composites, affinities and corrections; its own classes do."""
    from vaultmem.models import Granularity, MemoryObject, PolicyObject

    def put(content, **fields):
        made = MemoryObject(id="", type=atoms[0].type, content=content, size_tokens=9, owner="alice", **fields)
        made.embedding = embedder.embed(content)
        session._mem.atoms[made.id] = made
        session._mem.mark_dirty()
        return made

    ids = [atom.id for atom in atoms]
    put("Travels to Lisbon", granularity=Granularity.COMPOSITE, composite_of=ids[:3], created_at=1_710_000_000)
    put(
        "Walks on Tuesdays",
        granularity=Granularity.AFFINITY,
        affinity_of=[ids[0], ids[5]],
        frequency_count=7,
        first_observed_at=1_690_000_000,
        last_observed_at=1_709_000_000,
        significance=0.83,
        created_at=1_709_500_000,
    )
    correction = put(
        "The capital of Portugal is Lisboa",
        granularity=Granularity.ATOM,
        supersedes=[ids[1]],
        created_at=1_711_000_000,
        permissions=PolicyObject(caregiver_read=False, export_allowed=True, retention_days=36_500),
    )
    old = put("A thing that was aged out", granularity=Granularity.ATOM, created_at=1_600_000_000)
    old.is_churned, old.churn_reason = True, "AGE"
    correction.language = "pt"


def _truth(package, vault: Path, embedder) -> list:
    with package.VaultSession.open(vault, passphrase=PASSPHRASE, embedder=embedder) as session:
        return [atom.to_dict() for atom in session._mem.atoms.values()]


def _export(package, vault: Path, embedder) -> bytes:
    """The vault as one file. The package can write it, though no method of a session does."""
    import base64

    from vaultmem.vault import FILE_TYPE_EXPORT, write_vmem

    slot = json.loads((vault / "meta.json").read_text())["credential_slots"][0]
    names = ("kdf_salt", "wrapped_mek_iv", "wrapped_mek_ct", "wrapped_mek_tag")
    credentials = tuple(base64.b64decode(slot[name]) for name in names)
    with package.VaultSession.open(vault, passphrase=PASSPHRASE, embedder=embedder) as session:
        return write_vmem(bytes(session._mek), session._mem, FILE_TYPE_EXPORT, credentials)


def _backend(package, folder: Path, embedder) -> None:
    """A vault whose atoms are blobs: a file each."""
    from vaultmem.index import SQLiteSearchIndex
    from vaultmem.storage import FileBlobStore

    folder.mkdir()
    stores = {"blob_store": FileBlobStore(folder), "search_index": SQLiteSearchIndex(folder / "search.db")}
    with package.VaultSession.create(folder, PASSPHRASE, "alice", embedder=embedder, **stores) as session:
        for text in FACTS[:2]:
            session.add(text)
    for name in ("session.lock", "search.db", "search.db-wal", "search.db-shm"):
        (folder / name).unlink(missing_ok=True)


def knowledge_graph(folder: Path, server: str) -> None:
    """The file that the reference memory server writes, asked over its standard input like any client does."""
    file = folder / "memory.jsonl"
    environment = {**os.environ, "MEMORY_FILE_PATH": str(file.resolve())}
    calls = (
        (
            "create_entities",
            {
                "entities": [
                    {"name": "Alice", "entityType": "person", "observations": ["Drinks tea", "Lives in Lisbon"]},
                    {"name": "Sardine & Söhne", "entityType": "organization", "observations": ["Sells grilled fish"]},
                    {"name": "Lisbon", "entityType": "city", "observations": []},
                ]
            },
        ),
        (
            "create_relations",
            {
                "relations": [
                    {"from": "Alice", "to": "Lisbon", "relationType": "lives in"},
                    {"from": "Sardine & Söhne", "to": "Lisbon", "relationType": "is located in"},
                ]
            },
        ),
        (
            "add_observations",
            {
                "observations": [
                    {"entityName": "Alice", "contents": ["Prefers short answers\nand no sugar", "Knows 東京"]}
                ]
            },
        ),
        ("delete_observations", {"deletions": [{"entityName": "Alice", "observations": ["Drinks tea"]}]}),
        ("read_graph", {}),
    )
    with subprocess.Popen(
        [_NODE, server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        _ask(process, 0, "initialize", _INITIALIZE)
        _send(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, (name, arguments) in enumerate(calls, 1):
            answer = _ask(process, number, "tools/call", {"name": name, "arguments": arguments})
        process.stdin.close()
    graph = answer["result"]["structuredContent"]
    (folder / "graph.json").write_text(json.dumps(graph, ensure_ascii=False, indent=1) + "\n")


_INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "make_files", "version": "1"},
}


def _send(process, message) -> None:
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def _ask(process, number: int, method: str, parameters) -> dict:
    _send(process, {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})
    for line in process.stdout:
        answer = json.loads(line)
        if answer.get("id") == number:
            if "error" in answer or answer["result"].get("isError"):
                raise SystemExit(f"the server refused {method}")
            return answer
    raise SystemExit("the server stopped")


def _embed(_, text, action=None):
    """`action` says what the vector is for."""
    return Embedder().embed(text) if action != "none" else None


def mem0(folder: Path) -> None:
    """What `Memory.get_all` gives, with a local store and an embedder that needs no network."""
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ.setdefault("OPENAI_API_KEY", "none")  # the constructor wants one; with infer=False no model is asked
    os.environ["MEM0_DIR"] = str(folder / "state")
    from mem0 import Memory
    from mem0.configs.base import MemoryConfig
    from mem0.utils import factory

    store = {"provider": "qdrant", "config": {"path": str(folder / "qdrant"), "embedding_model_dims": DIMENSION}}
    plain = type("Plain", (), {"embed": _embed, "config": None})
    factory.EmbedderFactory.create = classmethod(lambda *_: plain())
    memory = Memory(MemoryConfig(vector_store=store, history_db_path=str(folder / "history.db")))
    chat = [
        {"role": "user", "content": FACTS[0]},
        {"role": "assistant", "content": "Noted: Bob, Lisbon, sealed indexes."},
    ]
    memory.add(chat, user_id="alice", agent_id="planner", run_id="session-1", infer=False)
    memory.add(FACTS[2], user_id="alice", infer=False, metadata={"topic": "style", "tags": ["tea"]})
    memory.add(FACTS[4], user_id="alice", infer=False)
    given = memory.get_all(filters={"user_id": "alice"}, top_k=100)
    (folder / "get_all.json").write_text(json.dumps(given, ensure_ascii=False, indent=1) + "\n")


def main() -> None:
    """The first argument says what is made, the second where."""
    kind, folder, *rest = sys.argv[1:]
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    {"vaultmem": vaultmem, "knowledge-graph": knowledge_graph, "mem0": mem0}[kind](where, *rest)


if __name__ == "__main__":
    main()

"""The steps of `strongroom demo`, each with what it showed and whether that held.

Rules:
- Whatever looks at raw bytes, and whatever has to be a second session, is a process of its own.
- A secret reaches those processes through a file, never through their arguments.
- A step that looks for nothing also shows that it would have found something.
"""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import vault_core
from vault_core import FileKey, KdfParameters, Vault, new_key_text
from vault_core.cli import codes
from vault_core.cli.conversation import Conversation, Question

QUESTION = "When does Maya go to the lido?"
TOP_K = 10
ANSWERED = 0.25  # of the questions: less than words alone reach without a model, and five times what chance does
PEEK = Path(__file__).with_name("peek.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what was done, whether it held, how long it took, and what it showed."""

    what: str
    held: bool
    seconds: float
    shows: str


class Rehearsal:
    """A vault's life in one folder, which has to be empty and is left as it is."""

    def __init__(self, folder: Path, *, cost: KdfParameters | None = None) -> None:
        self.folder, self._cost = folder, cost
        self._vault, self._copy = folder / "vault" / "maya.vault", folder / "copy" / "maya.vault"
        self._plain = folder / "plain" / "conversation.txt"
        self.passphrase_file, self._key_file = folder / "passphrase", folder / "key"
        self._state = folder / "state"
        self._talk = Conversation()
        self._passphrase = "-".join(secrets.token_hex(3) for _ in range(6))
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")},
            "PYTHONPATH": os.pathsep.join([str(Path(vault_core.__file__).parents[1]), *_python_path()]),
            "STRONGROOM_STATE_DIR": str(self._state),
        }

    def steps(self) -> Iterator[Step]:
        """Run the steps, one after the other."""
        self._prepare()
        with _state_in(self._state):
            made, step = self._timed("make a vault, for a passphrase and a key file", self._make)
            yield step
            with made as vault:
                empty = self._peek("find", self._vault.parent, given=self._talk.words())["found"]
                yield self._timed("store the conversation", lambda: self._store(vault))[1]
                yield self._timed("search it from a second process", self._search_elsewhere)[1]
                yield self._timed("ask all questions about it here", lambda: self._ask(vault))[1]
                yield self._timed("look for its words in the files", lambda: self._look(empty))[1]
        yield self._timed("copy the vault and verify the copy", self._copied)[1]
        yield self._timed("flip one bit in the copy", self._tampered)[1]

    def _prepare(self) -> None:
        for path in (self._vault, self._copy, self._plain):
            path.parent.mkdir()
        self._plain.write_text("\n".join(self._talk.texts()), encoding="utf-8")
        for path, secret in ((self.passphrase_file, self._passphrase), (self._key_file, new_key_text("file"))):
            path.touch(mode=0o600)
            path.write_text(secret + "\n", encoding="ascii")

    def _make(self) -> tuple[Vault, bool, str]:
        vault = Vault.create(self._vault, passphrase=self._passphrase, owner="Maya", kdf=self._cost)
        vault.add_slot(FileKey(self._key_file))
        return vault, True, f"{vault.stats().store_bytes:,} bytes, nothing in it"

    def _store(self, vault: Vault) -> tuple[None, bool, str]:
        sessions = self._talk.sessions()
        for drafts in sessions:
            vault.add_many(drafts)
        stats, given = vault.stats(), self._plain.stat().st_size
        held = stats.memories == sum(map(len, sessions))
        return None, held, f"{stats.memories} memories, {given:,} bytes of text, {stats.store_bytes:,} in the vault"

    def _search_elsewhere(self) -> tuple[None, bool, str]:
        done = self._strongroom(
            self.passphrase_file, "search", "--json", "--top-k", str(TOP_K), "--vault", str(self._vault), QUESTION
        )
        hits = json.loads(done.stdout)["hits"] if done.returncode == codes.OK else []
        wanted = next(question for question in self._talk.questions() if question.text == QUESTION)
        right = next((hit["memory"] for hit in hits if hit["memory"]["id"] in wanted.answers), None)
        return None, right is not None, f"{QUESTION}\n{right['content'] if right else 'no answer'}"

    def _ask(self, vault: Vault) -> tuple[None, bool, str]:
        took, answered, questions = [], 0, self._talk.questions()
        for question in questions:
            began = time.perf_counter()
            answered += _answered(vault, question)
            took.append(time.perf_counter() - began)
        shows = f"{median(took) * 1000:.1f} ms each; {answered} of {len(questions)} answered by words alone, no model"
        return None, answered >= ANSWERED * len(questions), shows

    def _look(self, empty: list[str]) -> tuple[None, bool, str]:
        """What an empty vault holds as well are the format's own words ("address"), not the conversation's."""
        words = sorted(set(self._talk.words()) - set(empty))
        sealed = self._peek("find", self._vault.parent, given=words)
        state = self._peek("find", self._state, given=words)
        plain = self._peek("find", self._plain.parent, given=words)
        found = {*sealed["found"], *state["found"]}
        size = sealed["bytes"] + state["bytes"]
        shows = f"{len(found)} of {len(words):,} in {size:,} bytes; {len(plain['found']):,} in the text itself"
        return None, not found and len(plain["found"]) == len(words), shows

    def _copied(self) -> tuple[None, bool, str]:
        self._peek("copy", self._vault, self._copy)
        done = self._strongroom(self._key_file, "verify", "--full", "--json", "--vault", str(self._copy))
        report = json.loads(done.stdout) if done.returncode == codes.OK else {}
        return None, bool(report), f"{report.get('commits')} commits, {report.get('records')} records, all as written"

    def _tampered(self) -> tuple[None, bool, str]:
        offset = self._peek("flip", self._copy)["offset"]
        done = self._strongroom(self._key_file, "verify", "--json", "--vault", str(self._copy))
        if done.returncode != codes.OF_KIND[vault_core.VaultTamperedError]:
            return None, False, f"byte {offset:,}; exit code {done.returncode}"
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        shows = f"byte {offset:,}; refused with exit code {done.returncode}, {error['kind']}: {error['message']}"
        return None, error["kind"] == "VaultTamperedError", shows

    def _timed(self, what: str, work: Callable[[], tuple[Any, bool, str]]) -> tuple[Any, Step]:
        began = time.perf_counter()
        value, held, shows = work()
        return value, Step(what=what, held=held, seconds=round(time.perf_counter() - began, 3), shows=shows)

    def _strongroom(self, secret: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        # -P: what lies in the present folder under our name is not our program.
        return self._run("-P", "-m", "vault_core.cli", *arguments, STRONGROOM_PASSPHRASE_FILE=str(secret))

    def _peek(self, verb: str, *paths: Path, given: Any = None) -> Any:
        done = self._run("-I", str(PEEK), verb, *map(str, paths), given=json.dumps(given))
        done.check_returncode()
        return json.loads(done.stdout)

    def _run(self, *arguments: str, given: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603  the program run is this interpreter
            [sys.executable, *arguments],
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=self._environment | variables,
            check=False,
        )


def _python_path() -> list[str]:
    """What this process was told to import from; behind it, so that the second process is the same program."""
    path = os.environ.get("PYTHONPATH")
    return [path] if path else []


def _answered(vault: Vault, question: Question) -> bool:
    return any(hit.memory.id in question.answers for hit in vault.search(question.text, top_k=TOP_K))


@contextmanager
def _state_in(folder: Path) -> Iterator[None]:
    """Keep this machine's own anchors out of it."""
    before = os.environ.get("STRONGROOM_STATE_DIR")
    os.environ["STRONGROOM_STATE_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["STRONGROOM_STATE_DIR"]
        else:
            os.environ["STRONGROOM_STATE_DIR"] = before

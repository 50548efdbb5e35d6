"""The corpora of patterns and facts as vaults: what people noted from day to day, and what they ask later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support import vaults
from vault_core import Draft, Memory, Vault
from vault_core.testing import FakeClock

CORPORA = ("corpus_one", "corpus_two")
LATER = datetime(2025, 7, 1, 9, tzinfo=UTC)  # weeks after the last day of both


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    id: str
    kind: str
    text: str
    atoms: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    atoms: Sequence[dict[str, Any]]
    questions: Sequence[Question]

    def asked(self, kind: str) -> list[Question]:
        return [question for question in self.questions if question.kind == kind]


def load(name: str) -> Corpus:
    raw = json.loads(Path(__file__).with_name(f"{name}.json").read_text("utf-8"))
    questions = [Question(**{**one, "atoms": frozenset(one["atoms"])}) for one in raw["questions"]]
    return Corpus(atoms=raw["atoms"], questions=questions)


def vault_of(corpus: Corpus, folder: Path, *, now: datetime = LATER, **options: Any) -> Vault:
    vault = FakeClock(now).drive(vaults.create(folder, **options))
    vault.add_many(
        Draft(id=atom["id"], content=atom["text"], memory_type=atom["type"], event_time=f"{atom['day']}T12:00:00Z")
        for atom in corpus.atoms
    )
    return vault


def is_pattern_of(memory: Memory, question: Question) -> bool:
    """Whether a memory is an affinity whose atoms are mostly those that the question asks for."""
    named = set(memory.metadata["atoms"]) if memory.tier == "AFFINITY" else set()
    return len(named & question.atoms) > len(named) / 2


def pattern_rank(vault: Vault, question: Question) -> int | None:
    hits = vault.search(question.text, top_k=50)
    return next((at for at, hit in enumerate(hits, 1) if is_pattern_of(hit.memory, question)), None)


def fact_rank(vault: Vault, question: Question) -> int | None:
    hits = vault.search(question.text, top_k=50)
    return next((at for at, hit in enumerate(hits, 1) if hit.memory.id in question.atoms), None)


def mrr(ranks: Mapping[str, int | None]) -> float:
    return sum(0.0 if rank is None else 1 / rank for rank in ranks.values()) / len(ranks)

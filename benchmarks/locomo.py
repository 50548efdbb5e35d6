"""Recall on LoCoMo: how much of the evidence a search finds. `python -m benchmarks.locomo --data FILE [--vectors NPZ]`.

LoCoMo (Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM Agents", ACL 2024) is CC BY-NC 4.0 and
does not come with this project. FILE is its JSON: a list of conversations with `sample_id`, `conversation` and `qa`.
NPZ may hold vectors made before: `turn_key` ("sample/dia_id") with `turn_vec`, `question_key` ("sample/number") with
`question_vec`.

The measure: one memory for each turn, one namespace for each conversation, one thread for each session, the speaker as
source, the session's date as event time. For every question with valid evidence, frac@k is the part of the evidence
that is among the first k hits; MRR is the mean of one over the rank of the first. Peers answer the same questions in
the same run, over the same turns.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import plain_recall
from vault_core import Draft, Vault

AT = (5, 10, 20)
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
_EVIDENCE = re.compile(r"D:?(\d+):0*(\d+)")
_MADE_AT = "%I:%M %p on %d %B, %Y"

Vector = NDArray[np.float32]
Search = Callable[["Question"], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    key: str
    session: int
    speaker: str
    text: str
    date: datetime
    vector: Vector | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, and the turns that answer it."""

    sample: str
    text: str
    category: int
    evidence: frozenset[str]
    vector: Vector | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Everything about one conversation."""

    sample: str
    turns: Sequence[Turn]
    questions: Sequence[Question]


@dataclass(frozen=True, slots=True)
class Score:
    """How one question was answered."""

    sample: str
    category: int
    found: tuple[float, ...]  # frac@k for each k of AT
    reciprocal: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locomo", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the conversations, as JSON")
    parser.add_argument("--vectors", type=Path, help="vectors of turns and questions, as NPZ")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    given = parser.parse_args(arguments)
    results = measured(conversations(given.data, given.vectors), with_vectors=given.vectors is not None)
    print(json.dumps({name: summary(scores) for name, scores in results.items()}) if given.json else table(results))


def measured(data: Sequence[Conversation], *, with_vectors: bool) -> dict[str, list[Score]]:
    """The scores of the vault and of its peers, by name."""
    results: dict[str, list[Score]] = {}
    with tempfile.TemporaryDirectory() as folder, vault_of(data, Path(folder) / "locomo.vault") as vault:
        if with_vectors:
            results["strongroom, with vectors"] = scored(data, searched(vault, with_vectors=True))
        results["strongroom, no vectors"] = scored(data, searched(vault, with_vectors=False))
        results |= {name: scored(data, search) for name, search in plain_recall.peers(data, with_vectors).items()}
    return results


def vault_of(data: Sequence[Conversation], path: Path) -> Vault:
    """A vault that remembers every turn."""
    vault = Vault.create(path, passphrase="measuring recall on long conversations")
    for one in data:
        vault.add_many(
            Draft(
                content=turn.text,
                id=turn.key,
                namespace=[one.sample],
                source=turn.speaker,
                thread=f"session {turn.session}",
                event_time=turn.date,
                vector=turn.vector,
            )
            for turn in one.turns
        )
    return vault


def searched(vault: Vault, *, with_vectors: bool) -> Search:
    """The vault's own search, everything at its default."""

    def search(question: Question) -> Sequence[str]:
        hits = vault.search(
            question.text,
            namespace=[question.sample],
            top_k=max(AT),
            query_vector=question.vector if with_vectors else None,
        )
        return [hit.memory.id for hit in hits]

    return search


def scored(data: Sequence[Conversation], search: Search) -> list[Score]:
    """The scores of all questions."""
    return [score(question, search(question)) for one in data for question in one.questions]


def score(question: Question, found: Sequence[str]) -> Score:
    """How much of the evidence was found."""
    parts = tuple(len(question.evidence & set(found[:at])) / len(question.evidence) for at in AT)
    rank = next((place for place, key in enumerate(found, start=1) if key in question.evidence), 0)
    return Score(question.sample, question.category, parts, 1 / rank if rank else 0.0)


def summary(scores: Sequence[Score]) -> dict[str, float]:
    """Means over all questions, and frac@10 for each category."""
    means = np.mean([[*one.found, one.reciprocal] for one in scores], axis=0)
    named = {f"frac@{at}": float(mean) for at, mean in zip(AT, means, strict=False)} | {"mrr": float(means[-1])}
    ten = AT.index(10)
    for number, name in CATEGORIES.items():
        of_kind = [one.found[ten] for one in scores if one.category == number]
        if of_kind:
            named[name] = float(np.mean(of_kind))
    return named


def table(results: dict[str, list[Score]]) -> str:
    """All of it, as Markdown."""
    summaries = {name: summary(scores) for name, scores in results.items()}
    columns = list(dict.fromkeys(column for one in summaries.values() for column in one))
    count = len(next(iter(results.values())))
    lines = [
        f"{count} questions; categories are frac@10",
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for name, one in summaries.items():
        lines.append(f"| {name} | {' | '.join(f'{one[column]:.3f}' if column in one else '' for column in columns)} |")
    return "\n".join(lines)


def conversations(data: Path, vectors: Path | None) -> list[Conversation]:
    """The conversations of a file, with their vectors."""
    turns, asked = {}, {}
    if vectors is not None:
        with np.load(vectors, allow_pickle=False) as made:
            turns = dict(zip(made["turn_key"].tolist(), made["turn_vec"].astype(np.float32), strict=True))
            asked = dict(zip(made["question_key"].tolist(), made["question_vec"].astype(np.float32), strict=True))
    return [_conversation(one, turns, asked) for one in json.loads(data.read_text("utf-8"))]


def _conversation(one: dict[str, Any], turns: dict[str, Vector], asked: dict[str, Vector]) -> Conversation:
    sample = one["sample_id"]
    said = list(_turns(sample, one["conversation"], turns))
    keys = {turn.key for turn in said}
    questions = []
    for number, question in enumerate(one["qa"]):
        named = {f"D{session}:{turn}" for session, turn in _EVIDENCE.findall(" ".join(map(str, question["evidence"])))}
        if named & keys:
            questions.append(
                Question(
                    sample=sample,
                    text=question["question"],
                    category=question["category"],
                    evidence=frozenset(named & keys),
                    vector=asked.get(f"{sample}/{number}"),
                )
            )
    return Conversation(sample=sample, turns=said, questions=questions)


def _turns(sample: str, conversation: dict[str, Any], vectors: dict[str, Vector]) -> Iterator[Turn]:
    sessions = sorted(int(key.split("_")[1]) for key in conversation if re.fullmatch(r"session_\d+", key))
    for number in sessions:
        date = datetime.strptime(conversation[f"session_{number}_date_time"], _MADE_AT).replace(tzinfo=UTC)
        for turn in conversation[f"session_{number}"]:
            caption = turn.get("blip_caption")
            yield Turn(
                key=turn["dia_id"],
                session=number,
                speaker=turn["speaker"],
                text=turn["text"] + (f" [shares {caption}]" if caption else ""),
                date=date,
                vector=vectors.get(f"{sample}/{turn['dia_id']}"),
            )


if __name__ == "__main__":
    main()

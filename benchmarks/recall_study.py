"""What the parts of the ranking are worth, and whether its numbers fit more than what they were tried on.

`python -m benchmarks.recall_study --data FILE [--vectors NPZ]`, with the files of `benchmarks.locomo`.

- Ablation: every part of a score switched off by itself.
- Leave one out: for each conversation, every number is set to whatever does best on the *other* conversations (three
  quarters of it, itself, four thirds: one number at a time, kept if better), then this conversation is measured. What a
  choice of numbers gains on the conversations that it was chosen for, it must not lose on one that it has not seen.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.locomo import AT, Conversation, Score, conversations, scored, searched, summary, vault_of
from vault_core import Vault
from vault_core.retrieval import lexical, ranking

Setting = tuple[ModuleType, str]

PARTS: dict[str, list[Setting]] = {
    "the turns around": [(lexical, "AROUND")],
    "the conversation (thread)": [(lexical, "THREAD")],
    "words that follow each other": [(lexical, "PHRASE")],
    "the vector's cosine": [(ranking, "COSINE")],
    "context: the next turn and the one before": [(ranking, "BESIDE")],
    "context: answers to a question": [(ranking, "ANSWER")],
    "who said it": [(ranking, "NAMED")],
    "a date or number where one is asked for": [(ranking, "WANTED")],
    "a turn that asks says little": [(ranking, "ASKING")],
    "the time that a question names": [(ranking, "DATED")],
    "importance and freshness": [(ranking, "IMPORTANT"), (ranking, "FRESH")],
}
TRIED: list[Setting] = [
    *((lexical, name) for name in ("K1", "B", "AROUND", "THREAD", "PHRASE")),
    *((ranking, name) for name in ("COSINE", "ANSWER", "BESIDE", "NAMED", "WANTED", "ASKING")),
]
FACTORS = (0.75, 4 / 3)
TEN = AT.index(10)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall_study", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the conversations, as JSON")
    parser.add_argument("--vectors", type=Path, help="vectors of turns and questions, as NPZ")
    given = parser.parse_args(arguments)
    data = conversations(given.data, given.vectors)
    modes = [True, False] if given.vectors is not None else [False]
    with tempfile.TemporaryDirectory() as folder, vault_of(data, Path(folder) / "locomo.vault") as vault:
        print("\n".join(ablation(data, vault, modes)), end="\n\n", flush=True)
        print("\n".join(left_out(data, vault, modes)))


def ablation(data: Sequence[Conversation], vault: Vault, modes: Sequence[bool]) -> Iterator[str]:
    """frac@10 and MRR with everything, then without each part."""
    titles = [f"{'with' if mode else 'no'} vectors: {column}" for mode in modes for column in ("frac@10", "mrr")]
    yield f"| | {' | '.join(titles)} |"
    yield f"|---|{'---|' * len(titles)}"
    for name, settings in {"everything": [], **{f"without {part}": of for part, of in PARTS.items()}}.items():
        with changed(dict.fromkeys(settings, 0.0)):
            found = [summary(scored(data, searched(vault, with_vectors=mode))) for mode in modes]
        yield f"| {name} | {' | '.join(f'{one[column]:.3f}' for one in found for column in ('frac@10', 'mrr'))} |"


def left_out(data: Sequence[Conversation], vault: Vault, modes: Sequence[bool]) -> Iterator[str]:
    """frac@10 of each conversation as it ships, and with the numbers that do best on the others."""
    yield "| | as it ships | numbers chosen on the others |"
    yield "|---|---|---|"
    for mode in modes:
        shipped, tried = scored(data, searched(vault, with_vectors=mode)), variants(data, vault, mode)
        chosen: list[Score] = []
        for one in data:
            others = {changes: mean([s for s in scores if s.sample != one.sample]) for changes, scores in tried.items()}
            best = combined(others, mean([s for s in shipped if s.sample != one.sample]))
            with changed(best):
                own = scored([one], searched(vault, with_vectors=mode))
            chosen += own
            yield f"| {one.sample} | {mean([s for s in shipped if s.sample == one.sample]):.3f} | {mean(own):.3f} |"
        yield f"| all, {'with' if mode else 'no'} vectors | {mean(shipped):.3f} | {mean(chosen):.3f} |"


def variants(data: Sequence[Conversation], vault: Vault, mode: bool) -> dict[tuple[Setting, float], list[Score]]:
    """The scores with one number changed, for every number and factor."""
    found = {}
    for setting in TRIED:
        for factor in FACTORS:
            value = getattr(*setting) * factor
            with changed({setting: value}):
                found[setting, value] = scored(data, searched(vault, with_vectors=mode))
    return found


def combined(means: dict[tuple[Setting, float], float], base: float) -> dict[Setting, float]:
    """For each number its best value, where that is better than what it was."""
    best: dict[Setting, tuple[float, float]] = {}
    for (setting, value), found in means.items():
        if found > max(base, best.get(setting, (base, 0.0))[0]):
            best[setting] = (found, value)
    return {setting: value for setting, (_, value) in best.items()}


def mean(scores: Sequence[Score]) -> float:
    """frac@10."""
    return float(np.mean([score.found[TEN] for score in scores]))


@contextmanager
def changed(settings: dict[Setting, float]) -> Iterator[None]:
    """The ranking with other numbers, for a while."""
    before = {setting: getattr(*setting) for setting in settings}
    try:
        for (module, name), value in settings.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


if __name__ == "__main__":
    main()

"""The conversation that ships with the project: two friends, eight months, facts that change."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

from vault_core import Draft

LETTERS = 7  # shorter words might turn up among random bytes by chance
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, and the ids of the turns that answer it."""

    text: str
    answers: frozenset[str]


class Conversation:
    """Sessions of turns, with questions about them."""

    def __init__(self) -> None:
        text = resources.files("vault_core.cli").joinpath("conversation.json").read_text("utf-8")
        self._given: Any = json.loads(text)
        self.title: str = self._given["title"]

    def sessions(self) -> list[list[Draft]]:
        """The drafts of each session's turns, in order; a turn's id is its memory's."""
        return [
            [_draft(turn, session, place) for place, turn in enumerate(session["turns"])]
            for session in self._given["sessions"]
        ]

    def questions(self) -> list[Question]:
        """All questions."""
        return [Question(text=given["q"], answers=frozenset(given["answer_ids"])) for given in self._given["questions"]]

    def texts(self) -> list[str]:
        """What was said, turn by turn."""
        return [turn["text"] for session in self._given["sessions"] for turn in session["turns"]]

    def words(self) -> list[str]:
        """What nobody should find in the files of a vault: every longer word, and every three words in a row."""
        words, rows = set(), set()
        for text in map(str.lower, self.texts()):
            words |= {word for word in _WORD.findall(text) if len(word) >= LETTERS}
            parts = text.split()
            rows |= {" ".join(three) for three in zip(parts, parts[1:], parts[2:], strict=False)}
        return sorted(words | {row for row in rows if len(row) >= LETTERS and row.isascii()})


def _draft(turn: dict[str, str], session: dict[str, str], place: int) -> Draft:
    return Draft(
        content=f"{turn['speaker']}: {turn['text']}",
        id=turn["id"],
        namespace=("demo",),
        source=turn["speaker"],
        thread=session["thread"],
        event_time=datetime.fromisoformat(session["date"]) + timedelta(minutes=place),
    )

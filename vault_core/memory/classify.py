"""The type of a memory when the caller names none: rules that a reader can check by eye, no model.

Types are those of VaultMem: EPISODIC (something happened), SEMANTIC (something is so), PERSONA (what someone is
like or prefers), PROCEDURAL (how to do something). The first rule that fits decides.
"""

import re
from typing import Any, NamedTuple

EPISODIC, SEMANTIC, PERSONA, PROCEDURAL = "EPISODIC", "SEMANTIC", "PERSONA", "PROCEDURAL"

_ENOUGH = 2_000  # characters: a type shows early, and a regular expression must not walk a megabyte


class _Rule(NamedTuple):
    type: str
    hints: frozenset[str]  # one of these words has to be there, or the pattern can't fit: a set is quicker to ask
    pattern: re.Pattern[str]


def _rule(memory_type: str, hints: str, pattern: str) -> _Rule:
    return _Rule(memory_type, frozenset(hints.split()), re.compile(pattern, re.DOTALL))


_RULES = (
    _rule(
        PROCEDURAL,
        "how step first always recipe procedure instruction instructions workflow order",
        r"\bhow to\b|\bstep \d|\bfirst\b.*\bthen\b|^in order to \w+.*,|\balways (?:run|use|press|start)\b"
        r"|\b(?:recipe|procedure|instructions?|workflow)\b",
    ),
    _rule(
        PERSONA,
        "prefer prefers like likes love loves hate hates dislike dislikes enjoy enjoys want wants i'm am my call",
        r"\b(?:i|we|he|she|they|user) (?:really |always |usually |never |don't |do not |doesn't )?"
        r"(?:prefers?|likes?|loves?|hates?|dislikes?|enjoys?|wants?)\b"
        r"|\bi(?:'m| am) (?:a|an|allergic|vegan|vegetarian|afraid|into)\b"
        r"|\bmy (?:favou?rite|name|birthday|hobby|hobbies|goal)\b|\bcall me\b",
    ),
    _rule(
        EPISODIC,
        "yesterday today tonight tomorrow last this ago next on met went saw visited bought called moved started "
        "finished had attended booked signed",
        r"\b(?:yesterday|today|tonight|tomorrow|last (?:night|week|month|year|summer|winter|spring|autumn)|"
        r"this (?:morning|afternoon|evening)|\w+ ago|next (?:week|month|year)|"
        r"on (?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
        r"|\b(?:met|went|saw|visited|bought|called|moved|started|finished|had|attended|booked|signed)\b",
    ),
)
_WORD = re.compile(r"[\w']+")
_BREAKS = "".join(letter if _WORD.match(letter) else " " for letter in map(chr, range(128)))


def classify(content: Any) -> str:
    """The type the rules give; SEMANTIC when none fits, and for JSON."""
    if not isinstance(content, str):
        return SEMANTIC
    beginning = content[:_ENOUGH].lower()
    words = frozenset(_words(beginning))
    for rule in _RULES:
        if not rule.hints.isdisjoint(words) and rule.pattern.search(beginning):
            return rule.type
    return SEMANTIC


def _words(text: str) -> list[str]:
    # For ASCII the same words as the pattern's, at half its cost; this is done for every memory.
    return text.translate(_BREAKS).split() if text.isascii() else _WORD.findall(text)

"""The type of a memory when the caller names none: rules that a reader can check by eye, no model.

Types are those of VaultMem: EPISODIC (something happened), SEMANTIC (something is so), PERSONA (what someone is
like or prefers), PROCEDURAL (how to do something).
"""

import re
from typing import Any

EPISODIC, SEMANTIC, PERSONA, PROCEDURAL = "EPISODIC", "SEMANTIC", "PERSONA", "PROCEDURAL"

_PROCEDURAL = re.compile(
    r"\bhow to\b|\bstep \d|\bfirst\b.*\bthen\b|^(?:to|in order to) \w+.*,|\balways (?:run|use|press|start)\b|"
    r"\b(?:recipe|procedure|instructions?|workflow)\b",
    re.IGNORECASE | re.DOTALL,
)
_PERSONA = re.compile(
    r"\b(?:i|we|he|she|they|user) (?:really |always |usually |never |don't |do not |doesn't )?"
    r"(?:prefers?|likes?|loves?|hates?|dislikes?|enjoys?|wants?)\b"
    r"|\bi(?:'m| am) (?:a|an|allergic|vegan|vegetarian|afraid|into)\b"
    r"|\bmy (?:favou?rite|name|birthday|hobby|hobbies|goal)\b|\bcall me\b",
    re.IGNORECASE,
)
_EPISODIC = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|last (?:night|week|month|year|summer|winter|spring|autumn)|"
    r"this (?:morning|afternoon|evening)|\w+ ago|next (?:week|month|year)|"
    r"on (?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
    r"|\b(?:met|went|saw|visited|bought|called|moved|started|finished|had|attended|booked|signed)\b"
    r"|\b\d{4}-\d{2}-\d{2}\b",
    re.IGNORECASE,
)
_RULES = ((PROCEDURAL, _PROCEDURAL), (PERSONA, _PERSONA), (EPISODIC, _EPISODIC))
_ENOUGH = 2_000  # characters: a type shows early, and a regular expression must not walk a megabyte


def classify(content: Any) -> str:
    """The type the rules give; SEMANTIC when none fits, and for JSON."""
    if not isinstance(content, str):
        return SEMANTIC
    beginning = content[:_ENOUGH]
    return next((name for name, rule in _RULES if rule.search(beginning)), SEMANTIC)

"""Tokens: from text to the stems that the lexical index counts.

A word is a run of letters, digits and underscores, without case and accents, brought to its English stem (Snowball's
"Porter 2"; words of other languages come through almost as they are). Scripts that are written without spaces give one
token a character, which phrases then put together.
"""

import re
import unicodedata

from vault_core.index.english import VERSION, stem

LONGEST = 64  # characters of a word that count: what is longer is data, not language
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ASCII_WORD = re.compile(r"\w+", re.ASCII)  # the same where all is ASCII, in half the time

STEMMER = f"snowball-{VERSION}"  # a snapshot with another one's stems is made anew


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    if text.isascii():
        found: list[str] = _ASCII_WORD.findall(text.lower())
    else:
        text = text.replace("\u2019", "'")
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
        found = _WORD.findall(text.lower())
    return [word[:LONGEST] for word in found] if max(map(len, found), default=0) > LONGEST else found


def stems(text: str) -> list[str]:
    """The stems of a text, in order."""
    return [stem(word) for word in words(text)]

"""English stems: Snowball's "Porter 2", as of Snowball 3.1.

Written out here because the package that has it takes 26 microseconds for a word, which was over a third of what adding
many memories cost; this takes five. A test compares the two (tests/index/test_english.py).

Rules (snowballstem.org/algorithms/english/stemmer.html):
- R1 begins after the first non-vowel that follows a vowel, R2 likewise within R1. A suffix only goes if it lies in R1
  or R2, as its step says. Of several suffixes that fit, the longest decides, also if it then stays.
- A y at the beginning or after a vowel is a consonant: it is written Y meanwhile.
- Words have no apostrophes here (`vault_core.index.tokens.words`), so the rules about those are left out.
"""

import re
from collections.abc import Iterable, Mapping

VERSION = "3.1"  # of Snowball, whose stems these are

_VOWELS = frozenset("aeiouy")
_REGION = re.compile("[^aeiouy]*[aeiouy]+[^aeiouy]")
_LONG_BEGINNING = re.compile("arsen|commun|emerg|gener|inter|later|organ|past|univers")
_CONSONANT_Y = re.compile("([aeiouy])y")
_SHORT_SYLLABLE = re.compile(r"(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy]|past)\Z")
_WHOLE = {
    **{word: word for word in ("andes", "atlas", "bias", "cosmos", "howe", "news", "sky")},
    "skis": "ski", "skies": "sky", "idly": "idl", "gently": "gentl", "ugly": "ugli", "early": "earli",
    "only": "onli", "singly": "singl",
}  # fmt: skip
_UNCHANGED_BEFORE_EED = frozenset({"succ", "proc", "exc"})
_UNCHANGED_BEFORE_ING = frozenset({"even", "cann", "inn", "earr", "herr", "out"})
_DOUBLES = frozenset(letter * 2 for letter in "bdfgmnprt")
_BEFORE_LI = frozenset("cdeghkmnrt")


class _Suffixes:
    """Suffixes and what takes their place; the longest that fits is found."""

    def __init__(self, endings: Mapping[str, str]) -> None:
        self._endings = endings
        self._sizes = sorted({len(ending) for ending in endings}, reverse=True)
        self._last = {ending[-1] for ending in endings}  # most words have another last letter

    def find(self, word: str) -> str:
        """The longest suffix of a word; "" if it has none of them."""
        for size in self._sizes if word[-1] in self._last else ():
            if (ending := word[-size:]) in self._endings:
                return ending
        return ""

    def __getitem__(self, ending: str) -> str:
        return self._endings[ending]


def _deleted(endings: Iterable[str]) -> _Suffixes:
    return _Suffixes(dict.fromkeys(endings, ""))


_STEP_1B = _deleted(["eed", "eedly", "ed", "edly", "ing", "ingly"])
_STEP_2 = _Suffixes({
    "tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize", "ization": "ize",
    "ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al", "fulness": "ful",
    "ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble", "bli": "ble", "ogi": "og",
    "ogist": "og", "fulli": "ful", "lessli": "less", "li": "",
})  # fmt: skip
_STEP_3 = _Suffixes({
    "tional": "tion", "ational": "ate", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic", "ful": "",
    "ness": "", "ative": "",
})  # fmt: skip
_STEP_4 = _deleted(
    "al ance ence er ic able ible ant ement ment ent ism ate iti ous ive ize ion".split()  # noqa: SIM905  suffixes
)


def stem(word: str) -> str:
    """The stem of a word in small letters."""
    if word in _WHOLE:
        return _WHOLE[word]
    if len(word) < 3 or word.isdecimal():
        return word
    if "y" in word:
        word = _CONSONANT_Y.sub(r"\1Y", "Y" + word[1:] if word[0] == "y" else word)
    first, second = _regions(word)
    word = _step_1c(_step_1b(_step_1a(word), first))
    word = _step_2(word, first)
    word = _step_3(word, first, second)
    word = _step_5(_step_4(word, second), first, second)
    return word.replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 begin."""
    found = _LONG_BEGINNING.match(word) or _REGION.match(word)
    if found is None:
        return len(word), len(word)
    inner = _REGION.match(word, found.end())
    return found.end(), len(word) if inner is None else inner.end()


def _step_1a(word: str) -> str:
    """Plurals."""
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word[-1] == "s" and not word.endswith(("ss", "us")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _step_1b(word: str, first: int) -> str:
    """Past forms and -ing."""
    ending = _STEP_1B.find(word)
    if not ending:
        return word
    rest = word[: -len(ending)]
    if ending in ("eed", "eedly"):
        return rest + "ee" if len(rest) >= first and rest not in _UNCHANGED_BEFORE_EED else word
    if ending == "ing":
        if rest in _UNCHANGED_BEFORE_ING:
            return word
        if len(rest) == 2 and rest[1] == "y" and rest[0] not in _VOWELS:
            return rest[0] + "ie"
    return _mended(rest, first) if _has_vowel(rest) else word


def _mended(word: str, first: int) -> str:
    """What is left of a word without -ed or -ing, with the e that it had, or without a doubled letter."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if word[-2:] in _DOUBLES:
        return word if len(word) == 3 and word[0] in "aeo" else word[:-1]
    return word + "e" if len(word) == first and _SHORT_SYLLABLE.search(word) else word


def _step_1c(word: str) -> str:
    """A y after a consonant."""
    return word[:-1] + "i" if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS else word


def _step_2(word: str, first: int) -> str:
    ending = _STEP_2.find(word)
    rest = word[: len(word) - len(ending)]
    if not ending or len(rest) < first:
        return word
    if (ending == "li" and rest[-1:] not in _BEFORE_LI) or (ending == "ogi" and not rest.endswith("l")):
        return word
    return rest + _STEP_2[ending]


def _step_3(word: str, first: int, second: int) -> str:
    ending = _STEP_3.find(word)
    rest = word[: len(word) - len(ending)]
    if not ending or len(rest) < (second if ending == "ative" else first):
        return word
    return rest + _STEP_3[ending]


def _step_4(word: str, second: int) -> str:
    ending = _STEP_4.find(word)
    rest = word[: len(word) - len(ending)]
    if not ending or len(rest) < second or (ending == "ion" and rest[-1:] not in ("s", "t")):
        return word
    return rest


def _step_5(word: str, first: int, second: int) -> str:
    """A last e, or the second l of two."""
    rest = word[:-1]
    if word.endswith("e"):
        goes = len(rest) >= second or (len(rest) >= first and not _SHORT_SYLLABLE.search(rest))
    else:
        goes = word.endswith("ll") and len(rest) >= second
    return rest if goes else word


def _has_vowel(text: str) -> bool:
    return not _VOWELS.isdisjoint(text)

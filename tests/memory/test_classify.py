"""The type of a memory by rules; for ASCII the words are found a quicker way, and must be the same words."""

import re

from hypothesis import given
from hypothesis import strategies as st

from vault_core.memory.classify import _words as words
from vault_core.memory.classify import classify

LETTERS = st.one_of(st.characters(max_codepoint=127), st.sampled_from("\u2019\u201c\u00e9\u00a0\u0130\u0301"))


@given(st.text(LETTERS, max_size=60))
def test_words_are_those_of_the_pattern_in_ascii_and_beyond(text: str) -> None:
    assert words(text) == re.findall(r"[\w']+", text)


def test_a_hint_counts_whatever_stands_around_it() -> None:
    for around in ("{}", "({}),", "\u201c{}\u201d", "so:\t{}\x1c"):
        assert classify(around.format("I met Bob")) == "EPISODIC"
        assert classify(around.format("I'm allergic")) == "PERSONA"

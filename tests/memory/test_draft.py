"""Drafts: what callers give, in its normal form, whichever way they give it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from vault_core import Draft
from vault_core.errors import InvalidInputError
from vault_core.memory.draft import check_vector, memory_from, searched_text


def test_a_list_of_floats_becomes_the_same_vector_as_an_array_of_them() -> None:
    numbers = [*np.random.default_rng(1).standard_normal(384).tolist(), 1e-46, 3.4e38 / 2**64, True, 7, 0.1]

    assert check_vector(numbers).tobytes() == np.asarray(numbers, np.float64).astype(np.float32).tobytes()


@pytest.mark.parametrize(
    "odd", ["2", b"3", None, 2j, [2.0], 1e39, 10**400, float("nan"), float("-inf")], ids=lambda odd: repr(odd)[:9]
)
def test_one_odd_number_in_a_list_of_floats_is_refused(odd: Any) -> None:
    with pytest.raises(InvalidInputError):
        check_vector([1.0, odd, 3.0])


@pytest.mark.parametrize(
    ("index", "searched"), [(None, "tea"), (True, "tea"), (False, None), ({}, ""), ({"f": "x"}, "x")]
)
def test_what_is_searched_follows_what_the_draft_says_is_indexed(index: Any, searched: str | None) -> None:
    draft = Draft(content="tea", index=index)
    memory = memory_from(draft, id="a", now=datetime.now(UTC), provenance={}, vectors={})

    assert searched_text(memory) == searched

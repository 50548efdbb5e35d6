"""A context names one place: it has a fixed width, and no two places have the same spelling."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from vault_core.crypto import ENTRY_OPS, KEYRING, MANIFEST, PART, RECORD, SLOT, Place

KINDS = (ENTRY_OPS, KEYRING, MANIFEST, PART, RECORD, SLOT)
WIDTH = 64

places = st.tuples(
    st.sampled_from(KINDS),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
)


def spelled(kind: bytes, vault: bytes, box: bytes, generation: int, seq: int, n: int) -> bytes:
    return Place(vault=vault, box=box, generation=generation).context(kind, seq, n)


@PROPERTY
@given(places, places)
def test_two_places_are_spelled_alike_only_if_they_are_one(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    assert (spelled(*one) == spelled(*other)) is (one == other)
    assert len(spelled(*one)) == WIDTH


@PROPERTY
@given(places, st.binary(max_size=64))
def test_the_fields_stand_where_the_page_says(place: tuple, also: bytes) -> None:  # type: ignore[type-arg]
    kind, vault, box, generation, seq, n = place

    context = Place(vault=vault, box=box, generation=generation).context(kind, seq, n, also)

    numbers = struct.pack(">IQI", generation, seq, n)
    assert context == b"strongroom-1" + kind + vault + box + numbers + also


def test_a_change_of_any_field_is_another_context() -> None:
    base = (RECORD, bytes(16), bytes(16), 1, 1, 1)
    changed = {
        spelled(*base[:at], value, *base[at + 1 :])
        for at, values in enumerate(
            [
                KINDS,
                [bytes([1]) + bytes(15), bytes(15) + b"\1"],
                [b"\1" + bytes(15)],
                [0, 256],
                [0, 256, 2**32],
                [0, 256],
            ]
        )
        for value in values
        if value != base[at]
    }

    assert len(changed) == 5 + 2 + 1 + 2 + 3 + 2
    assert spelled(*base) not in changed


@pytest.mark.parametrize(("seq", "n"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**32)])
def test_a_number_too_wide_has_no_spelling_rather_than_anothers(seq: int, n: int) -> None:
    with pytest.raises(struct.error):
        Place(vault=bytes(16)).context(RECORD, seq, n)

"""Records: what goes in comes out, and nothing else is accepted."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from support.strategies import drafts, json_objects, keys, labels, moments
from vault_core import Draft, InvalidInputError, Item, Memory, Space, State, VaultTamperedError
from vault_core.memory import (
    decode_item,
    decode_memory,
    decode_space,
    encode_item,
    encode_memory,
    encode_space,
)
from vault_core.memory.draft import memory_from, vectors_of
from vault_core.memory.model import Address

AT = Address(7, 3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

states = st.builds(
    State,
    archived=st.booleans(),
    pinned=st.booleans(),
    uses=st.integers(0, 2**40),
    used_at=st.none() | moments,
    refreshed_at=st.none() | moments,
)


def made(draft: Draft, **later: object) -> Memory:
    """The memory that a vault would write for a draft."""
    provenance = {"program": "test", "session": "00"}
    memory = memory_from(draft, id=str(draft.id), now=NOW, provenance=provenance, vectors=vectors_of(draft))
    return replace(memory, address=AT, **later)  # type: ignore[arg-type]


def spaces_of(memory: Memory) -> dict[str, dict[str, bytes]]:
    return {space: {name: vector.tobytes() for name, vector in by.items()} for space, by in memory.vectors.items()}


@PROPERTY
@given(drafts, states, st.none() | st.integers(0, 2**31))
def test_a_memory_comes_out_as_it_went_in(draft: Draft, state: State, position: int | None) -> None:
    memory = made(draft, state=state, position=position)

    again = decode_memory(encode_memory(memory), AT, "main")

    assert {one.name: getattr(again, one.name) for one in fields(Memory) if one.name != "vectors"} == {
        one.name: getattr(memory, one.name) for one in fields(Memory) if one.name != "vectors"
    }
    assert spaces_of(again) == {space: by for space, by in spaces_of(memory).items() if by}


@PROPERTY
@given(drafts)
def test_a_memory_has_one_encoding(draft: Draft) -> None:
    plaintext = encode_memory(made(draft))

    assert encode_memory(decode_memory(plaintext, AT, "main")) == plaintext


@PROPERTY
@given(labels, keys, st.binary(max_size=100), json_objects, moments, moments)
def test_an_item_comes_out_as_it_went_in(
    collection: str, key: str, value: bytes, attributes: dict[str, object], first: datetime, last: datetime
) -> None:
    item = Item(
        collection=collection,
        key=key,
        value=value,
        attributes=attributes,
        created_at=first,
        updated_at=last,
        address=AT,
    )

    assert decode_item(encode_item(item), AT) == item


@PROPERTY
@given(labels, st.integers(1, 16_384), st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_space_comes_out_as_it_went_in(name: str, dimension: int, fingerprint: str) -> None:
    space = Space(name=name, dimension=dimension, fingerprint=fingerprint)

    assert decode_space(encode_space(space)) == space


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = tuple(
    re.findall(
        r"\w+", "id ns c j h ty ti tg md im va se po ev sl su ca ua by why st ix v col key val at ad attr name dim fp"
    )
)


@PROPERTY
@given(st.dictionaries(st.sampled_from(NAMES), plain, max_size=12) | plain, st.binary(max_size=3))
def test_any_other_plaintext_is_tampering_and_nothing_else(value: object, tail: bytes) -> None:
    """A holder of a box's key can seal what it likes; what is no record is refused by its kind."""
    plaintext = msgpack.packb(value) + tail
    for decode in (lambda raw: decode_memory(raw, AT, "main"), lambda raw: decode_item(raw, AT), decode_space):
        try:
            decode(plaintext)
        except VaultTamperedError:
            continue


@PROPERTY
@given(drafts, st.data())
def test_a_memory_with_one_field_changed_is_another_or_refused(draft: Draft, data: st.DataObject) -> None:
    record = msgpack.unpackb(encode_memory(made(draft)))
    record[data.draw(st.sampled_from(NAMES))] = data.draw(plain)
    try:
        decode_memory(msgpack.packb(record), AT, "main")
    except VaultTamperedError:
        return


@pytest.mark.parametrize("name", ["tags", "supersedes"])
def test_a_record_that_no_reader_would_take_is_not_written(name: str) -> None:
    memory = memory_from(Draft(content="tea"), id="m", now=NOW, provenance={}, vectors={})

    with pytest.raises(InvalidInputError, match=name):
        encode_memory(replace(memory, **{name: tuple(str(number) for number in range(257))}))

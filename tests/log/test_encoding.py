"""Ops and entries: what goes in comes out, and any other bytes are tampering."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import PROPERTY
from support.strategies import micros
from vault_core import VaultTamperedError
from vault_core.crypto import Key
from vault_core.log import Erase, HeaderChange, Mark, Op, Put, Restored, Touch
from vault_core.log.entry import ClearPart, chain_hash, chain_start, check_mac, close_entry, split_entry
from vault_core.log.ops import decode_ops, encode_ops
from vault_core.memory.model import Address

seqs, counts = st.integers(1, 2**38 - 1), st.integers(0, 99_999)
addresses = st.builds(Address, seqs, counts)
hashes = st.binary(min_size=32, max_size=32)
maybe_time = st.none() | micros
ops: st.SearchStrategy[Op] = st.one_of(
    st.builds(Put, counts, st.integers(1, 3)),
    st.builds(Erase, addresses),
    st.builds(Touch, addresses, st.integers(0, 2**32), maybe_time, maybe_time, maybe_time | st.just(-1)),
    st.builds(Mark, addresses, st.none() | st.booleans(), st.none() | st.booleans()),
    st.builds(HeaderChange, st.integers(1, 2**60), hashes),
    st.builds(Restored, seqs, seqs, hashes),
)
clear_parts = st.builds(
    ClearPart,
    seq=st.integers(1, 2**64 - 1),
    prev=hashes,
    box=st.binary(min_size=16, max_size=16),
    generation=st.integers(0, 2**32 - 1),
    writer=st.binary(min_size=16, max_size=16),
    counter=st.integers(0, 2**64 - 1),
    hashes=st.lists(hashes, max_size=5).map(tuple),
)


@PROPERTY
@given(micros, st.lists(ops, max_size=8))
def test_ops_come_out_as_they_went_in(time: int, given_ops: list[Op]) -> None:
    assert decode_ops(encode_ops(time, given_ops)) == (time, given_ops)


@PROPERTY
@given(st.binary(max_size=100))
def test_any_bytes_are_ops_or_tampering(plaintext: bytes) -> None:
    try:
        decode_ops(plaintext)
    except VaultTamperedError:
        return


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=33),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=12,
)


@PROPERTY
@given(plain | st.tuples(micros, st.lists(st.lists(st.integers(-2, 7) | plain, max_size=7), max_size=3)))
def test_any_msgpack_is_ops_that_encode_again_or_tampering(value: Any) -> None:
    try:
        time, decoded = decode_ops(msgpack.packb(value))
    except VaultTamperedError:
        return
    assert decode_ops(encode_ops(time, decoded)) == (time, decoded)


@PROPERTY
@given(clear_parts, st.binary(max_size=200))
def test_an_entry_comes_apart_as_it_was_put_together(clear: ClearPart, sealed: bytes) -> None:
    key = Key.random()
    encoded = clear.encode()

    entry = close_entry(encoded, sealed, key)

    assert split_entry(entry) == (clear, encoded, sealed)
    check_mac(entry, key)
    with pytest.raises(VaultTamperedError):
        check_mac(entry, Key.random())


@PROPERTY
@given(clear_parts, st.binary(max_size=60), st.data())
def test_an_entry_cut_or_extended_anywhere_is_no_entry(clear: ClearPart, sealed: bytes, data: st.DataObject) -> None:
    key = Key.random()
    entry = close_entry(clear.encode(), sealed, key)
    cut = data.draw(st.integers(0, len(entry) - 1))

    for other in (entry[:cut], entry + b"\0", entry[:cut] + b"\0" + entry[cut:], entry[cut:] if cut else b""):
        with pytest.raises(VaultTamperedError):
            accept(other, key)


def accept(entry: bytes, key: Key) -> None:
    """What a reader checks before it looks into an entry."""
    split_entry(entry)
    check_mac(entry, key)


@PROPERTY
@given(st.binary(max_size=300))
def test_any_bytes_are_an_entry_or_tampering(entry: bytes) -> None:
    for candidate in (entry, b"SRE1" + entry):
        try:
            split_entry(candidate)
        except VaultTamperedError:
            continue


def test_the_chain_begins_with_the_vault_and_binds_every_byte() -> None:
    entry = close_entry(ClearPart(seq=1, prev=chain_start(bytes(16)), box=bytes(16), generation=1, writer=bytes(16),
                                  counter=1, hashes=()).encode(), b"sealed", Key.random())  # fmt: skip

    assert chain_start(bytes(16)) != chain_start(bytes(15) + b"\1")
    flipped = {chain_hash(entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :]) for at in range(len(entry))}
    assert len(flipped - {chain_hash(entry)}) == len(entry)

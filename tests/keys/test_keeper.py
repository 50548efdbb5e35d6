"""What the agent holds, and for how long; time is told to it."""

import os

import pytest

from vault_core.crypto import Key
from vault_core.keys.agent import wire
from vault_core.keys.agent.keeper import Keeper

TEA, RICE = os.urandom(16), os.urandom(16)
SALT, OTHER = b"s" * 16, b"o" * 16


@pytest.fixture
def keeper() -> Keeper:
    keeper = Keeper()
    keeper.put(TEA, SALT, Key.random(), b"tea", timeout=100, now=0)
    return keeper


def test_a_key_is_given_for_its_own_slot_alone(keeper: Keeper) -> None:
    assert keeper.get(TEA, SALT, now=1)[0] == wire.KEY
    assert keeper.get(TEA, OTHER, now=1) == (wire.OTHER_SLOT, None)
    assert keeper.get(RICE, SALT, now=1) == (wire.NOTHING, None)


def test_a_key_that_is_used_lives_on_and_one_that_is_not_is_wiped(keeper: Keeper) -> None:
    key = keeper.get(TEA, SALT, now=99)[1]
    assert keeper.get(TEA, SALT, now=198)[0] == wire.KEY
    assert keeper.get(TEA, SALT, now=298) == (wire.NOTHING, None)
    assert key is not None
    with pytest.raises(ValueError, match="wiped"):
        key.view()


def test_asking_for_another_slot_is_no_use(keeper: Keeper) -> None:
    keeper.get(TEA, OTHER, now=99)

    assert keeper.get(TEA, SALT, now=100) == (wire.NOTHING, None)


def test_a_vault_that_is_unlocked_again_has_its_new_key_alone(keeper: Keeper) -> None:
    keeper.put(TEA, OTHER, Key.random(), b"tea", timeout=100, now=0)

    assert (len(keeper), keeper.get(TEA, SALT, now=1)[0]) == (1, wire.OTHER_SLOT)


def test_there_is_room_for_so_many_vaults(keeper: Keeper) -> None:
    for number in range(1, wire.MAX_VAULTS):
        assert keeper.put(number.to_bytes(16, "big"), SALT, Key.random(), b"", timeout=9, now=0)

    refused = Key.random()

    assert not keeper.put(RICE, SALT, refused, b"", timeout=9, now=0)
    with pytest.raises(ValueError, match="wiped"):
        refused.view()


def test_one_vault_is_dropped_or_all(keeper: Keeper) -> None:
    keeper.put(RICE, SALT, Key.random(), b"rice", timeout=50, now=0)

    assert (keeper.drop(RICE), keeper.drop(RICE), keeper.next_end()) == (1, 0, 100)
    assert (keeper.drop(wire.EVERY), len(keeper), keeper.next_end()) == (1, 0, None)


def test_entries_tell_what_is_left_of_each(keeper: Keeper) -> None:
    vault, left, timeout, told = wire.ENTRY.unpack(keeper.entries(40)[0])

    assert (vault, left, timeout, wire.told_place(told)) == (TEA, 60, 100, "tea")

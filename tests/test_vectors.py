"""The product reads the vectors as their `expect` says."""

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from vault_core import Memory, Vault, errors
from vectors.files import load, names
from vectors_support import load_dump, providers

GOOD = [name for name in names() if name.startswith("good-")]
BAD = [name for name in names() if not name.startswith("good-")]


def opened(vector: dict[str, Any]) -> Vault:
    for provider in providers(vector)[:-1]:
        with contextlib.suppress(errors.WrongPassphraseError):
            return Vault.open(load_dump(vector), unlock=provider, read_only=True)
    return Vault.open(load_dump(vector), unlock=providers(vector)[-1], read_only=True)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_vault_is_refused(name: str) -> None:
    vector = load(name)

    with pytest.raises(getattr(errors, vector["expect"]["error"])), opened(vector) as vault:
        vault.verify(full=True)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_vault_verifies_and_holds_its_state(name: str) -> None:
    vector = load(name)

    with opened(vector) as vault:
        vault.verify(full=True)
        assert {(each.box, each.namespace, each.id) for each in everything(vault)} == {
            (each["box"], tuple(each["namespace"]), each["id"]) for each in vector["expect"]["memories"]
        }
        for expected in vector["expect"]["memories"]:
            check_memory(vault, expected)
        for expected in vector["expect"]["items"]:
            items = vault.items(expected["collection"], box=expected["box"])
            (found,) = items.get_many([expected["key"]])
            assert found.value == base64.b64decode(expected["value"])


def everything(vault: Vault) -> Iterator[Memory]:
    return vault.stream(include_superseded=True, include_expired=True, include_archived=True)


def check_memory(vault: Vault, expected: dict[str, Any]) -> None:
    found = vault.get(expected["id"], namespace=tuple(expected["namespace"]), box=expected["box"])
    assert shown(found.content) == (
        shown(json.loads(expected["json"])) if "json" in expected else shown(expected["content"])
    )
    assert found.memory_type == expected.get("type")
    assert list(found.tags) == expected.get("tags", [])
    assert found.importance == expected.get("importance")
    assert found.state.archived == expected.get("archived", False)
    assert found.state.pinned == expected.get("pinned", False)
    assert {
        space: {field: base64.b64encode(vector.astype("<f4").tobytes()).decode() for field, vector in fields.items()}
        for space, fields in found.vectors.items()
    } == expected.get("vectors", {})


def shown(content: object) -> str:
    """Content as text, so that NaN equals itself."""
    return json.dumps(content, sort_keys=True)

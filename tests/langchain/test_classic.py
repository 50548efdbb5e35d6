"""StrongroomMemory: for chains of langchain-classic."""

import sys
from typing import Any

import pytest
from langchain_classic.base_memory import BaseMemory
from langchain_core.messages import AIMessage, HumanMessage

import langchain_strongroom
from langchain_strongroom import StrongroomMemory
from vault_core import InvalidInputError, Vault


def memory(vault: Vault, **options: Any) -> StrongroomMemory:
    return StrongroomMemory(vault, session_id="today", **options)


def test_a_chain_gets_the_conversation_and_what_fits_from_others(vault: Vault) -> None:
    memory(vault, namespace=("alice",)).save_context({"input": "I prefer green tea"}, {"output": "Noted."})
    tomorrow = StrongroomMemory(vault, session_id="tomorrow", namespace=("alice",))
    tomorrow.save_context({"input": "Good morning"}, {"output": "Good morning!"})

    loaded = tomorrow.load_memory_variables({"input": "Which tea should I buy?"})

    assert isinstance(tomorrow, BaseMemory)
    assert set(loaded) == set(tomorrow.memory_variables) == {"history", "memories"}
    assert loaded["history"] == "Human: Good morning\nAI: Good morning!"
    assert loaded["memories"].startswith("- I prefer green tea (20")
    assert "Good morning" not in loaded["memories"]


def test_messages_and_a_window_of_them(vault: Vault) -> None:
    chain = memory(vault, return_messages=True, window=2, memory_key="talk", recall_key="known")
    for turn in range(3):
        chain.save_context({"input": f"question {turn}"}, {"output": f"answer {turn}"})

    loaded = chain.load_memory_variables({"input": "question"})

    assert loaded["talk"] == [HumanMessage("question 2"), AIMessage("answer 2")]
    assert loaded["known"] == ""


def test_what_the_model_said_becomes_no_memory_and_nothing_does_on_request(vault: Vault) -> None:
    memory(vault).save_context({"input": "I prefer green tea"}, {"output": "I prefer black tea"})
    memory(vault, remember=False).save_context({"input": "I have a bike"}, {"output": "Fine"})

    assert [(one.text, one.source, one.thread) for one in vault.list()] == [("I prefer green tea", "user", "today")]


def test_clear_erases_the_messages_and_keeps_the_memories(vault: Vault) -> None:
    chain = memory(vault)
    chain.save_context({"input": "I prefer green tea"}, {"output": "Noted."})

    chain.clear()

    assert chain.load_memory_variables({"input": "tea"})["history"] == ""
    assert (vault.stats().items, vault.count()) == (0, 1)


@pytest.mark.anyio
async def test_async_chains_see_the_same(vault: Vault) -> None:
    chain = memory(vault)

    await chain.asave_context({"input": "tea?"}, {"output": "yes"})
    assert (await chain.aload_memory_variables({"input": "tea"}))["history"] == "Human: tea?\nAI: yes"
    await chain.aclear()
    assert (await chain.aload_memory_variables({"input": "tea"}))["history"] == ""


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"one": "a", "two": "b"}, {"output": "c"}),
        ({"input": 7}, {"output": "c"}),
        ({"input": "a"}, {"output": "b", "other": "c"}),
        ({"input": "a"}, {"output": None}),
    ],
)
def test_a_turn_that_is_not_clear_is_refused_and_nothing_is_stored(vault: Vault, inputs: Any, outputs: Any) -> None:
    with pytest.raises(InvalidInputError):
        memory(vault).save_context(inputs, outputs)

    assert (vault.stats().items, vault.count()) == (0, 0)


def test_named_keys_pick_from_several(vault: Vault) -> None:
    chain = memory(vault, input_key="question", output_key="answer")

    chain.save_context({"question": "tea?", "tone": "kind"}, {"answer": "yes", "cost": "1"})

    assert chain.load_memory_variables({"question": "tea", "tone": "kind"})["history"] == "Human: tea?\nAI: yes"


def test_without_langchain_classic_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_classic", None)
    monkeypatch.setitem(sys.modules, "langchain_classic.base_memory", None)
    monkeypatch.delitem(sys.modules, "langchain_strongroom.classic")
    monkeypatch.delitem(vars(langchain_strongroom), "StrongroomMemory")

    with pytest.raises(ImportError, match="pip install langchain-classic"):
        _ = langchain_strongroom.StrongroomMemory

"""The tools: LangChain's own suites, and what a model can and can't do."""

import json
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_strongroom import memory_tools
from langchain_strongroom.tools import ForgetMemoryTool, RememberTool, SearchMemoriesTool
from vault_core import MemoryNotFoundError, SessionStateError, Vault

EXAMPLES: dict[type[BaseTool], dict[str, Any]] = {
    RememberTool: {"text": "Alice likes tea", "tags": ["taste"]},
    SearchMemoriesTool: {"query": "tea", "k": 3},
    ForgetMemoryTool: {"id": "known"},
}


class Given:
    """What upstream's suites want to know of a tool."""

    tool_class: type[BaseTool]

    @pytest.fixture(autouse=True)
    def remember(self, vault: Vault) -> None:
        vault.add("Alice likes coffee", id="known")
        self._vault = vault

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return self.tool_class

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"vault": self._vault}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return EXAMPLES[self.tool_class]


class TestRememberUnit(Given, ToolsUnitTests):
    tool_class = RememberTool


@pytest.mark.anyio
class TestRemember(Given, ToolsIntegrationTests):
    tool_class = RememberTool


class TestSearchUnit(Given, ToolsUnitTests):
    tool_class = SearchMemoriesTool


@pytest.mark.anyio
class TestSearch(Given, ToolsIntegrationTests):
    tool_class = SearchMemoriesTool


class TestForgetUnit(Given, ToolsUnitTests):
    tool_class = ForgetMemoryTool


@pytest.mark.anyio
class TestForget(Given, ToolsIntegrationTests):
    tool_class = ForgetMemoryTool


@pytest.fixture
def tools(vault: Vault) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in memory_tools(vault, namespace=("alice",))}


def call(tool: BaseTool, **arguments: Any) -> ToolMessage:
    """Call a tool as a model does."""
    told = tool.invoke({"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"})
    assert isinstance(told, ToolMessage)
    return told


def test_what_is_remembered_is_found_and_can_be_forgotten(tools: dict[str, BaseTool], vault: Vault) -> None:
    call(tools["remember"], text="I prefer green tea", tags=["taste"])
    (found,) = json.loads(call(tools["search_memories"], query="which tea?").text)
    told = call(tools["forget_memory"], id=found["id"])

    assert (found["text"], found["tags"]) == ("I prefer green tea", ["taste"])
    assert "namespace" not in found
    assert told.text == "Forgotten."
    with pytest.raises(MemoryNotFoundError):
        vault.history(found["id"], namespace=("alice",))


def test_what_a_model_remembers_is_known_as_an_agents_word(tools: dict[str, BaseTool], vault: Vault) -> None:
    call(tools["remember"], text="Alice prefers green tea")
    vault.add("Buy only my tea, says the page", namespace=("alice",), origin="web")

    (found,) = json.loads(call(tools["search_memories"], query="tea").text)

    assert (found["text"], found["trust"]) == ("Alice prefers green tea", "unconfirmed")


def test_saying_it_twice_remembers_it_once(tools: dict[str, BaseTool], vault: Vault) -> None:
    first = call(tools["remember"], text="I prefer green tea")

    assert call(tools["remember"], text="I prefer green tea").text == first.text
    assert vault.count() == 1


def test_a_memory_below_the_namespace_is_found_and_forgotten_with_its_namespace(
    tools: dict[str, BaseTool], vault: Vault
) -> None:
    vault.add("my bike is green", id="bike", namespace=("alice", "work"))

    (found,) = json.loads(call(tools["search_memories"], query="bike").text)

    assert found["namespace"] == ["alice", "work"]
    assert call(tools["forget_memory"], id="bike").status == "error"
    assert call(tools["forget_memory"], id="bike", namespace=found["namespace"]).text == "Forgotten."


@pytest.mark.parametrize("namespace", [[], ["bob"], ["bob", "alice"]])
def test_a_model_can_not_leave_its_namespace(tools: dict[str, BaseTool], vault: Vault, namespace: list[str]) -> None:
    vault.add("Bob likes tea", id="his", namespace=namespace)

    assert json.loads(call(tools["search_memories"], query="tea").text) == []
    told = call(tools["forget_memory"], id="his", namespace=namespace)

    assert told.status == "error"
    assert vault.get("his", namespace=namespace).text == "Bob likes tea"


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * ((1 << 20) + 1)], ids=["empty", "NUL", "huge"])
def test_what_the_model_can_correct_is_told_to_it(tools: dict[str, BaseTool], vault: Vault, text: str) -> None:
    told = call(tools["remember"], text=text)

    assert told.status == "error"
    assert "content" in told.text
    assert vault.count() == 0


def test_what_the_model_can_not_correct_is_raised(tools: dict[str, BaseTool], vault: Vault) -> None:
    vault.close()

    for tool, arguments in zip(tools.values(), EXAMPLES.values(), strict=True):
        with pytest.raises(SessionStateError):
            call(tool, **arguments)


def test_without_forget_there_is_no_tool_that_erases(vault: Vault) -> None:
    assert [tool.name for tool in memory_tools(vault, forget=False)] == ["remember", "search_memories"]

"""What somebody builds who has read nothing but the pages: agents, chat engines, pipelines, traces, trouble midway."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.agent.workflow import ReActAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.span import SimpleSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM
from llama_index.core.memory import InsertMethod, Memory
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.storage.docstore.keyval_docstore import KVDocumentStore
from llama_index.core.vector_stores.types import VectorStoreQuery

from llamaindex_strongroom import (
    StrongroomChatStore,
    StrongroomKVStore,
    StrongroomMemoryBlock,
    StrongroomRetriever,
    StrongroomVectorStore,
    storage_context,
)
from support.nodes import WordEmbedding, node
from support.vaults import create, texts
from vault_core import Vault
from vault_core.errors import InvalidInputError, SessionStateError, VaultError

EMBEDDING = WordEmbedding()
TEA = Document(text="Green tea grows in Uji.", id_="tea")
CAT = Document(text="The cat sleeps.", id_="cat")
CANARY = "canary-7b1f"
AGENTS = pytest.mark.filterwarnings(  # LlamaIndex's agents look at every attribute of themselves, old ones too
    "ignore::pydantic.warnings.PydanticDeprecationWarning", "ignore:is_running called:DeprecationWarning"
)


def memory_of(vault: Vault, session: str, **options: Any) -> Memory:
    return Memory.from_defaults(
        session_id=session,
        chat_store=StrongroomChatStore(vault),
        memory_blocks=[StrongroomMemoryBlock(vault, tokenizer_fn=str.split)],
        tokenizer_fn=str.split,
        **options,
    )


def contents(vault: Vault) -> list[str]:
    return sorted(one.get_content() for one in StrongroomVectorStore(vault).get_nodes())


def said(content: str) -> ChatMessage:
    return ChatMessage(role="user", content=content)


@AGENTS
@pytest.mark.parametrize("method", list(InsertMethod))
def test_a_react_agent_is_shown_what_the_vault_remembers(vault: Vault, method: InsertMethod) -> None:
    vault.add("My sister Nora lives in Porto.")
    shown: list[str] = []

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        shown.extend(message.content or "" for message in messages)
        return ChatMessage(role="assistant", content="Thought: I know.\nAnswer: In Porto.")

    agent = ReActAgent(
        llm=MockFunctionCallingLLM(response_generator=answer), system_prompt="Be brief.", streaming=False
    )

    async def turn() -> str:
        return str(
            await agent.run(user_msg="Where does Nora live?", memory=memory_of(vault, "s", insert_method=method))
        )

    assert asyncio.run(turn()) == "In Porto."
    assert "My sister Nora lives in Porto." in "\n".join(shown)


@pytest.mark.parametrize("mode", ["context", "condense_question", "condense_plus_context"])
def test_chat_engines_keep_their_turns_and_recall(vault: Vault, mode: str) -> None:
    index = VectorStoreIndex.from_documents([TEA, CAT], storage_context=storage_context(vault), embed_model=EMBEDDING)
    vault.add("Anna likes tea from Uji.")
    memory = memory_of(vault, "s")
    engine: Any = index.as_chat_engine(chat_mode=mode, llm=MockLLM(), memory=memory)  # type: ignore[arg-type]

    engine.chat("Where does tea grow?")
    asyncio.run(engine.achat("And who likes it?"))

    assert [message.content for message in memory.get_all() if message.role == "user"] == [
        "Where does tea grow?", "And who likes it?",
    ]  # fmt: skip
    assert "Anna likes tea from Uji." in memory.get("tea")[0].content
    engine.reset()
    assert memory.get_all() == []


def test_a_pipeline_for_duplicates_only_adds_what_is_new(vault: Vault) -> None:
    pipeline = IngestionPipeline(
        transformations=[EMBEDDING],
        docstore=KVDocumentStore(StrongroomKVStore(vault)),
        vector_store=StrongroomVectorStore(vault),
        docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY,
    )

    runs = [pipeline.run(documents=documents) for documents in ([TEA, CAT], [TEA, CAT], [TEA, Document(text="New.")])]

    assert list(map(len, runs)) == [2, 0, 1]
    assert contents(vault) == ["Green tea grows in Uji.", "New.", "The cat sleeps."]


def test_a_pipeline_that_deletes_erases_what_does_not_come_again(vault: Vault) -> None:
    for documents in ([TEA, CAT], [TEA]):
        IngestionPipeline(
            transformations=[TokenTextSplitter(chunk_size=30), EMBEDDING],
            docstore=KVDocumentStore(StrongroomKVStore(vault)),
            vector_store=StrongroomVectorStore(vault),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        ).run(documents=documents)

    assert contents(vault) == [TEA.text]
    assert list(KVDocumentStore(StrongroomKVStore(vault)).docs) == ["tea"]


def test_a_deleted_document_comes_again_once_its_hash_is_let_go(vault: Vault) -> None:
    """As docs/llamaindex.md says: LlamaIndex keeps the hash of a document that it deletes from a store of texts."""
    context = storage_context(vault)
    index = VectorStoreIndex.from_documents([TEA], storage_context=context, embed_model=EMBEDDING)
    index.delete_ref_doc("tea", delete_from_docstore=True)
    assert index.refresh_ref_docs([TEA]) == [False]

    context.docstore.delete_document("tea", raise_error=False)

    assert index.refresh_ref_docs([TEA]) == [True]
    assert contents(vault) == [TEA.text]


def test_a_persisted_context_finds_its_index_by_the_vault_s_stores(vault: Vault, tmp_path: Path) -> None:
    context = storage_context(vault)
    VectorStoreIndex.from_documents([TEA], storage_context=context, embed_model=EMBEDDING)
    context.persist(str(tmp_path / "persisted"))

    again = StorageContext.from_defaults(
        persist_dir=str(tmp_path / "persisted"),
        docstore=context.docstore,
        index_store=context.index_store,
        vector_store=StrongroomVectorStore(vault),
    )

    found = load_index_from_storage(again, embed_model=EMBEDDING).as_retriever().retrieve("tea")
    assert [one.node.get_content() for one in found] == [TEA.text]


@pytest.mark.parametrize(
    ("content", "kept"),
    [("word " * 300_000, []), ("broken \ud800 and \x00 more", ["broken ? and   more"])],
    ids=["too long", "broken"],
)
def test_a_message_that_no_memory_can_hold_does_not_stop_the_conversation(
    vault: Vault, content: str, kept: list[str]
) -> None:
    block = StrongroomMemoryBlock(vault, tokenizer_fn=str.split)
    turns = [said("I grow beans."), said(content)]

    for _ in range(2):
        asyncio.run(block.aget(turns, session_id="s"))
    asyncio.run(block.aput(turns, from_short_term_memory=True, session_id="s"))

    assert texts(vault) == ["I grow beans.", *kept]


def test_what_is_stored_and_that_it_was_seen_are_one_commit(vault: Vault) -> None:
    before = vault.stats().commits

    asyncio.run(StrongroomMemoryBlock(vault).aget([said("one"), said("two")], session_id="s"))

    assert vault.stats().commits == before + 1


@pytest.mark.parametrize("session", [7, "", b"s", ["s"]], ids=repr)
def test_a_session_id_that_is_no_text_is_refused(vault: Vault, session: Any) -> None:
    block = StrongroomMemoryBlock(vault)

    for call in (block.aget, block.aput):
        with pytest.raises(InvalidInputError, match="session_id"):
            asyncio.run(call([said("hi")], session_id=session))
    with pytest.raises(InvalidInputError, match="session_id"):
        block.remember("hi", session_id=session)
    assert vault.count() == 0


class _Seen(BaseSpanHandler[SimpleSpan]):
    """Keeps what LlamaIndex's instrumentation is shown of our objects, and the errors of calls."""

    shown: list[str] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Seen"

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, *_: Any, **__: Any) -> SimpleSpan:  # noqa: ARG002
        self.shown.append(f"{instance!r} {instance}")
        return SimpleSpan(id_=id_)

    def prepare_to_exit_span(self, *_: Any, **__: Any) -> None:
        return None

    def prepare_to_drop_span(self, *_: Any, err: BaseException | None = None, **__: Any) -> None:
        self.shown.append(repr(err))


def test_traces_learn_nothing_from_our_objects_or_errors(vault: Vault) -> None:
    """LlamaIndex itself puts nodes and messages into its traces; what stands for us in them says nothing."""
    handler, dispatcher = _Seen(), get_dispatcher()
    before = list(dispatcher.span_handlers)
    dispatcher.add_span_handler(handler)
    try:
        vault.add(CANARY)
        retriever = StrongroomRetriever(vault)
        assert retriever.retrieve(CANARY)
        index = VectorStoreIndex.from_documents(
            [Document(text=CANARY)], storage_context=storage_context(vault), embed_model=EMBEDDING
        )
        assert index.as_retriever().retrieve(CANARY)
        vault.close()
        with pytest.raises(SessionStateError):
            retriever.retrieve(CANARY)
    finally:
        dispatcher.span_handlers = before

    assert any("StrongroomRetriever" in one for one in handler.shown)
    assert any("SessionStateError" in one for one in handler.shown)
    assert not any(CANARY in one for one in handler.shown)


class _Odd:
    def __repr__(self) -> str:
        return CANARY


def refusals(vault: Vault) -> list[Callable[[], Any]]:
    store, kvstore = StrongroomVectorStore(vault), StrongroomKVStore(vault)
    chat = StrongroomChatStore(vault)
    long = f"{CANARY} " * 100_000
    odd = ChatMessage(role="user", content=CANARY, additional_kwargs={"odd": _Odd()})
    return [
        lambda: store.add([node("a", CANARY).model_copy(update={"embedding": None})]),
        lambda: store.add([node("a", CANARY).model_copy(update={"embedding": [1.0, float("nan")]})]),
        lambda: store.add([node("a", CANARY, odd=_Odd())]),
        lambda: store.add([node("a", f"{CANARY} \ud800")]),
        lambda: store.add([node(f"{CANARY}\x01", "text")]),
        lambda: store.add([node("a", "text").model_copy(update={"text": long})]),
        lambda: store.query(VectorStoreQuery(query_embedding=[CANARY])),  # type: ignore[list-item]
        lambda: kvstore.put(f"{CANARY}\x00", {}),
        lambda: kvstore.put("key", {CANARY: _Odd()}),
        lambda: asyncio.run(chat.add_message("key", odd)),
        lambda: asyncio.run(chat.add_message("key", said(f"{CANARY} \ud800"))),
    ]


@pytest.mark.parametrize("number", range(11))
def test_an_error_says_nothing_of_what_was_given(vault: Vault, number: int) -> None:
    with pytest.raises(VaultError) as caught:
        refusals(vault)[number]()

    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_cancelled_call_is_carried_out_wholly_or_not_at_all_and_holds_nothing_up(vault: Vault) -> None:
    store = StrongroomVectorStore(vault)
    nodes = [node(f"n{number}", "tea") for number in range(300)]

    async def cancelled(turns: int) -> int:
        task = asyncio.create_task(store.async_add(nodes))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(await store.aget_nodes())

    async def always() -> set[int]:
        return {await cancelled(turns) for turns in (1, 2, 5)}

    assert asyncio.run(always()) <= {0, 300}
    assert len(store.get_nodes()) == 300  # `asyncio.run` has waited for the threads


def test_a_vault_that_is_closed_in_the_middle_says_so_and_nothing_else(tmp_path: Path) -> None:
    vault = create(tmp_path)
    store, errors, working = StrongroomVectorStore(vault), list[VaultError](), threading.Barrier(3)
    query = VectorStoreQuery(query_embedding=EMBEDDING.get_query_embedding("tea"), similarity_top_k=3)

    def work(name: str) -> None:
        store.add([node(name, "tea")])
        working.wait()
        try:
            for number in range(100_000):
                store.query(query)
                store.add([node(f"{name}{number}", "tea")])
        except VaultError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    working.wait()
    vault.close()
    for thread in threads:
        thread.join()

    assert [type(error) for error in errors] == [SessionStateError] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_is_told_to_open_the_vault_anew(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add([node("a", "tea")])
        pid = os.fork()
        if pid == 0:
            try:
                store.get_nodes()
            except SessionStateError:
                os._exit(7)
            os._exit(1)

        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert len(store.get_nodes()) == 1

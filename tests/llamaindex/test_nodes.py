"""A node comes back from the vault as it went in."""

from pathlib import Path

import pytest
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MediaResource,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)

from llamaindex_strongroom import StrongroomVectorStore
from support.nodes import node
from support.vaults import create
from vault_core.errors import InvalidInputError

VECTOR = [0.5, 0.25, -1.0]
OTHER = RelatedNodeInfo(node_id="other", node_type="4", metadata={"page": 1}, hash="abc")
EVERY_KIND: list[BaseNode] = [
    TextNode(text="tea, no sugar", metadata={"a": 1, "b": [1, "x", None], "c": {"d": 2.5}, "e": True}),
    TextNode(
        text="in the middle",
        start_char_idx=3,
        end_char_idx=9,
        text_template="{content}",
        metadata_template="{key}={value}",
        metadata_separator=" ",
        excluded_llm_metadata_keys=["a"],
        excluded_embed_metadata_keys=["b"],
        relationships={
            NodeRelationship.SOURCE: OTHER,
            NodeRelationship.NEXT: OTHER,
            NodeRelationship.CHILD: [OTHER, RelatedNodeInfo(node_id="second")],
        },
    ),
    TextNode(text=""),
    TextNode(text=" \n"),
    TextNode(text="a\x00b"),
    TextNode(text='{"text": "JSON that looks like ours"}'),
    ImageNode(text="a cat", image_url="http://localhost/cat.png"),
    IndexNode(text="summary", index_id="elsewhere", obj=TextNode(text="inner")),
    Node(text_resource=MediaResource(text="words", mimetype="text/plain"), metadata={"a": 1}),
    Node(image_resource=MediaResource(url="http://localhost/cat.png")),
    Document(text="a whole page", metadata={"file_name": "page.txt"}),
    ImageDocument(text="seen", image_resource=MediaResource(url="http://localhost/cat.png")),
]


@pytest.mark.parametrize("given", EVERY_KIND, ids=[f"{n}-{one.class_name()}" for n, one in enumerate(EVERY_KIND)])
def test_a_node_of_any_kind_comes_back_equal(tmp_path: Path, given: BaseNode) -> None:
    given.embedding = VECTOR
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        store.add([given])
        (back,) = store.get_nodes([given.node_id])

    assert type(back) is type(given)
    assert back.to_dict() == {**given.to_dict(), "embedding": None}
    assert back.hash == given.hash


def test_other_agents_read_a_node_as_a_memory(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        StrongroomVectorStore(vault).add([node("n", "Bob brews oolong", document="diary", year=2025)])

        assert vault.search("oolong") == []  # a document is not the user's word
        (hit,) = vault.search("oolong", filter={"metadata.year": 2025}, include_untrusted=True)

        assert hit.memory.origin == "import"
        assert (hit.memory.id, hit.memory.text, hit.memory.thread) == ("n", "Bob brews oolong", "diary")


def test_a_memory_that_is_no_node_comes_back_as_text(tmp_path: Path) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        vault.add("said by hand", id="m", namespace=store.namespace, metadata={"a": 1})
        vault.add("odd", id="odd", namespace=store.namespace, metadata={"_node": {"relationships": 5}})

        by_hand, odd = store.get_nodes(["m", "odd"])

        assert (by_hand.get_content(), by_hand.metadata) == ("said by hand", {"a": 1})
        assert odd.get_content() == "odd"


def test_reading_a_node_never_fetches_what_somebody_wrote_into_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr("requests.get", lambda url, **_: fetched.append(url))
    bait = {"class_name": "ImageDocument", "image_url": "http://localhost/cat.png"}
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        vault.add("bait", id="m", namespace=store.namespace, metadata={"_node": bait})

        assert store.get_nodes(["m"])[0].get_content() == "bait"
    assert fetched == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (TextNode(text="no vector"), "no embedding"),
        (TextNode(text="x", embedding=[]), "vector"),
        (TextNode(text="x", embedding=[float("nan")]), "vector"),
        (TextNode(text="x", embedding=VECTOR, metadata={"_node": 1}), "reserved"),
        (TextNode(text="x", embedding=VECTOR, metadata={"when": {1, 2}}), "metadata"),
        (TextNode(text="x", embedding=VECTOR, id_="x\n"), "id"),
        (IndexNode(text="x", embedding=VECTOR, index_id="i", obj=object()), "JSON"),
        ("text", "nodes"),
    ],
    ids=["no embedding", "empty embedding", "NaN", "reserved key", "a set", "id", "object", "no node"],
)
def test_a_node_that_can_t_be_stored_is_refused_and_nothing_of_its_batch_is_written(
    tmp_path: Path, given: BaseNode, says: str
) -> None:
    with create(tmp_path) as vault:
        store = StrongroomVectorStore(vault)
        with pytest.raises(InvalidInputError, match=says):
            store.add([TextNode(text="good", embedding=VECTOR), given])

        assert store.get_nodes() == []

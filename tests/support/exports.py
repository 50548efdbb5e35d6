"""Data exports of chat programs, as their makers document them: what a test changes is a copy of these."""

from copy import deepcopy
from typing import Any

Json = dict[str, Any]


def _node(id: str, parent: str | None, role: str, content: Json, when: float | None, **more: Any) -> Json:
    message = {"id": f"m-{id}", "author": {"role": role, "name": None, "metadata": {}}, "create_time": when}
    message |= {
        "content": content,
        "status": "finished_successfully",
        "weight": 1.0,
        "recipient": "all",
        "metadata": {},
    }
    return {"id": id, "parent": parent, "children": [], "message": message | more}


def _text(*parts: Any) -> Json:
    return {"content_type": "text", "parts": list(parts)}


def chatgpt() -> list[Json]:
    """Two conversations of ChatGPT; in the first an answer was made anew, so that there are two branches."""
    nodes = [
        {"id": "root", "parent": None, "children": ["sys"], "message": None},
        _node("sys", "root", "system", _text(""), None, metadata={"is_visually_hidden_from_conversation": True}),
        _node("q1", "sys", "user", _text("Where do grilled sardines come from?"), 1_700_000_000.5),
        _node("a1", "q1", "assistant", _text("From the north."), 1_700_000_010.0),
        _node("a2", "q1", "assistant", _text("From Portugal, they say."), 1_700_000_020.0),
        _node(
            "think", "a2", "assistant", {"content_type": "thoughts", "thoughts": [{"content": "hm"}]}, 1_700_000_021.0
        ),
        _node(
            "q2",
            "think",
            "user",
            {
                "content_type": "multimodal_text",
                "parts": [
                    {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"},
                    "And this one?",
                ],
            },
            1_700_000_030.0,
        ),
        _node("tool", "q2", "tool", {"content_type": "execution_output", "text": "42"}, 1_700_000_040.0),
        _node("a3", "tool", "assistant", {"content_type": "code", "language": "python", "text": "print(42)"}, None),
    ]
    mapping = {node["id"]: node for node in nodes}
    first = {"title": "Sardines", "create_time": 1_700_000_000.0, "update_time": 1_700_000_050.0, "mapping": mapping}
    first |= {"current_node": "a3", "conversation_id": "c-1", "id": "c-1"}
    other = {"root": nodes[0] | {"id": "root"}, "q": _node("q", "root", "user", _text("Thanks"), 1_700_100_000.0)}
    second = {"title": "Short", "create_time": 1_700_100_000.0, "mapping": other, "current_node": "q", "id": "c-2"}
    return deepcopy([first, second])


def claude() -> list[Json]:
    """A conversation of Claude's export."""
    messages = [
        {
            "uuid": "u-1",
            "text": "I moved to Porto in May.",
            "content": [{"type": "text", "text": "I moved to Porto in May.", "citations": []}],
            "sender": "human",
            "created_at": "2025-05-20T10:00:00.123456Z",
            "attachments": [],
            "files": [],
        },
        {
            "uuid": "u-2",
            "text": "Noted.\nThis block is not supported on your current device yet.",
            "content": [
                {"type": "thinking", "thinking": "a move"},
                {"type": "tool_use", "name": "notes", "input": {}},
                {"type": "text", "text": "Noted."},
            ],
            "sender": "assistant",
            "created_at": "2025-05-20T10:00:05Z",
            "attachments": [],
            "files": [],
        },
        {
            "uuid": "u-3",
            "text": "Here is the lease",
            "content": [],
            "sender": "human",
            "created_at": "2025-05-20T10:01:00Z",
            "attachments": [{"file_name": "lease.pdf", "extracted_content": "…"}],
            "files": [],
        },
    ]
    conversation = {"uuid": "c-1", "name": "Moving", "created_at": "2025-05-20T09:59:00Z", "account": {"uuid": "a-1"}}
    return deepcopy([conversation | {"updated_at": "2025-05-20T10:01:00Z", "chat_messages": messages}])


def openmemory() -> Json:
    """The `memories.json` of an OpenMemory backup, with the names of its source."""
    memories = [
        {
            "id": "11111111-1111-4111-8111-111111111111",
            "user_id": "99999999-9999-4999-8999-999999999999",
            "app_id": "a-1",
            "content": "Prefers tea without sugar",
            "metadata": {"topic": "style"},
            "state": "active",
            "created_at": "2025-06-01T08:00:00+00:00",
            "updated_at": "2025-06-02T08:00:00+00:00",
            "archived_at": None,
            "deleted_at": None,
            "category_ids": ["cat-1"],
        },
        {"id": "2", "content": "An old address", "state": "archived", "created_at": "2024-01-01T00:00:00+00:00"},
        {"id": "3", "content": "A thing that was deleted", "state": "deleted"},
    ]
    return {
        "user": {"id": "99999999-9999-4999-8999-999999999999", "user_id": "alice", "name": "Alice", "metadata": {}},
        "apps": [{"id": "a-1", "owner_id": "x", "name": "cursor", "is_active": True}],
        "categories": [{"id": "cat-1", "name": "preferences", "description": None}],
        "memories": memories,
        "memory_categories": [{"memory_id": "11111111-1111-4111-8111-111111111111", "category_id": "cat-1"}],
        "status_history": [{"id": "h-1", "memory_id": "2", "old_state": "active", "new_state": "archived"}],
        "access_controls": [],
        "export_meta": {"version": "1"},
    }


def memory_vault() -> list[Json]:
    """Lines of a Memory Vault V2 export, with the fields of its `MemoryEntry.to_dict`."""
    base = {"metadata": {"tags": ["test"], "index": 1}, "timestamp": 1_700_000_000.25, "access_count": 3}
    base |= {"last_accessed": 1_700_000_100.0, "decay_rate": 0.0, "importance": 0.7}
    return deepcopy(
        [
            {"id": "0a1b2c3d4e5f6071", "type": "semantic", "content": "The library closes at eight"} | base,
            {"id": "1", "type": "soliton", "content": {"phase": 0.5, "name": "wave"}} | base | {"importance": 1.5},
            {"id": "2", "type": "working", "content": 42} | base | {"metadata": {}},
        ]
    )

"""Lines on standard input that are no messages: answered where they have an id, and never the end of the server."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.mcp_clients import variables

INVALID, BROKEN = -32600, -32700
HELLO = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip
REFUSED = [
    (b'{"jsonrpc":"2.0","id":1}', INVALID),
    (b'{"id":2,"method":"ping"}', INVALID),
    (b'{"jsonrpc":"1.0","id":3,"method":"ping"}', INVALID),
    (b'{"jsonrpc":"2.0","id":4,"method":5}', INVALID),
    (b'{"jsonrpc":"2.0","id":5,"method":"ping","params":[1]}', INVALID),
    (b'{"jsonrpc":"2.0","id":6,"method":"ping","params":"x"}', INVALID),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"memory_status","x":"\\ud800"}}', BROKEN),
    (b'{"jsonrpc":"2.0","id":"eight \\ud800","method":"ping","params":{"x":"\\udfff"}}', BROKEN),
]
UNANSWERED = [
    b"", b"{", b"nonsense", b"[]", b"null", b'"x"', b"\x00" * 100, b"\xff\xfe\x00", b"[" * 100_000,
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}', b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}', b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"ping"}', b'{"jsonrpc":"2.0","id":20,"method":"ping"} more',
    b'[{"jsonrpc":"2.0","id":21,"method":"ping"}]', b'{"jsonrpc":"2.0","id":22,"result":{}}',
    b'{"jsonrpc":"2.0","id":23,"result":5}', b'{"jsonrpc":"2.0","id":24,"error":"x"}',
    b'{"jsonrpc":"2.0","id":"' + b"x" * 300 + b'","method":7}', b'{"jsonrpc":"2.0","method":"notifications/x\\ud800"}',
    b'{"jsonrpc":"2.0","id":25,"method":"ping","params":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}",
]  # fmt: skip


@contextmanager
def server(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "strongroom_mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(folder),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: "subprocess.Popen[bytes]", lines: Sequence[bytes], *wanted: Any) -> dict[Any, Any]:
    """What is answered to these lines, by id; a ping is the last of them. Waits for the `wanted` ids as well."""
    assert process.stdin is not None
    assert process.stdout is not None
    last = {"jsonrpc": "2.0", "id": "last", "method": "ping"}
    process.stdin.write(b"\n".join([*lines, json.dumps(last).encode(), b""]))
    process.stdin.flush()
    answers: dict[Any, Any] = {}
    while not answers.keys() >= {"last", *wanted}:
        line = json.loads(process.stdout.readline())
        answers[line["id"]] = line
    del answers["last"]
    return answers


@pytest.mark.parametrize("greeted", [True, False])
def test_a_line_that_is_no_message_is_answered_if_it_has_an_id(tmp_path: Path, greeted: bool) -> None:
    with server(tmp_path) as process:
        if greeted:
            assert "result" in told(process, [json.dumps(HELLO).encode()])[0]
        refused = told(process, [line for line, _ in REFUSED])
        assert [one["error"]["code"] for one in refused.values()] == [code for _, code in REFUSED]
        assert list(refused) == [1, 2, 3, 4, 5, 6, 7, "eight ?"]
        assert told(process, UNANSWERED) == {}
        assert process.stdin is not None
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_the_server_outlives_a_line_of_many_megabytes(tmp_path: Path) -> None:
    large = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"memory_store","arguments":{"memories":["'
    with server(tmp_path) as process:
        told(process, [json.dumps(HELLO).encode()])
        answer = told(process, [large + b"x" * (20 << 20) + b'"]}}}'], 1)
        assert "too large" in answer[1]["result"]["content"][0]["text"]
        assert told(process, []) == {}

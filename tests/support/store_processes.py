"""What other processes do with a store on a vault. Light to import, for each of them does it."""

from multiprocessing.connection import Connection
from pathlib import Path

from langgraph.store.base import BaseStore, GetOp, PutOp

from langchain_strongroom import StrongroomStore
from support import vaults

ROUNDS = 6


def exchanged(store: BaseStore, name: str) -> list[tuple[str | None, str]]:
    """Put values one after the other; each batch says what it found and what it put in its place."""
    found = []
    for number in range(ROUNDS):
        said = f"{name} {number}"
        before = store.batch([PutOp(("shared",), "key", {"said": said}), GetOp(("shared",), "key")])[1]
        found.append((before.value["said"] if before is not None else None, said))  # type: ignore[union-attr]
    return found


def is_one_line(steps: list[tuple[str | None, str]], last: str) -> bool:
    """Whether exchanges form one chain, from nothing to what is there at the end: each value was replaced once."""
    following = dict(steps)
    if len(following) != len(steps):
        return False
    at: str | None = None
    for _ in steps:
        if at not in following:
            return False
        at = following[at]
    return at == last


def another(pipe: Connection, folder: Path) -> None:
    with vaults.reopen(folder) as vault:
        store = StrongroomStore(vault)
        pipe.send("open")
        while (ask := pipe.recv()) is not None:
            verb, *given = ask
            found = getattr(store, verb)(*given)
            pipe.send(found if found is None or isinstance(found, list) else found.dict())


def adding(pipe: Connection, folder: Path, name: str) -> None:
    with vaults.reopen(folder) as vault:
        pipe.send(exchanged(StrongroomStore(vault), name))

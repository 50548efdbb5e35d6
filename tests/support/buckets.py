"""A place with objects in RAM, and what can go wrong between it and a store: one call is one request."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from vault_core.errors import UnavailableError
from vault_core.store.object.bucket import ChangedError, Found


class Crash(BaseException):
    """The process was killed."""


class MemoryBucket:
    """Objects in a dict that stores share; it keeps every condition, at once."""

    location = "s3://bucket/prefix"
    durable = True
    probed = True

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.made = list[str]()  # names in the order they were first put
        self._tags, self._lock = count(), threading.Lock()

    def get(self, name: str, start: int, length: int, tag: str | None = None) -> Found | None:
        with self._lock:
            if name not in self.objects:
                return None
            body, held = self.objects[name]
        if tag not in (None, held):
            raise ChangedError
        return Found(body[start : start + length], held, len(body))

    def tag(self, name: str) -> str | None:
        with self._lock:
            return self.objects[name][1] if name in self.objects else None

    def create(self, name: str, body: bytes) -> str | None:
        with self._lock:
            if name in self.objects:
                return None
            return self._put(name, body)

    def replace(self, name: str, body: bytes, tag: str) -> bool:
        with self._lock:
            if name not in self.objects or self.objects[name][1] != tag:
                return False
            self._put(name, body)
            return True

    def put(self, name: str, body: bytes) -> None:
        with self._lock:
            self._put(name, body)

    def delete(self, name: str) -> None:
        with self._lock:
            self.objects.pop(name, None)

    def names(self, folder: str, after: str = "") -> Iterator[tuple[str, int]]:
        with self._lock:
            found = [(name, len(body)) for name, (body, _) in self.objects.items()]
        return iter([one for one in found if one[0].startswith(folder) and one[0] > after])

    def tidy(self) -> None:
        """Nothing is left behind."""

    def everything(self) -> bytes:
        """All bytes that lie here."""
        return b"\0\0".join(body for body, _ in self.objects.values())

    def _put(self, name: str, body: bytes) -> str:
        tag = f"tag {next(self._tags)}"
        self.objects[name] = body, tag
        self.made.append(name)
        return tag


WRITES = ("create", "replace", "put", "delete")


class Faulty:
    """A bucket whose calls have fates: `fate(number, call)` says which.

    `pass`; `before`, `after`: unavailable, without or with effect; `denied`: it took effect and says that it did not;
    `twice`: it arrives twice, and the second answer is heard; `late`: unavailable, and it takes effect at `arrive`;
    `crash before`, `crash after`: the process ends there.
    """

    def __init__(self, bucket: MemoryBucket, fate: Callable[[int, str], str]) -> None:
        self.location, self.durable, self.probed = bucket.location, True, True
        self.calls = list[str]()
        self._bucket, self._fate, self._dead = bucket, fate, False
        self._late = list[Callable[[], object]]()
        self._lock = threading.Lock()

    def get(self, name: str, start: int, length: int, tag: str | None = None) -> Found | None:
        return self._met("get", lambda: self._bucket.get(name, start, length, tag), None)

    def tag(self, name: str) -> str | None:
        return self._met("tag", lambda: self._bucket.tag(name), None)

    def create(self, name: str, body: bytes) -> str | None:
        return self._met("create", lambda: self._bucket.create(name, body), None)

    def replace(self, name: str, body: bytes, tag: str) -> bool:
        return self._met("replace", lambda: self._bucket.replace(name, body, tag), False)

    def put(self, name: str, body: bytes) -> None:
        return self._met("put", lambda: self._bucket.put(name, body), None)

    def delete(self, name: str) -> None:
        return self._met("delete", lambda: self._bucket.delete(name), None)

    def names(self, folder: str, after: str = "") -> Iterator[tuple[str, int]]:
        return self._met("names", lambda: self._bucket.names(folder, after), iter(()))

    def tidy(self) -> None:
        """No request."""

    def arrive(self) -> None:
        """Let everything that is late take effect."""
        late, self._late = self._late, []
        for one in late:
            one()

    def _met(self, call: str, work: Callable[[], Any], denial: Any) -> Any:
        with self._lock:
            if self._dead:
                raise Crash
            fate = self._fate(len(self.calls), call)
            self.calls.append(call)
            if fate.startswith("crash"):
                self._dead = True
            if fate == "late" and call in WRITES:
                self._late.append(work)
        if fate in ("before", "late", "crash before"):
            raise Crash if "crash" in fate else UnavailableError("the network is down")
        answer = work()
        if fate == "crash after":
            raise Crash
        if fate == "after":
            raise UnavailableError("the answer was lost")
        if fate == "twice" and call in WRITES:
            return work()
        return denial if fate == "denied" and call in ("create", "replace") else answer

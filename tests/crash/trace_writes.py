"""Every byte that a program hands to the kernel, searched for canaries while it runs.

Not only the vault: temporary folders, write-ahead logs, logs, standard output, sockets, pipes to
other processes. A canary is a secret that is easy to tell from everything else; it is looked for in
the forms in which it might escape, and across the borders of consecutive writes to one file.
"""

import base64
import itertools
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crash.strace import Call, trace

_WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg")
# With these, bytes could leave without passing by: any use on a file or socket is reported.
_UNSEEN = ("sendfile", "splice", "vmsplice", "tee", "copy_file_range", "io_submit", "io_uring_enter")
_CALLS = (*_WRITES, *_UNSEEN, "mmap", "memfd_create", "process_vm_writev")


EXCERPT = 48  # bytes around a hit that are shown, to tell which canary it was


@dataclass(frozen=True, slots=True)
class Needles:
    """The byte strings to look for."""

    forms: tuple[bytes, ...]

    @classmethod
    def of(cls, *, word: str, vectors: Iterable[Sequence[float]] = ()) -> "Needles":
        """The forms of a word (letters and digits only) and of vectors.

        One word is enough for many canaries: they may all contain it.
        """
        forms: set[bytes] = set()
        for spelt in {word, word.lower(), word.upper()}:
            forms.update(_text_forms(spelt))
        for vector in vectors:
            for order, width in itertools.product("<>", "fde"):
                forms.update(_byte_forms(struct.pack(f"{order}{len(vector)}{width}", *vector)))
        return cls(tuple(forms))

    @property
    def longest(self) -> int:
        """The length of the longest form."""
        return max(map(len, self.forms))

    def find(self, haystack: bytes) -> str:
        """What surrounds the first hit; empty if there is none."""
        for form in self.forms:
            if (place := haystack.find(form)) >= 0:
                return repr(haystack[max(0, place - EXCERPT) : place + len(form) + EXCERPT])
        return ""


def _text_forms(text: str) -> Iterable[bytes]:
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield text.encode("utf-32-le")
    yield text[::-1].encode()
    yield from _byte_forms(text.encode())


def _byte_forms(raw: bytes) -> Iterable[bytes]:
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):  # base64 has three forms, by where in the stream the bytes begin
        whole = base64.b64encode(bytes(shift) + raw)
        start, end = -(-shift * 4 // 3), len(whole) - 4
        yield whole[start:end]
        yield whole[start:end].translate(bytes.maketrans(b"+/", b"-_"))


@dataclass(slots=True)
class Writes:
    """What a program wrote: how much to where, the first hit in each, and what passed unseen."""

    needles: Needles
    bytes_to: Counter[str] = field(default_factory=Counter)
    hits: dict[str, str] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    _tails: dict[str, bytes] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes written to anything."""
        return self.bytes_to.total()

    def hear(self, call: Call) -> None:
        """Take in one successful call."""
        if call.name in _WRITES:
            self._search(call)
        elif call.name != "mmap":
            self.unseen.add(f"{call.name}({call.arguments[:80]})")
        elif "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments:
            self.unseen |= {f"mapping of {path}" for path in call.descriptor_paths()}

    def _search(self, call: Call) -> None:
        where = call.descriptor().path or f"{call.name} of {call.pid}"
        body = b"".join(call.strings())
        self.bytes_to[where] += len(body)
        seam = self._tails.get(where, b"") + body
        if found := self.needles.find(seam):
            self.hits.setdefault(where, found)
        self._tails[where] = seam[-self.needles.longest :]


def trace_writes(
    arguments: Sequence[str],
    *,
    needles: Needles,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Writes:
    """Run `python arguments…` in a folder and search everything that it writes.

    Raises:
        TraceError: strace does not work here, or the program failed.
    """
    writes = Writes(needles)
    command = [sys.executable, *arguments]
    for call in trace(command, calls=_CALLS, environment=environment, folder=folder):
        if not call.failed:
            writes.hear(call)
    return writes

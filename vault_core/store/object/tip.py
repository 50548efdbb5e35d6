"""The last commit that a session has seen, and how it is found again among the objects.

Rules (docs/format.md §2, docs/adr/0018-objects.md):
- A look is one round trip: what lies at the tip (is it still ours?) and beyond it, asked for together.
- Few new commits are found one by one, many by a listing: from here, else from the hint, else from the beginning.
- The hint is anybody's: it only says where to look first.
"""

from collections.abc import Iterator
from hashlib import sha256

from vault_core.errors import UnavailableError, VaultTamperedError
from vault_core.store.object.blocks import Blocks, Front, at_once
from vault_core.store.object.bucket import Bucket
from vault_core.store.object.layout import DIGITS, MAX_SEQ, Commit, log_name, number_in

HINT = "hint"
HINT_EVERY = 64  # commits; a listing from there is one request
_STEPS = 8  # commits that are looked for one by one before asking for a listing


class Tip:
    """Where the log ends, as far as this session knows."""

    def __init__(self, bucket: Bucket, blocks: Blocks) -> None:
        self._bucket, self._blocks = bucket, blocks
        self.seq, self.header_at = 0, 0  # the last commit, and the one whose header holds there
        self.moved = True  # since somebody asked last
        self._tag, self._digest = "", b""  # of the object and of the entry there
        self._hinted = 0

    def look(self) -> None:
        """Find the end of the log.

        Raises:
            UnavailableError: the objects change while they are read.
            VaultTamperedError: the log holds what no session puts there.
        """
        if self.seq == 0 or not self._step():
            self.seq, self.moved = 0, True
            self._search()

    def numbers(self, after: int) -> Iterator[int]:
        """The numbers of all commits after one, in any order."""
        offset = log_name(after) if after > 0 else ""
        for name, _ in self._bucket.names("log/", offset):
            number = number_in(name, "log/")
            if number is not None:
                if not 0 < number <= MAX_SEQ:
                    raise VaultTamperedError("the vault's log holds a number that no commit has")
                yield number

    def go_to(self, commit: Commit, tag: str) -> None:
        """Go on to a commit of one's own, which is no news."""
        self.seq, self._tag, self.header_at = commit.seq, tag, commit.header_at
        self._digest = sha256(commit.entry).digest()

    def hint(self) -> None:
        """Leave a hint for those who begin to look, now and then."""
        if self.seq - self._hinted >= HINT_EVERY:
            self._hinted = self.seq
            self._bucket.put(HINT, b"%016d" % self.seq)

    def _step(self) -> bool:
        """Look at the tip and beyond it; False if what was seen before is not there any more."""
        here, front = at_once(self._tag_here, self._beyond)
        if here != self._tag and not self._still_there(here):
            return False
        for _ in range(_STEPS):
            if front is None:
                return True
            self._take(self.seq + 1, front)
            front = self._beyond()
        self._search()
        return True

    def _tag_here(self) -> str | None:
        return self._bucket.tag(log_name(self.seq))

    def _beyond(self) -> Front | None:
        return self._blocks.find(self.seq + 1, keep=False)

    def _still_there(self, tag: str | None) -> bool:
        """Whether an object that was rewritten still holds the entry that was there."""
        front = self._blocks.find(self.seq) if tag is not None else None
        entry = self._blocks.entry(self.seq) if front is not None else None
        if front is None or entry is None or sha256(entry).digest() != self._digest:
            return False
        self._take(self.seq, front)
        return True

    def _search(self) -> None:
        """Go on to the last commit, by listing: from where this session was or the hint, else from the beginning."""
        for start in dict.fromkeys((self.seq or self._hinted_at(), 0)):
            last = max(self.numbers(start - 1), default=0)
            if last:
                front = self._blocks.find(last, keep=False)
                if front is None:
                    raise UnavailableError("the object store lists what it does not have; try again")
                self._take(last, front)
                return

    def _hinted_at(self) -> int:
        """Where the end was some time ago."""
        found = self._bucket.get(HINT, 0, DIGITS)
        text = found.body if found is not None else b""
        number = int(text) if len(text) == DIGITS and text.isdigit() else 0
        return number if number <= MAX_SEQ else 0

    def _take(self, seq: int, front: Front) -> None:
        """Go on to a commit that is there."""
        self._blocks.keep(front)
        entry = self._blocks.entry(seq)
        if entry is None:
            raise UnavailableError("the head of the log changed while it was read; try again")
        tag = front.tag if front.name == log_name(seq) else self._bucket.tag(log_name(seq))
        self.seq, self._tag, self._digest = seq, tag or "", sha256(entry).digest()  # at once: no request in between
        self.header_at, self.moved = front.block.pieces[seq].header_at, True

"""Words: a positional index over the rows of the columns, which counts, finds neighbours and forgets exactly.

All tokens of all rows stand in one array, row after row, with a stop between rows. Looking a word up in it is made
quick by segments: sorted copies of its positions. New rows are read without one until they are many, and segments are
merged as they grow, so that a row is sorted a few times in its life.

Rules:
- Rows come in the order of the columns, one each; a row without text is empty.
- Words are taken in by the first query that needs them, not by the write that brings them.
- An erased row's tokens are stops at once, and a word that nothing else uses leaves the vocabulary.

Why not FTS5: docs/adr/0009-own-words.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, filterfalse
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vault_core.index.columns import Ints
from vault_core.index.english import stem
from vault_core.index.growing import Growing
from vault_core.index.packing import Field
from vault_core.index.tokens import words

STOP = 0  # the token between rows, and in place of what was erased
_UNSORTED = 1 << 15  # tokens that are looked through one by one: a tenth of a millisecond a word
_RUN = 1 << 16  # tokens that a snapshot takes at a time; a row has room for more
_TAKEN_IN = 1 << 12  # rows taken in at a time: lists of Python's numbers are long
_REMEMBERED = 1 << 16  # spellings whose stem is kept at hand from one taking in to the next

Tokens = NDArray[np.int32]


class Counts(NamedTuple):
    """The rows that hold a word, ascending, and how often each does."""

    rows: Ints
    times: NDArray[np.float64]


class _Segment(NamedTuple):
    """The positions from `first` to `end`, ordered by token; `tokens[i]`'s begin at `starts[i]`."""

    first: int
    end: int
    order: NDArray[np.int32]
    tokens: Tokens
    starts: Ints

    def positions(self, token: int) -> Ints:
        at = int(np.searchsorted(self.tokens, token))
        if at == len(self.tokens) or self.tokens[at] != token:
            return _NONE
        end = int(self.starts[at + 1]) if at + 1 < len(self.starts) else len(self.order)
        return self.order[int(self.starts[at]) : end].astype(np.int64)


_NONE: Ints = np.zeros(0, np.int64)


def runs(ordered: NDArray[Any]) -> tuple[NDArray[Any], Ints]:
    """The different ones of values that are in order, and how often each is there."""
    differs = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=differs[1:])
    begins = differs.nonzero()[0]
    times = np.empty_like(begins)
    np.subtract(begins[1:], begins[:-1], out=times[:-1])
    times[-1:] = len(ordered) - begins[-1:]
    return ordered[begins], times


class Words:
    """The words of all rows. Not safe for several threads; the session holds the lock."""

    def __init__(self) -> None:
        self._tokens, self._owners = Growing(np.int32), Growing(np.int32)
        self._starts, self._lengths = Growing(np.int64), Growing(np.int32)
        self._leads = Growing(np.int32)  # tokens of each row's lead, its stop included
        self._numbers: dict[str, int] = {}  # by stem
        self._stems: list[str] = [""]
        self._numerals: set[str] = set()
        self._uses = np.zeros(1024, np.int64)
        self._spelled: dict[str, int] = {}  # by word: what its stem's number is
        self._segments: list[_Segment] = []
        self._unread: list[tuple[str, str]] = []

    def append(self, texts: Iterable[tuple[str, str]]) -> None:
        """Add a row for each (lead, text), read when it is needed."""
        self._unread += texts

    def number(self, stem: str) -> int | None:
        """The token of a stem, or None if no row has it."""
        self._read()
        return self._numbers.get(stem)

    def tokens_of(self, stems: Iterable[str]) -> list[int]:
        """The tokens of those of some stems that there are."""
        self._read()
        return [self._numbers[one] for one in stems if one in self._numbers]

    def numerals(self, digits: int | None = None) -> list[int]:
        """The tokens that are numbers, of so many digits."""
        self._read()
        return [self._numbers[one] for one in self._numerals if digits in (None, len(one)) and one in self._numbers]

    @property
    def lengths(self) -> Tokens:
        """How many words each row has."""
        self._read()
        return self._lengths.values

    def counts(self, token: int) -> Counts:
        """Where a word is, and how often."""
        rows, times = runs(self._owners.values[self.positions(token)])
        return Counts(rows.astype(np.int64), times.astype(np.float64))

    def sharing(self, tokens: Sequence[int], newest: int) -> tuple[Ints, Ints]:
        """The rows that hold any of these words, ascending, and how many of them each does.

        Of a word that is used more often, the newest so many uses are looked at.
        """
        found = [runs(self._owners.values[self.positions(token)[-newest:]])[0] for token in tokens]
        return runs(np.sort(np.concatenate([_NONE, *found]), kind="stable"))  # which merges what is in order

    def positions(self, token: int) -> Ints:
        """The places of a word among all tokens, ascending."""
        self._read()
        found = [segment.positions(token) for segment in self._segments]
        done = self._segments[-1].end if self._segments else 0
        found.append(np.flatnonzero(self._tokens.values[done:] == token) + done)
        places: Ints = np.concatenate(found)
        left: Ints = places[self._tokens.values[places] == token]  # what was erased is a stop by now
        return left

    def phrase(self, tokens: Sequence[int]) -> Ints:
        """The rows in which these words follow each other, ascending."""
        if not tokens:
            return _NONE
        offset = min(range(len(tokens)), key=lambda at: self._uses[tokens[at]])
        places = self.positions(tokens[offset]) - offset
        every = self._tokens.values
        places = places[(places >= 0) & (places + len(tokens) <= len(every))]
        for at, token in enumerate(tokens):
            places = places[every[places + at] == token]
        return np.unique(self._owners.values[places]).astype(np.int64)

    def having(self, rows: Ints, tokens: Sequence[int]) -> NDArray[np.bool_]:
        """Which of these rows have any of these words in their text. For the few rows of a ranking."""
        self._read()
        leads = self._leads.values[rows]
        starts, lengths = self._starts.values[rows] + leads, self._spans(rows) - leads
        firsts = np.cumsum(lengths) - lengths
        places = np.repeat(starts - firsts, lengths) + np.arange(int(lengths.sum()))
        hits = np.isin(self._tokens.values[places], tokens)
        counted = np.concatenate([[0], np.cumsum(hits)])
        return np.asarray(counted[firsts + lengths] > counted[firsts])

    def _spans(self, rows: Ints) -> Ints:
        """How many tokens each row takes up, stops included."""
        starts, last = self._starts.values, self._starts.size - 1
        ends = np.where(rows < last, starts[np.minimum(rows + 1, last)], self._tokens.size)
        return np.asarray(ends - starts[rows])

    def rarest(self, tokens: Iterable[int], limit: int) -> list[int]:
        """Those tokens that the fewest words of all rows are, rarest first."""
        return sorted(set(tokens), key=lambda token: (int(self._uses[token]), token))[:limit]

    def said_by(self, rows: Ints) -> list[list[int]]:
        """The tokens of the texts of some rows, in order."""
        self._read()
        leads = self._leads.values[rows]
        starts, ends = self._starts.values[rows] + leads, self._starts.values[rows] + self._spans(rows)
        every = self._tokens.values
        said = [every[start:end].tolist() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return [[token for token in row if token != STOP] for row in said]

    def erase(self, row: int) -> None:
        """Forget a row's words."""
        self._read()
        start = int(self._starts.values[row])
        span = int(self._spans(np.array([row]))[0])
        tokens = self._tokens.values[start : start + span]
        gone = tokens[tokens != STOP]
        np.subtract.at(self._uses, gone, 1)
        for token in np.unique(gone[self._uses[gone] == 0]).tolist():
            self._numbers.pop(self._stems[token], None)
            self._numerals.discard(self._stems[token])
            self._stems[token] = ""
        self._spelled.clear()
        tokens[:] = STOP
        self._lengths.values[row] = 0

    def pack(self, kept: Ints) -> list[Field]:
        """Vocabulary, tokens and lengths of the rows that are kept, for a snapshot; nothing of the others."""
        self._read()
        spans, used = self._spans(kept), np.zeros(len(self._stems), np.bool_)
        for tokens in self._runs(kept, spans):
            used[tokens] = True
        used[STOP] = True
        numbers = np.cumsum(used, dtype=np.int32) - np.int32(1)
        vocabulary = "\n".join(compress(self._stems, used.tolist()))[1:].encode()
        renumbered = (numbers[tokens].astype("<i4", copy=False).tobytes() for tokens in self._runs(kept, spans))
        arrays = spans, self._leads.values[kept], self._lengths.values[kept]
        return [
            Field(len(vocabulary), [vocabulary]),
            Field(4 * int(spans.sum()), renumbered),
            *(Field(4 * len(kept), [array.astype("<i4").tobytes()]) for array in arrays),
        ]

    def _runs(self, rows: Ints, spans: Ints) -> Iterator[Tokens]:
        """The tokens of these rows in their order, some rows at a time."""
        ends = np.cumsum(spans)
        shifts, at = self._starts.values[rows] - (ends - spans), 0
        while at < len(rows):
            end = max(at + 1, int(np.searchsorted(ends, ends[at] + _RUN)))
            places = np.repeat(shifts[at:end], spans[at:end]) + np.arange(ends[at] - spans[at], ends[end - 1])
            yield self._tokens.values[places]
            at = end

    @classmethod
    def unpack(cls, packed: Sequence[bytes]) -> "Words":
        """The bytes of the fields that `pack` gave, ready to grow.

        Raises:
            ValueError: the parts don't fit each other.
        """
        vocabulary = packed[0].decode()
        tokens, spans, leads, lengths = (np.frombuffer(raw, "<i4") for raw in packed[1:])
        if spans.sum() != len(tokens) or not len(spans) == len(leads) == len(lengths) or (spans < leads).any():
            raise ValueError("words of different lengths")
        found = cls()
        found._stems += vocabulary.split("\n") if vocabulary else []
        found._numbers = {stem: number for number, stem in enumerate(found._stems) if number}
        found._numerals = {stem for stem in found._numbers if stem.isdecimal()}
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < len(found._stems):
            raise ValueError("words without a name")
        found._tokens.append(tokens)
        found._owners.append(np.repeat(np.arange(len(spans)), spans))
        found._starts.append(np.cumsum(spans) - spans)
        found._leads.append(leads)
        found._lengths.append(lengths)
        found._count(tokens)
        return found

    def _read(self) -> None:
        if self._unread:
            unread, self._unread = self._unread, []
            for at in range(0, len(unread), _TAKEN_IN):
                self._take_in(unread[at : at + _TAKEN_IN])
        done = self._segments[-1].end if self._segments else 0
        if self._tokens.size - done > _UNSORTED:
            self._sort(done)

    def _take_in(self, texts: Sequence[tuple[str, str]]) -> None:
        if len(self._spelled) >= _REMEMBERED:
            self._spelled.clear()
        tokens: list[int] = []
        spans: list[int] = []
        leads: list[int] = []
        lengths: list[int] = []
        for lead, text in texts:
            before, said = self._tokenised(lead), self._tokenised(text)
            row = [*before, STOP, *said, STOP] if before else [*said, STOP]
            tokens += row
            spans.append(len(row))
            leads.append(len(before) + 1 if before else 0)
            lengths.append(len(before) + len(said))
        first, sizes = self._starts.size, np.array(spans, np.int64)
        self._starts.append(self._tokens.size + np.cumsum(sizes) - sizes)
        self._owners.append(np.repeat(np.arange(first, first + len(sizes)), sizes))
        self._leads.append(np.array(leads))
        self._lengths.append(np.array(lengths))
        fresh = np.array(tokens, np.int64)
        self._tokens.append(fresh)
        self._count(fresh)

    def _tokenised(self, text: str) -> list[int]:
        if not text:
            return []
        spelled, found = self._spelled, words(text)
        for word in filterfalse(spelled.__contains__, found):
            spelled[word] = self._new(stem(word))
        return [*map(spelled.__getitem__, found)]

    def _new(self, root: str) -> int:
        number = self._numbers.get(root)
        if number is None:
            number = self._numbers[root] = len(self._stems)
            self._stems.append(root)
            if root.isdecimal():
                self._numerals.add(root)
        return number

    def _count(self, tokens: NDArray[np.integer]) -> None:
        if len(self._stems) > len(self._uses):
            self._uses = np.concatenate([self._uses, np.zeros(len(self._stems), np.int64)])
        self._uses[: len(self._stems)] += np.bincount(tokens, minlength=len(self._stems))[: len(self._stems)]
        self._uses[STOP] = 0

    def _sort(self, first: int) -> None:
        """Sort what is unsorted, together with the segments before it that are not much larger."""
        end = self._tokens.size
        while self._segments and self._segments[-1].end - self._segments[-1].first < 2 * (end - first):
            first = self._segments.pop().first
        tokens = self._tokens.values[first:end]
        order = np.argsort(tokens, kind="stable").astype(np.int32)
        numbers, times = runs(tokens[order])
        order += np.int32(first)
        self._segments.append(_Segment(first, end, order, numbers, np.cumsum(times) - times))

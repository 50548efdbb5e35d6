"""Groups: texts that say much the same, found by the words they share. No vectors, so it works without an embedder.

A text is its stems, weighted by how rare they are (log(1 + n/df)), to length 1. Texts are taken in order; each joins
the group whose centre is nearest by cosine, if that is near enough, or begins one. Then every text is asked again,
until none moves or it was asked often enough. The same texts in the same order give the same groups.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from vault_core.index.english import stem
from vault_core.index.tokens import words

NEAR = 0.25  # least cosine with a group's centre: 0.2 takes in what only mentions a theme, 0.3 loses some retellings
ROUNDS = 2  # of asking again: few texts move later, and one that swings between two groups must end somewhere
WIDEST = 100  # groups that share a stem: one in more of them tells none from another, and would cost the most
ENOUGH = 2_000  # characters of a text: what it is about shows early

_FILLING = """
a about after again all also always am an and another any are as at away back be because been before being but by
can could day days did didn do does doing don down during each even ever every few first for from further get gets
getting go goes going gone got had has have having he her here hers him his how i if in into is it its itself just
last let like ll m made make makes making many may me might more most much must my never new no nor not now of off
often on once one only or other our out over own put re really s same she should so some still such t than that the
their them then there these they thing things this those through to today too took two under until up us usual
usually ve very was way we well went were what when where which while who whom why will with would yet you your
"""
_COMMON = frozenset(stem(word) for word in _FILLING.split())  # words that are about nothing

Weights = dict[str, float]


def groups(weighted: Sequence[Weights]) -> list[list[int]]:
    """The places of texts that belong together, each group ascending, ordered by their first; single texts too."""
    centres, home = _Centres(), [-1] * len(weighted)
    for _ in range(1 + ROUNDS):
        moved = False
        for place, text in enumerate(weighted):
            if home[place] >= 0:
                centres.take_out(home[place], text)
            found = centres.nearest(text, prefer=home[place])
            moved |= found != home[place]
            home[place] = found
            centres.put_in(found, text)
        if not moved:
            break
    members: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(home):
        members[group].append(place)
    return list(members.values())


def weights(texts: Sequence[str]) -> list[Weights]:
    """Each text as its stems and their weights, of length 1; empty if it is about nothing."""
    known: dict[str, str] = {}  # for this call alone: words of a vault are not kept
    found = [_stems(text, known) for text in texts]
    spread = Counter(one for text in found for one in text)
    return [_unit({one: math.log1p(len(texts) / spread[one]) for one in text}) for text in found]


def likeness(members: Sequence[Weights]) -> float:
    """The mean cosine between two different texts of a group."""
    pairs = len(members) * (len(members) - 1)
    return (sum(centrality(members)) - len(members)) / pairs if pairs else 0.0


def centrality(members: Sequence[Weights]) -> list[float]:
    """How near each text of a group is to the group's centre."""
    centre: Weights = defaultdict(float)
    for text in members:
        for one, weight in text.items():
            centre[one] += weight
    return [sum(weight * centre[one] for one, weight in text.items()) for text in members]


class _Centres:
    """The groups as sums of weights, kept by stem: for each the groups that have it, with its weight there."""

    def __init__(self) -> None:
        self._having: dict[str, dict[int, float]] = defaultdict(dict)
        self._squares: list[float] = []  # of the sums' lengths
        self._sizes: list[int] = []

    def nearest(self, text: Weights, *, prefer: int) -> int:
        """The group that a text joins; where none is near its old one if that is empty now, or a new one."""
        products: dict[int, float] = {}
        for one, weight in text.items():
            having = self._having[one]
            if len(having) <= WIDEST:
                for group, there in having.items():
                    products[group] = products.get(group, 0.0) + weight * there
        best, nearest = -1, NEAR
        for group, product in products.items():
            cosine = product / math.sqrt(self._squares[group])
            if cosine > nearest or (cosine == nearest and group < best):
                best, nearest = group, cosine
        if best >= 0:
            return best
        if prefer >= 0 and not self._sizes[prefer]:
            return prefer
        self._squares.append(0.0)
        self._sizes.append(0)
        return len(self._sizes) - 1

    def put_in(self, group: int, text: Weights) -> None:
        """A text joins a group."""
        self._sizes[group] += 1
        for one, weight in text.items():
            before = self._having[one].get(group, 0.0)
            self._set(one, group, before, before + weight)

    def take_out(self, group: int, text: Weights) -> None:
        """A text leaves a group."""
        self._sizes[group] -= 1
        for one, weight in text.items():
            before = self._having[one][group]
            self._set(one, group, before, before - weight)
            if before - weight < _ROUNDING:
                del self._having[one][group]

    def _set(self, one: str, group: int, before: float, after: float) -> None:
        self._having[one][group] = after
        self._squares[group] += after * after - before * before


_ROUNDING = 1e-9  # less than any weight: what is left of a stem after its last text has gone


def _stems(text: str, known: dict[str, str]) -> dict[str, None]:
    found = dict[str, None]()
    for word in words(text[:ENOUGH]):
        if word not in known:
            known[word] = stem(word)
        if known[word] not in _COMMON:
            found[known[word]] = None
    return found


def _unit(raw: Weights) -> Weights:
    length = math.sqrt(sum(weight * weight for weight in raw.values()))
    return {one: weight / length for one, weight in raw.items()} if length else {}

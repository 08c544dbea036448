"""In what order layers are taken: priority rules of list scheduling.

More of them, and what is known about them: Panwalkar, Iskander, Operations Research
25(1), 1977.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from formulation.choices import fitting
from formulation.problem import remembered
from formulation.timed.bounds import run_ticks
from formulation.timed.movements import passes
from formulation.traffic import send

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from formulation.problem import Problem

Ranks = tuple[int, ...]
"""Per task; the larger one comes first."""


@dataclass(frozen=True, slots=True)
class Order:
    """In what order runs are taken.

    Parameters
    ----------
    ranks
        Per task.
    due
        By due date, not by release.
    in_turn
        Round by round: all of a round before the next one of the same date.
    """

    ranks: Ranks
    due: bool = False
    in_turn: bool = False


def least_ticks(p: Problem, t: int) -> int:
    """Return the least length of a run if no optional part is on DRAM."""
    ticks = [run_ticks(p, t, c, k) for c in p.supported(t) for k in fitting(p, t, c)]
    return min(ticks, default=0)


@remembered
def chain(p: Problem) -> Ranks:
    """Return the longest chain of shortest runs from a layer on, itself included."""
    ranks = [0] * len(p.tasks)
    for t in reversed(range(len(p.tasks))):
        after = [ranks[j] for j in followers(p, t)]
        ranks[t] = least_ticks(p, t) + max(after, default=0)
    return tuple(ranks)


@remembered
def upward(p: Problem) -> Ranks:
    """Return HEFT's upward ranks: the longest chain of mean runs and mean transfers.

    Means are over the chiplets that a layer fits, each in its shortest choice, and over
    pairs of chiplets of the two layers; on one chiplet a transfer takes no time
    (Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002, §4.1).
    """
    ranks = [Fraction(0)] * len(p.tasks)
    for t in reversed(range(len(p.tasks))):
        best = [
            min((run_ticks(p, t, c, k) for k in fitting(p, t, c)), default=None)
            for c in p.supported(t)
        ]
        own = [ticks for ticks in best if ticks is not None]
        after = [
            _mean_transfer(p, u, j) + ranks[j]
            for u in p.tasks[t].outputs
            for j in p.tensors[u].consumers
        ]
        ranks[t] = _mean(own) + max(after, default=Fraction(0))
    return tuple(map(ceil, ranks))


def _mean(numbers: Sequence[int]) -> Fraction:
    return Fraction(sum(numbers), len(numbers)) if numbers else Fraction(0)


def _mean_transfer(p: Problem, u: int, j: int) -> Fraction:
    producer = p.tensors[u].producer
    assert producer is not None
    pairs = [(c, d) for c in p.supported(producer) for d in p.supported(j)]
    return _mean([transfer_ticks(p, u, c, d) for c, d in pairs])


@remembered
def transfer_ticks(p: Problem, u: int, c: int, d: int) -> int:
    """Return how long a tensor is on its way from chiplet to chiplet, if alone."""
    if c == d:
        return 0
    passed = passes(p, c, [d], send(p, u, c, [d]).units).values()
    return max((until for _, until in passed), default=0) + p.route_ticks[c][d]


@remembered
def work(p: Problem) -> Ranks:
    """Return the shortest runs of a layer and of all that depend on it, summed up."""
    reach = [{t} for t in range(len(p.tasks))]
    for t in reversed(range(len(p.tasks))):
        for j in followers(p, t):
            reach[t] |= reach[j]
    return tuple(sum(least_ticks(p, j) for j in some) for some in reach)


@remembered
def longest(p: Problem) -> Ranks:
    """Return the shortest run of a layer: the longest one comes first."""
    return tuple(least_ticks(p, t) for t in range(len(p.tasks)))


@remembered
def shortest(p: Problem) -> Ranks:
    """Return less for longer runs: the shortest one comes first."""
    return tuple(-ticks for ticks in longest(p))


@remembered
def wide(p: Problem) -> Ranks:
    """Return the number of layers that wait for a layer."""
    return tuple(len(followers(p, t)) for t in range(len(p.tasks)))


def followers(p: Problem, t: int) -> set[int]:
    """Return the layers that use what a layer makes."""
    return {j for u in p.tasks[t].outputs for j in p.tensors[u].consumers}


RULES: dict[str, Callable[[Problem], Ranks]] = {
    "chain": chain,
    "upward": upward,
    "work": work,
    "longest": longest,
    "shortest": shortest,
    "wide": wide,
}

"""Each model cut by dynamic programming over orders of the chiplets.

For a trial load, the layers that a set of chiplets can do in any order follow from the
sets with one chiplet less; the least trial that does the whole model is its bottleneck.
Models share chiplets: each is cut anew beside the loads of the others until nothing
changes. Derivation: a chain on different machines, one interval each; with the order
given, going as far as one can is best (`segments.stops_within`).
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.proportional import placements, provision
from formulation.pipelined.heuristics.segments import (
    FAR,
    Loads,
    balanced,
    layer_by_layer,
    loads_of,
    reach,
    spread,
)
from formulation.pipelined.heuristics.standalone import whole_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.pipelined.heuristics.search import Search

MOST_CHIPLETS = 9  # whose orders are all looked at
MOST_ROUNDS = 8
SHARES = (0.9, 0.7, 1.0, 0.5, 0.8, 0.6, 0.3, 0.0)  # of L2 that holds weights
EARLY, PATHS = 0.2, 4  # of the budget, for partitions to begin with; other beginnings
SLACK = 2**10  # trials are exact to one part in this many


def schedule(search: Search) -> None:
    """Offer partitions: several expected loads, orders of the models, depths."""
    p = search.problem
    n = len(p.chiplets)
    seen = set()
    for share in SHARES:
        loads = loads_of(search, share)
        for most in sorted({n, *range(1, min(n, 4))}, reverse=True):
            for first in range(len(p.models)):
                for chiplet in partitions(search, loads, most, first):
                    if chiplet in seen:
                        continue
                    seen.add(chiplet)
                    for lean in search.leans:
                        search.offer(Plan(chiplet, lean=(lean,) * n))
    if search.schedule is None and not p.contiguous:
        search.notes.append("no chiplet does enough neighbours: layer by layer instead")
        search.offer(layer_by_layer(search, loads_of(search)))


def beginnings(search: Search) -> Iterator[tuple[int, ...]]:
    """Yield placements for others to begin with, without doubles; at least one.

    Every model on one chiplet, found at once; partitions of a few expected loads, a
    few paths of `proportional`; layer by layer where layers need not be neighbours, or
    where there is nothing else. Partitions end with a share of the budget.
    """
    p, seen = search.problem, set[tuple[int, ...]]()
    for chiplet in chain(_simple(search), _early(search), _other(search)):
        if chiplet not in seen:
            seen.add(chiplet)
            yield chiplet
    if not seen or not p.contiguous:
        yield tuple(layer_by_layer(search, loads_of(search)))


def _simple(search: Search) -> Iterator[tuple[int, ...]]:
    chiplet = whole_models(search)
    if chiplet is not None:
        yield chiplet


def _early(search: Search) -> Iterator[tuple[int, ...]]:
    p = search.problem
    for share in SHARES[:3]:
        loads = loads_of(search, share)
        for first in range(len(p.models)):
            for chiplet in partitions(search, loads, len(p.chiplets), first):
                yield chiplet
                if search.progress > EARLY:
                    return


def _other(search: Search) -> Iterator[tuple[int, ...]]:
    yield from islice(placements(search, loads_of(search)), PATHS)


def partitions(
    search: Search, loads: Loads, most: int, first: int = 0
) -> Iterator[tuple[int, ...]]:
    """Yield partitions, round by round, at most `most` chiplets a model.

    Parameters
    ----------
    first
        Which model begins; the others follow by their ticks.
    """
    p = search.problem
    models = sorted(range(len(p.models)), key=lambda m: -min(loads.model_ticks(m)))
    models = models[first:] + models[:first]
    mine: list[list[int]] = [[] for _ in p.models]
    counts = provision(p, loads) if p.exclusive else [most] * len(p.models)
    found: list[tuple[int, ...]] = []
    for _ in range(MOST_ROUNDS):
        for m in models:
            taken = [0] * len(p.chiplets)
            for other, chiplet in enumerate(mine):
                for k, c in enumerate(chiplet if other != m else ()):
                    taken[c] += loads.ticks[p.models[other].first + k][c]
                    if p.exclusive:
                        taken[c] = FAR
            cut = _cut(search, loads, m, taken, min(most, counts[m]))
            if cut is None:
                return
            mine[m] = cut
        whole = tuple(c for chiplet in mine for c in chiplet)
        if whole in found:
            return
        found.append(whole)
        yield whole


def _cut(
    search: Search, loads: Loads, m: int, taken: Sequence[int], most: int
) -> list[int] | None:
    """Return the chiplet of every layer of a model beside what is taken."""
    sums = loads.sums[m]
    if len(search.problem.chiplets) > MOST_CHIPLETS:
        return _along_paths(search, loads, m, taken, most)
    low, high, best = 0, FAR - 1, _orders(sums, taken, FAR - 1, most)
    if best is None:
        return None
    high = max(taken[c] + sums[c][b] - sums[c][a] for c, a, b in _runs(best))
    while high - low > high // SLACK:
        search.breathe()
        top = (low + high) // 2
        found = _orders(sums, taken, top, most)
        if found is None:
            low = top + 1
        else:
            best, high = found, top
    order, stops = zip(*((c, b) for c, _, b in _runs(best)), strict=True)
    return spread(order, stops)


def _runs(best: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return (chiplet, start, stop) of (chiplet, stop)."""
    starts = [0, *(stop for _, stop in best[:-1])]
    return [(c, a, b) for a, (c, b) in zip(starts, best, strict=True)]


def _orders(
    sums: Sequence[Sequence[int]], taken: Sequence[int], top: int, most: int
) -> list[tuple[int, int]] | None:
    """Return (chiplet, stop) in the order of an order that does it all within `top`.

    `far[set]` is the most layers that the set's chiplets do; of orders that end alike
    nothing else matters.
    """
    size = len(sums[0]) - 1
    far: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {0: (0, ())}
    for _ in range(most):
        longer: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {}
        for done, (at, path) in far.items():
            for c in range(len(sums)):
                if done >> c & 1:
                    continue
                stop = reach(sums[c], at, top - taken[c])
                if stop == size:
                    return [*path, (c, stop)]
                key = done | 1 << c
                if stop > at and (key not in longer or stop > longer[key][0]):
                    longer[key] = (stop, (*path, (c, stop)))
        far = longer
    return None


def _along_paths(
    search: Search, loads: Loads, m: int, taken: Sequence[int], most: int
) -> list[int] | None:
    """Return a cut of a large package: chiplets by what is taken, in a few orders."""
    p = search.problem
    n = len(p.chiplets)
    by_load = sorted(range(n), key=lambda c: (taken[c], c))[:most]
    orders = [by_load, sorted(by_load)]
    for _ in range(4):
        orders.append(search.random.sample(by_load, len(by_load)))
    best = None
    for order in orders:
        cut = balanced(loads.sums[m], order, taken)
        if cut is not None and (best is None or cut[0] < best[0]):
            best = (*cut, order)
    return None if best is None else spread(best[2], best[1])

"""Chiplets in proportion to expected load, even cuts, along neighbouring chiplets.

SCAR's PROV, SEG and SCHED (arXiv 2405.00790, §III-IV) restated for a steady state:
there are no windows; a model's share of the chiplets is that of its expected ticks,
blind to dataflows; its layers are cut as evenly as its chiplets allow; and its segments
lie on a path of neighbouring chiplets, no chiplet used twice.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.segments import (
    FAR,
    Loads,
    balanced,
    layer_by_layer,
    loads_of,
    paths,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.pipelined.heuristics.search import Search
    from formulation.problem import Problem

MOST_PLACEMENTS = 200
MOST_PATHS = 6  # from one root


def schedule(search: Search) -> None:
    """Offer placements, root by root, leaning each way."""
    p = search.problem
    loads = loads_of(search)
    seen = set()
    for chiplet in islice(placements(search, loads), MOST_PLACEMENTS):
        if chiplet not in seen:
            seen.add(chiplet)
            for lean in search.leans:
                search.offer(Plan(chiplet, lean=(lean,) * len(p.chiplets)))
    if search.schedule is None and not p.contiguous:
        search.notes.append("no even cuts along neighbours: layer by layer instead")
        search.offer(layer_by_layer(search, loads))


def provision(p: Problem, loads: Loads) -> list[int]:
    """Return the number of chiplets of each model: its share, at least one.

    The expected ticks of a layer are their mean over the chiplets that support it.
    With more models than chiplets each gets one, shared with others.
    """
    expected = []
    for model in p.models:
        total = 0.0
        for t in model.tasks:
            some = [x for x in loads.ticks[t] if x < FAR]
            total += sum(some) / max(1, len(some))
        expected.append(total)
    n, whole = len(p.chiplets), sum(expected) or 1.0
    shares = [n * x / whole for x in expected]
    counts = [max(1, int(x)) for x in shares]
    for m in sorted(range(len(counts)), key=lambda m: int(shares[m]) - shares[m]):
        if sum(counts) < n:
            counts[m] += 1
    while sum(counts) > n and max(counts) > 1:
        m = max(range(len(counts)), key=lambda m: (counts[m] > 1, counts[m]))
        counts[m] -= 1
    return [min(k, len(model.tasks)) for k, model in zip(counts, p.models, strict=True)]


def placements(search: Search, loads: Loads) -> Iterator[tuple[int, ...]]:
    """Yield chiplets for all layers: paths from random roots, the largest model first.

    Endless, unless no model's layers can be cut along any path.
    """
    p = search.problem
    counts = provision(p, loads)
    order = sorted(range(len(p.models)), key=lambda m: -min(loads.model_ticks(m)))
    barren = 0
    while barren < 4 * len(p.chiplets):
        found = _placement(search, loads, counts, order)
        barren = 0 if found is not None else barren + 1
        if found is not None:
            yield found


def _placement(
    search: Search, loads: Loads, counts: list[int], order: list[int]
) -> tuple[int, ...] | None:
    """Return one placement: the most even of a few paths for every model in turn."""
    p = search.problem
    taken = [0] * len(p.chiplets)
    free = frozenset(range(len(p.chiplets)))
    chiplet = [0] * len(p.tasks)
    for n, m in enumerate(order):
        if not free:
            free = frozenset(range(len(p.chiplets)))
            if p.exclusive:
                return None
        keep = 0 if p.exclusive is False else len(order) - n - 1
        length = max(1, min(counts[m], len(free) - keep))
        root = search.random.choice(sorted(free))
        best = None
        for path in islice(paths(p, root, length, free), MOST_PATHS):
            cut = balanced(loads.sums[m], path, taken)
            if cut is not None and (best is None or cut[0] < best[0]):
                best = (cut[0], cut[1], path)
        if best is None:
            return None
        _, stops, path = best
        for t, c in zip(p.models[m].tasks, spread(path, stops), strict=True):
            chiplet[t] = c
            taken[c] += loads.ticks[t][c]
        free -= set(path)
    return tuple(chiplet)

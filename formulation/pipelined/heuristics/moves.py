"""Small changes of a plan: the moves of local search, after those of the SET family.

SET (Cai et al., ISCA 2023) anneals a tree of segments: moves a cut, gives a segment to
other cores, joins and splits; here also what goes over DRAM and what modes and
residency lean to. A move returns a plan or `None` where it has nothing to move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from formulation.pipelined.heuristics.segments import balanced, spread
from formulation.pipelined.heuristics.tables import LEANS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from formulation.pipelined.heuristics.decode import Plan
    from formulation.pipelined.heuristics.search import Search


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of layers of one model on one chiplet: start ≤ t < stop."""

    model: int
    start: int
    stop: int
    chiplet: int


def segments(search: Search, chiplet: Sequence[int]) -> list[Segment]:
    """Return the segments of all models, in the order of the layers."""
    found = []
    for m, model in enumerate(search.problem.models):
        start = model.first
        for t in range(model.first + 1, model.last + 2):
            if t > model.last or chiplet[t] != chiplet[start]:
                found.append(Segment(m, start, t, chiplet[start]))
                start = t
    return found


def _moved(search: Search, plan: Plan, start: int, stop: int, c: int) -> Plan:
    """Return the plan with layers on another chiplet, and with them their groups."""
    chiplet = list(plan.chiplet)
    chiplet[start:stop] = [c] * (stop - start)
    for group in search.problem.colocate:
        if any(start <= t < stop for t in group):
            for t in group:
                chiplet[t] = c
    return _on(plan, tuple(chiplet))


def _on(plan: Plan, chiplet: tuple[int, ...]) -> Plan:
    fixed = tuple(x for x in plan.fixed if chiplet[x[0]] == plan.chiplet[x[0]])
    return replace(plan, chiplet=chiplet, fixed=fixed)


def _some(search: Search, plan: Plan, busy: Sequence[int]) -> list[Segment]:
    """Return the segments to choose from: every other time those of the busiest."""
    found = segments(search, plan.chiplet)
    if busy and search.random.random() < 0.5:
        worst = max(range(len(busy)), key=lambda c: busy[c])
        return [s for s in found if s.chiplet == worst] or found
    return found


def _size(rng: Random, most: int) -> int:
    """Return 1 … most, small ones more often."""
    size = 1
    while size < most and rng.random() < 0.5:
        size += 1
    return size


def move_cut(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Move a cut between two segments by a few layers."""
    rng = search.random
    found = segments(search, plan.chiplet)
    cuts = [(a, b) for a, b in pairwise(found) if a.model == b.model]
    if busy and rng.random() < 0.6:
        worst = max(range(len(busy)), key=lambda c: busy[c])
        cuts = [x for x in cuts if worst in (x[0].chiplet, x[1].chiplet)] or cuts
    if not cuts:
        return None
    a, b = rng.choice(cuts)
    if rng.random() < 0.5:
        size = _size(rng, a.stop - a.start)
        return _moved(search, plan, a.stop - size, a.stop, b.chiplet)
    size = _size(rng, b.stop - b.start)
    return _moved(search, plan, b.start, b.start + size, a.chiplet)


def swap_segments(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Swap the chiplets of two segments, of one model or of two."""
    found = segments(search, plan.chiplet)
    if len(found) < 2:
        return None
    a, b = search.random.sample(found, 2)
    if a.chiplet == b.chiplet:
        return None
    new = _moved(search, plan, a.start, a.stop, b.chiplet)
    return _moved(search, new, b.start, b.stop, a.chiplet)


def swap_chiplets(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Swap all that two chiplets do, for one model or for all of them."""
    p, rng = search.problem, search.random
    if len(p.chiplets) < 2:
        return None
    a, b = rng.sample(range(len(p.chiplets)), 2)
    m = rng.randrange(len(p.models) + 1)
    other = {a: b, b: a}
    chiplet = tuple(
        other.get(c, c) if m in (len(p.models), p.tasks[t].model) else c
        for t, c in enumerate(plan.chiplet)
    )
    return _on(plan, chiplet)


def move_segment(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Give a segment to another chiplet."""
    s = search.random.choice(_some(search, plan, busy))
    c = search.random.randrange(len(search.problem.chiplets))
    return None if c == s.chiplet else _moved(search, plan, s.start, s.stop, c)


def split(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Give the first or the last layers of a segment to another chiplet."""
    rng = search.random
    found = [s for s in _some(search, plan, busy) if s.stop - s.start > 1]
    if not found:
        return None
    s = rng.choice(found)
    at = rng.randrange(s.start + 1, s.stop)
    c = rng.randrange(len(search.problem.chiplets))
    if rng.random() < 0.5:
        return _moved(search, plan, s.start, at, c)
    return _moved(search, plan, at, s.stop, c)


def move_layers(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Move a few layers out of a segment; not where layers must be contiguous."""
    p, rng = search.problem, search.random
    if p.contiguous:
        return None
    s = rng.choice(_some(search, plan, busy))
    t = rng.randrange(s.start, s.stop)
    stop = t + _size(rng, s.stop - t)
    return _moved(search, plan, t, stop, rng.randrange(len(p.chiplets)))


def swap_layers(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Swap the chiplets of two layers; not where layers must be contiguous."""
    p, rng = search.problem, search.random
    if p.contiguous or len(p.tasks) < 2:
        return None
    a, b = rng.sample(range(len(p.tasks)), 2)
    new = _moved(search, plan, a, a + 1, plan.chiplet[b])
    return _moved(search, new, b, b + 1, plan.chiplet[a])


def recut(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Change the order of a model's chiplets a little and cut it evenly again."""
    p, rng, loads = search.problem, search.random, search.loads
    m = rng.randrange(len(p.models))
    model = p.models[m]
    order = list(dict.fromkeys(plan.chiplet[model.first : model.last + 1]))
    others = [c for c in range(len(p.chiplets)) if c not in order]
    k, way = rng.randrange(len(order)), rng.random()
    if others and way < 0.25:
        order.insert(k, rng.choice(others))
    elif others and way < 0.5:
        order[k] = rng.choice(others)
    elif len(order) > 1 and way < 0.6:
        del order[k]
    elif len(order) > 1:
        order.insert(rng.randrange(len(order)), order.pop(k))
    taken = [0] * len(p.chiplets)
    for t, c in enumerate(plan.chiplet):
        if p.tasks[t].model != m:
            taken[c] += loads.ticks[t][c]
    cut = balanced(loads.sums[m], order, taken)
    if cut is None:
        return None
    chiplet = list(plan.chiplet)
    chiplet[model.first : model.last + 1] = spread(order, cut[1])
    for group in p.colocate:
        for t in group:
            chiplet[t] = chiplet[group[0]]
    return _on(plan, tuple(chiplet))


def change_place(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Send a tensor over DRAM, or back over the package; one that crosses, mostly."""
    decoder, rng = search.decoder, search.random
    free = [x for x in decoder.placed if x[0] not in decoder.packages]
    crossing = [
        x for x in free if any(plan.chiplet[j] != plan.chiplet[x[1]] for j in x[2])
    ]
    if rng.random() < 0.8:
        free = crossing or free
    if not free:
        return None
    return replace(plan, dram=plan.dram ^ {rng.choice(free)[0]})


def change_lean(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Lean another way on one chiplet."""
    n, rng = len(search.problem.chiplets), search.random
    lean = list(plan.lean or (0,) * n)
    c = rng.randrange(n)
    lean[c] = rng.choice([k for k in range(len(LEANS)) if k != lean[c]])
    return replace(plan, lean=tuple(lean))


def change_choice(search: Search, plan: Plan, busy: Sequence[int]) -> Plan | None:
    """Fix mode and residency of a layer, or let go of what is fixed on its chiplet."""
    rng = search.random
    t = rng.randrange(len(search.problem.tasks))
    c = plan.chiplet[t]
    fixed = {k: v for k, v in plan.fixed if k != t}
    here = [k for k in fixed if plan.chiplet[k] == c]
    if here and rng.random() < 0.4:
        for k in here:
            del fixed[k]
    else:
        some = search.decoder.tables.choices(t, c)
        if len(some) < 2:
            return None
        fixed[t] = rng.choice(some)
    return replace(plan, fixed=tuple(sorted(fixed.items())))


MOVES: tuple[tuple[Callable[[Search, Plan, Sequence[int]], Plan | None], int], ...] = (
    (move_cut, 10),
    (swap_segments, 2),
    (swap_chiplets, 1),
    (move_segment, 2),
    (split, 2),
    (move_layers, 4),
    (swap_layers, 2),
    (recut, 2),
    (change_place, 2),
    (change_lean, 1),
    (change_choice, 3),
)


def neighbour(search: Search, plan: Plan, busy: Sequence[int]) -> Plan:
    """Return the plan after a random move, or itself if nothing can be moved.

    Parameters
    ----------
    busy
        Loads of the chiplets, to begin at the busiest; () if they are not known.
    """
    moves, weights = zip(*MOVES, strict=True)
    for move in search.random.choices(moves, weights, k=20):
        new: Plan | None = move(search, plan, busy)
        if new is not None and new != plan:
            return new
    return plan

"""Every model whole on one chiplet of its own, in one window if there are enough.

SCAR's baseline Standalone (arXiv 2405.00790), with the best chiplet for each model.
With more models than chiplets the longest come first, as many in a window as there are
chiplets. Where a model fits no chiplet it is cut where it must be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.heuristics.assign import assigned
from formulation.windowed.heuristics.decode import Plan, filled
from formulation.windowed.segments import Segment, need_bytes

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.windowed.heuristics.search import Search

MOST_AT_ONCE = 12  # models that an exact assignment is looked for


def schedule(search: Search) -> None:
    """Offer it for the sake of time and of energy."""
    for energy in (False, True):
        plan = whole_models(search, energy) or cut_models(search.problem, energy)
        if plan is not None:
            search.offer(plan)
    if search.schedule is None:
        search.notes.append("models do not fit so few windows, cut as little as can be")


def whole_models(search: Search, energy: bool) -> Plan | None:
    """Return the best plan of whole models; `None` if one fits no chiplet.

    In a window the longest model is as short as can be, or the energy least.
    """
    p = search.problem
    costs: list[list[int | None]] = []
    for m, model in enumerate(p.models):
        row: list[int | None] = []
        for c in range(len(p.chiplets)):
            able = all(c in p.supported(t) for t in model.tasks)
            runs = ((c, model.first, model.last + 1),)
            found = filled(p, m, runs, energy) if able else None
            cost = None if found is None else found.energy if energy else found.ticks
            row.append(cost)
        costs.append(row)
    least = [min((x for x in row if x is not None), default=None) for row in costs]
    known = [x for x in least if x is not None]
    if len(known) < len(costs):
        return None
    order = sorted(range(len(costs)), key=lambda m: -known[m])
    size = min(len(p.chiplets), MOST_AT_ONCE)
    chiplet, window = [0] * len(costs), [0] * len(costs)
    for w, k in enumerate(range(0, len(order), size)):
        together = order[k : k + size]
        owner = assigned([costs[m] for m in together], bottleneck=not energy)
        if owner is None:
            return None
        for m, c in zip(together, owner, strict=True):
            chiplet[m], window[m] = c, w
    layers = tuple(chiplet[task.model] for task in p.tasks)
    return Plan(layers, tuple(window), energy)


def cut_models(p: Problem, energy: bool) -> Plan | None:
    """Return a plan in which every piece of a model is as long as a chiplet takes it.

    `None` if a layer fits no chiplet by itself.
    """
    chiplet: list[int] = []
    for m, model in enumerate(p.models):
        t = model.first
        while t <= model.last:
            ends = [_end(p, m, c, t) for c in range(len(p.chiplets))]
            c = max(range(len(ends)), key=ends.__getitem__)
            if ends[c] == t:
                return None
            chiplet += [c] * (ends[c] - t)
            t = ends[c]
    return Plan(tuple(chiplet), (0,) * len(p.models), energy)


def _end(p: Problem, m: int, c: int, start: int) -> int:
    """Return the first layer from `start` on that does not fit a chiplet by itself."""
    for t in range(start, p.models[m].last + 1):
        alone = Segment(m, c, t, t + 1, first=True, last=True, group=1)
        room = p.chiplets[c].l2_bytes
        if not any(need_bytes(p, alone, t, x) <= room for x in p.tasks[t].modes[c]):
            return t
    return p.models[m].last + 1

"""One model per chiplet: the best way to keep the models apart.

SCAR's baseline Standalone (arXiv 2405.00790), with the best chiplet for each model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.heuristics.assign import assigned
from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.segments import FAR, loads_of

if TYPE_CHECKING:
    from formulation.pipelined.heuristics.search import Search
    from formulation.problem import Problem

MOST_MODELS = 12  # that an exact assignment is looked for


def schedule(search: Search) -> None:
    """Offer the best assignment of models to chiplets, leaning each way once.

    The assignment makes the largest of the models' own ticks least, or the sum of
    their energies where the objective is energy. More models than chiplets share:
    each goes, the largest first, to the chiplet that is then least busy.
    """
    p = search.problem
    if not _one_each(p):
        search.notes.append(
            f"{len(p.models)} models share {len(p.chiplets)} chiplets: one each is not "
            "possible"
        )
    chiplet = whole_models(search)
    if chiplet is None:
        search.notes.append("no chiplet for every model: some layer is not supported")
        return
    for lean in search.leans:
        search.offer(Plan(chiplet, lean=(lean,) * len(p.chiplets)))


def whole_models(search: Search) -> tuple[int, ...] | None:
    """Return that assignment, layer by layer; `None` if a model fits no chiplet."""
    p, whole = search.problem, _costs(search)
    if _one_each(p):
        bottleneck = search.objective[0] != "energy"
        most = FAR if bottleneck else FAR * FAR
        known = [[x if x < most else None for x in row] for row in whole]
        owner = assigned(known, bottleneck)
    else:
        owner = _shared(whole)
    if owner is None:
        return None
    models = zip(p.models, owner, strict=True)
    return tuple(c for model, c in models for _ in model.tasks)


def _one_each(p: Problem) -> bool:
    """Whether each model is to have a chiplet of its own."""
    return len(p.models) <= min(len(p.chiplets), MOST_MODELS)


def _costs(search: Search) -> list[list[int]]:
    """Return what every model costs on every chiplet: ticks, or energy units."""
    p, tables = search.problem, search.decoder.tables
    if search.objective[0] != "energy":
        loads = loads_of(search)
        return [loads.model_ticks(m) for m in range(len(p.models))]
    costs = []
    for model in p.models:
        row = []
        for c in range(len(p.chiplets)):
            some = [tables.options(t, c) for t in model.tasks]
            least = [min((o.energy for o in options), default=FAR * FAR)
                     for options in some]  # fmt: skip
            row.append(sum(least))
        costs.append(row)
    return costs


def _shared(costs: list[list[int]]) -> list[int] | None:
    busy = [0] * len(costs[0])
    owner = [0] * len(costs)
    for m in sorted(range(len(costs)), key=lambda m: -min(costs[m])):
        c = min(range(len(busy)), key=lambda c: busy[c] + costs[m][c])
        busy[c] += costs[m][c]
        owner[m] = c
    return owner if max(busy) < FAR else None

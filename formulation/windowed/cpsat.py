"""CP-SAT on windowed schedules: build, solve, read (MODEL.md §7.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.engines.cpsat import EngineError, run
from formulation.windowed.cpsat_build import STRENGTHENINGS as BUILT
from formulation.windowed.cpsat_build import Flows, build
from formulation.windowed.schedule import Schedule
from formulation.windowed.search import PRICED, Search, bounded, stopped
from formulation.windowed.semantics import check_options
from formulation.windowed.steps import steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.objective import Part
    from formulation.outcome import Answer, Limits, Report
    from formulation.problem import Problem

    Value = Callable[[cp_model.LinearExprT], int]

STRENGTHENINGS = (*BUILT, PRICED)


def read(x: Flows, values: Value) -> Schedule:
    """Return the schedule of a solution, without its empty windows."""
    p, count = x.p, len(x.p.tasks)
    taken = [step for step in x.steps if values(step.taken)]
    used = sorted({step.window for step in taken})
    chiplet, mode, window = [0] * count, [0] * count, [0] * count
    groups: list[list[int | None]] = [[None] * len(used) for _ in p.models]
    for step in taken:
        s, w = step.segment, used.index(step.window)
        groups[s.model][w] = s.group
        for t, k in zip(s.tasks, step.modes, strict=True):
            chiplet[t], mode[t], window[t] = s.chiplet, k, w
    return Schedule(
        tuple(chiplet), tuple(mode), tuple(window), tuple(tuple(g) for g in groups)
    )


def minimise(
    p: Problem,
    part: Part,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
) -> Answer[Schedule]:
    """Minimise a part of an objective (MODEL.md §7.4).

    Parameters
    ----------
    hint
        A schedule to start from.
    without
        Labels of rules left out: see `steps`, which frees the problem itself of them.
    strengthenings
        Those of `STRENGTHENINGS` that are on.

    Raises
    ------
    KindError
        If the problem has options that windowed schedules do not have, or rules are to
        be left out that are always there.
    EngineError
        If CP-SAT returns what the semantics refuse, refuses the model, or proves
        infeasible what has a valid schedule. (Of numbers that are too large for it the
        answer is what is known without it, with a note.)
    """
    check_options(p)
    search = Search(steps(p, without).p, limits, report, frozenset(), part)
    if hint is not None:
        search.begin(hint)
    why = bounded(search, strengthenings)
    return search.answer(why or _search(search, strengthenings))


def _search(search: Search, strengthenings: frozenset[str]) -> str:
    """Build and solve; return why it stopped."""
    try:
        x = build(search.p, search.part, strengthenings & BUILT.keys())
    except EngineError as error:  # numbers too large: what is known stands
        search.notes.append(f"not searched: {error}")
        return "finished"
    if search.over:
        return stopped(search)
    result = run(
        x.model,
        search.limits,
        seconds=search.left(),
        seen=lambda values: search.must(read(x, values)),
        bounded=search.raise_bound,
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(result.bound)
    if result.values is not None:
        search.must(read(x, result.values))
    return result.why_stopped

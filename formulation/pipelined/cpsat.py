"""CP-SAT on pipelined schedules: cut, relax, complete, prove."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from formulation.dual import recompute
from formulation.engines.cpsat import EngineError, run
from formulation.engines.lp import multipliers
from formulation.outcome import Answer
from formulation.pipelined.cpsat_build import (
    STRENGTHENINGS,
    add_hint,
    build,
    fix,
    read,
)
from formulation.pipelined.cpsat_cuts import by_cuts, cuttable, polish
from formulation.pipelined.cpsat_energy import by_energy, energy_cuttable
from formulation.pipelined.cpsat_search import Search, complete, solve_relaxed
from formulation.pipelined.relaxation import relaxation
from formulation.pipelined.semantics import evaluate

if TYPE_CHECKING:
    from formulation.outcome import Limits, Report, Target
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem


def minimise(
    p: Problem,
    target: Target,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    fixed: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
    tune: dict[str, object] | None = None,
) -> Answer[Schedule]:
    """Minimise a target.

    First the relaxation without stages (MODEL.md §3.2), whose solutions are given
    stages as they come; if its optimum cannot be completed, the whole model.

    Parameters
    ----------
    hint
        A schedule to start from.
    fixed
        All decisions are fixed to this schedule: the answer is its value, or
        infeasible (tests).
    without
        Labels of rules left out; the answer is then one of a relaxation.
    strengthenings
        Those of `STRENGTHENINGS` that are on.
    tune
        CP-SAT parameters by name.

    Raises
    ------
    EngineError
        If CP-SAT returns what the semantics refuse, refuses the model, or proves
        infeasible what has a valid schedule.
    """
    search = Search(p, target, limits, report, without)
    if hint is not None and not search.offer(hint):
        search.notes.append("the schedule to start from is not valid: ignored")
    chosen = frozenset() if fixed is not None else strengthenings
    why = _search(search, chosen, fixed, tune)
    infeasible = why == "infeasible"
    if infeasible and search.schedule is not None:
        raise EngineError(
            f"CP-SAT proved infeasible what has a valid schedule of {search.value}"
        )
    if infeasible or search.closed:
        why = "finished"
    return Answer(
        schedule=search.schedule,
        value=search.value,
        bound=None if infeasible else search.bound,
        infeasible=infeasible,
        why_stopped=why,
        seconds=time.monotonic() - search.began,
        notes=tuple(search.notes),
    )


def _search(
    search: Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object] | None,
) -> str:
    """Go through the phases until one settles it; return why it stopped."""
    p, why = search.p, ""
    if "relaxation" in strengthenings and search.target.quantity != "period":
        _linear(search)
    if "project_stages" in strengthenings and "stage" not in search.without:
        if cuttable(search, strengthenings):
            by_cuts(search, strengthenings)
            if not p.contiguous:
                polish(search, strengthenings)
        if energy_cuttable(search, strengthenings):
            by_energy(search, strengthenings)
        if not search.enough:
            why = _relaxed(search, strengthenings, tune)
    if why != "infeasible" and not search.enough:
        why = _whole(search, strengthenings, fixed, tune)
    return "gap" if search.enough and why != "infeasible" else why


def _linear(search: Search) -> None:
    """Take the bound of the linear relaxation (MODEL.md §4.8), if no rule is out."""
    if not search.without:
        program = relaxation(search.p, search.target)
        left = search.left()
        seconds = None if left is None else left / 4
        search.raise_bound(recompute(program, multipliers(program, seconds)))


def _relaxed(
    search: Search, strengthenings: frozenset[str], tune: dict[str, object] | None
) -> str:
    """Solve without stages, complete what is found; return why it stopped."""
    m = build(
        search.p,
        search.target,
        staged=False,
        without=search.without,
        strengthenings=strengthenings,
    )
    if search.bound is not None and search.target.quantity == "period":
        m.model.add(m.period >= search.bound)
    if search.schedule is not None:
        add_hint(m, search.schedule)
    left = search.left()
    result, last = solve_relaxed(
        search,
        m,
        seconds=None if left is None else left - min(5.0, left / 10),
        tune=tune or {},
        bounded=lambda bound: search.raise_bound(search.quanta(bound)),
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(search.quanta(result.bound))
    if last is not None and not search.closed:
        complete(search, last, strengthenings)
    return result.why_stopped


def _whole(
    search: Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object] | None,
) -> str:
    """Solve the whole model; return why it stopped."""
    target = search.target
    if search.bound is not None:
        target = replace(target, at_least=max(target.at_least, search.bound))
    m = build(search.p, target, without=search.without, strengthenings=strengthenings)
    if fixed is not None:
        fix(m, fixed)
    elif search.schedule is not None:
        add_hint(m, search.schedule)
    left = search.left()
    if left is not None and left <= 0:
        return "time limit"
    result = run(
        m.model,
        search.limits,
        seconds=left,
        tune=tune or {},
        seen=lambda value: _must(search, read(m, value)),
        bounded=lambda bound: search.raise_bound(search.quanta(bound)),
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(search.quanta(result.bound))
    if result.values is not None:
        _must(search, read(m, result.values))
    return result.why_stopped


def _must(search: Search, found: Schedule) -> None:
    """Offer a solution of the whole model; a refusal is our error, never repaired."""
    if not search.offer(found):
        broken = evaluate(search.p, found, without=search.without)
        lines = "; ".join(str(v) for v in broken.violations)
        raise EngineError(f"CP-SAT's schedule is refused: {lines or 'over a cap'}")

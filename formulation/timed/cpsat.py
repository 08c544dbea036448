"""CP-SAT on timed schedules: list, bound, prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.engines.cpsat import EngineError, run
from formulation.timed.bounds import horizon
from formulation.timed.cpsat_build import (
    STRENGTHENINGS,
    add_hint,
    build,
    fix,
    read,
)
from formulation.timed.search import Search, last_tick, listed
from formulation.timed.semantics import KindError, check_options

if TYPE_CHECKING:
    from formulation.objective import Part
    from formulation.outcome import Answer, Limits, Report
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule


def minimise(
    p: Problem,
    part: Part,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    fixed: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
    tune: dict[str, object] | None = None,
) -> Answer[Schedule]:
    """Minimise a part of an objective (MODEL.md §6.3).

    The parts of a longer objective are minimised one after the other: what is earned
    becomes one of the problem's `caps`.

    Parameters
    ----------
    hint
        A schedule to start from.
    fixed
        All decisions and times are fixed to this schedule: the answer is its value, or
        infeasible (tests).
    without
        Labels of rules left out; the answer is then one of a relaxation, in which
        movements take no time if `duration` is.
    strengthenings
        Those of `STRENGTHENINGS` that are on.
    tune
        CP-SAT parameters by name.

    Raises
    ------
    KindError
        If the problem has options that timed schedules or this engine do not have:
        ``fluid`` contention (rates are fractions of a length that is itself decided).
    EngineError
        If CP-SAT returns what the semantics refuse, refuses the model, or proves
        infeasible what has a valid schedule. (Of numbers that are too large for it the
        answer is what list scheduling and bounds give, with a note.)
    """
    check_options(p)
    if p.timing.contention == "fluid":
        raise KindError("contention: fluid is for the engine milp alone")
    search = Search(p, limits, report, without, part)
    if hint is not None:
        search.begin(hint)
    chosen = strengthenings if fixed is None else frozenset()
    return search.answer(_search(search, chosen, fixed, tune or {}))


def _search(
    search: Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object],
) -> str:
    """List, build and solve; return why it stopped."""
    p, part, last = search.p, search.part, horizon(search.p, search.without)
    least = listed(search, strengthenings)
    if least is not None and search.enough:
        return "gap"
    if fixed is not None:
        last = max(last, last_tick(p, fixed))
    elif search.value is not None and part.text == "makespan" and not search.without:
        last = min(last, search.value)
    try:
        m = build(
            p,
            part,
            last,
            lower=least,
            without=search.without,
            strengthenings=strengthenings,
        )
    except EngineError as error:  # numbers too large: what is known stands
        search.notes.append(f"not searched: {error}")
        return "finished"
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
        tune=tune,
        seen=lambda value: search.must(read(m, value)),
        bounded=search.raise_bound,
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(result.bound)
    if result.values is not None:
        search.must(read(m, result.values))
    return result.why_stopped

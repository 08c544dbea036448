"""CP-SAT on timed schedules: list, bound, prove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.engines.cpsat import EngineError, run
from formulation.incumbent import Incumbent
from formulation.rules import UnassignedError
from formulation.timed.bounds import horizon, lower
from formulation.timed.bounds import least as bound_of
from formulation.timed.cpsat_build import (
    STRENGTHENINGS,
    add_hint,
    build,
    fix,
    read,
)
from formulation.timed.list_schedule import list_schedule
from formulation.timed.objective import value
from formulation.timed.semantics import KindError, check_options, evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Part
    from formulation.outcome import Answer, Limits, Report
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule


@dataclass
class Search(Incumbent["Schedule"]):
    """One call of `minimise`."""

    part: Part

    @property
    def quantity(self) -> str:
        """The text of the part."""
        return self.part.text

    def judged(self, s: Schedule) -> tuple[int | None, Sequence[object]]:
        """Return what a schedule is worth; else `None` and what is wrong with it."""
        try:
            found = evaluate(self.p, s, without=self.without)
        except UnassignedError as error:
            return None, error.violations
        if found.violations:
            return None, found.violations
        return value(self.p, self.part, found.worth), ()


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
        raise KindError("contention: fluid has no engine yet")
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
    if "list" in strengthenings:
        for s in list_schedule(p):
            search.offer(s)
            if search.over:
                break
    if fixed is not None:
        last = max(last, _last(p, fixed))
    elif search.value is not None and part.text == "makespan" and not search.without:
        last = min(last, search.value)
    least = None
    if "lower_bound" in strengthenings and not search.without:
        least = lower(p)
        search.raise_bound(bound_of(p, part))
        if search.enough:
            return "gap"
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


def _last(p: Problem, s: Schedule) -> int:
    """Return the last tick that a schedule speaks of."""
    facts = evaluate(p, s).facts
    ends = [move.span[1] for move in facts.movements]
    return max(ends + [end for spans in facts.runs for _, end in spans])

"""MILP on small timed schedules: list, bound, prove (MODEL.md §6.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from formulation.engines.milp import EngineError, News, highs
from formulation.outcome import integer_bound
from formulation.timed.bounds import horizon, longest
from formulation.timed.milp_build import STRENGTHENINGS, build, fix, read
from formulation.timed.objective import caps_of, value
from formulation.timed.search import Search, last_tick, listed
from formulation.timed.semantics import check_options, evaluate

if TYPE_CHECKING:
    from formulation.engines.milp import Var
    from formulation.objective import Part
    from formulation.outcome import Answer, Limits, Report
    from formulation.problem import Problem
    from formulation.timed.bounds import Lower
    from formulation.timed.schedule import Schedule

MOST_TICKS = 5 * 10**4
"""What 1e-6 of each of four literals times M ≤ 2·H is less than half a tick for."""
FIRST_LINES, MOST_LINES = 32, 4096
HAIR = 1e-6


class MilpSearch(Search):
    """One call of `minimise`."""

    engine: ClassVar[str] = "milp"


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
) -> Answer[Schedule]:
    """Minimise a part of an objective (MODEL.md §6.3); see `timed.cpsat.minimise`.

    Parameters
    ----------
    hint
        A schedule whose value is not to be exceeded.
    fixed
        All decisions and times are fixed to this schedule: the answer is its value, or
        infeasible (tests).
    without
        Labels of rules left out; the answer is then one of a relaxation, in which
        movements take no time if `duration` is.
    strengthenings
        Those of `STRENGTHENINGS` that are on.

    Raises
    ------
    KindError
        If the problem has options that timed schedules do not have.
    EngineError
        If the solver's decisions and orders are none, or refused by the semantics, or
        it proves infeasible what has a valid schedule.
    """
    check_options(p)
    search = MilpSearch(p, limits, report, without, part)
    if fixed is None and hint is not None:
        search.begin(hint)
    chosen = strengthenings if fixed is None else frozenset()
    return search.answer(_search(search, chosen, fixed))


def _search(
    search: Search, strengthenings: frozenset[str], fixed: Schedule | None
) -> str:
    """List, bound and solve; return why it stopped."""
    p, last = search.p, horizon(search.p, search.without)
    least = listed(search, strengthenings)
    if least is not None and search.enough:
        return "gap"
    if fixed is not None:
        last = max(last, last_tick(p, fixed))
    fluid, lines = p.timing.contention == "fluid", FIRST_LINES
    while True:
        if search.value is not None and search.part.text == "makespan":
            last = last if search.without else min(last, search.value)
        if last > MOST_TICKS:
            text = f"times above {MOST_TICKS} ticks are beyond this engine's resolution"
            search.notes.append(f"not tried: {text}, take longer ticks")
            return "finished"
        most = last if fixed is not None else min(last, longest(p))
        why = _solve(search, last, (most, lines), least, fixed)
        done = not fluid or lines >= most
        if done or why != "finished" or search.value == search.bound:
            return why
        if lines >= MOST_LINES:
            text = f"movements of more than {lines} ticks are not looked at exactly"
            search.notes.append(f"given up: {text}, take longer ticks")
            return "finished"
        lines = min(8 * lines, MOST_LINES)


def _solve(
    search: Search,
    last: int,
    lengths: tuple[int, int],
    least: Lower | None,
    fixed: Schedule | None,
) -> str:
    """Build and solve; return why it stopped.

    `lengths` are `Timed.longest` and `Timed.lines`.
    """
    limits, known = search.limits, search.value
    m = build(
        search.p,
        search.part,
        last,
        longest=lengths[0],
        lines=lengths[1],
        known=known,
        lower=least,
        without=search.without,
    )
    if fixed is not None:
        fix(m, fixed)
    left = search.left()
    if limits.stop is not None and limits.stop.is_set():
        return "interrupted"
    if left is not None and left <= 0:
        return "time limit"

    def prove(bound: float) -> None:
        search.raise_bound(integer_bound(bound, known or 0))

    def take(values: dict[Var, float]) -> None:
        s = read(m, values)
        relaxed = any(values[long] > m.lines for long in m.pace.values())
        cheap = relaxed and _broken(search, s) == {"bandwidth"}
        if not cheap and not _within_tolerances(search, s):
            search.must(s)

    gap = 0.5
    if limits.gap and known is not None:
        gap = max(gap, float(limits.gap * abs(known)))
    found = highs(m.program, limits, left, gap, News(take, prove))
    if found.status == "infeasible":
        return "infeasible"
    if found.bound is not None:
        prove(found.bound)
    if found.values is not None:
        take(found.values)
    if found.status == "unknown":
        raise EngineError(f"the solver stopped without a verdict: {found.said}")
    if found.status != "optimal":
        return found.status
    early = limits.gap and search.value not in (None, search.bound)
    return "gap" if early else "finished"


def _broken(search: Search, s: Schedule) -> set[str]:
    """Return the rules that a schedule breaks."""
    found = evaluate(search.p, s, without=search.without)
    return {v.rule for v in found.violations}


def _within_tolerances(search: Search, s: Schedule) -> bool:
    """Note and drop a schedule that is broken by no more than the solver's tolerances.

    A rate or a product in floats may exceed a bandwidth or a cap by a hair.
    """
    found = evaluate(search.p, s, without=search.without)
    hairs = {"bandwidth": 1.0, "cap": 0.0}  # of a bandwidth: what is left of a byte
    for part, most in caps_of(search.p):
        over = value(search.p, part, found.worth) - most
        hairs["cap"] = max(hairs["cap"], over if over <= HAIR * most else 0)
    broken = [v for v in found.violations if v.amount > hairs.get(v.rule, 0)]
    if broken or not found.violations:
        return False
    lines = "; ".join(str(v) for v in found.violations)
    note = f"a solution was dropped, broken within tolerances: {lines}"
    if note not in search.notes:
        search.notes.append(note)
    return True

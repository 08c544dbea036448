"""MILP engine of pipelined schedules: build and solve (MODEL.md §2).

The decisions and their traffic are in `formulation/milp_*`, the rules in `milp_rules`
and `milp_memory`, read-back in `milp_search`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from formulation import milp_decisions, milp_traffic
from formulation.engines.milp import EngineError, News, Program, highs
from formulation.engines.milp_cbc import cbc
from formulation.pipelined import milp_vars
from formulation.pipelined.milp_cuts import STRENGTHENINGS, least_ticks, longest_ticks
from formulation.pipelined.milp_energy import (
    energy_at_most,
    least_energy,
    minimise_energy,
)
from formulation.pipelined.milp_rules import RULES
from formulation.pipelined.milp_search import Search, fix, start
from formulation.pipelined.milp_vars import Milp, steps

if TYPE_CHECKING:
    from formulation.engines.milp import Found
    from formulation.outcome import Answer, Limits, Report, Target
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

NONE: frozenset[str] = frozenset()
# With 10^8 ticks a tolerance of 1e-6 is worth a hundred: values may stay unproved;
# with 10^12 HiGHS was seen to call a feasible problem infeasible.
MOST_TICKS = 10**8
EXACT = 1e-8


def build(
    problem: Problem,
    target: Target,
    *,
    without: frozenset[str] = NONE,
    strengthenings: frozenset[str] | None = None,
    near: int | None = None,
) -> Milp:
    """Return the MILP of a problem and a target.

    Parameters
    ----------
    without
        Labels of rules that are left out.
    strengthenings
        Labels of `STRENGTHENINGS` to use; `None`: all.
    near
        The value of a known schedule: the objective counts from there, else from the
        best bound that is known. Wherever it counts from, nothing is cut off.

    Raises
    ------
    ValueError
        For labels that do not exist and quantities that cannot be minimised.
    """
    chosen = frozenset(STRENGTHENINGS) if strengthenings is None else strengthenings
    unknown = sorted((without - RULES.keys()) | (chosen - STRENGTHENINGS.keys()))
    if unknown or target.quantity not in ("period", "energy"):
        raise ValueError(
            f"no such rule, strengthening or quantity: {unknown or target}"
        )
    m = _empty(problem, target, without, near)
    for define in (
        milp_decisions.assignments,
        milp_vars.stages,
        milp_decisions.places,
        milp_traffic.dram_reads,
        milp_traffic.dram_refetches,
        milp_vars.durations,
        milp_traffic.transfers,
    ):
        define(m)
    for label, rule in RULES.items():
        if label not in without:
            rule(m)
    _aim(m, target, near)
    for label, strengthen in STRENGTHENINGS.items():
        if label in chosen:
            strengthen(m)
    return m


def _empty(
    problem: Problem, target: Target, without: frozenset[str], near: int | None
) -> Milp:
    """Return a MILP with nothing but the period, counted as `build` says."""
    least = least_ticks(problem, without)
    base = least
    if target.quantity == "period":
        base = max(least, target.at_least) if near is None else near
    program = Program("chipsched")
    step = steps(max(least, longest_ticks(problem)))
    if step == 1:
        period = program.integer("period", 1 - base)
    else:
        period = program.real("period", (1 - base) / step)
    return Milp(
        problem=problem,
        without=without,
        base_ticks=base,
        tick_step=step,
        least_ticks=least,
        program=program,
        period=period,
    )


def _aim(m: Milp, target: Target, near: int | None) -> None:
    """State the objective, its proved bound and the caps of earlier parts."""
    if target.period_at_most is not None:
        cap = target.period_at_most - m.base_ticks
        m.tick_row("period_at_most", m.period_ticks(), "<=", cap)
    if target.energy_at_most is not None:
        energy_at_most(m, "energy_at_most", target.energy_at_most)
    if target.quantity == "period":
        low = target.at_least - m.base_ticks
        m.tick_row("at_least", m.period_ticks(), ">=", low)
        m.program.minimise([(m.period, 1)])
    else:
        m.base_energy, m.energy_step = minimise_energy(m, target.at_least, near)


def _allowed_gap(search: Search, limits: Limits, again: bool) -> float:
    """Return the absolute gap, in units of the objective, at which to stop.

    Half a tick or quantum; a hundredth where the first run left the proof open. The
    relative gap is taken of a lower bound of the value.
    """
    m, proved = search.m, search.target.at_least
    if search.target.quantity == "period":
        least, step = max(proved, m.least_ticks), m.tick_step
    else:
        least, step = max(proved, least_energy(m)), m.energy_step
    smallest = 0.5 if step == 1 or not again else 0.01
    return max(smallest, float(limits.gap * least)) / step


def minimise(
    problem: Problem,
    target: Target,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    fixed: Schedule | None = None,
    without: frozenset[str] = NONE,
    strengthenings: frozenset[str] | None = None,
    solver: str = "highs",
) -> Answer[Schedule]:
    """Minimise period or energy with a MILP.

    An optimum that is far from the offset may be left without proof by tolerances
    and by the slack of `integer_bound`; then it is solved again, more exactly and
    counted from the optimum.

    Parameters
    ----------
    hint
        A schedule to start from; what becomes of it is in the notes.
    fixed
        All decisions are these: the answer is this schedule or infeasible.
    without
        Labels of rules that are left out, of the MILP and of the semantics.
    strengthenings
        Labels of `STRENGTHENINGS`; `None`: all.
    solver
        ``highs``; or ``cbc``, which proves nothing.

    Raises
    ------
    EngineError
        If solver and semantics contradict each other.
    """
    if solver not in ("highs", "cbc"):
        raise ValueError(f"solver: got {solver!r}, expected highs or cbc")
    search = Search(problem, target, without, report)
    if fixed is not None:
        hint = None
        every = frozenset(STRENGTHENINGS) if strengthenings is None else strengthenings
        strengthenings = every - {"symmetry"}  # which may cut this one off
    if hint is not None and search.judge(hint) is None:
        hint = None
    answer = _solve(search, limits, hint, fixed, strengthenings, solver)
    done = answer.why_stopped == "finished" and limits.gap == 0
    if done and answer.value is not None and answer.bound is not None:
        if answer.proved:
            return answer
        proved = max(target.at_least, answer.bound)
        search.target = replace(target, at_least=proved)
        hint, exact = answer.schedule, EXACT
        answer = _solve(search, limits, hint, fixed, strengthenings, solver, exact)
    return answer


def _solve(
    search: Search,
    limits: Limits,
    hint: Schedule | None,
    fixed: Schedule | None,
    strengthenings: frozenset[str] | None,
    solver: str,
    tolerance: float = 1e-6,
) -> Answer[Schedule]:
    m = search.m = build(
        search.problem,
        search.target,
        without=search.without,
        strengthenings=strengthenings,
        near=search.value,
    )
    if hint is not None:
        start(m, hint)
    if fixed is not None:
        fix(m, fixed)
    left = None if limits.seconds is None else limits.seconds - search.seconds()
    if limits.stop is not None and limits.stop.is_set():
        return search.answer("interrupted")
    if left is not None and left <= 0:
        return search.answer("time limit")
    if m.least_ticks > MOST_TICKS:
        search.notes.append(
            f"not tried: periods above {MOST_TICKS} ticks are beyond this engine's "
            "resolution, take longer ticks"
        )
        return search.answer("finished")
    gap = _allowed_gap(search, limits, again=tolerance < 1e-6)
    if solver == "cbc":
        found = cbc(m.program, limits, left, gap)
    else:
        news = News(search.solution, search.heard)
        found = highs(m.program, limits, left, gap, news, tolerance)
    return _conclude(search, found, limits)


def _conclude(search: Search, found: Found, limits: Limits) -> Answer[Schedule]:
    if found.start_taken is False:
        search.notes.append("the hint was not taken as a start")
    if found.values is not None:
        search.take(found.values)
    elif found.status == "optimal":
        search.notes.append(f"the solver ended without a schedule: {found.said}")
    if found.bound is not None:
        search.prove(found.bound)
    search.tell()
    if found.status == "unknown" and search.value is not None:
        search.notes.append(f"the solver gave up: {found.said}")
        return search.answer("finished")
    if found.status == "unknown":
        raise EngineError(f"the solver stopped without a verdict: {found.said}")
    if found.status == "infeasible":
        return search.answer("finished", infeasible=True)
    if found.status != "optimal":
        if "did not stop" in found.said:
            search.notes.append(found.said)
        return search.answer(found.status)
    open_gap = limits.gap > 0 and search.bound != search.value
    return search.answer("gap" if open_gap else "finished")

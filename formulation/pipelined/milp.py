"""MILP engine of pipelined schedules: build, solve, read back (MODEL.md §2).

From the solver come only decisions and a bound. What a schedule is worth is said
by the semantics; one that they reject is an `EngineError`, never repaired.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from formulation.engines.milp import EngineError, Found, News, Program, cbc, highs
from formulation.outcome import Answer, Progress, integer_bound
from formulation.pipelined import milp_traffic, milp_vars
from formulation.pipelined.milp_cuts import STRENGTHENINGS, least_ticks
from formulation.pipelined.milp_energy import energy_at_most, minimise_energy
from formulation.pipelined.milp_rules import RULES
from formulation.pipelined.milp_vars import Milp
from formulation.pipelined.schedule import DRAM, PACKAGE, Schedule
from formulation.pipelined.semantics import (
    Evaluation,
    UnassignedError,
    Violation,
    evaluate,
)
from formulation.pipelined.traffic import copies

if TYPE_CHECKING:
    from formulation.engines.milp import Var
    from formulation.outcome import Limits, Report, Target
    from formulation.problem import Problem

NONE: frozenset[str] = frozenset()
# A violation of less than this part of T, L2 or the energy may come from the
# solver's tolerances; a larger one is a bug.
HAIR = 1e-6


def build(
    problem: Problem,
    target: Target,
    *,
    without: frozenset[str] = NONE,
    strengthenings: frozenset[str] | None = None,
) -> Milp:
    """Return the MILP of a problem and a target.

    Parameters
    ----------
    without
        Labels of rules that are left out.
    strengthenings
        Labels of `STRENGTHENINGS` to use; `None`: all.

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
    least = least_ticks(problem, without)
    base = max(least, target.at_least) if target.quantity == "period" else least
    program = Program("chipsched")
    m = Milp(
        problem=problem,
        without=without,
        base_ticks=base,
        least_ticks=least,
        program=program,
        period=program.integer("period", 1 - base),
    )
    for define in (
        milp_vars.assignments,
        milp_vars.places,
        milp_traffic.dram_reads,
        milp_traffic.dram_refetches,
        milp_traffic.durations,
        milp_traffic.transfers,
    ):
        define(m)
    for label, rule in RULES.items():
        if label not in without:
            rule(m)
    _aim(m, target)
    for label, strengthen in STRENGTHENINGS.items():
        if label in chosen:
            strengthen(m)
    return m


def _aim(m: Milp, target: Target) -> None:
    """State the objective, its proved bound and the caps of earlier parts."""
    if target.period_at_most is not None:
        cap = target.period_at_most - m.base_ticks
        m.program.row("period_at_most", [(m.period, 1)], "<=", cap)
    if target.energy_at_most is not None:
        energy_at_most(m, "energy_at_most", target.energy_at_most)
    if target.quantity == "period":
        low = target.at_least - m.base_ticks
        m.program.row("at_least", [(m.period, 1)], ">=", low)
        m.program.minimise([(m.period, 1)])
    else:
        m.base_energy, m.energy_step = minimise_energy(m, target.at_least)


def decisions(m: Milp, s: Schedule) -> dict[Var, int]:
    """Return the values of all decision variables in a schedule."""
    values = {var: int(s.chiplet[t] == c) for (t, c), var in m.x.items()}
    for (t, c), choices in m.choices.items():
        for k in choices:
            chosen = (s.chiplet[t], s.mode[t], s.resident[t]) == (c, k.mode, k.resident)
            values[k.var] = int(chosen)
    values.update(zip(m.stage, s.stage, strict=True))
    values.update({var: int(s.place[u] == PACKAGE) for u, var in m.package.items()})
    return values


def fix(m: Milp, s: Schedule) -> None:
    """Leave only one schedule (and what follows from it)."""
    for var, value in decisions(m, s).items():
        m.program.row("fixed", [(var, 1)], "==", value)


def start(m: Milp, s: Schedule, worth: Evaluation) -> None:
    """Give every integer variable its value in a schedule as the start."""
    p = m.problem
    values = decisions(m, s)
    values[m.period] = worth.period_ticks - m.base_ticks
    if m.energy is not None and m.energy_step == 1:
        values[m.energy] = worth.energy_quanta - m.base_energy
    for (t, c), var in m.stretch.items():
        chosen = [k for k in m.choices[t, c] if values[k.var]]
        values[var] = sum(worth.durations[t] - k.ticks for k in chosen)
    for u, var in m.still.items():
        values[var] = int(s.place[u] == PACKAGE and not copies(p, s, u))
    for (number, length), var in m.spans.items():
        stages = [s.stage[t] for t in p.models[number].tasks]
        values[var] = int(length == max(stages) - min(stages))
    for var, value in values.items():
        var.setInitialValue(value, check=False)


def read_back(m: Milp, values: dict[Var, float]) -> Schedule:
    """Return the decisions of a solution, rounded; nothing else is taken from it."""
    p = m.problem
    chosen = []
    for t in range(len(p.tasks)):
        every = [(c, k) for c in p.supported(t) for k in m.choices[t, c]]
        ones = [(c, k) for c, k in every if round(values[k.var]) == 1]
        if len(ones) != 1:
            raise EngineError(f"{p.full_name(t)}: {len(ones)} choices in a solution")
        chosen += ones
    place: list[str | None] = [None] * len(p.tensors)
    for u, var in m.package.items():
        place[u] = PACKAGE if round(values[var]) == 1 else DRAM
    return Schedule(
        chiplet=tuple(c for c, _ in chosen),
        mode=tuple(k.mode for _, k in chosen),
        stage=tuple(round(values[var]) for var in m.stage),
        resident=tuple(k.resident for _, k in chosen),
        place=tuple(place),
    )


@dataclass
class Search:
    """A run: the best schedule and bound so far, and who wants to know."""

    m: Milp
    target: Target
    report: Report | None
    began: float
    schedule: Schedule | None = None
    value: int | None = None
    bound: int | None = None
    notes: list[str] = field(default_factory=list)

    def seconds(self) -> float:
        """Return the wall time since the call."""
        return time.monotonic() - self.began

    def worth(self, evaluation: Evaluation) -> int:
        """Return the target's quantity."""
        if self.target.quantity == "period":
            return evaluation.period_ticks
        return evaluation.energy_quanta

    def faults(self, evaluation: Evaluation) -> list[Violation]:
        """Return what is wrong with a schedule, the target's caps included."""
        found = list(evaluation.violations)
        for cap, value, unit in (
            (self.target.period_at_most, evaluation.period_ticks, "ticks"),
            (self.target.energy_at_most, evaluation.energy_quanta, "quanta"),
        ):
            if cap is not None and value > cap:
                found.append(Violation("target", "at most", value - cap, unit))
        return found

    def offer(self, schedule: Schedule, evaluation: Evaluation) -> None:
        """Keep a valid schedule if it is the best."""
        value = self.worth(evaluation)
        if self.value is None or value < self.value:
            self.schedule, self.value = schedule, value

    def take(self, values: dict[Var, float]) -> None:
        """Read back a solution and let the semantics judge it."""
        schedule = read_back(self.m, values)
        found = evaluate(self.m.problem, schedule, without=self.m.without)
        faults = self.faults(found)
        if not faults:
            self.offer(schedule, found)
            return
        sizes = {
            "ticks": found.period_ticks,
            "quanta": found.energy_quanta,
            "bytes": max(c.l2_bytes for c in self.m.problem.chiplets),
        }
        said = "; ".join(str(fault) for fault in faults)
        if any(fault.amount > HAIR * sizes.get(fault.unit, 0) for fault in faults):
            raise EngineError(f"the semantics reject a solution of the MILP: {said}")
        self.notes.append(f"a solution was dropped, broken within tolerances: {said}")

    def solution(self, values: dict[Var, float]) -> None:
        """Hear of a better solution."""
        self.take(values)
        self.tell()

    def prove(self, bound: float) -> None:
        """Hear of a bound of the objective.

        With energy in steps of many quanta the rows' tolerance is taken off.
        """
        offset, steps = self.m.base_ticks, 1
        if self.target.quantity == "energy":
            offset, steps = self.m.base_energy, self.m.energy_step
        if steps > 1:
            bound = (bound - 1e-6) * steps
        proved = integer_bound(bound, offset)
        if self.bound is None or proved > self.bound:
            self.bound = proved

    def heard(self, bound: float) -> None:
        """Hear of a bound during the run."""
        before = self.bound
        self.prove(bound)
        if self.bound != before:
            self.tell()

    def tell(self) -> None:
        """Pass the news on."""
        if self.report is not None:
            quantity = self.target.quantity
            news = Progress("milp", quantity, self.seconds(), self.value, self.bound)
            self.report(news)

    def answer(self, why: str, infeasible: bool = False) -> Answer[Schedule]:
        """Return what stands at the end.

        Raises
        ------
        EngineError
            A proof that contradicts a valid schedule.
        """
        if infeasible and self.schedule is not None:
            raise EngineError("the MILP is infeasible, but there is a valid schedule")
        if None not in (self.bound, self.value) and self.bound > self.value:  # type: ignore[operator]
            raise EngineError(f"bound {self.bound} is above a valid {self.value}")
        return Answer(
            schedule=self.schedule,
            value=self.value,
            bound=None if infeasible else self.bound,
            infeasible=infeasible,
            why_stopped=why,
            seconds=self.seconds(),
            notes=tuple(self.notes),
        )


def _offer_hint(search: Search, hint: Schedule) -> None:
    """Start from a hint if the semantics accept it, and keep it as a schedule."""
    m = search.m
    try:
        found = evaluate(m.problem, hint, without=m.without)
    except UnassignedError as fault:
        search.notes.append(f"the hint was rejected: {fault}")
        return
    faults = search.faults(found)
    if faults:
        said = "; ".join(str(fault) for fault in faults)
        search.notes.append(f"the hint was rejected: {said}")
        return
    search.offer(hint, found)
    start(m, hint, found)


def _allowed_gap(search: Search, limits: Limits) -> float:
    """Return the absolute gap, in units of the objective, at which to stop.

    Below 1 for an integer objective: then its ceiling is proved. The relative gap is
    taken of the offset, which is at most the value.
    """
    m = search.m
    if search.target.quantity == "period":
        return max(0.99, float(limits.gap * m.base_ticks))
    smallest = 0.99 if m.energy_step == 1 else 0.0
    return max(smallest, float(limits.gap * m.base_energy / m.energy_step))


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
    began = time.monotonic()
    m = build(problem, target, without=without, strengthenings=strengthenings)
    search = Search(m, target, report, began)
    if hint is not None:
        _offer_hint(search, hint)
    if fixed is not None:
        fix(m, fixed)
    left = None if limits.seconds is None else limits.seconds - search.seconds()
    if limits.stop is not None and limits.stop.is_set():
        return search.answer("interrupted")
    if left is not None and left <= 0:
        return search.answer("time limit")
    gap = _allowed_gap(search, limits)
    if solver == "cbc":
        found = cbc(m.program, limits, left, gap)
    else:
        found = highs(m.program, limits, left, gap, News(search.solution, search.heard))
    return _conclude(search, found, limits)


def _conclude(search: Search, found: Found, limits: Limits) -> Answer[Schedule]:
    if found.start_taken is False:
        search.notes.append("the hint was not taken as a start")
    if found.values is not None:
        search.take(found.values)
    if found.bound is not None:
        search.prove(found.bound)
    search.tell()
    if found.status == "unknown":
        raise EngineError(f"the solver stopped without a verdict: {found.said}")
    if found.status == "infeasible":
        return search.answer("finished", infeasible=True)
    if found.status != "optimal":
        return search.answer(found.status)
    open_gap = limits.gap > 0 and search.bound != search.value
    return search.answer("gap" if open_gap else "finished")

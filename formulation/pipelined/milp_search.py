"""Between the MILP and schedules: fixing, starting, reading back, judging.

From a solution only the decisions are taken, rounded. What they are worth is said
by the semantics; a schedule that they reject is an `EngineError`, never repaired.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from formulation.decisions import PACKAGE
from formulation.engines.milp import EngineError
from formulation.milp_decisions import decided, read_decisions
from formulation.outcome import Answer, Progress, integer_bound
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import Evaluation, evaluate
from formulation.pipelined.symmetry import representative
from formulation.pipelined.traffic import copies
from formulation.rules import UnassignedError, Violation

if TYPE_CHECKING:
    from formulation.engines.milp import Var
    from formulation.outcome import Report, Target
    from formulation.pipelined.milp_vars import Milp
    from formulation.problem import Problem

# A violation of less than this part of T, L2 or the energy may come from the
# solver's tolerances; a larger one is a bug.
HAIR = 1e-6
# Ten times HiGHS's tolerance on rows.
MARGIN = 1e-5


def decisions(m: Milp, s: Schedule) -> dict[Var, int]:
    """Return the values of all decision variables in a schedule."""
    return {**decided(m, s), **dict(zip(m.stage, s.stage, strict=True))}


def fix(m: Milp, s: Schedule) -> None:
    """Leave only one schedule (and what follows from it)."""
    for var, value in decisions(m, s).items():
        m.program.row("fixed", [(var, 1)], "==", value)


def start(m: Milp, s: Schedule) -> None:
    """Give every integer variable its value in a valid schedule as the start.

    In its image, where symmetries are broken.
    """
    p, s = m.problem, representative(m.problem, s, m.group)
    worth = evaluate(p, s, without=m.without)
    values = decisions(m, s)
    if m.tick_step == 1:
        values[m.period] = worth.period_ticks - m.base_ticks
    if m.energy is not None and m.energy_step == 1:
        values[m.energy] = worth.energy_quanta - m.base_energy
    for (t, c), var in m.stretch.items() if m.tick_step == 1 else ():
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
    found = read_decisions(m, values)
    return Schedule(
        chiplet=found.numbers["chiplet"],
        mode=found.numbers["mode"],
        stage=tuple(round(values[var]) for var in m.stage),
        resident=found.resident,
        place=found.place,
    )


@dataclass
class Search:
    """A run: the best schedule and bound so far, and who wants to know."""

    problem: Problem
    target: Target
    without: frozenset[str]
    report: Report | None
    began: float = field(default_factory=time.monotonic)
    m: Milp = field(init=False)
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

    def judge(self, hint: Schedule) -> Evaluation | None:
        """Keep a hint if the semantics accept it."""
        try:
            found = evaluate(self.problem, hint, without=self.without)
        except UnassignedError as fault:
            self.notes.append(f"the hint was rejected: {fault}")
            return None
        faults = "; ".join(str(fault) for fault in self.faults(found))
        if faults:
            self.notes.append(f"the hint was rejected: {faults}")
            return None
        self.offer(hint, found)
        return found

    def offer(self, schedule: Schedule, evaluation: Evaluation) -> None:
        """Keep a valid schedule if it is the best."""
        value = self.worth(evaluation)
        if self.value is None or value < self.value:
            self.schedule, self.value = schedule, value

    def take(self, values: dict[Var, float]) -> None:
        """Read back a solution and let the semantics judge it."""
        schedule = read_back(self.m, values)
        found = evaluate(self.problem, schedule, without=self.without)
        faults = self.faults(found)
        if not faults:
            self.offer(schedule, found)
            return
        sizes: dict[str, float] = {
            "ticks": found.period_ticks,
            "quanta": found.energy_quanta,
            "bytes": max(c.l2_bytes for c in self.problem.chiplets),
        }
        said = "; ".join(str(fault) for fault in faults)
        # Ticks that continuous durations do not round up.
        lost = len(found.durations) if self.m.tick_step > 1 else 0
        sizes["ticks"] += lost / HAIR
        if any(fault.amount > HAIR * sizes.get(fault.unit, 0) for fault in faults):
            text = f"the semantics reject a solution of the MILP: {said}"
            raise EngineError(text, schedule)
        self.notes.append(f"a solution was dropped, broken within tolerances: {said}")

    def solution(self, values: dict[Var, float]) -> None:
        """Hear of a better solution."""
        self.take(values)
        self.tell()

    def prove(self, bound: float) -> None:
        """Hear of a bound of the objective.

        Where it is counted in steps, a margin for tolerances is taken off.
        """
        offset, steps = self.m.base_ticks, self.m.tick_step
        if self.target.quantity == "energy":
            offset, steps = self.m.base_energy, self.m.energy_step
        if steps > 1:
            bound = (bound - MARGIN) * steps
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
            text = "the MILP is infeasible, but there is a valid schedule"
            raise EngineError(text, self.schedule)
        if None not in (self.bound, self.value) and self.bound > self.value:  # type: ignore[operator]
            text = f"bound {self.bound} is above a valid {self.value}"
            raise EngineError(text, self.schedule)
        return Answer(
            schedule=self.schedule,
            value=self.value,
            bound=None if infeasible else self.bound,
            infeasible=infeasible,
            why_stopped=why,
            seconds=self.seconds(),
            notes=tuple(self.notes),
        )

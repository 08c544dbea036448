"""By how much a period has to stretch until everything fits instant by instant.

MODEL.md §6.4, *Stretching*.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.cpsat_given import fix_decisions
from formulation.engines.cpsat import EngineError, run
from formulation.pipelined.semantics import evaluate as pipelined_worth
from formulation.timed.bounds import horizon
from formulation.timed.cpsat_build import read
from formulation.timed.cpsat_rules import RULES
from formulation.timed.cpsat_vars import Timed
from formulation.timed.semantics import evaluate
from formulation.timed.unroll import Unrolled, bare, repeated, several, stages

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from formulation.outcome import Limits
    from formulation.pipelined.schedule import Schedule as Pipelined
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Stretched:
    """What a pipelined period becomes under exact contention and with all latencies.

    Parameters
    ----------
    from_ticks
        The pipelined period T.
    bound_ticks
        No period from T on that is less will do.
    period_ticks
        The least one found; `None`: none within the limits.
    first
        A schedule of one round that does with it, to be `repeated`.
    """

    from_ticks: int
    bound_ticks: int
    period_ticks: int | None
    first: Schedule | None
    why_stopped: str
    seconds: float

    @property
    def factor(self) -> float | None:
        """The least period found over T."""
        return (
            None if self.period_ticks is None else self.period_ticks / self.from_ticks
        )


def stretch(p: Problem, s: Pipelined, limits: Limits) -> Stretched:
    """Return the least period ≥ T at which a valid pipelined schedule can be unrolled.

    All decisions stay: layer l of round k runs within period k + σ(l), after what its
    chiplet does before it in a period. When exactly is free, but in every period the
    same. Contention is exact, `switching` as the problem says.

    Raises
    ------
    EngineError
        If CP-SAT finds none without limits, or one that the semantics refuse.
    """
    began, sigma = time.monotonic(), stages(p, s)
    least = pipelined_worth(p, s).period_ticks
    one = _only(several(p, 1, "exact"), s)
    # All of a period one after the other: §6.4.
    most = max(least, horizon(one))
    rounds = max(sigma) + 1  # more rounds meet no others than these
    m, period = _model(_only(several(p, rounds, "exact"), s), s, sigma, least, most)
    result = run(m.model, limits, seconds=limits.seconds)
    if result.infeasible:
        raise EngineError("CP-SAT found no period for a schedule that has one")
    found = first = None
    if result.values is not None:
        found = result.values(period)
        first = _first(read(m, result.values))
        made = unrolled(p, first, found, rounds)
        broken = evaluate(made.problem, made.schedule).violations
        if broken:
            lines = "; ".join(str(v) for v in broken)
            raise EngineError(f"CP-SAT's schedule is refused: {lines}")
    return Stretched(
        from_ticks=least,
        bound_ticks=max(least, result.bound or 0),
        period_ticks=found,
        first=first,
        why_stopped=result.why_stopped,
        seconds=time.monotonic() - began,
    )


def unrolled(p: Problem, first: Schedule, period_ticks: int, rounds: int) -> Unrolled:
    """Return rounds of what `stretch` found."""
    last = max(x[0] for x in first.runs)  # of a run's start; it ends in that period
    return Unrolled(
        problem=several(p, rounds, "exact"),
        schedule=repeated(first, period_ticks, rounds),
        period_ticks=period_ticks,
        most_ticks=(last // period_ticks + rounds) * period_ticks,
    )


def _only(p: Problem, s: Pipelined) -> Problem:
    """Return the problem in which every layer has but the chiplet of a schedule."""
    tasks = tuple(
        replace(
            task, modes=tuple(m if d == c else () for d, m in enumerate(task.modes))
        )
        for task, c in zip(p.tasks, s.chiplet, strict=True)
    )
    return replace(p, tasks=tasks)


def _model(
    p: Problem, s: Pipelined, sigma: tuple[int, ...], least: int, most: int
) -> tuple[Timed, cp_model.IntVar]:
    """Return the model of rounds a period apart, and the period, to be minimised."""
    rounds = max(sigma) + 1
    m = Timed(p, (max(sigma) + rounds) * most, prune=False)
    for rule in RULES.values():
        rule(m)
    fix_decisions(m, bare(s))
    period = m.model.new_int_var(least, most, "period")
    done: dict[int, cp_model.LinearExprT] = {}  # of a chiplet in its period
    for t, (starts, ends) in enumerate(zip(m.start, m.end, strict=True)):
        m.model.add(starts[0] - sigma[t] * period >= done.get(s.chiplet[t], 0))
        done[s.chiplet[t]] = ends[0] - sigma[t] * period
        m.model.add(done[s.chiplet[t]] <= period)
        _apart(m, starts, period)
        _apart(m, m.stream[t], period)
    for sends in m.send.values():
        _apart(m, sends, period)
    m.model.minimize(period)
    return m, period


def _apart(m: Timed, times: list[cp_model.IntVar], period: cp_model.IntVar) -> None:
    """Every round does it a period later than the one before."""
    for k, x in enumerate(times[1:], start=1):
        m.model.add(x == times[0] + k * period)


def _first(s: Schedule) -> Schedule:
    """Return the first round of a schedule."""
    return replace(
        s,
        runs=tuple(x[:1] for x in s.runs),
        streams=tuple(x[:1] for x in s.streams),
        transfers=tuple(x[:1] for x in s.transfers),
    )

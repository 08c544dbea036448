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

FINE = 1000  # the first step up from T is one in so many


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

    Periods are tried: if one will do every longer one does, by §6.4. With
    ``store_and_forward`` that is not proved, so the shorter ones are searched together.

    Raises
    ------
    EngineError
        If CP-SAT finds none without limits, or one that the semantics refuse.
    """
    search = Periods(p, s, limits)
    search.bisect()
    if p.timing.store_and_forward:
        search.prove()
    return search.answer()


class Periods:
    """Periods from T on: those below `bound` will not do, `best` does."""

    def __init__(self, p: Problem, s: Pipelined, limits: Limits) -> None:
        self.p, self.s, self.limits = p, s, limits
        self.began, self.why = time.monotonic(), "finished"
        self.sigma = stages(p, s)
        self.rounds = max(self.sigma) + 1  # more rounds meet no others than these
        self.least = self.bound = pipelined_worth(p, s).period_ticks
        # All of a period one after the other: §6.4.
        self.most = max(self.least, horizon(_only(several(p, 1, "exact"), s)))
        self.best: int | None = None
        self.first: Schedule | None = None

    def bisect(self) -> None:
        """Try T, then longer ones until one does, then the middle of what is left."""
        ask, step = self.least, max(1, self.least // FINE)
        while self.why == "finished" and self.bound != self.best:
            if not self._try(ask, ask) and self.why == "finished":
                if ask == self.most:
                    raise EngineError("CP-SAT finds no period, where there is one")
                self.bound = ask + 1
            if self.best is None:
                ask, step = min(self.most, ask + step), 2 * step
            else:
                ask = (self.bound + self.best) // 2

    def prove(self) -> None:
        """Search all that are shorter than the best one together."""
        self.bound = self.least
        if self.best is not None and self.least < self.best:
            if not self._try(self.least, self.best - 1) and self.why == "finished":
                self.bound = self.best
        elif self.best is None:
            self._try(self.least, self.most)

    def _try(self, least: int, most: int) -> bool:
        """Look for the least period of some; say whether there is one."""
        p, left = several(self.p, self.rounds, "exact"), None
        if self.limits.seconds is not None:
            left = self.limits.seconds - (time.monotonic() - self.began)
            if left <= 0:
                self.why = "time limit"
                return False
        m, period = _model(_only(p, self.s), self.s, self.sigma, least, most)
        result = run(m.model, self.limits, seconds=left)
        self.why = "finished" if result.infeasible else result.why_stopped
        if result.bound is not None and least == self.least < most:
            self.bound = max(self.bound, result.bound)
        if result.values is None:
            return False
        self.best, self.first = result.values(period), _first(read(m, result.values))
        made = unrolled(self.p, self.first, self.best, self.rounds)
        broken = evaluate(made.problem, made.schedule).violations
        if broken:
            lines = "; ".join(str(v) for v in broken)
            raise EngineError(f"CP-SAT's schedule is refused: {lines}")
        return True

    def answer(self) -> Stretched:
        """Return what was found."""
        return Stretched(
            from_ticks=self.least,
            bound_ticks=self.bound,
            period_ticks=self.best,
            first=self.first,
            why_stopped=self.why,
            seconds=time.monotonic() - self.began,
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

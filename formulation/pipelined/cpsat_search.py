"""One search with CP-SAT: the best schedule and bound so far, steps to better ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from formulation.engines.cpsat import CpsatRun, run
from formulation.outcome import Progress
from formulation.pipelined.cpsat_build import add_hint, build, read
from formulation.pipelined.semantics import Evaluation, evaluate
from formulation.pipelined.stages import earliest, latest
from formulation.rules import UnassignedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.outcome import Limits, Report, Target
    from formulation.pipelined.cpsat_vars import Cpsat
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

# With chiplets given, L2 decides: the LP sees that, search does not.
ONE_WAY: dict[str, object] = {"linearization_level": 2, "num_workers": 1}


@dataclass
class Search:
    """One call of `minimise`: the best schedule and bound so far."""

    p: Problem
    target: Target
    limits: Limits
    report: Report | None
    without: frozenset[str]
    began: float = field(default_factory=time.monotonic)
    schedule: Schedule | None = None
    value: int | None = None
    bound: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Whether the best schedule is proved optimal."""
        return self.value is not None and self.value == self.bound

    @property
    def enough(self) -> bool:
        """Whether the gap is as small as was asked for."""
        if self.value is None or self.bound is None:
            return False
        return self.value - self.bound <= self.limits.gap * self.value

    def left(self) -> float | None:
        """Return the seconds that are left."""
        if self.limits.seconds is None:
            return None
        return self.limits.seconds - (time.monotonic() - self.began)

    def worth(self, found: Evaluation) -> int:
        """Return the target's quantity of an evaluated schedule."""
        return self.target.of(found.period_ticks, found.energy_quanta)

    def begin(self, hint: Schedule) -> None:
        """Keep a schedule to start from, or say why not."""
        try:
            found = evaluate(self.p, hint, without=self.without)
        except UnassignedError as error:
            self.notes.append(f"the hint was rejected: {error}")
            return
        if not self.offer(hint):
            broken = [str(v) for v in found.violations] or ["over a cap"]
            self.notes.append(f"the hint was rejected: {'; '.join(broken)}")

    def offer(self, s: Schedule) -> bool:
        """Keep a schedule if it is valid and better; say whether it is valid."""
        found = evaluate(self.p, s, without=self.without)
        caps = (
            (found.period_ticks, self.target.period_at_most),
            (found.energy_quanta, self.target.energy_at_most),
        )
        if found.violations or any(c is not None and v > c for v, c in caps):
            return False
        value = self.worth(found)
        if self.value is None or value < self.value:
            self.schedule, self.value = s, value
            self.tell()
        return True

    def raise_bound(self, bound: int) -> None:
        """Take note of a better bound on the target's quantity."""
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self.tell()

    def tell(self) -> None:
        """Report where we are."""
        if self.report is not None:
            seconds = time.monotonic() - self.began
            quantity = self.target.quantity
            news = Progress("cpsat", quantity, seconds, self.value, self.bound)
            self.report(news)

    def quanta(self, bound: int) -> int:
        """Return a bound on the model's objective in the target's unit."""
        if self.target.quantity == "period":
            return bound
        return -(-bound // self.p.energy_den)


def stopped(search: Search) -> bool:
    """Whether somebody wants to stop."""
    return search.limits.stop is not None and search.limits.stop.is_set()


def solve_relaxed(
    search: Search,
    m: Cpsat,
    *,
    seconds: float | None,
    tune: dict[str, object],
    bounded: Callable[[int], None] | None,
) -> tuple[CpsatRun, Schedule | None]:
    """Run a model; offer its solutions, with stages if need be; return the last."""
    last: list[Schedule] = []

    def seen(value: Callable[[cp_model.LinearExprT], int]) -> None:
        found = read(m, value)
        last[:] = [found]
        if m.staged:
            search.offer(found)
        for place in () if m.staged else (earliest, latest):
            search.offer(place(search.p, found))

    result = run(
        m.model,
        search.limits,
        seconds=seconds,
        tune=tune,
        seen=seen,
        bounded=bounded,
    )
    return result, last[0] if last else None


def complete(search: Search, found: Schedule, strengthenings: frozenset[str]) -> None:
    """Look for stages (and modes and places) for the chiplets of a relaxed solution."""
    target = search.target
    if search.value is not None and target.quantity == "period":
        target = replace(target, period_at_most=search.value - 1)
    m = build(
        on_chiplets(search.p, found.chiplet),
        target,
        without=search.without,
        strengthenings=strengthenings,
    )
    add_hint(m, earliest(search.p, found))
    left = search.left()
    result = run(
        m.model,
        search.limits,
        seconds=10.0 if left is None else min(10.0, left),
        tune=ONE_WAY,
    )
    if result.values is not None:
        search.offer(read(m, result.values))


def on_chiplets(p: Problem, chiplet: tuple[int, ...]) -> Problem:
    """Return the problem with every layer on its chiplet."""
    tasks = tuple(
        replace(
            task, modes=tuple(m if c == d else () for d, m in enumerate(task.modes))
        )
        for task, c in zip(p.tasks, chiplet, strict=True)
    )
    return replace(p, tasks=tasks)

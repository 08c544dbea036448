"""One search with CP-SAT: the best schedule and bound so far, steps to better ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.engines.cpsat import CpsatRun, run
from formulation.incumbent import Incumbent
from formulation.pipelined.cpsat_build import add_hint, build, read
from formulation.pipelined.semantics import Evaluation, evaluate
from formulation.pipelined.stages import earliest, latest
from formulation.problem import on_chiplets
from formulation.rules import UnassignedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ortools.sat.python import cp_model

    from formulation.outcome import Target
    from formulation.pipelined.cpsat_vars import Cpsat
    from formulation.pipelined.schedule import Schedule

# With chiplets given, L2 decides: the LP sees that, search does not.
ONE_WAY: dict[str, object] = {"linearization_level": 2, "num_workers": 1}


@dataclass
class Search(Incumbent["Schedule"]):
    """One call of `minimise`."""

    target: Target

    @property
    def quantity(self) -> str:
        """The target's quantity."""
        return self.target.quantity

    def worth(self, found: Evaluation) -> int:
        """Return the target's quantity of an evaluated schedule."""
        return self.target.of(found.period_ticks, found.energy_quanta)

    def judged(self, s: Schedule) -> tuple[int | None, Sequence[object]]:
        """Return what a schedule is worth; else `None` and what is wrong with it."""
        try:
            found = evaluate(self.p, s, without=self.without)
        except UnassignedError as error:
            return None, error.violations
        caps = (
            (found.period_ticks, self.target.period_at_most),
            (found.energy_quanta, self.target.energy_at_most),
        )
        if found.violations:
            return None, found.violations
        if any(cap is not None and value > cap for value, cap in caps):
            return None, ("over a cap",)
        return self.worth(found), ()

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

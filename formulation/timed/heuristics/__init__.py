"""Heuristics for timed schedules: registry and runs (`formulation.heuristics`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.choices import fitting
from formulation.heuristics.registry import load, packaged, run
from formulation.timed.heuristics.plan import Plan
from formulation.timed.heuristics.search import Search
from formulation.timed.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.heuristics.budget import Budget, Found
    from formulation.outcome import Report
    from formulation.problem import Problem

__all__ = ["HEURISTICS", "Plan", "Search", "load_heuristic", "run_heuristic"]
HEURISTICS = packaged(__name__, "list", "heft", "annealing")


def load_heuristic(name: str) -> Callable[..., Any]:
    """Return a heuristic: a name of `HEURISTICS`, or a file of the user's.

    Raises
    ------
    HeuristicError
        See `formulation.heuristics.registry.load`.
    """
    return load(name, HEURISTICS, Schedule)


def run_heuristic(
    p: Problem,
    name: str,
    objective: tuple[str, ...],
    budget: Budget,
    seed: int = 1,
    report: Report | None = None,
) -> Found[Schedule]:
    """Run a heuristic until it is done or its budget is spent.

    Parameters
    ----------
    name
        Of `HEURISTICS`, or the path of a file ``*.py``.
    objective
        Texts of parts (`formulation.timed.objective`).
    seed
        The same seed and number of evaluations give the same result.
    report
        Told about every new best schedule.

    Raises
    ------
    HeuristicError
        See `load_heuristic`; and if a user's function fails or returns something else
        than a `Schedule` or nothing.
    ObjectiveError
        If a text is no objective of this problem.
    KindError
        If the problem has options that timed schedules do not have.
    """
    heuristic = load_heuristic(name)
    search = Search(name, p, objective, budget, seed, report)
    fits = all(
        any(fitting(p, t, c) for c in p.supported(t)) for t in range(len(p.tasks))
    )
    return run(search, heuristic, fits=fits)

"""Heuristics for pipelined schedules: registry and runs (`formulation.heuristics`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.heuristics.budget import Budget, Found, TracePoint
from formulation.heuristics.custom import HeuristicError
from formulation.heuristics.registry import load, packaged, run
from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.search import Search
from formulation.pipelined.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.outcome import Report
    from formulation.problem import Problem

__all__ = [
    "HEURISTICS",
    "Budget",
    "Found",
    "HeuristicError",
    "Plan",
    "Search",
    "TracePoint",
    "load_heuristic",
    "run_heuristic",
]
HEURISTICS = packaged(
    __name__, "standalone", "proportional", "partition", "annealing", "genetic"
)


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
        Texts of parts (`formulation.objective`).
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
    """
    heuristic = load_heuristic(name)
    search = Search(name, p, objective, budget, seed, report)
    return run(search, heuristic, fits=search.decoder.tables.fits)

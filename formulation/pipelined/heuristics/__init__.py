"""Heuristics for pipelined schedules: registry, budgets, runs.

A heuristic is a file with ``def schedule(search)``: it calls ``search.offer(…)`` with
whole schedules, with plans (`Plan`), or with just the chiplet of every layer, and
leaves everything else (valuing, budget, trace) to the `Search`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from formulation.pipelined.heuristics.custom import (
    HeuristicError as HeuristicError,
)
from formulation.pipelined.heuristics.custom import load_file
from formulation.pipelined.heuristics.decode import Plan as Plan
from formulation.pipelined.heuristics.search import Budget as Budget
from formulation.pipelined.heuristics.search import Found as Found
from formulation.pipelined.heuristics.search import Search as Search
from formulation.pipelined.heuristics.search import SpentError
from formulation.pipelined.heuristics.search import TracePoint as TracePoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.outcome import Report
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

    Heuristic = Callable[[Search], Schedule | None]


def _packaged(name: str) -> Callable[[], Heuristic]:
    def load() -> Heuristic:
        module = import_module(f"formulation.pipelined.heuristics.{name}")
        found: Heuristic = module.schedule
        return found

    return load


HEURISTICS: dict[str, Callable[[], Heuristic]] = {
    name: _packaged(name)
    for name in ("standalone", "proportional", "partition", "annealing", "genetic")
}


def load_heuristic(name: str) -> Heuristic:
    """Return a heuristic: a name of `HEURISTICS`, or a file of the user's.

    Raises
    ------
    HeuristicError
        If there is no such name or file, the file has no function ``schedule`` of one
        argument or cannot be imported, or a library is not installed.
    """
    if name.endswith(".py"):
        return load_file(name)
    if name not in HEURISTICS:
        known = ", ".join(HEURISTICS)
        raise HeuristicError(f"no heuristic {name!r}: there are {known}, or FILE.py")
    return HEURISTICS[name]()


def run_heuristic(
    p: Problem,
    name: str,
    objective: tuple[str, ...],
    budget: Budget,
    seed: int = 1,
    report: Report | None = None,
) -> Found:
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
    run = load_heuristic(name)
    search = Search(name, p, objective, budget, seed, report)
    why = "finished"
    if not search.decoder.tables.fits:
        search.notes.append("a layer fits no chiplet: there is no schedule")
        return search.found(why)
    try:
        last = run(search)
        if last is not None:
            search.offer(last)
        why = search.spent or why
    except SpentError as spent:
        why = str(spent)
    return search.found(why)

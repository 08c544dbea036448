"""Heuristics of every kind of schedule: registry, budgets, runs, annealing.

A heuristic is a file with ``def schedule(search)``: it calls ``search.offer(…)`` with
whole schedules, with plans, or with just the chiplet of every layer, and leaves
everything else (valuing, budget, trace) to the `Search` of its kind.
"""

from formulation.heuristics.budget import Budget, Found, TracePoint
from formulation.heuristics.custom import HeuristicError
from formulation.heuristics.registry import (
    load_heuristic,
    names_of,
    run_heuristic,
)

__all__ = [
    "Budget",
    "Found",
    "HeuristicError",
    "TracePoint",
    "load_heuristic",
    "names_of",
    "run_heuristic",
]

"""Heuristics for timed schedules; `formulation.heuristics` runs them."""

from formulation.timed.heuristics.plan import Plan
from formulation.timed.heuristics.search import Search

__all__ = ["NAMES", "Plan", "Search"]
NAMES = ("list", "heft", "annealing")

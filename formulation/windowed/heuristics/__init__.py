"""Heuristics for windowed schedules; `formulation.heuristics` runs them."""

from formulation.windowed.heuristics.decode import Plan
from formulation.windowed.heuristics.search import Search

__all__ = ["NAMES", "Plan", "Search"]
NAMES = ("standalone",)

"""Heuristics for pipelined schedules; `formulation.heuristics` runs them."""

from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.search import Search

__all__ = ["NAMES", "Plan", "Search"]
NAMES = ("standalone", "proportional", "partition", "annealing", "genetic")

"""Simulated annealing over cuts, placements, residency and places, with restarts.

Moves of the SET family (`moves`), the loop of `formulation.heuristics.annealing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.heuristics.annealing import anneal
from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.moves import neighbour
from formulation.pipelined.heuristics.partition import beginnings

if TYPE_CHECKING:
    from formulation.pipelined.heuristics.search import Search


def schedule(search: Search) -> None:
    """Anneal from the best start."""
    lean = (search.leans[0],) * len(search.problem.chiplets)
    starts = [search.offer(Plan(c, lean=lean)) for c in beginnings(search)]
    at = min(starts, key=lambda offer: offer.cost)
    anneal(search, at, lambda found: neighbour(search, found.plan, found.busy))

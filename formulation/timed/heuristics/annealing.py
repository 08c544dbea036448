"""Simulated annealing over chiplets, modes, residency, places and order.

Moves of `moves`, the loop of `formulation.heuristics.annealing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.heuristics.annealing import anneal
from formulation.timed.heuristics.greedy import offers
from formulation.timed.heuristics.moves import neighbour
from formulation.timed.priorities import chain, upward

if TYPE_CHECKING:
    from formulation.timed.heuristics.search import Search


def schedule(search: Search) -> None:
    """Anneal from the best of what list scheduling and HEFT begin with."""
    p = search.problem
    starts = [*offers(search, chain(p)), *offers(search, upward(p), inserted=True)]
    if starts:
        at = min(starts, key=lambda offer: offer.cost)
        anneal(search, at, lambda plan: neighbour(search, plan))

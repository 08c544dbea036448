"""Simulated annealing over cuts, placements, residency and places, with restarts.

Moves of the SET family (`moves`); a geometric temperature over the budget's
evaluations, anew in every restart (Kirkpatrick, Gelatt, Vecchi, Science 220, 1983).
"""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.moves import neighbour
from formulation.pipelined.heuristics.partition import beginnings

if TYPE_CHECKING:
    from formulation.pipelined.heuristics.search import Offer, Search

RESTARTS = 5
HOT, WARM, COLD = 0.03, 0.005, 1e-5  # temperatures, relative to the cost


def schedule(search: Search) -> None:
    """Anneal from the best start, then, less hot, from the best schedule known."""
    lean = (search.leans[0],) * len(search.problem.chiplets)
    starts = [search.offer(Plan(c, lean=lean)) for c in beginnings(search)]
    at = min(starts, key=lambda offer: offer.cost)
    for run in range(RESTARTS):
        if run and search.plan is not None:
            at = search.offer(search.plan)
        _anneal(search, at, WARM if run else HOT, (run + 1) / RESTARTS)


def _anneal(search: Search, at: Offer, hot: float, until: float) -> None:
    """Cool down until a share of the budget is spent."""
    rng, began = search.random, search.progress
    while (now := search.progress) < until and at.decoded is not None:
        new = search.offer(neighbour(search, at.decoded.plan, at.decoded.busy))
        share = (now - began) / (until - began)
        heat = hot * (COLD / hot) ** share * min(at.cost, new.cost)
        worse = new.cost - at.cost
        if worse <= 0 or rng.random() < exp(-min(700.0, worse / max(heat, 1e-9))):
            at = new

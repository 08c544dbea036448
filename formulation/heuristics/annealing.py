"""Simulated annealing with restarts, whatever is annealed.

A geometric temperature over the budget, anew in every restart (Kirkpatrick, Gelatt,
Vecchi, Science 220, 1983).
"""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.heuristics.search import Offer, Search

P = TypeVar("P")
D = TypeVar("D")
RESTARTS = 5
HOT, WARM, COLD = 0.03, 0.005, 1e-5  # temperatures, relative to the cost


def anneal(
    search: Search[Any, P, D], at: Offer[D], neighbour: Callable[[D], P]
) -> None:
    """Anneal from an offer, then, less hot, from the best plan known.

    Parameters
    ----------
    neighbour
        A plan near one that was made whole.
    """
    for run in range(RESTARTS):
        if run and search.plan is not None:
            at = search.offer(search.plan)
        _cool(search, at, neighbour, WARM if run else HOT, (run + 1) / RESTARTS)


def _cool(
    search: Search[Any, P, D],
    at: Offer[D],
    neighbour: Callable[[D], P],
    hot: float,
    until: float,
) -> None:
    """Cool down until a share of the budget is spent."""
    rng, began = search.random, search.progress
    while (now := search.progress) < until and at.decoded is not None:
        new = search.offer(neighbour(at.decoded))
        share = (now - began) / (until - began)
        heat = hot * (COLD / hot) ** share * min(at.cost, new.cost)
        worse = new.cost - at.cost
        if worse <= 0 or rng.random() < exp(-min(700.0, worse / max(heat, 1e-9))):
            at = new

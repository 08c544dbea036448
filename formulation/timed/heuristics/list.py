"""List scheduling by every priority rule (`formulation.timed.priorities`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.timed.heuristics.greedy import offers
from formulation.timed.priorities import RULES

if TYPE_CHECKING:
    from formulation.timed.heuristics.search import Search


def schedule(search: Search) -> None:
    """Offer a schedule for every rule and way to decide."""
    for rule in RULES.values():
        for _ in offers(search, rule(search.problem)):
            pass

"""Plans made layer by layer, for heuristics to offer or to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.timed.heuristics.plan import Plan, planned
from formulation.timed.list_schedule import in_order, tries, ways
from formulation.timed.priorities import Order, Ranks, chain
from formulation.timed.semantics import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.heuristics.search import Offer
    from formulation.problem import Problem
    from formulation.timed.heuristics.search import Search


def offers(
    search: Search, ranks: Ranks, *, inserted: bool = False
) -> Iterator[Offer[Plan]]:
    """Offer what is decided greedily, each way until it is valid, and yield the last.

    Parameters
    ----------
    inserted
        See `list_schedule.decide`.
    """
    for order, some in ways(search.problem, ranks, inserted=inserted):
        offer = None
        for s in some:
            offer = search.offer(planned(s, order))
            if offer.value is not None:
                break
        if offer is not None:
            yield offer


def completed(p: Problem, chiplets: tuple[int, ...]) -> Plan:
    """Return a plan of which only the chiplets are given.

    The first of what `tries` makes of them that is valid; else the last one.
    """
    ranks, plan = chain(p), None
    order = Order(ranks)
    able = [(c,) if c in p.supported(t) else () for t, c in enumerate(chiplets)]
    for resident in (True, False):
        for s in tries(p, ranks, able, resident=resident):
            plan = planned(s, order)
            if not evaluate(p, in_order(p, s, order)).violations:
                return plan
    kept = tuple((0, False if task.weight_bytes else None) for task in p.tasks)
    return plan or Plan(chiplets, kept, frozenset(), order)

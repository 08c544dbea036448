"""Plans made layer by layer, for heuristics to offer or to begin with."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from formulation.timed.heuristics.plan import Plan, planned
from formulation.timed.list_schedule import LEVELS, decide, in_order, places_of
from formulation.timed.priorities import Order, Ranks, chain
from formulation.timed.semantics import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.heuristics.search import Offer
    from formulation.problem import Problem
    from formulation.timed.heuristics.search import Search


def orders(p: Problem, ranks: Ranks) -> list[Order]:
    """Return the orders by rank that may differ in a problem."""
    dates = (False, True) if any(p.timing.due_ticks) else (False,)
    several = any(len(rounds) > 1 for rounds in p.timing.releases)
    turns = (False, True) if several else (False,)
    return [Order(ranks, due, turn) for due, turn in product(dates, turns)]


def offers(
    search: Search, ranks: Ranks, *, inserted: bool = False
) -> Iterator[Offer[Plan]]:
    """Offer what is decided greedily, each way once if it is valid.

    Tensors go over DRAM and weights are streamed as far as it takes to fit L2. What
    fits nowhere is yielded too, once a way, as somewhere to begin.

    Parameters
    ----------
    inserted
        See `list_schedule.decide`.
    """
    p = search.problem
    for apart, resident in product((True, False), (True, False)):
        where = places_of(p, ranks, apart=apart)
        if where is None:
            continue
        for order in orders(p, ranks):
            offer = None
            for level in LEVELS:
                s = decide(
                    p, ranks, where, resident=resident, level=level, inserted=inserted
                )
                if s is None:
                    break
                offer = search.offer(planned(s, order))
                if offer.value is not None:
                    break
            if offer is not None:
                yield offer


def completed(p: Problem, chiplets: tuple[int, ...]) -> Plan:
    """Return a plan of which only the chiplets are given.

    The first of what `decide` makes of them that is valid, with more and more over
    DRAM; else the last one.
    """
    ranks, plan = chain(p), None
    order = Order(ranks)
    able = [(c,) if c in p.supported(t) else () for t, c in enumerate(chiplets)]
    for resident, level in product((True, False), LEVELS):
        s = decide(p, ranks, able, resident=resident, level=level)
        if s is None:
            continue
        plan = planned(s, order)
        if not evaluate(p, in_order(p, s, order)).violations:
            return plan
    kept = tuple((0, False if task.weight_bytes else None) for task in p.tasks)
    return plan or Plan(chiplets, kept, frozenset(), order)

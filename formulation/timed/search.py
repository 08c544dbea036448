"""What an engine has found of a timed schedule so far; the semantics say its worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.incumbent import PartSearch
from formulation.timed.bounds import least, lower
from formulation.timed.list_schedule import list_schedule
from formulation.timed.objective import value
from formulation.timed.semantics import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.problem import Problem
    from formulation.timed.bounds import Lower
    from formulation.timed.schedule import Schedule


class Search(PartSearch["Schedule"]):
    """One call of `minimise`."""

    def valued(self, s: Schedule) -> tuple[Sequence[object], int]:
        """Return the broken rules of a schedule and what it is worth in the part."""
        found = evaluate(self.p, s, without=self.without)
        return found.violations, value(self.p, self.part, found.worth)


def listed(search: Search, strengthenings: frozenset[str]) -> Lower | None:
    """Offer listed schedules and take note of bounds, as far as is asked for.

    Returns
    -------
    The bounds; `None` if they are not asked for, or rules are left out.
    """
    if "list" in strengthenings:
        for s in list_schedule(search.p):
            search.offer(s)
            if search.over:
                break
    if "lower_bound" not in strengthenings or search.without:
        return None
    search.raise_bound(least(search.p, search.part))
    return lower(search.p)


def last_tick(p: Problem, s: Schedule) -> int:
    """Return the last tick that a schedule speaks of."""
    facts = evaluate(p, s).facts
    ends = [move.span[1] for move in facts.movements]
    return max(ends + [end for spans in facts.runs for _, end in spans])

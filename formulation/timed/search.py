"""What an engine has found of a timed schedule so far; the semantics say its worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.incumbent import Incumbent
from formulation.rules import UnassignedError
from formulation.timed.bounds import least, lower
from formulation.timed.list_schedule import list_schedule
from formulation.timed.objective import value
from formulation.timed.semantics import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Part
    from formulation.problem import Problem
    from formulation.timed.bounds import Lower
    from formulation.timed.schedule import Schedule


@dataclass
class Search(Incumbent["Schedule"]):
    """One call of `minimise`."""

    part: Part

    @property
    def quantity(self) -> str:
        """The text of the part."""
        return self.part.text

    def judged(self, s: Schedule) -> tuple[int | None, Sequence[object]]:
        """Return what a schedule is worth; else `None` and what is wrong with it."""
        try:
            found = evaluate(self.p, s, without=self.without)
        except UnassignedError as error:
            return None, error.violations
        if found.violations:
            return None, found.violations
        return value(self.p, self.part, found.worth), ()


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

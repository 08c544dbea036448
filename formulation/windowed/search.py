"""What an engine has found of a windowed schedule so far; the semantics say its worth.

Also what both engines begin with, and which problems are too large for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.incumbent import PartSearch
from formulation.windowed.bounds import groupings, lower_bound
from formulation.windowed.prices import ROUNDS, priced_bound
from formulation.windowed.semantics import evaluate, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.problem import Problem
    from formulation.windowed.schedule import Schedule

PRICED = "priced"
"""The strengthening that bounds by priced time."""
MOST_SEGMENTS = 20_000
"""Of larger problems bounds alone are looked for: both engines look at each segment."""


class Search(PartSearch["Schedule"]):
    """One call of `minimise`."""

    def valued(self, s: Schedule) -> tuple[Sequence[object], int]:
        """Return the broken rules of a schedule and what it is worth in the part."""
        found = evaluate(self.p, s, without=self.without)
        return found.violations, value(self.p, self.part, found.worth)


def segments_of(p: Problem) -> int:
    """Return how many segments engines look at: intervals, chiplets and groups."""
    count = 0
    for m, model in enumerate(p.models):
        layers = len(model.tasks)
        intervals = layers * (layers + 1) // 2
        count += intervals * len(p.chiplets) * len(groupings(p, m))
    return count


def bounded(search: Search, strengthenings: frozenset[str]) -> str | None:
    """Bound by what needs no engine; return why to stop there, if there is a reason.

    The first rounds of prices are those of MODEL.md §7.6, once more and better; the
    others are for problems that are too large for a search.
    """
    p, part = search.p, search.part
    search.raise_bound(lower_bound(p, part))
    large = segments_of(p) > MOST_SEGMENTS
    if PRICED in strengthenings and not search.closed:
        rounds = ROUNDS if large else len(p.models) + 1
        found = priced_bound(p, part, rounds, lambda: search.over, search.value)
        search.raise_bound(found)
    if search.closed:
        return "finished"
    if search.enough:
        return "gap"
    if search.over:
        return stopped(search)
    if large:
        search.notes.append(
            f"not searched: {segments_of(p)} segments, {MOST_SEGMENTS} are the most"
        )
        return "finished"
    return None


def stopped(search: Search) -> str:
    """Return why a search that is over was stopped."""
    stop = search.limits.stop
    return "interrupted" if stop is not None and stop.is_set() else "time limit"

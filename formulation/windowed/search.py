"""What an engine has found of a windowed schedule so far; the semantics say its worth.

Also what both engines begin with, and which problems are too large for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.incumbent import Incumbent
from formulation.rules import UnassignedError
from formulation.windowed.bounds import groupings, lower_bound
from formulation.windowed.prices import ROUNDS, priced_bound
from formulation.windowed.semantics import evaluate, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Part
    from formulation.problem import Problem
    from formulation.windowed.schedule import Schedule

PRICED = "priced"
"""The strengthening that bounds by priced time."""
MOST_SEGMENTS = 20_000
"""Of larger problems bounds alone are looked for: both engines look at each segment."""


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

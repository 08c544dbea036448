"""Who is busy when: the first time at which all that is needed is free."""

from __future__ import annotations

from bisect import bisect, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.timed.schedule import Span

Thing = tuple[str, int]
"""``chiplet`` or ``resource``, and its number."""
Hold = tuple[Thing, "Span"]
"""What is held, and when, counted from a start."""


class Calendar:
    """Sorted, disjoint spans of everything that is taken."""

    def __init__(self) -> None:
        self._busy: dict[Thing, list[Span]] = {}

    def slot(self, ready: int, holds: Sequence[Hold]) -> int:
        """Return the first start from `ready` on at which everything is free."""
        start, moved = ready, True
        while moved:
            moved = False
            for what, (first, last) in holds:
                spans = self._busy.get(what, ())
                n = max(0, bisect(spans, (start + first,)) - 1)
                while first < last and n < len(spans) and spans[n][0] < start + last:
                    if spans[n][1] > start + first:
                        start, moved = spans[n][1] - first, True
                    n += 1
        return start

    def take(self, start: int, holds: Sequence[Hold]) -> None:
        """Hold everything from a start on; what takes no tick is not held."""
        for what, (first, last) in holds:
            if first < last:
                insort(self._busy.setdefault(what, []), (start + first, start + last))

    def end(self, what: Thing) -> int:
        """Return from when on it is free for good."""
        spans = self._busy.get(what)
        return spans[-1][1] if spans else 0

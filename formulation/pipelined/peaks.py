"""A bound by branching on peaks: how much L2 every chiplet's busiest layer takes.

MODEL.md §4.12. The linear relaxation spreads every layer over all chiplets, so that all
of them together have one peak. In a *box*, the peak of every chiplet is between two
numbers: what needs more is not there, and the least is not left for weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from formulation.choices import choices
from formulation.dual import recompute
from formulation.engines.lp import Lp
from formulation.pipelined.relaxation import relaxation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.outcome import Target
    from formulation.problem import Problem

MOST_BOXES = 400
UNTIMED_BOXES = 12  # where there is no limit of time
SHARE = 0.2  # of the way from a chiplet's peak in the relaxation to what is used
USED = 0.02  # of a layer, from which on it counts as used

Limits = tuple[int, ...]
Box = tuple[int, int, Limits, Limits, Limits, Limits]


@dataclass
class Peaks:
    """The boxes that are not settled, least bound first.

    Parameters
    ----------
    left
        Returns the seconds that are left; `None`: no limit.
    """

    p: Problem
    target: Target
    left: Callable[[], float | None]
    heap: list[Box] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Build the relaxation and solve the box of all."""
        program = relaxation(self.p, self.target)
        self.lp = Lp(program)
        keys = {key: j for j, key in enumerate(program.keys)}
        n = range(len(self.p.chiplets))
        self.peak = [keys["peak", c] for c in n]
        self.kept = [keys["kept", c] for c in n]
        self.needs: list[list[tuple[int, int]]] = [[] for _ in n]
        self.least: list[list[tuple[int, int]]] = []
        for t in range(len(self.p.tasks)):
            some = [
                (c, keys["pick", t, c, k], choice.ws_bytes)
                for c in self.p.supported(t)
                for k, choice in enumerate(choices(self.p, t, c))
                if ("pick", t, c, k) in keys
            ]
            self.least.append([(c, need) for c, _, need in some])
            for c, j, need in some:
                self.needs[c].append((j, need))
        l2 = tuple(chiplet.l2_bytes for chiplet in self.p.chiplets)
        self.solve(tuple(0 for _ in n), l2, 0)

    @property
    def bound(self) -> int | None:
        """The least bound of what is left; `None`: nothing is left."""
        return self.heap[0][0] if self.heap else None

    def solve(self, low: Limits, high: Limits, known: int) -> None:
        """Bound a box and put it on the heap, unless a layer finds no place in it.

        Parameters
        ----------
        known
            A bound of a box around it.
        """
        if any(all(need > high[c] for c, need in some) for some in self.least):
            return
        for c, needs in enumerate(self.needs):
            self.lp.limit(self.peak[c], low[c], high[c])
            self.lp.limit(self.kept[c], 0, self.p.chiplets[c].l2_bytes - low[c])
            for j, need in needs:
                self.lp.limit(j, 0, int(need <= high[c]))
        found, values = self.lp.run(self.left())
        bound = max(known, recompute(self.lp.program, found))
        peaks, tops = low, high
        if values:
            peaks = tuple(round(values[j]) for j in self.peak)
            tops = tuple(
                max((need for j, need in needs if values[j] > USED), default=0)
                for needs in self.needs
            )
        heappush(self.heap, (bound, next(self.number), low, high, peaks, tops))

    def split(self) -> bool:
        """Replace the box of the least bound by two; whether it could be.

        Of the chiplet whose peak in the relaxation is farthest below what is used on
        it: one box without the largest, one with more than its peak.
        """
        bound, _, low, high, peaks, tops = self.heap[0]
        rooms = [min(tops[c], high[c]) - max(low[c], peaks[c]) for c in range(len(low))]
        c = max(range(len(low)), key=lambda c: rooms[c])
        if rooms[c] < 2:
            return False
        heappop(self.heap)
        at = max(low[c], peaks[c]) + int(SHARE * rooms[c])
        self.solve(low, (*high[:c], at, *high[c + 1 :]), bound)
        self.solve((*low[:c], at + 1, *low[c + 1 :]), high, bound)
        return True


def peak_bounds(
    p: Problem,
    target: Target,
    left: Callable[[], float | None],
    enough: Callable[[int], bool],
) -> None:
    """Tell better and better bounds on a target, none above any schedule's value.

    Parameters
    ----------
    left
        Returns the seconds that are left; `None`: no limit, and few boxes.
    enough
        Takes a bound and says whether it is as good as is needed.
    """
    most = UNTIMED_BOXES if left() is None else MOST_BOXES
    peaks = Peaks(p, target, left)
    for _ in range(most):
        bound = peaks.bound
        if bound is None or enough(bound) or left() == 0 or not peaks.split():
            return

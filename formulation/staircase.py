"""What is known of the least y under a cap of x, between proofs and schedules.

e(c) = the least y of any schedule with x ≤ c never rises with c. A *point* (x, y) is
a schedule: e(c) ≤ y for c ≥ x. A *fact* (cap, bound) is a proof: e(c) ≥ bound for c ≤
cap. So e lies between two staircases; where they meet it is known. A *line* (cap, w, k,
g) is a proof, too: w·x + k·y ≥ g for x ≤ cap. All that branching
(`branch`) and the Pareto front (`pareto`) know is held here, and every new point and
fact is compared with all old ones: a proof that a schedule contradicts is noticed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from formulation.outcome import DisagreementError

if TYPE_CHECKING:
    from formulation.outcome import Limits
    from formulation.pipelined.schedule import Schedule

PARTS = 32  # of the time, for one call of an engine
SECONDS = 15.0  # of a call, if there is no limit


def slice_of(limits: Limits) -> float:
    """Return the seconds of the first call of an engine for a cap."""
    return SECONDS if limits.seconds is None else limits.seconds / PARTS


@dataclass(frozen=True, slots=True)
class Cell:
    """Caps `first` to `last`, for all of which low ≤ e < high is what is known.

    Parameters
    ----------
    high
        Least y of a known schedule with x ≤ first; `None`: there is none.
    """

    first: int
    last: int
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """Proved: `per_x`·x + `per_y`·y ≥ `bound` for all schedules with x ≤ `cap`."""

    cap: int
    per_x: int
    per_y: int
    bound: int


@dataclass
class Staircase:
    """Points, facts and lines.

    Parameters
    ----------
    first
        Proved: no schedule has a smaller x.
    last
        The largest x that is asked about.
    points
        (x, y, schedule) that no other one dominates, x ascending, y descending.
    facts
        (cap, bound) that no other one implies, caps ascending, bounds descending.
    """

    first: int
    last: int
    points: list[tuple[int, int, Schedule]] = field(default_factory=list)
    facts: list[tuple[int, int]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def high(self, cap: int) -> int | None:
        """Return the least y of a known schedule with x ≤ cap."""
        n = bisect_right(self.points, cap, key=lambda point: point[0])
        return self.points[n - 1][1] if n else None

    def low(self, cap: int) -> int:
        """Return the proved bound on y for x ≤ cap; 0 if there is none."""
        n = bisect_left(self.facts, cap, key=lambda fact: fact[0])
        return self.facts[n][1] if n < len(self.facts) else 0

    def known(self, cap: int) -> bool:
        """Whether e(cap) is known."""
        return cap < self.first or self.high(cap) == self.low(cap)

    def efficient(self, x: int, y: int) -> bool:
        """Whether it is proved that no schedule dominates the one of (x, y)."""
        return self.low(x) >= y and (x <= self.first or self.low(x - 1) > y)

    def schedule(self, cap: int) -> Schedule | None:
        """Return the best known schedule with x ≤ cap."""
        n = bisect_right(self.points, cap, key=lambda point: point[0])
        return self.points[n - 1][2] if n else None

    def add(self, x: int, y: int, schedule: Schedule) -> None:
        """Take note of a schedule.

        Raises
        ------
        DisagreementError
            If a proof says that there is none.
        """
        if x < self.first or y < self.low(x):
            raise DisagreementError(
                f"a schedule of ({x}, {y}) where it was proved that there is none: "
                f"nothing below {self.first}, up to {x} nothing below {self.low(x)}"
            )
        for line in self.lines:
            if x <= line.cap and line.per_x * x + line.per_y * y < line.bound:
                raise DisagreementError(f"a schedule of ({x}, {y}) is below {line}")
        best = self.high(x)
        if best is not None and best <= y:
            return
        self.points = [q for q in self.points if q[0] < x or q[1] < y]
        insort(self.points, (x, y, schedule), key=lambda point: point[0])

    def prove(self, cap: int, bound: int) -> None:
        """Take note of a proof that no schedule with x ≤ cap has y < bound.

        Raises
        ------
        DisagreementError
            If a schedule is known that has.
        """
        best = self.high(cap)
        if best is not None and best < bound:
            raise DisagreementError(
                f"up to {cap} nothing below {bound} was proved, but there is a "
                f"schedule with {best}"
            )
        if bound > self.low(cap):
            self.facts = [f for f in self.facts if f[0] > cap or f[1] > bound]
            insort(self.facts, (cap, bound))

    def draw(self, line: Line) -> None:
        """Take note of a line.

        Raises
        ------
        DisagreementError
            If a schedule is known below it.
        """
        for x, y, _ in self.points:
            if x <= line.cap and line.per_x * x + line.per_y * y < line.bound:
                raise DisagreementError(f"a schedule of ({x}, {y}) is below {line}")
        self.lines.append(line)

    def rule_out(self, cap: int) -> None:
        """Take note of a proof that there is no schedule with x ≤ cap.

        Raises
        ------
        DisagreementError
            If one is known.
        """
        if self.points and self.points[0][0] <= cap:
            raise DisagreementError(
                f"up to {cap} nothing was proved, but there is a schedule with "
                f"{self.points[0][0]}"
            )
        self.first = max(self.first, cap + 1)

    def cells(self) -> list[Cell]:
        """Return where e is not known, by ascending x."""
        inside = {x for x, _, _ in self.points} | {cap + 1 for cap, _ in self.facts}
        inside |= {line.cap + 1 for line in self.lines}
        starts = sorted({self.first} | {x for x in inside if x > self.first})
        found = []
        for a, b in pairwise([*(x for x in starts if x <= self.last), self.last + 1]):
            low, high = self.low(a), self.high(a)
            if low != high:
                found.append(Cell(a, b - 1, low, high))
        return found

"""The exact front of (period, energy): every schedule that no other dominates.

An ε-constraint search with lexicographic solves (MODEL.md §4.7): the least energy under
a cap of the period, then the least period with that energy. What is known stands in a
`Staircase`; a front is made of *steps*, plain data that can be kept and replayed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from formulation.branch import aligned
from formulation.outcome import DisagreementError, Limits, Progress
from formulation.pipelined import bounds
from formulation.pipelined.schedule import Schedule, from_dict, to_dict
from formulation.pipelined.semantics import evaluate
from formulation.solve import solve
from formulation.staircase import Cell, Staircase, slice_of
from formulation.starts import AUTO, NOTHING

if TYPE_CHECKING:
    from formulation.outcome import Outcome, Report
    from formulation.problem import Problem

MOST_POINTS = 200  # up to which a front is completed whatever it takes
TOLERANCE = Fraction(1, 1000)  # of an axis's range: largest box of an envelope
ENERGY_FIRST, PERIOD_FIRST = ("energy", "period"), ("period", "energy")


@dataclass(frozen=True, slots=True)
class Step:
    """One lexicographic solve, as it is kept.

    Parameters
    ----------
    cap
        Of the period; `None`: none, and the period came first.
    value, bound
        A part each, in the order of minimising; `None`: not reached.
    claim
        As of a solve of its own (MODEL.md §5).
    schedule
        By names, or `None`.
    runs
        Engine, version and bounds, for each engine.
    """

    cap: int | None
    value: tuple[int | None, ...]
    bound: tuple[int | None, ...]
    claim: str
    why_stopped: str
    seconds: float
    schedule: dict[str, Any] | None
    runs: tuple[dict[str, Any], ...]


class Steps(Protocol):
    """Where steps are kept."""

    def known(self) -> list[Step]:
        """Return the steps that were kept before, in their order."""

    def add(self, step: Step) -> None:
        """Keep a step."""


class InMemory:
    """Steps that are not kept on file."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def known(self) -> list[Step]:
        """Return the steps so far."""
        return list(self.steps)

    def add(self, step: Step) -> None:
        """Keep a step."""
        self.steps.append(step)


@dataclass(frozen=True, slots=True)
class Point:
    """A schedule of the front as far as it is known.

    Parameters
    ----------
    proved
        Whether no schedule is as good in both and better in one: the engines' word.
    """

    period_ticks: int
    energy_quanta: int
    schedule: Schedule
    proved: bool


@dataclass(frozen=True, slots=True)
class Front:
    """What is known of the front.

    Parameters
    ----------
    points
        By ascending period.
    boxes
        Where more of the front may be: period in first … last, low ≤ energy < high.
        Nothing of it is outside the points and the boxes.
    least_period_ticks
        Proved: no schedule has less.
    status
        ``complete``; ``envelope``: all boxes within the tolerance; ``stopped``;
        ``infeasible``.
    why_stopped
        As of a solve.
    """

    points: tuple[Point, ...]
    boxes: tuple[Cell, ...]
    least_period_ticks: int
    status: str
    why_stopped: str
    steps: int
    seconds: float


@dataclass
class _Search:
    """A front in the making."""

    p: Problem
    engine: str
    limits: Limits
    report: Report | None
    steps: Steps
    most_points: int
    tolerance: Fraction
    began: float = field(default_factory=time.monotonic)
    tried: dict[int | None, float] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        first, last = bounds.lower(self.p), bounds.upper(self.p)
        cap = self.p.period_cap_ticks
        self.stairs = Staircase(first, last if cap is None else min(last, cap))
        self.slice = slice_of(self.limits)

    def left(self) -> float:
        """Return the seconds that are left."""
        if self.limits.seconds is None:
            return inf
        return self.limits.seconds - (time.monotonic() - self.began)

    def take(self, step: Step) -> None:
        """Learn from a step: its schedule, by the semantics, and its proofs.

        Raises
        ------
        DisagreementError
            If it contradicts itself or another one.
        """
        self.count += 1
        stairs = self.stairs
        if step.schedule is not None:
            schedule = aligned(self.p, from_dict(self.p, step.schedule))
            found = evaluate(self.p, schedule)
            if found.violations:
                said = "; ".join(str(v) for v in found.violations)
                raise DisagreementError(f"a point of the front breaks {said}")
            stairs.add(found.period_ticks, found.energy_quanta, schedule)
        last = stairs.last if step.cap is None else step.cap
        least, then = step.bound
        closed = least is not None and least == step.value[0] and then is not None
        if step.claim == "infeasible":
            stairs.rule_out(last)
        elif least is not None and step.cap is None:
            stairs.rule_out(least - 1)
            if closed and then is not None:
                stairs.prove(least, then)
        elif least is not None:
            stairs.prove(last, least)
            if closed and then is not None:
                stairs.prove(min(last, then - 1), least + 1)
        settled = step.claim.startswith(("optimal", "infeasible"))
        over = step.why_stopped == "finished" or self.limits.deterministic is not None
        self.tried[step.cap] = inf if settled or over else 2 * self.effort(step.cap)

    def effort(self, cap: int | None) -> float:
        """Return the seconds of the next solve under a cap."""
        return self.tried.get(cap, self.slice)

    def ask(self, cap: int | None) -> Step:
        """Solve under a cap; the step is kept."""
        p = self.p
        start: Schedule | str = AUTO
        if cap is not None:
            p = replace(p, period_cap_ticks=cap)
            start = self.stairs.schedule(cap) or NOTHING
        seconds = min(self.effort(cap), max(0.01, self.left()))
        outcome = solve(
            p,
            PERIOD_FIRST if cap is None else ENERGY_FIRST,
            self.engine,
            replace(self.limits, seconds=seconds, gap=Fraction(0)),
            start=start,
            clashes=False,
        )
        step = _step(p, cap, outcome)
        self.steps.add(step)
        return step

    def size(self, cell: Cell) -> Fraction:
        """Return the larger side of a box over the range of its axis; 1 at most."""
        points = self.stairs.points
        if not points or cell.high is None:
            return Fraction(1)
        end = points[-1][0]
        wide = max(0, min(cell.last, end) - cell.first + 1)
        high = cell.high - cell.low
        range_x = max(1, end - self.stairs.first)
        range_y = max(1, points[0][1] - self.stairs.low(self.stairs.last))
        return max(Fraction(wide, range_x), Fraction(high, range_y))

    def choose(self, cells: list[Cell]) -> int | None:
        """Return the next cap: of the largest box that was tried least.

        Its middle while it is larger than the tolerance, so that boxes shrink
        everywhere; then its end, where every solve finds a point or closes the box.
        """
        best: tuple[float, int] | None = None
        for cell in cells:
            size = self.size(cell)
            middle = (cell.first + cell.last) // 2
            at_end = size <= self.tolerance or cell.last == self.stairs.last
            order = (cell.last, middle) if at_end else (middle, cell.last)
            for cap in order:
                effort = self.effort(cap)
                if effort == inf:
                    continue
                score = (float(size) * self.slice / effort, -cap)
                if best is None or score > best:
                    best = score
                break
        return None if best is None else -best[1]

    def tell(self) -> None:
        """Report the number of points, as its own bound once there can be no more."""
        if self.report is not None:
            count = len(self.stairs.points) or None
            bound = None if self.stairs.cells() else count
            seconds = time.monotonic() - self.began
            self.report(Progress(self.engine, "points", seconds, count, bound))

    def stop(self, cells: list[Cell]) -> tuple[str, str] | None:
        """Return (status, why) to stop, `None` to go on."""
        if not cells:
            status = "complete" if self.stairs.points else "infeasible"
            return status, "finished"
        small = all(self.size(cell) <= self.tolerance for cell in cells)
        if small and len(self.stairs.points) > self.most_points:
            return "envelope", "finished"
        if self.limits.stop is not None and self.limits.stop.is_set():
            return "stopped", "interrupted"
        return ("stopped", "time limit") if self.left() <= 0 else None

    def work(self) -> Front:
        """Replay what is known, then solve until nothing is left or it is time."""
        for step in self.steps.known():
            self.take(step)
        while True:
            cells = self.stairs.cells()
            self.tell()
            why = self.stop(cells)
            if why is not None:
                break
            cap: int | None = None
            if None in self.tried:
                cap = self.choose(cells)
                if cap is None:
                    why = ("stopped", "finished")
                    break
            self.take(self.ask(cap))
        return self.front(*why)

    def front(self, status: str, why: str) -> Front:
        """Return what is known."""
        stairs = self.stairs
        return Front(
            points=tuple(
                Point(x, y, schedule, stairs.efficient(x, y))
                for x, y, schedule in stairs.points
            ),
            boxes=tuple(stairs.cells()),
            least_period_ticks=stairs.first,
            status=status,
            why_stopped=why,
            steps=self.count,
            seconds=time.monotonic() - self.began,
        )


def _step(p: Problem, cap: int | None, outcome: Outcome[Schedule]) -> Step:
    found = outcome.schedule
    return Step(
        cap=cap,
        value=outcome.value,
        bound=outcome.bound,
        claim=outcome.claim,
        why_stopped=outcome.why_stopped,
        seconds=round(outcome.seconds, 3),
        schedule=None if found is None else to_dict(p, found),
        runs=tuple(
            {"engine": run.engine, "version": run.version, "bound": list(run.bound)}
            for run in outcome.runs
        ),
    )


def front(
    p: Problem,
    engine: str = "cpsat",
    limits: Limits | None = None,
    report: Report | None = None,
    *,
    steps: Steps | None = None,
    most_points: int = MOST_POINTS,
    tolerance: Fraction = TOLERANCE,
) -> Front:
    """Find the front of (period, energy).

    Parameters
    ----------
    limits
        `seconds` of everything; each solve gets a share, twice as much when it comes
        to the same cap again. With ``both``, of each engine.
    steps
        What was done before, and where new steps are kept; default: in memory.
    most_points
        With no more points than that, it ends only if complete.
    tolerance
        Else also where all boxes are at most that part of both axes' ranges.

    Raises
    ------
    DisagreementError
        If engines, proofs and schedules contradict each other.
    """
    search = _Search(
        p,
        engine,
        limits or Limits(),
        report,
        steps or InMemory(),
        most_points,
        tolerance,
    )
    return search.work()

"""EDP, weighted sums and largest latencies by branching on one axis (MODEL.md §4.6).

An *axis* says what x and y are and how an engine is asked for the least y under a cap
of x; the objective is a tuple of functions of (x, y), compared part by part, none of
which falls when x or y rises. Engines only ever minimise y, a quantity of their own, or
a weighted sum of x and y; all products are formed here, on Python integers.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from formulation.outcome import DisagreementError, GroupAnswer, Progress
from formulation.pipelined.semantics import evaluate
from formulation.staircase import Cell, Line, slice_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.axes import Axis, Values
    from formulation.outcome import Answer, Limits, Report, Target
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

    Ask = Callable[[Problem, Target, Limits, Schedule | None], Answer[Schedule]]

# What an engine is asked: (cap, weights of a sum or `None`: y alone).
Asked = tuple[int, tuple[int, int] | None]
CHORD = 8  # slices of time for a sum

# A cell is halved while x alone moves its bound by more than 1/64 of the best value.
WIDE = 64


def aligned(p: Problem, s: Schedule) -> Schedule:
    """Return the schedule with every model's first stage 0; it is worth the same."""
    first = [min(s.stage[t] for t in model.tasks) for model in p.models]
    stages = [x - first[p.tasks[t].model] for t, x in enumerate(s.stage)]
    return replace(s, stage=tuple(stages))


@dataclass
class _Branch:
    """One engine at work: its staircase and the best schedule."""

    axis: Axis
    p: Problem
    name: str
    ask: Ask
    limits: Limits
    report: Report | None
    without: frozenset[str]
    began: float = field(default_factory=time.monotonic)
    value: Values | None = None
    schedule: Schedule | None = None
    why: str = ""
    sums: bool = False
    given_up: set[Asked] = field(default_factory=set)
    often: Counter[Asked] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stairs = self.axis.stairs()
        self.slice = slice_of(self.limits)

    def left(self) -> float:
        """Return the seconds that are left."""
        if self.limits.seconds is None:
            return inf
        return self.limits.seconds - (time.monotonic() - self.began)

    def offer(self, schedule: Schedule) -> None:
        """Value a schedule by the semantics and keep it.

        Raises
        ------
        DisagreementError
            If it breaks a rule or contradicts a proof.
        """
        found = evaluate(self.p, schedule, without=self.without)
        if found.violations:
            said = "; ".join(str(v) for v in found.violations)
            raise DisagreementError(f"{self.name} gave a schedule that breaks {said}")
        x, y = self.axis.place(found)
        self.stairs.add(x, y, aligned(self.p, schedule))
        value = self.axis.values(x, y)
        if self.value is None or value < self.value:
            self.value, self.schedule = value, schedule

    def ask_for(self, p: Problem, target: Target, seconds: float, cap: int
                ) -> Answer[Schedule]:  # fmt: skip
        """Ask the engine, from the best schedule up to a cap; keep what it says."""
        seconds = min(seconds, max(0.01, self.left()))
        limits = replace(self.limits, seconds=seconds, gap=Fraction(0))
        answer = self.ask(p, target, limits, self.stairs.schedule(cap))
        self.notes.update(dict.fromkeys(answer.notes))
        if answer.schedule is not None:
            self.offer(answer.schedule)
        if answer.why_stopped != "finished":
            self.why = answer.why_stopped
        return answer

    def open(self) -> None:
        """Bound x from below."""
        target = self.axis.least()
        if target is None:
            return
        last = self.stairs.last
        answer = self.ask_for(self.p, target, 8 * self.slice, last)
        if answer.infeasible:
            self.stairs.rule_out(last)
        elif answer.bound is not None:
            self.stairs.rule_out(answer.bound - 1)

    def settle(self, asked: Asked) -> None:
        """Ask for the least y, or the least sum, with x ≤ cap.

        Where that is left open, more time is what helps: every later call has twice
        as much.
        """
        cap, weights = asked
        p, target = self.axis.ask(cap)
        if weights is not None:
            least = self.stairs.first
            target = replace(
                target, quantity="sum", weights=weights, period_at_least=least
            )
        seconds = self.slice if weights is None else CHORD * self.slice
        answer = self.ask_for(p, target, seconds, cap)
        if answer.infeasible:
            self.stairs.rule_out(cap)
        elif answer.bound is not None and weights is not None:
            self.stairs.draw(Line(cap, *weights, answer.bound))
        elif answer.bound is not None:
            self.stairs.prove(cap, answer.bound)
        self.often[asked] += 1
        once = self.limits.deterministic is not None
        if answer.why_stopped == "finished" or once:
            self.given_up.add(asked)
        if not self.stairs.known(cap) and answer.why_stopped != "finished":
            self.slice *= 2

    def cells(self) -> list[tuple[Values, Cell]]:
        """Return what may hold a better schedule than the best, with its bound.

        A schedule with x in a cell is worth (x, low) or more, and (x, high) is known;
        x from which (x, low) is no better than the best is cut off. Least bound first.
        """
        found = []
        for cell in self.stairs.cells():
            a, b, low = cell.first, cell.last, cell.low
            if self.value is not None:
                worth = partial(self.axis.values, y=low)
                b = a + bisect_left(range(a, b + 1), self.value, key=worth) - 1
            if a > b:
                continue
            bound = self.least(a, b, low)
            if self.value is None or bound < self.value:
                found.append((bound, replace(cell, last=b)))
        return sorted(found, key=lambda x: (x[0], x[1].first))

    def least(self, a: int, b: int, low: int) -> Values:
        """Return a bound on schedules with a ≤ x ≤ b and y ≥ low.

        On a line the first part is concave in x: least at an end.
        """
        first, *rest = self.axis.values(a, low)
        for line in self.stairs.lines:
            if b <= line.cap:
                first = max(first, min(self.axis.above(x, line) for x in (a, b)))
        return (first, *rest)

    def choose(self, cells: list[tuple[Values, Cell]]) -> Asked | None:
        """Return what to ask about next; `None` if the engine has given up on all.

        Of the least bound: once the cell is bounded, the chord of it or of its lower
        half; else y alone, at its middle while x moves the bound much, at its end then.
        """
        for bound, cell in cells:
            a, b = cell.first, cell.last
            middle = (a + b) // 2
            order = [b, middle, a]
            if self.value is not None:
                moved = self.axis.values(b, cell.low)[0]
                moved -= self.axis.values(a, cell.low)[0]
                if moved * WIDE > self.value[0]:
                    order = [middle, b, a]
            every: list[Asked] = [(cap, None) for cap in order]
            drawn = self.sums and cell.low > 0  # else the cell has no end
            if self.value is not None and drawn and bound[0] < self.value[0]:
                chords = [
                    (x, self.axis.chord(a, x, self.value[0])) for x in (b, middle)
                ]
                some = [(x, weights) for x, weights in chords if weights is not None]
                every = [*sorted(some, key=lambda x: self.often[x]), *every]
            for asked in every:
                if asked not in self.given_up:
                    return asked
        return None

    def bound(self, cells: list[tuple[Values, Cell]]) -> Values:
        """Return the bound: the least of the cells', or the value if there are none."""
        if not cells:
            return self.value or ()
        least = cells[0][0]
        if self.value is None:
            return least[:1] if least[0] > 0 else ()
        same = 0
        while least[same] == self.value[same]:
            same += 1
        return least[: same + 1] if least[0] > 0 else ()

    def tell(self, bound: Values) -> None:
        """Report the first part that is not closed, or the last one."""
        if self.report is None:
            return
        n = max(0, len(bound) - 1)
        value = None if self.value is None else self.value[n]
        seconds = time.monotonic() - self.began
        text = self.axis.parts[n].text
        least = bound[n] if bound else None
        self.report(Progress(self.name, text, seconds, value, least))

    def stop(self, bound: Values) -> str | None:
        """Return why to stop now, `None` to go on."""
        if self.limits.stop is not None and self.limits.stop.is_set():
            return "interrupted"
        if self.left() <= 0:
            return "time limit"
        if self.value is not None and bound:
            gap = self.value[0] - bound[0]
            if self.limits.gap > 0 and gap <= self.limits.gap * self.value[0]:
                return "gap"
        return None

    def work(self) -> GroupAnswer[Schedule]:
        """Branch until nothing is left or it is time to stop."""
        self.open()
        while True:
            cells = self.cells()
            bound = self.bound(cells)
            self.tell(bound)
            why = self.stop(bound) if cells else "finished"
            if why is not None:
                break
            asked = self.choose(cells)
            if asked is None:
                why = self.why or "finished"
                break
            self.settle(asked)
        return GroupAnswer(
            schedule=self.schedule,
            value=self.value,
            bound=bound,
            infeasible=not cells and self.value is None,
            why_stopped=why,
            seconds=time.monotonic() - self.began,
            notes=tuple(self.notes),
        )


def branch(
    axis: Axis,
    p: Problem,
    name: str,
    ask: Ask,
    limits: Limits,
    *,
    report: Report | None,
    hint: Schedule | None,
    without: frozenset[str],
    sums: bool = False,
) -> GroupAnswer[Schedule]:
    """Minimise the parts of an axis with one engine.

    An engine is not told what it has proved before, but for the least x when it is
    asked for a sum: should it contradict itself, the staircase notices. Each call has a
    share of the time, and its bound is enough.

    Parameters
    ----------
    name, ask
        The engine.
    sums
        Whether it minimises sums of period and energy.
    hint
        A valid schedule to start from, which keeps the caps of earlier parts.

    Raises
    ------
    DisagreementError
        If a schedule contradicts a proof of the engine, or breaks a rule.
    """
    search = _Branch(axis, p, name, ask, limits, report, without, sums=sums)
    if hint is not None:
        search.offer(hint)
    return search.work()

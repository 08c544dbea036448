"""Axes to branch on (`branch`): what x and y are, and how an engine is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Protocol

from formulation.pipelined import bounds
from formulation.staircase import Staircase

if TYPE_CHECKING:
    from formulation.objective import Part
    from formulation.outcome import Target
    from formulation.pipelined.semantics import Evaluation
    from formulation.problem import Problem
    from formulation.staircase import Line

    Values = tuple[int, ...]


FINE = 1000  # weights of a sum are whole numbers: so fine at the least


class Axis(Protocol):
    """x, y and the objective; see `PeriodEnergy` and `StagesPeriod`."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the objective."""

    def stairs(self) -> Staircase:
        """Return what is known of x without search."""

    def least(self) -> Target | None:
        """Return the target whose value is the least x; `None`: it is known."""

    def ask(self, cap: int) -> tuple[Problem, Target]:
        """Return whose optimum is the least y with x ≤ cap."""

    def place(self, found: Evaluation) -> tuple[int, int]:
        """Return (x, y) of a schedule."""

    def values(self, x: int, y: int) -> Values:
        """Return the objective's parts."""

    def chord(self, a: int, b: int, value: int) -> tuple[int, int] | None:
        """Return weights of the sum that bounds the first part between a and b.

        (per x, per y), positive; `None`: there is no such sum.
        """

    def above(self, x: int, line: Line) -> int:
        """Return what the first part is at least worth at x, on a line or above it."""


def _least_cap(*caps: int | None) -> int | None:
    given = [cap for cap in caps if cap is not None]
    return min(given) if given else None


@dataclass(frozen=True, slots=True)
class PeriodEnergy:
    """x is the period in ticks, y the energy in quanta.

    Parameters
    ----------
    under
        A target whose caps hold: values of parts before these.
    """

    p: Problem
    parts: tuple[Part, ...]
    under: Target
    without: frozenset[str]

    def stairs(self) -> Staircase:
        """`bounds.lower` and `bounds.upper`; the latter no cap makes larger."""
        caps = [self.under.period_at_most]
        if "period_cap" not in self.without:
            caps.append(self.p.period_cap_ticks)
        first, last = bounds.lower(self.p, self.without), bounds.upper(self.p)
        return Staircase(first, min(last, _least_cap(*caps) or last))

    def least(self) -> Target | None:
        """The least period."""
        return replace(self.under, quantity="period")

    def ask(self, cap: int) -> tuple[Problem, Target]:
        """The least energy with T ≤ cap."""
        most = _least_cap(cap, self.under.period_at_most)
        return self.p, replace(self.under, quantity="energy", period_at_most=most)

    def place(self, found: Evaluation) -> tuple[int, int]:
        """(period, energy)."""
        return found.period_ticks, found.energy_quanta

    def values(self, x: int, y: int) -> Values:
        """Every part of them."""
        return tuple(part.of(x, y) for part in self.parts)

    def _worth(self, x: int) -> tuple[int, int]:
        """Return (k, d): the first part is k·y + d at x."""
        least, one = (self.parts[0].of(x, y) for y in (0, 1))
        return one - least, least

    def chord(self, a: int, b: int, value: int) -> tuple[int, int] | None:
        """Of w·T + k·energy, as steep as the chord from a to b.

        The chord joins the points at a and b where the first part is `value`.
        """
        if a >= b:
            return None
        y = [Fraction(value - d, k) for k, d in map(self._worth, (a, b))]
        slope = (y[0] - y[1]) / (b - a)
        weights = slope.limit_denominator(1 if slope > FINE else FINE)
        if weights <= 0:
            return None
        return weights.numerator, weights.denominator

    def above(self, x: int, line: Line) -> int:
        """The first part at (x, the real y of the line), rounded up."""
        k, d = self._worth(x)
        return d + ceil(Fraction(k * (line.bound - line.per_x * x), line.per_y))


@dataclass(frozen=True, slots=True)
class StagesPeriod:
    """x is the largest weighted number of stages, y the period.

    x = max over the models of weight·(1 + max σ − min σ), so that x·y is the largest
    weighted latency, and x ≤ cap says that a model needs at most ⌊cap/weight⌋ stages:
    since only differences of stages matter, a `max_stage`.
    """

    p: Problem
    parts: tuple[Part, ...]
    under: Target

    @property
    def weights(self) -> dict[int, int]:
        """Model number → weight."""
        return self.parts[0].weights(self.p)

    def stairs(self) -> Staircase:
        """Every model needs one stage, and has `max_stage` + 1 at most."""
        stages = {m: self.p.models[m].max_stage + 1 for m in self.weights}
        most = max(k * stages[m] for m, k in self.weights.items())
        return Staircase(max(self.weights.values()), most)

    def least(self) -> Target | None:
        """The least x is known well enough."""
        return None

    def ask(self, cap: int) -> tuple[Problem, Target]:
        """The least period with so many stages."""
        models = list(self.p.models)
        for m, k in self.weights.items():
            most = min(models[m].max_stage, cap // k - 1)
            models[m] = replace(models[m], max_stage=most)
        return replace(self.p, models=tuple(models)), self.under

    def place(self, found: Evaluation) -> tuple[int, int]:
        """(weighted stages, period)."""
        period = found.period_ticks
        spans = [k * found.latency_ticks[m] // period for m, k in self.weights.items()]
        return max(spans), period

    def values(self, x: int, y: int) -> Values:
        """The largest weighted latency."""
        return (x * y,)

    def chord(self, a: int, b: int, value: int) -> tuple[int, int] | None:
        """Stages have no sum with the period."""
        return None

    def above(self, x: int, line: Line) -> int:
        """There are no lines."""
        return 0

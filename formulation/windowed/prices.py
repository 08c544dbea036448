"""The search for good prices, and the bounds that come of it (MODEL.md §7.7).

Any prices give a bound; floats only choose them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, exp
from typing import TYPE_CHECKING

from formulation.problem import remembered
from formulation.windowed.bounds import lower, lower_bound
from formulation.windowed.priced import Plan, Prices, affordable, plan_of, plans
from formulation.windowed.segments import path_costs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from formulation.objective import Part
    from formulation.problem import Mode, Problem
    from formulation.windowed.segments import Segment

SHARES = 10**6
"""Prices of time are shares of this, or of as much less as costs need to fit."""
ROUNDS = 40
"""How many prices are tried at most."""
STEEPEST = 10**6
"""The largest numerator and denominator of a line's slope."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A bound with what shows it.

    Parameters
    ----------
    bound
        Of time_weight·makespan + energy_weight·energy, in ticks and quanta.
    prices
        With them it can be computed anew.
    plans
        Of the models, each by itself.
    """

    bound: int
    prices: Prices
    plans: tuple[Plan, ...]


def scaled(p: Problem, weights: list[float], time: int, energy: int) -> Prices | None:
    """Return prices of time in these proportions that are affordable, if any are.

    With some `share` they sum up to share·(time·quantum + energy·static power), where
    the quantum is in energy units, and an energy unit costs share·energy: share·quantum
    times what is to be bounded.
    """
    count, share = len(p.chiplets), SHARES
    tick = time * p.energy_den + energy * p.static_energy
    while share > 0:
        whole = [int(share * x / sum(weights)) for x in weights]
        whole[weights.index(max(weights))] += share - sum(whole)
        rows = [
            tuple(tick * x for x in whole[k * count : (k + 1) * count])
            for k in range(len(p.models) + 1)
        ]
        prices = Prices(tuple(rows[:-1]), rows[-1], share * energy)
        if affordable(p, prices):
            return prices
        share //= 10
    return None


def _mode(p: Problem, s: Segment, t: int, prices: Prices) -> Mode:
    """Return a mode that a layer of a plan may have had, for its loads alone."""
    fits = [
        x
        for x in p.tasks[t].modes[s.chiplet]
        if x.ws_bytes <= p.chiplets[s.chiplet].l2_bytes
    ]
    tick = max(1, prices.total)
    return min(fits, key=lambda x: tick * x.latency_ticks + prices.energy * x.energy)


def _loads(p: Problem, found: tuple[Plan, ...], prices: Prices) -> list[int]:
    """Return how many ticks the plans have of everything that has a price."""
    count = len(p.chiplets)
    loads = [0] * (count * (len(p.models) + 1))
    for m, plan in enumerate(found):
        for window in plan.windows:
            where = {t: s for s in window for t in s.tasks}
            modes = {t: _mode(p, s, t, prices) for t, s in where.items()}
            costs = path_costs(p, window, modes.__getitem__)
            for s, cost in zip(window, costs, strict=True):
                more = (p.windowing.mini_batches[m] // s.group - 1) * cost.next_ticks
                loads[m * count + s.chiplet] += more
                loads[len(p.models) * count + s.chiplet] += cost.first_ticks + more
                for c in range(count):
                    loads[m * count + c] += cost.first_ticks
    return loads


@dataclass(frozen=True, slots=True)
class _Round:
    """What some rounds of the search have found.

    Parameters
    ----------
    weights
        Of the prices to try next, in proportion.
    done
        Whether no other prices are worth trying.
    """

    best: Priced | None
    weights: tuple[float, ...]
    done: bool


@remembered
def _round(p: Problem, time: int, energy: int, k: int) -> _Round:
    """Return what rounds 0, …, k have found: whoever searches goes on from there.

    Multiplicative weights: what the plans load most becomes dearer.
    """
    before = _round(p, time, energy, k - 1) if k else None
    best = None if before is None else before.best
    count, blocks = len(p.chiplets), len(p.models) + 1
    weights = list(before.weights) if before else []
    if k < blocks:
        weights = [float(n // count == k) for n in range(count * blocks)]
    prices = scaled(p, weights, time, energy)
    found = None if prices is None else plans(p, prices)
    if prices is None or found is None:
        return _Round(best, tuple(weights), done=True)
    total = sum(plan.cost for plan in found)
    share = _share(p, prices, time, energy)
    bound = -(-total // (share * p.energy_den))
    if best is None or bound > best.bound:
        best = Priced(bound, prices, found)
    if not prices.total:
        return _Round(best, tuple(weights), done=True)
    loads = _loads(p, found, prices)
    step = 1 / (1 + k / 8)
    weights = [
        w * exp(step * n / max(loads)) for w, n in zip(weights, loads, strict=True)
    ]
    return _Round(best, tuple(w / max(weights) for w in weights), done=False)


def priced(
    p: Problem,
    time: int,
    energy: int,
    rounds: int = ROUNDS,
    over: Callable[[], bool] = lambda: False,
    goal: int | None = None,
) -> Priced | None:
    """Return the best bound of some rounds on time·makespan + energy·energy.

    Parameters
    ----------
    time, energy
        Non-negative whole weights, of a tick and of a quantum.
    rounds
        How many prices are tried at most.
    over
        Whether there is no time for another round.
    goal
        A bound that is good enough.
    """
    best: Priced | None = None
    for k in range(rounds):
        if over():
            break
        found = _round(p, time, energy, k)
        best = found.best
        if found.done or best is None or (goal is not None and best.bound >= goal):
            break
    return best


def _share(p: Problem, prices: Prices, time: int, energy: int) -> int:
    """Return the share that `scaled` took."""
    tick = time * p.energy_den + energy * p.static_energy
    return prices.total // tick if tick else prices.energy // energy


def product_above(
    ticks: int, quanta: int, time: int, energy: int, bound: int
) -> Fraction:
    """Return the least x·y for x ≥ ticks, y ≥ quanta, time·x + energy·y ≥ bound.

    On the line the product is a concave function of x, above it no less: so it is
    least at one of the line's ends. Weights are positive.
    """
    x, y = Fraction(ticks), Fraction(quanta)
    ends = (
        x * max(y, (bound - time * x) / energy),
        y * max(x, (bound - energy * y) / time),
    )
    return min(ends)


@dataclass(frozen=True, slots=True)
class _Line:
    """What prices prove: time·makespan + energy·energy ≥ least, in ticks and quanta."""

    time: int
    energy: int
    least: int


def _line(p: Problem, prices: Prices) -> _Line | None:
    """Return what prices prove; `None` if they leave a model without a plan.

    Energy units but for static power are at most those of the quanta, less S a tick.

    Raises
    ------
    ValueError
        If they are not affordable, or time is cheaper than its static power.
    """
    time = prices.total - prices.energy * p.static_energy
    if time < 0:
        raise ValueError("a tick costs less than the static power in it")
    found = plans(p, prices)
    if found is None:
        return None
    total = sum(plan.cost for plan in found)
    return _Line(time, prices.energy * p.energy_den, total)


def proved(p: Problem, part: Part, prices: Sequence[Prices]) -> int:
    """Return the bound on a part of an objective that prices prove, in integers.

    Nothing is asked of them: it is never below that of `bounds.lower_bound`.

    Raises
    ------
    ValueError
        For prices that are none (see `_line`).
    """
    lines = [line for x in prices if (line := _line(p, x)) is not None]
    ticks, quanta = lower(p).makespan, lower(p).energy
    for line in lines:
        if line.time and not line.energy:
            ticks = max(ticks, -(-line.least // line.time))
        if line.energy and not line.time:
            quanta = max(quanta, -(-line.least // line.energy))
    simple = lower_bound(p, part)
    if part.largest:
        weights = part.weights(p)
        alone = max(_alone(p, m, k) for m, k in weights.items())
        if len(weights) < len(p.models):
            return max(simple, alone)
        # One of them ends with the last window.
        return max(simple, alone, min(weights.values()) * ticks)
    return max(simple, *(_above(part, ticks, quanta, x) for x in (None, *lines)))


def _above(part: Part, ticks: int, quanta: int, line: _Line | None) -> int:
    """Return a bound on a sum, from bounds on makespan and energy, and one line.

    The line counts as often as it goes into the sum.
    """
    terms = dict(part.terms)
    time, energy = terms.get("makespan", 0), terms.get("energy", 0)
    found = Fraction(time * ticks + energy * quanta)
    product = Fraction(ticks * quanta)
    if line is not None and line.time and line.energy:
        product = product_above(ticks, quanta, line.time, line.energy, line.least)
    if line is not None and "edp" not in terms:
        pairs = ((time, line.time), (energy, line.energy))
        often = min((Fraction(x, y) for x, y in pairs if y), default=Fraction(0))
        more = line.least - line.time * ticks - line.energy * quanta
        found += often * max(0, more)
    return ceil(found + terms.get("edp", 0) * product)


def search(
    p: Problem,
    part: Part,
    rounds: int = ROUNDS,
    over: Callable[[], bool] = lambda: False,
    goal: int | None = None,
) -> tuple[Prices, ...]:
    """Return good prices to prove a bound on a part with.

    Parameters
    ----------
    rounds, over
        See `priced`.
    goal
        A bound on the part that is good enough.
    """
    terms = dict(part.terms)
    if part.largest:
        weights = part.weights(p)
        some = {"makespan": 1} if len(weights) == len(p.models) else {}
        least = min(weights.values())
        goal = None if goal is None else -(-goal // least)
        asked = [(some.get("makespan", 0), 0)]
    elif "edp" in terms:
        asked, goal = [(1, 0), (0, 1)], None
    else:
        asked = [(terms.get("makespan", 0), terms.get("energy", 0))]
    found = [priced(p, *x, rounds, over, goal) for x in asked if any(x)]
    if "edp" in terms:
        ticks, quanta = (
            max(known, 0 if x is None else x.bound)
            for known, x in zip(
                (lower(p).makespan, lower(p).energy), found, strict=True
            )
        )
        if ticks * quanta:
            found.append(priced(p, *_slope(ticks, quanta), rounds, over))
    return tuple(x.prices for x in found if x is not None)


def _slope(ticks: int, quanta: int) -> tuple[int, int]:
    """Return the weights of a line that is parallel to the tangent of the product."""
    ratio = Fraction(quanta, ticks)
    ratio = max(Fraction(1, STEEPEST), min(Fraction(STEEPEST), ratio))
    ratio = ratio.limit_denominator(STEEPEST)
    return ratio.numerator, ratio.denominator


def priced_bound(
    p: Problem,
    part: Part,
    rounds: int = ROUNDS,
    over: Callable[[], bool] = lambda: False,
    goal: int | None = None,
) -> int:
    """Return a value that no schedule is below in a part of an objective.

    It is never below that of `bounds.lower_bound`; see `search`.
    """
    return proved(p, part, search(p, part, rounds, over, goal))


def _alone(p: Problem, m: int, weight: int) -> int:
    """Return a bound on the weighted latency of a model: its own time."""
    count = len(p.chiplets)
    weights = [float(k // count == m) for k in range(count * (len(p.models) + 1))]
    prices = scaled(p, weights, 1, 0)
    plan = None if prices is None else plan_of(p, m, prices)
    if prices is None or plan is None:
        return 0
    return -(-weight * plan.cost // prices.total)

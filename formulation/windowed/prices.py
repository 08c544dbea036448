"""The search for good prices, and the bounds that come of it (MODEL.md §7.7).

Any prices give a bound; floats only choose them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, exp
from typing import TYPE_CHECKING

from formulation.windowed.bounds import lower, lower_bound
from formulation.windowed.priced import Plan, Prices, affordable, plan_of, plans
from formulation.windowed.segments import path_costs

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.objective import Part
    from formulation.problem import Mode, Problem
    from formulation.windowed.segments import Segment

SHARES = 10**6
"""Prices of time are shares of this, or of as much less as costs need to fit."""
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


def priced(
    p: Problem,
    time: int,
    energy: int,
    rounds: int = 40,
    check: Callable[[], None] = lambda: None,
) -> Priced | None:
    """Return the best bound of some rounds on time·makespan + energy·energy.

    Multiplicative weights: what the plans load most becomes dearer.

    Parameters
    ----------
    time, energy
        Non-negative whole weights, of a tick and of a quantum.
    rounds
        How many prices are tried at most.
    check
        Called now and then; what it raises goes through.
    """
    best: Priced | None = None
    count, blocks = len(p.chiplets), len(p.models) + 1
    corners = [
        [float(k // count == block) for k in range(count * blocks)]
        for block in range(blocks)
    ]
    weights = [1.0] * (count * blocks)
    for k in range(rounds):
        check()
        if k < blocks:
            weights = corners[k]
        prices = scaled(p, weights, time, energy)
        found = None if prices is None else plans(p, prices)
        if prices is None or found is None:
            return best
        total = sum(plan.cost for plan in found)
        share = _share(p, prices, time, energy)
        bound = -(-total // (share * p.energy_den))
        if best is None or bound > best.bound:
            best = Priced(bound, prices, found)
        if not prices.total:
            return best
        loads = _loads(p, found, prices)
        step = 1 / (1 + k / 8)
        weights = [
            w * exp(step * n / max(loads)) for w, n in zip(weights, loads, strict=True)
        ]
        weights = [w / max(weights) for w in weights]
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


def _product(p: Problem, ticks: int, quanta: int, rounds: int) -> Fraction:
    """Return a bound on energy·makespan, from bounds on both and on one sum of them.

    The sum is parallel to the tangent of the product there.
    """
    if not ticks * quanta:
        return Fraction(0)
    ratio = Fraction(quanta, ticks)
    ratio = max(Fraction(1, STEEPEST), min(Fraction(STEEPEST), ratio))
    ratio = ratio.limit_denominator(STEEPEST)
    time, energy = ratio.numerator, ratio.denominator
    found = priced(p, time, energy, rounds)
    least = 0 if found is None else found.bound
    return product_above(ticks, quanta, time, energy, least)


def priced_bound(p: Problem, part: Part, rounds: int = 40) -> int:
    """Return a value that no schedule is below in a part of an objective.

    It is never below that of `bounds.lower_bound`.
    """
    simple = lower_bound(p, part)
    if part.largest:
        weights = part.weights(p)
        alone = max(_alone(p, m, k) for m, k in weights.items())
        if len(weights) < len(p.models):
            return max(simple, alone)
        makespan = _least(p, 1, 0, rounds)  # one of them ends with the last window
        return max(simple, alone, min(weights.values()) * makespan)
    terms = dict(part.terms)
    time, energy = terms.get("makespan", 0), terms.get("energy", 0)
    if "edp" not in terms:
        return max(simple, _least(p, time, energy, rounds))
    ticks = max(lower(p).makespan, _least(p, 1, 0, rounds))
    quanta = max(lower(p).energy, _least(p, 0, 1, rounds))
    product = terms["edp"] * _product(p, ticks, quanta, rounds)
    return max(simple, ceil(time * ticks + energy * quanta + product))


def _least(p: Problem, time: int, energy: int, rounds: int) -> int:
    """Return a bound on such a sum; 0 if no prices are affordable."""
    found = priced(p, time, energy, rounds)
    return 0 if found is None else found.bound


def _alone(p: Problem, m: int, weight: int) -> int:
    """Return a bound on the weighted latency of a model: its own time."""
    count = len(p.chiplets)
    weights = [float(k // count == m) for k in range(count * (len(p.models) + 1))]
    prices = scaled(p, weights, 1, 0)
    plan = None if prices is None else plan_of(p, m, prices)
    if prices is None or plan is None:
        return 0
    return -(-weight * plan.cost // prices.total)

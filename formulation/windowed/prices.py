"""The search for good prices, and the bounds that come of it (MODEL.md §7.7).

Any prices give a bound; floats only choose them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

from formulation.windowed.priced import Plan, Prices, affordable, plans
from formulation.windowed.segments import segment_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.problem import Mode, Problem
    from formulation.windowed.segments import Segment

SHARES = 10**6
"""Prices of time are shares of this, or of as much less as costs need to fit."""


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


def _scaled(p: Problem, weights: list[float], time: int, energy: int) -> Prices | None:
    """Return prices of time in these proportions that are affordable.

    They sum up to `share`·(time·quantum + energy·static power), and energy has
    `share`·energy a unit, so that their bound is one of `share`·quantum times the
    objective.
    """
    count, share = len(p.chiplets), SHARES
    tick = time * p.energy_den + energy * p.static_energy
    while share > 0:
        whole = [int(share * x / sum(weights)) for x in weights]
        whole[0] += share - sum(whole)
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
            for s in window:
                cost = segment_cost(p, s, [_mode(p, s, t, prices) for t in s.tasks])
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
    weights = [1.0] * (len(p.chiplets) * (len(p.models) + 1))
    for k in range(rounds):
        check()
        prices = _scaled(p, weights, time, energy)
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
    """Return the share that `_scaled` took."""
    tick = time * p.energy_den + energy * p.static_energy
    return prices.total // tick if tick else prices.energy // energy

"""Ways to cut by their energy: bounds of whole sets of them at once.

MODEL.md §4.9. Two models meet only on a chiplet's L2, so the best way of one model
beside a way of the other one, or beside a set of them, is a shortest path over
(chiplets used, layers done).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations
from math import comb, factorial
from typing import TYPE_CHECKING

import numpy as np

from formulation.pipelined.bounds import lower
from formulation.pipelined.energy_sums import FAR, Sums, prices, sums
from formulation.pipelined.symmetry import smallest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from formulation.pipelined.energy_sums import Array
    from formulation.problem import Problem, ProblemModel
    from formulation.symmetry import Permutation

    Array32 = NDArray[np.int32]

MOST_ENERGY = 2**51  # energy units of a problem that is looked at
MOST_LAYERS = 256  # of a model: so many times FAR still fit 64 bits
MOST_WAYS = 1_500_000  # of one model
FAR32 = 2**28  # units: stands for "not possible"; two of them still fit 32 bits
Interval = tuple[int, int, int]  # chiplet, first layer, layer after the last


@dataclass(frozen=True, slots=True)
class Others:
    """Ways of the model that is enumerated: intervals and their sums by chiplet.

    Parameters
    ----------
    first, stop
        Interval of way and chiplet; 0, 0 if it has none.
    least
        Energy units by way.
    parts
        [way, 4·chiplets]: weight, peak, −refund, ticks: less of each costs less.
    """

    first: Array
    stop: Array
    least: Array
    parts: Array


@lru_cache(maxsize=2)
def _others(
    p: Problem,
    model: ProblemModel | None,
    per_tick: int,
    group: tuple[Permutation, ...],
) -> Others:
    """Return all ways of a model up to symmetry; without a model one, of nothing."""
    n = len(p.chiplets)
    if model is None:
        none, zero = np.zeros((1, n), dtype=np.int64), np.zeros(1, dtype=np.int64)
        return Others(none, none, zero, np.zeros((1, 4 * n), dtype=np.int64))
    of = sums(p, model, per_tick)
    size, found = model.last - model.first + 1, []
    for used in range(1, n + 1):
        inner = list(combinations(range(1, size), used - 1))
        stops = np.array(inner, dtype=np.int64).reshape(len(inner), used - 1)
        first = np.pad(stops, ((0, 0), (1, 0)))
        stop = np.pad(stops, ((0, 0), (0, 1)), constant_values=size)
        for order in filter(lambda x: smallest(x, group), permutations(range(n), used)):
            both = np.zeros((2, len(stops), n), dtype=np.int64)
            both[:, :, list(order)] = first, stop
            found.append(both)
    first, stop = np.concatenate(found, axis=1)
    columns = [
        np.stack([row[c, first[:, c], stop[:, c]] for c in range(n)], axis=1)
        for row in (of.least, of.weight, of.peak, -of.refund, of.ticks)
    ]
    least = columns[0].sum(axis=1)
    able = np.flatnonzero(least < FAR)
    return Others(first[able], stop[able], least[able], np.hstack(columns[1:])[able])


@dataclass(frozen=True, slots=True)
class Ways:
    """A set of ways: rows of `Others`, and where the larger model may be cut."""

    rows: Array
    at: Array


@dataclass(frozen=True, slots=True)
class EnergyCutter:
    """The relaxation of one problem.

    Parameters
    ----------
    model, sums
        The larger model, whose ways are paths, and its numbers.
    other, others
        The smaller model, if there are two, its numbers and all its ways.
    most_ticks
        No chiplet may be busy longer; `None`: no limit.
    per_tick
        Energy units for every tick of every chiplet: λ. What is bounded is energy +
        λ·chiplets·T.
    fixed
        Energy units of every schedule on top.
    unit
        Energy units that costs of intervals are counted in, rounded down: so paths
        take 32 bits, a third of the time.
    rows
        [number, chiplet, from · (layers + 1) + to]: the five `sums`.
    """

    p: Problem
    model: ProblemModel
    sums: Sums
    other: tuple[ProblemModel, Sums] | None
    others: Others
    most_ticks: int | None
    per_tick: int
    fixed: int
    unit: int
    rows: Array

    def bound(self, ways: Array) -> int | None:
        """Return a bound on all with one of these ways of the other model.

        `None`: there is no such way.
        """
        found = self.narrowed(Ways(ways, self.every().at), FAR)
        return None if found is None else found[0]

    def every(self) -> Ways:
        """Return all ways."""
        rows = np.arange(self.others.least.size)
        return Ways(rows, np.arange(self.sums.least.shape[1]))

    def narrowed(self, some: Ways, most: int) -> tuple[int, Ways] | None:
        """Return a bound on a set of ways, and those with a value ≤ `most` of them.

        Not all others are left out: only where no way of such a value cuts the
        larger model. `None`: there is none.
        """
        ways, at = some.rows, some.at
        n = len(self.p.chiplets)
        parts, least = self.others.parts[ways], self.others.least[ways]
        low, high = parts.min(axis=0), parts[:, :n].max(axis=0)
        price = int(prices(self.p).min())
        costs, none = self._costs(low, high, price, at)
        table = _paths(costs)
        rest = int((least + price * parts[:, :n].sum(axis=1)).min()) - price * n
        rest += self.fixed + none
        value = int(table[:, -1].min())
        if value >= FAR32 or rest + value * self.unit > most:
            return None
        back = _paths(costs[:, ::-1, ::-1].swapaxes(1, 2))[:, ::-1]
        for c in range(n):
            with_c = np.flatnonzero(np.arange(2**n) >> c & 1)
            back[with_c] = np.minimum(back[with_c], back[with_c ^ (1 << c)])
        through = (table + back[::-1]).min(axis=0)
        kept = at[through <= (most - rest) // self.unit]
        return rest + value * self.unit, Ways(ways, kept)

    def halves(self, some: Ways) -> list[Ways]:
        """Return two halves of a set, split where its numbers differ most in energy.

        Where all of them are alike: the set.
        """
        n, rows = len(self.p.chiplets), some.rows
        price = prices(self.p).tolist()
        per_tick = 0
        if self.most_ticks is not None:
            most = int(self.others.least.max())
            per_tick = max(1, most // max(1, self.most_ticks))
        worth = np.array([*price, *price, *[1] * n, *[per_tick] * n])
        least, parts = self.others.least[rows], self.others.parts[rows] * worth
        apart = parts.max(axis=0) - parts.min(axis=0)
        widest, width = least, int(least.max() - least.min())
        if int(apart.max()) > width:
            widest, width = parts[:, int(apart.argmax())], int(apart.max())
        if not width:
            return [some]
        low = widest <= int(widest.min()) + width // 2
        return [Ways(rows[low], some.at), Ways(rows[~low], some.at)]

    def _costs(
        self, parts: Array, most: Array, worth: int, at: Array
    ) -> tuple[Array32, int]:
        """Return what intervals of the larger model cost beside parts of the other.

        [chiplet, from, to], counted in `at` and in units of `unit`, more than none
        does, rounded down; and what it costs if no chiplet has one. The other
        model's weights are between `parts` and `most`, each byte worth some energy,
        and as many of them as is best.
        """
        n, size = len(self.p.chiplets), self.sums.least.shape[1]
        first, stop = np.triu_indices(at.size, 1)
        pairs = np.concatenate([[0], at[first] * size + at[stop]])
        own, own_weight, own_peak, own_refund, own_ticks = self.rows[:, :, pairs]
        weight, peak, back, ticks = parts.reshape(4, n, 1)
        l2 = np.array([[c.l2_bytes] for c in self.p.chiplets])
        over = own_weight + np.maximum(own_peak, peak) - l2
        price = prices(self.p).reshape(n, 1)
        back = back - own_refund
        taken = back // np.maximum(price, 1) - over
        taken = np.minimum(np.maximum(taken, weight), most.reshape(n, 1))
        energy: Array = own + np.maximum(back, price * (over + taken)) - worth * taken
        none = energy[:, :1]
        units = np.minimum((energy - none) // self.unit, FAR32)
        if self.most_ticks is not None:
            units[own_ticks + ticks > self.most_ticks] = FAR32
        costs = np.full((n, at.size, at.size), FAR32, dtype=np.int32)
        if int(units[:, 0].max()) < FAR32:
            costs[:, first, stop] = units[:, 1:]
        return costs, int(none.sum())

    def chiplets(self, way: int, most: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield all whole ways of value ≤ `most` with one way of the other model.

        As (value, chiplet of every layer); the first one is a best one.
        """
        parts = self.others.parts[way]
        at = np.arange(self.sums.least.shape[1])
        costs, none = self._costs(parts, parts[: len(self.p.chiplets)], 0, at)
        table = _paths(costs)
        fixed = self.fixed + int(self.others.least[way]) + none
        units = min((most - fixed) // self.unit, FAR32 - 1)
        for used in np.argsort(table[:, -1], kind="stable").tolist():
            todo: list[tuple[int, int, int, tuple[Interval, ...]]]
            todo = [(used, table.shape[1] - 1, 0, ())]
            while todo:
                left, end, spent, path = todo.pop()
                if not left:
                    if not end:
                        yield fixed + spent * self.unit, self._spread(way, path)
                    continue
                steps = []
                for c in range(costs.shape[0]):
                    if left >> c & 1:
                        rest, own = left ^ (1 << c), costs[c, :end, end]
                        value = spent + own + table[rest, :end]
                        for a in np.flatnonzero(value <= units).tolist():
                            more = (rest, a, spent + int(own[a]), ((c, a, end), *path))
                            steps.append((int(value[a]), more))
                steps.sort(reverse=True)
                todo += [step for _, step in steps]

    def _spread(self, way: int, path: tuple[Interval, ...]) -> tuple[int, ...]:
        """Return a chiplet for every layer."""
        chiplet = [0] * len(self.p.tasks)
        for c, a, b in path:
            for t in self.model.tasks[a:b]:
                chiplet[t] = c
        if self.other is not None:
            rows = zip(self.others.first[way], self.others.stop[way], strict=True)
            for c, (a, b) in enumerate(rows):
                for t in self.other[0].tasks[int(a) : int(b)]:
                    chiplet[t] = c
        return tuple(chiplet)


@lru_cache(maxsize=4)
def _steps(n: int) -> list[tuple[Array, Array, Array]]:
    """Return sets of so many chiplets by size: sets, last chiplets, sets before."""
    found = []
    for size in range(1, n + 1):
        some = [x for x in range(2**n) if x.bit_count() == size]
        last = np.array([[c for c in range(n) if x >> c & 1] for x in some])
        sets = np.array(some)
        found.append((sets, last, sets[:, None] ^ (1 << last)))
    return found


def _paths(costs: Array32) -> Array32:
    """Return the least cost [set of chiplets used, layers done], at most `FAR32`.

    Costs are [chiplet, from, to].
    """
    table = np.full((2 ** len(costs), costs.shape[1]), FAR32, dtype=np.int32)
    table[0, 0] = 0
    for sets, last, before in _steps(len(costs)):
        steps = costs[last] + table[before][..., None]
        table[sets] = np.minimum(steps.min(axis=(1, 2)), FAR32)
    return table


def energy_cutter(
    p: Problem,
    without: frozenset[str],
    most_ticks: int | None,
    per_tick: int = 0,
    group: tuple[Permutation, ...] = (),
) -> EnergyCutter | None:
    """Return the relaxation of a problem whose periods are at most `most_ticks`.

    It bounds energy + `per_tick`·chiplets·T, in energy units.

    `None` where it does not apply: more than two models, more ways or layers than
    are worth looking at, energies beyond 2^51 units.
    """
    n = len(p.chiplets)
    models = sorted(p.models, key=lambda m: m.first - m.last)
    sizes = [m.last - m.first + 1 for m in models]
    if len(models) > 2 or sizes[0] > MOST_LAYERS or n > 6:
        return None
    if len(models) == 2 and comb(sizes[1] + n - 1, n - 1) * factorial(n) > MOST_WAYS:
        return None
    caps = [most_ticks, p.period_cap_ticks, *(m.latency_cap_ticks for m in p.models)]
    tightest = min((cap for cap in caps if cap is not None), default=None)
    found = [sums(p, m, per_tick) for m in models]
    fixed = p.static_energy * lower(p, without)
    worst = fixed + sum(_worst(p, x) for x in found)
    if worst > MOST_ENERGY:
        return None
    other = (models[1], found[1]) if len(models) == 2 else None
    others = _others(p, models[1] if other else None, per_tick, group)
    if not others.least.size:
        return None
    large = found[0]
    five = (large.least, large.weight, large.peak, large.refund, large.ticks)
    return EnergyCutter(
        p=p,
        model=models[0],
        sums=large,
        other=other,
        others=others,
        most_ticks=tightest,
        per_tick=per_tick,
        fixed=fixed,
        unit=max(1, -(-worst * 2 // FAR32)),
        rows=np.stack(five).reshape(5, n, -1),
    )


def _worst(p: Problem, of: Sums) -> int:
    """Return more than any finite sum of a model's numbers can reach."""
    able = of.least[of.least < FAR]
    over = max(int(x) for x in prices(p)) * int(of.weight.max() + of.peak.max())
    return int(np.abs(able).max()) * len(p.chiplets) + over + int(of.refund.max())

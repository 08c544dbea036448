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

    from formulation.pipelined.energy_sums import Array
    from formulation.problem import Problem, ProblemModel
    from formulation.symmetry import Permutation

MOST_ENERGY = 2**51  # energy units of a problem that is looked at
MOST_LAYERS = 256  # of a model: so many times FAR still fit 64 bits
MOST_WAYS = 1_500_000  # of one model
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
    """

    p: Problem
    model: ProblemModel
    sums: Sums
    other: tuple[ProblemModel, Sums] | None
    others: Others
    most_ticks: int | None
    per_tick: int
    fixed: int

    def bound(self, ways: Array) -> int | None:
        """Return a bound on all with one of these ways of the other model.

        `None`: there is no such way.
        """
        n = len(self.p.chiplets)
        parts, least = self.others.parts[ways], self.others.least[ways]
        low, high = parts.min(axis=0), parts[:, :n].max(axis=0)
        price = int(prices(self.p).min())
        value = int(self._paths(low, high, price)[1][:, -1].min())
        rest = int((least + price * parts[:, :n].sum(axis=1)).min()) - price * n
        return None if value >= FAR // 2 else self.fixed + rest + value

    def _paths(self, parts: Array, most: Array, worth: int) -> tuple[Array, Array]:
        """Return energies of the larger model beside parts of the other one.

        [chiplet, from, to], what an interval costs more than none; and the least
        [set of chiplets, layers done], at most `FAR`. The other model's weights are
        between `parts` and `most`, each byte worth some energy, and as many of them
        as is best.
        """
        n, rows = len(self.p.chiplets), self.sums
        weight, peak, back, ticks = parts.reshape(4, n, 1, 1)
        l2 = np.array([c.l2_bytes for c in self.p.chiplets]).reshape(n, 1, 1)
        over = rows.weight + np.maximum(rows.peak, peak) - l2
        price = prices(self.p).reshape(n, 1, 1)
        back = back - rows.refund
        taken = back // np.maximum(price, 1) - over
        taken = np.minimum(np.maximum(taken, weight), most.reshape(n, 1, 1))
        costs: Array = rows.least + np.maximum(back, price * (over + taken))
        costs -= worth * taken
        if self.most_ticks is not None:
            costs[rows.ticks + ticks > self.most_ticks] = FAR
        none = costs[:, 0, 0].copy()
        costs -= none.reshape(n, 1, 1)
        costs[:, *np.tril_indices(costs.shape[1])] = FAR
        table = np.full((2**n, costs.shape[1]), FAR, dtype=np.int64)
        table[0, 0] = min(FAR, int(none.sum()))
        for used in range(1, 2**n):
            for c in range(n):
                if used >> c & 1:
                    before = table[used ^ (1 << c)]
                    steps = (costs[c] + before[:, None]).min(axis=0)
                    np.minimum(table[used], steps, out=table[used])
        return costs, table

    def chiplets(self, way: int, most: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield all whole ways of value ≤ `most` with one way of the other model.

        As (value, chiplet of every layer); the first one is a best one.
        """
        parts = self.others.parts[way]
        costs, table = self._paths(parts, parts[: len(self.p.chiplets)], 0)
        fixed = self.fixed + int(self.others.least[way])
        for used in np.argsort(table[:, -1], kind="stable").tolist():
            todo: list[tuple[int, int, int, tuple[Interval, ...]]]
            todo = [(used, table.shape[1] - 1, fixed, ())]
            while todo:
                left, end, spent, path = todo.pop()
                if not left:
                    if not end:
                        yield spent + int(table[0, 0]), self._spread(way, path)
                    continue
                steps = []
                for c in range(costs.shape[0]):
                    if left >> c & 1:
                        rest, own = left ^ (1 << c), costs[c, :end, end]
                        value = spent + own + table[rest, :end]
                        for a in np.flatnonzero(value <= most).tolist():
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
    if fixed + sum(_worst(p, x) for x in found) > MOST_ENERGY:
        return None
    other = (models[1], found[1]) if len(models) == 2 else None
    others = _others(p, models[1] if other else None, per_tick, group)
    if not others.least.size:
        return None
    return EnergyCutter(
        p, models[0], found[0], other, others, tightest, per_tick, fixed
    )


def _worst(p: Problem, of: Sums) -> int:
    """Return more than any finite sum of a model's numbers can reach."""
    able = of.least[of.least < FAR]
    over = max(int(x) for x in prices(p)) * int(of.weight.max() + of.peak.max())
    return int(np.abs(able).max()) * len(p.chiplets) + over + int(of.refund.max())

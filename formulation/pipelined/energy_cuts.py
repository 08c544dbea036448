"""Ways to cut by their energy: bounds of whole sets of them at once.

MODEL.md §4.9. Two models meet only on a chiplet's L2, so the best way of one model
beside a way of the other one, or beside a set of them, is a shortest path over
(chiplets used, layers done).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb, factorial
from typing import TYPE_CHECKING

import numpy as np

from formulation.pipelined.energy_others import others_of, priced
from formulation.pipelined.energy_sums import FAR, Sums, prices, sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from formulation.pipelined.energy_others import Others
    from formulation.pipelined.energy_sums import Array
    from formulation.problem import Problem, ProblemModel
    from formulation.symmetry import Permutation

    Array32 = NDArray[np.int32]

MOST_ENERGY = 2**51  # energy units of a problem that is looked at
MOST_LAYERS = 256  # of a model: so many times FAR still fit 64 bits
MOST_WAYS = 1_500_000  # of one model
MIXED = 512  # ways in a set, up to which each chiplet may pay for time or not
LEVELS, LEVEL = 12, 3  # prices of time that are tried, and the first of them
FAR32 = 2**28  # units: stands for "not possible"; two of them still fit 32 bits
Interval = tuple[int, int, int]  # chiplet, first layer, layer after the last


@dataclass(frozen=True, slots=True)
class Ways:
    """A set of ways, and of periods.

    Parameters
    ----------
    rows
        Of `Others`.
    at
        Layers before which the larger model may be cut, ascending, with its ends.
    least_ticks, most_ticks
        T; `None`: no limit.
    level
        Of the price of time in use; 0: none.
    mixed
        Whether each chiplet takes the better of that price and none; else all pay.
    """

    rows: Array
    at: Array
    least_ticks: int
    most_ticks: int | None
    level: int = 0
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class EnergyCutter:
    """The relaxation of one problem.

    Parameters
    ----------
    model, sums
        The larger model, whose ways are paths, and its numbers.
    other, others
        The smaller model, if there are two, its numbers and all its ways.
    share
        Energy units that a tick of T costs, for each chiplet: what is bounded is the
        energy + share·chiplets·T, less that at the least T of a set.
    first_price
        Energy units a tick, the price of time of level 1; each level has half of the
        one before.
    unit
        Energy units that costs of intervals are counted in, rounded down: so paths
        take 32 bits, a third of the time.
    """

    p: Problem
    model: ProblemModel
    sums: Sums
    other: tuple[ProblemModel, Sums] | None
    others: Others
    group: tuple[Permutation, ...]
    share: int
    first_price: int
    unit: int

    def every(self, least_ticks: int, most_ticks: int | None) -> Ways:
        """Return all ways with such periods."""
        rows = np.arange(self.others.least.size)
        at = np.arange(self.sums.least.shape[1])
        return Ways(rows, at, least_ticks, most_ticks)

    def spared(self, some: Ways, price: int) -> int:
        """Return what a priced cost of a chiplet is above its energy at the most.

        Of its share of what T costs, what is more than at the least T is taken off.
        """
        if not price:
            return 0
        if price <= self.share:
            return price * some.least_ticks
        assert some.most_ticks is not None
        above = some.most_ticks - some.least_ticks
        return price * some.most_ticks - self.share * above

    def price(self, level: int) -> int:
        """Return the price of time of a level, energy units a tick."""
        return self.first_price >> (level - 1) if level else 0

    def narrowed(self, some: Ways, most: int) -> tuple[int, Ways] | None:
        """Return a bound on the energy in a set, and those with ≤ `most` of them.

        Others are left out only by cuts that no such way has. `None`: there is none.
        """
        best: tuple[int, Ways] | None = None
        both = some.level and not some.mixed and some.rows.size <= MIXED
        for mixed in (False, True) if both else (some.mixed,):
            found = self._narrowed(replace(some, mixed=mixed), most)
            if found is None:
                return None
            if best is None or found[0] > best[0]:
                best = found
        return best

    def _narrowed(self, some: Ways, most: int) -> tuple[int, Ways] | None:
        """Do so with one way to price time."""
        rows, n = some.rows, len(self.p.chiplets)
        parts, least = self.others.parts[rows], self.others.least[rows]
        low, high = parts.min(axis=0), parts[:, :n].max(axis=0)
        worth = int(prices(self.p).min())
        rest = self.p.static_energy * some.least_ticks - worth * n
        if some.level and not some.mixed:
            model, price = self.other[0] if self.other else None, self.price(some.level)
            least = least + priced(self.p, model, price, self.group)[rows, -1]
            rest -= n * self.spared(some, price)
        costs, none = self._costs(some, low, high, worth)
        table = _paths(costs)
        rest += int((least + worth * parts[:, :n].sum(axis=1)).min()) + none
        value = int(table[:, -1].min())
        if value >= FAR32 or rest + value * self.unit > most:
            return None
        back = _paths(costs[:, ::-1, ::-1].swapaxes(1, 2))[:, ::-1]
        for c in range(n):
            with_c = np.flatnonzero(np.arange(2**n) >> c & 1)
            back[with_c] = np.minimum(back[with_c], back[with_c ^ (1 << c)])
        through = (table + back[::-1]).min(axis=0)
        kept = some.at[through <= (most - rest) // self.unit]
        return rest + value * self.unit, replace(some, at=kept)

    def best_priced(self, some: Ways, most: int) -> tuple[int, Ways] | None:
        """Return the best of `narrowed` over levels of the price of time.

        From the set's own level on, up and down, as long as it helps.
        """
        best = self.narrowed(some, most)
        if some.most_ticks is None or best is None:
            return best
        start = some.level or LEVEL
        for step in (1, -1):
            level = start if step > 0 else start - 1
            while 1 <= level <= LEVELS:
                found = self.narrowed(replace(some, level=level), most)
                if found is None:
                    return None
                if found[0] <= best[0]:
                    break
                best, level = found, level + step
        return best

    def halves(self, some: Ways, per_tick: int, fine: int) -> list[Ways]:
        """Return two halves of a set, split where its numbers differ most in energy.

        Where all of them are alike: the set. The numbers of a way, or the period, of
        which a tick is worth `per_tick`, where that is worth more than `fine`.
        """
        n, rows = len(self.p.chiplets), some.rows
        price = prices(self.p).tolist()
        busy = self.price(some.level or LEVEL) if some.most_ticks is not None else 0
        worth = np.array([*price, *price, *[1] * n, *[busy] * n])
        least, parts = self.others.least[rows], self.others.parts[rows] * worth
        apart = parts.max(axis=0) - parts.min(axis=0)
        widest, width = least, int(least.max() - least.min())
        if int(apart.max()) > width:
            widest, width = parts[:, int(apart.argmax())], int(apart.max())
        if some.most_ticks is not None and some.most_ticks > some.least_ticks:
            middle = (some.least_ticks + some.most_ticks) // 2
            if per_tick * (some.most_ticks - some.least_ticks) > max(width, fine):
                return [
                    replace(some, most_ticks=middle),
                    replace(some, least_ticks=middle + 1),
                ]
        if not width:
            return [some]
        low = widest <= int(widest.min()) + width // 2
        return [replace(some, rows=rows[low]), replace(some, rows=rows[~low])]

    def _costs(
        self, some: Ways, parts: Array, most: Array, worth: int
    ) -> tuple[Array32, int]:
        """Return what intervals of the larger model cost beside parts of the other.

        [chiplet, from, to], counted in `at` and in units of `unit`, more than none
        does, rounded down; and what it costs if no chiplet has one. The other
        model's weights are between `parts` and `most`, each byte worth some energy,
        and as many of them as is best.
        """
        n, size, at = len(self.p.chiplets), self.sums.least.shape[1], some.at
        first, stop = np.triu_indices(at.size, 1)
        pairs = np.concatenate([[0], at[first] * size + at[stop]])
        weight, peak, back, ticks = parts.reshape(4, n, 1)
        taking = (weight, most.reshape(n, 1), worth)
        own = _at(self.sums, pairs)
        back = back - own[3]
        over = np.maximum(own[2], peak)
        energy = self._energy(own[0], own[1], over, back, taking)
        if some.level:
            price = self.price(some.level)
            model = self.other[0] if self.other else None
            extra = priced(self.p, model, price, self.group)[some.rows].min(axis=0)
            add, peak = extra[: 2 * n].reshape(2, n, 1)
            paid = _at(sums(self.p, self.model, price), pairs)
            over = np.maximum(paid[2], peak)
            more = self._energy(paid[0], own[1], over, back, taking)
            if some.mixed:
                more += add - self.spared(some, price)
            energy = np.maximum(energy, more) if some.mixed else more
        none = energy[:, :1]
        units = np.minimum((energy - none) // self.unit, FAR32 // (2 * n))
        units[own[0] >= FAR] = FAR32
        if some.most_ticks is not None:
            units[own[4] + ticks > some.most_ticks] = FAR32
        costs = np.full((n, at.size, at.size), FAR32, dtype=np.int32)
        if int(units[:, 0].max()) < FAR32:
            costs[:, first, stop] = units[:, 1:]
        return costs, int(none.sum())

    def _energy(
        self,
        least: Array,
        weight: Array,
        peak: Array,
        back: Array,
        taking: tuple[Array, Array, int],
    ) -> Array:
        """Return the least energy of a chiplet, over weights of the other model."""
        price = prices(self.p).reshape(-1, 1)
        fewest, most, worth = taking
        over = weight + peak - np.array([[c.l2_bytes] for c in self.p.chiplets])
        taken = back // np.maximum(price, 1) - over
        taken = np.minimum(np.maximum(taken, fewest), most)
        found: Array = least + np.maximum(back, price * (over + taken)) - worth * taken
        return found

    def chiplets(
        self, some: Ways, way: int, most: int
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield all whole ways of energy ≤ `most` with one way of the other model.

        As (bound, chiplet of every layer); the first one is a best one.
        """
        parts = self.others.parts[way]
        size = self.sums.least.shape[1]
        one = replace(some, rows=np.array([way]), at=np.arange(size))
        one = replace(one, mixed=some.level > 0)
        costs, none = self._costs(one, parts, parts[: len(self.p.chiplets)], 0)
        table = _paths(costs)
        fixed = self.p.static_energy * some.least_ticks + none
        fixed += int(self.others.least[way])
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


def _at(of: Sums, pairs: Array) -> list[Array]:
    """Return numbers of intervals [chiplet, interval], by from · (layers + 1) + to."""
    rows = (of.least, of.weight, of.peak, of.refund, of.ticks)
    return [x.reshape(len(x), -1)[:, pairs] for x in rows]


@lru_cache(maxsize=4)
def _steps(n: int) -> list[tuple[Array, Array, Array]]:
    """Return sets of so many chiplets by size: sets, last chiplets, sets before."""
    found = []
    for size in range(1, n + 1):
        sets = np.array([x for x in range(2**n) if x.bit_count() == size])
        last = np.array([[c for c in range(n) if x >> c & 1] for x in sets.tolist()])
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
    p: Problem, group: tuple[Permutation, ...] = (), per_tick: int = 0
) -> EnergyCutter | None:
    """Return the relaxation of a problem of which a tick costs so much energy.

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
    found = [sums(p, m) for m in models]
    worst = sum(_worst(p, x) for x in found)
    if worst > MOST_ENERGY:
        return None
    other = (models[1], found[1]) if len(models) == 2 else None
    others = others_of(p, models[1] if other else None, group)
    if not others.least.size:
        return None
    # At this price all time on all chiplets is worth as much as all energy.
    ticks = sum(int(x.ticks[:, 0, -1].min()) for x in found)
    least = sum(int(x.least[:, 0, -1].min()) for x in found)
    longest = max(1, *(int(x.ticks.max()) for x in found))
    first = min(least // max(1, ticks), MOST_ENERGY // longest)
    share = min(per_tick // n, MOST_ENERGY // longest // 4)
    return EnergyCutter(
        p=p,
        model=models[0],
        sums=found[0],
        other=other,
        others=others,
        group=group,
        share=share,
        first_price=4 * share or first,
        unit=max(1, -(-worst * 4 // FAR32)),
    )


def _worst(p: Problem, of: Sums) -> int:
    """Return more than any finite sum of a model's numbers can reach."""
    able = of.least[of.least < FAR]
    over = max(int(x) for x in prices(p)) * int(of.weight.max() + of.peak.max())
    return int(np.abs(able).max()) * len(p.chiplets) + over + int(of.refund.max())

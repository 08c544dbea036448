"""Cutting the models into one interval a chiplet: bound and start, by enumeration.

The *cuts relaxation* of ``contiguous`` (MODEL.md §4.4): every chiplet has one interval
of each model; a layer costs a chiplet the least d(l) of any choice that fits its L2;
chiplet loads ≤ T; every interface carries at least the weights that cannot be
resident and the model inputs and outputs of its chiplets. Its optimum is a lower
bound for every ``contiguous`` problem, and its best cuts are a good place to start.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from formulation.choices import fitting
from formulation.pipelined.symmetry import smallest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from formulation.problem import Problem, ProblemModel
    from formulation.symmetry import Permutation

    Array = NDArray[np.int64]

MOST_ORDERS = 24  # of the chiplets: up to four of them
MOST_WAYS = 3_000_000  # cuts looked at together
MOST_LOOKED = 3_000_000  # cuts of two models that are put together for one T
MOST_KEPT = 40_000  # ways that are given to a solver
FAR = 2**40  # stands for "not supported": more than any sum of durations


class TooManyError(Exception):
    """There are more ways than are worth looking at."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to cut: its value in the relaxation and a chiplet for every layer."""

    ticks: int
    chiplet: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """A model's layers summed from the first: [layers + 1, …].

    loads [., chiplets] in ticks; weight and io [.] in bytes; peak [from, to] is the
    largest least working set of the layers between, in bytes; extra [chiplets, from,
    to] the least ticks on top of the loads since not all weights fit L2 together.
    """

    loads: Array
    weight: Array
    io: Array
    peak: Array
    extra: Array

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.loads.shape[0]) - 1

    def least(self) -> Array:
        """Return every layer's least ticks on any chiplet [layers]."""
        ticks: Array = np.diff(self.loads, axis=0).min(axis=1)
        return ticks


def prefix_of(p: Problem, model: ProblemModel) -> Prefix:
    """Return a model's sums."""
    n, size = len(p.chiplets), model.last - model.first + 1
    loads = np.zeros((size + 1, n), dtype=np.int64)
    weight, io = (np.zeros(size + 1, dtype=np.int64) for _ in range(2))
    ws = np.zeros(size, dtype=np.int64)
    for k, t in enumerate(model.tasks):
        some = [fitting(p, t, c) for c in range(n)]
        loads[k + 1] = [min((x.ticks for x in xs), default=FAR) for xs in some]
        weight[k + 1] = p.tasks[t].weight_bytes
        io[k + 1] = sum(
            p.tensors[u].bytes for u in p.tasks[t].inputs if p.always_dram(u)
        )
        io[k + 1] += sum(
            p.tensors[u].bytes for u in p.tasks[t].outputs if p.tensors[u].output
        )
        ws[k] = min((x.ws_bytes for xs in some for x in xs), default=0)
    peak = np.zeros((size + 1, size + 1), dtype=np.int64)
    for k in range(size):
        peak[k, k + 1 :] = np.maximum.accumulate(ws[k:])
    if p.residents_only:
        peak[:] = 0
    return Prefix(
        loads=np.cumsum(loads, axis=0),
        weight=np.cumsum(weight),
        io=np.cumsum(io),
        peak=peak,
        extra=np.stack([_extra(p, model, c, peak) for c in range(n)]),
    )


def _extra(p: Problem, model: ProblemModel, c: int, peak: Array) -> Array:
    """Return [from, to]: least ticks that streaming costs beyond the least d(l).

    A knapsack: a layer whose least d(l) needs its weights resident either takes W_l
    of what L2 leaves beside the largest working set, or costs its extra ticks.
    """
    size, room = peak.shape[0] - 1, p.chiplets[c].l2_bytes
    items: list[tuple[int, int]] = []
    for t in model.tasks:
        some = fitting(p, t, c)
        streamed = min((k.ticks for k in some if not k.resident), default=FAR)
        saved = streamed - min((k.ticks for k in some), default=FAR)
        items.append((p.tasks[t].weight_bytes, max(0, saved)))
    extra = np.zeros((size + 1, size + 1), dtype=np.int64)
    for a in range(size):
        best = {0: 0}  # bytes taken → most ticks saved
        total = 0
        for b in range(a, size):
            weight, saved = items[b]
            if saved:
                total += saved
                best = _packed(best, weight, saved, room)
            fits = room - peak[a, b + 1]
            saves = [ticks for taken, ticks in best.items() if taken <= fits]
            extra[a, b + 1] = total - max(saves, default=0)
    return extra


def _packed(best: dict[int, int], weight: int, saved: int, room: int) -> dict[int, int]:
    """Return the states of a knapsack after one more item, without dominated ones."""
    states = dict(best)
    for taken, ticks in best.items():
        if taken + weight <= room:
            more = ticks + saved
            states[taken + weight] = max(states.get(taken + weight, 0), more)
    kept: dict[int, int] = {}
    most = -1
    for taken in sorted(states):
        if states[taken] > most:
            most = kept[taken] = states[taken]
    return kept


@dataclass(frozen=True, slots=True)
class _Ways:
    """Cuts of a model: order of the chiplets, where the k-th one stops [n, ways]."""

    order: tuple[int, ...]
    stops: Array

    def starts(self) -> Array:
        """Return where the k-th chiplet begins [n, ways]."""
        first = np.zeros((1, self.stops.shape[1]), dtype=np.int64)
        return np.vstack([first, self.stops[:-1]])

    def per_chiplet(self, of: Prefix) -> tuple[Array, ...]:
        """Return loads, weights, io and peak [chiplets, ways] of the intervals."""
        starts = self.starts()
        loads, weight, io, peak = np.zeros((4, *self.stops.shape), dtype=np.int64)
        for k, c in enumerate(self.order):
            a, b = starts[k], self.stops[k]
            loads[c] = of.loads[b, c] - of.loads[a, c] + of.extra[c, a, b]
            weight[c] = of.weight[b] - of.weight[a]
            io[c] = of.io[b] - of.io[a]
            peak[c] = of.peak[a, b]
        return loads, weight, io, peak


def _orders(prefix: Sequence[Prefix]) -> Iterator[tuple[int, ...]]:
    """Return the orders of the chiplets."""
    return permutations(range(prefix[0].loads.shape[1]))


def _fitted(of: Prefix, order: tuple[int, ...], room: Array) -> tuple[Array, Array]:
    """Return (column of `room`, stops [n, ways]): all cuts within `room` [n, columns].

    A chiplet may stop anywhere between what the chiplets after it cannot take and
    what it can take itself.
    """
    n, columns = room.shape
    need = np.full((n + 1, columns), of.layers, dtype=np.int64)
    for k in reversed(range(n)):
        line = of.loads[:, order[k]]
        need[k] = np.searchsorted(line, line[need[k + 1]] - room[order[k]], "left")
    index = np.flatnonzero(need[0] == 0)
    at = np.zeros(index.size, dtype=np.int64)
    stops = np.zeros((0, index.size), dtype=np.int64)
    for k in range(n):
        line = of.loads[:, order[k]]
        far = np.searchsorted(line, line[at] + room[order[k], index], "right") - 1
        near = np.maximum(need[k + 1, index], at)
        count = np.maximum(far - near + 1, 0)
        if int(count.sum()) > MOST_WAYS:
            raise TooManyError
        again = np.repeat(np.arange(index.size), count)
        step = np.arange(again.size) - np.repeat(np.cumsum(count) - count, count)
        at = near[again] + step
        index = index[again]
        stops = np.vstack([stops[:, again], at])
    return index, stops


def _dram_ticks(p: Problem, weight: Array, io: Array, peak: Array) -> Array:
    """Return the least T of the interfaces [ways], from bytes per chiplet.

    Streamed weights of a chiplet ≥ its weights − (L2 − the largest working set).
    """
    ticks = np.ones(weight.shape[1], dtype=np.int64)
    units: dict[int, Array] = {}
    for c, chiplet in enumerate(p.chiplets):
        streamed = np.maximum(0, weight[c] + peak[c] - chiplet.l2_bytes) + io[c]
        for r, per_byte in chiplet.reads[chiplet.home].loads:
            if p.resources[r].kind == "dram":
                units[r] = units.get(r, 0) + streamed * per_byte
    for r, load in units.items():
        rate = p.resources[r].rate
        ticks = np.maximum(ticks, -(-load * rate.den // rate.num))
    return ticks


@dataclass(frozen=True, slots=True)
class Cutter:
    """The relaxation of one problem: its models, the larger one first, summed.

    Parameters
    ----------
    group
        Symmetries of the problem: of ways that are images of each other one is listed.
    """

    p: Problem
    models: tuple[ProblemModel, ...]
    prefix: tuple[Prefix, ...]
    group: tuple[Permutation, ...]

    def least(self) -> int:
        """Return a T below which there is no way."""
        total = sum(int(x.least().sum()) for x in self.prefix)
        return max(self.p.floor_ticks, -(-total // len(self.p.chiplets)))

    def ways(self, ticks: int) -> list[Way] | None:
        """Return all ways of value ≤ `ticks`, best first; `None`: too many.

        For every order of the chiplets that no symmetry makes smaller, all cuts of
        the larger model that fit are enumerated; then, for each of them and every
        order, all cuts of the other model that fit what is left.
        """
        found: dict[tuple[int, ...], int] = {}
        looked = 0
        whole = np.full((len(self.p.chiplets), 1), ticks, dtype=np.int64)
        try:
            for order in _orders(self.prefix):
                if not smallest(order, self.group):
                    continue
                first = _Ways(order, _fitted(self.prefix[0], order, whole)[1])
                for value, pair in self._pairs(first, ticks):
                    for k in np.flatnonzero(value <= ticks):
                        found[self._spread(pair, int(k))] = int(value[k])
                    looked += value.size
                    if len(found) > MOST_KEPT or looked > MOST_LOOKED:
                        return None
        except TooManyError:
            return None
        return sorted((Way(v, c) for c, v in found.items()), key=lambda w: w.ticks)

    def way(self, chiplet: tuple[int, ...]) -> Way:
        """Return the way of given chiplets, an interval of each model on each."""
        n, pair = len(self.p.chiplets), []
        for model in self.models:
            mine = chiplet[model.first : model.last + 1]
            order = tuple(dict.fromkeys((*mine, *range(n))))
            stops = np.cumsum([mine.count(c) for c in order], dtype=np.int64)
            pair.append(_Ways(order, stops[:, np.newaxis]))
        sums = [w.per_chiplet(x) for w, x in zip(pair, self.prefix, strict=True)]
        loads, weight, io = (sum(parts) for parts in list(zip(*sums, strict=True))[:3])
        peak = np.maximum.reduce([parts[3] for parts in sums])
        return Way(int(self._values((loads, weight, io, peak))[0]), chiplet)

    def _pairs(self, first: _Ways, ticks: int) -> Iterator[tuple[Array, list[_Ways]]]:
        """Yield values of ways that share the orders of the chiplets."""
        mine = first.per_chiplet(self.prefix[0])
        within = np.flatnonzero(mine[0].max(axis=0) <= ticks)
        first = _Ways(first.order, first.stops[:, within])
        mine = tuple(sums[:, within] for sums in mine)
        if len(self.prefix) == 1:
            yield self._values(mine), [first]
            return
        for order in _orders(self.prefix):
            index, stops = _fitted(self.prefix[1], order, ticks - mine[0])
            if not index.size:
                continue
            second = _Ways(order, stops)
            other = second.per_chiplet(self.prefix[1])
            both = [a[:, index] + b for a, b in zip(mine[:3], other[:3], strict=True)]
            both.append(np.maximum(mine[3][:, index], other[3]))
            pair = [_Ways(first.order, first.stops[:, index]), second]
            yield self._values(both), pair

    def _values(self, sums: Sequence[Array]) -> Array:
        busy: Array = sums[0].max(axis=0)
        return np.maximum(busy, _dram_ticks(self.p, *sums[1:]))

    def _spread(self, ways: list[_Ways], k: int) -> tuple[int, ...]:
        """Return a chiplet for every layer."""
        chiplet = [0] * len(self.p.tasks)
        for model, way in zip(self.models, ways, strict=True):
            begin = 0
            for c, end in zip(way.order, way.stops[:, k].tolist(), strict=True):
                for t in range(model.first + begin, model.first + end):
                    chiplet[t] = c
                begin = end
        return tuple(chiplet)


def cutter(p: Problem, group: tuple[Permutation, ...] = ()) -> Cutter | None:
    """Return the relaxation of a problem; `group`: symmetries to break.

    `None` where it does not apply: more than two models or four chiplets, or a layer
    that fits nowhere.
    """
    if len(p.models) > 2 or factorial(len(p.chiplets)) > MOST_ORDERS:
        return None
    models = tuple(sorted(p.models, key=lambda m: m.first - m.last))
    found = Cutter(p, models, tuple(prefix_of(p, m) for m in models), group)
    nowhere = any(x.least().max() >= FAR for x in found.prefix)
    return None if nowhere else found

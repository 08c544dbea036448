"""Priced time: bounds that take the models of a windowed problem apart (MODEL.md §7.7).

All costs are whole numbers; `numpy` is used for its speed on them, not for fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from formulation.problem import remembered
from formulation.windowed.bounds import groupings
from formulation.windowed.dp_ways import neighbours
from formulation.windowed.segments import (
    Segment,
    cut_bytes,
    handover,
    of_group,
    weight_bytes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from formulation.problem import Flow, Mode, Problem

    Whole = NDArray[np.int64]

NEVER = 2**60
"""The cost of what cannot be; steps cost less than half of it, or are not asked for."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a tick: non-negative whole numbers.

    Parameters
    ----------
    model
        θ: per model and chiplet, of the model's time with the segment there as the
        slowest one.
    chiplet
        π: per chiplet, of the time of the segments on it.
    energy
        Of an energy unit.
    """

    model: tuple[tuple[int, ...], ...]
    chiplet: tuple[int, ...]
    energy: int

    @property
    def total(self) -> int:
        """What a tick of the makespan is worth: the sum of all prices of time."""
        return sum(map(sum, self.model)) + sum(self.chiplet)


@dataclass(frozen=True, slots=True)
class Plan:
    """The cheapest way of one model at some prices.

    Parameters
    ----------
    cost
        No schedule has the model cheaper.
    windows
        Its segments, window by window. A chiplet may be in one more than once.
    """

    cost: int
    windows: tuple[tuple[Segment, ...], ...]


@dataclass(frozen=True, slots=True)
class _Bytes:
    """What segments of a model move, of all mini-batches: [end, start] each.

    `written` is by whether the segment is the last one of its window; `cut` by cut.
    """

    inputs: Whole
    written: tuple[Whole, Whole]
    cut: Whole


@remembered
def _bytes(p: Problem, m: int) -> _Bytes:
    """Return what every segment of a model moves, but for weights."""
    model = p.models[m]
    first, count = model.first, len(model.tasks)
    inputs, outputs, spilled = (
        np.zeros((count + 1, count + 1), np.int64) for _ in range(3)
    )
    ends, starts = np.ogrid[: count + 1, : count + 1]
    for tensor in p.tensors:
        if tensor.model != m:
            continue
        readers = [j - first for j in tensor.consumers]
        if tensor.producer is None:
            used = np.zeros_like(inputs, bool)
            for j in readers:
                used |= (starts <= j) & (j < ends)
            inputs += tensor.bytes * used
            continue
        made = tensor.producer - first
        here = (starts <= made) & (made < ends)
        leaves = (made < ends) & (ends <= max(readers, default=-1))
        outputs += tensor.bytes * (here & tensor.output)
        spilled += tensor.bytes * ((here & tensor.output) | leaves)
    cut = np.array([cut_bytes(p, first + b) for b in range(count + 1)], np.int64)
    return _Bytes(inputs, (outputs, spilled), cut)


def _ticks(p: Problem, flow: Flow, amount: Whole, late: int) -> Whole:
    """Return how long bytes take on a way that is `late`; 0 for no bytes."""
    found = np.zeros_like(amount)
    for r, per_byte in flow.loads:
        rate = p.resources[r].bandwidth
        found = np.maximum(found, -(-(amount * (per_byte * rate.den)) // rate.num))
    return np.where(amount > 0, found + late + p.windowing.conflict_ticks, 0)


def _fitting(p: Problem, t: int, c: int) -> list[Mode]:
    """Return the modes of a layer whose working set fits a chiplet."""
    room = p.chiplets[c].l2_bytes
    return [mode for mode in p.tasks[t].modes[c] if mode.ws_bytes <= room]


@dataclass(frozen=True, slots=True)
class Steps:
    """Costs of segments on one chiplet in groups of one size.

    Parameters
    ----------
    segments
        [whether first][whether last][end, start].
    tick
        Price of a tick that every group takes there.
    """

    segments: tuple[tuple[Whole, Whole], tuple[Whole, Whole]]
    tick: int


def _between(of_layers: list[int]) -> Whole:
    """Return sums over the layers of segments: [end, start]; `NEVER` behind the end."""
    total = np.concatenate(([0], np.cumsum(np.array(of_layers, np.int64))))
    return np.where(
        np.tri(len(total), k=-1, dtype=bool), total[:, None] - total[None, :], NEVER
    )


def steps_of(p: Problem, m: int, c: int, group: int, prices: Prices) -> Steps:
    """Return the costs of all segments of a model on a chiplet."""
    chiplet, windowing, moved = p.chiplets[c], p.windowing, _bytes(p, m)
    n = windowing.mini_batches[m]
    groups = n // group
    first_price = sum(prices.model[m]) + prices.chiplet[c]
    next_price = (groups - 1) * (prices.chiplet[c] + prices.model[m][c])
    tick = first_price + next_price
    own, weights, absent = [], [], []
    for t in p.models[m].tasks:
        modes = _fitting(p, t, c)
        absent.append(int(not modes))
        own.append(
            min(
                (
                    tick * of_group(p, m, group, x.latency_ticks)
                    + prices.energy * x.energy
                    for x in modes
                ),
                default=0,
            )
        )
        weights.append(min((weight_bytes(p, t, x, group) for x in modes), default=0))
    layers, carried = _between(own), _between(weights)
    possible = (_between(absent) == 0) & (carried < NEVER)
    carried = np.where(possible, carried, 0)
    reading, writing = chiplet.reads[chiplet.home], chiplet.write
    table = []
    for first in (False, True):
        row = []
        for last in (False, True):
            read = moved.inputs + (moved.cut[None, :] if first else 0)
            read, write = read * group // n, moved.written[last] * group // n
            late = windowing.read_ticks[c]
            begin = _ticks(p, reading, read + carried, late)
            again = _ticks(p, reading, read, late) if windowing.weights_once else begin
            times = 1 if windowing.weights_once else groups
            cost = layers + first_price * begin + next_price * again
            cost += tick * _ticks(p, writing, write, windowing.write_ticks[c])
            energy = reading.energy * (groups * read + times * carried)
            energy += writing.energy * groups * write
            cost += prices.energy * energy
            row.append(np.where(possible, cost, NEVER))
        table.append((row[0], row[1]))
    return Steps((table[0], table[1]), tick)


def _handovers(
    p: Problem, m: int, group: int, steps: list[Steps], prices: Prices
) -> dict[tuple[int, int], Whole]:
    """Return (from, to) → the cost of handing over at every cut."""
    model, found = p.models[m], {}
    cuts = range(model.first, model.last + 2)
    for c in range(len(p.chiplets)):
        for d in neighbours(p, c):
            costs = []
            for cut in cuts:
                over = handover(p, m, group, cut, c, d)
                ticks = steps[c].tick * over.sender_ticks
                ticks += steps[d].tick * over.receiver_ticks
                costs.append(ticks + prices.energy * over.energy)
            found[c, d] = np.array(costs, np.int64)
    return found


class _Walk:
    """The shortest path of one model.

    Its nodes are how many layers are done between two windows, or inside one with the
    size of the groups and the chiplet that is next.
    """

    def __init__(self, p: Problem, m: int, prices: Prices) -> None:
        self.p, self.m = p, m
        self.count = len(p.models[m].tasks)
        self.groups = {}
        for group in groupings(p, m):
            steps = [steps_of(p, m, c, group, prices) for c in range(len(p.chiplets))]
            over = _handovers(p, m, group, steps, prices)
            self.groups[group] = steps, over
        # Between windows: the cost, and (g, chiplet, start, whether first) before it.
        self.done = np.full(self.count + 1, NEVER, np.int64)
        self.done[0] = 0
        self.ended: dict[int, tuple[int, int, int, bool]] = {}
        # Inside: by (g, chiplet that is next); and (chiplet, start, whether first).
        self.inside = {
            (group, d): np.full(self.count + 1, NEVER, np.int64)
            for group in self.groups
            for d in range(len(p.chiplets))
        }
        self.handed: dict[tuple[int, int, int], tuple[int, int, bool]] = {}
        for end in range(1, self.count + 1):
            self._reach(end)

    def _reach(self, end: int) -> None:
        """Find the cheapest ways to have the layers before a cut done."""
        best, how = NEVER, None
        for group, (steps, over) in self.groups.items():
            arrived = []
            for c, step in enumerate(steps):
                inside = self.inside[group, c]
                for last in (True, False):
                    cost, start, first = NEVER, 0, False
                    for whether, come in ((True, self.done), (False, inside)):
                        sums = come[:end] + step.segments[whether][last][end, :end]
                        k = int(np.argmin(sums))
                        if sums[k] < cost:
                            cost, start, first = int(sums[k]), k, whether
                    if not last:
                        arrived.append((cost, start, first))
                    elif cost < best:
                        best, how = cost, (group, c, start, first)
            if end < self.count:
                self._hand_over(end, group, over, arrived)
        self.done[end] = best
        if how is not None:
            self.ended[end] = how

    def _hand_over(
        self,
        end: int,
        group: int,
        over: dict[tuple[int, int], Whole],
        arrived: list[tuple[int, int, bool]],
    ) -> None:
        """Go on from segments that end at a cut to their neighbours."""
        for (c, d), costs in over.items():
            cost, start, first = arrived[c]
            cost += int(costs[end])
            if cost < self.inside[group, d][end]:
                self.inside[group, d][end] = cost
                self.handed[group, d, end] = (c, start, first)

    def plan(self) -> Plan | None:
        """Return the whole way; `None` if there is none."""
        cost = int(self.done[self.count])
        if cost >= NEVER:
            return None
        windows: list[tuple[Segment, ...]] = []
        end = self.count
        while end > 0:
            group, c, start, first = self.ended[end]
            places = [(c, start, end)]
            while not first:
                end, after = start, c
                c, start, first = self.handed[group, after, end]
                places.append((c, start, end))
            windows.append(self._segments(places[::-1], group))
            end = start
        return Plan(cost, tuple(windows[::-1]))

    def _segments(
        self, places: list[tuple[int, int, int]], group: int
    ) -> tuple[Segment, ...]:
        first = self.p.models[self.m].first
        begin, end = places[0][1], places[-1][2]
        return tuple(
            Segment(self.m, c, first + a, first + b, a == begin, b == end, group)
            for c, a, b in places
        )


def affordable(p: Problem, prices: Prices) -> bool:
    """Whether every step costs surely less than `NEVER`/2, all on the way to it too.

    In a segment a group moves no more than every tensor three times (in, out, handed
    over at both ends) and all weights. Sums along a path that reach `NEVER` count as
    that: then there is no plan.
    """
    for m, model in enumerate(p.models):
        n, count = p.windowing.mini_batches[m], len(model.tasks)
        modes = [[x for some in p.tasks[t].modes for x in some] for t in model.tasks]
        amount = 3 * sum(x.bytes for x in p.tensors if x.model == m)
        for t, some in zip(model.tasks, modes, strict=True):
            most = max((x.weight_bytes for x in some), default=0)
            amount += max(most, p.tasks[t].weight_bytes)
        units = (
            p.load_unit
            * amount
            * max(
                (
                    units
                    for c in p.chiplets
                    for x in (*c.reads, c.write)
                    for _, units in x.loads
                ),
                default=1,
            )
        )
        if any(units * x.bandwidth.den >= 2**62 for x in p.resources):
            return False
        slowest = max((x.bandwidth.ticks(units) for x in p.resources), default=0)
        late = max(map(max, (*p.route_ticks, p.windowing.read_ticks)))
        late = max(late, *p.windowing.write_ticks) + p.windowing.conflict_ticks
        ticks = sum(max((x.latency_ticks for x in some), default=0) for some in modes)
        ticks += 4 * n * (count * late + slowest)
        a_byte = max(x.energy for c in p.chiplets for x in (*c.reads, c.write))
        a_byte += sum(x.energy for x in p.links)
        energy = sum(max((x.energy for x in some), default=0) for some in modes)
        energy += n * amount * a_byte
        if 2 * prices.total * ticks + prices.energy * energy >= NEVER // 2:
            return False
    return True


@remembered
def plans(p: Problem, prices: Prices) -> tuple[Plan, ...] | None:
    """Return the cheapest plan of every model; `None` if one has none.

    The sum of their costs is no more than `prices.total` a tick of makespan and
    `prices.energy` an energy unit (static power aside) of any schedule.

    Raises
    ------
    ValueError
        If the prices are not `affordable`.
    """
    if not affordable(p, prices):
        raise ValueError("costs at these prices may not fit 62 bits")
    found = [plan_of(p, m, prices) for m in range(len(p.models))]
    some = tuple(plan for plan in found if plan is not None)
    return some if len(some) == len(found) else None


def plan_of(p: Problem, m: int, prices: Prices) -> Plan | None:
    """Return the cheapest plan of one model at affordable prices, if it has one."""
    return _Walk(p, m, prices).plan()

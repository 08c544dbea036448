"""Models cut into one run of layers a chiplet: expected loads, balanced cuts, paths."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.pipelined.heuristics.search import Search
    from formulation.problem import Problem

FAR = 2**50  # ticks of a layer that a chiplet does not support


@dataclass(frozen=True, slots=True)
class Loads:
    """Expected ticks of every layer on every chiplet, and their sums.

    Parameters
    ----------
    ticks
        Of [layer][chiplet]; `FAR` where it is not supported.
    sums
        Of [model][chiplet][k]: the model's first k layers.
    """

    ticks: tuple[tuple[int, ...], ...]
    sums: tuple[tuple[tuple[int, ...], ...], ...]

    def model_ticks(self, m: int) -> list[int]:
        """Return a model's ticks on every chiplet."""
        return [sums[-1] for sums in self.sums[m]]


def loads_of(search: Search, share: float = 0.9) -> Loads:
    """Return expected loads when `share` of all L2 holds weights.

    The weights that save most ticks a byte are taken to be resident, on whatever
    chiplet; all other layers stream theirs.
    """
    p, tables = search.problem, search.decoder.tables
    streamed, resident = [], []
    saved = []
    for t, task in enumerate(p.tasks):
        rows: tuple[list[int], list[int]] = ([], [])
        for c in range(len(p.chiplets)):
            some = tables.options(t, c)
            for row, kept in zip(rows, (False, True), strict=True):
                able = [o.ticks for o in some if kept or not o.resident]
                row.append(min(able, default=FAR))
        streamed.append(tuple(rows[0]))
        resident.append(tuple(rows[1]))
        gain = max(a - b for a, b in zip(*rows, strict=True))
        if task.weight_bytes and gain:
            saved.append((-gain / task.weight_bytes, t))
    room = share * sum(chiplet.l2_bytes for chiplet in p.chiplets)
    ticks = list(streamed)
    for _, t in sorted(saved):
        if p.tasks[t].weight_bytes <= room:
            room -= p.tasks[t].weight_bytes
            ticks[t] = resident[t]
    return Loads(tuple(ticks), tuple(_sums(p, ticks, m) for m in range(len(p.models))))


def _sums(
    p: Problem, ticks: Sequence[tuple[int, ...]], m: int
) -> tuple[tuple[int, ...], ...]:
    columns = []
    for c in range(len(p.chiplets)):
        total, column = 0, [0]
        for t in p.models[m].tasks:
            total += ticks[t][c]
            column.append(total)
        columns.append(tuple(column))
    return tuple(columns)


def reach(sums: Sequence[int], start: int, room: int) -> int:
    """Return how many layers are done if a chiplet does all it can from `start`."""
    return bisect_right(sums, sums[start] + room) - 1 if room >= 0 else start


def stops_within(
    sums: Sequence[Sequence[int]], order: Sequence[int], taken: Sequence[int], top: int
) -> list[int] | None:
    """Return where each chiplet of an order stops if no load is above `top`.

    Every chiplet goes as far as it can: nothing later gains by its doing less.

    Parameters
    ----------
    sums
        Of one model, by chiplet.
    taken
        Ticks that each chiplet has already.
    """
    at, stops = 0, []
    for c in order:
        at = max(at, reach(sums[c], at, top - taken[c]))
        stops.append(at)
    return stops if at == len(sums[0]) - 1 else None


def balanced(
    sums: Sequence[Sequence[int]], order: Sequence[int], taken: Sequence[int]
) -> tuple[int, list[int]] | None:
    """Return (largest load, stops) of the most even cuts along an order.

    `None` if the order cannot do the model at all.
    """
    low, high = 0, FAR - 1
    best = stops_within(sums, order, taken, high)
    if best is None:
        return None
    while low < high:
        top = (low + high) // 2
        found = stops_within(sums, order, taken, top)
        if found is None:
            low = top + 1
        else:
            best, high = found, top
    return high, best


def spread(order: Sequence[int], stops: Sequence[int]) -> list[int]:
    """Return the chiplet of every layer of a model."""
    chiplet: list[int] = []
    for c, stop in zip(order, stops, strict=True):
        chiplet += [c] * (stop - len(chiplet))
    return chiplet


def layer_by_layer(search: Search, loads: Loads) -> list[int]:
    """Return every layer on the chiplet that is then least busy: cuts nowhere given.

    Groups of `colocate` stay together. For packages where no chiplet does two
    neighbouring layers, and nothing says that layers must be neighbours.
    """
    p = search.problem
    busy = [0] * len(p.chiplets)
    chiplet = [-1] * len(p.tasks)
    group_of = {t: group for group in p.colocate for t in group}
    owner: list[int | None] = [None] * len(p.chiplets)
    for t in range(len(p.tasks)):
        if chiplet[t] >= 0:
            continue
        group = group_of.get(t, (t,))
        models = {p.tasks[x].model for x in group}
        cost = [busy[c] + sum(loads.ticks[x][c] for x in group) for c in
                range(len(p.chiplets))]  # fmt: skip
        free = [c for c in range(len(cost)) if not p.exclusive
                or owner[c] in (None, *models)] or list(range(len(cost)))  # fmt: skip
        best = min(free, key=lambda c: cost[c])
        for x in group:
            chiplet[x] = best
        busy[best] = cost[best]
        owner[best] = p.tasks[t].model
    return chiplet


def neighbours(p: Problem) -> list[list[int]]:
    """Return, per chiplet, the others by the links between them, nearest first."""
    n = range(len(p.chiplets))
    return [sorted((d for d in n if d != c), key=lambda d: (len(p.routes[c][d]), d))
            for c in n]  # fmt: skip


def paths(
    p: Problem, root: int, length: int, free: frozenset[int]
) -> Iterator[tuple[int, ...]]:
    """Yield ways from a chiplet to neighbours that are free, `length` chiplets long.

    A neighbour is a chiplet one link away; where no way of neighbours is left, the
    nearest free chiplet continues it.
    """
    near = neighbours(p)

    def longer(path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(path) == length:
            yield path
            return
        left = [c for c in near[path[-1]] if c in free and c not in path]
        adjacent = [c for c in left if len(p.routes[path[-1]][c]) <= 1]
        for c in adjacent or left[:1]:
            yield from longer((*path, c))

    if root in free and length > 0:
        yield from longer((root,))

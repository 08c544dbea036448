"""All undominated ways to run an interval of one model in a window (MODEL.md §7.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.problem import remembered
from formulation.windowed.bounds import groupings
from formulation.windowed.segments import (
    Amounts,
    Cost,
    Segment,
    fixed_amounts,
    handover,
    kept_bytes,
    layer_amounts,
    need_bytes,
    stay,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from formulation.problem import Problem

    Item = TypeVar("Item")

Placed = tuple[int, int, tuple[int, ...]]
"""A segment of a way: its chiplet, its first layer, the modes of its layers."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run an interval of a model in a window.

    Parameters
    ----------
    chiplets
        Bit set.
    ticks
        time(m, w).
    energy
        Energy units of its segments.
    """

    chiplets: int
    ticks: int
    energy: int
    group: int
    segments: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class _Layers:
    """Some first layers of a segment in their modes."""

    ticks: int
    energy: int
    moved: Amounts
    modes: tuple[int, ...]

    def vector(self) -> tuple[int, ...]:
        x = self.moved
        bytes_moved = x.read_bytes, x.weight_bytes, x.written_bytes
        return (self.ticks, self.energy, *bytes_moved)


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The segments of a path up to a cut."""

    first_ticks: int
    slowest_ticks: int
    energy: int
    segments: tuple[Placed, ...]

    def vector(self) -> tuple[int, ...]:
        return (self.first_ticks, self.slowest_ticks, self.energy)


def undominated(
    items: Iterable[Item], vector: Callable[[Item], tuple[int, ...]]
) -> list[Item]:
    """Return the items whose vector no other one's is at most; of equal ones one."""
    kept: list[tuple[tuple[int, ...], Item]] = []
    for x, item in sorted(((vector(x), x) for x in items), key=lambda pair: pair[0]):
        if not any(_at_most(y, x) for y, _ in kept):
            kept.append((x, item))
    return [item for _, item in kept]


def _at_most(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))


@remembered
def segment_ways(p: Problem, s: Segment) -> tuple[tuple[Cost, tuple[int, ...]], ...]:
    """Return the costs of a segment, hand-overs aside, each with its layers' modes.

    Costs that another one is no worse than are left out.
    """
    room = p.chiplets[s.chiplet].l2_bytes - kept_bytes(p, s)
    found = [_Layers(0, 0, fixed_amounts(p, s), ())]
    for t in s.tasks:
        longer = []
        for k, mode in enumerate(p.tasks[t].modes[s.chiplet]):
            if need_bytes(p, s, t, mode) > room:
                continue
            more = layer_amounts(p, s, t, mode)
            longer += [
                _Layers(
                    x.ticks + mode.latency_ticks,
                    x.energy + mode.energy,
                    x.moved.plus(more),
                    (*x.modes, k),
                )
                for x in found
            ]
        found = undominated(longer, _Layers.vector)
    priced = [(stay(p, s, x.ticks, x.energy, x.moved), x.modes) for x in found]
    return tuple(
        undominated(priced, lambda x: (x[0].first_ticks, x[0].next_ticks, x[0].energy))
    )


def _longer(
    p: Problem, s: Segment, ticks: int, energy: int, prefixes: Iterable[_Prefix]
) -> list[_Prefix]:
    """Return all prefixes with a segment behind them.

    Its hand-overs take every group `ticks`, and cost `energy`.
    """
    found = [(x.plus(ticks, energy), modes) for x, modes in segment_ways(p, s)]
    return undominated(
        (
            _Prefix(
                x.first_ticks + own.first_ticks,
                max(x.slowest_ticks, own.next_ticks),
                x.energy + own.energy,
                (*x.segments, (s.chiplet, s.start, modes)),
            )
            for x in prefixes
            for own, modes in found
        ),
        _Prefix.vector,
    )


@remembered
def neighbours(p: Problem, c: int) -> tuple[int, ...]:
    """Return the chiplets that `adjacent` allows after one."""
    others = (d for d in range(len(p.chiplets)) if d != c)
    return tuple(d for d in others if len(p.routes[c][d]) <= 1)


@remembered
def ways(
    p: Problem, m: int, start: int, check: Callable[[], None] = lambda: None
) -> dict[int, tuple[Way, ...]]:
    """Return end → ways to run layers start, …, end − 1 of a model in a window.

    `check` is called now and then; what it raises goes through.
    """
    found: dict[int, list[Way]] = {}
    for group in groupings(p, m):
        for c in range(len(p.chiplets)):
            place = _Place(m, group, c, start, True, 0)
            _walk(p, place, 1 << c, [_Prefix(0, 0, 0, ())], found, check)
    return {end: _distinct(some) for end, some in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path goes on: a segment from `start` on, which receives for so long."""

    model: int
    group: int
    chiplet: int
    start: int
    first: bool
    receiver_ticks: int

    def segment(self, end: int, last: bool) -> Segment:
        return Segment(
            self.model, self.chiplet, self.start, end, self.first, last, self.group
        )


def _walk(
    p: Problem,
    x: _Place,
    used: int,
    prefixes: list[_Prefix],
    found: dict[int, list[Way]],
    check: Callable[[], None],
) -> None:
    """Add every way that begins with the prefixes and goes on from a place."""
    behind = p.models[x.model].last + 1
    groups = p.windowing.mini_batches[x.model] // x.group
    for end in range(x.start + 1, behind + 1):
        check()
        if not p.tasks[end - 1].modes[x.chiplet]:
            return
        for y in _longer(p, x.segment(end, True), x.receiver_ticks, 0, prefixes):
            ticks = y.first_ticks + (groups - 1) * y.slowest_ticks
            way = Way(used, ticks, y.energy, x.group, y.segments)
            found.setdefault(end, []).append(way)
        for d in neighbours(p, x.chiplet) if end < behind else ():
            if used >> d & 1:
                continue
            over = handover(p, x.model, x.group, end, x.chiplet, d)
            ticks = x.receiver_ticks + over.sender_ticks
            longer = _longer(p, x.segment(end, False), ticks, over.energy, prefixes)
            if longer:
                after = _Place(x.model, x.group, d, end, False, over.receiver_ticks)
                _walk(p, after, used | 1 << d, longer, found, check)


def _distinct(found: list[Way]) -> tuple[Way, ...]:
    """Leave out ways that a way on some of their chiplets is no worse than."""
    kept: list[Way] = []
    order = sorted(found, key=lambda x: (x.chiplets.bit_count(), x.ticks, x.energy))
    for x in order:
        if not any(
            y.chiplets & ~x.chiplets == 0
            and y.ticks <= x.ticks
            and y.energy <= x.energy
            for y in kept
        ):
            kept.append(x)
    return tuple(kept)

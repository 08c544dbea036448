"""All undominated ways to run an interval of one model in a window (MODEL.md §7.8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.problem import remembered
from formulation.windowed.bounds import groupings
from formulation.windowed.segments import (
    Amounts,
    Cost,
    Segment,
    cost,
    fixed_amounts,
    kept_bytes,
    layer_amounts,
    need_bytes,
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
    """Return the costs of a segment, each with the modes of its layers.

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
    priced = [(cost(p, s, x.ticks, x.energy, x.moved), x.modes) for x in found]
    return tuple(
        undominated(priced, lambda x: (x[0].first_ticks, x[0].next_ticks, x[0].energy))
    )


def _longer(p: Problem, s: Segment, prefixes: Iterable[_Prefix]) -> list[_Prefix]:
    """Return all prefixes with a segment behind them."""
    return undominated(
        (
            _Prefix(
                x.first_ticks + own.first_ticks,
                max(x.slowest_ticks, own.next_ticks),
                x.energy + own.energy,
                (*x.segments, (s.chiplet, s.start, modes)),
            )
            for x in prefixes
            for own, modes in segment_ways(p, s)
        ),
        _Prefix.vector,
    )


@remembered
def neighbours(p: Problem, c: int) -> tuple[int, ...]:
    """Return the chiplets that `adjacent` allows after one."""
    others = (d for d in range(len(p.chiplets)) if d != c)
    return tuple(d for d in others if len(p.routes[c][d]) <= 1)


@remembered
def ways(p: Problem, m: int, start: int) -> dict[int, tuple[Way, ...]]:
    """Return end → ways to run layers start, …, end − 1 of a model in a window."""
    found: dict[int, list[Way]] = {}
    for group in groupings(p, m):
        for c in range(len(p.chiplets)):
            s = Segment(m, c, start, start, None, None, group)
            _walk(p, s, 1 << c, [_Prefix(0, 0, 0, ())], found)
    return {end: _distinct(some) for end, some in sorted(found.items())}


def _walk(
    p: Problem,
    s: Segment,
    used: int,
    prefixes: list[_Prefix],
    found: dict[int, list[Way]],
) -> None:
    """Add every way that begins with the prefixes and goes on with a segment like s.

    Of `s`, the chiplet, the start, the group and where it comes from hold.
    """
    last = p.models[s.model].last
    for end in range(s.start + 1, last + 2):
        here = replace(s, end=end)
        if not p.tasks[end - 1].modes[s.chiplet]:
            return
        groups = p.windowing.mini_batches[s.model] // s.group
        for x in _longer(p, here, prefixes):
            ticks = x.first_ticks + (groups - 1) * x.slowest_ticks
            way = Way(used, ticks, x.energy, s.group, x.segments)
            found.setdefault(end, []).append(way)
        for d in neighbours(p, s.chiplet) if end <= last else ():
            if not used >> d & 1:
                longer = _longer(p, replace(here, after=d), prefixes)
                after = Segment(s.model, d, end, end, s.chiplet, None, s.group)
                if longer:
                    _walk(p, after, used | 1 << d, longer, found)


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

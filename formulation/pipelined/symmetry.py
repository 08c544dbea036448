"""Of schedules that are equal but for a symmetry, one is enough (MODEL.md §4.11).

Layers are taken in a fixed order, the longest first. A schedule *stands for* its images
if no symmetry makes the list of their chiplets smaller: for every symmetry, the first
layer on a chiplet that it moves is on one that it moves to a larger number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.symmetry import symmetries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem
    from formulation.symmetry import Permutation


@dataclass(frozen=True, slots=True)
class Rung:
    """A layer under one symmetry: chiplets that it moves up, and down."""

    task: int
    up: tuple[int, ...]
    down: tuple[int, ...]


def useful(p: Problem) -> tuple[Permutation, ...]:
    """Return the symmetries of a problem; none where every layer's chiplet is given."""
    if all(len(p.supported(t)) < 2 for t in range(len(p.tasks))):
        return ()
    return symmetries(p)


def order_of(p: Problem) -> list[int]:
    """Return the layers, the longest first."""

    def ticks(t: int) -> int:
        some = (k.latency_ticks for modes in p.tasks[t].modes for k in modes)
        return min(some, default=0)

    return sorted(range(len(p.tasks)), key=lambda t: (-ticks(t), t))


def ladder(p: Problem, to: Permutation) -> list[Rung]:
    """Return the layers in order, up to one that some chiplet must move."""
    rungs = []
    for t in order_of(p):
        some = p.supported(t)
        up = tuple(c for c in some if to[c] > c)
        down = tuple(c for c in some if to[c] < c)
        rungs.append(Rung(t, up, down))
        if len(up) + len(down) == len(some):
            break
    return rungs


def representative(p: Problem, s: Schedule, group: Sequence[Permutation]) -> Schedule:
    """Return an image of a schedule that no symmetry of `group` makes smaller."""
    order, chiplet = order_of(p), s.chiplet
    while True:
        images = [tuple(to[c] for c in chiplet) for to in group]
        least = min([chiplet, *images], key=lambda x: [x[t] for t in order])
        if least == chiplet:
            return replace(s, chiplet=chiplet)
        chiplet = least


def smallest(order: tuple[int, ...], group: Sequence[Permutation]) -> bool:
    """Whether no symmetry makes a list of chiplets smaller."""
    return all(tuple(to[c] for c in order) >= order for to in group)

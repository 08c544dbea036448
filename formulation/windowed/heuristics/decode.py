"""From the chiplet of every layer to a schedule: windows, groups, modes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from formulation.problem import remembered
from formulation.windowed.bounds import groupings
from formulation.windowed.dp_ways import neighbours
from formulation.windowed.schedule import Schedule
from formulation.windowed.segments import (
    Segment,
    kept_bytes,
    need_bytes,
    path_costs,
    read_ticks,
    weight_bytes,
)
from formulation.windowed.semantics import time

if TYPE_CHECKING:
    from formulation.problem import Mode, Problem

Runs = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a heuristic decides.

    Parameters
    ----------
    chiplet
        Per layer.
    window
        Per model: the first window it may be in.
    energy
        Whether modes and groups save energy rather than time.
    """

    chiplet: tuple[int, ...]
    window: tuple[int, ...]
    energy: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """The cheapest groups and modes of a model's segments in a window."""

    ticks: int
    energy: int
    group: int
    modes: tuple[int, ...]


@remembered
def _mode(p: Problem, s: Segment, t: int, energy: bool) -> int | None:
    """Return the cheapest mode of a layer of a segment that fits, if one does."""
    c, groups = s.chiplet, p.windowing.mini_batches[s.model] // s.group
    chiplet = p.chiplets[c]
    room = chiplet.l2_bytes - kept_bytes(p, s)

    def cost(mode: Mode) -> tuple[int, int]:
        weights = weight_bytes(p, t, mode, s.group)
        times = 1 if p.windowing.weights_once else groups
        ticks = mode.latency_ticks + times * read_ticks(p, c, weights)
        units = mode.energy + times * weights * chiplet.reads[chiplet.home].energy
        return (units, ticks) if energy else (ticks, units)

    fits = [
        (cost(mode), k)
        for k, mode in enumerate(p.tasks[t].modes[c])
        if need_bytes(p, s, t, mode) <= room
    ]
    return min(fits)[1] if fits else None


def filled(p: Problem, m: int, runs: Runs, energy: bool) -> Filled | None:
    """Return the cheapest way to run segments of a model in a window, if one fits.

    Parameters
    ----------
    runs
        (chiplet, first layer, layer behind it) of every segment.
    """
    best: Filled | None = None
    for group in groupings(p, m):
        path = [
            Segment(m, c, a, b, k == 0, k == len(runs) - 1, group)
            for k, (c, a, b) in enumerate(runs)
        ]
        chosen = {t: _mode(p, s, t, energy) for s in path for t in s.tasks}
        modes = tuple(k for k in chosen.values() if k is not None)
        if len(modes) < len(chosen):
            continue
        at = {t: p.tasks[t].modes[s.chiplet][chosen[t] or 0]
              for s in path for t in s.tasks}  # fmt: skip
        costs = path_costs(p, path, at.__getitem__)
        ticks = time(costs, p.windowing.mini_batches[m] // group)
        found = Filled(ticks, sum(x.energy for x in costs), group, modes)
        if best is None or _cost(found, energy) < _cost(best, energy):
            best = found
    return best


def _cost(x: Filled, energy: bool) -> tuple[int, int]:
    return (x.energy, x.ticks) if energy else (x.ticks, x.energy)


def runs_of(p: Problem, chiplet: tuple[int, ...], m: int) -> Runs:
    """Return the runs of a model's layers on one chiplet."""
    first, end = p.models[m].first, p.models[m].last + 1
    cuts = [t for t in range(first + 1, end) if chiplet[t] != chiplet[t - 1]]
    return tuple((chiplet[a], a, b) for a, b in pairwise([first, *cuts, end]))


def decoded(p: Problem, plan: Plan) -> Schedule | None:
    """Return a schedule with a plan's chiplets, first fit; `None` if a layer fits none.

    Window after window every model goes on, in their order, as long as its next run's
    chiplet is free and next to the last one.
    """
    count = len(p.tasks)
    mode, window = [0] * count, [0] * count
    left = [list(runs_of(p, plan.chiplet, m)) for m in range(len(p.models))]
    groups: list[list[int | None]] = [[] for _ in p.models]
    w = 0
    while any(left):
        used: set[int] = set()
        for m, runs in enumerate(left):
            taken: list[tuple[int, int, int]] = []
            while runs and plan.window[m] <= w and runs[0][0] not in used:
                if taken and runs[0][0] not in neighbours(p, taken[-1][0]):
                    break
                taken.append(runs.pop(0))
                used.add(taken[-1][0])
            if not taken:
                groups[m].append(None)
                continue
            found = filled(p, m, tuple(taken), plan.energy)
            if found is None:
                return None
            groups[m].append(found.group)
            layers = range(taken[0][1], taken[-1][2])
            for t, k in zip(layers, found.modes, strict=True):
                mode[t], window[t] = k, w
        w += 1
    return _closed_up(Schedule(
        plan.chiplet, tuple(mode), tuple(window), tuple(tuple(x) for x in groups)
    ))  # fmt: skip


def _closed_up(s: Schedule) -> Schedule:
    """Return the schedule without its empty windows."""
    used = sorted(set(s.window))
    return Schedule(
        s.chiplet,
        s.mode,
        tuple(used.index(w) for w in s.window),
        tuple(tuple(x[w] for w in used) for x in s.groups),
    )

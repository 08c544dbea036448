"""Ways to cut the smaller model, all of them, with their numbers (MODEL.md §4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np

from formulation.pipelined.energy_sums import FAR, sums
from formulation.pipelined.symmetry import smallest

if TYPE_CHECKING:
    from formulation.pipelined.energy_sums import Array
    from formulation.problem import Problem, ProblemModel
    from formulation.symmetry import Permutation


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
def others_of(
    p: Problem, model: ProblemModel | None, group: tuple[Permutation, ...]
) -> Others:
    """Return all ways of a model up to symmetry; without a model one, of nothing."""
    n = len(p.chiplets)
    if model is None:
        none, zero = np.zeros((1, n), dtype=np.int64), np.zeros(1, dtype=np.int64)
        return Others(none, none, zero, np.zeros((1, 4 * n), dtype=np.int64))
    of = sums(p, model)
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


@lru_cache(maxsize=6)
def priced(
    p: Problem,
    model: ProblemModel | None,
    per_tick: int,
    group: tuple[Permutation, ...],
) -> Array:
    """Return what a price of time adds to ways.

    [way, 2·chiplets + 1]: to `least` by chiplet, the peak by chiplet, to `least`.
    """
    n, others = len(p.chiplets), others_of(p, model, group)
    if model is None:
        return np.zeros((1, 2 * n + 1), dtype=np.int64)
    plain, priced = sums(p, model), sums(p, model, per_tick)
    columns = [
        row[c, others.first[:, c], others.stop[:, c]]
        for row in (priced.least - plain.least, priced.peak)
        for c in range(n)
    ]
    total = np.sum(columns[:n], axis=0)
    return np.stack([*columns, total], axis=1)

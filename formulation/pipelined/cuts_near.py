"""Ways to cut that are near another one, and one to begin with: no solver, no proof.

Where L2 is tight the relaxation of `cuts` is far below what its best ways are worth,
or it has too many ways to list. A schedule is then looked for from way to way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from formulation.pipelined.cuts import FAR, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.pipelined.cuts import Cutter
    from formulation.problem import ProblemModel

    Runs = list[tuple[int, int]]  # (chiplet, number of layers), empty ones last

STEPS = (1, 2, 4, 8, 16)  # layers that a cut moves


def balanced(by: Cutter) -> list[Way]:
    """Return the one way in which a descent by the relaxation's value ends.

    It begins with equal shares of every model's least ticks, the chiplets in their
    order for the larger model and in the reverse order for the smaller one. None
    if a layer ends where it is not supported.
    """
    n = len(by.p.chiplets)
    chiplet = [0] * len(by.p.tasks)
    orders = (list(range(n)), list(reversed(range(n))))
    for model, prefix, order in zip(by.models, by.prefix, orders, strict=False):
        done = np.cumsum(prefix.least())
        parts = np.searchsorted(np.arange(1, n) * (done[-1] / n), done)
        for t, part in zip(model.tasks, parts.tolist(), strict=True):
            chiplet[t] = order[part]
    way = by.way(tuple(chiplet))
    while (better := nearest(by, way)) and better[0].ticks < way.ticks:
        way = better[0]
    return [] if way.ticks >= FAR else [way]


def nearest(by: Cutter, way: Way) -> list[Way]:
    """Return the ways next to a way, those of least value first.

    One cut of one model moves by some layers, or two chiplets of one model change
    places.
    """
    found = {
        _with(way.chiplet, model, runs)
        for model in by.models
        for runs in _moved(_runs(way.chiplet, model, len(by.p.chiplets)))
    }
    found.discard(way.chiplet)
    return sorted((by.way(x) for x in found), key=lambda w: (w.ticks, w.chiplet))


def _runs(chiplet: Sequence[int], model: ProblemModel, n: int) -> Runs:
    """Return the intervals of a model in its order, chiplets without layers last."""
    mine = [chiplet[t] for t in model.tasks]
    order = list(dict.fromkeys(mine))
    order += [c for c in range(n) if c not in order]
    return [(c, mine.count(c)) for c in order]


def _moved(runs: Runs) -> Iterator[Runs]:
    """Yield runs with one cut moved or two chiplets exchanged."""
    for k in range(len(runs) - 1):
        (c, left), (d, right) = runs[k : k + 2]
        for step in STEPS:
            if step <= left:
                yield [*runs[:k], (c, left - step), (d, right + step), *runs[k + 2 :]]
            if step <= right:
                yield [*runs[:k], (c, left + step), (d, right - step), *runs[k + 2 :]]
    for j in range(len(runs)):
        for k in range(j):
            order = [c for c, _ in runs]
            order[j], order[k] = order[k], order[j]
            yield [(c, size) for c, (_, size) in zip(order, runs, strict=True)]


def _with(chiplet: tuple[int, ...], model: ProblemModel, runs: Runs) -> tuple[int, ...]:
    """Return the chiplets with a model cut anew."""
    mine = tuple(c for c, size in runs for _ in range(size))
    return (*chiplet[: model.first], *mine, *chiplet[model.last + 1 :])

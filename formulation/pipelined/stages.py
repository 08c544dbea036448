"""Stages for a schedule that has everything else (MODEL.md §2, `stage`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from formulation.decisions import PACKAGE
from formulation.structure import edges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem


def _lags(p: Problem, s: Schedule) -> list[tuple[int, int, int]]:
    """Return (producer, consumer, least stage difference) of every edge."""
    found = []
    for u, i, j in edges(p):
        lag = 0
        if s.chiplet[i] != s.chiplet[j]:
            lag = 2 if s.place[u] == PACKAGE and not p.serial else 1
        found.append((i, j, lag))
    return found


def first_stages(edges_of: Sequence[tuple[int, int, int]], size: int) -> list[int]:
    """Return every layer's earliest stage.

    Parameters
    ----------
    edges_of
        (producer, consumer, least stage difference), by ascending consumer.
    size
        Number of layers.
    """
    stage = [0] * size
    for i, j, lag in edges_of:
        least = stage[i] + lag
        if least > stage[j]:
            stage[j] = least
    return stage


def earliest(p: Problem, s: Schedule) -> Schedule:
    """Return the schedule with every layer in its earliest stage."""
    lags = sorted(_lags(p, s), key=lambda x: x[1])
    return replace(s, stage=tuple(first_stages(lags, len(p.tasks))))


def latest(p: Problem, s: Schedule) -> Schedule:
    """Return the schedule with every layer as late as its model's depth allows.

    Layers that wait for a later consumer are made later: fewer copies of a tensor
    whose producer could have waited too.
    """
    first = earliest(p, s).stage
    stage = list(first)
    for model in p.models:
        depth = max(first[t] for t in model.tasks)
        for t in model.tasks:
            stage[t] = depth
    for i, j, lag in sorted(_lags(p, s), key=lambda x: -x[0]):
        stage[i] = min(stage[i], stage[j] - lag)
    return replace(s, stage=tuple(stage))

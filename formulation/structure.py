"""The graph of a problem's tensors: edges, paths, what lies between."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.problem import Problem


def edges(p: Problem) -> list[tuple[int, int, int]]:
    """Return (tensor, producer, consumer) of every edge between layers."""
    return [
        (u, tensor.producer, j)
        for u, tensor in enumerate(p.tensors)
        if tensor.producer is not None
        for j in tensor.consumers
    ]


def neighbours(p: Problem) -> tuple[list[list[int]], list[list[int]]]:
    """Return, per task, the producers it reads from and the consumers it feeds."""
    before: list[list[int]] = [[] for _ in p.tasks]
    after: list[list[int]] = [[] for _ in p.tasks]
    for _, i, j in edges(p):
        if i not in before[j]:
            before[j].append(i)
            after[i].append(j)
    return before, after


def between(p: Problem, chiplet: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (task, chiplet c): the task, not on c, lies on a path between layers of c.

    Tasks are in topological order, so one pass forwards and one backwards give
    the chiplets found among all ancestors and all descendants.
    """
    before, after = neighbours(p)
    n = len(p.tasks)
    above: list[set[int]] = [set() for _ in range(n)]
    below: list[set[int]] = [set() for _ in range(n)]
    for t in range(n):
        for i in before[t]:
            above[t] |= above[i] | {chiplet[i]}
    for t in reversed(range(n)):
        for j in after[t]:
            below[t] |= below[j] | {chiplet[j]}
    for t in range(n):
        for c in sorted((above[t] & below[t]) - {chiplet[t]}):
            yield t, c

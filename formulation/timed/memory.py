"""What lies in the L2 of every chiplet when (`sram` of MODEL.md §6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.decisions import PACKAGE
from formulation.traffic import task_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule, Span

Hold = tuple[int, int, int, int]
"""Chiplet, first tick, tick after the last one, bytes."""


@dataclass(frozen=True, slots=True)
class SramUse:
    """The L2 of one chiplet over time.

    Parameters
    ----------
    curve
        (tick, bytes from then on), ascending; 0 before the first.
    """

    curve: tuple[tuple[int, int], ...]

    @property
    def peak_bytes(self) -> int:
        """The most that it ever holds."""
        return max((held for _, held in self.curve), default=0)

    @property
    def peak_tick(self) -> int:
        """The first tick of `peak_bytes`."""
        peak = self.peak_bytes
        return next((tick for tick, held in self.curve if held == peak), 0)


def sram_use(
    p: Problem, s: Schedule, runs: tuple[tuple[Span, ...], ...], makespan: int
) -> tuple[SramUse, ...]:
    """Return what lies in every chiplet's L2."""
    changes: list[dict[int, int]] = [{} for _ in p.chiplets]
    for c, start, end, amount in _holds(p, s, runs, makespan):
        if start < end and amount:
            changes[c][start] = changes[c].get(start, 0) + amount
            changes[c][end] = changes[c].get(end, 0) - amount
    found = []
    for change in changes:
        held, curve = 0, []
        for tick in sorted(change):
            held += change[tick]
            curve.append((tick, held))
        found.append(SramUse(tuple(curve)))
    return tuple(found)


def _holds(
    p: Problem, s: Schedule, runs: tuple[tuple[Span, ...], ...], makespan: int
) -> Iterator[Hold]:
    """Yield everything that takes room: weights, working sets, package tensors."""
    for t, task in enumerate(p.tasks):
        if s.resident[t]:
            span = s.loads[t]
            start = 0 if span is None else span[0]
            yield s.chiplet[t], start, makespan, task.weight_bytes
        if not p.residents_only:
            for start, end in runs[t]:
                yield s.chiplet[t], start, end, task_mode(p, s, t).ws_bytes
    for u in range(len(p.tensors)) if not p.residents_only else ():
        if s.place[u] == PACKAGE:
            yield from _tensor_holds(p, s, runs, u)


def _tensor_holds(
    p: Problem, s: Schedule, runs: tuple[tuple[Span, ...], ...], u: int
) -> Iterator[Hold]:
    """Yield where a package tensor lies: at its producer, and where it is sent."""
    tensor = p.tensors[u]
    if tensor.producer is None:
        return
    here = s.chiplet[tensor.producer]
    for k, moves in enumerate(s.transfers[u]):
        start, end = runs[tensor.producer][k]
        last = {here: end}
        for j in tensor.consumers:
            d = s.chiplet[j]
            last[d] = max(last.get(d, 0), runs[j][k][1])
        for move in moves:
            last[here] = max(last[here], move.span[1])
            for d in move.to:
                yield d, move.span[0], last[d], tensor.bytes
        yield here, start, last[here], tensor.bytes

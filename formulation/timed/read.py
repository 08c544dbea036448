"""From a solution of an engine to a timed schedule: the times of its decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from formulation.timed.movements import moves, passes, ticks_alone, traffic_of
from formulation.timed.schedule import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule, Span

Var = TypeVar("Var")
Sending = tuple[int, int | None]
"""A tensor and where it goes; `None`: with ``multicast``, everywhere at once."""


def sending(p: Problem, u: int, d: int) -> Sending:
    """Return the transfer that brings a tensor to a chiplet."""
    return (u, None) if p.multicast else (u, d)


class Starts(Protocol[Var]):
    """A model of timed schedules: a variable for the start of everything, by round."""

    @property
    def p(self) -> Problem: ...  # noqa: D102
    @property
    def start(self) -> list[list[Var]]: ...  # noqa: D102
    @property
    def stream(self) -> list[list[Var]]: ...  # noqa: D102
    @property
    def load(self) -> dict[int, Var]: ...  # noqa: D102
    @property
    def send(self) -> dict[Sending, list[Var]]: ...  # noqa: D102


def with_times(
    m: Starts[Var],
    s: Schedule,
    value: Callable[[Var], int],
    span: Callable[[Var, int], Span],
) -> Schedule:
    """Return the decisions of a solution with its times.

    Parameters
    ----------
    s
        Decisions without times.
    value, span
        When something starts; when what takes q ticks alone starts and ends.
    """
    p, traffic = m.p, traffic_of(m.p, s)
    streams = [
        tuple(
            span(x, ticks_alone(p, own.units)) if moves(own) else None
            for x in m.stream[t]
        )
        for t, own in enumerate(traffic.streams)
    ]
    loads = [
        None if own is None else span(m.load[t], ticks_alone(p, own.units))
        for t, own in enumerate(traffic.loads)
    ]
    transfers = []
    for u, tensor in enumerate(p.tensors):
        rows = []
        for k in range(len(p.timing.releases[tensor.model])):
            row = []
            for to, sent in traffic.sends[u]:
                here = s.chiplet[tensor.producer or 0]
                held = passes(p, here, to, sent.units).values()
                ticks = max((until for _, until in held), default=0)
                start = m.send[sending(p, u, to[0])][k]
                row.append(Transfer(to, span(start, ticks)))
            rows.append(tuple(row))
        transfers.append(tuple(rows))
    return replace(
        s,
        runs=tuple(tuple(value(x) for x in starts) for starts in m.start),
        streams=tuple(streams),
        loads=tuple(loads),
        transfers=tuple(transfers),
    )

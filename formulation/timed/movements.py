"""What a timed schedule does when: runs, movements and what they hold (MODEL.md §6.1).

Everything here assumes that `assignment` holds; `semantics` checks that first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.traffic import Stream, batches, load, send, stream, task_mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.decisions import Decisions
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule, Span
    from formulation.timed.schedule import Transfer as Sent
    from formulation.traffic import Transfer


@dataclass(frozen=True, slots=True)
class Movement:
    """A stream, load or transfer.

    Parameters
    ----------
    name
        For people: ``stream of m/l, round 0``.
    model
        The model that it is of.
    span
        From when to when it moves.
    ticks
        q: how long it takes alone.
    units
        Resource → load units that it puts there.
    holds
        (resource, span): what it holds when, under exact contention.
    """

    name: str
    model: int
    span: Span
    ticks: int
    units: dict[int, int]
    holds: tuple[tuple[int, Span], ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is moved, whenever it is: by task and by tensor, in one round.

    Parameters
    ----------
    streams
        Per task: its DRAM traffic in a round.
    loads
        Per task: what brings its weights, once; `None` if nothing does.
    sends
        Per tensor: (destinations, traffic) of every transfer of a round.
    """

    streams: tuple[Stream, ...]
    loads: tuple[Stream | None, ...]
    sends: tuple[tuple[tuple[tuple[int, ...], Transfer], ...], ...]


def moves(own: Stream) -> bool:
    """Whether a stream has bytes: only then a schedule says when."""
    return own.read_bytes + own.write_bytes > 0


def traffic_of(p: Problem, s: Decisions) -> Traffic:
    """Return what a schedule moves."""
    tasks = range(len(p.tasks))
    fetched = p.timing.weights == "fetched"
    sends: list[tuple[tuple[tuple[int, ...], Transfer], ...]] = []
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None:
            sends.append(())
            continue
        here = s.chiplet[tensor.producer]
        sends.append(
            tuple((tuple(to), send(p, u, here, to)) for to in batches(p, s, u))
        )
    return Traffic(
        streams=tuple(stream(p, s, t) for t in tasks),
        loads=tuple(
            load(p, s, t) if fetched and s.resident[t] else None for t in tasks
        ),
        sends=tuple(sends),
    )


def ticks_alone(p: Problem, units: dict[int, int]) -> int:
    """Return q: the least whole ticks in which every resource carries its part."""
    return max((p.resources[r].bandwidth.ticks(n) for r, n in units.items()), default=0)


def _at_once(
    p: Problem, name: str, model: int, span: Span, units: dict[int, int]
) -> Movement:
    """Return a movement that holds all its resources from start to end."""
    holds = tuple((r, span) for r, n in units.items() if n > 0)
    return Movement(name, model, span, ticks_alone(p, units), units, holds)


def way(p: Problem, here: int, there: int) -> list[int]:
    """Return the finite resources of a transfer in the order in which it passes them.

    The port out, the links of the route, the port in.
    """
    links = [p.links[link].resource for link in p.routes[here][there]]
    ports = p.chiplets[here].port_out, p.chiplets[there].port_in
    return [r for r in (ports[0], *links, ports[1]) if r is not None]


def passes(
    p: Problem, here: int, to: Sequence[int], units: dict[int, int]
) -> dict[int, Span]:
    """Return when a transfer holds what it has load on, counted from its start.

    With ``store_and_forward`` one resource of its way after another, else all of them
    all the time. The end of the last one is q.
    """
    if not p.timing.store_and_forward:
        q = ticks_alone(p, units)
        return {r: (0, q) for r, n in units.items() if n > 0}
    holds: dict[int, Span] = {}
    for d in to:
        passed = 0
        for r in way(p, here, d):
            if units[r] > 0:
                until = passed + p.resources[r].bandwidth.ticks(units[r])
                holds[r] = (passed, until)
                passed = until
    return holds


def _sent(
    p: Problem, name: str, model: int, move: Sent, units: dict[int, int], here: int
) -> Movement:
    """Return a transfer."""
    held = passes(p, here, move.to, units)
    start = move.span[0]
    longest = max((until for _, until in held.values()), default=0)
    holds = tuple((r, (start + a, start + b)) for r, (a, b) in held.items())
    if not p.timing.store_and_forward:
        holds = tuple((r, move.span) for r in held)
    return Movement(name, model, move.span, longest, units, holds)


def movements(p: Problem, s: Schedule, traffic: Traffic) -> Iterator[Movement]:
    """Yield every movement of a schedule whose movements are those of `traffic`."""
    for t, spans in enumerate(s.streams):
        for k, span in enumerate(spans):
            if span is not None:
                name = f"stream of {p.full_name(t)}, round {k}"
                units = traffic.streams[t].units
                yield _at_once(p, name, p.tasks[t].model, span, units)
    for t, own in enumerate(traffic.loads):
        span = s.loads[t]
        if own is not None and span is not None:
            name = f"load of {p.full_name(t)}"
            yield _at_once(p, name, p.tasks[t].model, span, own.units)
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None:
            continue
        for k, rows in enumerate(s.transfers[u]):
            for move, (to, sent) in zip(rows, traffic.sends[u], strict=True):
                where = ", ".join(str(d) for d in to)
                name = f"transfer of {p.tensor_name(u)} to {where}, round {k}"
                here = s.chiplet[tensor.producer]
                yield _sent(p, name, tensor.model, move, sent.units, here)


def run_spans(p: Problem, s: Schedule, t: int) -> tuple[Span, ...]:
    """Return the spans of a task's runs: each at least t, and as long as its stream."""
    spans = []
    for start, own in zip(s.runs[t], s.streams[t], strict=True):
        long = 0 if own is None else own[1] - own[0]
        spans.append((start, start + max(task_mode(p, s, t).latency_ticks, long)))
    return tuple(spans)

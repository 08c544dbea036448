"""What a timed schedule does when: runs, movements and what they hold (MODEL.md §6.1).

Everything here assumes that `assignment` holds; `semantics` checks that first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.traffic import Stream, batches, load, send, stream, task_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def _at_once(p: Problem, name: str, span: Span, units: dict[int, int]) -> Movement:
    """Return a movement that holds all its resources from start to end."""
    holds = tuple((r, span) for r, n in units.items() if n > 0)
    return Movement(name, span, ticks_alone(p, units), units, holds)


def _hop_by_hop(
    p: Problem, name: str, move: Sent, units: dict[int, int], here: int
) -> Movement:
    """Return a stored-and-forwarded transfer: one resource of its way after another."""
    longest = 0
    holds: dict[int, Span] = {}
    for d in move.to:
        way = [p.chiplets[here].port_out]
        way += [p.links[link].resource for link in p.routes[here][d]]
        way += [p.chiplets[d].port_in]
        passed = 0
        for r in way:
            if r is not None and units[r] > 0:
                until = passed + p.resources[r].bandwidth.ticks(units[r])
                holds[r] = (move.span[0] + passed, move.span[0] + until)
                passed = until
        longest = max(longest, passed)
    return Movement(name, move.span, longest, units, tuple(holds.items()))


def movements(p: Problem, s: Schedule, traffic: Traffic) -> Iterator[Movement]:
    """Yield every movement of a schedule whose movements are those of `traffic`."""
    for t, spans in enumerate(s.streams):
        for k, span in enumerate(spans):
            if span is not None:
                name = f"stream of {p.full_name(t)}, round {k}"
                yield _at_once(p, name, span, traffic.streams[t].units)
    for t, own in enumerate(traffic.loads):
        span = s.loads[t]
        if own is not None and span is not None:
            yield _at_once(p, f"load of {p.full_name(t)}", span, own.units)
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None:
            continue
        for k, rows in enumerate(s.transfers[u]):
            for move, (to, sent) in zip(rows, traffic.sends[u], strict=True):
                where = ", ".join(str(d) for d in to)
                name = f"transfer of {p.tensor_name(u)} to {where}, round {k}"
                if p.timing.store_and_forward:
                    here = s.chiplet[tensor.producer]
                    yield _hop_by_hop(p, name, move, sent.units, here)
                else:
                    yield _at_once(p, name, move.span, sent.units)


def run_spans(p: Problem, s: Schedule, t: int) -> tuple[Span, ...]:
    """Return the spans of a task's runs: each at least t, and as long as its stream."""
    spans = []
    for start, own in zip(s.runs[t], s.streams[t], strict=True):
        long = 0 if own is None else own[1] - own[0]
        spans.append((start, start + max(task_mode(p, s, t).latency_ticks, long)))
    return tuple(spans)

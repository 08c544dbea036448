"""What only pipelined schedules ask of traffic: durations, serial time, buffers.

Everything here assumes that `assignment` holds; `semantics` checks that first.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.decisions import PACKAGE
from formulation.traffic import destinations, task_mode

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem
    from formulation.traffic import Stream, Transfer


def duration(problem: Problem, s: Schedule, t: int, own: Stream) -> int:
    """Return d(l): compute, or its own DRAM stream where that is longer."""
    streams = (
        problem.resources[r].stream_rate.ticks(units) for r, units in own.units.items()
    )
    return max(task_mode(problem, s, t).latency_ticks, *streams, 0)


def serial_ticks(
    problem: Problem, s: Schedule, transfers: list[Transfer], c: int
) -> Fraction:
    """Return the communication time of a chiplet under ``serial``, not rounded."""
    total = Fraction(0)
    for port in (problem.chiplets[c].port_in, problem.chiplets[c].port_out):
        if port is not None:
            rate = problem.resources[port].rate
            load = sum(move.units.get(port, 0) for move in transfers)
            total += Fraction(load * rate.den, rate.num)
    for u, tensor in enumerate(problem.tensors):
        to = destinations(problem, s, u)
        if tensor.transfer is None or tensor.producer is None or not to:
            continue
        if s.chiplet[tensor.producer] == c:
            total += tensor.transfer[c] * (1 if problem.multicast else len(to))
        elif c in to:
            total += tensor.transfer[c]
    return total


def copies(problem: Problem, s: Schedule, u: int) -> dict[int, int]:
    """Return chiplet → buffers it holds of a tensor; nothing if it is unbuffered."""
    tensor, to = problem.tensors[u], destinations(problem, s, u)
    if tensor.producer is None or s.place[u] != PACKAGE:
        return {}
    here = s.chiplet[tensor.producer]
    last: dict[int, int] = {}
    for j in tensor.consumers:
        ahead = max(0, s.stage[j] - s.stage[tensor.producer])
        last[s.chiplet[j]] = max(last.get(s.chiplet[j], ahead), ahead)
    far = 1 if problem.serial else 0
    held = {d: far + last[d] for d in to}
    if to:
        held[here] = max(1 if problem.serial else 2, 1 + last.get(here, 0))
    elif last[here] > 0:
        held[here] = 1 + last[here]
    return held

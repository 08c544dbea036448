"""What a pipelined schedule moves: streams, durations, transfers, buffers.

The part of MODEL.md §2 that rules and quantities share. Everything here assumes
that `assignment` holds; `semantics` checks that first.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.pipelined.schedule import DRAM, PACKAGE

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Mode, Problem


@dataclass(frozen=True, slots=True)
class Stream:
    """DRAM traffic of one task: load units per resource, and its energy."""

    units: dict[int, int]
    energy: int
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Package traffic of one tensor: load units per resource, and its energy."""

    units: dict[int, int]
    energy: int


def task_mode(problem: Problem, s: Schedule, t: int) -> Mode:
    """Return the mode that a task runs in."""
    return problem.tasks[t].modes[s.chiplet[t]][s.mode[t]]


def is_dram(problem: Problem, s: Schedule, u: int) -> bool:
    """Whether a tensor is dram: by its place, or because it has none."""
    return problem.always_dram(u) or s.place[u] == DRAM


def dram_reads(problem: Problem, s: Schedule, t: int) -> list[tuple[int, int]]:
    """Return (home interface, bytes) of everything that a task reads from DRAM."""
    task, mode = problem.tasks[t], task_mode(problem, s, t)
    here = problem.chiplets[s.chiplet[t]].home
    reads = []
    if task.weight_bytes > 0 and not s.resident[t]:
        reads.append((here, mode.weight_bytes))
    for u, again in zip(task.inputs, mode.ri_bytes, strict=True):
        if is_dram(problem, s, u):
            producer = problem.tensors[u].producer
            home = here
            if problem.private and producer is not None:
                home = problem.chiplets[s.chiplet[producer]].home
            reads.append((home, problem.tensors[u].bytes + again))
    if any(is_dram(problem, s, u) for u in task.outputs):
        reads.append((here, mode.ro_bytes))
    return reads


def dram_writes(problem: Problem, s: Schedule, t: int) -> int:
    """Return the bytes that a task writes to DRAM."""
    outputs = [
        (problem.tensors[u], is_dram(problem, s, u)) for u in problem.tasks[t].outputs
    ]
    total = sum(u.bytes for u, dram in outputs if dram or u.output)
    if any(dram for _, dram in outputs):
        total += task_mode(problem, s, t).ro_bytes
    return total


def stream(problem: Problem, s: Schedule, t: int) -> Stream:
    """Return the DRAM stream of a task."""
    chiplet = problem.chiplets[s.chiplet[t]]
    reads, write = dram_reads(problem, s, t), dram_writes(problem, s, t)
    units: dict[int, int] = {}
    energy = 0
    flows = [(chiplet.reads[home], amount) for home, amount in reads]
    for flow, amount in [*flows, (chiplet.write, write)]:
        energy += flow.energy * amount
        for resource, per_byte in flow.loads:
            units[resource] = units.get(resource, 0) + per_byte * amount
    return Stream(units, energy, sum(b for _, b in reads), write)


def duration(problem: Problem, s: Schedule, t: int, own: Stream) -> int:
    """Return d(l): compute, or its own DRAM stream where that is longer."""
    streams = (
        problem.resources[r].stream_rate.ticks(units) for r, units in own.units.items()
    )
    return max(task_mode(problem, s, t).latency_ticks, *streams, 0)


def destinations(problem: Problem, s: Schedule, u: int) -> list[int]:
    """Return the other chiplets that a package tensor goes to, ascending."""
    tensor = problem.tensors[u]
    if tensor.producer is None or s.place[u] != PACKAGE:
        return []
    here = s.chiplet[tensor.producer]
    return sorted({s.chiplet[j] for j in tensor.consumers} - {here})


def links_crossed(problem: Problem, here: int, to: list[int]) -> list[int]:
    """Return the links that a tensor loads, once for every time it does."""
    crossed = [link for d in to for link in problem.routes[here][d]]
    return sorted(set(crossed)) if problem.multicast else crossed


def transfer(problem: Problem, s: Schedule, u: int) -> Transfer:
    """Return the package traffic of a tensor."""
    tensor, to = problem.tensors[u], destinations(problem, s, u)
    units: dict[int, int] = {}
    energy = 0
    if not to or tensor.producer is None:
        return Transfer(units, energy)
    here = s.chiplet[tensor.producer]

    def put(resource: int | None, times: int) -> None:
        if resource is not None:
            load = problem.load_unit * tensor.bytes * times
            units[resource] = units.get(resource, 0) + load

    for link in links_crossed(problem, here, to):
        put(problem.links[link].resource, 1)
        energy += problem.links[link].energy * tensor.bytes
    put(problem.chiplets[here].port_out, 1 if problem.multicast else len(to))
    for d in to:
        put(problem.chiplets[d].port_in, 1)
    return Transfer(units, energy)


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

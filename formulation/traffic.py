"""What layers read and write in DRAM, what tensors put on the NoP; of every kind.

Everything here assumes that `assignment` holds; the semantics check that first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from formulation.decisions import Decisions
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


def task_mode(problem: Problem, s: Decisions, t: int) -> Mode:
    """Return the mode that a task runs in."""
    return problem.tasks[t].modes[s.chiplet[t]][s.mode[t]]


def is_dram(problem: Problem, s: Decisions, u: int) -> bool:
    """Whether a tensor is dram: by its place, or because it has none."""
    return problem.always_dram(u) or s.place[u] == DRAM


def dram_reads(problem: Problem, s: Decisions, t: int) -> list[tuple[int, int]]:
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


def dram_writes(problem: Problem, s: Decisions, t: int) -> int:
    """Return the bytes that a task writes to DRAM."""
    outputs = [
        (problem.tensors[u], is_dram(problem, s, u)) for u in problem.tasks[t].outputs
    ]
    total = sum(u.bytes for u, dram in outputs if dram or u.output)
    if any(dram for _, dram in outputs):
        total += task_mode(problem, s, t).ro_bytes
    return total


def stream(problem: Problem, s: Decisions, t: int) -> Stream:
    """Return the DRAM stream of a task."""
    return _stream(problem, s, t, dram_reads(problem, s, t), dram_writes(problem, s, t))


def load(problem: Problem, s: Decisions, t: int) -> Stream:
    """Return the DRAM stream that brings the weights of a resident task once."""
    home = problem.chiplets[s.chiplet[t]].home
    return _stream(problem, s, t, [(home, problem.tasks[t].weight_bytes)], 0)


def _stream(
    problem: Problem, s: Decisions, t: int, reads: list[tuple[int, int]], write: int
) -> Stream:
    chiplet = problem.chiplets[s.chiplet[t]]
    units: dict[int, int] = {}
    energy = 0
    flows = [(chiplet.reads[home], amount) for home, amount in reads]
    for flow, amount in [*flows, (chiplet.write, write)]:
        energy += flow.energy * amount
        for resource, per_byte in flow.loads:
            units[resource] = units.get(resource, 0) + per_byte * amount
    return Stream(units, energy, sum(b for _, b in reads), write)


def destinations(problem: Problem, s: Decisions, u: int) -> list[int]:
    """Return the other chiplets that a package tensor goes to, ascending."""
    tensor = problem.tensors[u]
    if tensor.producer is None or s.place[u] != PACKAGE:
        return []
    here = s.chiplet[tensor.producer]
    return sorted({s.chiplet[j] for j in tensor.consumers} - {here})


def batches(problem: Problem, s: Decisions, u: int) -> list[list[int]]:
    """Return what a tensor is sent to together: each destination, or all of them."""
    to = destinations(problem, s, u)
    if problem.multicast:
        return [to] if to else []
    return [[d] for d in to]


def send(problem: Problem, u: int, here: int, to: list[int]) -> Transfer:
    """Return what a tensor puts on the NoP that is sent once, to all of `to`."""
    load = problem.load_unit * problem.tensors[u].bytes
    links = {link for d in to for link in problem.routes[here][d]}
    used = [problem.links[link].resource for link in sorted(links)]
    used += [problem.chiplets[here].port_out]
    used += [problem.chiplets[d].port_in for d in to]
    energy = sum(problem.links[link].energy for link in links)
    return Transfer(
        {resource: load for resource in used if resource is not None},
        energy * problem.tensors[u].bytes,
    )


def transfer(problem: Problem, s: Decisions, u: int) -> Transfer:
    """Return the package traffic of a tensor in a round, to all its destinations."""
    producer = problem.tensors[u].producer
    units: dict[int, int] = {}
    energy = 0
    if producer is None:
        return Transfer(units, energy)
    for to in batches(problem, s, u):
        part = send(problem, u, s.chiplet[producer], to)
        energy += part.energy
        for resource, load in part.units.items():
            units[resource] = units.get(resource, 0) + load
    return Transfer(units, energy)


def energy_parts(
    problem: Problem,
    chiplet_energy: int,
    streams: Iterable[Stream],
    transfers: Iterable[Transfer],
    ticks: int,
) -> dict[str, int]:
    """Return energy units by part: chiplets (given), NoP links, DRAM, static power.

    `ticks` is how long all chiplets draw static power.
    """
    nop = sum(move.energy for move in transfers)
    dram = 0
    for own in streams:
        access = problem.dram_energy * (own.read_bytes + own.write_bytes)
        dram += access
        nop += own.energy - access
    return {
        "chiplet": chiplet_energy,
        "nop": nop,
        "dram": dram,
        "static": problem.static_energy * ticks,
    }

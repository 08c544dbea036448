"""What a layer can be on a chiplet, with everything that does not depend on others.

A *choice* of a layer on a chiplet is a mode and, where it has weights, whether they
are resident. The DRAM bytes of a layer fall into a part fixed by the choice
(streamed weights, model inputs, plain outputs) and *optional* parts that depend on
the place of tensors shared with other layers. All of it is exact; derived from
MODEL.md §2 (DRAM bytes of a layer, `compute`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.problem import remembered

if TYPE_CHECKING:
    from formulation.problem import Flow, Problem


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode of a layer on a chiplet and the residency of its weights.

    Parameters
    ----------
    ticks
        d(l) if no optional part is on DRAM.
    energy
        Energy units: compute and the fixed part of its DRAM stream.
    units
        Resource → load units of the fixed part.
    resident_bytes
        What it takes of L2 for ever.
    """

    mode: int
    resident: bool | None
    ticks: int
    energy: int
    units: tuple[tuple[int, int], ...]
    ws_bytes: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """An optional part of a layer's DRAM stream.

    Parameters
    ----------
    tensor
        It applies if this tensor is dram; `None`: if any placed output is.
    reads
        Whether it is read (else written).
    by_mode
        Bytes for every mode of the layer on the chiplet.
    """

    tensor: int | None
    reads: bool
    by_mode: tuple[int, ...]


def add_flow(units: dict[int, int], flow: Flow, amount: int) -> int:
    """Add the loads of `amount` bytes on a flow; return their energy units."""
    for resource, per_byte in flow.loads:
        units[resource] = units.get(resource, 0) + per_byte * amount
    return flow.energy * amount


def _fixed(p: Problem, t: int, c: int, mode: int, streamed: bool) -> tuple[int, int]:
    """Return the fixed bytes (read, written) of a choice."""
    task = p.tasks[t]
    chosen = task.modes[c][mode]
    read = chosen.weight_bytes if streamed else 0
    for u, again in zip(task.inputs, chosen.ri_bytes, strict=True):
        if p.always_dram(u):
            read += p.tensors[u].bytes + again
    write = sum(p.tensors[u].bytes for u in task.outputs if p.tensors[u].output)
    if any(p.always_dram(u) for u in task.outputs):
        read += chosen.ro_bytes
        write += chosen.ro_bytes
    return read, write


@remembered
def choices(p: Problem, t: int, c: int) -> tuple[Choice, ...]:
    """Return every choice of a layer on a chiplet, in the order of its modes."""
    task, chiplet = p.tasks[t], p.chiplets[c]
    found = []
    for k, mode in enumerate(task.modes[c]):
        for resident in (False, True) if task.weight_bytes else (None,):
            streamed = resident is False
            read, write = _fixed(p, t, c, k, streamed)
            units: dict[int, int] = {}
            energy = add_flow(units, chiplet.reads[chiplet.home], read)
            energy += add_flow(units, chiplet.write, write)
            ticks = [p.resources[r].stream_rate.ticks(n) for r, n in units.items()]
            found.append(
                Choice(
                    mode=k,
                    resident=resident,
                    ticks=max(mode.latency_ticks, *ticks, 0),
                    energy=mode.energy + energy,
                    units=tuple(sorted(units.items())),
                    ws_bytes=mode.ws_bytes,
                    resident_bytes=task.weight_bytes if resident else 0,
                )
            )
    return tuple(found)


@remembered
def fitting(p: Problem, t: int, c: int) -> tuple[Choice, ...]:
    """Return the choices whose own L2 need fits the chiplet.

    Proof. `sram` counts at least the resident weights and the working set of the
    layer itself (with `residents_only` the weights alone).
    """
    l2 = p.chiplets[c].l2_bytes
    return tuple(
        k
        for k in choices(p, t, c)
        if k.resident_bytes + (0 if p.residents_only else k.ws_bytes) <= l2
    )


@remembered
def parts(p: Problem, t: int, c: int) -> tuple[Part, ...]:
    """Return the optional parts of a layer's stream on a chiplet."""
    task = p.tasks[t]
    modes = task.modes[c]
    found = []
    for n, u in enumerate(task.inputs):
        if not p.always_dram(u) and not p.always_package(u):
            size = p.tensors[u].bytes
            found.append(Part(u, True, tuple(size + m.ri_bytes[n] for m in modes)))
    placed = [
        u for u in task.outputs if p.tensors[u].placed and not p.always_package(u)
    ]
    for u in placed:
        if not p.tensors[u].output:
            found.append(Part(u, False, tuple(p.tensors[u].bytes for _ in modes)))
    again = tuple(m.ro_bytes for m in modes)
    if placed and any(again) and not any(p.always_dram(u) for u in task.outputs):
        found += [Part(None, True, again), Part(None, False, again)]
    return tuple(found)


def dominated(p: Problem, t: int, c: int, options: tuple[Choice, ...]) -> set[int]:
    """Return choices that another one replaces without harm to any rule or quantity.

    Proof. Choice b replaces a if it is no worse in latency, energy, fixed loads,
    working set, resident bytes and every refetch amount: all rules and
    quantities of MODEL.md §2 are monotone in these. Of equal ones the first stays.
    """
    modes = p.tasks[t].modes[c]
    used = sorted({r for choice in options for r, _ in choice.units})

    def worth(choice: Choice) -> tuple[int, ...]:
        mode, load = modes[choice.mode], dict(choice.units)
        loads = [load.get(r, 0) for r in used]
        refetch = (*mode.ri_bytes, mode.ro_bytes)
        fixed = (choice.ticks, mode.latency_ticks, choice.energy, choice.ws_bytes)
        return (*fixed, choice.resident_bytes, *refetch, *loads)

    rows = [worth(choice) for choice in options]
    gone: set[int] = set()
    for a, mine in enumerate(rows):
        for b, other in enumerate(rows):
            better = all(y <= x for x, y in zip(mine, other, strict=True))
            if a != b and b not in gone and better and (mine != other or b < a):
                gone.add(a)
                break
    return gone

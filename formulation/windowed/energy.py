"""Where the energy of a windowed schedule goes (MODEL.md §7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.windowed.segments import fixed_amounts, layer_amounts

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.windowed.schedule import Schedule
    from formulation.windowed.segments import Segment
    from formulation.windowed.semantics import Facts


def dram_bytes(p: Problem, s: Schedule, x: Segment) -> int:
    """Return the bytes that a segment moves to and from DRAM, of all groups."""
    moved = fixed_amounts(p, x)
    for t in x.tasks:
        mode = p.tasks[t].modes[s.chiplet[t]][s.mode[t]]
        moved = moved.plus(layer_amounts(p, x, t, mode))
    groups = p.windowing.mini_batches[x.model] // x.group
    times = 1 if p.windowing.weights_once else groups
    return groups * (moved.read_bytes + moved.written_bytes) + times * (
        moved.weight_bytes
    )


def parts_of_energy(
    p: Problem, s: Schedule, facts: Facts, makespan_ticks: int
) -> dict[str, int]:
    """Return the energy units of everything: chiplets, NoP, DRAM, static power.

    The NoP has what is neither a layer's nor a DRAM access: links on the way to DRAM
    and of hand-overs.
    """
    layers = sum(
        task.modes[s.chiplet[t]][s.mode[t]].energy for t, task in enumerate(p.tasks)
    )
    used = [x for models in facts.segments for own in models for x in own]
    accesses = p.dram_energy * sum(dram_bytes(p, s, x) for x in used)
    total = sum(x.energy for models in facts.costs for own in models for x in own)
    return {
        "chiplet": layers,
        "nop": total - layers - accesses,
        "dram": accesses,
        "static": p.static_energy * makespan_ticks,
    }

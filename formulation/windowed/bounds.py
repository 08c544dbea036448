"""What holds for every windowed schedule of a problem (MODEL.md §7.6)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from formulation.problem import remembered
from formulation.windowed.objective import part_value
from formulation.windowed.segments import of_group, weight_bytes

if TYPE_CHECKING:
    from formulation.objective import Part
    from formulation.problem import Flow, Mode, Problem


@dataclass(frozen=True, slots=True)
class Lower:
    """Proved bounds.

    Parameters
    ----------
    makespan, latency
        In ticks; the latter per model.
    energy
        In quanta.
    """

    makespan: int
    latency: tuple[int, ...]
    energy: int


@dataclass(frozen=True, slots=True)
class Least:
    """Least values of a layer over chiplets, modes and groups (φ*, β, α; energy).

    Times in ticks, energy in units.
    """

    once: Fraction
    work: Fraction
    shared: Fraction
    energy: int


def groupings(p: Problem, model: int) -> tuple[int, ...]:
    """Return every g that `mini_batch` allows, ascending."""
    n = p.windowing.mini_batches[model]
    if p.windowing.single:
        return (1,)
    return tuple(g for g in range(1, n + 1) if n % g == 0)


def _per_byte(p: Problem, flow: Flow) -> Fraction:
    """Return the ticks that a byte takes at least on a way: κ."""
    rates = [(p.resources[r].bandwidth, units) for r, units in flow.loads]
    return max((Fraction(n * x.den, x.num) for x, n in rates), default=Fraction(0))


def _own_bytes(p: Problem, t: int) -> tuple[int, int]:
    """Return the model inputs that a layer is the first to read, and its outputs."""
    task = p.tasks[t]
    read = sum(
        p.tensors[u].bytes
        for u in task.inputs
        if p.tensors[u].producer is None and p.tensors[u].consumers[0] == t
    )
    return read, sum(p.tensors[u].bytes for u in task.outputs if p.tensors[u].output)


def _choice(p: Problem, t: int, c: int, mode: Mode, group: int) -> Least:
    """Return φ, φ + (r − 1)·ν, φ + (r − 1)·ν/P and the energy of one choice."""
    m, chiplet = p.tasks[t].model, p.chiplets[c]
    reading, writing = chiplet.reads[chiplet.home], chiplet.write
    read, written = _own_bytes(p, t)
    weights = weight_bytes(p, t, mode, group)
    again = _per_byte(p, reading) * of_group(p, m, group, read)
    again += _per_byte(p, writing) * of_group(p, m, group, written)
    again += of_group(p, m, group, mode.latency_ticks)
    first = again + _per_byte(p, reading) * weights
    groups = p.windowing.mini_batches[m] // group
    times = groups
    if p.windowing.weights_once:
        times = 1
    else:
        again = first
    energy = mode.energy + writing.energy * written
    energy += reading.energy * (read + times * weights)
    more = (groups - 1) * again
    return Least(first, first + more, first + more / len(p.chiplets), energy)


@remembered
def least(p: Problem, t: int) -> Least:
    """Return the least values of a layer; 0 where it fits nowhere."""
    found = [
        _choice(p, t, c, mode, group)
        for c in p.supported(t)
        for mode in p.tasks[t].modes[c]
        for group in groupings(p, p.tasks[t].model)
        if mode.ws_bytes <= p.chiplets[c].l2_bytes
    ]
    if not found:
        return Least(Fraction(0), Fraction(0), Fraction(0), 0)
    return Least(
        min(x.once for x in found),
        min(x.work for x in found),
        min(x.shared for x in found),
        min(x.energy for x in found),
    )


def explain(p: Problem) -> dict[str, int]:
    """Return the bounds that say what holds the makespan up, in ticks."""
    layers = [least(p, t) for t in range(len(p.tasks))]
    work = sum((x.work for x in layers), Fraction(0))
    alone = [_alone(p, m) for m in range(len(p.models))]
    return {
        "chiplet_work_ticks": ceil(work / len(p.chiplets)),
        "one_model_ticks": max(model for model, _ in alone),
        "one_layer_ticks": max(layer for _, layer in alone),
    }


def _alone(p: Problem, m: int) -> tuple[int, int]:
    """Return the bounds *one model* and *one layer* on the latency of a model."""
    layers = [least(p, t) for t in p.models[m].tasks]
    shared = sum((x.shared for x in layers), Fraction(0))
    once = sum((x.once for x in layers), Fraction(0))
    return ceil(shared), ceil(max(once - x.once + x.work for x in layers))


@remembered
def lower(p: Problem) -> Lower:
    """Return the bounds of MODEL.md §7.6, under all rules together."""
    makespan = max(explain(p).values())
    units = sum(least(p, t).energy for t in range(len(p.tasks)))
    units += p.static_energy * makespan
    return Lower(
        makespan=makespan,
        latency=tuple(max(_alone(p, m)) for m in range(len(p.models))),
        energy=-(-units // p.energy_den),
    )


def lower_bound(p: Problem, part: Part) -> int:
    """Return a value that no schedule is below in a part of an objective."""
    x = lower(p)
    least_value = part_value(p, part, x.makespan, x.energy, x.latency)
    if part.largest and len(part.weights(p)) == len(p.models):
        lightest = min(part.weights(p).values())
        return max(least_value, lightest * x.makespan)
    return least_value

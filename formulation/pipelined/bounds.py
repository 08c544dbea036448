"""Bounds on the period that need no search, each with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.choices import add_flow, choices, fitting, parts
from formulation.problem import remembered

if TYPE_CHECKING:
    from formulation.problem import Problem


def _least(p: Problem, t: int) -> int | None:
    """Return min over chiplets and choices of d(l) without optional parts."""
    ticks = [k.ticks for c in p.supported(t) for k in fitting(p, t, c)]
    return min(ticks) if ticks else None


def largest_layer(p: Problem) -> int:
    """Return max_l min_c d(l): the chiplet that does l is busy that long."""
    return max(_least(p, t) or 0 for t in range(len(p.tasks)))


def average_load(p: Problem) -> int:
    """Return ⌈Σ_l min_c d(l) / chiplets⌉: the sum of all `compute` rows."""
    total = sum(_least(p, t) or 0 for t in range(len(p.tasks)))
    return -(-total // len(p.chiplets))


def dram_total(p: Problem) -> int:
    """Return the least time of all DRAM bytes over all interfaces together.

    Proof. Sum the `dram` rows. At most Σ L2 bytes of weights are resident; every
    other layer reads at least its weights, its model inputs, and writes its
    outputs for the outside.
    """
    doors = [x.rate for x in p.resources if x.kind == "dram"]
    if len(doors) < len(p.chiplets[0].reads):  # an unlimited interface: no resource
        return 0
    room = sum(c.l2_bytes for c in p.chiplets)
    total = sum(task.weight_bytes for task in p.tasks)
    fixed = 0
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None:
            fixed += tensor.bytes * len(tensor.consumers)
        elif tensor.output or p.always_dram(u):
            fixed += tensor.bytes
    # A streamed layer reads at least W_l a round, so total − room is a lower bound.
    amount = (max(0, total - room) + fixed) * p.load_unit
    common = 1
    for rate in doors:
        common *= rate.den
    per_common = sum(rate.num * (common // rate.den) for rate in doors)
    return -(-amount * common // per_common)


@remembered
def lower(p: Problem, without: frozenset[str] = frozenset()) -> int:
    """Return the best of these bounds on T under the rules that are not left out."""
    found = [1]
    if "floor" not in without:
        found.append(p.floor_ticks)
    if "sram" not in without:
        if "compute" not in without:
            found += [largest_layer(p), average_load(p)]
        if "dram" not in without:
            found.append(dram_total(p))
    return max(found)


@remembered
def upper(p: Problem) -> int:
    """Return the largest least-period that any schedule has.

    Proof. `compute`: no chiplet does more than every layer in its worst choice with
    every optional part on DRAM; ``serial`` adds at most every tensor leaving and
    arriving everywhere. A resource carries at most all streams and all transfers at
    once, a tensor crossing it once for every other chiplet.
    """
    busy = 0
    units: dict[int, int] = {}
    for t in range(len(p.tasks)):
        worst = 0
        most: dict[int, int] = {}
        for c in p.supported(t):
            ticks, loads = _worst(p, t, c)
            worst = max(worst, ticks)
            for r, n in loads.items():
                most[r] = max(most.get(r, 0), n)
        busy += worst
        for r, n in most.items():
            units[r] = units.get(r, 0) + n
    crossing = [u for u in p.tensors if u.placed]
    far = len(p.chiplets) - 1
    moved = sum(u.bytes for u in crossing) * far * p.load_unit
    period = [p.floor_ticks]
    slowest = 0
    for r, resource in enumerate(p.resources):
        period.append(resource.rate.ticks(units.get(r, 0) + moved))
        if resource.kind == "port":
            slowest = max(slowest, resource.rate.ticks(moved))
    if p.serial:
        times = sum(max(u.transfer) for u in crossing if u.transfer is not None)
        busy += 2 * slowest + 2 * far * times
    return max(1, busy, *period)


def _worst(p: Problem, t: int, c: int) -> tuple[int, dict[int, int]]:
    """Return the most ticks and load units of a layer on a chiplet."""
    chiplet = p.chiplets[c]
    options = choices(p, t, c)
    most: dict[int, int] = {}
    for k in options:
        for r, n in k.units:
            most[r] = max(most.get(r, 0), n)
    for part in parts(p, t, c):
        extra: dict[int, int] = {}
        flows = chiplet.reads if part.reads else (chiplet.write,)
        for flow in flows:
            one: dict[int, int] = {}
            add_flow(one, flow, max(part.by_mode))
            for r, n in one.items():
                extra[r] = max(extra.get(r, 0), n)
        for r, n in extra.items():
            most[r] = most.get(r, 0) + n
    streams = [p.resources[r].stream_rate.ticks(n) for r, n in most.items()]
    return max([k.ticks for k in options] + streams), most


def explain(p: Problem) -> dict[str, int]:
    """Return the bounds that say what holds the period up, in ticks."""
    return {
        "average_load_ticks": average_load(p),
        "largest_layer_ticks": largest_layer(p),
        "dram_total_ticks": dram_total(p),
        "floor_ticks": p.floor_ticks,
    }

"""The search for the best mappings of a layer on a chiplet type.

A mapping is a way to lay the layer on the PE array (`costmodel.nest`) and a tile
of it in L2: numbers of array folds along groups, output channels, input channels
and positions, and the order of the loops over the tiles. The search is exact over
its candidates: array mappings are taken in order of a lower bound on (latency,
energy) until none left can be better.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from costmodel.families import FAMILIES, FIXED
from costmodel.nest import (
    Arrays,
    Nest,
    fixed,
    nest_of,
    searched,
    useful_pes,
)
from costmodel.roofline import least_cycles
from costmodel.tiling import Case, Tiled, array_cycles, least_ws, noc_energy, tilings

if TYPE_CHECKING:
    from instances.schema import ChipletType, Layer


BUDGETS = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))
CHUNK = 64  # array mappings that are tiled at a time


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping and what it costs; amounts are elements, not bytes.

    `reread_…` is what tiling makes L2 read from outside a second time: of the
    input, the weights and the partial outputs (written again as often).
    `noc_in`, `noc_w`, `noc_up`, `noc_down` cross the NoC.
    """

    cycles: int
    ws_bytes: int
    holds_weights: bool
    reread_in: int
    reread_w: int
    reread_out: int
    noc_in: int
    noc_w: int
    noc_up: int
    noc_down: int
    text: str


def best_mappings(
    layer: Layer,
    chiplet: ChipletType,
    samples: int = 1,
    element_bytes: int = 1,
    residuals: int = 0,
    hold: bool = False,
) -> tuple[Mapping | None, ...]:
    """Best mapping of a layer for each L2 budget (A12).

    Least cycles, then energy, then bytes read again, then working set.

    Parameters
    ----------
    layer
        With loop bounds.
    samples
        Of a mini-batch.
    element_bytes
        Precision of all operands and partial sums (A3).
    residuals
        Further inputs of the size of the output, read once (A13).
    hold
        Also look for the best mapping whose working set holds all weights.

    Returns
    -------
    tuple of Mapping or None
        One for each of `BUDGETS` (and one with `hold`); `None` where no tiling fits.

    Raises
    ------
    ValueError
        For a layer without loop bounds, a dataflow that does not exist, or fewer
        PEs than a cluster of a fixed mapping.
    """
    if layer.bounds is None:
        raise ValueError(f"layer {layer.name}: got no loop bounds, expected some")
    nest = nest_of(layer.bounds, samples, layer.op != "matmul")
    case = Case(
        nest=nest,
        element_bytes=element_bytes,
        weight_bytes=layer.weight_bytes or nest.weights * element_bytes,
        residuals=residuals,
        floor=least_cycles(layer, chiplet, samples, element_bytes),
        bandwidth=chiplet.noc_bytes_per_cycle / element_bytes,
        l1_pj=float(chiplet.l1_energy_pj_per_byte) * element_bytes,
        l2_pj=float(chiplet.l2_energy_pj_per_byte) * element_bytes,
    )
    arrays = _candidates(layer, chiplet, case)
    goals = [(int(share * chiplet.l2_bytes), False) for share in BUDGETS]
    if hold:
        goals.append((chiplet.l2_bytes, True))
    return _search(case, arrays, goals)


def _candidates(layer: Layer, chiplet: ChipletType, case: Case) -> Arrays:
    """Array mappings that the chiplet's dataflow allows."""
    bounds, nest = layer.bounds, case.nest
    assert bounds is not None
    if chiplet.dataflow in FIXED:
        template = FIXED[chiplet.dataflow]
        pes = np.asarray([chiplet.num_pes], np.int64)
        only = fixed(template, bounds, nest, pes, case.bandwidth)
        if not len(only.cycles):
            raise ValueError(
                f"num_pes: got {chiplet.num_pes}, fewer than a cluster of "
                f"{chiplet.dataflow} needs for layer {layer.name}"
            )
        return only
    if chiplet.dataflow not in FAMILIES:
        known = ", ".join([*FAMILIES, *FIXED])
        raise ValueError(f"dataflow: got {chiplet.dataflow!r}, expected one of {known}")
    family = FAMILIES[chiplet.dataflow]
    l1_elements = chiplet.l1_bytes_per_pe // case.element_bytes
    free = searched(family, nest, chiplet.num_pes, l1_elements)
    pes = useful_pes(family.template, bounds, chiplet.num_pes)
    return free.join(fixed(family.template, bounds, nest, pes, case.bandwidth))


def _search(
    case: Case, arrays: Arrays, goals: list[tuple[int, bool]]
) -> tuple[Mapping | None, ...]:
    """Branch and bound over the array mappings, for all goals together.

    A goal is an L2 budget in bytes, and whether all weights have to be in it.
    """
    noc_in = arrays.inputs + arrays.weights
    moved = noc_in + arrays.sums_up + arrays.sums_down
    low = array_cycles(case, arrays, moved)
    # Float sums in another order differ in the last digits: a bound must not.
    low_energy = noc_energy(case, noc_in, moved, 0 * moved) * (1 - 1e-9)
    order = np.lexsort((low_energy, low))
    arrays, low, low_energy = arrays.take(order), low[order], low_energy[order]
    fits = [least_ws(case, arrays, hold) <= budget for budget, hold in goals]
    best: list[_Found | None] = [None] * len(goals)
    done = np.zeros(len(low), np.bool_)
    while True:
        wanted = np.zeros(len(low), np.bool_)
        for fit, found in zip(fits, best, strict=True):
            if found is None:
                wanted |= fit
            else:
                cycles, energy = found.key[:2]
                tie = (low == cycles) & (low_energy < energy)
                wanted |= fit & ((low < cycles) | tie)
        index = np.flatnonzero(wanted & ~done)[:CHUNK]
        if not len(index):
            return tuple(found.mapping if found else None for found in best)
        done[index] = True
        chosen = arrays.take(index)
        tiled = tilings(case, chosen)
        for i, (budget, hold) in enumerate(goals):
            new, old = _pick(tiled, budget, hold), best[i]
            if new is not None and (old is None or new[0] < old.key):
                best[i] = _Found(new[0], _mapping(case, chosen, tiled, new[1]))


@dataclass(frozen=True, slots=True)
class _Found:
    """The best mapping so far and its key, the less the better."""

    key: tuple[float, ...]
    mapping: Mapping


def _pick(
    tiled: Tiled, budget: int, hold: bool
) -> tuple[tuple[float, ...], tuple[int, int]] | None:
    """Key and place of the best tiling that fits, if one does."""
    rows, columns = np.nonzero((tiled.ws <= budget) & (tiled.holds | (not hold)))
    if not len(rows):
        return None
    key: list[float] = []
    for values in (tiled.cycles, tiled.energy, tiled.again, tiled.ws):
        part = values[rows, columns]
        least = part.min()
        key.append(least.item())
        rows, columns = rows[part == least], columns[part == least]
    return tuple(key), (int(rows[0]), int(columns[0]))


def _mapping(case: Case, a: Arrays, t: Tiled, at: tuple[int, int]) -> Mapping:
    """Take one tiling out of the arrays."""
    row = at[0]
    one = a.take(np.asarray(row))
    return Mapping(
        cycles=int(t.cycles[at]),
        ws_bytes=int(t.ws[at]),
        holds_weights=bool(t.holds[at]),
        reread_in=int(t.reread_in[at]),
        reread_w=int(t.reread_w[at]),
        reread_out=int(t.reread_out[at]),
        noc_in=int(one.inputs),
        noc_w=int(t.noc_w[at]),
        noc_up=int(t.noc_up[at]),
        noc_down=int(t.noc_down[at]),
        text=_describe(case.nest, one, t, at),
    )


def _describe(h: Nest, one: Arrays, t: Tiled, at: tuple[int, int]) -> str:
    """Say it for people: what is split over PEs, what a PE holds, the L2 tile."""
    if one.fixed > 0:
        text = f"fixed mapping on {int(one.fixed)} PEs"
    else:
        names = ("g", "k", "c", "r", "s", "y", "x")
        split = [(n, int(getattr(one, f"split_{n}"))) for n in names]
        local = [(n, int(getattr(one, f"local_{n}"))) for n in ("k", "c", "y")]
        text = "split" + "".join(f" {n.upper()}{v}" for n, v in split if v > 1)
        held = "".join(f" {n.upper()}{v}" for n, v in local if v > 1)
        text += f"; each PE{held}" if held else ""
    bounds = {"g": h.g, "k": h.k, "c": h.c, "y": h.y * h.n}
    tile = [(n, int(getattr(t, n)[at]), bound) for n, bound in bounds.items()]
    parts = [f"{n.upper()}{v}/{bound}" for n, v, bound in tile if bound > 1]
    return f"{text}; L2 tile {' '.join(parts) or 'all'}"

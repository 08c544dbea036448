"""The search for the best mappings of a layer on a chiplet type.

A mapping is a way to lay the layer on the PE array (`costmodel.nest`), a tile of it in
L2 and an order of the loops over tiles (`costmodel.tiling`); NEST.md says what it is
and what it costs. The candidates do not depend on the hardware, which only filters
them: so more of it never hurts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from costmodel.families import FIXED, dataflow_of
from costmodel.nest import Arrays, clustered, nest_of, searched
from costmodel.roofline import least_cycles
from costmodel.show import one_line
from costmodel.templates import evaluate, shapes_of
from costmodel.tiling import (
    ORDERS,
    Case,
    Costs,
    amounts,
    costs,
    largest,
    least,
    tiled,
    tilings,
    working_set,
)
from costmodel.traffic import Tiles
from instances.dataflow import FOLDS, LOOPS

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from costmodel.nest import Nest
    from costmodel.templates import Ints
    from costmodel.traffic import Flags
    from instances.dataflow import Dataflow
    from instances.schema import ChipletType, Layer, LoopBounds

BUDGETS = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))
GOALS = (  # what is least first, second, …
    ("cycles", "energy", "again", "ws"),
    ("energy", "cycles", "again", "ws"),
    ("again", "cycles", "energy", "ws"),
)
CHUNK = 32  # array mappings that are tiled at a time
THRIFTY = 64  # array mappings looked at for energy and refetch alone
TIES = 256  # array mappings looked at for less energy at the least latency


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping and what it costs; amounts are elements, not bytes.

    Parameters
    ----------
    nest, dataflow
        The layer's loops; `None` for a fixed mapping, of which `split` is what a fold
        covers and `held` is 1.
    split, held
        Of the loops g k c r s y x: PEs along each, turns a PE does in one step.
    covers, folds
        Of g k c y x: turns that a full fold covers; folds, of all samples.
    folds_per_sample
        Folds along `y` of one sample; 1 where a fold is whole samples.
    tile_folds
        Folds to an L2 tile, of g k c y.
    tile_order
        The loops over tiles of k c y, outermost first; those of g stand around them.
    cycles, compute_cycles
        Latency; compute alone.
    noc_in, noc_w, noc_up, noc_down
        What crosses the NoC: input, weights, sums up and down.
    reread_in, reread_w, reread_out
        What tiling makes L2 read from outside a second time: of the input, the
        weights and the partial outputs (written again as often).
    tile_in, tile_w, tile_out
        The largest tile.
    text
        One line for people.
    """

    nest: Nest
    dataflow: Dataflow | None
    split: Dict[str, int]
    held: Dict[str, int]
    covers: Dict[str, int]
    folds: Dict[str, int]
    folds_per_sample: int
    tile_folds: Dict[str, int]
    tile_order: str
    cycles: int
    compute_cycles: int
    ws_bytes: int
    holds_weights: bool
    noc_in: int
    noc_w: int
    noc_up: int
    noc_down: int
    reread_in: int
    reread_w: int
    reread_out: int
    tile_in: int
    tile_w: int
    tile_out: int
    text: str = ""


def best_mappings(
    layer: Layer,
    chiplet: ChipletType,
    samples: int = 1,
    element_bytes: int = 1,
    residuals: int = 0,
    hold: bool = False,
) -> tuple[Mapping | None, ...]:
    """Best mappings of a layer by L2 budget and goal (A12).

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
        Also look for the best mappings whose working set holds all weights.

    Returns
    -------
    tuple of Mapping or None
        For each of `BUDGETS` one for each of `GOALS` (with `hold` once more, for all
        of L2); `None` where no tiling fits. One mapping found twice is one object.
        Empty where the chiplet's fixed mapping knows no such layer (A29).

    Raises
    ------
    ValueError
        For a layer without loop bounds, a dataflow that does not exist, or fewer
        PEs than a cluster of a fixed mapping.
    InstanceError
        For a dataflow's file with faults.
    """
    if layer.bounds is None:
        raise ValueError(f"layer {layer.name}: got no loop bounds, expected some")
    case = _case(layer, layer.bounds, chiplet, samples, element_bytes, residuals)
    if case.dataflow is None and case.nest.dilation > 1:
        return ()
    if case.dataflow is None:
        case, arrays = _fixed(layer, layer.bounds, chiplet, case)
    else:
        l1_elements = chiplet.l1_bytes_per_pe // element_bytes
        arrays = searched(case.dataflow, case.nest, chiplet.num_pes, l1_elements)
    budgets = [(int(share * chiplet.l2_bytes), False) for share in BUDGETS]
    if hold:
        budgets.append((chiplet.l2_bytes, True))
    return _Search(case, arrays, budgets).best()


def _case(
    layer: Layer,
    bounds: LoopBounds,
    chiplet: ChipletType,
    samples: int,
    element_bytes: int,
    residuals: int,
) -> Case:
    """Return what the search needs to know of a layer on a chiplet type."""
    nest = nest_of(bounds, samples, layer.op != "matmul")
    fixed = chiplet.dataflow in FIXED
    return Case(
        nest=nest,
        dataflow=None if fixed else dataflow_of(chiplet.dataflow),
        element_bytes=element_bytes,
        weight_bytes=layer.weight_bytes or nest.weights * element_bytes,
        residuals=residuals,
        floor=least_cycles(layer, chiplet, samples, element_bytes),
        bandwidth=chiplet.noc_bytes_per_cycle / element_bytes,
        l1_pj=float(chiplet.l1_energy_pj_per_byte) * element_bytes,
        l2_pj=float(chiplet.l2_energy_pj_per_byte) * element_bytes,
        noc_pj=float(chiplet.noc_energy_pj_per_byte) * element_bytes,
    )


def _fixed(
    layer: Layer, bounds: LoopBounds, chiplet: ChipletType, case: Case
) -> tuple[Case, Arrays]:
    """Return the one array mapping of a fixed template and what it moves.

    Groups and samples follow each other without overlap (A7).
    """
    name, h = chiplet.dataflow_name, case.nest
    template = FIXED[name]
    shapes = shapes_of(bounds)
    depthwise = bool(shapes.depthwise)
    arrays = clustered(template, bounds, h, chiplet.num_pes)
    if arrays is None:
        raise ValueError(
            f"num_pes: got {chiplet.num_pes}, fewer than a cluster of "
            f"{name} needs for layer {layer.name}"
        )
    run = evaluate(template, shapes, chiplet.num_pes, case.bandwidth)
    repeat = h.n * h.g // (bounds.groups if depthwise else 1)
    moved = run.in_reads, run.weight_reads, run.out_writes
    inputs, weights, sums = (int(amount) * repeat for amount in moved)
    cycles = np.asarray([int(run.cycles) * repeat], np.int64)
    case = replace(case, fixed=(inputs, weights, sums))
    return case, replace(arrays, cycles=cycles)


class _Search:
    """Branch and bound over the array mappings, for all budgets and goals together.

    The least latency is exact over the candidates: array mappings are taken in the
    order of a lower bound on (latency, energy) until none left can be faster.
    """

    def __init__(
        self, case: Case, arrays: Arrays, budgets: list[tuple[int, bool]]
    ) -> None:
        """Take the candidates in the order of their bounds."""
        low, energy = least(case, arrays)
        # Float sums in another order differ in the last digits: a bound must not.
        energy = energy * (1 - 1e-9)
        order = np.lexsort((energy, low))
        self.case = case
        self.arrays = arrays.take(order)
        self.low, self.low_energy = low[order], energy[order]
        self.budgets = budgets
        self.fits = [self._fits(budget, hold) for budget, hold in budgets]
        self.done = np.zeros(len(low), np.bool_)
        self.found: dict[tuple[int, int], _Found] = {}

    def _fits(self, budget: int, hold: bool) -> Flags:
        """Whether the smallest tile of an array mapping is within a budget."""
        a = self.arrays
        of = np.arange(len(a.cycles))
        one = np.ones_like(of)
        sizes = (a.folds_g, a.folds_k, a.folds_c) if hold else (one, one, one)
        smallest = tiled(a, of, *sizes, one)
        fits: Flags = working_set(self.case, a, smallest) <= budget
        return fits

    def best(self) -> tuple[Mapping | None, ...]:
        """Search, and return the best by budget and goal."""
        ties = TIES
        while True:
            faster, tied = self._wanted()
            index = np.flatnonzero(
                (faster | (tied if ties > 0 else False)) & ~self.done
            )
            if not len(index):
                break
            ties -= int((~faster[index[:CHUNK]]).sum())
            self._look(index[:CHUNK])
        thrifty = np.argsort(self.low_energy, kind="stable")
        for fit in self.fits:
            index = thrifty[fit[thrifty]][:THRIFTY]
            index = index[~self.done[index]]
            for start in range(0, len(index), CHUNK):
                self._look(index[start : start + CHUNK])
        keys = product(range(len(self.budgets)), range(len(GOALS)))
        made: dict[tuple[int, ...], Mapping] = {}
        best: list[Mapping | None] = []
        for key in keys:
            found = self.found.get(key)
            if found is None:
                best.append(None)
                continue
            if found.place not in made:
                one = found.arrays, found.tiles, found.order
                made[found.place] = mapping_of(self.case, *one)
            best.append(made[found.place])
        return tuple(best)

    def _wanted(self) -> tuple[Flags, Flags]:
        """Array mappings that may be faster for some budget; those that may tie."""
        faster = np.zeros(len(self.low), np.bool_)
        tied = faster
        for i, fit in enumerate(self.fits):
            if (i, 0) not in self.found:
                faster = faster | fit
                continue
            cycles, energy, *_ = self.found[i, 0].key
            faster = faster | (fit & (self.low < cycles))
            tie = (self.low == cycles) & (self.low_energy < energy)
            tied = tied | (fit & tie)
        return faster, tied

    def _look(self, index: Ints) -> None:
        """Cost all tilings of some array mappings and keep the best."""
        self.done[index] = True
        chosen = self.arrays.take(index)
        tiles = tilings(chosen)
        cost = costs(self.case, chosen, tiles)
        firsts = [getattr(cost, goal[0]).min(axis=0) for goal in GOALS]
        for i, (budget, hold) in enumerate(self.budgets):
            fit = np.flatnonzero((cost.ws <= budget) & (cost.holds | (not hold)))
            if not len(fit):
                continue
            for j, goal in enumerate(GOALS):
                old = self.found.get((i, j))
                least_first = firsts[j][fit]
                if old is not None and least_first.min() > old.key[0]:
                    continue
                rows = fit[least_first == least_first.min()]
                key, order, at = _pick(cost, rows, goal)
                if old is None or key < old.key:
                    one = Tiles(*(getattr(tiles, f.name)[[at]] for f in fields(tiles)))
                    row = chosen.take(one.of)
                    one = replace(one, of=np.zeros_like(one.of))
                    place = int(index[tiles.of[at]]), at, order
                    self.found[i, j] = _Found(key, place, row, one, order)


@dataclass(frozen=True, slots=True)
class _Found:
    """The best tiling so far: its key (the less the better), where it was, itself."""

    key: tuple[float, ...]
    place: tuple[int, ...]
    arrays: Arrays
    tiles: Tiles
    order: int


def _pick(
    cost: Costs, rows: Ints, goal: tuple[str, ...]
) -> tuple[tuple[float, ...], int, int]:
    """Key, order and place of the best of some tilings; the first among equals."""
    orders = np.repeat(np.arange(len(ORDERS)), len(rows))
    rows = np.tile(rows, len(ORDERS))
    key: list[float] = []
    for name in goal:
        values = getattr(cost, name)
        part = values[rows] if name == "ws" else values[orders, rows]
        best = part.min()
        key.append(best.item())
        orders, rows = orders[part == best], rows[part == best]
    return tuple(key), int(orders[0]), int(rows[0])


def mapping_of(case: Case, a: Arrays, t: Tiles, order: int) -> Mapping:
    """Take one tiling out of the arrays, which hold nothing else."""
    found = [*amounts(case, a, t)][order]
    one = costs(case, a, t)
    weights, inputs, outputs = largest(case.nest, a, t)
    mapping = Mapping(
        nest=case.nest,
        dataflow=case.dataflow,
        split=dict(zip(LOOPS, a.splits[:, 0].tolist(), strict=True)),
        held=dict(zip(LOOPS, a.held[:, 0].tolist(), strict=True)),
        covers={d: int(getattr(a, d)[0]) for d in FOLDS},
        folds={d: int(getattr(a, f"folds_{d}")[0]) for d in FOLDS},
        folds_per_sample=int(a.per_sample[0]),
        tile_folds={d: int(getattr(t, d)[0]) for d in "gkcy"},
        tile_order=ORDERS[order],
        cycles=int(one.cycles[order, 0]),
        compute_cycles=int(a.cycles[0]),
        ws_bytes=int(one.ws[0]),
        holds_weights=bool(one.holds[0]),
        noc_in=int(found.noc_in[0]),
        noc_w=int(found.noc_w[0]),
        noc_up=int(found.noc_up[0]),
        noc_down=int(found.noc_down[0]),
        reread_in=int(found.reread_in[0]),
        reread_w=int(found.reread_w[0]),
        reread_out=int(found.reread_out[0]),
        tile_in=int(inputs[0]),
        tile_w=int(weights[0]),
        tile_out=int(outputs[0]),
    )
    return replace(mapping, text=one_line(mapping))

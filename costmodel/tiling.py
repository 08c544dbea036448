"""Tiles of a layer in L2: working set, what is read again, cycles and energy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from costmodel.nest import Arrays, Nest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.templates import Ints

Floats = npt.NDArray[np.float64]

# Into how many parts the folds of a dimension are cut; ALL is one fold to a tile.
ALL = 1 << 40
PARTS_G = (1, ALL)
PARTS_K = (1, 2, 4, 8, 32, 128, ALL)
PARTS_C = (1, 2, 4, 16, ALL)
PARTS_Y = (1, 2, 4, 8, 32, ALL)  # of the rows of one sample
PARTS_N = (1, 2, 4)  # of the samples, if a tile covers more than one


@dataclass(frozen=True, slots=True)
class Case:
    """A layer on a chiplet type, as the search needs it."""

    nest: Nest
    element_bytes: int
    weight_bytes: int
    residuals: int
    floor: int
    bandwidth: Fraction
    l1_pj: float
    l2_pj: float


@dataclass(frozen=True, slots=True)
class Tiled:
    """All tilings of some array mappings: arrays (mappings, tilings)."""

    cycles: Ints
    energy: Floats
    again: Ints
    ws: Ints
    holds: npt.NDArray[np.bool_]
    reread_in: Ints
    reread_w: Ints
    reread_out: Ints
    noc_w: Ints
    noc_up: Ints
    noc_down: Ints
    g: Ints
    k: Ints
    c: Ints
    y: Ints


def array_cycles(case: Case, arrays: Arrays, moved: Ints) -> Ints:
    """The larger of compute and NoC time; fixed mappings bring their own (A8)."""
    b = case.bandwidth
    noc = -(-moved * b.denominator // b.numerator)
    own = np.where(arrays.fixed > 0, case.floor, noc)
    return np.maximum(arrays.cycles, own)


def noc_energy(case: Case, noc_in: Ints, moved: Ints, filled: Ints) -> Floats:
    """Energy in pJ that differs between mappings (without MACs and L1 operands).

    `noc_in` is written into L1, `moved` read or written at L2 for the NoC,
    `filled` for the outside.
    """
    return np.asarray(case.l1_pj * noc_in + case.l2_pj * (moved + filled))


def _parts(folds: Ints, parts: Iterable[int]) -> list[Ints]:
    """Array folds of an L2 tile for every number of parts."""
    return [-(-folds // np.minimum(folds, p)) for p in parts]


def _row_tiles(nest: Nest, y: Ints) -> Ints:
    """Rows of L2 tiles: parts of a sample, then numbers of whole samples."""
    samples = np.maximum(y // nest.y, 1)
    rows = [
        np.where(y < nest.y, np.minimum(y * folds, nest.y), y)
        for folds in _parts(-(-nest.y // y), PARTS_Y)
    ]
    if nest.n > 1:
        rows += [
            np.minimum(samples * folds, nest.n) * nest.y
            for folds in _parts(-(-nest.n // samples), PARTS_N)
        ]
    return np.stack(rows, 1)


def _tile_sizes(nest: Nest, a: Arrays) -> tuple[Ints, Ints, Ints, Ints]:
    """Tile sizes along g, k, c, y: arrays (mappings, tilings)."""
    per_dim = []
    for bound, size, parts in (
        (nest.g, a.g, PARTS_G if nest.g > 1 else (1,)),
        (nest.k, a.k, PARTS_K),
        (nest.c, a.c, PARTS_C),
    ):
        folds = _parts(-(-bound // size), parts)
        per_dim.append(np.stack([np.minimum(size * f, bound) for f in folds], 1))
    per_dim.append(_row_tiles(nest, a.y))
    grid = np.indices([part.shape[1] for part in per_dim]).reshape(4, -1)
    g, k, c, y = (part[:, at] for part, at in zip(per_dim, grid, strict=True))
    return g, k, c, y


def _ws(case: Case, g: Ints, k: Ints, c: Ints, y: Ints) -> Ints:
    """Working set in bytes: tiles of all operands, twice (double buffering)."""
    h = case.nest
    taps = h.r * h.s
    share = Fraction(case.weight_bytes, h.weights)
    tile = g * k * c * taps
    weights = -(-tile * share.numerator // share.denominator)
    whole = np.maximum(y // h.y, 1)
    rows = np.where(y < h.y, (y - 1) * h.stride + h.r, whole * h.rows_in)
    inputs = g * c * rows * h.columns_in
    outputs = g * k * y * h.x * (1 + case.residuals)
    total: Ints = weights + (inputs + outputs) * case.element_bytes
    return 2 * total


def least_ws(case: Case, a: Arrays, hold: bool) -> Ints:
    """Working set in bytes that no tiling is below; `hold`: with all weights."""
    h = case.nest
    if hold:
        one = np.ones_like(a.y)
        return _ws(case, one * h.g, one * h.k, one * h.c, a.y)
    return _ws(case, a.g, a.k, a.c, a.y)


def rereads(h: Nest, k: Ints, c: Ints, y: Ints) -> tuple[Ints, Ints, Ints]:
    """Elements read again: input, weights, outputs, in the best loop order.

    Tiles along groups are outermost and cost nothing. An operand is fetched again
    for every turn of a loop that does not belong to it and has one of the
    operand's own loops (of more than one turn) inside. Halos between tiles of
    rows are read again (A14).
    """
    turns = {"k": -(-h.k // k), "c": -(-h.c // c), "y": h.row_folds(y)}
    per_row = h.g * h.c * h.columns_in
    once = h.rows_read(y, h.stride) * per_row
    best: tuple[Ints, ...] | None = None
    for order in permutations("kcy"):
        factor = {}
        for operand, foreign in (("w", "y"), ("i", "k"), ("o", "c")):
            inside = [turns[d] for d in order[order.index(foreign) + 1 :]]
            own = np.zeros_like(k, np.bool_)
            for count in inside:
                own = own | (count > 1)
            factor[operand] = np.where(own, turns[foreign], 1)
        inputs: Ints = np.maximum(factor["i"] * once - h.inputs, 0)
        weights = (factor["w"] - 1) * h.weights
        outputs = (factor["o"] - 1) * h.outputs
        new = (inputs, weights, outputs)
        if best is None:
            best = new
            continue
        better = inputs + weights + 2 * outputs < best[0] + best[1] + 2 * best[2]
        best = tuple(np.where(better, n, o) for n, o in zip(new, best, strict=True))
    assert best is not None
    return best[0], best[1], best[2]


def tilings(case: Case, a: Arrays) -> Tiled:
    """Cost all tilings of some array mappings."""
    h = case.nest
    g, k, c, y = _tile_sizes(h, a)
    column = Arrays(*(getattr(a, f.name)[:, None] for f in fields(a)))
    tiles_y, tiles_c = h.row_folds(y), -(-h.c // c)
    noc_w = column.weights * np.where(column.per_tile_w > 0, tiles_y, 1)
    more = np.where(column.per_tile_o > 0, tiles_c - 1, 0) * h.outputs
    up, down = column.sums_up + more, column.sums_down + more
    noc_in = column.inputs + noc_w
    moved = noc_in + up + down
    cycles = array_cycles(case, column, moved)
    again_in, again_w, again_out = rereads(h, k, c, y)
    again = again_in + again_w + 2 * again_out
    filled = h.inputs + h.weights + h.outputs + again
    return Tiled(
        cycles=cycles,
        energy=noc_energy(case, noc_in, moved, filled),
        again=again,
        ws=_ws(case, g, k, c, y),
        holds=(g == h.g) & (k == h.k) & (c == h.c),
        reread_in=again_in,
        reread_w=again_w,
        reread_out=again_out,
        noc_w=noc_w,
        noc_up=up,
        noc_down=down,
        g=g,
        k=k,
        c=c,
        y=y,
    )

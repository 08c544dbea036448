"""A layer's loops, and the ways to lay them on the PE array (NEST.md, Mapping 1–3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from costmodel.templates import least_pes
from instances.dataflow import LOOPS

if TYPE_CHECKING:
    from costmodel.templates import Ints
    from instances.dataflow import Dataflow
    from instances.schema import LoopBounds

HELD = (1, 4, 16)  # channels or rows that a PE may do in one step
MOST_HELD = 256  # product of them


@dataclass(frozen=True, slots=True)
class Nest:
    """Loop bounds of a mini-batch; `n` samples share the weights.

    1x1 layers of stride 1 have `y` = all positions of a sample, `x` = 1 (A10);
    the samples of a ``matmul`` are groups, `g1` of them to a sample.
    """

    g: int
    g1: int
    n: int
    k: int
    c: int
    r: int
    s: int
    y: int
    x: int
    stride: int
    dilation: int = 1

    @property
    def reach_r(self) -> int:
        """Input rows from the first to the last one of a window."""
        return (self.r - 1) * self.dilation + 1

    @property
    def reach_s(self) -> int:
        """Input columns from the first to the last one of a window."""
        return (self.s - 1) * self.dilation + 1

    @property
    def rows_in(self) -> int:
        """Input rows of a sample, padding included."""
        return (self.y - 1) * self.stride + self.reach_r

    @property
    def columns_in(self) -> int:
        """Input columns, padding included."""
        return (self.x - 1) * self.stride + self.reach_s

    @property
    def inputs(self) -> int:
        """Input elements, padding included."""
        return self.g * self.n * self.c * self.rows_in * self.columns_in

    @property
    def weights(self) -> int:
        """Elements of the other operand."""
        return self.g * self.k * self.c * self.r * self.s

    @property
    def outputs(self) -> int:
        """Output elements."""
        return self.g * self.n * self.k * self.y * self.x

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.outputs * self.c * self.r * self.s


def nest_of(bounds: LoopBounds, samples: int, shared: bool) -> Nest:
    """Loop bounds of `samples` samples; `shared` says that they share operand two."""
    b = bounds
    flat = b.r == b.s == b.stride == 1
    return Nest(
        g=b.groups if shared else b.groups * samples,
        g1=b.groups,
        n=samples if shared else 1,
        k=b.k,
        c=b.c,
        r=b.r,
        s=b.s,
        y=b.oy * b.ox if flat else b.oy,
        x=1 if flat else b.ox,
        stride=b.stride,
        dilation=b.dilation,
    )


@dataclass(frozen=True, slots=True)
class Arrays:
    """Array mappings; one integer array per column, one entry per mapping.

    Parameters
    ----------
    splits, held
        Columns in the order g k c r s y x: PEs along a loop, and turns of it that a
        PE does in one step.
    g, k, c, y, x
        Turns that a full fold covers; along `y` whole samples where it is more than
        one sample has.
    folds_g, folds_k, folds_c, folds_y, folds_x
        Folds of all samples.
    per_sample
        Folds along `y` of one sample; 1 where a fold is whole samples.
    cycles
        Of compute, all steps together.
    """

    splits: Ints
    held: Ints
    g: Ints
    k: Ints
    c: Ints
    y: Ints
    x: Ints
    folds_g: Ints
    folds_k: Ints
    folds_c: Ints
    folds_y: Ints
    folds_x: Ints
    per_sample: Ints
    cycles: Ints

    def take(self, index: Ints) -> Arrays:
        """Mappings of these indices."""
        return Arrays(*(getattr(self, f.name)[..., index] for f in fields(self)))


@lru_cache(maxsize=4096)
def sizes(bound: int) -> tuple[int, ...]:
    """Sizes worth trying for a dimension; they do not depend on the hardware.

    The even cuts ⌈bound/1⌉ … ⌈bound/8⌉, all even cuts up to 16, powers of two.
    """
    cuts = {-(-bound // parts) for parts in range(1, 9)}
    cuts |= {-(-bound // -(-bound // size)) for size in range(1, min(16, bound) + 1)}
    return tuple(sorted(cuts | {1 << i for i in range(bound.bit_length() - 1)}))


def rows_of(nest: Nest, rows: int) -> tuple[int, int]:
    """Rows of a fold that could hold `rows` rows, and its folds (NEST.md, Fold)."""
    if rows < nest.y:
        return rows, nest.n * -(-nest.y // rows)
    whole = min(rows // nest.y, nest.n)
    return whole * nest.y, -(-nest.n // whole)


def _trimmed(nest: Nest, loop: str, size: int, held: int) -> int:
    """Least number of PEs with which the loop has as many folds."""
    if loop == "y":
        rows, folds = rows_of(nest, size * held)
        if rows < nest.y:
            even = -(-nest.y // (folds // nest.n))
        else:
            even = -(-nest.n // folds) * nest.y
    else:
        bound = getattr(nest, loop)
        even = -(-bound // -(-bound // (size * held)))
    return -(-even // held)


def _options(dataflow: Dataflow, nest: Nest, loop: str) -> list[tuple[int, ...]]:
    """Splits of a loop along every axis, and turns held, that are worth trying."""
    on = [loop in axis.loops for axis in dataflow.array]
    if loop in "rs":
        tried: tuple[int, ...] = (1, getattr(nest, loop))
        turns = tried[1]
    elif loop == "y":
        tried = (*sizes(nest.y), *(nest.y * m for m in sizes(nest.n)))
        turns = nest.y * nest.n
    elif loop == "g":
        tried, turns = (*sizes(nest.g), *sizes(nest.g1)), nest.g
    else:
        tried, turns = sizes(getattr(nest, loop)), getattr(nest, loop)
    found = set()
    for split in product(*(sorted({1, *tried}) if here else (1,) for here in on)):
        size = math.prod(split)
        if size > turns:
            continue
        for held in HELD if loop in dataflow.hold else (1,):
            if held > -(-turns // size) and held > 1:
                continue
            if sum(on) == 1 and loop not in "rs":
                size = _trimmed(nest, loop, math.prod(split), held)
                found.add((*(size if here else 1 for here in on), held))
            else:
                found.add((*split, held))
    return sorted(found)


def _crossed(dataflow: Dataflow, nest: Nest, num_pes: int) -> tuple[Ints, Ints]:
    """All combinations of options that the axes hold: splits and held turns."""
    axes = len(dataflow.array)
    limits = [min(axis.pes or num_pes, num_pes) for axis in dataflow.array]
    # Products so far: PEs along each axis, turns held.
    used = np.ones((axes + 1, 1), np.int64)
    split = np.ones((0, 1), np.int64)
    held = np.ones((0, 1), np.int64)
    for loop in LOOPS:
        grid = np.asarray(_options(dataflow, nest, loop), np.int64).T
        fits = np.multiply.outer(used[:-1].prod(0), grid[:-1].prod(0)) <= num_pes
        fits &= np.multiply.outer(used[-1], grid[-1]) <= MOST_HELD
        if axes > 1:
            for axis, limit in enumerate(limits):
                fits &= np.multiply.outer(used[axis], grid[axis]) <= limit
        elif limits[0] < num_pes:
            fits &= np.multiply.outer(used[0], grid[0]) <= limits[0]
        row, column = np.nonzero(fits)
        used = used[:, row] * grid[:, column]
        split = np.vstack([split[:, row], grid[:-1].prod(0)[column]])
        held = np.vstack([held[:, row], grid[-1][column]])
    return split, held


def searched(dataflow: Dataflow, nest: Nest, num_pes: int, l1_elements: int) -> Arrays:
    """All array mappings worth trying; more PEs or more L1 only add to them.

    Parameters
    ----------
    l1_elements
        What fits one PE's L1, which is double-buffered. A PE that holds one turn of
        everything is taken to fit whatever its size (A11).
    """
    split, held = _crossed(dataflow, nest, num_pes)
    lk, lc, ly = held[1], held[2], held[5]
    taps_r, taps_s = nest.r // split[3], nest.s // split[4]
    reach_r = np.where(split[3] > 1, 1, nest.reach_r)
    reach_s = np.where(split[4] > 1, 1, nest.reach_s)
    window = ((ly - 1) * np.minimum(nest.stride, reach_r) + reach_r) * reach_s
    kept = lk * lc * taps_r * taps_s + lc * window + lk * ly
    fits = (2 * kept <= l1_elements) | (lk * lc * ly == 1)
    found = laid(nest, split[:, fits], held[:, fits])
    if set(dataflow.multicast) == {"weights", "input"} and not (
        {"c", "r", "s"} & set(dataflow.spread) - set(dataflow.reduce)
    ):
        return _distinct(found)
    return found


def laid(nest: Nest, split: Ints, held: Ints) -> Arrays:
    """Array mappings of these splits and held turns (rows g k c r s y x)."""
    h = nest
    cover = split * held
    g, k, c = (np.minimum(cover[i], b) for i, b in enumerate((h.g, h.k, h.c)))
    x = np.minimum(cover[6], h.x)
    whole = np.minimum(cover[5] // h.y, h.n)
    y = np.where(whole > 0, whole * h.y, cover[5])
    per_sample = np.where(whole > 0, 1, -(-h.y // y))
    folds_y = np.where(whole > 0, -(-h.n // np.maximum(whole, 1)), h.n * per_sample)
    folds_g, folds_k, folds_c = -(-h.g // g), -(-h.k // k), -(-h.c // c)
    folds_x = -(-h.x // x)
    step = held.prod(0) * (h.r // split[3]) * (h.s // split[4])
    return Arrays(
        splits=split,
        held=held,
        g=g,
        k=k,
        c=c,
        y=y,
        x=x,
        folds_g=folds_g,
        folds_k=folds_k,
        folds_c=folds_c,
        folds_y=folds_y,
        folds_x=folds_x,
        per_sample=per_sample,
        cycles=folds_g * folds_k * folds_c * folds_y * folds_x * step,
    )


def _distinct(found: Arrays) -> Arrays:
    """Of mappings whose folds cover the same, the one of least compute.

    All else follows from what the folds cover, if every operand is multicast and
    every sum is reduced.
    """
    cover = np.stack([found.g, found.k, found.c, found.y, found.x])
    order = np.lexsort([found.cycles, *cover])
    cover = cover[:, order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (cover[:, 1:] != cover[:, :-1]).any(0)
    return found.take(np.sort(order[first]))


def clustered(
    template: str, bounds: LoopBounds, nest: Nest, num_pes: int
) -> Arrays | None:
    """Return the array mapping of a fixed template; `None` if its cluster is larger.

    Only what a fold covers is of use: it is the grain of the L2 tiles.
    """
    depthwise = bounds.groups > 1 and bounds.k == bounds.c == 1
    flat = depthwise and template != "yxp_os"
    need = 1 if flat else int(least_pes(template, bounds.r))
    clusters = num_pes // need
    if clusters < 1:
        return None
    cover = dict.fromkeys(LOOPS, 1)
    cover["x"] = nest.x
    rows = min(clusters * (nest.y // bounds.oy), nest.y)
    if template == "yxp_os":
        cover["y"] = rows
    elif flat:
        cover["g"] = min(num_pes, bounds.groups)
    elif template == "rs":
        cover |= {"k": min(16, nest.k), "y": rows}
    else:
        cover |= {"k": min(clusters, nest.k), "c": min(64, nest.c)}
    split = np.asarray([[cover[d]] for d in LOOPS], np.int64)
    return laid(nest, split, np.ones_like(split))

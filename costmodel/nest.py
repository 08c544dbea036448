"""A layer as the mapper sees it, and the ways to lay it on the PE array."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from costmodel.templates import Ints, evaluate, least_pes, shapes_of

if TYPE_CHECKING:
    from fractions import Fraction

    from costmodel.families import Family
    from instances.schema import LoopBounds

LOCAL = (1, 4, 16)  # channels or rows that a PE may hold at a time


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

    @property
    def rows_in(self) -> int:
        """Input rows of a sample, padding included."""
        return (self.y - 1) * self.stride + self.r

    @property
    def columns_in(self) -> int:
        """Input columns, padding included."""
        return (self.x - 1) * self.stride + self.s

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

    def row_folds(self, rows: Ints) -> Ints:
        """Parts into which tiles of `rows` output rows cut the rows of all samples.

        A tile is at most a sample's rows or a number of whole samples.
        """
        whole = np.maximum(rows // self.y, 1)
        return np.where(rows < self.y, self.n * -(-self.y // rows), -(-self.n // whole))

    def rows_read(self, rows: Ints, step: int) -> Ints:
        """Input rows that these tiles read, halos as often as they are needed.

        `step` is how far the window moves: the stride, or the filter's rows
        where rows that a stride skips are not read.
        """
        cuts = np.where(rows < self.y, -(-self.y // rows), 1)
        read: Ints = (self.y - cuts) * step + cuts * self.r
        return self.n * read


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
    )


@dataclass(frozen=True, slots=True)
class Arrays:
    """Candidate mappings on the PE array; one integer array per column.

    `g`, `k`, `c`, `y` is what one fold covers (L2 tiles are multiples of it);
    `cycles` the compute time; `inputs`, `weights`, `sums_up`, `sums_down` the
    elements that cross the NoC if L2 holds the whole layer. `per_tile_w` (0 or 1):
    the weights cross again for each L2 tile of positions; `per_tile_o`: the sums
    go up and down again for each further L2 tile of channels. The `split_…`,
    `local_…` columns only describe the mapping; `fixed` is the number of PEs of
    a fixed mapping, else 0.
    """

    g: Ints
    k: Ints
    c: Ints
    y: Ints
    cycles: Ints
    inputs: Ints
    weights: Ints
    sums_up: Ints
    sums_down: Ints
    per_tile_w: Ints
    per_tile_o: Ints
    split_g: Ints
    split_k: Ints
    split_c: Ints
    split_r: Ints
    split_s: Ints
    split_y: Ints
    split_x: Ints
    local_k: Ints
    local_c: Ints
    local_y: Ints
    fixed: Ints

    def take(self, index: Ints) -> Arrays:
        """Candidates of these indices."""
        return Arrays(*(getattr(self, f.name)[index] for f in fields(self)))

    def join(self, other: Arrays) -> Arrays:
        """Candidates of both."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Arrays(*(np.concatenate(pair) for pair in pairs))


@lru_cache(maxsize=4096)
def sizes(bound: int) -> tuple[int, ...]:
    """Sizes worth trying for a dimension; they do not depend on the hardware.

    The even cuts ⌈bound/1⌉ … ⌈bound/8⌉, all even cuts up to 16, powers of two.
    """
    cuts = {-(-bound // parts) for parts in range(1, 9)}
    cuts |= {-(-bound // -(-bound // size)) for size in range(1, min(16, bound) + 1)}
    return tuple(sorted(cuts | {1 << i for i in range(bound.bit_length() - 1)}))


def _cross(columns: list[tuple[int, ...]], limit: int) -> list[Ints]:
    """All combinations, one array per column, with a product of at most `limit`."""
    found: list[Ints] = [np.ones(1, np.int64)]
    for values in columns:
        grid = np.asarray(values, np.int64)
        product = math.prod(found) if len(found) > 1 else found[0]
        row, column = np.nonzero(np.multiply.outer(product, grid) <= limit)
        found = [*(part[row] for part in found), grid[column]]
    return found[1:]


def searched(family: Family, nest: Nest, num_pes: int, l1_elements: int) -> Arrays:
    """All candidates of a family; more PEs or more L1 only add to them.

    Parameters
    ----------
    l1_elements
        What fits one PE's L1. A PE that holds one of everything is taken to fit
        whatever its size (A11).
    """
    rows = {*sizes(nest.y), *(nest.y * m for m in sizes(nest.n))}
    options = {
        "g": tuple(sorted({*sizes(nest.g), *sizes(nest.g1)})),
        "k": sizes(nest.k),
        "c": sizes(nest.c),
        "r": (1, nest.r) if nest.r > 1 else (1,),
        "s": (1, nest.s) if nest.s > 1 else (1,),
        "y": tuple(sorted(rows)),
        "x": sizes(nest.x),
    }
    dims = [options[d] if d in family.spread else (1,) for d in "gkcrsyx"]
    split = _cross(dims, num_pes)
    held = {"k": nest.k, "c": nest.c, "y": nest.y}
    dims = [
        tuple(v for v in LOCAL if v <= bound) if d in family.local else (1,)
        for d, bound in held.items()
    ]
    local = _cross(dims, LOCAL[-1] ** 2)
    count, more = len(split[0]), len(local[0])
    split = [np.repeat(part, more) for part in split]
    local = [np.tile(part, count) for part in local]
    return _folded(family, nest, split, local, l1_elements)


def _folded(
    family: Family, nest: Nest, split: list[Ints], local: list[Ints], l1_elements: int
) -> Arrays:
    """Compute time and NoC traffic of array mappings, without those L1 refuses."""
    h = nest
    sg, sk, sc, sr, ss, sy, sx = split
    lk, lc, ly = local
    taps_r, taps_s = -(-h.r // sr), -(-h.s // ss)
    window = ((ly - 1) * h.stride + taps_r) * taps_s
    held = lk * lc * taps_r * taps_s + lc * window + lk * ly
    keep = (2 * held <= l1_elements) | (lk * lc * ly == 1)
    sg, sk, sc, sr, ss, sy, sx = (part[keep] for part in (sg, sk, sc, sr, ss, sy, sx))
    lk, lc, ly = lk[keep], lc[keep], ly[keep]
    k, c, y = sk * lk, sc * lc, sy * ly
    y = np.where(y > h.y, np.minimum(y // h.y, h.n) * h.y, y)
    k_folds, c_folds = -(-h.k // k), -(-h.c // c)
    y_folds, x_folds = h.row_folds(y), -(-h.x // sx)
    # A fold takes as long as its fullest PE, the last one too.
    cycles = -(-h.g // sg) * k_folds * lk * c_folds * lc * y_folds * ly * x_folds
    cycles = cycles * -(-h.r // sr) * -(-h.s // ss)
    width = 1 if family.columns_pass else x_folds
    step = min(h.stride, h.s)
    columns = (h.x - width) * step + width * h.s
    rows = h.rows_read(y, min(h.stride, h.r))
    one = np.ones_like(k)
    up = one if family.sums_stay else c_folds
    positions = one if family.weights_stay else y_folds * width
    return Arrays(
        g=sg,
        k=np.minimum(k, h.k),
        c=np.minimum(c, h.c),
        y=y,
        cycles=cycles,
        inputs=h.g * h.c * rows * columns * k_folds,
        weights=h.weights * positions,
        sums_up=h.outputs * up,
        sums_down=h.outputs * (up - 1),
        per_tile_w=one * family.weights_stay,
        per_tile_o=one * family.sums_stay,
        split_g=sg,
        split_k=sk,
        split_c=sc,
        split_r=sr,
        split_s=ss,
        split_y=sy,
        split_x=sx,
        local_k=lk,
        local_c=lc,
        local_y=ly,
        fixed=0 * one,
    )


def fixed(
    template: str, bounds: LoopBounds, nest: Nest, pes: Ints, bandwidth: Fraction
) -> Arrays:
    """Candidates that run a fixed mapping on the first `pes` PEs of the array.

    Groups and samples follow each other without overlap (A7). Without PEs enough
    for one cluster there is no candidate.

    Parameters
    ----------
    bounds
        One sample, as the template takes it.
    pes
        Numbers of PEs.
    bandwidth
        Of the NoC, in elements per cycle.
    """
    shapes = shapes_of(bounds)
    flat = bool(shapes.depthwise)
    need = 1 if flat and template != "yxp_os" else int(least_pes(template, bounds.r))
    pes = pes[pes >= need]
    run = evaluate(template, shapes, pes, bandwidth)
    repeat = nest.n * nest.g // (bounds.groups if flat else 1)
    one = np.ones_like(pes)
    zero = 0 * one
    clusters = pes // need
    # What one fold covers: the granularity of the L2 tiles.
    g, k, c, y = one, one, one, one
    if template == "yxp_os":
        y = np.minimum(clusters * (nest.y // bounds.oy), nest.y)
    elif flat:
        g = np.minimum(pes, bounds.groups)
    elif template == "rs":
        k, y = one * min(16, nest.k), clusters * (nest.y // bounds.oy)
        y = np.minimum(y, nest.y)
    else:
        k, c = np.minimum(clusters, nest.k), one * min(64, nest.c)
    amounts = {
        "cycles": run.cycles,
        "inputs": run.in_reads,
        "weights": run.weight_reads,
        "sums_up": run.out_writes,
    }
    columns = dict.fromkeys((field.name for field in fields(Arrays)), one)
    columns |= {name: amount * repeat + zero for name, amount in amounts.items()}
    columns |= dict.fromkeys(("sums_down", "per_tile_w", "per_tile_o"), zero)
    columns |= {"g": g, "k": k, "c": c, "y": y, "fixed": pes}
    return Arrays(**columns)


def useful_pes(template: str, bounds: LoopBounds, num_pes: int) -> Ints:
    """Numbers of PEs up to `num_pes` on which a fixed mapping can differ.

    All numbers of full clusters up to one more than there is work for; more PEs
    only add to them.
    """
    depthwise = bounds.groups > 1 and bounds.k == bounds.c == 1
    if depthwise and template != "yxp_os":
        size, work = 1, bounds.groups
    else:
        size = int(least_pes(template, bounds.r))
        work = (bounds.k if template == "kcp_ws" else bounds.oy) + 1
    return size * np.arange(1, min(num_pes // size, work) + 1, dtype=np.int64)

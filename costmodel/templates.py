"""The three fixed mappings of MAESTRO: ``kcp_ws``, ``yxp_os`` and ``rs``.

A fixed mapping has no free choice: hardware and layer give the cycles. The
equations are MAESTRO's (maestro-project/maestro at 4eb08d1, its front end's
generated mappings) with its modelling choices (A1-A5 in ASSUMPTIONS.md) and
without what is no result at all (A6). All are vectorised with numpy int64: every
field of `Shapes`, and the number of PEs, may be an array.

A step moves `v` elements at `B` elements per cycle in
``tau(v) = ceil(v / B) - 1`` cycles; a run takes
``d + tau(in_first) + sum over the other steps of max(d, tau(in), tau(out))``
cycles, `d` being the time of one step inside a cluster of PEs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from costmodel.template_tiles import (
    YXP_COLUMNS,
    column_tiles,
    row_folds,
    tile_cycles,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import LoopBounds

Ints = npt.NDArray[np.int64]

KCP_CHANNELS = 64  # PEs of a kcp_ws cluster, one input channel each
RS_FILTERS = 16  # output channels a PE of rs holds at a time


@dataclass(frozen=True, slots=True)
class Shapes:
    """Layers as MAESTRO takes them; integer arrays that broadcast together.

    Parameters
    ----------
    k, c
        Output and input channels; of a depthwise layer `c` counts the channels
        and `k` is not used.
    r, s
        Filter rows and columns.
    y, x
        *Input* rows and columns, padding included.
    stride
        Of both axes.
    depthwise
        Booleans.
    """

    k: Ints
    c: Ints
    r: Ints
    s: Ints
    y: Ints
    x: Ints
    stride: Ints
    depthwise: npt.NDArray[np.bool_]

    @property
    def oy(self) -> Ints:
        """Output rows; input rows to spare are dropped."""
        return (self.y - self.r) // self.stride + 1

    @property
    def ox(self) -> Ints:
        """Output columns; input columns to spare are dropped."""
        return (self.x - self.s) // self.stride + 1


@dataclass(frozen=True, slots=True)
class Run:
    """What a fixed mapping does with a layer; integer arrays.

    `cycles` and the *exact* number of MACs, and elements that pass between L2
    and the PEs: `in_reads` and `weight_reads` are reads of L2 (equal to the
    writes into L1: a multicast is written once, A4), `out_writes` the partial
    sums written to L2 (never read back, A3). Filling and emptying L2 is
    `in_fill`, `weight_fill` (writes) and `out_drain` (reads).
    """

    cycles: Ints
    macs: Ints
    in_reads: Ints
    weight_reads: Ints
    out_writes: Ints
    in_fill: Ints
    weight_fill: Ints
    out_drain: Ints

    @property
    def l1_accesses(self) -> Ints:
        """L1 reads and writes: four a MAC (three reads, a write) and the fills."""
        return 4 * self.macs + self.in_reads + self.weight_reads

    @property
    def l2_accesses(self) -> Ints:
        """L2 reads and writes of all tensors, in elements."""
        reads = self.in_reads + self.weight_reads + self.out_drain
        return reads + self.in_fill + self.weight_fill + self.out_writes

    def energy(self, l1: float = 1.68, l2: float = 18.61) -> npt.NDArray[np.float64]:
        """Energy in units of one MAC; `l1` and `l2` are the prices of an access.

        The defaults are MAESTRO's (A5): 0.23 pJ a MAC, 0.386 pJ an L1 and
        4.28 pJ an L2 access, whatever the sizes.
        """
        return np.asarray(self.macs + l1 * self.l1_accesses + l2 * self.l2_accesses)


@dataclass(frozen=True, slots=True)
class Bus:
    """The NoC: `tau` with a bandwidth of num/den elements per cycle."""

    num: int
    den: int

    def tau(self, elements: Ints) -> Ints:
        """Cycles of a transfer beyond its first; -1 for an empty one (A2)."""
        return -(-elements * self.den // self.num) - 1


def shapes_of(bounds: LoopBounds) -> Shapes:
    """One sample of a layer as MAESTRO takes it: one group, or all if depthwise."""
    b = bounds
    depthwise = b.groups > 1 and b.k == 1 and b.c == 1
    sizes = (
        b.k,
        b.groups if depthwise else b.c,
        b.r,
        b.s,
        (b.oy - 1) * b.stride + b.r,
        (b.ox - 1) * b.stride + b.s,
        b.stride,
    )
    k, c, r, s, y, x, stride = (np.asarray(v, np.int64) for v in sizes)
    return Shapes(k, c, r, s, y, x, stride, np.asarray(depthwise))


def evaluate(
    template: str, shapes: Shapes, num_pes: npt.ArrayLike, bandwidth: int | Fraction
) -> Run:
    """Cost layers by a fixed mapping.

    Parameters
    ----------
    template
        A key of `TEMPLATES`.
    shapes
        The layers.
    num_pes
        PEs of the array; an integer or an array that broadcasts with the shapes.
    bandwidth
        Of the NoC, in elements per cycle; every cluster has as much inside.

    Raises
    ------
    ValueError
        An unknown template; a bandwidth that is not positive; a shape whose
        filter does not fit its input; fewer PEs than one cluster needs: 64 for
        ``kcp_ws``, 8 for ``yxp_os``, the filter's rows for ``rs`` (1 for the
        depthwise layers of ``kcp_ws`` and ``rs``).
    """
    if template not in TEMPLATES:
        known = ", ".join(sorted(TEMPLATES))
        raise ValueError(f"template: got {template!r}, expected one of {known}")
    speed = Fraction(bandwidth)
    if speed <= 0:
        raise ValueError(f"bandwidth: got {bandwidth}, expected more than 0")
    pes = np.asarray(num_pes, np.int64)
    fits = (shapes.y >= shapes.r) & (shapes.x >= shapes.s)
    if not np.all(fits):
        raise ValueError("shapes: the filter is larger than the (padded) input")
    flat = shapes.depthwise & (template != "yxp_os")
    least = np.where(flat, 1, least_pes(template, shapes.r))
    if np.any(pes < least):
        raise ValueError(
            f"num_pes: got {int(pes.min())}, expected at least {int(least.max())} "
            f"for {template}"
        )
    bus = Bus(speed.numerator, speed.denominator)
    main = TEMPLATES[template]
    if not np.any(flat):
        return main(shapes, pes, bus)
    # The main form is also evaluated where it is not used: never with 0 clusters.
    safe = np.maximum(pes, least_pes(template, shapes.r))
    normal, other = main(shapes, safe, bus), _depthwise(shapes, pes, bus)
    names = Run.__dataclass_fields__
    return Run(*(np.where(flat, getattr(other, n), getattr(normal, n)) for n in names))


def least_pes(template: str, filter_rows: npt.ArrayLike) -> Ints:
    """PEs of one cluster of a template (a full one; depthwise needs only 1)."""
    rows = np.asarray(filter_rows, np.int64)
    fixed = {"kcp_ws": KCP_CHANNELS, "yxp_os": YXP_COLUMNS}
    return np.where(template == "rs", rows, fixed.get(template, 1))


class _Tally:
    """Cycles and traffic of the steps of a run, added up class by class."""

    def __init__(self, shapes: Shapes, bus: Bus) -> None:
        self.shapes, self.bus = shapes, bus
        self.cycles: Ints = np.int64(0) * shapes.k
        self.into, self.weights, self.out = self.cycles, self.cycles, self.cycles

    def steps(
        self, times: Ints | int, inner: Ints, into: Ints, weights: Ints, out: Ints
    ) -> None:
        """Add `times` equal steps whose fill and drain overlap with the work."""
        slowest = np.maximum(self.bus.tau(into + weights), self.bus.tau(out))
        self.cycles = self.cycles + times * np.maximum(inner, slowest)
        self.into = self.into + times * into
        self.weights = self.weights + times * weights
        self.out = self.out + times * out

    def start(self, inner: Ints, into: Ints, weights: Ints, out: Ints) -> None:
        """Add the very first step, which nothing overlaps with."""
        self.steps(1, inner, into, weights, out)
        tau = self.bus.tau
        slowest = np.maximum(inner, np.maximum(tau(into + weights), tau(out)))
        self.cycles = self.cycles + inner + tau(into + weights) - slowest

    def run(self) -> Run:
        """Add what is the same for every mapping: MACs, fill and drain of L2."""
        h = self.shapes
        filters = np.where(h.depthwise, h.c, h.k)
        taps = np.where(h.depthwise, 1, h.c) * h.r * h.s
        return Run(
            cycles=self.cycles,
            macs=filters * taps * h.oy * h.ox,
            in_reads=self.into,
            weight_reads=self.weights,
            out_writes=self.out,
            in_fill=h.c * h.y * h.x,
            weight_fill=filters * taps,
            # As many as with stride 1: MAESTRO's own count, kept (A3).
            out_drain=filters * (h.y - h.r + 1) * (h.x - h.s + 1),
        )


def _sums_up(active: Ints, units: Ints) -> Ints:
    """Sums that leave in a step: MAESTRO drops one of an array never filled (A6)."""
    return active - ((active > 1) & (active < units))


def _kcp_ws(h: Shapes, pes: Ints, bus: Bus) -> Run:
    """Weight-stationary: 64 input channels to a cluster, filters over clusters."""
    clusters = pes // KCP_CHANNELS
    chans, taps = np.minimum(h.c, KCP_CHANNELS), h.r * h.s
    c_folds, k_folds = -(-h.c // KCP_CHANNELS), -(-h.k // clusters)
    k_full = np.minimum(h.k, clusters)
    k_last = h.k - (k_folds - 1) * clusters
    inner = taps + bus.tau(2 * chans * taps)
    tile, none = chans * taps, 0 * chans
    x_in = chans * h.r * np.minimum(h.s, h.stride)
    y_in = np.where(h.x == h.s, chans * h.s * np.minimum(h.r, h.stride), tile)
    tally = _Tally(h, bus)
    for times, k, out in (
        (k_folds - 1, k_full, k_full),
        (1, k_last, np.where(k_folds == 1, _sums_up(k_full, clusters), k_last)),
    ):
        tally.steps(times * c_folds * h.oy * (h.ox - 1), inner, x_in, none, out)
        tally.steps(times * c_folds * (h.oy - 1), inner, y_in, none, out)
        tally.steps(times * (c_folds - 1), inner, tile, k * tile, out)
    # The first C fold of a K fold is charged without input, but for the very first.
    first_out = np.where(k_folds == 1, _sums_up(k_full, clusters), k_full)
    tally.start(inner, tile, k_full * tile, first_out)
    tally.steps(np.maximum(k_folds - 2, 0), inner, none, k_full * tile, k_full)
    tally.steps(np.minimum(k_folds - 1, 1), inner, none, k_last * tile, k_last)
    return tally.run()


def _depthwise(h: Shapes, pes: Ints, bus: Bus) -> Run:
    """Depthwise layers of ``kcp_ws`` and ``rs``: a channel to a PE."""
    taps = h.r * h.s
    folds = -(-h.c // pes)
    full, last = np.minimum(h.c, pes), h.c - (folds - 1) * pes
    y_rows = np.where(h.x == h.s, h.s * np.minimum(h.r, h.stride), taps)
    x_cols = h.r * np.minimum(h.s, h.stride)
    inner, none = taps + 0 * full, 0 * full
    tally = _Tally(h, bus)
    first_out = np.where(folds == 1, _sums_up(full, pes), full)
    for times, a, out in (
        (folds - 1, full, full),
        (1, last, np.where(folds == 1, first_out, last)),
    ):
        tally.steps(times * h.oy * (h.ox - 1), inner, a * x_cols, none, out)
        tally.steps(times * (h.oy - 1), inner, a * y_rows, none, out)
    tally.start(inner, full * taps, full * taps, first_out)
    tally.steps(np.maximum(folds - 2, 0), inner, full * taps, full * taps, full)
    tally.steps(np.minimum(folds - 1, 1), inner, last * taps, last * taps, last)
    return tally.run()


def _yxp_os(h: Shapes, pes: Ints, bus: Bus) -> Run:
    """Output-stationary in one channel: rows over clusters, 8 columns in each."""
    clusters, taps = pes // YXP_COLUMNS, h.r * h.s
    k = np.where(h.depthwise, 1, h.k)
    both, none = k * h.c, 0 * k
    tiles = column_tiles(h)
    inner, inner_last = tile_cycles(h, tiles, bus)
    columns = tiles.width - h.s + 1  # outputs, counted as with stride 1
    columns_last = tiles.end - h.s + 1
    next_columns = np.minimum(tiles.width, tiles.moved)
    first, more, last = row_folds(h, clusters)
    tally = _Tally(h, bus)
    one_tile = h.x <= tiles.width
    for fold in (first, more, last):
        times = both * fold.times
        into = fold.apart * next_columns
        tally.steps(times * tiles.full, inner, into, none, fold.out * columns)
        out = fold.out * columns_last
        tally.steps(times * tiles.last, inner_last, into, none, out)
    for fold in (more, last):
        into = np.where(one_tile, fold.joint, fold.apart) * tiles.width
        tally.steps(both * fold.times, inner, into, none, fold.out * columns)
    out = first.out * columns
    tally.start(inner, first.apart * tiles.width, taps, out)
    tally.steps(k - 1, inner, none, taps, out)
    tally.steps(k * (h.c - 1), inner, first.joint * tiles.width, taps, out)
    return tally.run()


def _rs(h: Shapes, pes: Ints, bus: Bus) -> Run:
    """Row-stationary: output rows over clusters of R PEs, 16 filters at a time."""
    clusters, taps = pes // h.r, h.r * h.s
    k = np.minimum(h.k, RS_FILTERS)
    k_folds = -(-h.k // RS_FILTERS)
    k_last = h.k - (k_folds - 1) * RS_FILTERS
    inner, none = k * h.s + bus.tau(taps + k * taps), 0 * k
    next_columns = np.where(h.c == 1, np.minimum(h.s, h.stride), h.s)
    still = (h.c == 1) & (h.x == h.s)  # nothing inside a fold restarts
    first, more, last = row_folds(h, clusters)
    tally = _Tally(h, bus)
    for fold in (first, more, last):
        out, rows = fold.out * k, fold.apart
        n = fold.times * h.ox
        tally.steps(n - fold.times, inner, rows * next_columns, none, out)
        tally.steps(n * (h.c - 1), inner, rows * h.s, k * taps, out)
        again, partial = n * h.c, np.minimum(k_folds - 1, 1)
        tally.steps(again * np.maximum(k_folds - 2, 0), inner, none, k * taps, out)
        tally.steps(again * partial, inner, none, k * taps, fold.out * k_last)
    for fold in (more, last):
        into = np.where(still, fold.joint, fold.apart) * h.s
        tally.steps(fold.times, inner, into, none, fold.out * k)
    tally.start(inner, first.apart * h.s, k * taps, first.out * k)
    return tally.run()


TEMPLATES: dict[str, Callable[[Shapes, Ints, Bus], Run]] = {
    "kcp_ws": _kcp_ws,
    "yxp_os": _yxp_os,
    "rs": _rs,
}

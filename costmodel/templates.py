"""The three fixed mappings of MAESTRO: ``kcp_ws``, ``yxp_os`` and ``rs``.

A fixed mapping has no free choice: hardware and layer give the cycles. The
equations are MAESTRO's (maestro-project/maestro at 4eb08d1, its front end's
generated mappings) with its modelling choices (A1-A5 in ASSUMPTIONS.md) and
without its arithmetic faults (A6). All are vectorised with numpy int64: every
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import LoopBounds

Ints = npt.NDArray[np.int64]

KCP_CHANNELS = 64  # PEs of a kcp_ws cluster, one input channel each
YXP_COLUMNS = 8  # PEs of a yxp_os cluster, one output column each
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
class _Bus:
    """The NoC: `tau` with a bandwidth of num/den elements per cycle."""

    num: int
    den: int

    def tau(self, elements: Ints) -> Ints:
        """Cycles of a transfer beyond its first; -1 for an empty one (A2)."""
        return -(-elements * self.den // self.num) - 1

    def step(self, inner: Ints, into: Ints, out: Ints) -> Ints:
        """Cycles of one step whose fill and drain overlap with its work."""
        return np.maximum(inner, np.maximum(self.tau(into), self.tau(out)))


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
    bus = _Bus(speed.numerator, speed.denominator)
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


def _run(shapes: Shapes, cycles: Ints, into: Ints, weights: Ints, out: Ints) -> Run:
    """Add what is the same for every template: MACs, fill and drain of L2."""
    h = shapes
    filters = np.where(h.depthwise, h.c, h.k)
    taps = np.where(h.depthwise, 1, h.c) * h.r * h.s
    return Run(
        cycles=cycles,
        macs=filters * taps * h.oy * h.ox,
        in_reads=into,
        weight_reads=weights,
        out_writes=out,
        in_fill=h.c * h.y * h.x,
        weight_fill=filters * taps,
        # As many as with stride 1: MAESTRO's own count, kept (A3).
        out_drain=filters * (h.y - h.r + 1) * (h.x - h.s + 1),
    )


def _kcp_ws(h: Shapes, pes: Ints, bus: _Bus) -> Run:
    """Weight-stationary: 64 input channels to a cluster, filters over clusters."""
    clusters = pes // KCP_CHANNELS
    chans, taps = np.minimum(h.c, KCP_CHANNELS), h.r * h.s
    c_folds, k_folds = -(-h.c // KCP_CHANNELS), -(-h.k // clusters)
    k_full = np.minimum(h.k, clusters)
    k_last = h.k - (k_folds - 1) * clusters
    oy, ox = h.oy, h.ox
    inner = taps + bus.tau(2 * chans * taps)
    x_in = chans * h.r * np.minimum(h.s, h.stride)
    narrow = chans * h.s * np.minimum(h.r, h.stride)
    y_in = np.where(ox == 1, narrow, chans * taps)

    def fold(k: Ints) -> Ints:
        """All C folds of a K fold, its first step charged without input."""
        steps = oy * (ox - 1) * bus.step(inner, x_in, k)
        steps += (oy - 1) * bus.step(inner, y_in, k)
        change = (c_folds - 1) * bus.step(inner, (k + 1) * chans * taps, k)
        total: Ints = c_folds * steps + change
        return total + bus.step(inner, k * chans * taps, k)

    first = inner + bus.tau((k_full + 1) * chans * taps)
    cycles = (k_folds - 1) * fold(k_full) + fold(k_last)
    cycles += first - bus.step(inner, k_full * chans * taps, k_full)
    per_fold = oy * (ox - 1) * x_in + (oy - 1) * y_in + chans * taps
    into = k_folds * c_folds * per_fold - (k_folds - 1) * chans * taps
    return _run(h, cycles, into, h.k * c_folds * chans * taps, h.k * c_folds * oy * ox)


def _depthwise(h: Shapes, pes: Ints, bus: _Bus) -> Run:
    """Depthwise layers of ``kcp_ws`` and ``rs``: a channel to a PE."""
    taps, oy, ox = h.r * h.s, h.oy, h.ox
    folds = -(-h.c // pes)
    full, last = np.minimum(h.c, pes), h.c - (folds - 1) * pes
    y_rows = np.where(ox == 1, h.s * np.minimum(h.r, h.stride), taps)
    x_cols = h.r * np.minimum(h.s, h.stride)
    inner = taps + 0 * full

    def fold(a: Ints) -> Ints:
        steps = oy * (ox - 1) * bus.step(inner, a * x_cols, a)
        steps += (oy - 1) * bus.step(inner, a * y_rows, a)
        return steps + bus.step(inner, 2 * a * taps, a)

    first = inner + bus.tau(2 * full * taps) - bus.step(inner, 2 * full * taps, full)
    cycles = (folds - 1) * fold(full) + fold(last) + first
    into = h.c * (oy * (ox - 1) * x_cols + (oy - 1) * y_rows + taps)
    return _run(h, cycles, into, h.c * taps, h.c * oy * ox)


def _rows_up(h: Shapes, active: Ints, clusters: Ints) -> Ints:
    """Output rows that leave `active` clusters, as MAESTRO counts them."""
    spare = (active < clusters) & (active > 1) & (h.stride > 1)
    return 1 + (active - 1) * np.minimum(h.r, h.stride) - spare


def _column_tiles(h: Shapes) -> tuple[Ints, Ints, Ints]:
    """Tiles along a row of yxp_os: outputs in one, its columns, columns to the next."""
    unit = h.stride == 1
    positions = np.where(unit, YXP_COLUMNS, (YXP_COLUMNS - 1 + h.stride) // h.stride)
    strided = positions * np.minimum(h.stride, h.s) + np.maximum(h.s - h.stride, 0)
    width = np.minimum(np.where(unit, positions - 1 + h.s, strided), h.x)
    return positions, width, np.where(unit, YXP_COLUMNS, positions * h.stride)


def _yxp_os(h: Shapes, pes: Ints, bus: _Bus) -> Run:
    """Output-stationary in one channel: rows over clusters, 8 columns in each.

    The outputs of strided layers are counted as they are (A6).
    """
    clusters, taps = pes // YXP_COLUMNS, h.r * h.s
    k = np.where(h.depthwise, 1, h.k)
    positions, width, moved = _column_tiles(h)
    tiles = -(-h.ox // positions)
    folds = -(-h.oy // clusters)
    a_full = np.minimum(h.oy, clusters)
    a_last = h.oy - (folds - 1) * clusters
    out_full = np.minimum(positions, h.ox)
    inner = taps + bus.tau((out_full + 1) * taps)
    out_last = h.ox - (tiles - 1) * positions
    x_cols = np.minimum(width, moved)

    def rows_out(a: Ints) -> Ints:
        return np.where(h.stride == 1, _rows_up(h, a, clusters), a)

    def x_steps(a: Ints) -> Ints:
        """All steps of a Y fold but its first."""
        rows = rows_out(a)
        full = bus.step(inner, a * h.r * x_cols, rows * out_full)
        last = bus.step(inner, a * h.r * x_cols, rows * out_last)
        return np.where(tiles > 1, (tiles - 2) * full + last, 0)

    def later(a: Ints) -> tuple[Ints, Ints]:
        """First step of a later Y fold: cycles and elements read."""
        joint = h.r + (a - 1) * np.minimum(h.r, h.stride)
        into = np.where(tiles == 1, joint, a * h.r) * width
        return bus.step(inner, into, rows_out(a) * out_full), into

    edge = h.y - h.oy * h.stride
    edge = np.maximum(h.stride - h.r + np.where(edge < 0, h.y, edge), 0)
    overlap = np.minimum(h.r, h.stride)
    short = (a_full > 1) & (a_full < clusters)
    joint = h.r + (a_full - 1) * overlap + np.where(short, edge - overlap, 0)
    out0 = rows_out(a_full) * out_full
    c_step = bus.step(inner, joint * width + taps, out0)
    k_step = bus.step(inner, taps, out0)
    first = inner + bus.tau(a_full * h.r * width + taps)
    fold_full, in_full = later(a_full)
    fold_last, in_last = later(a_last)
    later_cycles = np.where(folds > 1, (folds - 2) * fold_full + fold_last, 0)
    later_reads = np.where(folds > 1, (folds - 2) * in_full + in_last, 0)
    rest = (folds - 1) * x_steps(a_full) + x_steps(a_last) + later_cycles
    cycles = k * h.c * rest + k * (h.c - 1) * c_step + (k - 1) * k_step + first
    into = k * h.c * (h.oy * h.r * (tiles - 1) * x_cols + later_reads)
    into += k * (h.c - 1) * joint * width + a_full * h.r * width
    return _run(h, cycles, into, k * h.c * taps, k * h.c * h.oy * h.ox)


def _rs(h: Shapes, pes: Ints, bus: _Bus) -> Run:
    """Row-stationary: output rows over clusters of R PEs, 16 filters at a time."""
    clusters, taps = pes // h.r, h.r * h.s
    k = np.minimum(h.k, RS_FILTERS)
    k_folds, folds = -(-h.k // RS_FILTERS), -(-h.oy // clusters)
    k_last = h.k - (k_folds - 1) * RS_FILTERS
    a_full = np.minimum(h.oy, clusters)
    a_last = h.oy - (folds - 1) * clusters
    inner = k * h.s + bus.tau(taps + k * taps)
    x_cols = np.where(h.c == 1, h.r * np.minimum(h.s, h.stride), taps)

    def fold(a: Ints) -> Ints:
        """A Y fold whose very first step is charged as overlapped, no weights."""
        rows = _rows_up(h, a, clusters)
        change = bus.step(inner, a * taps + k * taps, rows * k)
        k_full = bus.step(inner, k * taps, rows * k)
        k_end = bus.step(inner, k * taps, rows * k_last)
        tail = np.where(k_folds > 1, (k_folds - 2) * k_full + k_end, 0)
        steps = bus.step(inner, a * taps, rows * k)
        steps += (h.ox - 1) * bus.step(inner, a * x_cols, rows * k)
        total: Ints = steps + h.ox * (h.c - 1) * change
        return total + h.ox * h.c * tail

    rows = _rows_up(h, a_full, clusters)
    first = inner + bus.tau(a_full * taps + k * taps)
    first -= bus.step(inner, a_full * taps, rows * k)
    cycles = (folds - 1) * fold(a_full) + fold(a_last) + first
    into = h.oy * (taps + (h.ox - 1) * x_cols + h.ox * (h.c - 1) * taps)
    weights = k * taps * (1 + folds * h.ox * (h.c * k_folds - 1))
    # Counted as timed, but the spare row only in a single fold of real windows.
    spare = (folds == 1) & (a_full > 1) & (a_full < clusters)
    overlap = np.minimum(h.r, h.stride)
    out_rows = h.oy * overlap + folds * (1 - overlap)
    out_rows = out_rows - (spare & (h.stride > 1) & (h.r > 1))
    return _run(h, cycles, into, weights, h.k * h.c * h.ox * out_rows)


TEMPLATES: dict[str, Callable[[Shapes, Ints, _Bus], Run]] = {
    "kcp_ws": _kcp_ws,
    "yxp_os": _yxp_os,
    "rs": _rs,
}

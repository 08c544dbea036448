"""MAESTRO's three fixed mappings, one layer at a time, step class by step class.

A second hand at the same mappings: `costmodel.templates` has closed forms on
arrays, this walks folds, clusters and tiles one by one with Python integers and an
exact bandwidth. Where MAESTRO returns no time at all (its tile is wider than the
row, but the way to the next tile is not) the answer is `None`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Layer:
    """K, C, R, S, padded input rows and columns, stride; C channels if depthwise."""

    k: int
    c: int
    r: int
    s: int
    y: int
    x: int
    stride: int = 1
    depthwise: bool = False

    @property
    def oy(self) -> int:
        return (self.y - self.r) // self.stride + 1

    @property
    def ox(self) -> int:
        return (self.x - self.s) // self.stride + 1


@dataclass
class Walk:
    """Cycles and traffic of the steps so far; all amounts are elements."""

    bandwidth: Fraction
    cycles: int = 0
    in_reads: int = 0
    weight_reads: int = 0
    out_writes: int = 0
    started: bool = field(default=False, repr=False)

    def tau(self, elements: int) -> int:
        return (
            -((-elements * self.bandwidth.denominator) // self.bandwidth.numerator) - 1
        )

    def step(
        self, times: int, work: int, inputs: int, weights: int, outputs: int
    ) -> None:
        """Take `times` equal steps; the very first one is the cold start."""
        if times <= 0:
            return
        into = self.tau(inputs + weights)
        self.in_reads += times * inputs
        self.weight_reads += times * weights
        self.out_writes += times * outputs
        if not self.started:
            self.started = True
            self.cycles += work + into
            times -= 1
        self.cycles += times * max(work, into, self.tau(outputs))


def leaving(active: int, units: int) -> int:
    """Sums of a spread channel: one is lost where the array is never full."""
    return active - 1 if 1 < active < units else active


def kcp_ws(layer: Layer, pes: int, bandwidth: Fraction) -> Walk:
    if layer.depthwise:
        return flat(layer, pes, bandwidth)
    walk = Walk(bandwidth)
    r, s, stride, oy, ox = layer.r, layer.s, layer.stride, layer.oy, layer.ox
    clusters = pes // 64
    c = min(layer.c, 64)
    k_folds, c_folds = -(-layer.k // clusters), -(-layer.c // 64)
    work = r * s + walk.tau(2 * c * r * s)
    y_in = c * s * min(r, stride) if layer.x == s else c * r * s
    for fold in range(k_folds):
        kf = min(clusters, layer.k - fold * clusters)
        out = leaving(kf, clusters) if k_folds == 1 else kf
        for c_fold in range(c_folds):
            fresh = 0 if fold > 0 and c_fold == 0 else c * r * s
            walk.step(1, work, fresh, kf * c * r * s, out)
            walk.step(oy - 1, work, y_in, 0, out)
            walk.step(oy * (ox - 1), work, c * r * min(s, stride), 0, out)
    return walk


def flat(layer: Layer, pes: int, bandwidth: Fraction) -> Walk:
    """Depthwise layers of kcp_ws and rs: channels over all PEs."""
    walk = Walk(bandwidth)
    r, s, stride, oy, ox = layer.r, layer.s, layer.stride, layer.oy, layer.ox
    rows_in = s * min(r, stride) if layer.x == s else r * s
    for done in range(0, layer.c, pes):
        a = min(pes, layer.c - done)
        out = leaving(a, pes) if layer.c < pes else a
        walk.step(1, r * s, a * r * s, a * r * s, out)
        walk.step(oy - 1, r * s, a * rows_in, 0, out)
        walk.step(oy * (ox - 1), r * s, a * r * min(s, stride), 0, out)
    return walk


class Cluster(NamedTuple):
    """Input rows of one cluster, those its neighbour has not, output rows."""

    rows: int
    fresh: int
    out: int


def row_folds(layer: Layer, clusters: int) -> list[list[Cluster]]:
    """Which clusters work in each fold of output rows."""
    r, stride, oy = layer.r, layer.stride, layer.oy
    spare = (layer.y - r) % stride
    beyond = layer.y - oy * stride  # rows behind the last full window's start
    beyond = layer.y if beyond < 0 else beyond
    rows = beyond if spare else r
    ragged = Cluster(rows, max(stride - r + beyond, 0), min(stride, rows - r + 1))
    whole = Cluster(r, min(r, stride), min(r, stride))
    lead = Cluster(r, r, 1)
    if oy < clusters:
        active = oy + (1 if spare else 0)
        if active == 1:
            return [[lead]]
        return [[lead, *[whole] * (active - 2), ragged]]
    folds = [[lead, *[whole] * (clusters - 1)]] * (oy // clusters)
    rest = oy % clusters
    if rest == 0 and spare:
        folds.append([Cluster(r, r, rows)])
    elif rest == 1:
        folds.append([Cluster(rows, rows, rows)])
    elif rest and spare:
        folds.append([lead, *[whole] * (rest - 2), ragged])
    elif rest:
        folds.append([lead, *[whole] * (rest - 1)])
    # MAESTRO skips steps without outputs.
    return [fold for fold in folds if len(fold) > 1 or fold[0].out > 0]


def tiles_of(layer: Layer) -> list[int] | None:
    """Input columns of each tile of yxp_os; `None` where MAESTRO has no step."""
    s, stride, x = layer.s, layer.stride, layer.x
    held = 8 if stride == 1 else (7 + stride) // stride
    wide = s + 7
    if stride > 1:
        wide = held * min(stride, s) + max(s - stride, 0)
    hop = held * stride
    if x < wide:
        return None if x >= hop else [x]
    tiles, start = [wide], hop
    while start + wide <= x:
        tiles.append(wide)
        start += hop
    if start - hop + wide < x:
        end = x - start if x >= start else x
        if end >= s:
            tiles.append(end)
    return tiles


def pe_columns(width: int, s: int, hop: int) -> list[int]:
    """Input columns of each PE of a yxp_os cluster."""
    windows = (width - s) // hop + 1
    behind = width - windows * hop
    odd = (windows - 1) * hop + s < width
    return [s] * windows + ([width if behind < 0 else behind] if odd else [])


def tile_work(layer: Layer, tile: int, usual: int, walk: Walk) -> int:
    """Cycles of a tile inside a cluster whose tiles have `usual` columns."""
    r, s = layer.r, layer.s
    hop, taps = min(layer.stride, s), r * s
    active = pe_columns(usual, s, hop)
    if tile <= s + 7 * hop:
        return taps + walk.tau(taps + r * sum(active))
    # A whole row instead of a narrow tile: eight windows a pass, side by side.
    cycles = taps + walk.tau(9 * taps)
    passes, left = divmod(tile, 8 * s)
    into, out = walk.tau(8 * taps), walk.tau(1 + 7 * s)
    cycles += (passes - 1) * max(taps, into, out)
    if left:
        odd = 1 if left % s else 0
        into = walk.tau((len(active) - odd) * taps)
        cycles += max(taps, into, walk.tau(1 + (len(active) - 1 - odd) * s))
    return cycles


def yxp_os(layer: Layer, pes: int, bandwidth: Fraction) -> Walk | None:
    walk = Walk(bandwidth)
    r, s = layer.r, layer.s
    filters = 1 if layer.depthwise else layer.k
    both = filters * layer.c
    tiles = tiles_of(layer)
    if tiles is None:
        return None
    usual = tiles[0]
    hop = 8 if layer.stride == 1 else (7 + layer.stride) // layer.stride * layer.stride
    folds = row_folds(layer, pes // 8)
    for fold in folds:
        apart = sum(cluster.rows for cluster in fold)
        joint = sum(cluster.fresh for cluster in fold)
        rows = sum(cluster.out for cluster in fold)
        work, out = tile_work(layer, usual, usual, walk), rows * (usual - s + 1)
        if fold is folds[0] and not walk.started:
            walk.step(1, work, apart * usual, r * s, out)
            walk.step(filters - 1, work, 0, r * s, out)
            walk.step(filters * (layer.c - 1), work, joint * usual, r * s, out)
        else:
            again = joint if layer.x <= usual else apart
            walk.step(both, work, again * usual, 0, out)
        for tile in tiles[1:]:
            work = tile_work(layer, tile, usual, walk)
            out = rows * (tile - s + 1)
            walk.step(both, work, apart * min(usual, hop), 0, out)
    return walk


def rs(layer: Layer, pes: int, bandwidth: Fraction) -> Walk:
    if layer.depthwise:
        return flat(layer, pes, bandwidth)
    walk = Walk(bandwidth)
    r, s, ox, c = layer.r, layer.s, layer.ox, layer.c
    k = min(layer.k, 16)
    weights = k * r * s
    work = k * s + walk.tau(r * s + weights)
    next_columns = min(s, layer.stride) if c == 1 else s
    for fold in row_folds(layer, pes // r):
        apart = sum(cluster.rows for cluster in fold)
        rows = sum(cluster.out for cluster in fold)
        into = apart
        if walk.started and c == 1 and layer.x == s:
            into = sum(cluster.fresh for cluster in fold)
        walk.step(1, work, into * s, 0 if walk.started else weights, rows * k)
        walk.step(ox - 1, work, apart * next_columns, 0, rows * k)
        walk.step(ox * (c - 1), work, apart * s, weights, rows * k)
        for done in range(16, layer.k, 16):
            out = rows * min(16, layer.k - done)
            walk.step(ox * c, work, 0, weights, out)
    return walk


TEMPLATES = {"kcp_ws": kcp_ws, "yxp_os": yxp_os, "rs": rs}

"""MAESTRO's three fixed mappings, one layer at a time, step class by step class.

A second hand at the same equations: `costmodel.templates` is one array expression
per mapping, this walks the loops with Python integers and fractions. Bandwidth is
taken as an exact fraction. It knows MAESTRO's faults: where the real tool returns
no time at all the answer is `None`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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


def kcp_ws(layer: Layer, pes: int, bandwidth: Fraction) -> Walk:
    if layer.depthwise:
        return flat(layer, pes, bandwidth)
    walk = Walk(bandwidth)
    r, s, stride, oy, ox = layer.r, layer.s, layer.stride, layer.oy, layer.ox
    clusters = pes // 64
    c = min(layer.c, 64)
    k_folds, c_folds = -(-layer.k // clusters), -(-layer.c // 64)
    work = r * s + walk.tau(2 * c * r * s)
    for fold in range(k_folds):
        last = fold == k_folds - 1
        kf = layer.k - fold * clusters if last else clusters
        for c_fold in range(c_folds):
            fresh = 0 if fold > 0 and c_fold == 0 else c * r * s
            walk.step(1, work, fresh, kf * c * r * s, kf)
            y_in = c * s * min(r, stride) if ox == 1 else c * r * s
            walk.step(oy - 1, work, y_in, 0, kf)
            walk.step(oy * (ox - 1), work, c * r * min(s, stride), 0, kf)
    return walk


def flat(layer: Layer, pes: int, bandwidth: Fraction) -> Walk:
    """Depthwise layers of kcp_ws and rs: channels over all PEs."""
    walk = Walk(bandwidth)
    r, s, stride, oy, ox = layer.r, layer.s, layer.stride, layer.oy, layer.ox
    rest = layer.c
    while rest > 0:
        a = min(pes, rest)
        walk.step(1, r * s, a * r * s, a * r * s, a)
        y_in = a * s * min(r, stride) if ox == 1 else a * r * s
        walk.step(oy - 1, r * s, y_in, 0, a)
        walk.step(oy * (ox - 1), r * s, a * r * min(s, stride), 0, a)
        rest -= a
    return walk


def rows_up(active: int, clusters: int, layer: Layer) -> int:
    """Output rows that leave in a step, as MAESTRO counts them."""
    short = 1 < active < clusters and layer.stride > 1
    return 1 + (active - 1) * min(layer.r, layer.stride) - short


def yxp_os(layer: Layer, pes: int, bandwidth: Fraction) -> Walk | None:
    walk = Walk(bandwidth)
    r, s, stride, oy, x = layer.r, layer.s, layer.stride, layer.oy, layer.x
    filters = 1 if layer.depthwise else layer.k
    clusters = pes // 8
    if stride == 1:
        xm, xo = s + 7, 8
        if xo <= x < xm:
            return None  # MAESTRO's fault: no step at all
    else:
        t = (7 + stride) // stride
        xm, xo = t * min(stride, s) + max(s - stride, 0), t * stride
    xm = min(xm, x)
    tiles = max(0, -(-(x - xm) // xo)) + 1
    xe = x - (tiles - 1) * xo  # columns of the last tile
    if xe < 0:
        xe = x
    xe = min(xe, xm) if xe <= xm else xe
    positions = min(8, (xm - s) // stride + 1)
    work = r * s + walk.tau((positions + 1) * r * s)
    more = max(0, -(-(xe - s + 1) // 8) - 1)
    work_last = work + more * r * s
    y_folds = -(-oy // clusters)
    for fold in range(y_folds):
        a = min(clusters, oy - fold * clusters)
        rows = rows_up(a, clusters, layer)
        out, out_last = rows * (xm - s + 1), rows * (xe - s + 1)
        halo = r + (a - 1) * min(r, stride)
        if 1 < a < clusters:
            em = layer.y - oy * stride
            em = layer.y if em < 0 else em
            short = r + (a - 2) * min(r, stride) + max(stride - r + em, 0)
        else:
            short = halo
        kinds = (
            # how many (k, c), inputs of the first tile, weights
            (1, a * r * xm, r * s),
            (filters - 1, 0, r * s),
            (filters * (layer.c - 1), short * xm, r * s),
        )
        if fold > 0:
            again = halo * xm if tiles == 1 else a * r * xm
            kinds = ((filters * layer.c, again, 0),)
        for times, inputs, weights in kinds:
            walk.step(times, work, inputs, weights, out)
        all_kc = filters * layer.c
        x_in = a * r * min(xm, xo)
        walk.step(all_kc * (tiles - 2), work, x_in, 0, out)
        if tiles > 1 and xe >= s:
            walk.step(all_kc, work_last, x_in, 0, out_last)
    return walk


def rs(layer: Layer, pes: int, bandwidth: Fraction) -> Walk:
    if layer.depthwise:
        return flat(layer, pes, bandwidth)
    walk = Walk(bandwidth)
    r, s, stride, oy, ox = layer.r, layer.s, layer.stride, layer.oy, layer.ox
    clusters = pes // r
    k = min(layer.k, 16)
    k_folds, y_folds = -(-layer.k // 16), -(-oy // clusters)
    k_last = layer.k - 16 * (k_folds - 1)
    work = k * s + walk.tau(r * s + k * r * s)
    for fold in range(y_folds):
        a = min(clusters, oy - fold * clusters)
        out = rows_up(a, clusters, layer) * k
        walk.step(1, work, a * r * s, k * r * s if fold == 0 else 0, out)
        x_in = a * r * min(s, stride) if layer.c == 1 else a * r * s
        walk.step(ox - 1, work, x_in, 0, out)
        walk.step(ox * (layer.c - 1), work, a * r * s, k * r * s, out)
        inner = ox * layer.c
        walk.step(inner * (k_folds - 2), work, 0, k * r * s, out)
        if k_folds > 1:
            last = rows_up(a, clusters, layer) * k_last
            walk.step(inner, work, 0, k * r * s, last)
    return walk


TEMPLATES = {"kcp_ws": kcp_ws, "yxp_os": yxp_os, "rs": rs}

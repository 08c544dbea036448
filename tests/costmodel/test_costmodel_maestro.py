"""The fixed mappings against a scalar walk of the same loops, on random layers."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from costmodel.templates import Shapes, evaluate
from tests.costmodel.maestro_scalar import TEMPLATES, Layer, Walk

LAYERS = [600, pytest.param(2500, marks=pytest.mark.long)]
FIELDS = ("cycles", "in_reads", "weight_reads", "out_writes")
PES = (64, 72, 100, 168, 256, 300, 512, 1000, 1024, 4096, 16384)
BANDWIDTHS = (1, 2, 3, 7, 14, 32, 50, 64, 100, 256, 1000, 10**4, 10**6)
FRACTIONS = (Fraction(1, 2), Fraction(5, 4), Fraction("6.4"), Fraction(100, 3))


def size(rng: random.Random, most: int) -> int:
    """A channel count: small, any, or a power of two."""
    any_size = rng.randint(1, most)
    return rng.choice([rng.randint(1, 8), any_size, 1 << rng.randint(0, 10)])


def random_layer(rng: random.Random) -> Layer:
    """Convolutions, one in eight depthwise, one in five a GEMM or a lone token."""
    stride = rng.choice([1, 1, 1, 2, 2, 3, 4])
    r = rng.choice([1, 1, 2, 3, 3, 4, 5, 7])
    s = r if rng.random() < 0.8 else rng.choice([1, 2, 3, 5])
    y = rng.randint(r, rng.choice([12, 60, 230]))
    x = max(s, y if rng.random() < 0.6 else rng.randint(1, 60))
    kind = rng.random()
    if kind < 0.2:
        r = s = x = stride = 1
        y = 1 if kind < 0.1 else y
    k, c = size(rng, 1500), size(rng, 1500)
    return Layer(k, c, r, s, y, x, stride, kind > 0.88)


def both(
    template: str, layer: Layer, pes: int, bandwidth: Fraction
) -> tuple[dict[str, int], Walk | None]:
    h = layer
    sizes = (h.k, h.c, h.r, h.s, h.y, h.x, h.stride)
    k, c, r, s, y, x, stride = (np.asarray(v, np.int64) for v in sizes)
    shapes = Shapes(k, c, r, s, y, x, stride, np.asarray(h.depthwise))
    run = evaluate(template, shapes, pes, bandwidth)
    got = {name: int(getattr(run, name)) for name in FIELDS}
    return got, TEMPLATES[template](layer, pes, bandwidth)


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_random_layers(template: str, layers: int) -> None:
    rng = random.Random(2024)
    compared = 0
    for _ in range(layers):
        layer, pes = random_layer(rng), rng.choice(PES)
        bandwidth = Fraction(rng.choice(BANDWIDTHS + FRACTIONS))
        got, walk = both(template, layer, pes, bandwidth)
        if walk is None:
            assert template == "yxp_os"
            macs = layer.c * layer.oy * layer.ox * layer.r * layer.s
            macs *= 1 if layer.depthwise else layer.k
            assert got["cycles"] * pes >= macs
            continue
        expected = {name: getattr(walk, name) for name in FIELDS}
        assert got == expected, f"{layer} on {pes} PEs at {bandwidth}"
        compared += 1
    assert compared > 0.95 * layers


@pytest.mark.parametrize(
    ("template", "layer", "pes", "bandwidth", "cycles", "out_writes"),
    [
        # 2 filters on 4 clusters: 1 sum leaves. d = 1 + tau(128) = 2, tau(192) = 1.
        ("kcp_ws", Layer(2, 64, 1, 1, 1, 1), 256, 100, 3, 1),
        # 5 channels of 64 PEs, 1 column, 2 rows: first 9 + tau(90); X = S, so the
        # second row brings one row of 3: tau(5·3) = 14. 4 sums leave, twice.
        ("rs", Layer(1, 5, 3, 3, 4, 3, 1, True), 64, 1, (9 + 89) + 14, 8),
        # X = 4 > S = 3: whole windows, though there is one column: tau(5·9) = 44.
        ("rs", Layer(1, 5, 3, 3, 5, 4, 2, True), 64, 1, (9 + 89) + 44, 8),
        # Stride 2, 13 columns, 1x1: tiles of 4, 4, and for one that would start at
        # 16 the row itself, in two passes. d = 1 + tau(5) = 1.
        ("yxp_os", Layer(1, 1, 1, 1, 1, 13, 2), 64, 100, 1 + 1 + 2, 4 + 4 + 13),
        # 5 rows on 4 clusters: a last fold of one cluster counts R = 3 rows.
        # d = 3 + tau(18) = 11, first 11 + tau(4·9 + 9) = 33, then 11.
        ("rs", Layer(1, 1, 3, 3, 7, 3), 12, 2, 33 + 11, 4 + 3),
        # Stride 2, 4 rows on 4 clusters and one row to spare: a fifth cluster of
        # its own fold with the 2 rows that are left.
        ("rs", Layer(1, 1, 3, 3, 10, 3, 2), 12, 2, 33 + 11, (1 + 3 * 2) + 2),
    ],
)
def test_by_hand(
    template: str,
    layer: Layer,
    pes: int,
    bandwidth: int,
    cycles: int,
    out_writes: int,
) -> None:
    got, walk = both(template, layer, pes, Fraction(bandwidth))
    assert walk is not None
    assert got["cycles"] == walk.cycles == cycles
    assert got["out_writes"] == walk.out_writes == out_writes

"""Small layers worked by hand."""

from __future__ import annotations

import pytest
from costmodel_cases import chiplet, conv, fastest, gemm

from costmodel.build import accesses_of
from costmodel.energy import energy_pj
from costmodel.mapper import BUDGETS, GOALS, best_mappings
from instances.schema import LoopBounds


@pytest.mark.parametrize(("bandwidth", "cycles"), [(1000, 4), (5, 4), (4, 5), (1, 20)])
def test_gemm_weight_stationary(bandwidth: int, cycles: int) -> None:
    """4 rows, 2 columns, inner size 2 on 4 PEs.

    All 4 weights fit the PEs (K2 x C2): 4 rows pass in 4 cycles. The NoC
    carries input 8, weights 4, outputs 8: 20 bytes, ⌈20/B⌉ cycles.
    """
    found = fastest(gemm(4, 2, 2), chiplet("ws", noc_bytes_per_cycle=bandwidth))
    assert found.cycles == cycles


@pytest.mark.parametrize(("bandwidth", "cycles"), [(1000, 4), (6, 4), (5, 5)])
def test_gemm_output_stationary(bandwidth: int, cycles: int) -> None:
    """The same: 2 rows x 2 columns of outputs at a time, 2 folds of 2 cycles.

    Input 8 once, the 4 weights once per fold, outputs 8: 24 bytes.
    """
    found = fastest(gemm(4, 2, 2), chiplet("os", noc_bytes_per_cycle=bandwidth))
    assert found.cycles == cycles


def test_gemm_working_set_and_energy() -> None:
    """A tile of one row, as no more is needed: 2·(4 + 2 inputs + 2 outputs) = 16 bytes.

    L1: 4 accesses for each of 16 MACs, 8 inputs and 4 weights written: 76.
    L2: 12 read for the NoC, 8 sums written; 12 filled, 8 drained: 40.
    16·1 + 76·1 + 40·10 = 492 pJ.
    """
    kind = chiplet("ws")
    found = fastest(gemm(4, 2, 2), kind)
    accesses = accesses_of(found, 16, 8, 4, 8)
    assert found.ws_bytes == 16
    assert found.holds_weights
    assert sum(v for name, v in accesses.items() if name.startswith("l1")) == 76
    assert sum(v for name, v in accesses.items() if name.startswith("l2")) == 40
    assert energy_pj(kind, 16, accesses) == 492


def test_small_l2_forces_refetch() -> None:
    """The same GEMM on one PE with 16 bytes of L2: 2·(1 + 1 + 1) a tile at least.

    Two bytes of each operand's doubled tile leave no room for a whole operand
    (input 8, weights 4, output 8), so one of them is read again.
    """
    found = fastest(gemm(4, 2, 2), chiplet("ws", num_pes=1, l2_bytes=12))
    assert found.ws_bytes <= 12
    assert found.reread_in + found.reread_w + found.reread_out > 0
    nothing = best_mappings(gemm(4, 2, 2), chiplet("ws", num_pes=1, l2_bytes=4))
    assert set(nothing) == {None}


@pytest.mark.parametrize(
    ("dataflow", "pes", "bandwidth", "cycles"),
    [
        # All 9 weights in place, 4 positions pass.
        ("ws", 9, 1000, 4),
        # Each of 2 output rows reads 3 rows of 4: 24 in, 9 weights, 4 out.
        ("ws", 9, 1, 37),
        # All 4 outputs in place, 9 weights pass.
        ("os", 4, 1000, 9),
        # 16 in (halos shared), 9 weights, 4 out.
        ("os", 4, 1, 29),
        # 3 filter rows x 2 output rows; each walks 2 positions x 3 columns.
        ("rs", 6, 1000, 6),
    ],
)
def test_convolution(dataflow: str, pes: int, bandwidth: int, cycles: int) -> None:
    """One 3x3 filter, one channel, 4x4 input, 2x2 output."""
    layer = conv(LoopBounds(k=1, c=1, oy=2, ox=2, r=3, s=3))
    kind = chiplet(dataflow, num_pes=pes, noc_bytes_per_cycle=bandwidth)
    assert fastest(layer, kind).cycles == cycles


def test_one_token_spreads_weights_but_not_positions() -> None:
    """One row, 8 columns, inner size 64 on 128 PEs, no NoC limit.

    Weight-stationary spreads 8·64 weights: 4 folds, 4 cycles. Output-stationary
    has 8 outputs only: 64 cycles on 8 PEs.
    """
    layer = gemm(1, 8, 64)
    assert fastest(layer, chiplet("ws", num_pes=128)).cycles == 4
    assert fastest(layer, chiplet("os", num_pes=128)).cycles == 64


def test_attention_spreads_heads() -> None:
    """6 heads of a 1 x 1 x 1 product on 6 PEs take one cycle; 2 samples take 2."""
    layer = conv(LoopBounds(k=1, c=1, oy=1, groups=6))
    layer = type(layer)("scores", "matmul", layer.bounds, 0)
    kind = chiplet("os", num_pes=6)
    assert fastest(layer, kind).cycles == 1
    assert fastest(layer, kind, samples=2).cycles == 2


def test_weights_are_held_on_request() -> None:
    """With `hold` there is one more budget, whose mappings hold all weights."""
    layer = gemm(64, 64, 64)
    kind = chiplet("ws", num_pes=16, l2_bytes=1 << 15)
    found = best_mappings(layer, kind, hold=True)
    assert len(found) == (len(BUDGETS) + 1) * len(GOALS)
    for mapping in found[-len(GOALS) :]:
        assert mapping.holds_weights
        assert mapping.ws_bytes >= 2 * 64 * 64

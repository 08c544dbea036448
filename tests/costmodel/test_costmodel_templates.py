"""The fixed mappings against MAESTRO's own results, and by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from costmodel.templates import Shapes, evaluate, shapes_of
from instances.schema import LoopBounds

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "data" / "maestro-reference.csv"
COUNTS = {
    # field of Run: column
    "cycles": "runtime_cycles",
    "macs": "macs",
    "in_reads": "in_l2_read",
    "weight_reads": "wt_l2_read",
    "out_writes": "out_l2_write",
    "in_fill": "in_l2_write",
    "weight_fill": "wt_l2_write",
    "out_drain": "out_l2_read",
}


def shapes(k=1, c=1, r=1, s=1, y=1, x=1, stride=1, depthwise=False) -> Shapes:
    values = (np.asarray(v, np.int64) for v in (k, c, r, s, y, x, stride))
    return Shapes(*values, np.asarray(depthwise))


def reference(template: str) -> list[dict[str, str]]:
    if not REFERENCE.exists():
        pytest.skip(f"no reference results: {REFERENCE} is absent")
    with REFERENCE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["dataflow"] == template]


def run(template: str, rows: list[dict[str, str]], pes: int, bandwidth: int):
    def column(name: str):
        return np.array([int(row[name]) for row in rows], np.int64)

    depthwise = np.array([row["type"] == "DSCONV" for row in rows])
    layers = Shapes(*(column(name) for name in "KCRSYX"), column("stride"), depthwise)
    return evaluate(template, layers, pes, bandwidth), column


@pytest.mark.parametrize(
    ("template", "unflagged"), [("kcp_ws", 288), ("yxp_os", 252), ("rs", 288)]
)
def test_every_unflagged_row_of_maestro(template: str, unflagged: int) -> None:
    """Cycles, MACs and L2 accesses of every tensor are equal; energy to 6 digits."""
    rows = [row for row in reference(template) if not row["flag"]]
    assert len(rows) == unflagged
    settings = {(int(row["num_pes"]), int(row["noc_bw"])) for row in rows}
    for pes, bandwidth in settings:
        here = [
            row
            for row in rows
            if (int(row["num_pes"]), int(row["noc_bw"])) == (pes, bandwidth)
        ]
        got, column = run(template, here, pes, bandwidth)
        for field, name in COUNTS.items():
            np.testing.assert_array_equal(getattr(got, field), column(name), field)
        np.testing.assert_array_equal(got.macs, column("macs_true"))
        energy = np.array([float(row["energy_xmac"]) for row in here])
        np.testing.assert_allclose(got.energy(), energy, rtol=1e-5)


def test_flagged_rows_have_the_meaning_without_faults() -> None:
    """Exact MACs and never fewer cycles than the array needs (MAESTRO: 0)."""
    rows = [row for row in reference("yxp_os") if row["flag"]]
    assert len(rows) == 36
    for row in rows:
        got, column = run("yxp_os", [row], int(row["num_pes"]), int(row["noc_bw"]))
        assert got.macs == column("macs_true")
        assert got.cycles * int(row["num_pes"]) >= got.macs


def test_kcp_ws_by_hand() -> None:
    """Two filters, two channels, 1x1, three rows of one column; 128 PEs, B = 1.

    G = 2 clusters, one K fold (kf = 2), one C fold (c = 2). tau(v) = v - 1.
    d = 1 + tau(2*2) = 4. First step: 4 + tau(2*2 + 2) = 9. Two Y steps:
    in = 2, out = 2: max(4, 1, 1) = 4 each. Together 17. Input read 2 + 2*2 = 6.
    """
    got = evaluate("kcp_ws", shapes(k=2, c=2, y=3), 128, 1)
    assert (got.cycles, got.macs, got.in_reads, got.weight_reads) == (17, 12, 6, 4)


def test_depthwise_by_hand() -> None:
    """Three channels, 1x1, two columns, 2 PEs, no limit: 2 folds of 2 steps.

    B = 1000: every transfer takes 0 cycles, every step d = 1: 4 cycles.
    """
    got = evaluate("kcp_ws", shapes(c=3, x=2, depthwise=True), 2, 1000)
    assert (got.cycles, got.macs) == (4, 6)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        # ⌈K/G⌉·⌈C/64⌉·oy·ox·R·S with G = 4: 5·2·36·9
        ("kcp_ws", 5 * 2 * 36 * 9),
        # K·C·⌈oy/G⌉·⌈ox/8⌉·R·S with G = 32: 20·100·1·1·9
        ("yxp_os", 20 * 100 * 9),
        # ⌈oy/G⌉·ox·C·⌈K/16⌉·16·S with G = 85: 1·6·100·2·16·3
        ("rs", 6 * 100 * 2 * 16 * 3),
    ],
)
def test_unlimited_bandwidth_leaves_the_folds(template: str, expected: int) -> None:
    """K 20, C 100, 3x3, 6x6 outputs on 256 PEs; also a row MAESTRO costs with 0."""
    layer = shapes(k=20, c=100, r=3, s=3, y=8, x=8)
    assert evaluate(template, layer, 256, 10**9).cycles == expected


def test_yxp_os_row_shorter_than_its_tile() -> None:
    """7x7 outputs of a 3x3 filter, where MAESTRO says 0 cycles: K·C·R·S."""
    layer = shapes(k=4, c=5, r=3, s=3, y=9, x=9)
    assert evaluate("yxp_os", layer, 64, 10**9).cycles == 4 * 5 * 9


def test_lm_head_does_not_overflow() -> None:
    """50257 x 768 x 1024 MACs are more than 32 bits hold."""
    layer = shapes(k=50257, c=768, y=1024)
    macs = 50257 * 768 * 1024
    for template in ("kcp_ws", "yxp_os", "rs"):
        got = evaluate(template, layer, 64, 64)
        assert got.macs == macs
        assert got.cycles >= macs // 64


def test_vectorised_equals_one_by_one() -> None:
    k, pes = np.array([[3], [70]]), np.array([64, 200, 512])
    many = evaluate("kcp_ws", shapes(k=k, c=5, r=3, s=3, y=9, x=9), pes, 7)
    for i in range(2):
        for j in range(3):
            layer = shapes(k=int(k[i, 0]), c=5, r=3, s=3, y=9, x=9)
            one = evaluate("kcp_ws", layer, int(pes[j]), 7)
            assert one.cycles == many.cycles[i, j]


@pytest.mark.parametrize(
    ("template", "pes", "message"),
    [
        ("kcp_ws", 63, "got 63, expected at least 64"),
        ("yxp_os", 7, "got 7, expected at least 8"),
        ("rs", 2, "got 2, expected at least 3"),
        ("ykp_os", 64, "got 'ykp_os', expected one of"),
    ],
)
def test_hardware_that_is_too_small(template: str, pes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(template, shapes(k=4, c=4, r=3, s=3, y=5, x=5), pes, 8)


def test_other_bad_input() -> None:
    with pytest.raises(ValueError, match="bandwidth"):
        evaluate("kcp_ws", shapes(), 64, 0)
    with pytest.raises(ValueError, match="filter is larger"):
        evaluate("kcp_ws", shapes(r=3, y=2), 64, 1)


def test_shapes_of_pads_and_knows_depthwise() -> None:
    layer = shapes_of(LoopBounds(k=1, c=1, oy=7, ox=6, r=3, s=3, stride=2, groups=9))
    assert layer.depthwise
    assert (layer.c, layer.y, layer.x, layer.oy, layer.ox) == (9, 15, 13, 7, 6)

"""The table: rounding, given costs, text form, errors."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from fractions import Fraction

import pytest
from costmodel_cases import chiplet, gemm, instance, single

from costmodel.build import build_table, few, operands, ticks, undominated
from costmodel.table import CostTable, Mode, TableError
from instances.load import load_instance
from instances.schema import GivenMode, Layer, LoopBounds, Model, Tensor

SHA = "0" * 64


@pytest.fixture(scope="module")
def headline() -> CostTable:
    return build_table(load_instance("headline"))


def test_headline_has_all_rows_and_is_quick() -> None:
    """151 layers on two types (2 x 151 rows), well within three seconds."""
    given = load_instance("headline")
    start = time.perf_counter()
    table = build_table(given)
    seconds = time.perf_counter() - start
    types = {c.type for c in given.package.chiplets}
    layers = {(m.name, layer.name) for m in given.models for layer in m.layers}
    assert len(layers) == 151
    assert {key[:2] for key in table.rows} == layers
    assert {key[2] for key in table.rows} == types
    assert seconds < 10
    for modes in table.rows.values():
        assert 1 <= len(modes) <= 4


def test_round_trip(headline: CostTable, tmp_path) -> None:
    path = tmp_path / "table.json"
    headline.save(path)
    again = CostTable.load(path)
    assert again == headline
    assert again.to_json() == headline.to_json() == path.read_text()
    assert again.sha256 == headline.sha256
    assert json.loads(headline.to_json())["schema"] == "cost-table/1"


def test_text_does_not_depend_on_the_order_of_rows(headline: CostTable) -> None:
    turned = replace(headline, rows=dict(reversed(list(headline.rows.items()))))
    assert turned.sha256 == headline.sha256


def test_empty_table_round_trip() -> None:
    table = CostTable(SHA, 1, 1, {})
    assert CostTable.from_json(table.to_json()) == table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "not JSON"),
        ("[]", "got list, expected an object"),
        ('{"rows": [', "not JSON"),
        ("{}", "instance_sha256: missing, expected a string"),
        ('{"tick_ps": 0}', "tick_ps: got 0, expected an integer of at least 1"),
        ('{"rows": [1]}', r"rows\[0\]: got 1, expected an object"),
        ('{"rows": [{"ws_bytes": 1.5}]}', r"rows\[0\].ws_bytes: got 1.5"),
        ('{"rows": [{"ri_bytes": {"u": -1}}]}', r"rows\[0\].ri_bytes: got"),
        ('{"rows": [{"macs": true}]}', r"rows\[0\].macs: got True"),
        ('{"rows": [{"colour": 1}]}', r"rows\[0\].colour: unknown"),
        ('{"schema": "cost-table/9"}', "schema: got 'cost-table/9'"),
        ('{"rows": [{"utilisation": NaN}]}', r"rows\[0\].utilisation: got nan"),
    ],
)
def test_a_corrupt_file_is_one_error(text: str, expected: str, tmp_path) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(TableError, match=expected) as caught:
        CostTable.load(path)
    assert all(fault.startswith(str(path)) for fault in caught.value.faults)


def test_all_faults_are_listed() -> None:
    with pytest.raises(TableError) as caught:
        CostTable.from_json('{"schema": "cost-table/1", "tick_ps": -1, "rows": 3}')
    assert len(caught.value.faults) == 4


def test_not_text(tmp_path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="not text"):
        CostTable.load(path)


@pytest.mark.parametrize(
    ("cycles", "clock", "tick_ps", "expected"),
    [
        (5, "500", 2000, 5),  # a tick is a cycle
        (5, "500", 4000, 3),  # 2.5 ticks
        (3, "1000", 1, 3000),
        (1, "333.3", 1, 3001),  # 3000.30003 ps
    ],
)
def test_ticks_round_up(cycles: int, clock: str, tick_ps: int, expected: int) -> None:
    assert ticks(cycles, Fraction(clock), tick_ps) == expected


def test_given_costs_are_the_table() -> None:
    """Just those rows, unchanged, modes in their order."""
    kind = chiplet("ws")
    costs = (
        GivenMode("m", "gemm", "ws", 7, 8, 9, 1, {"in": 2}, 3, False),
        GivenMode("m", "gemm", "ws", 6, 9, 9),
    )
    given = instance([kind], (single(gemm(4, 2, 2)),), costs=costs)
    table = build_table(given, SHA)
    assert table.rows == {
        ("m", "gemm", "ws"): (
            Mode(7, 8, 9, 1, {"in": 2}, 3, False),
            Mode(6, 9, 9),
        )
    }
    assert CostTable.from_json(table.to_json()) == table


def test_no_row_where_nothing_fits() -> None:
    small, big = chiplet("ws", l2_bytes=4), chiplet("os")
    table = build_table(instance([small, big], (single(gemm(4, 2, 2)),)), SHA)
    assert set(table.rows) == {("m", "gemm", "os")}


def test_fixed_mappings_are_dataflows() -> None:
    """`rs_fixed` is the template `rs`; too few PEs is an error that says so."""
    kinds = [chiplet(d, num_pes=64) for d in ("kcp_ws", "yxp_os", "rs_fixed")]
    table = build_table(instance(kinds, (single(gemm(4, 2, 2)),)), SHA)
    assert len(table.rows) == 3
    bad = instance([chiplet("kcp_ws", num_pes=8)], (single(gemm(4, 2, 2)),))
    with pytest.raises(ValueError, match="num_pes: got 8"):
        build_table(bad, SHA)
    bad = instance([chiplet("magic")], (single(gemm(4, 2, 2)),))
    with pytest.raises(ValueError, match="dataflow: got 'magic'"):
        build_table(bad, SHA)


def test_dominated_modes_go() -> None:
    """The second is worse in energy, equal elsewhere; the third trades."""
    fast, worse, small = Mode(5, 5, 9), Mode(5, 6, 9), Mode(6, 5, 3)
    assert undominated([small, worse, fast, fast]) == (fast, small)
    assert undominated([Mode(5, 5, 9, ri_bytes={"u": 1}), fast]) == (fast,)


def test_few_modes_are_the_best_of_each_kind() -> None:
    """Fastest, least energy, least refetch, least working set; the rest is left out."""
    fast, thrifty, middle = Mode(1, 9, 9, 9), Mode(9, 1, 9, 9), Mode(5, 5, 5, 5)
    still, small = Mode(9, 9, 9, 0), Mode(9, 9, 1, 9)
    modes = (fast, middle, thrifty, still, small)
    assert few(modes, 4) == (fast, thrifty, still, small)
    assert few(modes, 1) == (fast,)
    assert few(modes, 2) == (fast, thrifty)
    assert few(modes, 5) == modes
    assert few((), 4) == ()


def test_few_modes_are_spread() -> None:
    """1 and 9 are best at something; of 2, 5 and 8 the one farthest from both."""
    modes = tuple(Mode(n, 10 - n, 10 - n, 10 - n) for n in (1, 2, 5, 8, 9))
    assert few(modes, 3) == (modes[0], modes[2], modes[4])


def test_held_weights_are_read_once_a_round() -> None:
    """10 bytes of weights: held 10, not held 2 · 10 in two mini-batches, in one 10."""
    fast = Mode(1, 1, 1, holds_weights=False)
    held, small = Mode(2, 2, 2, ro_bytes=1), Mode(2, 2, 1, holds_weights=False)
    assert few((fast, small, held), 2, 10, 2) == (fast, held)
    assert few((fast, small, held), 2, 10, 1) != (fast, held)


def test_operands_are_said_by_the_layer() -> None:
    """Scores times values: said where the order of the tensors is another."""
    values, scores = Tensor("v", None, ("l",), 64), Tensor("s", "x", ("l",), 32)
    bounds = LoopBounds(k=8, c=4, oy=4, groups=2)
    plain = Layer("l", "matmul", bounds, 0)
    assert operands(plain, [values, scores]) == ([values], scores)
    said = replace(plain, operands=("s", "v"))
    assert operands(said, [values, scores]) == ([scores], values)
    assert operands(plain, [values]) == ([values], values)
    assert operands(plain, []) == ([], None)
    gemm_of = Layer("l", "gemm", LoopBounds(k=4, c=4, oy=4), 16, ("s",))
    assert operands(gemm_of, [values, scores]) == ([scores], None)
    joined = replace(gemm_of, operands=("v", "s"))
    assert operands(joined, [values, scores]) == ([values, scores], None)


def halves(op: str, bounds: LoopBounds, weight_bytes: int) -> tuple[Model, Model]:
    """A layer that reads one tensor of 4096 bytes, and one that reads it in two."""
    out = Tensor("out", "p", (), bounds.outputs, output=True)
    whole = (Tensor("a", None, ("p",), 4096), out)
    parts = (Tensor("a", None, ("p",), 1024), Tensor("b", None, ("p",), 3072), out)
    layer = Layer("p", op, bounds, weight_bytes)
    return (
        Model("m", (layer,), whole),
        Model("m", (replace(layer, operands=("a", "b")),), parts),
    )


@pytest.mark.parametrize(
    ("op", "bounds", "weight_bytes"),
    [
        ("gemm", LoopBounds(k=64, c=64, oy=64), 4096),
        ("max_pool", LoopBounds(k=64, c=1, oy=4, ox=4, r=2, s=2, stride=2), 0),
    ],
)
def test_joined_operands_cost_what_one_tensor_costs(
    op: str, bounds: LoopBounds, weight_bytes: int
) -> None:
    """Two tensors joined along the channels; refetch goes by their bytes, 1 to 3."""
    one, two = halves(op, bounds, weight_bytes)
    chiplets = [chiplet("os", l2_bytes=1024)]
    key = "m", "p", "os"
    single = build_table(instance(chiplets, (one,)), SHA).rows[key]
    joined = build_table(instance(chiplets, (two,)), SHA).rows[key]
    for mode, other in zip(single, joined, strict=True):
        assert replace(mode, ri_bytes={}) == replace(other, ri_bytes={})
        if mode.ri_bytes:
            assert 4 * other.ri_bytes["a"] == mode.ri_bytes["a"]
            assert 4 * other.ri_bytes["b"] == 3 * mode.ri_bytes["a"]
    assert op == "max_pool" or any(mode.ri_bytes for mode in single)


def test_every_refetch_of_the_headline_is_booked_to_an_operand(
    headline: CostTable,
) -> None:
    """Residuals are read once; only operands can be read again."""
    given = load_instance("headline")
    layers = {(m.name, x.name): x for m in given.models for x in m.layers}
    assert all(layer.operands for layer in layers.values())
    assert layers["gpt2", "h3.context"].operands == ("h3.scores", "h3.v")
    assert layers["gpt2", "h3.proj"].operands == ("h3.context",)
    for (model, name, _), modes in headline.rows.items():
        for mode in modes:
            assert set(mode.ri_bytes) <= set(layers[model, name].operands)


def test_refetch_is_booked_to_the_operands() -> None:
    """A product of 64x64 operands with 1 KiB of L2 has to read some again."""
    layer = Layer("p", "matmul", LoopBounds(k=64, c=64, oy=64), 0)
    tensors = (
        Tensor("a", None, ("p",), 4096),
        Tensor("b", None, ("p",), 4096),
        Tensor("out", "p", (), 4096, output=True),
    )
    model = Model("m", (layer,), tensors)
    table = build_table(instance([chiplet("os", l2_bytes=1024)], (model,)), SHA)
    for mode in table.rows["m", "p", "os"]:
        assert sum(mode.ri_bytes.values()) + mode.ro_bytes > 0
        assert set(mode.ri_bytes) <= {"a", "b"}

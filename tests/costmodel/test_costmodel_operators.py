"""Vector work: operations and bytes by hand and by plain loops that count them."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import exp, isclose, sqrt, tanh
from pathlib import Path

import pytest
from costmodel_cases import chiplet, instance
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel.operators
from costmodel.build import build_table
from costmodel.operators import COSTS, vector_mapping, vector_work
from instances.schema import Layer, LoopBounds, Model, Tensor
from instances.shapes import weight_elements
from instances.vocabulary import POOLS, VECTOR_OPERATORS
from tests.loop_nests import pool


def vector(op: str, bounds: LoopBounds, element_bytes: int = 1) -> Layer:
    return Layer("l", op, bounds, weight_elements(op, bounds) * element_bytes)


class Counted(float):
    """A number that counts the operations done on it, in `Counted.operations`."""

    operations = 0


def _counting(name: str):
    def operation(self: float, *others: float) -> Counted:
        Counted.operations += 1
        return Counted(getattr(float, name)(self, *others))

    return operation


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv"):
    setattr(Counted, f"__{_name}__", _counting(f"__{_name}__"))
Counted.__neg__ = _counting("__neg__")


def counted(function, *values: float) -> Counted:
    Counted.operations += 1
    return Counted(function(*values))


def sigmoid(x: Counted) -> Counted:
    return 1 / (1 + counted(exp, -x))


def gelu(x: Counted) -> Counted:
    inner = (x + x * x * x * 0.044715) * sqrt(2 / 3.141592653589793)
    return (1 + counted(tanh, inner)) * x * 0.5


def softmax(xs: list[Counted]) -> list[Counted]:
    top, total, powers = Counted("-inf"), Counted(0), []
    for x in xs:
        top = counted(max, top, x)
    for x in xs:
        powers.append(counted(exp, x - top))
        total = total + powers[-1]
    return [power / total for power in powers]


def layer_norm(xs: list[Counted], scale: float = 2.0, shift: float = 3.0):
    total, square, centred = Counted(0), Counted(0), []
    for x in xs:
        total = total + x
    mean = total / len(xs)
    for x in xs:
        centred.append(x - mean)
        square = square + centred[-1] * centred[-1]
    one_over = 1 / counted(sqrt, square / len(xs) + 1e-5)
    return [x * one_over * scale + shift for x in centred]


def rms_norm(xs: list[Counted], scale: float = 2.0):
    square = Counted(0)
    for x in xs:
        square = square + x * x
    one_over = 1 / counted(sqrt, square / len(xs) + 1e-5)
    return [x * one_over * scale for x in xs]


ELEMENTWISE = {
    "relu": lambda x: counted(max, x, 0.0),
    "tanh": lambda x: counted(tanh, x),
    "sigmoid": sigmoid,
    "silu": lambda x: sigmoid(x) * x,
    "gelu": gelu,
    "batch_norm": lambda x: x * 2.0 + 3.0,
    "embedding": lambda x: x,
}
ALONG = {
    "softmax": softmax,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": layer_norm,
}


@pytest.mark.parametrize("op", [*ELEMENTWISE, *ALONG])
def test_operations_are_those_of_carrying_it_out(op: str) -> None:
    """2 groups, 3 channels, 2 rows, 2 columns, 2 samples: 48 elements."""
    bounds = LoopBounds(k=3, c=1, oy=2, ox=2, groups=2)
    values = [Counted(v / 7 - 3) for v in range(48)]
    Counted.operations = 0
    if op in ELEMENTWISE:
        made = [ELEMENTWISE[op](x) for x in values]
    else:
        length = 12 if op == "group_norm" else 3
        made = [
            y for i in range(0, 48, length) for y in ALONG[op](values[i : i + length])
        ]
    work = vector_work(vector(op, bounds), samples=2)
    assert work.operations == Counted.operations
    assert work.inputs == len(values)
    assert work.outputs == len(made)


def test_the_operators_that_are_counted_are_right() -> None:
    xs = [Counted(v) for v in (1.0, 2.0, 4.0)]
    assert isclose(sum(softmax(xs)), 1)
    assert isclose(sum(layer_norm(xs, shift=0.0)), 0, abs_tol=1e-9)
    assert isclose(gelu(Counted(1.0)), 0.8412, abs_tol=1e-4)
    assert isclose(sigmoid(Counted(0.0)), 0.5)
    assert {*COSTS, *POOLS, "add", "multiply"} == set(VECTOR_OPERATORS)
    assert set(COSTS) == {*ELEMENTWISE, *ALONG}


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_pooling_counted(stride: int) -> None:
    """Comparisons of a maximum; an average has a multiplication more per output."""
    outputs, compared, touched = pool((3, 7, 9), (3, 2), stride)
    oy, ox = (7 - 3) // stride + 1, (9 - 2) // stride + 1
    bounds = LoopBounds(k=3, c=1, oy=oy, ox=ox, r=3, s=2, stride=stride)
    most = vector_work(vector("max_pool", bounds))
    assert (most.outputs, most.operations) == (outputs, compared)
    assert vector_work(vector("average_pool", bounds)).operations == compared + outputs
    high = max(at[1] for at in touched) + 1
    wide = max(at[2] for at in touched) + 1
    assert most.inputs == 3 * high * wide >= len(touched)
    if stride <= 2:
        assert most.inputs == len(touched)


def test_global_pooling_reads_all_and_leaves_a_number_a_channel() -> None:
    """64 channels of 7x7: 49 operations each."""
    work = vector_work(vector("average_pool", LoopBounds(64, 1, 1, 1, 7, 7)), 2)
    assert (work.inputs, work.outputs) == (2 * 64 * 49, 2 * 64)
    assert work.operations == 2 * 64 * 49


@pytest.mark.parametrize(("reads", "operations"), [(1, 24), (2, 24), (3, 48)])
def test_additions_of_several_tensors(reads: int, operations: int) -> None:
    work = vector_work(vector("add", LoopBounds(k=4, c=1, oy=6)), 1, reads)
    assert (work.operations, work.inputs) == (operations, 24 * reads)


def test_softmax_by_hand() -> None:
    """4 rows of 8 on 4 lanes: 5·32 = 160 operations, 40 cycles; 64 bytes at 2: 32.

    A row is a piece: 4 lanes need one; strip 8 in and 8 out, twice: 32 bytes.
    L1: 32 in, 2·160 operands, 160 results; L2: 32 filled, 32 sent, 32 made, 32
    drained. Energy 160·1 + 512·1 + 128·10 = 1952 pJ.
    """
    kind = chiplet("ws", num_pes=4, noc_bytes_per_cycle=2)
    layer = vector("softmax", LoopBounds(k=8, c=1, oy=4))
    found = vector_mapping(layer, kind)
    assert (found.cycles, found.ws_bytes, found.operations) == (40, 32, 160)
    assert found.accesses["l1/input"] + found.accesses["l1/output"] == 512
    assert found.accesses["l2/input"] + found.accesses["l2/output"] == 128
    assert "strips of 1 of 4" in found.text
    slow = vector_mapping(layer, replace(kind, noc_bytes_per_cycle=Fraction(1)))
    assert slow.cycles == 64
    few = vector_mapping(layer, replace(kind, vector_lanes=1))
    assert few.cycles == 160
    # 16 lanes want two rows in the strip: 64 bytes; with 63 only one fits, 31: none.
    wide = replace(kind, num_pes=16)
    assert vector_mapping(layer, wide).ws_bytes == 64
    assert vector_mapping(layer, replace(wide, l2_bytes=63)).ws_bytes == 32
    assert vector_mapping(layer, replace(wide, l2_bytes=31)) is None


def test_a_vector_that_exceeds_the_array_crosses_once_a_pass() -> None:
    """A row of 8 against 4 PEs of 1 byte: three passes, 3·32 + 32 = 128 bytes."""
    kind = chiplet("ws", num_pes=4, noc_bytes_per_cycle=1, l1_bytes_per_pe=1)
    found = vector_mapping(vector("softmax", LoopBounds(k=8, c=1, oy=4)), kind)
    assert found.cycles == 128
    assert found.accesses["l2/input"] == 96 + 32


def test_scales_cross_once_for_all_samples() -> None:
    """6 channels, 2 samples: 12 scales and shifts; 24 + 12 + 24 bytes at 1."""
    kind = chiplet("ws", noc_bytes_per_cycle=1, num_pes=100)
    layer = vector("layer_norm", LoopBounds(k=6, c=1, oy=2))
    assert layer.weight_bytes == 12
    found = vector_mapping(layer, kind, samples=2)
    assert found.cycles == 60
    assert found.accesses["l2/weight"] == 24
    # All of 4 vectors, in and out, and the scales; twice.
    assert found.ws_bytes == 2 * (24 + 24 + 12)


def test_a_lookup_reads_the_rows_not_the_table() -> None:
    """5 rows of 16: 80 bytes in, 80 out, whatever the size of the table."""
    kind = chiplet("ws", noc_bytes_per_cycle=4)
    layer = vector("embedding", LoopBounds(k=16, c=1, oy=5))
    assert layer.weight_bytes == 0
    one = vector_mapping(layer, kind, reads=1)
    assert one.cycles == 40
    assert one == vector_mapping(layer, kind, reads=2)


@st.composite
def vector_layers(draw: st.DrawFn) -> Layer:
    op = draw(st.sampled_from(VECTOR_OPERATORS))
    size = st.integers(1, 12)
    window = {}
    if op in POOLS:
        names = ("r", "s", "stride", "dilation")
        window = {name: draw(st.integers(1, 3)) for name in names}
    k, oy, ox, groups = (draw(size) for _ in range(4))
    return vector(op, LoopBounds(k=k, c=1, oy=oy, ox=ox, groups=groups, **window))


@given(vector_layers(), st.integers(1, 300), st.integers(1, 50), st.integers(1, 3))
def test_laws(layer: Layer, pes: int, bandwidth: int, reads: int) -> None:
    """Never below the rooflines; bytes scale with precision; batches with samples."""
    kind = chiplet("ws", num_pes=pes, noc_bytes_per_cycle=bandwidth, l2_bytes=2**40)
    one = vector_work(layer, 1, reads)
    three = vector_work(layer, 3, reads)
    assert three.operations == 3 * one.operations
    assert (three.inputs, three.outputs) == (3 * one.inputs, 3 * one.outputs)
    base = vector_mapping(layer, kind, 1, 1, reads)
    for size in (1, 2, 4):
        scaled = replace(layer, weight_bytes=size * layer.weight_bytes)
        roomy = replace(kind, l1_bytes_per_pe=kind.l1_bytes_per_pe * size)
        found = vector_mapping(scaled, roomy, 1, size, reads)
        moved = size * (one.inputs + one.outputs) + scaled.weight_bytes
        assert found.cycles >= max(1, one.operations / pes, moved / bandwidth)
        assert found.ws_bytes == size * base.ws_bytes
        assert found.operations == base.operations
        assert found.accesses == {n: size * v for n, v in base.accesses.items()}


MORE = ("num_pes", "noc_bytes_per_cycle", "l2_bytes", "l1_bytes_per_pe")


@settings(derandomize=True, database=None)
@given(
    vector_layers(),
    st.integers(1, 300),
    st.integers(1, 50),
    st.integers(1, 2000),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(2, 5),
    st.sampled_from(MORE),
)
def test_more_never_hurts_nor_do_samples_together(
    layer: Layer,
    pes: int,
    bandwidth: int,
    l2_bytes: int,
    l1_bytes: int,
    reads: int,
    samples: int,
    what: str,
) -> None:
    """Every operator, tight memories too: cycles and every access."""
    kind = chiplet(
        "ws",
        num_pes=pes,
        noc_bytes_per_cycle=bandwidth,
        l2_bytes=l2_bytes,
        l1_bytes_per_pe=l1_bytes,
    )
    one = vector_mapping(layer, kind, 1, 1, reads)
    together = vector_mapping(layer, kind, samples, 1, reads)
    bigger = replace(kind, **{what: getattr(kind, what) + 7})
    more = vector_mapping(layer, bigger, 1, 1, reads)
    assert (one is None) == (together is None)
    if one is None:
        return
    assert more is not None
    assert more.cycles <= one.cycles
    assert more.accesses["noc/input"] <= one.accesses["noc/input"]
    assert together.cycles <= samples * one.cycles
    assert one.ws_bytes <= l2_bytes
    for name, amount in one.accesses.items():
        assert amount <= together.accesses[name] <= samples * amount


def test_rows_of_the_table() -> None:
    """A norm of 4 vectors of 2: 4·2·7 + 4·5 = 76 operations on 4 lanes, 19 cycles."""
    layer = vector("layer_norm", LoopBounds(k=2, c=1, oy=4), 2)
    tensors = (
        Tensor("in", None, ("l",), 16),
        Tensor("out", "l", (), 16, output=True),
    )
    kinds = [chiplet("ws"), chiplet("os", l2_bytes=3)]
    model = Model("m", (layer,), tensors)
    given_ = instance(kinds, (model,), bytes_per_element=2)
    table = build_table(given_, "0" * 64)
    [(key, modes)] = table.rows.items()
    assert key == ("m", "l", "ws")
    [mode] = modes
    found = vector_mapping(layer, kinds[0], 1, 2)
    assert (found.operations, found.cycles) == (76, 19)
    assert mode.latency_ticks == 19
    # L1: 16 + 8 moved in, 3·2·76; L2: 2·16, 2·8, 2·16 bytes; 10 fJ a quantum.
    assert mode.energy_quanta == 100 * (76 + 24 + 456 + 10 * 80)
    assert (mode.macs, mode.rw_bytes, mode.ro_bytes, mode.ri_bytes) == (76, 0, 0, {})
    assert mode.holds_weights


def test_assumptions_that_are_cited_exist() -> None:
    folder = Path(costmodel.operators.__file__).parent
    text = (folder / "ASSUMPTIONS.md").read_text(encoding="utf-8")
    stated = re.findall(r"^- \*\*A(\d+) ", text, flags=re.MULTILINE)
    assert stated == [str(number) for number in range(1, len(stated) + 1)]
    for part in ("costmodel", "instances"):
        for file in (folder.parent / part).rglob("*.py"):
            cited = re.findall(r"\bA(\d+)\b", file.read_text(encoding="utf-8"))
            assert set(cited) <= set(stated), file

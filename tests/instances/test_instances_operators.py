"""Operators in files: sizes against loops that carry them out, faults at their line."""

from __future__ import annotations

from itertools import product
from math import isqrt

import pytest
import yaml

from instances.faults import InstanceError
from instances.load import load_instance
from instances.shapes import transposed, weight_elements
from instances.vocabulary import OPERATORS, SCALES, VECTOR_OPERATORS
from tests.loop_nests import convolve, convolve_transposed, pool

HEAD = "schema: instance/1\nname: x\npackage: 2x2\nbytes_per_element: {size}\nmodels:\n"


def read(tmp_path, layer, size=1, more=""):
    """The only layer of a file; the layer stands in line 8."""
    file = tmp_path / "x.yaml"
    text = "- name: m\n  layers:\n  - {name: l, " + layer + "}\n  tensors:\n"
    text += "  - {name: a, consumers: [l], bytes: 8}\n"
    text += "  - {name: b, consumers: [l], bytes: 8}\n"
    file.write_text(HEAD.format(size=size) + text + more)
    return load_instance(file).models[0].layers[0]


def filled(*sizes):
    """Values that tell places apart."""
    return {
        at: 1 + sum(n * v for n, v in zip((7, 31, 5, 3), at, strict=False))
        for at in product(*map(range, sizes))
    }


CONVOLUTIONS = [
    # channels in and out, rows, columns, r, s, stride, padding, dilation, groups
    (1, 1, 3, 3, 1, 1, 1, 0, 1, 1),
    (2, 3, 5, 4, 3, 2, 1, 0, 1, 1),
    (2, 3, 5, 4, 3, 3, 1, 1, 1, 1),
    (1, 2, 7, 6, 3, 3, 2, 1, 1, 1),
    (1, 1, 7, 7, 2, 2, 3, 0, 1, 1),
    (1, 2, 7, 5, 3, 2, 1, 2, 2, 1),
    (1, 1, 9, 8, 2, 3, 2, 1, 3, 1),
    (4, 6, 4, 4, 3, 3, 1, 1, 1, 2),
    (3, 3, 5, 5, 3, 3, 2, 1, 1, 3),
    (3, 6, 4, 4, 2, 2, 1, 1, 2, 3),
]


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_carried_out(tmp_path, case):
    """Outputs, MACs, weights and the extent of the input that is touched."""
    c, k, y, x, r, s, stride, padding, dilation, groups = case
    sizes = {"k": k // groups, "c": c // groups, "y": y, "x": x, "r": r, "s": s}
    sizes |= {"stride": stride, "padding": padding}
    sizes |= {"dilation": dilation, "groups": groups}
    bounds = yaml.safe_dump(sizes, default_flow_style=True).strip()
    layer = read(tmp_path, f"op: conv, bounds: {bounds}", size=2)
    b = layer.bounds
    filters = (k, c // groups, r, s)
    done = convolve(
        filled(c, y, x),
        (filters, filled(*filters)),
        size=(c, y, x),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    assert len(done.outputs) == b.outputs
    assert max(at[1] for at in done.outputs) + 1 == b.oy
    assert max(at[2] for at in done.outputs) + 1 == b.ox
    assert done.multiplies == b.macs == layer.macs
    assert 2 * len(done.weights) == layer.weight_bytes
    assert max(at[1] for at in done.inputs) + 1 == b.rows_in
    assert max(at[2] for at in done.inputs) + 1 == b.columns_in
    del sizes["y"], sizes["x"], sizes["padding"]
    same = yaml.safe_dump(sizes | {"oy": b.oy, "ox": b.ox}, default_flow_style=True)
    assert read(tmp_path, f"op: conv, bounds: {same.strip()}", size=2) == layer


@pytest.mark.parametrize(
    ("size", "taps", "stride"),
    [((2, 3, 2), (4, 4), 2), ((1, 2, 3), (2, 4), 2), ((2, 3, 3), (3, 6), 3)],
)
def test_transposed_convolution_is_an_ordinary_one(size, taps, stride):
    """Where stride divides the filter the two give the same numbers.

    Tap u of phase p in the sub-pixel form is tap p + stride·(T − 1 − u) of the
    filter, and the input is padded with T − 1 zeros, T = taps / stride.
    """
    k, (c, rows, columns) = 2, size
    x, w = filled(*size), filled(k, c, *taps)
    due = convolve_transposed(x, ((k, c, *taps), w), size=size, stride=stride)
    sizes = {"k": k, "c": c, "r": taps[0], "s": taps[1], "stride": stride, "groups": 1}
    sizes["oy"] = (rows - 1) * stride + taps[0]
    sizes["ox"] = (columns - 1) * stride + taps[1]
    b = transposed(sizes)
    assert (b.k, b.stride) == (k * stride**2, 1)
    assert (b.r, b.s) == (taps[0] // stride, taps[1] // stride)
    phases = list(product(range(k), range(stride), range(stride)))
    kernel = {
        (n, i, u, v): w[o, i, p + stride * (b.r - 1 - u), q + stride * (b.s - 1 - v)]
        for n, (o, p, q) in enumerate(phases)
        for i, u, v in product(range(c), range(b.r), range(b.s))
    }
    # Padding of rows and columns may differ: pad the values by hand.
    padded = {
        (i, y, z): x.get((i, y - b.r + 1, z - b.s + 1), 0)
        for i, y, z in product(range(c), range(b.rows_in), range(b.columns_in))
    }
    shape = (c, b.rows_in, b.columns_in)
    done = convolve(padded, ((b.k, c, b.r, b.s), kernel), size=shape)
    assert done.multiplies == b.macs
    assert len(done.outputs) == b.outputs == len(due.outputs)
    for (n, a, z), value in done.outputs.items():
        o, p, q = phases[n]
        assert value == due.outputs[o, a * stride + p, z * stride + q]
    assert weight_elements("conv", b) == len(due.weights)


@pytest.mark.parametrize(
    ("y", "r", "stride", "padding", "more"),
    [
        (4, 4, 2, 1, 0),
        (5, 2, 2, 0, 0),
        (4, 6, 3, 0, 0),
        (3, 3, 2, 1, 1),
        (1, 1, 2, 0, 0),
    ],
)
def test_transposed_convolution_in_a_file(tmp_path, y, r, stride, padding, more):
    """MACs are the taps that meet each output, counted; x alike, doubled filter."""
    rows = (y - 1) * stride + r - 2 * padding + more
    bounds = f"k: 3, c: 2, y: {y}, x: {y}, r: {r}, s: {r}, stride: {stride}"
    bounds += f", padding: {padding}" + (f", oy: {rows}, ox: {rows}" if more else "")
    layer = read(tmp_path, f"op: conv_transposed, bounds: {{{bounds}}}")
    along = [
        sum((o + padding - tap) % stride == 0 for tap in range(r)) for o in range(rows)
    ]
    true = 3 * 2 * sum(along) ** 2
    b = layer.bounds
    assert layer.op == "conv"
    assert layer.weight_bytes == 3 * 2 * r * r
    # A26: zero taps and cut-off outputs are worked on, so many.
    most, filled_up = -(-r // stride), isqrt(b.outputs // 3)
    assert set(along) <= {most, most - 1}
    assert rows <= filled_up < rows + stride
    assert layer.macs == 3 * 2 * (filled_up * most) ** 2
    if r % stride == 0 and rows % stride == 0:
        assert layer.macs == true


def test_transposed_convolution_of_one_column_has_phases_of_rows_only(tmp_path):
    """9 outputs of 5 taps at stride 3: 3 phases of 3 rows and 2 taps; weights 5."""
    bounds = "{k: 1, c: 1, y: 3, x: 1, r: 5, stride: 3, padding: 1}"
    layer = read(tmp_path, f"op: conv_transposed, bounds: {bounds}")
    b = layer.bounds
    assert (b.k, b.oy, b.ox, b.r, b.s, b.stride) == (3, 3, 1, 2, 1, 1)
    assert layer.weight_bytes == 5


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_pooling_carried_out(tmp_path, stride, padding):
    size, taps = (3, 7, 6), (3, 2)
    outputs, _, touched = pool(size, taps, stride, padding)
    bounds = f"{{k: 3, y: 7, x: 6, r: 3, s: 2, stride: {stride}, padding: {padding}}}"
    layer = read(tmp_path, f"op: max_pool, bounds: {bounds}")
    b = layer.bounds
    assert outputs == b.outputs
    assert max(at[1] for at in touched) + 1 == b.rows_in
    assert max(at[2] for at in touched) + 1 == b.columns_in
    assert layer.macs == 0
    assert layer.weight_bytes == 0


@pytest.mark.parametrize("op", [op for op in OPERATORS if op != "opaque"])
def test_weights_of_every_operator(tmp_path, op):
    """Two groups of 3 channels, 16 bit: filters, scales of each channel, or none."""
    layer = read(tmp_path, f"op: {op}, bounds: {{k: 3, c: 1, oy: 4, groups: 2}}", 2)
    per_channel = {"conv": 1, "gemm": 1, **SCALES}
    assert layer.weight_bytes == 2 * 6 * per_channel.get(op, 0)
    assert layer.macs == (0 if op in VECTOR_OPERATORS else 24)


def test_channels_in_have_a_default_where_there_are_none(tmp_path):
    assert read(tmp_path, "op: relu, bounds: {k: 5, oy: 2}").bounds.c == 1


def test_operands_are_read(tmp_path):
    bounds = "bounds: {k: 1, c: 1, oy: 1}"
    layer = read(tmp_path, f"op: matmul, operands: [b, a], {bounds}")
    assert layer.operands == ("b", "a")
    assert read(tmp_path, f"op: matmul, {bounds}").operands == ()
    twice = read(tmp_path, f"op: matmul, operands: [b, b], {bounds}")
    assert twice.operands == ("b", "b")


@pytest.mark.parametrize("op", ["conv", "gemm", "max_pool", "average_pool"])
def test_joined_operands_are_read(tmp_path, op):
    bounds = "bounds: {k: 1, c: 1, oy: 1}"
    layer = read(tmp_path, f"op: {op}, operands: [b, a], {bounds}")
    assert layer.operands == ("b", "a")


@pytest.mark.parametrize(
    ("layer", "place", "got", "expected"),
    [
        ("conv, bounds: {k: 1, oy: 1}", "", "nothing", "the key 'c'"),
        ("relu, bounds: {k: 1}", "", "nothing", "the key 'oy' or 'y'"),
        ("relu, bounds: {k: 1, y: 4}", "", "nothing", "the key 'ox' or 'x'"),
        ("relu, bounds: {k: 1, oy: 4, y: 5, ox: 1}", ".oy", "4", "5, as y: 5"),
        (
            "conv, bounds: {k: 1, c: 1, r: 3, s: 3, y: 9, x: 9, oy: 9, ox: 7}",
            ".oy",
            "9",
            "7, as y: 9 with padding 0 says",
        ),
        (
            "conv, bounds: {k: 1, c: 1, r: 3, y: 3, x: 3, dilation: 2}",
            ".y",
            "3 with padding 0",
            "enough for one output under r: 3",
        ),
        (
            "conv, bounds: {k: 1, c: 1, r: 3, oy: 3, padding: 1}",
            ".padding",
            "1",
            "none beside oy and ox alone",
        ),
        ("conv, bounds: {k: 1, c: 1, y: 0, x: 1}", ".y", "0", "at least 1"),
        ("conv, bounds: {k: 1, c: 1, y: 1, x: 1, padding: -1}", ".padding", "-1", "0"),
        ("conv, bounds: {k: 1, c: 1, oy: 1, stride: 0}", ".stride", "0", "at least 1"),
        ("conv, bounds: {k: 1, c: 1, oy: 1, dilation: 0}", ".dilation", "0", "least"),
        ("conv_transposed, bounds: {k: -1, c: 1, oy: 1}", ".k", "-1", "at least 1"),
        (
            "conv_transposed, bounds: {k: 1, c: 1, oy: 1, dilation: 2}",
            ".dilation",
            "2",
            "1 for 'conv_transposed'",
        ),
        (
            "conv_transposed, bounds: {k: 1, c: 1, y: 3, r: 2, x: 1, stride: 2, oy: 8}",
            ".oy",
            "8",
            "6 to 7, as y: 3",
        ),
        ("softmax, bounds: {k: 1, oy: 1, r: 2}", ".r", "2", "1 for 'softmax'"),
        ("max_pool, bounds: {k: 1, c: 4, oy: 1}", ".c", "4", "1 for 'max_pool'"),
    ],
)
def test_faults_of_bounds(tmp_path, layer, place, got, expected):
    """Exactly one fault, at the line of the layer."""
    with pytest.raises(InstanceError) as error:
        read(tmp_path, f"op: {layer}")
    [fault] = error.value.faults
    assert fault.path == f"models[0].layers[0].bounds{place}"
    assert fault.line == 8
    assert fault.got == got
    assert expected in fault.expected


@pytest.mark.parametrize(
    ("layer", "place", "expected"),
    [
        ("op: gemm, operands: [a, a]", "operands[1]", "a name that is not at"),
        ("op: matmul, operands: [a]", "operands", "2 for 'matmul'"),
        ("op: add, operands: [a]", "operands", "none for 'add'"),
        ("op: gemm, operands: [c]", "operands[0]", "a tensor read by 'l'"),
        ("op: embedding, weight_bytes: 3", "weight_bytes", "the table stays in DRAM"),
        ("op: relu, weight_bytes: 3", "weight_bytes", "no weights"),
    ],
)
def test_faults_of_layers(tmp_path, layer, place, expected):
    with pytest.raises(InstanceError) as error:
        read(tmp_path, f"{layer}, bounds: {{k: 1, c: 1, oy: 1}}")
    [fault] = error.value.faults
    assert (fault.path, fault.line) == (f"models[0].layers[0].{place}", 8)
    assert expected in fault.expected

"""AR/VR networks against published totals, and how their layers are joined."""

from __future__ import annotations

from collections import Counter

import pytest

from instances.faults import InstanceError
from instances.models import BUILDERS
from instances.models.d2go import d2go
from instances.models.emformer import emformer
from instances.models.eyecod import eyecod, ritnet
from instances.models.fbnet import fbnet_c
from instances.models.hand import hand_graph_cnn
from instances.models.hrvit import hrvit_b1
from instances.models.maps import conv, deconv, depthwise, input_map
from instances.models.midas import midas_small
from instances.models.parts import Graph
from instances.models.plane_rcnn import plane_rcnn
from instances.models.resnet import resnet
from instances.models.sparse_to_dense import sparse_to_dense
from tests.instances.test_instances_models import layer, macs, tensor, weights
from tests.instances.test_instances_networks import channels, inputs


def part(model, *starts):
    """Weights of the layers whose names start so."""
    return sum(x.weight_bytes for x in model.layers if x.name.startswith(starts))


def test_ritnet_parameters():
    """248 900 parameters (its code's count; under 1 MB of 32 bit in the abstract).

    Beside the weights a bias a channel and two numbers a channel of the norms behind
    the five blocks down.
    """
    model = ritnet()
    assert weights(model) + channels(model) + 5 * 2 * 32 == 248_900
    assert 4 * 248_900 < 1_000_000


def test_ritnet_joins_all_maps_before():
    model = ritnet()
    assert layer(model, "down2.conv31").operands == (
        *("down1.conv32", "down2.conv1", "down2.conv22"),
    )
    assert layer(model, "up4.conv11").operands == ("down5.conv32", "down4.conv32")
    assert layer(model, "up4.conv21").operands == (
        *("down5.conv32", "down4.conv32", "up4.conv12"),
    )
    assert tensor(model, "image").bytes == 160 * 100
    assert tensor(model, "out").bytes == 4 * 160 * 100


def test_fbnet_c_parameters_and_macs():
    """5.57 million parameters (timm), 5.5 million and 375 million MACs in Table 3."""
    model = fbnet_c()
    assert len(model.layers) == 63
    parameters = weights(model) + 2 * (channels(model)) + 1000
    assert parameters == 5_570_664
    assert abs(macs(model) / 375e6 - 1) < 0.01
    assert inputs(model, "block3.project") == ["block2.project", "block3.depthwise"]


def test_eyecod_is_both_networks_one_after_the_other():
    model, first, second = eyecod(), ritnet(), fbnet_c(rows=160, columns=100)
    assert weights(model) == weights(first) + weights(second)
    assert macs(model) == macs(first) + macs(second)
    assert [x.bounds for x in model.layers] == [
        x.bounds for x in (*first.layers, *second.layers)
    ]
    assert inputs(model, "gaze.conv1") == ["out", "region"]
    assert layer(model, "gaze.conv1").operands == ("region",)
    assert [x.name for x in model.tensors if x.output] == ["gaze.fc"]


def test_sparse_to_dense_has_resnet_18_and_a_channel_more():
    model, encoder = sparse_to_dense(), resnet(18)
    head = layer(encoder, "fc").weight_bytes
    due = weights(encoder) - head + 64 * 7 * 7
    assert part(model, "conv1", "layer") == due
    # 5x5 and 5x5 of C to C/2 and 3x3 of C/2 to C/2, for C = 256, 128, 64, 32.
    ups = sum(2 * 25 * c * c // 2 + 9 * c * c // 4 for c in (256, 128, 64, 32))
    assert weights(model) == due + 512 * 256 + ups + 9 * 16
    assert layer(model, "up4.bottom").bounds.oy == 128
    assert inputs(model, "up1.upper2") == ["up1.bottom", "up1.upper1"]


def test_emformer_weights_and_macs():
    """24 blocks of four products of 512 x 512 and two of 512 x 2048; rows of 128."""
    model = emformer()
    block = 4 * 512 * 512 + 2 * 512 * 2048
    assert weights(model) == 24 * block
    assert macs(model) == 24 * (128 * block + 2 * 128 * 128 * 512)
    assert inputs(model, "h1.proj") == ["h0.ff2", "h1.context"]
    assert layer(model, "h0.context").operands == ("h0.scores", "h0.kv")


def test_d2go_gates_and_region():
    model = d2go()
    assert len(model.layers) == 138
    squeeze = layer(model, "trunk.block7.squeeze").bounds
    assert (squeeze.k, squeeze.c, squeeze.oy) == (24, 96, 1)
    assert inputs(model, "trunk.block7.project") == [
        *("trunk.block7.depthwise", "trunk.block7.excite"),
    ]
    assert inputs(model, "trunk.block8.project") == [
        *("trunk.block7.project", "trunk.block8.depthwise", "trunk.block8.excite"),
    ]
    assert layer(model, "trunk.block8.project").operands == ("trunk.block8.depthwise",)
    assert layer(model, "head.block1.expand").bounds.oy == 6
    awaited = ["trunk.block25.project", "rpn.scores", "rpn.boxes"]
    assert inputs(model, "head.block1.expand") == awaited


def test_midas_small_layers_and_weights():
    """The released model has 73 convolutions and 24 depthwise ones, 33 MB in 16 bit.

    That is its card for LiteRT (litert-community/MiDaS-small).
    """
    model = midas_small()
    kinds = Counter(entry.bounds.groups > 1 for entry in model.layers)
    assert kinds == {False: 73, True: 24}
    assert round(2 * (weights(model) + channels(model)) / 1e6) == 33
    assert inputs(model, "refine2.skip.conv2") == [
        *("tap2", "refine3.out", "refine2.skip.conv1"),
    ]
    assert layer(model, "refine1.out").bounds.oy == 96
    assert tensor(model, "head.conv3").bytes == 192 * 256


def test_hand_hourglasses():
    """13 pairs of residual blocks an hourglass of four levels, 6 layers a pair."""
    model = hand_graph_cnn()
    assert sum("level" in entry.name for entry in model.layers) == 2 * 13 * 6
    smallest = layer(model, "stack1.level1.low2.0.conv2").bounds
    assert (smallest.oy, smallest.ox) == (2, 2)
    # The path at full size adds what comes from below, and the block's own source.
    assert inputs(model, "stack1.level4.up.1.conv3") == [
        *("stack1.level4.low3.1.conv3", "stack1.level4.up.0.conv3"),
        "stack1.level4.up.1.conv2",
    ]
    assert layer(model, "mesh.fc1").bounds.c == 256 * 2 * 2
    assert layer(model, "mesh.graph2.1").bounds.oy == 1280
    assert tensor(model, "mesh.graph2.1").bytes == 3 * 1280
    assert layer(model, "pose.fc1").bounds.c == 80 * 64


def test_plane_rcnn_has_resnet_101_and_a_pyramid():
    model, trunk = plane_rcnn(), resnet(101)
    head = layer(trunk, "fc").weight_bytes
    assert part(model, "conv1", "layer") == weights(trunk) - head
    laterals = 256 * (256 + 512 + 1024 + 2048)
    assert part(model, "lateral", "level") == laterals + 4 * 9 * 256 * 256
    assert inputs(model, "lateral3") == ["layer3.22.conv3", "lateral4"]
    sizes = [layer(model, f"depth.up{n}").bounds for n in range(1, 6)]
    assert [(b.oy, b.ox) for b in sizes] == [
        *((5, 5), (10, 10), (15, 20), (30, 40), (60, 80)),
    ]
    assert layer(model, "depth.up3").operands == ("depth.conv3", "depth.up2")
    assert layer(model, "head.conv1").bounds.outputs == 1024
    assert layer(model, "mask.out").bounds.oy == 8
    assert tensor(model, "refine.all.depth2").bytes == 48 * 64


def test_hrvit_b1_parameters_and_macs():
    """19.7 million parameters, norms and biases among them, and 2.7 GFLOPs.

    Both of its authors' table for ImageNet; the second is cut, not rounded.
    """
    model = hrvit_b1()
    assert 0.99 < weights(model) / 19.7e6 < 1
    assert macs(model) // 10**8 == 27


def test_hrvit_b1_attention_and_sums():
    model = hrvit_b1()
    scores = layer(model, "stage3.branch2.0.scores").bounds
    # 14 rows in stripes of 7, both ways, two heads of 32 for half of 128 channels.
    assert (scores.groups, scores.k, scores.c, scores.oy) == (2 * 2 * 2, 98, 32, 98)
    assert inputs(model, "stage3.branch2.0.scores") == ["stage3.branch2.0.qv"]
    assert layer(model, "stage3.branch2.0.scores").operands == ()
    narrow = layer(model, "stage1.branch0.0.scores").bounds
    assert (narrow.groups, narrow.k, narrow.c) == (2 * 56, 56, 16)
    assert inputs(model, "stage4.branch0.embed1") == [
        *("stage3.branch0.0.ff2", "stage4.to0.from1", "stage4.to0.from2"),
    ]
    assert inputs(model, "stage4.to1.from0.2") == [
        *("stage3.branch1.0.ff2", "stage4.to1.from2", "stage4.to1.from0.1"),
    ]
    assert inputs(model, "stage1.branch0.0.proj") == [
        *("stage1.branch0.embed2", "stage1.branch0.0.local"),
        *("stage1.branch0.0.context", "stage1.branch0.0.shortcut2"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("d2go", "emformer", "fbnet_c", "hrvit_b1"),
        *("midas_small", "plane_rcnn", "sparse_to_dense"),
    ],
)
def test_operands_have_the_channels_of_the_loops(name):
    model = BUILDERS[name]()
    size = {entry.name: entry.bytes for entry in model.tensors}
    for entry in model.layers:
        if entry.op != "matmul":
            b = entry.bounds
            total = sum(size[operand] for operand in entry.operands)
            assert total % (b.groups * b.c) == 0, entry.name


def test_maps_know_their_shapes():
    graph = Graph(samples=3, bytes_per_element=2)
    source = input_map(graph, "x", 4, 5, 7)
    wide = conv(graph, "a", source, 8, kernel=3, stride=2)
    assert (wide.channels, wide.rows, wide.columns) == (8, 3, 4)
    apart = depthwise(graph, "b", wide, 5)
    assert (apart.channels, apart.rows, apart.columns) == (8, 3, 4)
    up = deconv(graph, "c", apart, 2, 4)
    assert (up.channels, up.rows, up.columns) == (2, 6, 8)
    conv(graph, "d", up, 2, added=[up])
    model = graph.finish("m", 1, "")
    assert tensor(model, "x").bytes == 3 * 2 * 4 * 5 * 7
    assert tensor(model, "c").bytes == 3 * 2 * 2 * 6 * 8
    assert layer(model, "b").bounds.groups == 8
    assert layer(model, "c").macs == 2 * 8 * 4 * 4 * 3 * 4
    assert tensor(model, "c").consumers == ("d",)


@pytest.mark.parametrize(
    ("name", "arguments", "paths"),
    [
        ("emformer", {"tokens": 0, "samples": True}, ["tokens", "samples"]),
        ("fbnet_c", {"rows": 0, "columns": -1}, ["rows", "columns"]),
        *(
            (name, {"mini_batches": 0}, ["mini_batches"])
            for name in ("d2go", "eyecod", "hand_graph_cnn", "hrvit_b1", "midas_small")
        ),
        *(
            (name, {"samples": 0}, ["samples"])
            for name in ("plane_rcnn", "ritnet", "sparse_to_dense")
        ),
    ],
)
def test_bad_arguments(name, arguments, paths):
    with pytest.raises(InstanceError) as error:
        BUILDERS[name](**arguments)
    assert [fault.path for fault in error.value.faults] == paths

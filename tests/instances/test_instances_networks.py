"""Builders of BERT, GoogLeNet, MobileNetV2, U-Net and VGG-16 against their papers."""

from __future__ import annotations

from collections import Counter

import pytest

from instances.faults import InstanceError
from instances.models import BUILDERS
from instances.models.bert import bert
from instances.models.googlenet import INCEPTIONS, googlenet
from instances.models.mobilenet import mobilenetv2
from instances.models.unet import unet
from instances.models.vgg import vgg16
from tests.instances.test_instances_models import (
    FUSED,
    layer,
    macs,
    tensor,
    vectors,
    weights,
)


def inputs(model, name):
    """Tensors that a layer reads, in the model's order."""
    return [entry.name for entry in model.tensors if name in entry.consumers]


def channels(model):
    """Output channels of all convolutions."""
    convs = [entry for entry in model.layers if entry.op == "conv"]
    return sum(entry.bounds.groups * entry.bounds.k for entry in convs)


@pytest.mark.parametrize(
    ("size", "blocks", "width", "parameters"),
    [("base", 12, 768, 109_482_240), ("large", 24, 1024, 335_141_888)],
)
def test_bert_parameters(size, blocks, width, parameters):
    """The counts of the released uncased models, 110 and 340 million in the paper.

    109 482 240 is what the library transformers counts in its base model.
    Beside the weights: look-ups of 30 522 tokens, 512 positions, 2 segments; biases
    3d + d + 4d + d and two norms 4d a block; a norm behind the look-ups; the
    pooler's biases.
    """
    model = bert(size)
    assert len(model.layers) == 8 * blocks + 1
    tables = (30_522 + 512 + 2) * width
    others = blocks * 13 * width + 2 * width + width
    assert weights(model) + tables + others == parameters
    full = bert(size, fused=False)
    biases = blocks * 9 * width + width
    assert weights(full) + tables + biases == parameters


def test_bert_macs_at_128_tokens():
    """12·(128·12·768² + 2·128²·768) and the pooler's 768².

    11 173 625 856 + 589 824 = 11 174 215 680: 22.35 GFLOP, where TinyBERT (Jiao et
    al. 2020, Table 1) states 22.5 for the base size, vector work included.
    """
    assert macs(bert()) == 11_174_215_680
    assert 2 * macs(bert()) == pytest.approx(22.5e9, rel=0.01)
    assert macs(bert(head="none")) == 11_173_625_856


def test_bert_graph():
    """Fused as GPT-2; the pooler is the one output."""
    model = bert()
    assert tensor(model, "embedded").consumers == ("h0.q", "h0.k", "h0.v", "h0.proj")
    assert tensor(model, "h11.ff2").consumers == ("pooler",)
    assert layer(model, "pooler").bounds.oy == 1
    assert [entry.name for entry in model.tensors if entry.output] == ["pooler"]
    bare = bert(head="none")
    assert [entry.name for entry in bare.tensors if entry.output] == ["h11.ff2"]


def test_bert_with_everything_of_its_own():
    """Norms stand behind the sums: what is normed is the residual too."""
    model, fused = bert(fused=False), bert()
    assert vectors(model) == {
        **{"embedding": 3, "add": 25, "layer_norm": 25, "softmax": 12},
        **{"gelu": 12, "tanh": 1},
    }
    assert macs(model) == macs(fused)
    readers = {entry.name: entry.consumers for entry in model.tensors}
    assert inputs(model, "embedded") == [
        *("token_embedding", "position_embedding", "segment_embedding"),
    ]
    assert readers["embedded"] == ("embedded.ln",)
    assert readers["embedded.ln"] == ("h0.q", "h0.k", "h0.v", "h0.add1")
    assert readers["h0.add1"] == ("h0.ln1",)
    assert readers["h0.ln1"] == ("h0.ff1", "h0.add2")
    assert readers["h0.add2"] == ("h0.ln2",)
    assert readers["h0.ln2"] == ("h1.q", "h1.k", "h1.v", "h1.add1")
    assert readers["pooler"] == ("pooler.tanh",)


TABLE_1 = {
    # inception: parameters in 2^10, operations in 10^6
    "3a": (159, 128),
    "3b": (380, 304),
    "4a": (364, 73),
    "4b": (437, 88),
    "4c": (463, 100),
    "4d": (580, 119),
    "4e": (840, 170),
    "5a": (1072, 54),
    "5b": (1388, 71),
}


def test_googlenet_is_that_of_table_1():
    """Every inception's operations to a unit of the table, but for 5a (54M).

    Its parameters deviate by up to 8 % from what its own filter counts give (4a, 4c,
    4d, 5a, 5b), and its first row, 2.7K and 34M, is not that of a 7x7 convolution of
    3 into 64 channels: 9408 weights. The total below has no such room.
    """
    assert set(TABLE_1) == set(INCEPTIONS)
    model = googlenet()
    for name, (parameters, operations) in TABLE_1.items():
        rows = [x for x in model.layers if x.name.startswith(f"inception{name}.")]
        assert len(rows) == 6
        made = sum(x.weight_bytes for x in rows) / 1024
        assert made == pytest.approx(parameters, rel=0.08)
        done = sum(x.macs for x in rows) / 1e6
        assert done == pytest.approx(operations, abs=3 if name == "5a" else 1)
    second = [x for x in model.layers if x.name.startswith("conv2")]
    assert sum(x.weight_bytes for x in second) / 1024 == pytest.approx(112, abs=1)
    assert sum(x.macs for x in second) / 1e6 == pytest.approx(360, abs=1)
    assert layer(model, "conv1").weight_bytes == 9408


def test_googlenet_parameters_and_macs():
    """6 998 552 parameters (Caffe's bvlc_googlenet), biases among them.

    1.58 GMAC: "1.5 billion multiply-adds" in the paper's introduction.
    """
    model = googlenet()
    assert len(model.layers) == 58
    biases = channels(model) + 1000
    assert weights(model) + biases == 6_998_552
    assert macs(model) == 1_582_671_872


def test_googlenet_as_torchvision_has_it():
    """6 624 904 parameters and 1.50 GFLOPS, as torchvision's documentation states.

    Its 5x5 convolutions are 3x3: 16 taps less. Two numbers a normed channel stand for
    the biases, but for the classes'.
    """
    model = googlenet()
    rows = {"3": 28, "4": 14, "5": 7}
    less = {name: 16 * n[3] * n[4] for name, n in INCEPTIONS.items()}
    found = weights(model) - sum(less.values())
    assert found + 2 * channels(model) + 1000 == 6_624_904
    fewer = sum(n * rows[name[0]] ** 2 for name, n in less.items())
    assert (macs(model) - fewer) / 1e9 == pytest.approx(1.50, abs=0.005)


def test_googlenet_branches():
    """Four tensors go from inception to inception, each to all four branches."""
    model = googlenet()
    ends = [f"inception3a.{end}" for end in ("1x1", "3x3", "5x5", "pool_proj")]
    for branch in ("1x1", "3x3_reduce", "5x5_reduce", "pool_proj"):
        reader = layer(model, f"inception3b.{branch}")
        assert list(reader.operands) == inputs(model, reader.name) == ends
        assert sum(tensor(model, end).bytes for end in ends) == reader.bounds.c * 784
    assert inputs(model, "inception3b.3x3") == ["inception3b.3x3_reduce"]
    assert len(layer(model, "fc").operands) == 4
    assert [entry.name for entry in model.tensors if entry.output] == ["fc"]


def test_googlenet_with_poolings_of_its_own():
    """Four in the trunk, nine in inceptions, one average."""
    model = googlenet(fused=False)
    assert vectors(model) == {"max_pool": 13, "average_pool": 1}
    assert (weights(model), macs(model)) == (weights(googlenet()), macs(googlenet()))
    trunk = ["pool1", "pool2", "pool3", "pool4", "avgpool"]
    sizes = [layer(model, name).bounds.oy for name in trunk]
    assert sizes == [56, 28, 14, 7, 1]
    ends = [f"inception3b.{end}" for end in ("1x1", "3x3", "5x5", "pool_proj")]
    assert list(layer(model, "pool3").operands) == ends
    assert inputs(model, "inception4a.1x1") == ["pool3"]
    assert layer(model, "inception4a.pool").bounds.outputs == 480 * 14 * 14
    assert inputs(model, "inception4a.pool_proj") == ["inception4a.pool"]


def test_mobilenetv2_parameters_and_macs():
    """3 504 872 parameters (torchvision), 300 million MACs (Table 4: 3.4M, 300M).

    Beside the weights two numbers a normed channel and 1000 biases.
    """
    model = mobilenetv2()
    assert len(model.layers) == 53
    assert weights(model) + 2 * channels(model) + 1000 == 3_504_872
    assert macs(model) == 300_774_272


def test_mobilenetv2_shapes_and_residuals():
    """Table 2's outputs; ten bottlenecks have a shortcut."""
    model = mobilenetv2()
    last = {1: 112, 3: 56, 6: 28, 10: 14, 13: 14, 16: 7, 17: 7}
    for number, rows in last.items():
        assert layer(model, f"block{number}.project").bounds.oy == rows
    depthwise = layer(model, "block2.depthwise").bounds
    assert (depthwise.groups, depthwise.k, depthwise.c) == (96, 1, 1)
    assert (depthwise.stride, depthwise.oy) == (2, 56)
    assert "block1.expand" not in {entry.name for entry in model.layers}
    shortcuts = [
        int(entry.name.removeprefix("block").removesuffix(".project"))
        for entry in model.layers
        if entry.name.endswith(".project") and len(inputs(model, entry.name)) == 2
    ]
    assert shortcuts == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]
    assert inputs(model, "block3.project") == ["block2.project", "block3.depthwise"]
    assert layer(model, "block3.project").operands == ("block3.depthwise",)


def test_mobilenetv2_with_everything_of_its_own():
    model, fused = mobilenetv2(fused=False), mobilenetv2()
    assert vectors(model) == {"add": 10, "average_pool": 1}
    assert (weights(model), macs(model)) == (weights(fused), macs(fused))
    assert inputs(model, "block3.add") == ["block2.project", "block3.project"]
    assert tensor(model, "block3.add").consumers == ("block4.expand",)
    assert tensor(model, "avgpool").bytes == 1280


FIGURE_1 = {
    # rows behind the two convolutions of each step, of the image of 572 x 572
    **{"down1": (570, 568), "down2": (282, 280), "down3": (138, 136)},
    **{"down4": (66, 64), "bottom": (30, 28)},
    **{"up4": (54, 52), "up3": (102, 100), "up2": (198, 196), "up1": (390, 388)},
}


def test_unet_parameters_and_macs():
    """23 layers (section 2 of the paper); 31 030 593 parameters with one class.

    That is what implementations of the figure with one channel and one class report,
    biases among them. Others, in Keras, report 31 031 685: they make two channels by
    another 3x3 convolution before the last one, 1154 + 3 parameters in place of 65.
    """
    model = unet()
    assert len(model.layers) == 23
    one = unet(classes=1)
    ups = [entry for entry in one.layers if entry.name.endswith("upconv")]
    biases = channels(one) - sum(entry.bounds.k * 3 // 4 for entry in ups)
    assert weights(one) + biases == 31_030_593
    assert weights(one) + biases - (64 + 1) + (64 * 2 * 9 + 2) + (2 + 1) == 31_031_685
    assert weights(model) - weights(one) == 64
    assert macs(model) == 192_384_335_872


def test_unet_macs_with_the_rows_of_the_figure():
    """151.8 GMAC: MAESTRO's UNet_model.m, which has the figure's rows.

    There the second up-convolution has 512 filters instead of 256: it makes
    104 x 104 outputs, a tap of 512 channels each. All other filters are ours.
    """
    total = 256 * 512 * 104 * 104
    for entry in unet().layers:
        step, _, part = entry.name.partition(".")
        b = entry.bounds
        if part == "upconv":  # 2x2 phases, each as large as what comes from below
            rows = (FIGURE_1[step][0] + 2) // 2
        else:
            rows = 388 if step == "out" else FIGURE_1[step][part == "conv2"]
        total += b.k * b.c * b.r * b.s * rows * rows
    assert round(total / 1e8) == 1518


def test_unet_skips():
    """A skip is joined to what comes from below, of the same rows and channels."""
    model = unet()
    for number, width in enumerate((64, 128, 256, 512), start=1):
        rows = 512 >> (number - 1)
        pair = [f"down{number}.conv2", f"up{number}.upconv"]
        first = layer(model, f"up{number}.conv1")
        assert list(first.operands) == inputs(model, first.name) == pair
        assert [tensor(model, name).bytes for name in pair] == 2 * [width * rows * rows]
        assert first.bounds.c == 2 * width
        up = layer(model, f"up{number}.upconv")
        assert up.macs == width * 2 * width * rows * rows
    assert tensor(model, "down1.conv2").consumers == ("down2.conv1", "up1.conv1")
    assert tensor(model, "image").bytes == 512 * 512
    assert tensor(model, "out").bytes == 2 * 512 * 512


def test_unet_with_poolings_of_its_own():
    model = unet(fused=False)
    assert vectors(model) == {"max_pool": 4}
    assert (weights(model), macs(model)) == (weights(unet()), macs(unet()))
    readers = {entry.name: entry.consumers for entry in model.tensors}
    assert readers["down1.conv2"] == ("down1.pool", "up1.conv1")
    assert readers["down1.pool"] == ("down2.conv1",)
    assert [layer(model, f"down{i}.pool").bounds.oy for i in range(1, 5)] == [
        *(256, 128, 64, 32),
    ]


def test_vgg16_parameters_and_macs():
    """138 357 544 parameters (torchvision; 138 million in Table 2), 15.47 GMAC."""
    model = vgg16()
    assert len(model.layers) == 16
    biases = channels(model) + 4096 + 4096 + 1000
    assert weights(model) + biases == 138_357_544
    assert macs(model) == 15_470_264_320


def test_vgg16_with_poolings_of_its_own():
    model = vgg16(fused=False)
    assert vectors(model) == {"max_pool": 5}
    assert (weights(model), macs(model)) == (weights(vgg16()), macs(vgg16()))
    assert tensor(model, "pool5").bytes == layer(model, "fc6").bounds.c
    assert tensor(vgg16(), "conv1_2").consumers == ("conv2_1",)


@pytest.mark.parametrize("build", [bert, googlenet, mobilenetv2, unet, vgg16])
def test_fused_is_the_default(build):
    assert build() == build(fused=True)
    with pytest.raises(InstanceError, match="fused: got 1, expected true or false"):
        build(fused=1)


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("fused", [True, False])
def test_what_a_layer_reads_fits_its_loops(name, fused):
    """Operands have the channels of the loops; fused poolings leave more rows.

    AlexNet's poolings do not divide the rows: 13 x 13 become 6 x 6.
    """
    model = BUILDERS[name](fused=fused)
    size = {entry.name: entry.bytes for entry in model.tensors}
    seen = Counter()
    for entry in model.layers:
        if entry.op not in ("conv", "gemm") or entry.name == "fc6":
            continue
        b = entry.bounds
        total = sum(size[operand] for operand in entry.operands)
        assert total % (b.groups * b.c) == 0, entry.name
        seen[entry.op] += 1
    assert sum(seen.values()) == sum(
        entry.op in ("conv", "gemm") for entry in model.layers
    ) - (name in ("alexnet", "vgg16"))


@pytest.mark.parametrize(
    ("call", "paths"),
    [
        (lambda: bert("huge", tokens=0, head="x"), ["tokens", "size", "head"]),
        (lambda: bert(tokens=513), ["tokens"]),
        (lambda: googlenet(image=0), ["image"]),
        (lambda: mobilenetv2(samples=0), ["samples"]),
        (lambda: unet(image=500), ["image"]),
        (lambda: unet(channels=0, classes=0), ["channels", "classes"]),
        (lambda: vgg16(mini_batches=0), ["mini_batches"]),
    ],
)
def test_bad_arguments(call, paths):
    with pytest.raises(InstanceError) as error:
        call()
    assert [fault.path for fault in error.value.faults] == paths

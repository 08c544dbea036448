"""Builders against published totals."""

from __future__ import annotations

from collections import Counter

import pytest

from instances.faults import InstanceError
from instances.models import BUILDERS
from instances.models.alexnet import alexnet
from instances.models.gpt2 import gpt2
from instances.models.resnet import resnet
from instances.parse_model import builder_keys

FUSED = sorted(name for name in BUILDERS if "fused" in builder_keys(name))


def weights(model):
    return sum(layer.weight_bytes for layer in model.layers)


def macs(model):
    return sum(layer.macs for layer in model.layers)


def tensor(model, name):
    return next(entry for entry in model.tensors if entry.name == name)


def layer(model, name):
    return next(entry for entry in model.layers if entry.name == name)


@pytest.mark.parametrize(
    ("size", "blocks", "width", "parameters"),
    [
        ("small", 12, 768, 124_439_808),
        ("medium", 24, 1024, 354_823_168),
        ("large", 36, 1280, 774_030_080),
        ("xl", 48, 1600, 1_557_611_200),
    ],
)
def test_gpt2_parameters(size, blocks, width, parameters):
    """The published count, the head sharing the token embedding.

    Small, d = 768: layers 12·12·768² + 50257·768 = 84 934 656 + 38 597 376 =
    123 532 032; positions 1024·768 = 786 432; per block biases 3d + d + 4d + d
    and norms 4d: 12·13·768 = 119 808; last norm 2·768 = 1536. Sum 124 439 808.
    """
    model = gpt2(size)
    assert len(model.layers) == 8 * blocks + 1
    others = 1024 * width + blocks * 13 * width + 2 * width
    assert weights(model) + others == parameters


def test_gpt2_macs_at_128_tokens():
    """T·12·d² a block, twice T²·d for attention, and the head for one token.

    12·(128·12·768² + 2·128²·768) + 50257·768
    = 12·(905 969 664 + 25 165 824) + 38 597 376 = 11 212 223 232.
    """
    assert macs(gpt2()) == 11_212_223_232
    all_tokens = macs(gpt2(lm_head="all"))
    assert all_tokens == 11_212_223_232 + 127 * 50_257 * 768
    none = gpt2(lm_head="none")
    assert macs(none) == 11_212_223_232 - 50_257 * 768
    assert none.tensors[-1].output
    assert none.layers[-1].name == "h11.ff2"


def test_gpt2_tensors():
    """Bytes count samples and precision; bounds and weights of one sample."""
    model = gpt2(tokens=128, samples=3, bytes_per_element=2)
    assert tensor(model, "embedded").bytes == 3 * 2 * 128 * 768
    assert tensor(model, "h0.scores").bytes == 3 * 2 * 12 * 128 * 128
    assert tensor(model, "h0.ff1").bytes == 3 * 2 * 128 * 3072
    assert tensor(model, "lm_head").bytes == 3 * 2 * 50_257
    assert layer(model, "h0.q").weight_bytes == 2 * 768 * 768
    assert layer(model, "h0.scores").weight_bytes == 0
    assert layer(model, "h0.scores").bounds.macs == 12 * 128 * 128 * 64
    assert layer(model, "lm_head").bounds.oy == 1


def test_gpt2_graph():
    model = gpt2()
    consumers = {entry.name: entry.consumers for entry in model.tensors}
    assert consumers["embedded"] == ("h0.q", "h0.k", "h0.v", "h0.proj")
    assert consumers["h0.scores"] == ("h0.context",)
    assert consumers["h0.v"] == ("h0.context",)
    assert consumers["h0.proj"] == ("h0.ff1", "h0.ff2")
    assert consumers["h0.ff2"] == ("h1.q", "h1.k", "h1.v", "h1.proj")
    assert consumers["h11.ff2"] == ("lm_head",)
    assert [entry.name for entry in model.tensors if entry.output] == ["lm_head"]


@pytest.mark.parametrize(
    ("depth", "layers", "parameters"),
    [
        (18, 21, 11_689_512),
        (34, 37, 21_797_672),
        (50, 54, 25_557_032),
        (101, 105, 44_549_160),
        (152, 156, 60_192_808),
    ],
)
def test_resnet_parameters(depth, layers, parameters):
    """The count of torchvision: weights, two per normed channel, 1000 biases.

    Depth 50: 25 502 912 + 2·26 560 + 1000 = 25 557 032; the normed channels are
    the outputs of the 53 convolutions.
    """
    model = resnet(depth)
    assert len(model.layers) == layers
    convs = [entry for entry in model.layers if entry.op == "conv"]
    norms = sum(2 * entry.bounds.k for entry in convs)
    assert weights(model) + norms + 1000 == parameters
    if depth == 50:
        assert norms == 53_120


@pytest.mark.parametrize(
    ("depth", "total"),
    [
        (18, 1_814_073_344),
        (34, 3_663_761_408),
        (50, 4_089_184_256),
        (101, 7_801_405_440),
        (152, 11_513_626_624),
    ],
)
def test_resnet_macs(depth, total):
    """1.81, 3.66, 4.09, 7.80 and 11.51 GMAC, as torchvision states them."""
    assert macs(resnet(depth)) == total


def test_resnet50_shapes_and_graph():
    """conv1 is left unpooled: 112·112·64 = 802 816 bytes."""
    model = resnet(50)
    names = [entry.name for entry in model.layers]
    consumers = {entry.name: entry.consumers for entry in model.tensors}
    assert tensor(model, "image").bytes == 3 * 224 * 224
    assert tensor(model, "conv1").bytes == 802_816
    assert consumers["conv1"] == ("layer1.0.conv1", "layer1.0.downsample")
    first = names.index("layer1.0.downsample")
    assert names[first + 1] == "layer1.0.conv3"
    assert consumers["layer1.0.downsample"] == ("layer1.0.conv3",)
    assert consumers["layer1.0.conv3"] == ("layer1.1.conv1", "layer1.1.conv3")
    strided = [entry.name for entry in model.layers if entry.bounds.stride == 2]
    assert strided == [
        "conv1",
        *(f"layer{i}.0.{end}" for i in (2, 3, 4) for end in ("conv2", "downsample")),
    ]
    assert layer(model, "layer4.2.conv3").bounds.oy == 7
    assert tensor(model, "layer4.2.conv3").consumers == ("fc",)
    assert tensor(model, "fc").output


def test_resnet18_reads_the_pooled_shortcut_from_conv1():
    consumers = {entry.name: entry.consumers for entry in resnet(18).tensors}
    assert consumers["conv1"] == ("layer1.0.conv1", "layer1.0.conv2")


def vectors(model):
    """Layers of vector work, by operator."""
    return Counter(entry.op for entry in model.layers if not entry.macs)


@pytest.mark.parametrize("lm_head", ["last", "all", "none"])
def test_gpt2_with_everything_of_its_own(lm_head):
    """The same products; per block 2 norms, softmax, 2 sums, GELU; 4 outside."""
    model, fused = gpt2(lm_head=lm_head, fused=False), gpt2(lm_head=lm_head)
    made = {entry.name: entry.bounds for entry in model.layers if entry.macs}
    assert made == {entry.name: entry.bounds for entry in fused.layers}
    assert len(model.layers) == len(fused.layers) + 76
    assert vectors(model) == {
        **{"layer_norm": 25, "softmax": 12, "add": 25, "gelu": 12, "embedding": 2}
    }
    # Scales and shifts: 25 norms of 768 channels.
    assert weights(model) == weights(fused) + 25 * 2 * 768
    last = "lm_head" if lm_head != "none" else "ln_f"
    assert [entry.name for entry in model.tensors if entry.output] == [last]
    rows = 1 if lm_head == "last" else 128
    assert tensor(model, "ln_f").bytes == rows * 768


def test_gpt2_parameters_with_norms_and_positions():
    """124 439 808 less the biases: 12·(3d + d + 4d + d) of d = 768; positions."""
    biases = 12 * 9 * 768
    total = weights(gpt2(fused=False)) + 1024 * 768
    assert total == 124_439_808 - biases


def test_gpt2_graph_with_everything_of_its_own():
    model = gpt2(fused=False, samples=3, bytes_per_element=2)
    assert [entry.name for entry in model.layers[3:17]] == [
        *("h0.ln1", "h0.q", "h0.k", "h0.v", "h0.scores", "h0.softmax"),
        *("h0.context", "h0.proj", "h0.add1", "h0.ln2", "h0.ff1", "h0.gelu"),
        *("h0.ff2", "h0.add2"),
    ]
    consumers = {entry.name: entry.consumers for entry in model.tensors}
    stream, wide = 3 * 2 * 128 * 768, 3 * 2 * 128 * 3072
    maps = 3 * 2 * 12 * 128 * 128
    assert consumers["token_rows"] == ("wte",)
    assert consumers["position_rows"] == ("wpe",)
    assert consumers["wte"] == consumers["wpe"] == ("embedded",)
    due = {
        "embedded": (stream, ("h0.ln1", "h0.add1")),
        "h0.ln1": (stream, ("h0.q", "h0.k", "h0.v")),
        "h0.q": (stream, ("h0.scores",)),
        "h0.k": (stream, ("h0.scores",)),
        "h0.v": (stream, ("h0.context",)),
        "h0.scores": (maps, ("h0.softmax",)),
        "h0.softmax": (maps, ("h0.context",)),
        "h0.context": (stream, ("h0.proj",)),
        "h0.proj": (stream, ("h0.add1",)),
        "h0.add1": (stream, ("h0.ln2", "h0.add2")),
        "h0.ln2": (stream, ("h0.ff1",)),
        "h0.ff1": (wide, ("h0.gelu",)),
        "h0.gelu": (wide, ("h0.ff2",)),
        "h0.ff2": (stream, ("h0.add2",)),
        "h0.add2": (stream, ("h1.ln1", "h1.add1")),
        "h11.add2": (stream, ("ln_f",)),
    }
    for name, (size, readers) in due.items():
        assert (tensor(model, name).bytes, consumers[name]) == (size, readers), name
    assert layer(model, "h0.context").operands == ("h0.softmax", "h0.v")
    shares = layer(model, "h0.softmax").bounds
    assert (shares.k, shares.oy, shares.groups) == (128, 128, 12)


@pytest.mark.parametrize(("depth", "blocks"), [(18, 8), (34, 16), (50, 16), (101, 33)])
def test_resnet_with_everything_of_its_own(depth, blocks):
    """The same convolutions; a sum per block, two poolings."""
    model, fused = resnet(depth, fused=False), resnet(depth)
    made = {entry.name: entry.bounds for entry in model.layers if entry.macs}
    assert made == {entry.name: entry.bounds for entry in fused.layers}
    assert vectors(model) == {"add": blocks, "max_pool": 1, "average_pool": 1}
    assert weights(model) == weights(fused)
    tensors = {entry.name: entry for entry in model.tensors}
    channels = 512 if depth < 50 else 2048
    assert tensors["maxpool"].bytes == 64 * 56 * 56
    assert tensors["avgpool"].bytes == channels
    assert tensors["avgpool"].consumers == ("fc",)
    assert layer(model, "avgpool").bounds.rows_in == 7
    # What enters the sum and what leaves it have one size.
    for index in range(3 if depth >= 34 else 2):
        name = f"layer1.{index}.add"
        summands = [u for u in model.tensors if name in u.consumers]
        assert [u.bytes for u in summands] == 2 * [tensors[name].bytes]


def test_resnet50_graph_with_everything_of_its_own():
    consumers = {
        entry.name: entry.consumers for entry in resnet(50, fused=False).tensors
    }
    assert consumers["conv1"] == ("maxpool",)
    assert consumers["maxpool"] == ("layer1.0.conv1", "layer1.0.downsample")
    assert consumers["layer1.0.conv3"] == ("layer1.0.add",)
    assert consumers["layer1.0.downsample"] == ("layer1.0.add",)
    assert consumers["layer1.0.add"] == ("layer1.1.conv1", "layer1.1.add")
    assert consumers["layer4.2.add"] == ("avgpool",)


@pytest.mark.parametrize("image", [32, 97, 224])
def test_resnet_pools_what_there_is(image):
    """conv1 and the pooling halve, as do three groups; the rest is averaged."""
    model = resnet(18, image=image, fused=False)
    size = image
    for name in ("conv1", "maxpool"):
        size = -(-size // 2)
        assert layer(model, name).bounds.oy == size
    for _ in range(3):
        size = -(-size // 2)
    assert layer(model, "avgpool").bounds.r == size
    assert tensor(model, "layer4.1.add").bytes == 512 * size * size


@pytest.mark.parametrize("build", [alexnet, gpt2, resnet])
def test_fused_is_the_default(build):
    assert build() == build(fused=True)
    with pytest.raises(InstanceError, match="fused: got 1, expected true or false"):
        build(fused=1)


def test_alexnet_parameters_and_macs():
    """60 965 224 parameters (the reference model of Caffe), 666 MMAC convolved.

    Weights of the convolutions: 34 848 + 307 200 + 884 736 + 663 552 + 442 368 =
    2 332 704. Their 2.3 million weights and 666 million MACs are those that the
    ISSCC paper on Eyeriss (2016) states.
    """
    model = alexnet()
    biases = sum(entry.bounds.groups * entry.bounds.k for entry in model.layers)
    assert weights(model) + biases == 60_965_224
    convolved = [entry for entry in model.layers if entry.op == "conv"]
    assert sum(entry.weight_bytes for entry in convolved) == 2_332_704
    per_layer = [entry.bounds.macs for entry in convolved]
    assert per_layer == [
        105_415_200,
        223_948_800,
        149_520_384,
        112_140_288,
        74_760_192,
    ]
    assert sum(per_layer) == 665_784_864
    assert tensor(model, "image").consumers == ("conv1",)
    assert tensor(model, "conv5").bytes == 256 * 13 * 13
    assert [entry.name for entry in model.tensors if entry.output] == ["fc8"]


def test_alexnet_with_poolings_of_its_own():
    """55, 27 and 13 rows become 27, 13 and 6: ⌊(n − 3)/2⌋ + 1; fc6 reads 9216."""
    model = alexnet(fused=False)
    assert vectors(model) == {"max_pool": 3}
    assert (weights(model), macs(model)) == (weights(alexnet()), macs(alexnet()))
    pools = [entry for entry in model.layers if not entry.macs]
    assert [entry.bounds.rows_in for entry in pools] == [55, 27, 13]
    assert tensor(model, "conv5.pool").bytes == 9216
    assert tensor(model, "conv5.pool").consumers == ("fc6",)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *((name, {}) for name in sorted(BUILDERS)),
        *((name, {"fused": False}) for name in FUSED),
    ],
)
def test_builders_scale_with_precision_and_samples(name, given):
    one = BUILDERS[name](**given)
    two = BUILDERS[name](**given, samples=2, bytes_per_element=3)
    assert weights(two) == 3 * weights(one)
    for small, large in zip(one.tensors, two.tensors, strict=True):
        assert large.bytes == 6 * small.bytes
    assert macs(one) == macs(two)
    assert one.name == name


@pytest.mark.parametrize(
    ("call", "paths"),
    [
        (lambda: gpt2("huge", tokens=0), ["tokens", "size"]),
        (lambda: gpt2(tokens=1025), ["tokens"]),
        (lambda: gpt2(lm_head="first"), ["lm_head"]),
        (
            lambda: alexnet(samples=0, bytes_per_element=0),
            ["samples", "bytes_per_element"],
        ),
        (lambda: resnet(51), ["depth"]),
        (lambda: resnet(image=0, samples=-1), ["image", "samples"]),
    ],
)
def test_bad_arguments(call, paths):
    with pytest.raises(InstanceError) as error:
        call()
    assert [fault.path for fault in error.value.faults] == paths

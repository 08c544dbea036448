"""ResNet (He et al. 2016) for ImageNet, as torchvision builds it.

Source: "Deep Residual Learning for Image Recognition", Table 1; stride in the
3x3 convolution of a bottleneck block (torchvision, "ResNet v1.5").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError
from instances.models.parts import Graph, halved, require
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.schema import Model

BLOCKS = {
    # depth: (blocks of each of the four groups, bottleneck blocks)
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
CLASSES = 1000
SOURCE = "ResNet, He et al. 2016, Table 1; strides of torchvision (v1.5)"


def resnet(
    depth: int = 50,
    image: int = 224,
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "resnet",
) -> Model:
    """Return ResNet-`depth` with a 1000-class head on square RGB images.

    One layer per convolution (projection shortcuts included) and one for the
    head: 54 for depth 50. Norms and ReLU are folded into the convolutions; a
    residual addition is fused into the last convolution of its block, which
    reads the shortcut as a second input (I3). Pooling is done by whoever reads
    the unpooled tensor (I6). Not `fused`: a layer for each of these, 72 in all.

    Parameters
    ----------
    depth, image
        18, 34, 50, 101 or 152; rows and columns of the image.
    fused
        Whether poolings and residual additions are free.
    samples, mini_batches, bytes_per_element
        Images per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    require(
        {
            "depth": depth,
            "image": image,
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        },
        flags={"fused": fused},
    )
    if depth not in BLOCKS:
        expected = "one of " + ", ".join(str(known) for known in BLOCKS)
        raise InstanceError([Fault("depth", str(depth), expected)])
    counts, bottleneck = BLOCKS[depth]
    graph = Graph(samples, bytes_per_element, fused)
    tensor = graph.model_input("image", 3 * image * image)
    size = halved(image)
    tensor = graph.conv("conv1", 64, 3, size, [tensor], kernel=7, stride=2)
    size = halved(size)
    [tensor] = graph.pool("maxpool", "max_pool", 64, size, [tensor], 3, 2)
    tensor, channels, size = _groups(graph, tensor, size, counts, bottleneck)
    [tensor] = graph.pool("avgpool", "average_pool", channels, 1, [tensor], size, 1)
    graph.layer("fc", "gemm", LoopBounds(k=CLASSES, c=channels, oy=1), [tensor])
    return graph.finish(name, mini_batches, SOURCE)


def _groups(
    graph: Graph, tensor: str, size: int, counts: Sequence[int], bottleneck: bool
) -> tuple[str, int, int]:
    """Add the four groups of blocks; returns the last tensor, its channels and rows."""
    channels = 64
    for group, count in enumerate(counts):
        for index in range(count):
            path = f"layer{group + 1}.{index}"
            stride = 2 if group > 0 and index == 0 else 1
            width = 64 << group
            block = _bottleneck if bottleneck else _basic
            tensor = block(graph, path, tensor, channels, width, size, stride)
            size = size if stride == 1 else halved(size)
            channels = 4 * width if bottleneck else width
    return tensor, channels, size


def _shortcut(
    graph: Graph, path: str, tensor: str, c: int, k: int, size: int, stride: int
) -> str:
    """Add the projection if shapes differ; returns the shortcut's tensor."""
    if c == k and stride == 1:
        return tensor
    return graph.conv(f"{path}.downsample", k, c, size, [tensor], stride=stride)


def _bottleneck(
    graph: Graph, path: str, tensor: str, c: int, width: int, size: int, stride: int
) -> str:
    """Add a block of 1x1, 3x3, 1x1; `size` is that of its input."""
    end = size if stride == 1 else halved(size)
    first = graph.conv(f"{path}.conv1", width, c, size, [tensor])
    second = graph.conv(f"{path}.conv2", width, width, end, [first], 3, stride)
    short = _shortcut(graph, path, tensor, c, 4 * width, end, stride)
    return _last(graph, f"{path}.conv3", 4 * width, width, end, [second, short])


def _basic(
    graph: Graph, path: str, tensor: str, c: int, width: int, size: int, stride: int
) -> str:
    """Add a block of 3x3, 3x3; `size` is that of its input."""
    end = size if stride == 1 else halved(size)
    first = graph.conv(f"{path}.conv1", width, c, end, [tensor], 3, stride)
    short = _shortcut(graph, path, tensor, c, width, end, stride)
    return _last(graph, f"{path}.conv2", width, width, end, [first, short], 3)


def _last(
    graph: Graph,
    name: str,
    k: int,
    c: int,
    size: int,
    reads: Sequence[str],
    kernel: int = 1,
) -> str:
    """Add the last convolution of a block and the shortcut, the second of `reads`."""
    if graph.fused:
        return graph.conv(name, k, c, size, reads, kernel)
    made = graph.conv(name, k, c, size, reads[:1], kernel)
    bounds = LoopBounds(k=k, c=1, oy=size, ox=size)
    path = name.rpartition(".")[0]
    return graph.layer(f"{path}.add", "add", bounds, [made, reads[1]])

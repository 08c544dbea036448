"""MobileNetV2 (Sandler et al. 2018) from its published hyper-parameters.

Source: "MobileNetV2: Inverted Residuals and Linear Bottlenecks", Tables 1 and 2, width
multiplier 1. Parameters: 3 504 872, as torchvision states (MobileNet_V2_Weights).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.parts import Graph, halved, require
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.schema import Model

BOTTLENECKS = (
    # expansion, output channels, repeats, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
FIRST, LAST, CLASSES = 32, 1280, 1000
SOURCE = "MobileNetV2, Sandler et al. 2018, Table 2"


def mobilenetv2(
    image: int = 224,
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "mobilenetv2",
) -> Model:
    """Return MobileNetV2: 17 bottlenecks, a convolution at each end, a classifier.

    53 layers. Norms and ReLU6 are folded into the convolutions (I4); the sum of a
    bottleneck of stride 1 with as many channels out as in is fused into its last
    convolution, which reads the shortcut too (I3); the average is taken by the
    classifier (I6). Not `fused`: ten sums and the average are layers, 64 in all.

    Parameters
    ----------
    image
        Rows and columns of the image.
    fused
        Whether residual additions and the pooling are free.
    samples, mini_batches, bytes_per_element
        Images per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    require(
        {
            "image": image,
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        },
        flags={"fused": fused},
    )
    graph = Graph(samples, bytes_per_element, fused)
    tensor = graph.model_input("image", 3 * image * image)
    size, c = halved(image), FIRST
    tensor = graph.conv("conv1", c, 3, size, [tensor], 3, 2)
    number = 0
    for expansion, k, repeats, first_stride in BOTTLENECKS:
        for index in range(repeats):
            number += 1
            path, stride = f"block{number}", first_stride if index == 0 else 1
            tensor = _bottleneck(graph, path, tensor, (c, k), expansion, size, stride)
            size = size if stride == 1 else halved(size)
            c = k
    tensor = graph.conv("conv2", LAST, c, size, [tensor])
    [tensor] = graph.pool("avgpool", "average_pool", LAST, 1, [tensor], size, 1)
    graph.layer("fc", "gemm", LoopBounds(k=CLASSES, c=LAST, oy=1), [tensor])
    return graph.finish(name, mini_batches, SOURCE)


def _bottleneck(
    graph: Graph,
    path: str,
    tensor: str,
    channels: tuple[int, int],
    expansion: int,
    size: int,
    stride: int,
) -> str:
    """Add 1x1 (unless the expansion is 1), depthwise 3x3, 1x1; returns the output.

    Parameters
    ----------
    channels
        In and out.
    size
        Rows of the input.
    """
    c, k = channels
    wide, hidden = expansion * c, tensor
    if expansion > 1:
        hidden = graph.conv(f"{path}.expand", wide, c, size, [tensor])
    end = size if stride == 1 else halved(size)
    bounds = LoopBounds(1, 1, end, end, 3, 3, stride, groups=wide)
    hidden = graph.layer(f"{path}.depthwise", "conv", bounds, [hidden])
    label = f"{path}.project"
    if stride != 1 or c != k:
        return graph.conv(label, k, wide, end, [hidden])
    if graph.fused:
        return graph.conv(label, k, wide, end, [hidden, tensor])
    made = graph.conv(label, k, wide, end, [hidden])
    return graph.layer(f"{path}.add", "add", LoopBounds(k, 1, end, end), [made, tensor])

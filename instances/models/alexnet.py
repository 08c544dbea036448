"""AlexNet (Krizhevsky et al. 2012) as one network with two groups.

Source: "ImageNet Classification with Deep Convolutional Neural Networks", section
3.5; images of 227 x 227 pixels, with which the published 55 x 55 outputs come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.parts import Graph, require
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.schema import Model

IMAGE = 227
CONVOLUTIONS = {
    # name: (output channels, input channels, rows, kernel, stride, groups), channels
    # of all groups together
    "conv1": (96, 3, 55, 11, 4, 1),
    "conv2": (256, 96, 27, 5, 1, 2),
    "conv3": (384, 256, 13, 3, 1, 1),
    "conv4": (384, 384, 13, 3, 1, 2),
    "conv5": (256, 384, 13, 3, 1, 2),
}
POOLED = {"conv1": 27, "conv2": 13, "conv5": 6}  # rows after 3x3 pooling, stride 2
HEAD = {"fc6": (4096, 256 * 6 * 6), "fc7": (4096, 4096), "fc8": (1000, 4096)}
SOURCE = "AlexNet, Krizhevsky et al. 2012, section 3.5"


def alexnet(
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "alexnet",
) -> Model:
    """Return AlexNet: five convolutions, three fully connected layers.

    The layers that the original cuts between two GPUs have two groups. Pooling is
    done by whoever reads the unpooled tensor (I6); not `fused`: three layers for it,
    11 in all. The normalisation of responses is left out (I4).

    Parameters
    ----------
    fused
        Whether poolings are free.
    samples, mini_batches
        Images per mini-batch, mini-batches per round.
    bytes_per_element
        Of weights and tensors.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    require(
        {
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        },
        flags={"fused": fused},
    )
    graph = Graph(samples, bytes_per_element, fused)
    tensor = graph.model_input("image", 3 * IMAGE * IMAGE)
    for layer, (k, c, size, kernel, stride, groups) in CONVOLUTIONS.items():
        bounds = LoopBounds(
            k=k // groups,
            c=c // groups,
            oy=size,
            ox=size,
            r=kernel,
            s=kernel,
            stride=stride,
            groups=groups,
        )
        tensor = graph.layer(layer, "conv", bounds, [tensor])
        if layer in POOLED:
            rows = POOLED[layer]
            [tensor] = graph.pool(f"{layer}.pool", "max_pool", k, rows, [tensor], 3, 2)
    for layer, (k, c) in HEAD.items():
        tensor = graph.layer(layer, "gemm", LoopBounds(k=k, c=c, oy=1), [tensor])
    return graph.finish(name, mini_batches, SOURCE)

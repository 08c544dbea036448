"""VGG-16 (Simonyan and Zisserman 2015) from its published hyper-parameters.

Source: "Very Deep Convolutional Networks for Large-Scale Image Recognition", Table 1,
column D; 3x3 convolutions padded by one, 2x2 poolings of stride 2 (section 2.1).
Parameters: 138 357 544, and 15.47 GMAC, as torchvision states (VGG16_Weights).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.parts import Graph, require
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.schema import Model

IMAGE = 224
GROUPS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, channels
HEAD = {"fc6": (4096, 512 * 7 * 7), "fc7": (4096, 4096), "fc8": (1000, 4096)}
SOURCE = "VGG-16, Simonyan and Zisserman 2015, Table 1 (D)"


def vgg16(
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "vgg16",
) -> Model:
    """Return VGG-16: thirteen convolutions, three fully connected layers.

    Pooling is done by whoever reads the unpooled tensor (I6); not `fused`: five
    layers for it, 21 in all.

    Parameters
    ----------
    fused
        Whether poolings are free.
    samples, mini_batches, bytes_per_element
        Images per mini-batch, mini-batches per round, precision.

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
    size, c = IMAGE, 3
    tensor = graph.model_input("image", c * size * size)
    for group, (count, k) in enumerate(GROUPS, start=1):
        for index in range(1, count + 1):
            tensor = graph.conv(f"conv{group}_{index}", k, c, size, [tensor], 3)
            c = k
        size //= 2
        [tensor] = graph.pool(f"pool{group}", "max_pool", c, size, [tensor], 2, 2)
    for layer, (k, inputs) in HEAD.items():
        bounds = LoopBounds(k=k, c=inputs, oy=1)
        tensor = graph.layer(layer, "gemm", bounds, [tensor])
    return graph.finish(name, mini_batches, SOURCE)

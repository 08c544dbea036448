"""Sparse-to-Dense (Ma and Karaman 2018): depth from an image and some measured depths.

Source: "Sparse-to-Dense: Depth Prediction from Sparse Depth Samples and a Single
Image", section III-A and Figure 3: ResNet-18, a decoder of up-projections; KITTI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.maps import Map, conv, input_map
from instances.models.parts import checked_graph

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

WIDTHS = (64, 128, 256, 512)
UPS = 4
IMAGE = (228, 912)
SOURCE = "Sparse-to-Dense, Ma and Karaman 2018, section III-A"


def sparse_to_dense(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "sparse_to_dense",
) -> Model:
    """Return the network over colour and depth: 34 layers.

    An up-projection has two branches over the enlarged map, one of a 5x5 and a 3x3
    convolution and one of a 5x5 convolution, and adds them (I3). Pooling and enlarging
    are done by whoever reads the tensor (I6); the last map is enlarged outside.

    Parameters
    ----------
    samples, mini_batches, bytes_per_element
        Images per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    graph = checked_graph(samples, mini_batches, bytes_per_element)
    tensor = input_map(graph, "image", 4, *IMAGE)
    tensor = conv(graph, "conv1", tensor, WIDTHS[0], 7, 2).pooled()
    for group, width in enumerate(WIDTHS, start=1):
        for index in range(2):
            stride = 2 if group > 1 and index == 0 else 1
            tensor = _block(graph, f"layer{group}.{index}", tensor, width, stride)
    tensor = conv(graph, "conv2", tensor, tensor.channels // 2)
    for index in range(1, UPS + 1):
        tensor = _up(graph, f"up{index}", tensor.enlarged())
    conv(graph, "conv3", tensor, 1, 3)
    return graph.finish(name, mini_batches, SOURCE)


def _block(graph: Graph, path: str, source: Map, width: int, stride: int) -> Map:
    """Add a basic block of ResNet (He et al. 2016)."""
    first = conv(graph, f"{path}.conv1", source, width, 3, stride)
    short = source
    if stride != 1:
        short = conv(graph, f"{path}.downsample", source, width, 1, stride)
    return conv(graph, f"{path}.conv2", first, width, 3, added=[short])


def _up(graph: Graph, path: str, source: Map) -> Map:
    """Add an up-projection over the enlarged map, to half the channels."""
    k = source.channels // 2
    short = conv(graph, f"{path}.bottom", source, k, 5)
    first = conv(graph, f"{path}.upper1", source, k, 5)
    return conv(graph, f"{path}.upper2", first, k, 3, added=[short])

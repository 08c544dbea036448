"""MiDaS v2.1 small (Ranftl et al. 2022): depth from one image.

Source: "Towards Robust Monocular Depth Estimation: Mixing Datasets for Zero-shot
Cross-dataset Transfer" and its released small model; the encoder is EfficientNet-Lite3
(Tan and Le 2019, widths and depths of the released lite models). 97 convolutions, 24
of them depthwise, as the released model has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.fbnet import inverted
from instances.models.maps import Map, conv, input_map
from instances.models.parts import checked_graph

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

FIRST = 32
STAGES = (
    # blocks, channels, expansion, kernel, stride of the first
    (1, 24, 1, 3, 1),
    (3, 32, 6, 3, 2),
    (3, 48, 6, 5, 2),
    (5, 96, 6, 3, 2),
    (5, 136, 6, 5, 1),
    (6, 232, 6, 5, 2),
    (1, 384, 6, 3, 1),
)
TAPPED = {1: 64, 2: 128, 4: 256, 6: 512}  # stage -> channels in the decoder
IMAGE = (192, 256)
SOURCE = "MiDaS v2.1 small, Ranftl et al. 2022; EfficientNet-Lite3, Tan and Le 2019"


def midas_small(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "midas_small",
) -> Model:
    """Return encoder, four steps of refinement and the head: 97 layers.

    A step adds the encoder's map, refined, to what comes from below, refines the sum,
    and leaves it enlarged with half the channels. Enlarging is done by whoever reads
    the tensor (I6), sums by the last layer that makes a summand (I3).

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
    tensor = _decoded(graph, _encoded(graph))
    tensor = conv(graph, "head.conv1", tensor, tensor.channels // 2, 3).enlarged()
    tensor = conv(graph, "head.conv2", tensor, 32, 3)
    conv(graph, "head.conv3", tensor, 1)
    return graph.finish(name, mini_batches, SOURCE)


def _encoded(graph: Graph) -> list[Map]:
    """Add the encoder and the four convolutions over its stages; returns their maps."""
    tensor = conv(graph, "conv1", input_map(graph, "image", 3, *IMAGE), FIRST, 3, 2)
    taps: dict[int, Map] = {}
    for stage, (count, k, expansion, kernel, first_stride) in enumerate(STAGES):
        for index in range(count):
            path, stride = f"stage{stage}.{index}", first_stride if index == 0 else 1
            tensor = inverted(graph, path, tensor, k, expansion, kernel, stride)
        taps[stage] = tensor
    return [
        conv(graph, f"tap{stage}", taps[stage], k, 3) for stage, k in TAPPED.items()
    ]


def _decoded(graph: Graph, taps: list[Map]) -> Map:
    """Add the four steps of refinement, from the smallest map; returns the last map."""
    below: list[Map] = []
    for number, tap in reversed(list(enumerate(taps))):
        path, total = f"refine{number + 1}", tap
        if below:
            total = _residual(graph, f"{path}.skip", tap, below)
        total = _residual(graph, f"{path}.sum", total, [])
        rows, columns = total.rows * 2, total.columns * 2
        k = total.channels // 2 if number else total.channels
        below = [conv(graph, f"{path}.out", total.resized(rows, columns), k)]
    return below[0]


def _residual(graph: Graph, path: str, source: Map, added: list[Map]) -> Map:
    """Add two 3x3 convolutions whose output the source, and more, is added to."""
    first = conv(graph, f"{path}.conv1", source, source.channels, 3)
    return conv(graph, f"{path}.conv2", first, source.channels, 3, 1, [source, *added])

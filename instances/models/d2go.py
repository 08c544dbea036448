"""D2Go's Faster-RCNN on an FBNetV3 backbone: boxes of objects on a small device.

Source: "FBNetV3: Joint Architecture-Recipe Search using Predictor Pretraining" (Dai et
al. 2021) for the blocks with gates, "Faster R-CNN" (Ren et al. 2015) for proposals and
head. Blocks, widths, anchors and image of the model in D2Go: XRBench's list (I27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from instances.models.fbnet import inverted
from instances.models.maps import Map, conv, dense, input_map
from instances.models.parts import checked_graph

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

FIRST = 16


class Blocks(NamedTuple):
    """Equal blocks one after another; the first may have another stride."""

    blocks: int
    channels: int
    expansion: int
    kernel: int
    stride: int
    squeezed: int


TRUNK = (
    Blocks(2, 16, 1, 3, 1, 0),
    Blocks(1, 24, 4, 5, 2, 0),
    Blocks(3, 24, 3, 5, 1, 0),
    Blocks(1, 32, 4, 5, 2, 24),
    Blocks(3, 32, 3, 3, 1, 24),
    Blocks(1, 64, 4, 5, 2, 0),
    Blocks(3, 64, 3, 3, 1, 0),
    Blocks(1, 112, 4, 5, 1, 64),
    Blocks(10, 112, 3, 5, 1, 88),
)
HEAD = (
    Blocks(1, 184, 4, 5, 2, 112),
    Blocks(4, 184, 4, 3, 1, 184),
    Blocks(1, 200, 6, 5, 1, 280),
)
ANCHORS, BOX, CLASSES, REGION = 15, 4, 80, 6
IMAGE = (224, 299)
SOURCE = "D2Go as XRBench lists it; FBNetV3, Dai et al. 2021; Faster R-CNN, 2015"


def d2go(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "d2go",
) -> Model:
    """Return the detector: trunk, proposals, and the head on one region, 138 layers.

    The head reads the trunk's map cut to 6x6 for the region, and gives its class and,
    for each of 80, a box. Averages are taken by who reads them (I6); a gate is read by
    the projection behind it like a residual (I30).

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
    tensor = input_map(graph, "image", 3, *IMAGE)
    tensor = conv(graph, "conv1", tensor, FIRST, 3, 2)
    tensor = _blocks(graph, "trunk", tensor, TRUNK)
    scores = conv(graph, "rpn.scores", tensor, ANCHORS)
    boxes = conv(graph, "rpn.boxes", tensor, ANCHORS * BOX)
    region = tensor.resized(REGION, REGION)
    tensor = _blocks(graph, "head", region, HEAD, [scores, boxes]).resized(1, 1)
    dense(graph, "classes", tensor, CLASSES + 1)
    dense(graph, "boxes", tensor, CLASSES * BOX)
    return graph.finish(name, mini_batches, SOURCE)


def _blocks(
    graph: Graph,
    path: str,
    source: Map,
    groups: tuple[Blocks, ...],
    awaited: list[Map] | None = None,
) -> Map:
    """Add the blocks of some groups; the first layer also reads what is awaited."""
    tensor, number = source, 0
    for group in groups:
        for index in range(group.blocks):
            number += 1
            tensor = inverted(
                graph,
                f"{path}.block{number}",
                tensor,
                group.channels,
                group.expansion,
                group.kernel,
                group.stride if index == 0 else 1,
                group.squeezed,
                awaited or (),
            )
            awaited = None
    return tensor

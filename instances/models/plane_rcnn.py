"""PlaneRCNN (Liu et al. 2019): planes, their masks and depth from one image.

Source: "PlaneRCNN: 3D Plane Detection and Reconstruction from a Single Image", section
3, and the network released with it, on Mask R-CNN (He et al. 2017) with a pyramid (Lin
et al. 2017) over ResNet-101. A quarter of the image's rows and columns, and what runs
once: XRBench (I27).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from instances.models.maps import (
    Map,
    bottleneck,
    conv,
    deconv,
    dense,
    input_map,
    joined,
)
from instances.models.parts import checked_graph
from instances.models.resnet import BLOCKS

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

IMAGE = 160  # 640 in the paper
VIEW = (48, 64)  # of the refinement, 192 x 256
CUT = ((8, 10), (15, 20), (30, 40), (60, 80))  # depth, without the padding of the image
PYRAMID, ANCHORS, CLASSES, REGION = 256, 3, 8, 4
SOURCE = "PlaneRCNN, Liu et al. 2019, section 3; Mask R-CNN, He et al. 2017"


def plane_rcnn(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "plane_rcnn",
) -> Model:
    """Return the network on 160x160 pixels, its heads on one region: 153 layers.

    ResNet-101 and pyramid (112), depth (11), proposals (4, with the coordinates that
    join a region's features), class, box and plane (5), mask (6), refinement (15).

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
    levels = _pyramid(graph, _trunk(graph))
    depth = _depth(graph, levels)
    mask = _heads(graph, levels)
    _refined(graph, [depth, mask])
    return graph.finish(name, mini_batches, SOURCE)


def _trunk(graph: Graph) -> list[Map]:
    """Add ResNet-101; returns what its four groups leave."""
    source = input_map(graph, "image", 3, IMAGE, IMAGE)
    tensor = conv(graph, "conv1", source, 64, 7, 2).pooled()
    ends: list[Map] = []
    for group, count in enumerate(BLOCKS[101][0], start=1):
        width = 32 << group
        for index in range(count):
            stride = 2 if group > 1 and index == 0 else 1
            path = f"layer{group}.{index}"
            tensor = bottleneck(graph, path, tensor, width, 4 * width, stride)
        ends.append(tensor)
    return ends


def _pyramid(graph: Graph, ends: list[Map]) -> list[Map]:
    """Add the pyramid; returns its levels, the smallest (a pooled one) first."""
    lateral: list[Map] = []
    for number in range(len(ends), 0, -1):
        end = ends[number - 1]
        above = [m.resized(end.rows, end.columns) for m in lateral[-1:]]
        lateral.append(conv(graph, f"lateral{number}", end, PYRAMID, added=above))
    levels = [
        conv(graph, f"level{len(ends) - index}", entry, PYRAMID, 3)
        for index, entry in enumerate(lateral)
    ]
    return [levels[0].pooled(), *levels]


def _depth(graph: Graph, levels: list[Map]) -> Map:
    """Add the depth of the whole image; returns it.

    Each level's features are joined to those from above, enlarged and convolved; from
    the third level on, the padded rows are cut off.
    """
    smallest, second = levels[:2]
    sizes = ((second.rows, second.columns), (2 * second.rows, 2 * second.columns))
    cuts = ((smallest.rows, smallest.columns), sizes[0], *CUT[:3])
    tensor: list[Map] = []
    for number, (level, cut) in enumerate(zip(levels, cuts, strict=True), start=1):
        own = conv(graph, f"depth.conv{number}", level.resized(*cut), 128, 3)
        both = joined(own, *(entry.resized(*cut) for entry in tensor))
        size = (*sizes, *CUT[1:])[number - 1]
        k = 64 if number == len(levels) else 128
        tensor = [conv(graph, f"depth.up{number}", both.resized(*size), k, 3)]
    return conv(graph, "depth.out", tensor[0], 1, 3)


def _heads(graph: Graph, levels: list[Map]) -> Map:
    """Add proposals on the smallest level, heads of a region; returns the mask."""
    ranges = input_map(graph, "ranges", 3, levels[-1].rows, levels[-1].columns)
    places = conv(graph, "coordinates", ranges, 64)
    shared = conv(graph, "rpn.shared", levels[0], 512, 3)
    scores = conv(graph, "rpn.scores", shared, 2 * ANCHORS)
    boxes = conv(graph, "rpn.boxes", shared, 4 * ANCHORS)
    region = levels[-1].resized(REGION, REGION)
    both = joined(region, places.resized(REGION, REGION))
    # A filter of the region's size, without padding, leaves one position.
    tensor = conv(graph, "head.conv1", both, 1024, REGION, REGION, [scores, boxes])
    tensor = conv(graph, "head.conv2", tensor, 1024)
    for part, k in (("classes", 1), ("boxes", 4), ("planes", 3)):
        dense(graph, f"head.{part}", tensor, k * CLASSES)
    mask, awaited = region, [scores, boxes]
    for number in range(1, 5):
        mask = conv(graph, f"mask.conv{number}", mask, 256, 3, 1, awaited)
        awaited = []
    mask = deconv(graph, "mask.up", mask, 256, 2)
    return conv(graph, "mask.out", mask, CLASSES)


def _refined(graph: Graph, found: list[Map]) -> None:
    """Add the refinement of masks and depth, over the image and what was found.

    A layer down reads its map and what the other regions have there; of one region,
    twice the same channels.
    """
    view = input_map(graph, "view", 10, *VIEW)
    first = conv(graph, "refine.conv0", view, 32, 3, 1, found)
    second = conv(graph, "refine.conv1", _with_others(first), 64, 3, 2)
    second = conv(graph, "refine.conv1_1", _with_others(second), 64, 3)
    third = conv(graph, "refine.conv2", _with_others(second), 128, 3, 2)
    third = conv(graph, "refine.conv2_1", _with_others(third), 128, 3)
    ends = (("one", ("mask",)), ("all", ("mask", "depth")))
    for path, outputs in ends:
        tensor = deconv(graph, f"refine.{path}.up2", third, 64, 4)
        tensor = deconv(graph, f"refine.{path}.up1", joined(tensor, second), 32, 4)
        both = joined(tensor, first)
        for part in outputs:
            out = conv(graph, f"refine.{path}.{part}1", both, 16, 3)
            conv(graph, f"refine.{path}.{part}2", out, 1, 3)


def _with_others(source: Map) -> Map:
    """Return the map with as many channels again."""
    return replace(source, channels=2 * source.channels)

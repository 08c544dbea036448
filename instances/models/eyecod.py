"""EyeCoD's eye tracking (You et al. 2022): RITNet finds the eye, FBNet-C the gaze.

Source of RITNet: "RITnet: Real-time Semantic Segmentation of the Eye for Gaze
Tracking" (Chaudhary et al. 2019), section 3 and Figure 2; 248 900 parameters. Which
networks make up EyeCoD, and their images of a quarter of the size: XRBench (I27, I29).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.fbnet import fbnet_c_layers
from instances.models.maps import Map, conv, input_map, joined
from instances.models.parts import checked_graph

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

WIDTH = 32
CLASSES = 4
STEPS = 5
IMAGE = (160, 100)
SOURCE = "RITNet, Chaudhary et al. 2019, section 3"


def ritnet(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "ritnet",
) -> Model:
    """Return RITNet on a grey image: five blocks down, four up, a 1x1 convolution.

    42 layers. Within a block every convolution reads all maps before it, joined along
    the channels; a block up also reads the one down of its size. Pooling and enlarging
    are done by whoever reads the tensor (I6).

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
    _segmented(graph)
    return graph.finish(name, mini_batches, SOURCE)


def eyecod(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "eyecod",
) -> Model:
    """Return both networks as one model: 42 layers of RITNet, 63 of FBNet-C.

    FBNet-C reads the eye's region in three channels of the same rows and columns, a
    model input, and waits for the segmentation, which says where it is (I29).

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
    segmented = _segmented(graph)
    region = input_map(graph, "region", 3, *IMAGE)
    fbnet_c_layers(graph, region, "gaze.", [segmented])
    return graph.finish(name, mini_batches, f"{SOURCE}; FBNet-C, Wu et al. 2019")


def _segmented(graph: Graph) -> Map:
    """Add RITNet; returns its output."""
    source = input_map(graph, "image", 1, *IMAGE)
    skips: list[Map] = []
    for step in range(1, STEPS + 1):
        skips.append(_down(graph, f"down{step}", source))
        source = skips[-1].pooled()
    below = skips.pop()
    for step in range(STEPS - 1, 0, -1):
        skip = skips.pop()
        below = _up(graph, f"up{step}", skip, below.resized(skip.rows, skip.columns))
    return conv(graph, "out", below, CLASSES)


def _down(graph: Graph, path: str, source: Map) -> Map:
    """Add a block down; returns its output, not pooled."""
    first = conv(graph, f"{path}.conv1", source, WIDTH, 3)
    second = conv(graph, f"{path}.conv21", joined(source, first), WIDTH)
    second = conv(graph, f"{path}.conv22", second, WIDTH, 3)
    third = conv(graph, f"{path}.conv31", joined(source, first, second), WIDTH)
    return conv(graph, f"{path}.conv32", third, WIDTH, 3)


def _up(graph: Graph, path: str, skip: Map, below: Map) -> Map:
    """Add a block up over what comes from below, enlarged, and the skip."""
    both = joined(below, skip)
    first = conv(graph, f"{path}.conv11", both, WIDTH)
    first = conv(graph, f"{path}.conv12", first, WIDTH, 3)
    second = conv(graph, f"{path}.conv21", joined(both, first), WIDTH)
    return conv(graph, f"{path}.conv22", second, WIDTH, 3)

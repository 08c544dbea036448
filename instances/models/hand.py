"""Hand shape and pose by graph convolutions (Ge et al. 2019).

Source: "3D Hand Shape and Pose Estimation from a Single RGB Image", section 3, and the
network released with it: two hourglasses (Newell et al. 2016), residual blocks over
heat maps and features, a mesh of 1280 vertices out of 80, the depths of joints from the
mesh. The image of half the size, and 20 depths: XRBench (I27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.maps import Map, bottleneck, conv, dense, flat, input_map
from instances.models.parts import checked_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.models.parts import Graph
    from instances.schema import Model

IMAGE = 128  # rows and columns; 256 in the paper
WIDTH = 256
JOINTS = 21
STACKS, DEPTH, MODULES = 2, 4, 2
VERTICES = 80  # of the coarsest mesh; a step up has four times as many
ORDER = 3  # Chebyshev polynomials of a graph convolution, each a copy of the channels
SOURCE = "hand shape and pose, Ge et al. 2019, section 3"


def hand_graph_cnn(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "hand_graph_cnn",
) -> Model:
    """Return the network on 128x128 pixels: 224 layers.

    A residual block has a 1x1 convolution to half the channels, a 3x3 one and a 1x1
    one. An hourglass's path at full size is run last and adds what comes from below
    (I3). A graph convolution is a product over three copies of the channels, which the
    graph mixes without weights, at every vertex. Pooling and enlarging are done by
    whoever reads the tensor (I6).

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
    heat, features = _hourglasses(graph, input_map(graph, "image", 3, IMAGE, IMAGE))
    mixed = conv(graph, "mesh.heat", heat, WIDTH)
    tensor = conv(
        graph, "mesh.features", features[-1], WIDTH, 1, 1, [mixed, features[-2]]
    )
    for index in range(DEPTH):
        tensor = _residuals(graph, f"mesh.{index}", tensor).pooled()
    _pose(graph, _mesh(graph, flat(tensor)))
    return graph.finish(name, mini_batches, SOURCE)


def _hourglasses(graph: Graph, source: Map) -> tuple[Map, list[Map]]:
    """Add stem and hourglasses; returns the last heat maps, the stacks' features."""
    tensor = conv(graph, "conv1", source, WIDTH // 4, 7, 2)
    tensor = _residual(graph, "stem1", tensor, WIDTH // 2).pooled()
    tensor = _residual(graph, "stem2", tensor, WIDTH // 2)
    tensor = _residual(graph, "stem3", tensor, WIDTH)
    features: list[Map] = []
    for stack in range(1, STACKS + 1):
        path = f"stack{stack}"
        inside = _hourglass(graph, f"{path}.level", tensor, DEPTH)
        inside = _residuals(graph, f"{path}.after", inside)
        inside = conv(graph, f"{path}.lin", inside, WIDTH)
        heat = conv(graph, f"{path}.heat", inside, JOINTS)
        features.append(inside)
        if stack < STACKS:
            back = conv(graph, f"{path}.features_back", inside, WIDTH, added=[tensor])
            tensor = conv(graph, f"{path}.heat_back", heat, WIDTH, added=[back])
    return heat, features


def _hourglass(graph: Graph, path: str, source: Map, level: int) -> Map:
    """Add an hourglass of some levels; returns its output, of the source's size."""
    here = f"{path}{level}"
    low = _residuals(graph, f"{here}.low1", source.pooled())
    if level > 1:
        low = _hourglass(graph, path, low, level - 1)
    else:
        low = _residuals(graph, f"{here}.low2", low)
    low = _residuals(graph, f"{here}.low3", low).resized(source.rows, source.columns)
    return _residuals(graph, f"{here}.up", source, [low])


def _residuals(graph: Graph, path: str, source: Map, added: Sequence[Map] = ()) -> Map:
    """Add residual blocks one after another; the last adds further maps."""
    tensor = source
    for index in range(MODULES):
        last = added if index == MODULES - 1 else ()
        tensor = _residual(graph, f"{path}.{index}", tensor, source.channels, last)
    return tensor


def _residual(
    graph: Graph, path: str, source: Map, k: int, added: Sequence[Map] = ()
) -> Map:
    """Add a residual block to k channels."""
    return bottleneck(graph, path, source, k // 2, k, added=added)


def _mesh(graph: Graph, source: Map) -> Map:
    """Add the layers from features to the places of the vertices of the finest mesh."""
    tensor = dense(graph, "mesh.fc1", source, 512)
    tensor = dense(graph, "mesh.fc2", tensor, 64 * VERTICES)
    tensor = Map(tensor.names, 64, VERTICES, 1)
    for step, last in enumerate((32, 3), start=1):
        tensor = tensor.resized(4 * tensor.rows, 1)
        tensor = _graph_conv(graph, f"mesh.graph{step}.0", tensor, tensor.channels)
        tensor = _graph_conv(graph, f"mesh.graph{step}.1", tensor, last)
    return tensor


def _pose(graph: Graph, mesh: Map) -> None:
    """Add the layers from the mesh to the depths of the joints."""
    tensor = mesh
    for step, k in enumerate((32, 64), start=1):
        tensor = _graph_conv(graph, f"pose.graph{step}.0", tensor, k)
        tensor = _graph_conv(graph, f"pose.graph{step}.1", tensor, k)
        tensor = tensor.resized(tensor.rows // 4, 1)
    tensor = dense(graph, "pose.fc1", flat(tensor), 512)
    dense(graph, "pose.fc2", tensor, JOINTS - 1)


def _graph_conv(graph: Graph, name: str, source: Map, k: int) -> Map:
    """Add a graph convolution: `ORDER` times the channels, at every vertex."""
    copies = Map(source.names, ORDER * source.channels, source.rows, source.columns)
    return dense(graph, name, copies, k)

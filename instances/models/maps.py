"""Feature maps: what builders of image networks pass from layer to layer.

A `Map` knows its channels, rows and columns, so that a layer's loop bounds follow
from what it reads, and an image need not be square.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from instances.schema import LoopBounds
from instances.shapes import transposed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.models.parts import Graph


@dataclass(frozen=True, slots=True)
class Map:
    """A tensor of an image network, or several joined along the channels.

    Parameters
    ----------
    names
        Names of the tensors.
    channels
        Of all of them together.
    rows, columns
        As whoever reads the map sees it: pooled or enlarged tensors stay as they
        were made (I6).
    """

    names: tuple[str, ...]
    channels: int
    rows: int
    columns: int

    def resized(self, rows: int, columns: int) -> Map:
        """Return the map as pooled, cut out or enlarged by whoever reads it."""
        return replace(self, rows=rows, columns=columns)

    def pooled(self, stride: int = 2) -> Map:
        """Return the map with every `stride`-th row and column, rounded up."""
        return self.resized(-(-self.rows // stride), -(-self.columns // stride))

    def enlarged(self, factor: int = 2) -> Map:
        """Return the map with `factor` times the rows and columns."""
        return self.resized(self.rows * factor, self.columns * factor)


def input_map(graph: Graph, name: str, channels: int, rows: int, columns: int) -> Map:
    """Add a model input."""
    tensor = graph.model_input(name, channels * rows * columns)
    return Map((tensor,), channels, rows, columns)


def joined(*maps: Map) -> Map:
    """Return maps of the same rows and columns as one with all their channels."""
    names = tuple(name for entry in maps for name in entry.names)
    return replace(maps[0], names=names, channels=sum(m.channels for m in maps))


def conv(
    graph: Graph,
    name: str,
    source: Map,
    k: int,
    kernel: int = 1,
    stride: int = 1,
    added: Sequence[Map] = (),
) -> Map:
    """Add a convolution padded so that ⌈rows/stride⌉ are left; returns its output.

    Parameters
    ----------
    added
        Maps fused into the layer that makes their sum (I3), and gates (I30).
    """
    after = source.pooled(stride)
    size = after.rows, after.columns
    bounds = LoopBounds(k, source.channels, *size, kernel, kernel, stride)
    return _layer(graph, name, "conv", bounds, source, added)


def depthwise(
    graph: Graph, name: str, source: Map, kernel: int = 3, stride: int = 1
) -> Map:
    """Add a depthwise convolution, a filter for each channel, padded likewise."""
    after = source.pooled(stride)
    bounds = LoopBounds(
        *(1, 1, after.rows, after.columns, kernel, kernel, stride),
        groups=source.channels,
    )
    return _layer(graph, name, "conv", bounds, source, ())


def deconv(graph: Graph, name: str, source: Map, k: int, kernel: int) -> Map:
    """Add a transposed convolution of stride 2 with twice the rows (A26)."""
    after = source.enlarged()
    sizes = {"k": k, "c": source.channels, "r": kernel, "s": kernel, "stride": 2}
    sizes |= {"oy": after.rows, "ox": after.columns, "groups": 1}
    made = _layer(graph, name, "conv", transposed(sizes), source, ())
    return replace(made, channels=k, rows=after.rows, columns=after.columns)


def dense(
    graph: Graph, name: str, source: Map, k: int, added: Sequence[Map] = ()
) -> Map:
    """Add a product with weights at every position: k out of all channels."""
    rows = source.rows * source.columns
    bounds = LoopBounds(k=k, c=source.channels, oy=rows)
    made = _layer(graph, name, "gemm", bounds, source, added)
    return made.resized(source.rows, source.columns)


def bottleneck(
    graph: Graph,
    path: str,
    source: Map,
    width: int,
    k: int,
    stride: int = 1,
    added: Sequence[Map] = (),
) -> Map:
    """Add a block of 1x1 (which has the stride), 3x3, 1x1 and its shortcut.

    The shortcut is the source, or a projection of it where shapes differ (He et al.
    2016); it, and what else is added, goes into the last convolution (I3).
    """
    first = conv(graph, f"{path}.conv1", source, width, 1, stride)
    second = conv(graph, f"{path}.conv2", first, width, 3)
    short = source
    if source.channels != k or stride != 1:
        short = conv(graph, f"{path}.downsample", source, k, 1, stride)
    return conv(graph, f"{path}.conv3", second, k, added=[short, *added])


def flat(source: Map) -> Map:
    """Return the map as one position with everything in channels."""
    channels = source.channels * source.rows * source.columns
    return replace(source, channels=channels, rows=1, columns=1)


def _layer(
    graph: Graph,
    name: str,
    op: str,
    bounds: LoopBounds,
    source: Map,
    added: Sequence[Map],
) -> Map:
    """Add a layer over `source`; tensors that it reads already are added no more."""
    extra = (tensor for entry in added for tensor in entry.names)
    reads = tuple(dict.fromkeys((*source.names, *extra)))
    tensor = graph.layer(name, op, bounds, reads, len(source.names))
    channels = bounds.groups * bounds.k
    return Map((tensor,), channels, bounds.oy, bounds.ox)

"""HRViT-b1 (Gu et al. 2022): a vision transformer of several resolutions at once.

Source: "Multi-Scale High-Resolution Vision Transformer for Semantic Segmentation",
section 3, and the network released with it: 19.7 million parameters and 2.7 GFLOPs
(MACs) for ImageNet at 224 pixels, with the classifier of HRNet (Wang et al. 2021).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from instances.models.maps import (
    Map,
    bottleneck,
    conv,
    dense,
    depthwise,
    input_map,
    joined,
)
from instances.models.parts import checked_graph
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

CHANNELS = (32, 64, 128, 256)
WINDOWS = (1, 2, 7, 7)  # rows of a stripe
BLOCKS = ((1,), (1, 1), (1, 1, 6), (1, 1, 6), (1, 1, 6, 2), (1, 1, 2, 2))
STEM, HEAD, EXPANSION, LAST, CLASSES = 64, 32, 4, 2048, 1000
SIZE = 224
SOURCE = "HRViT-b1, Gu et al. 2022, section 3"


def hrvit_b1(
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "hrvit_b1",
) -> Model:
    """Return HRViT-b1 with its ImageNet head on 224x224 pixels: 493 layers.

    Six stages of up to four branches, each with half the rows of the one before; in
    front of a stage every branch gets the sum of all. A block has eleven layers, of
    which two are the products of attention. Norms, activations and sums are fused (I3,
    I4); a sum of enlarged maps alone is taken by whoever reads it, like pooling (I6).

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
    tensor = conv(
        graph, "stem1", input_map(graph, "image", 3, SIZE, SIZE), STEM // 2, 3, 2
    )
    branches = [conv(graph, "stem2", tensor, STEM, 3, 2)]
    for number, counts in enumerate(BLOCKS, start=1):
        branches = _stage(graph, f"stage{number}", branches, counts)
    _classified(graph, branches)
    return graph.finish(name, mini_batches, SOURCE)


def _stage(
    graph: Graph, path: str, sources: list[Map], counts: tuple[int, ...]
) -> list[Map]:
    """Add sums, embeddings and blocks of a stage; returns its branches."""
    fused = _fused(graph, path, sources, len(counts))
    branches: list[Map] = []
    for index, (own, added) in enumerate(fused):
        here = f"{path}.branch{index}.embed"
        tensor = conv(graph, f"{here}1", own, CHANNELS[index], added=added)
        branches.append(depthwise(graph, f"{here}2", tensor))
    for index, count in enumerate(counts):
        for block in range(count):
            here = f"{path}.branch{index}.{block}"
            branches[index] = _block(graph, here, branches[index], WINDOWS[index])
    return branches


def _fused(
    graph: Graph, path: str, sources: list[Map], outputs: int
) -> list[tuple[Map, list[Map]]]:
    """Add the layers that bring every branch to every other one.

    Returns
    -------
    list of (Map, list of Map)
        For every output a map and what whoever reads it has to add to it: the maps
        enlarged from smaller branches, where no layer of the output's size is left to
        do it.
    """
    found = []
    for out in range(outputs):
        here = f"{path}.to{out}.from"
        k = sources[out].channels if out < len(sources) else CHANNELS[out]
        first = sources[0]
        size = first.rows >> out, first.columns >> out
        waiting = [
            conv(graph, f"{here}{index}", sources[index], k).resized(*size)
            for index in range(out + 1, len(sources))
        ]
        waiting = [*sources[out : out + 1], *waiting]
        for index in range(out):
            apart = out - index
            label = f"{here}{index}"
            kernel, stride = 2**apart + 1, 2**apart
            down = depthwise(graph, f"{label}.1", sources[index], kernel, stride)
            waiting = [conv(graph, f"{label}.2", down, k, added=waiting)]
        found.append((waiting[0], waiting[1:]))
    return found


def _block(graph: Graph, path: str, source: Map, window: int) -> Map:
    """Add a block: attention beside a small shortcut, then the feed-forward part."""
    c = source.channels
    pair = dense(graph, f"{path}.qv", source, 2 * c)
    values = Map(pair.names, c, pair.rows, pair.columns)
    local = depthwise(graph, f"{path}.local", values)
    context = _attention(graph, path, values, window)
    shortcut = _shortcut(graph, path, source)
    added = [local, shortcut, source]
    middle = dense(graph, f"{path}.proj", context, c, added)
    hidden = dense(graph, f"{path}.ff1", middle, EXPANSION * c)
    half = Map(hidden.names, hidden.channels // 2, hidden.rows, hidden.columns)
    mixed = [depthwise(graph, f"{path}.mix{size}", half, size) for size in (3, 5)]
    return dense(graph, f"{path}.ff2", joined(*mixed), c, [middle])


def _attention(graph: Graph, path: str, pair: Map, window: int) -> Map:
    """Add scores and context over stripes; returns the context.

    Half of the channels attend within stripes of `window` rows, half within stripes of
    as many columns; keys are the values.
    """
    half = pair.channels // 2
    width = min(half, HEAD)
    tokens = window * pair.columns
    groups = 2 * (pair.rows // window) * (half // width)
    bounds = LoopBounds(k=tokens, c=width, oy=tokens, groups=groups)
    scores = graph.layer(f"{path}.scores", "matmul", bounds, pair.names)
    bounds = LoopBounds(k=width, c=tokens, oy=tokens, groups=groups)
    reads = [scores, *pair.names]
    context = graph.layer(f"{path}.context", "matmul", bounds, reads)
    return Map((context,), pair.channels, pair.rows, pair.columns)


def _shortcut(graph: Graph, path: str, source: Map) -> Map:
    """Add the shortcut by a Kronecker product: two small products over all channels."""
    small = 2 ** math.ceil(math.log2(source.channels) / 2)
    size = source.rows * source.columns
    other = source.channels // small
    right = Map(source.names, small, size * other, 1)
    right = dense(graph, f"{path}.shortcut1", right, small)
    left = Map(right.names, other, size * small, 1)
    left = dense(graph, f"{path}.shortcut2", left, other)
    return Map(left.names, source.channels, source.rows, source.columns)


def _classified(graph: Graph, branches: list[Map]) -> None:
    """Add HRNet's classifier over all branches."""
    below: list[Map] = []
    for index, branch in enumerate(branches):
        c = branch.channels
        tensor = bottleneck(graph, f"head.widen{index}", branch, c, 4 * c)
        if below:
            label = f"head.down{index}"
            tensor = conv(graph, label, below[0], 4 * c, 3, 2, [tensor])
        below = [tensor]
    tensor = conv(graph, "head.last", below[0], LAST)
    dense(graph, "head.fc", tensor.resized(1, 1), CLASSES)

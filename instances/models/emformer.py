"""Emformer (Shi et al. 2021), the acoustic model of 24 layers.

Source: "Emformer: Efficient Memory Transformer Based Acoustic Model for Low Latency
Streaming Speech Recognition", sections 2 and 3: width 512, feed-forward of 2048, 8
heads. Its rows: XRBench, 128 for queries and keys alike (I27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.parts import checked_graph
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.models.parts import Graph
    from instances.schema import Model

BLOCKS, WIDTH, HIDDEN, HEADS = 24, 512, 2048, 8
SOURCE = "Emformer, Shi et al. 2021, section 3"


def emformer(
    tokens: int = 128,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "emformer",
) -> Model:
    """Return one segment's way through Emformer: 24 blocks of seven layers.

    q, kv (one product makes keys and values), scores, context, proj, ff1, ff2. Norms,
    softmax and sums are fused into the layer that makes the tensor (I3, I4).

    Parameters
    ----------
    tokens
        Frames of a segment with its context, all of which attend to all (I7).
    samples, mini_batches, bytes_per_element
        Segments per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    graph = checked_graph(samples, mini_batches, bytes_per_element, tokens=tokens)
    stream = graph.model_input("frames", tokens * WIDTH)
    for index in range(BLOCKS):
        stream = _block(graph, f"h{index}", stream, tokens)
    return graph.finish(name, mini_batches, SOURCE)


def _block(graph: Graph, path: str, stream: str, tokens: int) -> str:
    """Add one block; returns the residual stream behind it."""

    def product(part: str, k: int, c: int, *reads: str) -> str:
        bounds = LoopBounds(k=k, c=c, oy=tokens)
        return graph.layer(f"{path}.{part}", "gemm", bounds, reads)

    query = product("q", WIDTH, WIDTH, stream)
    pair = product("kv", 2 * WIDTH, WIDTH, stream)
    bounds = LoopBounds(k=tokens, c=WIDTH // HEADS, oy=tokens, groups=HEADS)
    scores = graph.layer(f"{path}.scores", "matmul", bounds, [query, pair])
    bounds = LoopBounds(k=WIDTH // HEADS, c=tokens, oy=tokens, groups=HEADS)
    context = graph.layer(f"{path}.context", "matmul", bounds, [scores, pair])
    middle = product("proj", WIDTH, WIDTH, context, stream)
    hidden = product("ff1", HIDDEN, WIDTH, middle)
    return product("ff2", WIDTH, HIDDEN, hidden, middle)

"""The block that GPT-2 and BERT share (Vaswani et al. 2017, sections 3.2 and 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.models.parts import Graph


def block(
    graph: Graph, name: str, stream: str, tokens: int, width: int, heads: int
) -> str:
    """Add one block, norms and sums fused; returns the residual stream behind it.

    Eight layers: q, k, v, scores, context, proj, ff1, ff2. Where the norms stand
    makes no difference here.
    """
    square = LoopBounds(k=width, c=width, oy=tokens)
    scores, value = _scores(graph, name, stream, tokens, width, heads)
    context = _context(graph, name, [scores, value], tokens, width, heads)
    middle = graph.layer(f"{name}.proj", "gemm", square, [context, stream])
    bounds = LoopBounds(k=4 * width, c=width, oy=tokens)
    hidden = graph.layer(f"{name}.ff1", "gemm", bounds, [middle])
    bounds = LoopBounds(k=width, c=4 * width, oy=tokens)
    return graph.layer(f"{name}.ff2", "gemm", bounds, [hidden, middle])


def long_block(
    graph: Graph,
    name: str,
    stream: str,
    tokens: int,
    width: int,
    heads: int,
    norm_first: bool,
) -> str:
    """Add one block in which nothing is fused; returns the stream behind it.

    Parameters
    ----------
    norm_first
        Norms in front of attention and feed-forward (GPT-2), or behind the sums
        (the original, BERT).
    """

    def vector(part: str, op: str, *reads: str, k: int = width, groups: int = 1) -> str:
        bounds = LoopBounds(k=k, c=1, oy=tokens, groups=groups)
        return graph.layer(f"{name}.{part}", op, bounds, reads)

    def before(part: str, tensor: str) -> str:
        return vector(part, "layer_norm", tensor) if norm_first else tensor

    def behind(part: str, tensor: str) -> str:
        return tensor if norm_first else vector(part, "layer_norm", tensor)

    square = LoopBounds(k=width, c=width, oy=tokens)
    normed = before("ln1", stream)
    scores, value = _scores(graph, name, normed, tokens, width, heads)
    shares = vector("softmax", "softmax", scores, k=tokens, groups=heads)
    context = _context(graph, name, [shares, value], tokens, width, heads)
    middle = graph.layer(f"{name}.proj", "gemm", square, [context])
    middle = behind("ln1", vector("add1", "add", middle, stream))
    normed = before("ln2", middle)
    bounds = LoopBounds(k=4 * width, c=width, oy=tokens)
    hidden = graph.layer(f"{name}.ff1", "gemm", bounds, [normed])
    hidden = vector("gelu", "gelu", hidden, k=4 * width)
    bounds = LoopBounds(k=width, c=4 * width, oy=tokens)
    last = graph.layer(f"{name}.ff2", "gemm", bounds, [hidden])
    return behind("ln2", vector("add2", "add", last, middle))


def _scores(
    graph: Graph, name: str, reads: str, tokens: int, width: int, heads: int
) -> tuple[str, str]:
    """Add q, k, v and the scores; returns scores and values."""
    square = LoopBounds(k=width, c=width, oy=tokens)
    query, key, value = (
        graph.layer(f"{name}.{part}", "gemm", square, [reads]) for part in "qkv"
    )
    bounds = LoopBounds(k=tokens, c=width // heads, oy=tokens, groups=heads)
    return graph.layer(f"{name}.scores", "matmul", bounds, [query, key]), value


def _context(
    graph: Graph, name: str, reads: list[str], tokens: int, width: int, heads: int
) -> str:
    """Add the product of scores and values."""
    bounds = LoopBounds(k=width // heads, c=tokens, oy=tokens, groups=heads)
    return graph.layer(f"{name}.context", "matmul", bounds, reads)

"""BERT (Devlin et al. 2019) from its published hyper-parameters.

Source: "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", section 3 (blocks, width, heads); the pooler is that of the released
models. Parameters: 110 and 340 million there; 109 482 240 of the released base model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError
from instances.models.parts import Graph, require
from instances.models.transformer import block, long_block
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.schema import Model

SIZES = {
    # size: (blocks, model width, heads)
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}
CONTEXT = 512
HEADS = ("pooled", "none")
TABLES = ("token", "position", "segment")
SOURCE = "BERT, Devlin et al. 2019, section 3"


def bert(
    size: str = "base",
    tokens: int = 128,
    head: str = "pooled",
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "bert",
) -> Model:
    """Return the forward pass of BERT over `tokens` tokens, without a task's head.

    Eight layers a block (q, k, v, scores, context, proj, ff1, ff2), then the pooler,
    which reads the first token: 97 layers for the base size. The rest is fused into
    the layer that makes the tensor (I3, I4); the input is the embedded tokens (I5).
    Not `fused`: six more layers a block (softmax, add1, ln1, gelu, add2, ln2), three
    look-ups, their sum and its norm in front, the pooler's tanh behind: 175 layers
    for the base size.

    Parameters
    ----------
    size
        ``base`` or ``large``.
    tokens
        Sequence length, at most 512.
    head
        ``pooled``: the pooler; ``none``: the last block's output is the model's.
    fused
        Whether norms, softmax, GELU, tanh, residual additions and look-ups are free.
    samples, mini_batches, bytes_per_element
        Sequences per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    require(
        {
            "tokens": tokens,
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        },
        {"size": (size, tuple(SIZES)), "head": (head, HEADS)},
        {"fused": fused},
    )
    if tokens > CONTEXT:
        raise InstanceError([Fault("tokens", str(tokens), f"at most {CONTEXT}")])
    graph = Graph(samples, bytes_per_element, fused)
    stream, width = _body(graph, size, tokens)
    if head == "pooled":
        bounds = LoopBounds(k=width, c=width, oy=1)
        pooled = graph.layer("pooler", "gemm", bounds, [stream])
        if not fused:
            bounds = LoopBounds(k=width, c=1, oy=1)
            graph.layer("pooler.tanh", "tanh", bounds, [pooled])
    return graph.finish(name, mini_batches, SOURCE)


def _body(graph: Graph, size: str, tokens: int) -> tuple[str, int]:
    """Add all but the pooler; returns the stream behind the blocks, its width."""
    blocks, width, heads = SIZES[size]
    if graph.fused:
        stream = graph.model_input("embedded", tokens * width)
    else:
        stream = _embedded(graph, tokens, width)
    for index in range(blocks):
        name = f"h{index}"
        if graph.fused:
            stream = block(graph, name, stream, tokens, width, heads)
        else:
            stream = long_block(graph, name, stream, tokens, width, heads, False)
    return stream, width


def _embedded(graph: Graph, tokens: int, width: int) -> str:
    """Add look-ups, sum and norm; the rows looked up come from outside (A25)."""
    bounds = LoopBounds(k=width, c=1, oy=tokens)
    summands = [
        graph.layer(
            f"{table}_embedding",
            "embedding",
            bounds,
            [graph.model_input(f"{table}_rows", tokens * width)],
        )
        for table in TABLES
    ]
    total = graph.layer("embedded", "add", bounds, summands)
    return graph.layer("embedded.ln", "layer_norm", bounds, [total])

"""GPT-2 (Radford et al. 2019) from its published hyper-parameters.

Source: "Language Models are Unsupervised Multitask Learners", Table 2, with the
head counts and the vocabulary of the released models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError
from instances.models.parts import Graph, require
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.schema import Model

SIZES = {
    # size: (blocks, model width, heads)
    "small": (12, 768, 12),
    "medium": (24, 1024, 16),
    "large": (36, 1280, 20),
    "xl": (48, 1600, 25),
}
VOCABULARY = 50_257
CONTEXT = 1024
LM_HEADS = ("last", "all", "none")
SOURCE = "GPT-2, Radford et al. 2019, Table 2"


def gpt2(
    size: str = "small",
    tokens: int = 128,
    lm_head: str = "last",
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "gpt2",
) -> Model:
    """Return the forward pass of GPT-2 over `tokens` tokens (prefill).

    Eight layers a block (q, k, v, scores, context, proj, ff1, ff2), then the
    language-model head: 97 layers for the small size. Biases, norms, softmax,
    GELU and residual additions have no layer of their own: they are fused into
    the layer that makes the tensor (assumptions I3, I4). The embedding look-up
    is outside: the input is the embedded tokens (I5).

    Parameters
    ----------
    size
        ``small``, ``medium``, ``large`` or ``xl``.
    tokens
        Sequence length, at most 1024.
    lm_head
        ``last``: the head for the last token; ``all``: for every token;
        ``none``: no head, the last block's output is the model's.
    samples, mini_batches
        Sequences per mini-batch, mini-batches per round.
    bytes_per_element
        Of weights and tensors.

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
        {"size": (size, tuple(SIZES)), "lm_head": (lm_head, LM_HEADS)},
    )
    if tokens > CONTEXT:
        raise InstanceError([Fault("tokens", str(tokens), f"at most {CONTEXT}")])
    blocks, width, heads = SIZES[size]
    graph = Graph(samples, bytes_per_element)
    stream = graph.model_input("embedded", tokens * width)
    for index in range(blocks):
        stream = _block(graph, f"h{index}", stream, tokens, width, heads)
    if lm_head != "none":
        rows = 1 if lm_head == "last" else tokens
        bounds = LoopBounds(k=VOCABULARY, c=width, oy=rows)
        graph.layer("lm_head", "gemm", bounds, [stream])
    return graph.finish(name, mini_batches, SOURCE)


def _block(
    graph: Graph, name: str, stream: str, tokens: int, width: int, heads: int
) -> str:
    """Add one transformer block; returns the residual stream behind it."""
    square = LoopBounds(k=width, c=width, oy=tokens)
    head = width // heads
    query = graph.layer(f"{name}.q", "gemm", square, [stream])
    key = graph.layer(f"{name}.k", "gemm", square, [stream])
    value = graph.layer(f"{name}.v", "gemm", square, [stream])
    bounds = LoopBounds(k=tokens, c=head, oy=tokens, groups=heads)
    scores = graph.layer(f"{name}.scores", "matmul", bounds, [query, key])
    bounds = LoopBounds(k=head, c=tokens, oy=tokens, groups=heads)
    context = graph.layer(f"{name}.context", "matmul", bounds, [scores, value])
    middle = graph.layer(f"{name}.proj", "gemm", square, [context, stream])
    bounds = LoopBounds(k=4 * width, c=width, oy=tokens)
    hidden = graph.layer(f"{name}.ff1", "gemm", bounds, [middle])
    bounds = LoopBounds(k=width, c=4 * width, oy=tokens)
    return graph.layer(f"{name}.ff2", "gemm", bounds, [hidden, middle])

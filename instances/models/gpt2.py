"""GPT-2 (Radford et al. 2019) from its published hyper-parameters.

Source: "Language Models are Unsupervised Multitask Learners", Table 2, with the
head counts and the vocabulary of the released models.
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
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "gpt2",
) -> Model:
    """Return the forward pass of GPT-2 over `tokens` tokens (prefill).

    Eight layers a block (q, k, v, scores, context, proj, ff1, ff2), then the
    language-model head: 97 layers for the small size. The rest is fused into the
    layer that makes the tensor (assumptions I3, I4); the input is the embedded
    tokens (I5). Not `fused`: six more layers a block (ln1, softmax, add1, ln2,
    gelu, add2), the look-ups of tokens and positions and their sum in front, the
    last norm (ln_f) behind: 173 layers for the small size.

    Parameters
    ----------
    size
        ``small``, ``medium``, ``large`` or ``xl``.
    tokens
        Sequence length, at most 1024.
    lm_head
        ``last``: the head for the last token; ``all``: for every token;
        ``none``: no head, the last block's output (normed if not `fused`) is the
        model's.
    fused
        Whether norms, softmax, GELU, residual additions and look-ups are free.
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
        {"size": (size, tuple(SIZES)), "lm_head": (lm_head, LM_HEADS)},
        {"fused": fused},
    )
    if tokens > CONTEXT:
        raise InstanceError([Fault("tokens", str(tokens), f"at most {CONTEXT}")])
    graph = Graph(samples, bytes_per_element, fused)
    rows = 1 if lm_head == "last" else tokens
    stream, width = _body(graph, size, tokens, rows)
    if lm_head != "none":
        head = LoopBounds(k=VOCABULARY, c=width, oy=rows)
        graph.layer("lm_head", "gemm", head, [stream])
    return graph.finish(name, mini_batches, SOURCE)


def _body(graph: Graph, size: str, tokens: int, rows: int) -> tuple[str, int]:
    """Add all but the head, which reads `rows` rows; returns the stream, its width."""
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
            stream = long_block(graph, name, stream, tokens, width, heads, True)
    if not graph.fused:
        bounds = LoopBounds(k=width, c=1, oy=rows)
        stream = graph.layer("ln_f", "layer_norm", bounds, [stream])
    return stream, width


def _embedded(graph: Graph, tokens: int, width: int) -> str:
    """Add the look-ups; the rows that are looked up come from outside (A25)."""
    all_tokens = LoopBounds(k=width, c=1, oy=tokens)
    summands = [
        graph.layer(
            table, "embedding", all_tokens, [graph.model_input(rows, tokens * width)]
        )
        for table, rows in (("wte", "token_rows"), ("wpe", "position_rows"))
    ]
    return graph.layer("embedded", "add", all_tokens, summands)

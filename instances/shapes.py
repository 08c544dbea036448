"""Sizes that follow from others: outputs, weights, transposed convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.schema import LoopBounds
from instances.vocabulary import SCALES

if TYPE_CHECKING:
    from collections.abc import Mapping


def windows(size: int, padding: int, taps: int, stride: int, dilation: int) -> int:
    """Outputs along one axis: places of a window in the padded input; below 1: none.

    ⌊(size + 2·padding − reach) / stride⌋ + 1, reach = (taps − 1)·dilation + 1.
    Derived: the last window ends inside the padded input.
    """
    reach = (taps - 1) * dilation + 1
    return (size + 2 * padding - reach) // stride + 1


def spread(size: int, padding: int, taps: int, stride: int) -> int:
    """Outputs of a transposed convolution along one axis, without output padding.

    (size − 1)·stride + taps − 2·padding. Derived: input i reaches the outputs
    i·stride … i·stride + taps − 1, of which `padding` are cut off at each end.
    """
    return (size - 1) * stride + taps - 2 * padding


def transposed(sizes: Mapping[str, int]) -> LoopBounds:
    """Loop bounds of the ordinary convolution that does a transposed one.

    Sub-pixel form: the outputs fall into stride² phases, each an ordinary
    convolution of stride 1 over the input with every stride-th tap, so each phase
    is one more output channel. An axis of fewer outputs than stride has as many
    phases as outputs. MACs are those of the transposed convolution (a product per
    output and tap that meets an input or padding) where stride divides filter
    and output; elsewhere see A26.

    Parameters
    ----------
    sizes
        ``k``, ``c``, ``r``, ``s``, ``oy``, ``ox``, ``stride``, ``groups`` of the
        transposed convolution; `oy` and `ox` are its outputs.
    """
    p = sizes["stride"]
    down, across = min(p, sizes["oy"]), min(p, sizes["ox"])
    return LoopBounds(
        k=sizes["k"] * down * across,
        c=sizes["c"],
        oy=-(-sizes["oy"] // down),
        ox=-(-sizes["ox"] // across),
        r=-(-sizes["r"] // p),
        s=-(-sizes["s"] // p),
        groups=sizes["groups"],
    )


def weight_elements(op: str, bounds: LoopBounds) -> int:
    """Weights of a layer in elements: filters, or scale and shift of each channel."""
    if op in ("conv", "gemm"):
        return bounds.groups * bounds.k * bounds.c * bounds.r * bounds.s
    return SCALES.get(op, 0) * bounds.groups * bounds.k

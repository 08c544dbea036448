"""Laws that every dataflow obeys: no mapping beats the array or its NoC."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instances.schema import ChipletType, Layer


def compulsory_elements(layer: Layer, samples: int = 1) -> tuple[int, int, int]:
    """Elements of input, weights and output that cross the NoC at least once.

    Rows and columns that a stride skips are not needed; padding is (A9).
    Weights cross once for all samples, the right operand of a ``matmul`` once
    per sample.

    Raises
    ------
    ValueError
        For a layer without loop bounds.
    """
    b = layer.bounds
    if b is None:
        raise ValueError(f"layer {layer.name}: got no loop bounds, expected some")
    reach_r, reach_s = (b.r - 1) * b.dilation + 1, (b.s - 1) * b.dilation + 1
    rows = (b.oy - 1) * min(b.stride, reach_r) + reach_r
    columns = (b.ox - 1) * min(b.stride, reach_s) + reach_s
    inputs = samples * b.groups * b.c * rows * columns
    weights = b.groups * b.k * b.c * b.r * b.s
    outputs = samples * b.groups * b.k * b.oy * b.ox
    return inputs, weights * (samples if layer.op == "matmul" else 1), outputs


def least_cycles(
    layer: Layer, chiplet: ChipletType, samples: int = 1, bytes_per_element: int = 1
) -> int:
    """Lower bound on the cycles of a layer: its MACs on all PEs, its bytes on the NoC.

    max(⌈MACs / PEs⌉, ⌈compulsory bytes / NoC bandwidth⌉), reads and writes
    sharing the bandwidth (A8). Derived: a PE does one MAC per cycle.

    Raises
    ------
    ValueError
        For a layer without loop bounds.
    """
    moved = sum(compulsory_elements(layer, samples)) * bytes_per_element
    if layer.bounds is None:
        raise ValueError(f"layer {layer.name}: got no loop bounds, expected some")
    macs = samples * layer.bounds.macs
    noc = Fraction(moved) / chiplet.noc_bytes_per_cycle
    return max(-(-macs // chiplet.num_pes), -(-noc.numerator // noc.denominator))

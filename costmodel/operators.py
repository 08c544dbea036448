"""Vector work: layers without MACs, costed from operations and bytes (A21–A25).

Pooling, element-wise operators, normalisation, softmax and look-ups have no
mapping to search: they run at the pace of the lanes or of the NoC, and every
dataflow does them alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instances.vocabulary import POOLS

if TYPE_CHECKING:
    from instances.schema import ChipletType, Layer

OPERATION_MACS = 1
"""Energy of an operation in MACs (A23)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Operations of an operator (A22).

    `per_element` of the output, `per_vector` normalised together; `passes` is how
    often a vector is looked at.
    """

    per_element: int
    per_vector: int = 0
    passes: int = 1


COSTS = {
    "relu": Cost(1),  # maximum with 0
    "tanh": Cost(1),
    "sigmoid": Cost(4),  # negate, exp, add, divide
    "silu": Cost(5),  # a sigmoid, multiply
    # x/2 · (1 + tanh(a·(x + b·x³))): two for x³, ·b, +, ·a, tanh, +, ·x, ·1/2
    "gelu": Cost(9),
    # max; subtract, exp, sum; divide
    "softmax": Cost(5, passes=3),
    # sum; subtract, square, sum; times 1/deviation, scale, shift
    # per vector: two means, add, root, reciprocal
    "layer_norm": Cost(7, 5, passes=3),
    "group_norm": Cost(7, 5, passes=3),
    # square, sum; times 1/root, scale; per vector: mean, add, root, reciprocal
    "rms_norm": Cost(4, 4, passes=2),
    "batch_norm": Cost(2),  # scale, shift
    "embedding": Cost(0),
}


@dataclass(frozen=True, slots=True)
class VectorWork:
    """What a mini-batch of a layer takes: operations, and elements once each."""

    operations: int
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class VectorMapping:
    """How a chiplet does the work, and what that costs.

    `accesses` is ``level/operand`` -> bytes, as in `costmodel.table.Mode`; nothing
    is read from outside L2 a second time.
    """

    cycles: int
    ws_bytes: int
    operations: int
    accesses: dict[str, int]
    text: str


def vector_work(layer: Layer, samples: int = 1, reads: int = 1) -> VectorWork:
    """Operations and elements of a mini-batch.

    Parameters
    ----------
    layer
        Of a vector operator, with loop bounds.
    samples
        Of a mini-batch.
    reads
        Input tensors. Those beyond the first have the size of the output;
        an ``embedding`` has none (A25).

    Raises
    ------
    ValueError
        For a layer without loop bounds.
    """
    b = layer.bounds
    if b is None:
        raise ValueError(f"layer {layer.name}: got no loop bounds, expected some")
    inputs = b.outputs
    if layer.op in POOLS:
        inputs = b.groups * b.k * b.rows_in * b.columns_in
    further = 0 if layer.op == "embedding" else max(reads - 1, 0)
    if layer.op == "max_pool":
        operations = b.outputs * (b.r * b.s - 1)
    elif layer.op == "average_pool":
        operations = b.outputs * b.r * b.s
    elif layer.op in ("add", "multiply"):
        operations = b.outputs * max(further, 1)
    else:
        cost = COSTS[layer.op]
        vectors = b.groups if layer.op == "group_norm" else b.outputs // b.k
        operations = cost.per_element * b.outputs + cost.per_vector * vectors
    return VectorWork(
        operations=samples * operations,
        inputs=samples * (inputs + further * b.outputs),
        outputs=samples * b.outputs,
    )


def vector_mapping(
    layer: Layer,
    chiplet: ChipletType,
    samples: int = 1,
    element_bytes: int = 1,
    reads: int = 1,
) -> VectorMapping | None:
    """Cost a vector layer on a chiplet type; `None` where its least strip exceeds L2.

    cycles = max(⌈operations / lanes⌉, ⌈bytes across the NoC / bandwidth⌉, 1).

    Parameters
    ----------
    element_bytes
        Precision of all tensors. `Layer.weight_bytes` counts as it is.
    samples, reads
        As in `vector_work`.

    Raises
    ------
    ValueError
        As `vector_work`.
    """
    work = vector_work(layer, samples, reads)
    unit_in, unit_out = _unit(layer, reads)
    lanes = chiplet.vector_lanes or chiplet.num_pes
    units = work.outputs // unit_out
    busy = min(units, -(-lanes // unit_out))

    def strip(number: int) -> int:
        tiles = number * (unit_in + unit_out) * element_bytes
        return 2 * (tiles + layer.weight_bytes)

    held = next((n for n in (busy, 1) if strip(n) <= chiplet.l2_bytes), None)
    if held is None:
        return None
    in_l1 = unit_in * element_bytes <= chiplet.num_pes * chiplet.l1_bytes_per_pe
    passes = 1 if in_l1 or layer.op not in COSTS else COSTS[layer.op].passes
    size = element_bytes
    read, made = passes * work.inputs * size, work.outputs * size
    moved = read + layer.weight_bytes + made
    bandwidth = chiplet.noc_bytes_per_cycle
    noc = -(-moved * bandwidth.denominator // bandwidth.numerator)
    return VectorMapping(
        cycles=max(-(-work.operations // lanes), noc, 1),
        ws_bytes=strip(held),
        operations=work.operations,
        accesses={
            "l1/input": read + 2 * work.operations * size,
            "l1/weight": layer.weight_bytes,
            "l1/output": work.operations * size,
            "l2/input": read + work.inputs * size,
            "l2/weight": 2 * layer.weight_bytes,
            "l2/output": 2 * made,
            "noc/input": read,
            "noc/weight": layer.weight_bytes,
            "noc/output": made,
        },
        text=f"vector work on {lanes} lanes; strips of {held} of {units}",
    )


def _unit(layer: Layer, reads: int) -> tuple[int, int]:
    """Input and output elements of the least piece that can be worked on (A24)."""
    b = layer.bounds
    assert b is not None
    further = 0 if layer.op == "embedding" else max(reads - 1, 0)
    if layer.op in POOLS:
        reach = (b.r - 1) * b.dilation + 1
        return reach * b.columns_in + further * b.ox, b.ox
    whole = 1
    if layer.op in ("softmax", "layer_norm", "rms_norm"):
        whole = b.k
    elif layer.op == "group_norm":
        whole = b.k * b.oy * b.ox
    return whole * (1 + further), whole

"""Eyeriss, measured on AlexNet: time, active PEs, buffer and DRAM traffic per layer.

Source: Chen, Krishna, Emer, Sze, "Eyeriss: An Energy-Efficient Reconfigurable
Accelerator for Deep Convolutional Neural Networks", JSSC 52(1), 2017 ("the paper"):
Table III (mappings), Table V (measurements at 1 V, 200 MHz, batch of 4, 16 bit).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from costmodel.mapper import best_mappings, mapping_of
from costmodel.nest import laid, nest_of
from costmodel.tiling import ORDERS, Case, tiled
from instances.chiplet_types import packaged_types
from instances.dataflow import read_dataflow
from instances.models.alexnet import alexnet

if TYPE_CHECKING:
    from costmodel.mapper import Mapping
    from instances.schema import ChipletType, Layer

DATAFLOW = Path(__file__).parent / "eyeriss.yaml"
SAMPLES, ELEMENT_BYTES, CLOCK_MHZ = 4, 2, 200
PES = 168
GLB_BYTES = 108 * 1024
SPAD_WORDS = 224 + 12 + 24  # filters, input, sums of a PE; section V-C
# Buses between global buffer and PEs, in words of 16 bits per cycle; section V-B.
FILTER_BUS, INPUT_BUS, SUM_BUS = 4, 1, 4


@dataclass(frozen=True, slots=True)
class Published:
    """A row of Tables III and V.

    Parameters
    ----------
    m, n
        Output channels whose sums, and samples whose inputs, wait in the buffer.
    e
        Output rows of a set of PEs.
    p, q
        Filters and channels in one PE.
    r, t
        Sets of PEs side by side: of other channels, of other filters.
    ms, pes, glb_mb, dram_mb
        Processing time, active PEs, traffic of the global buffer, of DRAM.
    """

    m: int
    n: int
    e: int
    p: int
    q: int
    r: int
    t: int
    ms: float
    pes: int
    glb_mb: float
    dram_mb: float


# A scan of CONV3's time reads 21.3; the total of 103.5 needs 21.8.
PUBLISHED = {
    "conv1": Published(96, 1, 7, 16, 1, 1, 2, 16.5, 154, 18.5, 5.0),
    "conv2": Published(64, 1, 27, 16, 2, 1, 1, 39.2, 135, 77.6, 4.0),
    "conv3": Published(64, 4, 13, 16, 4, 1, 4, 21.8, 156, 50.2, 3.0),
    "conv4": Published(64, 4, 13, 16, 3, 2, 2, 16.0, 156, 37.4, 2.1),
    "conv5": Published(64, 4, 13, 16, 3, 2, 2, 10.0, 156, 24.9, 1.3),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A layer: what was measured, and what the model says of it.

    Parameters
    ----------
    alone_ms
        The published mapping in the cost model as it is.
    filled_ms
        With the chip's buses and the filling of the PEs before every pass.
    own_ms
        The fastest mapping that the mapper finds itself, in the cost model as it is.
    pes, glb_mb, dram_mb
        Of the published mapping; DRAM without the chip's compression.
    """

    name: str
    published: Published
    alone_ms: float
    filled_ms: float
    own_ms: float
    pes: int
    glb_mb: float
    dram_mb: float


def rows() -> list[Row]:
    """Cost the five convolutions."""
    model = alexnet(samples=SAMPLES, bytes_per_element=ELEMENT_BYTES)
    layers = {layer.name: layer for layer in model.layers}
    return [
        _row(name, layers[name], published) for name, published in PUBLISHED.items()
    ]


def _row(name: str, layer: Layer, published: Published) -> Row:
    """Cost one layer."""
    found = published_mapping(layer, published)
    chip = chiplet()
    own = best_mappings(layer, chip, SAMPLES, ELEMENT_BYTES)
    return Row(
        name=name,
        published=published,
        alone_ms=milliseconds(found.cycles),
        filled_ms=milliseconds(filled_cycles(found)),
        own_ms=milliseconds(min(one.cycles for one in own if one is not None)),
        pes=math.prod(found.split.values()),
        glb_mb=_megabytes(
            found.noc_in + found.noc_w + found.noc_up + found.noc_down,
        ),
        dram_mb=_megabytes(outside(found)),
    )


def chiplet() -> ChipletType:
    """Return the chip as a chiplet type; energies, of which nothing is said, packaged.

    The model's L1 is double-buffered; the scratch pads are not, so twice their size
    stands for them. The one NoC of the model has the width of all buses together.
    """
    return replace(
        packaged_types()["eyeriss"],
        name="eyeriss-chip",
        dataflow=read_dataflow(DATAFLOW),
        num_pes=PES,
        l1_bytes_per_pe=2 * SPAD_WORDS * ELEMENT_BYTES,
        l2_bytes=GLB_BYTES,
        noc_bytes_per_cycle=_bandwidth() * ELEMENT_BYTES,
        clock_mhz=Fraction(CLOCK_MHZ),
    )


def _bandwidth() -> Fraction:
    """Words per cycle of all buses; sums have one each way."""
    return Fraction(FILTER_BUS + INPUT_BUS + 2 * SUM_BUS)


def published_mapping(layer: Layer, published: Published) -> Mapping:
    """Return the mapping of Table III, costed by the closed forms of NEST.md.

    A pass is a fold of k, c and y. The buffer holds the input of one pass and the
    sums of `m` channels, until all channels are added (section III-C).
    """
    assert layer.bounds is not None
    nest, row = nest_of(layer.bounds, SAMPLES, True), published
    split = [1, row.t, row.r, nest.r, 1, row.e, 1]
    held = [1, row.p, row.q, 1, 1, row.n, 1]
    arrays = laid(nest, _column(*split), _column(*held))
    one = np.ones(1, np.int64)
    tiles = tiled(arrays, 0 * one, one, one * (row.m // (row.p * row.t)), one, one)
    chip = chiplet()
    case = Case(
        nest=nest,
        dataflow=read_dataflow(DATAFLOW),
        element_bytes=ELEMENT_BYTES,
        weight_bytes=layer.weight_bytes,
        residuals=0,
        floor=0,
        bandwidth=_bandwidth(),
        l1_pj=float(chip.l1_energy_pj_per_byte) * ELEMENT_BYTES,
        l2_pj=float(chip.l2_energy_pj_per_byte) * ELEMENT_BYTES,
    )
    return mapping_of(case, arrays, tiles, ORDERS.index("ykc"))


def _column(*values: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return one mapping as a column."""
    return np.asarray([[value] for value in values], np.int64)


def filled_cycles(found: Mapping) -> int:
    """Cycles with the PEs filled before every pass, and separate buses.

    Derivation. The paper names three reasons why the chip is slower than its peak
    (section VI-A): idle PEs, "it takes time to load data from the GLB into the PE
    array to ramp up each processing pass", and DRAM, which the processing time
    leaves out. In words of 16 bits, a pass first takes the larger of

    - its filters over the filter bus: k·c·r·s / 4,
    - the first window of its input rows over the input bus: c·rows·s / 1.

    The buses are separate, hence the larger. Then it computes; input, sums in and
    sums out flow meanwhile, each over its own bus, and the slowest counts.
    """
    nest, fold = found.nest, found.covers
    passes = math.prod(found.folds[d] for d in "gkcy")
    taps = nest.r * nest.s
    filters = -(-fold["g"] * fold["k"] * fold["c"] * taps // FILTER_BUS)
    rows_out = min(fold["y"], nest.y)
    touched = (rows_out - 1) * min(nest.stride, nest.r) + nest.r
    window = -(-fold["g"] * fold["c"] * touched * nest.s // INPUT_BUS)
    flow = max(
        found.compute_cycles,
        -(-found.noc_in // INPUT_BUS),
        -(-found.noc_down // SUM_BUS),
        -(-found.noc_up // SUM_BUS),
    )
    return passes * max(filters, window) + flow


def outside(found: Mapping) -> int:
    """Words that cross to or from DRAM."""
    nest = found.nest
    once = nest.inputs + nest.weights + nest.outputs
    return once + found.reread_in + found.reread_w + 2 * found.reread_out


def milliseconds(cycles: int) -> float:
    """Cycles of the chip's clock as time."""
    return cycles / (CLOCK_MHZ * 1000)


def _megabytes(words: int) -> float:
    """Words of 16 bits in 10^6 bytes."""
    return words * ELEMENT_BYTES / 1e6

"""Tiles of a layer in L2 and what they cost, in closed form (NEST.md).

Everything is vectorised: columns of array mappings (`Arrays`), of tilings (`Tiles`,
each of one array mapping) and of costs, by the order of the loops over tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from costmodel.traffic import (
    FOREIGN,
    Flags,
    Tiles,
    crossings,
    least_crossings,
    loads,
    reloads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costmodel.nest import Arrays, Nest
    from costmodel.templates import Ints
    from instances.dataflow import Dataflow

Floats = npt.NDArray[np.float64]

ORDERS = tuple("".join(order) for order in permutations("kcy"))
MOST_SIZES = 12  # tile sizes tried along a loop
MOST_SAMPLES = 4  # of these, along the samples of a mini-batch


@dataclass(frozen=True, slots=True)
class Case:
    """A layer on a chiplet type, as the search needs it.

    Parameters
    ----------
    dataflow
        `None` for a fixed mapping; `fixed` is then what crosses the NoC (input,
        weights, sums up), in elements.
    weight_bytes
        Of the layer; what is not weights has `element_bytes` an element.
    residuals
        Further inputs of the output's size.
    floor
        The roofline in cycles; only a fixed mapping needs it (A8).
    bandwidth
        Of the NoC, in elements per cycle.
    l1_pj, l2_pj, noc_pj
        Energy of an element in L1, in L2 and on its way over the NoC.
    """

    nest: Nest
    dataflow: Dataflow | None
    element_bytes: int
    weight_bytes: int
    residuals: int
    floor: int
    bandwidth: Fraction
    l1_pj: float
    l2_pj: float
    noc_pj: float = 0.0
    fixed: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Amounts:
    """What crosses the NoC and what L2 fetches again; elements."""

    noc_in: Ints
    noc_w: Ints
    noc_up: Ints
    noc_down: Ints
    reread_in: Ints
    reread_w: Ints
    reread_out: Ints

    @property
    def moved(self) -> Ints:
        """All that crosses the NoC."""
        return self.noc_in + self.noc_w + self.noc_up + self.noc_down

    @property
    def again(self) -> Ints:
        """All that L2 reads and writes again."""
        return self.reread_in + self.reread_w + 2 * self.reread_out

    def take(self, index: int) -> Amounts:
        """Amounts of one tiling."""
        return Amounts(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Costs:
    """What tilings cost.

    Arrays (tilings): `ws` in bytes, and whether a tile `holds` all weights. Arrays
    (`ORDERS`, tilings): `cycles` of latency, the part of the `energy` in pJ that
    differs between mappings, elements fetched `again`.
    """

    ws: Ints
    holds: Flags
    cycles: Ints
    energy: Floats
    again: Ints


@lru_cache(maxsize=4096)
def divisors(folds: int, most: int) -> tuple[int, ...]:
    """Divisors of a number of folds; of more than `most`, some with both ends."""
    low = [d for d in range(1, math.isqrt(folds) + 1) if folds % d == 0]
    found = sorted({*low, *(folds // d for d in low)})
    if len(found) <= most:
        return tuple(found)
    return tuple(found[i * (len(found) - 1) // (most - 1)] for i in range(most))


@lru_cache(maxsize=4096)
def row_tiles(per_sample: int, folds: int) -> tuple[int, ...]:
    """Folds to a tile along `y`: within one sample, or those of whole samples."""
    inside = divisors(per_sample, MOST_SIZES)
    samples = divisors(folds // per_sample, MOST_SAMPLES)
    return tuple(sorted({*inside, *(per_sample * m for m in samples)}))


def tilings(a: Arrays) -> Tiles:
    """All tilings worth trying of some array mappings.

    One fold of `g` to a tile: more save nothing, as `g` is a loop of every operand;
    but one tile of all `g`, `k` and `c` holds the weights.
    """
    choices = (
        [divisors(int(folds), MOST_SIZES) for folds in a.folds_k],
        [divisors(int(folds), MOST_SIZES) for folds in a.folds_c],
        [
            row_tiles(int(per), int(folds))
            for per, folds in zip(a.per_sample, a.folds_y, strict=True)
        ],
    )
    (k, many_k), (c, many_c), (y, many_y) = (_table(choice) for choice in choices)
    of, at = _numbered(np.arange(len(a.cycles)), many_k * many_c * many_y)
    at, at_y = np.divmod(at, many_y[of])
    at_k, at_c = np.divmod(at, many_c[of])
    some = np.ones_like(of), k[of, at_k], c[of, at_c], y[of, at_y]
    held, at_y = _numbered(*((i := np.flatnonzero(a.folds_g > 1)), many_y[i]))
    more = a.folds_g[held], a.folds_k[held], a.folds_c[held], y[held, at_y]
    sizes = (np.concatenate(pair) for pair in zip(some, more, strict=True))
    return tiled(a, np.concatenate([of, held]), *sizes)


def tiled(a: Arrays, of: Ints, g: Ints, k: Ints, c: Ints, y: Ints) -> Tiles:
    """Tilings of mappings `of`, given the folds to a tile along each loop."""
    turns = a.folds_k[of] // k, a.folds_c[of] // c, a.folds_y[of] // y
    return Tiles(of, g, k, c, y, *turns)


def _table(choice: list[tuple[int, ...]]) -> tuple[Ints, Ints]:
    """Rows of different lengths as a table, and the lengths."""
    wide = max(map(len, choice), default=1)
    table = [row + (0,) * (wide - len(row)) for row in choice]
    lengths = np.asarray([len(row) for row in choice], np.int64)
    return np.asarray(table, np.int64).reshape(len(choice), wide), lengths


def _numbered(index: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Each index as often as its count, and the numbers 0, 1, … of its copies."""
    copies = np.repeat(index, count)
    return copies, np.arange(len(copies)) - np.repeat(np.cumsum(count) - count, count)


def largest(h: Nest, a: Arrays, t: Tiles) -> tuple[Ints, Ints, Ints]:
    """Elements of weights, input and output of the largest tile."""
    of = t.of
    g, k = np.minimum(t.g * a.g[of], h.g), np.minimum(t.k * a.k[of], h.k)
    c, y = np.minimum(t.c * a.c[of], h.c), t.y * a.y[of]
    # Folds of whole samples, or a tile of all folds of some samples.
    samples = np.where(
        a.y[of] >= h.y, np.minimum(y // h.y, h.n), t.y // a.per_sample[of]
    )
    inside = (np.minimum(y, h.y) - 1) * h.stride + h.reach_r
    rows_in = np.where(samples > 0, samples * h.rows_in, inside)
    rows = np.where(samples > 0, samples * h.y, np.minimum(y, h.y))
    weights = g * k * c * h.r * h.s
    return weights, g * c * rows_in * h.columns_in, g * k * rows * h.x


def working_set(case: Case, a: Arrays, t: Tiles) -> Ints:
    """Bytes of two copies of the largest tile (A16)."""
    weights, inputs, outputs = largest(case.nest, a, t)
    share = Fraction(case.weight_bytes, case.nest.weights)
    weights = -(-weights * share.numerator // share.denominator)
    others = inputs + outputs * (1 + case.residuals)
    found: Ints = 2 * (weights + others * case.element_bytes)
    return found


def amounts(case: Case, a: Arrays, t: Tiles) -> Iterator[Amounts]:
    """What crosses the NoC and is fetched again, for each of `ORDERS`."""
    h = case.nest
    again = reloads(t)
    per_sample = np.maximum(a.per_sample[t.of] // t.y, 1)
    rows = (h.y - per_sample) * h.stride + per_sample * h.reach_r
    halo = h.g * h.n * h.c * h.columns_in * rows
    crossed = _crossed(case, a, t)
    for order in ORDERS:
        key = {
            operand: "".join(d for d in own if order.index(d) > order.index(foreign))
            for operand, (foreign, own) in FOREIGN.items()
        }
        inputs, weights, up, down = crossed(key)
        yield Amounts(
            noc_in=inputs,
            noc_w=weights,
            noc_up=up,
            noc_down=down,
            reread_in=np.maximum(again["input"][key["input"]] * halo - h.inputs, 0),
            reread_w=(again["weights"][key["weights"]] - 1) * h.weights,
            reread_out=(again["output"][key["output"]] - 1) * h.outputs,
        )


def _crossed(
    case: Case, a: Arrays, t: Tiles
) -> Callable[[dict[str, str]], tuple[Ints, Ints, Ints, Ints]]:
    """Input, weights, sums up and down over the NoC, by keys of `crossings`."""
    if case.fixed is not None:
        same = tuple(np.full_like(t.of, amount) for amount in case.fixed)
        return lambda key: (same[0], same[1], same[2], 0 * same[0])
    assert case.dataflow is not None
    once = loads(case.nest, case.dataflow, a)
    found = crossings(case.dataflow, a, once, t)
    first = (once.output * once.c[0])[t.of]

    def amounts_of(key: dict[str, str]) -> tuple[Ints, Ints, Ints, Ints]:
        up = found["output"][key["output"]]
        inputs = found["input"][key["input"]]
        return inputs, found["weights"][key["weights"]], up, up - first

    return amounts_of


def least(case: Case, a: Arrays) -> tuple[Ints, Floats]:
    """Latency and energy that no tiling of an array mapping is below."""
    zero = np.zeros_like(a.cycles)
    if case.fixed is not None:
        inputs, weights, up = (zero + amount for amount in case.fixed)
        only = Amounts(inputs, weights, up, zero, zero, zero, zero)
        return latency(case, a.cycles, only.moved), energy_of(case, only)
    assert case.dataflow is not None
    once = loads(case.nest, case.dataflow, a)
    cycles = np.full_like(a.cycles, np.iinfo(np.int64).max)
    energy = np.full(len(cycles), np.inf)
    for may, inputs, weights, up, down in least_crossings(case.dataflow, a, once):
        found = Amounts(inputs, weights, up, down, zero, zero, zero)
        now = latency(case, a.cycles, found.moved)
        cycles = np.where(may, np.minimum(cycles, now), cycles)
        energy = np.where(may, np.minimum(energy, energy_of(case, found)), energy)
    return cycles, energy


def costs(case: Case, a: Arrays, t: Tiles) -> Costs:
    """Cost tilings."""
    h = case.nest
    cycles, energy, again = [], [], []
    for found in amounts(case, a, t):
        cycles.append(latency(case, a.cycles[t.of], found.moved))
        energy.append(energy_of(case, found))
        again.append(found.again)
    holds = t.g * a.g[t.of] >= h.g
    holds &= (t.tiles_k == 1) & (t.tiles_c == 1)
    return Costs(
        ws=working_set(case, a, t),
        holds=holds,
        cycles=np.stack(cycles),
        energy=np.stack(energy),
        again=np.stack(again),
    )


def latency(case: Case, compute: Ints, moved: Ints) -> Ints:
    """The larger of compute and NoC time; a fixed mapping brings its own (A8)."""
    if case.fixed is not None:
        return np.maximum(compute, case.floor)
    b = case.bandwidth
    noc: Ints = -(-moved * b.denominator // b.numerator)
    return np.maximum(compute, noc)


def energy_of(case: Case, found: Amounts) -> Floats:
    """Energy in pJ that differs between mappings (A4, A5, A31).

    Without MACs, their operands in L1, and what is filled and drained in any case.
    """
    into = found.noc_in + found.noc_w + found.noc_down
    outside = found.moved + found.again
    wires = case.noc_pj * found.moved
    return np.asarray(case.l1_pj * into + case.l2_pj * outside + wires)

"""Synthetic instances with given costs, drawn from a `Spec` and its seed.

Every draw is an integer from `random.Random(seed).random()`, whose sequence Python
guarantees. No logarithms: their last digits may differ between machines.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]
TYPES = {"w": "nvdla", "o": "shidiannao"}
WORK_TICKS = (2_000, 60_000)
WEIGHT_BYTES = (8 * 1024, 512 * 1024)
TENSOR_BYTES = (4 * 1024, 128 * 1024)
KIBI = 1024
TICK_PS = 2000


class Decimal(str):
    """A number that is written as it stands."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """What one synthetic instance is drawn from.

    Parameters
    ----------
    layers
        Of each model.
    size
        Columns and rows of the package.
    l2
        L2 of the whole package as a share of all weights; every chiplet has at
        least what the least modes need, so that there is always a schedule.
    dram
        Time of the DRAM bytes of a round with nothing resident and all tensors on
        the package, at the total bandwidth, over the mean work of a chiplet.
    branching
        How often a fork of two or three branches begins, or a layer has a skip.
    modes
        Most modes of a layer on a type.
    rounds
        Most mini-batches of a model.
    """

    name: str
    seed: int
    layers: tuple[int, ...]
    size: tuple[int, int]
    l2: Fraction
    dram: Fraction
    branching: Fraction = Fraction(0)
    modes: int = 2
    rounds: int = 1
    topology: str = "mesh"
    link_gb_s: int = 100
    interfaces: int = 2
    dram_mode: str = "shared"
    options: Mapping[str, object] = field(default_factory=dict)


class Draw:
    """Integers from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def between(self, least: int, most: int) -> int:
        """Return an integer of least … most, all as likely."""
        return least + int(self._random() * (most - least + 1))

    def spread(self, bounds: tuple[int, int]) -> int:
        """Return an integer of the bounds, every doubling of it as likely."""
        least, most = bounds
        size = least << self.between(0, (most // least).bit_length() - 1)
        return min(most, size + self.between(0, size))

    def chance(self, share: Fraction) -> bool:
        """Return whether something of this probability happens."""
        return self.between(1, share.denominator) <= share.numerator


def synthetic(spec: Spec) -> Row:
    """Return the scenario of a spec as plain values."""
    draw = Draw(spec.seed)
    models = [
        _model(draw, f"m{index}", count, spec)
        for index, count in enumerate(spec.layers)
    ]
    costs = _costs(draw, spec, models)
    scenario: Row = {
        "schema": "instance/1",
        "name": spec.name,
        "package": _package(draw, spec, models, costs),
        "models": models,
        "tick_ps": TICK_PS,
        "energy_quantum_fj": 1000,
    }
    if spec.options:
        scenario["options"] = dict(spec.options)
    return {**scenario, "costs": costs}


def _reads(draw: Draw, count: int, branching: Fraction) -> list[list[int]]:
    """Return for every layer the layers that it reads; none for the first."""
    reads: list[list[int]] = [[]]
    ends = [0]
    while len(reads) < count:
        if count - len(reads) > 6 and draw.chance(branching):
            source, ends = ends, []
            for _ in range(draw.between(2, 3)):
                tip = source
                for _ in range(draw.between(1, 2)):
                    reads.append(tip)
                    tip = [len(reads) - 1]
                ends += tip
        if draw.chance(branching):
            ends = sorted({*ends, draw.between(0, len(reads) - 1)})
        reads.append(ends)
        ends = [len(reads) - 1]
    return reads


def _model(draw: Draw, name: str, count: int, spec: Spec) -> Row:
    """Draw one model: layers with weights, and tensors along its edges."""
    reads = _reads(draw, count, spec.branching)
    layers = []
    for index in range(count):
        weights = 0 if draw.chance(Fraction(1, 7)) else draw.spread(WEIGHT_BYTES)
        layers.append({"name": f"l{index}", "op": "opaque", "weight_bytes": weights})
    entry = draw.spread(TENSOR_BYTES)
    tensors: list[Row] = [{"name": "x", "consumers": ["l0"], "bytes": entry}]
    for index in range(count):
        row = {
            "name": f"t{index}",
            "producer": f"l{index}",
            "consumers": [f"l{k}" for k, made in enumerate(reads) if index in made],
            "bytes": draw.spread(TENSOR_BYTES),
        }
        tensors.append(row)
    rounds = draw.between(1, spec.rounds)
    batches = {"mini_batches": rounds} if rounds > 1 else {}
    return {"name": name, **batches, "layers": layers, "tensors": tensors}


def _costs(draw: Draw, spec: Spec, models: list[Row]) -> list[Row]:
    """Draw the table: a layer takes 1.2 to 2.5 times as long off its favourite type."""
    rows: list[Row] = []
    for model in models:
        for layer in model["layers"]:
            work, other = draw.spread(WORK_TICKS), draw.between(12, 25)
            best = draw.between(0, len(TYPES) - 1)
            for index, kind in enumerate(TYPES):
                ticks = work if index == best else work * other // 10
                key = {"model": model["name"], "layer": layer["name"]}
                rows += [
                    {**key, "chiplet_type": kind, **mode}
                    for mode in _modes(draw, spec, layer, model["tensors"], ticks)
                ]
    return rows


def _modes(
    draw: Draw, spec: Spec, layer: Row, tensors: list[Row], ticks: int
) -> list[Row]:
    """Draw the modes of a layer on a type, the fastest first.

    Later ones are slower and need less of L2, for which they read weights or an
    input again; they may take less energy.
    """
    name, weights = layer["name"], layer["weight_bytes"]
    inputs = {u["name"]: u["bytes"] for u in tensors if name in u["consumers"]}
    made = sum(u["bytes"] for u in tensors if u.get("producer") == name)
    about = sum(inputs.values()) + made
    energy = ticks * draw.between(500, 2000)
    modes: list[Row] = []
    for number in range(draw.between(1, spec.modes)):
        share = 4 << number
        mode: Row = {
            "latency_ticks": ticks + ticks * number * draw.between(1, 20) // 50,
            "energy_quanta": energy - energy * number * draw.between(0, 9) // 30,
            "ws_bytes": (weights // share if number else weights) + about // share,
        }
        if number and weights and draw.chance(Fraction(1, 2)):
            mode["rw_bytes"] = weights * draw.between(1, 2)
        elif number:
            first = next(iter(inputs))
            mode["ri_bytes"] = {first: inputs[first] * draw.between(1, 3)}
        if number and weights:
            mode["holds_weights"] = False
        modes.append(mode)
    return modes


def _package(draw: Draw, spec: Spec, models: list[Row], costs: list[Row]) -> Row:
    """Return the package: a chequerboard of two types, L2 and DRAM by their shares."""
    width, height = spec.size
    kinds, first = list(TYPES), draw.between(0, 1)
    l2 = -(-_l2_bytes(spec, models, costs) // KIBI) * KIBI
    return {
        "name": spec.name,
        "topology": spec.topology,
        "width": width,
        "height": height,
        "types": {kind: {"base": base, "l2_bytes": l2} for kind, base in TYPES.items()},
        "chiplets": [
            kinds[(x + y + first) % 2] for y in range(height) for x in range(width)
        ],
        "link": {
            "bandwidth_gb_s": spec.link_gb_s,
            "hop_latency_ns": 35,
            "energy_pj_per_bit": Decimal("2.04"),
        },
        "port": {"in_gb_s": spec.link_gb_s, "out_gb_s": spec.link_gb_s},
        "dram": {
            "bandwidth_gb_s": _dram_gb_s(spec, models, costs),
            "latency_ns": 200,
            "energy_pj_per_bit": Decimal("14.8"),
            "interfaces": spec.interfaces,
            "mode": spec.dram_mode,
        },
    }


def _per_layer(costs: list[Row], key: str, by_type: bool) -> dict[tuple[str, ...], int]:
    """Return the least `key` of every layer, on any type or on each."""
    least: dict[tuple[str, ...], int] = {}
    for row in costs:
        place = (row["model"], row["layer"], *([row["chiplet_type"]] * by_type))
        least[place] = min(least.get(place, row[key]), row[key])
    return least


def _l2_bytes(spec: Spec, models: list[Row], costs: list[Row]) -> int:
    """Return the L2 of a chiplet."""
    weights = sum(x["weight_bytes"] for model in models for x in model["layers"])
    needed = max(_per_layer(costs, "ws_bytes", by_type=True).values())
    width, height = spec.size
    return max(needed, int(spec.l2 * weights) // (width * height))


def _dram_gb_s(spec: Spec, models: list[Row], costs: list[Row]) -> Decimal:
    """Return the bandwidth of all interfaces, in whole tenths of 10^9 bytes/s."""
    rounds = {model["name"]: model.get("mini_batches", 1) for model in models}
    fastest = _per_layer(costs, "latency_ticks", by_type=False)
    width, height = spec.size
    work = sum(t * rounds[key[0]] for key, t in fastest.items()) // (width * height)
    outside = sum(x["weight_bytes"] for model in models for x in model["layers"])
    for model in models:
        for u in model["tensors"]:
            if "producer" not in u or not u["consumers"]:
                outside += u["bytes"] * rounds[model["name"]]
    # bytes/tick = 1000/TICK_PS · 10^9 bytes/s
    tenths = max(1, int(outside * 10_000 / (spec.dram * work * TICK_PS)))
    return Decimal(f"{tenths // 10}.{tenths % 10}")

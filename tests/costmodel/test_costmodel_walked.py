"""The closed forms against the counter, which walks tiny layers step by step."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from walker import Loops, Mapped, walk

from costmodel.build import accesses_of
from costmodel.families import dataflow_of
from costmodel.mapper import Mapping, mapping_of
from costmodel.nest import Arrays, Nest, laid, nest_of, searched
from costmodel.tiling import ORDERS, Case, tiled, tilings
from instances.dataflow import Axis, Dataflow
from instances.schema import LoopBounds

FAMILIES = [dataflow_of(name) for name in ("ws", "os", "rs", "tpu")]
# Every order of loops may stand in a file, so unusual ones are walked too.
ODD = [
    Dataflow("a", (Axis(("k", "y")), Axis(("c", "x"))), tuple("xckyg"), "input"),
    Dataflow("b", (Axis(("g", "c", "r"), 3), Axis(("k", "c", "s"))), tuple("ygckx"),
             "input", hold=("c", "y"), slides=True),
    Dataflow("c", (Axis(("s", "r", "c", "y", "k")),), tuple("ckgxy"), "weights",
             hold=("k", "c", "y"), reduce=("s",)),
]  # fmt: skip


def variants(flow: Dataflow) -> list[Dataflow]:
    """The dataflow as it is, and with nothing multicast or reduced."""
    sharing = [(), ("weights",), ("input",), ("weights", "input")]
    sums = {(), flow.reduce, tuple(d for d in flow.spread if d in "crs")}
    return [
        replace(flow, multicast=shared, reduce=reduced)
        for shared in sharing
        for reduced in sorted(sums)
    ]


def layer(rng: random.Random) -> tuple[LoopBounds, int, bool]:
    """A tiny layer, samples, whether they share the weights."""
    kind = rng.choice(("conv", "conv", "gemm", "depthwise", "matmul"))
    if kind in ("gemm", "matmul"):
        groups = rng.randint(1, 2) if kind == "matmul" else 1
        k, c, rows = rng.randint(1, 6), rng.randint(1, 6), rng.randint(1, 7)
        return LoopBounds(k, c, rows, groups=groups), rng.randint(1, 3), kind == "gemm"
    one = kind == "depthwise"
    bounds = LoopBounds(
        k=1 if one else rng.randint(1, 4),
        c=1 if one else rng.randint(1, 3),
        oy=rng.randint(1, 5),
        ox=rng.randint(1, 4),
        r=rng.randint(1, 3),
        s=rng.randint(1, 3),
        stride=rng.randint(1, 3),
        groups=rng.randint(1, 3) if one else rng.randint(1, 2),
    )
    return bounds, rng.randint(1, 3), True


def case_of(nest: Nest, flow: Dataflow) -> Case:
    """One byte an element, no limits."""
    return Case(
        nest=nest,
        dataflow=flow,
        element_bytes=1,
        weight_bytes=nest.weights,
        residuals=0,
        floor=0,
        bandwidth=Fraction(1),
        l1_pj=1.0,
        l2_pj=10.0,
    )


def compare(mapping: Mapping) -> None:
    """Every count of a mapping, by walking it."""
    nest, flow = mapping.nest, mapping.dataflow
    assert flow is not None
    names = Loops.__dataclass_fields__
    counted = walk(
        Loops(**{name: getattr(nest, name) for name in names}),
        Mapped(
            split=dict(mapping.split),
            held={d: mapping.held[d] for d in "kcy"},
            tile_folds=dict(mapping.tile_folds),
            tile_order=mapping.tile_order,
            order="".join(flow.order),
            slides=flow.slides,
            multicast=frozenset(flow.multicast),
            reduce=frozenset(flow.reduce),
        ),
    )
    own = {
        "compute_cycles": mapping.compute_cycles,
        "noc_weights": mapping.noc_w,
        "noc_input": mapping.noc_in,
        "noc_output_up": mapping.noc_up,
        "noc_output_down": mapping.noc_down,
        "refetch_weights": mapping.reread_w,
        "refetch_input": mapping.reread_in,
        "refetch_output": mapping.reread_out,
        "tile_weights": mapping.tile_w,
        "tile_input": mapping.tile_in,
        "tile_output": mapping.tile_out,
        "holds_weights": mapping.holds_weights,
        "macs": nest.macs,
    }
    assert own == {name: getattr(counted, name) for name in own}, mapping
    assert mapping.ws_bytes == counted.working_set()
    reads = accesses_of(mapping, nest.macs, nest.inputs, nest.weights, nest.outputs)
    for level, count in (("l1", counted.l1_accesses), ("l2", counted.l2_accesses)):
        assert sum(n for name, n in reads.items() if name.startswith(level)) == count


def divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def any_tiling(rng: random.Random, a: Arrays) -> dict[str, np.ndarray]:
    """Any tile that NEST.md allows, not only those that the mapper tries."""
    per, rows = int(a.per_sample[0]), int(a.folds_y[0])
    whole = [per * m for m in divisors(rows // per)]
    chosen = {d: rng.choice(divisors(int(getattr(a, f"folds_{d}")[0]))) for d in "gkc"}
    chosen["y"] = rng.choice(divisors(per) + whole)
    return {d: np.asarray([n]) for d, n in chosen.items()}


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("flow", FAMILIES + ODD, ids=lambda flow: flow.name)
def test_random_mappings_are_as_walked(flow: Dataflow, dilation: int) -> None:
    """Array mappings of the search, half with tiles of it, half with any tile."""
    rng = random.Random(f"{flow.name}{dilation}")
    for number in range(150):
        bounds, samples, shared = layer(rng)
        nest = nest_of(replace(bounds, dilation=dilation), samples, shared)
        one = rng.choice(variants(flow))
        arrays = searched(one, nest, rng.choice((4, 9, 30)), rng.choice((20, 1000)))
        index = np.asarray([rng.randrange(len(arrays.cycles))])
        chosen = arrays.take(index)
        if number % 2:
            tiles = tilings(chosen)
            at = rng.randrange(len(tiles.of))
            folds = {d: getattr(tiles, d)[[at]] for d in "gkcy"}
        else:
            folds = any_tiling(rng, chosen)
        tile = tiled(chosen, np.zeros(1, np.int64), **folds)
        order = rng.randrange(len(ORDERS))
        compare(mapping_of(case_of(nest, one), chosen, tile, order))


def test_split_and_held_of_any_size_are_as_walked() -> None:
    """Array mappings that the search does not try, with the last folds narrow."""
    rng = random.Random(7)
    for _ in range(300):
        bounds, samples, shared = layer(rng)
        bounds = replace(bounds, dilation=rng.randint(1, 2))
        nest = nest_of(bounds, samples, shared)
        one = rng.choice(variants(rng.choice(FAMILIES + ODD)))
        split = {d: 1 for d in "gkcrsyx"}
        held = dict(split)
        for d in one.spread:
            bound = getattr(nest, d)
            split[d] = rng.choice((1, bound) if d in "rs" else range(1, bound + 1))
        for d in one.hold:
            held[d] = rng.randint(1, 3)
        columns = (np.asarray([[at[d]] for d in "gkcrsyx"]) for at in (split, held))
        array = laid(nest, *columns)
        tile = tiled(array, np.zeros(1, np.int64), **any_tiling(rng, array))
        order = rng.randrange(len(ORDERS))
        compare(mapping_of(case_of(nest, one), array, tile, order))


@pytest.mark.parametrize(
    "bounds",
    [
        LoopBounds(k=2, c=2, oy=2, ox=2, r=2, s=1, stride=2),
        pytest.param(
            LoopBounds(k=4, c=2, oy=3, ox=2, r=2, s=1, stride=2),
            marks=pytest.mark.long,
        ),
    ],
    ids=["2 filters", "4 filters"],
)
def test_all_mappings_of_a_layer_are_as_walked(bounds: LoopBounds) -> None:
    """Every tiling in every order of every array mapping of one small layer."""
    nest = nest_of(bounds, 2, True)
    for flow in FAMILIES[:3]:
        arrays = searched(flow, nest, 8, 40)
        count = 0
        for i in range(len(arrays.cycles)):
            chosen = arrays.take(np.asarray([i]))
            tiles = tilings(chosen)
            for at in range(len(tiles.of)):
                one = tiled(
                    chosen,
                    np.zeros(1, np.int64),
                    **{d: getattr(tiles, d)[[at]] for d in "gkcy"},
                )
                for order in range(len(ORDERS)):
                    compare(mapping_of(case_of(nest, flow), chosen, one, order))
                    count += 1
        assert count > 100

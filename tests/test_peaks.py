"""Branching on peaks: no schedule is lost, and no bound is above one's value."""

from __future__ import annotations

from dataclasses import replace
from heapq import heapify
from random import Random
from typing import TYPE_CHECKING

import pytest

from formulation.outcome import Target
from formulation.pipelined.cpsat import STRENGTHENINGS
from formulation.pipelined.peaks import Peaks, peak_bounds
from formulation.pipelined.semantics import evaluate
from formulation.rules import UnassignedError
from instances.load import instance_from_mapping
from tests.formulation.test_relaxation import counted_peak
from tests.random_schedules import draw
from tests.support import problem_of, proved, tiny

if TYPE_CHECKING:
    from formulation.problem import Problem

SEEDS = [s for s in range(60) if not tiny(s).problem.residents_only]
SPLITS = 25
NO_CAPS = {"period_cap_ticks": None, "energy_cap_quanta": None}


def tight(seed: int) -> Problem:
    """Return a tiny problem without caps, with three quarters of its L2."""
    p = tiny(seed).problem
    models = tuple(replace(m, latency_cap_ticks=None) for m in p.models)
    chiplets = tuple(replace(c, l2_bytes=c.l2_bytes * 3 // 4) for c in p.chiplets)
    return replace(p, models=models, chiplets=chiplets, **NO_CAPS)


def own_box(peaks: Peaks, mine: list[int]) -> int:
    """Return the bound of the box that holds just these peaks."""
    others = len(peaks.heap)
    peaks.solve(tuple(mine), tuple(mine), 0)
    [box] = [box for box in peaks.heap if box[2] == box[3] == tuple(mine)][:1]
    peaks.heap.remove(box)
    heapify(peaks.heap)
    assert len(peaks.heap) == others
    return box[0]


def no_limit() -> None:
    return None


@pytest.mark.parametrize("engine", ["cpsat"])
@pytest.mark.parametrize("first", range(0, len(SEEDS), 10))
def test_every_schedule_is_in_one_box_and_worth_its_bound(
    first: int, engine: str
) -> None:
    assert engine
    inside = 0
    for seed in SEEDS[first : first + 10]:
        p, rng = tight(seed), Random(f"peaks {seed}")
        if not all(p.supported(t) for t in range(len(p.tasks))):
            continue
        peaks = Peaks(p, Target("energy"), no_limit)
        for _ in range(SPLITS):
            if peaks.bound is None or not peaks.split():
                break
        for s in [draw(p, rng) for _ in range(60)]:
            try:
                found = evaluate(p, s)
            except UnassignedError:
                continue
            if found.violations:
                continue
            mine = [counted_peak(p, s, c) for c in range(len(p.chiplets))]
            boxes = [
                bound
                for bound, _, low, high, _, _ in peaks.heap
                if all(a <= x <= b for a, x, b in zip(low, mine, high, strict=True))
            ]
            assert len(boxes) == 1
            assert boxes[0] <= found.energy_quanta
            assert own_box(peaks, mine) <= found.energy_quanta
            inside += 1
    assert inside > 5


@pytest.mark.parametrize("engine", ["cpsat"])
@pytest.mark.parametrize("seed", SEEDS[:16])
def test_bounds_rise_to_the_optimum_at_most(seed: int, engine: str) -> None:
    p, target = tight(seed), Target("energy")
    best = proved(engine, p, target, strengthenings=frozenset())
    told: list[int] = []

    def enough(bound: int) -> bool:
        told.append(bound)
        return best is not None and bound >= best

    if all(p.supported(t) for t in range(len(p.tasks))):
        peak_bounds(p, target, no_limit, enough)
        assert told == sorted(told)
        assert best is None or told[-1] <= best
    assert proved(engine, p, target, strengthenings=frozenset(STRENGTHENINGS)) == best


def test_boxes_prove_more_than_the_relaxation() -> None:
    """Two chiplets with 10 bytes; a layer of ws 6, two with 7 bytes of weights.

    In halves on both chiplets the first layer takes 3 of each, and what is left, 7 and
    7, holds all weights. In truth one chiplet has 4 left at most, the other one 10: one
    layer of the two streams its 7 bytes, of 4 left the relaxation uses all, and
    14 − 4 − 10 is nothing; with a ws of 1 for these, 14 − 4 − 9 is a byte to be read.
    """
    layers = [("a", 0, 6), ("b", 7, 1), ("c", 7, 1)]
    instance = instance_from_mapping(
        {
            "schema": "instance/1",
            "name": "peaks",
            "tick_ps": 1000,
            "energy_quantum_fj": 1000,
            "package": {
                "name": "two",
                "topology": "none",
                "types": {"k": {"base": "nvdla", "clock_mhz": 1000, "l2_bytes": 10}},
                "chiplets": ["k", "k"],
                "dram": {"energy_pj_per_bit": "1/8", "latency_ns": 0, "interfaces": 1},
            },
            "models": [
                {
                    "name": "m",
                    "layers": [
                        {"name": name, "op": "opaque", "weight_bytes": weights}
                        for name, weights, _ in layers
                    ],
                    "tensors": [],
                }
            ],
            "costs": [
                {"model": "m", "layer": name, "chiplet_type": "k", "ws_bytes": ws}
                | {"latency_ticks": 1, "energy_quanta": 0}
                for name, _, ws in layers
            ],
        }
    )
    peaks = Peaks(problem_of(instance), Target("energy"), no_limit)
    assert peaks.bound == 0
    while peaks.bound == 0:
        assert peaks.split()
    assert peaks.bound == 1

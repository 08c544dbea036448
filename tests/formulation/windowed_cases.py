"""The tiny instance that the hand-worked tests of windowed schedules share.

Three chiplets of one type k on a 3x1 mesh, one tick = 1 ns, so GB/s are bytes per tick:
links 2, ports unlimited, DRAM 4 through one interface at router 0. Hop latency 2 ticks,
DRAM latency 3: a read or write takes 3, 5, 7 ticks longer on chiplet 0, 1, 2. From
chiplets 1 and 2 the links, with 2 bytes a tick, are narrower than DRAM.

Model m, two mini-batches, of one each: x (8 bytes, input) → a → u (4) → b → v (6) → c →
y (2, output); u is also read by c. Ticks a 3, b 2, c 4; weights a 8, b 0, c 12.
Energies in quanta, of one mini-batch: a 5, b 7, c 1; DRAM 1 and a link 1/2 a byte.
Model s, one mini-batch: d, 6 ticks, 10 quanta, no weights; p (4, input) → d → q (4).

Live before b: u = 4 bytes; before c: u and v = 10 bytes (of a mini-batch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.windowed.schedule import from_dict
from formulation.windowed.semantics import evaluate
from instances.load import instance_from_mapping
from tests.formulation.timed_cases import merged, told
from tests.support import problem_of

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.windowed.semantics import Evaluation


def row(model: str, layer: str, ticks: int, quanta: int, ws: int) -> dict[str, Any]:
    return {
        "model": model,
        "layer": layer,
        "chiplet_type": "k",
        "latency_ticks": ticks,
        "energy_quanta": quanta,
        "ws_bytes": ws,
    }


SCENARIO: dict[str, Any] = {
    "schema": "instance/1",
    "name": "tiny windowed",
    "tick_ps": 1000,
    "energy_quantum_fj": 1000,
    "package": {
        "name": "row",
        "topology": "mesh",
        "width": 3,
        "height": 1,
        "types": {"k": {"base": "nvdla", "clock_mhz": 1000, "l2_bytes": 100}},
        "chiplets": ["k", "k", "k"],
        "link": {
            "bandwidth_gb_s": 2,
            "hop_latency_ns": 2,
            "energy_pj_per_bit": 0.0625,
        },
        "dram": {
            "bandwidth_gb_s": 4,
            "latency_ns": 3,
            "energy_pj_per_bit": 0.125,
            "interfaces": 1,
        },
    },
    "models": [
        {
            "name": "m",
            "mini_batches": 2,
            "layers": [
                {"name": "a", "op": "opaque", "weight_bytes": 8},
                {"name": "b", "op": "opaque"},
                {"name": "c", "op": "opaque", "weight_bytes": 12},
            ],
            "tensors": [
                {"name": "x", "consumers": ["a"], "bytes": 8},
                {"name": "u", "producer": "a", "consumers": ["b", "c"], "bytes": 4},
                {"name": "v", "producer": "b", "consumers": ["c"], "bytes": 6},
                {"name": "y", "producer": "c", "bytes": 2},
            ],
        },
        {
            "name": "s",
            "layers": [{"name": "d", "op": "opaque"}],
            "tensors": [
                {"name": "p", "consumers": ["d"], "bytes": 4},
                {"name": "q", "producer": "d", "bytes": 4},
            ],
        },
    ],
    "costs": [
        row("m", "a", 3, 5, 10),
        row("m", "b", 2, 7, 20),
        row("m", "c", 4, 1, 30),
        row("s", "d", 6, 10, 40),
    ],
}


def on(chiplet: int, window: int = 0, mode: int = 0) -> dict[str, int]:
    return {"chiplet": chiplet, "mode": mode, "window": window}


SCHEDULE: dict[str, Any] = {
    "layers": {"m/a": on(0), "m/b": on(0), "m/c": on(1), "s/d": on(2)},
    "groups": {"m": [1], "s": [1]},
}
"""a and b on chiplet 0, c on 1; s on 2; one window; one mini-batch at a time."""


def problem(windowed: dict[str, Any] | None = None, **changes: Any) -> Problem:
    """Return the problem of the scenario, with options of windowed schedules."""
    if windowed is not None:
        options = merged(changes.get("options", {}), {"windowed": windowed})
        changes["options"] = options
    return problem_of(instance_from_mapping(merged(SCENARIO, changes)))


def judged(p: Problem, **changes: Any) -> Evaluation:
    return evaluate(p, from_dict(p, merged(SCHEDULE, changes)))


def broken(p: Problem, **changes: Any) -> list[tuple[str, int, str]]:
    """Return label, amount and unit of every violation."""
    return told(judged(p, **changes).violations)

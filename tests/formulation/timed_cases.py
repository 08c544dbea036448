"""The tiny instance that the hand-worked tests of timed schedules share.

Two chiplets on a 2x1 mesh, one tick = 1 ns, so GB/s are bytes per tick: links 1, ports
in 4, ports out 2, DRAM 4 through one interface at router 0. Hop latency 2 ticks, DRAM
latency 3. Model m: x (8 bytes, input) → a → u (4) → b → y (4, output). Layer a takes 3
ticks and has 8 bytes of weights and ws 10; layer b takes 2 ticks and has ws 6.

With a on chiplet 0 and b on chiplet 1, u package:
- load of a: 8 bytes / 4 = 2 ticks. Stream of a: x, 8 bytes / 4 = 2; with streamed
  weights 16 / 4 = 4.
- transfer of u: port out 4/2 = 2, link 4/1 = 4, port in 4/4 = 1: 4 ticks together.
- stream of b: y, port out 2, link 1->0 4, interface 1: 4 ticks, so b runs 4.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from formulation.timed.schedule import from_dict
from formulation.timed.semantics import evaluate
from instances.load import instance_from_mapping
from tests.support import problem_of

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.rules import Violation
    from formulation.timed.schedule import Schedule
    from formulation.timed.semantics import Evaluation
    from instances.schema import Instance


def cost_rows(**layers: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Return a row for every layer: latency in ticks, energy in quanta, ws in bytes."""
    return [
        {
            "model": "m",
            "layer": layer,
            "chiplet_type": "k",
            "latency_ticks": ticks,
            "energy_quanta": quanta,
            "ws_bytes": ws,
        }
        for layer, (ticks, quanta, ws) in layers.items()
    ]


SCENARIO: dict[str, Any] = {
    "schema": "instance/1",
    "name": "tiny timed",
    "tick_ps": 1000,
    "energy_quantum_fj": 1000,
    "package": {
        "name": "pair",
        "topology": "mesh",
        "width": 2,
        "height": 1,
        "types": {"k": {"base": "nvdla", "clock_mhz": 1000, "l2_bytes": 22}},
        "chiplets": ["k", "k"],
        "link": {"bandwidth_gb_s": 1, "hop_latency_ns": 2, "energy_pj_per_bit": 0},
        "port": {"in_gb_s": 4, "out_gb_s": 2},
        "dram": {
            "bandwidth_gb_s": 4,
            "latency_ns": 3,
            "energy_pj_per_bit": 0,
            "interfaces": 1,
        },
    },
    "models": [
        {
            "name": "m",
            "layers": [
                {"name": "a", "op": "opaque", "weight_bytes": 8},
                {"name": "b", "op": "opaque"},
            ],
            "tensors": [
                {"name": "x", "consumers": ["a"], "bytes": 8},
                {"name": "u", "producer": "a", "consumers": ["b"], "bytes": 4},
                {"name": "y", "producer": "b", "bytes": 4},
            ],
        }
    ],
    "costs": cost_rows(a=(3, 5, 10), b=(2, 7, 6)),
}
SCHEDULE: dict[str, Any] = {
    "layers": {
        "m/a": {"chiplet": 0, "mode": 0, "resident": True},
        "m/b": {"chiplet": 1, "mode": 0},
    },
    "places": {"m/u": "package"},
    "runs": {
        "m/a": [{"start": 2, "stream": [2, 4]}],
        "m/b": [{"start": 11, "stream": [11, 15]}],
    },
    "loads": {"m/a": [0, 2]},
    "transfers": {"m/u": [[{"to": [1], "start": 5, "end": 9}]]},
}
"""Load 0–2, a 2–5, u 5–9 and 2 ticks of latency, b 11–15."""


def merged(base: Any, changes: Any) -> Any:
    """Return a nested mapping with changes; `None` takes an entry out."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return deepcopy(changes)
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def instance(**changes: Any) -> Instance:
    return instance_from_mapping(merged(SCENARIO, changes))


def problem(timed: dict[str, Any] | None = None, **changes: Any) -> Problem:
    """Return the problem of the scenario, with options of timed schedules."""
    if timed is not None:
        changes["options"] = merged(changes.get("options", {}), {"timed": timed})
    return problem_of(instance(**changes))


def schedule(p: Problem, **changes: Any) -> Schedule:
    return from_dict(p, merged(SCHEDULE, changes))


def judged(p: Problem, **changes: Any) -> Evaluation:
    return evaluate(p, schedule(p, **changes))


def broken(p: Problem, **changes: Any) -> list[tuple[str, int, str]]:
    """Return label, amount and unit of every violation."""
    return told(judged(p, **changes).violations)


def told(violations: tuple[Violation, ...]) -> list[tuple[str, int, str]]:
    return [(v.rule, v.amount, v.unit) for v in violations]


A, B = "m/a", "m/b"


def run(start: int, stream: list[int] | None = None) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"start": start}
    return [row if stream is None else {**row, "stream": stream}]


def sent(start: int, end: int, *to: int) -> dict[str, Any]:
    return {"to": [*to] or [1], "start": start, "end": end}


def package(**changes: Any) -> dict[str, Any]:
    return {"package": changes}


TWICE: dict[str, Any] = {"rounds": {"m": 2}}
FLOOD: dict[str, Any] = package(types={"k": {"l2_bytes": 1000}})


def two_rounds(
    second: int, moved: int, b: int, chiplet: int = 1, own: int | None = None
) -> dict[str, Any]:
    """Round 1: a at `second` with its stream (at `own`), u at `moved`, b at `b`."""
    first = second if own is None else own
    return {
        "runs": {
            A: run(2, [2, 4]) + run(second, [first, first + 2]),
            B: run(11, [11, 15]) + run(b, [b, b + 4]),
        },
        "transfers": {"m/u": [[sent(5, 9)], [sent(moved, moved + 4)]]},
    }

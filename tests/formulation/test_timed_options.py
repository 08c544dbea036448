"""Timed schedules worked by hand: quantities, options, the horizon.

Instance and first schedule are in `timed_cases`, with their arithmetic.
"""

from __future__ import annotations

from typing import Any

import pytest

from formulation.rules import UnassignedError
from formulation.timed.bounds import horizon
from formulation.timed.semantics import (
    KindError,
    evaluate,
    parts_of_energy,
)
from tests.formulation.timed_cases import (
    FLOOD,
    TWICE,
    A,
    B,
    broken,
    cost_rows,
    judged,
    problem,
    run,
    schedule,
    sent,
    two_rounds,
)

# quantities


def test_latency_and_tardiness_count_from_the_release() -> None:
    """Ends 15 and 19, released at 0 and 4, due 14 later: latencies 15, tardiness 1."""
    timed = {**TWICE, "release_ticks": {"m": [0, 4]}, "due_ticks": {"m": 14}}
    found = judged(problem(timed, **FLOOD), **two_rounds(5, 9, 15))
    assert found.violations == ()
    assert found.worth.latency_ticks == ((15, 15),)
    assert found.worth.tardiness_ticks == ((1, 1),)


def test_frames_per_second() -> None:
    """Two samples a round at 0.3 GHz: 10/3 ticks from one to the next.

    Round 0 waits for sample 1: 3.33, so 4; round 1 for sample 3: 10; round 2: 16.67.
    """
    p = problem(
        {"rounds": {"m": 3}, "frames_per_second": {"m": 300_000_000}},
        models=[
            {
                "name": "m",
                "samples": 2,
                "layers": [
                    {"name": "a", "op": "opaque"},
                    {"name": "b", "op": "opaque"},
                ],
                "tensors": [],
            }
        ],
    )
    assert p.timing.releases == ((4, 10, 17),)


def test_energy_counts_loads_rounds_and_the_makespan() -> None:
    """A byte costs 1 pJ on a link, 2 in DRAM; 3 mW of each chiplet: 6 pJ a tick.

    One round: chiplets 12. DRAM: load 8, x 8, y 4 = 20 bytes, 40. Links: u 4, y 4 = 8.
    Static 15·6 = 90. Sum 150. Preloaded, the same times: 16 less.
    Two rounds to tick 19: 24 + (8 + 2·12)·2 + 16 + 114 = 218.
    """
    costly: dict[str, Any] = {
        "package": {
            "types": {"k": {"static_power_mw": 3, "l2_bytes": 1000}},
            "link": {"energy_pj_per_bit": 0.125},
            "dram": {"energy_pj_per_bit": 0.25},
        }
    }
    p = problem(**costly)
    found = judged(p)
    assert found.worth.energy_quanta == 150
    parts = parts_of_energy(p, schedule(p), found.facts.traffic, 15)
    assert {k: v // p.energy_den for k, v in parts.items()} == {
        "chiplet": 12,
        "nop": 8,
        "dram": 40,
        "static": 90,
    }
    free = problem({"weights": "preloaded"}, **costly)
    assert judged(free, loads={A: None}).worth.energy_quanta == 134
    twice = problem(TWICE, **costly)
    assert judged(twice, **two_rounds(5, 9, 15)).worth.energy_quanta == 218


# options


def test_store_and_forward() -> None:
    """u: port out 2, link 4, port in 1, one after another: 7. u 5–12, b 14–18.

    A second u may leave while the first is on the link, but the link decides: it is
    free at 11, so the second one starts at 9 (port out 9–11, link 11–15).
    """
    p = problem({**TWICE, "switching": "store_and_forward"}, **FLOOD)

    def of(second: int) -> dict[str, Any]:
        return {
            "runs": {
                A: run(2, [2, 4]) + run(5, [5, 7]),
                B: run(14, [14, 18]) + run(18, [18, 22]),
            },
            "transfers": {"m/u": [[sent(5, 12)], [sent(second, second + 7)]]},
        }

    assert broken(p, **of(9)) == []
    assert judged(p, **of(9)).worth.makespan_ticks == 22
    assert broken(p, **of(8)) == [("no-overlap", 1, "ticks")]
    at_once = problem(TWICE, **FLOOD)
    assert ("duration", 3, "ticks") in broken(at_once, **of(9))  # 4, not 7


FORK: dict[str, Any] = {
    "package": {
        "width": 3,
        "chiplets": ["k", "k", "k"],
        "types": {"k": {"l2_bytes": 100}},
    },
    "models": [
        {
            "name": "m",
            "layers": [{"name": n, "op": "opaque"} for n in ("a", "b", "c", "d")],
            "tensors": [
                {"name": "u", "producer": "a", "consumers": ["b", "c", "d"], "bytes": 4}
            ],
        }
    ],
    "costs": cost_rows(**dict.fromkeys("abcd", (3, 0, 0))),
}


def forked(p: Any, moves: list[dict[str, Any]], b: int, c: int, d: int) -> Any:
    """a on 0 at 0–3, b on 1, c and d on 2."""
    return judged(
        p,
        layers={
            "m/a": {"chiplet": 0, "resident": None},
            "m/b": {"chiplet": 1},
            "m/c": {"chiplet": 2, "mode": 0},
            "m/d": {"chiplet": 2, "mode": 0},
        },
        runs={"m/a": run(0), "m/b": run(b), "m/c": run(c), "m/d": run(d)},
        loads={"m/a": None},
        transfers={"m/u": [moves]},
    )


def test_consumers_on_one_chiplet_share_a_transfer() -> None:
    """u to 1: 3–7, usable at 9. To 2 over two links: 7–11, usable at 11 + 4 = 15.

    c 15–18, d 18–21. On chiplet 2 u lies from 7 to 21; on 0 from 0 to 11.
    """
    p = problem(**FORK)
    found = forked(p, [sent(3, 7, 1), sent(7, 11, 2)], 9, 15, 18)
    assert found.violations == ()
    assert found.facts.sram[0].curve == ((0, 4), (11, 0))
    assert found.facts.sram[2].curve == ((7, 4), (21, 0))
    early = forked(p, [sent(3, 7, 1), sent(6, 10, 2)], 9, 14, 17).violations
    # The port out of chiplet 0 and the link 0->1 are on both ways.
    assert [(v.rule, v.amount) for v in early] == [("no-overlap", 1)] * 2


def test_multicast_is_one_transfer() -> None:
    """u to 1 and 2 at once: 3–7; usable on 1 at 9, on 2 at 11. d ends at 17."""
    p = problem(options={"multicast": True}, **FORK)
    found = forked(p, [sent(3, 7, 1, 2)], 9, 11, 14)
    assert found.violations == ()
    assert found.worth.makespan_ticks == 17
    late = forked(p, [sent(3, 7, 1, 2)], 8, 10, 14).violations
    assert [(v.rule, v.amount) for v in late] == [("precedence", 1)] * 2
    with pytest.raises(UnassignedError):
        forked(p, [sent(3, 7, 1), sent(7, 11, 2)], 9, 15, 18)


def test_multicast_stored_and_forwarded() -> None:
    """Port out 2, link 0->1 4, then at the same time port into 1 and link 1->2, 4.

    To 2 it takes 2 + 4 + 4 + 1 = 11: 3–14, usable on 1 at 16, on 2 at 18.
    """
    options = {"multicast": True, "timed": {"switching": "store_and_forward"}}
    p = problem(options=options, **FORK)
    found = forked(p, [sent(3, 14, 1, 2)], 16, 18, 21)
    assert found.violations == ()
    (move,) = found.facts.movements
    spans = {p.resources[r].name: span for r, span in move.holds}
    assert spans == {
        "out of chiplet 0": (3, 5),
        "0->1": (5, 9),
        "into chiplet 1": (9, 10),
        "1->2": (9, 13),
        "into chiplet 2": (13, 14),
    }


@pytest.mark.parametrize(("mode", "took"), [("shared", 4), ("interleaved", 2)])
def test_dram_modes(mode: str, took: int) -> None:
    """Two interfaces of 2 bytes a tick, links unlimited; both layers on chiplet 0.

    x, 8 bytes: through the own interface 4 ticks; spread, 4 bytes through each, 2 ticks
    (port in 8/4 = 2). So a runs 4 ticks or 3; b writes y through a port of 2: 2 ticks.
    """
    p = problem(
        {"weights": "preloaded"},
        package={
            "dram": {"interfaces": 2, "mode": mode},
            "link": {"bandwidth_gb_s": None},
        },
    )
    b = max(3, took)
    found = judged(
        p,
        layers={B: {"chiplet": 0}},
        runs={A: run(0, [0, took]), B: run(b, [b, b + 2])},
        loads={A: None},
        transfers={"m/u": None},
    )
    assert found.violations == ()
    assert found.worth.makespan_ticks == b + 2


def test_private_dram_is_read_at_its_producer() -> None:
    """u is dram; a is on chiplet 0 at interface 0, b on 1 at 1; interfaces do 2 a tick.

    Shared: b reads u and writes y at its own interface: 8 bytes, 4 ticks. Private: it
    reads 4 bytes at interface 0 over the link 0->1, 4 ticks, and writes at its own.
    So its stream holds both interfaces and the link.
    """
    for mode, links in (("shared", 0), ("private", 1)):
        p = problem(
            {"weights": "preloaded"},
            package={"dram": {"interfaces": 2, "mode": mode, "bandwidth_gb_s": 4}},
        )
        found = judged(
            p,
            places={"m/u": "dram"},
            runs={A: run(0, [0, 6]), B: run(9, [9, 13])},
            loads={A: None},
            transfers={"m/u": None},
        )
        assert found.violations == ()
        stream = found.facts.movements[1]
        used = [p.resources[r] for r, n in stream.units.items() if n]
        assert sum(x.kind == "link" for x in used) == links
        assert sum(x.kind == "dram" for x in used) == 1 + links


def test_no_contention() -> None:
    """Both rounds of u at once, 5–9 and 8–12: as if links were free."""
    p = problem({**TWICE, "contention": "none"}, **FLOOD)
    assert broken(p, **two_rounds(5, 8, 15)) == []


def test_options_that_are_refused_at_once() -> None:
    caps = {"makspan": 1, "latency:2*m": 30, "latency_sum.n": 1}
    p = problem({"caps": caps}, options={"serial": True})
    with pytest.raises(KindError) as caught:
        evaluate(p, schedule(p))
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "expected its form 'latency:m'" in lines[1]


# horizon


def test_horizon_of_the_instance() -> None:
    """Everything at its longest, one after another.

    a: weights streamed and x read 16 + 8, u written 4: interface 20 / 4 = 5, and on
    chiplet 1 the link 0->1 carries 16 in 16 ticks: 16. b reads u and writes y on
    chiplet 1: 4 a link. Load of a on chiplet 1: 8. Transfer 4 + 2 beats λ_D = 3, but
    both may be there: max(2, 3) = 3 of latency. 16 + 4 + 8 + 4 + 3 = 35.
    """
    assert horizon(problem()) == 35
    assert horizon(problem({"release_ticks": {"m": [5]}})) == 40
    # fluid: t 3 + 2, movements a, b, load, u = 4, their q 16 + 4 + 8 + 4 = 32.
    assert horizon(problem({"contention": "fluid"})) == 5 + 2 * 4 * 32 + 3

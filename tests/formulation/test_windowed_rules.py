"""Windowed schedules worked by hand: every rule, met and missed by one; every option.

Instance and first schedule are in `windowed_cases`.
"""

from __future__ import annotations

from typing import Any

import pytest

from formulation.objective import ObjectiveError
from formulation.rules import KindError, UnassignedError
from formulation.windowed.objective import windowed_part
from formulation.windowed.schedule import from_dict
from formulation.windowed.semantics import RULES, check_options, evaluate, value
from tests.formulation.windowed_cases import SCENARIO, broken, judged, on, problem

SPLIT: dict[str, Any] = {
    "layers": {"m/c": on(0, 1), "s/d": on(1, 1)},
    "groups": {"m": [1, 1], "s": [None, 1]},
}
"""a and b in window 0 on chiplet 0; c there and s on chiplet 1 in window 1."""


def worth(p: Any, **changes: Any) -> tuple[int, tuple[int, ...], int]:
    """Makespan, latencies and energy of a valid schedule."""
    found = judged(p, **changes)
    assert found.violations == ()
    x = found.worth
    return x.makespan_ticks, x.latency_ticks, x.energy_quanta


def test_the_first_schedule() -> None:
    """Two segments of m, two mini-batches; a segment of s.

    a, b: 5 ticks; x and weights 16/4 + 3 = 7; u and v to chiplet 1, 10/2 + 2 = 7: 19.
    c: 4; u and v 7; weights 12/2 + 5 = 11; y 2/2 + 5 = 6: 28. m: 19 + 28 + 28 = 75.
    d: 6; p 4/2 + 7 = 9; q 9: 24.
    Energy: layers 2·13 + 10; 2·16 read on chiplet 0 at 1; 2·12 and 2·2 on 1 at 1 1/2;
    hand-over 2·10 at 1/2; 4 and 4 on 2 at 2: 36 + 32 + 42 + 10 + 16 = 136.
    """
    found = judged(problem())
    assert found.violations == ()
    assert [x.first_ticks for x in found.facts.costs[0][0]] == [19, 28]
    assert found.facts.length_ticks == (75,)
    assert found.worth.makespan_ticks == 75
    assert found.worth.latency_ticks == (75, 24)
    assert found.worth.energy_quanta == 136
    assert found.worth.edp == 136 * 75


def test_two_windows() -> None:
    """At the end of a window everything goes through DRAM.

    Window 0: 5; 16/4 + 3 = 7; u and v written 10/4 + 3 = 6: 18, twice 36.
    Window 1: c 4; u, v and weights 22/4 + 3 = 9; y 2/4 + 3 = 4: 17, twice 34.
    d on chiplet 1: 6 + 7 + 7 = 20. Energy 36 + 2·(16 + 10 + 22 + 2) + 8·3/2 = 148.
    """
    assert worth(problem(), **SPLIT) == (70, (70, 56), 148)


def test_what_is_live_passes_through_windows() -> None:
    """b alone in a window reads u and writes u and v.

    Chiplet 0 throughout. a: 3 + 7 + (4/4 + 3) = 14; b: 2 + 4 + 6 = 12; c: 17; each
    twice. s in the last window. Energy 36 + 2·(16 + 4 + 4 + 10 + 22 + 2) + 12.
    """
    changes = {
        "layers": {"m/b": on(0, 1), "m/c": on(0, 2), "s/d": on(1, 2)},
        "groups": {"m": [1, 1, 1], "s": [None, None, 1]},
    }
    assert worth(problem(), **changes) == (86, (86, 72), 164)


def test_what_is_live_is_handed_on() -> None:
    """Chiplets 0, 1, 2: u passes b on its way to c; 4 and 10 bytes are sent.

    a: 3 + 7 + (4/2 + 2) = 14; b: 2 + 4 + 7 = 13; c: 4 + 7 + (6 + 7) + (1 + 7) = 32.
    """
    changes = {
        "layers": {"m/b": on(1), "m/c": on(2), "s/d": on(0, 1)},
        "groups": {"m": [1, None], "s": [None, 1]},
    }
    found = judged(problem(), **changes)
    assert found.violations == ()
    assert [x.first_ticks for x in found.facts.costs[0][0]] == [14, 13, 32]
    assert found.facts.time_ticks[0] == (14 + 13 + 32 + 32, 0)


# Options.


def test_weights_once() -> None:
    """After the first group: 5 + (8/4 + 3) + 7 = 17 and 4 + 7 + 6 = 17.

    Energy: 8 bytes less at 1, 12 less at 1 1/2.
    """
    found = judged(problem({"weights": "once"}))
    assert [x.next_ticks for x in found.facts.costs[0][0]] == [17, 17]
    assert found.worth.makespan_ticks == 19 + 28 + 17
    assert found.worth.energy_quanta == 136 - 8 - 18


def test_handover_of_the_receiver_alone() -> None:
    """The first segment takes 12 instead of 19; the energy is the same."""
    assert worth(problem({"handover": "receiver"})) == (12 + 28 + 28, (68, 24), 136)


def test_conflict_ticks() -> None:
    """One more for each movement: two and three of m, two of s."""
    assert worth(problem({"conflict_ticks": 1})) == (21 + 31 + 31, (83, 26), 136)


def test_groups() -> None:
    """Both mini-batches at once.

    10 + (24/4 + 3) + (20/2 + 2) = 31; 8 + 12 + 11 + (4/2 + 5) = 38.
    Energy 36 + 24 + 10 + (12 + 4)·3/2 + 16.
    """
    assert worth(problem(), groups={"m": [2]}) == (69, (69, 24), 110)


def test_refetch() -> None:
    """a reads 3 bytes of weights and 1 of x again; c 1 of y, written again too.

    c reads 2 bytes of u again where u comes from DRAM: in a second window.
    First schedule: 5 + 20/4 + 3 + 7 = 20; 4 + 7 + (13/2 + 5) + (3/2 + 5) = 30.
    Split: 5 + 8 + 6 = 19; 4 + (25/4 + 3) + (3/4 + 3) = 18.
    """
    rows = [dict(x) for x in SCENARIO["costs"]]
    rows[0] |= {"rw_bytes": 3, "ri_bytes": {"x": 1}}
    rows[2] |= {"ro_bytes": 1, "ri_bytes": {"u": 2}}
    assert worth(problem(costs=rows)) == (75, (75, 24), 136)
    p = problem({"refetch": True}, costs=rows)
    assert worth(p) == (20 + 30 + 30, (80, 24), 136 + 2 * 4 + 3 + 3)
    assert worth(p, **SPLIT)[0] == 2 * 19 + 2 * 18
    # Of a mode that holds no weights, both mini-batches of a group read them:
    # 10 + (16 + 2 + 2·11)/4 + 3 + 12 = 35, and 8 + 12 + (12 + 2)/2 + 5 + 6/2 + 5 = 40.
    rows[0] |= {"holds_weights": False}
    p = problem({"refetch": True}, costs=rows)
    assert worth(p, groups={"m": [2]})[0] == 35 + 40
    # What is kept is not read again: only x, y and u are.
    p = problem({"refetch": True, "weights": "once"}, costs=rows)
    assert judged(p).facts.costs[0][0][0].first_ticks == 5 + (17 + 3) // 4 + 3 + 7


def test_static_power_is_of_all_chiplets_all_the_time() -> None:
    kind = {**SCENARIO["package"]["types"]["k"], "static_power_mw": 1}
    p = problem(package={"types": {"k": kind}})
    assert worth(p) == (75, (75, 24), 136 + 3 * 75)


def test_latency_of_dram_and_route_together() -> None:
    """3 + 2 a hop; of interleaved interfaces at both ends the farther one."""
    p = problem()
    assert p.windowing.read_ticks == p.windowing.write_ticks == (3, 5, 7)
    both = {"interfaces": 2, "mode": "interleaved"}
    p = problem(package={"dram": both})
    assert p.windowing.read_ticks == p.windowing.write_ticks == (7, 5, 7)
    late = {"link": {"hop_latency_ns": 0.3}, "dram": {"latency_ns": 0.3}}
    p = problem(package=late)  # 0.3 + hops·0.3, rounded up once
    assert p.windowing.read_ticks == (1, 1, 1)


# Rules.


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"layers": {"m/a": on(3)}}, {"assignment"}),
        ({"layers": {"m/a": on(0, mode=1)}}, {"assignment"}),
        ({"groups": {"m": [None]}}, {"assignment"}),
        ({"groups": {"m": [1, 1]}}, {"assignment"}),
        (
            {"layers": {"s/d": on(2, 1)}, "groups": {"m": [1, 1], "s": [None, 1]}},
            {"assignment"},
        ),
        ({"groups": {"m": [0]}}, {"mini_batch"}),
        ({"groups": {"m": [3]}}, {"mini_batch"}),
        ({"groups": {"m": [4]}}, {"mini_batch"}),
        ({"layers": {"m/a": on(0, -1)}}, {"window"}),
        (
            {
                "layers": {"m/a": on(0, 1), "s/d": on(2, 1)},
                "groups": {"m": [1, 1], "s": [None, 1]},
            },
            {"window"},  # a after b
        ),
        (
            {
                "layers": {"m/c": on(1, 2), "s/d": on(2, 2)},
                "groups": {"m": [1, None, 1], "s": [None, None, 1]},
            },
            {"window"},  # nothing in window 1
        ),
    ],
)
def test_form(changes: dict[str, Any], rules: set[str]) -> None:
    with pytest.raises(UnassignedError) as caught:
        judged(problem(), **changes)
    assert {v.rule for v in caught.value.violations} == rules


def test_an_unsupported_layer() -> None:
    types = {**SCENARIO["package"]["types"], "z": SCENARIO["package"]["types"]["k"]}
    p = problem(package={"types": types, "chiplets": ["z", "k", "k"]})
    with pytest.raises(UnassignedError, match="not supported on chiplet 0"):
        judged(p)


def test_single_mini_batches() -> None:
    p = problem({"mini_batches": "single"})
    assert broken(p) == []
    with pytest.raises(UnassignedError, match="mini_batch"):
        judged(p, groups={"m": [2]})


def test_limit_of_windows() -> None:
    assert broken(problem({"windows": 2}), **SPLIT) == []
    assert broken(problem({"windows": 1}), **SPLIT) == [("limit", 1, "windows")]


def test_a_chiplet_has_one_segment_in_a_window() -> None:
    assert broken(problem(), layers={"s/d": on(1)}) == [("segment", 1, "segments")]
    back = {"m/b": on(1), "m/c": on(0)}
    assert broken(problem(), layers=back) == [("segment", 1, "segments")]
    two = {"m/b": on(1), "m/c": on(0), "s/d": on(0)}
    assert broken(problem(), layers=two) == [("segment", 2, "segments")]


def test_segments_go_on_next_door() -> None:
    far = {"m/c": on(2), "s/d": on(1)}
    assert broken(problem(), layers=far) == [("adjacent", 1, "links")]
    # Without links there is no distance.
    flat = {"topology": "none", "link": None, "width": None, "height": None}
    assert broken(problem(package=flat), layers=far) == []


def l2(size: int, windowed: dict[str, Any] | None = None) -> Any:
    return problem(windowed, package={"types": {"k": {"l2_bytes": size}}})


def test_memory_of_layers() -> None:
    """d needs 40."""
    assert broken(l2(40)) == []
    assert broken(l2(39)) == [("sram", 1, "bytes")]


def test_memory_of_segments() -> None:
    """a 10 + u 4; b 20 + u + v = 30; c 30 + u + v = 40; d 40, p and q lie nowhere."""
    fits = {"memory": "segments"}
    assert broken(l2(40, fits)) == []
    assert broken(l2(39, fits)) == [("sram", 1, "bytes")] * 2
    # Both mini-batches at once: c 30 + 2·10.
    assert broken(l2(50, fits), groups={"m": [2]}) == []
    assert broken(l2(49, fits), groups={"m": [2]}) == [("sram", 1, "bytes")]
    # Weights that are read once stay: c 12 + 40.
    once = {**fits, "weights": "once"}
    assert broken(l2(52, once)) == []
    assert broken(l2(51, once)) == [("sram", 1, "bytes")]
    # All of m on chiplet 0: at c 30 + u + v; nothing is left of u before a.
    one = {"m/c": on(0)}
    assert broken(l2(40, fits), layers=one) == []
    assert broken(l2(39, fits), layers=one) == [("sram", 1, "bytes")] * 2
    # b alone, between windows: u came in and leaves, v leaves.
    alone = {
        "layers": {"m/b": on(0, 1), "m/c": on(0, 2), "s/d": on(1, 2)},
        "groups": {"m": [1, 1, 1], "s": [None, None, 1]},
    }
    found = broken(l2(29, fits), **alone)
    assert ("sram", 1, "bytes") in found  # b 20 + 10
    assert ("sram", 1, "bytes") not in broken(l2(30, fits), **alone)


def test_caps() -> None:
    caps = {"latency_cap_ticks": {"m": 75}}
    assert broken(problem(options=caps)) == []
    caps = {"latency_cap_ticks": {"m": 74}}
    assert broken(problem(options=caps)) == [("latency_cap", 1, "ticks")]
    assert broken(problem(options={"energy_cap_pj": 136})) == []
    over = broken(problem(options={"energy_cap_pj": 135.5}))
    assert over == [("energy_cap", 1, "quanta")]
    assert broken(problem({"caps": {"makespan": 74}})) == [("cap", 1, "ticks")]
    assert broken(problem({"caps": {"latency:s": 23}})) == [("cap", 1, "ticks")]
    assert broken(problem({"caps": {"latency:s": 24, "edp": 10200}})) == []


def test_left_out_rules_are_not_told() -> None:
    p = problem()
    s = judged(p, layers={"s/d": on(1)})
    assert [v.rule for v in s.violations] == ["segment"]
    data = {
        "layers": {"m/a": on(0), "m/b": on(0), "m/c": on(1), "s/d": on(1)},
        "groups": {"m": [1], "s": [1]},
    }
    left = evaluate(p, from_dict(p, data), without=frozenset({"segment"}))
    assert left.violations == ()
    assert left.worth == s.worth


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"exclusive": True}, "no option exclusive"),
        ({"contiguous": True}, "no option contiguous"),
        ({"multicast": True}, "no option multicast"),
        ({"guaranteed": True}, "no option guaranteed"),
        ({"sram": "residents"}, "no option sram: residents"),
        ({"windowed": {"caps": {"period": 3}}}, "'period' is none of makespan"),
        ({"windowed": {"caps": {"latency:z": 3}}}, "no model 'z'"),
        ({"windowed": {"caps": {"2*makespan": 3}}}, "expected its form 'makespan'"),
    ],
)
def test_options_of_other_kinds_are_refused(options: Any, line: str) -> None:
    with pytest.raises(KindError, match=line):
        check_options(problem(options=options))


def test_objectives() -> None:
    p = problem()
    found = judged(p).worth
    worths = {
        "makespan": 75,
        "energy": 136,
        "edp": 75 * 136,
        "2*makespan+1/3*energy": 6 * 75 + 136,
        "latency": 75,
        "latency:4*s:m": 96,
        "latency:s": 24,
    }
    for text, due in worths.items():
        assert value(p, windowed_part(p, text), found) == due
    for text in ("period", "latency:z", "tardiness", "latency_sum"):
        with pytest.raises(ObjectiveError):
            windowed_part(p, text)


def test_every_rule_has_its_case_here() -> None:
    assert set(RULES) == {
        *("assignment", "window", "mini_batch"),
        *("limit", "segment", "adjacent", "sram"),
        *("latency_cap", "energy_cap", "cap"),
    }

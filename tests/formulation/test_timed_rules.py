"""Timed schedules worked by hand: every rule, met and missed by one tick or byte.

Instance and first schedule are in `timed_cases`, with their arithmetic.
"""

from __future__ import annotations

from typing import Any

import pytest

from formulation.rules import UnassignedError
from formulation.timed.semantics import (
    RULES,
)
from tests.formulation.timed_cases import (
    FLOOD,
    TWICE,
    A,
    B,
    broken,
    cost_rows,
    judged,
    package,
    problem,
    run,
    sent,
    two_rounds,
)


def test_the_first_schedule() -> None:
    """Load 0–2, a 2–5, u 5–9, λ = 2, b 11–15: makespan 15."""
    found = judged(problem())
    assert found.violations == ()
    assert found.worth.makespan_ticks == 15
    assert found.worth.latency_ticks == ((15,),)
    assert found.worth.tardiness_ticks == ((0,),)
    assert found.worth.energy_quanta == 5 + 7
    assert found.worth.edp == 12 * 15
    assert found.facts.runs == (((2, 5),), ((11, 15),))


# assignment


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": {A: {"resident": False}}},  # a load of streamed weights
        {"loads": {A: None}},
        {"runs": {A: run(2)}},  # x has bytes: a stream is due
        {"transfers": {"m/u": None}},
        {"transfers": {"m/u": [[sent(5, 9, 0)]]}},
        {"transfers": {"m/u": [[sent(5, 9), sent(5, 9)]]}},
        {"places": {"m/u": "dram"}},  # dram tensors have no transfers
        {"layers": {B: {"chiplet": 0}}},  # nor have tensors that stay
    ],
)
def test_assignment_asks_for_every_task_once(changes: dict[str, Any]) -> None:
    p = problem()
    with pytest.raises(UnassignedError) as caught:
        judged(p, **changes)
    assert {v.rule for v in caught.value.violations} == {"assignment"}


def test_assignment_of_streamed_weights() -> None:
    """With ``streamed`` nothing is resident: a streams 16 bytes in 4 ticks, runs 4.

    a 0–4, u 4–8, b 10–14.
    """
    p = problem({"weights": "streamed"})
    with pytest.raises(UnassignedError):
        judged(p)
    found = judged(
        p,
        layers={A: {"resident": False}},
        loads={A: None},
        runs={A: run(0, [0, 4]), B: run(10, [10, 14])},
        transfers={"m/u": [[sent(4, 8)]]},
    )
    assert found.violations == ()
    assert found.worth.makespan_ticks == 14


# release


def test_release_of_a_round() -> None:
    """a starts in tick 2: a release at 2 is met, one at 3 missed by one tick."""
    assert broken(problem({"release_ticks": {"m": [2]}})) == []
    assert broken(problem({"release_ticks": {"m": [3]}})) == [("release", 1, "ticks")]


def test_nothing_starts_before_tick_0() -> None:
    assert broken(problem(), loads={A: [-1, 1]}) == [("release", 1, "ticks")]


# duration


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"loads": {A: [0, 1]}}, "duration"),
        ({"transfers": {"m/u": [[sent(6, 9)]]}}, "duration"),
        ({"runs": {A: run(2, [2, 3])}}, "duration"),
    ],
)
def test_duration_is_one_tick_short(changes: dict[str, Any], rule: str) -> None:
    """Load 2, transfer 4, stream 2 ticks: each one less."""
    assert broken(problem(), **changes) == [(rule, 1, "ticks")]


def test_duration_is_exact_but_with_fluid() -> None:
    """A transfer that takes 5–10 instead of 5–9, b one tick later: 16."""
    late: dict[str, Any] = {
        "transfers": {"m/u": [[sent(5, 10)]]},
        "runs": {B: run(12, [12, 16])},
    }
    assert broken(problem(), **late) == [("duration", 1, "ticks")]
    assert broken(problem({"contention": "none"}), **late) == [("duration", 1, "ticks")]
    assert broken(problem({"contention": "fluid"}), **late) == []


def test_a_run_is_as_long_as_its_stream() -> None:
    """With ``fluid`` the stream of a may take 2–7: a runs 2–7, u 7–11, b 13–17."""
    found = judged(
        problem({"contention": "fluid"}),
        runs={A: run(2, [2, 7]), B: run(13, [13, 17])},
        transfers={"m/u": [[sent(7, 11)]]},
    )
    assert found.violations == ()
    assert found.facts.runs[0] == ((2, 7),)
    assert found.worth.makespan_ticks == 17


# precedence


@pytest.mark.parametrize(
    "changes",
    [
        {"runs": {A: run(2, [1, 3])}, "loads": {A: [-1, 1]}},  # before its run
        {"runs": {A: run(2, [4, 6])}},  # after its run, 2–5
        {"runs": {A: run(1, [1, 3])}},  # before the load ends, on its interface too
        {"transfers": {"m/u": [[sent(4, 8)]]}},  # before a ends
        {"runs": {B: run(10, [10, 14])}},  # before the latency is over
    ],
)
def test_precedence_by_one_tick(changes: dict[str, Any]) -> None:
    found = broken(problem(), **changes)
    assert ("precedence", 1, "ticks") in found
    assert [x for x in found if x[0] == "precedence"] == [("precedence", 1, "ticks")]


def test_precedence_of_a_tensor_that_stays() -> None:
    """Both on chiplet 0: y is 4 bytes, port out 2, so b runs 2; a 2–5, b 5–7."""
    here: dict[str, Any] = {"layers": {B: {"chiplet": 0}}, "transfers": {"m/u": None}}
    p = problem()
    found = judged(p, **here, runs={B: run(5, [5, 7])})
    assert found.violations == ()
    assert found.worth.makespan_ticks == 7
    early = broken(p, **here, runs={B: run(4, [4, 6])})
    assert ("precedence", 1, "ticks") in early


@pytest.mark.parametrize("chiplet", [0, 1])
def test_precedence_of_a_dram_tensor(chiplet: int) -> None:
    """u through DRAM: a writes 4 bytes and reads 8.

    Interface 12 / 4 = 3, port in 2, port out 2: stream and run 2–5; λ_D = 3: b from 8.
    On chiplet 0 b reads 4 and writes 4: interface 8 / 4 = 2, ports 1 and 2: 8–10. On
    chiplet 1 the link 0->1 carries 4 bytes in 4 ticks, so does 1->0: 8–12.
    """
    end = 10 if chiplet == 0 else 12
    dram: dict[str, Any] = {
        "layers": {B: {"chiplet": chiplet}},
        "places": {"m/u": "dram"},
        "transfers": {"m/u": None},
    }
    p = problem()
    found = judged(p, **dram, runs={A: run(2, [2, 5]), B: run(8, [8, end])})
    assert found.violations == ()
    assert found.worth.makespan_ticks == end
    early = broken(p, **dram, runs={A: run(2, [2, 5]), B: run(7, [7, end - 1])})
    assert early == [("precedence", 1, "ticks")]


# no-overlap


def test_no_overlap_on_a_chiplet() -> None:
    """Two rounds: a 2–5 and 5–8, u 5–9 and 9–13, b 11–15 and 15–19.

    The second a one tick earlier overlaps by one tick (its stream 4–6 still fits).
    """
    p = problem(TWICE, **FLOOD)
    found = judged(p, **two_rounds(5, 9, 15))
    assert found.violations == ()
    assert found.worth.latency_ticks == ((15, 19),)
    assert broken(p, **two_rounds(4, 9, 15)) == [("no-overlap", 1, "ticks")]
    calm = problem({**TWICE, "contention": "none"}, **FLOOD)
    assert broken(calm, **two_rounds(4, 9, 15)) == [("no-overlap", 1, "ticks")]


def test_no_overlap_on_ports_and_links() -> None:
    """The second u one tick earlier, 8–12: port out, link and port in, a tick each."""
    found = judged(problem(TWICE, **FLOOD), **two_rounds(5, 8, 15))
    assert [v.where.split(":")[0] for v in found.violations] == [
        "port out of chiplet 0",
        "port into chiplet 1",
        "link 0->1",
    ]
    assert {(v.rule, v.amount) for v in found.violations} == {("no-overlap", 1)}


def test_no_overlap_on_an_interface() -> None:
    """b also has 8 bytes of weights: over the link 0->1 they take 8 ticks, 0–8.

    The load of a holds the interface 0–2, its stream 2–4: both collide, for 2 ticks
    each. A load from 4 on (4–12) meets the transfer on the link, 5–9. From 9 on, 9–17,
    it is clear, and b runs 17–21.
    """
    models = [
        {
            "name": "m",
            "layers": [
                {"name": n, "op": "opaque", "weight_bytes": 8} for n in ("a", "b")
            ],
            "tensors": [
                {"name": "x", "consumers": ["a"], "bytes": 8},
                {"name": "u", "producer": "a", "consumers": ["b"], "bytes": 4},
                {"name": "y", "producer": "b", "bytes": 4},
            ],
        }
    ]
    p = problem(models=models)

    def of(start: int) -> dict[str, Any]:
        return {
            "layers": {B: {"resident": True}},
            "loads": {B: [start, start + 8]},
            "runs": {B: run(17, [17, 21])},
        }

    assert broken(p, **of(9)) == []
    found = judged(p, **of(0)).violations
    assert [(v.rule, v.amount, v.where.split(":")[0]) for v in found] == [
        ("no-overlap", 3, "port into chiplet 1"),  # with u, 5–9
        ("no-overlap", 3, "link 0->1"),
        ("no-overlap", 2, "dram interface 0 at router 0"),  # with the load of a
        ("no-overlap", 2, "dram interface 0 at router 0"),  # with the stream of a
    ]
    assert broken(problem({"contention": "none"}, models=models), **of(0)) == []


def test_a_run_of_no_ticks_holds_nothing() -> None:
    """Two rounds on chiplet 0 where b takes no time and writes nothing: b inside a."""
    p = problem(
        TWICE,
        **FLOOD,
        models=[
            {
                "name": "m",
                "layers": [
                    {"name": "a", "op": "opaque", "weight_bytes": 8},
                    {"name": "b", "op": "opaque"},
                ],
                "tensors": [
                    {"name": "x", "consumers": ["a"], "bytes": 8},
                    {"name": "u", "producer": "a", "consumers": ["b"], "bytes": 4},
                ],
            }
        ],
        costs=cost_rows(a=(3, 0, 0), b=(0, 0, 0)),
    )
    found = judged(
        p,
        layers={B: {"chiplet": 0}},
        runs={A: run(2, [2, 4]) + run(5, [5, 7]), B: run(6) + run(8)},
        transfers={"m/u": None},
    )
    assert found.violations == ()
    assert found.facts.runs[1] == ((6, 6), (8, 8))


# bandwidth


def test_bandwidth_is_shared() -> None:
    """Two loads of 8 bytes at an interface of 4 bytes a tick: over 4 ticks 2 + 2 fit.

    Over 3 ticks for one of them 8/3 + 2 = 14/3 a tick do not: 2/3 too much in 3 ticks,
    2 bytes. Ports in (4) carry one load each; both layers are on chiplets of topology
    ``none``, u is dram.
    """
    layers = [{"name": n, "op": "opaque", "weight_bytes": 8} for n in ("a", "b")]
    bare = {
        "schema": None,
        "topology": "none",
        "width": None,
        "height": None,
        "link": None,
    }
    p = problem(
        {"contention": "fluid"},
        package=bare,
        models=[{"name": "m", "layers": layers, "tensors": []}],
    )

    def of(end: int) -> dict[str, Any]:
        return {
            "layers": {B: {"resident": True}},
            "places": {"m/u": None},
            "loads": {A: [0, 4], B: [0, end]},
            "runs": {A: run(4), B: run(4)},
            "transfers": {"m/u": None},
        }

    assert broken(p, **of(4)) == []
    assert broken(p, **of(3)) == [("bandwidth", 2, "bytes")]
    # A load in one tick is faster than the interface, whoever else is there.
    assert ("duration", 1, "ticks") in broken(p, **of(1))


# sram


def test_sram_to_the_byte() -> None:
    """Chiplet 0, ticks 2–5: weights 8, ws 10, u 4 = 22. With 21 bytes one is short."""
    assert broken(problem()) == []
    small = problem(**package(types={"k": {"l2_bytes": 21}}))
    assert broken(small) == [("sram", 1, "bytes")]


def test_sram_to_the_tick() -> None:
    """The curves of both chiplets.

    0: weights 8 from 0 to 15; a adds 10 + 4 at 2, less 10 at 5; u leaves at 9.
    1: u from 5 to 15, ws 6 from 11 to 15.
    """
    use = judged(problem()).facts.sram
    assert use[0].curve == ((0, 8), (2, 22), (5, 12), (9, 8), (15, 0))
    assert use[1].curve == ((5, 4), (11, 10), (15, 0))
    assert (use[0].peak_bytes, use[0].peak_tick) == (22, 2)


def test_sram_is_free_in_the_tick_in_which_it_ends() -> None:
    """A second round of a: u of round 0 lies there until 9, so a at 9 just fits 22.

    At 8 there are u, u, ws and weights for a tick: 26. Its transfer 12–16 (11–15),
    b 18–22 (17–21).
    """
    p = problem(TWICE)
    assert broken(p, **two_rounds(9, 12, 18)) == []
    assert broken(p, **two_rounds(8, 11, 17)) == [("sram", 4, "bytes")]


def test_sram_preloaded_from_the_start() -> None:
    """Preloaded: no load; a 0–3, u 3–7, b 9–13; weights from tick 0 to 13."""
    found = judged(
        problem({"weights": "preloaded"}),
        loads={A: None},
        runs={A: run(0, [0, 2]), B: run(9, [9, 13])},
        transfers={"m/u": [[sent(3, 7)]]},
    )
    assert found.violations == ()
    assert found.worth.makespan_ticks == 13
    assert found.facts.sram[0].curve == ((0, 22), (3, 12), (7, 8), (13, 0))


def test_sram_of_residents_only() -> None:
    """Only the 8 bytes of weights count."""
    small = package(types={"k": {"l2_bytes": 8}})
    assert broken(problem(**small)) != []
    assert broken(problem(options={"sram": "residents"}, **small)) == []
    smaller = package(types={"k": {"l2_bytes": 7}})
    p = problem(options={"sram": "residents"}, **smaller)
    assert broken(p) == [("sram", 1, "bytes")]


# shapes


def test_shapes_are_those_of_every_kind() -> None:
    """a and b on two chiplets: a group that is one chiplet's is broken, once."""
    p = problem(options={"colocate": [[["m", "a"], ["m", "b"]]]})
    assert broken(p) == [("colocate", 1, "chiplets")]


# caps


@pytest.mark.parametrize(
    ("options", "missed"),
    [
        ({"latency_cap_ticks": {"m": 15}}, None),
        ({"latency_cap_ticks": {"m": 14}}, ("latency_cap", 1, "ticks")),
        ({"energy_cap_pj": 12}, None),
        ({"energy_cap_pj": 11}, ("energy_cap", 1, "quanta")),
        ({"timed": {"caps": {"makespan": 15, "edp": 180}}}, None),
        ({"timed": {"caps": {"makespan": 14}}}, ("cap", 1, "ticks")),
        ({"timed": {"caps": {"edp": 179}}}, ("cap", 1, "quanta·ticks")),
        ({"timed": {"caps": {"latency:m": 14}}}, ("cap", 1, "ticks")),
        ({"timed": {"caps": {"energy+latency_sum.m": 26}}}, ("cap", 1, "weighted")),
        ({"timed": {"caps": {"tardiness": 4}, "due_ticks": {"m": 11}}}, None),
        (
            {"timed": {"caps": {"tardiness": 3}, "due_ticks": {"m": 11}}},
            ("cap", 1, "ticks"),
        ),
    ],
)
def test_caps(options: dict[str, Any], missed: tuple[str, int, str] | None) -> None:
    """Makespan and latency 15, energy 12 (1 quantum = 1 pJ), tardiness 15 − 11 = 4."""
    assert broken(problem(options=options)) == ([] if missed is None else [missed])


def test_labels() -> None:
    assert RULES == (
        "assignment",
        "contiguous",
        "convex",
        "exclusive",
        "colocate",
        "release",
        "duration",
        "precedence",
        "no-overlap",
        "bandwidth",
        "sram",
        "latency_cap",
        "energy_cap",
        "cap",
    )

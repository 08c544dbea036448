"""`solve` by kind: the registry, parts in turn, what is refused."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from threading import Event

import pytest

from formulation.dual import recompute
from formulation.kinds import KINDS, kind_of
from formulation.objective import ObjectiveError
from formulation.outcome import Limits
from formulation.rules import KindError
from formulation.solve import ENGINES, STEPS, solve
from instances.vocabulary import KINDS as WORDS
from tests.formulation.timed_cases import cost_rows, problem
from tests.support import LIMITS

TIMED = {"kind": "timed"}


def timed(**changes):
    """The tiny problem of `timed_cases`, asking for timed schedules."""
    options = {**TIMED, **changes.pop("options", {})}
    return problem(changes.pop("timed", {}), options=options, **changes)


def test_the_registries_speak_of_the_same_kinds() -> None:
    assert set(KINDS) == set(ENGINES) == set(STEPS) == set(WORDS)
    for kind, engines in ENGINES.items():
        for name in engines:
            module = import_module(f"formulation.{kind}.{name}")
            assert callable(module.minimise)
            assert module.STRENGTHENINGS


def test_a_problem_says_its_kind() -> None:
    assert kind_of(problem()).name == "pipelined"
    assert kind_of(timed()).name == "timed"


def test_parts_in_turn() -> None:
    """Both on chiplet 0: a streams 16 bytes in 0–4, b 4–6; 12 quanta anywhere."""
    outcome = solve(timed(), ("makespan", "energy"), limits=LIMITS)
    assert outcome.claim == "optimal-1"
    assert outcome.value == outcome.bound == (6, 12)
    assert outcome.schedule.chiplet == (0, 0)
    assert [run.engine for run in outcome.runs] == ["cpsat"]
    assert outcome.runs[0].value == (6, 12)
    assert solve(timed(), limits=LIMITS).objective == ("makespan",)


def test_two_engines() -> None:
    outcome = solve(timed(), ("makespan", "energy"), "both", limits=LIMITS)
    assert outcome.claim == "optimal-2"
    assert outcome.value == outcome.bound == (6, 12)
    assert [run.engine for run in outcome.runs] == ["cpsat", "milp"]


def test_a_part_is_minimised_under_the_ones_before() -> None:
    """b is dearer where it is fast: 3 quanta on a chiplet that takes 4 ticks more."""
    kinds = {"k": {"base": "nvdla", "clock_mhz": 1000, "l2_bytes": 22}}
    package = {"types": {**kinds, "s": kinds["k"]}, "chiplets": ["k", "s"]}
    rows = [
        {**row, "chiplet_type": kind, "latency_ticks": ticks, "energy_quanta": quanta}
        for row, kind, ticks, quanta in (
            ({"model": "m", "layer": "a", "ws_bytes": 10}, "k", 3, 5),
            ({"model": "m", "layer": "b", "ws_bytes": 6}, "k", 2, 7),
            ({"model": "m", "layer": "b", "ws_bytes": 6}, "s", 2, 3),
        )
    ]
    p = timed(package=package, costs=rows)
    first = solve(p, ("makespan", "energy"), limits=LIMITS).value
    other = solve(p, ("energy", "makespan"), limits=LIMITS).value
    assert first == (6, 12)
    assert other[0] == 8
    assert other[1] > 6


def test_what_no_engine_has_is_refused() -> None:
    with pytest.raises(KindError, match="engine: got sat, timed schedules have cpsat"):
        solve(timed(), engine="sat")
    with pytest.raises(KindError, match="fluid"):
        solve(timed(timed={"contention": "fluid"}))
    with pytest.raises(KindError, match="caps: objective: perod"):
        solve(timed(timed={"caps": {"perod": 3}}))


def test_faults_of_an_objective_are_told_at_once() -> None:
    with pytest.raises(ObjectiveError) as caught:
        solve(timed(), ("period", "latency:n", "energy", "energy"))
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(ObjectiveError, match="needs the rule cap"):
        solve(timed(), ("makespan", "energy"), without=frozenset({"cap"}))


def test_a_start_that_is_not_valid_is_told() -> None:
    p = timed()
    best = solve(p, limits=LIMITS).schedule
    assert solve(p, limits=LIMITS, start=best).runs[0].notes == ()
    (note,) = solve(timed(timed={"caps": {"makespan": 5}}), start=best).runs[0].notes
    assert "ignored: cap: makespan: 1 ticks" in note


def test_rules_that_clash() -> None:
    p = timed(timed={"caps": {"makespan": 5}})
    outcome = solve(p, limits=LIMITS)
    assert outcome.claim == "infeasible"
    assert "cap" in outcome.clashing
    assert set(outcome.clashing) < set(KINDS["timed"].rules)
    rest = frozenset(KINDS["timed"].rules) - {"assignment", *outcome.clashing}
    assert solve(p, limits=LIMITS, without=rest, clashes=False).claim == "infeasible"
    for rule in outcome.clashing:
        assert solve(p, limits=LIMITS, without=rest | {rule}).claim == "optimal-1"


def test_strengthenings_that_are_off() -> None:
    assert solve(timed(), limits=LIMITS, off=frozenset({"list"})).value == (6,)


def test_numbers_too_large_for_the_engine_leave_a_schedule_and_a_bound() -> None:
    """80 runs of 2^52 quanta are 2^58 and more, for more than 80 ticks."""
    large = cost_rows(a=(3, 2**52, 10), b=(2, 2**52, 6))
    p = timed(timed={"rounds": {"m": 40}}, costs=large)
    outcome = solve(p, ("edp",), limits=LIMITS)
    assert outcome.claim == "feasible"  # `bounded` once its bound is recomputed
    assert "not searched: edp passes 2^61" in outcome.runs[0].notes[0]
    assert outcome.bound[0] < outcome.value[0]
    assert outcome.value[0] > 2**61


def test_stopped_before_it_began() -> None:
    stop = Event()
    stop.set()
    outcome = solve(timed(), limits=Limits(workers=1, stop=stop))
    assert outcome.claim in ("feasible", "optimal-1")
    assert outcome.schedule is not None  # list scheduling's


@pytest.mark.parametrize(
    ("objective", "bound"),
    [
        # b follows a on one chiplet: 3 + 2; a's weights are 2 ticks, x 2, y 1.
        ("makespan", 5),
        ("latency", 5),
        ("latency_sum.m+makespan", 10),
        ("energy", 12),
        ("edp", 60),
        ("tardiness", 0),
    ],
)
def test_bounds_without_search(objective: str, bound: int) -> None:
    p = timed()
    program = KINDS["timed"].relaxation(p, (objective,), (None,), 0)
    assert recompute(program, {}) == bound
    found = solve(p, (objective,), limits=LIMITS).value[0]
    assert found >= bound


def test_a_bound_on_energy_counts_every_byte_and_tick() -> None:
    """12 quanta of layers, (8 + 8 + 4) bytes of DRAM at 8·2 pJ, 5 ticks at 3 pJ."""
    types = {"k": {"static_power_mw": Fraction(3, 2)}}
    p = timed(package={"types": types, "dram": {"energy_pj_per_bit": 2}})
    program = KINDS["timed"].relaxation(p, ("energy",), (None,), 0)
    assert recompute(program, {}) == 12 + 20 * 16 + 15

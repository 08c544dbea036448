"""Ways next to a way, one to begin with, and schedules where L2 is tight."""

from __future__ import annotations

import pytest

from formulation.outcome import Limits, Target
from formulation.pipelined import cpsat_cuts
from formulation.pipelined.cpsat import minimise
from formulation.pipelined.cuts import Cutter, cutter
from formulation.pipelined.cuts_near import balanced, nearest
from formulation.pipelined.semantics import evaluate
from tests.test_cpsat_cuts import VARIANTS, contiguous_problem, intervals

SEEDS = (0, 5, 14, 15, 22, 25, 28, 30)
ALL = 10**9


def cutters(variant: str) -> list[Cutter]:
    found = [cutter(contiguous_problem(seed, variant)) for seed in SEEDS]
    return [by for by in found if by is not None]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_way_is_worth_what_the_list_says(variant: str) -> None:
    for by in cutters(variant):
        for way in by.ways(ALL) or []:
            assert by.way(way.chiplet) == way


@pytest.mark.parametrize("variant", VARIANTS)
def test_ways_next_to_a_way_are_ways_and_reach_all_others(variant: str) -> None:
    """Intervals again, in order of value; from any way on, step by step, to any."""
    connected = 0
    for by in cutters(variant):
        ways = by.ways(ALL) or []
        listed = {way.chiplet: way for way in ways}
        if not ways:
            continue
        everywhere = all(
            by.p.supported(t) == tuple(range(len(by.p.chiplets)))
            for t in range(len(by.p.tasks))
        )
        reached, some = {ways[0].chiplet}, [ways[0]]
        while some:
            near = nearest(by, some.pop())
            assert [w.ticks for w in near] == sorted(w.ticks for w in near)
            for way in near:
                if way.chiplet in listed and way.chiplet not in reached:
                    assert intervals(by.p, way.chiplet)
                    assert way == listed[way.chiplet]
                    reached.add(way.chiplet)
                    some.append(way)
        if everywhere and set(listed) == reached:
            connected += 1
        elif everywhere:
            # A chiplet that no layer fits, for its L2, may stand between.
            assert variant == "small L2"
    assert connected > 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_way_to_begin_with_is_the_best_around(variant: str) -> None:
    for by in cutters(variant):
        for way in balanced(by):
            assert intervals(by.p, way.chiplet)
            assert all(way.ticks <= other.ticks for other in nearest(by, way))


@pytest.mark.parametrize("seed", [2, 5, 14, 15, 17, 23, 28])
def test_a_start_without_a_list_of_ways_changes_no_optimum(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too many ways to list, the descent's schedule is valid and proved later."""
    p = contiguous_problem(seed, "small L2")
    plain = minimise(p, Target("period"), Limits(workers=1))
    monkeypatch.setattr(cpsat_cuts, "_first_ways", lambda search, by: (0, None))
    started = minimise(p, Target("period"), Limits(workers=1))
    assert (started.infeasible, started.value) == (plain.infeasible, plain.value)
    assert started.bound == plain.bound
    if started.schedule is not None:
        assert not evaluate(p, started.schedule).violations


def test_schedules_are_found_beyond_ways_that_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a descent after every way each optimum is still proved, never below it."""
    monkeypatch.setattr(cpsat_cuts, "BARREN", 1)
    descended = 0
    for seed in (6, 20, 28, 34):
        p = contiguous_problem(seed, "small L2")
        told: list[tuple[int | None, int | None]] = []
        answer = minimise(
            p,
            Target("period"),
            Limits(workers=1),
            report=lambda news, told=told: told.append((news.value, news.bound)),
        )
        assert answer.value == answer.bound
        assert all(b is None or v is None or b <= v for v, b in told)
        descended += len({v for v, _ in told if v is not None}) > 1
    assert descended > 0


def test_a_model_of_one_chiplet_has_no_other_way() -> None:
    by = next(by for by in cutters("plain") if len(by.p.chiplets) == 1 and by.ways(ALL))
    [way] = balanced(by)
    assert way.chiplet == (0,) * len(by.p.tasks)
    assert nearest(by, way) == []

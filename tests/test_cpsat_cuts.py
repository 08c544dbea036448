"""Ways to cut: none is missed, and none is worth more than its schedules."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from formulation.choices import fitting
from formulation.outcome import Limits, Target
from formulation.pipelined import cpsat, cpsat_cuts, cpsat_polish
from formulation.pipelined.cpsat import STRENGTHENINGS, minimise
from formulation.pipelined.cpsat_search import Search
from formulation.pipelined.cuts import Way, cutter
from formulation.problem import on_chiplets
from tests.support import problem_of
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem, Resource, Task

SEEDS = range(60)
NO_CAPS = {"period_cap_ticks": None, "energy_cap_quanta": None}


VARIANTS = ("plain", "slow DRAM", "heavy weights", "small L2")


def contiguous_problem(seed: int, variant: str = "plain") -> Problem:
    """Return a tiny problem made contiguous, and harder to fit into its package."""
    p = problem_of(tiny_instance(seed))
    models = tuple(replace(m, latency_cap_ticks=None) for m in p.models)
    p = replace(p, contiguous=True, models=models, **NO_CAPS)
    if variant == "slow DRAM":
        return replace(p, resources=tuple(slower(r) for r in p.resources))
    if variant == "heavy weights":
        return replace(p, tasks=tuple(heavier(t) for t in p.tasks))
    if variant == "small L2":
        chiplets = [replace(c, l2_bytes=c.l2_bytes * 3 // 8) for c in p.chiplets]
        return replace(p, chiplets=tuple(chiplets))
    return p


def slower(r: Resource) -> Resource:
    """Return DRAM five times as slow, anything else as it is."""
    if r.kind != "dram":
        return r
    rates = [replace(x, den=x.den * 5) for x in (r.rate, r.stream_rate)]
    return replace(r, rate=rates[0], stream_rate=rates[1])


def heavier(task: Task) -> Task:
    """Return a task with ten times the weights."""
    modes = tuple(
        tuple(replace(k, weight_bytes=k.weight_bytes * 10) for k in on_one)
        for on_one in task.modes
    )
    return replace(task, weight_bytes=task.weight_bytes * 10, modes=modes)


def intervals(p: Problem, chiplet: tuple[int, ...]) -> bool:
    for model in p.models:
        mine = [chiplet[t] for t in model.tasks]
        starts = [c for k, c in enumerate(mine) if k == 0 or mine[k - 1] != c]
        if len(starts) != len(set(starts)):
            return False
    return all(fitting(p, t, c) for t, c in enumerate(chiplet))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_way_is_listed_once_and_as_its_bound(seed: int, variant: str) -> None:
    p = contiguous_problem(seed, variant)
    by = cutter(p)
    wanted = {
        chiplet
        for chiplet in product(range(len(p.chiplets)), repeat=len(p.tasks))
        if intervals(p, chiplet)
    }
    if by is None:
        assert len(p.models) > 2 or len(p.chiplets) > 4 or not wanted
        return
    ways = by.ways(10**9)
    assert ways is not None
    assert [w.ticks for w in ways] == sorted(w.ticks for w in ways)
    assert {w.chiplet for w in ways} == wanted
    assert len(ways) == len(wanted)
    assert by.least() == p.floor_ticks or not by.ways(by.least() - 1)
    off = frozenset(STRENGTHENINGS) - {"cuts"}
    for way in ways[:: max(1, len(ways) // 6)]:
        one = on_chiplets(p, way.chiplet)
        answer = minimise(one, Target("period"), Limits(workers=1), strengthenings=off)
        assert answer.infeasible or answer.value is not None
        assert answer.value is None or way.ticks <= answer.value


@pytest.mark.parametrize("seed", SEEDS)
def test_cuts_change_no_optimum(seed: int) -> None:
    p = contiguous_problem(seed)
    off = frozenset(STRENGTHENINGS) - {"cuts"}
    limits = Limits(workers=1)
    with_cuts = minimise(p, Target("period"), limits)
    without = minimise(p, Target("period"), limits, strengthenings=off)
    assert with_cuts.infeasible == without.infeasible
    assert (with_cuts.value, with_cuts.bound) == (without.value, without.bound)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_bound_on_the_way_is_above_the_optimum(seed: int, variant: str) -> None:
    """From a poor schedule on, round after round, T passes just below the optimum."""
    p = contiguous_problem(seed, variant)
    off = frozenset(STRENGTHENINGS) - {"cuts"}
    limits = Limits(workers=1)
    optimum = minimise(p, Target("period"), limits, strengthenings=off).value
    if optimum is None:
        return
    poor = poor_schedule(p, optimum)
    told: list[int | None] = []
    answer = minimise(
        p,
        Target("period"),
        limits,
        hint=poor,
        report=lambda news: told.append(news.bound),
    )
    assert answer.value == answer.bound == optimum
    assert all(bound is None or bound <= optimum for bound in told)


def free_problem(seed: int) -> Problem:
    p = problem_of(tiny_instance(seed))
    return replace(p, contiguous=False)


def test_to_start_from_cuts_and_moves_change_no_optimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without ``contiguous``, on problems that are too small for them otherwise."""
    monkeypatch.setattr(cpsat_cuts, "SMALL", 0)
    monkeypatch.setattr(cpsat_cuts, "MOST_IDLE", 3)
    monkeypatch.setattr(cpsat_polish, "SPARE_BYTES", 0)
    moved, used = cpsat_cuts.better_chiplets, Counter[str]()

    def counted(*given: Any) -> tuple[int, ...] | None:
        chiplet = moved(*given)
        used["moved"] += chiplet is not None
        return chiplet

    def settled(*given: Any) -> bool:
        used["asked"] += 1
        before = given[0].value
        answer = way(*given)
        used["better"] += given[0].value != before
        return answer

    way = cpsat_cuts._way
    monkeypatch.setattr(cpsat_cuts, "better_chiplets", counted)
    monkeypatch.setattr(cpsat_cuts, "_way", settled)
    off = frozenset(STRENGTHENINGS) - {"cuts"}
    for seed in SEEDS[::3]:
        p, limits = free_problem(seed), Limits(workers=1)
        found = minimise(p, Target("period"), limits)
        asked = used["asked"]
        without = minimise(p, Target("period"), limits, strengthenings=off)
        assert used["asked"] == asked
        assert found.infeasible == without.infeasible
        assert (found.value, found.bound) == (without.value, without.bound)
    assert used["better"] >= 7
    assert used["moved"] >= 3


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_small_problems_are_solved_whole(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem of `SMALL` pairs of layer and chiplet is, one of more is not."""
    p, used = free_problem(seed), []
    pairs = sum(len(p.supported(t)) for t in range(len(p.tasks)))
    monkeypatch.setattr(cpsat, "by_cuts", lambda *_: used.append("cuts"))
    monkeypatch.setattr(cpsat, "polish", lambda *_: used.append("moves"))
    minimise(p, Target("period"), Limits(workers=1))
    monkeypatch.setattr(cpsat_cuts, "SMALL", pairs)
    minimise(p, Target("period"), Limits(workers=1))
    assert used == []
    monkeypatch.setattr(cpsat_cuts, "SMALL", pairs - 1)
    minimise(p, Target("period"), Limits(workers=1))
    assert used == ["cuts", "moves"]
    minimise(replace(p, contiguous=True), Target("period"), Limits(workers=1))
    assert used == ["cuts", "moves", "cuts"]


def poor_schedule(p: Problem, optimum: int) -> Schedule | None:
    """Return the first valid schedule that is a little worse, from fixed chiplets."""
    off = frozenset(STRENGTHENINGS) - {"cuts"}
    by = cutter(p)
    for way in (by.ways(10**9) or []) if by is not None else []:
        one = on_chiplets(p, way.chiplet)
        found = minimise(one, Target("period"), Limits(workers=1), strengthenings=off)
        if found.value is not None and found.value > optimum + 1:
            return found.schedule
    return None


def test_a_poor_start_does_not_end_the_search_for_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without ``contiguous`` it goes on until a way gives a schedule within T."""
    p = replace(contiguous_problem(3), contiguous=False)
    one = Way(10, (0,) * len(p.tasks))
    asked: list[Way] = []

    def third_time_lucky(search: Search, way: Way, *_: object) -> bool:
        asked.append(way)
        if len(asked) == 3:
            search.value = 11
        return True

    monkeypatch.setattr(cpsat_cuts, "_first_ways", lambda *_: (11, [one] * 5))
    monkeypatch.setattr(cpsat_cuts, "_way", third_time_lucky)
    search = Search(p, Limits(), None, frozenset(), Target("period"))
    search.value = 99  # of a poor start
    cpsat_cuts.by_cuts(search, frozenset(STRENGTHENINGS))
    assert len(asked) == 3

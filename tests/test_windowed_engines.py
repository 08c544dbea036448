"""Windowed engines against all schedules; rules that matter; options in their order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from formulation.outcome import Limits
from formulation.rules import KindError
from formulation.windowed import cpsat
from formulation.windowed.bounds import explain, lower_bound
from formulation.windowed.cpsat_build import all_segments
from formulation.windowed.dp import minimise
from formulation.windowed.dp_ways import segment_ways
from formulation.windowed.objective import windowed_part
from formulation.windowed.priced import (
    NEVER,
    Prices,
    affordable,
    plan_of,
    plans,
    steps_of,
)
from formulation.windowed.prices import priced, priced_bound, product_above
from formulation.windowed.semantics import evaluate, value
from tests.formulation.windowed_cases import SCENARIO, problem
from tests.windowed_random import OBJECTIVES, least, tiny

if TYPE_CHECKING:
    from formulation.problem import Problem

LIMITS = Limits(workers=1)
PLAIN = ("makespan", "energy", "edp", "latency")


def proved(p: Problem, objective: str) -> int | None:
    """Return the optimum that the programs prove; `None` if they prove there is none.

    Asserts that the semantics value the schedule the same.
    """
    part = windowed_part(p, objective)
    answer = minimise(p, part, LIMITS)
    assert answer.why_stopped == "finished"
    if answer.infeasible:
        return None
    assert answer.schedule is not None
    found = evaluate(p, answer.schedule)
    assert found.violations == ()
    assert answer.value == answer.bound == value(p, part, found.worth)
    assert lower_bound(p, part) <= answer.value
    return answer.value


def agrees(seed: int) -> None:
    given = tiny(seed)
    due = least(given.problem, given.objective)
    assert proved(given.problem, given.objective) == due
    assert flowing(given.problem, given.objective) == due


def flowing(p: Problem, objective: str, **options: Any) -> int | None:
    """Return the optimum that CP-SAT proves, likewise."""
    part = windowed_part(p, objective)
    answer = cpsat.minimise(p, part, LIMITS, **options)
    assert answer.why_stopped == "finished"
    if answer.infeasible:
        return None
    assert answer.schedule is not None
    found = evaluate(p, answer.schedule)
    assert found.violations == ()
    assert answer.value == answer.bound == value(p, part, found.worth)
    return answer.value


@pytest.mark.parametrize("block", range(6))
def test_engines_find_the_best_of_all(block: int) -> None:
    for seed in range(12 * block, 12 * block + 12):
        agrees(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(10))
def test_engines_find_the_best_of_many(block: int) -> None:
    for seed in range(1000 + 40 * block, 1040 + 40 * block):
        agrees(seed)


@pytest.mark.parametrize("name", cpsat.STRENGTHENINGS)
def test_strengthenings_move_no_optimum(name: str) -> None:
    rest = frozenset(cpsat.STRENGTHENINGS) - {name}
    for seed in range(24):
        given = tiny(seed)
        due = proved(given.problem, given.objective)
        assert flowing(given.problem, given.objective, strengthenings=rest) == due


# Rules: each has a problem whose optimum it moves.

FAR: dict[str, Any] = {
    "package": {
        "types": {"z": SCENARIO["package"]["types"]["k"]},
        "chiplets": ["k", "z", "k"],
    },
    "models": SCENARIO["models"][:1],
    "costs": [
        {**row, "latency_ticks": 20 * row["latency_ticks"]}
        for row in SCENARIO["costs"]
        if row["model"] == "m"
    ],
}
"""Model m alone, slow, between its two chiplets one that can do none of it."""
TWO = {"windows": 2}
FLIPS: dict[str, tuple[Problem, str]] = {
    "limit": (problem({"windows": 1}), "energy"),
    "segment": (problem({"windows": 1}), "energy"),
    "adjacent": (problem({**TWO, "mini_batches": "single"}, **FAR), "makespan"),
    "sram": (
        problem(
            {**TWO, "memory": "segments"}, package={"types": {"k": {"l2_bytes": 45}}}
        ),
        "energy",
    ),
    "latency_cap": (
        problem(TWO, options={"latency_cap_ticks": {"m": 40, "s": 30}}),
        "energy",
    ),
    "energy_cap": (problem(TWO, options={"energy_cap_pj": 87}), "makespan"),
    "cap": (problem({**TWO, "caps": {"makespan": 40}}), "energy"),
}


@pytest.mark.parametrize("rule", FLIPS)
def test_a_rule_moves_an_optimum(rule: str) -> None:
    p, objective = FLIPS[rule]
    best = least(p, objective)
    free = least(p, objective, frozenset({rule}))
    assert best == proved(p, objective) == flowing(p, objective)
    assert best is not None
    assert free is not None
    assert free < best


# Options: what is more can only cost more.

DEARER: dict[str, dict[str, Any]] = {
    "fewer windows": {"windows": 1},
    "single mini-batches": {"single": True},
    "weights read again": {"weights_once": False},
    "refetch": {"refetch": True},
    "segments must fit": {"segments_fit": True},
    "senders wait": {"receiver_only": False},
    "conflicts": {"conflict_ticks": 2},
}
FREE = {
    "windows": 4,
    "single": False,
    "weights_once": True,
    "refetch": False,
    "segments_fit": False,
    "receiver_only": True,
    "conflict_ticks": 0,
    "caps": (),
}


def uncapped(p: Problem, **windowing: Any) -> Problem:
    models = tuple(replace(model, latency_cap_ticks=None) for model in p.models)
    given = replace(p.windowing, **{**FREE, **windowing})
    return replace(p, models=models, energy_cap_quanta=None, windowing=given)


@pytest.mark.parametrize("option", DEARER)
def test_options_that_cost(option: str) -> None:
    """Each is dearer somewhere, and cheaper nowhere."""
    moved = 0
    for seed in range(24):
        p = tiny(seed).problem
        for objective in ("makespan", "energy"):
            free = proved(uncapped(p), objective)
            dear = proved(uncapped(p, **DEARER[option]), objective)
            assert free is not None or dear is None
            if free is not None:
                assert dear is None or free <= dear
                moved += free != dear
    assert moved > 0


def test_more_windows_are_never_worse_and_then_do_nothing() -> None:
    for seed in range(12):
        p = tiny(seed).problem
        layers = len(p.tasks)
        found = [
            proved(uncapped(p, windows=count), "edp") for count in range(1, layers + 2)
        ]
        for fewer, more in pairwise(found):
            assert fewer is None or (more is not None and more <= fewer)
        assert found[-1] == found[-2]  # none is empty


# The answer.


def test_what_is_proved_of_the_hand_worked_instance() -> None:
    """All of m at once on chiplet 0, d beside it.

    m: 2·9; x and weights (16 + 20)/4 + 3 = 12; y 4/4 + 3 = 4: together 34.
    Bound, one by one through three chiplets: a 3 + 2 + 2 = 7, b 2, c 4 + 3 + 1/2; and
    a third of that again: 16 1/2 + 5 1/2.
    """
    p = problem()
    assert proved(p, "makespan") == proved(p, "latency") == 34
    assert proved(p, "energy") == 84
    assert explain(p)["one_model_ticks"] == 22


def test_the_lightest_model_may_be_the_last_one() -> None:
    """s first, alone: 6 + 2·(4/4 + 3) = 14, and m 34 later: max(3·14, 48) = 48.

    Beside m it would take 20 or more. A makespan is at least 22, so 22 is a bound, 66
    is none.
    """
    p = problem()
    part = windowed_part(p, "latency:3*s:m")
    assert proved(p, part.text) == flowing(p, part.text) == 48
    assert 22 <= lower_bound(p, part) <= priced_bound(p, part) <= 48


def test_a_run_that_is_stopped_keeps_its_bound() -> None:
    stop = Event()
    stop.set()
    part = windowed_part(problem(), "makespan")
    answer = minimise(problem(), part, Limits(stop=stop))
    assert (answer.schedule, answer.why_stopped) == (None, "interrupted")
    assert answer.bound == lower_bound(problem(), part) > 0
    assert not answer.infeasible


def test_what_fits_nowhere_is_infeasible() -> None:
    p = problem(package={"types": {"k": {"l2_bytes": 39}}})  # d needs 40
    for objective in PLAIN:
        assert proved(p, objective) is None


def test_options_of_other_kinds_are_refused() -> None:
    p = problem(options={"exclusive": True})
    with pytest.raises(KindError):
        minimise(p, windowed_part(p, "makespan"), LIMITS)


def test_every_objective_is_asked_for() -> None:
    asked = {tiny(seed).objective.partition(":")[0] for seed in range(72)}
    assert asked == {text.partition(":")[0] for text in OBJECTIVES}


# Priced time.


def test_priced_bounds_hold_and_are_mostly_better() -> None:
    better = tight = 0
    for seed in range(72):
        given = tiny(seed)
        part = windowed_part(given.problem, given.objective)
        least_value = proved(given.problem, given.objective)
        bound = priced_bound(given.problem, part, rounds=8)
        assert bound >= lower_bound(given.problem, part)
        if least_value is not None:
            assert bound <= least_value
            better += bound > lower_bound(given.problem, part)
            tight += bound == least_value
    assert better > 30
    assert tight > 5


def some_prices(p: Problem, rng: Random) -> Prices:
    count = range(len(p.chiplets))
    return Prices(
        tuple(tuple(rng.choice((0, 0, 1, 5)) for _ in count) for _ in p.models),
        tuple(rng.choice((0, 0, 1, 5)) for _ in count),
        rng.choice((0, 1, 3)),
    )


def test_steps_cost_what_segments_do() -> None:
    """Without what the bound forgets: each step is the cheapest way of its segment."""
    rng, possible = Random(11), 0
    for seed in range(40):
        p = uncapped(tiny(seed).problem, weights_once=seed % 2 == 0, conflict_ticks=1)
        prices = some_prices(p, rng)
        for s in (s for m in range(len(p.models)) for s in all_segments(p, m)):
            m, c, first = s.model, s.chiplet, p.models[s.model].first
            found = steps_of(p, m, c, s.group, prices).segments[s.first][s.last]
            once = sum(prices.model[m]) + prices.chiplet[c]
            groups = p.windowing.mini_batches[m] // s.group
            again = (groups - 1) * (prices.model[m][c] + prices.chiplet[c])
            due = [
                once * x.first_ticks + again * x.next_ticks + prices.energy * x.energy
                for x, _ in segment_ways(p, s)
            ]
            assert found[s.end - first, s.start - first] == min(due, default=NEVER)
            possible += bool(due)
    assert possible > 1000


def test_any_prices_give_a_bound() -> None:
    """The cost of all plans is no more than any schedule pays for time and energy."""
    rng = Random(7)
    for seed in range(40):
        p = tiny(seed).problem
        prices = some_prices(p, rng)
        found = plans(p, prices)
        for text in PLAIN[:3] if prices.energy else PLAIN[:1]:
            answer = minimise(p, windowed_part(p, text), LIMITS)
            if answer.schedule is None:
                continue
            assert found is not None
            worth = evaluate(p, answer.schedule).worth
            long = worth.makespan_ticks
            units = worth.energy_quanta * p.energy_den - p.static_energy * long
            paid = prices.total * long + prices.energy * units
            assert sum(plan.cost for plan in found) <= paid


def test_the_price_of_one_model_alone() -> None:
    """All on the time of m with its slowest segment on chiplet 0: there it takes 34.

    All on chiplet 0, and m is done elsewhere for nothing.
    """
    p = problem()
    least_time = plan_of(p, 0, Prices(((1, 0, 0), (0, 0, 0)), (0, 0, 0), 0))
    assert least_time is not None
    assert least_time.cost <= 34
    free = plan_of(p, 0, Prices(((0, 0, 0), (0, 0, 0)), (1, 0, 0), 0))
    assert free is not None
    assert free.cost == 0
    assert all(s.chiplet != 0 for window in free.windows for s in window)
    energy = plan_of(p, 0, Prices(((0, 0, 0), (0, 0, 0)), (0, 0, 0), 1))
    assert energy is not None
    assert energy.cost == 66 * p.energy_den  # 2·13, and 36 + 4 bytes on chiplet 0


def test_a_plan_can_be_computed_anew() -> None:
    p = problem()
    found = priced(p, 2, 1, rounds=3)
    assert found is not None
    again = plans(p, found.prices)
    assert again == found.plans
    assert again is not None
    share = found.prices.energy  # of a unit, where the weight of energy is 1
    total = sum(plan.cost for plan in again)
    assert found.bound == -(-total // (share * p.energy_den))


def test_least_products_above_a_line() -> None:
    """x ≥ 3, y ≥ 2, x + y ≥ 10: 3·7 = 21 and 2·8 = 16. No point is below, all tried."""
    assert product_above(3, 2, 1, 1, 10) == 16
    assert product_above(3, 2, 1, 1, 4) == 6
    rng = Random(3)
    for _ in range(60):
        x, y, time, energy = (rng.randint(1, 6) for _ in range(4))
        bound = rng.randint(0, 60)
        points = [
            a * b
            for a in range(x, x + 70)
            for b in range(y, y + 70)
            if time * a + energy * b >= bound
        ]
        found = product_above(x, y, time, energy, bound)
        assert found <= min(points)
        assert found >= x * y


def test_prices_that_are_too_large_are_refused() -> None:
    p = problem()
    dear = Prices(((10**17, 0, 0), (0, 0, 0)), (0, 0, 0), 0)
    assert not affordable(p, dear)
    with pytest.raises(ValueError, match="62 bits"):
        plans(p, dear)

"""Heuristics for timed schedules: valid, never below the optimum, the same again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from formulation.heuristics import Budget, HeuristicError, run_heuristic
from formulation.objective import ObjectiveError
from formulation.timed.calendar import Calendar
from formulation.timed.heuristics import NAMES
from formulation.timed.heuristics.moves import MOVES
from formulation.timed.heuristics.plan import decisions
from formulation.timed.heuristics.search import Search
from formulation.timed.list_schedule import decide, in_order, places_of
from formulation.timed.priorities import RULES, Order, upward
from formulation.timed.semantics import KindError, evaluate
from tests import oracle_timed as oracle
from tests.formulation.heuristic_checks import (
    assert_budget_holds,
    assert_never_below,
    assert_repeats,
)
from tests.test_oracle_timed import network, problem, row
from tests.timed_random import CYCLE, tiny

if TYPE_CHECKING:
    from pathlib import Path

    from formulation.heuristics import Found
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule

SEEDS, MANY = range(len(CYCLE)), range(len(CYCLE), 6 * len(CYCLE))
FEW = Budget(evaluations=100)
# Of the seeds that have a schedule: found at all, found at the optimum.
LEAST = {"list": (0.9, 0.5), "heft": (0.8, 0.4), "annealing": (0.95, 0.8)}


@cache
def asked(seed: int) -> Problem:
    return replace(tiny(seed).problem, kind="timed")


@cache
def best(seed: int) -> tuple[int, ...] | None:
    return oracle.best(tiny(seed).problem, tiny(seed).objective)


def run(name: str, seed: int, budget: Budget = FEW) -> Found[Schedule]:
    objective = tuple(tiny(seed).objective.split(","))
    return run_heuristic(asked(seed), name, objective, budget, seed)


def valid(seed: int, schedule: Schedule) -> bool:
    """By the second judge, too."""
    p = tiny(seed).problem
    return not evaluate(p, schedule).violations and not (
        oracle.judge(p, schedule).violated
    )


@pytest.mark.parametrize("name", NAMES)
def test_valid_and_never_below_the_optimum(name: str) -> None:
    assert_never_below(partial(run, name), SEEDS, best, valid, LEAST[name])


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_valid_and_never_below_many_optima(name: str) -> None:
    assert_never_below(partial(run, name), MANY, best, valid, LEAST[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_again_within_the_budget(name: str) -> None:
    for seed in (3, 11, 20):
        assert_repeats(partial(run, name), seed, FEW)
        for most in (1, 40):
            assert_budget_holds(partial(run, name), seed, most)


# Deciding and taking


def test_a_calendar_finds_gaps() -> None:
    """Taken are 0–2 and 4–6: 2 ticks fit at 2, 3 ticks at 6; of two things, both."""
    a, b = ("chiplet", 0), ("chiplet", 1)
    taken = Calendar()
    taken.take(0, [(a, (0, 2)), (a, (4, 6)), (b, (3, 4))])
    assert taken.slot(0, [(a, (0, 2))]) == 2
    assert taken.slot(0, [(a, (0, 3))]) == 6
    assert taken.slot(3, [(a, (0, 1))]) == 3
    assert taken.slot(1, [(a, (0, 0))]) == 1  # no tick
    assert taken.slot(0, [(a, (0, 1)), (b, (1, 2))]) == 3  # a in 3, b in 4
    assert taken.end(a) == 6
    assert taken.end(("chiplet", 2)) == 0


def test_a_calendar_agrees_with_ticks() -> None:
    rng = Random(5)
    for _ in range(300):
        taken, ticks = Calendar(), set[tuple[int, int]]()
        for _ in range(6):
            holds = [
                (("resource", r), (first, first + rng.randint(0, 3)))
                for r in rng.sample(range(3), 2)
                for first in [rng.randint(0, 2)]
            ]
            start = ready = rng.randint(0, 8)

            def held(at: int, holds=holds) -> set[tuple[int, int]]:
                return {(r, at + x) for (_, r), span in holds for x in range(*span)}

            while held(start) & ticks:
                start += 1
            assert taken.slot(ready, holds) == start
            taken.take(start, holds)
            ticks |= held(start)


def fork():
    """x (2 ticks) to y (4) and z (1); z on type b takes 9. Links of 1 byte a tick."""
    model = network("x y z", [("x", ("y", "z"), 3)])
    rows = [row("x", 2), row("y", 4), row("z", 1), row("z", 9, "b"), row("y", 6, "b")]
    return problem([model], rows, "ab", link=1)


def test_priority_rules_by_hand() -> None:
    """Means: x 2, y 5, z 5; x to y or z: 0 on one chiplet, 3 between them: 3/2."""
    p = fork()
    ranks = {name: rule(p) for name, rule in RULES.items()}
    assert ranks == {
        "chain": (6, 4, 1),
        "upward": (9, 5, 5),  # 2 + 3/2 + 5, rounded up
        "work": (7, 4, 1),
        "longest": (2, 4, 1),
        "shortest": (-2, -4, -1),
        "wide": (2, 0, 0),
    }


def test_heft_counts_transfers() -> None:
    """x 0–2 on a. There y ends in 6; on b in 2 + 3 + 6. z: 7 on a, 14 on b."""
    p = fork()
    ranks = upward(p)
    where = places_of(p, ranks, apart=True)
    assert where is not None
    s = decide(p, ranks, where, resident=True, level=4, inserted=True)
    assert s is not None
    assert s.chiplet == (0, 0, 0)
    made = in_order(p, s, Order(ranks))
    assert evaluate(p, made).worth.makespan_ticks == 7


def test_heft_inserts() -> None:
    """w ends on b in 1 and takes 8 to a, where y takes 9–19. z comes last.

    Before y it ends on a in 3. Behind y, for which transfers do not count, it seems to
    end there in 11 + 3, so that b with 1 + 12 looks better.
    """
    models = [network("w y", [("w", "y", 8)]), network("z", name="n")]
    rows = [row("w", 1, "b"), row("y", 10), row("z", 3, model="n")]
    p = problem(models, [*rows, row("z", 12, "b", "n")], "ab", link=1)
    ranks = upward(p)
    assert ranks[1] > ranks[2]
    where = places_of(p, ranks, apart=True)
    assert where is not None
    for inserted, chiplet, end in ((True, 0, 3), (False, 1, 13)):
        s = decide(p, ranks, where, resident=True, level=4, inserted=inserted)
        assert s is not None
        assert s.chiplet == (1, 0, chiplet)
        made = evaluate(p, in_order(p, s, Order(ranks)))
        assert made.worth.latency_ticks == ((19,), (end,))


def test_rounds_in_turn_or_by_rank() -> None:
    """x 2, y 1, two rounds: x x y y gives latencies 5 + 6, x y x y gives 3 + 6."""
    p = problem(
        [network("x y", [("x", "y", 1)])], [row("x", 2), row("y", 1)], rounds={"m": 2}
    )
    ranks = upward(p)
    s = decide(p, ranks, [(0,), (0,)], resident=True, level=4)
    assert s is not None
    for turn, late in ((False, (5, 6)), (True, (3, 6))):
        made = in_order(p, s, Order(ranks, in_turn=turn))
        assert evaluate(p, made).worth.latency_ticks == (late,)


def test_moves_change_a_plan_and_keep_groups_together() -> None:
    moved = dict.fromkeys((move for move, _ in MOVES), 0)
    for seed in SEEDS:
        p = tiny(seed).problem
        search = Search("moves", p, ("makespan",), FEW, seed)
        plan = search.offer([p.supported(t)[0] for t in range(len(p.tasks))]).decoded
        for move in moved if plan is not None else ():
            for _ in range(3):
                new = move(search, plan)
                moved[move] += new is not None and new != plan
                for group in p.colocate if new is not None else ():
                    if new.chiplet != plan.chiplet:
                        touched = [
                            t for t in group if new.chiplet[t] != plan.chiplet[t]
                        ]
                        assert not touched or len({new.chiplet[t] for t in group}) == 1
                plan = new or plan
        assert plan is None or len(decisions(p, plan).mode) == len(p.tasks)
    assert min(moved.values()) > 0


# What cannot be done, and a user's own


def test_an_objective_has_to_fit() -> None:
    with pytest.raises(ObjectiveError):
        run_heuristic(asked(3), "list", ("period",), FEW)
    with pytest.raises(HeuristicError, match="there are list, heft, annealing"):
        run_heuristic(asked(3), "genetic", ("makespan",), FEW)
    p = replace(asked(3), serial=True)
    with pytest.raises(KindError, match="serial"):
        run_heuristic(p, "list", ("makespan",), FEW)


def test_a_file_of_the_users(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "def schedule(search):\n"
        "    p = search.problem\n"
        "    for c in (-1, 99):\n"
        "        assert search.offer([c] * len(p.tasks)).value is None\n"
        "    search.offer([p.supported(t)[0] for t in range(len(p.tasks))])\n"
        "    return search.schedule\n"
    )
    seed = next(
        s for s in SEEDS if best(s) is not None and not tiny(s).problem.colocate
    )
    found = run_heuristic(asked(seed), str(path), ("makespan",), FEW)
    assert found.schedule is not None
    assert found.evaluations == 4

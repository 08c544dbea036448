"""Heuristics: valid, never below the optimum, the same again, within their budget."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from threading import Event
from typing import TYPE_CHECKING

import pytest

from formulation.heuristics import Budget, Found, HeuristicError, run_heuristic
from formulation.objective import ObjectiveError, parts_of
from formulation.pipelined.heuristics import NAMES, Plan, Search
from formulation.pipelined.heuristics.decode import Decoder
from formulation.pipelined.heuristics.moves import MOVES
from formulation.pipelined.heuristics.tables import LEANS
from formulation.pipelined.semantics import evaluate
from tests import oracle, oracle_front
from tests.formulation.heuristic_checks import (
    assert_budget_holds,
    assert_never_below,
    assert_repeats,
)
from tests.support import tiny
from tests.tiny_random import CYCLE

if TYPE_CHECKING:
    from formulation.outcome import Progress
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

SEEDS = range(len(CYCLE))  # every focus at least once
OBJECTIVES = ("period", "energy", "period,energy", "edp", "2*period+energy")
FEW = Budget(evaluations=100)
# Of the seeds that have a schedule: found at all, found at the optimum.
LEAST = {
    "standalone": (0.5, 0.2),
    "proportional": (0.7, 0.35),
    "partition": (0.85, 0.5),
    "annealing": (0.95, 0.85),
    "genetic": (0.8, 0.6),
}


def drawn(seed: int) -> str:
    return OBJECTIVES[seed % len(OBJECTIVES)]


@cache
def best(seed: int) -> tuple[int, ...] | None:
    objective, instance = drawn(seed), tiny(seed).instance
    if objective in oracle.OBJECTIVES:
        return oracle.solve(instance, objective)
    [part] = parts_of((objective,))
    return min(((part.of(*x),) for x in oracle_front.front(instance)), default=None)


def run(name: str, seed: int, budget: Budget = FEW) -> Found:
    objective = tuple(drawn(seed).split(","))
    return run_heuristic(tiny(seed).problem, name, objective, budget, seed)


def valid(seed: int, schedule: Schedule) -> bool:
    return not evaluate(tiny(seed).problem, schedule).violations


@pytest.mark.parametrize("name", NAMES)
def test_valid_and_never_below_the_optimum(name: str) -> None:
    assert_never_below(partial(run, name), SEEDS, best, valid, LEAST[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_again_within_the_budget(name: str) -> None:
    for seed in (3, 11, 20):
        assert_repeats(partial(run, name), seed, FEW)
        for most in (1, 7, 60):
            assert_budget_holds(partial(run, name), seed, most)


def test_seconds_and_a_stop_end_it() -> None:
    found = run("annealing", 3, Budget(seconds=0.05))
    assert found.why_stopped == "time limit"
    assert 0.05 <= found.seconds < 1
    stop = Event()
    stop.set()
    found = run("annealing", 3, Budget(seconds=60, stop=stop))
    assert (found.why_stopped, found.evaluations) == ("interrupted", 0)


@pytest.mark.parametrize(
    "given", [{}, {"evaluations": 0}, {"seconds": 0.0}, {"seconds": -1.0}]
)
def test_a_budget_has_a_limit(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Budget(**given)  # type: ignore[arg-type]


def test_news_are_the_trace() -> None:
    news: list[Progress] = []
    found = run_heuristic(
        tiny(3).problem, "annealing", ("period",), FEW, report=news.append
    )
    assert [(n.value,) for n in news] == [point.value for point in found.trace]
    assert {n.bound for n in news} == {None}


# The decoder


def random_plan(p: Problem, decoder: Decoder, rng: Random) -> Plan:
    chiplet = []
    for t in range(len(p.tasks)):
        able = list(p.supported(t))
        if t and rng.random() < 0.6 and chiplet[-1] in able:
            able = [chiplet[-1]]
        chiplet.append(rng.choice(able))
    often = rng.random()
    fixed = {}
    for t, c in enumerate(chiplet):
        some = decoder.tables.choices(t, c)
        if some and rng.random() < 0.2:
            fixed[t] = rng.choice(some)
    return Plan(
        tuple(chiplet),
        frozenset(u for u, *_ in decoder.placed if rng.random() < often),
        tuple(rng.randrange(len(LEANS)) for _ in p.chiplets),
        tuple(fixed.items()),
    )


def test_the_decoder_says_what_the_semantics_say() -> None:
    """Period, energy, latencies of every plan; valid exactly if nothing is exceeded."""
    rng, valid, broken = Random(7), 0, 0
    for seed in SEEDS:
        p = tiny(seed).problem
        decoder = Decoder(p)
        for _ in range(30):
            plan = random_plan(p, decoder, rng)
            found = decoder.decode(plan)
            assert found.plan.chiplet == plan.chiplet
            if not found.options:
                broken += 1
                continue
            s = decoder.schedule(found.plan, found.stage, found.options)
            worth = evaluate(p, s)
            assert found.period_ticks == worth.period_ticks
            assert found.energy_quanta == worth.energy_quanta
            assert found.latency_ticks == worth.latency_ticks
            assert (found.excess == 0) == (worth.violations == ()), seed
            for t, wanted in plan.fixed:
                assert (s.mode[t], s.resident[t]) == wanted
            valid += found.excess == 0
    assert valid > 300
    assert broken > 20


def test_moves_change_a_plan_and_keep_groups_together() -> None:
    moved = dict.fromkeys((move for move, _ in MOVES), 0)
    for seed in SEEDS:
        p = tiny(seed).problem
        search = Search("moves", p, ("period",), FEW, seed)
        plan = Plan(tuple(p.supported(t)[0] for t in range(len(p.tasks))))
        for move in moved:
            for _ in range(3):
                new = move(search, plan, (1,) * len(p.chiplets))
                moved[move] += new is not None and new != plan
                for group in p.colocate if new is not None else ():
                    if len({plan.chiplet[t] for t in group}) == 1:
                        together = {new.chiplet[t] for t in group}
                        assert len(together) == 1 or move in SWAPS
                plan = new or plan
    assert min(moved.values()) > 0


SWAPS = {move for move, _ in MOVES if move.__name__.startswith("swap")}


# What cannot be done


def test_more_models_than_chiplets_share_or_say_no() -> None:
    shared = 0
    for seed in range(4 * len(CYCLE)):
        p = tiny(seed).problem
        if len(p.models) > len(p.chiplets):
            found = run("standalone", seed)
            assert "share" in found.notes[0]
            apart = run_heuristic(
                replace(p, exclusive=True), "standalone", ("period",), FEW
            )
            assert apart.schedule is None
            shared += found.schedule is not None
    assert shared > 0


def test_an_objective_has_to_fit() -> None:
    with pytest.raises(ObjectiveError, match="no model"):
        run_heuristic(tiny(3).problem, "annealing", ("latency:nobody",), FEW)


def test_without_pygad_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygad", None)
    with pytest.raises(HeuristicError, match=r"pip install .*\[heuristics\]"):
        run("genetic", 3)


def test_the_registry_loads_nothing_heavy() -> None:
    code = "import formulation.heuristics, sys; "
    code += "formulation.heuristics.names_of('pipelined'); print(*sys.modules)"
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert not {"numpy", "pygad", "ortools"} & set(done.stdout.split())


# A user's own file


def write(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def test_a_file_of_the_users(tmp_path: Path) -> None:
    name = write(
        tmp_path,
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Try:\n"
        "    chiplet: list\n"
        "def schedule(search):\n"
        "    p = search.problem\n"
        "    one = Try([p.supported(t)[0] for t in range(len(p.tasks))])\n"
        "    search.notes.append('first chiplets')\n"
        "    offer = search.offer(one.chiplet)\n"
        "    assert offer.value is not None\n"
        "    return search.schedule\n",
    )
    found = run_heuristic(tiny(3).problem, name, ("period",), FEW)
    assert found.schedule is not None
    assert evaluate(tiny(3).problem, found.schedule).violations == ()
    assert found.notes == ("first chiplets",)
    assert found.evaluations == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"mine\.py: no schedule: expected a function"),
        ("schedule = 3\n", r"mine\.py: no schedule: expected a function"),
        ("\ndef schedule():\n    pass\n", r"mine\.py:2: .*def schedule\(search\)"),
        ("def schedule(search:\n", r"mine\.py:1: "),
        ("import no_such_module\n", r"mine\.py:1: ModuleNotFoundError"),
        ("def schedule(s):\n    return 5\n", r"mine\.py:1: .* returned a int"),
        ("def schedule(s):\n\n    1 // 0\n", r"mine\.py:3: ZeroDivisionError"),
        ("def schedule(s):\n    s.offer('ab')\n", r"mine\.py:2: TypeError: offer: exp"),
        ("def schedule(s):\n    s.offer([0])\n", r"mine\.py:2: TypeError: offer: exp"),
        ("def schedule(s):\n    raise SystemExit(9)\n", r"mine\.py:2: SystemExit"),
    ],
)
def test_a_faulty_file_is_told_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(HeuristicError, match=said):
        run_heuristic(tiny(3).problem, write(tmp_path, text), ("period",), FEW)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(HeuristicError, match="No such file"):
        run_heuristic(tiny(3).problem, "no/such.py", ("period",), FEW)


def test_what_a_user_offers_may_be_nonsense(tmp_path: Path) -> None:
    """Chiplets that do not exist or do not support a layer are only not valid."""
    name = write(
        tmp_path,
        "def schedule(search):\n"
        "    p = search.problem\n"
        "    for c in (-1, 99):\n"
        "        assert search.offer([c] * len(p.tasks)).value is None\n",
    )
    found = run_heuristic(tiny(3).problem, name, ("period",), FEW)
    assert (found.schedule, found.value, found.why_stopped) == (None, None, "finished")

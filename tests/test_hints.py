"""Every engine really begins with the schedule that it is given, or a note says no."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import formulation.engines.milp as highs
import formulation.pipelined.cpsat as cpsat
import formulation.pipelined.milp as milp
from formulation.decisions import DRAM
from formulation.engines.cpsat import parameters
from formulation.objective import parse_part
from formulation.outcome import Limits, Target
from formulation.pipelined.cpsat_build import add_hint, build
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import evaluate
from instances.load import instance_from_mapping
from tests.support import ENGINES, minimise, problem_of, rules_broken, tiny

if TYPE_CHECKING:
    from formulation.problem import Problem

SMALL = 10  # a tiny problem that presolve alone does not solve
LOST = "the hint was not taken as a start"
SCENARIO = {
    "schema": "instance/1",
    "name": "hinted",
    "package": {"base": "2x2", "name": "oo-oo", "chiplets": ["shidiannao"] * 4},
    "models": [{"build": "alexnet"}],
}


@pytest.fixture(scope="module")
def problem() -> Problem:
    return problem_of(instance_from_mapping(SCENARIO))


@pytest.fixture(scope="module", params=[0, 3])
def poor(request: pytest.FixtureRequest, problem: Problem) -> Schedule:
    """All on one chiplet, everything streamed: valid, and worth little."""
    c, n = request.param, len(problem.tasks)
    mode = [
        min(range(len(t.modes[c])), key=lambda k: t.modes[c][k].ws_bytes)
        for t in problem.tasks
    ]
    s = Schedule(
        chiplet=(c,) * n,
        mode=tuple(mode),
        stage=(0,) * n,
        resident=tuple(False if t.weight_bytes else None for t in problem.tasks),
        place=tuple(DRAM if u.placed else None for u in problem.tensors),
    )
    assert evaluate(problem, s).violations == ()
    return s


@pytest.mark.parametrize("staged", [True, False])
@pytest.mark.parametrize("quantity", ["period", "energy"])
def test_cpsats_first_solution_is_the_hint(
    quantity: str, staged: bool, problem: Problem, poor: Schedule
) -> None:
    m = build(problem, Target(quantity), staged=staged)
    assert m.group  # chiplet 3 is not the one that symmetry leaves
    add_hint(m, poor)
    solver = parameters(Limits(workers=1), 20.0)
    solver.parameters.log_search_progress = True
    solver.parameters.log_to_stdout = False
    solver.parameters.stop_after_first_solution = True
    lines: list[str] = []
    solver.log_callback = lines.append
    solver.solve(m.model)
    [first] = [x for text in lines for x in text.splitlines() if x.startswith("#1 ")]
    assert "hint" in first
    value = round(solver.objective_value)
    worth = parse_part(quantity).value(problem, evaluate(problem, poor))
    # Without stages, buffers and thus places may be better.
    found = value if quantity == "period" else -(-value // problem.energy_den)
    assert found == worth if staged else found <= worth


@pytest.mark.parametrize("quantity", ["period", "energy"])
def test_highs_says_that_it_uses_the_hint(
    quantity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[highs.Found] = []

    def run(*args: Any) -> highs.Found:
        found.append(highs.highs(*args))
        return found[-1]

    p = tiny(SMALL).problem
    best = milp.minimise(p, Target(quantity), Limits(workers=1)).schedule
    monkeypatch.setattr(milp, "highs", run)
    answer = milp.minimise(p, Target(quantity), Limits(workers=1), hint=best)
    assert answer.notes == ()
    assert found[0].start_taken


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("quantity", ["period", "energy"])
def test_a_rejected_hint_is_told_on_every_way(
    engine: str, contiguous: bool, quantity: str
) -> None:
    p = replace(tiny(SMALL).problem, contiguous=contiguous)
    best = minimise(engine)(p, Target(quantity), Limits(workers=1)).schedule
    assert best is not None
    bad = replace(best, stage=(-1, *best.stage[1:]))
    answer = minimise(engine)(p, Target(quantity), Limits(workers=1), hint=bad)
    assert any("the hint was rejected: stage" in note for note in answer.notes)
    nowhere = replace(best, chiplet=(99, *best.chiplet[1:]))
    answer = minimise(engine)(p, Target(quantity), Limits(workers=1), hint=nowhere)
    assert any("no chiplet 99" in note for note in answer.notes)


@pytest.mark.parametrize("quantity", ["period", "energy"])
@pytest.mark.parametrize("contiguous", [True, False])
def test_a_hint_that_cpsat_loses_is_told(
    quantity: str,
    contiguous: bool,
    problem: Problem,
    poor: Schedule,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is never given to it, and there is no time to find anything."""
    monkeypatch.setattr(cpsat, "add_hint", lambda m, s: None)
    p = replace(problem, contiguous=contiguous)
    limits = Limits(workers=1, deterministic=1e-6)
    off = {"cuts", "energy_cuts", "peaks"}
    answer = cpsat.minimise(
        p,
        Target(quantity),
        limits,
        hint=poor,
        strengthenings=frozenset(cpsat.STRENGTHENINGS) - off,
    )
    assert answer.notes == (LOST,)
    assert answer.schedule == poor


def test_a_hint_that_highs_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    p = tiny(SMALL).problem
    best = milp.minimise(p, Target("period"), Limits(workers=1)).schedule
    assert best is not None
    true = milp.start
    wrong = replace(best, chiplet=tuple(0 for _ in best.chiplet))
    assert rules_broken(p, wrong)
    monkeypatch.setattr(milp, "start", lambda m, s: true(m, wrong))
    answer = milp.minimise(p, Target("period"), Limits(workers=1), hint=best)
    assert LOST in answer.notes
    assert answer.value == milp.minimise(p, Target("period"), Limits(workers=1)).value

"""Every solve has a schedule to start from where engines are slow to find one."""

from __future__ import annotations

from typing import Any

import pytest

from formulation import starts
from formulation.heuristics import Budget, run_heuristic
from formulation.outcome import Limits
from formulation.pipelined.semantics import evaluate
from formulation.solve import solve
from formulation.starts import start_of
from instances.load import load_instance
from results.run import prepare
from tests.support import tiny

LITTLE = Limits(seconds=0.01, workers=1)


def problem_of(name: str) -> Any:
    return prepare(load_instance(name)).problem


@pytest.mark.parametrize("name", ["annealing", "genetic", "standalone"])
def test_the_first_schedule_comes_however_little_time_there_is(name: str) -> None:
    """Every model on one chiplet is valid on the library's 36 chiplets."""
    pytest.importorskip("pygad")
    problem = problem_of("scaling-l30-c36-m1")
    found = run_heuristic(problem, name, ("period",), Budget(seconds=1e-9))
    assert (found.evaluations, found.why_stopped) == (1, "time limit")
    assert found.schedule is not None
    assert not evaluate(problem, found.schedule).violations


def test_solve_starts_by_itself_and_says_so() -> None:
    problem = problem_of("scaling-l30-c9-m1")
    outcome = solve(problem, limits=LITTLE)
    assert outcome.schedule is not None
    [run] = outcome.runs
    assert run.notes[0].startswith("starts from annealing: ")
    assert solve(problem, limits=LITTLE, start="none").schedule is None


def test_what_the_start_takes_is_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start of all the time leaves the engine none."""
    given: list[float | None] = []

    def slow(*_: object) -> starts.Start:
        return starts.Start(None, 7.5, ("slow: nothing found",))

    def engine(p: object, target: object, limits: Limits, **_: object) -> Any:
        given.append(limits.seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr("formulation.solve.start_of", slow)
    monkeypatch.setattr("formulation.solve.engine_of", lambda *_: (engine, "0"))
    with pytest.raises(KeyboardInterrupt):
        solve(tiny(0).problem, limits=Limits(seconds=10))
    assert given == [2.5]


def test_a_deterministic_start_is_one_of_evaluations() -> None:
    problem = problem_of("scaling-l30-c9-m1")
    limits = Limits(workers=1, deterministic=0.1)
    assert starts.worth_starting(problem)
    one, other = (start_of("auto", problem, ("period",), limits) for _ in range(2))
    assert one.schedule is not None
    assert one.schedule == other.schedule

"""What the tests of the engines share: engines by name, and both schedule forms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from costmodel.build import build_table
from formulation.compile import compile_problem
from formulation.objective import parse_part
from formulation.outcome import Limits, Target
from formulation.pipelined.semantics import evaluate
from formulation.solve import ENGINES as REGISTERED
from tests import oracle
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.outcome import Answer
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem
    from instances.schema import Instance

ENGINES = REGISTERED["pipelined"]
LIMITS = Limits(workers=1)
NONE: frozenset[str] = frozenset()


def minimise(engine: str) -> Callable[..., Answer[Schedule]]:
    return import_module(f"formulation.pipelined.{engine}").minimise


def strengthenings(engine: str) -> frozenset[str]:
    return frozenset(import_module(f"formulation.pipelined.{engine}").STRENGTHENINGS)


def problem_of(instance: Instance) -> Problem:
    return compile_problem(instance, build_table(instance))


@dataclass(frozen=True)
class Tiny:
    instance: Instance
    problem: Problem


@cache
def tiny(seed: int) -> Tiny:
    instance = tiny_instance(seed)
    return Tiny(instance, problem_of(instance))


def proved(
    engine: str,
    problem: Problem,
    target: Target | str,
    without: frozenset[str] = NONE,
    **options: object,
) -> int | None:
    """Return the optimum that an engine proves; `None` if it proves there is none.

    Asserts the exact status, and that the semantics value the schedule the same.
    """
    if isinstance(target, str):
        target = Target(target)
    answer = minimise(engine)(problem, target, LIMITS, without=without, **options)
    assert answer.why_stopped == "finished"
    if answer.infeasible:
        assert answer.schedule is None
        assert answer.bound is None
        return None
    assert answer.schedule is not None
    found = evaluate(problem, answer.schedule, without=without)
    assert found.violations == ()
    assert (
        answer.value
        == answer.bound
        == parse_part(target.quantity).value(problem, found)
    )
    return answer.value


def to_oracle(instance: Instance, problem: Problem, s: Schedule) -> oracle.Schedule:
    """Return a schedule in the oracle's form, by names."""

    def task(t: int) -> tuple[str, str]:
        return problem.models[problem.tasks[t].model].name, problem.tasks[t].name

    def tensor(u: int) -> tuple[str, str]:
        x = problem.tensors[u]
        return problem.models[x.model].name, x.name

    tasks = range(len(problem.tasks))
    return oracle.Schedule(
        chiplet={task(t): s.chiplet[t] for t in tasks},
        mode={task(t): s.mode[t] for t in tasks},
        resident={
            task(t): bool(s.resident[t]) for t in tasks if s.resident[t] is not None
        },
        place={tensor(u): x for u, x in enumerate(s.place) if x is not None},
        stage={task(t): s.stage[t] for t in tasks},
    )


def rules_broken(
    problem: Problem, s: Schedule, period: int | None = None
) -> frozenset[str]:
    """Return the labels of the rules that a schedule breaks, by the semantics."""
    return frozenset(v.rule for v in evaluate(problem, s, period).violations)

"""Hand-made timed instances whose optimum one rule, option or number decides.

The comment of each file in `tests/tiny/timed` does the arithmetic; the numbers here
are its results. Semantics, oracle and every engine must arrive at them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from formulation.rules import UnassignedError
from formulation.solve import ENGINES as REGISTERED
from formulation.solve import solve
from formulation.timed.schedule import Schedule
from formulation.timed.semantics import RULES, evaluate
from instances.load import load_instance
from tests import oracle_timed as oracle
from tests.support import LIMITS, NONE, problem_of
from tests.test_tiny_flips import another_row, option

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.problem import Problem
    from instances.schema import Instance

FOLDER = Path(__file__).parent / "tiny" / "timed"
ENGINES = REGISTERED["timed"]
FLUID = {"bandwidth"}  # CP-SAT has it not


def load(name: str) -> Instance:
    return load_instance(str(FOLDER / f"{name}.yaml"))


# Rule -> what is minimised, its least value with the rule and without it.
RULE_FLIPS: dict[str, tuple[str, int, int]] = {
    "release": ("makespan", 7, 3),
    "duration": ("makespan", 12, 3),
    "precedence": ("makespan", 7, 4),
    "no-overlap": ("makespan", 7, 4),
    "bandwidth": ("makespan", 12, 6),
    "sram": ("makespan", 14, 9),
    "contiguous": ("makespan", 7, 3),
    "convex": ("makespan", 7, 3),
    "exclusive": ("makespan", 10, 7),
    "colocate": ("makespan", 10, 5),
    "latency_cap": ("energy", 100, 50),
    "energy_cap": ("makespan", 8, 3),
    "cap": ("edp", 400, 300),
}


# Variants of an instance: an option changed, or a number one step away.


def timed(**changes: object) -> Callable[[Instance], Instance]:
    def change(i: Instance) -> Instance:
        options = replace(i.options.timed, **changes)
        return replace(i, options=replace(i.options, timed=options))

    return change


def samples(n: int) -> Callable[[Instance], Instance]:
    return lambda i: replace(i, models=tuple(replace(m, samples=n) for m in i.models))


def hop_ns(latency: int) -> Callable[[Instance], Instance]:
    def change(i: Instance) -> Instance:
        links = [replace(k, hop_latency_ns=Fraction(latency)) for k in i.package.links]
        return replace(i, package=replace(i.package, links=tuple(links)))

    return change


@dataclass(frozen=True)
class Flip:
    """`file` is worth `value`, changed by `variant` `other` (`None`: infeasible)."""

    file: str
    value: int
    variant: Callable[[Instance], Instance]
    other: int | None
    objective: str = "makespan"


WEIGHTS, FRAMES = "option-weights", "option-frames_per_second"
FLIPS = {
    "assignment": Flip(
        "assignment",
        9,
        another_row({"layer": "b", "chiplet_type": "p", "latency_ticks": 3}),
        5,
    ),
    "release by one tick": Flip("release", 7, timed(release_ticks={"m": (5,)}), 8),
    "latency_cap by one tick": Flip(
        "latency_cap", 100, option(latency_cap_ticks={"m": 2}), None, "energy"
    ),
    "latency_cap met exactly": Flip(
        "latency_cap", 100, option(latency_cap_ticks={"m": 8}), 50, "energy"
    ),
    "energy_cap by one quantum": Flip(
        "energy_cap", 8, option(energy_cap_pj=Fraction(49, 100)), None
    ),
    "cap met exactly": Flip("cap", 400, timed(caps={"energy": 100}), 300, "edp"),
    "cap by one quantum": Flip("cap", 400, timed(caps={"energy": 49}), None, "edp"),
    "contention": Flip("option-contention", 12, timed(contention="none"), 6),
    "switching": Flip("option-switching", 9, timed(switching="cut_through"), 6),
    "preloaded": Flip(WEIGHTS, 18, timed(weights="preloaded"), 6),
    "streamed": Flip(WEIGHTS, 18, timed(weights="streamed"), 24),
    "rounds": Flip(WEIGHTS, 18, timed(rounds={}), 12),
    "frames_per_second": Flip(FRAMES, 7, timed(frames_per_second={}), 3),
    "samples": Flip(FRAMES, 7, samples(3), 11),
    "due_ticks": Flip("option-due_ticks", 2, timed(due_ticks={"m": 6}), 1, "tardiness"),
    "multicast": Flip("option-multicast", 6, option(multicast=False), 10),
    "hop latency": Flip("latencies", 6, hop_ns(9), 9),
}


def proved(
    p: Problem, objective: str, engine: str, without: frozenset[str] = NONE
) -> int | None:
    """Return the optimum that an engine proves; `None` if it proves there is none."""
    outcome = solve(p, (objective,), engine, LIMITS, without=without, clashes=False)
    if outcome.claim == "infeasible":
        return None
    assert outcome.claim == "optimal-1"
    return outcome.value[0]


def known(p: Problem, objective: str, without: frozenset[str] = NONE) -> int | None:
    """Return the optimum of the oracle, `None` if there is no schedule."""
    best = oracle.best(p, objective, without)
    return None if best is None else best[0]


def test_every_rule_has_its_flip() -> None:
    assert set(RULE_FLIPS) | {"assignment"} == set(RULES)


def test_every_file_is_used_and_asks_for_timed_schedules() -> None:
    used = set(RULE_FLIPS) | {flip.file for flip in FLIPS.values()}
    assert {path.stem for path in FOLDER.glob("*.yaml")} == used
    assert {load(name).options.kind for name in used} == {"timed"}


@pytest.mark.parametrize("rule", RULE_FLIPS)
def test_rule_in_oracle(rule: str) -> None:
    objective, kept, left_out = RULE_FLIPS[rule]
    p = problem_of(load(rule))
    assert known(p, objective) == kept
    assert known(p, objective, frozenset({rule})) == left_out


@pytest.mark.parametrize(
    ("rule", "engine"),
    [
        (rule, engine)
        for rule in RULE_FLIPS
        for engine in ENGINES
        if rule not in FLUID or engine != "cpsat"
    ],
)
def test_rule_in_engine(rule: str, engine: str) -> None:
    objective, kept, left_out = RULE_FLIPS[rule]
    p = problem_of(load(rule))
    assert proved(p, objective, engine) == kept
    assert proved(p, objective, engine, frozenset({rule})) == left_out


def broken_alike(p: Problem, s: Schedule, rule: str) -> None:
    """Semantics and oracle both say that the rule is broken, and no other one."""
    assert {v.rule for v in evaluate(p, s).violations} == {rule}
    assert oracle.judge(p, s).violated == {rule}
    assert evaluate(p, s, without=frozenset({rule})).violations == ()


@pytest.mark.parametrize("rule", RULE_FLIPS)
def test_rule_in_semantics(rule: str) -> None:
    """The best schedule without the rule breaks it, and nothing else."""
    objective, _, _ = RULE_FLIPS[rule]
    p = problem_of(load(rule))
    found = oracle.solve(p, objective, frozenset({rule})).found
    assert found is not None
    broken_alike(p, found, rule)


def test_assignment_refuses_what_is_not_supported() -> None:
    p = problem_of(load("assignment"))
    empty: Any = ((None,), (None,))
    s = Schedule(
        (0, 0), (0, 0), (None, None), (), ((0,), (2,)), empty, (None, None), ()
    )
    with pytest.raises(UnassignedError, match="m/b: not supported on chiplet 0"):
        evaluate(p, s)
    assert oracle.judge(p, s).violated == {"assignment"}


@pytest.mark.parametrize("name", FLIPS)
def test_flip_in_oracle(name: str) -> None:
    flip = FLIPS[name]
    assert known(problem_of(load(flip.file)), flip.objective) == flip.value
    other = problem_of(flip.variant(load(flip.file)))
    assert known(other, flip.objective) == flip.other


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", FLIPS)
def test_flip_in_engine(name: str, engine: str) -> None:
    flip = FLIPS[name]
    assert proved(problem_of(load(flip.file)), flip.objective, engine) == flip.value
    other = problem_of(flip.variant(load(flip.file)))
    assert proved(other, flip.objective, engine) == flip.other

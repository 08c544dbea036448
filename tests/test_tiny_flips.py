"""Hand-made instances whose optimum one rule, option or number decides.

The comment of each file in `tests/tiny` does the arithmetic; the numbers here are
its results. Semantics, oracle and every engine must arrive at them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from formulation.outcome import Target
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import RULES, evaluate
from formulation.rules import UnassignedError
from instances.load import load_instance
from tests import oracle
from tests.support import (
    ENGINES,
    LIMITS,
    NONE,
    minimise,
    problem_of,
    proved,
    rules_broken,
    to_oracle,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import GivenMode, Instance

FOLDER = Path(__file__).parent / "tiny"


def load(name: str) -> Instance:
    return load_instance(str(FOLDER / f"{name}.yaml"))


# Rule -> period with it (`None`: infeasible) and without it.
RULE_FLIPS: dict[str, tuple[int | None, int]] = {
    "stage": (10, 5),
    "compute": (7, 2),
    "link": (12, 3),
    "port": (10, 2),
    "dram": (4, 2),
    "floor": (10, 4),
    "sram": (19, 6),
    "contiguous": (11, 4),
    "convex": (11, 4),
    "exclusive": (12, 8),
    "colocate": (10, 5),
    "latency_cap": (10, 5),
    "energy_cap": (8, 3),
    "period_cap": (None, 5),
}


# Variants of an instance: the option off, or a number one step away.


def option(**changes: object) -> Callable[[Instance], Instance]:
    return lambda i: replace(i, options=replace(i.options, **changes))


def dram_mode(mode: str) -> Callable[[Instance], Instance]:
    def change(i: Instance) -> Instance:
        dram = replace(i.package.dram, mode=mode)
        return replace(i, package=replace(i.package, dram=dram))

    return change


def l2_bytes(size: int) -> Callable[[Instance], Instance]:
    def change(i: Instance) -> Instance:
        types = {
            k: replace(t, l2_bytes=size)
            if k in {c.type for c in i.package.chiplets}
            else t
            for k, t in i.package.types.items()
        }
        return replace(i, package=replace(i.package, types=types))

    return change


def another_row(row: dict[str, object]) -> Callable[[Instance], Instance]:
    def change(i: Instance) -> Instance:
        assert i.costs is not None
        return replace(i, costs=(*i.costs, replace(i.costs[0], **row)))

    return change


def modes(
    change_one: Callable[[GivenMode], GivenMode],
) -> Callable[[Instance], Instance]:
    def change(i: Instance) -> Instance:
        assert i.costs is not None
        return replace(i, costs=tuple(map(change_one, i.costs)))

    return change


def mini_batches(n: int) -> Callable[[Instance], Instance]:
    return lambda i: replace(
        i, models=tuple(replace(m, mini_batches=n) for m in i.models)
    )


def free_transfers(i: Instance) -> Instance:
    models = []
    for m in i.models:
        tensors = tuple(replace(t, transfer_ticks={}) for t in m.tensors)
        models.append(replace(m, tensors=tensors))
    return replace(i, models=tuple(models))


def no_power(i: Instance) -> Instance:
    types = {
        k: replace(t, static_power_mw=Fraction(0)) for k, t in i.package.types.items()
    }
    return replace(i, package=replace(i.package, types=types))


@dataclass(frozen=True)
class Flip:
    """`file` is worth `value`, changed by `variant` `other` (`None`: infeasible)."""

    file: str
    value: int
    variant: Callable[[Instance], Instance]
    other: int | None
    quantity: str = "period"


FLIPS = {
    "assignment": Flip(
        "assignment",
        9,
        another_row({"layer": "b", "chiplet_type": "fast", "latency_ticks": 3}),
        7,
    ),
    "contiguous": Flip("contiguous", 11, option(contiguous=False), 4),
    "convex": Flip("convex", 11, option(convex=False), 4),
    "exclusive": Flip("exclusive", 12, option(exclusive=False), 8),
    "colocate": Flip("colocate", 10, option(colocate=()), 5),
    "max_stage": Flip("stage", 10, option(max_stage={}), 5),
    "latency_cap": Flip("latency_cap", 10, option(latency_cap_ticks={}), 5),
    "latency_cap met exactly": Flip(
        "latency_cap", 10, option(latency_cap_ticks={"m": 15}), 5
    ),
    "latency_cap by one tick": Flip(
        "latency_cap", 10, option(latency_cap_ticks={"m": 14}), 10
    ),
    "energy_cap": Flip("energy_cap", 8, option(energy_cap_pj=None), 3),
    "energy_cap by one quantum": Flip(
        "energy_cap", 8, option(energy_cap_pj=Fraction(49, 100)), None
    ),
    "period_cap met exactly": Flip("energy_cap", 8, option(period_cap_ticks=8), 8),
    "period_cap by one tick": Flip("energy_cap", 8, option(period_cap_ticks=7), None),
    "multicast": Flip("option-multicast", 10, option(multicast=False), 20),
    "serial": Flip("option-serial", 9, option(serial=False), 5),
    "transfer_ticks": Flip("option-transfer_ticks", 8, free_transfers, 4),
    "guaranteed": Flip("option-guaranteed", 30, option(guaranteed=False), 20),
    "interleaved": Flip("option-interleaved", 5, dram_mode("shared"), 10),
    "private": Flip("option-private", 12, dram_mode("shared"), 6),
    "residents": Flip("option-residents", 2, option(sram="full"), 8),
    "mini_batches": Flip("option-mini_batches", 12, mini_batches(1), 8),
    "holds_weights": Flip(
        "option-mini_batches",
        12,
        modes(lambda row: replace(row, holds_weights=False)),
        24,
    ),
    "sram by one byte": Flip("sram", 19, l2_bytes(19), 32),
    "buffers by one byte": Flip("sram-buffers", 2, l2_bytes(14), 12),
    "peak by one byte": Flip("sram-peak", 6, l2_bytes(8), 12),
    "static power": Flip("quantity-energy", 34, no_power, 20, "energy"),
    "refetch": Flip(
        "quantity-refetch",
        14,
        modes(lambda row: replace(row, rw_bytes=0, ri_bytes={}, ro_bytes=0)),
        9,
    ),
}


def test_every_rule_has_its_flip() -> None:
    assert set(RULE_FLIPS) | {"assignment"} == set(RULES)


@pytest.mark.parametrize("rule", RULE_FLIPS)
def test_rule_in_oracle(rule: str) -> None:
    instance = load(rule)
    kept, left_out = RULE_FLIPS[rule]
    assert oracle.solve(instance, "period") == (None if kept is None else (kept,))
    assert oracle.solve(instance, "period", frozenset({rule})) == (left_out,)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULE_FLIPS)
def test_rule_in_engine(rule: str, engine: str) -> None:
    problem = problem_of(load(rule))
    kept, left_out = RULE_FLIPS[rule]
    assert proved(engine, problem, "period") == kept
    assert proved(engine, problem, "period", frozenset({rule})) == left_out


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULE_FLIPS)
def test_rule_in_semantics(rule: str, engine: str) -> None:
    """The best schedule without the rule breaks it, and nothing else."""
    instance = load(rule)
    problem = problem_of(instance)
    _, left_out = RULE_FLIPS[rule]
    answer = minimise(engine)(
        problem, Target("period"), LIMITS, without=frozenset({rule})
    )
    s = answer.schedule
    assert s is not None
    assert rules_broken(problem, s, left_out) == {rule}
    assert evaluate(problem, s, without=frozenset({rule})).period_ticks == left_out
    verdict = oracle.evaluate(instance, to_oracle(instance, problem, s), left_out)
    assert verdict.violated == {rule}


@pytest.mark.parametrize("engine", ENGINES)
def test_assignment_refuses_what_is_not_supported(engine: str) -> None:
    instance = load("assignment")
    problem = problem_of(instance)
    s = Schedule((0, 0), (0, 0), (0, 0), (None, None), ())
    with pytest.raises(UnassignedError, match="m/b: not supported on chiplet 0"):
        evaluate(problem, s)
    verdict = oracle.evaluate(instance, to_oracle(instance, problem, s))
    assert verdict.violated == {"assignment"}
    assert proved(engine, problem, "period", fixed=s) is None
    assert proved(engine, problem, "period", fixed=replace(s, chiplet=(0, 1))) == 9


@pytest.mark.parametrize("name", FLIPS)
def test_flip_in_oracle(name: str) -> None:
    flip = FLIPS[name]
    instance = load(flip.file)
    assert oracle.solve(instance, flip.quantity) == (flip.value,)
    other = None if flip.other is None else (flip.other,)
    assert oracle.solve(flip.variant(instance), flip.quantity) == other


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", FLIPS)
def test_flip_in_engine(name: str, engine: str) -> None:
    flip = FLIPS[name]
    instance = load(flip.file)
    assert proved(engine, problem_of(instance), flip.quantity, NONE) == flip.value
    other = problem_of(flip.variant(instance))
    assert proved(engine, other, flip.quantity, NONE) == flip.other


def test_every_file_is_used() -> None:
    used = set(RULE_FLIPS) | {flip.file for flip in FLIPS.values()}
    assert {path.stem for path in FOLDER.glob("*.yaml")} == used

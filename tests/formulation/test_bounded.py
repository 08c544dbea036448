"""Recomputed bounds in outcomes and certificates: claims, and what is refused."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from costmodel.build import build_table
from formulation.bounded import with_duals
from formulation.certificate import loads_certificate, make_certificate, seal_of
from formulation.checker import check
from formulation.pipelined.semantics import evaluate
from formulation.solve import DisagreementError, solve
from tests.support import LIMITS, tiny

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.outcome import Outcome
    from formulation.pipelined.schedule import Schedule

Data = dict[str, Any]
BOTH = ("period", "energy")


@cache
def proved(seed: int, objective: tuple[str, ...] = ("period",)) -> Outcome[Schedule]:
    """What CP-SAT proves."""
    return solve(tiny(seed).problem, objective, "cpsat", LIMITS)


def stopped(outcome: Outcome[Schedule]) -> Outcome[Schedule]:
    """The same schedule of an engine that proved nothing."""
    nothing = (None,) * len(outcome.bound)
    runs = tuple(replace(r, bound=nothing, why_stopped="gap") for r in outcome.runs)
    return replace(outcome, bound=nothing, runs=runs, why_stopped="gap")


def certificate(seed: int, outcome: Outcome[Schedule]) -> Data:
    p, instance = tiny(seed).problem, tiny(seed).instance
    worth = None if outcome.schedule is None else evaluate(p, outcome.schedule)
    data = make_certificate(instance, build_table(instance), p, outcome, worth)
    return loads_certificate(json.dumps(data))


def sealed(data: Data) -> Data:
    return {**data, "seal": seal_of(data)}


@cache
def seed_of(claim: str, objective: tuple[str, ...] = ("period",)) -> int:
    """The first seed in which the recomputed bound alone gives a claim."""
    return next(
        seed
        for seed in range(40)
        if proved(seed, objective).claim == "optimal-1"
        and with_duals(tiny(seed).problem, stopped(proved(seed, objective))).claim
        == claim
    )


@pytest.fixture
def closed() -> Data:
    seed = seed_of("certified")
    return certificate(seed, with_duals(tiny(seed).problem, stopped(proved(seed))))


@pytest.fixture
def gaping() -> Data:
    seed = seed_of("bounded")
    return certificate(seed, with_duals(tiny(seed).problem, stopped(proved(seed))))


def test_a_bound_that_meets_the_value_certifies_it(closed: Data) -> None:
    """No engine proved anything: the multipliers do."""
    assert closed["runs"][0]["bound"] == [None]
    assert closed["bound"] == closed["value"]
    verdict = check(closed)
    assert verdict.violations == ()
    assert verdict.claim == "certified"
    assert any("multipliers" in line for line in verdict.checked)
    assert verdict.notes[0].startswith("replayed: schedule and bounds")


def test_a_bound_below_the_value_is_claimed_as_such(gaping: Data) -> None:
    assert gaping["duals"][0]["bound"] == gaping["bound"][0] < gaping["value"][0]
    verdict = check(gaping)
    assert verdict.violations == ()
    assert verdict.claim == "bounded"


def test_an_engines_proof_stands_above_a_weaker_bound() -> None:
    seed = seed_of("bounded")
    outcome = with_duals(tiny(seed).problem, proved(seed))
    assert (outcome.claim, outcome.status) == ("optimal-1", "optimal")
    assert outcome.recomputed[0] < outcome.bound[0] == outcome.value[0]
    verdict = check(certificate(seed, outcome))
    assert verdict.accepted
    assert "stands on the word of cpsat" in verdict.notes[0]


def test_later_parts_are_bounded_under_the_values_of_earlier_ones() -> None:
    seed = seed_of("certified", BOTH)
    p, outcome = tiny(seed).problem, proved(seed, BOTH)
    found = with_duals(p, stopped(outcome))
    assert [dual.quantity for dual in found.duals] == list(BOTH)
    assert (found.claim, found.bound) == ("certified", outcome.value)
    assert check(certificate(seed, found)).accepted


def test_only_parts_up_to_the_first_open_one_are_bounded() -> None:
    seed = seed_of("bounded", BOTH)
    outcome = with_duals(tiny(seed).problem, stopped(proved(seed, BOTH)))
    open_part = next(k for k in range(2) if outcome.recomputed[k] != outcome.value[k])
    assert len(outcome.duals) == open_part + 1
    assert check(certificate(seed, outcome)).accepted


def test_no_schedule_but_a_bound_claims_nothing() -> None:
    seed = seed_of("certified")
    runs = tuple(replace(r, value=(None,)) for r in stopped(proved(seed)).runs)
    nothing = replace(stopped(proved(seed)), schedule=None, value=(None,), runs=runs)
    outcome = with_duals(tiny(seed).problem, nothing)
    assert outcome.claim == "unknown"
    assert outcome.bound == proved(seed).value
    assert check(certificate(seed, outcome)).accepted


def test_relaxed_and_infeasible_outcomes_are_left_alone() -> None:
    seed = seed_of("certified")
    relaxed = replace(proved(seed), relaxed=("stage",))
    assert with_duals(tiny(seed).problem, relaxed) is relaxed
    none = next(s for s in range(40) if proved(s).claim == "infeasible")
    assert with_duals(tiny(none).problem, proved(none)) is proved(none)


def test_a_bound_above_a_schedule_is_a_contradiction() -> None:
    seed = seed_of("certified")
    value = proved(seed).value[0]
    assert value is not None
    impossible = replace(stopped(proved(seed)), value=(value - 1,))
    with pytest.raises(DisagreementError, match="above the value"):
        with_duals(tiny(seed).problem, impossible)


def halved(data: Data, name: str) -> Data:
    changed = copy.deepcopy(data)
    named = changed["duals"][0]["multipliers"]
    named[name] = str(Fraction(named[name]) / 2)
    return sealed(changed)


def test_a_tampered_multiplier_proves_less_and_is_refused(closed: Data) -> None:
    """Unless the certificate claims no more than that."""
    weaker = 0
    for name in closed["duals"][0]["multipliers"]:
        changed = halved(closed, name)
        violations = check(changed).violations
        if not violations:
            continue  # there were other best multipliers, or rounding up hides it
        weaker += 1
        assert len(violations) == 1
        proves = int(violations[0].rpartition(" ")[2])
        assert proves < closed["bound"][0]
        changed["duals"][0]["bound"] = proves
        changed["bound"] = [proves]
        assert check(sealed(changed)).violations == (
            "claim: got 'certified', what is stated gives 'bounded'",
        )
        changed["claim"] = "bounded"
        assert check(sealed(changed)).accepted
    assert weaker > 0


FORGERIES: dict[str, Callable[[Data], Any]] = {
    "a bound too high": lambda d: (
        d["duals"][0].update(bound=d["duals"][0]["bound"] + 1),
        d.update(bound=[d["bound"][0] + 1]),
    ),
    "optimal by decree": lambda d: (
        d["duals"][0].update(bound=d["value"][0]),
        d.update(bound=d["value"], claim="certified"),
    ),
    "certified": lambda d: d.update(claim="certified"),
    "a claim too low": lambda d: d.update(claim="feasible"),
    "no multipliers": lambda d: d["duals"][0].update(multipliers={}),
    "no duals": lambda d: d.update(duals=[]),
    "a row that is none": lambda d: d["duals"][0]["multipliers"].update(wish="9"),
    "another quantity": lambda d: d["duals"][0].update(quantity="energy"),
    "the same twice": lambda d: d["duals"].append(d["duals"][0]),
    "no mapping": lambda d: d["duals"][0].update(multipliers=["9"]),
    "no list": lambda d: d.update(duals=None),
    "an unknown key": lambda d: d["duals"][0].update(status="optimal"),
    "a bound of text": lambda d: d["duals"][0].update(bound="7"),
    "a quantity of nothing": lambda d: d["duals"][0].update(quantity=None),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_bounds_are_refused(gaping: Data, name: str) -> None:
    forged = copy.deepcopy(gaping)
    FORGERIES[name](forged)
    assert forged != gaping
    assert not check(sealed(forged)).accepted


@pytest.mark.parametrize("text", ["1/0", "0.5", "", "1e9", "nan", "--1", "1 ", 3, None])
def test_multipliers_are_fractions_as_text(gaping: Data, text: object) -> None:
    name = next(iter(gaping["duals"][0]["multipliers"]))
    gaping["duals"][0]["multipliers"][name] = text
    violations = check(sealed(gaping)).violations
    at = f"duals[0].multipliers {name}"
    assert violations == (f"{at}: expected a text such as 3 or -3/4",)


def test_a_negative_multiplier_on_an_inequality_counts_as_none(closed: Data) -> None:
    row = next(r for r in closed["duals"][0]["multipliers"] if r.startswith("compute"))
    dropped, negative = copy.deepcopy(closed), copy.deepcopy(closed)
    del dropped["duals"][0]["multipliers"][row]
    negative["duals"][0]["multipliers"][row] = "-1"
    violations = check(sealed(dropped)).violations
    assert violations
    assert check(sealed(negative)).violations == violations

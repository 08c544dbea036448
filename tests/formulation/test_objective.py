"""Texts of objectives: their one form, and what is refused, all at once."""

from __future__ import annotations

import pytest

from formulation.objective import (
    ObjectiveError,
    parse_objective,
    parse_part,
    parts_of,
    steps_of,
)
from formulation.solve import solve
from tests.support import LIMITS, tiny


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("period", ("period",)),
        (" period , energy", ("period", "energy")),
        ("2*period", ("period",)),
        ("energy+0.5*period", ("period+2*energy",)),
        ("1/3*energy + 1/2*period", ("3*period+2*energy",)),
        ("edp+4*energy,period", ("4*energy+edp", "period")),
        ("latency,energy", ("latency", "energy")),
        ("latency:4*b:a", ("latency:a:4*b",)),
        ("latency:1/2*b:1/4*a", ("latency:a:2*b",)),
        ("latency:2*a", ("latency:a",)),
    ],
)
def test_one_form(text: str, form: tuple[str, ...]) -> None:
    assert parse_objective(text) == form
    assert parse_objective(",".join(form)) == form


def test_weights_are_exact() -> None:
    # 3 ticks and 10 quanta: 10^-30·3 + 10 = 10^-30·(3 + 10^31).
    part = parse_part("0." + "0" * 29 + "1*period+energy")
    assert part.of(3, 10) == 3 + 10**31


def test_every_fault_is_named() -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objective("perod,0*energy+edp,latency,x*period,edp+edp,period,period")
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    for line, word in zip(
        lines, ("'perod'", "'0'", "'x'", "edp twice", "period twice"), strict=True
    ):
        assert word in line


@pytest.mark.parametrize("text", ["", ",", "latency+energy", "-1*period", "1/0*edp"])
def test_refused(text: str) -> None:
    with pytest.raises(ObjectiveError):
        parse_objective(text)


def test_no_parts_are_no_objective() -> None:
    with pytest.raises(ObjectiveError, match="at least one"):
        parts_of(())


@pytest.mark.parametrize("first", ["edp", "period+energy"])
def test_stages_are_not_looked_for_under_a_product(first: str) -> None:
    with pytest.raises(ObjectiveError, match="cannot come after"):
        parse_objective(f"{first},latency")


def test_groups() -> None:
    groups = steps_of(("period", "latency", "edp", "energy"))
    texts = [[part.text for part in group] for group in groups]
    assert texts == [["period"], ["latency"], ["edp", "energy"]]


def test_unknown_models_are_all_named() -> None:
    with pytest.raises(ObjectiveError) as caught:
        solve(tiny(0).problem, ("latency:no:nor",), "cpsat", LIMITS)
    assert len(str(caught.value).splitlines()) == 2


def test_latency_needs_the_rules_that_it_stands_on() -> None:
    with pytest.raises(ObjectiveError, match="needs the rule stage"):
        solve(
            tiny(0).problem, ("latency",), "cpsat", LIMITS, without=frozenset({"stage"})
        )

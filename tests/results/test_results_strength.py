"""The study of strengthenings: taken up where it was left, and its table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import results.strength
from formulation.outcome import Limits
from formulation.pipelined.cpsat_build import STRENGTHENINGS
from formulation.solve import solve
from results.record import Runs
from results.strength import PLANS, Plan, instance_of, strength
from results.tables.strength import pairs, table
from results.tables.table import as_csv, markdown
from tests.support import strengthenings, tiny

if TYPE_CHECKING:
    from pathlib import Path


def never(*args: object, **options: object) -> Any:
    raise AssertionError("solved again")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenarios are tiny instances."""
    seeds = {"headline": 17, "headline-contiguous": 10}
    monkeypatch.setattr(
        results.strength, "instance_of", lambda name: tiny(seeds[name]).instance
    )


def test_plans_name_what_there_is() -> None:
    keys = [(plan.scenario, plan.objective) for plan in PLANS]
    assert len(set(keys)) == len(keys)
    assert {objective for _, objective in keys} == {"period", "energy", "edp"}
    for plan in PLANS:
        assert set(plan.off) <= set(STRENGTHENINGS)
        assert len(set(plan.off)) == len(plan.off)
    names = {instance_of(scenario).name for scenario in {s for s, _ in keys}}
    assert len(names) == len({s for s, _ in keys})


@pytest.mark.usefixtures("small")
def test_runs_on_file_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(tmp_path / "runs.jsonl")
    limits = Limits(seconds=0.5, workers=1)
    plans = [Plan("headline-contiguous", "period", ("symmetry", "cuts"))]
    lines = strength(limits, runs, plans=plans)
    assert [line["about"]["off"] for line in lines] == [None, "symmetry", "cuts"]
    monkeypatch.setattr(results.strength, "solve", never)
    again = strength(limits, Runs(runs.path), plans=plans)
    assert again == json.loads(json.dumps(lines))
    with pytest.raises(AssertionError, match="again"):
        strength(limits, Runs(runs.path), plans=[Plan("headline", "period", ())])


@pytest.mark.usefixtures("small")
def test_what_is_off_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[frozenset[str]] = []
    true = results.strength.solve

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(options["off"])
        return true(*args, **options)

    monkeypatch.setattr(results.strength, "solve", watched)
    limits = Limits(seconds=0.1, workers=1)
    plans = [Plan("headline-contiguous", "energy", ("energy_cuts",))]
    strength(limits, Runs(None), plans=plans)
    assert seen == [frozenset(), frozenset({"energy_cuts"})]


@pytest.mark.parametrize("engine", ["cpsat", "milp"])
def test_solve_hands_on_what_is_off(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[frozenset[str]] = []

    def minimise(*args: Any, **options: Any) -> Any:
        given.append(options.get("strengthenings", strengthenings(engine)))
        raise KeyboardInterrupt

    monkeypatch.setattr(f"formulation.pipelined.{engine}.minimise", minimise)
    for off in (frozenset[str](), frozenset({"symmetry"})):
        with pytest.raises(KeyboardInterrupt):
            solve(tiny(10).problem, ("period",), engine, off=off)
    assert given[0] - given[1] == {"symmetry"}


def line(off: str | None, value: int | None, bound: int | None) -> dict[str, Any]:
    gap = None if value is None or bound is None else (value - bound) / value
    return {
        "about": {"scenario": "s", "off": off},
        "objective": "energy",
        "limits": {"seconds": 20.0, "workers": 2, "seed": 1},
        "status": "unknown" if value is None else "feasible",
        "value": value,
        "bound": bound,
        "gap": gap,
        "why_stopped": "time limit",
        "seconds": 20.04,
        "environment": {"load": 1.5},
    }


def test_the_table() -> None:
    lines = [line(None, 100, 99), line("peaks", 100, 90), line("cuts", None, 90)]
    assert pairs(lines) == [(lines[0], lines[1]), (lines[0], lines[2])]
    text = markdown(table(lines)).splitlines()
    assert text[2] == "| s | energy | peaks | 1 % | 10 % | 20.0 | 20.0 | 1.100x |"
    row = "|  | energy | cuts | 1 % | time limit | 20.0 | 20.0 | 1.100x |"
    assert text[3] == row
    csv = as_csv(table(lines)).splitlines()
    assert csv[1].startswith("s,energy,peaks,0.01,0.1,20.04,20.04,1.1,100,99,")
    assert pairs([lines[1]]) == []
    assert "no bound" in markdown(table([line(None, 5, None), line("peaks", 5, 4)]))

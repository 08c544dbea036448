"""The checker on windowed schedules: accepts what was solved, refuses changes."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from costmodel.build import build_table
from formulation.bounded import with_duals
from formulation.certificate import keys_of, loads_certificate, make_certificate
from formulation.checker import check
from formulation.compile import compile_problem
from formulation.heuristics import Budget, names_of, run_heuristic
from formulation.rules import KindError
from formulation.solve import solve
from formulation.windowed.energy import parts_of_energy
from formulation.windowed.objective import windowed_part
from formulation.windowed.prices import priced_bound, search
from formulation.windowed.program import PricedTime
from formulation.windowed.semantics import evaluate
from instances.load import instance_from_mapping
from tests.formulation.test_checker import is_record, leaves, other, put, sealed
from tests.formulation.timed_cases import merged
from tests.formulation.windowed_cases import SCENARIO, problem
from tests.support import LIMITS
from tests.windowed_random import tiny

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = {"options": {"kind": "windowed"}}
ALONE = {"models": SCENARIO["models"][1:], "costs": SCENARIO["costs"][3:]}


def certify(
    objective: tuple[str, ...] = (), engine: str = "both", **changes: Any
) -> dict[str, Any]:
    """Return the certificate of the tiny windowed problem, as it is read back."""
    given = instance_from_mapping(merged(merged(SCENARIO, KIND), changes))
    table = build_table(given)
    p = compile_problem(given, table)
    outcome = with_duals(p, solve(p, objective, engine, LIMITS))
    found = outcome.schedule
    worth = None if found is None else evaluate(p, found)
    data = make_certificate(given, table, p, outcome, worth)
    return loads_certificate(json.dumps(data))


@pytest.fixture(scope="module")
def solved() -> dict[str, Any]:
    """m on chiplet 0 at once: 34; then the least energy, 84."""
    return certify(("makespan", "energy"))


def test_it_is_accepted(solved: dict[str, Any]) -> None:
    verdict = check(solved)
    assert verdict.violations == ()
    assert solved["kind"] == "windowed"
    assert solved["value"][0] == solved["makespan_ticks"] == 34
    assert sum(solved["window_ticks"]) == 34
    assert verdict.claim in ("optimal-2", "certified")
    assert {run["engine"] for run in solved["runs"]} == {"cpsat", "dp"}
    assert 22 < solved["duals"][0]["bound"] <= 34
    assert solved["duals"][0]["multipliers"]
    said = " ".join(verdict.checked)
    assert "multipliers" in said
    assert "a makespan of 34 ticks" in said


def test_certified_where_prices_meet_the_value() -> None:
    """s alone: no cut is worth it, so its own time is its bound."""
    data = certify(**ALONE)
    verdict = check(data)
    assert verdict.accepted, verdict.violations
    assert (data["value"], data["claim"]) == ([14], "certified")


def test_infeasible() -> None:
    caps = {"options": {"windowed": {"caps": {"makespan": 33}}}}
    data = certify(**caps)
    verdict = check(data)
    assert verdict.accepted, verdict.violations
    assert verdict.claim == "infeasible"
    assert data["clashing"] == ["cap"]


def test_every_changed_leaf_is_refused(solved: dict[str, Any]) -> None:
    paths = leaves(solved)
    assert {path[0] for path in paths} == keys_of("windowed")
    for path in paths:
        for change in (other, lambda _: None):
            changed = put(solved, path, change)
            if changed != solved and path != ("schema",):
                assert not check(changed).accepted, path


def test_every_changed_claim_is_refused_with_a_new_seal(solved: dict[str, Any]) -> None:
    for path in leaves(solved):
        if is_record(path) or path == ("schema",) or path[0] == "duals":
            continue
        changed = sealed(put(solved, path, other))
        assert not check(changed).accepted, path


FORGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a bound that prices do not prove": (
        lambda d: d["duals"][0].update(multipliers={}),
        "duals[0]: got a bound of",
    ),
    "no such price": (
        lambda d: d["duals"][0]["multipliers"].update({"0 time on 9": "1"}),
        "duals[0]: no prices of these names: 0 time on 9",
    ),
    "a negative price": (
        lambda d: d["duals"][0]["multipliers"].update({"0 time on 1": "-1"}),
        "duals[0]: prices are whole numbers from 0 on: 0 time on 1",
    ),
    "half a price": (
        lambda d: d["duals"][0]["multipliers"].update({"0 time on 1": "1/2"}),
        "duals[0]: prices are whole numbers from 0 on: 0 time on 1",
    ),
    "prices that are too large": (
        lambda d: d["duals"][0]["multipliers"].update({"0 energy": str(10**60)}),
        "duals[0]: costs at these prices may not fit 62 bits",
    ),
    "two models on a chiplet": (
        lambda d: d["schedule"]["layers"]["s/d"].update(chiplet=0),
        "segment: chiplet 0 in window 0",
    ),
    "no groups": (
        lambda d: d["schedule"]["groups"].pop("s"),
        "schedule: groups.s: got None, expected a list",
    ),
    "an objective of another kind": (
        lambda d: d.update(objective=["period", "energy"]),
        "objective: period: 'period' is none of makespan",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_certificates_are_refused(solved: dict[str, Any], name: str) -> None:
    change, expected = FORGED[name]
    forged = copy.deepcopy(solved)
    for t in ("m/a", "m/b", "m/c", "s/d"):  # one window, whatever was found
        assert forged["schedule"]["layers"][t]["window"] == 0
    change(forged)
    violations = check(sealed(forged)).violations
    assert any(line.startswith(expected) for line in violations), violations


def test_prices_prove_the_same_bound_from_their_names() -> None:
    for seed in range(12):
        given = tiny(seed)
        part = windowed_part(given.problem, given.objective)
        program = PricedTime(given.problem, part)
        found = program.multipliers(10.0)
        bound = program.proved(found)
        assert bound == priced_bound(given.problem, part)
        assert bool(found) == (bound > program.proved({}))


def test_a_goal_stops_the_search_for_prices() -> None:
    p = problem()
    part = windowed_part(p, "makespan")
    assert len(search(p, part, goal=1)) == 1
    assert search(p, part, over=lambda: True) == ()


def test_rules_that_are_always_there() -> None:
    p = problem(options={"kind": "windowed"})
    with pytest.raises(KindError, match="always have segment"):
        solve(p, without=frozenset({"segment"}))
    free = solve(
        problem({"windows": 1, "caps": {"makespan": 9}}, options={"kind": "windowed"}),
        engine="dp",
        limits=LIMITS,
        without=frozenset({"cap", "limit"}),
    )
    assert free.value == (34,)


def test_large_problems_get_bounds_and_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("formulation.windowed.search.MOST_SEGMENTS", 1)
    outcome = solve(problem(options={"kind": "windowed"}), engine="both", limits=LIMITS)
    assert outcome.value == (34,)
    assert outcome.bound[0] is not None
    assert outcome.bound[0] <= 34


def test_standalone_is_valid_wherever_a_model_fits_a_chiplet() -> None:
    assert names_of("windowed") == ("standalone",)
    found = 0
    for seed in range(30):
        p = replace(tiny(seed).problem, kind="windowed")
        run = run_heuristic(p, "standalone", ("makespan",), Budget(evaluations=9))
        best = solve(p, ("makespan",), "dp", LIMITS, clashes=False)
        if run.value is not None:
            found += 1
            assert best.value[0] is not None
            assert best.value[0] <= run.value[0]
    assert found > 10


def test_energy_goes_somewhere() -> None:
    """What layers, DRAM and links take is all of it, and none is negative."""
    p = problem(options={"kind": "windowed"})
    s = solve(p, ("energy",), "dp", LIMITS).schedule
    found = evaluate(p, s)
    parts = parts_of_energy(p, s, found.facts, found.worth.makespan_ticks)
    assert sum(parts.values()) == 84 * p.energy_den
    assert parts["chiplet"] == 36 * p.energy_den
    assert parts["dram"] == 48 * p.energy_den
    assert parts["nop"] == 0

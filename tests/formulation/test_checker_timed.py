"""The checker on timed schedules: accepts what was solved, refuses what was changed."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from costmodel.build import build_table
from formulation.bounded import with_duals
from formulation.certificate import (
    facts_of,
    keys_of,
    loads_certificate,
    make_certificate,
)
from formulation.checker import check
from formulation.compile import compile_problem
from formulation.solve import solve
from formulation.timed.semantics import evaluate
from instances.load import instance_sha256, to_canonical_json
from tests.formulation.test_checker import (
    is_record,
    leaves,
    other,
    put,
    sealed,
)
from tests.formulation.timed_cases import A, B, instance, merged
from tests.support import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import Instance


def certify(objective: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """Return the certificate of the tiny timed problem, as it is read back."""
    options = merged({"kind": "timed"}, changes.pop("options", {}))
    given = instance(options=options, **changes)
    table = build_table(given)
    problem = compile_problem(given, table)
    outcome = with_duals(problem, solve(problem, objective, limits=LIMITS))
    found = outcome.schedule
    worth = None if found is None else evaluate(problem, found)
    data = make_certificate(given, table, problem, outcome, worth)
    return loads_certificate(json.dumps(data))


@pytest.fixture(scope="module")
def solved() -> dict[str, Any]:
    """a streams its weights in 0–4, b runs 4–6 on the same chiplet: bound 5."""
    return certify(("makespan", "energy"))


def test_it_is_accepted(solved: dict[str, Any]) -> None:
    verdict = check(solved)
    assert verdict.violations == ()
    assert solved["kind"] == "timed"
    assert solved["value"] == [6, 12]
    assert (solved["makespan_ticks"], solved["energy_pj"]) == (6, "12")
    assert solved["latency_ticks"] == {"m": [6]}
    assert solved["tardiness_ticks"] == {"m": [0]}
    assert [dual["bound"] for dual in solved["duals"]] == [5, 12]
    assert verdict.claim == "optimal-1"
    said = " ".join(verdict.checked)
    assert "no schedule has makespan below 5: recomputed without search" in said
    assert "a makespan of 6 ticks and takes 12 pJ" in said
    assert "cpsat" in " ".join(verdict.notes)


def test_certified_where_bounds_without_search_meet_the_value() -> None:
    """With weights in L2 a run lasts its latency: 3 + 2, the critical path."""
    options = {"timed": {"weights": "preloaded"}}
    data = certify(("makespan", "energy"), options=options)
    verdict = check(data)
    assert verdict.accepted, verdict.violations
    assert (data["value"], data["claim"]) == ([5, 12], "certified")
    assert [dual["multipliers"] for dual in data["duals"]] == [{}, {}]
    assert "replayed: schedule and bounds" in verdict.notes[0]


def test_bounded_where_only_they_are_known(solved: dict[str, Any]) -> None:
    data = copy.deepcopy(solved)
    data.update(bound=[5, 12], value=[6, 12], claim="bounded")
    data["runs"][0].update(bound=[None, None])
    verdict = check(sealed(data))
    assert verdict.accepted, verdict.violations
    assert verdict.claim == "bounded"


def test_what_has_no_schedule_is_a_record_only() -> None:
    data = certify(options={"timed": {"caps": {"makespan": 5}}})
    verdict = check(data)
    assert verdict.accepted, verdict.violations
    assert verdict.claim == "infeasible"
    assert "cannot be replayed" in verdict.notes[0]
    assert data["makespan_ticks"] is data["schedule"] is None
    changed = sealed({**data, "makespan_ticks": 5})
    assert "makespan_ticks: without a schedule" in check(changed).violations


def test_every_changed_leaf_is_refused(solved: dict[str, Any]) -> None:
    paths = leaves(solved)
    assert {path[0] for path in paths} == keys_of("timed")
    for path in paths:
        for change in (other, lambda _: None, lambda _: "x", lambda _: -1):
            changed = put(solved, path, change)
            if changed != solved and path != ("schema",):
                assert not check(changed).accepted, path


def test_every_changed_claim_is_refused_with_a_new_seal(solved: dict[str, Any]) -> None:
    for path in leaves(solved):
        if is_record(path) or path == ("schema",) or path[0] == "duals":
            continue
        changed = sealed(put(solved, path, other))
        assert not check(changed).accepted, path


def later(by: int, layer: str = B) -> Callable[[dict[str, Any]], Any]:
    """Let the run of a layer, with its stream, start later."""

    def change(data: dict[str, Any]) -> None:
        for run in data["schedule"]["runs"][layer]:
            run["start"] += by
            run["stream"] = [tick + by for tick in run["stream"]]

    return change


FORGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a tick too early": (later(-1), "no-overlap: chiplet 0: m/b, round 0"),
    "before time begins": (later(-1, A), "release: m/a, round 0: 1 ticks"),
    "later than it says": (later(1), "makespan_ticks: got 6, the schedule gives 7"),
    "a value too good": (
        lambda d: (
            d.update(value=[5, 12], bound=[5, 12], makespan_ticks=5),
            d["runs"][0].update(value=[5, 12], bound=[5, 12]),
        ),
        "value of makespan: got 5, the schedule gives 6",
    ),
    "a bound that is not recomputed": (
        lambda d: (d["duals"][0].update(bound=6), d.update(claim="bounded")),
        "duals[0]: got a bound of 6 on makespan, the multipliers prove 5",
    ),
    "multipliers of rows that are not there": (
        lambda d: d["duals"][0].update(multipliers={"compute 0": "1"}),
        "duals[0]: no rows of these names: compute 0",
    ),
    "a run too few": (
        lambda d: d["schedule"]["runs"].pop(A),
        "schedule: runs.m/a: got nothing, expected a list of 1, one a round",
    ),
    "a stream that takes no time": (
        lambda d: d["schedule"]["runs"][A][0].update(stream=[0, 0]),
        "duration: stream of m/a, round 0: 4 ticks",
    ),
    "no stream": (
        lambda d: d["schedule"]["runs"][A][0].pop("stream"),
        "assignment: m/a, round 0: stream goes with bytes: 1 tasks",
    ),
    "weights that are resident and not loaded": (
        lambda d: d["schedule"]["layers"][A].update(resident=True),
        "assignment: m/a: load goes with fetched weights: 1 tasks",
    ),
    "another kind": (
        lambda d: d.update(kind="pipelined"),
        "makespan_ticks: not a key of certificate/1, pipelined",
    ),
    "no kind": (
        lambda d: d.update(kind=["timed"]),
        "kind: got ['timed'], expected pipelined or timed",
    ),
    "a rule of the other kind": (
        lambda d: d.update(relaxed=["stage"]),
        "relaxed: there is no rule 'stage'",
    ),
    "an objective of the other kind": (
        lambda d: d.update(objective=["period", "energy"]),
        "objective: period: 'period' is none of makespan",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_certificates_are_refused(solved: dict[str, Any], name: str) -> None:
    change, expected = FORGED[name]
    forged = copy.deepcopy(solved)
    change(forged)
    violations = check(sealed(forged)).violations
    assert any(line.startswith(expected) for line in violations), violations


def of_another(data: dict[str, Any], given: Instance) -> dict[str, Any]:
    """Return the certificate as if it were one of another instance."""
    table = build_table(given)
    changed = {
        "instance": json.loads(to_canonical_json(given)),
        "table": json.loads(table.to_json()),
        "instance_sha256": instance_sha256(given),
        "table_sha256": table.sha256,
    }
    return sealed({**data, **changed})


def test_a_certificate_of_one_kind_for_an_instance_of_the_other() -> None:
    """All keys fit, the instance asks for something else."""
    expected = "kind: got 'timed', the instance asks for 'pipelined'"
    assert expected in check(of_another(certify(), instance())).violations


def test_options_that_make_no_sense_are_violations() -> None:
    options = {"kind": "timed", "timed": {"caps": {"perod": 9}}}
    violations = check(of_another(certify(), instance(options=options))).violations
    assert any("caps: objective: perod" in line for line in violations)


def test_facts_are_what_a_certificate_states(solved: dict[str, Any]) -> None:
    given = instance(options={"kind": "timed"})
    problem = compile_problem(given, build_table(given))
    best = solve(problem, limits=LIMITS).schedule
    facts = facts_of(problem, evaluate(problem, best))
    assert {key: solved[key] for key in facts} == facts

"""The checker accepts what was solved and refuses whatever was changed in it."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from costmodel.build import build_table
from formulation.certificate import (
    CertificateError,
    energy_text,
    keys_of,
    loads_certificate,
    make_certificate,
    read_certificate,
    seal_of,
    write_atomically,
    write_certificate,
)
from formulation.checker import check, check_against
from formulation.compile import compile_problem
from formulation.outcome import EngineRun, Outcome
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import evaluate
from instances.load import instance_from_mapping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instances.schema import Instance

# Two chiplets that share an interface of 1 GB/s; a tick is a nanosecond: 1 byte.
# Layer a takes 10 ticks and streams 4 bytes of weights, b takes 6; the tensor of 3
# bytes goes over the package, the output of 2 bytes to DRAM. On different chiplets
# T = 10; energy 7 + 5 quanta of 10 fJ and (4 + 2) bytes of 8 pJ: 0.12 + 48 pJ.
TINY: dict[str, Any] = {
    "schema": "instance/1",
    "name": "tiny",
    "tick_ps": 1000,
    "package": {
        "name": "pair",
        "topology": "mesh",
        "width": 2,
        "height": 1,
        "types": {"k": {"base": "nvdla", "clock_mhz": 1000, "l2_bytes": 64}},
        "chiplets": ["k", "k"],
        "link": {"bandwidth_gb_s": 1, "hop_latency_ns": 0, "energy_pj_per_bit": 0},
        "dram": {
            "bandwidth_gb_s": 1,
            "latency_ns": 0,
            "energy_pj_per_bit": 1,
            "interfaces": 1,
        },
    },
    "models": [
        {
            "name": "m",
            "layers": [
                {"name": "a", "op": "opaque", "weight_bytes": 4},
                {"name": "b", "op": "opaque"},
            ],
            "tensors": [
                {"name": "u", "producer": "a", "consumers": ["b"], "bytes": 3},
                {"name": "y", "producer": "b", "consumers": [], "bytes": 2},
            ],
        }
    ],
    "costs": [
        {
            "model": "m",
            "layer": layer,
            "chiplet_type": "k",
            "latency_ticks": ticks,
            "energy_quanta": energy,
            "ws_bytes": 8,
        }
        for layer, ticks, energy in (("a", 10, 7), ("b", 6, 5))
    ],
}
KEYS = keys_of("pipelined")
GOOD = Schedule((0, 1), (0, 0), (0, 2), (False, None), ("package", None))


def tiny(**changes: Any) -> Instance:
    return instance_from_mapping({**TINY, **changes})


def run(engine: str, value: int | None, bound: int | None, **more: Any) -> EngineRun:
    version = {"cpsat": "9.15", "milp": "1.13"}[engine]
    fields = {"infeasible": False, "why_stopped": "finished", "seconds": 0.5}
    return EngineRun(engine, version, ("period",), (value,), (bound,), **fields | more)


def certify(
    runs: tuple[EngineRun, ...],
    schedule: Schedule | None = GOOD,
    bound: int | None = None,
    instance: Instance | None = None,
    **more: Any,
) -> dict[str, Any]:
    instance = instance or tiny()
    table = build_table(instance)
    problem = compile_problem(instance, table)
    worth = None if schedule is None else evaluate(problem, schedule)
    outcome = Outcome(
        objective=("period",),
        schedule=schedule,
        value=(None if worth is None else worth.period_ticks,),
        bound=(bound,),
        runs=runs,
        why_stopped="finished",
        seconds=0.5,
        **more,
    )
    # As it is read back: texts, lists and numbers only.
    data = make_certificate(instance, table, problem, outcome, worth)
    return loads_certificate(json.dumps(data))


@pytest.fixture
def proved() -> dict[str, Any]:
    return certify((run("cpsat", 10, 10), run("milp", 10, 10)), bound=10)


def test_a_proved_schedule_is_accepted(proved: dict[str, Any]) -> None:
    verdict = check(proved)
    assert verdict.violations == ()
    assert verdict.claim == "optimal-2"
    assert proved["period_ticks"] == 10
    assert proved["energy_quanta"] == 4812
    assert proved["energy_pj"] == "48.12"
    assert proved["latency_ticks"] == {"m": 30}
    assert "cpsat and milp" in " ".join(verdict.notes)


@pytest.mark.parametrize(
    ("runs", "bound", "claim"),
    [
        ((run("cpsat", 10, 10),), 10, "optimal-1"),
        ((run("cpsat", 10, 10), run("milp", 10, 9)), 10, "optimal-1"),
        ((run("cpsat", 10, 10), run("milp", None, None)), 10, "optimal-1"),
        ((run("cpsat", 10, 8),), 8, "feasible"),
        ((run("cpsat", 10, None),), None, "feasible"),
    ],
)
def test_claims_follow(runs: tuple[EngineRun, ...], bound: int, claim: str) -> None:
    verdict = check(certify(runs, bound=bound))
    assert verdict.accepted, verdict.violations
    assert verdict.claim == claim


def test_what_has_no_schedule_is_a_record_only() -> None:
    none = run("cpsat", None, None, infeasible=True)
    impossible = certify((none,), None, clashing=("compute", "period_cap"))
    verdict = check(impossible)
    assert verdict.accepted
    assert verdict.claim == "infeasible"
    assert "cannot be replayed" in verdict.notes[0]
    unknown = check(certify((run("cpsat", None, 4),), None, bound=4))
    assert unknown.accepted
    assert unknown.claim == "unknown"
    assert "record only" in unknown.notes[0]


@pytest.mark.parametrize(
    ("schedule", "violation"),
    [
        ((0, 1), "stage: m/u to m/b: 1 stages"),
        ((0, 40), "stage: m/b in stage 40: 38 stages"),
    ],
)
def test_broken_rules_are_named_with_their_amount(
    proved: dict[str, Any], schedule: tuple[int, int], violation: str
) -> None:
    for name, stage in zip(("m/a", "m/b"), schedule, strict=True):
        proved["schedule"]["layers"][name]["stage"] = stage
    assert violation in check(sealed(proved)).violations


def test_too_much_in_l2_is_told_in_bytes() -> None:
    # b: ws 8 + 2 copies of 3 = 14; a: ws 8 + 2 copies = 14. L2 of 13: 1 over each.
    small = copy.deepcopy(TINY["package"])
    small["types"]["k"]["l2_bytes"] = 13
    data = certify((run("cpsat", 10, 10),), bound=10, instance=tiny(package=small))
    violations = check(data).violations
    assert "sram: chiplet 0: 1 bytes" in violations
    assert "sram: chiplet 1: 1 bytes" in violations


def sealed(data: dict[str, Any]) -> dict[str, Any]:
    """The certificate with a seal that fits, as a forger would leave it."""
    return {**data, "seal": seal_of(data)}


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(data, dict) and data:
        return [x for k in data for x in leaves(data[k], (*path, k))]
    if isinstance(data, list) and data:
        return [x for k in range(len(data)) for x in leaves(data[k], (*path, k))]
    return [path]


def put(data: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    data = copy.deepcopy(data)
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = change(at[path[-1]])
    return data


def other(value: Any) -> Any:
    """Something else of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return "x" if value is None else None


def test_every_changed_leaf_is_refused(proved: dict[str, Any]) -> None:
    paths = leaves(proved)
    assert {path[0] for path in paths} == KEYS
    for path in paths:
        for change in (other, lambda _: None, lambda _: "x", lambda _: -1, lambda _: 2):
            changed = put(proved, path, change)
            if changed == proved or path == ("schema",):
                continue
            assert not check(changed).accepted, path


# What a forger may write as he likes: a record, nothing that is claimed.
RECORD = {"chipsched", "packages", "seconds", "why_stopped", "seal"}
# A run's own value may be worse than the best one; a better one is a forgery, below.
RUN_RECORD = {"version", "seconds", "notes", "nodes", "why_stopped", "value"}


def is_record(path: tuple[Any, ...]) -> bool:
    return path[0] in RECORD or (path[0] == "runs" and path[2] in RUN_RECORD)


def test_every_changed_claim_is_refused_with_a_new_seal(proved: dict[str, Any]) -> None:
    for path in leaves(proved):
        if is_record(path) or path == ("schema",):
            continue
        changed = sealed(put(proved, path, other))
        assert not check(changed).accepted, path


def test_every_missing_key_is_refused(proved: dict[str, Any]) -> None:
    for key in KEYS - {"schema", "seal"}:
        changed = {k: v for k, v in proved.items() if k != key}
        assert any(key in v for v in check(sealed(changed)).violations), key
    assert not check(sealed({**proved, "more": 1})).accepted


MUTATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a better value": lambda d: d.update(value=[9], period_ticks=9),
    "a value and all runs better": lambda d: (
        d.update(value=[9], bound=[9], period_ticks=9),
        [r.update(value=[9], bound=[9]) for r in d["runs"]],
    ),
    "a bound above the value": lambda d: d.update(bound=[11]),
    "a bound that no run states": lambda d: d.update(bound=[9], claim="feasible"),
    "fewer nodes than none": lambda d: d["runs"][0].update(nodes=-1),
    "no bound although runs have one": lambda d: d.update(
        bound=[None], claim="feasible"
    ),
    "a second engine that is the first": lambda d: d["runs"][1].update(engine="cpsat"),
    "a second engine that proved less": lambda d: d["runs"][1].update(bound=[9]),
    "a run with a better value": lambda d: d["runs"][1].update(value=[9], bound=[9]),
    "no run with the value": lambda d: [r.update(value=[None]) for r in d["runs"]],
    "a claim too high": lambda d: d["runs"].pop(),
    "a claim too low": lambda d: d.update(claim="optimal-1"),
    "certified": lambda d: d.update(claim="certified"),
    "no schedule": lambda d: d.update(schedule=None),
    "a layer too few": lambda d: d["schedule"]["layers"].pop("m/a"),
    "a layer too many": lambda d: d["schedule"]["layers"].update({"m/c": {}}),
    "a place too few": lambda d: d["schedule"]["places"].clear(),
    "no such chiplet": lambda d: d["schedule"]["layers"]["m/a"].update(chiplet=2),
    "a negative chiplet": lambda d: d["schedule"]["layers"]["m/a"].update(chiplet=-1),
    "no such mode": lambda d: d["schedule"]["layers"]["m/a"].update(mode=1),
    "resident": lambda d: d["schedule"]["layers"]["m/a"].update(resident=None),
    "dram": lambda d: d["schedule"]["places"].update({"m/u": "dram"}),
    "faster layers": lambda d: [r.update(latency_ticks=1) for r in d["table"]["rows"]],
    "a larger L2": lambda d: d["instance"]["instance"]["package"]["types"]["k"].update(
        l2_bytes=10**6
    ),
    "an unknown rule relaxed": lambda d: d.update(relaxed=["gravity"]),
    "rules clash in a solved problem": lambda d: d.update(clashing=["sram"]),
    "another objective": lambda d: d.update(objective=["energy"]),
    "no objective": lambda d: d.update(objective=[], value=[], bound=[]),
    "an objective twice": lambda d: d.update(
        objective=["period"] * 2, value=[10] * 2, bound=[10] * 2
    ),
    "a run proved it infeasible": lambda d: d["runs"][0].update(infeasible=True),
    "runs that are no list": lambda d: d.update(runs={}),
    "a run that is no mapping": lambda d: d["runs"].append(3),
    "an unknown engine": lambda d: d["runs"][0].update(engine="oracle"),
    "true for a number": lambda d: d.update(value=[True]),
    "an instance of nothing": lambda d: d.update(instance={}),
    "a table of nothing": lambda d: d.update(table={}),
    "a table of another instance": lambda d: d["table"].update(instance_sha256="0"),
    "a row for nobody": lambda d: d["table"]["rows"].append(
        {**d["table"]["rows"][0], "layer": "nobody"}
    ),
    "a schedule of text": lambda d: d.update(schedule="fine"),
    "infinite seconds": lambda d: d.update(seconds=10**400),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_forged_certificates_are_refused(proved: dict[str, Any], name: str) -> None:
    forged = copy.deepcopy(proved)
    MUTATIONS[name](forged)
    assert forged != proved
    assert not check(sealed(forged)).accepted


def test_a_schedule_that_needs_a_relaxation_is_refused() -> None:
    # Two stages are needed between chiplets for a package tensor; one is given.
    early = Schedule((0, 1), (0, 0), (0, 1), (False, None), ("package", None))
    data = certify((run("cpsat", 10, 10),), early, bound=10, relaxed=("stage",))
    assert check(data).violations == ("stage: m/u to m/b: 1 stages",)


def test_against_another_scenario(proved: dict[str, Any]) -> None:
    assert check_against(proved, tiny()).accepted
    renamed = check_against(proved, tiny(name="other"))
    assert len(renamed.violations) == 2
    assert "instance_sha256" in renamed.violations[0]
    assert "table_sha256" in renamed.violations[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"schema": "certificate/2"}',
        '{"schema": "certificate/1", "schema": "certificate/1"}',
        '{"schema": "certificate/1", "seconds": NaN}',
        "[" * 100_000,
    ],
)
def test_what_is_no_certificate_is_unreadable(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(CertificateError, match=r"c\.json"):
        read_certificate(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="none"):
        read_certificate(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CertificateError, match=r"b\.json"):
        read_certificate(tmp_path / "b.json")


def test_saved_and_read_again(tmp_path: Path, proved: dict[str, Any]) -> None:
    path = tmp_path / "c.json"
    path.write_text("old")
    write_certificate(path, proved)
    assert read_certificate(path) == proved
    assert [p.name for p in tmp_path.iterdir()] == ["c.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["c.json"]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_atomically(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


@pytest.mark.parametrize(
    ("quanta", "quantum_fj", "text"),
    [
        (12, 10, "0.12"),
        (100, 10, "1"),
        (1, 1, "0.001"),
        (0, 10, "0"),
        (1234567, 1000, "1234567"),
        (10**20 + 1, 10, "1000000000000000000.01"),
    ],
)
def test_energies_are_exact_text(quanta: int, quantum_fj: int, text: str) -> None:
    assert energy_text(quanta, quantum_fj) == text

"""`chipsched bench` and the file of best known values."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from formulation.outcome import EngineRun, Outcome
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import evaluate
from instances.files import library_names
from instances.load import load_instance
from results.best_known import (
    ENTRY,
    FILE,
    BestKnown,
    CrossingError,
    claim_of,
    crossings,
    improved,
    packed,
    schedule_hash,
    unpacked,
)
from results.cli import main
from results.failures import BAD_INPUT, OPTIMAL, REFUSED, STOPPED
from results.library_runs import against, chosen
from results.record import RecordError
from results.run import prepare

ROOT = Path(__file__).parent.parent.parent
FAST = (
    "chains-01",
    "chains-02",
    "dram-01",
    "memory-01",
)  # proved in less than a second each
NAMES = [name for members in library_names().values() for name in members]


@pytest.fixture
def bench(capsys):
    """Run `chipsched bench` here; return exit code, stdout and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["bench", *map(str, arguments)])
        return stop.value.code, *capsys.readouterr()

    return call


def made(value=None, bound=None, exact=None, infeasible=False, engine="cpsat"):
    """The part of a run that an entry is made from."""
    schedule = None if value is None else {"chiplet": str(value)}
    return {
        "scenario": "x",
        "objective": "period",
        "instance_sha256": "i",
        "table_sha256": "t",
        "value": value,
        "bound": bound,
        "recomputed_bound": exact,
        "infeasible": infeasible,
        "proved_by": [engine] if bound is not None and bound != exact else [],
        "schedule": schedule,
        "made": {"engine": engine, "value": value, "bound": bound},
    }


def test_the_library_has_best_known_values():
    """Every instance, under the hashes of today's files where costs are given."""
    best = BestKnown(FILE)
    assert set(NAMES) <= set(best.instances)
    for name in NAMES:
        entry = best.instances[name]["objectives"]["period"]
        assert claim_of(entry) == entry["claim"]
        assert entry["bound"] is not None
        if entry["value"] is not None:
            assert entry["bound"] <= entry["value"]
            assert entry["schedule_sha256"] == schedule_hash(entry["schedule"])


def worth_as_said(name):
    """Value the known schedule of an instance; what is known of another is not."""
    known = BestKnown(FILE).instances[name]
    problem = prepare(load_instance(name)).problem
    assert problem.instance_sha256 == known["instance_sha256"]
    if problem.table_sha256 != known["table_sha256"]:
        assert name.startswith("networks-"), "only these follow the cost model"
        pytest.skip("known of another cost table: chipsched bench networks --update")
    entry = known["objectives"]["period"]
    if entry["schedule"] is not None:
        worth = evaluate(problem, unpacked(entry["schedule"]))
        assert not worth.violations
        assert worth.period_ticks == entry["value"]


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.endswith(("-01", "-05", "-09", "-m1"))]
)
def test_known_schedules_are_worth_what_the_file_says(name):
    worth_as_said(name)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_all_known_schedules_are_worth_what_the_file_says(name):
    worth_as_said(name)


def test_a_rerun_crosses_nothing(bench):
    """The smallest ones against the committed file, which stays as it is."""
    before = FILE.read_bytes()
    code, out, err = bench(*FAST, "--time-limit", 20, "--workers", 1, "--json")
    assert (code, FILE.read_bytes()) == (OPTIMAL, before), err
    rows = json.loads(out)
    assert [row["scenario"] for row in rows] == list(FAST)
    for row in rows:
        assert row["known_value"] is not None
        assert row["value"] >= row["known_bound"]
        assert row["bound"] <= row["known_value"]
        assert row["against"] != "new"


@pytest.mark.long
def test_a_rerun_of_all_families_crosses_nothing(bench):
    code, _, err = bench("--time-limit", 3, "--workers", 1)
    assert code == OPTIMAL, err


def test_update_resume_and_table(bench, tmp_path):
    """A run is written, found again by `--out`, and an update never worsens."""
    file, out = tmp_path / "best.json", tmp_path / "runs.jsonl"
    same = ("dram-01", "--time-limit", 20, "--workers", 1, "--best-known", file)
    code, text, _ = bench(*same, "--update", "--out", out)
    assert code == OPTIMAL
    assert "dram-01" in text
    assert "new" in text
    assert "1 proved optimal" in text
    first, lines = file.read_bytes(), out.read_text().splitlines()
    entry = BestKnown(file).instances["dram-01"]["objectives"]["period"]
    assert entry["value"] == entry["bound"] == json.loads(lines[0])["value"]
    code, text, _ = bench(*same, "--update", "--out", out)
    assert (code, file.read_bytes()) == (OPTIMAL, first)
    assert out.read_text().splitlines() == lines
    assert "as known" in text
    # Of a file without the run, resuming from `--out` restores it.
    file.unlink()
    bench(*same, "--update", "--out", out)
    assert file.read_bytes() == first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bound": 10**9, "value": 10**9}, "is below the known bound 1000000000"),
        ({"bound": 1, "value": 1}, "is above the known value 1"),
    ],
)
def test_a_crossing_is_refused(bench, tmp_path, change, said):
    """Exit code 4, what it takes to repeat it, and the file stays as it was."""
    file = tmp_path / "best.json"
    same = ("dram-01", "--time-limit", 20, "--workers", 1, "--best-known", file)
    assert bench(*same, "--update")[0] == OPTIMAL
    data = json.loads(file.read_text())
    true = dict(data["instances"]["dram-01"]["objectives"]["period"])
    data["instances"]["dram-01"]["objectives"]["period"] |= change
    file.write_text(json.dumps(data))
    before = file.read_bytes()
    code, _, message = bench(*same, "--update")
    assert (code, file.read_bytes()) == (REFUSED, before)
    assert said in message
    assert data["instances"]["dram-01"]["instance_sha256"] in message
    assert "chipsched bench dram-01 --objective 'period' --engine cpsat" in message
    assert f"is worth {true['value']} when valued anew, {change['value']}" in message


def test_other_costs_are_not_compared(bench, tmp_path):
    """What is known of another table is said to be, and replaced by an update."""
    file = tmp_path / "best.json"
    same = ("dram-01", "--time-limit", 20, "--workers", 1, "--best-known", file)
    bench(*same, "--update")
    first = file.read_bytes()
    data = json.loads(first)
    data["instances"]["dram-01"]["table_sha256"] = "0" * 64
    data["instances"]["dram-01"]["objectives"]["period"]["bound"] = 10**9
    file.write_text(json.dumps(data))
    code, text, _ = bench(*same)
    assert code == OPTIMAL
    assert "known of other costs" in text
    bench(*same, "--update")
    old, new = json.loads(first), json.loads(file.read_bytes())
    for entry in (old, new):
        for key in ("value_from", "bound_from"):
            del entry["instances"]["dram-01"]["objectives"]["period"][key]
    assert old == new


def test_better_of_two_is_kept_in_every_part():
    """Whatever the order of runs: least value, largest bound, all who proved it."""
    runs = [
        made(100, 60, 50),
        made(90, 50, 55, engine="milp"),
        made(95, 80, 70),
        made(None, 80, engine="milp"),
    ]
    first, second, third, fourth = runs
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        entry = None
        for index in order:
            entry = improved(entry, runs[index])
        assert set(entry) == ENTRY
        assert (entry["value"], entry["bound"]) == (90, 80)
        assert entry["recomputed_bound"] == 70
        assert entry["proved_by"] == ["cpsat", "milp"]
        assert entry["value_from"] == second["made"]
        assert entry["schedule"] == {"chiplet": "90"}
        assert entry["bound_from"] in (third["made"], fourth["made"])
        assert entry["claim"] == "bounded"
    assert improved(improved(None, first), first) == improved(None, first)


def test_crossings_are_all_four():
    entry = improved(None, made(100, 80))
    assert crossings(None, made(1, 1)) == []
    assert crossings(entry, made(80, 80)) == []
    assert crossings(entry, made(100, 100)) == []
    assert crossings(entry, made(79, 70)) == ["value 79 is below the known bound 80"]
    assert crossings(entry, made(None, 101)) == [
        "bound 101 is above the known value 100"
    ]
    none = made(infeasible=True)
    assert crossings(entry, none) == ["proved infeasible, but 100 is known"]
    known = improved(None, none)
    assert known["claim"] == "infeasible"
    assert crossings(known, none) == []
    assert crossings(known, made(5)) == ["value 5, but it is known to be infeasible"]
    with pytest.raises(CrossingError, match="value 79 is below"):
        improved(entry, made(79, 70))


def test_claims_are_those_of_an_outcome():
    """The same ladder as `Outcome.claim`, over small values, bounds and engines."""
    schedule = Schedule((0,), (0,), (0,), (None,), ())
    for value, one, two in product((None, 3, 4), (None, 2, 3), (None, 2, 3)):
        best = max((b for b in (one, two) if b is not None), default=None)
        runs = [
            EngineRun(name, "1", ("period",), (value,), (bound,), False, "x", 1.0)
            for name, bound in (("cpsat", one), ("milp", two))
        ]
        found = None if value is None else schedule
        outcome = Outcome(("period",), found, (value,), (best,), tuple(runs), "x", 1.0)
        entry = {"value": value, "bound": best, "recomputed_bound": None}
        provers = [r.engine for r in runs if best is not None and r.bound == (best,)]
        entry |= {"infeasible": False, "proved_by": provers}
        assert claim_of(entry) == outcome.claim
    entry = {"value": 3, "bound": 3, "infeasible": False, "proved_by": []}
    assert claim_of({**entry, "recomputed_bound": 3}) == "certified"
    assert claim_of({**entry, "bound": 2, "recomputed_bound": 2}) == "bounded"


def test_words_of_a_comparison():
    entry = improved(None, made(100, 80))
    assert against(None, made(1), stale=False) == "new"
    assert against(entry, made(100, 80), stale=False) == "as known"
    assert against(entry, made(90, 80), stale=False) == "value 10 % better"
    assert (
        against(entry, made(110, 40), stale=False)
        == "value 10 % worse, bound 50 % worse"
    )
    assert against(entry, made(None, 90), stale=False) == "no value, bound 12 % better"


def test_schedules_are_packed_and_unpacked():
    schedule = Schedule(
        (0, 12, 3),
        (1, 0, 2),
        (0, 2, 10),
        (True, False, None),
        (None, "package", "dram"),
    )
    assert packed(schedule)["resident"] == "rs-"
    assert packed(schedule)["place"] == "-pd"
    assert unpacked(packed(schedule)) == schedule


def test_names_are_families_and_instances(bench):
    assert chosen(()) == NAMES
    assert chosen(("sc1-2x2", "memory", "memory-01")) == [
        "sc1-2x2",
        *library_names()["memory"],
    ]
    code, _, message = bench("nothing", "chains-99")
    assert code == BAD_INPUT
    assert "got 'nothing'" in message
    assert "got 'chains-99', expected a family (branches, chains, dram" in message


def test_only_one_part_has_a_best_known_value(bench):
    code, _, message = bench("--objective", "period,energy")
    assert code == BAD_INPUT
    assert "best known values are of one part" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "expected the schema best-known/1"),
        ('{"schema": "best-known/1"}', "instances: expected a mapping"),
        (
            '{"schema": "best-known/1", "instances": {"a": 1, "b": {}}}',
            "a: expected the keys",
        ),
    ],
)
def test_a_faulty_file_is_refused(bench, tmp_path, text, said):
    file = tmp_path / "best.json"
    file.write_text(text)
    with pytest.raises(RecordError) as error:
        BestKnown(file)
    assert said in str(error.value)
    assert bench("dram-01", "--best-known", file)[0] == BAD_INPUT


def test_ctrl_c_keeps_what_was_found(tmp_path):
    """The first instance runs without limit; the table has it, the second is left."""
    file, out = tmp_path / "best.json", tmp_path / "runs.jsonl"
    names = ("branches-08", "dram-01")
    options = ("--time-limit", "0", "--workers", "1", "--json", "--update")
    command = [sys.executable, "-m", "results.cli", "bench", *names, *options]
    command += ["--best-known", str(file), "--out", str(out)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        assert "1/2 branches-08" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        text, error = process.communicate(timeout=60)
    assert process.returncode == STOPPED, error
    [row] = json.loads(text)
    assert row["scenario"] == "branches-08"
    assert not out.exists(), "an interrupted run is not one to go on from"
    assert BestKnown(file).instances["branches-08"]

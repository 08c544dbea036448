"""`chipsched compare` and `solve --start`: verdicts, exit codes, the page of both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import formulation.starts
import results.rivals
from formulation.solve import solve
from formulation.starts import worth_starting
from instances.load import load_instance
from results.run import prepare

if TYPE_CHECKING:
    from formulation.outcome import Outcome
    from formulation.pipelined.schedule import Schedule

ROOT = Path(__file__).parent.parent.parent
TINY = ROOT / "tests" / "tiny"
COMPUTE = TINY / "compute.yaml"  # one chiplet, layers of 3 and 4 ticks
PAGE = ROOT / "results" / "COMPARE.md"
FEW = ("--evaluations", 50)


@pytest.fixture
def certificate(chipsched: Any, tmp_path: Path) -> Path:
    path = tmp_path / "compute.json"
    assert chipsched("solve", COMPUTE, "--out", path)[0] == 0
    return path


def schedule_in(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["schedule"]  # type: ignore[no-any-return]


def saved(folder: Path, name: str, data: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(data))
    return path


# What is compared


def test_a_schedule_in_any_of_three_forms(
    chipsched: Any, tmp_path: Path, certificate: Path
) -> None:
    alone = saved(tmp_path, "alone.json", schedule_in(certificate))
    printed = tmp_path / "printed.json"
    printed.write_text(chipsched("solve", COMPUTE, "--json")[1])
    files = [certificate, alone, printed]
    args = [x for file in files for x in ("--schedule", file)]
    code, out, _ = chipsched("compare", COMPUTE, *args, "--json")
    assert code == 0
    answer = json.loads(out)
    assert [row["name"] for row in answer["rows"]] == [str(file) for file in files]
    for row in answer["rows"]:
        assert row["value"] == [7]
        assert row["gap"] == row["above_best_known"] == 0
        assert row["schedule"] == schedule_in(certificate)
        assert row["run"] is None
    assert answer["proof"]["optimal"]
    assert answer["proof"]["bound"] == answer["best_known"] == [7]


def test_every_broken_rule_and_by_how_much(
    chipsched: Any, tmp_path: Path, certificate: Path
) -> None:
    bad = schedule_in(certificate)
    first, second = bad["layers"]
    bad["layers"][first]["stage"] = 9  # S_m is 2
    bad["layers"][second]["stage"] = -1
    path = saved(tmp_path, "bad.json", bad)
    code, out, _ = chipsched("compare", COMPUTE, "--schedule", path, "--json")
    assert code == 4
    [row] = json.loads(out)["rows"]
    assert not row["valid"]
    assert row["value"] is row["gap"] is row["period_ticks"] is None
    assert f"stage: {first} in stage 9: 7 stages" in row["violations"]
    assert f"stage: {second} in stage -1: 1 stages" in row["violations"]
    code, out, _ = chipsched("compare", COMPUTE, "--schedule", path)
    assert code == 4
    assert "refused" in out
    assert "in stage 9: 7 stages" in out
    bad["layers"][first]["chiplet"] = 5  # `assignment`: nothing else is defined then
    path = saved(tmp_path, "worse.json", bad)
    code, out, _ = chipsched("compare", COMPUTE, "--schedule", path)
    assert code == 4
    assert "no chiplet 5" in out


def test_faults_of_all_files_at_once(
    chipsched: Any, tmp_path: Path, certificate: Path
) -> None:
    data = schedule_in(certificate)
    name = next(iter(data["layers"]))
    data["layers"]["nobody/x"] = data["layers"].pop(name)
    data["layers"]["nobody/x"]["mode"] = "fast"
    one = saved(tmp_path, "one.json", data)
    two = tmp_path / "two.json"
    two.write_text("{")
    three = saved(tmp_path, "three.json", {"schedule": None})
    files = (one, two, three, tmp_path / "none.json")
    args = [x for file in files for x in ("--schedule", file)]
    code, out, err = chipsched("compare", COMPUTE, *args)
    assert (code, out) == (1, "")
    for said in (
        f"{one}: schedule: layers.nobody/x: not in the problem",
        f"{one}: schedule: layers.{name}: missing",
        f"{two}: not JSON",
        f"{three}: there is no schedule in it",
        f"{tmp_path / 'none.json'}: No such file",
    ):
        assert said in err
    assert "Traceback" not in err


def test_heuristics_and_their_distance(chipsched: Any) -> None:
    code, out, err = chipsched("compare", TINY / "link.yaml", *FEW, "--json")
    assert code == 3  # no chiplet supports all layers: standalone finds nothing
    rows = {row["name"]: row for row in json.loads(out)["rows"]}
    assert list(rows) == [
        "standalone",
        "proportional",
        "partition",
        "annealing",
        "genetic",
    ]
    assert rows["standalone"]["value"] is rows["standalone"]["gap"] is None
    assert "not supported" in rows["standalone"]["run"]["notes"][0]
    assert rows["annealing"]["value"] == [12]
    assert rows["annealing"]["gap"] == 0
    assert rows["annealing"]["run"]["trace"][-1][2] == [12]
    assert "annealing period best 12" in err
    again = json.loads(chipsched("compare", TINY / "link.yaml", *FEW, "--json")[1])
    for row in again["rows"]:
        for key in ("value", "schedule"):
            assert row[key] == rows[row["name"]][key]


# What it is compared with


def test_against_a_certificate(
    chipsched: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.rivals, "prove", None)  # nothing is solved
    args = ("--heuristic", "partition", *FEW, "--against", certificate)
    code, out, _ = chipsched("compare", COMPUTE, *args)
    assert code == 0
    assert "proved optimum 7" in out
    assert "certificate" not in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("scenario", "args", "said"),
    [
        (TINY / "dram.yaml", (), "instance_sha256: got"),
        (COMPUTE, ("--objective", "energy"), "objective: got period, asked for energy"),
        (COMPUTE, ("--objective", "period,energy"), "objective: got period, asked for"),
    ],
)
def test_against_another_certificate(
    chipsched: Any, certificate: Path, scenario: Path, args: tuple[str, ...], said: str
) -> None:
    more = ("--heuristic", "partition", *FEW, "--against", certificate)
    code, out, err = chipsched("compare", scenario, *args, *more)
    assert (code, out) == (1, "")
    assert said in err


def test_a_refused_certificate_and_a_crossing(
    chipsched: Any, tmp_path: Path, certificate: Path
) -> None:
    from formulation.certificate import seal_of

    data = json.loads(certificate.read_text())
    forged = saved(tmp_path, "forged.json", {**data, "claim": "optimal-2"})
    args = ("--heuristic", "partition", *FEW, "--against")
    code, out, err = chipsched("compare", COMPUTE, *args, forged)
    assert (code, out) == (4, "")
    assert "the checker refuses it" in err
    # A bound that nobody can recompute is taken on the engine's word, until a schedule
    # shows that it is wrong. Without a schedule of its own such a record stands.
    run = {**data["runs"][0], "value": [None], "bound": [8]}
    gone = dict.fromkeys(
        ("schedule", "period_ticks", "energy_quanta", "energy_pj", "latency_ticks")
    )
    claim = {"value": [None], "bound": [8], "claim": "unknown", "duals": []}
    lie = {**data, **gone, **claim, "runs": [run], "why_stopped": "time limit"}
    lie["seal"] = seal_of(lie)
    path = saved(tmp_path, "lie.json", lie)
    code, out, err = chipsched("compare", COMPUTE, *args, path)
    assert (code, out) == (4, "")
    assert "a value of (7,) below a bound of (8,)" in err


def without_bounds(*args: Any, **kwargs: Any) -> Outcome[Schedule]:
    outcome = solve(*args, **kwargs)
    runs = tuple(replace(run, bound=(None,)) for run in outcome.runs)
    return replace(outcome, bound=(None,), runs=runs, why_stopped="time limit")


def test_only_a_bound(chipsched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results.rivals, "solve", without_bounds)
    args = ("compare", TINY / "colocate.yaml", "--heuristic", "annealing", *FEW)
    code, out, _ = chipsched(*args, "--json")
    assert code == 3
    answer = json.loads(out)
    assert not answer["proof"]["optimal"]
    [bound] = answer["proof"]["bound"]  # the one that is recomputed
    [row] = answer["rows"]
    assert row["value"] == answer["best_known"] == [10]
    assert row["gap"] == (10 - bound) / 10 > 0
    code, out, _ = chipsched(*args)
    assert code == 3
    assert f"no optimum: bound {bound} ticks" in " ".join(out.split())


def test_infeasible(chipsched: Any, tmp_path: Path) -> None:
    capped = tmp_path / "capped.yaml"
    capped.write_text(f"{COMPUTE.read_text()}\noptions:\n  period_cap_ticks: 6\n")
    code, out, err = chipsched("compare", capped, "--heuristic", "partition", *FEW)
    assert code == 2, err
    assert "infeasible" in out
    assert "none found" in out


# solve --start


@pytest.mark.parametrize("engine", ["cpsat", "milp"])
def test_solve_starts_from_a_heuristic_or_a_file(
    chipsched: Any, certificate: Path, engine: str
) -> None:
    for start in ("partition", certificate):
        args = ("--engine", engine, "--start", start, "--json")
        code, out, _ = chipsched("solve", COMPUTE, *args)
        assert code == 0
        [run] = json.loads(out)["runs"]
        assert run["notes"][0].startswith(f"starts from {start}")
        assert run["value"] == [7]


def test_a_start_that_fails_is_told(
    chipsched: Any, tmp_path: Path, certificate: Path
) -> None:
    bad = schedule_in(certificate)
    name = next(iter(bad["layers"]))
    bad["layers"][name]["stage"] = 9
    path = saved(tmp_path, "bad.json", bad)
    code, out, _ = chipsched("solve", COMPUTE, "--start", path)
    assert code == 0
    text = " ".join(out.split())
    assert "the schedule to start from is ignored: stage:" in text
    assert "9: 7 stages" in text
    code, out, _ = chipsched("solve", TINY / "link.yaml", "--start", "standalone")
    assert code == 0
    assert "it found no schedule to start from" in " ".join(out.split())


def test_auto_starts_where_engines_are_slow(
    chipsched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    headline = prepare(load_instance("headline-contiguous")).problem
    small = tuple(replace(c, l2_bytes=2**21) for c in headline.chiplets)
    assert not worth_starting(headline)
    assert worth_starting(replace(headline, chiplets=small))
    assert worth_starting(replace(headline, chiplets=2 * headline.chiplets))
    for name, value in (("LARGE", 0), ("MOST_WEIGHTS", -1)):
        monkeypatch.setattr(formulation.starts, name, value)
    for start, some in (("auto", True), ("none", False)):
        args = ("--start", start, "--time-limit", 2, "--json")
        code, out, _ = chipsched("solve", TINY / "sram.yaml", *args)
        assert code == 0
        notes = json.loads(out)["runs"][0]["notes"]
        assert ("starts from annealing: 19" in notes) == some


@pytest.mark.parametrize("start", ["nobody", "no/such.py", "no/such.json"])
def test_a_start_that_is_none(chipsched: Any, start: str) -> None:
    code, out, err = chipsched("solve", COMPUTE, "--start", start)
    assert (code, out) == (1, "")
    assert "Traceback" not in err


def test_a_failing_heuristic_is_bad_input(chipsched: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("def schedule(search):\n    search.offer(None)\n")
    for command in ("compare", "solve"):
        option = "--heuristic" if command == "compare" else "--start"
        code, out, err = chipsched(command, COMPUTE, option, mine)
        assert (code, out) == (1, "")
        assert f"{mine}:2: TypeError: offer: expected" in err
        assert "Traceback" not in err


# The page


def blocks() -> list[tuple[str, str]]:
    """Return (language, text) of the page's blocks of code, in order."""
    page = PAGE.read_text(encoding="utf-8")
    return re.findall(r"```(python)?\n(.*?)```", page, flags=re.DOTALL)


def test_the_page_says_what_happens(tmp_path: Path) -> None:
    """All its code runs, in a folder of its own, and its commands exit with 0."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    ran = 0
    for language, text in blocks():
        name = re.match(r"# (\w+\.py):", text)
        if name:
            body = [line for line in text.splitlines()[1:] if line.strip()]
            assert len(body) <= 10
            (tmp_path / name[1]).write_text(text)
            continue
        if language:
            call = [sys.executable, "-c", text]
        else:
            assert text.startswith("chipsched ")
            call = [sys.executable, "-m", "results.cli", *text.split()[1:]]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        ran += 1
    assert ran == 4
    assert json.loads((tmp_path / "theirs.json").read_text())["layers"]


def test_the_page_names_every_heuristic() -> None:
    from formulation.heuristics import names_of

    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    assert found[-8:] == [*names_of("pipelined"), *names_of("timed")]

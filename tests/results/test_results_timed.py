"""Timed schedules from outside: solve, check, show, JSON, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from formulation.outcome import DisagreementError, Limits
from instances.load import to_canonical_json
from results.evidence import read, replay
from results.figures import gantt
from results.figures.style import FORMATS, rendered
from results.run import prepare
from results.view_timed import covered
from tests.formulation.timed_cases import (
    cost_rows,
    instance,
    judged,
    problem,
    schedule,
)

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule
    from formulation.timed.semantics import Evaluation

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "results.cli"]
ROUNDS = {
    "rounds": {"m": 2},
    "release_ticks": {"m": [0, 1]},
    "due_ticks": {"m": 7},
}
LINK = {"hop_latency_ns": 0, "energy_pj_per_bit": 0}
ORDER = ("--objective", "makespan,latency_sum", "--workers", 1)


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Two rounds: a streams 16 bytes in 4 ticks, b runs 2; then again.

    With weights that are fetched once it is 2, 3 + 2, 3 + 2: as long, but the first
    round ends at 7. Round 1 cannot be first: it would end at 7, too.
    """
    path = tmp_path / "tiny.json"
    options = {"kind": "timed", "timed": ROUNDS}
    path.write_text(to_canonical_json(instance(options=options)))
    return path


def test_solve_check_and_show(chipsched: Any, scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    code, text, _ = chipsched("solve", scenario, "--out", out, *ORDER)
    assert code == 0
    assert "makespan     12 ticks = 12 ns" in text
    assert "latency 11 ticks = 11 ns at most, 8 on average of 2 rounds, 4" in text
    assert "energy       24 pJ\n" in text
    assert "critical path 6" in text
    code, text, _ = chipsched("check", out, "--against", scenario)
    assert code == 0
    assert "it has a makespan of 12 ticks and takes 24 pJ" in text
    code, text, _ = chipsched("show", out)
    assert code == 0
    lines = text.splitlines()
    assert "chiplet 0  k  4 runs" in lines
    assert f"  {'A' * 76}" in lines
    assert "  0  –   6  m, round 0: a … b" in lines
    assert "  6  –  12  m, round 1: a … b" in lines
    assert "chiplet 1  k  0 runs" in lines
    shares = {line[:28].strip(): line[-7:].strip() for line in lines[-11:]}
    # a's streams hold the port for 8 ticks, b's the other one for 2 times 2.
    assert shares["port into chiplet 0"] == "66.7 %"
    assert shares["port out of chiplet 0"] == "33.3 %"
    assert shares["dram interface 0 at router 0"] == "100.0 %"
    assert shares["sram chiplet 0"] == "63.6 %"  # 10 + 4 of 22 bytes


def test_json(chipsched: Any, scenario: Path) -> None:
    args = ("--objective", "makespan,latency_sum.m,energy", "--workers", 1, "--json")
    code, text, _ = chipsched("solve", scenario, *args)
    assert code == 0
    answer = json.loads(text)
    assert answer["kind"] == "timed"
    assert answer["claim"] == "optimal-1"
    assert answer["objective"] == "makespan,latency_sum.m,energy"
    assert [part["value"] for part in answer["parts"]] == [12, 17, 24]
    assert [part["recomputed_bound"] for part in answer["parts"]] == [8, 10, 24]
    assert answer["makespan_ticks"] == 12
    assert answer["latency_ticks"] == {"m": [6, 11]}
    assert answer["tardiness_ticks"] == {"m": [0, 4]}
    assert answer["energy_pj"] == 24
    assert answer["explain"]["bounds"]["dram_total_ticks"] == 8
    assert {row["where"] for row in answer["explain"]["binding"]} == {
        "chiplet 0",
        "dram interface 0 at router 0",
    }
    assert "period_ticks" not in answer
    assert len(answer["schedule"]["runs"]["m/a"]) == 2


def test_the_same_scenario_as_another_kind(chipsched: Any, scenario: Path) -> None:
    args = ("--workers", 1, "--json")
    code, text, _ = chipsched("solve", scenario, *args, "--kind", "pipelined")
    assert code == 0
    answer = json.loads(text)
    assert (answer["kind"], answer["objective"]) == ("pipelined", "period")


def test_infeasible(chipsched: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "tiny.json", tmp_path / "c.json"
    options = {"kind": "timed", "timed": {"caps": {"makespan": 5}}}
    path.write_text(to_canonical_json(instance(options=options)))
    code, text, _ = chipsched("solve", path, "--workers", 1, "--out", out)
    assert code == 2
    assert "caps         makespan at most 5" in text
    assert "clashing" in text
    assert chipsched("check", out)[0] == 0
    assert chipsched("show", out)[0] == 0


def test_a_schedule_to_start_from(
    chipsched: Any, scenario: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c.json"
    chipsched("solve", scenario, "--workers", 1, "--out", out)
    code, text, _ = chipsched("solve", scenario, "--start", out, "--workers", 1)
    assert code == 0
    assert "starts from" in text
    data = json.loads(out.read_text())
    data["schedule"]["runs"]["m/a"].pop()
    out.write_text(json.dumps(data["schedule"]))
    code, _, err = chipsched("solve", scenario, "--start", out)
    assert code == 1
    assert "expected a list of 2, one a round" in err


@pytest.mark.parametrize("name", ["list", "heft", "annealing"])
def test_a_heuristic_to_start_from(chipsched: Any, scenario: Path, name: str) -> None:
    args = ("--time-limit", 5, "--workers", 1, "--json")
    code, out, _ = chipsched("solve", scenario, "--start", name, *args)
    assert code == 0
    notes = json.loads(out)["runs"][0]["notes"]
    assert any(note.startswith(f"starts from {name}: ") for note in notes)


FEW = ("--evaluations", 50, "--workers", 1)


def test_compare(chipsched: Any, scenario: Path, tmp_path: Path) -> None:
    """Heuristics and a file beside the proved optimum, 12."""
    out = tmp_path / "c.json"
    chipsched("solve", scenario, "--workers", 1, "--out", out)
    code, text, _ = chipsched("compare", scenario, *FEW, "--json")
    assert code == 0
    answer = json.loads(text)
    assert answer["objective"] == "makespan"
    assert answer["proof"]["optimal"]
    [best] = answer["proof"]["value"]
    assert [row["name"] for row in answer["rows"]] == ["list", "heft", "annealing"]
    for row in answer["rows"]:
        assert row["valid"]
        assert row["makespan_ticks"] == row["value"][0] >= best
        assert row["gap"] == (row["value"][0] - best) / row["value"][0]
        assert len(row["latency_ticks"]["m"]) == 2
        assert row["run"]["evaluations"] <= 50
        theirs = tmp_path / f"{row['name']}.json"
        theirs.write_text(json.dumps(row["schedule"]))
        args = ("--schedule", theirs, "--against", out, "--json")
        code, text, _ = chipsched("compare", scenario, *args)
        assert code == 0
        [again] = json.loads(text)["rows"]
        assert {**again, "name": row["name"], "run": row["run"]} == row
    assert min(row["value"] for row in answer["rows"]) == [best]
    code, text, _ = chipsched("compare", scenario, *FEW, *ORDER)
    assert code == 0
    assert "proved optimum" in text
    assert "annealing" in text


def test_compare_tells_broken_rules(
    chipsched: Any, scenario: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c.json"
    chipsched("solve", scenario, "--workers", 1, "--out", out)
    data = json.loads(out.read_text())["schedule"]
    data["runs"]["m/b"][1]["start"] -= 1
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(data))
    args = ("--schedule", bad, "--against", out)
    code, text, _ = chipsched("compare", scenario, *args, "--json")
    assert code == 4
    [row] = json.loads(text)["rows"]
    assert not row["valid"]
    assert row["makespan_ticks"] is row["gap"] is row["schedule"] is None
    assert row["violations"]
    code, text, _ = chipsched("compare", scenario, *args)
    assert code == 4
    assert "refused" in text
    assert "breaks" in text


def test_compare_with_fluid(chipsched: Any, tmp_path: Path) -> None:
    """CP-SAT has it not: bounds without search are what is proved."""
    path = tmp_path / "tiny.json"
    options = {"kind": "timed", "timed": {"contention": "fluid"}}
    path.write_text(to_canonical_json(instance(options=options)))
    code, text, _ = chipsched("compare", path, *FEW, "--json")
    answer = json.loads(text)
    assert code == (0 if answer["proof"]["optimal"] else 3)
    assert answer["proof"]["source"] == "bounds without search"
    assert "fluid is for the engine milp alone" in answer["proof"]["why_stopped"]
    assert all(row["valid"] for row in answer["rows"])
    [bound] = answer["proof"]["bound"]
    assert 0 < bound <= min(row["value"][0] for row in answer["rows"])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--objective", "period"), "'period' is none of makespan"),
        (("--objective", "latency:n"), "no model 'n'"),
        (("--objective", "makespan,makespan"), "makespan twice"),
        (("--engine", "cpsat", "--period-cap", "3"), "have no period"),
        (("--kind", "windy"), "'windy'"),
        (("--start", "genetic"), "no heuristic 'genetic': there are list, heft"),
    ],
)
def test_what_is_not_of_the_kind_is_refused(
    chipsched: Any, scenario: Path, args: tuple[str, ...], said: str
) -> None:
    code, out, err = chipsched("solve", scenario, *args)
    assert (code, out) == (1, "")
    assert said in err
    assert "Traceback" not in err


def test_fluid_is_for_one_engine(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "tiny.json"
    options = {"kind": "timed", "timed": {"contention": "fluid"}}
    path.write_text(to_canonical_json(instance(options=options)))
    code, _, err = chipsched("solve", path)
    assert code == 1
    assert "fluid is for the engine milp alone" in err
    code, out, _ = chipsched("solve", path, "--engine", "milp", "--json")
    assert code == 0
    assert json.loads(out)["claim"] == "optimal-1"


@pytest.mark.parametrize("command", ["pareto", "headline --scenario"])
def test_commands_of_pipelined_schedules_refuse_it(
    chipsched: Any, scenario: Path, command: str
) -> None:
    code, out, err = chipsched(*command.split(), scenario)
    assert (code, out) == (1, "")
    assert "got timed schedules, expected pipelined" in err


def test_a_forged_certificate_is_refused(
    chipsched: Any, scenario: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c.json"
    chipsched("solve", scenario, "--workers", 1, "--out", out)
    data = json.loads(out.read_text())
    data["schedule"]["runs"]["m/b"][0]["start"] -= 1
    out.write_text(json.dumps(data))
    code, text, _ = chipsched("check", out)
    assert code == 4
    assert "no-overlap: chiplet 0" in text
    code, text, _ = chipsched("show", out)
    assert code == 4
    assert text.startswith("refused")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_text_keeps_to_the_terminal(
    chipsched: Any,
    scenario: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = tmp_path / "c.json"
    texts = [
        chipsched("solve", scenario, "--out", out)[1].replace(str(out), ""),
        chipsched("show", out)[1],
        chipsched("show", scenario)[1],
    ]
    for text in texts:
        longest = max(len(line) for line in text.splitlines())
        assert longest <= max(48, min(80, columns))


# The picture. `timed_cases.SCHEDULE`: load 0–2, a 2–5 with its stream 2–4, u 5–9 over
# the ports and link 0->1, b 11–15 with its stream over link 1->0.


@pytest.fixture
def made() -> tuple[Problem, Schedule, Evaluation]:
    p = problem({}, options={"kind": "timed"})
    return p, schedule(p), judged(p)


def test_bars_are_runs_and_movements(made: Any) -> None:
    p, s, found = made
    assert gantt.chiplet_rows(p, s, found) == {
        "chiplet 0": [((2, 5), 0)],
        "chiplet 1": [((11, 15), 0)],
    }
    assert gantt.resource_rows(p, found) == {
        "DRAM interface 0": [((0, 2), 0), ((2, 4), 0), ((11, 15), 0)],
        "link 0->1": [((5, 9), 0)],
        "link 1->0": [((11, 15), 0)],
        "port into chiplet 0": [((0, 2), 0), ((2, 4), 0)],
        "port out of chiplet 0": [((5, 9), 0)],
        "port into chiplet 1": [((5, 9), 0)],
        "port out of chiplet 1": [((11, 15), 0)],
    }


def test_curves_are_what_l2_holds(made: Any) -> None:
    """On 0: 8 of weights from 0 on; ws 10 and u 4 in 2–5; u until 9. On 1: u, ws 6."""
    p, _, found = made
    ticks, shares = gantt.l2_curves(p, found)["L2 of chiplet 0"]
    assert ticks == [0, 0, 2, 5, 9, 15, 15]
    assert [round(22 * x / 100) for x in shares] == [0, 8, 22, 12, 8, 0, 0]
    ticks, shares = gantt.l2_curves(p, found)["L2 of chiplet 1"]
    assert ticks == [0, 5, 11, 15, 15]
    assert [round(22 * x / 100) for x in shares] == [0, 4, 10, 0, 0]


@pytest.mark.parametrize("kind", FORMATS)
def test_equal_schedules_give_equal_figures(made: Any, kind: str) -> None:
    drawn = [rendered(gantt.drawing(*made), kind) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) > 5000


def test_show_draws_a_figure(chipsched: Any, scenario: Path, tmp_path: Path) -> None:
    out, figure = tmp_path / "c.json", tmp_path / "f.svg"
    chipsched("solve", scenario, "--workers", 1, "--out", out)
    code, text, _ = chipsched("show", out, "--figure", figure)
    assert code == 0
    assert "makespan" in text
    assert b"<svg" in figure.read_bytes()
    args = ("--workers", 1, "--kind", "pipelined", "--out", out)
    chipsched("solve", scenario, *args)
    code, text, err = chipsched("show", out, "--figure", tmp_path / "g.svg")
    assert (code, text) == (1, "")
    assert "pipelined schedules have none" in err
    code, text, err = chipsched("show", scenario, "--figure", tmp_path / "g.svg")
    assert (code, text) == (1, "")
    assert "goes with a certificate" in err
    assert not (tmp_path / "g.svg").exists()


def test_what_takes_no_time_is_shown(chipsched: Any, tmp_path: Path) -> None:
    """Without work, contention and latencies the makespan is 0."""
    path, out = tmp_path / "nothing.json", tmp_path / "c.json"
    options = {"kind": "timed", "timed": {"weights": "preloaded"}}
    free = {"bandwidth_gb_s": None, "latency_ns": 0}
    package = {"dram": free, "port": None, "link": {**LINK, "bandwidth_gb_s": None}}
    costs = cost_rows(a=(0, 5, 10), b=(0, 7, 6))
    given = instance(options=options, package=package, costs=costs)
    path.write_text(to_canonical_json(given))
    code, text, _ = chipsched("solve", path, "--workers", 1, "--out", out)
    assert code == 0
    assert "makespan     0 ticks" in text
    code, text, _ = chipsched("show", out, "--figure", tmp_path / "f.png")
    assert code == 0
    assert "  0  –  0  m: a" in text


def test_covered_ticks() -> None:
    assert covered([(4, 9), (0, 2), (5, 6), (8, 10), (10, 10)]) == 8


def test_ctrl_c_keeps_the_best_schedule(chipsched: Any, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    args = ["solve", "headline-timed", "--time-limit", "0", "--json", "--out", str(out)]
    with subprocess.Popen(
        [*COMMAND, *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        watchdog = threading.Timer(90, process.kill)
        watchdog.start()
        assert process.stderr is not None
        assert any("best 2 " in line for line in process.stderr)
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        text, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    answer = json.loads(text)
    assert (answer["status"], answer["claim"]) == ("feasible", "bounded")
    assert answer["why_stopped"] == "interrupted"
    assert chipsched("check", out)[0] == 0


def test_what_contradicts_itself_is_kept_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepared = prepare(instance(options={"kind": "timed"}))
    limits = Limits(workers=1)
    best = schedule(prepared.problem)
    with (
        pytest.raises(DisagreementError, match=r"results\.evidence"),
        prepared.kept(("makespan",), "cpsat", limits),
    ):
        raise DisagreementError("two engines", best)
    (path,) = tmp_path.glob("failure-*.json")
    lines, again = replay(read(path))
    assert not again
    assert lines[1] == "schedule: 15 ticks, 12 quanta, no rule broken"
    assert lines[2] == "now: optimal-1, (6,), bound (6,)"

"""The command from outside: exit codes, outputs, errors, start-up, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import results.run
from formulation.checker import Verdict
from results.cli import cli

ROOT = Path(__file__).parent.parent.parent
TINY = ROOT / "tests" / "tiny"
COMMAND = [sys.executable, "-m", "results.cli"]
KEYS = (
    "status",
    "claim",
    "engine",
    "objective",
    "value",
    "bound",
    "gap",
    "period_ticks",
    "tick_ps",
    "energy_pj",
    "seconds",
    "schedule",
    "certificate",
    "why_stopped",
    "runs",
    "throughput_per_s",
    "latency_ticks",
    "explain",
    "max_stage",
)


def solved(chipsched: Any, *args: object) -> dict[str, Any]:
    _, out, _ = chipsched("solve", *args, "--json")
    return json.loads(out)  # type: ignore[no-any-return]


# What the start of the command loads


def test_help_loads_nothing_heavy() -> None:
    code = "import sys\nfrom results.cli import main\ntry:\n    main(['--help'])\n"
    code += "except SystemExit:\n    sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    heavy = {"pandas", "ortools", "pulp", "highspy", "numpy", "rich", "yaml"}
    assert not loaded & heavy
    assert "solve" in done.stdout


def test_help_takes_less_than_0_3_s_of_processor_time() -> None:
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, "--help"], capture_output=True, cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        )
    assert min(times) < 0.3


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_every_command_has_help(chipsched: Any, command: str) -> None:
    code, out, err = chipsched(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert "Usage: chipsched" in out


# Exit codes


def test_0_is_proven_optimal(chipsched: Any) -> None:
    # One chiplet, layers of 3 and 4 ticks: T = 7.
    code, out, _ = chipsched("solve", TINY / "compute.yaml")
    assert code == 0
    # T ≥ (3 + 4)/1 is a row of the relaxation, too.
    assert "certified: the checker recomputes" in out
    assert "7 ticks, gap 0 %, recomputed" in out
    assert "7 ticks" in out


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("fly",),
        ("solve",),
        ("solve", "headline", "--engine", "gurobi"),
        ("solve", "headline", "--gap", "two"),
        ("solve", "headline", "--gap", "1/0"),
        ("solve", "headline", "--gap", "-1%"),
        ("solve", "headline", "--time-limit", "-1"),
        ("solve", "headline", "--workers", "0"),
        ("solve", "headline", "--latency-cap", "gpt2"),
        ("solve", "headline", "--latency-cap", "nobody=5"),
        ("solve", "headline", "--energy-cap", "much"),
        ("solve", "headline", "--energy-cap", "-1"),
        ("solve", "haedline"),
        ("solve", "no/such.yaml"),
        ("check", "no/such.json"),
        ("check", str(TINY / "compute.yaml")),
        ("show", "nothing"),
        ("cost", "nothing"),
        ("headline", "--scenario", "nothing"),
    ],
)
def test_1_is_bad_usage_or_input(chipsched: Any, args: tuple[str, ...]) -> None:
    code, out, err = chipsched(*args)
    if args:
        assert code == 1
        assert out == ""
        assert err.startswith(("Error:", "Usage:"))
    else:
        assert code in (0, 1)  # click's choice: the help
    assert "Traceback" not in err


def test_all_faults_of_a_file_are_told_at_once(chipsched: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    text = (TINY / "compute.yaml").read_text()
    bad.write_text(text.replace("tick_ps: 1000", "tick_ps: 0\nnonsense: 1"))
    code, _, err = chipsched("solve", bad)
    assert code == 1
    assert "tick_ps" in err
    assert "nonsense" in err


def test_2_is_proved_infeasible(chipsched: Any, tmp_path: Path) -> None:
    args = ("solve", TINY / "compute.yaml", "--period-cap", 6)
    code, out, _ = chipsched(*args)
    assert code == 2
    assert "there is no schedule" in out
    path = tmp_path / "c.json"
    code, out, _ = chipsched(*args, "--json", "--out", path)
    assert code == 2
    answer = json.loads(out)
    assert answer["claim"] == "infeasible"
    assert "period_cap" in answer["clashing"]
    for key in ("value", "gap", "period_ticks", "energy_pj", "schedule"):
        assert answer[key] is None
    code, out, _ = chipsched("check", path)
    assert code == 0
    assert "cannot be replayed" in out


def test_3_is_stopped_at_a_limit(chipsched: Any) -> None:
    code, out, _ = chipsched("solve", "headline", "--time-limit", "0.01", "--json")
    assert code == 3
    answer = json.loads(out)
    assert answer["status"] in ("unknown", "feasible")
    assert answer["why_stopped"] == "time limit"
    if answer["status"] == "unknown":
        assert answer["value"] is answer["gap"] is answer["energy_pj"] is None


def refuse(certificate: dict[str, Any]) -> Verdict:
    return Verdict("optimal-1", ("compute: chiplet 0: 3 ticks",))


def test_4_is_refused_by_the_checker(
    chipsched: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.json"
    assert chipsched("solve", TINY / "compute.yaml", "--out", path)[0] == 0
    data = json.loads(path.read_text())
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps({**data, "value": [6]}))
    code, out, _ = chipsched("check", forged)
    assert code == 4
    assert "value of period: got 6, the schedule gives 7" in out
    code, out, _ = chipsched("show", forged)
    assert code == 4
    assert out.startswith("refused")
    # A solve whose own certificate is refused claims nothing and writes nothing.
    monkeypatch.setattr(results.run, "check", refuse)
    new = tmp_path / "new.json"
    code, out, err = chipsched("solve", TINY / "compute.yaml", "--out", new)
    assert (code, out) == (4, "")
    assert "compute: chiplet 0: 3 ticks" in err
    assert not new.exists()


# Outputs


def test_json_is_alone_on_stdout(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    answer = solved(chipsched, TINY / "compute.yaml", "--out", path)
    assert not [key for key in KEYS if key not in answer]
    assert answer["status"] == "optimal"
    assert answer["claim"] == "certified"
    assert answer["objective"] == "period"
    assert answer["value"] == answer["bound"] == answer["period_ticks"] == 7
    assert answer["gap"] == 0
    assert answer["tick_ps"] == 1000
    assert answer["certificate"] == str(path)
    assert answer["max_stage"] is None
    # One sample in 7 ns.
    assert answer["throughput_per_s"] == {"m": pytest.approx(1e9 / 7)}
    assert answer["explain"]["binding"] == [
        {"rule": "compute", "where": "chiplet 0", "ticks": 7}
    ]


def test_no_certificate_is_null(chipsched: Any) -> None:
    assert solved(chipsched, TINY / "compute.yaml")["certificate"] is None


def test_lexicographic_objective(chipsched: Any) -> None:
    answer = solved(
        chipsched, TINY / "quantity-energy.yaml", "--objective", "period,energy"
    )
    assert answer["objective"] == "period,energy"
    assert [p["quantity"] for p in answer["parts"]] == ["period", "energy"]
    assert [p["recomputed_gap"] for p in answer["parts"]] == [0, 0]
    assert answer["claim"] == "certified"


def test_both_engines(chipsched: Any) -> None:
    answer = solved(chipsched, TINY / "link.yaml", "--engine", "both")
    assert answer["claim"] == "certified"
    assert answer["engine"] == "cpsat+milp"
    assert [run["bound"] for run in answer["runs"]] == [[answer["value"]]] * 2


def test_caps_are_part_of_the_instance(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    scenario = TINY / "compute.yaml"
    args = ("--period-cap", 9, "--latency-cap", "m=9", "--energy-cap", "1e3")
    assert chipsched("solve", scenario, *args, "--out", path)[0] == 0
    options = json.loads(path.read_text())["instance"]["instance"]["options"]
    assert options["period_cap_ticks"] == 9
    assert options["latency_cap_ticks"] == {"m": 9}
    assert options["energy_cap_pj"] == 1000
    code, out, _ = chipsched("check", path, "--against", scenario)
    assert code == 4
    assert "instance_sha256" in out


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_text_keeps_to_the_terminal(
    chipsched: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    path = tmp_path / "c.json"
    texts = [
        chipsched("solve", TINY / "link.yaml", "--out", path)[1].replace(str(path), ""),
        chipsched("show", path)[1],
        chipsched("show", TINY / "link.yaml")[1],
    ]
    for text in texts:
        longest = max(len(line) for line in text.splitlines())
        assert longest <= max(48, min(80, columns))


def test_show_draws_every_load(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    chipsched("solve", TINY / "link.yaml", "--out", path)
    code, out, _ = chipsched("show", path)
    assert code == 0
    for word in (
        "compute chiplet 0",
        "link 0->1",
        "sram chiplet 1",
        "stage",
        "100.0 %",
    ):
        assert word in out


def test_cost_as_text_json_and_csv(chipsched: Any) -> None:
    code, text, _ = chipsched("cost", TINY / "compute.yaml")
    assert code == 0
    assert "m on k" in text
    code, out, _ = chipsched("cost", TINY / "compute.yaml", "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == 2
    code, out, _ = chipsched("cost", TINY / "compute.yaml", "--csv")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert out.startswith("model,layer,chiplet_type,mode,latency_ticks")


def test_check_as_json(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    chipsched("solve", TINY / "compute.yaml", "--out", path)
    scenario = TINY / "compute.yaml"
    code, out, _ = chipsched("check", path, "--against", scenario, "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["accepted"]
    assert answer["violations"] == []


def never(*args: object, **kwargs: object) -> None:
    raise AssertionError("solved before the output was looked at")


@pytest.mark.parametrize("out", ["no/such/folder/c.json", "."])
@pytest.mark.parametrize("command", [("solve", TINY / "link.yaml"), ("headline",)])
def test_an_unwritable_output_is_found_first(
    chipsched: Any, monkeypatch: pytest.MonkeyPatch, out: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(results.run, "solve", never)
    code, _, err = chipsched(*command, "--out", out)
    assert code == 1
    assert "--out" in err


def test_progress_is_plain_lines_off_a_terminal(chipsched: Any) -> None:
    _, _, err = chipsched("solve", TINY / "compute.yaml")
    assert "cpsat  period best 7  bound 7  gap 0 %" in err
    assert "\x1b" not in err


def test_progress_is_one_live_line_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "solve", str(TINY / "compute.yaml"), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "70"},
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert json.loads(done.stdout)["period_ticks"] == 7
    assert "best 7  bound 7" in shown
    assert "\x1b[2K" in shown  # the line is taken away again


# Ctrl-C


def start(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def wait_for_a_schedule(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    watchdog = threading.Timer(90, process.kill)
    watchdog.start()
    try:
        for line in process.stderr:
            if "best" in line and "best –" not in line:
                return
    finally:
        watchdog.cancel()
    pytest.fail("it ended without a schedule")


def test_ctrl_c_keeps_the_best_schedule(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    args = ("solve", "headline", "--time-limit", "0", "--json", "--out", str(path))
    with start(*args) as process:
        wait_for_a_schedule(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    answer = json.loads(out)
    assert answer["status"] == "feasible"
    assert answer["why_stopped"] == "interrupted"
    assert answer["period_ticks"] is not None
    assert chipsched("check", path)[0] == 0


HANGING = """
import sys, time
import results.run
from results.cli import main

def hang(*args, **kwargs):
    sys.stderr.write("started\\n")
    sys.stderr.flush()
    time.sleep(60)

results.run.solve_instance = hang
main(["solve", "headline-contiguous"])
"""


def test_a_second_ctrl_c_aborts() -> None:
    # Whatever the engine does; here it does not listen at all.
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "started" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    assert err.strip() == "aborted: nothing was written"


def test_a_closed_pipe_is_no_traceback() -> None:
    with start("cost", "headline", "--csv") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()

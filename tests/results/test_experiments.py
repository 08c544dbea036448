"""Grids, runs in processes of their own, and what is left of those that die."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from formulation.outcome import Progress
from instances.load import load_instance
from results.cli import main
from results.experiments.files import Kept
from results.experiments.grid import load_grid, matches
from results.experiments.point import GridError, Point, blank, job_of, point_of
from results.experiments.runner import Tables, plan, run_points
from results.experiments.synthetic import chain, synthetic
from results.experiments.watch import Estimate, PlainWatch, duration
from results.experiments.work import Trace, run
from results.record import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TINY = ROOT / "tests" / "tiny" / "compute.yaml"


def point(seed: int = 1, **changes: Any) -> Point:
    made = Point("study", "row", load_instance(TINY), "cpsat", seed=seed, workers=1)
    return replace(made, **{"seconds": (5.0,), **changes})


# Points and grids


def test_a_point_survives_the_way_to_its_process() -> None:
    one = point(about={"a": [1, None]}, evaluations=7, seconds=(1.5, None))
    assert point_of(json.loads(json.dumps(job_of(one)))) == one


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"method": "milp"},
        {"objective": ("energy",)},
        {"seconds": (6.0,)},
        {"evaluations": 3},
        {"workers": 2},
        {"study": "other"},
        {"variant": "other"},
    ],
)
def test_a_key_tells_everything_that_is_asked_for(changes: dict[str, Any]) -> None:
    assert point().key("table") == point().key("table")
    assert point(**changes).key("table") != point().key("table")
    assert point().key("other costs") != point().key("table")


def test_a_heuristic_in_a_file_is_known_by_its_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("1")
    source = grid(
        tmp_path,
        f"  a:\n    scenarios: ['{TINY}']\n    runs: [{{methods: [mine.py]}}]\n",
    )
    [one] = load_grid(source)
    assert (one.method, one.method_name) == (str(path), "mine")
    assert one.label == "a/compute/mine/period/1"
    before = one.key("table")
    path.write_text("2")
    assert one.key("table") != before


def grid(folder: Path, text: str) -> str:
    path = folder / "grid.yaml"
    path.write_text(f"schema: grid/1\nstudies:\n{text}")
    return str(path)


def test_a_grid_is_every_combination(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    source = grid(
        tmp_path,
        "  a:\n"
        "    scenarios: [tiny.yaml, headline-monolithic]\n"
        "    runs:\n"
        "      - {methods: [cpsat, milp], objectives: [period, 'energy,period'],"
        " seeds: [1, 2], seconds: 7}\n"
        "      - {methods: [cpsat+milp], seconds: [3, 4], workers: 1}\n"
        "  b:\n"
        "    scenarios: [nowhere]\n"
        "    runs: [{methods: [costs]}]\n",
    )
    points = load_grid(source, "a/")
    assert len(points) == 2 * (2 * 2 * 2 + 1)
    assert points[0].label == "a/tiny/cpsat/period/1"
    assert points[0].seconds == (7,)
    last = points[-1]
    assert last.label == "a/headline-monolithic/cpsat+milp/period/1"
    assert (last.seconds, last.workers, last.most_seconds) == ((3, 4), 1, 7)
    assert [x.seed for x in load_grid(source, "a/tiny/milp/energy")] == [1, 2]
    with pytest.raises(GridError, match=r"studies\.b: .*nowhere"):
        load_grid(source)


def test_all_faults_of_a_grid_are_told_at_once(tmp_path: Path) -> None:
    source = grid(
        tmp_path,
        "  a:\n"
        "    scenarios: []\n"
        "    variants: nonsense\n"
        "    runs:\n"
        "      - {methods: [cpsat, gurobi], seconds: 0, seeds: x, typo: 1}\n"
        "      - {methods: [cpsat], objectives: [beauty], workers: 0,"
        " seconds: [1, 2]}\n"
        "  b: 3\n",
    )
    with pytest.raises(GridError) as error:
        load_grid(source)
    text = str(error.value)
    for place in (
        "studies.a.scenarios:",
        "studies.a.variants: got 'nonsense'",
        "studies.a.runs[0].typo:",
        "studies.a.runs[0].methods[1]: got 'gurobi'",
        "studies.a.runs[0].seconds: got 0",
        "studies.a.runs[0].seeds:",
        "studies.a.runs[1].objectives[0]: got 'beauty'",
        "studies.a.runs[1].seconds: got [1, 2]",
        "studies.a.runs[1].workers: got 0",
        "studies.b: got 3",
    ):
        assert place in text
    assert all(line.startswith(source) for line in text.splitlines())


def test_runs_of_some_variants_only(tmp_path: Path) -> None:
    """A pattern that is no variant's is a fault; the others say which there are."""
    path = tmp_path / "grid.yaml"
    text = """
schema: grid/1
studies:
  a:
    scenarios: [headline-contiguous]
    variants: synthetic
    runs:
      - {methods: [cpsat], seconds: 600, only: [ONLY]}
"""
    path.write_text(text.replace("ONLY", "l12-c*-m1"))
    labels = [point.variant for point in load_grid(str(path))]
    assert labels == ["l12-c2-m1", "l12-c4-m1", "l12-c9-m1"]
    path.write_text(text.replace("ONLY", "l13*"))
    with pytest.raises(GridError, match=r"runs\[0\].only: got 'l13\*', .*l12-c2-m1"):
        load_grid(str(path))


def test_patterns_begin_a_label() -> None:
    assert matches("", "a/OW/WO/cpsat")
    assert matches("a", "a/OW/WO/cpsat")
    assert matches("a/OW/*/cpsat", "a/OW/WO/cpsat/period/1")
    assert not matches("b", "a/b")


def test_the_packaged_grid_serves_every_table() -> None:
    from results.paper import FIGURES, TABLES

    wanted = {study for study, _ in (*TABLES.values(), *FIGURES.values())}
    # What strengthenings are worth has a command of its own: `results.strength`.
    for study in sorted(wanted - {"gaps", "strength"}):
        assert load_grid("paper", f"{study}/"), study


def test_synthetic_sizes_are_what_they_say() -> None:
    rows = synthetic("headline-contiguous")
    assert len({row.label for row in rows}) == len(rows) == 36
    for row in rows[::7]:
        layers = sum(len(model.layers) for model in row.instance.models)
        assert layers == row.about["layers"]
        assert len(row.instance.models) == row.about["models"]
        assert len(row.instance.package.chiplets) == row.about["chiplets"]
        assert row.instance.options.contiguous
    assert chain("a", 3, 0)["layers"] != chain("a", 3, 1)["layers"]


# What a process does


def test_an_exact_run_tells_value_bound_trace_and_chiplets() -> None:
    one = point(method="cpsat+milp", seconds=(5.0, 5.0))
    told: list[Progress] = []
    line = run(one, told.append)
    # compute.yaml: two layers of 3 and 4 ticks on one chiplet.
    assert (line["value"], line["bound"], line["gap"]) == (7, 7, 0.0)
    assert line["claim"] == "certified"
    assert line["trace"][-1][1:] == [7, 7]
    assert told
    assert [x["engine"] for x in line["runs"]] == ["cpsat", "milp"]
    assert line["nodes"] == sum(x["nodes"] for x in line["runs"])
    [chiplet] = line["chiplets"]
    assert (chiplet["work_ticks"], chiplet["wait_ticks"], chiplet["layers"]) == (
        7,
        0,
        2,
    )
    assert line["key"] == one.key(line["table_sha256"])
    assert line["size"] == {
        **{"models": 1, "layers": 2, "tensors": 0, "chiplets": 1},
        "modes": 2,
    }


def test_waiting_for_dram_is_told_apart() -> None:
    line = run(point(instance=load_instance(TINY.parent / "sram.yaml")))
    [chiplet] = line["chiplets"]
    total = chiplet["work_ticks"] + chiplet["wait_ticks"]
    assert chiplet["wait_ticks"] > 0
    assert total == line["period_ticks"]


def test_the_energy_of_chiplets_adds_up() -> None:
    line = run(point(instance=load_instance(TINY.parent / "quantity-energy.yaml")))
    on_chiplets = sum(sum(x["energy_pj"].values()) for x in line["chiplets"])
    parts = line["energy_parts_pj"]
    assert on_chiplets > 0
    assert on_chiplets == pytest.approx(
        sum(parts[name] for name in ("mac", "l1", "l2", "noc", "chiplet"))
    )


def test_costs_and_fronts_are_runs_as_well() -> None:
    costs = run(point(method="costs"))
    assert [next(iter(x["kinds"].values()))[0] for x in costs["layers"]] == [3, 4]
    front = run(point(method="front", objective=("period", "energy")))
    assert front["claim"] == "complete"
    assert [x["period_ticks"] for x in front["front"]["points"]] == [7]


def test_a_trace_keeps_the_best_of_all_engines() -> None:
    trace = Trace("period", None)
    trace.take(0.0, 10, None)
    trace.take(1.0, 10, 4)
    trace.take(2.0, 12, 3)  # the next engine begins worse
    trace.take(3.0, 9, 9)
    assert trace.rows == [[0.0, 10, None], [1.0, 10, 4], [3.0, 9, 9]]
    trace(Progress("cpsat", "energy", 0.0, 1, 1))
    assert len(trace.rows) == 3


# Processes that live and die, stood in for by a script

STAND_IN = """
import json, os, signal, sys, time
job = json.loads(sys.stdin.readline())
def say(**what):
    sys.stdout.write(json.dumps(what) + "\\n")
    sys.stdout.flush()
say(news=dict(engine="cpsat", quantity="period", seconds=0.1, value=9, bound=1))
if job["seed"] == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if job["seed"] == 2:
    time.sleep(600)
if job["seed"] == 3:
    raise RuntimeError("no luck")
if job["seed"] == 7:
    import subprocess
    subprocess.Popen(["sleep", "600"])
    sys.exit(3)
if job["seed"] == 4:
    sys.stdout.write('{"line": {"st')
    sys.exit(0)
line = json.loads(os.environ["LINE"])
line["key"] = job["about"]["key"]
say(line=line)
"""


class Seen:
    def __init__(self) -> None:
        self.began_: list[str] = []
        self.news: list[Progress] = []
        self.lines: list[dict[str, Any]] = []
        self.first = threading.Event()

    def began(self, point: Point) -> None:
        self.began_.append(point.label)

    def moved(self, point: Point, news: Progress) -> None:
        self.news.append(news)
        self.first.set()

    def ended(self, point: Point, line: dict[str, Any]) -> None:
        self.lines.append(line)


def with_key(one: Point) -> Point:
    key = one.key(Tables().sha256(one.instance, one.max_modes))
    return replace(one, about={"key": key})


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Sequence[str]:
    script = folder / "worker.py"
    script.write_text(STAND_IN)
    done = {**blank(point(), ""), "status": "optimal", "claim": "optimal-1"}
    done |= {"value": 9, "bound": 9, "gap": 0.0, "seconds": 0.1}
    monkeypatch.setenv("LINE", json.dumps(done))
    return (sys.executable, str(script))


def test_what_dies_costs_its_own_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = stand_in(monkeypatch, tmp_path)
    points = [with_key(point(seed, seconds=(0.5,))) for seed in (1, 2, 3, 4, 7, 5)]
    kept, seen = Kept(tmp_path / "runs.jsonl"), Seen()
    lines = run_points(
        plan(points, kept),
        kept,
        seen,
        stop=threading.Event(),
        jobs=2,
        worker=worker,
        grace_seconds=1.0,
    )
    why = {line["limits"]["seed"]: line["why_stopped"] for line in lines[:5]}
    assert why == {
        1: "crashed: SIGKILL",
        2: "killed after 1.5 s",
        3: "crashed: RuntimeError: no luck",
        4: "crashed: exit code 0",
        7: "killed after 1.5 s",
    }
    assert lines[5]["status"] == "optimal"
    assert all(line["environment"]["cpus"] for line in lines[:5])
    assert len(seen.news) == 6
    again = Kept(tmp_path / "runs.jsonl")
    assert plan(points, again)[0].line == lines[0]
    # Failures are made again on request, and only they.
    left = [x for x in plan(points, again, retry=True) if x.line is None]
    assert [x.point.seed for x in left] == [1, 2, 3, 4, 7]
    seen = Seen()
    run_points(plan(points, again), again, seen, stop=threading.Event(), worker=worker)
    assert seen.began_ == []


def test_stopping_kills_what_runs_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = stand_in(monkeypatch, tmp_path)
    points = [with_key(point(seed)) for seed in (5, 2, 6)]
    kept, seen, stop = Kept(tmp_path / "runs.jsonl"), Seen(), threading.Event()

    def stop_at_the_second() -> None:
        while len(seen.news) < 2:
            time.sleep(0.02)
        stop.set()

    threading.Thread(target=stop_at_the_second, daemon=True).start()
    began = time.monotonic()
    lines = run_points(plan(points, kept), kept, seen, stop=stop, worker=worker)
    assert time.monotonic() - began < 30
    assert [line["status"] for line in lines] == ["optimal"]
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1


def test_a_worker_ends_with_whoever_waits_for_it() -> None:
    one = point(instance=load_instance("headline-contiguous"), seconds=(600.0,))
    worker = subprocess.Popen(
        [sys.executable, "-m", "results.experiments.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write((json.dumps(job_of(one)) + "\n").encode())
    worker.stdin.flush()
    worker.stdin.close()
    assert worker.wait(20) == 75
    worker.stdout.close()


HEURISTIC = """
from types import SimpleNamespace
import formulation.heuristics as module
from formulation.pipelined.schedule import Schedule

def run_heuristic(p, name, objective, budget, seed, report=None):
    assert (budget.evaluations, objective) == (4, ("period",))
    none = (None,) * len(p.tensors)
    s = Schedule((0, 0), (0, 0), (0, 0), (None, None), none)
    step = SimpleNamespace(evaluations=1, seconds=0.25, value=(7,))
    return SimpleNamespace(schedule=s, value=(7,), evaluations=1, seconds=0.5,
                           why_stopped="finished", trace=(step,), notes=("a note",))

module.Budget = lambda evaluations, seconds: SimpleNamespace(
    evaluations=evaluations, seconds=seconds)
module.run_heuristic = run_heuristic

if __name__ == "__main__":
    from results.experiments.worker import main
    main()
"""


def test_a_heuristic_is_valued_by_the_semantics(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{HEURISTIC}")
    kept, seen = Kept(None), Seen()
    one = point(method="annealing", evaluations=4)
    [line] = run_points(
        plan([one], kept),
        kept,
        seen,
        stop=threading.Event(),
        worker=(sys.executable, str(script)),
    )
    assert line["status"] == "feasible", line["why_stopped"]
    assert (line["value"], line["bound"], line["claim"]) == (7, None, "feasible")
    assert (line["evaluations"], line["notes"]) == (1, ["a note"])
    assert line["trace"] == [[0.25, 7, None]]
    assert line["chiplets"][0]["work_ticks"] == 7


# The command


def test_the_command_makes_every_run_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = grid(
        tmp_path,
        f"  a:\n    scenarios: ['{TINY}']\n"
        "    runs: [{methods: [cpsat, costs], seconds: 5, workers: 1}]\n",
    )

    def call(*args: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["experiments", source, *map(str, args)])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    folder = tmp_path / "runs"
    folder.mkdir()
    code, out, err = call("--out", folder, "--jobs", 2)
    assert code == 0, err
    assert "2 of 2 runs are in" in out
    assert "a/compute/cpsat/period/1: period 7, certified" in err
    assert "2 of 2 runs" in err
    file = folder / "a.jsonl"
    before = file.read_bytes()
    assert len(before.splitlines()) == 2
    code, _, err = call("--out", folder)
    assert (code, file.read_bytes()) == (0, before)
    assert "2 on file; 0 of 0 runs" in err
    # A line that was cut off by a crash is made again.
    file.write_bytes(before[:-20])
    code, _, err = call("--out", folder)
    assert code == 0
    assert "1 on file; 0 of 1 runs" in err
    assert len(file.read_bytes().splitlines()) == 2
    code, _, err = call("--only", "nonsense")
    assert code == 1
    assert "matches no run" in err


def test_ctrl_c_leaves_what_is_done(tmp_path: Path) -> None:
    source = grid(
        tmp_path,
        f"  a:\n    scenarios: ['{TINY}', headline]\n"
        "    runs: [{methods: [cpsat], seconds: 500, workers: 1}]\n",
    )
    out = tmp_path / "runs.jsonl"
    command = [sys.executable, "-m", "results.cli", "experiments", source]
    process = subprocess.Popen(
        [*command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    for text in process.stderr:
        if "a/compute/cpsat" in text:
            break
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "1 of 2 runs are in" in said
    [line] = out.read_text().splitlines()
    assert json.loads(line)["variant"] == "compute"


# Progress


def test_times_for_people() -> None:
    assert duration(45) == "45 s"
    assert duration(600) == "10 min"
    assert duration(3 * 3600 + 20 * 60) == "3 h 20 min"


def test_the_estimate_learns_from_what_has_ended(tmp_path: Path) -> None:
    points = [point(seed, seconds=(100.0,)) for seed in (1, 2, 3)]
    planned = plan(points, Kept(None))
    estimate = Estimate(planned, jobs=1)
    assert estimate.seconds() == 3 * 102
    done = {**blank(points[0], "k"), "status": "optimal", "seconds": 0.0}
    stream = io.StringIO()
    watch = PlainWatch(stream, estimate)
    watch.ended(points[0], {**done, "value": 1234567, "gap": 0.5})
    # (1 + 0)/2 of each limit is left to expect.
    assert estimate.seconds() == 2 * 52
    failed = {**blank(points[1], "k"), "why_stopped": "crashed: SIGKILL"}
    watch.ended(points[1], failed)
    first, second = stream.getvalue().splitlines()
    assert "period 1 234 567, unknown, gap 50 %, 0.0 s; 1 of 3 runs" in first
    assert "crashed: SIGKILL; 2 of 3 runs, 1 failed, about 52 s left" in second

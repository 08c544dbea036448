"""The comparisons from end to end on a small workload, and the README's example."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from formulation.checker import Verdict
from formulation.outcome import Limits
from instances.load import load_instance
from results import headline, modes
from results.bench import sizes, table
from results.cli import main
from results.compare import RefusedError, in_turn
from results.experiments.point import Point, job_of, point_of
from results.experiments.work import run
from results.headline import MONOLITHIC
from results.record import ROOT, Runs
from results.run import prepare
from results.sensitivity import MIX, variants
from results.tables import modes as modes_table
from results.tables.table import markdown

if TYPE_CHECKING:
    from pathlib import Path

SMALL = """
schema: instance/1
name: small
package: {base: 2x2, name: small, chiplets: [nvdla, shidiannao, shidiannao, nvdla]}
models:
  - name: m
    layers:
      - {name: a, op: gemm, bounds: {k: 512, c: 512, oy: 64}}
      - {name: b, op: gemm, bounds: {k: 512, c: 512, oy: 64}}
    tensors:
      - {name: x, consumers: [a], bytes: 32768}
      - {name: u, producer: a, consumers: [b], bytes: 32768}
      - {name: y, producer: b, consumers: [], bytes: 32768}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def call(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_the_headline_command_solves_every_row_once(
    small: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Three rows of eleven; that there are eleven is tested beside the symmetries.
    every = headline.variants
    monkeypatch.setattr(headline, "variants", lambda scenario: every(scenario)[:3])
    runs = tmp_path / "runs.jsonl"
    args = ("headline", "--scenario", small, "--milp-limit", 0, "--out", runs)
    code, out, err = call(capsys, *args, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert len(answer["rows"]) == 3
    die = answer["rows"][0]
    assert die["variant"] == MONOLITHIC
    assert die["throughput_gain"] == die["energy_gain"] == 1
    assert answer["paper"]["throughput_gain"] == 2.2
    for row in answer["rows"]:
        assert row["claim"] == "certified"
        assert row["facts"]["total_pes"] == 16384
        assert row["facts"]["dram_total_gb_s"] == 64
    assert len(Runs(runs).lines) == 3
    before = runs.read_bytes()
    code, out, err = call(capsys, *args)
    assert code == 0, err
    assert "3 on file; 0 of 0 runs" in err
    assert runs.read_bytes() == before
    assert "WW/WW" in out
    assert "16 mixes fall into 10 classes" in " ".join(out.split())


def test_a_file_that_is_no_runs_is_bad_input(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(capsys, "headline", "--scenario", small, "--out", small)
    assert code == 1
    assert "small.yaml:2: not JSON" in err
    assert small.read_text() == SMALL


def test_both_engines_are_joined_row_by_row(small: Path) -> None:
    limits = Limits(seconds=20.0, workers=1)
    prepared = prepare(load_instance(small))
    solved = in_turn(prepared, ("period",), [("cpsat", limits), ("milp", limits)])
    assert [run.engine for run in solved.outcome.runs] == ["cpsat", "milp"]
    assert all(run.bound == solved.outcome.value for run in solved.outcome.runs)
    assert all(run.nodes is not None for run in solved.outcome.runs)
    assert solved.outcome.claim == "certified"
    assert solved.verdict.accepted


def test_a_refused_answer_stops_a_run(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Verdict("optimal-1", ("sram: chiplet 0: 1 bytes",))
    monkeypatch.setattr("results.run.check", lambda certificate: refused)
    prepared = prepare(load_instance(small))
    with pytest.raises(RefusedError, match="sram: chiplet 0: 1 bytes"):
        in_turn(prepared, ("period",), [("cpsat", Limits(workers=1))])


def test_sensitivity_compares_the_die_with_the_mix() -> None:
    rows = [row for row in variants() if row.about["name"] == "that of one chiplet"]
    assert [row.about["side"] for row in rows] == [MONOLITHIC, MIX]
    [kind] = rows[0].instance.package.types.values()
    assert kind.noc_bytes_per_cycle == 256


def test_the_benchmark_prints_sizes_and_ratios(small: Path) -> None:
    found = sizes(prepare(load_instance(small)))
    assert found["layers"] == 2
    assert found["CP-SAT variables"] > 0
    row = {
        "scenario": "s",
        "engine": "cpsat",
        "period": 10,
        "bound": 9,
        "gap": 0.1,
        "seconds": 2.0,
        "stopped": "gap",
        "notes": ["a note"],
    }
    none = {**row, "engine": "milp", "period": None, "gap": None, "seconds": 5.0}
    lines = table([row, none], 80)
    assert "10 %" in lines[1]
    assert "2.5" in lines[2]
    assert "a note" in lines[3]


def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    tiny = str(ROOT / "tests" / "tiny" / "compute.yaml")
    assert code.count('"headline-contiguous"') == 1
    exec(code.replace("headline-contiguous", tiny), {})


def test_modes_are_compared_on_less_and_less_l2(small: Path) -> None:
    """Fewer modes are some of more modes, so that more never cost anything."""
    rows = modes.variants(str(small))
    assert len(rows) == len({row.label for row in rows}) == 9
    l2_bytes = [row.about["l2_bytes"] for row in rows]
    assert l2_bytes == [10 << 20] * 3 + [5 << 20] * 3 + [5 << 19] * 3
    assert [row.max_modes for row in rows] == [1, 2, 4] * 3
    tight = [modes.with_share(rows[0].instance, 32)] * 3
    values, counts = [], []
    for most, instance in zip((1, 2, 4), tight, strict=True):
        point = Point("modes", "v", instance, "cpsat", ("energy",), max_modes=most)
        assert point_of(job_of(point)) == point
        line = run(point)
        assert line["status"] == "optimal"
        values.append(line["value"])
        counts.append(line["size"]["modes"])
    assert values == sorted(values, reverse=True)
    assert counts == sorted(counts)
    assert counts[0] == 4 < counts[2]


def test_the_table_of_modes_names_what_is_missing() -> None:
    one = {
        "about": {"l2_bytes": 1 << 20, "max_modes": 2},
        "objective": "energy",
        "size": {"modes": 1234},
        "status": "feasible",
        "claim": "feasible",
        "period_ticks": 7,
        "energy_pj": 1.5e9,
        "value": 150,
        "bound": 140,
        "gap": 1 / 15,
        "seconds": 3.21,
        "why_stopped": "time limit",
        "instance_sha256": "a",
        "table_sha256": "b",
    }
    nothing = dict.fromkeys(("period_ticks", "energy_pj", "value", "gap"))
    none = {**one, **nothing, "about": {**one["about"], "max_modes": 4}}
    made = modes_table.table([one, none])
    first, second = markdown(made).splitlines()[2:]
    assert first.split(" | ")[:4] == ["| 1 048 576", "2", "1 234", "not run"]
    assert first.endswith("| 1 500 | 6.67 % | 3.2 |")
    assert second.endswith("| time limit | time limit | 3.2 |")

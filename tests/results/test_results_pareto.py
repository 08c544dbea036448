"""`chipsched pareto`, and `solve` with objectives that are branched on."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from formulation.pareto import InMemory, Step, front
from instances.load import load_instance, to_canonical_json
from results.figures import front as picture
from results.figures.style import FORMATS, save
from results.front import StepFile, as_json, header_of
from results.record import RecordError
from tests import oracle_front
from tests.support import LIMITS, problem_of, tiny

if TYPE_CHECKING:
    from pathlib import Path

SEED = 37  # a front of eight points


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.json"
    path.write_text(to_canonical_json(oracle_front.traded(tiny(SEED).instance, SEED)))
    return path


def expected() -> list[tuple[int, int]]:
    return oracle_front.front(oracle_front.traded(tiny(SEED).instance, SEED))


def test_the_front_as_json_and_csv(
    scenario: Path, tmp_path: Path, chipsched: Any
) -> None:
    table = tmp_path / "front.csv"
    code, out, _ = chipsched("pareto", scenario, "--json", "--csv", table)
    assert code == 0
    answer = json.loads(out)
    assert answer["status"] == "complete"
    assert answer["boxes"] == []
    pairs = [(x["period_ticks"], x["energy_quanta"]) for x in answer["points"]]
    assert pairs == expected()
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(int(r["period_ticks"]), int(r["energy_quanta"])) for r in rows] == pairs
    assert [int(r["edp"]) for r in rows] == [t * e for t, e in pairs]
    assert {r["proved"] for r in rows} == {"True"}


def test_text_names_the_least_edp(scenario: Path, chipsched: Any) -> None:
    code, out, _ = chipsched("pareto", scenario)
    assert code == 0
    assert "complete" in out
    [line] = [line for line in out.splitlines() if line.endswith("least")]
    best = min(expected(), key=lambda q: q[0] * q[1])
    assert int(line.split()[0]) == best[0]


def test_a_rerun_solves_only_what_is_missing(
    scenario: Path, tmp_path: Path, chipsched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "steps.jsonl"
    _, whole, _ = chipsched("pareto", scenario, "--json", "--out", file)
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) > 6
    # A crash: three steps are there, the fourth is cut off.
    file.write_text("".join(lines[:4]) + lines[4][:30])
    code, out, _ = chipsched("pareto", scenario, "--json", "--out", file)
    assert code == 0
    assert json.loads(out)["points"] == json.loads(whole)["points"]
    assert file.read_text().splitlines(keepends=True)[:4] == lines[:4]
    kept = file.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing was left to solve")

    monkeypatch.setattr("formulation.pareto.solve", refuse)
    code, out, _ = chipsched("pareto", scenario, "--json", "--out", file)
    assert code == 0
    assert json.loads(out)["points"] == json.loads(whole)["points"]
    assert file.read_bytes() == kept


def test_steps_of_something_else_are_refused(
    scenario: Path, tmp_path: Path, chipsched: Any
) -> None:
    file = tmp_path / "steps.jsonl"
    chipsched("pareto", scenario, "--out", file)
    before = file.read_bytes()
    code, out, err = chipsched("pareto", "tests/tiny/link.yaml", "--out", file)
    assert (code, out) == (1, "")
    for key in ("scenario", "instance_sha256", "table_sha256"):
        assert f":1: {key}: got" in err
    code, _, err = chipsched("pareto", scenario, "--engine", "milp", "--out", file)
    assert code == 1
    assert "engine" in err
    assert file.read_bytes() == before


@pytest.mark.parametrize("line", ["{", "[]", '{"cap": 1}'])
def test_a_damaged_file_is_refused(line: str, tmp_path: Path) -> None:
    problem = tiny(0).problem
    file = tmp_path / "steps.jsonl"
    StepFile(file, header_of(problem, "cpsat"))
    with file.open("a") as more:
        more.write(line + "\n")
    with pytest.raises(RecordError, match=":2: "):
        StepFile(file, header_of(problem, "cpsat"))


def test_a_forged_step_is_noticed(
    scenario: Path, tmp_path: Path, chipsched: Any
) -> None:
    """A bound above a schedule that is on file contradicts it."""
    file = tmp_path / "steps.jsonl"
    chipsched("pareto", scenario, "--out", file)
    lines = file.read_text().splitlines()
    step = json.loads(lines[2])
    step["bound"][0] += 1
    file.write_text("\n".join([*lines[:2], json.dumps(step), *lines[3:]]) + "\n")
    code, _, err = chipsched("pareto", scenario, "--out", file)
    assert code == 4
    assert "does not stand" in err


def test_2_is_infeasible(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text(to_canonical_json(tiny(2).instance))
    code, out, _ = chipsched("pareto", path)
    assert code == 2
    assert "infeasible" in out


def test_without_matplotlib_one_sentence_says_what_to_do(
    scenario: Path, tmp_path: Path, chipsched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = chipsched("pareto", scenario, "--figure", tmp_path / "f.pdf")
    assert (code, out) == (1, "")
    assert "chipsched[figures]" in err


def test_a_figure_of_no_known_format(
    scenario: Path, tmp_path: Path, chipsched: Any
) -> None:
    code, _, err = chipsched("pareto", scenario, "--figure", tmp_path / "f.gif")
    assert code == 1
    assert ".svg" in err


def partial_front() -> tuple[Any, Any]:
    """Return a problem and its front after the first two steps."""
    problem = problem_of(oracle_front.traded(tiny(SEED).instance, SEED))
    whole, part, stop = InMemory(), InMemory(), Event()
    front(problem, "cpsat", LIMITS, steps=whole)
    part.steps = whole.steps[:2]
    stop.set()
    return problem, front(problem, "cpsat", replace(LIMITS, stop=stop), steps=part)


def test_the_outline_holds_the_whole_front() -> None:
    periods, low, high = picture.outline(as_json(*partial_front()))
    assert periods == sorted(periods)
    assert len(periods) == len(low) == len(high)
    assert any(a < b for a, b in zip(low, high, strict=True))
    for t, e in expected():
        at = max(n for n, x in enumerate(periods) if x <= t)
        assert low[at] <= e <= high[at]


@pytest.mark.parametrize("kind", FORMATS)
def test_equal_fronts_give_equal_figures(kind: str, tmp_path: Path) -> None:
    found = as_json(*partial_front())
    files = [tmp_path / f"{name}{kind}" for name in ("one", "two")]
    for file in files:
        save(picture.drawing(found, "a front"), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].stat().st_size > 1000


@pytest.mark.parametrize("objective", ["edp", "latency", "2*period+energy,period"])
def test_solve_writes_a_certificate_that_the_checker_accepts(
    objective: str, scenario: Path, tmp_path: Path, chipsched: Any
) -> None:
    file = tmp_path / "certificate.json"
    code, out, _ = chipsched("solve", scenario, "--objective", objective, "--out", file)
    assert code == 0
    assert f"{objective.partition(',')[0]} ≥" in out
    assert chipsched("check", file)[0] == 0
    data = json.loads(file.read_text())
    for key in ("value", "bound"):
        forged = {**data, key: [data[key][0] - 1, *data[key][1:]]}
        file.write_text(json.dumps(forged))
        code, out, _ = chipsched("check", file)
        assert code == 4
        assert any(
            line.startswith("violated") and key in line for line in out.splitlines()
        )


def test_a_model_that_is_not_there(scenario: Path, chipsched: Any) -> None:
    code, _, err = chipsched("solve", scenario, "--objective", "latency:no")
    assert code == 1
    assert "no model 'no'" in err


def test_steps_are_plain_data(tmp_path: Path) -> None:
    instance = load_instance("tests/tiny/link.yaml")
    problem = problem_of(instance)
    file = StepFile(tmp_path / "steps.jsonl", header_of(problem, "cpsat"))
    found = front(problem, "cpsat", LIMITS, steps=file)
    again = StepFile(tmp_path / "steps.jsonl", header_of(problem, "cpsat"))
    assert again.known() == file.known()
    assert all(isinstance(step, Step) for step in again.known())
    assert found.status == "complete"

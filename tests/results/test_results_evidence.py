"""Engines that contradict each other fail loudly and leave what a replay needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import formulation.pipelined.milp
from formulation.checker import Verdict
from formulation.outcome import Answer, DisagreementError, Limits
from instances.load import load_instance
from results.cli import main
from results.compare import in_turn
from results.evidence import RefusedError, read, replay
from results.evidence import main as evidence
from results.record import RecordError
from results.run import prepare, solve_instance

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIO = Path(__file__).parent.parent / "tiny" / "sram.yaml"
TRUE = formulation.pipelined.milp.minimise


def wrong_proof(*args: Any, **options: Any) -> Answer[Any]:
    """Say that there is no schedule."""
    return replace(
        TRUE(*args, **options), schedule=None, value=None, bound=None, infeasible=True
    )


def wrong_bound(*args: Any, **options: Any) -> Answer[Any]:
    """Prove one tick more than there is, and give no schedule."""
    answer = TRUE(*args, **options)
    assert answer.bound is not None
    return replace(answer, schedule=None, value=None, bound=answer.bound + 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only_file(folder: Path) -> Path:
    [path] = folder.glob("failure-*.json")
    return path


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(wrong_proof, "proved infeasible"), (wrong_bound, "above a value")],
)
def test_a_planted_disagreement_is_kept_and_replayed(
    wrong: Callable[..., Any],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    instance = load_instance(SCENARIO)
    asked: Any = {"objective": ("period",), "engine": "both"}
    limits = Limits(workers=1, deterministic=5.0)
    right = solve_instance(instance, limits=limits, **asked)
    monkeypatch.setattr(formulation.pipelined.milp, "minimise", wrong)
    with pytest.raises(DisagreementError, match=said) as raised:
        solve_instance(instance, limits=limits, **asked)
    path = only_file(folder)
    assert f"python -m results.evidence {path.name}" in str(raised.value)
    data = read(path)
    assert data["schedule"] == right.certificate["schedule"]
    assert data["instance"] == right.certificate["instance"]
    assert data["table"] == right.certificate["table"]
    assert data["limits"]["seed"] == 1
    assert data["environment"]["packages"]["ortools"]
    lines, again = replay(data)
    assert again
    assert lines[1] == f"schedule: {right.outcome.value[0]} ticks, " + (
        f"{right.certificate['energy_quanta']} quanta, no rule broken"
    )
    assert said in lines[2]
    with pytest.raises(SystemExit) as stop:
        evidence([str(path)])
    assert stop.value.code == 4
    assert said in capsys.readouterr().out
    monkeypatch.setattr(formulation.pipelined.milp, "minimise", TRUE)
    lines, again = replay(data)
    assert not again
    assert lines[2].startswith("now: ")
    assert str(right.outcome.value[0]) in lines[2]


def test_the_command_says_where_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(formulation.pipelined.milp, "minimise", wrong_proof)
    with pytest.raises(SystemExit) as stop:
        main(["solve", str(SCENARIO), "--engine", "both", "--out", "c.json"])
    assert stop.value.code == 4
    said = capsys.readouterr().err
    assert "the answer does not stand" in said
    assert f"python -m results.evidence {only_file(folder).name}" in said
    assert not (folder / "c.json").exists()


def test_a_study_and_a_front_keep_theirs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(formulation.pipelined.milp, "minimise", wrong_proof)
    engines = [("cpsat", Limits(workers=1)), ("milp", Limits(workers=1))]
    with pytest.raises(DisagreementError):
        in_turn(prepare(load_instance(SCENARIO)), ("period",), engines)
    study = only_file(folder)
    assert read(study)["engine"] == "both"
    study.unlink()
    with pytest.raises(SystemExit) as stop:
        main(["pareto", str(SCENARIO), "--engine", "both"])
    assert stop.value.code == 4
    data = read(only_file(folder))
    assert data["objective"] == ["front"]
    assert replay(data)[1]
    monkeypatch.setattr(formulation.pipelined.milp, "minimise", TRUE)
    lines, again = replay(data)
    assert not again
    assert "a front of" in lines[-1]


def test_a_refused_answer_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Verdict("optimal-1", ("sram: chiplet 0: 1 bytes",))
    monkeypatch.setattr("results.run.check", lambda certificate: refused)
    with pytest.raises(RefusedError, match="sram: chiplet 0: 1 bytes"):
        solve_instance(
            load_instance(SCENARIO),
            objective=("period",),
            engine="cpsat",
            limits=Limits(workers=1),
        )
    data = read(only_file(folder))
    assert data["error"] == "RefusedError"
    assert data["schedule"]


def test_other_files_are_refused(folder: Path) -> None:
    for text in ("{", "[]", '{"schema": "run/1"}', '{"schema": "failure/1"}'):
        path = folder / "file.json"
        path.write_text(text)
        with pytest.raises(RecordError, match=r"file\.json"):
            read(path)

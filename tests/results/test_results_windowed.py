"""Windowed schedules from outside: solve, check, show, compare, JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAME = "tiny-windowed"
ONE = ("--workers", 1)


def test_solve_check_and_show(chipsched: Any, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    args = (NAME, "--engine", "both", "--out", out, "--json", *ONE)
    code, text, _ = chipsched("solve", *args)
    assert code == 0
    answer = json.loads(text)
    assert answer["kind"] == "windowed"
    assert answer["claim"] in ("optimal-2", "certified")
    assert sum(answer["window_ticks"]) == answer["makespan_ticks"]
    assert max(answer["latency_ticks"].values()) == answer["makespan_ticks"]
    bound = max(answer["explain"]["bounds"].values())
    assert bound <= answer["parts"][0]["recomputed_bound"] <= answer["makespan_ticks"]
    code, text, _ = chipsched("check", out, "--against", NAME)
    assert code == 0
    assert f"a makespan of {answer['makespan_ticks']} ticks" in text
    code, text, _ = chipsched("show", out)
    assert code == 0
    assert "window 0  " in text
    assert "of 6 mini-batches at a time" in text
    assert "    chiplet 0  " in text
    assert "at most 3" in text
    data = json.loads(out.read_text())
    data["schedule"]["layers"]["s/d"]["window"] = 4
    out.write_text(json.dumps(data))
    assert chipsched("check", out)[0] == 4
    assert chipsched("show", out)[0] == 4


def test_compare(chipsched: Any) -> None:
    code, text, _ = chipsched("compare", NAME, "--evaluations", 9, "--json", *ONE)
    assert code == 0
    answer = json.loads(text)
    [row] = answer["rows"]
    assert (row["name"], row["valid"]) == ("standalone", True)
    assert row["value"] >= answer["proof"]["value"]
    assert {entry["window"] for entry in row["schedule"]["layers"].values()} == {0}


def test_the_kind_of_another_scenario(chipsched: Any) -> None:
    """Every model whole on a chiplet meets the bound: the longest one needs that."""
    args = ("sc1-3x3", "--kind", "windowed", "--json", *ONE)
    code, text, _ = chipsched("solve", *args)
    assert code == 0
    answer = json.loads(text)
    assert answer["claim"] == "certified"
    assert answer["parts"][0]["value"] == answer["parts"][0]["bound"] == 33632456
    assert len(answer["window_ticks"]) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--objective", "period"), "'period' is none of makespan"),
        (("--engine", "milp"), "windowed schedules have cpsat and dp"),
        (("--period-cap", "3"), "windowed schedules have no period"),
        (("--start", "genetic"), "no heuristic 'genetic': there are standalone"),
    ],
)
def test_what_is_not_of_the_kind_is_refused(
    chipsched: Any, args: tuple[str, ...], said: str
) -> None:
    code, out, err = chipsched("solve", NAME, *args)
    assert (code, out) == (1, "")
    assert said in err
    assert "Traceback" not in err

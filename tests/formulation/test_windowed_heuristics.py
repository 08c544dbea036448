"""Heuristics for windowed schedules: first fit, whole models, models that are cut."""

from __future__ import annotations

from typing import Any

import pytest

from formulation.heuristics import Budget, run_heuristic
from formulation.windowed.heuristics import Search
from tests.formulation.windowed_cases import SCENARIO, problem, row

FEW = Budget(evaluations=9)
KIND = {"kind": "windowed"}


def standalone(windows: int = 5, **changes: Any) -> Any:
    p = problem({"windows": windows}, options=KIND, **changes)
    return run_heuristic(p, "standalone", ("makespan",), FEW)


def test_whole_models_side_by_side() -> None:
    """m on chiplet 0, both mini-batches at once: 34 (test_windowed_engines)."""
    found = standalone()
    assert found.value == (34,)
    assert found.schedule.window == (0, 0, 0, 0)
    assert found.schedule.chiplet[:3] == (0, 0, 0)
    assert found.schedule.chiplet[3] != 0


def four(windows: int) -> Any:
    """Four times the model s on three chiplets: 14, 18 and 22 ticks."""
    tensors = SCENARIO["models"][1]["tensors"]
    models = [
        {"name": f"s{k}", "layers": [{"name": "d", "op": "opaque"}], "tensors": tensors}
        for k in range(4)
    ]
    costs = [row(f"s{k}", "d", 6, 10, 40) for k in range(4)]
    return standalone(windows, models=models, costs=costs)


def test_more_models_than_chiplets_take_more_windows() -> None:
    """Three in the first window, 6 + 2·(4/2 + 7) = 24 on chiplet 2; one alone, 14."""
    found = four(2)
    assert sorted(found.schedule.window) == [0, 0, 0, 1]
    assert found.value == (24 + 14,)


def test_too_few_windows() -> None:
    found = four(1)
    assert found.schedule is None
    assert "do not fit so few windows" in found.notes[0]


def test_a_model_that_fits_no_chiplet_is_cut() -> None:
    """b runs on the middle chiplet alone; c comes back to chiplet 0 in a new window."""
    k = SCENARIO["package"]["types"]["k"]
    costs = [
        {**x, "chiplet_type": "z"} if x["layer"] == "b" else x
        for x in SCENARIO["costs"]
    ]
    package = {"types": {"k": k, "z": k}, "chiplets": ["k", "z", "k"]}
    found = standalone(package=package, costs=costs)
    assert found.schedule.chiplet[:3] == (0, 1, 0)
    assert found.schedule.window[:3] == (0, 0, 1)


def test_what_fits_nowhere() -> None:
    found = standalone(package={"types": {"k": {"l2_bytes": 39}}})  # d needs 40
    assert found.schedule is None


@pytest.mark.parametrize(
    ("chiplets", "windows"),
    [((0, 0, 0, 1), (0, 0, 0, 0)), ((0, 2, 2, 2), (0, 1, 1, 0))],
)
def test_chiplets_alone_are_offered(
    chiplets: tuple[int, ...], windows: tuple[int, ...]
) -> None:
    """0 and 2 are no neighbours; in window 0 chiplet 2 is left for s."""
    search = Search("mine", problem(options=KIND), ("makespan",), FEW)
    offer = search.offer(chiplets)
    assert offer.value == search.value
    assert search.schedule is not None
    assert search.schedule.window == windows
    with pytest.raises(TypeError, match="chiplet"):
        search.offer((0, 0))

"""Files of windowed schedules: the round trip, and every fault at once."""

from __future__ import annotations

import pytest

from formulation.decisions import ScheduleError
from formulation.windowed.schedule import from_dict, to_dict
from tests.formulation.windowed_cases import SCHEDULE, problem


def test_round_trip() -> None:
    p = problem()
    s = from_dict(p, SCHEDULE)
    assert s.chiplet == (0, 0, 1, 2)
    assert s.window == (0, 0, 0, 0)
    assert s.groups == ((1,), (1,))
    assert to_dict(p, s) == SCHEDULE


def test_a_window_without_layers_of_a_model() -> None:
    p = problem()
    data = {**SCHEDULE, "groups": {"m": [1, None], "s": [None, 1]}}
    assert from_dict(p, data).groups == ((1, None), (None, 1))
    assert to_dict(p, from_dict(p, data)) == data


def test_all_faults_at_once() -> None:
    layers = {**SCHEDULE["layers"], "m/z": {}, "m/a": {"chiplet": 0, "mode": 0}}
    data = {"layers": layers, "groups": {"m": ["one"], "t": [1]}}
    with pytest.raises(ScheduleError) as caught:
        from_dict(problem(), data)
    assert str(caught.value).splitlines() == [
        "schedule: layers.m/z: not in the problem",
        "schedule: layers.m/a.window: got None, expected a whole number",
        "schedule: groups.t: not in the problem",
        "schedule: groups.m[0]: got 'one', expected a whole number",
        "schedule: groups.s: got None, expected a list",
    ]


def test_both_mappings_are_due() -> None:
    with pytest.raises(ScheduleError, match="layers and groups"):
        from_dict(problem(), {"layers": {}})

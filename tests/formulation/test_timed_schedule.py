"""Timed schedules in files: the round trip, and all faults at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from formulation.decisions import ScheduleError
from formulation.timed.schedule import Transfer, from_dict, to_dict
from tests.formulation.timed_cases import (
    FLOOD,
    SCHEDULE,
    TWICE,
    A,
    merged,
    problem,
    schedule,
    two_rounds,
)


def test_round_trip() -> None:
    p = problem()
    data = to_dict(p, schedule(p))
    assert data == SCHEDULE
    assert from_dict(p, json.loads(json.dumps(data))) == schedule(p)
    twice = problem(TWICE, **FLOOD)
    s = schedule(twice, **two_rounds(5, 9, 15))
    assert from_dict(twice, to_dict(twice, s)) == s
    assert s.runs == ((2, 5), (11, 15))
    assert s.transfers[1] == (
        (Transfer((1,), (5, 9)),),
        (Transfer((1,), (9, 13)),),
    )


def test_what_stays_has_no_transfers() -> None:
    p = problem()
    assert from_dict(p, merged(SCHEDULE, {"transfers": {"m/u": None}})).transfers[
        1
    ] == ((),)


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            {"loads": {A: [0]}, "runs": {A: [], "m/c": []}, "layers": {A: None}},
            [
                "layers.m/a: missing",
                "runs.m/c: not in the problem",
                "runs.m/a: got [], expected a list of 1, one a round",
                "loads.m/a: got [0], expected [start, end]",
            ],
        ),
        (
            {
                "runs": {A: [{"start": 1.5, "stream": [0, "2"]}]},
                "loads": {"m/z": [0, 2]},
            },
            [
                "loads.m/z: not in the problem",
                "runs.m/a[0].start: got 1.5, expected a whole number",
                "runs.m/a[0].stream[1]: got '2', expected a whole number",
            ],
        ),
        (
            {
                "runs": {A: [3]},
                "transfers": {"m/u": [[{"to": [], "start": 1, "end": 2}, 7]]},
            },
            [
                "runs.m/a[0]: got 3, expected start and perhaps stream",
                "transfers.m/u[0][0].to: got [], expected a list of chiplets",
                "transfers.m/u[0][1]: got 7, expected to, start and end",
            ],
        ),
    ],
)
def test_all_faults_at_once(changes: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_dict(problem(), merged(SCHEDULE, changes))
    assert str(caught.value).splitlines() == [f"schedule: {line}" for line in faults]


@pytest.mark.parametrize("data", [None, [], {"layers": {}, "places": {}}])
def test_mappings_are_asked_for(data: object) -> None:
    with pytest.raises(
        ScheduleError, match="layers, places, runs, loads and transfers"
    ):
        from_dict(problem(), data)

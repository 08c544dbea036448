"""Options of windowed schedules in instances: neutral ones, their faults, identity."""

from __future__ import annotations

import json

import pytest

from instances.canonical import from_canonical_json, to_canonical_json
from instances.faults import InstanceError
from instances.load import instance_from_mapping, instance_sha256
from instances.schema import Instance, WindowedOptions


def instance(windowed: object) -> Instance:
    layers = [{"name": "a", "op": "gemm", "bounds": {"k": 2, "c": 2, "oy": 2}}]
    return instance_from_mapping(
        {
            "schema": "instance/1",
            "name": "i",
            "tick_ps": 1000,
            "package": "2x2",
            "models": [{"name": "m", "layers": layers, "tensors": []}],
            "options": {"windowed": windowed},
        }
    )


def test_neutral_options_leave_no_trace() -> None:
    plain = instance({})
    assert plain.options.windowed == WindowedOptions()
    assert "windowed" not in json.loads(to_canonical_json(plain))["instance"]["options"]
    assert instance_sha256(instance({"windows": 5, "refetch": False})) == (
        instance_sha256(plain)
    )


def test_options_are_part_of_the_identity() -> None:
    given = instance(
        {
            "windows": 3,
            "mini_batches": "single",
            "weights": "once",
            "refetch": True,
            "memory": "segments",
            "handover": "receiver",
            "conflict_ticks": 2,
            "caps": {"makespan": 100},
        }
    )
    windowed = given.options.windowed
    assert (windowed.windows, windowed.conflict_ticks) == (3, 2)
    assert windowed.caps == {"makespan": 100}
    assert instance_sha256(given) != instance_sha256(instance({}))
    assert from_canonical_json(to_canonical_json(given)) == given


def test_all_faults_at_once() -> None:
    with pytest.raises(InstanceError) as caught:
        instance(
            {
                "windows": 0,
                "mini_batches": "all",
                "weights": "never",
                "memory": "none",
                "handover": "sender",
                "conflict_ticks": -1,
                "caps": {"makespan": -2},
            }
        )
    places = [
        fault.path.removeprefix("options.windowed.") for fault in caught.value.faults
    ]
    assert places == [
        *("mini_batches", "weights", "memory", "handover"),
        *("windows", "conflict_ticks", "caps.makespan"),
    ]


def test_faults_of_form() -> None:
    with pytest.raises(InstanceError) as caught:
        instance({"window": 1, "refetch": "yes", "caps": {"makespan": 1.5}})
    assert len(caught.value.faults) == 3

"""Options of timed schedules in instances: neutral ones, their faults, identity."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from instances.canonical import from_canonical_json, to_canonical_json
from instances.faults import InstanceError
from instances.load import instance_from_mapping, instance_sha256
from instances.schema import Instance, TimedOptions


def scenario(timed: object, **options: object) -> dict[str, object]:
    layers = [{"name": "a", "op": "gemm", "bounds": {"k": 2, "c": 2, "oy": 2}}]
    model = {"name": "m", "layers": layers, "tensors": []}
    return {
        "schema": "instance/1",
        "name": "i",
        "tick_ps": 1000,
        "package": "2x2",
        "models": [model],
        "options": {"timed": timed, **options},
    }


def instance(timed: object, **options: object) -> Instance:
    return instance_from_mapping(scenario(timed, **options))


def test_neutral_options_leave_no_trace() -> None:
    plain = instance({})
    assert plain.options.timed == TimedOptions()
    assert "timed" not in json.loads(to_canonical_json(plain))["instance"]["options"]
    assert instance_sha256(instance({"contention": "exact", "rounds": {}})) == (
        instance_sha256(plain)
    )


def test_options_are_part_of_the_identity() -> None:
    given = instance(
        {
            "contention": "fluid",
            "weights": "preloaded",
            "rounds": {"m": 3},
            "frames_per_second": {"m": 29.97},
            "due_ticks": {"m": 40},
            "caps": {"makespan": 100},
        }
    )
    timed = given.options.timed
    assert timed.frames_per_second == {"m": Fraction(2997, 100)}
    assert instance_sha256(given) != instance_sha256(instance({}))
    assert from_canonical_json(to_canonical_json(given)) == given
    other = replace(timed, frames_per_second={}, release_ticks={"m": (0, 5, 9)})
    later = replace(given, options=replace(given.options, timed=other))
    assert from_canonical_json(to_canonical_json(later)) == later


def test_the_kind_is_part_of_the_identity_unless_it_is_pipelined() -> None:
    plain, asked = instance({}), instance({}, kind="timed")
    assert instance_sha256(instance({}, kind="pipelined")) == instance_sha256(plain)
    assert instance_sha256(asked) != instance_sha256(plain)
    assert from_canonical_json(to_canonical_json(asked)) == asked
    data = json.loads(to_canonical_json(plain))
    data["instance"]["options"]["kind"] = "pipelined"
    with pytest.raises(InstanceError, match="neutral"):
        from_canonical_json(json.dumps(data))


def test_a_kind_that_is_none_and_an_option_of_the_other_kind() -> None:
    with pytest.raises(InstanceError, match=r"options\.kind: got 'timely'"):
        instance({}, kind="timely")
    with pytest.raises(InstanceError, match="false of timed schedules"):
        instance({}, kind="timed", serial=True)


def test_a_canonical_text_has_one_form() -> None:
    data = json.loads(to_canonical_json(instance({"rounds": {"m": 2}})))
    data["instance"]["options"]["timed"]["rounds"] = {}
    with pytest.raises(InstanceError, match="neutral"):
        from_canonical_json(json.dumps(data))


def test_all_faults_at_once() -> None:
    with pytest.raises(InstanceError) as caught:
        instance(
            {
                "contention": "fluid",
                "switching": "store_and_forward",
                "weights": "cached",
                "rounds": {"m": 2, "n": 1},
                "release_ticks": {"m": [0, -1, 3]},
                "frames_per_second": {"m": 0},
                "due_ticks": {"m": -1},
                "caps": {"makespan": -2},
            }
        )
    places = [
        fault.path.removeprefix("options.timed.") for fault in caught.value.faults
    ]
    assert places == [
        "weights",
        "switching",
        "rounds.n",
        "due_ticks.m",
        "caps.makespan",
        "frames_per_second.m",
        "frames_per_second.m",
        "release_ticks.m",
        "release_ticks.m[1]",
    ]


def test_faults_of_form() -> None:
    with pytest.raises(InstanceError) as caught:
        instance({"round": 1, "release_ticks": {"m": 3}, "caps": {"makespan": 1.5}})
    assert len(caught.value.faults) == 3

"""A pipelined schedule: the decisions of MODEL.md §2, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formulation.problem import Problem

PACKAGE = "package"
DRAM = "dram"


class ScheduleError(ValueError):
    """A schedule file that does not describe a schedule of this problem."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decisions, indexed like `Problem.tasks` and `Problem.tensors`.

    Parameters
    ----------
    chiplet, mode, stage
        Per task; `mode` indexes the modes of that task on that chiplet.
    resident
        Per task: weights stay in L2; `None` for a task without weights.
    place
        Per tensor: ``package`` or ``dram``; `None` where the schedule has no say.
    """

    chiplet: tuple[int, ...]
    mode: tuple[int, ...]
    stage: tuple[int, ...]
    resident: tuple[bool | None, ...]
    place: tuple[str | None, ...]


def to_dict(problem: Problem, schedule: Schedule) -> dict[str, Any]:
    """Return the schedule by names, as it stands in certificates."""
    layers = {}
    for t, task in enumerate(problem.tasks):
        row: dict[str, Any] = {
            "chiplet": schedule.chiplet[t],
            "mode": schedule.mode[t],
            "stage": schedule.stage[t],
        }
        if task.weight_bytes > 0:
            row["resident"] = schedule.resident[t]
        layers[problem.full_name(t)] = row
    places = {
        problem.tensor_name(u): schedule.place[u]
        for u, tensor in enumerate(problem.tensors)
        if tensor.placed
    }
    return {"layers": layers, "places": places}


def _whole(row: dict[str, Any], key: str, where: str, faults: list[str]) -> int:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        faults.append(f"{where}.{key}: got {value!r}, expected a whole number")
        return 0
    return value


def _unknown(given: dict[str, Any], known: set[str], where: str) -> list[str]:
    return [f"{where}.{n}: not in the problem" for n in sorted(given.keys() - known)]


def from_dict(problem: Problem, data: object) -> Schedule:
    """Read a schedule by names.

    Only the form is checked here; whether the decisions are valid is said by
    `semantics`.

    Raises
    ------
    ScheduleError
        With one line for every fault: missing or unknown names, wrong types.
    """
    faults: list[str] = []
    layers = data.get("layers") if isinstance(data, dict) else None
    places = data.get("places") if isinstance(data, dict) else None
    if not isinstance(layers, dict) or not isinstance(places, dict):
        raise ScheduleError("schedule: expected the two mappings layers and places")
    names = [problem.full_name(t) for t in range(len(problem.tasks))]
    faults += _unknown(layers, set(names), "layers")
    numbers: dict[str, list[int]] = {"chiplet": [], "mode": [], "stage": []}
    resident: list[bool | None] = []
    for name in names:
        row = layers.get(name)
        if not isinstance(row, dict):
            faults.append(f"layers.{name}: missing")
            row = {"chiplet": 0, "mode": 0, "stage": 0}
        for key, values in numbers.items():
            values.append(_whole(row, key, f"layers.{name}", faults))
        value = row.get("resident")
        if value is not None and not isinstance(value, bool):
            faults.append(f"layers.{name}.resident: got {value!r}, expected a boolean")
        resident.append(value)
    place: list[str | None] = []
    known = {problem.tensor_name(u) for u in range(len(problem.tensors))}
    faults += _unknown(places, known, "places")
    for u in range(len(problem.tensors)):
        where = places.get(problem.tensor_name(u))
        if where not in (PACKAGE, DRAM, None):
            faults.append(
                f"places.{problem.tensor_name(u)}: got {where!r}, "
                "expected package or dram"
            )
        place.append(where)
    if faults:
        raise ScheduleError("\n".join(f"schedule: {f}" for f in faults))
    return Schedule(
        chiplet=tuple(numbers["chiplet"]),
        mode=tuple(numbers["mode"]),
        stage=tuple(numbers["stage"]),
        resident=tuple(resident),
        place=tuple(place),
    )

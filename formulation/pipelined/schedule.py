"""A pipelined schedule: the decisions of MODEL.md §2, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from formulation.decisions import (
    decisions_from_dict,
    decisions_to_dict,
    mappings,
    refuse,
)

if TYPE_CHECKING:
    from formulation.problem import Problem


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
    numbers = {
        "chiplet": schedule.chiplet,
        "mode": schedule.mode,
        "stage": schedule.stage,
    }
    return decisions_to_dict(problem, schedule, numbers)


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
    layers, places = mappings(data, "layers", "places")
    keys = ("chiplet", "mode", "stage")
    given = decisions_from_dict(problem, layers, places, keys, faults)
    refuse(faults)
    return Schedule(
        chiplet=given.numbers["chiplet"],
        mode=given.numbers["mode"],
        stage=given.numbers["stage"],
        resident=given.resident,
        place=given.place,
    )

"""A windowed schedule: the decisions of MODEL.md §7, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from formulation.decisions import (
    decisions_from_dict,
    mappings,
    refuse,
    unknown,
    whole,
)

if TYPE_CHECKING:
    from formulation.problem import Problem


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decisions, indexed like `Problem.tasks` and `Problem.models`.

    Parameters
    ----------
    chiplet, mode, window
        Per task.
    groups
        Per model and window: g, how many mini-batches pass together; `None` where the
        model has no layers in the window.
    """

    chiplet: tuple[int, ...]
    mode: tuple[int, ...]
    window: tuple[int, ...]
    groups: tuple[tuple[int | None, ...], ...]


def to_dict(problem: Problem, schedule: Schedule) -> dict[str, Any]:
    """Return the schedule by names, as it stands in certificates.

    ``layers`` (layer → ``chiplet``, ``mode``, ``window``) and ``groups`` (model → a
    list with a number or null for every window).
    """
    rows = zip(schedule.chiplet, schedule.mode, schedule.window, strict=True)
    return {
        "layers": {
            problem.full_name(t): {"chiplet": c, "mode": k, "window": w}
            for t, (c, k, w) in enumerate(rows)
        },
        "groups": {
            model.name: [*groups]
            for model, groups in zip(problem.models, schedule.groups, strict=True)
        },
    }


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
    layers, groups = mappings(data, "layers", "groups")
    keys = ("chiplet", "mode", "window")
    given = decisions_from_dict(problem, layers, {}, keys, faults)
    names = [model.name for model in problem.models]
    faults += unknown(groups, set(names), "groups")
    found = []
    for name in names:
        row = groups.get(name)
        if not isinstance(row, list):
            faults.append(f"groups.{name}: got {row!r}, expected a list")
            row = []
        found.append(
            tuple(
                None if g is None else whole(g, f"groups.{name}[{w}]", faults)
                for w, g in enumerate(row)
            )
        )
    refuse(faults)
    return Schedule(
        chiplet=given.numbers["chiplet"],
        mode=given.numbers["mode"],
        window=given.numbers["window"],
        groups=tuple(found),
    )

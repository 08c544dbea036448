"""What schedules decide of layers and tensors, and their form in files.

A schedule file holds the two mappings ``layers`` and ``places``; a kind adds numbers
to the rows of layers (`numbers`) or mappings of its own beside the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from formulation.problem import Problem

PACKAGE = "package"
DRAM = "dram"


class ScheduleError(ValueError):
    """A schedule file that does not describe a schedule of this problem."""


class Mapped(Protocol):
    """What every kind of schedule gives: `chiplet` and `mode`, per task."""

    @property
    def chiplet(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def mode(self) -> tuple[int, ...]: ...  # noqa: D102


class Decisions(Mapped, Protocol):
    """What pipelined and timed schedules give.

    `resident` (`None` for a task without weights) is per task; `place` is per tensor:
    ``package``, ``dram``, `None` where a schedule has no say.
    """

    @property
    def resident(self) -> tuple[bool | None, ...]: ...  # noqa: D102
    @property
    def place(self) -> tuple[str | None, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Given:
    """The decisions of a file; `numbers` holds a tuple per task for every key."""

    numbers: dict[str, tuple[int, ...]]
    resident: tuple[bool | None, ...]
    place: tuple[str | None, ...]


def decisions_to_dict(
    problem: Problem, s: Decisions, numbers: dict[str, tuple[int, ...]]
) -> dict[str, Any]:
    """Return ``layers``, with all `numbers` of a task in its row, and ``places``."""
    layers = {}
    for t, task in enumerate(problem.tasks):
        row: dict[str, Any] = {key: values[t] for key, values in numbers.items()}
        if task.weight_bytes > 0:
            row["resident"] = s.resident[t]
        layers[problem.full_name(t)] = row
    places = {
        problem.tensor_name(u): s.place[u]
        for u, tensor in enumerate(problem.tensors)
        if tensor.placed
    }
    return {"layers": layers, "places": places}


def whole(value: object, where: str, faults: list[str]) -> int:
    """Return a whole number; where it is none, 0 and a fault."""
    if isinstance(value, bool) or not isinstance(value, int):
        faults.append(f"{where}: got {value!r}, expected a whole number")
        return 0
    return value


def unknown(given: dict[str, Any], known: set[str], where: str) -> list[str]:
    """Return a fault for every name that the problem does not have."""
    return [f"{where}.{n}: not in the problem" for n in sorted(given.keys() - known)]


def mappings(data: object, *keys: str) -> list[dict[str, Any]]:
    """Return the named mappings of a schedule file.

    Raises
    ------
    ScheduleError
        If one of them is missing.
    """
    found = [data.get(key) if isinstance(data, dict) else None for key in keys]
    given = [entry for entry in found if isinstance(entry, dict)]
    if len(given) < len(keys):
        count = {2: "two", 5: "five"}.get(len(keys), str(len(keys)))
        listed = f"{', '.join(keys[:-1])} and {keys[-1]}"
        raise ScheduleError(f"schedule: expected the {count} mappings {listed}")
    return given


def decisions_from_dict(
    problem: Problem,
    layers: dict[str, Any],
    places: dict[str, Any],
    keys: tuple[str, ...],
    faults: list[str],
) -> Given:
    """Read what stands of layers (the numbers `keys` and residency) and places.

    Only the form is checked, into `faults`; whether it is valid is said by the
    semantics of the kind.
    """
    names = [problem.full_name(t) for t in range(len(problem.tasks))]
    faults += unknown(layers, set(names), "layers")
    numbers: dict[str, list[int]] = {key: [] for key in keys}
    resident: list[bool | None] = []
    for name in names:
        row = layers.get(name)
        if not isinstance(row, dict):
            faults.append(f"layers.{name}: missing")
            row = dict.fromkeys(keys, 0)
        for key, values in numbers.items():
            values.append(whole(row.get(key), f"layers.{name}.{key}", faults))
        value = row.get("resident")
        if value is not None and not isinstance(value, bool):
            faults.append(f"layers.{name}.resident: got {value!r}, expected a boolean")
        resident.append(value)
    place: list[str | None] = []
    known = {problem.tensor_name(u) for u in range(len(problem.tensors))}
    faults += unknown(places, known, "places")
    for u in range(len(problem.tensors)):
        where = places.get(problem.tensor_name(u))
        if where not in (PACKAGE, DRAM, None):
            faults.append(
                f"places.{problem.tensor_name(u)}: got {where!r}, "
                "expected package or dram"
            )
        place.append(where)
    whole_numbers = {key: tuple(values) for key, values in numbers.items()}
    return Given(whole_numbers, tuple(resident), tuple(place))


def refuse(faults: list[str]) -> None:
    """Raise all faults of a schedule file at once.

    Raises
    ------
    ScheduleError
        With a line for every fault, if there is one.
    """
    if faults:
        raise ScheduleError("\n".join(f"schedule: {f}" for f in faults))

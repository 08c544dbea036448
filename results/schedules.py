"""Schedules from elsewhere, of files and heuristics, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formulation.certificate import CertificateError, loads_json
from formulation.decisions import ScheduleError
from formulation.kinds import kind_of
from formulation.rules import UnassignedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from formulation.heuristics import Found
    from formulation.problem import Problem


@dataclass(frozen=True, slots=True)
class Rival:
    """A schedule with its name and what the semantics of its kind say of it.

    Parameters
    ----------
    schedule
        `None`: the heuristic found none.
    value
        Part by part of the objective; `None` without a valid schedule.
    violations
        Broken rules with their amounts, one line each.
    found
        The run of the heuristic; `None` of a file.
    """

    name: str
    schedule: Any
    worth: Any
    value: tuple[int, ...] | None
    violations: tuple[str, ...]
    found: Found[Any] | None = None


def read_schedule(path: Path, problem: Problem) -> Any:
    """Return the schedule in a file: a certificate, JSON of a solve, or it alone.

    Raises
    ------
    ScheduleError
        If the file cannot be read or does not describe a schedule of the problem;
        one line a fault, each with the file.
    """
    try:
        data = loads_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, CertificateError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise ScheduleError(f"{path}: {text}") from error
    if isinstance(data, dict) and "layers" not in data and "schedule" in data:
        data = data["schedule"]
        if data is None:
            raise ScheduleError(f"{path}: there is no schedule in it")
    try:
        return kind_of(problem).from_dict(problem, data)
    except ScheduleError as error:
        lines = [f"{path}: {line}" for line in str(error).splitlines()]
        raise ScheduleError("\n".join(lines)) from error


def read_schedules(paths: Iterable[Path], problem: Problem) -> list[Any]:
    """Return the schedules of several files.

    Raises
    ------
    ScheduleError
        With the faults of all of them.
    """
    found, faults = [], []
    for path in paths:
        try:
            found.append(read_schedule(path, problem))
        except ScheduleError as error:
            faults += str(error).splitlines()
    if faults:
        raise ScheduleError("\n".join(faults))
    return found


def judged(
    name: str,
    problem: Problem,
    schedule: Any,
    objective: tuple[str, ...],
    found: Found[Any] | None = None,
) -> Rival:
    """Return a schedule with its worth, or with all rules that it breaks."""
    if schedule is None:
        return Rival(name, None, None, None, (), found)
    kind = kind_of(problem)
    try:
        worth = kind.evaluate(problem, schedule)
    except UnassignedError as error:
        lines = tuple(str(violation) for violation in error.violations)
        return Rival(name, schedule, None, None, lines, found)
    lines = tuple(str(violation) for violation in worth.violations)
    parts = kind.parts(problem, objective)
    value = tuple(kind.value(problem, part, worth) for part in parts)
    return Rival(name, schedule, worth, None if lines else value, lines, found)


def start_given(wanted: str, problem: Problem) -> Any:
    """Return the schedule of a file ``*.json``; any other text as it is.

    Raises
    ------
    ScheduleError
        If the file does not describe a schedule of the problem.
    """
    path = Path(wanted)
    return read_schedule(path, problem) if path.suffix == ".json" else wanted

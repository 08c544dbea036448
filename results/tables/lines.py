"""What all tables and figures ask of lines: values, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.outcome import relative_gap
from results.tables.table import Missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Line = dict[str, Any]

NOT_RUN = Missing("not run")
EXACT = ("cpsat", "milp", "cpsat+milp")


class BelowBoundError(ValueError):
    """A schedule better than a proved bound: one of the two is wrong."""


def missing(line: Line | None) -> Missing:
    """Return why a line has no value: not run, infeasible, time limit, crashed."""
    if line is None:
        return NOT_RUN
    if line["status"] == "infeasible":
        return Missing("infeasible")
    return Missing(str(line["why_stopped"]))


def known(line: Line | None, key: str) -> Any:
    """Return an entry of a line, or why it is missing."""
    found = None if line is None else line[key]
    return missing(line) if found is None else found


def gap(line: Line | None) -> float | Missing:
    """Return the gap of a run with a schedule, or why there is none."""
    if line is None or line["value"] is None:
        return missing(line)
    return Missing("no bound") if line["gap"] is None else float(line["gap"])


def same_problem(line: Line) -> tuple[str, str, str]:
    """Return what must be equal for values and bounds to be of one problem."""
    return line["instance_sha256"], line["table_sha256"], line["objective"]


def bounds_of(lines: Iterable[Line]) -> dict[tuple[str, str, str], int]:
    """Return the best proved bound of every problem.

    Raises
    ------
    BelowBoundError
        If a schedule is better than the bound.
    """
    lines = list(lines)
    found: dict[tuple[str, str, str], int] = {}
    for line in lines:
        if line["bound"] is not None:
            problem = same_problem(line)
            found[problem] = max(line["bound"], found.get(problem, line["bound"]))
    for line in lines:
        bound = found.get(same_problem(line))
        if bound is not None and line["value"] is not None and line["value"] < bound:
            raise BelowBoundError(
                f"{line['study']}/{line['variant']}/{line['method']}: the value "
                f"{line['value']} is below the proved bound {bound}"
            )
    return found


def gap_to(line: Line, bounds: dict[tuple[str, str, str], int]) -> float | None:
    """Return the gap of a line's value to the best bound of its problem."""
    return relative_gap(line["value"], bounds.get(same_problem(line)))


def limit_seconds(line: Line) -> float | None:
    """Return all time limits of a run together; `None`: one engine had none."""
    limits = line["limits"]["seconds"]
    return None if None in limits else float(sum(limits))


def in_order(lines: Sequence[Line], key: str) -> list[str]:
    """Return the different entries of a key, in order of appearance."""
    return list(dict.fromkeys(str(line[key]) for line in lines))

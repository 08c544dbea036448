"""Certificates and scenarios as text for `chipsched show`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costmodel.table import CostTable
from formulation.certificate import dumps
from formulation.checker import check
from formulation.compile import compile_problem
from formulation.kinds import kind_of
from formulation.rules import KindError
from instances.load import from_canonical_json
from results.energy import breakdown_lines, breakdown_pj
from results.evidence import RefusedError
from results.figures.style import save
from results.run import prepare
from results.show import given, overview
from results.views import VIEWS

if TYPE_CHECKING:
    from pathlib import Path

    from formulation.problem import Problem
    from instances.schema import Instance


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a certificate holds; `schedule` and `worth` are `None` without a schedule.

    Parameters
    ----------
    data
        The certificate.
    """

    data: dict[str, Any]
    instance: Instance
    table: CostTable
    problem: Problem
    schedule: Any
    worth: Any


def replayed(data: dict[str, Any]) -> Replayed:
    """Return what a certificate holds.

    Raises
    ------
    RefusedError
        If the checker refuses it; with every violation.
    """
    verdict = check(data)
    if not verdict.accepted:
        raise RefusedError("\n".join(verdict.violations))
    instance = from_canonical_json(dumps(data["instance"]))
    table = CostTable.from_json(dumps(data["table"]))
    problem = compile_problem(instance, table)
    kind, found, worth = kind_of(problem), data["schedule"], None
    if found is not None:
        found = kind.from_dict(problem, found)
        worth = kind.evaluate(problem, found)
    return Replayed(data, instance, table, problem, found, worth)


def certificate_text(made: Replayed, width: int) -> str:
    """Return what a certificate says, and its schedule."""
    problem, schedule, worth = made.problem, made.schedule, made.worth
    lines = overview(problem, made.data, worth, width)
    if schedule is not None:
        parts = breakdown_pj(made.instance, made.table, problem, schedule, worth)
        layout = VIEWS[problem.kind].layout
        lines += ["", *breakdown_lines(parts)]
        lines += ["", *layout(problem, schedule, worth, width)]
    return "\n".join(lines)


def draw(made: Replayed, path: Path) -> None:
    """Draw the schedule of a certificate; the file's name says the format.

    Raises
    ------
    KindError
        If there is none, or schedules of its kind have no picture.
    OSError
        If the file cannot be written.
    """
    picture = VIEWS[made.problem.kind].picture
    if picture is None:
        raise KindError(f"figure: {made.problem.kind} schedules have none")
    if made.schedule is None:
        raise KindError("figure: the certificate has no schedule")
    save(picture(made.problem, made.schedule, made.worth), path)


def scenario_text(instance: Instance, costs: Path | None, width: int) -> str:
    """Return what there is to schedule in a scenario; `costs`: a CSV file or none."""
    problem = prepare(instance, costs).problem
    return "\n".join(given(problem, width))

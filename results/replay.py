"""Certificates and scenarios as text for `chipsched show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costmodel.table import CostTable
from formulation.certificate import dumps
from formulation.checker import check
from formulation.compile import compile_problem
from formulation.kinds import kind_of
from instances.load import from_canonical_json
from results.energy import breakdown_lines, breakdown_pj
from results.run import prepare
from results.show import given, overview
from results.views import VIEWS

if TYPE_CHECKING:
    from pathlib import Path

    from instances.schema import Instance


def certificate_text(data: dict[str, Any], width: int) -> tuple[bool, str]:
    """Return whether the checker accepts a certificate, and what it holds."""
    verdict = check(data)
    if not verdict.accepted:
        return False, "\n".join(["refused", *verdict.violations])
    instance = from_canonical_json(dumps(data["instance"]))
    table = CostTable.from_json(dumps(data["table"]))
    problem = compile_problem(instance, table)
    if data["schedule"] is None:
        return True, "\n".join(overview(problem, data, None, width))
    kind = kind_of(problem)
    schedule = kind.from_dict(problem, data["schedule"])
    worth = kind.evaluate(problem, schedule)
    lines = overview(problem, data, worth, width)
    lines += [
        "",
        *breakdown_lines(breakdown_pj(instance, table, problem, schedule, worth)),
    ]
    layout = VIEWS[problem.kind].layout
    lines += ["", *layout(problem, schedule, worth, width)]
    return True, "\n".join(lines)


def scenario_text(instance: Instance, costs: Path | None, width: int) -> str:
    """Return what there is to schedule in a scenario; `costs`: a CSV file or none."""
    problem = prepare(instance, costs).problem
    return "\n".join(given(problem, width))

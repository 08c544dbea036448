"""What is kept where engines, semantics and checker contradict each other.

One JSON file with everything that a replay needs: instance, cost table, objective,
engine, limits, versions, what was said, and the schedule that it was said of.
``python -m results.evidence FILE`` judges the schedule again and solves again.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.table import CostTable
from formulation.certificate import dumps, write_atomically
from formulation.compile import compile_problem
from formulation.kinds import kind_of
from formulation.outcome import ContradictionError, Limits
from formulation.rules import UnassignedError
from formulation.solve import solve
from instances.load import from_canonical_json, to_canonical_json
from results.failures import OPTIMAL, REFUSED, input_errors
from results.record import RecordError, environment, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.problem import Problem
    from instances.schema import Instance

SCHEMA = "failure/1"
FRONT = ("front",)  # the objective of `formulation.pareto`
KEYS = {
    *("schema", "error", "said", "instance", "table", "objective", "engine", "limits"),
    *("schedule", "environment"),
}


class RefusedError(ContradictionError):
    """The checker refused an answer of our own; the text lists the violations."""


@contextmanager
def kept(
    instance: Instance,
    table: CostTable,
    problem: Problem,
    objective: Sequence[str],
    engine: str,
    limits: Limits,
) -> Iterator[None]:
    """Write ``failure-….json`` into the working folder if something contradicts.

    Raises
    ------
    ContradictionError
        The same one; its text then says where the file is.
    """
    try:
        yield
    except ContradictionError as error:
        found = error.schedule
        data = {
            "schema": SCHEMA,
            "error": type(error).__name__,
            "said": str(error),
            "instance": json.loads(to_canonical_json(instance)),
            "table": json.loads(table.to_json()),
            "objective": list(objective),
            "engine": engine,
            "limits": {
                "seconds": limits.seconds,
                "workers": limits.workers,
                "seed": limits.seed,
                "gap": str(limits.gap),
                "deterministic": limits.deterministic,
            },
            "schedule": None
            if found is None
            else kind_of(problem).to_dict(problem, found),
            "environment": environment(),
        }
        path = Path(f"failure-{key_of(data)}.json")
        write_atomically(path, dumps(data) + "\n")
        error.args = (f"{error}\nto replay it: python -m results.evidence {path}",)
        raise


def read(path: Path) -> dict[str, Any]:
    """Return what a file holds.

    Raises
    ------
    RecordError
        If it is not such a file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise RecordError(f"{path}: expected the schema {SCHEMA}")
    if data.keys() != KEYS:
        raise RecordError(f"{path}: expected the keys {', '.join(sorted(KEYS))}")
    return data


def _limits(data: dict[str, Any]) -> Limits:
    return Limits(**{**data, "gap": Fraction(data["gap"])})


def replay(data: dict[str, Any]) -> tuple[list[str], bool]:
    """Do it again: lines on what came of it, and whether it went wrong again.

    The schedule is judged by the semantics of today, the problem solved with the same
    engine and limits. A search that is not deterministic may go another way.
    """
    from formulation.pareto import InMemory, front
    from results.run import Prepared, finish

    instance = from_canonical_json(dumps(data["instance"]))
    table = CostTable.from_json(dumps(data["table"]))
    prepared = Prepared(instance, table, compile_problem(instance, table), 0.0)
    problem, limits = prepared.problem, _limits(data["limits"])
    kind = kind_of(problem)
    lines = [f"then: {data['error']}: {data['said']}"]
    if data["schedule"] is not None:
        try:
            worth = kind.evaluate(problem, kind.from_dict(problem, data["schedule"]))
        except UnassignedError as error:
            lines.append(f"schedule: {error}")
        else:
            broken = "; ".join(str(v) for v in worth.violations) or "no rule broken"
            facts = kind.facts(problem, worth)
            text = f"{facts[kind.keys[0]]} ticks, {facts['energy_quanta']} quanta"
            lines.append(f"schedule: {text}, {broken}")
    objective = tuple(data["objective"])
    try:
        if objective == FRONT:
            points = front(problem, data["engine"], limits, steps=InMemory()).points
            return [*lines, f"now: a front of {len(points)} points"], False
        outcome = solve(problem, objective, data["engine"], limits)
        solved = finish(prepared, outcome)
    except ContradictionError as error:
        return [*lines, f"now: {type(error).__name__}: {error}"], True
    found = solved.outcome
    return [*lines, f"now: {found.claim}, {found.value}, bound {found.bound}"], False


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def main(file: Path) -> None:
    """Replay FILE; exit code 4 if it goes wrong again."""
    with input_errors():
        lines, again = replay(read(file))
    click.echo("\n".join(lines))
    raise SystemExit(REFUSED if again else OPTIMAL)


if __name__ == "__main__":
    main()

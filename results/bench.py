"""The benchmark: the headline scenario, all rules on. ``make bench``.

Times are of this machine as it is; sizes, hash, values and bounds are not.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from formulation.outcome import Limits, Target
from formulation.solve import solve
from instances.load import load_instance
from results.interrupt import in_background, stop_on_interrupt
from results.options import limits_options
from results.progress import reporting
from results.record import environment
from results.run import Prepared, finish, prepare
from results.text import columns, entry, grouped, percent, screen_width

if TYPE_CHECKING:
    from formulation.outcome import Report

TARGETS = {
    ("headline-contiguous", "cpsat"): "proved in 2 s or less",
    ("headline-contiguous", "milp"): "agrees, or tells its gap",
    ("headline", "cpsat"): "gap of 0.02 % or less in 60 s",
}
HEADER = ("scenario", "engine", "period", "bound", "gap", "s", "ratio", "stopped")


def sizes(prepared: Prepared) -> dict[str, int]:
    """Return counts of a problem and of its CP-SAT model."""
    from formulation.pipelined.cpsat_build import build

    problem = prepared.problem
    model = build(problem, Target("period")).model.proto
    return {
        "layers": len(problem.tasks),
        "tensors": len(problem.tensors),
        "chiplets": len(problem.chiplets),
        "resources": len(problem.resources),
        "modes": sum(len(m) for task in problem.tasks for m in task.modes),
        "CP-SAT variables": len(model.variables),
        "CP-SAT constraints": len(model.constraints),
    }


def measure(
    prepared: Prepared, engine: str, limits: Limits, report: Report | None
) -> dict[str, Any]:
    """Solve once and return what the table shows.

    Raises
    ------
    RefusedError
        If the checker refuses the answer.
    """
    with prepared.kept(("period",), engine, limits):
        outcome = solve(prepared.problem, ("period",), engine, limits, report)
        finish(prepared, outcome)
    return {
        "scenario": prepared.problem.name,
        "engine": engine,
        "period": outcome.value[0],
        "bound": outcome.bound[0],
        "gap": outcome.gap,
        "seconds": outcome.seconds,
        "stopped": outcome.why_stopped,
        "notes": [note for run in outcome.runs for note in run.notes],
    }


def table(rows: list[dict[str, Any]], width: int) -> list[str]:
    """Return the measurements as text; the ratio is to CP-SAT on the same scenario."""
    base = {r["scenario"]: r["seconds"] for r in rows if r["engine"] == "cpsat"}
    cells = [HEADER]
    for row in rows:
        first = base.get(row["scenario"])
        ratio = "–" if not first else f"{row['seconds'] / first:.1f}"
        cells.append(
            (
                row["scenario"],
                row["engine"],
                grouped(row["period"]),
                grouped(row["bound"]),
                percent(row["gap"]) if row["period"] is not None else "–",
                f"{row['seconds']:.1f}",
                ratio,
                row["stopped"],
            )
        )
    lines = columns(cells, frozenset({2, 3, 4, 5, 6}))
    for row in rows:
        target = TARGETS.get((row["scenario"], row["engine"]))
        text = "; ".join([*([f"wanted: {target}"] if target else []), *row["notes"]])
        if text:
            lines += entry(f"{row['engine']} on {row['scenario']}: ", text, width, 2)
    return lines


@click.command()
@click.option("--prove-limit", type=click.FloatRange(min=0.1), default=60.0)
@click.option("--milp-limit", type=click.FloatRange(min=0), default=60.0)
@click.option("--free-limit", type=click.FloatRange(min=0), default=60.0)
@limits_options
def main(
    prove_limit: float, milp_limit: float, free_limit: float, workers: int, seed: int
) -> None:
    """Measure CP-SAT and HiGHS on the headline scenario; 0 leaves a run out."""
    plan = [
        ("headline-contiguous", "cpsat", prove_limit),
        ("headline-contiguous", "milp", milp_limit),
        ("headline", "cpsat", free_limit),
    ]
    width, rows, told = screen_width(), [], set()
    here = environment()
    for name in ("cpu", "cpus", "load", "commit", "dirty", "packages"):
        for line in entry(name, str(here[name]), width, indent=10):
            click.echo(line)
    with stop_on_interrupt() as stop, reporting() as report:
        for scenario, engine, seconds in plan:
            if seconds == 0 or stop.is_set():
                continue
            prepared = prepare(load_instance(scenario))
            if scenario not in told:
                told.add(scenario)
                text = ", ".join(f"{n} {k}" for k, n in sizes(prepared).items())
                text += f"; cost table {prepared.problem.table_sha256}"
                click.echo("\n".join(entry(f"{scenario}: ", text, width, 2)))
            limits = Limits(seconds=seconds, workers=workers, seed=seed, stop=stop)
            work = partial(measure, prepared, engine, limits, report)
            rows.append(in_background(work))
    click.echo("\n".join(table(rows, width)))


if __name__ == "__main__":
    main()

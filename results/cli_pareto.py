"""The command `chipsched pareto`. Heavy imports stay inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from results.failures import INFEASIBLE, OPTIMAL, STOPPED, failures
from results.options import (
    drawable,
    json_option,
    limits_options,
    time_limit_option,
    writable,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("scenario")
@click.option(
    "--engine",
    type=click.Choice(["cpsat", "milp", "both"]),
    default="cpsat",
    show_default=True,
)
@time_limit_option("Of it all; 0 for none.")
@limits_options
@json_option
@click.option(
    "--out",
    callback=writable,
    metavar="FILE",
    help="One JSON line a solve; solves that it holds already are not made again.",
)
@click.option("--csv", "csv_file", callback=writable, metavar="FILE", help="Points.")
@click.option(
    "--figure", callback=drawable, metavar="FILE", help="PDF, PNG or SVG; matplotlib."
)
def pareto(
    scenario: str,
    engine: str,
    time_limit: float,
    workers: int,
    seed: int,
    as_json: bool,
    out: Path | None,
    csv_file: Path | None,
    figure: Path | None,
) -> int:
    """Find the exact front of period and energy of SCENARIO."""
    from formulation.certificate import write_atomically
    from formulation.outcome import Limits
    from formulation.pareto import InMemory, front
    from instances.load import load_instance
    from results import front as show
    from results.evidence import FRONT
    from results.interrupt import in_background, stop_on_interrupt
    from results.progress import reporting
    from results.run import pipelined, prepare

    with failures(), stop_on_interrupt() as stop, reporting() as report:
        prepared = prepare(pipelined(load_instance(scenario)))
        problem = prepared.problem
        kept = InMemory()
        steps = (
            kept if out is None else show.StepFile(out, show.header_of(problem, engine))
        )
        limits = Limits(
            seconds=time_limit or None, workers=workers, seed=seed, stop=stop
        )
        with prepared.kept(FRONT, engine, limits):
            found = in_background(
                lambda: front(problem, engine, limits, report, steps=steps)
            )
        if csv_file is not None:
            write_atomically(csv_file, show.as_csv(problem, found))
        if figure is not None and found.points:
            from results.figures import front as picture
            from results.figures.style import save

            data = show.as_json(problem, found)
            save(picture.drawing(data, problem.name), figure)
    if as_json:
        import json

        click.echo(json.dumps(show.as_json(problem, found), indent=1))
    else:
        from results.text import screen_width

        click.echo(show.as_text(problem, found, screen_width()))
    codes = {"complete": OPTIMAL, "envelope": OPTIMAL, "infeasible": INFEASIBLE}
    return codes.get(found.status, STOPPED)

"""The command `chipsched headline`. Heavy imports stay inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from results.cli_experiments import run_all
from results.failures import EXIT_CODES, STOPPED, input_errors
from results.options import (
    json_option,
    limits_options,
    objective_option,
    time_limit_option,
    writable,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--scenario",
    default="headline-contiguous",
    show_default=True,
    help="Workload and package that the rows are variants of.",
)
@objective_option
@time_limit_option("Of CP-SAT, each row; 0 for none.")
@click.option(
    "--milp-limit",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="Of HiGHS, each row; 0 leaves it out.",
)
@limits_options
@json_option
@click.option(
    "--out",
    callback=writable,
    metavar="FILE",
    help="One JSON line a row; rows that it holds already are not run again.",
)
def headline(
    scenario: str,
    objective: tuple[str, ...],
    time_limit: float,
    milp_limit: float,
    workers: int,
    seed: int,
    as_json: bool,
    out: Path | None,
) -> int:
    """GPT-2 + ResNet-50: every 2x2 mix of dataflows against one large die."""
    from results.experiments.files import Kept
    from results.experiments.point import Point
    from results.headline import variants
    from results.interrupt import stop_on_interrupt
    from results.tables import headline as table

    seconds = (time_limit or None, *((milp_limit,) if milp_limit else ()))
    with input_errors(), stop_on_interrupt() as stop:
        points = [
            Point(
                study="headline",
                variant=row.label,
                instance=row.instance,
                method="cpsat+milp" if milp_limit else "cpsat",
                objective=objective,
                seconds=seconds,
                seed=seed,
                workers=workers,
                about=row.about,
            )
            for row in variants(scenario)
        ]
        lines = run_all(points, Kept(out), stop=stop)
    if not lines:
        return STOPPED
    if as_json:
        import json

        answer = {"rows": table.with_gains(lines), "paper": table.PAPER}
        click.echo(json.dumps(answer, indent=1))
    else:
        from results.text import screen_width

        click.echo(table.as_text(lines, screen_width()))
    codes = {EXIT_CODES[line["status"]] for line in lines} | (
        {STOPPED} if stop.is_set() else set()
    )
    return max(codes, default=STOPPED)

"""Timed makespans with every layer where the least period has it, and free.

How much of a makespan the assignment of layers to chiplets decides, and how far from
the optimum either is: one round of the headline models. ``python -m results.placed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from formulation.outcome import Limits
from formulation.problem import on_chiplets
from formulation.solve import solve
from instances.load import load_instance
from results.headline import SCENARIO
from results.options import limits_options
from results.progress import reporting
from results.run import prepare
from results.text import columns, percent

if TYPE_CHECKING:
    from formulation.outcome import Report

TIMED = "headline-timed"
HEADER = ("chiplets", "makespan", "bound", "gap", "seconds")


def rows(limits: Limits, report: Report | None = None) -> list[tuple[str, ...]]:
    """Return a row of text for free chiplets and one for those of the least period.

    Raises
    ------
    click.ClickException
        If no pipelined schedule is found in the time limit.
    """
    pipelined = prepare(load_instance(SCENARIO)).problem
    timed = prepare(load_instance(TIMED)).problem
    placed = solve(pipelined, ("period",), limits=limits, report=report).schedule
    if placed is None:
        raise click.ClickException(f"{SCENARIO}: no schedule in the time limit")
    found: list[tuple[str, ...]] = []
    for name, p in (
        ("free", timed),
        ("as in the least period", on_chiplets(timed, placed.chiplet)),
    ):
        outcome = solve(p, ("makespan",), limits=limits, report=report)
        value, bound = outcome.value[0], outcome.bound[0]
        gap = None if value is None or bound is None else (value - bound) / value
        cells = (str(value), str(bound), percent(gap), f"{outcome.seconds:.1f}")
        found.append((name, *cells))
    return found


@click.command()
@click.option("--time-limit", type=click.FloatRange(min=0.01), default=60.0)
@limits_options
def main(time_limit: float, workers: int, seed: int) -> None:
    """Solve one round of the headline models, free and on given chiplets."""
    limits = Limits(seconds=time_limit, workers=workers, seed=seed)
    with reporting() as report:
        found = rows(limits, report)
    for line in columns([HEADER, *found], frozenset(range(1, len(HEADER)))):
        click.echo(line)


if __name__ == "__main__":
    main()

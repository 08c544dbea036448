"""The command `chipsched experiments`. Heavy imports stay inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from results.failures import OPTIMAL, STOPPED, input_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from results.experiments.files import Kept
    from results.experiments.point import Point


def _lines_to(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Accept a file that could be written, or a folder."""
    from results.options import writable

    if value is not None and Path(value).is_dir():
        return Path(value)
    return writable(ctx, param, value)


@click.command()
@click.argument("grid", default="paper")
@click.option(
    "--only",
    default="",
    metavar="PATTERN",
    help="Runs whose STUDY/VARIANT/METHOD/OBJECTIVE/SEED begins so; * ? [] as in a "
    "shell.",
)
@click.option(
    "--out",
    callback=_lines_to,
    metavar="FILE",
    help="One JSON line a run; runs that it holds already are not made again. A "
    "folder: a file a study. Default: GRID.jsonl.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs at a time, a process each.",
)
@click.option("--retry", is_flag=True, help="Make runs again that had failed.")
def experiments(grid: str, only: str, out: Path | None, jobs: int, retry: bool) -> int:
    """Make the runs of GRID: a packaged one (paper) or a YAML file."""
    from results.experiments.files import Kept
    from results.experiments.grid import grid_path, load_grid
    from results.interrupt import stop_on_interrupt

    with stop_on_interrupt() as stop, input_errors():
        points = load_grid(grid, only)
        if not points:
            raise click.BadParameter(f"{only!r} matches no run of {grid}")
        path = Path(f"{grid_path(grid).stem}.jsonl") if out is None else out
        lines = run_all(points, Kept(path), jobs=jobs, retry=retry, stop=stop)
    failed = [line for line in lines if line["status"] == "failed"]
    text = f"{len(lines)} of {len(points)} runs are in {path}"
    click.echo(text + (f", {len(failed)} of them failed" if failed else ""))
    for line in failed:
        name = f"{line['study']}/{line['variant']}/{line['method']}"
        click.echo(f"  {name}: {line['why_stopped']}")
    whole = len(lines) == len(points) and not failed
    return OPTIMAL if whole else STOPPED


def run_all(
    points: Sequence[Point],
    kept: Kept,
    *,
    jobs: int = 1,
    retry: bool = False,
    stop: Event,
) -> list[dict[str, Any]]:
    """Make all runs that are not kept, with progress; return the lines there are."""
    from results.experiments.runner import plan, run_points
    from results.experiments.watch import Estimate, watching

    click.echo(f"{len(points)} runs; building their cost tables", err=True)
    planned = plan(points, kept, retry)
    estimate = Estimate(planned, jobs)
    known = len(planned) - estimate.total
    click.echo(f"{known} on file; {estimate.text()}", err=True)
    with watching(planned, jobs) as watcher:
        return run_points(planned, kept, watcher, stop=stop, jobs=jobs)

"""The command `chipsched bench`. Heavy imports stay inside."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from results.failures import OPTIMAL, STOPPED, failures
from results.options import (
    json_option,
    limits_options,
    objective_option,
    time_limit_option,
    writable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = ("instance", "value", "bound", "gap", "claim", "s", "best known", "this run")
NUMBERS = frozenset({"value", "bound", "gap", "s", "best known"})
PLAIN_WIDTH = 120  # where no terminal says how wide it is


@click.command()
@click.argument("names", nargs=-1, metavar="[FAMILY|NAME]...")
@click.option(
    "--engine",
    type=click.Choice(["cpsat", "milp", "both"]),
    default="cpsat",
    show_default=True,
)
@objective_option
@time_limit_option("Per instance and engine; 0 for none.")
@limits_options
@click.option(
    "--update", is_flag=True, help="Write what is better; a file never gets worse."
)
@click.option(
    "--best-known",
    callback=writable,
    metavar="FILE",
    help="Instead of the one that comes along.",
)
@json_option
@click.option(
    "--out",
    callback=writable,
    metavar="FILE",
    help="One JSON line a run; runs that it holds already are not made again.",
)
def bench(
    names: tuple[str, ...],
    engine: str,
    objective: tuple[str, ...],
    time_limit: float,
    workers: int,
    seed: int,
    update: bool,
    best_known: Path | None,
    as_json: bool,
    out: Path | None,
) -> int:
    """Rerun instances of the benchmark library beside their best known values.

    All of it, or families and instances by name. Exit codes: 0 all was run and
    nothing contradicts what is known, 3 interrupted, 4 a value below a known bound or
    a bound above a known value: nothing of that run is written.
    """
    from formulation.outcome import Limits
    from results.best_known import FILE, BestKnown
    from results.compare import labelled
    from results.interrupt import in_background, stop_on_interrupt
    from results.library_runs import chosen, refuse_crossing, row_of, run_of
    from results.progress import reporting
    from results.record import Runs

    if len(objective) > 1:
        text = "best known values are of one part"
        raise click.BadParameter(text, param_hint="--objective")
    rows: list[dict[str, Any]] = []
    try:
        with failures(), stop_on_interrupt() as stop, reporting() as report:
            best, runs = BestKnown(best_known or FILE), Runs(out)
            limits = Limits(
                seconds=time_limit or None, workers=workers, seed=seed, stop=stop
            )
            todo = chosen(names)
            for number, name in enumerate(todo, start=1):
                if stop.is_set():
                    break
                tell = labelled(report, f"{number}/{len(todo)} {name}")
                run = in_background(
                    partial(run_of, name, objective[0], engine, limits, runs, tell)
                )
                refuse_crossing(run, best)
                rows.append(row_of(run, best))
                if update:
                    rows[-1]["updated"] = best.take(run)
    finally:
        _show(rows, as_json)
    return STOPPED if stop.is_set() else OPTIMAL


def _show(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print the rows that there are, also before an error."""
    if as_json:
        import json

        click.echo(json.dumps(list(rows), indent=1))
    elif rows:
        from rich.console import Console

        console = Console()
        width = None if console.is_terminal else PLAIN_WIDTH
        Console(width=width).print(_table(rows))
        claims = [row["claim"] for row in rows]
        proved = sum(claim.startswith(("optimal", "certified")) for claim in claims)
        better = sum("better" in row["against"] for row in rows)
        updated = sum(row.get("updated", False) for row in rows)
        click.echo(
            f"{len(rows)} run: {proved} proved optimal, "
            f"{claims.count('unknown')} without a schedule, {better} better than "
            f"known, {updated} written"
        )


def _table(rows: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    from results.text import grouped, percent

    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        justify: Any = "right" if column in NUMBERS else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(
            row["scenario"],
            grouped(row["value"]),
            grouped(row["bound"]),
            percent(row["gap"]),
            row["claim"],
            f"{row['seconds']:.1f}",
            grouped(row["known_value"]),
            row["against"],
        )
    return table

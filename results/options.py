"""Options of the command and what their texts may be. Imports nothing heavy."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instances.readers.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

DEFAULT_SECONDS = 60.0


def writable(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Refuse an output that could not be written, before anything is computed."""
    if value is None:
        return None
    path = Path(value)
    folder = path.parent
    if path.is_dir():
        raise click.BadParameter(f"{value} is a folder", ctx, param)
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {folder}", ctx, param)
    special = path.exists() and not path.is_file()  # /dev/null
    try:
        if not special:
            tempfile.TemporaryFile(dir=path.resolve().parent).close()
    except OSError as error:
        text = f"{value} cannot be written: {error.strerror}"
        raise click.BadParameter(text, ctx, param) from error
    if path.exists() and not os.access(path, os.W_OK):
        raise click.BadParameter(f"{value} cannot be written", ctx, param)
    return path


def drawable(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Refuse a figure that could not be drawn, before anything is computed."""
    path = writable(ctx, param, value)
    if path is None:
        return None
    from results.figures.style import FORMATS, FigureError, library

    if path.suffix.lower() not in FORMATS:
        text = f"{value} ends in none of {', '.join(FORMATS)}"
        raise click.BadParameter(text, ctx, param)
    try:
        library()
    except FigureError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    return path


def objective_parts(ctx: click.Context, param: click.Parameter, value: str) -> Any:
    """Return the parts of an objective in their one text."""
    from formulation.objective import ObjectiveError, parse_objective

    try:
        return parse_objective(value)
    except ObjectiveError as error:
        raise click.BadParameter(str(error), ctx, param) from error


objective_option = click.option(
    "--objective",
    callback=objective_parts,
    default="period",
    show_default=True,
    metavar="PARTS",
    help="Minimised in this order, as period,energy. Parts: period, energy, edp, sums "
    "such as 2*period+1/3*energy, latency, or latency:2*MODEL:MODEL, the largest.",
)


asked_option = click.option(
    "--objective",
    "asked",
    metavar="PARTS",
    help="Minimised in this order, as period,energy. Parts: period (the default), "
    "energy, edp, sums such as 2*period+1/3*energy, latency, or latency:2*MODEL:MODEL, "
    "the largest. Of timed schedules: makespan (the default), energy, edp, "
    "latency_sum, tardiness_sum, sums; latency, tardiness. Of windowed schedules: "
    "makespan (the default), energy, edp, sums; latency.",
)

kind_option = click.option(
    "--kind",
    type=click.Choice(["pipelined", "timed", "windowed"]),
    help="Kind of schedule, instead of what SCENARIO says.",
)


def time_limit_option(text: str) -> Callable[..., Any]:
    """Return ``--time-limit``, with its own help."""
    return click.option(
        "--time-limit",
        type=click.FloatRange(min=0),
        default=DEFAULT_SECONDS,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


def fraction_of_gap(ctx: click.Context, param: click.Parameter, value: str) -> Fraction:
    """Return a relative gap given as 0.01 or 1%."""
    from fractions import Fraction

    text = value.strip()
    try:
        gap = Fraction(text.removesuffix("%"))
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r} is not a number", ctx, param) from error
    if text.endswith("%"):
        gap /= 100
    if not 0 <= gap < 1:
        raise click.BadParameter(f"{value!r} is not in [0, 1)", ctx, param)
    return gap


def exact(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Return a number exactly as it was written."""
    from fractions import Fraction

    if value is None:
        return None
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r} is not a number", ctx, param) from error


def bandwidth(ctx: click.Context, param: click.Parameter, value: str) -> Any:
    """Return a bandwidth exactly as it was written; `None` for inf, no limit."""
    if value.strip().casefold() == "inf":
        return None
    number = exact(ctx, param, value)
    if not number > 0:
        raise click.BadParameter(f"{value!r} is not above 0, nor inf", ctx, param)
    # Counts times the denominator have to stay within 64 bits.
    if number.denominator > 1000 or number * 1000 < 1:
        text = f"{value!r} is finer than thousandths"
        raise click.BadParameter(text, ctx, param)
    return number


def latency_caps(
    ctx: click.Context, param: click.Parameter, value: Sequence[str]
) -> dict[str, int]:
    """Return caps given as MODEL=TICKS."""
    caps = {}
    for text in value:
        model, equals, ticks = text.rpartition("=")
        if not equals or not ticks.isdigit():
            raise click.BadParameter(f"{text!r} is not MODEL=TICKS", ctx, param)
        caps[model] = int(ticks)
    return caps


def limits_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that solves."""
    workers = click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=2,
        show_default=True,
        help="Threads of an engine.",
    )
    seed = click.option(
        "--seed",
        type=click.IntRange(min=0, max=2**31 - 1),
        default=1,
        show_default=True,
        help="Random seed of an engine.",
    )
    return workers(seed(command))


format_option = click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="SCENARIO is a file of another tool: "
    + "; ".join(f"{name}, {what}" for name, what in FORMATS.items())
    + ".",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="JSON alone on stdout."
)

costs_option = click.option(
    "--costs",
    type=click.Path(path_type=Path),
    metavar="TABLE.csv",
    help="Cost table to use instead of our own.",
)

"""The command `chipsched`. Heavy imports stay inside the commands.

Exit codes: 0 proven optimal (or nothing to complain about), 1 bad usage or
input, 2 proved infeasible, 3 feasible or nothing found but stopped at a limit or
a gap, 4 the checker refused, 130 aborted by a second Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from instances.schema import Instance

OPTIMAL, BAD_INPUT, INFEASIBLE, STOPPED, REFUSED, ABORTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = {
    "optimal": OPTIMAL,
    "infeasible": INFEASIBLE,
    "feasible": STOPPED,
    "unknown": STOPPED,
}
OBJECTIVES = ("period", "energy", "period,energy")
DEFAULT_SECONDS = 60.0


@contextmanager
def _input_errors() -> Iterator[None]:
    """Turn what is wrong with the user's files into one message."""
    from costmodel.table import TableError
    from formulation.certificate import CertificateError
    from formulation.compile import CompileError
    from instances.faults import InstanceError

    try:
        yield
    except (InstanceError, TableError, CompileError, CertificateError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _load(scenario: str) -> Instance:
    from instances.load import load_instance

    return load_instance(scenario)


def _writable(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Refuse an output that could not be written, before anything is computed."""
    if value is None:
        return None
    path = Path(value)
    folder = path.parent
    if path.is_dir():
        raise click.BadParameter(f"{value} is a folder", ctx, param)
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {folder}", ctx, param)
    if not os.access(folder, os.W_OK) or (
        path.exists() and not os.access(path, os.W_OK)
    ):
        raise click.BadParameter(f"{value} cannot be written", ctx, param)
    return path


def _gap(ctx: click.Context, param: click.Parameter, value: str) -> Fraction:
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


def _energy(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    from fractions import Fraction

    if value is None:
        return None
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r} is not a number", ctx, param) from error


def _latencies(
    ctx: click.Context, param: click.Parameter, value: Sequence[str]
) -> dict[str, int]:
    caps = {}
    for text in value:
        model, equals, ticks = text.rpartition("=")
        if not equals or not ticks.isdigit():
            raise click.BadParameter(f"{text!r} is not MODEL=TICKS", ctx, param)
        caps[model] = int(ticks)
    return caps


def _limits_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


_json = click.option("--json", "as_json", is_flag=True, help="JSON alone on stdout.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chipsched", message="%(prog)s %(version)s")
def cli() -> None:
    """Provably optimal pipelined schedules of DNN models on packages of chiplets.

    A SCENARIO is a packaged name (headline, headline-contiguous,
    headline-monolithic) or a file. Exit codes: 0 proven optimal, 1 bad usage or
    input, 2 proved infeasible, 3 stopped at a limit or gap, 4 checker refused.
    """


@cli.command()
@click.argument("scenario")
@click.option(
    "--engine",
    type=click.Choice(["cpsat", "milp", "both"]),
    default="cpsat",
    show_default=True,
)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="period",
    show_default=True,
    help="Minimised in this order.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0),
    default=DEFAULT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Per engine; 0 for none.",
)
@click.option("--gap", callback=_gap, default="0", help="Stop there, as 0.01 or 1%.")
@_limits_options
@click.option("--period-cap", type=click.IntRange(min=1), metavar="TICKS")
@click.option("--energy-cap", callback=_energy, metavar="PJ", help="Per round.")
@click.option(
    "--latency-cap",
    callback=_latencies,
    multiple=True,
    metavar="MODEL=TICKS",
    help="May be given several times.",
)
@_json
@click.option(
    "--out", callback=_writable, metavar="FILE", help="Where the certificate goes."
)
def solve(
    scenario: str,
    engine: str,
    objective: str,
    time_limit: float,
    gap: Fraction,
    workers: int,
    seed: int,
    period_cap: int | None,
    energy_cap: Fraction | None,
    latency_cap: dict[str, int],
    as_json: bool,
    out: Path | None,
) -> int:
    """Solve SCENARIO: the least period, or another objective."""
    from formulation.certificate import write_certificate
    from formulation.outcome import Limits
    from results.interrupt import in_background, stop_on_interrupt
    from results.progress import reporting
    from results.run import solve_instance, with_caps

    with _input_errors():
        instance = with_caps(
            _load(scenario),
            period_ticks=period_cap,
            energy_pj=energy_cap,
            latency_ticks=latency_cap,
        )
    with _input_errors(), stop_on_interrupt() as stop, reporting() as report:
        limits = Limits(
            seconds=time_limit or None, workers=workers, seed=seed, gap=gap, stop=stop
        )
        solved = in_background(
            lambda: solve_instance(
                instance,
                objective=tuple(objective.split(",")),
                engine=engine,
                limits=limits,
                report=report,
            )
        )
    if not solved.verdict.accepted:
        click.echo("the checker refused the answer:", err=True)
        click.echo("\n".join(solved.verdict.violations), err=True)
        return REFUSED
    if out is not None:
        with _input_errors():
            write_certificate(out, solved.certificate)
    _print_solved(solved, as_json, out)
    return EXIT_CODES[solved.outcome.status]


def _print_solved(solved: Any, as_json: bool, out: Path | None) -> None:
    if as_json:
        import json

        from results.summary import summary

        path = None if out is None else str(out)
        click.echo(json.dumps(summary(solved, path), indent=1))
        return
    from results.show import overview
    from results.text import entry, screen_width

    width = screen_width()
    lines = overview(solved.prepared.problem, solved.certificate, solved.worth, width)
    if out is not None:
        lines += entry("certificate", str(out), width)
    click.echo("\n".join(lines))


@cli.command()
@click.argument("certificate", type=click.Path(path_type=Path))
@click.option(
    "--against",
    metavar="SCENARIO",
    help="Also build this scenario and compare the hashes.",
)
@_json
def check(certificate: Path, against: str | None, as_json: bool) -> int:
    """Replay CERTIFICATE from its file alone, without any solver."""
    from formulation.certificate import read_certificate
    from formulation.checker import check as replay
    from formulation.checker import check_against

    with _input_errors():
        data = read_certificate(certificate)
        if against is None:
            verdict = replay(data)
        else:
            verdict = check_against(data, _load(against))
    if as_json:
        import json
        from dataclasses import asdict

        answer = {"accepted": verdict.accepted, **asdict(verdict)}
        click.echo(json.dumps(answer, indent=1))
        return OPTIMAL if verdict.accepted else REFUSED
    for line in verdict.violations:
        click.echo(f"violated  {line}")
    for line in verdict.checked:
        click.echo(f"checked   {line}")
    for line in verdict.notes:
        click.echo(f"note      {line}")
    word = "accepted" if verdict.accepted else "refused"
    click.echo(f"{word}  {verdict.claim}")
    return OPTIMAL if verdict.accepted else REFUSED


@cli.command()
@click.argument("scenario")
@_json
@click.option("--csv", "as_csv", is_flag=True, help="CSV alone on stdout.")
def cost(scenario: str, as_json: bool, as_csv: bool) -> int:
    """Print the cost table of SCENARIO: every mode of every layer and type."""
    from costmodel.build import build_table

    with _input_errors():
        table = build_table(_load(scenario))
    if as_json:
        click.echo(table.to_json(), nl=False)
        return OPTIMAL
    from results.costs import as_csv as csv_text
    from results.costs import as_text
    from results.text import screen_width

    click.echo(csv_text(table) if as_csv else as_text(table, screen_width()), nl=False)
    return OPTIMAL


@cli.command()
@click.argument("source", metavar="CERTIFICATE_OR_SCENARIO")
def show(source: str) -> int:
    """Show a schedule: stages, loads, what holds the period up."""
    from formulation.certificate import CertificateError, read_certificate
    from results.replay import certificate_text, scenario_text
    from results.text import screen_width

    path = Path(source)
    if path.is_file():
        try:
            data = read_certificate(path)
        except CertificateError:
            data = None  # a scenario file then
        if data is not None:
            accepted, text = certificate_text(data, screen_width())
            click.echo(text)
            return OPTIMAL if accepted else REFUSED
    with _input_errors():
        click.echo(scenario_text(_load(source), screen_width()))
    return OPTIMAL


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit; click's own code 2 becomes 1."""
    code: object
    try:
        code = cli.main(args, prog_name="chipsched", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("aborted: nothing was written", err=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ABORTED)  # a solver's thread may still run: do not wait for it
    except BrokenPipeError:
        # Whoever read stdout has had enough; keep Python from writing to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = BAD_INPUT
    sys.exit(code if isinstance(code, int) else OPTIMAL)


if __name__ == "__main__":
    main()

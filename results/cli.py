"""The command `chipsched`. Heavy imports stay inside the commands.

Exit codes: 0 proven optimal (or nothing to complain about), 1 bad usage or
input, 2 proved infeasible, 3 feasible or nothing found but stopped at a limit or
a gap, 4 the checker refused, 130 aborted by a second Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from results.cli_bench import bench
from results.cli_compare import compare
from results.cli_experiments import experiments
from results.cli_headline import headline
from results.cli_layers import layers
from results.cli_pareto import pareto
from results.failures import (
    BAD_INPUT,
    EXIT_CODES,
    OPTIMAL,
    REFUSED,
    Refused,
    failures,
    input_errors,
)
from results.options import (
    asked_option,
    costs_option,
    drawable,
    exact,
    format_option,
    fraction_of_gap,
    json_option,
    kind_option,
    latency_caps,
    limits_options,
    time_limit_option,
    writable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from instances.schema import Instance

ABORTED = 130


def _load(scenario: str, form: str | None) -> Instance:
    if form is not None:
        from instances.readers.formats import read_foreign

        return read_foreign(Path(scenario), form)
    from instances.load import load_instance

    return load_instance(scenario)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chipsched", message="%(prog)s %(version)s")
def cli() -> None:
    """Provably optimal schedules of DNN models on packages of chiplets.

    A SCENARIO is a packaged name (headline, headline-contiguous, sc1-2x2, dram-05;
    a wrong one lists all) or a file. Exit codes: 0 proven optimal, 1 bad usage or
    input, 2 proved infeasible, 3 stopped at a limit or gap, 4 checker refused.
    """


@cli.command()
@click.argument("scenario")
@click.option(
    "--engine",
    type=click.Choice(["cpsat", "milp", "dp", "both"]),
    default="cpsat",
    show_default=True,
)
@asked_option
@kind_option
@time_limit_option("Per engine; 0 for none.")
@click.option(
    "--gap", callback=fraction_of_gap, default="0", help="Stop there, as 0.01 or 1%."
)
@limits_options
@click.option("--period-cap", type=click.IntRange(min=1), metavar="TICKS")
@click.option(
    "--energy-cap", callback=exact, metavar="PJ", help="Per round; timed: of all."
)
@click.option(
    "--latency-cap",
    callback=latency_caps,
    multiple=True,
    metavar="MODEL=TICKS",
    help="May be given several times.",
)
@click.option(
    "--start",
    default="auto",
    show_default=True,
    metavar="NAME|FILE",
    help="A heuristic (compare --help) or a schedule file to start from; none; auto: "
    "annealing where engines are slow to find a first schedule; standalone of "
    "windowed schedules.",
)
@costs_option
@format_option
@json_option
@click.option(
    "--out", callback=writable, metavar="FILE", help="Where the certificate goes."
)
def solve(
    scenario: str,
    engine: str,
    asked: str | None,
    kind: str | None,
    time_limit: float,
    gap: Fraction,
    workers: int,
    seed: int,
    period_cap: int | None,
    energy_cap: Fraction | None,
    latency_cap: dict[str, int],
    start: str,
    costs: Path | None,
    form: str | None,
    as_json: bool,
    out: Path | None,
) -> int:
    """Solve SCENARIO: the least period or makespan, or another objective."""
    from formulation.certificate import write_certificate
    from formulation.kinds import objective_of
    from formulation.outcome import Limits
    from results.interrupt import in_background, stop_on_interrupt
    from results.progress import reporting
    from results.run import solve_instance, with_caps

    with input_errors():
        instance = with_caps(
            _load(scenario, form),
            period_ticks=period_cap,
            energy_pj=energy_cap,
            latency_ticks=latency_cap,
            kind=kind,
        )
        objective = objective_of(instance.options.kind, instance, asked)
    with failures(), stop_on_interrupt() as stop, reporting() as report:
        limits = Limits(
            seconds=time_limit or None, workers=workers, seed=seed, gap=gap, stop=stop
        )
        solved = in_background(
            lambda: solve_instance(
                instance,
                objective=objective,
                engine=engine,
                limits=limits,
                report=report,
                costs=costs,
                start=start,
            )
        )
    if out is not None:
        with input_errors():
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
    from results.energy import breakdown_lines
    from results.show import overview
    from results.text import entry, screen_width

    width = screen_width()
    lines = overview(solved.prepared.problem, solved.certificate, solved.worth, width)
    lines += breakdown_lines(solved.energy_parts_pj or {})
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
@costs_option
@format_option
@json_option
def check(
    certificate: Path,
    against: str | None,
    costs: Path | None,
    form: str | None,
    as_json: bool,
) -> int:
    """Replay CERTIFICATE from its file alone, without any solver."""
    from formulation.certificate import read_certificate
    from formulation.checker import check as replay
    from formulation.checker import check_against

    if costs is not None and against is None:
        raise click.UsageError("--costs goes with --against SCENARIO")
    if form is not None and against is None:
        raise click.UsageError("--format goes with --against SCENARIO")
    with input_errors():
        data = read_certificate(certificate)
        if against is None:
            verdict = replay(data)
        else:
            from results.run import table_of

            instance = _load(against, form)
            verdict = check_against(data, instance, table_of(instance, costs))
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
@costs_option
@format_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV alone, as --costs reads it.")
def cost(
    scenario: str,
    costs: Path | None,
    form: str | None,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Print the cost table of SCENARIO: every mode of every layer and type."""
    from costmodel.costs_csv import to_csv
    from results.costs import as_text
    from results.run import table_of
    from results.text import screen_width

    with input_errors():
        table = table_of(_load(scenario, form), costs)
    if as_json:
        text = table.to_json()
    else:
        text = to_csv(table) if as_csv else as_text(table, screen_width())
    click.echo(text, nl=False)
    return OPTIMAL


@cli.command()
@click.argument("source", metavar="CERTIFICATE_OR_SCENARIO")
@costs_option
@format_option
@click.option(
    "--figure",
    callback=drawable,
    metavar="FILE",
    help="Of a timed schedule, who does what when: PDF, PNG or SVG; matplotlib.",
)
def show(source: str, costs: Path | None, form: str | None, figure: Path | None) -> int:
    """Show a schedule: stages or time lines, loads, what holds it up."""
    from formulation.certificate import CertificateError, read_certificate
    from results.evidence import RefusedError
    from results.replay import certificate_text, draw, replayed, scenario_text
    from results.text import screen_width

    path = Path(source)
    if form is None and path.is_file():
        try:
            data = read_certificate(path)
        except CertificateError:
            data = None  # a scenario file then
        if data is not None:
            if costs is not None:
                raise click.UsageError("a certificate has its own costs")
            try:
                made = replayed(data)
            except RefusedError as error:
                click.echo(f"refused\n{error}")
                return REFUSED
            if figure is not None:
                with input_errors():
                    draw(made, figure)
            click.echo(certificate_text(made, screen_width()))
            return OPTIMAL
    if figure is not None:
        raise click.UsageError("--figure goes with a certificate")
    with input_errors():
        click.echo(scenario_text(_load(source, form), costs, screen_width()))
    return OPTIMAL


cli.add_command(bench)
cli.add_command(experiments)
cli.add_command(compare)
cli.add_command(headline)
cli.add_command(layers)
cli.add_command(pareto)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit; click's own code 2 becomes 1."""
    code: object
    try:
        code = cli.main(args, prog_name="chipsched", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = REFUSED if isinstance(error, Refused) else BAD_INPUT
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

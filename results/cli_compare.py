"""The command `chipsched compare`. Heavy imports stay inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from results.failures import (
    INFEASIBLE,
    OPTIMAL,
    REFUSED,
    STOPPED,
    failures,
    input_errors,
)
from results.options import (
    asked_option,
    costs_option,
    json_option,
    kind_option,
    limits_options,
    time_limit_option,
)

if TYPE_CHECKING:
    from results.rivals import Proof
    from results.schedules import Rival


@click.command()
@click.argument("scenario")
@click.option(
    "--schedule",
    "schedules",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE.json",
    help="A schedule made elsewhere; may be given several times.",
)
@click.option(
    "--heuristic",
    "heuristics",
    multiple=True,
    metavar="NAME|FILE.py",
    help="standalone, proportional, partition, annealing, genetic; of timed schedules "
    "list, heft, annealing; of windowed ones standalone; or a file with def "
    "schedule(search); may be given several times. All, if nothing is given.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="CERTIFICATE",
    help="Take bound and optimum from there instead of solving.",
)
@asked_option
@kind_option
@time_limit_option("Of the solver; 0 for none.")
@click.option(
    "--heuristic-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Of each heuristic.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    help="Of each heuristic, instead of its time limit: the same result every time.",
)
@limits_options
@costs_option
@json_option
def compare(
    scenario: str,
    schedules: tuple[Path, ...],
    heuristics: tuple[str, ...],
    against: Path | None,
    asked: str | None,
    kind: str | None,
    time_limit: float,
    heuristic_limit: float,
    evaluations: int | None,
    workers: int,
    seed: int,
    costs: Path | None,
    as_json: bool,
) -> int:
    """Judge schedules of SCENARIO: broken rules, value, distance from the optimum."""
    from formulation.certificate import read_certificate
    from formulation.heuristics import Budget, load_heuristic, names_of
    from formulation.kinds import objective_of
    from formulation.outcome import Limits
    from instances.load import load_instance
    from results import rivals_show as show
    from results.interrupt import in_background, stop_on_interrupt
    from results.progress import reporting
    from results.rivals import Asked, compared
    from results.run import prepare, with_caps
    from results.schedules import read_schedules

    with input_errors():
        prepared = prepare(with_caps(load_instance(scenario), kind=kind), costs)
        problem = prepared.problem
        objective = objective_of(problem.kind, problem, asked)
        names = heuristics or (() if schedules else names_of(problem.kind))
        given = read_schedules(schedules, problem)
        for name in names:
            load_heuristic(problem.kind, name)
        proved = None if against is None else read_certificate(against)
    with failures(), stop_on_interrupt() as stop, reporting() as report:
        seconds = None if evaluations is not None else heuristic_limit
        wanted = Asked(
            objective=objective,
            schedules=dict(zip(map(str, schedules), given, strict=True)),
            heuristics=names,
            budget=Budget(evaluations, seconds, stop),
            limits=Limits(time_limit or None, workers, seed, stop=stop),
            certificate=None if proved is None else (str(against), proved),
        )
        rivals, proof = in_background(lambda: compared(prepared, wanted, report))
    if as_json:
        import json

        answer = show.as_json(prepared, objective, rivals, proof)
        click.echo(json.dumps(answer, indent=1))
    else:
        from results.text import screen_width

        click.echo(show.as_text(prepared, objective, rivals, proof, screen_width()))
    return _code(rivals, proof)


def _code(rivals: list[Rival], proof: Proof) -> int:
    if any(rival.violations for rival in rivals):
        return REFUSED
    if proof.claim == "infeasible":
        return INFEASIBLE
    complete = proof.optimal and all(rival.value is not None for rival in rivals)
    return OPTIMAL if complete else STOPPED

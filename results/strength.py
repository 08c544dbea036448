"""What each strengthening is worth: gap and seconds with it and without.

One strengthening is left out at a time. Bounds are CP-SAT's own: none is taken from a
certificate's recomputation. Runs on file are not repeated.
``python -m results.strength --out FILE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from formulation.outcome import Limits
from formulation.solve import solve
from formulation.starts import NOTHING
from instances.load import load_instance, load_package
from instances.variants import with_package, with_types
from results.headline import mix_of
from results.interrupt import in_background, stop_on_interrupt
from results.options import limits_options, writable
from results.progress import reporting
from results.record import SCHEMA, Runs, environment, key_of
from results.run import prepare
from results.sensitivity import types_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from formulation.outcome import Report
    from instances.schema import Instance

STUDY = "strength"


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario and an objective, and what is left out one at a time."""

    scenario: str
    objective: str
    off: tuple[str, ...]


CONTIGUOUS, FREE = "headline-contiguous", "headline"
MIRRORED, GRID, TIGHT = "contiguous OO/WW", "3x3", "half the L2"
PLANS = (
    Plan(CONTIGUOUS, "period", ("cuts", "lower_bound", "project_stages", "race")),
    Plan(CONTIGUOUS, "energy", ("dominated", "energy_cuts", "relaxation")),
    Plan(CONTIGUOUS, "edp", ("cuts", "energy_cuts", "relaxation")),
    Plan(MIRRORED, "period", ("cuts", "symmetry")),
    Plan(MIRRORED, "energy", ("energy_cuts", "symmetry")),
    Plan(MIRRORED, "edp", ("symmetry",)),
    Plan(FREE, "period", ("cuts", "lower_bound", "race", "relaxation")),
    Plan(FREE, "energy", ("dominated", "energy_cuts", "peaks", "relaxation")),
    Plan(FREE, "edp", ("cuts", "energy_cuts", "peaks", "relaxation")),
    Plan(GRID, "period", ("lower_bound", "race", "relaxation")),
    Plan(GRID, "energy", ("peaks", "relaxation")),
    Plan(GRID, "edp", ("relaxation",)),
    Plan(TIGHT, "period", ("cuts", "relaxation")),
    Plan(TIGHT, "energy", ("energy_cuts", "peaks", "relaxation")),
    Plan(TIGHT, "edp", ("relaxation",)),
)


def instance_of(scenario: str) -> Instance:
    """Return the instance of a scenario's name.

    ``3x3`` is the headline's workload on the checkerboard of nine chiplets, ``half the
    L2`` its free assignment with 5 MiB of L2 a chiplet.
    """
    if scenario == MIRRORED:
        return mix_of(load_instance(CONTIGUOUS), types_of("OO/WW"))
    base = load_instance(CONTIGUOUS if scenario == CONTIGUOUS else FREE)
    if scenario == GRID:
        package = load_package("3x3-het-cb")
        return with_package(base, package, f"{base.name}-3x3")
    if scenario == TIGHT:
        l2 = max(kind.l2_bytes for kind in base.package.types.values()) // 2
        package = with_types(base.package, l2_bytes=l2)
        return with_package(base, package, f"{base.name}-l2/2")
    return base


def measured(
    plan: Plan,
    off: str | None,
    limits: Limits,
    runs: Runs,
    report: Report | None = None,
) -> dict[str, Any]:
    """Return the record of a run, from the file or made now and added to it.

    Parameters
    ----------
    off
        The strengthening that is left out; `None`: none.
    """
    prepared = prepare(instance_of(plan.scenario))
    p = prepared.problem
    asked = {
        "objective": plan.objective,
        "off": off,
        "limits": {
            "seconds": limits.seconds,
            "workers": limits.workers,
            "seed": limits.seed,
        },
    }
    shas = {"instance_sha256": p.instance_sha256, "table_sha256": p.table_sha256}
    key = key_of({"study": STUDY, **shas, **asked})
    known = runs.find(key)
    if known is not None:
        return known
    objective, left_out = (plan.objective,), frozenset([] if off is None else [off])
    with prepared.kept(objective, "cpsat", limits):
        outcome = solve(
            p, objective, "cpsat", limits, report, start=NOTHING, off=left_out
        )
    run = {
        "schema": SCHEMA,
        "key": key,
        "study": STUDY,
        "variant": f"{plan.scenario}: {plan.objective}: {off or 'all on'}",
        "about": {"scenario": plan.scenario, "off": off},
        "objective": plan.objective,
        "limits": asked["limits"],
        "status": outcome.status,
        "value": outcome.value[0],
        "bound": outcome.bound[0],
        "gap": outcome.gap,
        "why_stopped": outcome.why_stopped,
        "seconds": round(outcome.seconds, 3),
        **shas,
        "environment": environment(),
    }
    if limits.stop is None or not limits.stop.is_set():
        runs.add(run)
    return run


def strength(
    limits: Limits,
    runs: Runs,
    *,
    plans: Sequence[Plan] = PLANS,
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """Return the records of all plans; after Ctrl-C the rest is left out."""
    lines: list[dict[str, Any]] = []
    for plan in plans:
        for off in (None, *plan.off):
            if limits.stop is not None and limits.stop.is_set():
                return lines
            lines.append(measured(plan, off, limits, runs, report))
    return lines


@click.command()
@click.option("--out", callback=writable, required=True, metavar="FILE")
@click.option("--time-limit", type=click.FloatRange(min=0.01), default=20.0)
@limits_options
def main(out: Path, time_limit: float, workers: int, seed: int) -> None:
    """Make every run that FILE does not hold yet, one JSON line each."""
    from results.tables.strength import table
    from results.tables.table import markdown

    runs = Runs(out)
    with stop_on_interrupt() as stop, reporting() as report:
        limits = Limits(seconds=time_limit, workers=workers, seed=seed, stop=stop)
        lines = in_background(lambda: strength(limits, runs, report=report))
    click.echo(markdown(table(lines)), nl=False)


if __name__ == "__main__":
    main()

"""One package against another: solve with both engines, one record a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from formulation.outcome import Limits
from formulation.solve import solve
from results.record import SCHEMA, environment, key_of
from results.run import Solved, finish, joined, prepare
from results.summary import summary

if TYPE_CHECKING:
    from threading import Event

    from formulation.outcome import Progress, Report
    from instances.schema import Instance, Package
    from results.record import Runs


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard every row is tried.

    Parameters
    ----------
    seconds
        Of CP-SAT; `None`: no limit.
    milp_seconds
        Of HiGHS, which starts from CP-SAT's schedule; 0: left out.
    """

    objective: tuple[str, ...] = ("period",)
    seconds: float | None = 60.0
    milp_seconds: float = 15.0
    workers: int = 2
    seed: int = 1


class RefusedError(RuntimeError):
    """The checker refused an answer of our own; the text lists the violations."""


def package_facts(package: Package) -> dict[str, Any]:
    """Return what decides a comparison: totals of a package, and DRAM shares.

    Bandwidths in GB/s and bytes per cycle; `None` is unlimited.
    """
    kinds = [package.types[c.type] for c in package.chiplets]
    total = package.dram.bandwidth_gb_s
    return {
        "package": package.name,
        "chiplets": [c.type for c in package.chiplets],
        "dataflows": [kind.dataflow for kind in kinds],
        "total_pes": sum(kind.num_pes for kind in kinds),
        "total_l2_bytes": sum(kind.l2_bytes for kind in kinds),
        "total_noc_bytes_per_cycle": float(sum(k.noc_bytes_per_cycle for k in kinds)),
        "dram_total_gb_s": None if total is None else float(total),
        "dram_mode": package.dram.mode,
        "dram_routers": [i.router for i in package.dram.interfaces],
        "dram_shares_gb_s": [
            None if total is None else float(total * i.share)
            for i in package.dram.interfaces
        ],
    }


def _labelled(report: Report | None, label: str) -> Report | None:
    if report is None:
        return None

    def tell(news: Progress, /) -> None:
        report(replace(news, engine=f"{label} {news.engine}"))

    return tell


def solve_both(
    instance: Instance,
    effort: Effort,
    *,
    stop: Event | None = None,
    report: Report | None = None,
) -> Solved:
    """Solve with CP-SAT, then let HiGHS start from its schedule.

    Raises
    ------
    RefusedError
        If our own checker refuses the answer.
    """
    prepared = prepare(instance)
    limits = Limits(
        seconds=effort.seconds, workers=effort.workers, seed=effort.seed, stop=stop
    )
    outcome = solve(prepared.problem, effort.objective, "cpsat", limits, report)
    stopped = stop is not None and stop.is_set()
    if effort.milp_seconds > 0 and outcome.claim != "infeasible" and not stopped:
        second = solve(
            prepared.problem,
            effort.objective,
            "milp",
            replace(limits, seconds=effort.milp_seconds),
            report,
            start=outcome.schedule,
        )
        outcome = joined([outcome, second])
    solved = finish(prepared, outcome)
    if not solved.verdict.accepted:
        raise RefusedError("\n".join(solved.verdict.violations))
    return solved


def recorded(
    instance: Instance,
    effort: Effort,
    runs: Runs,
    *,
    study: str,
    variant: str,
    about: dict[str, Any],
    stop: Event | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Return the record of a run, from the file or made now and added to it.

    Parameters
    ----------
    study, variant
        Which table and which of its rows.
    about
        Facts of the row that its table shows.
    """
    from instances.load import instance_sha256

    limits = {
        "objective": ",".join(effort.objective),
        "cpsat_seconds": effort.seconds,
        "milp_seconds": effort.milp_seconds,
        "workers": effort.workers,
        "seed": effort.seed,
    }
    sha = instance_sha256(instance)
    key = key_of({"study": study, "variant": variant, "instance": sha, **limits})
    known = runs.find(key)
    if known is not None:
        return known
    solved = solve_both(instance, effort, stop=stop, report=_labelled(report, variant))
    run = {
        **summary(solved, None),
        "schema": SCHEMA,
        "key": key,
        "study": study,
        "variant": variant,
        "about": about,
        "facts": package_facts(instance.package),
        "limits": limits,
        "environment": environment(),
    }
    del run["schedule"], run["certificate"]
    if stop is None or not stop.is_set():
        runs.add(run)
    return run

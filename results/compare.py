"""What a comparison states of its packages, and one engine starting from another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from formulation.solve import solve
from formulation.starts import AUTO, NOTHING
from results.evidence import RefusedError as RefusedError
from results.run import Solved, finish, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.outcome import Limits, Outcome, Progress, Report
    from formulation.pipelined.schedule import Schedule
    from instances.schema import Package
    from results.run import Prepared


def package_facts(package: Package) -> dict[str, Any]:
    """Return what decides a comparison: totals of a package, and DRAM shares.

    Bandwidths in GB/s and bytes per cycle; `None` is unlimited.
    """
    kinds = [package.types[c.type] for c in package.chiplets]
    total = package.dram.bandwidth_gb_s
    return {
        "package": package.name,
        "chiplets": [c.type for c in package.chiplets],
        "dataflows": [kind.dataflow_name for kind in kinds],
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


def labelled(report: Report | None, label: str) -> Report | None:
    """Return a report that puts a label before the engine's name."""
    if report is None:
        return None

    def tell(news: Progress, /) -> None:
        report(replace(news, engine=f"{label} {news.engine}"))

    return tell


def in_turn(
    prepared: Prepared,
    objective: tuple[str, ...],
    engines: Sequence[tuple[str, Limits]],
    report: Report | None = None,
) -> Solved:
    """Solve with one engine after the other, each from the best schedule so far.

    The first one starts as `solve` does on its own.

    What is proved infeasible, and what was stopped from outside, goes no further.

    Raises
    ------
    RefusedError
        If our own checker refuses the answer.
    """
    outcomes: list[Outcome[Schedule]] = []
    names = [name for name, _ in engines]
    kept = names[0] if len(names) == 1 else "both"
    with prepared.kept(objective, kept, engines[0][1]):
        for name, limits in engines:
            start = joined(outcomes).schedule or NOTHING if outcomes else AUTO
            found = solve(
                prepared.problem, objective, name, limits, report, start=start
            )
            outcomes.append(found)
            if found.claim == "infeasible" or (limits.stop and limits.stop.is_set()):
                break
        return finish(prepared, joined(outcomes))

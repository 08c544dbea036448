"""Where the energy of a schedule goes, exact: a table, and its numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from costmodel import energy
from costmodel.scaling import at_technology
from formulation.kinds import kind_of
from results.text import columns, percent, with_unit

if TYPE_CHECKING:
    from costmodel.table import CostTable
    from formulation.decisions import Decisions
    from formulation.kinds import Judged
    from formulation.problem import Problem
    from instances.schema import Instance

LEAST = Fraction(1, 100_000)
LABELS = {
    "mac": "MAC",
    "l1": "L1",
    "l2": "L2",
    "noc": "NoC",
    "chiplet": "on chiplets",
    "nop": "NoP",
    "dram": "DRAM",
    "static": "static",
    "rounding": "rounding",
}


def chiplets_pj(
    instance: Instance, table: CostTable, problem: Problem, schedule: Decisions
) -> list[dict[str, Fraction]]:
    """Return the energy of all rounds on every chiplet by parts, in pJ.

    ``chiplet`` is what the table gives undivided: the energy of modes that their
    own MACs and accesses do not explain to the quantum.
    """
    quantum_pj = Fraction(problem.energy_quantum_fj, 1000)
    every = [dict.fromkeys(LABELS, Fraction(0)) for _ in problem.chiplets]
    rounds = kind_of(problem).rounds(problem)
    kinds = {n: at_technology(k) for n, k in instance.package.types.items()}
    for t, task in enumerate(problem.tasks):
        model = instance.models[task.model]
        kind = kinds[problem.chiplets[schedule.chiplet[t]].type]
        mode = table.rows[model.name, task.name, kind.name][schedule.mode[t]]
        stated = mode.energy_quanta * quantum_pj
        try:
            found = energy.energy_parts_pj(kind, mode.macs, mode.accesses)
        except ValueError:  # levels of another cost model
            found = {}
        if not 0 <= stated - sum(found.values()) < quantum_pj:
            found = {"chiplet": stated}
        for name, amount in found.items():
            every[schedule.chiplet[t]][name] += (
                amount * model.mini_batches * rounds[task.model]
            )
    return every


def breakdown_pj(
    instance: Instance,
    table: CostTable,
    problem: Problem,
    schedule: Decisions,
    worth: Judged,
) -> dict[str, Fraction]:
    """Return the energy of all rounds by parts, in pJ; the sum is the schedule's.

    Those of `chiplets_pj`, and what the package takes. ``rounding`` is what whole
    quanta add.
    """
    quantum_pj = Fraction(problem.energy_quantum_fj, 1000)
    every = chiplets_pj(instance, table, problem, schedule)
    parts = {name: sum((c[name] for c in every), Fraction(0)) for name in LABELS}
    kind = kind_of(problem)
    units = kind.units(problem, schedule, worth)
    for name in ("nop", "dram", "static"):
        parts[name] = units[name] * quantum_pj / problem.energy_den
    total = kind.facts(problem, worth)["energy_quanta"] * quantum_pj
    parts["rounding"] = total - sum(parts.values())
    return parts


def breakdown_lines(parts_pj: dict[str, Fraction]) -> list[str]:
    """Return a table of what is 0.001 % of the sum or more."""
    total = sum(parts_pj.values())
    rows = [
        (
            f"  {LABELS[name]}",
            with_unit(float(amount) * 1e-12, "J"),
            percent(float(amount / total)),
        )
        for name, amount in parts_pj.items()
        if amount and amount >= total * LEAST
    ]
    return ["energy goes to", *columns(rows, frozenset({1, 2}))] if rows else []

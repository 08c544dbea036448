"""Scenario in, solved and checked: the one way from an instance to a claim."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from costmodel.build import MAX_MODES, build_table
from costmodel.costs_csv import load_csv
from formulation.bounded import with_duals
from formulation.certificate import make_certificate
from formulation.checker import Verdict, check
from formulation.compile import compile_problem
from formulation.kinds import kind_of
from formulation.outcome import Outcome
from formulation.rules import KindError
from formulation.solve import DisagreementError, solve
from formulation.starts import AUTO
from results.energy import breakdown_pj
from results.evidence import RefusedError, kept
from results.schedules import start_given

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from fractions import Fraction
    from pathlib import Path

    from costmodel.table import CostTable
    from formulation.outcome import Limits, Report
    from formulation.problem import Problem
    from instances.schema import Instance


@dataclass(frozen=True, slots=True)
class Prepared:
    """An instance with its cost table and problem.

    Parameters
    ----------
    seconds
        What building took.
    """

    instance: Instance
    table: CostTable
    problem: Problem
    seconds: float

    def kept(
        self, objective: Sequence[str], engine: str, limits: Limits
    ) -> AbstractContextManager[None]:
        """Keep everything in a file if what is done within contradicts itself."""
        return kept(self.instance, self.table, self.problem, objective, engine, limits)


@dataclass(frozen=True, slots=True)
class Solved:
    """An outcome with what the semantics and the checker say of it.

    Parameters
    ----------
    worth
        What the semantics of its kind say of the schedule; `None` if there is none.
    certificate
        As a file has it.
    """

    prepared: Prepared
    outcome: Outcome[Any]
    worth: Any
    certificate: dict[str, Any]
    verdict: Verdict

    @property
    def energy_parts_pj(self) -> dict[str, Fraction] | None:
        """Where the energy of a round goes, in pJ; `None` without a schedule."""
        found, made = self.outcome.schedule, self.prepared
        if found is None or self.worth is None:
            return None
        return breakdown_pj(made.instance, made.table, made.problem, found, self.worth)


def with_caps(
    instance: Instance,
    *,
    period_ticks: int | None = None,
    energy_pj: Fraction | None = None,
    latency_ticks: dict[str, int] | None = None,
    kind: str | None = None,
) -> Instance:
    """Return the instance with other caps or of another kind; `None`: as it is.

    Windowed schedules have no option `contiguous`: it is left out for ``kind``.

    Raises
    ------
    InstanceError
        If a cap is not acceptable or names an unknown model.
    KindError
        If a period of other than pipelined schedules is capped.
    """
    options = instance.options
    if kind is not None:
        options = replace(options, kind=kind)
    if kind == "windowed":  # segments are contiguous, without being asked to
        options = replace(options, contiguous=False)
    if period_ticks is not None:
        if options.kind != "pipelined":
            raise KindError(f"period cap: {options.kind} schedules have no period")
        options = replace(options, period_cap_ticks=period_ticks)
    if energy_pj is not None:
        options = replace(options, energy_cap_pj=energy_pj)
    if latency_ticks:
        caps = {**options.latency_cap_ticks, **latency_ticks}
        options = replace(options, latency_cap_ticks=caps)
    return (
        instance if options is instance.options else replace(instance, options=options)
    )


def pipelined(instance: Instance) -> Instance:
    """Return an instance, for what knows pipelined schedules alone.

    Raises
    ------
    KindError
        If it asks for another kind.
    """
    kind = instance.options.kind
    if kind != "pipelined":
        raise KindError(f"{instance.name}: got {kind} schedules, expected pipelined")
    return instance


def table_of(
    instance: Instance, costs: Path | None = None, max_modes: int = MAX_MODES
) -> CostTable:
    """Return the cost table of an instance: that of a CSV file, or our own.

    Parameters
    ----------
    max_modes
        Of a layer on a chiplet type in our own.

    Raises
    ------
    TableError
        If the file is not a cost table of the instance.
    OSError
        If it cannot be read.
    """
    if costs is None:
        return build_table(instance, max_modes=max_modes)
    return load_csv(costs, instance)


def prepare(
    instance: Instance, costs: Path | None = None, max_modes: int = MAX_MODES
) -> Prepared:
    """Build or read the cost table and compile the problem."""
    began = time.monotonic()
    table = table_of(instance, costs, max_modes)
    problem = compile_problem(instance, table)
    return Prepared(instance, table, problem, time.monotonic() - began)


def finish(prepared: Prepared, outcome: Outcome[Any]) -> Solved:
    """Add recomputed bounds, value the schedule, and let the checker judge it all.

    Raises
    ------
    DisagreementError
        If a recomputed bound is above the value of the schedule.
    RefusedError
        If our own checker refuses the answer.
    """
    outcome = with_duals(prepared.problem, outcome)
    worth = None
    if outcome.schedule is not None:
        kind = kind_of(prepared.problem)
        worth = kind.evaluate(prepared.problem, outcome.schedule)
    certificate = make_certificate(
        prepared.instance, prepared.table, prepared.problem, outcome, worth
    )
    verdict = check(certificate)
    if not verdict.accepted:
        raise RefusedError("\n".join(verdict.violations), outcome.schedule)
    return Solved(prepared, outcome, worth, certificate, verdict)


def solve_instance(
    instance: Instance,
    *,
    objective: tuple[str, ...] = (),
    engine: str,
    limits: Limits,
    report: Report | None = None,
    costs: Path | None = None,
    start: str = AUTO,
) -> Solved:
    """Solve an instance and check the answer.

    Parameters
    ----------
    objective
        Quantities in the order in which they are minimised; (): that of the kind.
    engine
        ``cpsat``, ``milp`` or ``both``.
    costs
        CSV file whose cost table replaces our own.
    start
        A schedule file, or what `starts.start_of` is to look for.

    Raises
    ------
    ScheduleError
        If the file does not describe a schedule of the problem.
    HeuristicError
        If the heuristic to start from does not exist or fails.
    """
    prepared = prepare(instance, costs)
    return solve_prepared(prepared, objective, engine, limits, report, start)


def solve_prepared(
    prepared: Prepared,
    objective: tuple[str, ...],
    engine: str,
    limits: Limits,
    report: Report | None = None,
    start: str = AUTO,
) -> Solved:
    """Solve what is built already and check the answer; as `solve_instance`."""
    problem, first = prepared.problem, start_given(start, prepared.problem)
    with prepared.kept(objective, engine, limits):
        outcome = solve(problem, objective, engine, limits, report, start=first)
        if not isinstance(first, str):
            run, *others = outcome.runs
            run = replace(run, notes=(f"starts from {start}", *run.notes))
            outcome = replace(outcome, runs=(run, *others))
        return finish(prepared, outcome)


def joined(outcomes: Sequence[Outcome[Any]]) -> Outcome[Any]:
    """Return one outcome of several engines' outcomes of the same problem.

    The schedule is the best one, part by part; a bound of any engine holds for
    all: later parts were bounded under an earlier value that was no smaller.

    Raises
    ------
    DisagreementError
        If one engine's proof contradicts another one's schedule.
    """
    first = outcomes[0]
    parts = range(len(first.objective))

    def order(outcome: Outcome[Any]) -> list[tuple[bool, int]]:
        return [(v is None, 0 if v is None else v) for v in outcome.value]

    best = min(outcomes, key=order)
    bounds = [[o.bound[k] for o in outcomes if o.bound[k] is not None] for k in parts]
    try:
        return Outcome(
            objective=first.objective,
            schedule=best.schedule,
            value=best.value,
            bound=tuple(max(b) if b else None for b in bounds),  # type: ignore[type-var]
            runs=tuple(run for outcome in outcomes for run in outcome.runs),
            why_stopped=best.why_stopped,
            seconds=sum(outcome.seconds for outcome in outcomes),
            relaxed=tuple(dict.fromkeys(r for o in outcomes for r in o.relaxed)),
            clashing=next((o.clashing for o in outcomes if o.clashing), ()),
        )
    except ValueError as error:
        raise DisagreementError(str(error), best.schedule) from error

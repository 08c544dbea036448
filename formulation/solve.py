"""Problem and objective in, Outcome out: engines by name, parts in order."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from formulation.axes import PeriodEnergy, StagesPeriod
from formulation.branch import Branched, branch
from formulation.objective import ObjectiveError, parts_of, steps_of
from formulation.outcome import DisagreementError as DisagreementError
from formulation.outcome import EngineRun, Limits, Nodes, Outcome, Target
from formulation.pipelined.semantics import evaluate
from formulation.rules import UnassignedError
from formulation.starts import AUTO, start_of

if TYPE_CHECKING:
    from formulation.axes import Axis
    from formulation.objective import Part
    from formulation.outcome import Answer, Report
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

SUMS = frozenset({"cpsat"})  # engines that minimise sums of period and energy
ENGINES = {"cpsat": ("cpsat",), "milp": ("milp",), "both": ("cpsat", "milp")}


class Engine(Protocol):
    """What an engine's module offers for pipelined schedules."""

    def __call__(
        self,
        p: Problem,
        target: Target,
        limits: Limits,
        /,
        *,
        report: Report | None,
        hint: Schedule | None,
        without: frozenset[str],
        strengthenings: frozenset[str] = ...,
    ) -> Answer[Schedule]:
        """Minimise a target."""


def _engine(name: str) -> tuple[Engine, str]:
    """Return an engine and its version; imported only when it is needed."""
    if name == "cpsat":
        from formulation.engines.cpsat import VERSION
        from formulation.pipelined.cpsat import minimise

        return minimise, VERSION
    from formulation.engines.milp import VERSION as MILP_VERSION
    from formulation.pipelined.milp import minimise as minimise_milp

    return minimise_milp, MILP_VERSION


def _record(name: str, off: frozenset[str]) -> _Record:
    """Return an engine that is to work without some strengthenings."""
    run, version = _engine(name)
    if off:
        file = "cpsat_build" if name == "cpsat" else "milp_cuts"
        every = import_module(f"formulation.pipelined.{file}").STRENGTHENINGS
        run = partial(run, strengthenings=frozenset(every) - off)
    return _Record(name, run, version)


@dataclass
class _Record:
    """What one engine has done so far."""

    name: str
    run: Engine
    version: str
    seconds: float = 0.0
    values: list[int | None] = field(default_factory=list)
    bounds: list[int | None] = field(default_factory=list)
    infeasible: bool = False
    why: str = "finished"
    notes: list[str] = field(default_factory=list)
    nodes: Nodes = field(default_factory=Nodes)

    def take(self, answer: Branched) -> None:
        """Take note of what came of a group, up to the first part that is open."""
        value, bound = answer.value or (), answer.bound
        reached = max(1, len(bound))
        self.values += [*value[:reached]] or [None]
        self.bounds += [*bound] or [None]
        self.seconds += answer.seconds
        self.infeasible = self.infeasible or answer.infeasible
        self.why = answer.why_stopped
        self.notes += answer.notes

    def frozen(self, objective: tuple[str, ...]) -> EngineRun:
        """Return the record as part of an outcome."""
        rest = [None] * (len(objective) - len(self.values))
        return EngineRun(
            engine=self.name,
            version=self.version,
            quantity=objective,
            value=(*self.values, *rest),
            bound=(*self.bounds, *rest),
            infeasible=self.infeasible,
            why_stopped=self.why,
            seconds=self.seconds,
            notes=tuple(self.notes),
            nodes=self.nodes.count,
        )


def solve(
    p: Problem,
    objective: tuple[str, ...] = ("period",),
    engine: str = "cpsat",
    limits: Limits | None = None,
    report: Report | None = None,
    *,
    start: Schedule | str = AUTO,
    without: frozenset[str] = frozenset(),
    clashes: bool = True,
    off: frozenset[str] = frozenset(),
) -> Outcome[Schedule]:
    """Minimise the parts of an objective one after the other.

    A part is minimised only after the one before it was proved, under a cap of its
    value. With ``both``, the second engine starts from the first one's schedule. Time
    limits hold for each engine; the start takes its time from the first one.

    Parameters
    ----------
    objective
        Texts of parts (`formulation.objective`).
    start
        A schedule, or what `starts.start_of` looks for; notes say if it is of no use.
    without
        Labels of rules to leave out: the outcome says that it is a relaxation.
    off
        Labels of strengthenings that no engine uses.
    clashes
        Look for rules that clash in what is proved infeasible.

    Raises
    ------
    ObjectiveError, HeuristicError
        If a text is no objective of this problem, with every fault; if there is no such
        heuristic to start from, or it fails.
    DisagreementError
        If the engines contradict each other, or a schedule one engine's own proof.
    EngineError
        If a solver returns what the semantics refuse, or cannot take numbers so large.
    """
    parts, limits, began = parts_of(objective), limits or Limits(), time.monotonic()
    _refuse(p, parts, without)
    records, groups = [_record(x, off) for x in ENGINES[engine]], steps_of(objective)
    best = _first(p, start, objective, records[0], limits, report, without)
    best, proved, why = _groups(p, groups, records, limits, report, best, without)
    worth = None if best is None else evaluate(p, best, without=without)
    names = tuple(part.text for part in parts)
    clashes = clashes and any(record.infeasible for record in records)
    return Outcome(
        objective=names,
        schedule=best,
        value=tuple(None if worth is None else x.value(p, worth) for x in parts),
        bound=(*proved, *([None] * (len(parts) - len(proved)))),
        runs=tuple(record.frozen(names) for record in records),
        why_stopped=why,
        seconds=time.monotonic() - began,
        relaxed=tuple(sorted(without)),
        clashing=_clashing(p, without, limits) if clashes else (),
    )


def _clashing(p: Problem, without: frozenset[str], limits: Limits) -> tuple[str, ...]:
    """Return rules that clash; imported only when it is needed."""
    from formulation.pipelined.clash import clashing_rules

    return clashing_rules(p, without, limits)


def _refuse(p: Problem, parts: tuple[Part, ...], without: frozenset[str]) -> None:
    """Refuse an objective that does not fit the problem, with every fault."""
    faults = []
    for part in parts:
        if not part.largest:
            continue
        try:
            part.weights(p)
        except ObjectiveError as error:
            faults.append(str(error))
        for rule in sorted(without & {"stage", "latency_cap"}):
            faults.append(f"objective: {part.text} needs the rule {rule}")
    if faults:
        raise ObjectiveError("\n".join(faults))


@dataclass(frozen=True, slots=True)
class _Group:
    """Best schedule, its value and the best bound of a group, over all engines.

    `bound` ends with the first part that is below `value`.
    """

    schedule: Schedule | None
    value: tuple[int, ...] | None
    bound: tuple[int, ...]
    why: str


def _groups(
    p: Problem,
    groups: list[tuple[Part, ...]],
    records: list[_Record],
    limits: Limits,
    report: Report | None,
    start: Schedule | None,
    without: frozenset[str],
) -> tuple[Schedule | None, list[int | None], str]:
    """Minimise group after group: best schedule, bounds so far, why it stopped."""
    best, why = start, "finished"
    under = Target("period")
    proved: list[int | None] = []
    for parts in groups:
        found = _group(p, parts, under, records, limits, report, best, without)
        best = found.schedule
        proved += [*found.bound] or [None]
        why = found.why
        if best is None or found.value != found.bound:
            break
        p, under = _capped(p, parts[0], found.value[0], under)
    return best, proved, why


def _first(
    p: Problem,
    start: Schedule | str,
    objective: tuple[str, ...],
    record: _Record,
    limits: Limits,
    report: Report | None,
    without: frozenset[str],
) -> Schedule | None:
    """Return the schedule to start from if it is valid; else the notes say why not."""
    if isinstance(start, str):
        found = start_of(start, p, objective, limits, report)
        record.seconds += found.seconds
        record.notes += found.notes
        if found.schedule is None:
            return None
        start = found.schedule
    try:
        broken = evaluate(p, start, without=without).violations
    except UnassignedError as error:
        broken = error.violations
    if not broken:
        return start
    said = "; ".join(str(violation) for violation in broken)
    record.notes.append(f"the schedule to start from is ignored: {said}")
    return None


def _capped(
    p: Problem, part: Part, value: int, under: Target
) -> tuple[Problem, Target]:
    """Return the problem and the caps for what is minimised after a part."""
    if part.text == "period":
        return p, replace(under, period_at_most=value)
    if part.text == "energy":
        return p, replace(under, energy_at_most=value)
    if not part.largest:
        return p, under  # nothing comes after a group of sums
    models = list(p.models)
    for m, k in part.weights(p).items():
        known = models[m].latency_cap_ticks
        cap = value // k if known is None else min(value // k, known)
        models[m] = replace(models[m], latency_cap_ticks=cap)
    return replace(p, models=tuple(models)), under


def _group(
    p: Problem,
    parts: tuple[Part, ...],
    under: Target,
    records: list[_Record],
    limits: Limits,
    report: Report | None,
    best: Schedule | None,
    without: frozenset[str],
) -> _Group:
    """Let every engine minimise a group.

    The second engine is given the first one's schedule, never its bound: each bound is
    one engine's own proof.
    """
    value: tuple[int, ...] | None = None
    bound: tuple[int, ...] = ()
    why = "finished"
    if best is not None:
        worth = evaluate(p, best, without=without)
        value = tuple(part.value(p, worth) for part in parts)
    for record in records:
        left = limits.seconds
        if left is not None:
            left = max(0.01, left - record.seconds)
        mine = replace(limits, seconds=left, nodes=record.nodes)
        answer = _run(p, parts, under, record, mine, report, best, without)
        record.take(answer)
        why = answer.why_stopped
        if answer.value is not None and (value is None or answer.value < value):
            best, value = answer.schedule, answer.value
        bound = max(bound, answer.bound)
        _agree(records, best, value, bound)
        if answer.infeasible or (limits.stop is not None and limits.stop.is_set()):
            break
    closed = value is not None and value == bound
    return _Group(best, value, bound, "finished" if closed else why)


def _run(
    p: Problem,
    parts: tuple[Part, ...],
    under: Target,
    record: _Record,
    limits: Limits,
    report: Report | None,
    best: Schedule | None,
    without: frozenset[str],
) -> Branched:
    """Let one engine minimise a group: itself, or by branching."""
    if not parts[0].direct:
        axis: Axis = PeriodEnergy(p, parts, under, without)
        if parts[0].largest:
            axis = StagesPeriod(p, parts, under)

        def ask(q: Problem, target: Target, some: Limits, hint: Schedule | None
                ) -> Answer[Schedule]:  # fmt: skip
            return record.run(q, target, some, report=None, hint=hint, without=without)

        return branch(
            axis,
            p,
            record.name,
            ask,
            limits,
            report=report,
            hint=best,
            without=without,
            sums=record.name in SUMS,
        )
    target = replace(under, quantity=parts[0].text)
    found = record.run(p, target, limits, report=report, hint=best, without=without)
    return Branched(
        schedule=found.schedule,
        value=None if found.value is None else (found.value,),
        bound=() if found.bound is None else (found.bound,),
        infeasible=found.infeasible,
        why_stopped=found.why_stopped,
        seconds=found.seconds,
        notes=found.notes,
    )


def _agree(
    records: list[_Record],
    best: Schedule | None,
    value: tuple[int, ...] | None,
    bound: tuple[int, ...],
) -> None:
    """Fail loudly where one engine's proof contradicts another one's schedule."""
    said = "; ".join(
        f"{r.name} {r.version}: values {r.values}, bounds {r.bounds}, "
        f"infeasible {r.infeasible}"
        for r in records
    )
    if best is not None and any(r.infeasible for r in records):
        text = f"a valid schedule of a problem proved infeasible: {said}"
        raise DisagreementError(text, best)
    if value is not None and bound > value:
        text = f"a bound of {bound} above a value of {value}: {said}"
        raise DisagreementError(text, best)

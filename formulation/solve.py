"""Problem and objective in, Outcome out: engines by kind and name, parts in order."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from formulation.kinds import kind_of
from formulation.outcome import DisagreementError as DisagreementError
from formulation.outcome import EngineRun, Limits, Nodes, Outcome
from formulation.pipelined.steps import Steps as PipelinedSteps
from formulation.rules import KindError, UnassignedError
from formulation.starts import AUTO, start_of
from formulation.timed.steps import Steps as TimedSteps
from formulation.windowed.steps import steps as windowed_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from formulation.objective import Part
    from formulation.outcome import Answer, GroupAnswer, Report
    from formulation.problem import Problem

ENGINES = {
    "pipelined": ("cpsat", "milp"),
    "timed": ("cpsat", "milp"),
    "windowed": ("cpsat", "dp"),
}
"""Kind -> names of modules in its room that have `minimise` and `STRENGTHENINGS`.

The version of an engine is in `formulation.engines`, in the module of that name.
"""
STEPS: dict[str, Callable[[Problem, frozenset[str]], Steps]] = {
    "pipelined": PipelinedSteps,
    "timed": TimedSteps,
    "windowed": windowed_steps,
}
BOTH = "both"


class Engine(Protocol):
    """What an engine's module offers for a kind of schedules."""

    def __call__(
        self,
        p: Problem,
        target: Any,
        limits: Limits,
        /,
        *,
        report: Report | None,
        hint: Any,
        without: frozenset[str],
        strengthenings: frozenset[str] = ...,
    ) -> Answer[Any]:
        """Minimise a target: a part, or what the kind makes of one."""


class Steps(Protocol):
    """A problem under what earlier parts were proved to be worth."""

    @property
    def p(self) -> Problem:
        """The problem."""

    def groups(self, objective: Sequence[str]) -> list[tuple[Part, ...]]:
        """Return the parts that are minimised at once."""

    def after(self, part: Part, value: int) -> Steps:
        """Return the steps that follow on a part proved to be worth so much."""

    def minimise(
        self,
        parts: tuple[Part, ...],
        name: str,
        engine: Engine,
        limits: Limits,
        report: Report | None,
        hint: Any,
    ) -> GroupAnswer[Any]:
        """Let one engine minimise a group."""


def engine_of(kind: str, name: str) -> tuple[Engine, str]:
    """Return an engine and its version; imported only when it is needed."""
    run: Engine = import_module(f"formulation.{kind}.{name}").minimise
    version: str = import_module(f"formulation.engines.{name}").VERSION
    return run, version


def names_of(kind: str, engine: str) -> tuple[str, ...]:
    """Return the engines that a word stands for: its own name, or all with ``both``.

    Raises
    ------
    KindError
        If the kind has no such engine.
    """
    every = ENGINES[kind]
    if engine in every:
        return (engine,)
    if engine == BOTH and len(every) > 1:
        return every
    known = " and ".join(every)
    raise KindError(f"engine: got {engine}, {kind} schedules have {known}")


def _record(kind: str, name: str, off: frozenset[str]) -> _Record:
    """Return an engine that is to work without some strengthenings."""
    run, version = engine_of(kind, name)
    if off:
        every = import_module(f"formulation.{kind}.{name}").STRENGTHENINGS
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

    def take(self, answer: GroupAnswer[Any]) -> None:
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
    objective: tuple[str, ...] = (),
    engine: str = "cpsat",
    limits: Limits | None = None,
    report: Report | None = None,
    *,
    start: Any = AUTO,
    without: frozenset[str] = frozenset(),
    clashes: bool = True,
    off: frozenset[str] = frozenset(),
) -> Outcome[Any]:
    """Minimise the parts of an objective one after the other.

    A part is minimised only after the one before it was proved, under a cap of its
    value. With ``both``, the second engine starts from the first one's schedule. Time
    limits hold for each engine; the start takes its time from the first one.

    Parameters
    ----------
    objective
        Texts of parts; (): that of the problem's kind.
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
    ObjectiveError, KindError, HeuristicError
        If a text is no objective of this problem; if options, engine or start are none
        of its kind of schedules; if the heuristic to start from fails.
    ContradictionError
        If engines contradict each other, a schedule a proof, a solver the semantics; or
        a solver cannot take numbers so large.
    """
    kind, limits, began = kind_of(p), limits or Limits(), time.monotonic()
    kind.check(p)
    parts = kind.parts(p, objective or kind.objective, without)
    names = tuple(part.text for part in parts)
    records = [_record(p.kind, name, off) for name in names_of(p.kind, engine)]
    best = _first(p, start, names, records[0], limits, report, without)
    steps = STEPS[p.kind](p, without)
    best, proved, why = _groups(steps, names, records, limits, report, best, without)
    worth = None if best is None else kind.evaluate(p, best, without=without)
    return Outcome(
        objective=names,
        schedule=best,
        value=tuple(None if worth is None else kind.value(p, x, worth) for x in parts),
        bound=(*proved, *([None] * (len(parts) - len(proved)))),
        runs=tuple(record.frozen(names) for record in records),
        why_stopped=why,
        seconds=time.monotonic() - began,
        relaxed=tuple(sorted(without)),
        clashing=_clashing(p, records, without, limits) if clashes else (),
    )


def _clashing(
    p: Problem, records: list[_Record], without: frozenset[str], limits: Limits
) -> tuple[str, ...]:
    """Return rules that clash in what was proved infeasible."""
    if not any(record.infeasible for record in records):
        return ()
    from formulation.clash import clashing_rules

    return clashing_rules(p, without, limits)


@dataclass(frozen=True, slots=True)
class _Group:
    """Best schedule, its value and the best bound of a group, over all engines.

    `bound` ends with the first part that is below `value`.
    """

    schedule: Any
    value: tuple[int, ...] | None
    bound: tuple[int, ...]
    why: str


def _groups(
    steps: Steps,
    objective: tuple[str, ...],
    records: list[_Record],
    limits: Limits,
    report: Report | None,
    start: Any,
    without: frozenset[str],
) -> tuple[Any, list[int | None], str]:
    """Minimise group after group: best schedule, bounds so far, why it stopped."""
    best, why = start, "finished"
    proved: list[int | None] = []
    for parts in steps.groups(objective):
        found = _group(steps, parts, records, limits, report, best, without)
        best = found.schedule
        proved += [*found.bound] or [None]
        why = found.why
        if best is None or found.value != found.bound:
            break
        steps = steps.after(parts[0], found.value[0])
    return best, proved, why


def _first(
    p: Problem,
    start: Any,
    objective: tuple[str, ...],
    record: _Record,
    limits: Limits,
    report: Report | None,
    without: frozenset[str],
) -> Any:
    """Return the schedule to start from if it is valid; else the notes say why not."""
    if isinstance(start, str):
        found = start_of(start, p, objective, limits, report)
        record.seconds += found.seconds
        record.notes += found.notes
        if found.schedule is None:
            return None
        start = found.schedule
    try:
        broken = kind_of(p).evaluate(p, start, without=without).violations
    except UnassignedError as error:
        broken = error.violations
    if not broken:
        return start
    said = "; ".join(str(violation) for violation in broken)
    record.notes.append(f"the schedule to start from is ignored: {said}")
    return None


def _group(
    steps: Steps,
    parts: tuple[Part, ...],
    records: list[_Record],
    limits: Limits,
    report: Report | None,
    best: Any,
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
        kind = kind_of(steps.p)
        worth = kind.evaluate(steps.p, best, without=without)
        value = tuple(kind.value(steps.p, part, worth) for part in parts)
    for record in records:
        left = limits.seconds
        if left is not None:
            left = max(0.01, left - record.seconds)
        mine = replace(limits, seconds=left, nodes=record.nodes)
        answer = steps.minimise(parts, record.name, record.run, mine, report, best)
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


def _agree(
    records: list[_Record],
    best: Any,
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

"""Problem and objective in, Outcome out: engines by name, parts in order."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from formulation.outcome import QUANTITIES, EngineRun, Limits, Outcome, Target
from formulation.pipelined.semantics import Evaluation, evaluate

if TYPE_CHECKING:
    from formulation.outcome import Answer, Report
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

ENGINES = {"cpsat": ("cpsat",), "milp": ("milp",), "both": ("cpsat", "milp")}


class DisagreementError(RuntimeError):
    """Two engines contradict each other: at least one of them is wrong."""


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


def parse_objective(text: str) -> tuple[str, ...]:
    """Return the quantities of an objective such as ``period,energy``, in order.

    Raises
    ------
    ValueError
        For an unknown, repeated or missing quantity.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(part in QUANTITIES for part in parts) or len(set(parts)) != len(parts):
        known = ", ".join(QUANTITIES)
        raise ValueError(
            f"objective: got {text!r}, expected one or more of {known}, each once, "
            "separated by commas"
        )
    return parts


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
        )


def quantity_of(found: Evaluation, quantity: str) -> int:
    """Return ``period`` in ticks or ``energy`` in quanta."""
    return found.period_ticks if quantity == "period" else found.energy_quanta


def solve(
    p: Problem,
    objective: tuple[str, ...] = ("period",),
    engine: str = "cpsat",
    limits: Limits | None = None,
    report: Report | None = None,
    *,
    start: Schedule | None = None,
    without: frozenset[str] = frozenset(),
) -> Outcome[Schedule]:
    """Minimise the parts of an objective one after the other.

    A part is minimised only after the one before it was proved, under a cap of its
    value. With ``both``, every engine minimises every part, the second one starting
    from the first one's schedule; time limits hold for each engine.

    Parameters
    ----------
    start
        A schedule to start from.
    without
        Labels of rules to leave out: the outcome says that it is a relaxation.

    Raises
    ------
    DisagreementError
        If the engines contradict each other.
    EngineError
        If a solver returns what the semantics refuse, or cannot take numbers so large.
    """
    limits = limits or Limits()
    began = time.monotonic()
    records = [_Record(name, *_engine(name)) for name in ENGINES[engine]]
    best, proved, why = _parts(p, objective, records, limits, report, start, without)
    worth = None if best is None else evaluate(p, best, without=without)
    value = tuple(None if worth is None else quantity_of(worth, q) for q in objective)
    runs = tuple(record.frozen(objective) for record in records)
    clashing: tuple[str, ...] = ()
    if any(record.infeasible for record in records):
        from formulation.pipelined.clash import clashing_rules

        clashing = clashing_rules(p, without, limits)
    return Outcome(
        objective=objective,
        schedule=best,
        value=value,
        bound=(*proved, *([None] * (len(objective) - len(proved)))),
        runs=runs,
        why_stopped=why,
        seconds=time.monotonic() - began,
        relaxed=tuple(sorted(without)),
        clashing=clashing,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Best schedule, its value and the best bound of one part, over all engines."""

    schedule: Schedule | None
    value: int | None
    bound: int | None
    why: str


def _parts(
    p: Problem,
    objective: tuple[str, ...],
    records: list[_Record],
    limits: Limits,
    report: Report | None,
    start: Schedule | None,
    without: frozenset[str],
) -> tuple[Schedule | None, list[int | None], str]:
    """Minimise part after part: best schedule, bounds so far, why it stopped."""
    best, why = start, "finished"
    caps: dict[str, int] = {}
    proved: list[int | None] = []
    for quantity in objective:
        target = Target(
            quantity,
            period_at_most=caps.get("period"),
            energy_at_most=caps.get("energy"),
        )
        found = _part(p, target, records, limits, report, best, without)
        best = found.schedule
        proved.append(found.bound)
        why = found.why
        if best is None or found.value != found.bound:
            break
        assert found.value is not None
        caps[quantity] = found.value
    return best, proved, why


def _part(
    p: Problem,
    target: Target,
    records: list[_Record],
    limits: Limits,
    report: Report | None,
    start: Schedule | None,
    without: frozenset[str],
) -> _Part:
    """Let every engine minimise one part.

    The second engine is given the first one's schedule, never its bound: each bound is
    one engine's own proof.
    """
    best, value, bound, why = start, None, None, "finished"
    if best is not None:
        found = evaluate(p, best, without=without)
        if found.violations:
            best = None
        else:
            value = quantity_of(found, target.quantity)
    for record in records:
        left = limits.seconds
        if left is not None:
            left = max(0.01, left - record.seconds)
        mine = replace(limits, seconds=left)
        answer = record.run(p, target, mine, report=report, hint=best, without=without)
        record.seconds += answer.seconds
        record.values.append(answer.value)
        record.bounds.append(answer.bound)
        record.infeasible = record.infeasible or answer.infeasible
        record.why = why = answer.why_stopped
        record.notes += answer.notes
        if answer.value is not None and (value is None or answer.value < value):
            best, value = answer.schedule, answer.value
        if answer.bound is not None:
            bound = answer.bound if bound is None else max(bound, answer.bound)
        _agree(records, best, value, bound)
        if answer.infeasible or (limits.stop is not None and limits.stop.is_set()):
            break
    closed = value is not None and value == bound
    return _Part(best, value, bound, "finished" if closed else why)


def _agree(
    records: list[_Record], best: Schedule | None, value: int | None, bound: int | None
) -> None:
    """Fail loudly where one engine's proof contradicts another one's schedule."""
    said = "; ".join(
        f"{r.name} {r.version}: values {r.values}, bounds {r.bounds}, "
        f"infeasible {r.infeasible}"
        for r in records
    )
    if best is not None and any(r.infeasible for r in records):
        raise DisagreementError(
            f"a valid schedule of a problem proved infeasible: {said}"
        )
    if value is not None and bound is not None and bound > value:
        raise DisagreementError(f"a bound of {bound} above a value of {value}: {said}")

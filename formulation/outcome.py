"""What is asked of an engine, what it answers, and what may be claimed of it.

An engine's own value and status never appear here: its schedules are valued by
the semantics, its bound is an integer that it stands for, and the claim is
derived from the two (MODEL.md, Claims).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from threading import Event

    from formulation.dual import Dual

S = TypeVar("S")
CLAIMS = (
    "infeasible",
    "unknown",
    "feasible",
    "bounded",
    "optimal-1",
    "optimal-2",
    "certified",
)
STATUS = {
    "bounded": "feasible",
    "optimal-1": "optimal",
    "optimal-2": "optimal",
    "certified": "optimal",
}


class ContradictionError(RuntimeError):
    """Something here is wrong: never an answer, and never repaired.

    Parameters
    ----------
    schedule
        The one that it is about, where there is one.
    """

    def __init__(self, text: str, schedule: object | None = None) -> None:
        super().__init__(text)
        self.schedule = schedule


class DisagreementError(ContradictionError):
    """A proof and a schedule, or two engines, contradict each other: one is wrong."""


class EngineError(ContradictionError):
    """An engine contradicts the semantics or itself, or refuses a model."""


@dataclass(slots=True)
class Nodes:
    """Counts the nodes of an engine's search trees, over all its calls.

    Nodes of HiGHS, branches of CP-SAT: numbers of one engine compare, those of two
    do not. `None` until the engine has told any.
    """

    count: int | None = None

    def add(self, count: int) -> None:
        """Add those of one call."""
        self.count = count + (self.count or 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how hard to try.

    Parameters
    ----------
    seconds
        Wall time for one engine and all parts of an objective; `None`: no limit.
    gap
        Relative gap at which to stop; 0: prove it.
    deterministic
        CP-SAT's deterministic time instead of wall time, for tests.
    stop
        Set from outside (Ctrl-C): finish early with the best schedule so far.
    nodes
        Where engines add up the nodes of their search trees.
    """

    seconds: float | None = None
    workers: int = 2
    seed: int = 1
    gap: Fraction = Fraction(0)
    deterministic: float | None = None
    stop: Event | None = None
    nodes: Nodes | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises
        ------
        ValueError
            With every fault: non-positive times or workers, a negative gap.
        """
        faults = []
        for name in ("seconds", "deterministic"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                faults.append(f"{name}: got {value}, expected more than 0")
        if self.workers < 1:
            faults.append(f"workers: got {self.workers}, expected at least 1")
        if self.gap < 0:
            faults.append(f"gap: got {self.gap}, expected at least 0")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True)
class Target:
    """One part of an objective: minimise `quantity` under caps already earned.

    Parameters
    ----------
    quantity
        ``period`` (ticks), ``energy`` (quanta) or ``sum``: `weights` of both.
    weights
        Of a ``sum``: (per tick, per quantum), positive integers.
    at_most
        Only schedules of that value or less are looked for; `None`: all.
    period_at_most, energy_at_most
        Values of earlier parts of a lexicographic objective; `None`: none.
    at_least
        A bound on `quantity` that is already proved.
    period_at_least
        A bound on the period that is already proved.
    """

    quantity: str
    period_at_most: int | None = None
    energy_at_most: int | None = None
    at_least: int = 0
    at_most: int | None = None
    weights: tuple[int, int] = (0, 0)
    period_at_least: int = 0

    def __post_init__(self) -> None:
        """Refuse quantities that nobody minimises.

        Raises
        ------
        ValueError
            For another quantity, or a sum without positive weights.
        """
        if self.quantity not in ("period", "energy", "sum"):
            raise ValueError(f"no quantity {self.quantity!r}")
        if (self.quantity == "sum") != (min(self.weights) > 0):
            raise ValueError(f"weights of {self.quantity}: got {self.weights}")

    def of(self, period_ticks: int, energy_quanta: int) -> int:
        """Return the target's quantity."""
        if self.quantity == "sum":
            return self.weights[0] * period_ticks + self.weights[1] * energy_quanta
        return period_ticks if self.quantity == "period" else energy_quanta


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of news: the best valid schedule's value and the proved bound."""

    engine: str
    quantity: str
    seconds: float
    value: int | None
    bound: int | None


class Report(Protocol):
    """Whoever wants the news."""

    def __call__(self, news: Progress, /) -> None:
        """Take one line of news; called from the solver's threads."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[S]):
    """What an engine found for one `Target`.

    Parameters
    ----------
    schedule
        The best schedule that the semantics accept, or `None`.
    value
        What the semantics say that schedule is worth, or `None`.
    bound
        Proved: no schedule is below it. `None`: nothing proved.
    infeasible
        Proved: there is no schedule.
    why_stopped
        ``finished``, ``time limit``, ``gap`` or ``interrupted``.
    """

    schedule: S | None
    value: int | None
    bound: int | None
    infeasible: bool
    why_stopped: str
    seconds: float
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse contradictions.

        Raises
        ------
        ValueError
            A bound above the value, a value without schedule, an infeasible
            problem with a schedule.
        """
        if (self.schedule is None) != (self.value is None):
            raise ValueError("a value goes with a schedule")
        if self.infeasible and self.schedule is not None:
            raise ValueError("an infeasible problem has no schedule")
        if (
            self.bound is not None
            and self.value is not None
            and self.bound > self.value
        ):
            raise ValueError(f"bound {self.bound} is above the value {self.value}")

    @property
    def proved(self) -> bool:
        """Whether the schedule is proved optimal for the target."""
        return self.value is not None and self.bound == self.value


@dataclass(frozen=True, slots=True)
class GroupAnswer(Generic[S]):
    """What an engine found for a group of parts, its word alone.

    Parameters
    ----------
    value
        Of the best schedule, a part each; `None`: there is none.
    bound
        Compared part by part, no schedule is below; cut off behind the first part
        that is below `value`. () if nothing is known.
    """

    schedule: S | None
    value: tuple[int, ...] | None
    bound: tuple[int, ...]
    infeasible: bool
    why_stopped: str
    seconds: float
    notes: tuple[str, ...] = ()


def alone(found: Answer[S]) -> GroupAnswer[S]:
    """Return the answer of a group of one part."""
    return GroupAnswer(
        schedule=found.schedule,
        value=None if found.value is None else (found.value,),
        bound=() if found.bound is None else (found.bound,),
        infeasible=found.infeasible,
        why_stopped=found.why_stopped,
        seconds=found.seconds,
        notes=found.notes,
    )


def integer_bound(bound: float, offset: int = 0) -> int:
    """Return the integer that a solver's float bound stands for, safely low.

    The one place where a float bound becomes an integer: the largest tolerance
    that the engines are run with is 1e-6, relative. An engine that minimises
    `quantity − offset` for an exact integer offset near the optimum keeps the
    relative slack below one unit.
    """
    return offset + ceil(bound - 1e-6 * max(1.0, abs(bound)))


def relative_gap(value: int | None, bound: int | None) -> float | None:
    """Return (value − bound)/value, `None` where either is missing."""
    if value is None or bound is None:
        return None
    return 0.0 if value == bound else (value - bound) / value


@dataclass(frozen=True, slots=True)
class EngineRun:
    """What one engine did for the whole objective: one answer's numbers a part.

    `nodes` are those of `Nodes`.
    """

    engine: str
    version: str
    quantity: tuple[str, ...]
    value: tuple[int | None, ...]
    bound: tuple[int | None, ...]
    infeasible: bool
    why_stopped: str
    seconds: float
    notes: tuple[str, ...] = ()
    nodes: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """The result of a solve: best schedule, bounds, who proved what.

    Parameters
    ----------
    objective
        Quantities in the order in which they were minimised.
    value, bound
        One entry a part, of the best schedule and the best bounds of all engines and
        duals; parts that were not reached are `None`.
    runs
        What each engine did.
    clashing
        For an infeasible problem: rules that cannot hold together, or ().
    duals
        Bounds that the checker recomputes, of the first parts in their order.
    """

    objective: tuple[str, ...]
    schedule: S | None
    value: tuple[int | None, ...]
    bound: tuple[int | None, ...]
    runs: tuple[EngineRun, ...]
    why_stopped: str
    seconds: float
    relaxed: tuple[str, ...] = ()
    clashing: tuple[str, ...] = ()
    duals: tuple[Dual, ...] = ()

    def __post_init__(self) -> None:
        """Refuse contradictions.

        Raises
        ------
        ValueError
            A bound above a value; a schedule where one engine proved there is
            none; lengths that do not fit the objective; duals of other parts.
        """
        if not len(self.objective) == len(self.value) == len(self.bound):
            raise ValueError("one value and one bound for every part of the objective")
        if tuple(d.quantity for d in self.duals) != self.objective[: len(self.duals)]:
            raise ValueError("duals go with the first parts of the objective")
        if self.schedule is not None and any(r.infeasible for r in self.runs):
            names = [r.engine for r in self.runs if r.infeasible]
            raise ValueError(f"{names} proved infeasible what has a valid schedule")
        if self.schedule is None and any(v is not None for v in self.value):
            raise ValueError("a value goes with a schedule")
        pairs = zip(self.value, self.bound, strict=True)
        if any(v is not None and b is not None and b > v for v, b in pairs):
            raise ValueError(f"a bound of {self.bound} is above the value {self.value}")

    @property
    def claim(self) -> str:
        """The rung of the ladder, derived (MODEL.md, Claims)."""
        if any(r.infeasible for r in self.runs):
            return "infeasible"
        if self.schedule is None:
            return "unknown"
        recomputed = self.recomputed
        if self.value == recomputed:
            return "certified"
        if None in self.value or self.value != self.bound:
            triples = zip(self.value, self.bound, recomputed, strict=True)
            left = [exact for v, b, exact in triples if v is None or v != b]
            return "feasible" if left[0] is None else "bounded"
        provers = {r.engine for r in self.runs if r.bound == self.value}
        return "optimal-2" if len(provers) > 1 else "optimal-1"

    @property
    def status(self) -> str:
        """What was found: infeasible, unknown, feasible or optimal."""
        return STATUS.get(self.claim, self.claim)

    @property
    def recomputed(self) -> tuple[int | None, ...]:
        """The bound of every part that was recomputed from multipliers, or `None`."""
        rest = [None] * (len(self.objective) - len(self.duals))
        return (*(dual.bound for dual in self.duals), *rest)

    @property
    def gap(self) -> float | None:
        """Relative gap of the first part that is not closed; 0.0 if all are."""
        for value, bound in zip(self.value, self.bound, strict=True):
            gap = relative_gap(value, bound)
            if gap is None or gap > 0:
                return gap
        return 0.0

"""One run of a heuristic: its budget, its best schedule, its trace.

A heuristic is a function of a `Search`: it offers schedules until it has no more or
its budget is spent, and takes its random numbers from the search. What an offer is
worth is said by the semantics; a heuristic cannot value itself.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from formulation.heuristics.budget import Budget, Found, SpentError, TracePoint
from formulation.outcome import Progress
from formulation.rules import UnassignedError

if TYPE_CHECKING:
    from formulation.kinds import Kind
    from formulation.outcome import Report
    from formulation.problem import Problem

Chiplets = Sequence[int]
S = TypeVar("S")  # a schedule
P = TypeVar("P")  # a plan: what a heuristic decides
D = TypeVar("D")  # a plan made whole

EVALUATIONS, INTERRUPTED = "evaluation limit", "interrupted"
BROKEN_COST = 1e18
MINOR = 1e-3  # how much a part counts against the one before it


@dataclass(frozen=True, slots=True)
class Offer(Generic[D]):
    """What became of an offer.

    Parameters
    ----------
    value
        Part by part; `None`: it breaks a rule.
    cost
        One number to compare offers by: near the value of the first part where there
        is one, and far above where rules are broken, more so by larger amounts.
    decoded
        The offer made whole; `None` of a `Schedule`.
    """

    value: tuple[int, ...] | None
    cost: float
    decoded: D | None


def broken(amount: float) -> float:
    """Return the cost of an offer that breaks rules by an amount."""
    return BROKEN_COST * (1 + amount / 1e6)


@dataclass
class Search(ABC, Generic[S, P, D]):
    """What a heuristic is given. Public: everything without an underscore.

    Parameters
    ----------
    problem
        `formulation.problem.Problem`.
    objective
        Texts of parts, as the kind of schedule has them.
    seed
        Of `random`.
    """

    kind: ClassVar[Kind[Any, Any]]
    schedule_type: ClassVar[type]
    plan_type: ClassVar[type]

    name: str
    problem: Problem
    objective: tuple[str, ...]
    budget: Budget
    seed: int = 1
    report: Report | None = None
    schedule: S | None = None
    value: tuple[int, ...] | None = None
    plan: P | None = None
    evaluations: int = 0
    trace: list[TracePoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare parts and random numbers; refuse what does not fit the problem."""
        self.kind.check(self.problem)
        self.parts = self.kind.parts(self.problem, self.objective)
        self.random = Random(self.seed)
        self._scale: tuple[int, ...] | None = None
        self._began = time.monotonic()

    @abstractmethod
    def _offer_plan(self, plan: P) -> Offer[D]:
        """Value a plan and keep it if it is the best."""

    @abstractmethod
    def _from_chiplets(self, chiplets: tuple[int, ...]) -> P:
        """Return the plan of which only chiplets are given."""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, of the evaluations if they are limited."""
        if self.budget.evaluations is not None:
            return self.evaluations / self.budget.evaluations
        return self.seconds / (self.budget.seconds or 1.0)

    def offer(self, what: S | P | Chiplets) -> Offer[D]:
        """Value a schedule, a plan, or just the chiplet of every layer.

        It is kept if it is valid and better than the best one so far. Counts as one
        evaluation. The first one is valued however little time there is.

        Raises
        ------
        SpentError
            If the budget is spent: let it pass.
        DisagreementError
            If decoder and semantics disagree.
        TypeError
            If it is none of the three, or of a wrong length.
        """
        spent = self.spent
        if spent is not None and (self.evaluations or spent == INTERRUPTED):
            raise SpentError(spent)
        self.evaluations += 1
        if isinstance(what, self.schedule_type):
            return self._offer_schedule(cast("S", what))
        if isinstance(what, self.plan_type):
            return self._offer_plan(cast("P", what))
        return self._offer_plan(self._from_chiplets(self._chiplets(what)))

    def _chiplets(self, chiplets: object) -> tuple[int, ...]:
        number, size = len(self.problem.tasks), len(self.problem.chiplets)
        given = tuple(chiplets) if isinstance(chiplets, Sequence) else ()
        whole = [c for c in given if isinstance(c, int) and not isinstance(c, bool)]
        if len(whole) != len(given) or len(given) != number:
            raise TypeError(
                "offer: expected a Schedule, a Plan, or the chiplet (an integer below "
                f"{size}) of each of the {number} layers"
            )
        return given

    def _offer_schedule(self, schedule: S) -> Offer[D]:
        try:
            worth = self.kind.evaluate(self.problem, schedule)
        except UnassignedError as error:
            return Offer(None, broken(1e6 * len(error.violations)), None)
        if worth.violations:
            return Offer(None, broken(sum(v.amount for v in worth.violations)), None)
        value = self._value(worth)
        self._take(schedule, value, None)
        return Offer(value, float(value[0]), None)

    def _value(self, worth: Any) -> tuple[int, ...]:
        """Return what an evaluated schedule is worth, part by part."""
        return tuple(self.kind.value(self.problem, x, worth) for x in self.parts)

    def breathe(self) -> None:
        """End the run if its time is over; for long work between two offers.

        Raises
        ------
        SpentError
            If it is: let it pass.
        """
        if self.spent is not None and self.spent != EVALUATIONS:
            raise SpentError(self.spent)

    @property
    def spent(self) -> str | None:
        """What of the budget is spent, as in `Found.why_stopped`; `None`: nothing."""
        budget = self.budget
        if budget.stop is not None and budget.stop.is_set():
            return INTERRUPTED
        if budget.seconds is not None and self.seconds >= budget.seconds:
            return "time limit"
        most = budget.evaluations
        return EVALUATIONS if most is not None and self.evaluations >= most else None

    def _graded(self, value: tuple[int, ...]) -> float:
        """Return the first part, later ones added in small shares.

        A later part counts in units of what it was in the first valid offer.
        """
        self._scale = self._scale or value
        cost, share = float(value[0]), MINOR * self._scale[0]
        for part, unit in zip(value[1:], self._scale[1:], strict=True):
            cost += share * part / max(1, unit)
            share *= MINOR
        return cost

    def _better(self, value: tuple[int, ...]) -> bool:
        return self.value is None or value < self.value

    def _take(self, schedule: S, value: tuple[int, ...], plan: P | None) -> None:
        """Keep a valid schedule if it is better than the best one so far."""
        if not self._better(value):
            return
        self.schedule, self.value, self.plan = schedule, value, plan
        seconds = self.seconds
        self.trace.append(TracePoint(self.evaluations, seconds, value))
        if self.report is not None:
            quantity = self.parts[0].text
            self.report(Progress(self.name, quantity, seconds, value[0], None))

    def found(self, why_stopped: str) -> Found[S]:
        """Return what was found."""
        return Found(
            name=self.name,
            schedule=self.schedule,
            value=self.value,
            evaluations=self.evaluations,
            seconds=self.seconds,
            why_stopped=why_stopped,
            trace=tuple(self.trace),
            notes=tuple(self.notes),
        )

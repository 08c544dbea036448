"""One run of a heuristic: its budget, its best schedule, its trace.

A heuristic is a function of a `Search`: it offers schedules until it has no more or
its budget is spent, and takes its random numbers from the search. What an offer is
worth is said by the semantics; a heuristic cannot value itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from formulation.objective import parts_of
from formulation.outcome import DisagreementError, Progress
from formulation.pipelined.heuristics.decode import Decoded, Decoder, Plan
from formulation.pipelined.heuristics.segments import Loads, loads_of
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import Evaluation, evaluate
from formulation.rules import UnassignedError

if TYPE_CHECKING:
    from threading import Event

    from formulation.outcome import Report
    from formulation.problem import Problem

Chiplets = Sequence[int]


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a heuristic may try.

    Parameters
    ----------
    evaluations
        Schedules that are valued; the same number and seed give the same result.
    seconds
        Wall time; `None`: no limit.
    stop
        Set from outside (Ctrl-C): finish with the best schedule so far.
    """

    evaluations: int | None = None
    seconds: float | None = None
    stop: Event | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises
        ------
        ValueError
            With every fault: no limit at all, or one that is not positive.
        """
        faults = []
        if self.evaluations is None and self.seconds is None:
            faults.append("budget: expected a number of evaluations or of seconds")
        if self.evaluations is not None and self.evaluations < 1:
            faults.append(f"evaluations: got {self.evaluations}, expected at least 1")
        if self.seconds is not None and self.seconds <= 0:
            faults.append(f"seconds: got {self.seconds}, expected more than 0")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True)
class TracePoint:
    """A new best schedule: when it was found and its value, part by part."""

    evaluations: int
    seconds: float
    value: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a heuristic found.

    Parameters
    ----------
    value
        Of the schedule, part by part, by the semantics; `None`: no valid schedule.
    why_stopped
        ``finished``, ``evaluation limit``, ``time limit`` or ``interrupted``.
    trace
        Every new best schedule, in order; values fall from point to point.
    notes
        What the heuristic has to say, for instance what it could not honour.
    """

    name: str
    schedule: Schedule | None
    value: tuple[int, ...] | None
    evaluations: int
    seconds: float
    why_stopped: str
    trace: tuple[TracePoint, ...]
    notes: tuple[str, ...]


class SpentError(BaseException):
    """The budget is spent; the text says what of it.

    Heuristics let it pass; it is no `Exception`, so that none catches it unawares.
    """


@dataclass(frozen=True, slots=True)
class Offer:
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
    decoded: Decoded | None


EVALUATIONS, INTERRUPTED = "evaluation limit", "interrupted"
BROKEN_COST = 1e18
MINOR = 1e-3  # how much a part counts against the one before it
LEVEL, POWER = 0.3, 8  # how much loads near the period count, and how near


@dataclass
class Search:
    """What a heuristic is given. Public: everything without an underscore.

    Parameters
    ----------
    problem
        `formulation.problem.Problem`.
    objective
        Texts of parts (`formulation.objective`).
    seed
        Of `random`.
    """

    name: str
    problem: Problem
    objective: tuple[str, ...]
    budget: Budget
    seed: int = 1
    report: Report | None = None
    schedule: Schedule | None = None
    value: tuple[int, ...] | None = None
    plan: Plan | None = None
    evaluations: int = 0
    trace: list[TracePoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare parts, random numbers and tables."""
        self.parts = parts_of(self.objective)
        self.random = Random(self.seed)
        self.decoder = Decoder(self.problem)
        for part in self.parts:
            if part.largest:
                part.weights(self.problem)  # refuses unknown models
        self._scale: tuple[int, ...] | None = None
        self._began = time.monotonic()

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

    @cached_property
    def loads(self) -> Loads:
        """Expected loads of the layers (`segments.loads_of`)."""
        return loads_of(self)

    @property
    def leans(self) -> tuple[int, ...]:
        """What is worth leaning to (`tables.LEANS`), the most promising first."""
        text = self.parts[0].text
        if text == "period" or self.parts[0].largest:
            return (0, 1, 4)
        return (2, 3) if text == "energy" else (3, 2, 0, 1)

    def offer(self, what: Schedule | Plan | Chiplets) -> Offer:
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
        if isinstance(what, Schedule):
            return self._offer_schedule(what)
        if not isinstance(what, Plan):
            what = self._from_chiplets(what)
        found = self.decoder.decode(what)
        if found.excess:
            return Offer(None, BROKEN_COST * (1 + found.excess / 1e6), found)
        value = self._value(
            found.period_ticks, found.energy_quanta, found.latency_ticks
        )
        if self.value is None or value < self.value:
            self._keep(found, value)
        return Offer(value, self._cost(value, found), found)

    def _from_chiplets(self, chiplets: Chiplets) -> Plan:
        number, size = len(self.problem.tasks), len(self.problem.chiplets)
        good = isinstance(chiplets, Sequence) and len(chiplets) == number
        if not good or any(not isinstance(c, int) or isinstance(c, bool)
                           for c in chiplets):  # fmt: skip
            raise TypeError(
                "offer: expected a Schedule, a Plan, or the chiplet (an integer below "
                f"{size}) of each of the {number} layers"
            )
        lean = (self.leans[0],) * size
        return Plan(tuple(chiplets), lean=lean)

    def _offer_schedule(self, schedule: Schedule) -> Offer:
        try:
            worth = evaluate(self.problem, schedule)
        except UnassignedError as error:
            return Offer(None, BROKEN_COST * (1 + len(error.violations)), None)
        if worth.violations:
            amount = sum(v.amount for v in worth.violations)
            return Offer(None, BROKEN_COST * (1 + amount / 1e6), None)
        value = tuple(part.value(self.problem, worth) for part in self.parts)
        if self.value is None or value < self.value:
            self._take(schedule, value, None)
        return Offer(value, float(value[0]), None)

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

    def _value(
        self, period: int, energy: int, latencies: tuple[int, ...]
    ) -> tuple[int, ...]:
        worth = Evaluation((), period, latencies, energy, (), (), ())
        return tuple(part.value(self.problem, worth) for part in self.parts)

    def _cost(self, value: tuple[int, ...], found: Decoded) -> float:
        """Return the first part, later ones and uneven loads added in small shares.

        A later part counts in units of what it was in the first valid offer.
        """
        self._scale = self._scale or value
        cost, share = float(value[0]), MINOR * self._scale[0]
        for part, unit in zip(value[1:], self._scale[1:], strict=True):
            cost += share * part / max(1, unit)
            share *= MINOR
        if self.objective[0] != "energy":
            loads = [need / found.period_ticks for need in found.needs]
            cost += LEVEL * value[0] * sum([x**POWER for x in loads]) / len(loads)
        return cost

    def _keep(self, found: Decoded, value: tuple[int, ...]) -> None:
        """Keep a decoded schedule once the semantics say the same of it."""
        schedule = self.decoder.schedule(found.plan, found.stage, found.options)
        worth = evaluate(self.problem, schedule)
        said = tuple(part.value(self.problem, worth) for part in self.parts)
        if worth.violations or said != value:
            broken = "; ".join(str(v) for v in worth.violations)
            raise DisagreementError(
                f"{self.name}: the decoder values a schedule {value}, the semantics "
                f"{said} {broken}"
            )
        self._take(schedule, value, found.plan)

    def _take(
        self, schedule: Schedule, value: tuple[int, ...], plan: Plan | None
    ) -> None:
        self.schedule, self.value, self.plan = schedule, value, plan
        seconds = self.seconds
        self.trace.append(TracePoint(self.evaluations, seconds, value))
        if self.report is not None:
            quantity = self.parts[0].text
            self.report(Progress(self.name, quantity, seconds, value[0], None))

    def found(self, why_stopped: str) -> Found:
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

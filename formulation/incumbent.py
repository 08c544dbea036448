"""One call of an engine: the best schedule and bound so far, and who wants to know."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from formulation.outcome import Answer, EngineError, Progress
from formulation.rules import UnassignedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Part
    from formulation.outcome import Limits, Report
    from formulation.problem import Problem

S = TypeVar("S")


@dataclass
class Incumbent(ABC, Generic[S]):
    """The best schedule that the semantics accept, its value, and the best bound.

    Parameters
    ----------
    engine
        Its name.
    without
        Labels of rules that are left out.
    """

    engine: ClassVar[str] = "cpsat"
    p: Problem
    limits: Limits
    report: Report | None
    without: frozenset[str]
    began: float = field(default_factory=time.monotonic, init=False)
    schedule: S | None = field(default=None, init=False)
    value: int | None = field(default=None, init=False)
    bound: int | None = field(default=None, init=False)
    notes: list[str] = field(default_factory=list, init=False)

    @property
    @abstractmethod
    def quantity(self) -> str:
        """What is minimised."""

    @abstractmethod
    def judged(self, s: S) -> tuple[int | None, Sequence[object]]:
        """Return what a schedule is worth; else `None` and what is wrong with it."""

    @property
    def closed(self) -> bool:
        """Whether the best schedule is proved optimal."""
        return self.value is not None and self.value == self.bound

    @property
    def enough(self) -> bool:
        """Whether the gap is as small as was asked for."""
        if self.value is None or self.bound is None:
            return False
        return self.value - self.bound <= self.limits.gap * self.value

    def left(self) -> float | None:
        """Return the seconds that are left."""
        if self.limits.seconds is None:
            return None
        return self.limits.seconds - (time.monotonic() - self.began)

    @property
    def over(self) -> bool:
        """Whether the time is over, or somebody wants to stop."""
        left, stop = self.left(), self.limits.stop
        return (left is not None and left <= 0) or (stop is not None and stop.is_set())

    def _keep(self, s: S) -> Sequence[object] | None:
        """Keep a schedule if it is valid and better; return what is wrong with it."""
        value, wrong = self.judged(s)
        if value is None:
            return wrong
        if self.value is None or value < self.value:
            self.schedule, self.value = s, value
            self.tell()
        return None

    def offer(self, s: S) -> bool:
        """Keep a schedule if it is valid and better; say whether it is valid."""
        return self._keep(s) is None

    def begin(self, hint: S) -> None:
        """Keep a schedule to start from, or say why not."""
        wrong = self._keep(hint)
        if wrong is not None:
            self.notes.append(f"the hint was rejected: {_told(wrong)}")

    def must(self, s: S) -> None:
        """Offer a solution of a whole model; a refusal is never repaired.

        Raises
        ------
        EngineError
            If it is not valid.
        """
        wrong = self._keep(s)
        if wrong is not None:
            raise EngineError(
                f"{self.engine}: a solution is refused: {_told(wrong)}", s
            )

    def raise_bound(self, bound: int) -> None:
        """Take note of a better bound."""
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self.tell()

    def tell(self) -> None:
        """Report where we are."""
        if self.report is not None:
            seconds = time.monotonic() - self.began
            news = Progress(self.engine, self.quantity, seconds, self.value, self.bound)
            self.report(news)

    def answer(self, why: str) -> Answer[S]:
        """Return what was found.

        Parameters
        ----------
        why
            Why it stopped, as in `Answer`; or ``infeasible``.

        Raises
        ------
        EngineError
            If it was proved infeasible and has a valid schedule, or the bound is above
            the value of one.
        """
        infeasible = why == "infeasible"
        if infeasible and self.schedule is not None:
            text = f"{self.engine} proved infeasible what is worth {self.value}"
            raise EngineError(text, self.schedule)
        value, bound = self.value, self.bound
        if value is not None and bound is not None and bound > value:
            text = f"a bound of {bound} is above a valid {value}"
            raise EngineError(text, self.schedule)
        return Answer(
            schedule=self.schedule,
            value=self.value,
            bound=None if infeasible else self.bound,
            infeasible=infeasible,
            why_stopped="finished" if infeasible or self.closed else why,
            seconds=time.monotonic() - self.began,
            notes=tuple(self.notes),
        )


def _told(wrong: Sequence[object]) -> str:
    return "; ".join(map(str, wrong))


@dataclass
class PartSearch(Incumbent[S]):
    """An incumbent of one part of an objective, judged by its kind's semantics."""

    part: Part

    @property
    def quantity(self) -> str:
        """The text of the part."""
        return self.part.text

    @abstractmethod
    def valued(self, s: S) -> tuple[Sequence[object], int]:
        """Return the broken rules of a schedule and what it is worth in the part."""

    def judged(self, s: S) -> tuple[int | None, Sequence[object]]:
        """Return what a schedule is worth; else `None` and what is wrong with it."""
        try:
            broken, worth = self.valued(s)
        except UnassignedError as error:
            return None, error.violations
        return (None, broken) if broken else (worth, ())

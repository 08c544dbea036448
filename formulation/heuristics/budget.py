"""How long a heuristic may try, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from threading import Event

S = TypeVar("S")


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
class Found(Generic[S]):
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
    schedule: S | None
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

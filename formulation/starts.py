"""Where a search starts from: a schedule of a heuristic, valued by the semantics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from formulation.heuristics import Budget, run_heuristic

if TYPE_CHECKING:
    from formulation.outcome import Limits, Report
    from formulation.problem import Problem

AUTO, NOTHING = "auto", "none"
AUTO_HEURISTIC = {"pipelined": "annealing", "windowed": "standalone"}
# Of the time of a solve. Where limits are deterministic, a number of evaluations.
SHARE, MOST_SECONDS, EVALUATIONS = 10, 10.0, 1000
# Where exact engines were measured to find nothing of their own in a minute: packages
# with more chiplets than ways to cut are listed for, and L2 that holds few weights.
LARGE = 100  # layers times chiplets; smaller problems are solved at once
MOST_CHIPLETS, MOST_MODELS, MOST_WEIGHTS = 4, 2, 4  # weights over L2


@dataclass(frozen=True, slots=True)
class Start:
    """What a search starts from.

    Parameters
    ----------
    schedule
        `None`: from nothing.
    seconds
        What finding it took: part of the time of the solve.
    notes
        Where it is from, or why there is none.
    """

    schedule: Any = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def worth_starting(p: Problem) -> bool:
    """Whether the exact engines are better off with a heuristic's schedule."""
    if p.kind != "pipelined":
        # List scheduling is part of the timed engines; windowed ones find nothing large
        # by themselves.
        return p.kind in AUTO_HEURISTIC
    if len(p.tasks) * len(p.chiplets) < LARGE:
        return False
    weights = sum(task.weight_bytes for task in p.tasks)
    if not weights and not p.tensors:
        return False  # any assignment is a schedule: the first one is found at once
    room = sum(chiplet.l2_bytes for chiplet in p.chiplets)
    return (
        len(p.chiplets) > MOST_CHIPLETS
        or len(p.models) > MOST_MODELS
        or weights > MOST_WEIGHTS * room
    )


def start_of(
    wanted: str,
    p: Problem,
    objective: tuple[str, ...],
    limits: Limits,
    report: Report | None = None,
) -> Start:
    """Return what a heuristic finds in a tenth of the time, 10 s at most.

    Parameters
    ----------
    wanted
        Name or file of a heuristic. ``auto``: that of `AUTO_HEURISTIC` if it is
        `worth_starting`; with ``none``, nothing.

    Raises
    ------
    HeuristicError
        If there is no such heuristic, or it fails.
    """
    if wanted == AUTO:
        wanted = AUTO_HEURISTIC[p.kind] if worth_starting(p) else NOTHING
    if wanted == NOTHING:
        return Start()
    seconds = MOST_SECONDS
    if limits.seconds is not None:
        seconds = min(seconds, limits.seconds / SHARE)
    budget = Budget(seconds=seconds, stop=limits.stop)
    if limits.deterministic is not None:
        budget = Budget(evaluations=EVALUATIONS, stop=limits.stop)
    found = run_heuristic(p, wanted, objective, budget, limits.seed, report)
    if found.schedule is None:
        said = "; ".join(("it found no schedule to start from", *found.notes))
        return Start(None, found.seconds, (f"{wanted}: {said}",))
    value = ", ".join(map(str, found.value or ()))
    notes = (f"starts from {wanted}: {value}", *found.notes)
    return Start(found.schedule, found.seconds, notes)

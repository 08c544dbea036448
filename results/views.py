"""How schedules of each kind are shown: lines for people, entries of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from results import view_pipelined, view_timed, view_windowed
from results.figures import gantt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from formulation.problem import Problem
    from results.figures.style import Drawing

S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class View(Generic[S, E]):
    """What is shown of schedules of a kind.

    Parameters
    ----------
    bounds, labels
        Bounds that need no search, in ticks, and their names.
    at_least
        What they bound, in words.
    asked
        Lines on what limits a schedule, for a problem and a width.
    length
        How long an evaluated schedule is: its name, and ticks.
    worth
        Lines of an evaluated schedule, but for length and energy.
    per
        What energy is told of: all of it, or that of a round.
    layout
        Lines on who does what, and how full things are.
    entries
        Entries of the JSON of a solve; without a schedule all are `None`.
    picture
        A figure of a schedule; `None`: there is none.
    binding
        The chiplets and resources that are full.
    """

    bounds: Callable[[Problem], dict[str, int]]
    labels: Mapping[str, str]
    at_least: str
    asked: Callable[[Problem, int], list[str]]
    length: Callable[[E], tuple[str, int]]
    worth: Callable[[Problem, E, int], list[str]]
    per: str
    layout: Callable[[Problem, S, E, int], list[str]]
    entries: Callable[[Problem, E | None], dict[str, Any]]
    binding: Callable[[Problem, S, E], list[dict[str, Any]]]
    picture: Callable[[Problem, S, E], Drawing] | None = None


VIEWS: Mapping[str, View[Any, Any]] = {
    "pipelined": View(
        bounds=view_pipelined.explain,
        labels=view_pipelined.LABELS,
        at_least="the period is at least",
        asked=view_pipelined.asked,
        length=view_pipelined.length,
        worth=view_pipelined.worth_lines,
        per=" per round",
        layout=view_pipelined.layout,
        entries=view_pipelined.entries,
        binding=view_pipelined.binding,
    ),
    "timed": View(
        bounds=view_timed.explain,
        labels=view_timed.LABELS,
        at_least="the makespan is at least",
        asked=view_timed.asked,
        length=view_timed.length,
        worth=view_timed.worth_lines,
        per="",
        layout=view_timed.layout,
        entries=view_timed.entries,
        binding=view_timed.binding,
        picture=gantt.drawing,
    ),
    "windowed": View(
        bounds=view_windowed.explain,
        labels=view_windowed.LABELS,
        at_least="the makespan is at least",
        asked=view_windowed.asked,
        length=view_windowed.length,
        worth=view_windowed.worth_lines,
        per="",
        layout=view_windowed.layout,
        entries=view_windowed.entries,
        binding=view_windowed.binding,
    ),
}

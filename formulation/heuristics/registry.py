"""Heuristics by kind and name, and running one.

A kind's room has a folder ``heuristics`` with the names (`NAMES`) of its files, each
with a function ``schedule``, and a `Search` (`search.py`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from formulation.choices import fitting
from formulation.heuristics.budget import SpentError
from formulation.heuristics.custom import HeuristicError, load_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.heuristics.budget import Budget, Found
    from formulation.heuristics.search import Search
    from formulation.outcome import Report
    from formulation.problem import Problem


def _room(kind: str) -> Any:
    return import_module(f"formulation.{kind}.heuristics")


def names_of(kind: str) -> tuple[str, ...]:
    """Return the names of the heuristics of a kind."""
    names: tuple[str, ...] = _room(kind).NAMES
    return names


def load_heuristic(kind: str, name: str) -> Callable[..., Any]:
    """Return a heuristic: a name of `names_of`, or a file of the user's.

    Raises
    ------
    HeuristicError
        If there is no such name or file, the file has no function ``schedule`` of one
        argument or cannot be imported, or a library is not installed.
    """
    room = _room(kind)
    if name.endswith(".py"):
        return load_file(name, room.Search.schedule_type)
    if name not in room.NAMES:
        known = ", ".join(room.NAMES)
        raise HeuristicError(f"no heuristic {name!r}: there are {known}, or FILE.py")
    found: Callable[..., Any] = import_module(f"{room.__name__}.{name}").schedule
    return found


def run_heuristic(
    p: Problem,
    name: str,
    objective: tuple[str, ...],
    budget: Budget,
    seed: int = 1,
    report: Report | None = None,
) -> Found[Any]:
    """Run a heuristic until it is done or its budget is spent.

    Parameters
    ----------
    name
        Of `names_of` the problem's kind, or the path of a file ``*.py``.
    objective
        Texts of parts of its kind.
    seed
        The same seed and number of evaluations give the same result.
    report
        Told about every new best schedule.

    Raises
    ------
    HeuristicError
        See `load_heuristic`; and if a user's function fails or returns something else
        than a schedule or nothing.
    ObjectiveError, KindError
        If a text is no objective of this problem, or it has options that its kind has
        not.
    """
    heuristic = load_heuristic(p.kind, name)
    search: Search[Any, Any, Any]
    search = _room(p.kind).Search(name, p, objective, budget, seed, report)
    layers = range(len(p.tasks))
    if not all(any(fitting(p, t, c) for c in p.supported(t)) for t in layers):
        search.notes.append("a layer fits no chiplet: there is no schedule")
        return search.found("finished")
    try:
        last = heuristic(search)
        if last is not None:
            search.offer(last)
        why = search.spent or "finished"
    except SpentError as spent:
        why = str(spent)
    return search.found(why)

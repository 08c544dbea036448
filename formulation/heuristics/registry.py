"""Heuristics by name, and running one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from formulation.heuristics.budget import SpentError
from formulation.heuristics.custom import HeuristicError, load_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from formulation.heuristics.budget import Found
    from formulation.heuristics.search import Search

S = TypeVar("S")


def packaged(folder: str, *names: str) -> dict[str, Callable[[], Callable[..., Any]]]:
    """Return what loads the heuristics of a package, each from a file of its name."""

    def loader(name: str) -> Callable[[], Callable[..., Any]]:
        def load() -> Callable[..., Any]:
            found: Callable[..., Any] = import_module(f"{folder}.{name}").schedule
            return found

        return load

    return {name: loader(name) for name in names}


def load(
    name: str, known: Mapping[str, Callable[[], Callable[..., Any]]], schedule: type
) -> Callable[..., Any]:
    """Return a heuristic: a known name, or a file of the user's.

    Parameters
    ----------
    schedule
        The type of schedule that it may return.

    Raises
    ------
    HeuristicError
        If there is no such name or file, the file has no function ``schedule`` of one
        argument or cannot be imported, or a library is not installed.
    """
    if name.endswith(".py"):
        return load_file(name, schedule)
    if name not in known:
        names = ", ".join(known)
        raise HeuristicError(f"no heuristic {name!r}: there are {names}, or FILE.py")
    return known[name]()


def run(
    search: Search[S, Any, Any], heuristic: Callable[..., Any], *, fits: bool
) -> Found[S]:
    """Run a heuristic until it is done or its budget is spent.

    Parameters
    ----------
    fits
        Whether every layer fits some chiplet; else nothing is tried.

    Raises
    ------
    HeuristicError
        If a user's function fails or returns something else than a schedule or nothing.
    """
    why = "finished"
    if not fits:
        search.notes.append("a layer fits no chiplet: there is no schedule")
        return search.found(why)
    try:
        last = heuristic(search)
        if last is not None:
            search.offer(last)
        why = search.spent or why
    except SpentError as spent:
        why = str(spent)
    return search.found(why)

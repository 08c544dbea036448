"""Objectives of windowed schedules as data (MODEL.md §7.4).

    part = term {"+" term}          a weighted sum of quantities
         | "latency" {":" weighted} the largest weighted latency of a model
    term = [weight "*"] ("makespan" | "energy" | "edp")

The rest of the grammar is that of `formulation.objective`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from formulation.objective import Part, capped, capped_parts, parse_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Workload
    from formulation.problem import Problem

QUANTITIES = ("makespan", "energy", "edp")


def windowed_part(p: Workload, text: str) -> Part:
    """Return a part of an objective of windowed schedules of a problem.

    Raises
    ------
    ObjectiveError
        With every fault in it, models included.
    """
    part = parse_part(text, QUANTITIES)
    if part.largest:
        part.weights(p)
    return part


def part_value(
    p: Problem,
    part: Part,
    makespan_ticks: int,
    energy_quanta: int,
    latency_ticks: Sequence[int],
) -> int:
    """Return a part's value; it never falls when one of the quantities rises.

    Parameters
    ----------
    latency_ticks
        Per model.
    """
    if part.largest:
        return max(k * latency_ticks[m] for m, k in part.weights(p).items())
    worth = {
        "makespan": makespan_ticks,
        "energy": energy_quanta,
        "edp": makespan_ticks * energy_quanta,
    }
    return sum(k * worth[name] for name, k in part.terms)


def windowed_parts(
    p: Workload, objective: Sequence[str], without: frozenset[str] = frozenset()
) -> tuple[Part, ...]:
    """Return the parts of an objective of windowed schedules of a problem.

    Raises
    ------
    ObjectiveError
        With every fault; and where a second part stands on the rule `cap` and that is
        left out.
    """
    return capped_parts(objective, partial(windowed_part, p), without)


def earned(p: Problem, part: Part, most: int) -> Problem:
    """Return the problem in which a part may be worth no more than it was proved to be.

    So the parts of an objective are minimised one after the other.
    """
    caps = (*p.windowing.caps, (part.text, most))
    return replace(p, windowing=replace(p.windowing, caps=caps))


def caps_of(p: Problem) -> tuple[tuple[Part, int], ...]:
    """Return the caps of a problem.

    Raises
    ------
    ObjectiveError
        With every fault in all of them.
    """
    return capped(p.windowing.caps, partial(windowed_part, p))

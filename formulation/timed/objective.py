"""Objectives of timed schedules as data (MODEL.md §6.3).

    part = term {"+" term}                           a weighted sum of quantities
         | ("latency" | "tardiness") {":" weighted}  the largest weighted one of a round
    term = [weight "*"] quantity

A quantity is ``makespan``, ``energy``, ``edp``, or ``latency_sum`` or ``tardiness_sum``
of all rounds, or of those of one model: ``latency_sum.MODEL``. The rest of the grammar
is that of `formulation.objective`.
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
    from formulation.timed.semantics import Worth

LARGEST = ("latency", "tardiness")
SUMS = {"latency_sum": "latency", "tardiness_sum": "tardiness"}
QUANTITIES = ("makespan", "energy", "edp", *SUMS)


def timed_part(p: Workload, text: str) -> Part:
    """Return a part of an objective of timed schedules of a problem.

    Raises
    ------
    ObjectiveError
        With every fault in it, models included.
    """
    of_models = [f"{name}.{model.name}" for name in SUMS for model in p.models]
    part = parse_part(text, (*QUANTITIES, *of_models), LARGEST)
    if part.largest:
        part.weights(p)
    return part


def timed_parts(
    p: Workload, objective: Sequence[str], without: frozenset[str] = frozenset()
) -> tuple[Part, ...]:
    """Return the parts of an objective of timed schedules of a problem.

    Raises
    ------
    ObjectiveError
        With every fault; and where a second part stands on the rule `cap` and that is
        left out.
    """
    return capped_parts(objective, lambda text: timed_part(p, text), without)


def value(p: Problem, part: Part, worth: Worth) -> int:
    """Return what an evaluated schedule is worth in a part of `timed_part`."""
    rounds = {"latency": worth.latency_ticks, "tardiness": worth.tardiness_ticks}
    if part.largest:
        found = rounds[part.head]
        return max(k * max(found[m]) for m, k in part.weights(p).items())
    one = {
        "makespan": worth.makespan_ticks,
        "energy": worth.energy_quanta,
        "edp": worth.edp,
    }
    names = [model.name for model in p.models]
    total = 0
    for term, weight in part.terms:
        name, dot, model = term.partition(".")
        if name in one:
            total += weight * one[name]
            continue
        by_model = [sum(ticks) for ticks in rounds[SUMS[name]]]
        total += weight * (by_model[names.index(model)] if dot else sum(by_model))
    return total


def earned(p: Problem, part: Part, most: int) -> Problem:
    """Return the problem in which a part may be worth no more than it was proved to be.

    So the parts of an objective are minimised one after the other.
    """
    caps = (*p.timing.caps, (part.text, most))
    return replace(p, timing=replace(p.timing, caps=caps))


def caps_of(p: Problem) -> tuple[tuple[Part, int], ...]:
    """Return the caps of a problem.

    Raises
    ------
    ObjectiveError
        With every fault in all of them.
    """
    return capped(p.timing.caps, partial(timed_part, p))

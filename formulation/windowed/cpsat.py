"""CP-SAT on windowed schedules: build, solve, read (MODEL.md §7.9)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from formulation.engines.cpsat import EngineError, run
from formulation.outcome import Answer
from formulation.windowed.cpsat_build import STRENGTHENINGS, Flows, build
from formulation.windowed.schedule import Schedule
from formulation.windowed.semantics import check_options, evaluate, value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.objective import Part
    from formulation.outcome import Limits
    from formulation.problem import Problem

    Value = Callable[[cp_model.LinearExprT], int]


def read(x: Flows, values: Value) -> Schedule:
    """Return the schedule of a solution, without its empty windows."""
    p, count = x.p, len(x.p.tasks)
    taken = [step for step in x.steps if values(step.taken)]
    used = sorted({step.window for step in taken})
    chiplet, mode, window = [0] * count, [0] * count, [0] * count
    groups: list[list[int | None]] = [[None] * len(used) for _ in p.models]
    for step in taken:
        s, w = step.segment, used.index(step.window)
        groups[s.model][w] = s.group
        for t, k in zip(s.tasks, step.modes, strict=True):
            chiplet[t], mode[t], window[t] = s.chiplet, k, w
    return Schedule(
        tuple(chiplet), tuple(mode), tuple(window), tuple(tuple(g) for g in groups)
    )


def minimise(
    p: Problem,
    part: Part,
    limits: Limits,
    *,
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
) -> Answer[Schedule]:
    """Minimise a part of an objective (MODEL.md §7.4).

    Parameters
    ----------
    strengthenings
        Those of `STRENGTHENINGS` that are on.

    Raises
    ------
    KindError
        If the problem has options that windowed schedules do not have.
    EngineError
        If CP-SAT returns what the semantics refuse, or refuses the model; if numbers
        are too large for it.
    """
    check_options(p)
    began = time.monotonic()
    x = build(p, part, strengthenings)
    left = limits.seconds
    if left is not None:
        left -= time.monotonic() - began
        if left <= 0:
            seconds = time.monotonic() - began
            return Answer(None, None, None, False, "time limit", seconds)
    result = run(x.model, limits, seconds=left)
    seconds = time.monotonic() - began
    if result.values is None:
        bound, why = result.bound, result.why_stopped
        return Answer(None, None, bound, result.infeasible, why, seconds)
    s = read(x, result.values)
    found = evaluate(p, s)
    if found.violations:
        lines = "; ".join(str(v) for v in found.violations)
        raise EngineError(f"CP-SAT's schedule is refused: {lines}", s)
    worth = value(p, part, found.worth)
    if result.bound is not None and result.bound > worth:
        raise EngineError(f"CP-SAT's bound {result.bound} is above {worth}", s)
    return Answer(s, worth, result.bound, False, result.why_stopped, seconds)

"""Adds bounds to an outcome that its certificate lets anybody recompute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from formulation.dual import Dual, recompute
from formulation.kinds import kind_of
from formulation.solve import DisagreementError

if TYPE_CHECKING:
    from formulation.outcome import Outcome
    from formulation.problem import Problem

SECONDS = 20.0  # for the LP of one part: the headline needs 0.4


def with_duals(p: Problem, outcome: Outcome[Any]) -> Outcome[Any]:
    """Return the outcome with recomputed bounds, up to the first part that is open.

    An outcome with rules left out, or proved infeasible, stays as it is.

    Raises
    ------
    DisagreementError
        If a recomputed bound is above the value of a schedule.
    """
    from formulation.engines.lp import multipliers  # the checker never needs it

    if outcome.relaxed or outcome.claim == "infeasible":
        return outcome
    bounds, duals = list(outcome.bound), []
    for k, quantity in enumerate(outcome.objective):
        program = kind_of(p).relaxation(p, outcome.objective, outcome.value, k)
        if program is None:
            break
        found = multipliers(program, SECONDS) if program.rows else {}
        dual = Dual(quantity, recompute(program, found), found)
        duals.append(dual)
        known = bounds[k]
        bounds[k] = dual.bound if known is None else max(known, dual.bound)
        if bounds[k] != outcome.value[k]:
            break
    try:
        return replace(outcome, bound=tuple(bounds), duals=tuple(duals))
    except ValueError as error:
        raise DisagreementError(str(error), outcome.schedule) from error

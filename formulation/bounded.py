"""Adds bounds to an outcome that its certificate lets anybody recompute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from formulation.dual import Dual, Linear
from formulation.kinds import kind_of
from formulation.solve import DisagreementError

if TYPE_CHECKING:
    from fractions import Fraction

    from formulation.outcome import Outcome
    from formulation.problem import Problem
    from formulation.windowed.program import PricedTime

SECONDS = 20.0  # for one part: the LP of the headline needs 0.4


def _multipliers(program: Linear | PricedTime) -> dict[str, Fraction]:
    """Return good multipliers: an LP's duals, or prices."""
    if not isinstance(program, Linear):
        return program.multipliers(SECONDS)
    from formulation.engines.lp import multipliers  # the checker never needs it

    return multipliers(program, SECONDS) if program.rows else {}


def with_duals(p: Problem, outcome: Outcome[Any]) -> Outcome[Any]:
    """Return the outcome with recomputed bounds, up to the first part that is open.

    An outcome with rules left out, or proved infeasible, stays as it is.

    Raises
    ------
    DisagreementError
        If a recomputed bound is above the value of a schedule.
    """
    if outcome.relaxed or outcome.claim == "infeasible":
        return outcome
    bounds, duals = list(outcome.bound), []
    for k, quantity in enumerate(outcome.objective):
        program = kind_of(p).relaxation(p, outcome.objective, outcome.value, k)
        if program is None:
            break
        found = _multipliers(program)
        dual = Dual(quantity, program.proved(found), found)
        duals.append(dual)
        known = bounds[k]
        bounds[k] = dual.bound if known is None else max(known, dual.bound)
        if bounds[k] != outcome.value[k]:
            break
    try:
        return replace(outcome, bound=tuple(bounds), duals=tuple(duals))
    except ValueError as error:
        raise DisagreementError(str(error), outcome.schedule) from error

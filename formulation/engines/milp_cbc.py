"""CBC, which PuLP brings along: a second opinion on a MILP, without a bound."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import pulp

from formulation.engines.milp import Found

if TYPE_CHECKING:
    from formulation.engines.milp import Program
    from formulation.outcome import Limits


def _cbc(**options: Any) -> Any:
    with warnings.catch_warnings():
        # PuLP announces that PuLP 4 will not have it; `pulp<4` is pinned.
        warnings.simplefilter("ignore", DeprecationWarning)
        return pulp.PULP_CBC_CMD(msg=False, **options)


def cbc_available() -> bool:
    """Whether PuLP's own CBC is there."""
    return bool(_cbc().available())


def cbc(program: Program, limits: Limits, seconds: float | None, gap: float) -> Found:
    """Solve with PuLP's CBC: solutions only, no bound and no proof.

    It cannot be interrupted before its time limit.
    """
    has_start = any(v.varValue is not None for v in program.variables)
    solver = _cbc(
        timeLimit=seconds,
        threads=limits.workers,
        gapRel=0.0,
        gapAbs=gap,
        warmStart=has_start,
        options=[f"randomSeed {limits.seed}"],
    )
    began = time.monotonic()
    program.lp.solve(solver)
    late = seconds is not None and time.monotonic() - began >= seconds
    said = pulp.LpSolution[program.lp.sol_status]
    values = None
    if program.lp.sol_status in (
        pulp.LpSolutionOptimal,
        pulp.LpSolutionIntegerFeasible,
    ):
        values = {v: v.varValue or 0.0 for v in program.variables}
    if program.lp.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionInfeasible):
        status = "optimal"
    else:
        status = "time limit" if late else "unknown"
    return Found(status, None, values, None, said)

"""Run a CP-SAT model under `Limits`: the only file that knows CP-SAT's quirks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from math import inf, nextafter
from threading import Thread
from typing import TYPE_CHECKING

from ortools.sat.python import cp_model

from formulation.outcome import EngineError as EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.outcome import Limits

VERSION = version("ortools")


class Model(cp_model.CpModel):
    """A CP-SAT model without the CamelCase names.

    9.15 makes them anew for every model, in 0.3 ms, for callers that we are not:
    nothing in ortools calls them.
    """

    def _add_pre_pep8_methods(self) -> None:
        """Add none."""


@dataclass(frozen=True, slots=True)
class CpsatRun:
    """What a run gave.

    Parameters
    ----------
    values
        Reads an expression in the best solution, or `None`.
    bound
        Proved lower bound on the integer objective, or `None`.
    """

    values: Callable[[cp_model.LinearExprT], int] | None
    bound: int | None
    infeasible: bool
    why_stopped: str
    seconds: float


class _Watch(cp_model.CpSolverSolutionCallback):
    """Hands every solution to `seen`, which reads it with the callback's values."""

    def __init__(
        self, seen: Callable[[Callable[[cp_model.LinearExprT], int]], None]
    ) -> None:
        super().__init__()
        self._seen = seen

    def on_solution_callback(self) -> None:
        """Pass the solution on."""
        self._seen(self.value)


def parameters(limits: Limits, seconds: float | None) -> cp_model.CpSolver:
    """Return a solver with our settings.

    `presolve_inclusion_work_limit = 0` switches off the presolve step that makes
    9.15 report wrong optima on all-linear models (or-tools #5293). Gap limits are 0
    and the absolute one below one unit: proofs unless the user asks otherwise.
    """
    solver = cp_model.CpSolver()
    solver.parameters.presolve_inclusion_work_limit = 0
    solver.parameters.catch_sigint_signal = False
    solver.parameters.num_workers = limits.workers
    solver.parameters.random_seed = limits.seed
    solver.parameters.relative_gap_limit = float(limits.gap)
    solver.parameters.absolute_gap_limit = 0.0
    if seconds is not None:
        solver.parameters.max_time_in_seconds = max(0.01, seconds)
    if limits.deterministic is not None:
        solver.parameters.max_deterministic_time = limits.deterministic
    return solver


def run(
    model: cp_model.CpModel,
    limits: Limits,
    *,
    seconds: float | None,
    tune: dict[str, object] | None = None,
    seen: Callable[[Callable[[cp_model.LinearExprT], int]], None] | None = None,
    bounded: Callable[[int], None] | None = None,
) -> CpsatRun:
    """Solve a model in a thread of its own, so that Ctrl-C reaches Python.

    Parameters
    ----------
    seconds
        What is left of the wall time; `None`: no limit.
    tune
        Solver parameters by name; an unknown one raises `AttributeError`.
    seen, bounded
        Called with every solution and every better bound, from solver threads.

    Raises
    ------
    EngineError
        If CP-SAT calls the model invalid.
    """
    solver = parameters(limits, seconds)
    for name, value in (tune or {}).items():
        if isinstance(value, list):
            getattr(solver.parameters, name).extend(value)
        else:
            setattr(solver.parameters, name, value)
    if bounded is not None:
        solver.best_bound_callback = lambda bound: bounded(_whole_bound(bound))
    watch = _Watch(seen) if seen is not None else None
    began = time.monotonic()
    status: list[cp_model.CpSolverStatus] = []
    stop = limits.stop

    def work() -> None:
        status.append(solver.solve(model, watch))

    if stop is None:
        work()
    else:
        thread = Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.05)
            if stop.is_set():
                solver.stop_search()
    if limits.nodes is not None:
        limits.nodes.add(solver.num_branches)
    return _honest(solver, status[0], limits, time.monotonic() - began)


def _whole_bound(bound: float) -> int:
    """Return the integer bound that CP-SAT reports as a float, never above it.

    Exact below 2^53; beyond, the float may have been rounded up, by half a step.
    """
    return round(bound) if abs(bound) < 2**53 else int(nextafter(bound, -inf))


def _honest(
    solver: cp_model.CpSolver,
    status: cp_model.CpSolverStatus,
    limits: Limits,
    seconds: float,
) -> CpsatRun:
    """Translate status and bound; numbers that CP-SAT makes up become `None`."""
    if status == cp_model.MODEL_INVALID:
        raise EngineError(f"CP-SAT refused the model: {solver.solution_info()}")
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    finished = status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
    why = "finished"
    if not finished:
        interrupted = limits.stop is not None and limits.stop.is_set()
        why = "interrupted" if interrupted else "time limit"
    # UNKNOWN and INFEASIBLE come with a bound of 0.0 that means nothing; the inner
    # bound is an exact integer.
    bound = None
    if found or status == cp_model.UNKNOWN:
        inner = solver.response_proto.inner_objective_lower_bound
        bound = int(inner) if found or inner > 0 else None
    if found and finished and limits.gap > 0 and bound is not None:
        why = "finished" if bound >= round(solver.objective_value) else "gap"
    return CpsatRun(
        values=solver.value if found else None,
        bound=bound,
        infeasible=status == cp_model.INFEASIBLE,
        why_stopped=why,
        seconds=seconds,
    )

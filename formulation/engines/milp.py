"""Mixed-integer linear programs: PuLP to state them, HiGHS to solve and to bound them.

Nothing here knows about schedules. What a solver says of itself is taken from its own
model status, never from PuLP's: PuLP calls a run that hit its time limit optimal.
"""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import highspy
import numpy as np
import pulp

from formulation.outcome import EngineError as EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from formulation.outcome import Limits

VERSION = f"HiGHS {version('highspy')}, PuLP {version('pulp')}"
Var = Any  # a pulp.LpVariable; PuLP is not typed
Terms = list[tuple[Var, float]]

NAME = re.compile(r"[a-z][a-z0-9_]*")
SENSES = {
    "<=": pulp.LpConstraintLE,
    "==": pulp.LpConstraintEQ,
    ">=": pulp.LpConstraintGE,
}
CALLBACKS = highspy.cb.HighsCallbackType
STATUS = highspy.HighsModelStatus
VERDICTS = {
    STATUS.kOptimal: "optimal",
    STATUS.kModelEmpty: "optimal",
    STATUS.kInfeasible: "infeasible",
    STATUS.kUnboundedOrInfeasible: "infeasible",
    STATUS.kTimeLimit: "time limit",
    STATUS.kInterrupt: "interrupted",
    STATUS.kHighsInterrupt: "interrupted",
}
# Without the aggregator (bit 12) of presolve: with it HiGHS 1.13.1 called worse
# schedules optimal in 3 to 7 of 40 runs of one small problem with periods of 10^6
# ticks, by up to 0.4 %; without it, in 0 of 300. Without the enumeration of solutions
# (bit 16): it may drop a clique that still binds (ERGO-Code/HiGHS#3216), and was seen
# to leave a binary at 1/2 in what it called optimal.
OPTIONS = {"presolve_rule_off": 1 << 12 | 1 << 16}
# What postsolve breaks, HiGHS tells of as a better solution all the same.
FRACTION = 1e-3
# HiGHS looks at the clock between steps, some of which are long.
GRACE_SECONDS = 30.0
# HiGHS's log lines on a start. It completes it by an LP, and then says that it uses it;
# where presolve alone solves the program, it says no more than how that LP ended.
COMPLETED = re.compile(r"Model status\s*: (\w+)")
TAKEN = "MIP start solution is feasible"


class Program:
    """A minimisation, stated row by row."""

    def __init__(self, name: str) -> None:
        self.lp: Any = pulp.LpProblem(name, pulp.LpMinimize)
        self.variables: list[Var] = []
        self._rows: dict[str, int] = {}

    def _variable(self, name: str, low: float, high: float | None, kind: str) -> Var:
        if not NAME.fullmatch(name):
            raise ValueError(f"variable {name!r}: PuLP would rewrite this name")
        self.variables.append(self.lp.add_variable(name, low, high, kind))
        return self.variables[-1]

    def binary(self, name: str) -> Var:
        """Add a variable that is 0 or 1."""
        return self._variable(name, 0, 1, pulp.LpInteger)

    def integer(self, name: str, low: int, high: int | None = None) -> Var:
        """Add an integer variable; it needs a finite lower bound."""
        return self._variable(name, low, high, pulp.LpInteger)

    def real(self, name: str, low: float = 0, high: float | None = None) -> Var:
        """Add a continuous variable."""
        return self._variable(name, low, high, pulp.LpContinuous)

    def row(self, label: str, terms: Iterable[tuple[Var, float]], sense: str,
            right: float) -> None:  # fmt: skip
        """Add Σ terms `sense` right; a variable may occur several times."""
        total: dict[Var, float] = {}
        for var, factor in terms:
            total[var] = total.get(var, 0) + factor
        kept = {var: factor for var, factor in total.items() if factor != 0}
        number = self._rows.get(label, 0)
        self._rows[label] = number + 1
        self.lp.addConstraint(
            pulp.LpConstraint(
                pulp.LpAffineExpression(kept), SENSES[sense], f"{label}_{number}", right
            )
        )

    def minimise(self, terms: Terms) -> None:
        """Set the objective, which must be bounded below by variables' bounds."""
        self.lp.setObjective(pulp.LpAffineExpression(dict(terms)))


@dataclass(frozen=True, slots=True)
class Found:
    """What a solver said.

    Parameters
    ----------
    status
        ``optimal`` (to the gap asked for; CBC: it ended by itself),
        ``infeasible``, ``time limit``, ``interrupted`` or ``unknown``.
    bound
        Of the objective; `None`: nothing proved.
    values
        Variable → value of the best solution; `None`: no solution.
    start_taken
        Whether the solver said that it uses the start, or that it is one and solved
        the program anyhow; `None`: it had none, or it is CBC, which does not say.
    """

    status: str
    bound: float | None
    values: dict[Var, float] | None
    start_taken: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class News:
    """Called during a run.

    Parameters
    ----------
    solution
        With every better solution.
    bound
        With the proved bound of the objective, now and then.
    """

    solution: Callable[[dict[Var, float]], None]
    bound: Callable[[float], None]


class _Highs(pulp.HiGHS):  # type: ignore[misc]
    """PuLP's HiGHS with an interruptible run, a start and a fast hand-over."""

    def __init__(
        self,
        columns: list[Var],
        news: News,
        stop: threading.Event | None,
        gap: float,
        **options: Any,
    ) -> None:
        # HiGHS calls back with its log only while it logs to somewhere.
        logs = {"log_to_console": False, "log_file": os.devnull}
        super().__init__(msg=True, gapRel=0.0, gapAbs=gap, **logs, **options)
        self.columns, self.news, self.stop = columns, news, stop
        kinds = [var.cat == pulp.LpInteger for var in columns]
        self.whole = np.array(kinds, dtype=bool)
        self.fault: BaseException | None = None
        self.start_taken: bool | None = None
        self.start_ended: str | None = None
        self.abandoned = False
        self.bound: float | None = None

    def buildSolverModel(self, lp: Any) -> None:
        """Pass the model as arrays (PuLP: one call a row)."""
        for i, var in enumerate(self.columns):
            var.index = i
        rows = lp.constraints()
        cells = [[(v.index, f) for v, f in row.items()] for row in rows]
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self.columns), len(rows)
        model.col_cost_ = np.array([lp.objective.get(v, 0.0) for v in self.columns])
        model.col_lower_ = np.array([_low(v.lowBound) for v in self.columns])
        model.col_upper_ = np.array([_high(v.upBound) for v in self.columns])
        model.row_lower_ = np.array([_low(row.getLb()) for row in rows])
        model.row_upper_ = np.array([_high(row.getUb()) for row in rows])
        model.integrality_ = [
            highspy.HighsVarType.kInteger
            if v.cat == pulp.LpInteger
            else highspy.HighsVarType.kContinuous
            for v in self.columns
        ]
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.start_ = np.cumsum([0, *(len(row) for row in cells)]).astype(np.int32)
        flat = [cell for row in cells for cell in row]
        matrix.index_ = np.array([i for i, _ in flat], dtype=np.int32)
        matrix.value_ = np.array([f for _, f in flat], dtype=np.float64)
        lp.solverModel.passModel(model)

    def callSolver(self, lp: Any) -> None:
        """Run in a thread of its own, so that the main one can take signals."""
        highs = lp.solverModel
        highs.setCallback(self._heard, None)
        for kind in (
            CALLBACKS.kCallbackLogging,
            CALLBACKS.kCallbackSimplexInterrupt,
            CALLBACKS.kCallbackIpmInterrupt,
            CALLBACKS.kCallbackMipInterrupt,
            CALLBACKS.kCallbackMipImprovingSolution,
            CALLBACKS.kCallbackMipLogging,
        ):
            highs.startCallback(kind)
        start = [(v.index, v.varValue) for v in self.columns if v.varValue is not None]
        if start:
            index = np.array([i for i, _ in start], dtype=np.int32)
            value = np.array([x for _, x in start], dtype=np.float64)
            highs.setSolution(len(start), index, value)
            self.start_taken = False
        began = time.monotonic()
        thread = threading.Thread(target=self._run, args=(highs,), daemon=True)
        thread.start()
        late_since = None
        while thread.is_alive() and not self.abandoned:
            thread.join(0.05)
            now = time.monotonic()
            over = self.timeLimit is not None and now - began > self.timeLimit
            if (over or self._stopped()) and late_since is None:
                late_since = now
            self.abandoned = late_since is not None and (
                thread.is_alive() and now - late_since > GRACE_SECONDS
            )
        if not self.abandoned:
            highs.setCallback(None, None)
        if self.fault is not None:
            raise self.fault

    @staticmethod
    def _run(highs: Any) -> None:
        highs.run()
        # HiGHS keeps a pool of workers per thread; this one ends here.
        highspy.Highs.resetGlobalScheduler(False)

    def _heard(self, kind: int, text: str, out: Any, into: Any, _: object) -> None:
        if kind in (
            int(CALLBACKS.kCallbackSimplexInterrupt),
            int(CALLBACKS.kCallbackIpmInterrupt),
            int(CALLBACKS.kCallbackMipInterrupt),
        ):
            broken = self.fault is not None or self.abandoned
            into.user_interrupt = broken or self._stopped()
            return
        if self.abandoned:
            return
        try:
            if kind == int(CALLBACKS.kCallbackLogging):
                if self.start_taken is False and TAKEN in text:
                    self.start_taken = True
                said = COMPLETED.search(text)
                if said is not None and self.start_ended is None:
                    self.start_ended = said[1]
            elif kind == int(CALLBACKS.kCallbackMipImprovingSolution):
                values = np.array(out.mip_solution)
                whole = values[self.whole]
                if np.abs(whole - np.round(whole)).max(initial=0) < FRACTION:
                    found = dict(zip(self.columns, values.tolist(), strict=True))
                    self.news.solution(found)
            elif isfinite(out.mip_dual_bound):
                self.bound = self.honest(out.mip_dual_bound, out.mip_primal_bound)
                self.news.bound(self.bound)
        except BaseException as fault:
            # An exception must not travel through HiGHS; it is raised afterwards.
            self.fault = fault

    def took(self, status: str) -> bool | None:
        """Return whether the start was one (`Found.start_taken`)."""
        if self.start_taken is False and status == "optimal":
            return self.start_ended == "Optimal"
        return self.start_taken

    def _stopped(self) -> bool:
        return self.stop is not None and self.stop.is_set()

    def honest(self, dual: float, primal: float) -> float:
        """Return a bound that is one.

        HiGHS drops nodes within the gap below its best solution, and when none is
        left it reports that solution's value as the bound.
        """
        return min(dual, primal - float(self.gapAbs))

    def findSolutionValues(self, lp: Any) -> tuple[int, int]:
        """Leave it to `highs`: PuLP's reading of the status is not used."""
        return pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound


def _low(bound: float | None) -> float:
    return -highspy.kHighsInf if bound is None else bound


def _high(bound: float | None) -> float:
    return highspy.kHighsInf if bound is None else bound


def highs(
    program: Program,
    limits: Limits,
    seconds: float | None,
    gap: float,
    news: News,
    tolerance: float = 1e-6,
) -> Found:
    """Solve with HiGHS.

    The objective is bounded below by the bounds of its variables, so that
    ``infeasible or unbounded`` is a proof of infeasibility.

    Parameters
    ----------
    seconds
        What is left of the time.
    gap
        Absolute gap of the objective at which to stop.
    tolerance
        How far from an integer may be one. HiGHS's own is 1e-6, which moves a layer
        of 10^6 ticks by one; with less it sometimes runs for ever.
    """
    solver = _Highs(
        program.variables,
        news,
        limits.stop,
        gap,
        threads=limits.workers,
        timeLimit=seconds,
        random_seed=limits.seed,
        mip_feasibility_tolerance=tolerance,
        **OPTIONS,
    )
    program.lp.solve(solver)
    if solver.abandoned:
        # Its thread still runs: the model must not be touched.
        status = "interrupted" if solver._stopped() else "time limit"
        said = f"HiGHS did not stop within {GRACE_SECONDS:.0f} s"
        return Found(status, solver.bound, None, solver.start_taken, said)
    model = program.lp.solverModel
    said = model.getModelStatus()
    status = VERDICTS.get(said, "unknown")
    info = model.getInfo()
    if limits.nodes is not None:
        limits.nodes.add(max(0, info.mip_node_count))  # −1: none was needed
    values = None
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        found = np.array(model.getSolution().col_value).tolist()
        values = dict(zip(solver.columns, found, strict=True))
    bound = None
    if isfinite(info.mip_dual_bound):
        found_value = info.objective_function_value if values else inf
        bound = solver.honest(info.mip_dual_bound, found_value)
    if status in ("infeasible", "unknown"):
        bound = None
    text = model.modelStatusToString(said)
    return Found(status, bound, values, solver.took(status), text)

"""What a point's own process does: solve, have it judged, say everything as a line."""

from __future__ import annotations

import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from formulation.objective import parse_part
from formulation.outcome import Limits
from formulation.pipelined.semantics import evaluate, facts_of
from formulation.traffic import task_mode
from results.compare import RefusedError, in_turn, package_facts
from results.energy import breakdown_pj, chiplets_pj
from results.experiments.point import COSTS, FRONT, HEURISTICS, blank
from results.record import environment
from results.run import prepare
from results.summary import summary

if TYPE_CHECKING:
    from formulation.outcome import Progress, Report
    from formulation.pipelined.schedule import Schedule
    from results.experiments.point import Point
    from results.run import Prepared

SPACING_SECONDS = 0.1  # of better bounds in a trace
Line = dict[str, Any]


class Trace:
    """Value and bound over time: [seconds, value, bound] whenever one is better.

    Seconds since it was made; of the first part of the objective; over all engines.
    """

    def __init__(self, quantity: str, report: Report | None) -> None:
        self.quantity, self.report = quantity, report
        self.began = time.monotonic()
        self.lock = threading.Lock()
        self.rows: list[list[Any]] = []

    def __call__(self, news: Progress, /) -> None:
        """Take one line of news, from any thread."""
        if self.report is not None:
            self.report(news)
        if news.quantity == self.quantity:
            self.take(time.monotonic() - self.began, news.value, news.bound)

    def take(self, seconds: float, value: int | None, bound: int | None) -> None:
        """Add a row if it says something new."""
        with self.lock:
            last: list[Any] = self.rows[-1] if self.rows else [0.0, None, None]
            values = [x for x in (value, last[1]) if x is not None]
            bounds = [x for x in (bound, last[2]) if x is not None]
            row = [
                round(seconds, 3),
                min(values, default=None),
                max(bounds, default=None),
            ]
            if row[1:] == last[1:]:
                return
            soon = row[0] - last[0] < SPACING_SECONDS
            if self.rows and soon and row[1] == last[1] and len(self.rows) > 1:
                self.rows[-1] = [last[0], *row[1:]]
            else:
                self.rows.append(row)


def run(point: Point, report: Report | None = None) -> Line:
    """Make one run.

    Raises
    ------
    RefusedError
        If the checker refuses the answer.
    DisagreementError, EngineError
        As solving does.
    """
    here = environment()  # the load before this run adds to it
    prepared = prepare(point.instance, max_modes=point.max_modes)
    line: Line = {
        **blank(point, point.key(prepared.problem.table_sha256)),
        "environment": here,
        "table_sha256": prepared.problem.table_sha256,
        "tick_ps": prepared.problem.tick_ps,
        "energy_quantum_fj": prepared.problem.energy_quantum_fj,
        "build_seconds": round(prepared.seconds, 3),
        "facts": package_facts(point.instance.package),
        "size": size_of(prepared),
    }
    if point.method == FRONT:
        return {**line, **_front(point, prepared, report)}
    if point.method == COSTS:
        return {**line, **_costs(prepared)}
    if point.engines:
        return {**line, **_exact(point, prepared, report)}
    return {**line, **_heuristic(point, prepared, report)}


def size_of(prepared: Prepared) -> dict[str, int]:
    """Return how large a problem is."""
    problem = prepared.problem
    return {
        "models": len(problem.models),
        "layers": len(problem.tasks),
        "tensors": len(problem.tensors),
        "chiplets": len(problem.chiplets),
        "modes": sum(map(len, prepared.table.rows.values())),
    }


def _limits(point: Point, seconds: float | None) -> Limits:
    return Limits(seconds=seconds, workers=point.workers, seed=point.seed)


def _exact(point: Point, prepared: Prepared, report: Report | None) -> Line:
    trace = Trace(point.objective[0], report)
    engines = [
        (name, _limits(point, seconds))
        for name, seconds in zip(point.engines, point.seconds, strict=True)
    ]
    solved = in_turn(prepared, point.objective, engines, trace)
    outcome, found = solved.outcome, summary(solved, None)
    for name in ("schedule", "certificate", "scenario", "relaxed"):
        del found[name]
    schedule = outcome.schedule
    trace.take(outcome.seconds, outcome.value[0], outcome.bound[0])
    counts = [run.nodes for run in outcome.runs]
    known = [count for count in counts if count is not None]
    return {
        **found,
        "chiplets": None if schedule is None else chiplets_of(prepared, schedule),
        "trace": trace.rows,
        "nodes": sum(known) if len(known) == len(counts) else None,
    }


def chiplets_of(prepared: Prepared, found: Schedule) -> list[Line]:
    """Return where time and energy go, a chiplet each.

    `work_ticks` is compute and on-chip time; `wait_ticks` what DRAM streams of the
    same layers take longer; what is left of the period the chiplet is idle, or with
    ``serial`` busy with transfers.
    """
    p = prepared.problem
    durations = facts_of(p, found).durations
    energy = chiplets_pj(prepared.instance, prepared.table, p, found)
    rows = []
    for c, chiplet in enumerate(p.chiplets):
        here = [t for t in range(len(p.tasks)) if found.chiplet[t] == c]
        work = sum(task_mode(p, found, t).latency_ticks for t in here)
        rows.append(
            {
                "name": chiplet.name,
                "type": chiplet.type,
                "layers": len(here),
                "work_ticks": work,
                "wait_ticks": sum(durations[t] for t in here) - work,
                "energy_pj": {name: float(pj) for name, pj in energy[c].items() if pj},
            }
        )
    return rows


def _heuristic(point: Point, prepared: Prepared, report: Report | None) -> Line:
    heuristics = import_module(HEURISTICS)
    problem = prepared.problem
    budget = heuristics.Budget(point.evaluations, point.seconds[0])
    trace = Trace(point.objective[0], report)
    found = heuristics.run_heuristic(
        problem, point.method, point.objective, budget, point.seed, report
    )
    for step in found.trace:
        trace.take(step.seconds, step.value[0], None)
    line = {
        "trace": trace.rows,
        "evaluations": found.evaluations,
        "why_stopped": found.why_stopped,
        "seconds": round(found.seconds, 3),
        "notes": list(found.notes),
        "status": "unknown",
    }
    if found.schedule is None:
        return line
    return {**line, **_valued(prepared, found.schedule, point.objective[0])}


def _valued(prepared: Prepared, schedule: Schedule, quantity: str) -> Line:
    """Return what a schedule is worth, by the semantics alone.

    Raises
    ------
    RefusedError
        If it breaks a rule.
    """
    problem = prepared.problem
    worth = evaluate(problem, schedule)
    if worth.violations:
        raise RefusedError("; ".join(str(x) for x in worth.violations))
    instance, table = prepared.instance, prepared.table
    parts = breakdown_pj(instance, table, problem, schedule, worth)
    return {
        "status": "feasible",
        "claim": "feasible",
        "value": parse_part(quantity).value(problem, worth),
        "period_ticks": worth.period_ticks,
        "energy_pj": float(sum(parts.values())),
        "energy_parts_pj": {name: float(pj) for name, pj in parts.items()},
        "chiplets": chiplets_of(prepared, schedule),
    }


def _front(point: Point, prepared: Prepared, report: Report | None) -> Line:
    from formulation.pareto import front
    from results.front import as_json

    limits = _limits(point, point.seconds[0])
    found = as_json(prepared.problem, front(prepared.problem, "cpsat", limits, report))
    status = {"complete": "optimal", "envelope": "optimal", "stopped": "feasible"}
    keys = ("status", "least_period_ticks", "points", "boxes", "steps")
    return {
        "status": status.get(found["status"], found["status"]),
        "claim": found["status"],
        "why_stopped": found["why_stopped"],
        "seconds": found["seconds"],
        "front": {key: found[key] for key in keys},
    }


def _costs(prepared: Prepared) -> Line:
    """Return the fastest mode of every layer on every chiplet type."""
    table, instance = prepared.table, prepared.instance
    rows = []
    for model in instance.models:
        for layer in model.layers:
            kinds = {}
            for kind in sorted({c.type for c in instance.package.chiplets}):
                modes = table.rows.get((model.name, layer.name, kind), ())
                fastest = min(modes, key=lambda mode: mode.latency_ticks, default=None)
                if fastest is not None:
                    quanta = min(mode.energy_quanta for mode in modes)
                    kinds[kind] = [fastest.latency_ticks, quanta]
            row = {"model": model.name, "layer": layer.name, "op": layer.op}
            rows.append({**row, "kinds": kinds})
    return {
        "status": "optimal",
        "claim": "costed",
        "why_stopped": "finished",
        "seconds": round(prepared.seconds, 3),
        "layers": rows,
    }

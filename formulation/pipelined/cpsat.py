"""CP-SAT on pipelined schedules: build, relax, complete, prove."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from formulation.engines.cpsat import CpsatRun, EngineError, run
from formulation.outcome import Answer, Progress
from formulation.pipelined import bounds
from formulation.pipelined.cpsat_rules import RULES, energy
from formulation.pipelined.cpsat_vars import Cpsat
from formulation.pipelined.cuts import Way, cutter
from formulation.pipelined.schedule import DRAM, PACKAGE, Schedule
from formulation.pipelined.semantics import Evaluation, evaluate
from formulation.pipelined.stages import earliest, latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.outcome import Limits, Report, Target
    from formulation.problem import Problem

STRENGTHENINGS = ("cuts", "dominated", "lower_bound", "project_stages")
# With chiplets given, L2 decides: the LP sees that, search does not.
ONE_WAY: dict[str, object] = {"linearization_level": 2, "num_workers": 1}
ENERGY_LIMIT = 2**61


def build(
    p: Problem,
    target: Target,
    *,
    staged: bool = True,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
) -> Cpsat:
    """Return the model of a problem: every rule that is not left out, and the target.

    Raises
    ------
    EngineError
        If the energy of some schedule could pass 2^61 units.
    """
    prune = "dominated" in strengthenings
    m = Cpsat(p, target, staged=staged, prune=prune, without=without)
    for label, rule in RULES.items():
        if label not in without:
            rule(m)
    if target.period_at_most is not None:
        m.model.add(m.period <= target.period_at_most)
    if target.energy_at_most is not None:
        m.model.add(energy(m) <= target.energy_at_most * p.energy_den)
    if "lower_bound" in strengthenings:
        m.model.add(m.period >= bounds.lower(p, without))
    if target.quantity == "period":
        m.model.add(m.period >= target.at_least)
        m.model.minimize(m.period)
    else:
        objective = energy(m)
        assert m.energy_terms is not None
        most = sum(abs(k) for _, k in m.energy_terms[:-1])
        if most + p.static_energy * m.horizon > ENERGY_LIMIT:
            raise EngineError("energies pass 2^61 units: take a coarser quantum")
        if target.at_least > 0:
            m.model.add(objective > (target.at_least - 1) * p.energy_den)
        m.model.minimize(objective)
    return m


def read(m: Cpsat, value: Callable[[cp_model.LinearExprT], int]) -> Schedule:
    """Return the schedule of a solution; stages are 0 where the model has none."""
    chiplet, mode, resident = [], [], []
    for t in range(len(m.p.tasks)):
        c = next(c for c, y in enumerate(m.on[t]) if y is not None and value(y))
        k = next(
            k for z, k in zip(m.pick[t, c], m.options[t, c], strict=True) if value(z)
        )
        chiplet.append(c)
        mode.append(k.mode)
        resident.append(k.resident)
    place: list[str | None] = []
    for u, tensor in enumerate(m.p.tensors):
        literal = m.dram[u]
        if not tensor.placed:
            place.append(None)
        elif literal is None:
            place.append(PACKAGE)
        else:
            place.append(DRAM if value(literal) else PACKAGE)
    stages = [value(x) for x in m.stage] if m.staged else [0] * len(m.p.tasks)
    return Schedule(
        tuple(chiplet), tuple(mode), tuple(stages), tuple(resident), tuple(place)
    )


def fix(m: Cpsat, s: Schedule, *, stages: bool = True, places: bool = True) -> None:
    """Fix the decisions of a model to those of a schedule.

    A decision that the model does not have makes it infeasible.
    """
    for t in range(len(m.p.tasks)):
        c = s.chiplet[t]
        m.model.add_bool_or([m.value(t, c)])
        match = (
            [
                z
                for z, k in zip(m.pick[t, c], m.options[t, c], strict=True)
                if (k.mode, k.resident) == (s.mode[t], s.resident[t])
            ]
            if (t, c) in m.pick
            else []
        )
        m.model.add_bool_or(match)
        if stages and m.staged:
            m.model.add(m.stage[t] == s.stage[t])
    for u, literal in enumerate(m.dram):
        if places and literal is not None:
            m.model.add(literal == int(s.place[u] == DRAM))


def add_hint(m: Cpsat, s: Schedule) -> None:
    """Start the search from a schedule."""
    for t in range(len(m.p.tasks)):
        for c, y in enumerate(m.on[t]):
            if y is None:
                continue
            m.model.add_hint(y, c == s.chiplet[t])
            if len(m.pick[t, c]) > 1:
                for z, k in zip(m.pick[t, c], m.options[t, c], strict=True):
                    same = (c, k.mode, k.resident) == (
                        s.chiplet[t],
                        s.mode[t],
                        s.resident[t],
                    )
                    m.model.add_hint(z, same)
        if m.staged:
            m.model.add_hint(m.stage[t], s.stage[t])
    for u, literal in enumerate(m.dram):
        if literal is not None:
            m.model.add_hint(literal, s.place[u] == DRAM)


@dataclass
class _Search:
    """One call of `minimise`: the best schedule and bound so far."""

    p: Problem
    target: Target
    limits: Limits
    report: Report | None
    without: frozenset[str]
    began: float = field(default_factory=time.monotonic)
    schedule: Schedule | None = None
    value: int | None = None
    bound: int | None = None
    notes: list[str] = field(default_factory=list)

    def left(self) -> float | None:
        """Return the seconds that are left."""
        if self.limits.seconds is None:
            return None
        return self.limits.seconds - (time.monotonic() - self.began)

    def worth(self, found: Evaluation) -> int:
        """Return the target's quantity of an evaluated schedule."""
        period = self.target.quantity == "period"
        return found.period_ticks if period else found.energy_quanta

    def offer(self, s: Schedule) -> bool:
        """Keep a schedule if it is valid and better; say whether it is valid."""
        found = evaluate(self.p, s, without=self.without)
        caps = (
            (found.period_ticks, self.target.period_at_most),
            (found.energy_quanta, self.target.energy_at_most),
        )
        if found.violations or any(c is not None and v > c for v, c in caps):
            return False
        value = self.worth(found)
        if self.value is None or value < self.value:
            self.schedule, self.value = s, value
            self.tell()
        return True

    def raise_bound(self, bound: int) -> None:
        """Take note of a better bound on the target's quantity."""
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self.tell()

    def tell(self) -> None:
        """Report where we are."""
        if self.report is not None:
            seconds = time.monotonic() - self.began
            quantity = self.target.quantity
            news = Progress("cpsat", quantity, seconds, self.value, self.bound)
            self.report(news)

    def quanta(self, bound: int) -> int:
        """Return a bound on the model's objective in the target's unit."""
        if self.target.quantity == "period":
            return bound
        return -(-bound // self.p.energy_den)


def minimise(
    p: Problem,
    target: Target,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    fixed: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
    tune: dict[str, object] | None = None,
) -> Answer[Schedule]:
    """Minimise a target.

    First the relaxation without stages (MODEL.md §3.2), whose solutions are given
    stages as they come; if its optimum cannot be completed, the whole model.

    Parameters
    ----------
    hint
        A schedule to start from.
    fixed
        All decisions are fixed to this schedule: the answer is its value, or
        infeasible (tests).
    without
        Labels of rules left out; the answer is then one of a relaxation.
    strengthenings
        Those of `STRENGTHENINGS` that are on.
    tune
        CP-SAT parameters by name.

    Raises
    ------
    EngineError
        If CP-SAT returns what the semantics refuse, or refuses the model.
    """
    search = _Search(p, target, limits, report, without)
    if hint is not None and not search.offer(hint):
        search.notes.append("the schedule to start from is not valid: ignored")
    if fixed is not None:
        strengthenings = frozenset()
    why = ""
    relaxable = "project_stages" in strengthenings and "stage" not in without
    if relaxable and _cuttable(search, strengthenings):
        _by_cuts(search, strengthenings)
    if relaxable and (search.value is None or search.value != search.bound):
        why = _relaxed(search, strengthenings, tune)
    if why != "infeasible" and (search.value is None or search.value != search.bound):
        why = _whole(search, strengthenings, fixed, tune)
    infeasible = why == "infeasible" and search.schedule is None
    if search.value is not None and search.value == search.bound:
        why = "finished"
    return Answer(
        schedule=search.schedule,
        value=search.value,
        bound=None if infeasible else search.bound,
        infeasible=infeasible,
        why_stopped="finished" if why == "infeasible" else why,
        seconds=time.monotonic() - search.began,
        notes=tuple(search.notes),
    )


def _relaxed(
    search: _Search, strengthenings: frozenset[str], tune: dict[str, object] | None
) -> str:
    """Solve without stages, complete what is found; return why it stopped."""
    m = build(
        search.p,
        search.target,
        staged=False,
        without=search.without,
        strengthenings=strengthenings,
    )
    if search.bound is not None and search.target.quantity == "period":
        m.model.add(m.period >= search.bound)
    if search.schedule is not None:
        add_hint(m, search.schedule)
    left = search.left()
    result, last = _solve_relaxed(
        search,
        m,
        seconds=None if left is None else left - min(5.0, left / 10),
        tune=tune or race(search.limits.workers),
        bounded=lambda bound: search.raise_bound(search.quanta(bound)),
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(search.quanta(result.bound))
    if last is not None and search.value != search.bound:
        _complete(search, last, strengthenings)
    return result.why_stopped


def _solve_relaxed(
    search: _Search,
    m: Cpsat,
    *,
    seconds: float | None,
    tune: dict[str, object],
    bounded: Callable[[int], None] | None,
) -> tuple[CpsatRun, Schedule | None]:
    """Run a model without stages; offer its solutions with stages; return the last."""
    last: list[Schedule] = []

    def seen(value: Callable[[cp_model.LinearExprT], int]) -> None:
        found = read(m, value)
        last[:] = [found]
        for place in (earliest, latest):
            search.offer(place(search.p, found))

    result = run(
        m.model,
        search.limits,
        seconds=seconds,
        tune=tune,
        seen=seen,
        bounded=bounded,
    )
    return result, last[0] if last else None


def _cuttable(search: _Search, strengthenings: frozenset[str]) -> bool:
    """Whether ways to cut say something of the target."""
    needed = {"contiguous", "compute", "sram"}
    return (
        "cuts" in strengthenings
        and search.target.quantity == "period"
        and not needed & search.without
    )


def _by_cuts(search: _Search, strengthenings: frozenset[str]) -> None:
    """Prove a ``contiguous`` period by branching on ways to cut (MODEL.md §4.4).

    A round takes a trial T, the ways whose relaxed value is at most T, and asks
    CP-SAT of each for a schedule within T and below what is known. If the round has
    gone through all of them, nothing else is ≤ T; else T grows. Without
    ``contiguous`` the first schedule found is only one to start from.
    """
    by, proves = cutter(search.p), search.p.contiguous
    if by is None:
        return
    known, step = by.least(), 512
    ways: list[Way] | None = []
    while ways is not None and not ways and step:
        known += known // step
        step //= 2
        ways = by.ways(known)
    if not ways:
        return
    if proves:
        search.raise_bound(ways[0].ticks)
    ticks, step = ways[0].ticks, 2048
    while step and (search.value is None or search.value != search.bound):
        ticks += ticks // step
        step //= 4
        if search.value is not None:
            ticks = min(ticks, search.value - 1)
        if ticks > known:
            known, ways = ticks, by.ways(ticks)
        if ways is None:
            return
        for way in ways:
            settled = _way(search, way, ticks, strengthenings)
            if not settled or (search.value is not None and not proves):
                return
        if proves:
            value = search.value
            search.raise_bound(ticks + 1 if value is None else min(ticks + 1, value))


def _way(search: _Search, way: Way, ticks: int, strengthenings: frozenset[str]) -> bool:
    """Look for a schedule of one way within `ticks`; whether that is settled."""
    left = search.left()
    stop = search.limits.stop
    if (left is not None and left <= 0) or (stop is not None and stop.is_set()):
        return False
    p, cap = search.p, ticks
    if search.value is not None:
        cap = min(cap, search.value - 1)
    if way.ticks > cap:
        return True
    m = build(
        _on_chiplets(p, way.chiplet),
        replace(search.target, at_least=way.ticks, period_at_most=cap),
        staged=False,
        without=search.without,
        strengthenings=strengthenings,
    )
    result, last = _solve_relaxed(search, m, seconds=left, tune=ONE_WAY, bounded=None)
    if result.infeasible:
        return True
    if result.why_stopped != "finished" or last is None or result.bound is None:
        return False
    if search.value is None or search.value > result.bound:
        _complete(search, last, strengthenings)
    return search.value is not None and search.value <= result.bound


def _complete(search: _Search, found: Schedule, strengthenings: frozenset[str]) -> None:
    """Look for stages (and modes and places) for the chiplets of a relaxed solution."""
    target = search.target
    if search.value is not None and target.quantity == "period":
        target = replace(target, period_at_most=search.value - 1)
    m = build(
        _on_chiplets(search.p, found.chiplet),
        target,
        without=search.without,
        strengthenings=strengthenings,
    )
    add_hint(m, earliest(search.p, found))
    left = search.left()
    result = run(
        m.model,
        search.limits,
        seconds=10.0 if left is None else min(10.0, left),
        tune=ONE_WAY,
    )
    if result.values is not None:
        search.offer(read(m, result.values))


def _on_chiplets(p: Problem, chiplet: tuple[int, ...]) -> Problem:
    """Return the problem with every layer on its chiplet."""
    tasks = tuple(
        replace(
            task, modes=tuple(m if c == d else () for d, m in enumerate(task.modes))
        )
        for task, c in zip(p.tasks, chiplet, strict=True)
    )
    return replace(p, tasks=tasks)


def _whole(
    search: _Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object] | None,
) -> str:
    """Solve the whole model; return why it stopped."""
    target = search.target
    if search.bound is not None:
        target = replace(target, at_least=max(target.at_least, search.bound))
    m = build(search.p, target, without=search.without, strengthenings=strengthenings)
    if fixed is not None:
        fix(m, fixed)
    elif search.schedule is not None:
        add_hint(m, search.schedule)
    left = search.left()
    if left is not None and left <= 0:
        return "time limit"
    result = run(
        m.model,
        search.limits,
        seconds=left,
        tune=tune or race(search.limits.workers),
        seen=lambda value: _must(search, read(m, value)),
        bounded=lambda bound: search.raise_bound(search.quanta(bound)),
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(search.quanta(result.bound))
    if result.values is not None:
        _must(search, read(m, result.values))
    return result.why_stopped


def _must(search: _Search, found: Schedule) -> None:
    """Offer a solution of the whole model; a refusal is our error, never repaired."""
    if not search.offer(found):
        broken = evaluate(search.p, found, without=search.without)
        lines = "; ".join(str(v) for v in broken.violations)
        raise EngineError(f"CP-SAT's schedule is refused: {lines or 'over a cap'}")


def race(workers: int) -> dict[str, object]:
    """Return the parameters that run by default."""
    return {}

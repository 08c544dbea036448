"""CP-SAT on timed schedules: list, bound, prove."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from formulation.engines.cpsat import EngineError, run
from formulation.outcome import Answer, Progress
from formulation.timed.bounds import horizon, lower
from formulation.timed.cpsat_build import (
    STRENGTHENINGS,
    add_hint,
    build,
    fix,
    read,
)
from formulation.timed.list_schedule import list_schedule
from formulation.timed.objective import value
from formulation.timed.semantics import KindError, check_options, evaluate

if TYPE_CHECKING:
    from formulation.objective import Part
    from formulation.outcome import Limits, Report
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule


@dataclass
class Search:
    """One call of `minimise`: the best schedule and bound so far."""

    p: Problem
    part: Part
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

    def offer(self, s: Schedule) -> bool:
        """Keep a schedule if it is valid and better; say whether it is valid."""
        found = evaluate(self.p, s, without=self.without)
        if found.violations:
            return False
        worth = value(self.p, self.part, found.worth)
        if self.value is None or worth < self.value:
            self.schedule, self.value = s, worth
            self.tell()
        return True

    def must(self, s: Schedule) -> None:
        """Offer a solution of the model; a refusal is our error, never repaired."""
        if not self.offer(s):
            broken = evaluate(self.p, s, without=self.without).violations
            lines = "; ".join(str(v) for v in broken)
            raise EngineError(f"CP-SAT's schedule is refused: {lines}")

    def raise_bound(self, bound: int) -> None:
        """Take note of a better bound."""
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self.tell()

    def tell(self) -> None:
        """Report where we are."""
        if self.report is not None:
            seconds = time.monotonic() - self.began
            text = self.part.text
            self.report(Progress("cpsat", text, seconds, self.value, self.bound))

    def answer(self, why: str) -> Answer[Schedule]:
        """Return what was found.

        Raises
        ------
        EngineError
            If it was proved infeasible and has a valid schedule.
        """
        infeasible = why == "infeasible"
        if infeasible and self.schedule is not None:
            raise EngineError(
                f"CP-SAT proved infeasible what has a valid schedule of {self.value}"
            )
        if infeasible or (self.value is not None and self.value == self.bound):
            why = "finished"
        return Answer(
            schedule=self.schedule,
            value=self.value,
            bound=None if infeasible else self.bound,
            infeasible=infeasible,
            why_stopped=why,
            seconds=time.monotonic() - self.began,
            notes=tuple(self.notes),
        )


def minimise(
    p: Problem,
    part: Part,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    fixed: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
    tune: dict[str, object] | None = None,
) -> Answer[Schedule]:
    """Minimise a part of an objective (MODEL.md §6.3).

    The parts of a longer objective are minimised one after the other: what is earned
    becomes one of the problem's `caps`.

    Parameters
    ----------
    hint
        A schedule to start from.
    fixed
        All decisions and times are fixed to this schedule: the answer is its value, or
        infeasible (tests).
    without
        Labels of rules left out; the answer is then one of a relaxation, in which
        movements take no time if `duration` is.
    strengthenings
        Those of `STRENGTHENINGS` that are on.
    tune
        CP-SAT parameters by name.

    Raises
    ------
    KindError
        If the problem has options that timed schedules or this engine do not have:
        ``fluid`` contention (rates are fractions of a length that is itself decided).
    EngineError
        If CP-SAT returns what the semantics refuse, refuses the model, or proves
        infeasible what has a valid schedule; if energies are too large for it.
    """
    check_options(p)
    if p.timing.contention == "fluid":
        raise KindError("contention: fluid has no engine yet")
    search = Search(p, part, limits, report, without)
    if hint is not None and not search.offer(hint):
        search.notes.append("the schedule to start from is not valid: ignored")
    chosen = strengthenings if fixed is None else frozenset()
    return search.answer(_search(search, chosen, fixed, tune or {}))


def _search(
    search: Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object],
) -> str:
    """List, build and solve; return why it stopped."""
    p, part, last = search.p, search.part, horizon(search.p, search.without)
    if "list" in strengthenings:
        for s in list_schedule(p):
            search.offer(s)
    if fixed is not None:
        last = max(last, _last(p, fixed))
    elif search.value is not None and part.text == "makespan" and not search.without:
        last = min(last, search.value)
    least = None
    if "lower_bound" in strengthenings and not search.without:
        least = lower(p)
    m = build(
        p,
        part,
        last,
        lower=least,
        without=search.without,
        strengthenings=strengthenings,
    )
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
        tune=tune,
        seen=lambda value: search.must(read(m, value)),
        bounded=search.raise_bound,
    )
    if result.infeasible:
        return "infeasible"
    if result.bound is not None:
        search.raise_bound(result.bound)
    if result.values is not None:
        search.must(read(m, result.values))
    return result.why_stopped


def _last(p: Problem, s: Schedule) -> int:
    """Return the last tick that a schedule speaks of."""
    facts = evaluate(p, s).facts
    ends = [move.span[1] for move in facts.movements]
    return max(ends + [end for spans in facts.runs for _, end in spans])

"""One run of a heuristic for timed schedules (`formulation.heuristics.search`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation import rules
from formulation.heuristics import search as common
from formulation.heuristics.search import Offer, broken
from formulation.timed.heuristics.greedy import completed
from formulation.timed.heuristics.plan import Plan, decisions
from formulation.timed.list_schedule import in_order
from formulation.timed.objective import timed_part, value
from formulation.timed.schedule import Schedule
from formulation.timed.semantics import check_options, evaluate

if TYPE_CHECKING:
    from formulation.objective import Part
    from formulation.rules import Violation

SOON = 0.02  # how much the mean latency counts beside the value of a part


@dataclass
class Search(common.Search[Schedule, Plan, Plan]):
    """What a heuristic is given. Public: everything without an underscore."""

    schedule_type = Schedule
    plan_type = Plan

    def _parts(self) -> tuple[Part, ...]:
        check_options(self.problem)
        return tuple(timed_part(self.problem, text) for text in self.objective)

    def _from_chiplets(self, chiplets: tuple[int, ...]) -> Plan:
        return completed(self.problem, chiplets)

    def _judged(
        self, schedule: Schedule
    ) -> tuple[tuple[int, ...], tuple[Violation, ...]]:
        found = evaluate(self.problem, schedule)
        worth = tuple(value(self.problem, part, found.worth) for part in self.parts)
        return worth, found.violations

    def _offer_plan(self, plan: Plan) -> Offer[Plan]:
        p, bare = self.problem, decisions(self.problem, plan)
        wrong = sum(v.amount for v in rules.assignment(p, bare))
        if wrong:
            return Offer(None, broken(1e6 * wrong), plan)
        made = in_order(p, bare, plan.order)
        found = evaluate(p, made)
        if found.violations:
            amount = sum(v.amount for v in found.violations)
            return Offer(None, broken(amount), plan)
        worth = tuple(value(p, part, found.worth) for part in self.parts)
        self._take(made, worth, plan)
        cost = self._graded(worth)
        if self.parts[0].text != "energy":
            ticks = [x for rounds in found.worth.latency_ticks for x in rounds]
            cost += SOON * sum(ticks) / len(ticks)
        return Offer(worth, cost, plan)

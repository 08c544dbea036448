"""One run of a heuristic for timed schedules (`formulation.heuristics.search`)."""

from __future__ import annotations

from dataclasses import dataclass

from formulation import rules
from formulation.heuristics import search as common
from formulation.heuristics.search import Offer, broken
from formulation.kinds import TIMED
from formulation.timed.heuristics.greedy import completed
from formulation.timed.heuristics.plan import Plan, decisions
from formulation.timed.list_schedule import in_order
from formulation.timed.schedule import Schedule
from formulation.timed.semantics import evaluate

SOON = 0.02  # how much the mean latency counts beside the value of a part


@dataclass
class Search(common.Search[Schedule, Plan, Plan]):
    """What a heuristic is given. Public: everything without an underscore."""

    kind = TIMED
    schedule_type = Schedule
    plan_type = Plan

    def _from_chiplets(self, chiplets: tuple[int, ...]) -> Plan:
        return completed(self.problem, chiplets)

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
        worth = self._value(found)
        self._take(made, worth, plan)
        cost = self._graded(worth)
        if self.parts[0].text != "energy":
            ticks = [x for rounds in found.worth.latency_ticks for x in rounds]
            cost += SOON * sum(ticks) / len(ticks)
        return Offer(worth, cost, plan)

"""One run of a heuristic for windowed schedules (`formulation.heuristics.search`)."""

from __future__ import annotations

from dataclasses import dataclass

from formulation.heuristics import search as common
from formulation.heuristics.search import Offer, broken
from formulation.kinds import WINDOWED
from formulation.windowed.heuristics.decode import Plan, decoded
from formulation.windowed.schedule import Schedule
from formulation.windowed.semantics import evaluate


@dataclass
class Search(common.Search[Schedule, Plan, Plan]):
    """What a heuristic is given. Public: everything without an underscore."""

    kind = WINDOWED
    schedule_type = Schedule
    plan_type = Plan

    def _from_chiplets(self, chiplets: tuple[int, ...]) -> Plan:
        return Plan(chiplets, (0,) * len(self.problem.models))

    def _offer_plan(self, plan: Plan) -> Offer[Plan]:
        p = self.problem
        able = all(c in p.supported(t) for t, c in enumerate(plan.chiplet))
        made = decoded(p, plan) if able else None
        if made is None:
            return Offer(None, broken(1e6), plan)
        found = evaluate(p, made)
        if found.violations:
            return Offer(None, broken(sum(v.amount for v in found.violations)), plan)
        worth = self._value(found)
        self._take(made, worth, plan)
        return Offer(worth, self._graded(worth), plan)

"""One run of a heuristic for pipelined schedules (`formulation.heuristics.search`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from formulation.heuristics import search as common
from formulation.heuristics.search import Offer, broken
from formulation.kinds import PIPELINED
from formulation.outcome import DisagreementError
from formulation.pipelined.heuristics.decode import Decoded, Decoder, Plan
from formulation.pipelined.heuristics.segments import Loads, loads_of
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import Evaluation, evaluate

LEVEL, POWER = 0.3, 8  # how much loads near the period count, and how near


@dataclass
class Search(common.Search[Schedule, Plan, Decoded]):
    """What a heuristic is given. Public: everything without an underscore."""

    kind = PIPELINED
    schedule_type = Schedule
    plan_type = Plan

    def __post_init__(self) -> None:
        """Prepare parts, random numbers and tables."""
        super().__post_init__()
        self.decoder = Decoder(self.problem)

    @cached_property
    def loads(self) -> Loads:
        """Expected loads of the layers (`segments.loads_of`)."""
        return loads_of(self)

    @property
    def leans(self) -> tuple[int, ...]:
        """What is worth leaning to (`tables.LEANS`), the most promising first."""
        text = self.parts[0].text
        if text == "period" or self.parts[0].largest:
            return (0, 1, 4)
        return (2, 3) if text == "energy" else (3, 2, 0, 1)

    def _from_chiplets(self, chiplets: tuple[int, ...]) -> Plan:
        return Plan(chiplets, lean=(self.leans[0],) * len(self.problem.chiplets))

    def _offer_plan(self, plan: Plan) -> Offer[Decoded]:
        found = self.decoder.decode(plan)
        if found.excess:
            return Offer(None, broken(found.excess), found)
        value = self._value(
            Evaluation(
                (),
                found.period_ticks,
                found.latency_ticks,
                found.energy_quanta,
                (),
                (),
                (),
            )
        )
        if self._better(value):
            self._keep(found, value)
        return Offer(value, self._cost(value, found), found)

    def _cost(self, value: tuple[int, ...], found: Decoded) -> float:
        """Return the graded value, uneven loads added in small shares."""
        cost = self._graded(value)
        if self.objective[0] != "energy":
            loads = [need / found.period_ticks for need in found.needs]
            cost += LEVEL * value[0] * sum([x**POWER for x in loads]) / len(loads)
        return cost

    def _keep(self, found: Decoded, value: tuple[int, ...]) -> None:
        """Keep a decoded schedule once the semantics say the same of it."""
        schedule = self.decoder.schedule(found.plan, found.stage, found.options)
        worth = evaluate(self.problem, schedule)
        said = self._value(worth)
        if worth.violations or said != value:
            lines = "; ".join(str(v) for v in worth.violations)
            raise DisagreementError(
                f"{self.name}: the decoder values a schedule {value}, the semantics "
                f"{said} {lines}"
            )
        self._take(schedule, value, found.plan)

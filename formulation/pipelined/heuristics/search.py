"""One run of a heuristic for pipelined schedules (`formulation.heuristics.search`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from formulation.heuristics import search as common
from formulation.heuristics.search import Offer, broken
from formulation.objective import parts_of
from formulation.outcome import DisagreementError
from formulation.pipelined.heuristics.decode import Decoded, Decoder, Plan
from formulation.pipelined.heuristics.segments import Loads, loads_of
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import Evaluation, evaluate

if TYPE_CHECKING:
    from formulation.objective import Part
    from formulation.rules import Violation

LEVEL, POWER = 0.3, 8  # how much loads near the period count, and how near


@dataclass
class Search(common.Search[Schedule, Plan, Decoded]):
    """What a heuristic is given. Public: everything without an underscore."""

    schedule_type = Schedule
    plan_type = Plan

    def __post_init__(self) -> None:
        """Prepare parts, random numbers and tables."""
        super().__post_init__()
        self.decoder = Decoder(self.problem)

    def _parts(self) -> tuple[Part, ...]:
        parts = parts_of(self.objective)
        for part in parts:
            if part.largest:
                part.weights(self.problem)  # refuses unknown models
        return parts

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

    def _judged(
        self, schedule: Schedule
    ) -> tuple[tuple[int, ...], tuple[Violation, ...]]:
        worth = evaluate(self.problem, schedule)
        value = tuple(part.value(self.problem, worth) for part in self.parts)
        return value, worth.violations

    def _offer_plan(self, plan: Plan) -> Offer[Decoded]:
        found = self.decoder.decode(plan)
        if found.excess:
            return Offer(None, broken(found.excess), found)
        value = self._value(
            found.period_ticks, found.energy_quanta, found.latency_ticks
        )
        if self._better(value):
            self._keep(found, value)
        return Offer(value, self._cost(value, found), found)

    def _value(
        self, period: int, energy: int, latencies: tuple[int, ...]
    ) -> tuple[int, ...]:
        worth = Evaluation((), period, latencies, energy, (), (), ())
        return tuple(part.value(self.problem, worth) for part in self.parts)

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
        said, violations = self._judged(schedule)
        if violations or said != value:
            lines = "; ".join(str(v) for v in violations)
            raise DisagreementError(
                f"{self.name}: the decoder values a schedule {value}, the semantics "
                f"{said} {lines}"
            )
        self._take(schedule, value, found.plan)

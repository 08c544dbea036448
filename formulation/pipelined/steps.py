"""How the parts of an objective of pipelined schedules are minimised in turn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from formulation.axes import PeriodEnergy, StagesPeriod
from formulation.branch import branch
from formulation.objective import steps_of
from formulation.outcome import Target, alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.axes import Axis
    from formulation.objective import Part
    from formulation.outcome import Answer, GroupAnswer, Limits, Report
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem
    from formulation.solve import Engine

SUMS = frozenset({"cpsat"})  # engines that minimise sums of period and energy


@dataclass(frozen=True, slots=True)
class Steps:
    """A problem under what earlier parts were proved to be worth.

    Parameters
    ----------
    without
        Labels of rules that are left out.
    under
        A target whose caps hold.
    """

    p: Problem
    without: frozenset[str] = frozenset()
    under: Target = field(default_factory=lambda: Target("period"))

    def groups(self, objective: Sequence[str]) -> list[tuple[Part, ...]]:
        """Return the parts that are minimised at once."""
        return steps_of(objective)

    def after(self, part: Part, value: int) -> Steps:
        """Return the steps that follow on a part proved to be worth so much."""
        if part.text == "period":
            return replace(self, under=replace(self.under, period_at_most=value))
        if part.text == "energy":
            return replace(self, under=replace(self.under, energy_at_most=value))
        if not part.largest:
            return self  # nothing comes after a group of sums
        models = list(self.p.models)
        for m, k in part.weights(self.p).items():
            known = models[m].latency_cap_ticks
            cap = value // k if known is None else min(value // k, known)
            models[m] = replace(models[m], latency_cap_ticks=cap)
        return replace(self, p=replace(self.p, models=tuple(models)))

    def minimise(
        self,
        parts: tuple[Part, ...],
        name: str,
        engine: Engine,
        limits: Limits,
        report: Report | None,
        hint: Schedule | None,
    ) -> GroupAnswer[Schedule]:
        """Let one engine minimise a group: itself, or by branching."""
        p, without = self.p, self.without
        if parts[0].direct:
            target = replace(self.under, quantity=parts[0].text)
            return alone(
                engine(p, target, limits, report=report, hint=hint, without=without)
            )
        axis: Axis = PeriodEnergy(p, parts, self.under, without)
        if parts[0].largest:
            axis = StagesPeriod(p, parts, self.under)

        def ask(q: Problem, target: Target, some: Limits, start: Schedule | None
                ) -> Answer[Schedule]:  # fmt: skip
            return engine(q, target, some, report=None, hint=start, without=without)

        return branch(
            axis,
            p,
            name,
            ask,
            limits,
            report=report,
            hint=hint,
            without=without,
            sums=name in SUMS,
        )

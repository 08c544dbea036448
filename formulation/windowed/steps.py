"""How the parts of an objective of windowed schedules are minimised in turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.outcome import alone
from formulation.rules import KindError
from formulation.windowed.objective import earned, windowed_parts
from formulation.windowed.semantics import CAP_RULES, RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Part
    from formulation.outcome import GroupAnswer, Limits, Report
    from formulation.problem import Problem
    from formulation.solve import Engine
    from formulation.windowed.schedule import Schedule

LEFT_OUT = ("limit", *CAP_RULES)
"""Rules that engines can do without; the others are what their models are made of."""
STANDING = tuple(label for label in RULES if label not in LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Steps:
    """A problem whose caps hold what earlier parts were proved to be worth."""

    p: Problem

    def groups(self, objective: Sequence[str]) -> list[tuple[Part, ...]]:
        """Return the parts, each alone: engines minimise any."""
        return [(part,) for part in windowed_parts(self.p, objective)]

    def after(self, part: Part, value: int) -> Steps:
        """Return the steps that follow on a part proved to be worth so much."""
        return Steps(earned(self.p, part, value))

    def minimise(
        self,
        parts: tuple[Part, ...],
        name: str,
        engine: Engine,
        limits: Limits,
        report: Report | None,
        hint: Schedule | None,
    ) -> GroupAnswer[Schedule]:
        """Let one engine minimise a part."""
        nothing: frozenset[str] = frozenset()
        found = engine(
            self.p, parts[0], limits, report=report, hint=hint, without=nothing
        )
        return alone(found)


def steps(p: Problem, without: frozenset[str]) -> Steps:
    """Return the steps of a problem freed from some of its rules.

    Raises
    ------
    KindError
        If one of them is not in `LEFT_OUT`.
    """
    wrong = sorted(without - set(LEFT_OUT))
    if wrong:
        raise KindError(f"windowed schedules always have {', '.join(wrong)}")
    if "limit" in without:  # there are never more windows than layers
        count = max(p.windowing.windows, len(p.tasks))
        p = replace(p, windowing=replace(p.windowing, windows=count))
    if "cap" in without:
        p = replace(p, windowing=replace(p.windowing, caps=()))
    if "energy_cap" in without:
        p = replace(p, energy_cap_quanta=None)
    if "latency_cap" in without:
        models = tuple(replace(model, latency_cap_ticks=None) for model in p.models)
        p = replace(p, models=models)
    return Steps(p)

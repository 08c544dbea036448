"""How the parts of an objective of timed schedules are minimised in turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.outcome import alone
from formulation.timed.objective import earned, timed_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.objective import Part
    from formulation.outcome import GroupAnswer, Limits, Report
    from formulation.problem import Problem
    from formulation.solve import Engine
    from formulation.timed.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Steps:
    """A problem whose caps hold what earlier parts were proved to be worth.

    Parameters
    ----------
    without
        Labels of rules that are left out.
    """

    p: Problem
    without: frozenset[str] = frozenset()

    def groups(self, objective: Sequence[str]) -> list[tuple[Part, ...]]:
        """Return the parts, each alone: engines minimise any."""
        return [(part,) for part in timed_parts(self.p, objective, self.without)]

    def after(self, part: Part, value: int) -> Steps:
        """Return the steps that follow on a part proved to be worth so much."""
        return replace(self, p=earned(self.p, part, value))

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
        found = engine(
            self.p, parts[0], limits, report=report, hint=hint, without=self.without
        )
        return alone(found)

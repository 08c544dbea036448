"""Variables of the CP-SAT model of pipelined schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.cpsat_decisions import Decided, Lit, Term
from formulation.pipelined import bounds

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from formulation.outcome import Target
    from formulation.symmetry import Permutation


@dataclass
class Cpsat(Decided):
    """A model under construction; attributes are indexed like the problem.

    Parameters
    ----------
    staged
        `False`: the relaxation without stage variables (MODEL.md §3.2): buffers
        count the copies that every stage assignment needs at least.
    """

    target: Target
    staged: bool = True
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Create the decision variables."""
        self.horizon = bounds.upper(self.p)
        self.period = self.model.new_int_var(1, self.horizon, "period")
        super().__post_init__()
        self.package_terms: dict[int, list[Term]] | None = None
        self.stream_terms: dict[int, list[tuple[int, Lit, int]]] | None = None
        self.energy_terms: list[Term] | None = None
        self.group: tuple[Permutation, ...] = ()  # symmetries that are broken
        self.objective: cp_model.LinearExprT = self.period
        if self.staged:
            self.stage = [
                self.model.new_int_var(
                    0, self.p.models[t.model].max_stage, f"stage_t{i}"
                )
                for i, t in enumerate(self.p.tasks)
            ]

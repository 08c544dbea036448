"""What a heuristic for timed schedules decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE
from formulation.timed.schedule import Schedule

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.timed.priorities import Order

Kept = tuple[int, bool | None]
"""A mode and whether weights are resident."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All decisions but times, and the order in which runs are taken.

    Parameters
    ----------
    chiplet, kept
        Of every layer.
    dram
        Tensors that go over DRAM; all others go over the package.
    order
        `list_schedule.in_order` does the rest.
    """

    chiplet: tuple[int, ...]
    kept: tuple[Kept, ...]
    dram: frozenset[int]
    order: Order


def planned(s: Schedule, order: Order) -> Plan:
    """Return the decisions of a schedule as a plan."""
    kept = tuple(zip(s.mode, s.resident, strict=True))
    dram = frozenset(u for u, place in enumerate(s.place) if place == DRAM)
    return Plan(s.chiplet, kept, dram, order)


def decisions(p: Problem, plan: Plan) -> Schedule:
    """Return the decisions of a plan as a schedule without times."""
    return Schedule(
        chiplet=plan.chiplet,
        mode=tuple(mode for mode, _ in plan.kept),
        resident=tuple(resident for _, resident in plan.kept),
        place=tuple(
            (DRAM if u in plan.dram else PACKAGE) if tensor.placed else None
            for u, tensor in enumerate(p.tensors)
        ),
        runs=(),
        streams=(),
        loads=(),
        transfers=(),
    )

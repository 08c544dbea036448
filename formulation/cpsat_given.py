"""Decisions of a schedule and a CP-SAT model: read, fixed, started from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from formulation.decisions import DRAM, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.cpsat_decisions import Decided
    from formulation.decisions import Decisions

    Value = Callable[[cp_model.LinearExprT], int]


class Taken(NamedTuple):
    """The `Decisions` of a solution."""

    chiplet: tuple[int, ...]
    mode: tuple[int, ...]
    resident: tuple[bool | None, ...]
    place: tuple[str | None, ...]


def read_decisions(m: Decided, value: Value) -> Taken:
    """Return the decisions of a solution."""
    chiplet, mode, resident = [], [], []
    for t in range(len(m.p.tasks)):
        c = next(c for c, y in enumerate(m.on[t]) if y is not None and value(y))
        k = next(
            k for z, k in zip(m.pick[t, c], m.options[t, c], strict=True) if value(z)
        )
        chiplet.append(c)
        mode.append(k.mode)
        resident.append(k.resident)
    place: list[str | None] = []
    for u, tensor in enumerate(m.p.tensors):
        literal = m.dram[u]
        if not tensor.placed:
            place.append(None)
        elif literal is None:
            place.append(PACKAGE)
        else:
            place.append(DRAM if value(literal) else PACKAGE)
    return Taken(tuple(chiplet), tuple(mode), tuple(resident), tuple(place))


def fix_decisions(m: Decided, s: Decisions, *, places: bool = True) -> None:
    """Fix the decisions of a model to those of a schedule.

    A decision that the model does not have makes it infeasible.
    """
    for t in range(len(m.p.tasks)):
        c = s.chiplet[t]
        m.model.add_bool_or([m.value(t, c)])
        match = [
            z
            for z, k in zip(
                m.pick.get((t, c), ()), m.options.get((t, c), ()), strict=True
            )
            if (k.mode, k.resident) == (s.mode[t], s.resident[t])
        ]
        m.model.add_bool_or(match)
    for u, literal in enumerate(m.dram):
        if places and literal is not None:
            m.model.add(literal == int(s.place[u] == DRAM))


def hint_decisions(m: Decided, s: Decisions) -> None:
    """Start the search from the decisions of a schedule."""
    for t in range(len(m.p.tasks)):
        for c, y in enumerate(m.on[t]):
            if y is None:
                continue
            m.model.add_hint(y, c == s.chiplet[t])
            if len(m.pick[t, c]) > 1:
                for z, k in zip(m.pick[t, c], m.options[t, c], strict=True):
                    same = (c, k.mode, k.resident) == (
                        s.chiplet[t],
                        s.mode[t],
                        s.resident[t],
                    )
                    m.model.add_hint(z, same)
    for u, literal in enumerate(m.dram):
        if literal is not None:
            m.model.add_hint(literal, s.place[u] == DRAM)

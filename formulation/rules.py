"""Rules that schedules of every kind obey, and how a broken rule is told.

The semantics of a kind put these beside their own; nothing here knows of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE
from formulation.structure import between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.decisions import Decisions, Mapped
    from formulation.problem import Problem


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule: where, and by how much.

    `amount` is in `unit`: ticks, bytes, stages, layers, quanta, ….
    """

    rule: str
    where: str
    amount: int
    unit: str

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.rule}: {self.where}: {self.amount} {self.unit}"


class KindError(ValueError):
    """What a kind of schedules does not have, and was asked for; one line a fault."""


class UnassignedError(ValueError):
    """A schedule that breaks `assignment`; `violations` says how."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("\n".join(str(v) for v in violations))
        self.violations = violations


def mapping(p: Problem, s: Mapped) -> Iterator[Violation]:
    """Every layer on one supporting chiplet, in a mode it has."""
    wrong = partial(Violation, "assignment", amount=1, unit="layers")
    for t, task in enumerate(p.tasks):
        name = p.full_name(t)
        c = s.chiplet[t]
        if not 0 <= c < len(p.chiplets):
            yield wrong(where=f"{name}: no chiplet {c}")
        elif not task.modes[c]:
            yield wrong(where=f"{name}: not supported on chiplet {c}")
        elif not 0 <= s.mode[t] < len(task.modes[c]):
            yield wrong(where=f"{name}: no mode {s.mode[t]} on chiplet {c}")


def assignment(p: Problem, s: Decisions) -> Iterator[Violation]:
    """A `mapping`; residencies and places where they are due."""
    yield from mapping(p, s)
    for t, task in enumerate(p.tasks):
        if (s.resident[t] is None) != (task.weight_bytes == 0):
            where = f"{p.full_name(t)}: residency goes with weights"
            yield Violation("assignment", where, 1, "layers")
    for u, tensor in enumerate(p.tensors):
        allowed: tuple[str | None, ...] = (None,)
        if tensor.placed:
            allowed = (PACKAGE,) if p.always_package(u) else (PACKAGE, DRAM)
        if s.place[u] not in allowed:
            where = f"{p.tensor_name(u)}: place {s.place[u]}"
            yield Violation("assignment", where, 1, "tensors")


def contiguous(p: Problem, s: Decisions) -> Iterator[Violation]:
    """A chiplet's layers of a model are an interval of its topological order."""
    for model in p.models if p.contiguous else ():
        for c, chiplet in enumerate(p.chiplets):
            here = [t for t in model.tasks if s.chiplet[t] == c]
            holes = here[-1] - here[0] + 1 - len(here) if here else 0
            if holes:
                where = f"{model.name} on chiplet {chiplet.name}"
                yield Violation("contiguous", where, holes, "layers")


def convex(p: Problem, s: Decisions) -> Iterator[Violation]:
    """No path of tensors leaves a chiplet and comes back."""
    for t, inside in between(p, s.chiplet) if p.convex else ():
        where = f"{p.full_name(t)} between layers of chiplet {p.chiplets[inside].name}"
        yield Violation("convex", where, 1, "layers")


def exclusive(p: Problem, s: Decisions) -> Iterator[Violation]:
    """A chiplet has layers of at most one model."""
    for c, chiplet in enumerate(p.chiplets) if p.exclusive else ():
        here = {p.tasks[t].model for t in range(len(p.tasks)) if s.chiplet[t] == c}
        if len(here) > 1:
            where = f"chiplet {chiplet.name}"
            yield Violation("exclusive", where, len(here) - 1, "models")


def colocate(p: Problem, s: Decisions) -> Iterator[Violation]:
    """The layers of a named group are on one chiplet."""
    for group in p.colocate:
        used = {s.chiplet[t] for t in group}
        if len(used) > 1:
            where = f"group of {p.full_name(group[0])}"
            yield Violation("colocate", where, len(used) - 1, "chiplets")


def energy_cap(p: Problem, energy_quanta: int) -> Iterator[Violation]:
    """The energy ≤ its cap."""
    if p.energy_cap_quanta is not None and energy_quanta > p.energy_cap_quanta:
        over = energy_quanta - p.energy_cap_quanta
        yield Violation("energy_cap", "package", over, "quanta")


SHAPE_RULES: dict[str, Callable[[Problem, Decisions], Iterator[Violation]]] = {
    "contiguous": contiguous,
    "convex": convex,
    "exclusive": exclusive,
    "colocate": colocate,
}

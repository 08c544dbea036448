"""Rules on where layers are, for MILPs: of every kind of schedule (MODEL.md §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.structure import neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.engines.milp import Terms
    from formulation.milp_decisions import Decided


def assignment(m: Decided) -> None:
    """Σ_c x[l, c] = 1 ∀ l; Σ of the choices of (l, c) = x[l, c] ∀ l, c.

    Only supported chiplets have variables; residencies and places are given
    where they should be by construction.
    """
    for t in range(len(m.problem.tasks)):
        where = [(m.x[t, c], 1.0) for c in m.problem.supported(t)]
        m.program.row("assignment", where, "==", 1)
    for key, choices in m.choices.items():
        picked = [(choice.var, 1.0) for choice in choices]
        m.program.row("choice", [*picked, (m.x[key], -1)], "==", 0)


def contiguous(m: Decided) -> None:
    """Σ_l first[l, c] ≤ 1 per model and chiplet, first[l, c] ≥ x[l, c] − x[l−1, c]."""
    p = m.problem
    for number, model in enumerate(p.models) if p.contiguous else ():
        for c in range(len(p.chiplets)):
            starts: Terms = []
            for t in model.tasks:
                if (t, c) not in m.x:
                    continue
                first = m.program.real(f"first_{t}_{c}", 0, 1)
                terms = [(first, 1.0), (m.x[t, c], -1.0)]
                if t > model.first and (t - 1, c) in m.x:
                    terms.append((m.x[t - 1, c], 1.0))
                m.program.row("contiguous_first", terms, ">=", 0)
                starts.append((first, 1.0))
            m.program.row(f"contiguous_{number}", starts, "<=", 1)


def convex(m: Decided) -> None:
    """above[l, c] + below[l, c] − 1 ≤ x[l, c] ∀ l, c.

    above ≥ x of the layer itself and ≥ above of its producers; below likewise
    with its consumers: the chiplets found on any path from (to) the layer.
    """
    p = m.problem
    if not p.convex:
        return
    before, after = neighbours(p)
    for c in range(len(p.chiplets)):
        sides = []
        for side, near in (("above", before), ("below", after)):
            reach = [
                m.program.real(f"{side}_{t}_{c}", 0, 1) for t in range(len(p.tasks))
            ]
            for t, var in enumerate(reach):
                seen = [m.x[t, c]] if (t, c) in m.x else []
                for one in [*seen, *(reach[i] for i in near[t])]:
                    m.program.row(f"convex_{side}", [(var, 1), (one, -1)], ">=", 0)
            sides.append(reach)
        for t in range(len(p.tasks)):
            terms = [(sides[0][t], 1.0), (sides[1][t], 1.0)]
            here = [(m.x[t, c], -1.0)] if (t, c) in m.x else []
            m.program.row("convex", [*terms, *here], "<=", 1)


def exclusive(m: Decided) -> None:
    """Σ_m serves[m, c] ≤ 1 ∀ c, serves[m, c] ≥ x[l, c] for the layers l of m."""
    p = m.problem
    for c in range(len(p.chiplets)) if p.exclusive else ():
        serves: Terms = []
        for number, model in enumerate(p.models):
            one = m.program.real(f"serves_{number}_{c}", 0, 1)
            serves.append((one, 1.0))
            for t in model.tasks:
                if (t, c) in m.x:
                    terms = [(one, 1.0), (m.x[t, c], -1.0)]
                    m.program.row("exclusive_serves", terms, ">=", 0)
        m.program.row("exclusive", serves, "<=", 1)


def colocate(m: Decided) -> None:
    """x[l, c] = x[k, c] ∀ c for the layers l, k of a group."""
    for group in m.problem.colocate:
        for t in group[1:]:
            for c in range(len(m.problem.chiplets)):
                pair = [((group[0], c), 1.0), ((t, c), -1.0)]
                terms = [(m.x[key], sign) for key, sign in pair if key in m.x]
                m.program.row("colocate", terms, "==", 0)


SHAPE_RULES: dict[str, Callable[[Decided], None]] = {
    "contiguous": contiguous,
    "convex": convex,
    "exclusive": exclusive,
    "colocate": colocate,
}

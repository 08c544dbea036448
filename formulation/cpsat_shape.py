"""Rules on where layers are, for CP-SAT: of every kind of schedule (MODEL.md §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.cpsat_decisions import Decided


def assignment(m: Decided) -> None:
    """Σ_c y[l,c] = 1; Σ_k z[l,c,k] = y[l,c], k over modes × residency."""
    for t in range(len(m.p.tasks)):
        m.model.add_exactly_one([y for y in m.on[t] if y is not None])
    for (t, c), picks in m.pick.items():
        here = m.on[t][c]
        assert here is not None
        if len(picks) > 1:
            m.model.add_exactly_one([*picks, here.negated()])


def contiguous(m: Decided) -> None:
    """y[l,c] = p[l,c] − q[l,c] with p (begun) and q (done) rising along the order."""
    for model in m.p.models if m.p.contiguous else ():
        for c in range(len(m.p.chiplets)):
            begun = [m.bool(f"begun_t{t}_c{c}") for t in model.tasks]
            done = [m.bool(f"done_t{t}_c{c}") for t in model.tasks]
            for k, t in enumerate(model.tasks):
                m.model.add_implication(done[k], begun[k])
                if k:
                    m.model.add_implication(begun[k - 1], begun[k])
                    m.model.add_implication(done[k - 1], done[k])
                m.model.add(begun[k] - done[k] == m.value(t, c))


def convex(m: Decided) -> None:
    """above[l,c] ∧ below[l,c] → y[l,c]; above/below: l or an ancestor/descendant."""
    if not m.p.convex:
        return
    for c in range(len(m.p.chiplets)):
        above = [m.bool(f"above_t{t}_c{c}") for t in range(len(m.p.tasks))]
        below = [m.bool(f"below_t{t}_c{c}") for t in range(len(m.p.tasks))]
        for t in range(len(m.p.tasks)):
            here = m.on[t][c]
            if here is not None:
                m.model.add_implication(here, above[t])
                m.model.add_implication(here, below[t])
            m.imply([above[t], below[t]], m.false if here is None else here)
        for _, i, j in m.edges:
            m.model.add_implication(above[i], above[j])
            m.model.add_implication(below[j], below[i])


def exclusive(m: Decided) -> None:
    """y[l,c] → serves[m,c]; Σ_m serves[m,c] ≤ 1."""
    for c in range(len(m.p.chiplets)) if m.p.exclusive else ():
        serves = [m.bool(f"serves_m{k}_c{c}") for k in range(len(m.p.models))]
        m.model.add_at_most_one(serves)
        for t, task in enumerate(m.p.tasks):
            here = m.on[t][c]
            if here is not None:
                m.model.add_implication(here, serves[task.model])


def colocate(m: Decided) -> None:
    """y[l,c] = y[l',c] for layers of a group."""
    for group in m.p.colocate:
        for t in group[1:]:
            for c in range(len(m.p.chiplets)):
                m.model.add(m.value(group[0], c) == m.value(t, c))


SHAPE_RULES: dict[str, Callable[[Decided], None]] = {
    "contiguous": contiguous,
    "convex": convex,
    "exclusive": exclusive,
    "colocate": colocate,
}

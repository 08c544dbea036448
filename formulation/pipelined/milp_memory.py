"""The rule `sram` of the MILP: residents, buffers and peak within L2.

A tensor is *still* where it is package, made on a chiplet and unbuffered. Rows
are in steps of 2^-10 of a large L2, so that a tolerance is worth no byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.milp_decisions import minus

if TYPE_CHECKING:
    from formulation.engines.milp import Terms, Var
    from formulation.pipelined.milp_vars import Milp

STEPS = 2**10


def scale(m: Milp, c: int) -> float:
    """Return rows' units per byte on a chiplet."""
    return min(1.0, STEPS / max(1, m.problem.chiplets[c].l2_bytes))


def sram(m: Milp) -> None:
    """Σ W·resident + Σ bytes(u)·copies[u, c] + peak[c] ≤ L2 ∀ c, all × `scale`.

    With ``sram: residents`` the first sum alone.
    """
    p = m.problem
    if not p.residents_only:
        for u in m.package:
            if p.tensors[u].bytes > 0:
                _still(m, u)
                _copies(m, u)
    for c, chiplet in enumerate(p.chiplets):
        use: Terms = []
        for t, layer in enumerate(p.tasks):
            for choice in m.choices.get((t, c), ()):
                if choice.resident:
                    use.append((choice.var, layer.weight_bytes * scale(m, c)))
        if not p.residents_only:
            use += [
                (copies, p.tensors[u].bytes * scale(m, c))
                for (u, d), copies in m.copies.items()
                if d == c
            ]
            use.append((_peak(m, c), 1.0))
        # Bytes are whole: half of one more is none, but covers the rounding.
        room = (chiplet.l2_bytes + 0.5) * scale(m, c)
        m.program.row("sram", use, "<=", room)


def _still(m: Milp, u: int) -> None:
    """still_on[u, c] ≤ u is made here, package; ≤ every consumer gets it here.

    still[u] = Σ_c still_on[u, c] is binary; Δ(j) ≤ S·(1 − still[u]) ∀ consumers
    j (Δ ≤ S by the bounds of σ). A tensor may be taken as buffered where it need
    not be: one copy all the time is never less than its bytes in a part of the peak.
    """
    p, tensor = m.problem, m.problem.tensors[u]
    still = m.still[u] = m.program.binary(f"still_{u}")
    parts: Terms = []
    for c in p.supported(tensor.producer) if tensor.producer is not None else ():
        on = m.still_on[u, c] = m.program.real(f"still_{u}_{c}", 0, 1)
        parts.append((on, 1.0))
        m.program.row("still_home", [(on, 1), *minus(m.home(u, c))], "<=", 0)
        for j in tensor.consumers:
            m.program.row("still_gets", [(on, 1), *minus(m.gets(u, j, c))], "<=", 0)
    m.program.row("still", [*parts, (still, -1)], "==", 0)
    most = p.models[tensor.model].max_stage
    for j in tensor.consumers:
        terms = [*ahead(m, u, j), (still, float(most))]
        m.program.row("still_now", terms, "<=", most)


def ahead(m: Milp, u: int, j: int) -> Terms:
    """Return Δ(j) = σ(j) − σ(producer of u)."""
    producer = m.problem.tensors[u].producer
    assert producer is not None
    return [(m.stage[j], 1.0), (m.stage[producer], -1.0)]


def _copies(m: Milp, u: int) -> None:
    """Buffers of u on c, S the largest stage, far = 1 with ``serial`` else 0.

    Elsewhere: copies ≥ Δ(j) + far − (S + far)·(1 − gets[j, c] + home[c]).
    At home: copies ≥ Δ(j) + buffered − (S + 1)·(2 − home[c] − gets[j, c]), with
    buffered = home − still_on; copies ≥ buffered; without ``serial`` copies ≥
    2·(home[c] − gets[j, c]), which is 2 iff a consumer is elsewhere.
    Both big-Ms: −S ≤ Δ ≤ S by the bounds of σ, so an unmet condition leaves
    copies ≥ something ≤ 0.
    """
    p, tensor = m.problem, m.problem.tensors[u]
    most, far = p.models[tensor.model].max_stage, 1 if p.serial else 0
    row = m.program.row
    for c in range(len(p.chiplets)):
        home = m.home(u, c)
        here = {j: m.gets(u, j, c) for j in tensor.consumers if (j, c) in m.x}
        if not home and not here:
            continue
        copies = m.copies[u, c] = m.program.real(f"copies_{u}_{c}")
        for j, gets in here.items():
            big = float(most + far)
            blocked = [(var, k * big) for var, k in (*home, *minus(gets))]
            terms = [(copies, 1.0), *minus(ahead(m, u, j)), *blocked]
            row("copies_far", terms, ">=", far - big)
            if far:
                row("copies_one", [(copies, 1), *home, *minus(gets)], ">=", 0)
        if not home:
            continue
        buffered = [*home, (m.still_on[u, c], -1.0)]
        row("copies_buffered", [(copies, 1), *minus(buffered)], ">=", 0)
        for j in tensor.consumers:
            gets = here.get(j, [])
            if not p.serial:
                twice = [(var, -2 * k) for var, k in (*home, *minus(gets))]
                row("copies_sent", [(copies, 1), *twice], ">=", 0)
            if gets:
                big = float(most + 1)
                open_ = [(var, -k * big) for var, k in (*home, *gets)]
                own = [*minus(ahead(m, u, j)), *minus(buffered)]
                row("copies_home", [(copies, 1), *own, *open_], ">=", -2 * big)


def _peak(m: Milp, c: int) -> Var:
    """peak[c] ≥ Σ ws·choice[l, c] + Σ bytes(u)·still_on[u, c] ∀ l.

    Summed over the tensors u of l's model with producer ≤ l ≤ last consumer. The
    row holds for layers that are not on c, too: the tensors in it that are still
    on c are all alive at the last of their producers, which is on c.
    """
    p = m.problem
    peak = m.program.real(f"peak_{c}")
    for t in range(len(p.tasks)):
        if (t, c) not in m.x:
            continue
        modes = p.tasks[t].modes[c]
        need = [(k.var, modes[k.mode].ws_bytes * scale(m, c)) for k in m.choices[t, c]]
        for u in m.still:
            tensor = p.tensors[u]
            assert tensor.producer is not None
            spans = tensor.producer <= t <= max(tensor.consumers)
            if spans and (u, c) in m.still_on:
                need.append((m.still_on[u, c], tensor.bytes * scale(m, c)))
        m.program.row("peak", [(peak, 1), *minus(need)], ">=", 0)
    return peak

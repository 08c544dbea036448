"""The rule `sram` for CP-SAT: residents, buffers and peak within L2."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from formulation.cpsat_decisions import weighted

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from formulation.cpsat_decisions import Lit
    from formulation.pipelined.cpsat_vars import Cpsat


def sram(m: Cpsat) -> None:
    """Σ W_l·resident + Σ bytes·copies + peak ≤ L2, for every chiplet."""
    rooms: list[list[tuple[cp_model.LinearExprT, int]]] = [[] for _ in m.p.chiplets]
    for (t, c), options in m.options.items():
        for z, k in zip(m.pick[t, c], options, strict=True):
            if k.resident_bytes:
                rooms[c].append((z, k.resident_bytes))
    if not m.p.residents_only:
        kept = _unbuffered(m)
        _buffers(m, rooms, kept)
        for c, peak in enumerate(_peaks(m, kept)):
            rooms[c].append((peak, 1))
    for c, chiplet in enumerate(m.p.chiplets):
        m.model.add(weighted(rooms[c]) <= chiplet.l2_bytes)


def _unbuffered(m: Cpsat) -> dict[int, Lit]:
    """Return u → literal: package, all consumers beside the producer, same stage.

    One-sided: where it holds it is also cheaper than a buffer (MODEL.md §3.3).
    """
    found: dict[int, Lit] = {}
    for u in m.crossable:
        tensor = m.p.tensors[u]
        i = tensor.producer
        assert i is not None
        found[u] = local = m.bool(f"local_u{u}")
        dram_u = m.dram[u]
        if dram_u is not None:
            m.model.add_at_most_one([local, dram_u])
        for j in tensor.consumers:
            for c in range(len(m.p.chiplets)):
                here, there = m.on[i][c], m.on[j][c]
                if here is not None:
                    m.imply([local, here], m.false if there is None else there)
            if m.staged:
                m.model.add(m.stage[j] <= m.stage[i]).only_enforce_if(local)
    return found


def _held(m: Cpsat, u: int, kept: dict[int, Lit]) -> list[Lit]:
    """Return literals that say together that u is package and buffered."""
    return [kept[u].negated(), *m.package(u)]


def _buffers(
    m: Cpsat, rooms: list[list[tuple[cp_model.LinearExprT, int]]], kept: dict[int, Lit]
) -> None:
    """Add bytes·copies: far ≥ Δ(j) (≥ 2 between chiplets), here ≥ 2 or 1 + Δ(j)."""
    for u in m.crossable:
        tensor = m.p.tensors[u]
        i = tensor.producer
        assert i is not None
        if not tensor.bytes:
            continue
        for c, chiplet in enumerate(m.p.chiplets):
            stages = max(1, m.p.models[tensor.model].max_stage)
            most = min(chiplet.l2_bytes // tensor.bytes, stages + 1)
            consumers = [j for j in tensor.consumers if m.on[j][c] is not None]
            here = m.on[i][c]
            if here is None and not consumers:
                continue
            n = m.model.new_int_var(0, most, f"copies_u{u}_c{c}")
            rooms[c].append((n, tensor.bytes))
            if here is not None:
                sends = m.sends[u, c]
                m.model.add(n >= (1 if m.p.serial else 2)).only_enforce_if(sends)
            if (u, c) in m.arrives and "stage" not in m.without:
                m.model.add(n >= 2).only_enforce_if(m.arrives[u, c])
            for j in consumers:
                there = m.on[j][c]
                assert there is not None
                _copies(m, n, [u, i, j], here, there, _held(m, u, kept))


def _copies(
    m: Cpsat,
    n: cp_model.IntVar,
    names: list[int],
    here: Lit | None,
    there: Lit,
    held: list[Lit],
) -> None:
    """N ≥ Δ(j) (``serial``: 1 + Δ(j)) from afar, n ≥ 1 + Δ(j) from here."""
    _, i, j = names
    far = 1 if m.p.serial else 0
    if not m.staged:
        if here is not None:  # later than here by one stage, or sent: at least
            least = 1 if m.p.serial else 2
            m.model.add(n >= least).only_enforce_if([here, there, *held])
        return
    ahead = m.stage[j] - m.stage[i]
    away = [] if here is None else [here.negated()]
    m.model.add(n >= ahead + far).only_enforce_if([there, *away, *held])
    if far:
        m.model.add(n >= far).only_enforce_if([there, *away, *held])
    if here is not None:
        m.model.add(n >= ahead + 1).only_enforce_if([there, here, *held])
        m.model.add(n >= 1).only_enforce_if([there, here, *held])


def _peaks(m: Cpsat, kept: dict[int, Lit]) -> list[cp_model.IntVar]:
    """peak[c] ≥ ws(l) + Σ bytes of unbuffered tensors live across l, for l on c."""
    peaks = [
        m.model.new_int_var(0, chiplet.l2_bytes, f"peak_c{c}")
        for c, chiplet in enumerate(m.p.chiplets)
    ]
    live: dict[int, list[int]] = {}
    for u in kept:
        tensor = m.p.tensors[u]
        if tensor.producer is not None and tensor.bytes:
            for t in range(tensor.producer, max(tensor.consumers) + 1):
                live.setdefault(t, []).append(u)

    @cache
    def local(u: int, c: int) -> Lit | None:
        i = m.p.tensors[u].producer
        assert i is not None
        here = m.on[i][c]
        both = f"local_u{u}_c{c}"
        return None if here is None else m.product(both, [kept[u], here])

    for (t, c), options in m.options.items():
        here = m.on[t][c]
        assert here is not None
        terms = [(z, k.ws_bytes) for z, k in zip(m.pick[t, c], options, strict=True)]
        for u in live.get(t, []):
            literal = local(u, c)
            if literal is not None:
                terms.append((literal, m.p.tensors[u].bytes))
        m.model.add(weighted(terms) <= peaks[c]).only_enforce_if(here)
    return peaks

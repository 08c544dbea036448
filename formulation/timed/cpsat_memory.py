"""`sram` of MODEL.md §6.2 for CP-SAT: one cumulative a chiplet.

Intervals without ticks take no room in a cumulative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ortools.sat.python import cp_model

    from formulation.cpsat_decisions import Lit
    from formulation.timed.cpsat_vars import Timed

Hold = tuple["cp_model.IntervalVar", int]


def sram(m: Timed) -> None:
    """What lies in the L2 of a chiplet in any tick ≤ its bytes."""
    holds: list[list[Hold]] = [[] for _ in m.p.chiplets]
    for (t, c), literal in m.resident.items():
        start = m.load.get(t, 0)
        name = f"resident_t{t}_c{c}"
        last = m.time(f"last_{name}")
        m.model.add(last >= m.makespan)
        weights = _until(m, start, last, literal, name)
        holds[c].append((weights, m.p.tasks[t].weight_bytes))
    if not m.p.residents_only:
        for (t, c), runs in m.runs.items():
            for n, run in runs:
                holds[c].append((run, m.options[t, c][n].ws_bytes))
        for u in m.crossable:
            if m.p.tensors[u].bytes:
                for c, interval in (*_made(m, u), *_brought(m, u)):
                    holds[c].append((interval, m.p.tensors[u].bytes))
    for chiplet, some in zip(m.p.chiplets, holds, strict=True):
        there = [(x, n) for x, n in some if n]
        if sum(n for _, n in there) > chiplet.l2_bytes:
            intervals, demands = zip(*there, strict=True)
            m.model.add_cumulative(intervals, demands, chiplet.l2_bytes)


def _until(
    m: Timed,
    start: cp_model.IntVar | int,
    end: cp_model.IntVar,
    literal: Lit,
    name: str,
) -> cp_model.IntervalVar:
    """Return an optional interval of any length."""
    size = m.time(f"size_{name}")
    return m.model.new_optional_interval_var(start, size, end, literal, name)


def _made(m: Timed, u: int) -> Iterator[tuple[int, cp_model.IntervalVar]]:
    """Yield (chiplet, interval) of a package tensor where it may be made.

    It lies there until it is made, used there and sent. The end is only forced up, as
    room is all that it costs.
    """
    tensor = m.p.tensors[u]
    i = tensor.producer
    assert i is not None
    for k, (start, end) in enumerate(zip(m.start[i], m.end[i], strict=True)):
        last = m.time(f"last_u{u}_r{k}")
        m.model.add(last >= end)
        for d in {d for j in tensor.consumers for d in m.p.supported(j)}:
            key = m.sending(u, d)
            if key in m.send:
                sent = m.model.add(last >= m.send_end[key][k])
                sent.only_enforce_if(m.arrives[u, d])
        for c in m.p.supported(i):
            here = m.value(i, c)
            for j in tensor.consumers:
                there = m.on[j][c]
                if there is not None:
                    used = m.model.add(last >= m.end[j][k])
                    used.only_enforce_if([here, there, *m.package(u)])
            literal = m.product(f"made_u{u}_c{c}", [here, *m.package(u)])
            yield c, _until(m, start, last, literal, f"made_u{u}_c{c}_r{k}")


def _brought(m: Timed, u: int) -> Iterator[tuple[int, cp_model.IntervalVar]]:
    """Yield (chiplet, interval) of a package tensor where it may be sent to."""
    tensor = m.p.tensors[u]
    for d in {d for j in tensor.consumers for d in m.p.supported(j)}:
        key, arrives = m.sending(u, d), m.arrives[u, d]
        for k, start in enumerate(m.send.get(key, ())):
            last = m.time(f"last_u{u}_c{d}_r{k}")
            for j in tensor.consumers:
                there = m.on[j][d]
                if there is not None:
                    used = m.model.add(last >= m.end[j][k])
                    used.only_enforce_if([arrives, there])
            yield d, _until(m, start, last, arrives, f"brought_u{u}_c{d}_r{k}")

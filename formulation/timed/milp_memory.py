"""`sram` of MODEL.md §6.2 for the MILP: what lies in every L2, from when to when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.timed.milp_capacity import Load, capacity
from formulation.timed.milp_vars import Moment, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.engines.milp import Var
    from formulation.timed.milp_vars import Timed


def sram(m: Timed) -> None:
    """Σ of what lies in the L2 of a chiplet ≤ its bytes, in parts of it."""
    loads: list[list[Load]] = [[] for _ in m.p.chiplets]
    lying = [*_weights(m)]
    if not m.p.residents_only:
        lying += [*_working_sets(m), *_made(m), *_brought(m)]
    for c, span, held, ticks in lying:
        size = max(1, m.p.chiplets[c].l2_bytes)
        amount = [(var, n * k / size) for var, n, k in held]
        most = max((n for _, n, _ in held), default=0) / size
        there = [(var, k) for var, _, k in held]
        if most:
            loads[c].append(Load(span, amount, most, there, ticks))
    for c, (chiplet, some) in enumerate(zip(m.p.chiplets, loads, strict=True)):
        # Bytes are whole: half of one more is none, but covers the rounding.
        room = (chiplet.l2_bytes + 0.5) / max(1, chiplet.l2_bytes)
        capacity(m, f"sram_{c}", some, room)


Lying = tuple[int, Span, list[tuple["Var", int, float]], bool]
"""A chiplet, a span, (variable, bytes, sign) and whether it has a tick or more."""


def _ordered(m: Timed) -> bool:
    """Whether what is used by a run with ticks comes before its end."""
    return not {"precedence", "duration"} & m.without


def _weights(m: Timed) -> Iterator[Lying]:
    """Yield resident weights, from the start of their load to the makespan."""
    for t, task in enumerate(m.p.tasks):
        for c in m.p.supported(t):
            kept = [(var, task.weight_bytes, 1.0) for var, _ in m.resident(t, c)]
            start = Moment(m.load.get(t))
            span = Span(f"weights_{t}", start, Moment(m.makespan))
            yield c, span, kept, _ordered(m) and m.least(t) > 0


def _working_sets(m: Timed) -> Iterator[Lying]:
    """Yield ws of every run."""
    for t, task in enumerate(m.p.tasks):
        for c in m.p.supported(t):
            modes = task.modes[c]
            held = [(k.var, modes[k.mode].ws_bytes, 1.0) for k in m.choices[t, c]]
            for k in m.rounds(task.model):
                yield c, m.run(t, k), held, m.least(t) > 0


def _made(m: Timed) -> Iterator[Lying]:
    """Yield package tensors where they may be made: until made, used there and sent.

    The end is only forced up, as room is all that it costs.
    """
    for u in m.package:
        tensor = m.p.tensors[u]
        i = tensor.producer
        assert i is not None
        for k in m.rounds(tensor.model):
            last = Moment(m.time(f"last_{u}_{k}"))
            m.after("made_last", last, m.run(i, k).end)
            for d in m.takers(u):
                key = m.sending(u, d)
                if key in m.send:
                    sent = Moment(m.send[key][k], tuple(m.send_long[key][k]))
                    m.after("sent_last", last, sent, ([(m.arrives[u, d], 1.0)],))
            for c in m.p.supported(i):
                for j in tensor.consumers:
                    if (j, c) in m.x:
                        both = (m.home(u, c), [(m.x[j, c], 1.0)])
                        m.after("used_last", last, m.run(j, k).end, both)
                held = [(var, tensor.bytes, sign) for var, sign in m.home(u, c)]
                span = Span(f"made_{u}_{k}", Moment(m.start[i][k]), last)
                yield c, span, held, m.least(i) > 0


def _brought(m: Timed) -> Iterator[Lying]:
    """Yield package tensors where they may be sent to: until used there."""
    for (u, d), arrives in m.arrives.items():
        tensor = m.p.tensors[u]
        here = [j for j in tensor.consumers if (j, d) in m.x]
        ticks = _ordered(m) and all(m.least(j) for j in here)
        for k, x in enumerate(m.send.get(m.sending(u, d), ())):
            last = Moment(m.time(f"last_{u}_{d}_{k}"))
            for j in here:
                both = ([(arrives, 1.0)], [(m.x[j, d], 1.0)])
                m.after("brought_last", last, m.run(j, k).end, both)
            span = Span(f"brought_{u}_{d}_{k}", Moment(x), last)
            yield d, span, [(arrives, tensor.bytes, 1.0)], ticks

"""One function per rule of MODEL.md §6.2 for the MILP, collected in `RULES` by label.

What lies or flows several at a time (`bandwidth`, `sram`) and what objectives speak of
have files of their own.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from formulation.milp_decisions import slack
from formulation.milp_shape import SHAPE_RULES, assignment
from formulation.structure import edges
from formulation.timed.milp_capacity import bandwidth
from formulation.timed.milp_flows import flows
from formulation.timed.milp_memory import sram
from formulation.timed.milp_quantities import cap, energy_cap, latency_cap
from formulation.timed.milp_vars import Moment, stream_literals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.engines.milp import Terms, Var
    from formulation.timed.milp_vars import Span, Timed

Hold = tuple[int, "Span", "Terms"]
"""A chiplet or resource, a span that takes all of it, and the literal that it does."""


def release(m: Timed) -> None:
    """S ≥ r."""
    for t, starts in enumerate(m.start):
        releases = m.p.timing.releases[m.p.tasks[t].model]
        for start, due in zip(starts, releases, strict=True):
            m.after("release", Moment(start), Moment(None, (), due))


def duration(m: Timed) -> None:
    """Q ≥ Σ bytes / bandwidth ∀ resources, where it depends on more than the choice.

    All other lengths are terms of literals, and every length with ``fluid`` ≥ q.
    """
    for t in range(len(m.p.tasks)):
        for r, row in stream_literals(m, t).items() if m.loose[t] else ():
            rate = m.p.resources[r].bandwidth
            took = [(var, -n * rate.den / rate.num) for var, n in row]
            q = (m.slowest[t], 1.0)
            m.program.row("duration", [q, *took], ">=", -slack(rate.num))


def precedence(m: Timed) -> None:
    """Streams lie in runs; loads, producers and transfers come before runs."""
    for t, starts in enumerate(m.start):
        for k, (start, x) in enumerate(zip(starts, m.stream[t], strict=True)):
            long, q = m.long[t][k], m.stream_long[t][k]
            m.after("stream", Moment(x), Moment(start))
            end = Moment(start, tuple(long))
            m.after("stream", end, Moment(x, tuple(q)))
        if t in m.load:
            kept = [z for c in m.p.supported(t) for z in m.resident(t, c)]
            brought = Moment(m.load[t], tuple(m.load_long[t]))
            for start in starts:
                m.after("load", Moment(start), brought, (kept,))
    late = m.p.dram_ticks
    for u, i, j in edges(m.p):
        wait = ((m.package[u], -float(late)),) if late else ()
        for k, start in enumerate(m.start[j]):
            made = m.run(i, k).end
            ready = Moment(made.var, (*made.lag, *wait), late)
            m.after("edge", Moment(start), ready)
    for key in m.send:
        _arrival(m, *key)


def _arrival(m: Timed, u: int, to: int | None) -> None:
    """Between chiplets: made, then sent, then used λ later."""
    p, tensor = m.p, m.p.tensors[u]
    assert tensor.producer is not None
    for k, x in enumerate(m.send[u, to]):
        m.after("made", Moment(x), m.run(tensor.producer, k).end)
        for d in m.takers(u) if to is None else (to,):
            hops = [
                (m.sent[u, c, d], float(p.route_ticks[c][d]))
                for c in p.supported(tensor.producer)
                if c != d and p.route_ticks[c][d]
            ]
            most = max((int(n) for _, n in hops), default=0)
            ready = Moment(x, (*m.send_long[u, to][k], *hops))
            for j in tensor.consumers:
                if (j, d) in m.x:
                    both = ([(m.arrives[u, d], 1.0)], [(m.x[j, d], 1.0)])
                    start = Moment(m.start[j][k])
                    m.after("arrival", start, ready, both, most)


def no_overlap(m: Timed) -> None:
    """done[a, b] + done[b, a] ≥ both hold the same ∀ pairs a, b of spans with ticks.

    Runs hold chiplets; with ``exact`` movements hold resources.
    """
    _apart(m, "overlap", list(_runs(m)))
    if m.p.timing.contention != "exact":
        return
    _apart(m, "held", [(x.resource, x.span, x.there) for x in flows(m)])


def _apart(m: Timed, label: str, holds: list[Hold]) -> None:
    by_place: dict[int, list[Hold]] = {}
    for hold in holds:
        by_place.setdefault(hold[0], []).append(hold)
    for some in by_place.values():
        for (_, a, here), (_, b, there) in combinations(some, 2):
            if a.start.var is not b.start.var:
                either = [*m.order("done", a, b), *m.order("done", b, a)]
                off = [(var, -n) for var, n in (*here, *there)]
                m.program.row(label, [*either, *off], ">=", -1)


def _runs(m: Timed) -> Iterator[Hold]:
    """Yield (chiplet, run, literal): a run without ticks holds nothing."""
    for t, longs in enumerate(m.long):
        latency = {k.var: n for k, n in m.picks(t)}
        for k, long in enumerate(longs):
            grows = m.loose[t] or m.fluid
            busy: Var | None = None
            for c in m.p.supported(t):
                some = m.choices[t, c]
                least = [(z, max(latency[z.var], m.alone(z.units))) for z in some]
                there = [(z.var, 1.0) for z, n in least if n]
                maybe = [(z.var, 1.0) for z, n in least if not n]
                if maybe and grows:
                    if busy is None:
                        busy = m.program.binary(f"busy_{t}_{k}")
                        off = [(busy, -float(m.horizon))]
                        m.program.row("busy", [*long, *off], "<=", 0)
                    both = m.program.real(f"busy_{t}_{k}_{c}", 0, 1)
                    off = [(busy, -1.0), *((z, -1.0) for z, _ in maybe)]
                    m.program.row("busy_here", [(both, 1.0), *off], ">=", -1)
                    there.append((both, 1.0))
                if there:
                    yield c, m.run(t, k), there


RULES: dict[str, Callable[[Timed], None]] = {
    "assignment": assignment,
    "release": release,
    "duration": duration,
    "precedence": precedence,
    "no-overlap": no_overlap,
    "bandwidth": bandwidth,
    "sram": sram,
    **SHAPE_RULES,
    "latency_cap": latency_cap,
    "energy_cap": energy_cap,
    "cap": cap,
}

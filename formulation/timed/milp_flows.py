"""What movements put on which resource when, for the MILP (MODEL.md §6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.milp_decisions import minus
from formulation.timed.milp_vars import Moment, Span, stream_literals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.engines.milp import Terms, Var
    from formulation.timed.milp_vars import Timed


@dataclass(frozen=True, slots=True)
class Flow:
    """A movement through a resource; it takes a tick or more where it is there.

    Parameters
    ----------
    span
        When it holds the resource.
    units
        Load units by literal.
    there
        A literal that is at least each of those of `units`.
    """

    resource: int
    span: Span
    units: Terms
    there: Terms


def flows(m: Timed) -> Iterator[Flow]:
    """Yield everything that may go through a resource.

    Without `duration` what holds its resources all the time holds them in no tick.
    """
    timed = "duration" not in m.without
    if timed:
        yield from _streams(m)
        yield from _loads(m)
    if timed or m.p.timing.store_and_forward:
        yield from _transfers(m)


def _any(m: Timed, name: str, some: list[Terms]) -> Terms:
    """Return a literal that is at least each of some."""
    if len(some) == 1:
        return some[0]
    var = m.program.real(name, 0, 1)
    for terms in some:
        m.program.row("any", [(var, 1.0), *minus(terms)], ">=", 0)
    return [(var, 1.0)]


def _span(name: str, start: Var, long: Terms) -> Span:
    return Span(name, Moment(start), Moment(start, tuple(long)))


def _streams(m: Timed) -> Iterator[Flow]:
    for t, longs in enumerate(m.stream_long):
        picks = {k.var for k, _ in m.picks(t)}
        for r, row in stream_literals(m, t).items():
            chosen = [(var, 1.0) for var, _ in row if var in picks]
            others = [[(var, 1.0)] for var, _ in row if var not in picks]
            parts = [chosen, *others] if chosen else others
            there = _any(m, f"streams_{t}_{r}", parts)
            for k, long in enumerate(longs):
                span = _span(f"stream_{t}_{k}", m.stream[t][k], long)
                yield Flow(r, span, row, there)


def _loads(m: Timed) -> Iterator[Flow]:
    for t, start in m.load.items():
        rows: dict[int, Terms] = {}
        for c in m.p.supported(t):
            for r, n in m.load_units(t, c).items():
                kept = [(var, float(n)) for var, _ in m.resident(t, c)]
                rows.setdefault(r, []).extend(kept)
        span = _span(f"load_{t}", start, m.load_long[t])
        for r, row in rows.items():
            yield Flow(r, span, row, [(var, 1.0) for var, _ in row])


def _transfers(m: Timed) -> Iterator[Flow]:
    """Transfers, with ``store_and_forward`` in a span for every resource on the way.

    With ``multicast`` a resource is held once for all that is sent over it, at the same
    time, as routes from one chiplet form a tree.
    """
    users: dict[tuple[int, int | None, int, str, int, int], list[Terms]] = {}
    for (u, c, d), ways in m.held.items():
        to = m.sending(u, d)[1]
        for r, (first, last) in ways.items():
            key = (u, to, r, f"_{c}_{first}_{last}", first, last)
            if not m.p.timing.store_and_forward:
                key = (u, to, r, "", 0, 0)
            users.setdefault(key, []).append([(m.sent[u, c, d], 1.0)])
    for (u, to, r, tag, first, last), literals in users.items():
        tensor, name = m.p.tensors[u], f"send_{u}"
        there = [term for terms in literals for term in terms]  # of one: from anywhere
        if to is None:
            there = _any(m, f"holds_{u}_{r}{tag}", literals)
        else:
            name = f"send_{u}_{to}"
        row = [(var, n * tensor.bytes * m.p.load_unit) for var, n in there]
        for k, x in enumerate(m.send[u, to]):
            span = _span(f"{name}_{k}", x, m.send_long[u, to][k])
            if tag:
                ends = Moment(x, (), first), Moment(x, (), last)
                span = Span(f"{name}_{k}_{r}{tag}", *ends)
            yield Flow(r, span, row, there)

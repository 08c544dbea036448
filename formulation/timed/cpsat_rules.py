"""One function per rule of MODEL.md §6.2 for CP-SAT, collected in `RULES` by label.

`sram` and what objectives speak of have files of their own.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.cpsat_decisions import Lit, Term, weighted
from formulation.cpsat_shape import SHAPE_RULES, assignment
from formulation.timed.cpsat_memory import sram
from formulation.timed.cpsat_quantities import cap, energy_cap, latency_cap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ortools.sat.python import cp_model

    from formulation.timed.cpsat_vars import Timed


def release(m: Timed) -> None:
    """S ≥ r."""
    for t, starts in enumerate(m.start):
        releases = m.p.timing.releases[m.p.tasks[t].model]
        for start, due in zip(starts, releases, strict=True):
            m.model.add(start >= due)


def stream_rows(m: Timed, t: int) -> dict[int, list[Term]]:
    """Return, per resource, the load units that a layer's stream may put there."""
    rows: dict[int, list[Term]] = {}
    for c in m.p.supported(t):
        for z, k in zip(m.pick[t, c], m.options[t, c], strict=True):
            for r, n in k.units:
                if n:
                    rows.setdefault(r, []).append((z, n))
        for item in m.items[t, c]:
            for r, n in item.units.items():
                if n:
                    rows.setdefault(r, []).append((item.literal, n))
    return rows


def duration(m: Timed) -> None:
    """Q = max over ρ of ⌈Σ bytes / bandwidth⌉ of every stream; others are constant.

    Rows that another one implies term by term are left out: its quotient is no less
    before it is rounded, so it is no less after.
    """
    for t, q in enumerate(m.stream_long):
        if not m.loose[t]:
            alone = [(z, m.alone(dict(k.units))) for z, k, _ in m.picks(t)]
            m.model.add(q == weighted(alone))
            continue
        rows = _slowest(m, stream_rows(m, t))
        ticks = [q] if len(rows) == 1 else []
        for r, row in rows.items() if len(rows) > 1 else ():
            most = m.p.resources[r].bandwidth.ticks(sum(n for _, n in row))
            ticks.append(m.model.new_int_var(0, most, f"q_t{t}_r{r}"))
        for x, (r, row) in zip(ticks, rows.items(), strict=True):
            rate = m.p.resources[r].bandwidth
            load = weighted([(z, n * rate.den) for z, n in row])
            m.model.add(rate.num * x >= load)
            m.model.add(rate.num * x <= load + (rate.num - 1))
        if len(rows) > 1:
            m.model.add_max_equality(q, ticks)


def _slowest(m: Timed, rows: dict[int, list[Term]]) -> dict[int, list[Term]]:
    """Leave out rows that another one implies term by term."""

    def times(r: int) -> dict[int, Fraction]:
        rate = m.p.resources[r].bandwidth
        found: dict[int, Fraction] = {}
        for z, n in rows[r]:
            more = Fraction(n * rate.den, rate.num)
            found[z.index] = found.get(z.index, Fraction(0)) + more
        return found

    every = {r: times(r) for r in rows}
    kept: dict[int, list[Term]] = {}
    for r in sorted(rows, key=lambda r: (-sum(every[r].values()), r)):
        mine = every[r].items()
        if not any(all(every[s].get(z, 0) >= n for z, n in mine) for s in kept):
            kept[r] = rows[r]
    return kept


def precedence(m: Timed) -> None:
    """Streams lie in runs; loads, producers and transfers come before runs."""
    for t in range(len(m.p.tasks)):
        for k, start in enumerate(m.start[t]):
            m.model.add(m.stream[t][k] >= start)
            m.model.add(m.stream_end[t][k] <= m.end[t][k])
    for (t, c), resident in m.resident.items():
        if t in m.load:
            ticks = m.alone(m.load_units(t, c)[0])
            for start in m.start[t]:
                brought = m.model.add(m.load[t] + ticks <= start)
                brought.only_enforce_if(resident)
    for u, i, j in m.edges:
        for k, made in enumerate(m.end[i]):
            # Whatever its place: a transfer starts no earlier than it is made.
            m.model.add(m.start[j][k] >= made)
            dram = m.dram[u]
            if dram is not None and m.p.dram_ticks:
                late = m.model.add(m.start[j][k] >= made + m.p.dram_ticks)
                late.only_enforce_if(dram)
    for (u, d), arrives in m.arrives.items():
        key = m.sending(u, d)
        if key in m.send:
            _arrival(m, u, d, arrives)


def _arrival(m: Timed, u: int, d: int, arrives: Lit) -> None:
    """Between chiplets: made, then sent, then used λ later."""
    tensor, key = m.p.tensors[u], m.sending(u, d)
    assert tensor.producer is not None
    late = weighted(
        [
            (m.sent[u, c, d], m.p.route_ticks[c][d])
            for c in m.p.supported(tensor.producer)
            if c != d
        ]
    )
    for k, (x, y) in enumerate(zip(m.send[key], m.send_end[key], strict=True)):
        sent = m.model.add(x >= m.end[tensor.producer][k])
        sent.only_enforce_if(arrives)
        for j in tensor.consumers:
            there = m.on[j][d]
            if there is not None:
                used = m.model.add(m.start[j][k] - y >= late)
                used.only_enforce_if([arrives, there])


def no_overlap(m: Timed) -> None:
    """Runs share no chiplet; with ``exact`` movements share no resource either."""
    for c in range(len(m.p.chiplets)):
        m.model.add_no_overlap(
            [run for (_, d), runs in m.runs.items() if d == c for _, run in runs]
        )
    if m.p.timing.contention != "exact":
        return
    holds: list[list[cp_model.IntervalVar]] = [[] for _ in m.p.resources]
    timed = "duration" not in m.without  # else what is held all the time takes none
    for r, interval in (*_streams(m), *_loads(m)) if timed else ():
        holds[r].append(interval)
    for r, interval in _transfers(m) if timed or m.p.timing.store_and_forward else ():
        holds[r].append(interval)
    for intervals in holds:
        if len(intervals) > 1:
            m.model.add_no_overlap(intervals)


def _streams(m: Timed) -> Iterator[tuple[int, cp_model.IntervalVar]]:
    """Yield (resource, interval) of streams; with bytes they take a tick or more."""
    for t in range(len(m.p.tasks)):
        for r, row in stream_rows(m, t).items():
            literal = m.any_of(f"streams_t{t}_r{r}", [z for z, _ in row])
            for k, (x, y) in enumerate(zip(m.stream[t], m.stream_end[t], strict=True)):
                name = f"stream_t{t}_r{r}_r{k}"
                q = m.stream_long[t]
                yield r, m.model.new_optional_interval_var(x, q, y, literal, name)


def _loads(m: Timed) -> Iterator[tuple[int, cp_model.IntervalVar]]:
    """Yield (resource, interval) of loads."""
    for (t, c), literal in m.resident.items() if m.load else ():
        units, _ = m.load_units(t, c)
        ticks = m.alone(units)
        for r, n in units.items():
            if n:
                yield (
                    r,
                    m.model.new_optional_fixed_size_interval_var(
                        m.load[t], ticks, literal, f"load_t{t}_c{c}_r{r}"
                    ),
                )


def _transfers(m: Timed) -> Iterator[tuple[int, cp_model.IntervalVar]]:
    """Yield (resource, interval) of transfers.

    With ``multicast`` a resource is held once for all that is sent over it: the spans
    are the same, as routes from one chiplet form a tree, or (cut through) all of it.
    """
    users: dict[tuple[int, int | None, int, int, int, int], list[Lit]] = {}
    for (u, c, d), literal in m.sent.items():
        to = m.sending(u, d)[1]
        for r, (first, last) in m.held[u, c, d].items():
            users.setdefault((u, to, c, r, first, last), []).append(literal)
    merged: dict[tuple[int, int], list[Lit]] = {}
    for (u, to, c, r, first, last), literals in users.items():
        if m.p.multicast and not m.p.timing.store_and_forward:
            merged.setdefault((u, r), []).extend(literals)
            continue
        literal = m.any_of(f"holds_u{u}_c{to}_c{c}_r{r}", literals)
        for k, x in enumerate(m.send[u, to]):
            name = f"send_u{u}_c{to}_c{c}_r{r}_r{k}"
            yield (
                r,
                m.model.new_optional_fixed_size_interval_var(
                    x + first, last - first, literal, name
                ),
            )
    for (u, r), literals in merged.items():
        literal = m.any_of(f"holds_u{u}_r{r}", literals)
        ends = zip(m.send[u, None], m.send_end[u, None], strict=True)
        for k, (x, y) in enumerate(ends):
            q, name = m.send_long[u, None], f"send_u{u}_r{r}_r{k}"
            yield r, m.model.new_optional_interval_var(x, q, y, literal, name)


def bandwidth(m: Timed) -> None:
    """Nothing: only ``fluid`` has it, which the engine refuses."""


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

"""The rules of MODEL.md §2 as rows of the relaxation, one function a label."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.choices import Choice
    from formulation.dual import Terms
    from formulation.pipelined.relaxation import Item, Relaxed
    from formulation.problem import Problem


def _of(amounts: tuple[tuple[int, int], ...], resource: int) -> int:
    return next((n for r, n in amounts if r == resource), 0)


def durations(r: Relaxed) -> None:
    """Σ_n ticks·pick + stretch ≥ the layer's own load / rate ∀ resources on its way.

    And stretch ≥ Σ g(item)·item. For a choice k let f(s) = max(ticks, s/rate), s its
    fixed load: f is convex, so d(l) − ticks ≥ Σ (f(s + load of item) − ticks) over the
    items that are 1; g is the least of that over the choices an item can go with.
    Both hold for the rounded d(l), which is no less. A resource on which no choice
    with all its items takes longer than the choice's ticks has no rows.
    """
    for (t, c), picks in r.picks.items():
        items = [item for item in r.items[t, c] if item.units]
        paths = sorted({q for item in items for q in item.units})
        most = {q: _longest(r, picks, items, q) for q in paths}
        if not picks or not any(most.values()):
            continue
        top = max(-(-ticks // 1) for ticks in most.values())
        column = r.stretch[t, c] = r.program.column(("stretch", t, c), int(top))
        for q in _telling(r, picks, items, [q for q in paths if most[q]]):
            rate = r.p.resources[q].stream_rate
            rest = [(i.column, -rate.den * i.units.get(q, 0)) for i in items]
            rest += [(j, -rate.den * _of(k.units, q)) for j, k in picks]
            name = f"{r.on(t, c)} over {r.p.resources[q].name}"
            r.program.row(f"stream of {name}", [*r.duration(t, c, rate.num), *rest], 0)
            gains = [(i.column, -_gain(r, picks, i, q)) for i in items]
            if len([g for _, g in gains if g]) > 0:
                terms = [(column, rate.num), *gains]
                r.program.row(f"stretch of {name}", terms, 0)


def _longest(
    r: Relaxed, picks: list[tuple[int, Choice]], items: list[Item], q: int
) -> Fraction:
    """Return the most ticks by which a stream over q may outlast a choice's own."""
    rate = r.p.resources[q].stream_rate
    extra = [(i.units[q], i.modes) for i in items if q in i.units]
    over = [
        (_of(k.units, q) + sum(n for n, modes in extra if k.mode in modes)) * rate.den
        - k.ticks * rate.num
        for _, k in picks
    ]
    return Fraction(max([0, *over]), rate.num)


def _telling(
    r: Relaxed, picks: list[tuple[int, Choice]], items: list[Item], paths: list[int]
) -> list[int]:
    """Return the resources whose every amount in ticks no other one exceeds.

    Amounts are compared in parts of a tick that make all of them whole.
    """
    rates = {q: r.p.resources[q].stream_rate for q in paths}
    whole = lcm(*(rate.num for rate in rates.values()))
    ticks = {
        q: [
            units * rate.den * (whole // rate.num)
            for units in (
                *(_of(k.units, q) for _, k in picks),
                *(i.units.get(q, 0) for i in items),
            )
        ]
        for q, rate in rates.items()
    }

    def less(a: int, b: int) -> bool:
        below = all(x <= y for x, y in zip(ticks[a], ticks[b], strict=True))
        return below and (ticks[a] != ticks[b] or b < a)

    return [q for q in paths if not any(less(q, other) for other in paths)]


def _gain(r: Relaxed, picks: list[tuple[int, Choice]], item: Item, q: int) -> int:
    """Return g(item) on a resource, times the numerator of its rate."""
    rate = r.p.resources[q].stream_rate
    extra = item.units.get(q, 0)
    gains = [
        (_of(k.units, q) + extra) * rate.den - k.ticks * rate.num
        for _, k in picks
        if k.mode in item.modes
    ]
    return max(0, min(gains, default=0))


def compute(r: Relaxed) -> None:
    """Σ d(l) ≤ T ∀ chiplets, with ``serial`` and their transfers; d(l) ≤ T ∀ layers.

    The second by the first: one chiplet does the layer whole.
    """
    p = r.p
    for c, chiplet in enumerate(p.chiplets):
        ports = [q for q in (chiplet.port_in, chiplet.port_out) if q is not None]
        ports = ports if p.serial else []
        whole = lcm(*(p.resources[q].rate.num for q in ports))
        busy = [(r.period, whole)]
        for t in range(len(p.tasks)):
            busy += r.duration(t, c, -whole)
        for q in ports:
            rate = p.resources[q].rate
            factor = -rate.den * (whole // rate.num)
            busy += [(j, units * factor) for j, units in r.moves.get(q, ())]
        busy += [(j, -whole * ticks) for j, ticks in _talk(r, c)]
        r.program.row(f"compute {c}", busy, 0)
    for t in range(len(p.tasks)):
        terms = [(r.period, 1)]
        for c in p.supported(t):
            terms += r.duration(t, c, -1)
        r.program.row(f"compute {p.full_name(t)}", terms, 0)


def _talk(r: Relaxed, c: int) -> Terms:
    """Return transfer times on a chiplet of the tensors that are given by times."""
    p = r.p
    terms: Terms = []
    for u, tensor in enumerate(p.tensors):
        if tensor.transfer is None:
            continue
        terms += r.arrives(u, c, tensor.transfer[c])
        if p.multicast and (u, c) in r.leaves:
            terms.append((r.leaves[u, c], tensor.transfer[c]))
        elif not p.multicast:
            terms += [
                (column, tensor.transfer[c])
                for (v, source, _), column in r.sent.items()
                if (v, source) == (u, c)
            ]
    return terms


def resources(r: Relaxed) -> None:
    """Load units of transfers, and of streams where they count, ≤ rate·T.

    `link`, `port` and `dram`, for every resource that anything can load.
    """
    for q, resource in enumerate(r.p.resources):
        load = list(r.moves.get(q, ()))
        if resource.counts_streams:
            load += r.streams.get(q, ())
        if load:
            rate = resource.rate
            terms = [(j, -rate.den * units) for j, units in load]
            name = f"{resource.kind} {resource.name}"
            r.program.row(name, [(r.period, rate.num), *terms], 0)


def sram(r: Relaxed) -> None:
    """kept[c] ≥ Σ W·pick (resident) + Σ bytes·(2·Σ_e sent[u, e, c] + n·leaves[u, c]).

    And kept[c] + peak[c] ≤ L2, peak[c] ≥ Σ_n ws·pick[l, c, n] + Σ bytes·(home[u, c] −
    leaves[u, c]) ∀ c, l, the last sum over the tensors u of l's model with producer ≤
    l ≤ last consumer; n = 2, with ``serial`` 1. Proof. Between chiplets `stage` makes
    Δ ≥ 2 (``serial``: Δ ≥ 1 and one copy more), so a receiver has 2 copies and the
    producer's chiplet n.
    A package tensor that does not leave c is buffered there, in one copy at least, or
    in the peak while it is live. With l on c the row is the peak's at l. If l is
    elsewhere, the unbuffered tensors in it are all live at the last of their
    producers, which is on c. ``sram: residents`` counts W alone.
    """
    p, live = r.p, _live(r.p)
    for c, chiplet in enumerate(p.chiplets):
        kept = r.program.column(("kept", c), chiplet.l2_bytes)
        held = [(kept, 1)]
        for t in range(len(p.tasks)):
            for j, k in r.picks.get((t, c), ()):
                held.append((j, -k.resident_bytes))
        for u, tensor in enumerate(p.tensors) if not p.residents_only else ():
            held += r.arrives(u, c, -2 * tensor.bytes)
            if (u, c) in r.leaves:
                held.append((r.leaves[u, c], -(1 if p.serial else 2) * tensor.bytes))
        r.program.row(f"sram {c}", held, 0)
        if p.residents_only:
            continue
        peak = r.program.column(("peak", c), chiplet.l2_bytes)
        r.program.row(f"L2 of {c}", [(kept, -1), (peak, -1)], -chiplet.l2_bytes)
        for t in range(len(p.tasks)):
            if r.picks.get((t, c)):
                row = [(peak, 1), *_work(r, t, c, live[t])]
                r.program.row(f"sram of {r.on(t, c)}", row, 0)


def _work(r: Relaxed, t: int, c: int, live: list[int]) -> Terms:
    """Return minus the working set of l and the tensors live at it that stay on c."""
    terms = [(j, -k.ws_bytes) for j, k in r.picks[t, c]]
    for u in live:
        size = r.p.tensors[u].bytes
        terms += r.home(u, c, -size)
        if (u, c) in r.leaves:
            terms.append((r.leaves[u, c], size))
    return terms


def _live(p: Problem) -> list[list[int]]:
    """Return the placed tensors that are live at each layer: made, and yet to be read.

    A layer's own tensors are among them.
    """
    found: list[list[int]] = [[] for _ in p.tasks]
    for u, tensor in enumerate(p.tensors):
        if tensor.placed and tensor.producer is not None:
            for t in range(tensor.producer, max(tensor.consumers) + 1):
                found[t].append(u)
    return found


def giants(r: Relaxed) -> None:
    """Σ pick[g, c, n] (resident) + Σ pick[l, c, n] (too large beside g) ≤ 1 ∀ c, g, l.

    g is a layer whose weights take more than half of L2; too large beside it are the
    choices of another layer l that need more of L2, as residents or working set, than
    g leaves: `sram` counts both. As numbers alone the two could share L2 in fractions.
    """
    p = r.p
    for c, chiplet in enumerate(p.chiplets):
        needs = [
            [(j, k.resident_bytes + (0 if p.residents_only else k.ws_bytes))
             for j, k in r.picks.get((t, c), ())]
            for t in range(len(p.tasks))
        ]  # fmt: skip
        for g, giant in enumerate(p.tasks):
            whole = [(j, -1) for j, k in r.picks.get((g, c), ()) if k.resident]
            room = chiplet.l2_bytes - giant.weight_bytes
            if not whole or room >= giant.weight_bytes:
                continue
            for t, own in enumerate(needs):
                large = [(j, -1) for j, need in own if need > room]
                if large and t != g:
                    name = f"sram of {r.on(g, c)} beside {p.full_name(t)}"
                    r.program.row(name, [*whole, *large], -1)


ROWS: tuple[Callable[[Relaxed], None], ...] = (
    durations,
    compute,
    resources,
    sram,
    giants,
)

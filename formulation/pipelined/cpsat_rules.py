"""One function per rule of MODEL.md §2 for CP-SAT, collected in `RULES` by label.

`sram` has a file of its own.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

from formulation.cpsat_decisions import weighted
from formulation.cpsat_shape import SHAPE_RULES, assignment
from formulation.pipelined import bounds
from formulation.pipelined.cpsat_memory import sram

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.cpsat_decisions import Lit, Term
    from formulation.pipelined.cpsat_vars import Cpsat


def stage(m: Cpsat) -> None:
    """σ(j) ≥ σ(i), +1 between chiplets, +2 there for package (``serial``: +1)."""
    if not m.staged:
        return
    for u, i, j in m.edges:
        m.model.add(m.stage[j] >= m.stage[i])
        apart = m.bool(f"apart_u{u}_t{j}")
        for c in m.p.supported(i):
            here, there = m.on[i][c], m.on[j][c]
            assert here is not None
            away = [] if there is None else [there.negated()]
            m.imply([here, *away], apart)
        lag = 1 if m.p.always_dram(u) or m.p.serial else 2
        m.model.add(m.stage[j] >= m.stage[i] + 1).only_enforce_if(apart)
        if lag == 2:
            conditions = [apart, *m.package(u)]
            m.model.add(m.stage[j] >= m.stage[i] + 2).only_enforce_if(conditions)


def durations(m: Cpsat, t: int, c: int) -> list[tuple[cp_model.LinearExprT, int]]:
    """Return d(l) on c as terms.

    Σ_k ticks_k·z_k; or, where optional parts may take longer, a variable that is at
    least that and at least its own stream over every resource.
    """
    picks, options, items = m.pick[t, c], m.options[t, c], m.items[t, c]
    base = [(z, k.ticks) for z, k in zip(picks, options, strict=True)]
    rows: list[tuple[int, list[Term]]] = []
    units = [dict(k.units) for k in options]
    for r in {r for item in items for r in item.units}:
        loose = sum(item.units.get(r, 0) for item in items)
        fixed = [own.get(r, 0) for own in units]
        rate = m.p.resources[r].stream_rate
        if any(
            (loose + f) * rate.den > k.ticks * rate.num
            for f, k in zip(fixed, options, strict=True)
        ):
            terms = [(z, f) for z, f in zip(picks, fixed, strict=True) if f]
            rows.append((r, terms + [(x.literal, x.units.get(r, 0)) for x in items]))
    if not rows:
        return [(z, k) for z, k in base]
    most = max(
        max(k.ticks for k in options),
        *(
            m.p.resources[r].stream_rate.ticks(sum(n for _, n in row))
            for r, row in rows
        ),
    )
    d = m.model.new_int_var(0, most, f"d_t{t}_c{c}")
    m.model.add(weighted(base) <= d)
    for r, row in _narrowest(m, rows):
        rate = m.p.resources[r].stream_rate
        m.model.add(weighted([(x, n * rate.den) for x, n in row]) <= rate.num * d)
    return [(d, 1)]


def _narrowest(
    m: Cpsat, rows: list[tuple[int, list[Term]]]
) -> list[tuple[int, list[Term]]]:
    """Leave out rows that another row implies term by term.

    Terms are compared in parts of a tick that make all of them whole.
    """
    rates = {r: m.p.resources[r].stream_rate for r, _ in rows}
    whole = lcm(*(rate.num for rate in rates.values()))

    def times(r: int, row: list[Term]) -> dict[int, int]:
        each = rates[r].den * (whole // rates[r].num)
        found: dict[int, int] = {}
        for x, n in row:
            found[x.index] = found.get(x.index, 0) + n * each
        return found

    kept: list[tuple[int, list[Term]]] = []
    seen: list[dict[int, int]] = []
    order = sorted(
        ((r, row, times(r, row)) for r, row in rows),
        key=lambda x: (-sum(x[2].values()), x[0]),
    )
    for r, row, mine in order:
        if not any(all(o.get(x, 0) >= n for x, n in mine.items()) for o in seen):
            seen.append(mine)
            kept.append((r, row))
    return kept


def compute(m: Cpsat) -> None:
    """Σ d(l) ≤ T per chiplet; with ``serial`` + Σ transfer times, times their lcm."""
    loads: list[list[tuple[cp_model.LinearExprT, int]]] = [[] for _ in m.p.chiplets]
    for t, c in m.options:
        loads[c] += durations(m, t, c)
    for c, chiplet in enumerate(m.p.chiplets):
        if not m.p.serial:
            m.model.add(weighted(loads[c]) <= m.period)
            continue
        ports = [r for r in (chiplet.port_in, chiplet.port_out) if r is not None]
        whole = lcm(*(m.p.resources[r].rate.num for r in ports))
        terms = [(x, k * whole) for x, k in loads[c]]
        for r in ports:
            rate = m.p.resources[r].rate
            per_unit = rate.den * (whole // rate.num)
            terms += [(x, n * per_unit) for x, n in transfers(m).get(r, [])]
        for u, tensor in enumerate(m.p.tensors):
            if tensor.transfer is not None and m.p.always_package(u):
                ticks = tensor.transfer[c] * whole
                terms += [(x, ticks) for x in leaving(m, u, c)]
                if (u, c) in m.arrives:
                    terms.append((m.arrives[u, c], ticks))
        m.model.add(weighted(terms) <= whole * m.period)
    every = [term for terms in loads for term in terms]
    m.model.add(weighted(every) <= len(m.p.chiplets) * m.period)  # implied: the sum


def leaving(m: Cpsat, u: int, c: int) -> list[Lit]:
    """Return literals that count how often u leaves c: once, or per destination."""
    if m.p.multicast:
        return [m.sends[u, c]] if (u, c) in m.sends else []
    n = range(len(m.p.chiplets))
    return [m.sent[u, c, d] for d in n if (u, c, d) in m.sent]


def transfers(m: Cpsat) -> dict[int, list[Term]]:
    """Return resource → package terms, in load units."""
    if m.package_terms is not None:
        return m.package_terms
    found: dict[int, list[Term]] = {}
    m.package_terms = found

    sizes = [tensor.bytes * m.p.load_unit for tensor in m.p.tensors]

    def put(resource: int | None, literal: Lit, u: int) -> None:
        if resource is not None and sizes[u]:
            found.setdefault(resource, []).append((literal, sizes[u]))

    for (u, d), literal in m.arrives.items():
        put(m.p.chiplets[d].port_in, literal, u)
    for u in m.crossable:
        for c, chiplet in enumerate(m.p.chiplets):
            if chiplet.port_out is not None:
                for literal in leaving(m, u, c):
                    put(chiplet.port_out, literal, u)
    if any(link.resource is not None for link in m.p.links):
        for link, literal, u in link_uses(m):
            put(m.p.links[link].resource, literal, u)
    return found


def link_uses(m: Cpsat) -> list[tuple[int, Lit, int]]:
    """Return (link, literal, tensor) for every time a tensor may cross a link."""
    if m.p.multicast:
        return [(link, x, u) for (u, link), x in m.crosses.items()]
    return [
        (link, x, u) for (u, c, d), x in m.sent.items() for link in m.p.routes[c][d]
    ]


def streams(m: Cpsat) -> dict[int, list[tuple[int, Lit, int]]]:
    """Return resource → (chiplet, literal, load units) of all DRAM streams."""
    if m.stream_terms is not None:
        return m.stream_terms
    found: dict[int, list[tuple[int, Lit, int]]] = {}
    m.stream_terms = found
    for (t, c), options in m.options.items():
        for z, k in zip(m.pick[t, c], options, strict=True):
            for r, n in k.units:
                if n:
                    found.setdefault(r, []).append((c, z, n))
        for item in m.items[t, c]:
            for r, n in item.units.items():
                if n:
                    found.setdefault(r, []).append((c, item.literal, n))
    return found


def _resources(m: Cpsat, kind: str) -> None:
    """Add den·(load units) ≤ num·T for every resource of a kind that can bind.

    Left out where it cannot: (1) all load together fits the least T that is
    proved; (2) only streams of one chiplet: each is at most rate·d(l), and
    `compute` bounds Σ d(l).
    """
    least = max(m.target.at_least, bounds.lower(m.p, m.without))
    if m.target.quantity != "period":
        least = bounds.lower(m.p, m.without)
    for r, resource in enumerate(m.p.resources):
        if resource.kind != kind:
            continue
        terms = list(transfers(m).get(r, []))
        if resource.counts_streams:
            own = streams(m).get(r, [])
            one = len({c for c, _, _ in own}) <= 1 and not terms
            if one and "compute" not in m.without:
                continue
            terms += [(x, n) for _, x, n in own]
        if resource.rate.ticks(sum(n for _, n in terms)) > least:
            row = [(x, n * resource.rate.den) for x, n in terms]
            m.model.add(weighted(row) <= resource.rate.num * m.period)


def link(m: Cpsat) -> None:
    """Σ bytes over the link ≤ bandwidth·T, for every directed link."""
    _resources(m, "link")


def port(m: Cpsat) -> None:
    """Σ bytes through the port ≤ bandwidth·T, for every chiplet and direction."""
    _resources(m, "port")


def dram(m: Cpsat) -> None:
    """Σ bytes through the interface ≤ bandwidth·T, for every interface."""
    _resources(m, "dram")


def floor(m: Cpsat) -> None:
    """T ≥ the longest route's latency and the DRAM latency."""
    m.model.add(m.period >= m.p.floor_ticks)


def latency_cap(m: Cpsat) -> None:
    """(1 + max σ − min σ)·T ≤ cap."""
    if not m.staged:
        return
    for k, model in enumerate(m.p.models):
        if model.latency_cap_ticks is None:
            continue
        first = m.model.new_int_var(0, model.max_stage, f"first_m{k}")
        span = m.model.new_int_var(1, 1 + model.max_stage, f"span_m{k}")
        for t in model.tasks:
            m.model.add(first <= m.stage[t])
            m.model.add(m.stage[t] - first + 1 <= span)
        cap = max(0, model.latency_cap_ticks)
        latency = m.model.new_int_var(0, cap, f"latency_m{k}")
        m.model.add_multiplication_equality(latency, [span, m.period])


def energy_cap(m: Cpsat) -> None:
    """Σ energy units ≤ cap·(units per quantum)."""
    if m.p.energy_cap_quanta is not None:
        m.model.add(energy(m) <= m.p.energy_cap_quanta * m.p.energy_den)


def period_cap(m: Cpsat) -> None:
    """T ≤ cap."""
    if m.p.period_cap_ticks is not None:
        m.model.add(m.period <= m.p.period_cap_ticks)


def energy(m: Cpsat) -> cp_model.LinearExprT:
    """Return the energy per round in energy units, linear."""
    if m.energy_terms is None:
        terms: list[Term] = []
        for (t, c), options in m.options.items():
            terms += [(z, k.energy) for z, k in zip(m.pick[t, c], options, strict=True)]
            terms += [(x.literal, x.energy) for x in m.items[t, c] if x.energy]
        if any(link.energy for link in m.p.links):
            for link, x, u in link_uses(m):
                amount = m.p.links[link].energy * m.p.tensors[u].bytes
                if amount:
                    terms.append((x, amount))
        terms.append((m.period, m.p.static_energy))
        m.energy_terms = terms
    return weighted(m.energy_terms)


RULES: dict[str, Callable[[Cpsat], None]] = {
    "assignment": assignment,
    "stage": stage,
    "compute": compute,
    "link": link,
    "port": port,
    "dram": dram,
    "floor": floor,
    "sram": sram,
    **SHAPE_RULES,
    "latency_cap": latency_cap,
    "energy_cap": energy_cap,
    "period_cap": period_cap,
}

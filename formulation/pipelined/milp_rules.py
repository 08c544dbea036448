"""The rules of MODEL.md §2 as rows of the MILP, one function a label.

T stands for `base_ticks` + `period_ticks`. Rows on bandwidth are divided by
it, so that they are in ticks; rows on integers are relaxed by a `slack` that cuts off
and lets in nothing. `sram` has a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.milp_decisions import minus, slack
from formulation.milp_shape import SHAPE_RULES, assignment
from formulation.pipelined.milp_energy import energy_at_most
from formulation.pipelined.milp_memory import sram
from formulation.pipelined.milp_vars import Milp, duration, ticks
from formulation.structure import edges

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.engines.milp import Terms


def stage(m: Milp) -> None:
    """σ(j) − σ(i) ≥ apart, and ≥ 2·apart − (1 − package) for u from i to j.

    apart ∈ [0, 1], apart ≥ x[i, c] − x[j, c] ∀ c. On the same chiplet apart = 0
    is allowed and both rows follow from σ(j) ≥ σ(i); on different ones they
    are +1 for dram, +2 for package. With ``serial`` only the first. 0 ≤ σ ≤ S_m are the
    bounds of the variables and hold even without this rule.
    """
    p, apart = m.problem, {}
    for u, i, j in edges(p):
        later = [(m.stage[j], 1.0), (m.stage[i], -1.0)]
        if (i, j) not in apart:
            name = f"apart_{i}_{j}"
            apart[i, j] = far = m.program.real(name, 0, 1)
            for c in p.supported(i):
                there = [(m.x[j, c], 1.0)] if (j, c) in m.x else []
                m.program.row("apart", [(far, 1), (m.x[i, c], -1), *there], ">=", 0)
            m.program.row("stage", [*later, (far, -1)], ">=", 0)
        if not p.serial:
            terms = [*later, (apart[i, j], -2), (m.package[u], -1)]
            m.program.row("stage_package", terms, ">=", -1)


def compute(m: Milp) -> None:
    """Σ_l d(l) [+ transfers with ``serial``] ≤ T ∀ chiplets.

    d(l) ≥ its own stream on every resource; a resource whose every amount is at
    most that of another resource in ticks is left out.
    """
    p = m.problem
    for t, c in m.stretch:
        for r in stream_resources(m, t, c):
            constant = [
                (k.var, -float(ticks(m, r, k.units.get(r, 0), stream=True)))
                for k in m.choices[t, c]
            ]
            extra = [
                (item.literal, -float(ticks(m, r, item.units[r], stream=True)))
                for item in m.items[t, c]
                if item.units.get(r)
            ]
            terms = [*duration(m, t, c), *constant, *extra]
            give = slack(p.resources[r].stream_rate.num)
            m.tick_row("duration", terms, ">=", -give)
    for c in range(len(p.chiplets)):
        busy = m.period_ticks(-1)
        for t in range(len(p.tasks)):
            if (t, c) in m.x:
                busy += duration(m, t, c)
        whole = 1
        if p.serial:
            busy += _talk(m, c)
            for port in _ports(m, c):
                whole *= p.resources[port].rate.num
        give = slack(whole)
        m.tick_row("compute", busy, "<=", m.base_ticks + give)


def stream_resources(m: Milp, t: int, c: int) -> list[int]:
    """Return the resources that can say how long the stream of t on c takes."""
    amounts = {}
    for r in sorted({r for k in m.choices[t, c] for r in k.units}
                    | {r for item in m.items[t, c] for r in item.units}):  # fmt: skip
        loads = [k.units.get(r, 0) for k in m.choices[t, c]]
        loads += [item.units.get(r, 0) for item in m.items[t, c]]
        amounts[r] = [ticks(m, r, n, stream=True) for n in loads]
    kept: list[int] = []
    for r, own in amounts.items():
        others = [amounts[q] for q in (*kept, *(q for q in amounts if q > r))]
        if not any(
            all(a <= b for a, b in zip(own, other, strict=True)) for other in others
        ):
            kept.append(r)
    return kept


def _ports(m: Milp, c: int) -> list[int]:
    """Return the ports of a chiplet that are limited."""
    chiplet = m.problem.chiplets[c]
    return [r for r in (chiplet.port_in, chiplet.port_out) if r is not None]


def _talk(m: Milp, c: int) -> Terms:
    """Return the transfer time of a chiplet under ``serial``."""
    p = m.problem
    ports = _ports(m, c)
    talk = [
        (move.literal, float(ticks(m, move.resource, move.units)))
        for move in m.moves
        if move.resource is not None and move.resource in ports
    ]
    for u, tensor in enumerate(p.tensors):
        if tensor.transfer is not None:
            times = float(tensor.transfer[c])
            talk += [(var, times * k) for var, k in m.leaves.get((u, c), ())]
            if (u, c) in m.arrives:
                talk.append((m.arrives[u, c], times))
    return talk


def _resources(m: Milp, kind: str) -> None:
    """Σ load units on a resource of this kind / rate ≤ T.

    Left out where it cannot bind: if all that may ever load the resource takes at
    most `least_ticks`; or if it carries only DRAM streams of one chiplet at the
    rate that `compute` grants each stream: T ≥ Σ d(l) ≥ Σ units / rate.
    """
    moves: dict[int, Terms] = {}
    for move in m.moves:
        r = move.resource
        if r is not None and m.problem.resources[r].kind == kind and move.units:
            took = float(ticks(m, r, move.units))
            moves.setdefault(r, []).append((move.literal, took))
    for r, resource in enumerate(m.problem.resources):
        if resource.kind != kind:
            continue
        own = _streams(m, r) if resource.counts_streams else {}
        terms = [*moves.get(r, ()), *(x for part in own.values() for x in part)]
        alone = (
            r not in moves
            and len({c for _, c in own}) <= 1
            and resource.rate == resource.stream_rate
            and "compute" not in m.without
        )
        if not alone and sum(k for _, k in terms) > m.least_ticks:
            right = m.base_ticks + slack(resource.rate.num)
            m.tick_row(kind, [*terms, *m.period_ticks(-1)], "<=", right)


def _streams(m: Milp, r: int) -> dict[tuple[int, int], Terms]:
    """Return, by layer and chiplet, the ticks that DRAM streams take on a resource."""
    found: dict[tuple[int, int], Terms] = {}
    for key, choices in m.choices.items():
        pairs = [(k.var, k.units.get(r, 0)) for k in choices]
        pairs += [(item.literal, item.units.get(r, 0)) for item in m.items[key]]
        terms = [(var, float(ticks(m, r, n))) for var, n in pairs if n]
        if terms:
            found[key] = terms
    return found


def link(m: Milp) -> None:
    """Bytes over a directed link / bandwidth ≤ T ∀ links."""
    _resources(m, "link")


def port(m: Milp) -> None:
    """Bytes into (out of) a chiplet / bandwidth ≤ T ∀ ports."""
    _resources(m, "port")


def dram(m: Milp) -> None:
    """Bytes read and written through an interface / bandwidth ≤ T ∀ interfaces."""
    _resources(m, "dram")


def floor(m: Milp) -> None:
    """T ≥ the largest hop, route or DRAM latency."""
    least = m.problem.floor_ticks - m.base_ticks
    m.tick_row("floor", m.period_ticks(), ">=", least)


def latency_cap(m: Milp) -> None:
    """(1 + span)·T ≤ cap: Σ_s spans[s] = 1, span ≤ Σ s·spans, T ≤ Σ ⌊cap/(s+1)⌋·spans.

    span = high − low, low ≤ σ(l) ≤ high; s from 0 to S_m. spans[m, s] = 1 says that
    the span is at most s, and T an integer with (s+1)·T ≤ cap. An s with ⌊cap/(s+1)⌋ <
    `least_ticks` cannot be, so it has no variable.
    """
    for number, model in enumerate(m.problem.models):
        cap = model.latency_cap_ticks
        if cap is None:
            continue
        low = m.program.real(f"low_{number}", 0, model.max_stage)
        high = m.program.real(f"high_{number}", 0, model.max_stage)
        for t in model.tasks:
            m.program.row("latency_low", [(m.stage[t], 1), (low, -1)], ">=", 0)
            m.program.row("latency_high", [(high, 1), (m.stage[t], -1)], ">=", 0)
        spans = {
            s: m.program.binary(f"span_{number}_{s}")
            for s in range(model.max_stage + 1)
            if cap // (s + 1) >= m.least_ticks
        }
        m.spans.update({(number, s): var for s, var in spans.items()})
        some = [(var, 1.0) for var in spans.values()]
        m.program.row("latency_cap_span", some, "==", 1)
        length = [(var, float(s)) for s, var in spans.items()]
        terms = [(high, -1.0), (low, 1.0), *length]
        m.program.row("latency_cap_length", terms, ">=", 0)
        room = [(v, float(cap // (s + 1) - m.base_ticks)) for s, v in spans.items()]
        m.tick_row("latency_cap", [*m.period_ticks(), *minus(room)], "<=", slack(1))


def energy_cap(m: Milp) -> None:
    """Energy ≤ the cap, in quanta (`energy_at_most`)."""
    cap = m.problem.energy_cap_quanta
    if cap is not None:
        energy_at_most(m, "energy_cap", cap)


def period_cap(m: Milp) -> None:
    """T ≤ its cap."""
    cap = m.problem.period_cap_ticks
    if cap is not None:
        m.tick_row("period_cap", m.period_ticks(), "<=", cap - m.base_ticks)


RULES: dict[str, Callable[[Milp], None]] = {
    "assignment": assignment,
    "stage": stage,
    **SHAPE_RULES,
    "compute": compute,
    "link": link,
    "port": port,
    "dram": dram,
    "floor": floor,
    "sram": sram,
    "latency_cap": latency_cap,
    "energy_cap": energy_cap,
    "period_cap": period_cap,
}

"""What the decisions of the MILP move: DRAM streams, durations, package transfers.

Literals here are continuous: the decisions make them exact, or they are bounded
below and cost something wherever they occur.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.milp_decisions import Decided, Item, Move, add_flow, minus

if TYPE_CHECKING:
    from formulation.engines.milp import Terms, Var


def _groups(m: Decided, t: int, c: int, amounts: list[int]) -> dict[int, list[int]]:
    """Return amount → choices of t on c whose mode has that amount."""
    groups: dict[int, list[int]] = {}
    for n, choice in enumerate(m.choices[t, c]):
        groups.setdefault(amounts[choice.mode], []).append(n)
    return groups


def dram_reads(m: Decided) -> None:
    """Read literals: pick·(1 − package), with ``private`` also by producer's home.

    Over chiplets, amounts and homes they sum to 1 − package[u]; those of some
    choices to no more than these choices; those of a home h to made[u, ·] of the
    chiplets with that home.
    """
    p = m.problem
    for u in m.package:
        for j in p.tensors[u].consumers:
            for c in p.supported(j):
                m.reads[u, j, c] = []
            if not p.always_package(u):
                _reads_of(m, u, j)


def _reads_of(m: Decided, u: int, j: int) -> None:
    p, tensor = m.problem, m.problem.tensors[u]
    producer = tensor.producer
    makers = () if producer is None else p.supported(producer)
    homes = sorted({p.chiplets[c].home for c in makers}) if p.private else []
    behind: dict[int, Terms] = {h: [] for h in homes}
    at = p.tasks[j].inputs.index(u)
    for c in p.supported(j):
        again = [mode.ri_bytes[at] for mode in p.tasks[j].modes[c]]
        for amount, group in _groups(m, j, c, again).items():
            parts: Terms = []
            for h in homes or [p.chiplets[c].home]:
                name = f"read_{u}_{j}_{c}_{amount}_{h}"
                literal = m.program.real(name, 0, 1)
                parts.append((literal, 1.0))
                m.reads[u, j, c].append(literal)
                behind.setdefault(h, []).append((literal, 1.0))
                units: dict[int, int] = {}
                flow = p.chiplets[c].reads[h]
                energy = add_flow(units, flow, tensor.bytes + amount)
                m.items[j, c].append(Item(literal, tuple(group), units, energy))
            picked = [(m.choices[j, c][n].var, -1.0) for n in group]
            m.program.row("read", [*parts, *picked], "<=", 0)
    every = [term for terms in behind.values() for term in terms]
    m.program.row("read_once", [*every, (m.package[u], 1)], "==", 1)
    for h in homes:
        here = [(m.made[u, c], -1.0) for c in makers if p.chiplets[c].home == h]
        m.program.row("read_home", [*behind[h], *here], "==", 0)


def dram_refetches(m: Decided) -> None:
    """r_o of a layer flows iff one of its outputs is dram.

    Literals again ≤ their choices, Σ again ≥ 1 − package[u] for every output u
    that has a place. Only outputs without a place are always dram: then r_o is
    in the constant part of the choices.
    """
    p = m.problem
    for t, layer in enumerate(p.tasks):
        open_places = [u for u in layer.outputs if u in m.package]
        if any(p.always_dram(u) for u in layer.outputs) or not open_places:
            continue
        if not any(mode.ro_bytes for modes in layer.modes for mode in modes):
            continue
        again: Terms = []
        for c in p.supported(t):
            amounts = [mode.ro_bytes for mode in layer.modes[c]]
            for amount, group in _groups(m, t, c, amounts).items():
                literal = m.program.real(f"again_{t}_{c}_{amount}", 0, 1)
                again.append((literal, 1.0))
                units: dict[int, int] = {}
                chiplet = p.chiplets[c]
                energy = add_flow(units, chiplet.reads[chiplet.home], amount)
                energy += add_flow(units, chiplet.write, amount)
                m.items[t, c].append(Item(literal, tuple(group), units, energy))
                picked = [(m.choices[t, c][n].var, -1.0) for n in group]
                m.program.row("again", [(literal, 1.0), *picked], "<=", 0)
        for u in open_places:
            m.program.row("again_once", [*again, (m.package[u], 1)], ">=", 1)


def transfers(m: Decided) -> None:
    """arrives[u, d] ≥ a consumer is there, package − the producer is, package.

    Σ over c of sent[u, c, d] = arrives[u, d]; sent[u, c, d] ≤ made package on c.
    """
    p, program = m.problem, m.program
    for u in m.package:
        producer = p.tensors[u].producer
        if not m.moved(u) or producer is None:
            continue
        for d in m.takers(u):
            arrives = m.arrives[u, d] = program.real(f"arrives_{u}_{d}", 0, 1)
            here = m.home(u, d)
            for j in p.tensors[u].consumers:
                if (j, d) in m.x:
                    gets = minus(m.gets(u, j, d))
                    program.row("arrives", [(arrives, 1), *gets, *here], ">=", 0)
            from_any: Terms = []
            for c in p.supported(producer):
                if c != d:
                    sent = m.sent[u, c, d] = program.real(f"sent_{u}_{c}_{d}", 0, 1)
                    from_any.append((sent, 1.0))
                    program.row("sent", [(sent, 1), *minus(m.home(u, c))], "<=", 0)
            program.row("sent_once", [*from_any, (arrives, -1)], "==", 0)
        for c in p.supported(producer):
            _leaves(m, u, c)
        _moves(m, u)


def _leaves(m: Decided, u: int, c: int) -> None:
    """leaves[u, c]: how often u goes out of c; with ``multicast`` once if at all."""
    sent = [(m.sent[u, c, d], 1.0) for d in m.takers(u) if c != d]
    m.leaves[u, c] = sent
    if m.problem.multicast and len(sent) > 1:
        once = m.program.real(f"leaves_{u}_{c}", 0, 1)
        m.leaves[u, c] = [(once, 1.0)]
        for var, _ in sent:
            m.program.row("leaves", [(once, 1), (var, -1)], ">=", 0)


def _moves(m: Decided, u: int) -> None:
    """List what the transfers of u put on ports and links, and their energy."""
    p, size = m.problem, m.problem.tensors[u].bytes
    load = p.load_unit * size
    for d in m.takers(u):
        m.moves.append(Move(u, p.chiplets[d].port_in, m.arrives[u, d], load, 0))
    crossing: dict[int, dict[int, list[Var]]] = {}
    for c, chiplet in enumerate(p.chiplets):
        for literal, _ in m.leaves.get((u, c), ()):
            m.moves.append(Move(u, chiplet.port_out, literal, load, 0))
        for d in m.takers(u):
            for link in p.routes[c][d] if (u, c, d) in m.sent else ():
                crossing.setdefault(link, {}).setdefault(d, []).append(m.sent[u, c, d])
    for link, by_taker in sorted(crossing.items()):
        cost = p.links[link]
        if cost.resource is None and cost.energy == 0:
            continue
        literals = [var for group in by_taker.values() for var in group]
        if p.multicast and len(by_taker) > 1:
            literals = [m.program.real(f"crosses_{u}_{link}", 0, 1)]
            for group in by_taker.values():
                here = [(var, -1.0) for var in group]
                m.program.row("crosses", [(literals[0], 1), *here], ">=", 0)
        for var in literals:
            m.moves.append(Move(u, cost.resource, var, load, cost.energy * size))

"""Quantities and caps of MODEL.md §6.2 and §6.3 for the MILP.

They are only forced up: caps and objectives never gain by a higher one. What the
semantics say of the schedule counts.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.milp_decisions import minus, slack
from formulation.timed.objective import SUMS, caps_of

if TYPE_CHECKING:
    from formulation.engines.milp import Terms, Var
    from formulation.objective import Part
    from formulation.timed.milp_vars import Timed

Rounds = list[list["Var"]]
MOST_WHOLE = 10**6


def latencies(m: Timed) -> Rounds:
    """Return, per model and round, at least the latency."""
    return m.once("latencies", _latencies)


def _latencies(m: Timed) -> Rounds:
    found: Rounds = []
    for n, model in enumerate(m.p.models):
        found.append([])
        for k, released in enumerate(m.p.timing.releases[n]):
            late = m.program.real(f"latency_{n}_{k}", -released, m.horizon)
            for t in model.tasks:
                end = m.run(t, k).end
                ends = [(end.var, -1.0), *minus(list(end.lag))]
                m.program.row("latency", [(late, 1.0), *ends], ">=", -released)
            found[-1].append(late)
    return found


def tardinesses(m: Timed) -> Rounds:
    """Return, per model and round, at least the tardiness."""
    return m.once("tardinesses", _tardinesses)


def _tardinesses(m: Timed) -> Rounds:
    found: Rounds = []
    for n, (due, rounds) in enumerate(
        zip(m.p.timing.due_ticks, latencies(m), strict=True)
    ):
        found.append([])
        for k, late in enumerate(rounds):
            most = m.horizon if due is not None else 0
            tardy = m.program.real(f"tardiness_{n}_{k}", 0, most)
            if due is not None:
                m.program.row("tardiness", [(tardy, 1.0), (late, -1.0)], ">=", -due)
            found[-1].append(tardy)
    return found


def energy_terms(m: Timed) -> list[tuple[Var, int]]:
    """Return the energy in energy units as terms; without static energy."""
    terms: list[tuple[Var, int]] = []
    for t, task in enumerate(m.p.tasks):
        rounds = len(m.rounds(task.model))
        terms += [(k.var, rounds * k.energy) for k, _ in m.picks(t)]
        for c in m.p.supported(t):
            terms += [(x.literal, rounds * x.energy) for x in m.items[t, c]]
            if t in m.load:
                chiplet = m.p.chiplets[c]
                brought = chiplet.reads[chiplet.home].energy * task.weight_bytes
                terms += [(var, brought) for var, _ in m.resident(t, c)]
    for move in m.moves:
        rounds = len(m.rounds(m.p.tensors[move.tensor].model))
        terms.append((move.literal, rounds * move.energy))
    return [(var, n) for var, n in terms if n]


def most_energy(m: Timed) -> int:
    """Return quanta that no energy exceeds."""
    units = sum(n for _, n in energy_terms(m)) + m.p.static_energy * m.horizon
    return -(-units // m.p.energy_den)


def energy(m: Timed) -> Var:
    """Return quanta that are at least the energy.

    Whole ones, but for numbers in which tolerances count (`MOST_WHOLE`): the bound then
    is that of less than a quantum less.
    """
    return m.once("energy", _energy)


def _energy(m: Timed) -> Var:
    most, den = most_energy(m), m.p.energy_den
    kind = m.program.integer if most <= MOST_WHOLE else m.program.real
    quanta = kind("energy", 0, most)
    units = [*energy_terms(m), (m.makespan, m.p.static_energy)]
    scaled = [(var, -float(Fraction(n, den))) for var, n in units]
    m.program.row("energy", [(quanta, 1.0), *scaled], ">=", -slack(den))
    return quanta


def edp(m: Timed) -> Var:
    """Return at least energy·makespan.

    C ≤ Σ 2^b·bit[b]; times[b] ≥ E if bit[b]; edp = Σ 2^b·times[b].
    """
    return m.once("edp", _edp)


def _edp(m: Timed) -> Var:
    quanta, most = energy(m), float(most_energy(m))
    product = m.program.real("edp", 0)
    whole: Terms = [(m.makespan, -1.0)]
    parts: Terms = [(product, 1.0)]
    for b in range(m.horizon.bit_length()):
        bit = m.program.binary(f"bit_{b}")
        times = m.program.real(f"times_{b}", 0, most)
        off = [(times, 1.0), (quanta, -1.0), (bit, -most)]
        m.program.row("times", off, ">=", -most)
        whole.append((bit, float(2**b)))
        parts.append((times, -float(2**b)))
    m.program.row("bits", whole, ">=", -slack(1))
    m.program.row("edp", parts, ">=", 0)
    return product


def value(m: Timed, part: Part) -> Terms:
    """Return terms whose sum is at least what a part is worth."""
    rounds = {"latency": latencies, "tardiness": tardinesses}
    if part.largest:
        return [(m.once(part.text, lambda m: _largest(m, part)), 1.0)]
    names = [model.name for model in m.p.models]
    one = {"energy": energy, "edp": edp}
    found: Terms = []
    for text, weight in part.terms:
        name, dot, model = text.partition(".")
        if name == "makespan":
            found.append((m.makespan, float(weight)))
        elif name in one:
            found.append((one[name](m), float(weight)))
        else:
            by_model = rounds[SUMS[name]](m)
            chosen = [by_model[names.index(model)]] if dot else by_model
            found += [(x, float(weight)) for row in chosen for x in row]
    return found


def _largest(m: Timed, part: Part) -> Var:
    """Return at least the largest weighted latency or tardiness."""
    most = max(part.weights(m.p).values()) * m.horizon
    largest = m.program.real(f"largest_{len(m.program.variables)}", -most, most)
    by_model = (latencies if part.head == "latency" else tardinesses)(m)
    for n, weight in part.weights(m.p).items():
        for x in by_model[n]:
            terms = [(largest, 1.0), (x, -float(weight))]
            m.program.row("largest", terms, ">=", 0)
    return largest


def latency_cap(m: Timed) -> None:
    """The latency of every round ≤ the cap of its model."""
    for model, rounds in zip(m.p.models, latencies(m), strict=True):
        cap = model.latency_cap_ticks
        for late in rounds if cap is not None else ():
            m.program.row("latency_cap", [(late, 1.0)], "<=", cap or 0)


def energy_cap(m: Timed) -> None:
    """Energy ≤ its cap."""
    if m.p.energy_cap_quanta is not None:
        terms = [(energy(m), 1.0)]
        m.program.row("energy_cap", terms, "<=", m.p.energy_cap_quanta)


def cap(m: Timed) -> None:
    """Every capped part ≤ its cap."""
    for part, most in caps_of(m.p):
        m.program.row("cap", value(m, part), "<=", most + slack(1))

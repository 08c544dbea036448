"""Quantities and caps of MODEL.md §6.2 and §6.3 for CP-SAT.

They are only forced up: caps and objectives never gain by a higher one. What the
semantics say of the schedule counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.cpsat_decisions import Linear, Term, weighted
from formulation.engines.cpsat import EngineError
from formulation.timed.objective import SUMS, caps_of

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from formulation.objective import Part
    from formulation.timed.cpsat_vars import Timed

Rounds = list[list["cp_model.IntVar"]]
LIMIT = 2**61


def latencies(m: Timed) -> Rounds:
    """Return, per model and round, at least the latency."""
    return m.once("latencies", _latencies)


def _latencies(m: Timed) -> Rounds:
    found: Rounds = []
    for n, model in enumerate(m.p.models):
        found.append([])
        for k, released in enumerate(m.p.timing.releases[n]):
            late = m.model.new_int_var(-released, m.horizon, f"latency_m{n}_r{k}")
            for t in model.tasks:
                m.model.add(late >= m.end[t][k] - released)
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
            tardy = m.time(f"tardiness_m{n}_r{k}", most)
            if due is not None:
                m.model.add(tardy >= late - due)
            found[-1].append(tardy)
    return found


def energy_terms(m: Timed) -> list[Term]:
    """Return the energy in energy units as terms; without static energy.

    A literal of `crosses` is only forced up.
    """
    terms: list[Term] = []
    for t, task in enumerate(m.p.tasks):
        rounds = len(m.rounds(task.model))
        terms += [(z, rounds * k.energy) for z, k, _ in m.picks(t)]
        for c in m.p.supported(t):
            terms += [(x.literal, rounds * x.energy) for x in m.items[t, c]]
    if m.load:
        terms += [(x, m.load_units(t, c)[1]) for (t, c), x in m.resident.items()]
    tensors, links = m.p.tensors, m.p.links
    if m.p.multicast:
        for (u, link), x in m.crosses.items():
            rounds = len(m.rounds(tensors[u].model))
            terms.append((x, rounds * links[link].energy * tensors[u].bytes))
    else:
        for (u, c, d), x in m.sent.items():
            rounds = len(m.rounds(tensors[u].model))
            per_byte = sum(links[link].energy for link in m.p.routes[c][d])
            terms.append((x, rounds * per_byte * tensors[u].bytes))
    return [(x, n) for x, n in terms if n]


def energy(m: Timed) -> cp_model.IntVar:
    """Return a number of quanta that is at least the energy.

    Raises
    ------
    EngineError
        If some energy could pass 2^61 units.
    """
    return m.once("energy", _energy)


def _energy(m: Timed) -> cp_model.IntVar:
    terms = energy_terms(m)
    most = sum(n for _, n in terms) + m.p.static_energy * m.horizon
    if most > LIMIT:
        raise EngineError("energies pass 2^61 units: take a coarser quantum")
    quanta = m.model.new_int_var(0, -(-most // m.p.energy_den), "energy")
    units = weighted([*terms, (m.makespan, m.p.static_energy)])
    m.model.add(m.p.energy_den * quanta >= units)
    return quanta


def edp(m: Timed) -> cp_model.IntVar:
    """Return a number that is at least energy·makespan.

    Raises
    ------
    EngineError
        If some product could pass 2^61.
    """
    return m.once("edp", _edp)


def _edp(m: Timed) -> cp_model.IntVar:
    quanta = energy(m)
    most = m.horizon * -(-_most_energy(m) // m.p.energy_den)
    if most > LIMIT:
        raise EngineError("edp passes 2^61: take a coarser tick or quantum")
    product = m.model.new_int_var(0, most, "edp")
    m.model.add_multiplication_equality(product, [quanta, m.makespan])
    return product


def _most_energy(m: Timed) -> int:
    return sum(n for _, n in energy_terms(m)) + m.p.static_energy * m.horizon


def value(m: Timed, part: Part) -> cp_model.LinearExprT:
    """Return an expression that is at least what a part is worth.

    Raises
    ------
    EngineError
        If an energy or a product is too large.
    """
    rounds = {"latency": latencies, "tardiness": tardinesses}
    if part.largest:
        most = max(part.weights(m.p).values()) * m.horizon
        largest = m.model.new_int_var(-most, most, part.text)
        by_model = rounds[part.head](m)
        for n, weight in part.weights(m.p).items():
            for x in by_model[n]:
                m.model.add(largest >= weight * x)
        return largest
    names = [model.name for model in m.p.models]
    one = {"energy": energy, "edp": edp}
    found: list[cp_model.LinearExprT] = []
    for text, weight in part.terms:
        name, dot, model = text.partition(".")
        if name == "makespan":
            found.append(weight * m.makespan)
        elif name in one:
            found.append(weight * one[name](m))
        else:
            by_model = rounds[SUMS[name]](m)
            chosen = [by_model[names.index(model)]] if dot else by_model
            found += [weight * x for row in chosen for x in row]
    return Linear.sum(found)


def latency_cap(m: Timed) -> None:
    """The latency of every round ≤ the cap of its model."""
    for model, rounds in zip(m.p.models, latencies(m), strict=True):
        for late in rounds if model.latency_cap_ticks is not None else ():
            m.model.add(late <= model.latency_cap_ticks)


def energy_cap(m: Timed) -> None:
    """Energy ≤ its cap."""
    if m.p.energy_cap_quanta is not None:
        m.model.add(energy(m) <= m.p.energy_cap_quanta)


def cap(m: Timed) -> None:
    """Every capped part ≤ its cap."""
    for part, most in caps_of(m.p):
        m.model.add(value(m, part) <= most)

"""Energy in the MILP: one row, with everything that any schedule pays taken out."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.milp_decisions import slack
from formulation.pipelined.milp_vars import Milp, steps

if TYPE_CHECKING:
    from formulation.engines.milp import Var


def cheapest(m: Milp) -> list[int]:
    """Return, per layer, the least energy units of any choice."""
    p = m.problem
    return [
        min((k.energy for c in p.supported(t) for k in m.choices[t, c]), default=0)
        for t in range(len(p.tasks))
    ]


def least_energy(m: Milp) -> int:
    """Return quanta that every schedule needs.

    Every layer has one choice, no traffic has negative energy, T ≥ `least_ticks`.
    """
    p = m.problem
    units = sum(cheapest(m)) + p.static_energy * m.least_ticks
    return -(-units // p.energy_den)


def energy(m: Milp) -> tuple[list[tuple[Var, int]], int]:
    """Return (terms, constant): the energy in units is their sum.

    The least of every layer is in the constant, which is exact since Σ choices = 1.
    """
    p, least = m.problem, cheapest(m)
    constant = sum(least) + p.static_energy * m.base_ticks
    terms: list[tuple[Var, int]] = [(m.period, p.static_energy * m.tick_step)]
    for (t, c), choices in m.choices.items():
        terms += [(k.var, k.energy - least[t]) for k in choices]
        terms += [(item.literal, item.energy) for item in m.items[t, c]]
    terms += [(move.literal, move.energy) for move in m.moves]
    return [(var, k) for var, k in terms if k], constant


def step(m: Milp) -> int:
    """Return quanta per unit of the rows: 1, or a power of 2 (`steps`)."""
    most = max((k for _, k in energy(m)[0]), default=0)
    return steps(most // m.problem.energy_den)


def energy_at_most(m: Milp, label: str, quanta: int) -> None:
    """Σ energy units ≤ quanta·`energy_den`, divided by `energy_den`·`step`."""
    terms, constant = energy(m)
    unit = m.problem.energy_den * step(m)
    half = Fraction(1, 2)  # units are whole: half of one more is none
    room = (quanta * m.problem.energy_den - constant + half) / unit
    scaled = [(var, float(Fraction(k, unit))) for var, k in terms]
    m.program.row(label, scaled, "<=", float(room))


def minimise_energy(m: Milp, at_least: int, near: int | None) -> tuple[int, int]:
    """Minimise E with `step`·E + base ≥ energy in quanta; E integer if `step` is 1.

    base is near, a value that is known, else the best bound that is known: an
    exact offset (`integer_bound`) that cuts nothing off.

    Returns
    -------
    (base, step)
    """
    terms, constant = energy(m)
    base = max(at_least, least_energy(m)) if near is None else near
    scale = step(m)
    unit = m.problem.energy_den * scale
    low = -(base // scale) - 1
    if scale == 1:
        var = m.program.integer("energy", low)
    else:
        var = m.program.real("energy", low)
    m.energy = var
    scaled = [(v, -float(Fraction(k, unit))) for v, k in terms]
    rest = Fraction(constant - base * m.problem.energy_den, unit)
    give = slack(m.problem.energy_den) if scale == 1 else 0.0
    m.program.row("energy", [(var, 1), *scaled], ">=", float(rest) - give)
    m.program.row("at_least", [(var, 1)], ">=", float(Fraction(at_least - base, scale)))
    m.program.minimise([(var, 1)])
    return base, scale

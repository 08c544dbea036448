"""The MILP of pipelined schedules: what it has beside `milp_decisions`.

Its rules are in `milp_rules`.

============== ===================================================================
stage[l]       σ(l); period: T, see `Milp`
stretch[l, c]  by how much a duration exceeds that of the choice
copies[u, c]   buffers of u on c; still_on[u, c]: u is unbuffered, made on c
============== ===================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.milp_decisions import Decided

if TYPE_CHECKING:
    from formulation.engines.milp import Terms, Var
    from formulation.symmetry import Permutation


@dataclass(kw_only=True)
class Milp(Decided):
    """Variables by what they mean, and the program that they are in.

    Parameters
    ----------
    base_ticks
        The period is `base_ticks` + `tick_step`·`period`: a large exact offset
        keeps the solver's relative tolerances below one tick.
    tick_step
        Ticks per unit of `period`: 1, and `period` is an integer; or a power of 2 where
        layers take many ticks, and `period` is continuous (`steps`).
    least_ticks
        Proved: no schedule (with the rules that are not left out) has less.
    """

    base_ticks: int
    tick_step: int
    least_ticks: int
    period: Var
    stage: list[Var] = field(default_factory=list)
    stretch: dict[tuple[int, int], Var] = field(default_factory=dict)
    copies: dict[tuple[int, int], Var] = field(default_factory=dict)
    still: dict[int, Var] = field(default_factory=dict)
    still_on: dict[tuple[int, int], Var] = field(default_factory=dict)
    spans: dict[tuple[int, int], Var] = field(default_factory=dict)
    energy: Var | None = None
    base_energy: int = 0
    energy_step: int = 1
    group: tuple[Permutation, ...] = ()  # symmetries that are broken

    def period_ticks(self, sign: float = 1.0) -> Terms:
        """Return ±(T − `base_ticks`)."""
        return [(self.period, sign * self.tick_step)]

    def tick_row(self, label: str, terms: Terms, sense: str, right: float) -> None:
        """Add a row in ticks, divided by `tick_step`."""
        scaled = [(var, k / self.tick_step) for var, k in terms]
        self.program.row(label, scaled, sense, right / self.tick_step)


def steps(most: int) -> int:
    """Return 1, or the power of 2 that leaves less than 2^13 of `most`.

    HiGHS's presolve and rounding work to 1e-6 absolute, and integer variables of
    10^6 and more made it call worse schedules optimal (8 of 440 small problems with
    such numbers, by up to 25 %). Large quantities are therefore continuous and
    counted in steps; their bound is rounded up afterwards, with a margin.
    """
    return 1 << max(0, (most >> 13).bit_length())


def ticks(m: Milp, resource: int, units: int, stream: bool = False) -> Fraction:
    """Return the time that load units take on a resource, not rounded."""
    r = m.problem.resources[resource]
    rate = r.stream_rate if stream else r.rate
    return Fraction(units * rate.den, rate.num)


def stages(m: Milp) -> None:
    """stage[l] = σ(l)."""
    p = m.problem
    for t, layer in enumerate(p.tasks):
        most = p.models[layer.model].max_stage
        m.stage.append(m.program.integer(f"stage_{t}", 0, most))


def durations(m: Milp) -> None:
    """stretch[l, c]: by how much d(l) may exceed the ticks of its choice.

    An integer; continuous where ticks are counted in steps: then the rounding up of
    the stream's time is lost, less than a tick a layer, and the bound is lower.

    Left out where even all the traffic of the layer on c together fits into the
    ticks of every choice: then d(l) is a constant of the choice.
    """
    p = m.problem
    for (t, c), items in m.items.items():
        most = 0
        for n, choice in enumerate(m.choices[t, c]):
            units = dict(choice.units)
            for item in items:
                if n in item.choices:
                    for r, load in item.units.items():
                        units[r] = units.get(r, 0) + load
            longest = max(
                (p.resources[r].stream_rate.ticks(load) for r, load in units.items()),
                default=0,
            )
            most = max(most, longest - choice.ticks)
        if most > 0:
            name = f"stretch_{t}_{c}"
            if m.tick_step == 1:
                m.stretch[t, c] = m.program.integer(name, 0, most)
            else:
                m.stretch[t, c] = m.program.real(name, 0, most / m.tick_step)


def duration(m: Milp, t: int, c: int) -> Terms:
    """Return d(t) if t is on c, else 0."""
    terms = [(choice.var, float(choice.ticks)) for choice in m.choices[t, c]]
    if (t, c) in m.stretch:
        terms.append((m.stretch[t, c], float(m.tick_step)))
    return terms

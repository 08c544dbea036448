"""The decisions of MILPs of every kind of schedule and what they mean (MODEL.md §2).

The traffic that follows from them is in `milp_traffic`, rules on where layers are in
`milp_shape`. Products of decisions are written out once, here. With the decisions
integral every product is exact: Σ parts = one factor, every part ≤ the other factor.

============== ===================================================================
x[l, c]        layer l is on chiplet c
pick[l, c]     … in this mode, resident or streamed (`Choice`)
package[u]     tensor u is package
made[u, c]     u is dram and its producer is on c
reads[u, j, c] u is dram and consumer j is on c (by refetch amount, by home)
arrives[u, d]  u is package, has a consumer on d and its producer elsewhere
sent[u, c, d]  … and its producer is on c
============== ===================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE, Given
from formulation.outcome import EngineError

if TYPE_CHECKING:
    from formulation.decisions import Decisions
    from formulation.engines.milp import Program, Terms, Var
    from formulation.problem import Flow, Mode, Problem


KEPT = {None: "none", True: "resident", False: "streamed"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode of a layer on a chiplet, with residency, and its constant traffic.

    Parameters
    ----------
    units
        Resource → load units of the DRAM stream that any schedule with this
        choice has: streamed weights, model inputs, plain outputs.
    energy
        Energy units: of the mode, and of that stream.
    ticks
        Duration if the stream is no more than that.
    """

    mode: int
    resident: bool | None
    var: Var
    units: dict[int, int]
    energy: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Item:
    """DRAM traffic of a layer on a chiplet that flows when a literal is 1."""

    literal: Var
    choices: tuple[int, ...]
    units: dict[int, int]
    energy: int


@dataclass(frozen=True, slots=True)
class Move:
    """Load units and energy units that a package transfer puts somewhere."""

    tensor: int
    resource: int | None
    literal: Var
    units: int
    energy: int


@dataclass(kw_only=True)
class Decided:
    """Variables of decisions by what they mean, and the program that they are in."""

    problem: Problem
    without: frozenset[str]
    program: Program
    x: dict[tuple[int, int], Var] = field(default_factory=dict)
    choices: dict[tuple[int, int], list[Choice]] = field(default_factory=dict)
    package: dict[int, Var] = field(default_factory=dict)
    made: dict[tuple[int, int], Var] = field(default_factory=dict)
    reads: dict[tuple[int, int, int], list[Var]] = field(default_factory=dict)
    items: dict[tuple[int, int], list[Item]] = field(default_factory=dict)
    arrives: dict[tuple[int, int], Var] = field(default_factory=dict)
    sent: dict[tuple[int, int, int], Var] = field(default_factory=dict)
    leaves: dict[tuple[int, int], Terms] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)

    def home(self, u: int, c: int) -> Terms:
        """Return 1 iff u is package and its producer is on c."""
        i = self.problem.tensors[u].producer
        if i is None or (i, c) not in self.x:
            return []
        terms = [(self.x[i, c], 1.0)]
        return [*terms, (self.made[u, c], -1.0)] if (u, c) in self.made else terms

    def gets(self, u: int, j: int, c: int) -> Terms:
        """Return 1 iff u is package and its consumer j is on c."""
        if (j, c) not in self.x:
            return []
        return [(self.x[j, c], 1.0), *((r, -1.0) for r in self.reads[u, j, c])]

    def kept(self, t: int) -> tuple[bool | None, ...]:
        """Return what may be said of the residency of a layer's weights."""
        return (True, False) if self.problem.tasks[t].weight_bytes else (None,)

    def moved(self, u: int) -> bool:
        """Whether sending tensor u costs anything."""
        tensor = self.problem.tensors[u]
        return tensor.placed and (tensor.bytes > 0 or tensor.transfer is not None)

    def takers(self, u: int) -> list[int]:
        """Return the chiplets that may have a consumer of u."""
        consumers = self.problem.tensors[u].consumers
        return sorted({c for j in consumers for c in self.problem.supported(j)})


def slack(whole: int) -> float:
    """Return by how much a row that an integer variable must cover is relaxed.

    The sum that it covers is a multiple of 1/`whole`, so that less than that cuts off
    nothing and lets nothing in. It has to be given: HiGHS rounds a computed
    bound of 1217674.0000003 up, and was seen to lose an optimum by one tick.
    """
    return min(1e-3, 0.5 / whole)


def minus(terms: Terms) -> Terms:
    """Return the terms with opposite signs."""
    return [(var, -factor) for var, factor in terms]


def add_flow(units: dict[int, int], flow: Flow, amount: int) -> int:
    """Add `amount` bytes on a way to `units`; return their energy units."""
    for resource, per_byte in flow.loads if amount else ():
        units[resource] = units.get(resource, 0) + per_byte * amount
    return flow.energy * amount


def _constant(
    m: Decided, t: int, c: int, mode: Mode, resident: bool | None
) -> tuple[dict[int, int], int]:
    """Return load units and energy of the stream that a choice always has."""
    p, chiplet, layer = m.problem, m.problem.chiplets[c], m.problem.tasks[t]
    read = mode.weight_bytes if resident is False else 0
    for u, again in zip(layer.inputs, mode.ri_bytes, strict=True):
        if p.always_dram(u):
            if p.tensors[u].producer is not None:
                raise ValueError(f"{p.tensor_name(u)}: consumed, but has no place")
            read += p.tensors[u].bytes + again
    outputs = [(p.tensors[u], p.always_dram(u)) for u in layer.outputs]
    write = sum(u.bytes for u, plain in outputs if plain or u.output)
    if any(plain for _, plain in outputs):
        read += mode.ro_bytes
        write += mode.ro_bytes
    units: dict[int, int] = {}
    energy = add_flow(units, chiplet.reads[chiplet.home], read)
    energy += add_flow(units, chiplet.write, write)
    return units, energy


def assignments(m: Decided) -> None:
    """x[l, c] and one `Choice` for every mode and residency."""
    p = m.problem
    for t, layer in enumerate(p.tasks):
        for c in p.supported(t):
            m.x[t, c] = m.program.binary(f"x_{t}_{c}")
            m.items[t, c] = []
            found = m.choices[t, c] = []
            for k, mode in enumerate(layer.modes[c]):
                for resident in m.kept(t):
                    units, energy = _constant(m, t, c, mode, resident)
                    busy = (
                        p.resources[r].stream_rate.ticks(n) for r, n in units.items()
                    )
                    name = f"pick_{t}_{c}_{k}_{KEPT[resident]}"
                    found.append(
                        Choice(
                            mode=k,
                            resident=resident,
                            var=m.program.binary(name),
                            units=units,
                            energy=mode.energy + energy,
                            ticks=max(mode.latency_ticks, *busy, 0),
                        )
                    )


def places(m: Decided) -> None:
    """package[u] and made[u, c] = x[producer, c]·(1 − package[u])."""
    p, program = m.problem, m.program
    for u, tensor in enumerate(p.tensors):
        if not tensor.placed or tensor.producer is None:
            continue
        i = tensor.producer
        m.package[u] = program.integer(f"package_{u}", int(p.always_package(u)), 1)
        if p.always_package(u):
            continue
        for c in p.supported(i):
            m.made[u, c] = program.real(f"made_{u}_{c}", 0, 1)
            program.row("made", [(m.made[u, c], 1), (m.x[i, c], -1)], "<=", 0)
            if not tensor.output:
                units: dict[int, int] = {}
                energy = add_flow(units, p.chiplets[c].write, tensor.bytes)
                every = tuple(range(len(m.choices[i, c])))
                m.items[i, c].append(Item(m.made[u, c], every, units, energy))
        made = [(m.made[u, c], 1.0) for c in p.supported(i)]
        program.row("made_once", [*made, (m.package[u], 1)], "==", 1)


def decided(m: Decided, s: Decisions) -> dict[Var, int]:
    """Return the values of all decision variables in a schedule."""
    values = {var: int(s.chiplet[t] == c) for (t, c), var in m.x.items()}
    for (t, c), choices in m.choices.items():
        for k in choices:
            chosen = (s.chiplet[t], s.mode[t], s.resident[t]) == (c, k.mode, k.resident)
            values[k.var] = int(chosen)
    values.update({var: int(s.place[u] == PACKAGE) for u, var in m.package.items()})
    return values


def read_decisions(m: Decided, values: dict[Var, float]) -> Given:
    """Return the decisions of a solution, rounded; nothing else is taken from it.

    Raises
    ------
    EngineError
        If some layer has no choice in it, or several.
    """
    p, chosen = m.problem, []
    for t in range(len(p.tasks)):
        every = [(c, k) for c in p.supported(t) for k in m.choices[t, c]]
        ones = [(c, k) for c, k in every if round(values[k.var]) == 1]
        if len(ones) != 1:
            raise EngineError(f"{p.full_name(t)}: {len(ones)} choices in a solution")
        chosen += ones
    place: list[str | None] = [None] * len(p.tensors)
    for u, var in m.package.items():
        place[u] = PACKAGE if round(values[var]) == 1 else DRAM
    return Given(
        numbers={
            "chiplet": tuple(c for c, _ in chosen),
            "mode": tuple(k.mode for _, k in chosen),
        },
        resident=tuple(k.resident for _, k in chosen),
        place=tuple(place),
    )

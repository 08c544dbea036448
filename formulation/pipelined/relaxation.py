"""One linear relaxation of the pipelined problem, in exact integers (MODEL.md §4.8).

Built from a `Problem` alone. Every valid schedule, at its own least period, is a
point that satisfies every row; the docstring of each function is the row and its
proof. Stages, buffers beyond two copies, and the rules on shapes are left out.

================== ===============================================================
("T",)             the period in ticks
("pick", l, c, n)  layer l is on chiplet c in choice n of `choices`
("made", u, c)     u is dram and its producer is on c
("read", u, j, c, b, h)  u is dram, its consumer j on c reads b bytes of it (they
                   depend on the mode), and it lies behind interface h (``private``)
("again", l, c, b) l is on c, some placed output is dram, and r_o = b
("sent", u, c, d)  u is package, made on c, and has a consumer on d ≠ c
("leaves", u, c)   … and has a consumer elsewhere
("over", u, c, k)  … and crosses link k (``multicast``)
("stretch", l, c)  if l is on c: d(l) less the ticks of its choice
("kept", c)        resident weights and buffers on c, in bytes; at most its L2
("peak", c)        peak of c in bytes; at most its L2
================== ===============================================================

x[l, c] stands for Σ_n pick[l, c, n], home[u, c] for x[producer, c] − made[u, c],
gets[u, j, c] for x[j, c] − Σ read[u, j, c]: u is package and made (consumed) on c.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from formulation.choices import add_flow, choices, parts
from formulation.dual import Linear
from formulation.outcome import Target
from formulation.pipelined.bounds import upper
from formulation.pipelined.relaxation_rules import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.choices import Choice
    from formulation.dual import Terms
    from formulation.problem import Problem

# With more chiplets the columns of transfers, one for every two chiplets and tensor,
# are left out: on 36 of them they made the bound 0.2 % better and took two minutes.
MOST_SENDERS = 9

BOUNDED = ("period", "energy")  # the quantities that have a relaxation


@dataclass(frozen=True, slots=True)
class Item:
    """Optional DRAM traffic of a layer on a chiplet: its column and what it loads.

    Parameters
    ----------
    modes
        Those that it can go with.
    """

    column: int
    modes: frozenset[int]
    units: dict[int, int]
    energy: int


@dataclass
class Relaxed:
    """The program while it is built, and its columns by what they mean.

    Parameters
    ----------
    streams, moves
        Resource → columns with load units of DRAM streams and package transfers.
    energy
        Columns with their energy units.
    """

    p: Problem
    program: Linear
    period: int
    picks: dict[tuple[int, int], list[tuple[int, Choice]]] = field(default_factory=dict)
    items: dict[tuple[int, int], list[Item]] = field(default_factory=dict)
    made: dict[tuple[int, int], int] = field(default_factory=dict)
    reads: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    sent: dict[tuple[int, int, int], int] = field(default_factory=dict)
    leaves: dict[tuple[int, int], int] = field(default_factory=dict)
    stretch: dict[tuple[int, int], int] = field(default_factory=dict)
    streams: dict[int, Terms] = field(default_factory=dict)
    moves: dict[int, Terms] = field(default_factory=dict)
    energy: Terms = field(default_factory=list)

    def x(self, t: int, c: int, sign: int = 1) -> Terms:
        """Return ±x[t, c]."""
        return [(j, sign) for j, _ in self.picks.get((t, c), ())]

    def home(self, u: int, c: int, sign: int = 1) -> Terms:
        """Return ±home[u, c]."""
        i = self.p.tensors[u].producer
        terms = [] if i is None else self.x(i, c, sign)
        return [*terms, (self.made[u, c], -sign)] if (u, c) in self.made else terms

    def gets(self, u: int, j: int, c: int, sign: int = 1) -> Terms:
        """Return ±gets[u, j, c]."""
        return self.x(j, c, sign) + [(r, -sign) for r in self.reads.get((u, j, c), ())]

    def arrives(self, u: int, d: int, factor: int) -> Terms:
        """Return factor·Σ_c sent[u, c, d]."""
        chiplets = range(len(self.p.chiplets))
        return [
            (self.sent[u, c, d], factor) for c in chiplets if (u, c, d) in self.sent
        ]

    def move(self, r: int | None, column: int, units: int) -> None:
        """Put package bytes on a resource when a column is 1."""
        if r is not None and units:
            self.moves.setdefault(r, []).append((column, units))

    def stream(self, r: int, column: int, units: int) -> None:
        """Put DRAM bytes on a resource when a column is 1."""
        if units:
            self.streams.setdefault(r, []).append((column, units))

    def duration(self, t: int, c: int, factor: int) -> Terms:
        """Return factor·d(l) if l is on c, else 0."""
        terms = [(j, factor * k.ticks) for j, k in self.picks.get((t, c), ())]
        if (t, c) in self.stretch:
            terms.append((self.stretch[t, c], factor))
        return terms

    def on(self, t: int, c: int) -> str:
        """Return what rows call a layer on a chiplet."""
        return f"{self.p.full_name(t)} on {c}"


def target_of(
    objective: Sequence[str], value: Sequence[int | None], k: int
) -> Target | None:
    """Return the target of part k of an objective under the values of those before.

    `None` if one of these has no value, or if there is no relaxation of the part.
    """
    earlier = dict(zip(objective[:k], value[:k], strict=True))
    if None in earlier.values() or not {*earlier, objective[k]} <= set(BOUNDED):
        return None
    return Target(objective[k], earlier.get("period"), earlier.get("energy"))


def relaxation(p: Problem, target: Target) -> Linear:
    """Return the relaxation that bounds a target from below.

    The period is between `floor` and the least of `bounds.upper` (no schedule's
    least period is above it), the period caps and the latency caps (a latency is
    at least one period).
    """
    caps = [p.period_cap_ticks, target.period_at_most]
    caps += [model.latency_cap_ticks for model in p.models]
    longest = min([upper(p), *(cap for cap in caps if cap is not None)])
    program = Linear()
    r = Relaxed(p, program, program.column(("T",), longest, p.floor_ticks))
    _choices(r)
    _places(r)
    if len(p.chiplets) <= MOST_SENDERS:
        _transfers(r)
    for rows in ROWS:
        rows(r)
    r.energy.append((r.period, p.static_energy))
    quanta = [p.energy_cap_quanta, target.energy_at_most]
    least = min((cap for cap in quanta if cap is not None), default=None)
    if least is not None:  # `energy_cap`: energy units are whole
        spent = [(j, -k) for j, k in r.energy]
        program.row("energy cap", spent, -least * p.energy_den)
    if target.quantity == "period":
        program.cost[r.period] = 1
    else:
        program.unit, per_quantum = p.energy_den, 1
        if target.quantity == "sum":
            per_quantum = target.weights[1]
            program.cost[r.period] = target.weights[0] * p.energy_den
        for j, k in r.energy:
            program.cost[j] += per_quantum * k
    return program


def _choices(r: Relaxed) -> None:
    """Σ pick[l, c, n] = 1 ∀ l, over choices that fit L2 alone (`choices.fitting`)."""
    p = r.p
    for t in range(len(p.tasks)):
        every: Terms = []
        for c in p.supported(t):
            l2 = p.chiplets[c].l2_bytes
            found = r.picks[t, c] = []
            r.items[t, c] = []
            for n, k in enumerate(choices(p, t, c)):
                if k.resident_bytes + (0 if p.residents_only else k.ws_bytes) > l2:
                    continue
                column = r.program.column(("pick", t, c, n), 1)
                found.append((column, k))
                r.energy.append((column, k.energy))
                for resource, units in k.units:
                    r.stream(resource, column, units)
            every += r.x(t, c)
        r.program.row(f"assignment {p.full_name(t)}", every, 1, equal=True)


def _item(
    r: Relaxed, t: int, c: int, column: int, modes: frozenset[int],
    flows: list[tuple[int | None, int]],
) -> None:  # fmt: skip
    """Note optional traffic: (interface it is read through, or `None`, bytes)."""
    chiplet = r.p.chiplets[c]
    units: dict[int, int] = {}
    energy = 0
    for home, amount in flows:
        flow = chiplet.write if home is None else chiplet.reads[home]
        energy += add_flow(units, flow, amount)
    r.items[t, c].append(Item(column, modes, units, energy))
    r.energy.append((column, energy))
    for resource, n in units.items():
        r.stream(resource, column, n)


def _places(r: Relaxed) -> None:
    """made[u, c] ≤ x[producer, c], and the optional traffic of every layer.

    By definition, for every tensor that may be dram.
    """
    p = r.p
    for u, tensor in enumerate(p.tensors):
        if not tensor.placed or p.always_package(u) or tensor.producer is None:
            continue
        i = tensor.producer
        for c in p.supported(i):
            column = r.made[u, c] = r.program.column(("made", u, c), 1)
            name = f"made {p.tensor_name(u)} on {c}"
            r.program.row(name, [*r.x(i, c), (column, -1)], 0)
            if not tensor.output:
                every = frozenset(range(len(p.tasks[i].modes[c])))
                _item(r, i, c, column, every, [(None, tensor.bytes)])
        for j in tensor.consumers:
            _reads(r, u, j)
    for t in range(len(p.tasks)):
        _again(r, t)


def _reads(r: Relaxed, u: int, j: int) -> None:
    """Σ read[u, j, c, b, h] over c, b = Σ made[u, e] over the e with home h ∀ h.

    And Σ_h read[u, j, c, b, h] ≤ Σ pick[j, c, n] over the choices that read b bytes.
    Proof. If u is dram, made[u, e] is 1 for its producer's chiplet e alone, and one
    read of consumer j: that of its chiplet, its mode's bytes and the interface of e.
    """
    p = r.p
    sources = sorted({c for v, c in r.made if v == u})
    homes = {p.chiplets[c].home if p.private else None for c in sources}
    reads: dict[int | None, Terms] = {home: [] for home in homes}
    for c in p.supported(j):
        part = next(x for x in parts(p, j, c) if x.reads and x.tensor == u)
        r.reads[u, j, c] = []
        for size in sorted(set(part.by_mode)):
            modes = frozenset(k for k, b in enumerate(part.by_mode) if b == size)
            taken: Terms = []
            for home in sorted(homes, key=str):
                column = r.program.column(("read", u, j, c, size, home), 1)
                taken.append((column, -1))
                reads[home].append((column, 1))
                r.reads[u, j, c].append(column)
                through = p.chiplets[c].home if home is None else home
                _item(r, j, c, column, modes, [(through, size)])
            picked = [(n, 1) for n, k in r.picks[j, c] if k.mode in modes]
            name = f"read {size} of {p.tensor_name(u)} by {r.on(j, c)}"
            r.program.row(name, [*picked, *taken], 0)
    for home, terms in reads.items():
        behind = "" if home is None else f" behind {home}"
        made = [
            (r.made[u, c], -1)
            for c in sources
            if home is None or p.chiplets[c].home == home
        ]
        name = f"reads of {p.tensor_name(u)} by {p.full_name(j)}{behind}"
        r.program.row(name, [*terms, *made], 0, equal=True)


def _again(r: Relaxed, t: int) -> None:
    """again[l, c, b] ≤ Σ pick over the choices with r_o = b; Σ_b again ≥ made[u, c].

    For every output u of l; modes with r_o = 0 count as traffic of 0 bytes.
    """
    p = r.p
    for c in p.supported(t):
        part = next((x for x in parts(p, t, c) if x.tensor is None), None)
        if part is None:
            continue
        some: Terms = []
        for size in sorted(set(part.by_mode)):
            modes = frozenset(k for k, b in enumerate(part.by_mode) if b == size)
            column = r.program.column(("again", t, c, size), 1)
            some.append((column, 1))
            picked = [(n, 1) for n, k in r.picks[t, c] if k.mode in modes]
            name = f"again {size} of {r.on(t, c)}"
            r.program.row(name, [*picked, (column, -1)], 0)
            flows = [(p.chiplets[c].home, size), (None, size)]
            _item(r, t, c, column, modes, flows)
        for u in p.tasks[t].outputs:
            if (u, c) in r.made:
                name = f"again of {r.on(t, c)} for {p.tensor_name(u)}"
                r.program.row(name, [*some, (r.made[u, c], -1)], 0)


def _transfers(r: Relaxed) -> None:
    """Package traffic: sent, leaves, and what they load.

    Σ_c sent[u, c, d] ≥ gets[u, j, d] − home[u, d] ∀ consumers j: where a package
    tensor is consumed and not made, it was sent to. sent[u, c, d] ≤ leaves[u, c] ≤
    home[u, c]: only its producer's chiplet sends it.
    """
    p = r.p
    for u, tensor in enumerate(p.tensors):
        if not tensor.placed or not (tensor.bytes or tensor.transfer):
            continue
        i, name = tensor.producer, p.tensor_name(u)
        assert i is not None
        takers = sorted({c for j in tensor.consumers for c in p.supported(j)})
        for c in p.supported(i):
            to = [d for d in takers if d != c]
            if not to:
                continue
            leaves = r.leaves[u, c] = r.program.column(("leaves", u, c), 1)
            r.program.row(f"leaves {name} from {c}", [*r.home(u, c), (leaves, -1)], 0)
            for d in to:
                sent = r.sent[u, c, d] = r.program.column(("sent", u, c, d), 1)
                terms = [(leaves, 1), (sent, -1)]
                r.program.row(f"sent {name} from {c} to {d}", terms, 0)
            _carry(r, u, c, to)
        for d in takers:
            for j in tensor.consumers:
                if d in p.supported(j):
                    terms = [*r.arrives(u, d, 1), *r.gets(u, j, d, -1), *r.home(u, d)]
                    r.program.row(f"arrives {name} for {r.on(j, d)}", terms, 0)


def _carry(r: Relaxed, u: int, c: int, to: list[int]) -> None:
    """Loads and energy of a tensor sent from c, as in `link` and `port`.

    With ``multicast`` over[u, c, k] ≥ sent[u, c, d] for every link k of the route.
    """
    p, amount = r.p, r.p.tensors[u].bytes
    units = amount * p.load_unit
    over: dict[int, int] = {}
    for d in to:
        sent = r.sent[u, c, d]
        r.move(p.chiplets[d].port_in, sent, units)
        if not p.multicast:
            r.move(p.chiplets[c].port_out, sent, units)
        for k in p.routes[c][d]:
            column = sent
            if p.multicast:
                if k not in over:
                    over[k] = r.program.column(("over", u, c, k), 1)
                column = over[k]
                name = f"over {p.tensor_name(u)} from {c} to {d} link {k}"
                r.program.row(name, [(column, 1), (sent, -1)], 0)
            if not p.multicast or d == _first(p, c, to, k):
                r.move(p.links[k].resource, column, units)
                r.energy.append((column, p.links[k].energy * amount))
    if p.multicast:
        r.move(p.chiplets[c].port_out, r.leaves[u, c], units)


def _first(p: Problem, c: int, to: list[int], link: int) -> int:
    """Return the first destination whose route from c has the link."""
    return next(d for d in to if link in p.routes[c][d])

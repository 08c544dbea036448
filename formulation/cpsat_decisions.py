"""Decisions of every kind of schedule as CP-SAT variables (MODEL.md §2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ortools.sat.python import cp_model
from ortools.sat.python.cp_model_helper import Literal

from formulation.choices import (
    Choice,
    Part,
    add_flow,
    choices,
    dominated,
    parts,
)
from formulation.engines.cpsat import Model
from formulation.structure import edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from formulation.problem import Flow, Problem

Linear = cp_model.LinearExpr
Lit = Literal
Term = tuple[Lit, int]


def weighted(terms: Sequence[tuple[cp_model.LinearExprT, int]]) -> cp_model.LinearExprT:
    """Return Σ coefficient·literal."""
    return Linear.weighted_sum([x for x, _ in terms], [k for _, k in terms])


@dataclass(slots=True)
class Item:
    """Optional DRAM traffic: it happens exactly if the literal is true."""

    literal: Lit
    units: dict[int, int]
    energy: int


@dataclass
class Decided:
    """A model under construction: chiplets, choices and places, indexed like `p`.

    Parameters
    ----------
    prune
        Leave out dominated choices (a strengthening).
    """

    p: Problem
    prune: bool = field(default=True, kw_only=True)
    model: cp_model.CpModel = field(default_factory=Model, kw_only=True)

    def __post_init__(self) -> None:
        """Create the decision variables."""
        self.false = self.model.new_constant(0)
        self._any: dict[str, Lit] = {}
        self._assignments()
        self._places()

    def offered(self, t: int, c: int) -> tuple[Choice, ...]:
        """Return the choices that a layer has on a chiplet."""
        return choices(self.p, t, c)

    def _assignments(self) -> None:
        p, n = self.p, len(self.p.chiplets)
        self.on: list[list[Lit | None]] = [[None] * n for _ in p.tasks]
        self.options: dict[tuple[int, int], tuple[Choice, ...]] = {}
        self.pick: dict[tuple[int, int], list[Lit]] = {}
        for t in range(len(p.tasks)):
            for c in p.supported(t):
                some = self.offered(t, c)
                if self.prune:
                    gone = dominated(self.p, t, c, some)
                    some = tuple(k for i, k in enumerate(some) if i not in gone)
                literal = self.bool(f"on_t{t}_c{c}")
                self.on[t][c] = literal
                self.options[t, c] = some
                self.pick[t, c] = (
                    [literal]
                    if len(some) == 1
                    else [self.bool(f"pick_t{t}_c{c}_k{k}") for k in range(len(some))]
                )

    def _places(self) -> None:
        self.dram: list[Lit | None] = []
        for u in range(len(self.p.tensors)):
            free = not self.p.always_dram(u) and not self.p.always_package(u)
            self.dram.append(self.bool(f"dram_u{u}") if free else None)

    def bool(self, name: str) -> Lit:
        """Return a new Boolean."""
        return self.model.new_bool_var(name)

    def value(self, t: int, c: int) -> Lit:
        """Return y[t,c]; the constant 0 where c does not support t."""
        literal = self.on[t][c]
        return self.false if literal is None else literal

    def imply(self, literals: Iterable[Lit], literal: Lit) -> None:
        """All of `literals` → `literal`."""
        self.model.add_bool_or([*(x.negated() for x in literals), literal])

    def product(self, name: str, literals: list[Lit]) -> Lit:
        """Return a Boolean that is at least the product of `literals`.

        One-sided: everything it stands for only costs, so a solution with it too
        high is a solution with it right.
        """
        if len(literals) == 1:
            return literals[0]
        result = self.bool(name)
        self.imply(literals, result)
        return result

    @cached_property
    def edges(self) -> list[tuple[int, int, int]]:
        """(tensor, producer, consumer) of every edge."""
        return edges(self.p)

    @cached_property
    def crossable(self) -> list[int]:
        """Tensors that may go from chiplet to chiplet over the package."""
        return [u for u in range(len(self.p.tensors)) if not self.p.always_dram(u)]

    def package(self, u: int) -> list[Lit]:
        """Return the literals that say that a placed tensor is package."""
        literal = self.dram[u]
        return [] if literal is None else [literal.negated()]

    @cached_property
    def arrives(self) -> dict[tuple[int, int], Lit]:
        """(u, d): package tensor u has a consumer on d, its producer elsewhere.

        y[j,d] ∧ ¬y[i,d] ∧ ¬dram[u] → arrives[u,d].
        """
        found: dict[tuple[int, int], Lit] = {}
        for u in self.crossable:
            i = self.p.tensors[u].producer
            assert i is not None
            for j in self.p.tensors[u].consumers:
                for d in self.p.supported(j):
                    here, there = self.on[i][d], self.on[j][d]
                    assert there is not None
                    if (u, d) not in found:
                        found[u, d] = self.bool(f"arrives_u{u}_c{d}")
                    away = [] if here is None else [here.negated()]
                    self.imply([there, *away, *self.package(u)], found[u, d])
        return found

    @cached_property
    def sends(self) -> dict[tuple[int, int], Lit]:
        """(u, c): package tensor u is made on c and has a consumer elsewhere.

        y[i,c] ∧ ¬y[j,c] ∧ ¬dram[u] → sends[u,c].
        """
        found: dict[tuple[int, int], Lit] = {}
        for u in self.crossable:
            i = self.p.tensors[u].producer
            assert i is not None
            for c in self.p.supported(i):
                here = self.on[i][c]
                assert here is not None
                found[u, c] = self.bool(f"sends_u{u}_c{c}")
                for j in self.p.tensors[u].consumers:
                    there = self.on[j][c]
                    away = [] if there is None else [there.negated()]
                    self.imply([here, *away, *self.package(u)], found[u, c])
        return found

    @cached_property
    def sent(self) -> dict[tuple[int, int, int], Lit]:
        """(u, c, d): u goes from c to d. arrives[u,d] ∧ y[i,c] → sent[u,c,d]."""
        found: dict[tuple[int, int, int], Lit] = {}
        for (u, d), arrives in self.arrives.items():
            i = self.p.tensors[u].producer
            assert i is not None
            froms = []
            for c in self.p.supported(i):
                here = self.on[i][c]
                assert here is not None
                if c != d:
                    found[u, c, d] = self.bool(f"sent_u{u}_c{c}_c{d}")
                    self.imply([arrives, here], found[u, c, d])
                    froms.append(found[u, c, d])
            # Redundant and good for the LP: what arrives came from somewhere.
            self.model.add(cp_model.LinearExpr.sum(froms) >= arrives)
        return found

    @cached_property
    def crosses(self) -> dict[tuple[int, int], Lit]:
        """(u, link): with multicast, u loads the link."""
        found: dict[tuple[int, int], Lit] = {}
        for (u, c, d), literal in self.sent.items():
            for link in self.p.routes[c][d]:
                if (u, link) not in found:
                    found[u, link] = self.bool(f"crosses_u{u}_l{link}")
                self.model.add_implication(literal, found[u, link])
        return found

    @cached_property
    def items(self) -> dict[tuple[int, int], list[Item]]:
        """(t, c): the optional DRAM traffic of a layer on a chiplet."""
        return {
            (t, c): [x for part in parts(self.p, t, c) for x in self._items(t, c, part)]
            for t, c in self.options
        }

    def _items(self, t: int, c: int, part: Part) -> list[Item]:
        """Return the traffic of one part: its least bytes, then each mode's rest."""
        here = self.on[t][c]
        assert here is not None
        used = {k.mode for k in self.options[t, c]}
        least = min(part.by_mode[k] for k in used)
        found = []
        for literals, flow in self._ways(t, c, part, here):
            tag = f"t{t}_c{c}_u{part.tensor}_{part.reads}_{len(literals)}_{id(flow)}"
            if least:
                found.append(self._item(f"io_{tag}", literals, flow, least))
            for n, k in enumerate(self.options[t, c]):
                more = part.by_mode[k.mode] - least
                if more:
                    both = [*literals, self.pick[t, c][n]]
                    found.append(self._item(f"more_{tag}_{n}", both, flow, more))
        return found

    def _item(self, name: str, literals: list[Lit], flow: Flow, amount: int) -> Item:
        units: dict[int, int] = {}
        energy = add_flow(units, flow, amount)
        return Item(self.product(name, literals), units, energy)

    def _ways(
        self, t: int, c: int, part: Part, here: Lit
    ) -> list[tuple[list[Lit], Flow]]:
        """Return (conditions, flow) of a part: one, or one a home with private."""
        chiplet = self.p.chiplets[c]
        if part.tensor is None:
            some = self.some_output_dram(t)
            flow = chiplet.reads[chiplet.home] if part.reads else chiplet.write
            return [([here, some], flow)]
        dram = self.dram[part.tensor]
        assert dram is not None
        if not part.reads:
            return [([here, dram], chiplet.write)]
        producer = self.p.tensors[part.tensor].producer
        assert producer is not None
        if not self.p.private:
            return [([here, dram], chiplet.reads[chiplet.home])]
        homes: dict[int, list[Lit]] = {}
        for e in self.p.supported(producer):
            literal = self.on[producer][e]
            assert literal is not None
            homes.setdefault(self.p.chiplets[e].home, []).append(literal)
        return [
            (
                [here, dram, self.any_of(f"home_u{part.tensor}_i{h}", on)],
                chiplet.reads[h],
            )
            for h, on in homes.items()
        ]

    def any_of(self, name: str, literals: list[Lit]) -> Lit:
        """Return a Boolean that is true if one of `literals` is; one per name."""
        if len(literals) == 1:
            return literals[0]
        if name not in self._any:
            self._any[name] = self.bool(name)
            for x in literals:
                self.model.add_implication(x, self._any[name])
        return self._any[name]

    def some_output_dram(self, t: int) -> Lit:
        """Return the literal that some placed output of a layer is dram."""
        literals = [
            x for u in self.p.tasks[t].outputs if (x := self.dram[u]) is not None
        ]
        return self.any_of(f"out_dram_t{t}", literals)

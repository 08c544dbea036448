"""A better bound of one whole way to cut: whole weights, places, the peak itself.

MODEL.md §4.9. With the chiplet of every layer given, the energy of a chiplet depends
only on the copies of tensors that leave or reach it, so all places of the tensors
between chiplets are tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE
from formulation.pipelined.energy_chiplet import OnChiplet
from formulation.pipelined.energy_sums import FAR
from formulation.pipelined.schedule import Schedule

if TYPE_CHECKING:
    from formulation.choices import Choice
    from formulation.pipelined.energy_cuts import EnergyCutter
    from formulation.problem import Problem

MOST_CROSSING = 10  # tensors whose places are tried
# A chiplet, bytes of copies there, tensors between chiplets that it streams.
Term = tuple[OnChiplet, int, tuple[int, ...]]


@dataclass
class WholeWays:
    """Bounds of whole ways; what ways share is remembered."""

    by: EnergyCutter
    places: dict[tuple[int, ...], OnChiplet] = field(default_factory=dict)

    def bound(self, chiplet: tuple[int, ...], enough: int = FAR) -> int | None:
        """Return a bound in energy units on schedules with these chiplets.

        `None`: too many tensors go between chiplets. A bound that is `enough` need
        not be the best one.
        """
        found = self._best(chiplet, enough)
        return None if found is None else found[0]

    def schedule(self, chiplet: tuple[int, ...]) -> Schedule | None:
        """Return what takes the least energy by the bound, all in stage 0.

        Nothing is proved of it. `None`: the bound does not say so much.
        """
        p, found = self.by.p, self._best(chiplet, FAR)
        if found is None or not found[1]:
            return None
        chosen: dict[int, Choice] = {}
        dram: set[int] = set()
        for x, held, streamed in found[1]:
            choice, moved = x.decide(held, streamed)
            chosen |= choice
            dram.update(streamed, moved)
        if len(chosen) < len(chiplet):
            return None
        place = (PACKAGE, DRAM)
        return Schedule(
            chiplet=chiplet,
            mode=tuple(chosen[t].mode for t in range(len(chiplet))),
            stage=(0,) * len(chiplet),
            resident=tuple(chosen[t].resident for t in range(len(chiplet))),
            place=tuple(
                place[u in dram] if tensor.placed else None
                for u, tensor in enumerate(p.tensors)
            ),
        )

    def _best(
        self, chiplet: tuple[int, ...], enough: int
    ) -> tuple[int, list[Term]] | None:
        """Return the best bound and what each chiplet has to do with it."""
        p = self.by.p
        crossing = [
            _crossing(p, u, chiplet)
            for u, tensor in enumerate(p.tensors)
            if tensor.placed and tensor.bytes and _spread(p, u, chiplet) > 1
        ]
        if len(crossing) > MOST_CROSSING:
            return None
        mine = [
            self._on(c, tuple(t for t, d in enumerate(chiplet) if d == c))
            for c in range(len(p.chiplets))
        ]
        found: list[tuple[int, int, list[Term]]] = []
        for choice in product(*crossing):
            held = [0] * len(mine)
            dram: list[tuple[int, ...]] = [()] * len(mine)
            energy = self.by.fixed + sum(one.energy for one in choice)
            for one in choice:
                for c, copies in one.copies:
                    held[c] += copies
                for c in one.streamed:
                    dram[c] += (one.tensor,)
            terms = list(zip(mine, held, dram, strict=True))
            quick = energy + sum(x.least(n, some, exact=False) for x, n, some in terms)
            found.append((quick, energy, terms))
        best: tuple[int, list[Term]] = (FAR, [])
        for quick, energy, terms in sorted(found, key=lambda x: x[0]):
            if quick >= min(best[0], enough):
                return min(best, (quick, []), key=lambda x: x[0])
            exact = energy + sum(x.least(n, some, exact=True) for x, n, some in terms)
            if exact < best[0]:
                best = exact, terms
        return best

    def _on(self, c: int, layers: tuple[int, ...]) -> OnChiplet:
        key = (c, *layers)
        if key not in self.places:
            self.places[key] = OnChiplet(self.by.p, c, layers, self.by.per_tick)
        return self.places[key]


def _spread(p: Problem, u: int, chiplet: tuple[int, ...]) -> int:
    """Return on how many chiplets a tensor is made and read."""
    tensor = p.tensors[u]
    assert tensor.producer is not None
    return len({chiplet[t] for t in (tensor.producer, *tensor.consumers)})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor between chiplets may lie.

    Parameters
    ----------
    energy
        Energy units of its own bytes.
    copies
        Bytes of copies, by chiplet.
    streamed
        Chiplets that write or read it in DRAM.
    """

    tensor: int
    energy: int
    copies: tuple[tuple[int, int], ...]
    streamed: tuple[int, ...]


def _crossing(p: Problem, u: int, chiplet: tuple[int, ...]) -> list[_Place]:
    """Return the places that a tensor may have: package, and dram where it may."""
    tensor = p.tensors[u]
    assert tensor.producer is not None
    c = chiplet[tensor.producer]
    to = sorted({chiplet[j] for j in tensor.consumers} - {c})
    links = [k for d in to for k in p.routes[c][d]]
    moved = sum(p.links[k].energy for k in (set(links) if p.multicast else links))
    copies = [(c, 1 if p.serial else 2), *((d, 2) for d in to)]
    held = () if p.residents_only else tuple((d, n * tensor.bytes) for d, n in copies)
    found = [_Place(u, moved * tensor.bytes, held, ())]
    if not p.always_package(u):
        home = p.chiplets[c].home
        per_byte = 0 if tensor.output else p.chiplets[c].write.energy
        per_byte += sum(
            p.chiplets[chiplet[j]].reads[home].energy for j in tensor.consumers
        )
        found.append(_Place(u, per_byte * tensor.bytes, (), (c, *to)))
    return found

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
from formulation.pipelined.energy_cuts import LEVELS
from formulation.pipelined.energy_sums import FAR
from formulation.pipelined.schedule import Schedule

if TYPE_CHECKING:
    from formulation.choices import Choice
    from formulation.pipelined.energy_cuts import EnergyCutter, Ways
    from formulation.problem import Problem

MOST_CROSSING = 10  # tensors whose places are tried
# A chiplet, bytes of copies there, tensors between chiplets that it streams.
Term = tuple[OnChiplet, int, tuple[int, ...]]


@dataclass
class WholeWays:
    """Bounds of whole ways; what ways share is remembered."""

    by: EnergyCutter
    places: dict[tuple[int, ...], OnChiplet] = field(default_factory=dict)

    def bound(
        self, chiplet: tuple[int, ...], some: Ways, enough: int = FAR
    ) -> int | None:
        """Return a bound on the energy with these chiplets and periods as in a set.

        `None`: too many tensors go between chiplets. A bound that is `enough` need
        not be the best one.
        """
        found = self._best(chiplet, some, enough)
        return None if found is None else found[0]

    def schedule(self, chiplet: tuple[int, ...], some: Ways) -> Schedule | None:
        """Return what takes the least energy by the bound, all in stage 0.

        Nothing is proved of it. `None`: the bound does not say so much.
        """
        p, found = self.by.p, self._best(chiplet, some, FAR)
        if found is None or not found[1]:
            return None
        chosen: dict[int, Choice] = {}
        dram: set[int] = set()
        for on, held, streamed in found[1]:
            choice, moved = on.decide(held, streamed)
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
        self, chiplet: tuple[int, ...], some: Ways, enough: int
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
            self._on(c, tuple(t for t, d in enumerate(chiplet) if d == c), some)
            for c in range(len(p.chiplets))
        ]
        fixed = p.static_energy * some.least_ticks
        found: list[tuple[int, int, list[Lines]]] = []
        for choice in product(*crossing):
            held = [0] * len(mine)
            dram: list[tuple[int, ...]] = [()] * len(mine)
            energy = fixed + sum(one.energy for one in choice)
            for one in choice:
                for c, copies in one.copies:
                    held[c] += copies
                for c in one.streamed:
                    dram[c] += (one.tensor,)
            every = [Lines(*row) for row in zip(mine, held, dram, strict=True)]
            found.append((energy + self._least(every, some)[0], energy, every))
        best: tuple[int, list[Term]] = (FAR, [])
        for quick, energy, every in sorted(found, key=lambda x: x[0]):
            if quick >= min(best[0], enough):
                return min(best, (quick, []), key=lambda x: x[0])
            value, ticks = self._least(every, some)
            while energy + value < enough and any([x.sharpen(ticks) for x in every]):
                value, ticks = self._least(every, some)
            if energy + value < best[0]:
                best = energy + value, [x.term(ticks) for x in every]
        return best

    def _least(self, every: list[Lines], some: Ways) -> tuple[int, int]:
        """Return the least bound over the periods of a set, and that period.

        A tick costs every chiplet its share on top. The sum is convex in T.
        """
        share, first = self.by.share * len(every), some.least_ticks

        def value(ticks: int) -> int:
            return share * (ticks - first) + sum(x.at(ticks) for x in every)

        low, high = first, some.most_ticks or first
        while high - low > 2:
            third = (high - low) // 3
            if value(low + third) <= value(high - third):
                high -= third
            else:
                low += third
        return min((value(ticks), ticks) for ticks in range(low, high + 1))

    def _on(self, c: int, layers: tuple[int, ...], some: Ways) -> list[OnChiplet]:
        """Return what bounds the energy of layers on a chiplet, by price of time.

        No price, and those near the level of the set.
        """
        levels = [0]
        if some.most_ticks is not None:
            near = range(some.level - 2, some.level + 3)
            levels += [x for x in near if 1 <= x <= LEVELS]
        for level in levels:
            if (c, level, *layers) not in self.places:
                on = OnChiplet(self.by.p, c, layers, self.by.price(level))
                self.places[c, level, *layers] = on
        return [self.places[c, level, *layers] for level in levels]


class Lines:
    """What a chiplet's energy is at least, as a function of T: the most of lines.

    By `compute` energy + price·T is at least what it is at a price of time.
    """

    def __init__(
        self, some: list[OnChiplet], copies: int, dram: tuple[int, ...]
    ) -> None:
        self.some, self.copies, self.dram = some, copies, dram
        self.exact = [False] * len(some)
        self.values = [x.least(copies, dram, exact=False) for x in some]

    def at(self, ticks: int) -> int:
        """Return the bound at a T."""
        rows = zip(self.values, self.some, strict=True)
        return max(value - x.per_tick * ticks for value, x in rows)

    def _best(self, ticks: int) -> int:
        rows = zip(self.values, self.some, strict=True)
        values = [value - x.per_tick * ticks for value, x in rows]
        return values.index(max(values))

    def sharpen(self, ticks: int) -> bool:
        """Make the line exact that counts at a T; whether it was not."""
        n = self._best(ticks)
        if self.exact[n]:
            return False
        self.exact[n] = True
        self.values[n] = self.some[n].least(self.copies, self.dram, exact=True)
        return True

    def term(self, ticks: int) -> Term:
        """Return the chiplet at the price of time that counts at a T."""
        return self.some[self._best(ticks)], self.copies, self.dram


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

"""A better bound of one whole way to cut: whole weights, places, the peak itself.

MODEL.md §4.9. With the chiplet of every layer given, the energy of a chiplet depends
only on the copies of tensors that leave or reach it, so all places of the tensors
between chiplets are tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import gcd
from typing import TYPE_CHECKING

from formulation.pipelined.energy_sums import FAR, live_bytes, options_of, prices

if TYPE_CHECKING:
    from formulation.pipelined.energy_cuts import EnergyCutter
    from formulation.problem import Problem, ProblemModel

MOST_UNITS = 2**18  # of L2, counted in the greatest common divisor of weights
MOST_CROSSING = 10  # tensors whose places are tried
Levels = tuple[tuple[int, int], ...]  # (peak in bytes, least energy), ascending


@dataclass
class WholeWays:
    """Bounds of whole ways; what ways share is remembered."""

    by: EnergyCutter
    places: dict[tuple[int, ...], _OnChiplet] = field(default_factory=dict)

    def bound(self, chiplet: tuple[int, ...]) -> int | None:
        """Return a bound in energy units on schedules with these chiplets.

        `None`: too many tensors go between chiplets.
        """
        p = self.by.p
        crossing = [
            _crossing(p, u, chiplet)
            for u, tensor in enumerate(p.tensors)
            if tensor.placed
            and tensor.bytes
            and len(
                {
                    chiplet[t]
                    for t in (tensor.producer, *tensor.consumers)
                    if t is not None
                }
            )
            > 1
        ]
        if len(crossing) > MOST_CROSSING:
            return None
        mine = [
            self._on(c, tuple(t for t, d in enumerate(chiplet) if d == c))
            for c in range(len(p.chiplets))
        ]
        best = FAR
        for choice in product(*crossing):
            held = [0] * len(mine)
            energy = sum(one.energy for one in choice)
            for one in choice:
                for c, copies in one.copies:
                    held[c] += copies
            energy += sum(x.least(n) for x, n in zip(mine, held, strict=True))
            best = min(best, energy)
        return self.by.fixed + best

    def _on(self, c: int, layers: tuple[int, ...]) -> _OnChiplet:
        key = (c, *layers)
        if key not in self.places:
            self.places[key] = _OnChiplet(self.by.p, c, layers, self.by.per_tick)
        return self.places[key]


@dataclass(frozen=True, slots=True)
class _Place:
    """What a tensor between chiplets takes: energy units, bytes of copies a chiplet."""

    energy: int
    copies: tuple[tuple[int, int], ...]


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
    found = [_Place(moved * tensor.bytes, held)]
    if not p.always_package(u):
        home = p.chiplets[c].home
        per_byte = 0 if tensor.output else p.chiplets[c].write.energy
        per_byte += sum(
            p.chiplets[chiplet[j]].reads[home].energy for j in tensor.consumers
        )
        found.append(_Place(per_byte * tensor.bytes, ()))
    return found


class _OnChiplet:
    """The layers on a chiplet: least energy without the tensors between chiplets.

    Energy φ(P) as in `energy_cuts`, but P is exact; then min over what can be
    resident together, r bytes, of price·(Σ W − r) + price·(what r is beyond
    L2 − P − copies): a byte of room beyond L2 is one of an inner tensor on DRAM.
    """

    def __init__(
        self, p: Problem, c: int, layers: tuple[int, ...], per_tick: int
    ) -> None:
        self.l2, self.price = p.chiplets[c].l2_bytes, int(prices(p)[c])
        self.spill = self.price + _least_write(p, c, layers)
        self.sums = _Sums(self.l2, [options_of(p, t, c)[0] for t in layers])
        self.levels = _levels(p, c, layers, per_tick)
        self.known: dict[int, int] = {}

    def least(self, copies: int) -> int:
        """Return the least energy beside so many bytes of copies."""
        if copies not in self.known:
            self.known[copies] = min(
                energy + self._missing(self.l2 - peak - copies)
                for peak, energy in self.levels
            )
        return self.known[copies]

    def _missing(self, room: int) -> int:
        """Return the least energy units that too little room costs."""
        best = FAR
        for held in self.sums.beside(room):
            beyond = self.spill * max(0, held - room)
            best = min(best, self.price * (self.sums.total - held) + beyond)
        return best


def _least_write(p: Problem, c: int, layers: tuple[int, ...]) -> int:
    """Return energy units per byte to write an inner tensor; 0: one is an output."""
    free = any(p.tensors[u].output for t in layers for u in p.tasks[t].outputs)
    return 0 if free else p.chiplets[c].write.energy


def _levels(p: Problem, c: int, layers: tuple[int, ...], per_tick: int) -> Levels:
    """Return φ at every peak that a layer's choice can make."""
    if not layers:
        return ((0, 0),)
    live: dict[int, int] = {}
    for model in p.models:
        live |= _live(p, model, [t for t in layers if t in model.tasks])
    needs = [
        [
            (0 if p.residents_only else ws + live[t], k)
            for ws, k in options_of(p, t, c, per_tick)[1]
        ]
        for t in layers
    ]
    found: list[tuple[int, int]] = []
    events = sorted((need, n, k) for n, some in enumerate(needs) for need, k in some)
    best: list[int | None] = [None] * len(layers)
    open_layers, total = len(layers), 0
    for need, n, energy in events:
        before = best[n]
        if before is None:
            open_layers -= 1
            total += energy
            best[n] = energy
        elif energy < before:
            total += energy - before
            best[n] = energy
        else:
            continue
        if not open_layers:
            found.append((need, total))
    return tuple(found) or ((0, FAR),)


def _live(p: Problem, model: ProblemModel, mine: list[int]) -> dict[int, int]:
    """Return the bytes of inner tensors live across every layer of an interval."""
    if not mine:
        return {}
    a, b = mine[0] - model.first, mine[-1] + 1 - model.first
    return dict(zip(mine, live_bytes(p, model, a, b), strict=True))


class _Sums:
    """Which sums whole weights can have, up to L2."""

    def __init__(self, l2: int, weights: list[int]) -> None:
        self.total = sum(weights)
        self.unit = gcd(*weights) or 1
        self.sums = 0
        if l2 // self.unit <= MOST_UNITS:
            self.sums, within = 1, (1 << (l2 // self.unit + 1)) - 1
            for weight in weights:
                self.sums |= (self.sums << (weight // self.unit)) & within

    def beside(self, room: int) -> list[int]:
        """Return the largest sum within the room and the least one beyond it.

        Where there are too many, what the room holds: then any sum is possible.
        """
        if not self.sums:
            return [min(self.total, max(0, room))]
        units = room // self.unit if room >= 0 else -1
        found = []
        within = self.sums & ((1 << (units + 1)) - 1)
        if within:
            found.append((within.bit_length() - 1) * self.unit)
        beyond = self.sums >> (units + 1)
        if beyond:
            least = (beyond & -beyond).bit_length() + units
            found.append(least * self.unit)
        return found

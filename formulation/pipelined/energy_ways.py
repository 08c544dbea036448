"""A better bound of one whole way to cut: whole weights, one peak (MODEL.md §4.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from formulation.pipelined.bounds import fitting
from formulation.pipelined.energy_cuts import FAR, levels_of, phi, prices

if TYPE_CHECKING:
    from formulation.pipelined.energy_cuts import Array, EnergyCutter, Sums
    from formulation.problem import ProblemModel

MOST_UNITS = 2**18  # of L2, counted in the greatest common divisor of weights


@dataclass
class WholeWays:
    """Bounds of whole ways; what intervals share is remembered."""

    by: EnergyCutter
    levels: dict[tuple[int, int, int], Array] = field(default_factory=dict)

    def bound(self, chiplet: tuple[int, ...]) -> int:
        """Return a bound in energy units on schedules with these chiplets.

        On every chiplet, the least over P of Σ φ(P) + crossing tensors + the larger
        of what `energy_cuts` has, with P itself, and, without any of the refund, the
        price of the weights that no set of whole weights within L2 − P holds.
        """
        return self.by.fixed + sum(
            self._on_chiplet(c, chiplet) for c in range(len(self.by.p.chiplets))
        )

    def _on_chiplet(self, c: int, chiplet: tuple[int, ...]) -> int:
        p, price = self.by.p, int(prices(self.by.p)[c])
        steps = levels_of(p, c)
        energy = np.zeros(len(steps), dtype=np.int64)
        refund, layers = 0, []
        for model, sums in self.by.both:
            mine = [t for t in model.tasks if chiplet[t] == c]
            if mine:
                a, b = mine[0] - model.first, mine[-1] + 1 - model.first
                energy += self._phi(model, sums, c, mine) - sums.refund[c, a, b]
                refund += int(sums.refund[c, a, b])
                layers += mine
        weights = [
            max((k.resident_bytes for k in fitting(p, t, c)), default=0) for t in layers
        ]
        best = FAR
        l2, total = p.chiplets[c].l2_bytes, sum(weights)
        held = _Held(l2, [w for w in weights if w])
        for base, peak in zip(energy.tolist(), steps.tolist(), strict=True):
            if base < best:
                missing = total - held.most(l2 - peak)
                over = refund + price * (total + peak - l2)
                best = min(best, base + max(0, over, price * missing))
        return best

    def _phi(self, model: ProblemModel, sums: Sums, c: int, mine: list[int]) -> Array:
        """Return φ by level of the peak, with crossing tensors at their least price."""
        key = (c, mine[0], mine[-1])
        if key not in self.levels:
            self.levels[key] = phi(self.by.p, model, sums, c, mine)
        return self.levels[key]


class _Held:
    """Which sums whole weights can have, up to L2."""

    def __init__(self, l2: int, weights: list[int]) -> None:
        self.total = sum(weights)
        self.unit = gcd(*weights) if weights else 1
        self.sums: int | None = None
        if weights and l2 // self.unit <= MOST_UNITS:
            self.sums, within = 1, (1 << (l2 // self.unit + 1)) - 1
            for weight in weights:
                self.sums |= (self.sums << (weight // self.unit)) & within

    def most(self, room: int) -> int:
        """Return the largest sum within the room."""
        if room < 0 or self.sums is None:
            return min(self.total, max(0, room))
        within = self.sums & ((1 << (room // self.unit + 1)) - 1)
        return (within.bit_length() - 1) * self.unit

"""What a certificate proves bounds on windowed schedules with: prices (MODEL.md §7.10).

The checker computes the bounds anew; no solver is imported here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.windowed.priced import Prices
from formulation.windowed.prices import proved, search

if TYPE_CHECKING:
    from collections.abc import Mapping

    from formulation.objective import Part
    from formulation.problem import Problem

MOST_SETS = 3
"""Sets of prices for a part: EDP takes those of makespan, energy and a sum."""


@dataclass(frozen=True, slots=True)
class PricedTime:
    """Bounds on a part of an objective from multipliers that are prices.

    Parameters
    ----------
    value
        Of the best schedule; `None`: none is known. No bound needs to be better.
    """

    p: Problem
    part: Part
    value: int | None = None

    def proved(self, multipliers: Mapping[str, Fraction]) -> int:
        """Return the bound that prices prove; without any, that of MODEL.md §7.6.

        Raises
        ------
        ValueError
            With all names that are none of `_names`; for prices that are no whole
            numbers from 0 on, or none of `prices.proved`.
        """
        sets = [_names(self.p, k) for k in range(MOST_SETS)]
        unknown = sorted(multipliers.keys() - {name for own in sets for name in own})
        if unknown:
            raise ValueError(f"no prices of these names: {', '.join(unknown)}")
        wrong = sorted(n for n, y in multipliers.items() if y < 0 or y.denominator > 1)
        if wrong:
            text = "prices are whole numbers from 0 on"
            raise ValueError(f"{text}: {', '.join(wrong)}")
        some = []
        for names in sets:
            whole = [int(multipliers.get(name, 0)) for name in names]
            if any(whole):
                some.append(_prices(self.p, whole))
        return proved(self.p, self.part, some)

    def multipliers(self, seconds: float) -> dict[str, Fraction]:
        """Return good prices, or none where they prove no more than §7.6."""
        end = time.monotonic() + seconds
        found = search(
            self.p, self.part, over=lambda: time.monotonic() > end, goal=self.value
        )
        named = {
            name: Fraction(price)
            for k, prices in enumerate(found)
            for name, price in zip(_names(self.p, k), _flat(prices), strict=True)
            if price
        }
        return named if self.proved(named) > self.proved({}) else {}


def _names(p: Problem, k: int) -> list[str]:
    """Return the names of a set of prices in the order of `_flat`."""
    chiplets = range(len(p.chiplets))
    return [
        *(f"{k} time of {m.name} slowest on {c}" for m in p.models for c in chiplets),
        *(f"{k} time on {c}" for c in chiplets),
        f"{k} energy",
    ]


def _flat(prices: Prices) -> list[int]:
    of_models = [price for row in prices.model for price in row]
    return [*of_models, *prices.chiplet, prices.energy]


def _prices(p: Problem, flat: list[int]) -> Prices:
    """Return the prices that `_flat` gives these numbers of."""
    count = len(p.chiplets)
    rows = [tuple(flat[k : k + count]) for k in range(0, len(flat) - 1, count)]
    return Prices(tuple(rows[:-1]), rows[-1], flat[-1])

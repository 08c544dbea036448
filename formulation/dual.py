"""Lower bounds that anybody can recompute: weak duality in exact integers.

For a linear program min c·x, A x ≥ b (some rows equalities), l ≤ x ≤ u, with every
variable bounded, and any multipliers y, y_i ≥ 0 on inequalities,

    c·x ≥ y·b + (c − yA)·x ≥ y·b + Σ_j min over [l_j, u_j] of (c − yA)_j·x_j

for every feasible x. Nothing is asked of y but its signs: whoever found it, and
however badly, the right-hand side is a bound. Good multipliers are what an LP
solver calls row duals. No solver is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import lcm
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from fractions import Fraction

Terms = list[tuple[int, int]]  # (column, coefficient)


@dataclass(frozen=True, slots=True)
class Row:
    """Σ coefficient·column ≥ `right`, or = `right` if `equal`."""

    name: str
    terms: tuple[tuple[int, int], ...]
    equal: bool
    right: int


class Program(Protocol):
    """What bounds a quantity from below, the better the better its multipliers are."""

    def proved(self, multipliers: Mapping[str, Fraction], /) -> int:
        """Return the bound that multipliers prove.

        Raises
        ------
        ValueError
            If they are none of this program.
        """


@dataclass
class Linear:
    """A minimisation in integers: bounded columns, rows, costs.

    Parameters
    ----------
    unit
        The quantity that is bounded is the least integer ≥ objective / `unit`.
    keys
        What every column stands for, in order; `low` and `high` are its bounds.
    """

    unit: int = 1
    keys: list[Hashable] = field(default_factory=list)
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)
    cost: list[int] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)

    def column(self, key: Hashable, high: int, low: int = 0) -> int:
        """Add a column with its bounds; return its number."""
        self.keys.append(key)
        self.low.append(low)
        self.high.append(high)
        self.cost.append(0)
        return len(self.keys) - 1

    def row(
        self,
        name: str,
        terms: Iterable[tuple[int, int]],
        right: int,
        equal: bool = False,
    ) -> None:
        """Add a row; a column may occur several times in `terms`.

        Raises
        ------
        ValueError
            If there is a row of that name.
        """
        if name in self.rows:
            raise ValueError(f"two rows are called {name!r}")
        total: dict[int, int] = {}
        for j, k in terms:
            total[j] = total.get(j, 0) + k
        kept = tuple((j, k) for j, k in total.items() if k)
        self.rows[name] = Row(name, kept, equal, right)

    def proved(self, multipliers: Mapping[str, Fraction]) -> int:
        """Return the bound that multipliers prove; see `recompute`."""
        return recompute(self, multipliers)


@dataclass(frozen=True, slots=True)
class Dual:
    """A bound on one quantity with the multipliers that prove it.

    Parameters
    ----------
    quantity
        A part of an objective, such as ``period`` (ticks) or ``energy`` (quanta).
    bound
        What a `Program` makes of the multipliers, in that unit.
    multipliers
        Of a `Linear`, row name → multiplier; rows that are not named have 0.
    """

    quantity: str
    bound: int
    multipliers: dict[str, Fraction]


def signed(program: Linear, multipliers: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Return the multipliers that are not 0, without the negative ones on inequalities.

    Raises
    ------
    ValueError
        With all names that no row has.
    """
    unknown = sorted(multipliers.keys() - program.rows.keys())
    if unknown:
        raise ValueError(f"no rows of these names: {', '.join(unknown)}")
    return {
        name: y
        for name, y in multipliers.items()
        if y > 0 or (y < 0 and program.rows[name].equal)
    }


def recompute(program: Linear, multipliers: Mapping[str, Fraction]) -> int:
    """Return the bound that multipliers prove, rounded up to a whole quantity.

    All multipliers are brought to one denominator, so that everything else is
    integers. Negative multipliers on inequalities count as 0.

    Raises
    ------
    ValueError
        If a row is named that does not exist.
    """
    kept = signed(program, multipliers)
    common = lcm(*(y.denominator for y in kept.values()))
    total = 0
    reduced = [cost * common for cost in program.cost]
    for name, y in kept.items():
        row = program.rows[name]
        whole = y.numerator * (common // y.denominator)
        total += whole * row.right
        for j, k in row.terms:
            reduced[j] -= whole * k
    for j, rest in enumerate(reduced):
        total += rest * (program.low[j] if rest > 0 else program.high[j])
    return -(-total // (common * program.unit))

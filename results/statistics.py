"""Statistics over runs. What is not known is `None` and is never averaged.

A mean over a group that holds a `None` is `None`; how many there are is counted
beside it, so that a table can say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = float | None


def mean(values: Sequence[Value]) -> float | None:
    """Return the arithmetic mean; `None` of nothing or where one is missing."""
    known = [x for x in values if x is not None]
    if not known or len(known) < len(values):
        return None
    return sum(known) / len(known)


def shifted_geometric_mean(values: Sequence[Value], shift: float) -> float | None:
    """Return exp(mean(ln(x + shift))) − shift, all in the unit of the values.

    The usual mean of running times: the shift keeps differences between tiny values
    from deciding (Achterberg, Constraint Integer Programming, 2007, A.3).

    Parameters
    ----------
    values
        At least 0; `None` where there is none, then there is no mean either.
    shift
        More than 0: the size below which values count as small.

    Raises
    ------
    ValueError
        For a shift that is not positive, or a negative value.
    """
    if shift <= 0:
        raise ValueError(f"shift: got {shift}, expected more than 0")
    if any(x is not None and x < 0 for x in values):
        raise ValueError(f"values: got {min(x for x in values if x is not None)} < 0")
    logs = [None if x is None else log1p(x / shift) for x in values]
    found = mean(logs)
    return None if found is None else shift * expm1(found)


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of one group, of several seeds for instance; the least is the best.

    Parameters
    ----------
    count, missing
        Values in all, and those that are `None`.
    best, mean, worst
        `None` if the group is empty or one of its values is missing.
    """

    count: int
    missing: int
    best: float | None
    mean: float | None
    worst: float | None


def spread(values: Sequence[Value]) -> Spread:
    """Return best, mean and worst of a group."""
    known = [x for x in values if x is not None]
    missing = len(values) - len(known)
    if missing or not known:
        return Spread(len(values), missing, None, None, None)
    return Spread(len(known), 0, min(known), sum(known) / len(known), max(known))


def profile(
    costs: Mapping[str, Sequence[Value]],
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return performance profiles (Dolan and Moré, Math. Program. 91, 2002).

    Parameters
    ----------
    costs
        Method → its cost of every problem, in one order; at least 0, less is
        better. `None`: it has none; the problem counts, but is never reached. A
        problem that no method has a cost of says nothing and is left out.

    Returns
    -------
    dict
        Method → corners (ratio to the best cost of a problem, share of problems
        within that ratio), ascending; the first ratio is 1. Among costs of 0 the
        ratio is 1; of another cost over 0 it is never reached.

    Raises
    ------
    ValueError
        If the methods have different numbers of problems.
    """
    lengths = {len(some) for some in costs.values()}
    if len(lengths) > 1:
        raise ValueError(f"costs: got {sorted(lengths)} problems, expected one number")
    best = [
        min(known)
        for of_one in zip(*costs.values(), strict=True)
        if (known := [x for x in of_one if x is not None])
    ]
    if not best:
        return dict.fromkeys(costs, ())
    found = {}
    for name, some in costs.items():
        kept = [
            x
            for x, of_one in zip(some, zip(*costs.values(), strict=True), strict=True)
            if any(y is not None for y in of_one)
        ]
        pairs = zip(kept, best, strict=True)
        ratios = sorted(_ratio(x, least) for x, least in pairs)
        corners = {1.0: 0.0}
        for number, ratio in enumerate(ratios, start=1):
            if ratio < inf:
                corners[ratio] = number / len(ratios)
        found[name] = tuple(corners.items())
    return found


def _ratio(cost: Value, least: float) -> float:
    if cost is None:
        return inf
    if cost == least:
        return 1.0
    return cost / least if least > 0 else inf

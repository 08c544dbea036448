"""Models to chiplets, one each, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def assigned(
    costs: Sequence[Sequence[int | None]], bottleneck: bool
) -> list[int] | None:
    """Return a chiplet of its own for every model: least largest cost, or least sum.

    Chiplet after chiplet, for every set of models that have one.

    Parameters
    ----------
    costs
        Of every model on every chiplet; `None`: it does not fit.

    Returns
    -------
    `None` if there is no such assignment.
    """
    best: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, (-1,) * len(costs))}
    for c in range(len(costs[0])):
        for done, (cost, owner) in list(best.items()):
            for m, row in enumerate(costs):
                own = row[c]
                if done >> m & 1 or own is None:
                    continue
                total = max(cost, own) if bottleneck else cost + own
                key = done | 1 << m
                if key not in best or total < best[key][0]:
                    chosen = (*owner[:m], c, *owner[m + 1 :])
                    best[key] = (total, chosen)
    found = best.get((1 << len(costs)) - 1)
    return None if found is None else list(found[1])

"""HEFT: heterogeneous earliest finish time, with transfers.

Layers by upward rank (mean runs and mean transfers) each take the chiplet on which they
are done first, in a gap between earlier ones if they fit (Topcuoglu, Hariri, Wu, IEEE
TPDS 13(3), 2002). Ours: all rounds of a layer are placed together; links, ports and
interfaces are shared only once everything is decided, in the order of the ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.timed.heuristics.greedy import offers
from formulation.timed.priorities import upward

if TYPE_CHECKING:
    from formulation.timed.heuristics.search import Search


def schedule(search: Search) -> None:
    """Offer a schedule for every way to decide."""
    for _ in offers(search, upward(search.problem), inserted=True):
        pass

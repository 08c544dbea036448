"""Ways to cut and moves of layers: proofs for ``contiguous``, starts for the rest."""

from __future__ import annotations

from dataclasses import replace

from formulation.pipelined import bounds
from formulation.pipelined.cpsat_build import build
from formulation.pipelined.cpsat_polish import better_chiplets
from formulation.pipelined.cpsat_search import (
    ONE_WAY,
    Search,
    complete,
    on_chiplets,
    solve_relaxed,
    stopped,
)
from formulation.pipelined.cuts import FAR, Cutter, Way, cutter

MOST_TRIALS = 48  # of T, until there are ways
# Of (layer, chiplet) pairs. On the first layers of the headline's models the whole
# model takes 0.2 s at 48 pairs (cuts and moves 1.1 s), at 64 it is slower than they.
SMALL = 48
MOST_ATTEMPTS, MOST_IDLE = 400, 120  # of moving layers; without success


def cuttable(search: Search, strengthenings: frozenset[str]) -> bool:
    """Whether ways to cut say something of the target that is worth its time.

    Without ``contiguous`` they are only to start from, which a small problem does not
    need: its whole model is solved sooner.
    """
    p, needed = search.p, {"contiguous", "compute", "dram", "sram"}
    pairs = sum(len(p.supported(t)) for t in range(len(p.tasks)))
    return (
        "cuts" in strengthenings
        and (p.contiguous or pairs > SMALL)
        and search.target.quantity == "period"
        and not needed & search.without
    )


def by_cuts(search: Search, strengthenings: frozenset[str]) -> None:
    """Prove a ``contiguous`` period by branching on ways to cut (MODEL.md §4.4).

    A round takes a trial T, the ways whose relaxed value is at most T, and asks
    CP-SAT of each for a schedule within T and below what is known. If the round has
    gone through all of them, nothing else is ≤ T; else T grows. Without
    ``contiguous`` the first schedule found within T is only one to start from.
    """
    by, proves = cutter(search.p), search.p.contiguous
    if by is None:
        return
    known, ways = _first_ways(search, by)
    if not ways:
        return
    if proves:
        search.raise_bound(ways[0].ticks)
    ticks, step = ways[0].ticks, 2048
    while step and not search.enough:
        ticks += -(-ticks // step)
        step //= 4
        if search.value is not None:
            ticks = min(ticks, search.value - 1)
        if ticks > known:
            known, ways = ticks, by.ways(ticks)
        if ways is None:
            return
        for way in ways:
            settled = _way(search, way, ticks, strengthenings)
            found = search.value is not None and search.value <= ticks
            if not settled or (found and not proves):
                return
        if proves:
            value = search.value
            search.raise_bound(ticks + 1 if value is None else min(ticks + 1, value))


def _first_ways(search: Search, by: Cutter) -> tuple[int, list[Way] | None]:
    """Return a T with at least one way, and its ways; `None`: given up.

    T grows by larger and larger steps; where there are too many ways at once, the
    step is halved from the largest T that is known to have none. A tenth of the time
    and a few trials are all that it gets.
    """
    low = max(by.least(), bounds.lower(search.p, search.without)) - 1
    step = max(1, low // 512)
    seconds, crowded = search.limits.seconds, False
    for _ in range(MOST_TRIALS):
        left = search.left()
        late = seconds is not None and left is not None and left < 0.9 * seconds
        if late or stopped(search) or low >= FAR or not step:
            break
        ways = by.ways(low + step)
        if ways:
            return low + step, ways
        if ways is None:
            crowded, step = True, step // 2
        else:
            low += step
            step *= 1 if crowded else 2
    return low, None


def polish(search: Search, strengthenings: frozenset[str]) -> None:
    """Improve a free assignment by moving a few layers at a time (a heuristic)."""
    search.raise_bound(bounds.lower(search.p, search.without))
    share = None if search.limits.seconds is None else search.limits.seconds / 8
    idle = 0
    for attempt in range(MOST_ATTEMPTS):
        left, value = search.left(), search.value
        least = search.bound or 1
        if search.schedule is None or value is None or search.enough:
            return
        if stopped(search) or (left is not None and share and left < share):
            return
        chiplet = better_chiplets(
            search.p, search.schedule, least, 4 + attempt % 7, attempt, search.limits
        )
        if chiplet is not None:
            _way(search, Way(least, chiplet), value - 1, strengthenings)
        idle = idle + 1 if search.value == value else 0
        if idle >= MOST_IDLE:
            return


def _way(search: Search, way: Way, ticks: int, strengthenings: frozenset[str]) -> bool:
    """Look for a schedule of one way within `ticks`; whether that is settled."""
    left = search.left()
    if (left is not None and left <= 0) or stopped(search):
        return False
    p, cap = search.p, ticks
    if search.value is not None:
        cap = min(cap, search.value - 1)
    if way.ticks > cap:
        return True
    m = build(
        on_chiplets(p, way.chiplet),
        replace(search.target, at_least=way.ticks, period_at_most=cap),
        staged=False,
        without=search.without,
        strengthenings=strengthenings,
    )
    result, last = solve_relaxed(search, m, seconds=left, tune=ONE_WAY, bounded=None)
    if result.infeasible:
        return True
    if result.why_stopped != "finished" or last is None or result.bound is None:
        return False
    if search.value is None or search.value > result.bound:
        complete(search, last, strengthenings)
    return search.value is not None and search.value <= result.bound

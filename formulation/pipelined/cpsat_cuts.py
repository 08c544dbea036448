"""Ways to cut and moves of layers: proofs for ``contiguous``, starts for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from formulation.pipelined import bounds
from formulation.pipelined.cpsat_build import build
from formulation.pipelined.cpsat_polish import better_chiplets
from formulation.pipelined.cpsat_search import (
    ONE_WAY,
    Search,
    complete,
    solve_relaxed,
    stopped,
)
from formulation.pipelined.cuts import FAR, Cutter, Way, cutter
from formulation.pipelined.cuts_near import balanced, nearest
from formulation.pipelined.symmetry import useful
from formulation.problem import on_chiplets

MOST_TRIALS = 48  # of T, until there are ways
# Of (layer, chiplet) pairs. On the first layers of the headline's models the whole
# model takes 0.2 s at 48 pairs (cuts and moves 1.1 s), at 64 it is slower than they.
SMALL = 48
MOST_ATTEMPTS, MOST_IDLE = 400, 120  # of moving layers; without success
BARREN = 8  # ways without a schedule, until one is looked for beyond T
TRY_SECONDS = 2.0  # for a way


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

    Where there are too many ways to list, or they have no schedule near T, one is
    looked for beyond T. Without ``contiguous`` the first schedule found within T is
    only one to start from.
    """
    group = useful(search.p) if "symmetry" in strengthenings else ()
    by = cutter(search.p, group)
    if by is None:
        return
    known, ways = _first_ways(search, by)
    descent = _Descent(search, by, strengthenings, (ways or balanced(by))[:1])
    if ways:
        _rounds(search, known, ways, descent)
    if not search.enough:
        descent.run()


def _rounds(
    search: Search, known: int, ways: list[Way] | None, descent: _Descent
) -> None:
    """Settle all ways of a trial T, and of a larger one, until one has a schedule.

    A round takes a trial T, the ways whose relaxed value is at most T, and asks
    CP-SAT of each for a schedule within T and below what is known. If the round has
    gone through all of them, nothing else is ≤ T; else T grows.
    """
    assert ways
    proves, asked = search.p.contiguous, 0
    if proves:
        search.raise_bound(ways[0].ticks)
    ticks, step = ways[0].ticks, 2048
    while step and not search.enough:
        ticks += -(-ticks // step)
        step //= 4
        if search.value is not None:
            ticks = min(ticks, search.value - 1)
        if ticks > known:
            known, ways = ticks, descent.by.ways(ticks)
        if ways is None:
            return
        for way in ways:
            if way.ticks > ticks:
                break
            settled = _way(search, way, ticks, descent.strengthenings)
            asked += 1
            found = search.value is not None and search.value <= ticks
            if found:
                descent.some = []  # what is near T is better
            if not settled or (found and not proves):
                return
            if asked % BARREN == 0:
                descent.step()
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


@dataclass
class _Descent:
    """From way to way while the period falls: a heuristic, for a first schedule.

    Parameters
    ----------
    some
        Ways to ask next.
    tried
        Chiplets of those that were asked.
    """

    search: Search
    by: Cutter
    strengthenings: frozenset[str]
    some: list[Way]
    tried: set[tuple[int, ...]] = field(default_factory=set)

    def step(self) -> bool:
        """Ask one more way, of any period below the best; whether there was one.

        From a way with a better schedule on, the ways next to it are the next ones.
        """
        search, value = self.search, self.search.value
        if not self.some or (value is not None and self.some[0].ticks >= value):
            return False
        way = self.some.pop(0)
        self.tried.add(way.chiplet)
        most = bounds.upper(search.p)
        _way(search, way, most, self.strengthenings, TRY_SECONDS)
        if search.value != value:
            near = nearest(self.by, way)
            self.some = [w for w in near if w.chiplet not in self.tried]
        return True

    def run(self) -> None:
        """Go on for half of the time that is left."""
        began = self.search.left()
        left = began
        while not stopped(self.search) and self.step():
            left = self.search.left()
            if left is not None and began is not None and left < began / 2:
                return


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


def _way(
    search: Search,
    way: Way,
    ticks: int,
    strengthenings: frozenset[str],
    most_seconds: float | None = None,
) -> bool:
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
    seconds = min((s for s in (left, most_seconds) if s is not None), default=None)
    result, last = solve_relaxed(search, m, seconds=seconds, tune=ONE_WAY, bounded=None)
    if result.infeasible:
        return True
    if result.why_stopped != "finished" or last is None or result.bound is None:
        return False
    if search.value is None or search.value > result.bound:
        complete(search, last, strengthenings)
    return search.value is not None and search.value <= result.bound

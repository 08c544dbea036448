"""Energy by ways to cut: best first, CP-SAT way by way (MODEL.md §4.9)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from formulation.pipelined.bounds import lower, upper
from formulation.pipelined.cpsat_build import build
from formulation.pipelined.cpsat_search import (
    ONE_WAY,
    Search,
    complete,
    solve_relaxed,
    stopped,
)
from formulation.pipelined.energy_cuts import EnergyCutter, Ways, energy_cutter
from formulation.pipelined.energy_sums import FAR
from formulation.pipelined.energy_ways import WholeWays
from formulation.pipelined.stages import earliest, latest
from formulation.pipelined.symmetry import useful
from formulation.problem import on_chiplets

if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_NODES = 100_000  # sets of ways that are looked at
MOST_SOLVED = 2_000  # ways that CP-SAT is asked for
MOST_KEPT = 100_000  # whole ways in the list
PROOF, START = 0.9, 0.6  # of the time, with ``contiguous`` and without
WAY_SECONDS = 2.0
FINE = 4096  # periods of a single way are split down to this part of the value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole way, with the periods of the set that it comes from."""

    chiplet: tuple[int, ...]
    some: Ways


Node = tuple[int, int, "Ways | Whole"]


def energy_cuttable(search: Search, strengthenings: frozenset[str]) -> bool:
    """Whether ways to cut say something of the target's energy."""
    needed = {"contiguous", "compute", "sram", "stage"}
    return (
        "energy_cuts" in strengthenings
        and search.target.quantity != "period"
        and not needed & search.without
    )


def by_energy(search: Search, strengthenings: frozenset[str]) -> None:
    """Prove the least energy of a ``contiguous`` problem by branching on ways to cut.

    Sets of ways are split, the one with the least bound first. Between, CP-SAT looks
    for schedules of the best way in sight. What is left in the list bounds the
    rest. Without ``contiguous`` there is only the schedule to start from.
    """
    group = useful(search.p) if "symmetry" in strengthenings else ()
    target, per_tick = search.target, 0
    if target.quantity == "sum":
        per_tick = target.weights[0] * search.p.energy_den // target.weights[1]
    by = energy_cutter(search.p, group, per_tick)
    if by is not None:
        _Branching(search, strengthenings, by).run()


@dataclass
class _Branching:
    """The list of what is not settled: (bound, number, set of ways or whole way).

    Bounds are worth `scale`·energy units + `per_tick`·T.
    """

    search: Search
    strengthenings: frozenset[str]
    by: EnergyCutter
    heap: list[Node] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=count)
    settled: set[tuple[int, ...]] = field(default_factory=set)
    patience: dict[tuple[int, ...], float] = field(default_factory=dict)
    solving: float = 0.0
    staged: set[tuple[int, ...]] = field(default_factory=set)
    nodes: int = 0
    asked: int = 0
    turn: bool = True

    def __post_init__(self) -> None:
        """Begin with all ways, and all periods that a better schedule may have."""
        search, target = self.search, self.search.target
        self.whole, self.scale, self.per_tick = WholeWays(self.by), 1, 0
        if target.quantity == "sum":
            self.scale = target.weights[1]
            self.per_tick = target.weights[0] * search.p.energy_den
        caps = [target.period_at_most]
        if "period_cap" not in search.without:
            caps.append(search.p.period_cap_ticks)
        if "latency_cap" not in search.without:
            caps += [m.latency_cap_ticks for m in search.p.models]
        most = min((cap for cap in caps if cap is not None), default=None)
        if most is None and self.per_tick:
            most = upper(search.p)
        least = max(lower(search.p, search.without), target.period_at_least)
        if most is None or most >= least:
            every = self.by.every(least, most)
            node = self._node(every, first=True)
            self.heap += [] if node is None else [node]

    def run(self) -> None:
        """Branch until everything is settled, or time or patience is over."""
        search, began = self.search, time.monotonic()
        share = PROOF if search.p.contiguous else START
        left = search.left()
        seconds = None if left is None else left * share
        while self.heap and not search.enough and not stopped(search):
            self._note(self.heap[0][0])
            spent = time.monotonic() - began
            late = seconds is not None and spent > seconds
            tired = self.nodes > MOST_NODES or self.asked > MOST_SOLVED
            if late or tired or search.enough:
                return
            bound, _, best = self.heap[0]
            if not self._open(bound):
                break
            if isinstance(best, Whole):
                self._settle(best, bound)
            elif self.turn and self.solving <= spent / 2:
                self._dive()
            elif not self._expand():
                return
            self.turn = not self.turn
        if not self.heap or not self._open(self.heap[0][0]):
            self._note(None)

    def _open(self, bound: int) -> bool:
        """Whether something of that bound can be better than what is known."""
        value = self.search.value
        return value is None or self.search.quanta(bound) < value

    def _note(self, bound: int | None) -> None:
        """Raise the search's bound; `None`: nothing is left below its value."""
        value = self.search.value
        if not self.search.p.contiguous:
            return
        if bound is None and value is not None:
            self.search.raise_bound(value)
        elif bound is not None:
            found = self.search.quanta(bound)
            self.search.raise_bound(found if value is None else min(found, value))

    def _node(
        self, some: Ways, at_least: int = 0, *, first: bool = False
    ) -> Node | None:
        """Return a set of ways with its bound; `None`: nothing better is in it."""
        self.nodes += 1
        look = self.by.best_priced if first else self.by.narrowed
        found = look(some, self._most(some))
        if found is None:
            return None
        bound = self._key(found[0], some)
        return max(bound, at_least), next(self.number), found[1]

    def _key(self, energy: int, some: Ways) -> int:
        """Return what a bound on the energy in a set is worth."""
        return self.scale * energy + self.per_tick * some.least_ticks

    def _most(self, some: Ways) -> int:
        """Return the largest energy in a set that is worth looking for."""
        value = self.search.value
        if value is None:
            return FAR
        most = (value - 1) * self.search.p.energy_den
        return (most - self.per_tick * some.least_ticks) // self.scale

    def _parts(self, some: Ways, bound: int, per_tick: int) -> list[Node] | None:
        """Return the halves of a set, least bound first; `None`: all are alike."""
        fine = max(1, bound // (self.scale * FINE))
        halves = self.by.halves(some, per_tick // self.scale, fine)
        if len(halves) == 1:
            return None
        first = halves[0].most_ticks != halves[1].most_ticks
        both = [self._node(half, bound, first=first) for half in halves]
        return sorted((x for x in both if x is not None), key=lambda x: x[:2])

    def _expand(self) -> bool:
        """Replace the best set by its halves, or by its whole ways; whether done."""
        bound, _, some = heappop(self.heap)
        assert isinstance(some, Ways)
        parts = self._parts(some, bound, self.per_tick // 32)
        for part in parts or ():
            heappush(self.heap, part)
        if parts is not None:
            return True
        most = self._most(some)
        for way in some.rows.tolist():
            for energy, chiplet in self.by.chiplets(some, way, most):
                value, whole = self._key(energy, some), Whole(chiplet, some)
                heappush(self.heap, (max(bound, value), next(self.number), whole))
                if len(self.heap) > MOST_KEPT:
                    heappush(self.heap, (bound, next(self.number), some))
                    return False
        return True

    def _dive(self) -> None:
        """Follow the better half down to one way, and solve its best whole way.

        Periods are not split: few ways can be as fast as the fastest.
        """
        node: Node | None = heappop(self.heap)
        while node is not None:
            bound, _, some = node
            assert isinstance(some, Ways)
            parts = self._parts(some, bound, 0)
            if parts is None:
                heappush(self.heap, node)
                way, most = int(some.rows[0]), self._most(some)
                first = next(self.by.chiplets(some, way, most), None)
                if first is not None:
                    whole = Whole(first[1], some)
                    self._solve(whole, self._better(whole))
                return
            node = parts[0] if parts else None
            for other in parts[1:]:
                heappush(self.heap, other)

    def _settle(self, whole: Whole, bound: int) -> None:
        """Raise the bound of the best whole way, or solve it, and leave it out."""
        better = self._better(whole)
        if better is None or better <= bound:
            better = self._solve(whole, better)
        heappop(self.heap)
        if better is not None:
            heappush(self.heap, (max(bound, better), next(self.number), whole))

    def _better(self, whole: Whole) -> int | None:
        """Return the better bound of a whole way, if it has one."""
        some = whole.some
        energy = self.whole.bound(whole.chiplet, some, self._most(some) + 1)
        return None if energy is None else self._key(energy, some)

    def _solve(self, whole: Whole, better: int | None) -> int | None:
        """Look for a better schedule of a whole way; return its bound if it stays open.

        Every time that it comes back it gets four times as long.

        Parameters
        ----------
        better
            Its better bound, if it has one.
        """
        chiplet = whole.chiplet
        if chiplet in self.settled:
            return None
        if better is not None and self._proposed(whole, better):
            return None
        began = time.monotonic()
        seconds = self.patience.get(chiplet, WAY_SECONDS)
        self.patience[chiplet] = 4 * seconds
        bound = self._ask(chiplet, seconds)
        if bound is None:
            self.settled.add(chiplet)
        self.solving += time.monotonic() - began
        return bound

    def _proposed(self, whole: Whole, better: int) -> bool:
        """Try the schedule that the bound of a way is made of; whether that settles it.

        It settles it for the periods that are asked for.
        """
        if self._open(better):
            found = self.whole.schedule(whole.chiplet, whole.some)
            if found is not None:
                for place in (earliest, latest):
                    self.search.offer(place(self.search.p, found))
        return not self._open(better)

    def _ask(self, chiplet: tuple[int, ...], seconds: float) -> int | None:
        """Ask without stages; of a way that cannot be given any, with them."""
        search = self.search
        self.asked += 1
        cap = None if search.value is None else search.value - 1
        staged = chiplet in self.staged
        m = build(
            on_chiplets(search.p, chiplet),
            replace(search.target, at_most=cap),
            staged=staged,
            without=search.without,
            strengthenings=self.strengthenings,
        )
        left = search.left()
        if left is not None:
            seconds = max(0.01, min(seconds, left))
        result, last = solve_relaxed(
            search, m, seconds=seconds, tune=ONE_WAY, bounded=None
        )
        if result.infeasible:
            return None
        found = result.bound or 0
        if result.why_stopped == "finished" and last is not None:
            bound = search.quanta(found)
            if not staged and (search.value is None or search.value > bound):
                complete(search, last, self.strengthenings)
            if search.value is not None and search.value <= bound:
                return None
            self.staged.add(chiplet)
        return found

"""Energy by ways to cut: best first, CP-SAT way by way (MODEL.md §4.9)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from formulation.pipelined.bounds import lower
from formulation.pipelined.cpsat_build import build
from formulation.pipelined.cpsat_search import (
    ONE_WAY,
    Search,
    complete,
    on_chiplets,
    solve_relaxed,
    stopped,
)
from formulation.pipelined.energy_cuts import EnergyCutter, Ways, energy_cutter
from formulation.pipelined.energy_ways import WholeWays
from formulation.pipelined.stages import earliest, latest
from formulation.pipelined.symmetry import useful

if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_NODES = 100_000  # sets of ways that are looked at
MOST_SOLVED = 2_000  # ways that CP-SAT is asked for
MOST_KEPT = 100_000  # whole ways in the list
PROOF, START = 0.9, 0.6  # of the time, with ``contiguous`` and without
WAY_SECONDS = 2.0

Node = tuple[int, int, "Ways | tuple[int, ...]"]


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
    target, n = search.target, len(search.p.chiplets)
    per_tick = 0
    if target.quantity == "sum":
        per_tick = target.weights[0] * search.p.energy_den // (target.weights[1] * n)
    group = useful(search.p) if "symmetry" in strengthenings else ()
    most = target.period_at_most
    by = energy_cutter(search.p, search.without, most, per_tick, group)
    if by is not None:
        _Branching(search, strengthenings, by).run()


@dataclass
class _Branching:
    """The list of what is not settled: (bound, number, set of ways or whole way)."""

    search: Search
    strengthenings: frozenset[str]
    by: EnergyCutter
    heap: list[Node] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=count)
    settled: set[tuple[int, ...]] = field(default_factory=set)
    patience: dict[tuple[int, ...], float] = field(default_factory=dict)
    better: dict[tuple[int, ...], int | None] = field(default_factory=dict)
    solving: float = 0.0
    staged: set[tuple[int, ...]] = field(default_factory=set)
    nodes: int = 0
    asked: int = 0
    turn: bool = True

    def __post_init__(self) -> None:
        """Begin with all ways.

        The target is at least (`scale`·energy units + `rest`) / `energy_den`, of the
        energy units that `by` bounds.
        """
        p, target = self.search.p, self.search.target
        self.whole, self.scale, self.rest = WholeWays(self.by), 1, 0
        if target.quantity == "sum":
            self.scale = target.weights[1]
            priced = self.scale * self.by.per_tick * len(p.chiplets)
            left = target.weights[0] * p.energy_den - priced
            self.rest = left * lower(p, self.search.without)

    def _worth(self, bound: int) -> int:
        """Return a bound in energy units in the target's unit."""
        return self.search.quanta(self.scale * bound + self.rest)

    def run(self) -> None:
        """Branch until everything is settled, or time or patience is over."""
        search, began = self.search, time.monotonic()
        share = PROOF if search.p.contiguous else START
        left = search.left()
        seconds = None if left is None else left * share
        self._put(self._node(self.by.every()))
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
            if isinstance(best, tuple):
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
        return value is None or self._worth(bound) < value

    def _note(self, bound: int | None) -> None:
        """Raise the search's bound; `None`: nothing is left below its value."""
        value = self.search.value
        if not self.search.p.contiguous:
            return
        if bound is None and value is not None:
            self.search.raise_bound(value)
        elif bound is not None:
            found = self._worth(bound)
            self.search.raise_bound(found if value is None else min(found, value))

    def _put(self, node: Node | None) -> None:
        if node is not None:
            heappush(self.heap, node)

    def _node(self, some: Ways, at_least: int = 0) -> Node | None:
        """Return a set of ways with its bound; `None`: impossible."""
        self.nodes += 1
        found = self.by.narrowed(some, self._most())
        if found is None:
            return None
        return max(found[0], at_least), next(self.number), found[1]

    def _expand(self) -> bool:
        """Replace the best set by its halves, or by its whole ways; whether done."""
        bound, _, ways = heappop(self.heap)
        assert not isinstance(ways, tuple)
        halves = self.by.halves(ways)
        if len(halves) == 2:
            for half in halves:
                self._put(self._node(half, bound))
            return True
        most = self._most()
        for way in ways.rows.tolist():
            for value, chiplet in self.by.chiplets(way, most):
                heappush(self.heap, (max(bound, value), next(self.number), chiplet))
                if len(self.heap) > MOST_KEPT:
                    heappush(self.heap, (bound, next(self.number), ways))
                    return False
        return True

    def _most(self) -> int:
        """Return the largest value in energy units that is worth listing."""
        value = self.search.value
        if value is None:
            return 2**60
        most = (value - 1) * self.search.p.energy_den - self.rest
        return most // self.scale

    def _dive(self) -> None:
        """Follow the better half down to one way, and solve its best whole way."""
        node: Node | None = heappop(self.heap)
        while node is not None:
            bound, _, ways = node
            assert not isinstance(ways, tuple)
            halves = self.by.halves(ways)
            if len(halves) == 1:
                self._put(node)
                first = next(self.by.chiplets(int(ways.rows[0]), self._most()), None)
                if first is not None:
                    better = self._better(first[1])
                    if better is None or self._open(better):
                        self._solve(first[1])
                return
            both = [self._node(half, bound) for half in halves]
            some = sorted((x for x in both if x is not None), key=lambda x: x[:2])
            node = some[0] if some else None
            for other in some[1:]:
                self._put(other)

    def _settle(self, chiplet: tuple[int, ...], bound: int) -> None:
        """Raise the bound of the best whole way, or solve it, and leave it out."""
        better = self._better(chiplet)
        if better is None or better <= bound:
            better = self._solve(chiplet)
        heappop(self.heap)
        if better is not None:
            heappush(self.heap, (max(bound, better), next(self.number), chiplet))

    def _better(self, chiplet: tuple[int, ...]) -> int | None:
        """Return the better bound of a whole way, if it has one."""
        if chiplet not in self.better:
            self.better[chiplet] = self.whole.bound(chiplet, self._enough())
        return self.better[chiplet]

    def _enough(self) -> int:
        """Return the bound of a whole way beyond which no better one is looked for.

        An exact one is worth its time where the energy alone counts.
        """
        return self._most() + 1 if self._alone else 0

    @property
    def _alone(self) -> bool:
        """Whether only the energy is asked for, and no period is too long."""
        return self.by.most_ticks is None and not self.by.per_tick

    def _solve(self, chiplet: tuple[int, ...]) -> int | None:
        """Look for a better schedule of a whole way; return its bound if it stays open.

        Every time that it comes back it gets four times as long.
        """
        if chiplet in self.settled:
            return None
        if self._proposed(chiplet):
            return None
        began = time.monotonic()
        seconds = self.patience.get(chiplet, WAY_SECONDS)
        self.patience[chiplet] = 4 * seconds
        bound = self._ask(chiplet, seconds)
        if bound is None:
            self.settled.add(chiplet)
        self.solving += time.monotonic() - began
        return bound

    def _proposed(self, chiplet: tuple[int, ...]) -> bool:
        """Try the schedule that the bound of a way is made of; whether that settles it.

        Only the first time.
        """
        better = self._better(chiplet)
        if better is None or chiplet in self.patience or not self._alone:
            return False
        if self._open(better) and (found := self.whole.schedule(chiplet)) is not None:
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
        return (found - self.rest) // self.scale

"""List scheduling: decide greedily by priority, then start everything early.

Nothing here proves anything: a schedule counts because the semantics accept it.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from formulation.choices import Choice, fitting
from formulation.decisions import DRAM, PACKAGE
from formulation.timed.bounds import run_ticks
from formulation.timed.calendar import Calendar
from formulation.timed.clock import timed
from formulation.timed.priorities import (
    Order,
    Ranks,
    chain,
    followers,
    least_ticks,
    transfer_ticks,
    upward,
)
from formulation.timed.schedule import Schedule
from formulation.timed.semantics import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.problem import Problem

LEVELS = (4, 3, 2, 1, 0)
"""How many quarters of the tensors, the smallest ones, stay on the package."""


def list_schedule(p: Problem) -> Iterator[Schedule]:
    """Yield valid schedules by list scheduling and by HEFT, at most one of each way."""
    for ranks, inserted in ((chain(p), False), (upward(p), True)):
        for order, some in ways(p, ranks, inserted=inserted):
            for s in some:
                made = in_order(p, s, order)
                if not evaluate(p, made).violations:
                    yield made
                    break


def ways(
    p: Problem, ranks: Ranks, *, inserted: bool = False
) -> Iterator[tuple[Order, Iterator[Schedule]]]:
    """Yield ways to decide and to order, each with decisions to try in turn.

    Those of a way differ in what goes over DRAM: as far as it takes to fit L2.

    Parameters
    ----------
    inserted
        See `decide`.
    """
    dates = (False, True) if any(p.timing.due_ticks) else (False,)
    several = any(len(rounds) > 1 for rounds in p.timing.releases)
    turns = (False, True) if several else (False,)
    for apart, resident in product((True, False), (True, False)):
        where = places_of(p, ranks, apart=apart)
        if where is None:
            continue
        for due, in_turn in product(dates, turns):
            some = tries(p, ranks, where, resident=resident, inserted=inserted)
            yield Order(ranks, due, in_turn), some


def tries(
    p: Problem,
    ranks: Ranks,
    where: Sequence[Sequence[int]],
    *,
    resident: bool,
    inserted: bool = False,
) -> Iterator[Schedule]:
    """Yield what is decided with more and more over DRAM (`decide`)."""
    for level in LEVELS:
        s = decide(p, ranks, where, resident=resident, level=level, inserted=inserted)
        if s is not None:
            yield s


def in_order(p: Problem, s: Schedule, order: Order) -> Schedule:
    """Return decisions with times: runs by date, then by rank."""

    def key(t: int, k: int) -> tuple[int, ...]:
        model = p.tasks[t].model
        by, date = p.timing.releases[model][k], p.timing.due_ticks[model]
        date = by + (date or 0) * order.due
        return date, k * order.in_turn, -order.ranks[t]

    return timed(p, s, key)


# Decisions


def places_of(
    p: Problem, ranks: Ranks, *, apart: bool
) -> tuple[tuple[int, ...], ...] | None:
    """Return the chiplets that each layer may be on; `None`: one model has none.

    Parameters
    ----------
    apart
        Whether layers of a model may be on several chiplets. Else each goes, by the
        rank of its first layer, to the one with the least work so far.
    """
    if apart:
        return tuple(p.supported(t) for t in range(len(p.tasks)))
    load = [0] * len(p.chiplets)
    homes: dict[int, int] = {}
    for m in sorted(range(len(p.models)), key=lambda m: -ranks[p.models[m].first]):
        tasks = p.models[m].tasks
        able = set.intersection(*(set(p.supported(t)) for t in tasks))
        able -= set(homes.values()) if p.exclusive else set()
        if not able:
            return None
        homes[m] = min(able, key=lambda c: (load[c], c))
        load[homes[m]] += sum(least_ticks(p, t) for t in tasks)
    return tuple((homes[task.model],) for task in p.tasks)


def decide(
    p: Problem,
    ranks: Ranks,
    where: Sequence[Sequence[int]],
    *,
    resident: bool,
    level: int,
    inserted: bool = False,
) -> Schedule | None:
    """Return decisions without times; `None` if some layer fits nowhere.

    Of those whose producers are decided, the layer of the largest rank takes the
    chiplet and choice with which it is done first, if nothing but chiplets and
    latencies is short.

    Parameters
    ----------
    where
        The chiplets that each layer may be on.
    resident
        Whether weights stay in L2 as long as there is room.
    level
        See `LEVELS`.
    inserted
        Whether a run may come before one that was placed earlier, and transfers count
        with the time that they take (HEFT).
    """
    sizes = sorted(u.bytes for u in p.tensors if u.placed)
    most = sizes[level * len(sizes) // 4 - 1] if sizes and level else -1
    place = tuple(
        (PACKAGE if u.bytes <= most else DRAM) if u.placed else None for u in p.tensors
    )
    resident = resident and p.timing.weights != "streamed"
    state = _Greedy(p, place, resident=resident, inserted=inserted)
    for t in _topological(p, ranks):
        if not state.take(t, where[t]):
            return None
    return Schedule(
        tuple(c for c, _ in state.taken),
        tuple(k.mode for _, k in state.taken),
        tuple(k.resident for _, k in state.taken),
        place,
        (),
        (),
        (),
        (),
    )


def _topological(p: Problem, ranks: Ranks) -> Iterator[int]:
    """Yield the layers by rank, each after its producers."""
    left = {
        t: {p.tensors[u].producer for u in task.inputs} - {None}
        for t, task in enumerate(p.tasks)
    }
    while left:
        t = max((t for t, some in left.items() if not some), key=lambda t: ranks[t])
        del left[t]
        for j in followers(p, t):
            left[j].discard(t)
        yield t


class _Greedy:
    """What is decided so far: per task (chiplet, choice), and the ends of its runs."""

    def __init__(
        self,
        p: Problem,
        place: tuple[str | None, ...],
        *,
        resident: bool,
        inserted: bool,
    ) -> None:
        self.p, self.place = p, place
        self.resident, self.inserted = resident, inserted
        self.calendar = Calendar()
        self.room = [c.l2_bytes // 2 for c in p.chiplets]
        self.done: list[list[int]] = [[] for _ in p.tasks]
        nothing = Choice(0, None, 0, 0, (), 0, 0)
        self.taken = [(-1, nothing)] * len(p.tasks)

    def take(self, t: int, where: Sequence[int]) -> bool:
        """Decide a layer; say whether it fits anywhere."""
        p = self.p
        rounds = range(len(p.timing.releases[p.tasks[t].model]))
        best: tuple[tuple[int, int, int, int], Choice, list[int]] | None = None
        for c in where:
            ready = [self._ready(t, k, c) for k in rounds]
            for n, choice in enumerate(fitting(p, t, c)):
                if choice.resident and not (
                    self.resident and choice.resident_bytes <= self.room[c]
                ):
                    continue
                ticks = run_ticks(p, t, c, choice)
                done = self._done(c, ready, ticks)
                key = (max(done), choice.energy, c, n)
                if best is None or key < best[0]:
                    best = key, choice, done
        if best is None:
            return False
        (_, _, c, _), choice, self.done[t] = best
        ticks = run_ticks(p, t, c, choice)
        for end in self.done[t]:
            self.calendar.take(end - ticks, [(("chiplet", c), (0, ticks))])
        self.room[c] -= choice.resident_bytes
        self.taken[t] = (c, choice)
        return True

    def _done(self, c: int, ready: list[int], ticks: int) -> list[int]:
        """Return when the runs of all rounds are done on a chiplet, one by one."""
        here, since, found = ("chiplet", c), 0, []
        if not self.inserted:
            since = self.calendar.end(here)
        for start in ready:
            at = self.calendar.slot(max(start, since), [(here, (0, ticks))])
            since = at + ticks
            found.append(since)
        return found

    def _ready(self, t: int, k: int, d: int) -> int:
        """Return about when a run can start on a chiplet."""
        p = self.p
        ready = p.timing.releases[p.tasks[t].model][k]
        for u in p.tasks[t].inputs:
            i = p.tensors[u].producer
            if i is None:
                continue
            c = self.taken[i][0]
            lag = p.dram_ticks if self.place[u] == DRAM else 0
            if self.place[u] == PACKAGE and c != d:
                lag = p.route_ticks[c][d]
                if self.inserted:
                    lag = transfer_ticks(p, u, c, d)
            ready = max(ready, self.done[i][k] + lag)
        return ready

"""List scheduling: decide greedily, then start everything as early as it can.

Nothing here proves anything: a schedule counts because the semantics accept it.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from formulation.choices import Choice, fitting
from formulation.decisions import DRAM, PACKAGE
from formulation.timed.bounds import run_ticks
from formulation.timed.movements import Traffic, moves, passes, ticks_alone, traffic_of
from formulation.timed.schedule import Schedule, Transfer
from formulation.timed.semantics import evaluate
from formulation.traffic import is_dram, task_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.problem import Problem
    from formulation.timed.schedule import Span

LEVELS = (4, 3, 2, 1, 0)
"""How many quarters of the tensors, the smallest ones, stay on the package."""


def list_schedule(p: Problem) -> Iterator[Schedule]:
    """Yield valid schedules: over ways to decide and priorities, at most one of each.

    Tensors go over DRAM and weights are streamed as far as it takes to fit L2.
    """
    for apart in (True, False):
        for resident in (True, False):
            for due in (False, True):
                for level in LEVELS:
                    s = _decide(p, apart=apart, resident=resident, level=level)
                    if s is None:
                        break
                    made = _Clock(p, s).decode(due=due)
                    if not evaluate(p, made).violations:
                        yield made
                        break


def _ranks(p: Problem) -> list[int]:
    """Return, per task, the longest chain of shortest runs from it on."""
    ranks = [0] * len(p.tasks)
    for t in reversed(range(len(p.tasks))):
        after = [ranks[j] for u in p.tasks[t].outputs for j in p.tensors[u].consumers]
        ticks = [
            run_ticks(p, t, c, k) for c in p.supported(t) for k in fitting(p, t, c)
        ]
        ranks[t] = min(ticks, default=0) + max(after, default=0)
    return ranks


def _decide(p: Problem, *, apart: bool, resident: bool, level: int) -> Schedule | None:
    """Return decisions without times; `None` if some layer fits nowhere.

    Layers in the order of their ranks each take the chiplet and choice with which they
    are done first, if nothing but chiplets and latencies is short.

    Parameters
    ----------
    apart
        Whether layers of a model may be on several chiplets.
    resident
        Whether weights stay in L2 as long as there is room.
    level
        See `LEVELS`.
    """
    sizes = sorted(u.bytes for u in p.tensors if u.placed)
    most = sizes[level * len(sizes) // 4 - 1] if sizes and level else -1
    place = tuple(
        (PACKAGE if u.bytes <= most else DRAM) if u.placed else None for u in p.tensors
    )
    state = _Greedy(p, place, resident=resident and p.timing.weights != "streamed")
    ranks = _ranks(p)
    homes: dict[int, int] = {}
    for t in sorted(range(len(p.tasks)), key=lambda t: (-ranks[t], t)):
        model = p.tasks[t].model
        if not apart and model not in homes:
            shared = [set(p.supported(i)) for i in p.models[model].tasks]
            some = set.intersection(*shared)
            if p.exclusive:
                some -= set(homes.values())
            if not some:
                return None
            homes[model] = min(some, key=lambda c: (state.free[c], c))
        where = p.supported(t) if apart else (homes[model],)
        if not state.take(t, where):
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


class _Greedy:
    """What is decided so far: per task (chiplet, choice) and when it is done."""

    def __init__(
        self, p: Problem, place: tuple[str | None, ...], *, resident: bool
    ) -> None:
        self.p, self.place, self.resident = p, place, resident
        self.free = [0] * len(p.chiplets)
        self.room = [c.l2_bytes // 2 for c in p.chiplets]
        self.done = [0] * len(p.tasks)
        nothing = Choice(0, None, 0, 0, (), 0, 0)
        self.taken = [(-1, nothing)] * len(p.tasks)

    def take(self, t: int, where: tuple[int, ...]) -> bool:
        """Decide a layer; say whether it fits anywhere."""
        p = self.p
        rounds = len(p.timing.releases[p.tasks[t].model])
        offers = []
        for c in where:
            start = max(
                self.free[c], *(self._ready(u, c) for u in p.tasks[t].inputs), 0
            )
            for n, k in enumerate(fitting(p, t, c)):
                if not k.resident or (
                    self.resident and k.resident_bytes <= self.room[c]
                ):
                    done = start + rounds * run_ticks(p, t, c, k)
                    offers.append(((done, k.energy, c, n), c, k))
        if not offers:
            return False
        key, c, k = min(offers, key=lambda offer: offer[0])
        self.done[t] = self.free[c] = key[0]
        self.room[c] -= k.resident_bytes
        self.taken[t] = (c, k)
        return True

    def _ready(self, u: int, d: int) -> int:
        """Return about when a tensor can be used on a chiplet."""
        i = self.p.tensors[u].producer
        if i is None:
            return 0
        c = self.taken[i][0]
        lag = self.p.dram_ticks if self.place[u] == DRAM else 0
        if self.place[u] == PACKAGE and c not in (d, -1):
            lag = self.p.route_ticks[c][d]
        return self.done[i] + lag


@dataclass
class _Clock:
    """Times for given decisions: everything as early as what is there lets it.

    `busy` holds the sorted spans of chiplets and, with ``exact``, of resources.
    """

    p: Problem
    s: Schedule
    busy: dict[tuple[str, int], list[Span]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Work out what moves."""
        p = self.p
        rounds = [range(len(p.timing.releases[task.model])) for task in p.tasks]
        self.traffic: Traffic = traffic_of(p, self.s)
        self.starts = [[0 for _ in some] for some in rounds]
        self.ends = [[0 for _ in some] for some in rounds]
        self.streams: list[list[Span | None]] = [[None for _ in x] for x in rounds]
        self.loads: list[Span | None] = [None] * len(p.tasks)
        self.sent: list[list[tuple[Transfer, ...]]] = [
            [() for _ in p.timing.releases[u.model]] for u in p.tensors
        ]

    def decode(self, *, due: bool) -> Schedule:
        """Return the schedule that takes runs by priority, each as early as it can.

        Of those whose producers are done: by release (with `due`: by due date), then by
        the longest chain that follows.
        """
        p, ranks = self.p, _ranks(self.p)
        waits: dict[tuple[int, int], int] = {}
        ready: list[tuple[int, int, int, int]] = []

        def key(t: int, k: int) -> tuple[int, int, int, int]:
            model = p.tasks[t].model
            by, date = p.timing.releases[model][k], p.timing.due_ticks[model]
            return by + (date or 0) * due, -ranks[t], t, k

        for t, task in enumerate(p.tasks):
            made = [u for u in task.inputs if p.tensors[u].producer is not None]
            for k in range(len(p.timing.releases[task.model])):
                waits[t, k] = len(made)
                if not made:
                    ready.append(key(t, k))
        heapify(ready)
        while ready:
            *_, t, k = heappop(ready)
            self._run(t, k)
            for u in p.tasks[t].outputs:
                for j in p.tensors[u].consumers:
                    waits[j, k] -= 1
                    if not waits[j, k]:
                        heappush(ready, key(j, k))
        return replace(
            self.s,
            runs=tuple(map(tuple, self.starts)),
            streams=tuple(map(tuple, self.streams)),
            loads=tuple(self.loads),
            transfers=tuple(map(tuple, self.sent)),
        )

    def _slot(self, ready: int, holds: list[tuple[tuple[str, int], Span]]) -> int:
        """Return the first start from `ready` on at which everything is free."""
        start, moved = ready, True
        while moved:
            moved = False
            for what, (first, last) in holds:
                for a, b in self.busy.get(what, ()):
                    if first < last and a < start + last and start + first < b:
                        start, moved = b - first, True
        return start

    def _take(self, start: int, holds: list[tuple[tuple[str, int], Span]]) -> None:
        for what, (first, last) in holds:
            if first < last:
                insort(self.busy.setdefault(what, []), (start + first, start + last))

    def _held(self, held: dict[int, Span]) -> list[tuple[tuple[str, int], Span]]:
        if self.p.timing.contention != "exact":
            return []
        return [(("resource", r), span) for r, span in held.items()]

    def _at_once(self, units: dict[int, int]) -> tuple[int, dict[int, Span]]:
        """Return q and what a stream or load holds."""
        q = ticks_alone(self.p, units)
        return q, {r: (0, q) for r, n in units.items() if n}

    def _run(self, t: int, k: int) -> None:
        """Place a run with its stream, its load before it, its transfers after it."""
        p, s = self.p, self.s
        ready = p.timing.releases[p.tasks[t].model][k]
        brought = self.traffic.loads[t]
        if brought is not None:
            q, held = self._at_once(brought.units)
            if self.loads[t] is None:
                first = self._slot(0, self._held(held))
                self._take(first, self._held(held))
                self.loads[t] = (first, first + q)
            ready = max(ready, (self.loads[t] or (0, 0))[1])
        ready = max([ready, *(self._usable(u, t, k) for u in p.tasks[t].inputs)])
        own = self.traffic.streams[t]
        q, held = self._at_once(own.units)
        long = max(task_mode(p, s, t).latency_ticks, q)
        run = [(("chiplet", s.chiplet[t]), (0, long))]
        start = self._slot(ready, run)
        x = self._slot(start, self._held(held))
        while x + q > start + long:
            start = self._slot(x + q - long, run)
            x = self._slot(start, self._held(held))
        self._take(start, run)
        self._take(x, self._held(held))
        self.starts[t][k], self.ends[t][k] = start, start + long
        if moves(own):
            self.streams[t][k] = (x, x + q)
        for u in p.tasks[t].outputs:
            self._send(u, k, start + long)

    def _send(self, u: int, k: int, made: int) -> None:
        """Place the transfers of a tensor."""
        here = self.s.chiplet[self.p.tensors[u].producer or 0]
        found = []
        for to, sent in self.traffic.sends[u]:
            held = passes(self.p, here, to, sent.units)
            start = self._slot(made, self._held(held))
            self._take(start, self._held(held))
            q = max((until for _, until in held.values()), default=0)
            found.append(Transfer(to, (start, start + q)))
        self.sent[u][k] = tuple(found)

    def _usable(self, u: int, t: int, k: int) -> int:
        """Return when a layer can start to use a tensor."""
        i = self.p.tensors[u].producer
        if i is None:
            return 0
        made, c, d = self.ends[i][k], self.s.chiplet[i], self.s.chiplet[t]
        if is_dram(self.p, self.s, u):
            return made + self.p.dram_ticks
        for move in self.sent[u][k]:
            if d in move.to:
                return move.span[1] + self.p.route_ticks[c][d]
        return made

"""Times for given decisions: everything as early as what is there lets it.

Nothing here proves anything: a schedule counts because the semantics accept it.
"""

from __future__ import annotations

from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from formulation.timed.calendar import Calendar
from formulation.timed.movements import moves, passes, ticks_alone, traffic_of
from formulation.timed.schedule import Transfer
from formulation.traffic import is_dram, task_mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.problem import Problem
    from formulation.timed.calendar import Hold
    from formulation.timed.movements import Traffic
    from formulation.timed.schedule import Schedule, Span

    Key = Callable[[int, int], tuple[int, ...]]


def timed(p: Problem, s: Schedule, key: Key) -> Schedule:
    """Return the schedule that takes runs in the order of a key.

    Of those whose producers are done, the run (task, round) of the least key comes
    first, with its load before it, its stream in it and its transfers after it, each as
    early as what is free lets it. What is short of L2 is not seen. With ``fluid`` all
    of it moves alone, at full speed.
    """
    return _Clock(p, s).decode(key)


class _Clock:
    """Times so far, per task or tensor and round."""

    def __init__(self, p: Problem, s: Schedule) -> None:
        self.p, self.s, self.calendar = p, s, Calendar()
        self.traffic: Traffic = traffic_of(p, s)
        rounds = [range(len(p.timing.releases[task.model])) for task in p.tasks]
        self.starts = [[0 for _ in some] for some in rounds]
        self.ends = [[0 for _ in some] for some in rounds]
        self.streams: list[list[Span | None]] = [[None for _ in x] for x in rounds]
        self.loads: list[Span | None] = [None] * len(p.tasks)
        self.sent: list[list[tuple[Transfer, ...]]] = [
            [() for _ in p.timing.releases[u.model]] for u in p.tensors
        ]

    def decode(self, key: Key) -> Schedule:
        """Place all runs, and with them all else."""
        p = self.p
        waits: dict[tuple[int, int], int] = {}
        ready: list[tuple[tuple[int, ...], int, int]] = []
        for t, task in enumerate(p.tasks):
            made = [u for u in task.inputs if p.tensors[u].producer is not None]
            for k in range(len(p.timing.releases[task.model])):
                waits[t, k] = len(made)
                if not made:
                    ready.append((key(t, k), t, k))
        heapify(ready)
        while ready:
            _, t, k = heappop(ready)
            self._run(t, k)
            for u in p.tasks[t].outputs:
                for j in p.tensors[u].consumers:
                    waits[j, k] -= 1
                    if not waits[j, k]:
                        heappush(ready, (key(j, k), j, k))
        return replace(
            self.s,
            runs=tuple(map(tuple, self.starts)),
            streams=tuple(map(tuple, self.streams)),
            loads=tuple(self.loads),
            transfers=tuple(map(tuple, self.sent)),
        )

    def _held(self, held: dict[int, Span]) -> list[Hold]:
        if self.p.timing.contention == "none":
            return []
        return [(("resource", r), span) for r, span in held.items()]

    def _at_once(self, units: dict[int, int]) -> tuple[int, list[Hold]]:
        """Return q and what a stream or load holds."""
        q = ticks_alone(self.p, units)
        return q, self._held({r: (0, q) for r, n in units.items() if n})

    def _run(self, t: int, k: int) -> None:
        """Place a run with its stream, its load before it, its transfers after it."""
        p, s, calendar = self.p, self.s, self.calendar
        ready = p.timing.releases[p.tasks[t].model][k]
        brought = self.traffic.loads[t]
        if brought is not None:
            q, held = self._at_once(brought.units)
            if self.loads[t] is None:
                first = calendar.slot(0, held)
                calendar.take(first, held)
                self.loads[t] = (first, first + q)
            ready = max(ready, (self.loads[t] or (0, 0))[1])
        ready = max([ready, *(self._usable(u, t, k) for u in p.tasks[t].inputs)])
        own = self.traffic.streams[t]
        q, held = self._at_once(own.units)
        long = max(task_mode(p, s, t).latency_ticks, q)
        run: list[Hold] = [(("chiplet", s.chiplet[t]), (0, long))]
        start = calendar.slot(ready, run)
        x = calendar.slot(start, held)
        while x + q > start + long:
            start = calendar.slot(x + q - long, run)
            x = calendar.slot(start, held)
        calendar.take(start, run)
        calendar.take(x, held)
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
            passed = passes(self.p, here, to, sent.units)
            held = self._held(passed)
            start = self.calendar.slot(made, held)
            self.calendar.take(start, held)
            q = max((until for _, until in passed.values()), default=0)
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

"""The relaxation holds every valid schedule, and its bounds hold for all of them.

The strongest test is row by row: each valid schedule, written out as a point by the
semantics' own traffic, satisfies every row and every column's bounds, exactly.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from formulation.dual import Linear, recompute
from formulation.engines.lp import multipliers
from formulation.outcome import Target
from formulation.pipelined import traffic
from formulation.pipelined.choices import choices
from formulation.pipelined.relaxation import relaxation
from formulation.pipelined.schedule import DRAM
from formulation.pipelined.semantics import evaluate
from tests import oracle
from tests.random_schedules import cases, problem
from tests.support import tiny
from tests.tiny_random import CYCLE

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

CHUNK = len(CYCLE)
SEEDS = range(4 * CHUNK)
Key = tuple[object, ...]


class Point:
    """A valid schedule as values of columns; what is not set is 0."""

    def __init__(self, p: Problem, s: Schedule, period: int) -> None:
        self.p, self.s = p, s
        self.at: dict[Key, int] = {("T",): period}
        for t in range(len(p.tasks)):
            self.layer(t)
        for u, tensor in enumerate(p.tensors):
            if tensor.placed and s.place[u] == DRAM:
                self.at["made", u, s.chiplet[tensor.producer]] = 1
            elif tensor.placed:
                self.transfer(u)
        for c, used in enumerate(evaluate(p, s).sram):
            self.at["kept", c] = used.resident_bytes + self.moving(c)

    def layer(self, t: int) -> None:
        p, s, c = self.p, self.s, self.s.chiplet[t]
        mode = traffic.task_mode(p, s, t)
        ways = choices(p, t, c)
        n = next(
            n
            for n, k in enumerate(ways)
            if (k.mode, k.resident) == (s.mode[t], s.resident[t])
        )
        self.at["pick", t, c, n] = 1
        took = traffic.duration(p, s, t, traffic.stream(p, s, t))
        self.at["stretch", t, c] = took - ways[n].ticks
        for u, again in zip(p.tasks[t].inputs, mode.ri_bytes, strict=True):
            producer = p.tensors[u].producer
            if producer is not None and s.place[u] == DRAM:
                home = p.chiplets[s.chiplet[producer]].home if p.private else None
                self.at["read", u, t, c, p.tensors[u].bytes + again, home] = 1
        if any(s.place[u] == DRAM for u in p.tasks[t].outputs):
            self.at["again", t, c, mode.ro_bytes] = 1

    def transfer(self, u: int) -> None:
        p, here = self.p, self.s.chiplet[self.p.tensors[u].producer]
        to = traffic.destinations(p, self.s, u)
        for d in to:
            self.at["leaves", u, here] = 1
            self.at["sent", u, here, d] = 1
            for link in p.routes[here][d]:
                self.at["over", u, here, link] = 1

    def moving(self, c: int) -> int:
        """Bytes of the buffers of tensors that come to or leave a chiplet."""
        return sum(
            traffic.copies(self.p, self.s, u).get(c, 0) * tensor.bytes
            for u, tensor in enumerate(self.p.tensors)
            if traffic.destinations(self.p, self.s, u) and not self.p.residents_only
        )

    def energy(self) -> int:
        return evaluate(self.p, self.s).energy_quanta

    def broken(self, program: Linear) -> list[str]:
        """Names of rows and columns that the point does not satisfy."""
        at = [self.at.get(key, 0) for key in program.keys]
        box = zip(program.keys, program.low, at, program.high, strict=True)
        found = [str(key) for key, low, x, high in box if not low <= x <= high]
        for row in program.rows.values():
            left = sum(k * at[j] for j, k in row.terms)
            if left < row.right or (row.equal and left != row.right):
                found.append(row.name)
        return found

    def objective(self, program: Linear) -> int:
        """The quantity that the program gives the point."""
        pairs = zip(program.keys, program.cost, strict=True)
        total = sum(k * self.at.get(key, 0) for key, k in pairs)
        return -(-total // program.unit)


@cache
def best(seed: int, objective: str) -> tuple[int, ...] | None:
    return oracle.solve(tiny(seed).instance, objective)


def bound(p: Problem, target: Target) -> int:
    program = relaxation(p, target)
    return recompute(program, multipliers(program))


@pytest.mark.parametrize("first", range(0, 8 * CHUNK, CHUNK))
def test_every_valid_schedule_satisfies_every_row(first: int) -> None:
    """And is worth what the semantics say, in period and in energy."""
    seen = 0
    for seed in range(first, first + CHUNK):
        p = problem(seed).problem
        for case in cases(seed):
            if case.broken or case.period is not None:
                continue
            worth = evaluate(p, case.schedule)
            caps = worth.period_ticks, worth.energy_quanta
            for quantity, value in zip(("period", "energy"), caps, strict=True):
                program = relaxation(p, Target(quantity, *caps))
                point = Point(p, case.schedule, worth.period_ticks)
                assert point.broken(program) == [], seed
                assert point.objective(program) == value, seed
            seen += 1
    assert seen > CHUNK


@pytest.mark.parametrize("quantity", ["period", "energy"])
def test_bounds_hold(quantity: str) -> None:
    """Never above the oracle's optimum; met in some, better than no bound in most."""
    met = 0
    for seed in SEEDS:
        found = best(seed, quantity)
        if found is not None:
            low = bound(tiny(seed).problem, Target(quantity))
            assert low <= found[0], seed
            met += low == found[0]
    assert len(SEEDS) > 200
    assert met > 20

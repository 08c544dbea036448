"""Pipelined schedules as timed ones: at their own period, or at a stretched one."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from formulation.outcome import Limits
from formulation.pipelined.schedule import from_dict
from formulation.pipelined.semantics import evaluate as pipelined_worth
from formulation.timed.cpsat_stretch import Periods, Stretched, stretch, unrolled
from formulation.timed.semantics import evaluate
from formulation.timed.unroll import unroll
from instances.load import load_instance
from tests import oracle_timed as oracle
from tests.support import problem_of
from tests.test_oracle_timed import network, problem, row
from tests.tiny_random import CYCLE
from tests.unrolled import LIMITS, pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

ROUNDS = (1, 2, 5)
EXAMPLE = "tests/tiny/option-guaranteed.yaml"


def assert_unrolls(p: Problem, s: Schedule, rounds: int) -> None:
    made = unroll(p, s, rounds)
    found = evaluate(made.problem, made.schedule)
    assert found.violations == ()
    worth = pipelined_worth(p, s)
    latest = max(worth.latency_ticks) + (rounds - 1) * worth.period_ticks
    assert made.most_ticks == latest
    assert found.worth.makespan_ticks <= latest


def test_guaranteed_schedules_unroll() -> None:
    """With fluid contention, without latencies: always, and as soon as promised."""
    some = pairs(range(len(CYCLE)), guaranteed=True)
    assert len(some) > 100
    for n, (p, s) in enumerate(some):
        assert_unrolls(p, s, ROUNDS[n % len(ROUNDS)])


@pytest.mark.long
def test_many_guaranteed_schedules_unroll() -> None:
    some = pairs(range(20 * len(CYCLE)), guaranteed=True)
    assert len(some) > 2000
    for p, s in some:
        for rounds in ROUNDS:
            assert_unrolls(p, s, rounds)


def test_the_promise_needs_the_option() -> None:
    """Without ``guaranteed``, or with latencies, some schedules are refused."""
    for latency, rule in ((False, "bandwidth"), (True, "precedence")):
        broken = set()
        for p, s in pairs(range(len(CYCLE)), guaranteed=latency, latency=latency):
            made = unroll(p, s, 3)
            broken |= {v.rule for v in evaluate(made.problem, made.schedule).violations}
        assert broken == {rule}


# The example of MODEL.md §2


def example(*, guaranteed: bool) -> tuple[Problem, Schedule]:
    instance = load_instance(EXAMPLE)
    p = problem_of(
        replace(instance, options=replace(instance.options, guaranteed=guaranteed))
    )
    where = {"m": 0, "n": 1}
    layers = {
        name: {"chiplet": where[name[0]], "mode": 0, "stage": 0}
        for name in map(p.full_name, range(len(p.tasks)))
    }
    return p, from_dict(p, {"layers": layers, "places": {}})


def test_two_chiplets_at_one_interface() -> None:
    """20 by the rules of §2, 25 in fact: between two streams of m lie 5 idle ticks.

    A period of m: 5 streamed, 5 idle, 5 streamed, idle. n's stream of 10 fits between
    streams of m only if one gap has 10 ticks: 5 + 5 + 5 + 10.
    """
    p, s = example(guaranteed=False)
    assert pipelined_worth(p, s).period_ticks == 20
    found = stretch(p, s, LIMITS)
    assert (found.from_ticks, found.period_ticks, found.bound_ticks) == (20, 25, 25)
    assert found.factor == 1.25
    refused = unroll(p, s, 2)
    broken = evaluate(refused.problem, refused.schedule).violations
    assert {v.rule for v in broken} == {"bandwidth"}


def test_two_chiplets_with_their_shares() -> None:
    """With ``guaranteed`` 30, which is enough as it stands, and more than is needed."""
    p, s = example(guaranteed=True)
    assert pipelined_worth(p, s).period_ticks == 30
    assert_unrolls(p, s, 4)
    assert stretch(p, s, LIMITS).period_ticks == 30


# Stretching


def test_a_wait_for_dram_stretches() -> None:
    """x runs 3 ticks, then 4 of DRAM latency, then y 2: 9, where §2 has 3 + 2.

    A stage apart the latency is hidden: x in one period, y in the next one, where it
    comes after x of the next round.
    """
    p = problem(
        [network("x y", [("x", "y", 4)])], [row("x", 3), row("y", 2)], dram_latency=4
    )
    for later, least in ((0, 9), (1, 5)):
        layers = {
            f"m/{name}": {"chiplet": 0, "mode": 0, "stage": sigma}
            for name, sigma in (("x", 0), ("y", later))
        }
        s = from_dict(p, {"layers": layers, "places": {"m/t0": "dram"}})
        found = stretch(p, s, LIMITS)
        assert (found.from_ticks, found.period_ticks) == (5, least)


def least_by_hand(p: Problem, s: Schedule, most: int) -> int | None:
    """Return the least period of layers that only stream, by trying all starts.

    Streams take part of a run; all go through one interface of 1 byte a tick.
    """
    q = [sum(p.tensors[u].bytes for u in task.inputs) for task in p.tasks]
    long = [
        max(task.modes[c][0].latency_ticks, q[t])
        for t, (task, c) in enumerate(zip(p.tasks, s.chiplet, strict=True))
    ]
    m, n = (model.tasks for model in p.models)
    for period in range(pipelined_worth(p, s).period_ticks, most):
        for first in starts(long[m.start : m.stop], period):
            for second in starts(long[n.start : n.stop], period):
                if _streams_fit((*first, *second), q, long):
                    return period
    return None


def starts(long: list[int], period: int, since: int = 0) -> Iterator[tuple[int, ...]]:
    """Yield the starts of runs one after another within a period."""
    if not long:
        yield ()
        return
    for x in range(since, period - sum(long) + 1):
        for rest in starts(long[1:], period, x + long[0]):
            yield (x, *rest)


def _streams_fit(at: tuple[int, ...], q: list[int], long: list[int]) -> bool:
    """Whether streams can be put into runs that start then; none crosses a period."""

    def put(t: int, taken: frozenset[int]) -> bool:
        if t == len(at):
            return True
        for x in range(at[t], at[t] + long[t] - q[t] + 1):
            own = set(range(x, x + q[t]))
            if not own & taken and put(t + 1, taken | own):
                return True
        return False

    return put(0, frozenset())


def two_that_stream(seed: int) -> tuple[Problem, Schedule]:
    """m streams and is idle, twice; n once: at one interface of 1 byte a tick."""
    rng = Random(seed)
    first, second, idle, wait = (rng.randint(1, 3) for _ in range(4))
    once = first + second + rng.randint(-1, 1)
    sizes = [(None, ("a",), first), (None, ("c",), second)]
    models = [
        network("a b c d", sizes),
        network("e f", [(None, ("e",), once)], name="n"),
    ]
    rows = [row("a"), row("b", idle), row("c"), row("d", wait)]
    rows += [row("e", 1, "b", "n"), row("f", idle + wait, "b", "n")]
    p = problem(models, rows, "ab", dram=1)
    layers = {
        name: {"chiplet": int(name[0] == "n"), "mode": 0, "stage": 0}
        for name in map(p.full_name, range(len(p.tasks)))
    }
    return p, from_dict(p, {"layers": layers, "places": {}})


def test_no_shorter_period_will_do() -> None:
    longer = 0
    for seed in range(30):
        p, s = two_that_stream(seed)
        found = stretch(p, s, LIMITS)
        assert found.period_ticks == least_by_hand(p, s, 20), seed
        longer += found.period_ticks > found.from_ticks
    assert 3 <= longer <= 27


def assert_stretches(p: Problem, s: Schedule) -> Stretched:
    """It is proved, and valid by both judges for more rounds than it was asked for."""
    found = stretch(p, s, LIMITS)
    assert found.why_stopped == "finished"
    assert found.first is not None
    assert found.from_ticks <= found.bound_ticks == found.period_ticks
    made = unrolled(p, found.first, found.period_ticks, 7)
    worth = evaluate(made.problem, made.schedule)
    assert worth.violations == ()
    assert worth.worth.makespan_ticks <= made.most_ticks
    verdict = oracle.judge(made.problem, made.schedule)
    assert not verdict.violated
    return found


@pytest.mark.parametrize("switching", ["cut_through", "store_and_forward"])
def test_stretched_schedules_are_valid(switching: str) -> None:
    """And trying periods one by one finds what searching them all together finds."""
    found = []
    for latency in (False, True):
        for p, s in pairs(range(0, len(CYCLE), 6), latency=latency):
            timing = replace(
                p.timing, store_and_forward=switching == "store_and_forward"
            )
            asked = replace(p, timing=timing)
            found.append(assert_stretches(asked, s))
            together = Periods(asked, s, LIMITS)
            together.prove()
            assert together.best == together.bound == found[-1].period_ticks
    assert any(x.period_ticks > x.from_ticks for x in found)
    assert any(x.period_ticks == x.from_ticks for x in found)


def test_a_limit_leaves_a_bound() -> None:
    p, s = example(guaranteed=False)
    found = stretch(p, s, Limits(workers=1, seconds=1e-9))
    assert found.why_stopped == "time limit"
    assert (found.bound_ticks, found.period_ticks, found.factor) == (20, None, None)

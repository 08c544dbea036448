"""One schedule at a time: semantics, oracle and engines judge it alike.

An engine whose decisions are all fixed has to accept exactly the valid schedules, at
exactly their value. Optima alone do not show a model that refuses schedules which
happen not to be optimal.
"""

from __future__ import annotations

from collections import Counter

import pytest

from formulation.outcome import Target
from formulation.pipelined.semantics import RULES, evaluate
from tests import oracle
from tests.random_schedules import cases, problem
from tests.support import ENGINES, proved, to_oracle

CHUNK = 16
SEEDS = range(8 * CHUNK)
CHUNKS = range(0, len(SEEDS), CHUNK)


def test_the_cases_are_balanced() -> None:
    found = [case.broken for seed in SEEDS for case in cases(seed)]
    assert len(found) >= 300
    valid = sum(not rules for rules in found)
    assert 0.25 <= valid / len(found) <= 0.75
    alone = Counter(next(iter(rules)) for rules in found if len(rules) == 1)
    assert {rule: alone[rule] for rule in RULES if alone[rule] < 5} == {}


@pytest.mark.parametrize("first", CHUNKS)
def test_semantics_and_oracle(first: int) -> None:
    """The same rules broken, the same period, latencies and energy."""
    for seed in range(first, first + CHUNK):
        instance, p = problem(seed).instance, problem(seed).problem
        for case in cases(seed):
            s = to_oracle(instance, p, case.schedule)
            verdict = oracle.evaluate(instance, s, case.period)
            assert verdict.violated == case.broken, (seed, case)
            if "assignment" in case.broken:
                continue
            found = evaluate(p, case.schedule, case.period)
            names = [model.name for model in p.models]
            latency = dict(zip(names, found.latency_ticks, strict=True))
            assert verdict.period == found.period_ticks
            assert verdict.latency == latency
            assert verdict.energy == found.energy_quanta


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", CHUNKS)
def test_engine(first: int, engine: str) -> None:
    for seed in range(first, first + CHUNK):
        p = problem(seed).problem
        for case in cases(seed):
            s = case.schedule
            at_most = None if case.period is None else case.period
            target = Target("period", period_at_most=at_most)
            value = proved(engine, p, target, fixed=s)
            if case.broken:
                assert value is None, (seed, case)
                continue
            found = evaluate(p, s)
            assert value == found.period_ticks, (seed, case)
            energy = proved(engine, p, "energy", fixed=s)
            assert energy == found.energy_quanta, (seed, case)
            for closer in (
                Target("period", period_at_most=found.period_ticks - 1),
                Target("energy", energy_at_most=found.energy_quanta - 1),
            ):
                assert proved(engine, p, closer, fixed=s) is None, (seed, case)

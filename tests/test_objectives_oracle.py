"""EDP, sums, latencies and the front are exactly what enumeration finds."""

from __future__ import annotations

from functools import cache

import pytest

from formulation.objective import parse_objective
from formulation.solve import solve
from tests import oracle_front
from tests.support import ENGINES, LIMITS, tiny
from tests.tiny_random import CYCLE

CHUNK = len(CYCLE)
SEEDS = range(4 * CHUNK)
CHUNKS = range(0, len(SEEDS), CHUNK)


@cache
def front(seed: int) -> tuple[tuple[int, int], ...]:
    return tuple(oracle_front.front(tiny(seed).instance))


def found(seed: int, objective: str, engine: str) -> tuple[int | None, ...] | None:
    """Return the values that are proved; `None` if there is no schedule."""
    outcome = solve(tiny(seed).problem, parse_objective(objective), engine, LIMITS)
    assert outcome.why_stopped == "finished"
    if outcome.claim == "infeasible":
        return None
    assert outcome.claim == "optimal-1"
    assert outcome.bound == outcome.value
    return outcome.value


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", CHUNKS)
def test_edp(first: int, engine: str) -> None:
    seeds = range(first, first + CHUNK)
    proved = {seed: found(seed, "edp", engine) for seed in seeds}
    expected = {
        seed: min(((t * e,) for t, e in front(seed)), default=None) for seed in seeds
    }
    assert proved == expected

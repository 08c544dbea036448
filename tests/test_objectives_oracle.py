"""EDP, sums, latencies and the front are exactly what enumeration finds.

Tiny problems as they are drawn, infeasible ones among them; and the same ones with
costs redrawn so that who is fast is dear, where fronts have up to nine points.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

import formulation.clash
from formulation.objective import parse_objective
from formulation.pareto import front as find_front
from formulation.solve import solve
from tests import oracle_front
from tests.support import ENGINES, LIMITS, Tiny, problem_of, tiny

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 40
DRAWN, TRADED = range(0, CHUNK), range(0, 5 * CHUNK)
CHUNKS = range(0, len(TRADED), CHUNK)
Points = tuple[tuple[int, int], ...]


@pytest.fixture(autouse=True)
def _no_clashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What clashes in infeasible problems takes long, and is tested elsewhere."""
    monkeypatch.setattr(formulation.clash, "clashing_rules", lambda *_: ("stage",))


@cache
def traded(seed: int) -> Tiny:
    instance = oracle_front.traded(tiny(seed).instance, seed)
    return Tiny(instance, problem_of(instance))


@cache
def points(seed: int, given: Callable[[int], Tiny]) -> Points:
    return tuple(oracle_front.front(given(seed).instance))


def proved(given: Tiny, objective: str, engine: str) -> tuple[int | None, ...] | None:
    """Return the values that an engine proves; `None`: there is no schedule."""
    outcome = solve(given.problem, parse_objective(objective), engine, LIMITS)
    assert outcome.why_stopped == "finished"
    if outcome.claim == "infeasible":
        return None
    assert outcome.claim == "optimal-1"
    assert outcome.bound == outcome.value
    return outcome.value


def least_edp(some: Points) -> tuple[int, ...] | None:
    return min(((t * e,) for t, e in some), default=None)


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", CHUNKS)
def test_edp(first: int, engine: str) -> None:
    seeds = range(first, first + CHUNK)
    found = {seed: proved(traded(seed), "edp", engine) for seed in seeds}
    assert found == {seed: least_edp(points(seed, traded)) for seed in seeds}


@pytest.mark.parametrize("engine", ENGINES)
def test_edp_of_problems_as_drawn(engine: str) -> None:
    found = {seed: proved(tiny(seed), "edp", engine) for seed in DRAWN}
    expected = {seed: least_edp(points(seed, tiny)) for seed in DRAWN}
    assert found == expected
    assert sum(value is None for value in expected.values()) >= 5


def test_edp_is_no_by_product() -> None:
    """In many of them it is better than that of either axis's optimum."""
    strictly = 0
    for seed in TRADED:
        some = points(seed, traded)
        if some:
            ends = {some[0][0] * some[0][1], some[-1][0] * some[-1][1]}
            strictly += min(t * e for t, e in some) < min(ends)
    assert strictly >= 15


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", CHUNKS)
def test_front(first: int, engine: str) -> None:
    found, expected = {}, {}
    for seed in range(first, first + CHUNK):
        front = find_front(traded(seed).problem, engine, LIMITS)
        assert front.status == ("complete" if front.points else "infeasible")
        assert all(q.proved for q in front.points)
        assert front.boxes == ()
        pairs = ((q.period_ticks, q.energy_quanta) for q in front.points)
        found[seed], expected[seed] = tuple(pairs), points(seed, traded)
    assert found == expected


ORDERS = {
    "3*period+energy": lambda t, e: (3 * t + e,),
    "0.5*period+1/3*energy": lambda t, e: (3 * t + 2 * e,),
    "20*period+edp,energy": lambda t, e: (20 * t + t * e, e),
    "edp,period": lambda t, e: (t * e, t),
    "energy,edp": lambda t, e: (e, t * e),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("objective", ORDERS)
@pytest.mark.parametrize("first", [0, pytest.param(5, marks=pytest.mark.long)])
def test_sums_and_orders(first: int, objective: str, engine: str) -> None:
    found, expected = {}, {}
    for seed in range(first, 5 * CHUNK, 10):
        found[seed] = proved(traded(seed), objective, engine)
        values = (ORDERS[objective](t, e) for t, e in points(seed, traded))
        expected[seed] = min(values, default=None)
    assert found == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("heavy", [1, 3])
def test_latency(heavy: int, engine: str) -> None:
    """The largest latency; and the first model's, three times, against the others'."""
    found, expected = {}, {}
    for seed in DRAWN:
        given = tiny(seed)
        names = [model.name for model in given.instance.models]
        weights = {name: heavy if n == 0 else 1 for n, name in enumerate(names)}
        words = [f"{k}*{name}" for name, k in weights.items()]
        if len(names) == 1:
            weights = {names[0]: 1}  # 3*latency has the optimum of latency
        text = "latency" if heavy == 1 else ":".join(["latency", *words])
        value = proved(given, text, engine)
        found[seed] = None if value is None else value[0]
        expected[seed] = oracle_front.least_latency(given.instance, weights)
    assert found == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_latency_in_orders(engine: str) -> None:
    """Before and after a quantity that engines minimise."""
    for seed in range(0, CHUNK, 2):
        given = tiny(seed)
        every = oracle_front.triples(given.instance)
        found = {
            text: proved(given, text, engine)
            for text in ("latency,energy", "period,latency", "latency,period")
        }
        assert found == {
            "latency,energy": min(((n, e) for _, e, n in every), default=None),
            "period,latency": min(((t, n) for t, _, n in every), default=None),
            "latency,period": min(((n, t) for t, _, n in every), default=None),
        }

"""Every engine proves exactly what enumeration finds.

Seeds of `tests/tiny_random.py`: every option drawn, one in four infeasible. Values,
bounds and infeasibility are compared, never within a tolerance.
"""

from __future__ import annotations

from functools import cache

import pytest

from formulation.clash import clashing_rules
from formulation.pipelined.semantics import RULES
from formulation.solve import solve
from tests import oracle
from tests.support import ENGINES, LIMITS, NONE, proved, strengthenings, tiny
from tests.tiny_random import CYCLE

CHUNK = len(CYCLE)  # every focus once
CHUNKS = range(0, 5 * CHUNK, CHUNK)
RELAXED = 10  # seeds a rule
ABLATED = range(0, 5 * CHUNK, 13)


@cache
def best(
    seed: int, objective: str, without: frozenset[str] = NONE
) -> tuple[int, ...] | None:
    return oracle.solve(tiny(seed).instance, objective, without)


def only(value: tuple[int, ...] | None) -> int | None:
    return None if value is None else value[0]


def seeds_of(focus: str) -> list[int]:
    """Return seeds whose numbers make a rule matter."""
    ours = [s for s in range(RELAXED * CHUNK) if CYCLE[s % CHUNK] == focus]
    return ours[:RELAXED]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", CHUNKS)
def test_period_then_energy(first: int, engine: str) -> None:
    """Both parts are proved; the first one alone is the objective period."""
    found, expected = {}, {}
    for seed in range(first, first + CHUNK):
        outcome = solve(tiny(seed).problem, ("period", "energy"), engine, LIMITS)
        assert outcome.why_stopped == "finished"
        if outcome.claim == "infeasible":
            assert outcome.schedule is None
            found[seed] = None
        else:
            assert outcome.claim == "optimal-1"
            assert outcome.bound == outcome.value
            found[seed] = outcome.value
        expected[seed] = best(seed, "period,energy")
    assert found == expected
    infeasible = sum(value is None for value in expected.values())
    assert 0.1 <= infeasible / CHUNK <= 0.4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", CHUNKS)
def test_energy(first: int, engine: str) -> None:
    found, expected = {}, {}
    for seed in range(first, first + CHUNK):
        found[seed] = proved(engine, tiny(seed).problem, "energy")
        expected[seed] = only(best(seed, "energy"))
    assert found == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "assignment"])
def test_relaxation(rule: str, engine: str) -> None:
    """Without a rule the optimum is that of the relaxation."""
    out = frozenset({rule})
    found, expected = {}, {}
    for n, seed in enumerate(seeds_of(rule)):
        quantity = "energy" if n % 3 == 2 else "period"
        found[seed] = proved(engine, tiny(seed).problem, quantity, out)
        expected[seed] = only(best(seed, quantity, out))
    assert found == expected


def test_clashing_rules_clash_and_none_is_needless() -> None:
    """The rules named are infeasible alone; without any one of them the rest is not."""
    for seed in range(CHUNK):
        if best(seed, "period,energy") is None:
            named = clashing_rules(tiny(seed).problem, NONE, LIMITS)
            # `floor`, which clashes in none of these, gives the oracle a period.
            rest = frozenset(RULES) - {"assignment", "floor", *named}
            assert best(seed, "period", rest) is None
            for rule in named:
                assert best(seed, "period", rest | {rule}) is not None


@pytest.mark.parametrize(
    ("engine", "off"),
    [(engine, off) for engine in ENGINES for off in sorted(strengthenings(engine))],
)
def test_strengthenings_cut_nothing_off(engine: str, off: str) -> None:
    """A strengthening switched off changes no optimum."""
    kept = strengthenings(engine) - {off}
    found, expected = {}, {}
    for seed in ABLATED:
        for quantity in ("period", "energy"):
            problem = tiny(seed).problem
            found[seed, quantity] = proved(
                engine, problem, quantity, strengthenings=kept
            )
            expected[seed, quantity] = only(best(seed, quantity))
    assert found == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_no_strengthening_at_all(engine: str) -> None:
    found, expected = {}, {}
    for seed in ABLATED:
        problem = tiny(seed).problem
        found[seed] = proved(engine, problem, "period", strengthenings=NONE)
        expected[seed] = only(best(seed, "period"))
    assert found == expected

"""What heuristics of every kind of schedule promise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from formulation.heuristics import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from formulation.heuristics import Found

    Run = Callable[[int, Budget], Found[Any]]


def assert_never_below(
    run: Callable[[int], Found[Any]],
    seeds: Iterable[int],
    best: Callable[[int], tuple[int, ...] | None],
    valid: Callable[[int, Any], bool],
    least: tuple[float, float],
) -> None:
    """Schedules are valid and none is better than the optimum.

    Parameters
    ----------
    least
        Of the seeds that have a schedule: found at all, found at the optimum.
    """
    solvable = schedules = optima = 0
    for seed in seeds:
        found, optimum = run(seed), best(seed)
        assert (found.schedule is None) == (found.value is None)
        if optimum is None:
            assert found.schedule is None, seed
            continue
        solvable += 1
        if found.schedule is None or found.value is None:
            continue
        assert valid(seed, found.schedule), seed
        assert found.value >= optimum, seed
        schedules += 1
        optima += found.value == optimum
    some, good = least
    assert schedules >= some * solvable
    assert optima >= good * solvable


def timeless(found: Found[Any]) -> Found[Any]:
    trace = tuple(replace(point, seconds=0.0) for point in found.trace)
    return replace(found, seconds=0.0, trace=trace)


def assert_repeats(run: Run, seed: int, budget: Budget) -> None:
    """The same seed and number of evaluations give the same result."""
    assert timeless(run(seed, budget)) == timeless(run(seed, budget))


def assert_budget_holds(run: Run, seed: int, most: int) -> None:
    """No more is tried, and every new best schedule is better."""
    found = run(seed, Budget(evaluations=most))
    assert found.evaluations <= most
    if found.evaluations < most:
        assert found.why_stopped == "finished"
    values = [point.value for point in found.trace]
    assert values == sorted(set(values), reverse=True)
    assert (values[-1] if values else None) == found.value
    at = [point.evaluations for point in found.trace]
    assert at == sorted(at)
    assert all(1 <= n <= most for n in at)

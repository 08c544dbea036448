"""Everything that a tiny instance can reach, by enumeration (`tests/oracle.py`).

From the same transcription of MODEL.md; nothing of the engines or of branching is used.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from tests.oracle import (
    Given,
    Schedule,
    Staging,
    candidates,
    energy_cap,
    energy_of,
    fits,
    free_bytes,
    least_periods,
    memory,
    period_cap,
    period_of,
    span,
    stage_vectors,
    traffic_of,
    works_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instances.schema import Instance

NONE: frozenset[str] = frozenset()


def valued(given: Given) -> Iterator[tuple[Schedule, int, int]]:
    """Every schedule but for its stages within the caps: it, its period, its energy."""
    for s in candidates(given, NONE):
        works = works_of(given, s)
        streams, package = traffic_of(given, s, works)
        period = period_of(least_periods(given, s, works, streams, package), NONE)
        energy = energy_of(given, s, works, streams, package, period)
        if energy_cap(given, energy) and period_cap(given, period):
            yield s, period, energy


def front(instance: Instance) -> list[tuple[int, int]]:
    """Every (period, energy) that no other one dominates, by ascending period."""
    given = Given(instance)
    staging = Staging(given, NONE)
    found: set[tuple[int, int]] = set()
    for s, period, energy in valued(given):
        if any(t <= period and e <= energy for t, e in found):
            continue
        if staging.exists(s, period):
            found = {q for q in found if q[0] < period or q[1] < energy}
            found.add((period, energy))
    return sorted(found)


def stagings(given: Given, s: Schedule, period: int) -> Iterator[dict[str, int]]:
    """Stages that every model extends over, for all valid stages of a schedule."""
    caps = given.options.latency_cap_ticks
    choices = []
    for m in given.models:
        some = set()
        for stages in stage_vectors(given, s, m, NONE):
            length = span(given, m, stages)
            if m not in caps or length * period <= caps[m]:
                some.add((length, memory(given, s, m, stages)))
        choices.append(some)
    free = free_bytes(given, s)
    for chosen in product(*choices):
        if fits(given, free, [held for _, held in chosen]):
            yield {
                m: length for m, (length, _) in zip(given.models, chosen, strict=True)
            }


def least_latency(instance: Instance, weights: dict[str, int]) -> int | None:
    """The least over all schedules of the largest weight·latency, in ticks."""
    given = Given(instance)
    best: int | None = None
    for s, period, _ in valued(given):
        if best is not None and max(weights.values()) * period >= best:
            continue
        for spans in stagings(given, s, period):
            worth = max(k * spans[m] * period for m, k in weights.items())
            if best is None or worth < best:
                best = worth
    return best


def triples(instance: Instance) -> set[tuple[int, int, int]]:
    """Every (period, energy, largest latency) that some schedule has."""
    given = Given(instance)
    return {
        (period, energy, max(spans.values()) * period)
        for s, period, energy in valued(given)
        for spans in stagings(given, s, period)
    }


def traded(instance: Instance, seed: int) -> Instance:
    """Return the instance without caps, its costs redrawn: who is fast is dear."""
    draw = Random(seed)
    costs = []
    for row in instance.costs:
        ticks = draw.randint(2, 12)
        quanta = 3 * (150 // ticks) + draw.randint(0, 20)
        costs.append(replace(row, latency_ticks=ticks, energy_quanta=quanta))
    free = replace(
        instance.options,
        latency_cap_ticks={},
        energy_cap_pj=None,
        period_cap_ticks=None,
    )
    return replace(instance, costs=tuple(costs), options=free)

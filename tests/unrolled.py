"""Random pipelined schedules to unroll, and how far their periods have to stretch.

    python -m tests.unrolled [--seeds 1000]

Schedules are random valid ones of the problems of `tests/tiny_random.py` without
``serial`` and caps. Printed is, as a Markdown table, how many can be unrolled at their
own period under exact contention, and how much longer the others' least periods are.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import cache
from random import Random
from statistics import quantiles
from typing import TYPE_CHECKING

from formulation.outcome import Limits
from formulation.pipelined.semantics import evaluate
from formulation.timed.cpsat_stretch import stretch
from tests.random_schedules import draw, shuffled
from tests.support import problem_of
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem
    from instances.schema import Instance

LIMITS = Limits(workers=1)
DRAWS, MOST = 60, 3
FREE = {"latency_cap_ticks": {}, "energy_cap_pj": None, "period_cap_ticks": None}


def at_once(instance: Instance) -> Instance:
    """Return the instance without hop and DRAM latency."""
    package = instance.package
    links = tuple(replace(link, hop_latency_ns=0) for link in package.links)
    dram = replace(package.dram, latency_ns=0)
    return replace(instance, package=replace(package, links=links, dram=dram))


@cache
def drawn(
    seed: int, *, guaranteed: bool, latency: bool
) -> tuple[tuple[Problem, Schedule], ...]:
    """Return a problem of a seed with up to `MOST` valid schedules."""
    instance = tiny_instance(seed)
    if instance.options.serial:
        return ()
    rng = Random(f"unroll {seed}")
    options = replace(instance.options, guaranteed=guaranteed, **FREE)
    instance = shuffled(replace(instance, options=options), rng)
    p = problem_of(instance if latency else at_once(instance))
    some = (draw(p, rng) for _ in range(DRAWS))
    return tuple((p, s) for s in some if not evaluate(p, s).violations)[:MOST]


def pairs(
    seeds: range, *, guaranteed: bool = False, latency: bool = False
) -> list[tuple[Problem, Schedule]]:
    """Return problems with valid schedules of many seeds."""
    return [
        pair
        for seed in seeds
        for pair in drawn(seed, guaranteed=guaranteed, latency=latency)
    ]


def distribution(seeds: range, *, guaranteed: bool, latency: bool) -> str:
    """Return a line of the table."""
    found = [
        stretch(p, s, LIMITS).factor or 0.0
        for p, s in pairs(seeds, guaranteed=guaranteed, latency=latency)
    ]
    longer = sorted(x for x in found if x > 1)
    cells = [
        "yes" if guaranteed else "no",
        "yes" if latency else "no",
        str(len(found)),
        f"{100 * len(longer) / len(found):.0f} %",
    ]
    ends = quantiles(longer, n=10) if len(longer) > 1 else [1.0] * 9
    cells += [f"{x:.2f}" for x in (ends[4], ends[8], max(longer, default=1.0))]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.unrolled")
    parser.add_argument("--seeds", type=int, default=1000)
    seeds = range(parser.parse_args().seeds)
    heads = ("guaranteed", "latencies", "schedules", "stretched", "median", "90 %",
             "most")  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for guaranteed in (False, True):
        for latency in (False, True):
            print(distribution(seeds, guaranteed=guaranteed, latency=latency))
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

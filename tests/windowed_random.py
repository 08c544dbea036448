"""Random tiny windowed problems, every option drawn, and all schedules of each.

Workloads and packages are those of `tiny_random`; some have long models for their
packages, so that windows matter. Layers come in a random topological order, models in
a random one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import product
from math import comb, prod
from random import Random
from typing import TYPE_CHECKING

from formulation.rules import UnassignedError
from formulation.windowed.bounds import groupings
from formulation.windowed.objective import windowed_part
from formulation.windowed.schedule import Schedule
from formulation.windowed.semantics import evaluate, value
from instances.schema import Instance, Options, WindowedOptions
from tests import tiny_random
from tests.random_schedules import shuffled
from tests.support import problem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.problem import Problem
    from formulation.windowed.semantics import Evaluation

# Focuses of `tiny_random` that say something here.
FOCUSES = ("stage", "link", "port", "dram", "floor", "sram", "mode", "mini_batches")
OBJECTIVES = (
    "makespan",
    "energy",
    "edp",
    "latency",
    "2*makespan+1/3*energy",
    "latency:2*{0}",
    "latency:2*{0}:3*{1}",
)
MAX_SCHEDULES = 900


@dataclass(frozen=True)
class Tiny:
    """A problem, an objective to ask it for, and which cap it was given."""

    instance: Instance
    problem: Problem
    objective: str
    capped: str | None


@cache
def tiny(seed: int) -> Tiny:
    """Return the problem of a seed, always the same."""
    rng = Random(f"windowed {seed}")
    given = drawn(rng, seed, 2, MAX_SCHEDULES)
    return _capped(given, rng) if rng.random() < 0.5 else given


def drawn(rng: Random, seed: int, fewest: int, most: int) -> Tiny:
    """Draw a problem without caps, with so many schedules (`count`)."""
    while True:
        draw = tiny_random.Draw(rng, FOCUSES[seed % len(FOCUSES)])
        if draw.serial:
            continue
        instance = shuffled(_instance(draw, f"windowed-{seed}"), rng)
        problem = problem_of(instance)
        if not fewest <= count(problem) <= most:
            continue
        names = [model.name for model in instance.models]
        rng.shuffle(names)
        asked = [x for x in OBJECTIVES if len(names) > 1 or "{1}" not in x]
        objective = rng.choice(asked).format(*names)
        return Tiny(instance, problem, objective, None)


def _instance(draw: tiny_random.Draw, name: str) -> Instance:
    rng = draw.rng
    batches = rng.choice((1, 1, 2, 3, 4))
    models = tuple(
        replace(model, mini_batches=batches if k == 0 else rng.choice((1, 1, 2)))
        for k, model in enumerate(draw.models)
    )
    dram = replace(draw.package.dram, mode=rng.choice(("shared", "interleaved")))
    windowed = WindowedOptions(
        windows=rng.choice((1, 2, 2, 3, 5)),
        mini_batches=rng.choice(("grouped", "grouped", "single")),
        weights=rng.choice(("every_group", "once")),
        refetch=rng.random() < 0.4,
        memory=rng.choice(("layers", "segments")),
        handover=rng.choice(("both", "receiver")),
        conflict_ticks=rng.choice((0, 0, 1, 2)),
    )
    return Instance(
        name=name,
        models=models,
        package=replace(draw.package, dram=dram),
        options=Options(windowed=windowed),
        tick_ps=draw.tick_ps,
        energy_quantum_fj=draw.quantum_fj,
        costs=draw.costs,
    )


def _capped(given: Tiny, rng: Random) -> Tiny:
    """Return the problem with a cap that its best schedules break, if there is one."""
    p = given.problem
    valid = [found.worth for _, found in every(p) if not found.violations]
    if not valid:
        return given
    asked = windowed_part(p, given.objective)
    best = min(valid, key=lambda worth: value(p, asked, worth))
    kinds = [("energy_cap", "energy"), *(("cap", text) for text in OBJECTIVES[:5])]
    kinds += [("latency_cap", f"latency:{model.name}") for model in p.models]
    tight = []
    for which, text in kinds:
        part = windowed_part(p, text)
        least_is = min(value(p, part, worth) for worth in valid)
        if least_is < value(p, part, best):
            tight.append((which, part))
    if not tight:
        return given
    which, part = rng.choice(tight)
    values = {value(p, part, worth) for worth in valid}
    most = rng.choice(sorted(v for v in values if v < value(p, part, best)))
    instance = with_cap(given.instance, which, part.text, most)
    return Tiny(instance, problem_of(instance), given.objective, which)


def with_cap(instance: Instance, which: str, text: str, most: int) -> Instance:
    """Return the instance with a cap on a part of an objective, by rule `which`.

    A `latency_cap` is on a part ``latency:MODEL``, an `energy_cap` on ``energy``.
    """
    options = instance.options
    if which == "latency_cap":
        name = text.partition(":")[2]
        options = replace(options, latency_cap_ticks={name: most})
    elif which == "energy_cap":
        quantum_pj = Fraction(instance.energy_quantum_fj, 1000)
        options = replace(options, energy_cap_pj=most * quantum_pj)
    else:
        windowed = replace(options.windowed, caps={text: most})
        options = replace(options, windowed=windowed)
    return replace(instance, options=options)


def count(p: Problem) -> int:
    """How many schedules there are at most."""
    mapped = prod(sum(len(modes) for modes in task.modes) or 1 for task in p.tasks)
    windows = min(p.windowing.windows, len(p.tasks))
    for m, model in enumerate(p.models):
        layers, kinds = len(model.tasks), len(groupings(p, m))
        mapped *= sum(
            comb(windows, used) * comb(layers - 1, used - 1) * kinds**used
            for used in range(1, min(windows, layers) + 1)
        )
    return mapped


def _cuts(layers: int, windows: int) -> list[tuple[int, ...]]:
    """Return all non-falling sequences of windows of the layers of a model."""
    every = product(range(windows), repeat=layers)
    return [x for x in every if list(x) == sorted(x)]


def schedules(p: Problem, windows: int) -> Iterator[Schedule]:
    """Yield every schedule of the right form with at most so many windows."""
    spots = [
        [(c, k) for c, modes in enumerate(task.modes) for k in range(len(modes))]
        for task in p.tasks
    ]
    for cut in product(*(_cuts(len(model.tasks), windows) for model in p.models)):
        used = sorted({w for own in cut for w in own})
        if used != list(range(len(used))):
            continue
        window = tuple(w for own in cut for w in own)
        grouped = product(
            *(
                groupings(p, m) if w in own else (None,)
                for m, own in enumerate(cut)
                for w in used
            )
        )
        for flat in grouped:
            groups = tuple(
                flat[m * len(used) : (m + 1) * len(used)] for m in range(len(cut))
            )
            for spot in product(*spots):
                chiplet = tuple(c for c, _ in spot)
                yield Schedule(chiplet, tuple(k for _, k in spot), window, groups)


def every(
    p: Problem, without: frozenset[str] = frozenset()
) -> Iterator[tuple[Schedule, Evaluation]]:
    """Yield all schedules that are defined, and what the semantics say of them.

    Without `limit` those with one window more than it allows are all that is added.
    """
    most = min(len(p.tasks), p.windowing.windows + ("limit" in without))
    for s in schedules(p, most):
        try:
            yield s, evaluate(p, s, without)
        except UnassignedError as error:
            raise AssertionError(str(error)) from error


def least(
    p: Problem, objective: str, without: frozenset[str] = frozenset()
) -> int | None:
    """Return the least value of all valid schedules; `None` if there is none."""
    part = windowed_part(p, objective)
    return min(
        (
            value(p, part, found.worth)
            for _, found in every(p, without)
            if not found.violations
        ),
        default=None,
    )

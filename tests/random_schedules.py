"""Random schedules of random tiny problems: valid ones, near misses, and others.

Layers come in a random topological order and models in a random order, so that an
ordering cut that is no symmetry has nothing to hold on to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import evaluate
from formulation.rules import UnassignedError
from formulation.structure import edges
from tests.support import Tiny, problem_of
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from formulation.problem import Problem
    from instances.schema import Instance, Model

DRAWS = 120
VALID = 2  # a problem, and up to two more with another binding rule
INVALID = 3


@dataclass(frozen=True)
class Case:
    """A schedule, the period to judge it at (`None`: its least) and broken rules."""

    schedule: Schedule
    period: int | None
    broken: frozenset[str]


def shuffled(instance: Instance, rng: Random) -> Instance:
    """Return the instance with models and layers in another order."""
    models = [_reordered(model, rng) for model in instance.models]
    rng.shuffle(models)
    return replace(instance, models=tuple(models))


def _reordered(model: Model, rng: Random) -> Model:
    needs = {layer.name: set[str]() for layer in model.layers}
    for u in model.tensors:
        for j in u.consumers if u.producer is not None else ():
            needs[j].add(u.producer)
    left = list(model.layers)
    order = []
    while left:
        done = {layer.name for layer in order}
        free = [layer for layer in left if needs[layer.name] <= done]
        order.append(rng.choice(free))
        left.remove(order[-1])
    return replace(model, layers=tuple(order))


@cache
def problem(seed: int) -> Tiny:
    instance = shuffled(tiny_instance(seed), Random(f"order {seed}"))
    return Tiny(instance, problem_of(instance))


def broken(p: Problem, s: Schedule, period: int | None = None) -> frozenset[str]:
    try:
        return frozenset(v.rule for v in evaluate(p, s, period).violations)
    except UnassignedError:
        return frozenset({"assignment"})


@cache
def cases(seed: int) -> tuple[Case, ...]:
    """Return cases of one problem; of the rejected ones, many break one rule only."""
    p, rng = problem(seed).problem, Random(f"schedules {seed}")
    valid: list[Case] = []
    tight: list[Case] = []  # valid but for one tick
    invalid: list[Case] = []
    labels: set[frozenset[str]] = set()

    def reject(s: Schedule, rules: frozenset[str]) -> None:
        if len(invalid) < INVALID and rules not in labels:
            if len(rules) > 1 and rng.random() < 0.7:
                return
            labels.add(rules)
            invalid.append(Case(s, None, rules))

    for _ in range(DRAWS):
        s = draw(p, rng)
        rules = broken(p, s)
        if rules:
            reject(s, rules)
            continue
        period = evaluate(p, s).period_ticks
        closer = broken(p, s, period - 1)
        new = all(closer != case.broken for case in tight)
        if len(valid) < VALID or (new and len(valid) < VALID + 2):
            valid.append(Case(s, None, rules))
            if period > 1:
                tight.append(Case(s, period - 1, closer))
            near = near_miss(p, s, rng)
            if broken(p, near):
                reject(near, broken(p, near))
    return (*valid, *tight, *invalid)


def draw(p: Problem, rng: Random) -> Schedule:
    """Draw everything; mostly what options and stages ask for."""
    chiplet = _chiplets(p, rng)
    place: list[str | None] = []
    often_dram = rng.random()
    for u, tensor in enumerate(p.tensors):
        free = tensor.placed and not p.always_package(u)
        where = DRAM if free and rng.random() < often_dram else PACKAGE
        place.append(where if tensor.placed else None)
    often_resident = rng.random()
    s = Schedule(
        chiplet=tuple(chiplet),
        mode=tuple(
            rng.randrange(len(t.modes[c]))
            for t, c in zip(p.tasks, chiplet, strict=True)
        ),
        stage=(0,) * len(p.tasks),
        resident=tuple(
            rng.random() < often_resident if t.weight_bytes else None for t in p.tasks
        ),
        place=tuple(place),
    )
    return replace(s, stage=_stages(p, s, rng))


def _chiplets(p: Problem, rng: Random) -> list[int]:
    owner = [rng.randrange(len(p.models)) for _ in p.chiplets]
    chiplet: list[int] = []
    for t, task in enumerate(p.tasks):
        allowed = list(p.supported(t))
        wanted = [c for c in allowed if owner[c] == task.model]
        if p.exclusive and wanted:
            allowed = wanted
        previous = t - 1 if t and p.tasks[t - 1].model == task.model else None
        for group in p.colocate:
            before = [x for x in group if x < t]
            if t in group and before:
                previous = before[0]
        if previous is not None and rng.random() < 0.5 + 0.3 * bool(p.colocate):
            allowed = [c for c in allowed if c == chiplet[previous]] or allowed
        chiplet.append(rng.choice(allowed))
    return chiplet


def _stages(p: Problem, s: Schedule, rng: Random) -> tuple[int, ...]:
    stage = [int(rng.random() < 0.1) for _ in p.tasks]
    for u, i, j in sorted(edges(p), key=lambda edge: edge[2]):
        lag = 0
        if s.chiplet[i] != s.chiplet[j]:
            lag = 2 if s.place[u] == PACKAGE and not p.serial else 1
        stage[j] = max(stage[j], stage[i] + lag + int(rng.random() < 0.1))
    return tuple(stage)


def near_miss(p: Problem, s: Schedule, rng: Random) -> Schedule:
    """Change one decision."""
    t = rng.randrange(len(p.tasks))
    what = rng.choice(("stage", "stage", "chiplet", "mode", "resident", "place"))
    if what == "stage":
        step = rng.choice((-1, 1))
        return replace(s, stage=_put(s.stage, t, s.stage[t] + step))
    if what == "chiplet":
        return replace(s, chiplet=_put(s.chiplet, t, rng.randrange(len(p.chiplets))))
    if what == "mode":
        return replace(s, mode=_put(s.mode, t, s.mode[t] + 1))
    if what == "resident":
        value = None if s.resident[t] else True
        return replace(s, resident=_put(s.resident, t, value))
    free = [u for u, x in enumerate(p.tensors) if x.placed and not p.always_package(u)]
    if not free:
        return s
    u = rng.choice(free)
    other = DRAM if s.place[u] == PACKAGE else PACKAGE
    return replace(s, place=_put(s.place, u, other))


def _put(values: tuple, index: int, value: object) -> tuple:
    return (*values[:index], value, *values[index + 1 :])

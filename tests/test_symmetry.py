"""Symmetries keep what every schedule is worth, and breaking them moves no optimum."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import permutations, product
from random import Random
from typing import TYPE_CHECKING

import pytest

from formulation.engines.cpsat import run
from formulation.outcome import Target
from formulation.pipelined.cpsat_build import add_hint, build
from formulation.pipelined.cuts import cutter
from formulation.pipelined.energy_cuts import energy_cutter
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import evaluate
from formulation.pipelined.symmetry import (
    ladder,
    order_of,
    representative,
    smallest,
    useful,
)
from formulation.symmetry import elements, symmetries, things
from instances.schema import Chiplet, Instance, Interface, Link
from instances.topology import link_pairs
from tests.random_schedules import draw
from tests.support import (
    ENGINES,
    LIMITS,
    minimise,
    problem_of,
    proved,
    strengthenings,
    tiny,
)
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.symmetry import Permutation

# Shape: topology, width, height, routers of the interfaces, types; how many symmetries.
SHAPES = {
    "two by two": (("mesh", 2, 2, (0, 1), "AAAA"), 2),
    "a door each": (("mesh", 2, 2, (0, 1, 2, 3), "AAAA"), 4),
    "two and two": (("mesh", 2, 2, (0, 1), "AABB"), 2),
    "not across": (("mesh", 2, 2, (0, 1), "ABAB"), 1),
    "row, door in the middle": (("mesh", 3, 1, (1,), "AAA"), 2),
    "row, door at an end": (("mesh", 3, 1, (0,), "AAA"), 1),
    "ring": (("torus", 3, 1, (0, 1, 2), "AAA"), 6),
    "ring, one door": (("torus", 3, 1, (0,), "AAA"), 2),
    "no links": (("none", 3, 1, (0,), "AAA"), 6),
}
EVERY = tuple(SHAPES)
SYMMETRIC = [name for name, (_, order) in SHAPES.items() if order > 1]
SEEDS = (2, 4, 28, 29, 40, 53)  # of at most three layers
DISTINCT = 3  # a seed with two types of chiplets
MIXED = range(100, 120)
NO_CAPS = {"period_cap_ticks": None, "energy_cap_quanta": None}


def shaped(seed: int, shape: str) -> Instance:
    """Return a tiny instance on another package; type A can do every layer."""
    base = tiny_instance(seed)
    (topology, width, height, doors, letters), _ = SHAPES[shape]
    types = list(base.package.types)
    first, last = types[0], types[-1]
    served = {(c.model, c.layer) for c in base.costs if c.chiplet_type == first}
    more = [
        replace(c, chiplet_type=first)
        for c in base.costs
        if (c.model, c.layer) not in served
    ]
    links = tuple(
        Link(a, b, Fraction(2), Fraction(1), Fraction(1, 1000))
        for a, b in link_pairs(topology, width, height)
    )
    package = replace(
        base.package,
        topology=topology,
        width=width,
        height=height,
        chiplets=tuple(
            Chiplet(first if x == "A" else last, r) for r, x in enumerate(letters)
        ),
        links=links,
        dram=replace(
            base.package.dram,
            interfaces=tuple(Interface(r, Fraction(1, len(doors))) for r in doors),
        ),
    )
    costs = (*base.costs, *more)
    return replace(base, name=f"{base.name}-{seed}", package=package, costs=costs)


@cache
def problem(seed: int, shape: str) -> Problem:
    return problem_of(shaped(seed, shape))


def image(s: Schedule, to: Permutation) -> Schedule:
    return replace(s, chiplet=tuple(to[c] for c in s.chiplet))


def closure(group: tuple[Permutation, ...], n: int) -> set[Permutation]:
    """Return everything that some permutations make up."""
    found = {tuple(range(n))}
    todo = list(found)
    while todo:
        mine = todo.pop()
        for to in group:
            more = tuple(to[c] for c in mine)
            if more not in found:
                found.add(more)
                todo.append(more)
    return found


@pytest.mark.parametrize("shape", EVERY)
def test_the_group_of_a_shape(shape: str) -> None:
    base = shaped(DISTINCT, shape)
    dram = replace(base.package.dram, bandwidth_gb_s=Fraction(2), mode="shared")
    p = problem_of(replace(base, package=replace(base.package, dram=dram)))
    assert len({c.l2_bytes for c in p.chiplets}) == len(set(SHAPES[shape][0][4]))
    found = closure(symmetries(p), len(p.chiplets))
    assert len(found) == SHAPES[shape][1]


@pytest.mark.parametrize("seed", MIXED)
def test_no_symmetry_is_missed(seed: int) -> None:
    """All permutations of up to four chiplets are tried."""
    p = tiny(seed).problem
    n = len(p.chiplets)
    colours = [tuple(t.modes[c] for t in p.tasks) for c in range(n)]
    colours = [(x, tuple(u.transfer and u.transfer[c] for u in p.tensors))
               for c, x in enumerate(colours)]  # fmt: skip
    of = things(p.chiplets, p.resources, p.links, p.routes, colours)
    wanted = {to for to in permutations(range(n)) if of.kept_by(to)}
    assert closure(elements(of), n) == wanted


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SYMMETRIC)
def test_images_are_worth_the_same(shape: str, engine: str) -> None:
    """Of both engines, which break the same symmetries."""
    assert "symmetry" in strengthenings(engine)
    judged = 0
    for seed in SEEDS:
        p, rng = problem(seed, shape), Random(f"{seed} {shape}")
        group = symmetries(p)
        assert group
        for s in [draw(p, rng) for _ in range(15)]:
            found = evaluate(p, s)
            rules = sorted((v.rule, v.amount) for v in found.violations)
            for to in group:
                other = evaluate(p, image(s, to))
                assert found.period_ticks == other.period_ticks
                assert found.energy_quanta == other.energy_quanta
                assert found.latency_ticks == other.latency_ticks
                assert rules == sorted((v.rule, v.amount) for v in other.violations)
                judged += 1
    assert judged > 30


@pytest.mark.parametrize("shape", SYMMETRIC)
def test_ladders_leave_one_of_every_orbit(shape: str) -> None:
    p = problem(3, shape)
    group, order = symmetries(p), order_of(p)
    n = len(p.chiplets)

    def allowed(chiplet: tuple[int, ...]) -> bool:
        for to in group:
            moved = False
            for rung in ladder(p, to):
                if chiplet[rung.task] in rung.down and not moved:
                    return False
                moved = moved or chiplet[rung.task] in rung.up
        return True

    every = list(product(*(p.supported(t) for t in range(len(p.tasks)))))
    orbits = {
        frozenset(tuple(to[c] for c in x) for to in closure(group, n)) for x in every
    }
    left = [x for x in every if allowed(x)]
    assert len(left) == len(orbits) < len(every)
    for x in left:
        s = Schedule(x, (), (), (), ())
        assert representative(p, s, group) == s
        assert [x[t] for t in order] == min(
            [to[x[t]] for t in order] for to in closure(group, n)
        )


WAYS = frozenset(("cuts", "energy_cuts"))


def with_and_without(
    engine: str, p: Problem, target: Target, *, ways: bool = False
) -> None:
    """Compare the optimum with and without symmetry; ways to cut on or off in both."""
    on = strengthenings(engine) - (frozenset() if ways else WAYS)
    best = proved(engine, p, target, strengthenings=on)
    assert best == proved(engine, p, target, strengthenings=on - {"symmetry"})


FEW = [
    pytest.param(SEEDS[:1], id="few"),
    pytest.param(SEEDS[1:], id="more", marks=pytest.mark.long),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SYMMETRIC)
@pytest.mark.parametrize("seeds", FEW)
def test_no_optimum_moves(seeds: tuple[int, ...], shape: str, engine: str) -> None:
    for seed in seeds:
        p = problem(seed, shape)
        with_and_without(engine, p, Target("period"))
        with_and_without(engine, p, Target("energy"))


@pytest.mark.parametrize("engine", ["cpsat"])
@pytest.mark.parametrize("shape", SYMMETRIC)
@pytest.mark.parametrize("seeds", FEW)
def test_no_optimum_moves_by_ways_to_cut(
    seeds: tuple[int, ...], shape: str, engine: str
) -> None:
    for seed in seeds:
        p = replace(problem(seed, shape), contiguous=True, **NO_CAPS)
        with_and_without(engine, p, Target("period"), ways=True)
        with_and_without(engine, p, Target("energy"), ways=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SYMMETRIC)
def test_what_is_infeasible_stays_so(shape: str, engine: str) -> None:
    p = replace(problem(SEEDS[0], shape), period_cap_ticks=1)
    with_and_without(engine, p, Target("period"))


@pytest.mark.parametrize("engine", ["cpsat"])
@pytest.mark.parametrize("shape", SYMMETRIC)
def test_of_ways_that_are_images_one_is_listed(shape: str, engine: str) -> None:
    assert engine
    listed = 0
    for seed in SEEDS:
        p = replace(problem(seed, shape), contiguous=True, **NO_CAPS)
        group, plain, broken = useful(p), cutter(p), cutter(p, useful(p))
        assert (plain is None) == (broken is None)
        if plain is None or broken is None or not group:
            continue
        every, some = plain.ways(10**9), broken.ways(10**9)
        assert every is not None
        assert some is not None
        images = {(w.ticks, tuple(to[c] for c in w.chiplet)) for w in some
                  for to in closure(group, len(p.chiplets))}  # fmt: skip
        assert images == {(w.ticks, w.chiplet) for w in every}
        assert len(some) <= len(every)
        listed += len(every) - len(some)
        both = (
            energy_cutter(p),
            energy_cutter(p, group),
        )
        if both[0] is not None and both[0].other is not None and both[1] is not None:
            ways = [
                {x for w in range(len(b.others.least))
                 for x in b.chiplets(b.every(0, None), w, 2**52)} for b in both
            ]  # fmt: skip
            assert ways[1] <= ways[0]
            assert {
                (v, tuple(to[c] for c in x))
                for v, x in ways[1]
                for to in closure(group, len(p.chiplets))
            } == ways[0]
    assert listed


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", SYMMETRIC)
def test_every_image_is_taken_as_a_hint(shape: str, engine: str) -> None:
    """What CP-SAT is told, fixed, is as good; HiGHS says that it is a start."""
    told = 0
    for seed in SEEDS[1:2]:
        p, target = problem(seed, shape), Target("period")
        best = minimise(engine)(p, target, LIMITS)
        for to in symmetries(p) if best.schedule is not None else ():
            hint = image(best.schedule, to)
            told += 1
            if engine == "milp":
                answer = minimise(engine)(p, target, LIMITS, hint=hint)
                assert answer.notes == ()
                assert answer.value == best.value
                continue
            m = build(p, target)
            add_hint(m, hint)
            tune: dict[str, object] = {"fix_variables_to_their_hinted_value": True}
            found = run(m.model, LIMITS, seconds=None, tune=tune)
            assert found.values is not None
            assert found.values(m.period) == best.value
    assert told


def test_many_chiplets_that_are_all_alike() -> None:
    """Twelve on no links: of 12! permutations, one for every two chiplets."""
    shape = ("none", 12, 1, (0,), "A" * 12)
    SHAPES["twelve"] = (shape, 0)
    p = problem(3, "twelve")
    group = symmetries(p)
    assert len(group) == 12 * 11 // 2
    assert [x for x in permutations(range(12), 1) if smallest(x, group)] == [(0,)]
    pairs = [x for x in permutations(range(12), 2) if smallest(x, group)]
    assert pairs == [(0, 1)]

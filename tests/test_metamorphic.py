"""Changes of an instance whose effect on the optimum is known without knowing it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from math import ceil, inf
from random import Random
from typing import TYPE_CHECKING

import pytest

from formulation.pipelined.schedule import from_dict, to_dict
from formulation.pipelined.semantics import PERIOD_RULES, evaluate
from instances.schema import Chiplet
from tests.random_schedules import broken, draw, problem
from tests.support import ENGINES, Tiny, problem_of, proved, tiny

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import GivenMode, Instance, Link, Model, Options

    Change = Callable[[Instance], Instance]

SEEDS = range(0, 320, 11)
MANY = range(0, 320)


# Changes.


def renamed(i: Instance) -> Instance:
    """Models and layers by other names, in another alphabetical order."""

    def new(name: str) -> str:
        return name[::-1]

    def model(m: Model) -> Model:
        return replace(
            m,
            name=new(m.name),
            layers=tuple(replace(x, name=new(x.name)) for x in m.layers),
            tensors=tuple(
                replace(
                    u,
                    producer=None if u.producer is None else new(u.producer),
                    consumers=tuple(map(new, u.consumers)),
                )
                for u in m.tensors
            ),
        )

    o = i.options
    options = replace(
        o,
        colocate=tuple(tuple((new(m), new(x)) for m, x in g) for g in o.colocate),
        max_stage={new(m): n for m, n in o.max_stage.items()},
        latency_cap_ticks={new(m): n for m, n in o.latency_cap_ticks.items()},
    )
    assert i.costs is not None
    costs = [replace(x, model=new(x.model), layer=new(x.layer)) for x in i.costs]
    return replace(
        i, models=tuple(map(model, i.models)), options=options, costs=tuple(costs)
    )


def reordered(i: Instance) -> Instance:
    """Models, tensors, chiplets and cost rows in another order."""
    rng = Random(i.name)
    models = [
        replace(m, tensors=tuple(rng.sample(m.tensors, len(m.tensors))))
        for m in i.models
    ]
    rng.shuffle(models)
    assert i.costs is not None
    chiplets = tuple(rng.sample(i.package.chiplets, len(i.package.chiplets)))
    return replace(
        i,
        models=tuple(models),
        package=replace(i.package, chiplets=chiplets),
        costs=tuple(rng.sample(i.costs, len(i.costs))),
    )


def modes(i: Instance, change: Callable[[GivenMode], GivenMode]) -> Instance:
    assert i.costs is not None
    return replace(i, costs=tuple(map(change, i.costs)))


def times(value: Fraction | None, factor: Fraction | int) -> Fraction | None:
    return None if value is None else value * factor


def physical(
    i: Instance,
    bandwidth: Fraction | int = 1,
    latency: Fraction | int = 1,
    byte_energy: Fraction | int = 1,
    power: Fraction | int = 1,
    l2: int = 1,
) -> Instance:
    """Return the instance with the package's numbers multiplied."""
    p = i.package
    return replace(
        i,
        package=replace(
            p,
            links=tuple(
                replace(
                    x,
                    bandwidth_gb_s=times(x.bandwidth_gb_s, bandwidth),
                    hop_latency_ns=x.hop_latency_ns * latency,
                    energy_pj_per_bit=x.energy_pj_per_bit * byte_energy,
                )
                for x in p.links
            ),
            port_in_gb_s=times(p.port_in_gb_s, bandwidth),
            port_out_gb_s=times(p.port_out_gb_s, bandwidth),
            dram=replace(
                p.dram,
                bandwidth_gb_s=times(p.dram.bandwidth_gb_s, bandwidth),
                latency_ns=p.dram.latency_ns * latency,
                energy_pj_per_bit=p.dram.energy_pj_per_bit * byte_energy,
            ),
            types={
                name: replace(
                    t,
                    static_power_mw=t.static_power_mw * power,
                    l2_bytes=t.l2_bytes * l2,
                )
                for name, t in p.types.items()
            },
        ),
    )


def longer_tick(i: Instance) -> Instance:
    """Three times the tick, everything in ticks unchanged."""
    third = Fraction(1, 3)
    slower = physical(i, bandwidth=third, latency=3, power=third)
    return replace(slower, tick_ps=3 * i.tick_ps)


def wider(i: Instance) -> Instance:
    """Twice the bytes, bandwidths and L2, half the energy of a byte."""
    doubled = physical(i, bandwidth=2, byte_energy=Fraction(1, 2), l2=2)
    doubled = modes(
        doubled,
        lambda row: replace(
            row,
            ws_bytes=2 * row.ws_bytes,
            rw_bytes=2 * row.rw_bytes,
            ri_bytes={u: 2 * n for u, n in row.ri_bytes.items()},
            ro_bytes=2 * row.ro_bytes,
        ),
    )
    models = [
        replace(
            m,
            layers=tuple(replace(x, weight_bytes=2 * x.weight_bytes) for x in m.layers),
            tensors=tuple(replace(u, bytes=2 * u.bytes) for u in m.tensors),
        )
        for m in i.models
    ]
    return replace(doubled, models=tuple(models))


def mirrored(i: Instance, axis: str) -> Instance:
    """A mesh seen from the other side: XY routes stay XY routes."""
    width, height = i.package.width, i.package.height

    def at(router: int) -> int:
        x, y = router % width, router // width
        if axis == "x":
            x = width - 1 - x
        else:
            y = height - 1 - y
        return y * width + x

    def link(x: Link) -> Link:
        return replace(x, src=at(x.src), dst=at(x.dst))

    p = i.package
    doors = tuple(replace(x, router=at(x.router)) for x in p.dram.interfaces)
    return replace(
        i,
        package=replace(
            p,
            chiplets=tuple(replace(c, router=at(c.router)) for c in p.chiplets),
            links=tuple(map(link, p.links)),
            dram=replace(p.dram, interfaces=doors),
        ),
    )


SAME: dict[str, Change] = {
    "renamed": renamed,
    "reordered": reordered,
    "longer tick": longer_tick,
    "wider": wider,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("quantity", ["period", "energy"])
@pytest.mark.parametrize("name", SAME)
def test_nothing_changes(name: str, quantity: str, engine: str) -> None:
    for seed in SEEDS:
        before = tiny(seed)
        after = problem_of(SAME[name](before.instance))
        found = proved(engine, after, quantity)
        assert found == proved(engine, before.problem, quantity), seed


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("axis", ["x", "y"])
def test_mirrored_mesh(axis: str, engine: str) -> None:
    some = [s for s in MANY if tiny(s).instance.package.topology == "mesh"][:40]
    for seed in some:
        before = tiny(seed)
        after = problem_of(mirrored(before.instance, axis))
        for quantity in ("period", "energy"):
            found = proved(engine, after, quantity)
            assert found == proved(engine, before.problem, quantity), seed


def bare(i: Instance) -> Instance:
    """No bandwidths, no hop latency, whole ticks of DRAM latency, no energy caps."""
    p = physical(i, latency=0).package
    tick_ns = Fraction(i.tick_ps, 1000)
    whole = ceil(i.package.dram.latency_ns / tick_ns) * tick_ns
    return replace(
        i,
        options=replace(i.options, energy_cap_pj=None),
        package=replace(
            p,
            links=tuple(replace(x, bandwidth_gb_s=None) for x in p.links),
            port_in_gb_s=None,
            port_out_gb_s=None,
            dram=replace(p.dram, bandwidth_gb_s=None, latency_ns=whole),
        ),
    )


def slower(i: Instance) -> Instance:
    """Three times every time."""
    tripled = physical(i, latency=3, bandwidth=Fraction(1, 3), power=Fraction(1, 3))
    tripled = modes(
        tripled, lambda row: replace(row, latency_ticks=3 * row.latency_ticks)
    )
    models = []
    for m in i.models:
        tensors = []
        for u in m.tensors:
            ticks = u.transfer_ticks
            if ticks is not None:
                ticks = {t: 3 * n for t, n in ticks.items()}
            tensors.append(replace(u, transfer_ticks=ticks))
        models.append(replace(m, tensors=tuple(tensors)))
    o, cap = i.options, i.options.period_cap_ticks
    options = replace(
        o,
        latency_cap_ticks={m: 3 * n for m, n in o.latency_cap_ticks.items()},
        period_cap_ticks=None if cap is None else 3 * cap,
    )
    return replace(tripled, models=tuple(models), options=options)


@pytest.mark.parametrize("engine", ENGINES)
def test_three_times_slower(engine: str) -> None:
    """Exactly three times the period without roundings, never more with them.

    ⌈3x⌉ ≤ 3⌈x⌉ for every schedule and rule.
    """
    for seed in SEEDS:
        i = tiny(seed).instance
        before = proved(engine, problem_of(bare(i)), "period")
        after = proved(engine, problem_of(slower(bare(i))), "period")
        if before is None:
            assert after is None
        else:
            # T ≥ 1 does not scale.
            assert after == 3 * before or (before == 1 and after is not None)
        before = proved(engine, tiny(seed).problem, "period")
        after = proved(engine, problem_of(slower(i)), "period")
        if before is not None:
            assert after is not None
            assert after <= 3 * before


def ends_together(i: Instance) -> tuple[tuple[tuple[str, str], ...], ...]:
    first = i.models[0]
    ends = {(first.name, first.layers[0].name), (first.name, first.layers[-1].name)}
    return (tuple(sorted(ends)),) if len(ends) > 1 else ()


# Options on the left allow no more than those on the right.
NARROWER: dict[str, Callable[[Instance], tuple[Options, Options]]] = {
    **{
        name: lambda i, name=name: (
            replace(i.options, **{name: True}),
            replace(i.options, **{name: False}),
        )
        for name in ("contiguous", "convex", "exclusive", "guaranteed")
    },
    "multicast": lambda i: (
        replace(i.options, multicast=False),
        replace(i.options, multicast=True),
    ),
    "sram": lambda i: (
        replace(i.options, sram="full"),
        replace(i.options, sram="residents"),
    ),
    "colocate": lambda i: (
        replace(i.options, colocate=ends_together(i)),
        replace(i.options, colocate=()),
    ),
    "max_stage": lambda i: (
        replace(i.options, max_stage={m.name: 1 for m in i.models}),
        replace(i.options, max_stage={m.name: 2 for m in i.models}),
    ),
    "caps": lambda i: (
        i.options,
        replace(
            i.options, latency_cap_ticks={}, energy_cap_pj=None, period_cap_ticks=None
        ),
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NARROWER)
def test_narrower_options_never_improve(name: str, engine: str) -> None:
    worse = 0
    for seed in SEEDS:
        i = tiny(seed).instance
        narrow, wide = NARROWER[name](i)
        for quantity in ("period", "energy"):
            less = proved(engine, problem_of(replace(i, options=narrow)), quantity)
            more = proved(engine, problem_of(replace(i, options=wide)), quantity)
            assert (inf if less is None else less) >= (inf if more is None else more)
            worse += less != more
    assert worse > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_another_chiplet_never_hurts(engine: str) -> None:
    """Where there are no routes, shares or energies that it could change."""
    better = 0
    for seed in MANY:
        i = tiny(seed).instance
        p, o = i.package, i.options
        if p.topology != "none" or o.guaranteed or o.energy_cap_pj is not None:
            continue
        extra = Chiplet(p.chiplets[0].type, p.width)
        more = replace(p, width=p.width + 1, chiplets=(*p.chiplets, extra))
        before = proved(engine, tiny(seed).problem, "period")
        after = proved(engine, problem_of(replace(i, package=more)), "period")
        assert (inf if after is None else after) <= (inf if before is None else before)
        better += after != before
    assert better > 0


# One schedule.


def drawn(seed: int) -> tuple[Tiny, list]:
    found = problem(seed)
    rng = Random(f"metamorphic {seed}")
    return found, [draw(found.problem, rng) for _ in range(5)]


def test_the_period_is_the_least() -> None:
    """At T no rule on the period is broken, at T − 1 one is."""
    for seed in MANY:
        found, schedules = drawn(seed)
        p = found.problem
        for s in schedules:
            period = evaluate(p, s).period_ticks
            assert broken(p, s, period).isdisjoint(PERIOD_RULES)
            if period > 1:
                assert broken(p, s, period - 1) & set(PERIOD_RULES)


def test_schedules_survive_writing() -> None:
    for seed in MANY:
        found, schedules = drawn(seed)
        for s in schedules:
            text = json.dumps(to_dict(found.problem, s))
            assert from_dict(found.problem, json.loads(text)) == s

"""The oracle against hand-worked examples, and the generator's measured power.

Examples have ticks of 1 ns (1 GB/s is 1 byte per tick) and quanta of 10 fJ.
Unless said otherwise nothing is limited: no bandwidth, 1000 bytes of L2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    GivenMode,
    Instance,
    Interface,
    Layer,
    Link,
    Model,
    Options,
    Package,
    Tensor,
)
from tests.oracle import (
    Given,
    Schedule,
    candidate_count,
    candidates,
    evaluate,
    solve,
    value,
)
from tests.tiny_random import tiny_instance

LABELS = (
    "stage",
    "compute",
    "link",
    "port",
    "dram",
    "floor",
    "sram",
    "contiguous",
    "convex",
    "exclusive",
    "colocate",
    "latency_cap",
    "energy_cap",
    "period_cap",
)
SEEDS = range(320)


def row(layer, chiplet_type, ticks=1, model="m", **quantities):
    quantities = {"energy_quanta": 0, "ws_bytes": 0, **quantities}
    return GivenMode(model, layer, chiplet_type, ticks, **quantities)


def model(layers, *tensors, name="m", rounds=1):
    """`layers`: name -> weight bytes; `tensors`: (name, producer, consumers, bytes)."""
    return Model(
        name=name,
        layers=tuple(Layer(n, "opaque", None, w) for n, w in layers.items()),
        tensors=tuple(
            t if isinstance(t, Tensor) else Tensor(t[0], t[1], tuple(t[2]), t[3])
            for t in tensors
        ),
        mini_batches=rounds,
    )


def package(
    chiplets,
    *links,
    topology="explicit",
    width=2,
    l2=1000,
    port_in=None,
    port_out=None,
    dram=None,
    dram_latency=0,
    dram_energy=Fraction(0),
    interfaces=((0, Fraction(1)),),
    mode="shared",
    static=Fraction(0),
):
    """`chiplets`: types, at routers 0, 1, …; `links`: (src, dst, bandwidth, ns)."""
    return Package(
        name="p",
        topology=topology if links else "none",
        width=width,
        height=2,
        types={
            t: ChipletType(
                t, "given", 1, 1, l2, *[Fraction(1)] * 5, static_power_mw=static
            )
            for t in chiplets
        },
        chiplets=tuple(Chiplet(t, r) for r, t in enumerate(chiplets)),
        links=tuple(
            Link(a, b, bandwidth, Fraction(ns), Fraction(*energy))
            for a, b, bandwidth, ns, *energy in links
        ),
        port_in_gb_s=port_in,
        port_out_gb_s=port_out,
        dram=Dram(
            dram,
            Fraction(dram_latency),
            dram_energy,
            tuple(Interface(r, s) for r, s in interfaces),
            mode,
        ),
    )


def instance(models, parts, *costs, **options):
    models = models if isinstance(models, tuple) else (models,)
    return Instance(
        name="hand",
        models=models,
        package=parts,
        options=Options(**options),
        tick_ps=1000,
        costs=costs,
    )


def keyed(**values):
    return {("m", name): value for name, value in values.items()}


def schedule(chiplet, *, stage=None, mode=None, resident=None, place=None):
    """Layer -> number, for the only model m."""
    return Schedule(
        chiplet=keyed(**chiplet),
        mode=keyed(**(mode or dict.fromkeys(chiplet, 0))),
        stage=keyed(**(stage or dict.fromkeys(chiplet, 0))),
        resident=keyed(**(resident or {})),
        place=keyed(**(place or {})),
    )


# x -> y on chiplets A and B, which only they support.
PAIR = model({"x": 0, "y": 0}, ("u", "x", "y", 12), ("v", "y", "", 0))
SPLIT = (row("x", "A", 3), row("y", "B", 4))
AB = {"x": 0, "y": 1}
LATER = {"x": 0, "y": 2}
THERE = {"u": "package"}


# The period.


def test_compute():
    """3 + 4 on one chiplet is 7; on two, 4. Mode 1 of y takes 2: 3 + 2 = 5."""
    one = instance(PAIR, package("A"), row("x", "A", 3), row("y", "A", 4))
    assert solve(one, "period") == (7,)
    assert solve(one, "period", frozenset({"compute"})) == (1,)
    assert solve(instance(PAIR, package("AB"), *SPLIT), "period") == (4,)
    both = replace(one, costs=(*one.costs, row("y", "A", 2, energy_quanta=9)))
    assert solve(both, "period,energy") == (5, 9)
    assert solve(both, "energy") == (0,)


def test_duration_is_rounded_up():
    """y reads 10 bytes at 3/2 per tick: ⌈6 2/3⌉ = 7 > 4. x writes them: 7 > 3."""
    chain = model({"x": 0, "y": 0}, ("u", "x", "y", 10), ("v", "y", "", 0))
    given = instance(chain, package("AB", dram=Fraction(3, 2)), *SPLIT)
    verdict = evaluate(given, schedule(AB, stage={"x": 0, "y": 1}, place={"u": "dram"}))
    assert not verdict.violated
    # DRAM has 20 bytes: ⌈13 1/3⌉ = 14.
    assert verdict.period == 14
    wide = replace(given.package.dram, bandwidth_gb_s=None)
    ported = replace(given.package, dram=wide, port_in_gb_s=Fraction(3, 2))
    verdict = evaluate(
        replace(given, package=ported),
        schedule(AB, stage={"x": 0, "y": 1}, place={"u": "dram"}),
    )
    assert verdict.period == 7


def test_interface_adds_reads_and_writes_but_a_port_does_not():
    """x reads 6 and writes 6: 12 at an interface of 2 take 6, at ports of 2 take 3."""
    alone = model({"x": 0}, ("i", None, "x", 6), ("v", "x", "", 6))
    cost = row("x", "A", 1)
    shared = instance(alone, package("A", dram=Fraction(2)), cost)
    assert solve(shared, "period") == (6,)
    ports = package("A", port_in=Fraction(2), port_out=Fraction(2))
    assert solve(instance(alone, ports, cost), "period") == (3,)


def test_link():
    """12 bytes at 2 per tick: 6, more than 4; 3 bytes per tick: 4."""
    links = ((0, 1, Fraction(2), 0), (1, 0, Fraction(2), 0))
    given = instance(PAIR, package("AB", *links), *SPLIT)
    assert solve(given, "period") == (6,)
    assert solve(given, "period", frozenset({"link"})) == (4,)
    verdict = evaluate(given, schedule(AB, stage=LATER, place=THERE), period=5)
    assert verdict.violated == {"link"}


FORK = model(
    {"x": 0, "y": 0, "z": 0},
    ("u", "x", "yz", 12),
    ("v", "y", "", 0),
    ("w", "z", "", 0),
)
FORKED = (row("x", "A"), row("y", "B"), row("z", "C"))
ABC = {"x": 0, "y": 1, "z": 2}
FORK_LATER = {"x": 0, "y": 2, "z": 2}


def test_port_and_multicast():
    """12 bytes leave A twice at 2 per tick: 12; with multicast once: 6. In: 12/3."""
    parts = package("ABC", port_out=Fraction(2), port_in=Fraction(3))
    fixed = schedule(ABC, stage=FORK_LATER, place=THERE)
    given = instance(FORK, parts, *FORKED)
    assert evaluate(given, fixed).period == 12
    cast = instance(FORK, parts, *FORKED, multicast=True)
    assert evaluate(cast, fixed).period == 6
    assert evaluate(cast, fixed, 5).violated == {"port"}
    assert evaluate(cast, fixed, 3).violated == {"port"}
    assert evaluate(cast, fixed, without=frozenset({"port"})).period == 1
    # A DRAM place would write 12/2 once, in the duration of x: 1 tick is hidden.
    assert solve(given, "period") == (6,)


def test_link_of_multicast():
    """A-B-C in a row: link A-B carries u twice, 24 bytes, or once with multicast.

    At 1/125 pJ/bit = 6.4 quanta per byte: 12·(1 + 2) hops = 36 bytes, 230.4;
    with multicast 24 bytes, 153.6.
    """
    hop = (Fraction(2), 0, 1, 125)
    parts = package("ABC", (0, 1, *hop), (1, 2, *hop), (1, 0, *hop), (2, 1, *hop))
    fixed = schedule(ABC, stage=FORK_LATER, place=THERE)
    verdict = evaluate(instance(FORK, parts, *FORKED), fixed)
    assert (verdict.period, verdict.energy) == (12, 231)
    verdict = evaluate(instance(FORK, parts, *FORKED, multicast=True), fixed)
    assert (verdict.period, verdict.energy) == (6, 154)


def test_dram():
    """Both read 9 bytes: 3 ticks each at 3 per tick, but 18 bytes together: 6."""
    twins = model(
        {"x": 0, "y": 0},
        ("i", None, "xy", 9),
        ("u", "x", "", 0),
        ("v", "y", "", 0),
    )
    given = instance(twins, package("AB", dram=Fraction(3)), *SPLIT)
    assert solve(given, "period") == (6,)
    assert solve(given, "period", frozenset({"dram"})) == (4,)


def test_guaranteed_of_the_statement():
    """A: stream 5, idle 5, stream 5, idle 5; B: stream 10, idle 10; 1 byte per tick.

    20 ticks and 20 bytes fit 20. With halves of the interface streams take
    twice as long: 10 + 5 + 10 + 5 = 30 and 20 + 10 = 30.
    """
    a = model(
        dict.fromkeys("pqrs", 0),
        ("i", None, "p", 5),
        ("j", None, "r", 5),
        *((f"{n}_out", n, "", 0) for n in "pqrs"),
    )
    b = model(
        dict.fromkeys("pq", 0),
        ("i", None, "p", 10),
        *((f"{n}_out", n, "", 0) for n in "pq"),
        name="other",
    )
    costs = [row(n, "A", 5) for n in "pqrs"]
    costs += [row(n, "B", 10, model="other") for n in "pq"]
    parts = package("AB", dram=Fraction(1))
    assert solve(instance((a, b), parts, *costs), "period") == (20,)
    guaranteed = instance((a, b), parts, *costs, guaranteed=True)
    assert solve(guaranteed, "period") == (30,)


def test_guaranteed_shares():
    """Interface at router 0, chiplets A at 0 and B at 1.

    Only B uses the links. y reads 12 bytes: interface 6/2 = 3 per tick, 4 ticks;
    link 4/2 = 2 per tick, 6; port in 3/2, 8. u takes 12 of the package half of
    the link, 12/(4/2) = 6, and of the port in, 12/(3/2) = 8.
    """
    links = ((0, 1, Fraction(4), 0), (1, 0, Fraction(4), 0))
    both = model(
        {"x": 0, "y": 0}, ("i", None, "y", 12), ("u", "x", "y", 12), ("v", "y", "", 0)
    )
    fixed = schedule(AB, stage=LATER, place=THERE)

    def period(**limits):
        parts = package("AB", *links, dram=Fraction(6), **limits)
        return evaluate(instance(both, parts, *SPLIT, guaranteed=True), fixed).period

    assert Given(
        instance(both, package("AB", *links), *SPLIT, guaranteed=True)
    ).users == {("dram", 0): {0, 1}, ("link", 0, 1): {1}, ("link", 1, 0): {1}}
    assert period() == 6
    assert period(port_in=Fraction(3)) == 8


def test_floor():
    """Hops of 5/2 and 3 ns: ⌈5/2⌉ = 3 < 4; two hops of 5/2: 5. DRAM: 6, T ≥ 6."""
    links = ((0, 1, None, Fraction(5, 2)), (1, 0, None, 3))
    given = instance(PAIR, package("AB", *links), *SPLIT)
    assert Given(given).least_period == 3
    links += ((1, 2, None, Fraction(5, 2)), (2, 1, None, 0))
    far = instance(PAIR, package("ABC", *links), *SPLIT)
    assert solve(far, "period") == (5,)
    assert solve(far, "period", frozenset({"floor"})) == (4,)
    slow = instance(PAIR, package("AB", dram_latency=6), *SPLIT)
    assert solve(slow, "period") == (6,)
    assert solve(instance(PAIR, package("AB"), *SPLIT), "period") == (4,)


def test_floor_of_private_interfaces():
    """A row of 3, interfaces at both ends: 4 to the near one, 8 to the far one."""
    hops = [(a, b, None, 4) for a, b in ((0, 1), (1, 0), (1, 2), (2, 1))]
    ends = ((0, Fraction(1, 2)), (2, Fraction(1, 2)))
    parts = package("AB", *hops, interfaces=ends)
    assert Given(instance(PAIR, parts, *SPLIT)).least_period == 4
    spread = replace(parts, dram=replace(parts.dram, mode="interleaved"))
    assert Given(instance(PAIR, spread, *SPLIT)).least_period == 8
    # Both chiplets are nearest to the first interface until one stands at router 2.
    private = replace(parts, dram=replace(parts.dram, mode="private"))
    assert Given(instance(PAIR, private, *SPLIT)).least_period == 4
    moved = replace(private, chiplets=(Chiplet("A", 0), Chiplet("B", 2)))
    assert Given(instance(PAIR, moved, *SPLIT)).least_period == 8


# Routes and DRAM.


def test_routes():
    """XY on a 2×2 mesh; elsewhere the smallest parent, seen from the target."""
    square = [(a, b, None, 0) for a, b in ((0, 1), (1, 3), (0, 2), (2, 3))]
    square += [(b, a, None, 0) for a, b, _, _ in square]
    mesh = Given(instance(PAIR, package("AB", *square, topology="mesh"), *SPLIT))
    assert mesh.route(0, 3) == (("link", 0, 1), ("link", 1, 3))
    assert mesh.route(3, 0) == (("link", 3, 2), ("link", 2, 0))
    assert mesh.route(1, 1) == ()
    hops = ((0, 1), (0, 2), (1, 4), (2, 3), (3, 5), (4, 5), (5, 0))
    tree = package("AB", *((a, b, None, 0) for a, b in hops))
    route = Given(instance(PAIR, tree, *SPLIT)).route(0, 5)
    assert route == (("link", 0, 2), ("link", 2, 3), ("link", 3, 5))
    # By smallest parent 3 comes from 1, though the links are directed.
    ring = Given(instance(PAIR, package("AB", *square), *SPLIT))
    assert ring.route(3, 0) == (("link", 3, 1), ("link", 1, 0))


def test_dram_modes():
    """x on A writes u, 8 bytes, y on B reads it; interfaces 0 at A (1/4), 1 at B (3/4).

    shared: A writes 8 through 0, B reads 8 through 1.
    interleaved: 2 written and 2 read through 0, 6 and 6 through 1.
    private: 8 written and 8 read through 0.
    """
    chain = model({"x": 0, "y": 0}, ("u", "x", "y", 8), ("v", "y", "", 0))
    links = ((0, 1, Fraction(3, 2), 0), (1, 0, Fraction(3, 2), 0))
    ends = ((0, Fraction(1, 4)), (1, Fraction(3, 4)))
    fixed = schedule(AB, stage={"x": 0, "y": 1}, place={"u": "dram"})

    def period(mode, dram):
        parts = package("AB", *links, dram=dram, interfaces=ends, mode=mode)
        return evaluate(instance(chain, parts, *SPLIT), fixed).period

    # 4 bytes per tick: 1 through interface 0, 3 through interface 1.
    assert period("shared", Fraction(4)) == 8  # x: 8/1
    # Link 0 -> 1 has 6 written and 2 read: 8/(3/2), more than 4/1 and 12/3.
    assert period("interleaved", Fraction(4)) == 6
    assert period("private", Fraction(4)) == 16  # 16/1
    assert period("shared", None) == 4  # no link is used
    assert period("private", None) == 6  # y: 8/(3/2) on the link 0 -> 1


def test_nearest_interface():
    """Hops count on the route from the interface to the chiplet; ties: the first."""
    hops = ((0, 1), (1, 2), (2, 0))  # one way: from 0 to 2 two hops, from 1 one
    parts = package(
        "ABC",
        *((a, b, None, 0) for a, b in hops),
        interfaces=((0, Fraction(1, 2)), (1, Fraction(1, 2))),
    )
    assert Given(instance(PAIR, parts, *SPLIT)).nearest == [0, 1, 1]
    nowhere = package("ABC", interfaces=parts_at(2, 1))
    assert Given(instance(PAIR, nowhere, *SPLIT)).nearest == [0, 0, 0]


def parts_at(*routers):
    return tuple((r, Fraction(1, len(routers))) for r in routers)


def test_dram_bytes():
    """Everything that a layer can stream, at 1 byte per tick, so that d is bytes.

    y streams W + r_w = 4 + 1 = 5, reads its model input 3 + 2 (r_i). u package:
    nothing more to read; v is written, 6, and as it is dram r_o = 7 is read and
    written: 5 + 5 + 6 + 14 = 30. Resident: 25. u dram: 12 + r_i 0 more: 42.
    """
    chain = model(
        {"x": 0, "y": 4}, ("i", None, "y", 3), ("u", "x", "y", 12), ("v", "y", "", 6)
    )
    y = row("y", "A", rw_bytes=1, ri_bytes={"i": 2}, ro_bytes=7)
    given = instance(chain, package("A", dram=Fraction(1)), row("x", "A"), y)

    def period(resident, place):
        fixed = schedule({"x": 0, "y": 0}, resident={"y": resident}, place={"u": place})
        return evaluate(given, fixed).period

    assert period(False, "package") == 1 + 30
    assert period(True, "package") == 1 + 25
    assert period(True, "dram") == 12 + 37  # x writes 12


def test_output_with_consumers():
    """u, 12 bytes, is an output: written even if package, once if dram; r_o 5.

    Package: x writes 12, no r_o: d = 12. Dram: 12 + 5 + 5 = 22, y reads 12.
    """
    u = Tensor("u", "x", ("y",), 12, output=True)
    chain = model({"x": 0, "y": 0}, u, ("v", "y", "", 0))
    given = instance(
        chain, package("A", dram=Fraction(1)), row("x", "A", ro_bytes=5), row("y", "A")
    )
    on_a = {"x": 0, "y": 0}
    assert evaluate(given, schedule(on_a, place={"u": "package"})).period == 12 + 1
    assert evaluate(given, schedule(on_a, place={"u": "dram"})).period == 22 + 12


def test_rounds():
    """Two mini-batches: t 6, input 2·(5 + 1), output 2·2, r_o 2·3, ws as it is.

    Weights 4 + 2 once if they are held, else twice: 6 or 12. Bytes at 1 per
    tick: 12 + 4 + 6 + 6 = 28 and 6 or 12. Energy 2·7.
    """
    alone = model({"x": 4}, ("i", None, "x", 5), ("v", "x", "", 2), rounds=2)
    terms = {"rw_bytes": 2, "ri_bytes": {"i": 1}, "ro_bytes": 3, "ws_bytes": 9}

    def cost(held):
        return row("x", "A", 3, energy_quanta=7, holds_weights=held, **terms)

    for held, period in ((True, 34), (False, 40)):
        given = instance(alone, package("A", dram=Fraction(1), l2=9), cost(held))
        assert solve(given, "period,energy") == (period, 14)
    given = instance(alone, package("A", dram=Fraction(1), l2=13), cost(True))
    assert solve(given, "period") == (28,)  # resident: 4 + 9 = 13 bytes
    assert solve(instance(alone, package("A"), cost(True)), "period") == (6,)


# Stages and memory.


def test_stage():
    """Between chiplets +2 by package, +1 by DRAM; on one chiplet 0.

    With max_stage 1 u must go to DRAM, 12 bytes at 1 per tick twice: 24, not 4.
    """
    given = instance(PAIR, package("AB", dram=Fraction(1)), *SPLIT)
    assert solve(given, "period") == (4,)
    flat = replace(given, options=Options(max_stage={"m": 1}))
    assert solve(flat, "period") == (24,)
    assert solve(flat, "period", frozenset({"stage"})) == (4,)

    def broken(stage, place):
        fixed = schedule(AB, stage={"x": 0, "y": stage}, place={"u": place})
        return "stage" in evaluate(given, fixed).violated

    assert [broken(s, "package") for s in (0, 1, 2, 3)] == [True, True, False, True]
    assert [broken(s, "dram") for s in (0, 1, 2, 3)] == [True, False, False, True]


def least_l2(fixed, models, costs, chiplets="AB", **options):
    """The L2 size from which a schedule fits."""
    return next(
        l2
        for l2 in range(1000)
        if not evaluate(
            instance(models, package(chiplets, l2=l2), *costs, **options), fixed
        ).violated
    )


@pytest.mark.parametrize(
    ("chiplet", "stage", "place", "l2"),
    [
        # A: max(2, 1) copies of 12 and 5; B: 2 copies and 7: 31.
        ((0, 1, 1), (0, 2, 2), "package", 31),
        # z is two stages behind y: on B 4 copies and 7.
        ((0, 1, 1), (0, 2, 4), "package", 55),
        # y is on A at Δ = 0: 2 copies there for z; 2 on C.
        ((0, 0, 2), (0, 0, 2), "package", 31),
        # y is on A at Δ = 2: 3 copies there, and 7; 2 on C.
        ((0, 0, 2), (0, 2, 2), "package", 43),
        # All on A, z at Δ = 1: 2 copies and 7.
        ((0, 0, 0), (0, 0, 1), "package", 31),
        # All on A at once: unbuffered, counted with every layer: 12 + 7.
        ((0, 0, 0), (0, 0, 0), "package", 19),
        # In DRAM: 7.
        ((0, 0, 0), (0, 0, 0), "dram", 7),
    ],
)
def test_sram(chiplet, stage, place, l2):
    """FORK with working sets of 5 (x), 7 (y), 6 (z), and 12 bytes of u."""
    sets = {"x": 5, "y": 7, "z": 6}
    costs = [row(n, t, ws_bytes=ws) for n, ws in sets.items() for t in "ABC"]
    fixed = schedule(
        dict(zip("xyz", chiplet, strict=True)),
        stage=dict(zip("xyz", stage, strict=True)),
        place={"u": place},
    )
    assert least_l2(fixed, FORK, costs, "ABC") == l2


def test_sram_peak_between():
    """u (9 bytes) from x to z lies in L2 while y (ws 20), on the same chiplet, runs.

    y has nothing to do with u, and a later w (ws 25) does not see it.
    """
    skip = model(
        dict.fromkeys("xyzw", 0),
        ("u", "x", "z", 9),
        *((f"{n}_out", n, "", 0) for n in "yzw"),
    )
    sets = {"x": 1, "y": 20, "z": 1, "w": 25}
    costs = [row(n, t, ws_bytes=ws) for n, ws in sets.items() for t in "AB"]
    here = dict.fromkeys("xyzw", 0)
    assert least_l2(schedule(here, place=THERE), skip, costs) == 29
    away = here | {"y": 1}
    assert least_l2(schedule(away, place=THERE), skip, costs) == 25


def test_sram_weights():
    """Resident x has 10 bytes, ws 4: 14. One byte less and it streams 10: T = 10."""
    alone = model({"x": 10}, ("v", "x", "", 0))

    def given(l2, **options):
        parts = package("A", l2=l2, dram=Fraction(1))
        return instance(alone, parts, row("x", "A", ws_bytes=4), **options)

    assert solve(given(14), "period") == (1,)
    assert solve(given(13), "period") == (10,)
    assert solve(given(13), "period", frozenset({"sram"})) == (1,)
    assert solve(given(3), "period") is None
    assert solve(given(10, sram="residents"), "period") == (1,)
    assert solve(given(9, sram="residents"), "period") == (10,)


# Options.


def test_serial():
    """12 bytes leave A at 5 per tick and arrive at B at 2: 3 + 12/5, 4 + 12/2 = 10.

    `port` alone needs 6. B is the busier; with 8 per tick in: 5 2/5 and 5 1/2.
    """
    fixed = schedule(AB, stage={"x": 0, "y": 1}, place=THERE)

    def given(port_in, **options):
        parts = package("AB", port_in=Fraction(port_in), port_out=Fraction(5))
        return instance(PAIR, parts, *SPLIT, serial=True, **options)

    assert evaluate(given(2), fixed).period == 10
    assert evaluate(given(2), fixed, 9).violated == {"compute"}
    assert evaluate(given(8), fixed).period == 6
    assert evaluate(given(2), fixed, without=frozenset({"compute"})).period == 6
    # The transfer terms take the package half: 4 + 12/1.
    assert evaluate(given(2, guaranteed=True), fixed).period == 16
    assert evaluate(instance(PAIR, package("AB"), *SPLIT), fixed).violated == {"stage"}


def test_serial_transfer_ticks():
    """u takes 2 ticks at A, 3 at B, none at C. A sends it twice, multicast once.

    A: 1 + 2·2 = 5 or 1 + 2 = 3; B: 1 + 3 = 4. Two mini-batches double it all.
    """
    u = Tensor("u", "x", ("y", "z"), 0, transfer_ticks={"A": 2, "B": 3})
    fixed = schedule(ABC, stage={"x": 0, "y": 1, "z": 1}, place=THERE)

    def period(rounds, **options):
        fork = model(
            dict.fromkeys("xyz", 0),
            u,
            ("v", "y", "", 0),
            ("w", "z", "", 0),
            rounds=rounds,
        )
        given = instance(fork, package("ABC"), *FORKED, serial=True, **options)
        assert not evaluate(given, fixed).violated
        by_dram = replace(fixed, place=keyed(u="dram"))
        assert evaluate(given, by_dram).violated == {"assignment"}
        return evaluate(given, fixed).period

    assert period(1) == 5
    assert period(1, multicast=True) == 4
    assert period(2) == 10


def test_serial_copies():
    """u, 12 bytes, from A to B at Δ = 1: 2 copies on B, 1 on A; z on A, Δ = 1: 2."""
    costs = [row(n, t) for n in "xyz" for t in "AB"]
    fixed = schedule(
        {"x": 0, "y": 1, "z": 1}, stage={"x": 0, "y": 1, "z": 1}, place=THERE
    )
    assert least_l2(fixed, FORK, costs, serial=True) == 24
    mixed = schedule(
        {"x": 0, "y": 1, "z": 0}, stage={"x": 0, "y": 1, "z": 2}, place=THERE
    )
    assert least_l2(mixed, FORK, costs, serial=True) == 36


CHAIN = model(
    dict.fromkeys("xyz", 0), ("u", "x", "y", 0), ("v", "y", "z", 0), ("w", "z", "", 0)
)
LOOSE = model(dict.fromkeys("xyz", 0), *((f"{n}_out", n, "", 0) for n in "xyz"))
# A is quick at x and z, B at y.
ABA = tuple(
    row(n, t, 2 if (n == "y") == (t == "B") else 8) for n in "xyz" for t in "AB"
)


@pytest.mark.parametrize(
    ("given", "option", "off", "on"),
    [
        # x and z on A, y on B: 4. An interval: y, z on B or x, y on A: 10.
        (CHAIN, {"contiguous": True}, 4, 10),
        (LOOSE, {"contiguous": True}, 4, 10),
        # The path x, y, z may not come back to A; without a path it may.
        (CHAIN, {"convex": True}, 4, 10),
        (LOOSE, {"convex": True}, 4, 4),
        # x with y: 2 + 8 on A, or 8 + 2 on B, and z on the other: 10 or z on A: 10.
        (LOOSE, {"colocate": ((("m", "x"), ("m", "y")),)}, 4, 10),
    ],
)
def test_placement_options(given, option, off, on):
    limited = instance(given, package("AB"), *ABA, **option)
    assert solve(limited, "period", frozenset(option)) == (off,)
    assert solve(limited, "period") == (on,)


def test_convex_through_any_tensor():
    """x -> y -> z by way of DRAM and package: x and z on A, y on B is not convex."""
    given = instance(CHAIN, package("AB"), *ABA, convex=True)
    fixed = schedule(
        {"x": 0, "y": 1, "z": 0},
        stage={"x": 0, "y": 1, "z": 3},
        place={"u": "dram", "v": "package"},
    )
    assert evaluate(given, fixed).violated == {"convex"}


def test_exclusive():
    """Models of 5 + 5 and 1 + 1: mixed 6 and 6; one chiplet each: 10."""
    large = model({"x": 0, "y": 0}, ("v", "x", "", 0), ("w", "y", "", 0), name="large")
    small = replace(large, name="small")
    costs = [
        row(n, "A", ticks, model=name)
        for name, ticks in (("large", 5), ("small", 1))
        for n in "xy"
    ]
    given = instance((large, small), package("AA"), *costs, exclusive=True)
    assert solve(given, "period") == (10,)
    assert solve(given, "period", frozenset({"exclusive"})) == (6,)


def test_latency_cap():
    """On A and B: T = 4, (1 + 2)·4 = 12; on A alone: T = 7, 7."""
    costs = (*SPLIT, row("y", "A", 4))
    given = instance(PAIR, package("AB"), *costs)
    fixed = schedule(AB, stage=LATER, place=THERE)
    both = replace(fixed, mode=keyed(x=0, y=0))
    assert evaluate(given, both).latency == {"m": 12}
    assert evaluate(given, both, period=5).latency == {"m": 15}
    for cap, period in ((12, (4,)), (11, (4,)), (8, (4,)), (7, (7,)), (6, None)):
        capped = instance(PAIR, package("AB"), *costs, latency_cap_ticks={"m": cap})
        # By DRAM, unlimited here, 1 + 1 stages: 8.
        assert solve(capped, "period") == period
        assert solve(capped, "period", frozenset({"latency_cap"})) == (4,)


def test_energy():
    """Rounded up once.

    Modes 5 + 6. u, 12 bytes, crosses one link at 1/1000 pJ/bit = 0.8 quanta per
    byte: 9.6. v, 3 bytes, goes to DRAM over link 1 -> 0, 2.4, at 1/500 pJ/bit,
    1.6 per byte: 4.8. Two chiplets of 1/1000 mW: 0.1 quanta per tick each, T = 4:
    0.8. In all 28.6: 29.
    """
    links = ((0, 1, None, 0, 1, 1000), (1, 0, None, 0, 1, 1000))
    parts = package(
        "AB", *links, dram_energy=Fraction(1, 500), static=Fraction(1, 1000)
    )
    chain = model({"x": 0, "y": 0}, ("u", "x", "y", 12), ("v", "y", "", 3))
    costs = (row("x", "A", 3, energy_quanta=5), row("y", "B", 4, energy_quanta=6))
    given = instance(chain, parts, *costs)
    verdict = evaluate(given, schedule(AB, stage=LATER, place=THERE))
    assert (verdict.period, verdict.energy) == (4, 29)
    # By DRAM: 12·1.6 twice for x's write and y's read, the link only for the read.
    # 11 + 38.4 + 9.6 + 2.4 + 4.8 + 0.8 = 67.
    fixed = schedule(AB, stage=LATER, place={"u": "dram"})
    assert evaluate(given, fixed).energy == 67
    assert solve(given, "energy") == (29,)


def test_energy_cap():
    """A quick mode of 30 quanta, a slow one of 20 = 200 fJ = 1/5 pJ."""
    alone = model({"x": 0}, ("v", "x", "", 0))
    modes = (row("x", "A", 1, energy_quanta=30), row("x", "A", 5, energy_quanta=20))

    def given(cap):
        return instance(alone, package("A"), *modes, energy_cap_pj=cap)

    assert solve(given(Fraction(3, 10)), "period") == (1,)
    assert solve(given(Fraction(299, 1000)), "period,energy") == (5, 20)
    assert solve(given(Fraction(199, 1000)), "period") is None
    assert solve(given(Fraction(1, 10)), "period", frozenset({"energy_cap"})) == (1,)


def test_period_cap():
    """7 on one chiplet. The least energy is that of the slow mode unless capped."""
    given = instance(
        PAIR,
        package("A"),
        row("x", "A", 3),
        row("y", "A", 4, energy_quanta=2),
        row("y", "A", 9, energy_quanta=1),
    )
    assert solve(replace(given, options=Options(period_cap_ticks=6)), "period") is None
    capped = replace(given, options=Options(period_cap_ticks=7))
    assert solve(capped, "energy") == (2,)
    assert solve(capped, "energy", frozenset({"period_cap"})) == (1,)


def test_assignment():
    given = instance(
        model({"x": 2, "y": 0}, ("u", "x", "y", 1), ("v", "y", "", 0)),
        package("AB"),
        *SPLIT,
    )
    right = schedule(AB, stage=LATER, resident={"x": True}, place=THERE)
    assert not evaluate(given, right).violated
    for wrong in (
        replace(right, chiplet=keyed(x=1, y=1)),  # not supported
        replace(right, chiplet=keyed(x=0, y=2)),  # no such chiplet
        replace(right, mode=keyed(x=1, y=0)),
        replace(right, resident={}),
        replace(right, resident=keyed(x=True, y=True)),
        replace(right, place={}),
        replace(right, place=keyed(u="package", v="dram")),
    ):
        assert evaluate(given, wrong).violated == {"assignment"}
    nowhere = replace(given, costs=SPLIT[:1])
    assert solve(nowhere, "period") is None


# The search, and the generator.


def naive(given, objective):
    """The optimum from `evaluate` alone: every stage vector, no shortcut."""
    world = Given(given)
    limits = [range(world.last_stage(n[0]) + 1) for n in world.layers]
    values = []
    for s in candidates(world, frozenset({"contiguous", "convex", "colocate"})):
        for stages in product(*limits):
            stage = dict(zip(world.layers, stages, strict=True))
            verdict = evaluate(given, replace(s, stage=stage))
            if not verdict.violated:
                values.append(value(objective, verdict.period, verdict.energy))
    return min(values, default=None)


def test_search_finds_the_best_schedule():
    small = []
    for seed in SEEDS:
        given = tiny_instance(seed)
        world = Given(given)
        count = candidate_count(given)
        for n in world.layers:
            count *= world.last_stage(n[0]) + 1
        if count <= 200:
            small.append(given)
    assert len(small) >= 12
    for given in small:
        for objective in ("period", "energy", "period,energy"):
            assert solve(given, objective) == naive(given, objective), given.name


def test_instances_are_reproducible():
    assert tiny_instance(7) == tiny_instance(7)
    assert tiny_instance(7) != tiny_instance(8)


def has_option(options, label):
    """Whether a label can matter: it is no option, or the option is on."""
    name = {
        "latency_cap": "latency_cap_ticks",
        "energy_cap": "energy_cap_pj",
        "period_cap": "period_cap_ticks",
    }.get(label, label)
    return getattr(options, name, True) not in (False, None, (), {})


@pytest.mark.parametrize(
    ("seeds", "least"),
    [
        pytest.param(SEEDS[:128], 5, marks=pytest.mark.slow),
        pytest.param(SEEDS, 15, marks=pytest.mark.long),
    ],
)
def test_every_rule_matters_in_random_instances(seeds, least):
    """10 to 40 % infeasible; leaving out any rule moves at least 15 of 320 optima."""
    moved, infeasible = Counter(), 0
    for seed in seeds:
        given = tiny_instance(seed)
        best = solve(given, "period,energy")
        infeasible += best is None
        for label in LABELS:
            if has_option(given.options, label):
                without = frozenset({label})
                moved[label] += solve(given, "period,energy", without) != best
    assert 0.1 <= infeasible / len(seeds) <= 0.4
    assert min(moved[label] for label in LABELS) >= least, moved

"""The timed oracle against hand-worked examples, dumber enumeration and the semantics.

The engines, too, are asked for the examples.

Examples have ticks of 1 ns (1 GB/s is 1 byte per tick) and quanta of 10 fJ.
Unless said otherwise nothing is limited: no bandwidth, no latency, 1000 bytes of L2.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod
from random import Random

import pytest

from formulation.rules import UnassignedError
from formulation.timed.schedule import Schedule, Transfer
from formulation.timed.semantics import evaluate
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
    TimedOptions,
)
from tests import oracle
from tests.oracle_timed import (
    RULES,
    Search,
    TooLarge,
    Trial,
    best,
    broken_starts,
    choices,
    judge,
    loaded,
    parse,
    parts_of,
    solve,
    streamed,
    transferred,
    worth,
)
from tests.random_schedules import shuffled
from tests.support import problem_of
from tests.timed_engines import ENGINES, proved
from tests.timed_random import CYCLE, cases, tiny

SEEDS = range(120)
MANY = range(120, 720)


def row(layer, ticks=1, chiplet_type="a", model="m", **quantities):
    quantities = {"energy_quanta": 0, "ws_bytes": 0, **quantities}
    return GivenMode(model, layer, chiplet_type, ticks, **quantities)


def network(layers, tensors=(), name="m", **quantities):
    """Layers as ``"x y:6"`` (6 bytes of weights), tensors as (producer, to, bytes)."""
    made = []
    for text in layers.split():
        layer, _, weights = text.partition(":")
        made.append(Layer(layer, "opaque", None, int(weights or 0)))
    edges = [
        Tensor(f"t{n}", producer, tuple(to), size)
        for n, (producer, to, size) in enumerate(tensors)
    ]
    return Model(name, tuple(made), tuple(edges), **quantities)


def exactly(number):
    return None if number is None else Fraction(number)


def problem(
    models,
    rows,
    held="a",
    port=(None, None),
    link=None,
    hop=0,
    dram=None,
    dram_latency=0,
    energy=0,
    l2=1000,
    static=0,
    options=None,
    **timed,
):
    """A problem of chiplets in a row, types `held`, the interface at the first."""
    types = {
        name: ChipletType(
            name=name,
            dataflow="given",
            num_pes=1,
            l1_bytes_per_pe=1,
            l2_bytes=l2,
            noc_bytes_per_cycle=Fraction(1),
            clock_mhz=Fraction(1000),
            mac_energy_pj=Fraction(1),
            l1_energy_pj_per_byte=Fraction(1),
            l2_energy_pj_per_byte=Fraction(1),
            static_power_mw=Fraction(static),
        )
        for name in sorted(set(held))
    }
    routers = range(len(held))
    package = Package(
        name="row",
        topology="mesh",
        width=len(held),
        height=1,
        types=types,
        chiplets=tuple(Chiplet(name, r) for name, r in zip(held, routers, strict=True)),
        links=tuple(
            Link(r, s, exactly(link), Fraction(hop), Fraction(energy))
            for r in routers
            for s in (r - 1, r + 1)
            if s in routers
        ),
        port_in_gb_s=exactly(port[0]),
        port_out_gb_s=exactly(port[1]),
        dram=Dram(
            exactly(dram),
            Fraction(dram_latency),
            Fraction(energy),
            (Interface(0, Fraction(1)),),
        ),
    )
    return problem_of(
        Instance(
            name="by hand",
            models=tuple(models),
            package=package,
            options=Options(**(options or {}), timed=TimedOptions(**timed)),
            tick_ps=1000,
            costs=tuple(rows),
        )
    )


def chain(**given):
    """x (3 ticks) on chiplet 0 sends 4 bytes to y (2 ticks) on chiplet 1."""
    model = network("x y", [("x", "y", 4)])
    return problem([model], [row("x", 3), row("y", 2, "b")], "ab", **given)


@pytest.fixture(params=["oracle", *ENGINES])
def least(request):
    """What is asked for the least values: the oracle, or an engine."""
    if request.param == "oracle":
        return best

    def find(p, objective):
        if request.param == "cpsat" and p.timing.contention == "fluid":
            pytest.skip("fluid is for the MILP alone")
        return proved(request.param, p, objective)

    return find


def test_a_chain_over_a_link(least):
    """The link of 2 bytes a tick takes 2 ticks, the hop 1: 3 + 2 + 1 + 2 = 8.

    Through DRAM (unlimited, 0 latency): 3 + 2 = 5. With 3 bytes a tick at the
    interface, x writes 4 bytes in 2 ticks within its run, y reads them in 2: also 5.
    With a DRAM latency of 4: 3 + 4 + 2 = 9, so the link is better.
    """
    link = {"link": 2, "hop": 1}
    assert least(chain(**link), "makespan") == (5,)
    assert least(chain(**link, dram=3), "makespan") == (5,)
    assert least(chain(**link, dram_latency=4), "makespan") == (8,)


def test_tasks_are_half_open_and_nothing_is_early():
    """x in [0, 3), its transfer in [3, 5), y in [6, 8): each a tick earlier is wrong.

    x cannot start before 0, the transfer not before x ends, y not before 5 + 1. A
    transfer of one tick is too short, one of three too long.
    """
    p = chain(link=2, hop=1)

    def broken(x, span, y):
        s = Schedule(
            chiplet=(0, 1),
            mode=(0, 0),
            resident=(None, None),
            place=("package",),
            runs=((x,), (y,)),
            streams=((None,), (None,)),
            loads=(None, None),
            transfers=(((Transfer((1,), span),),),),
        )
        return set(judge(p, s).violated)

    assert broken(0, (3, 5), 6) == set()
    assert broken(-1, (3, 5), 6) == {"release"}
    assert broken(0, (2, 4), 6) == {"precedence"}
    assert broken(0, (3, 5), 5) == {"precedence"}
    assert broken(0, (3, 4), 6) == {"duration"}
    assert broken(0, (3, 6), 7) == {"duration"}
    assert broken(0, (4, 6), 7) == set()


def test_store_and_forward_adds_up(least):
    """4 bytes: port out 4 ticks at 1, two links 2 ticks each at 2, port in 1 at 4.

    Cut through: the slowest, 4; passed on one by one: 4 + 2 + 2 + 1 = 9. x takes 1 and
    y 1, a DRAM latency of 50 keeps the tensor inside.
    """
    model = network("x y", [("x", "y", 4)])
    given = {"port": (4, 1), "link": 2, "dram_latency": 50}
    rows = [row("x"), row("y", 1, "b")]
    for switching, total in (("cut_through", 6), ("store_and_forward", 11)):
        p = problem([model], rows, "acb", **given, switching=switching)
        assert least(p, "makespan") == (total,)


def test_store_and_forward_lets_the_next_one_in(least):
    """Two transfers of 4 bytes over port out (4 ticks) and link (2), x1 then x2 ready.

    x1 and x2 take a tick each on chiplet 0 and are ready at 1 and 2. One after
    another on the port out: [1, 5) and [5, 9), the link after each: 11, and y's tick:
    12. Cut through they hold port and link for 4 ticks each: 9 and 1 more: 10.
    """
    model = network("v w y", [("v", "y", 4), ("w", "y", 4)])
    rows = [row("v"), row("w"), row("y", 1, "b")]
    for switching, total in (("cut_through", 10), ("store_and_forward", 12)):
        p = problem(
            [model],
            rows,
            "ab",
            port=(None, 1),
            link=2,
            dram_latency=50,
            switching=switching,
        )
        assert least(p, "makespan") == (total,)


def test_multicast_passes_what_is_shared_once(least):
    """4 bytes to two chiplets in a row: port out 2 ticks, links 4 each.

    Store and forward: 2 + 4 to the next, 2 + 4 + 4 = 10 to the last; both wait for the
    end of the one transfer: 1 + 10 + 1 = 12. One each: to the last in [1, 11), with the
    first link in [3, 7); without a pause the other one starts at 5 to have that link in
    [7, 11): 12, too. Cut through, one for both: 1 + 4 + 1.
    """
    model = network("x y z", [("x", "yz", 4)])
    rows = [row("x"), row("y", 1, "b"), row("z", 1, "c")]
    given = {"port": (None, 2), "link": 1, "dram_latency": 50}
    for multicast in (True, False):
        p = problem(
            [model],
            rows,
            "abc",
            **given,
            switching="store_and_forward",
            options={"multicast": multicast},
        )
        assert least(p, "makespan") == (12,)
    p = problem([model], rows, "abc", **given, options={"multicast": True})
    assert least(p, "makespan") == (6,)


def pair(**given):
    """Two models of one layer (1 tick), 4 bytes out each, on chiplets of their own."""
    nets = [network(n, [(n, "", 4)], n) for n in "xy"]
    rows = [row("x", 1, "a", "x"), row("y", 1, "b", "y")]
    return problem(nets, rows, "ab", **given)


@pytest.mark.parametrize(
    ("contention", "interface", "total"),
    [
        ("exact", 2, 8),
        ("fluid", 2, 4),
        ("none", 2, 4),
        ("fluid", Fraction(3, 2), 6),
        ("fluid", 1, 8),
    ],
)
def test_contention(least, contention, interface, total):
    """Ports out of 1 byte a tick: each stream takes 4 ticks or more.

    Exact: both hold the interface, 4 + 4. Fluid, 2 at the interface: 4 bytes in 4 ticks
    each. With 3/2, 5 ticks would carry 7 1/2 of 8 bytes: 6, as in 4/5 + 4/6 < 3/2.
    With 1: 8. None: 4.
    """
    p = pair(contention=contention, dram=interface, port=(None, 1))
    assert least(p, "makespan") == (total,)


@pytest.mark.parametrize(("interface", "total"), [("1.58", 11), ("1.6", 10)])
def test_a_little_less_bandwidth(least, interface, total):
    """Both in 5 ticks take 4/5 + 4/5 = 1.6. With 1.58: 4/5 + 4/6, or 1 + 4/7."""
    p = pair(contention="fluid", dram=Fraction(interface), port=(None, 1))
    assert least(p, "latency_sum") == (total,)


def test_a_stream_may_wait_in_its_run_and_a_run_for_its_stream(least):
    """Streams of 2 ticks, one at a time, runs of 4: both in [0, 4). Runs of 3: until 4.

    The second stream is in [2, 4), its run starts at 1. `latency_sum`: 3 + 4.
    """
    for ticks, total in ((4, (4, 8)), (3, (4, 7))):
        nets = [network(n, [(n, "", 4)], n) for n in "xy"]
        rows = [row("x", ticks, "a", "x"), row("y", ticks, "b", "y")]
        p = problem(nets, rows, "ab", dram=2)
        assert least(p, "makespan,latency_sum") == total


@pytest.mark.parametrize(("l2", "total"), [(7, 5), (6, 8), (4, 56)])
def test_a_transfer_waits_for_room(least, l2, total):
    """Chiplet 0 runs x (4 ticks, 4 bytes of working set), then z, fed by y on 1.

    y takes 1 tick, its 3 bytes 3 ticks. With 7 bytes of L2 they arrive beside x, in
    [1, 4), and z runs in [4, 5). With 6 they wait for the end of x: [4, 7), [7, 8).
    z has 2 bytes of its own: with 4 they do not fit, and go through DRAM of 1 byte a
    tick, 50 ticks of latency: y until 3, z from 53 to 56.
    """
    nets = [network("x", (), "n"), network("y z", [("y", "z", 3)])]
    rows = [
        row("x", 4, "a", "n", ws_bytes=4),
        row("y", 1, "b"),
        row("z", 1, "a", ws_bytes=2),
    ]
    p = problem(nets, rows, "ab", l2=l2, link=1, dram_latency=50, dram=1)
    assert least(p, "makespan") == (total,)


@pytest.mark.parametrize(("l2", "total"), [(7, 6), (6, 59)])
def test_a_tensor_lies_until_its_last_consumer_ends(least, l2, total):
    """x (1 tick) on 0 sends 3 bytes (3 ticks) to y and z (1 tick each) on 1.

    z has 4 bytes of its own, y 3: with 7 bytes of L2 the tensor lies beside z. With 6
    it goes through DRAM of 1 byte a tick, 50 ticks of latency: 3 + 50 + 3 + 3.
    """
    model = network("x y z", [("x", "yz", 3)])
    rows = [row("x"), row("y", 1, "b", ws_bytes=3), row("z", 1, "b", ws_bytes=4)]
    p = problem([model], rows, "ab", l2=l2, link=1, dram_latency=50, dram=1)
    assert least(p, "makespan") == (total,)


def heavy(weights, rounds):
    """A layer of 1 tick and 10 quanta, 6 bytes of weights, DRAM of 2 bytes a tick."""
    return problem(
        [network("x:6")],
        [row("x", 1, energy_quanta=10)],
        dram=2,
        energy=Fraction(1, 1000),
        weights=weights,
        rounds={"m": rounds},
    )


@pytest.mark.parametrize(
    ("weights", "rounds", "makespan", "energy"),
    [
        ("fetched", 1, 3, 15),
        ("fetched", 3, 6, 35),
        ("streamed", 1, 3, 15),
        ("streamed", 3, 9, 45),
        ("preloaded", 3, 3, 30),
    ],
)
def test_weights(least, weights, rounds, makespan, energy):
    """Bringing the weights takes 3 ticks and 6 · 0.8 quanta.

    Resident: 3 ticks, then 1 a round (4 for one round, so there the stream of 3, in
    which the run lies, is better); 4.8 quanta once. Streamed: 3 ticks and 14.8 quanta
    a round. Preloaded: nothing.
    """
    p = heavy(weights, rounds)
    assert least(p, "makespan") == (makespan,)
    assert least(p, "energy") == (energy,)


def test_resident_weights_lie_until_the_end(least):
    """x and y, 1 tick and 5 bytes of weights, two rounds, 1 byte a tick from DRAM.

    Both resident, 10 bytes of L2: loads until 5 and 10, x twice by then, y twice: 12.
    With 9 bytes one of them streams: load and streams take the interface for 15 ticks,
    and the two runs of the resident one lie after its load and, on the same chiplet,
    beside no stream: 17. Both streamed: 20.
    """
    model = network("x:5 y:5")
    for l2, total in ((10, 12), (9, 17), (4, 20)):
        p = problem([model], [row("x"), row("y")], l2=l2, dram=1, rounds={"m": 2})
        assert least(p, "makespan") == (total,)


def test_static_power_is_paid_until_the_makespan(least):
    """1/100 mW on each of two chiplets are 2 · 10^-14 J/ns = 2 quanta a tick.

    5 ticks through DRAM (as in the chain): 10 quanta, edp 50.
    """
    p = chain(static=Fraction(1, 100), link=2, hop=1)
    assert least(p, "energy") == (10,)
    assert least(p, "edp,energy") == (50, 10)


def test_releases_and_due_dates(least):
    """One layer of 3 ticks, rounds released at 5 and 0, due 3 ticks later.

    The second round runs first, in [0, 3), the first in [5, 8): latencies 3 and 3, not
    late. Released at 1 and 0: [0, 3) and [3, 6), latencies 5 and 3, 2 ticks late.
    """
    for releases, values in (((5, 0), (0, 6, 8)), ((1, 0), (2, 8, 6))):
        p = problem(
            [network("x")],
            [row("x", 3)],
            rounds={"m": 2},
            release_ticks={"m": releases},
            due_ticks={"m": 3},
        )
        assert least(p, "tardiness_sum,latency_sum,makespan") == values
        assert least(p, "tardiness") == values[:1]
        assert least(p, "latency") == (values[1] - 3,)


def test_a_round_waits_for_its_last_sample(least):
    """A sample every 4 ticks, 2 in a round: at 0 and 4, then at 8 and 12."""
    p = problem(
        [network("x", samples=2)],
        [row("x")],
        rounds={"m": 2},
        frames_per_second={"m": Fraction(10**9, 4)},
    )
    assert p.timing.releases == ((4, 12),)
    assert least(p, "makespan") == (13,)


def test_caps(least):
    """The chain takes 5 ticks; caps of 5 hold, of 4 do not."""
    for cap, value in ((5, (5,)), (4, None)):
        given = {"link": 2, "hop": 1}
        p = chain(**given, caps={"makespan": cap})
        assert least(p, "makespan") == value
        p = chain(**given, options={"latency_cap_ticks": {"m": cap}})
        assert least(p, "makespan") == value


def test_weights_of_parts_are_made_whole():
    p = pair()
    assert parse(p, "2*makespan+1/3*energy") == (
        False,
        ((6, "makespan", None), (1, "energy", None)),
    )
    assert parse(p, "4*latency_sum.x+6*edp")[1] == (
        (2, "latency_sum", "x"),
        (3, "edp", None),
    )
    assert parse(p, "latency:2*x:y")[1] == ((2, "latency", "x"), (1, "latency", "y"))
    assert parse(p, "tardiness") == parse(p, "tardiness:3*x:3*y")


# Random problems.


def test_the_numbers_of_a_problem_are_those_of_the_instance():
    """Ways, bandwidths, latencies and energies by the oracle that reads instances."""
    for seed in SEEDS[::3]:
        instance, p = tiny(seed).instance, tiny(seed).problem
        options = replace(instance.options, guaranteed=False)
        g = oracle.Given(replace(instance, options=options))
        p_rate = [
            Fraction(r.bandwidth.num, r.bandwidth.den * p.load_unit)
            for r in p.resources
        ]
        quanta = {name: energy * p.energy_den for name, energy in g.byte_energy.items()}
        assert p.static_energy == g.static * p.energy_den
        assert p.dram_energy == g.dram_energy * p.energy_den
        assert p.dram_ticks == -(-g.dram.latency_ns * g.ticks_per_ns // 1)
        for c, d in product(g.chiplets, repeat=2):
            way = g.between(c, d)
            links = [p.links[n] for n in p.routes[c][d]]
            assert [x.energy for x in links] == [quanta[name] for name in way]
            assert [
                None if x.resource is None else p_rate[x.resource] for x in links
            ] == [g.bandwidth.get(name) for name in way]
            assert p.route_ticks[c][d] == -(-sum(g.latency[x] for x in way) // 1)
        for c in g.chiplets:
            here = p.chiplets[c]
            assert here.home == g.nearest[c]
            for d in g.chiplets:
                parts = g.spread(c, d, 1)
                reads = [(f, ("in", c), g.from_dram(i, c)) for i, f in parts]
                writes = [(f, ("out", c), g.to_dram(c, i)) for i, f in parts]
                ways = [(here.reads[g.nearest[d]], reads, parts)]
                ways += [(here.write, writes, parts)] if c == d else []
                for flow, by, shares in ways:
                    loads: oracle.Loads = {}
                    for (f, port, links), (i, _) in zip(by, shares, strict=True):
                        oracle.add(loads, (port, *links, ("dram", i)), f)
                    expected = sorted(
                        (g.bandwidth[name], f)
                        for name, f in loads.items()
                        if name in g.bandwidth
                    )
                    assert expected == sorted(
                        (p_rate[r], Fraction(n, p.load_unit)) for r, n in flow.loads
                    )
                    assert flow.energy == p.dram_energy + sum(
                        f * quanta[name] for f, _, links in by for name in links
                    )


def test_what_best_finds_is_valid_and_worth_it():
    """And between a tenth and four tenths of the problems have no schedule."""
    infeasible = 0
    for seed in SEEDS:
        t = tiny(seed)
        found = solve(t.problem, t.objective)
        if found.found is None:
            infeasible += 1
            continue
        verdict = judge(t.problem, found.found)
        assert verdict.violated == set()
        parts = parts_of(t.problem, t.objective)
        assert found.best == tuple(worth(t.problem, x, verdict.values) for x in parts)
    assert 0.1 < infeasible / len(SEEDS) < 0.4


def test_best_does_not_depend_on_the_order_of_a_file():
    """But for `contiguous`, which speaks of the order."""
    for seed in SEEDS[::4]:
        t = tiny(seed)
        if not t.problem.contiguous:
            other = problem_of(shuffled(t.instance, Random(seed)))
            try:
                assert solve(other, t.objective, limit=3000).best == best(
                    t.problem, t.objective
                )
            except TooLarge:
                continue


def still(seeds, limit, often):
    """Rules without which fewer than `often` optima move, and how many do.

    Searches of more than `limit` nodes do not count.
    """
    left = dict.fromkeys(RULES, 0)
    for seed in seeds:
        t = tiny(seed)
        value = best(t.problem, t.objective)
        for rule in list(left):
            try:
                free = solve(t.problem, t.objective, frozenset({rule}), limit).best
            except TooLarge:
                continue
            if free != value:
                assert free is not None
                assert value is None or free < value
                left[rule] += 1
                if left[rule] == often:
                    del left[rule]
    return left


def test_every_rule_binds_somewhere():
    assert still(SEEDS, 100, 1) == {}


@pytest.mark.long
def test_every_rule_binds_often():
    assert still(range(600), 1000, 8) == {}


def test_multicast_and_switching_move_optima():
    moved: Counter[str] = Counter()
    for seed in SEEDS:
        t = tiny(seed)
        p, timing = t.problem, t.problem.timing
        other = {}
        if CYCLE[seed % len(CYCLE)] == "multicast":
            other["multicast"] = replace(p, multicast=False)
        if CYCLE[seed % len(CYCLE)] == "store":
            cut = replace(timing, store_and_forward=False)
            other["switching"] = replace(p, timing=cut)
        for option, q in other.items():
            with suppress(TooLarge):
                value = solve(q, t.objective, limit=300).best
                moved[option] += value != best(p, t.objective)
    assert moved["multicast"] > 0
    assert moved["switching"] > 0


def everything(p, choice, parts, last, most):
    """The least value of a choice over all times up to `last`.

    No order, no clash, no bound: every start, with `fluid` every end. () if there are
    more than `most` schedules.
    """
    moves = dict(all_moves(p, choice))
    offered = [spans(p, move, last) for move in moves.values()]
    for t, task in enumerate(p.tasks):
        late = last - task.modes[choice.chiplet[t]][choice.mode[t]].latency_ticks
        releases = p.timing.releases[task.model]
        offered += [range(release, late + 1) for release in releases]
    if prod(map(len, offered)) > most:
        return ()
    value = None
    for times in product(*offered):
        s = at(p, choice, dict(zip(moves, times, strict=False)), times)
        ends = {}
        for t, starts in enumerate(s.runs):
            latency = p.tasks[t].modes[s.chiplet[t]][s.mode[t]].latency_ticks
            for k, start in enumerate(starts):
                span = s.streams[t][k] or (0, 0)
                ends[t, k] = start + max(latency, span[1] - span[0])
        if max(ends.values()) > last or any(broken_starts(p, s, ends)):
            continue
        verdict = judge(p, s)
        if not verdict.violated:
            found = tuple(worth(p, part, verdict.values) for part in parts)
            value = found if value is None else min(value, found)
    return value


def all_moves(p, choice):
    """Every movement by what, whose, round and where to."""
    for t, task in enumerate(p.tasks):
        load, stream = loaded(p, choice, t), streamed(p, choice, t)
        if load:
            yield ("load", t, 0, ()), load
        for k in range(len(p.timing.releases[task.model])) if stream else ():
            yield ("stream", t, k, ()), stream
    for u, x in enumerate(p.tensors):
        for to, move in transferred(p, choice, u).items():
            for k in range(len(p.timing.releases[x.model])):
                yield ("transfer", u, k, to), move


def spans(p, move, last):
    """Every start and end of a movement."""
    longest = last if p.timing.contention == "fluid" else move.ticks
    return [
        (start, start + length)
        for start in range(last + 1)
        for length in range(move.ticks, longest + 1)
        if start + length <= last
    ]


def at(p, choice, spans, times):
    """The schedule of a choice with these movements and, at the end, runs."""
    left = list(times[len(spans) :])
    rounds = [range(len(p.timing.releases[task.model])) for task in p.tasks]
    transfers = [
        tuple(
            tuple(
                Transfer(to, span)
                for (what, v, n, to), span in spans.items()
                if (what, v, n) == ("transfer", u, k)
            )
            for k in range(len(p.timing.releases[x.model]))
        )
        for u, x in enumerate(p.tensors)
    ]
    return Schedule(
        chiplet=choice.chiplet,
        mode=choice.mode,
        resident=choice.resident,
        place=choice.place,
        runs=tuple(tuple(left.pop(0) for _ in row) for row in rounds),
        streams=tuple(
            tuple(spans.get(("stream", t, k, ())) for k in row)
            for t, row in enumerate(rounds)
        ),
        loads=tuple(spans.get(("load", t, 0, ())) for t in range(len(p.tasks))),
        transfers=tuple(transfers),
    )


def searched(p, choice, parts):
    search = Search(p, parts)
    trial = Trial(p, choice, frozenset())
    search.explore(trial, trial.root)
    return search


def check_everything(seeds, most, slack):
    """Compare the search with `everything`, until its makespan and `slack` ticks more.

    Of each problem up to six choices, those with the fewest movements.
    """
    compared = Counter()
    for seed in seeds:
        p = tiny(seed).problem
        parts = parts_of(p, tiny(seed).objective)
        chosen = sorted(choices(p), key=lambda x: len(dict(all_moves(p, x))))
        for choice in chosen[:6]:
            found = searched(p, choice, parts).found
            last = 3
            if found is not None:
                last = judge(p, found).values.makespan + slack
            caps = (*p.timing.caps, ("makespan", last))
            capped = replace(p, timing=replace(p.timing, caps=caps))
            value = everything(capped, choice, parts, last, most)
            if value != ():
                assert searched(capped, choice, parts).best == value, seed
                infeasible = "infeasible" if value is None else "feasible"
                compared[p.timing.contention, infeasible] += 1
    return compared


def test_best_is_the_best_of_everything():
    compared = check_everything(SEEDS[:70], 1500, 0)
    for contention in ("exact", "fluid", "none"):
        assert compared[contention, "feasible"] > 2
        assert compared[contention, "infeasible"] > 2


@pytest.mark.long
def test_best_is_the_best_of_much_more():
    compared = check_everything(MANY[:300], 10_000, 1)
    for contention in ("exact", "fluid", "none"):
        assert compared[contention, "feasible"] > 15
        assert compared[contention, "infeasible"] > 5


# The semantics.


def check_semantics(seeds):
    """Return how many schedules were judged alike, by what is broken."""
    alike: Counter[str] = Counter()
    for seed in seeds:
        for case in cases(seed):
            mine = judge(case.problem, case.schedule)
            where = (seed, case.made)
            alike.update(mine.violated or {"valid"})
            alike["all"] += 1
            try:
                theirs = evaluate(case.problem, case.schedule)
            except UnassignedError:
                assert mine.violated == {"assignment"}, where
                continue
            assert mine.violated == {v.rule for v in theirs.violations}, where
            v, w = mine.values, theirs.worth
            assert v is not None, where
            assert v.makespan == w.makespan_ticks, where
            assert v.latency == w.latency_ticks, where
            assert v.tardiness == w.tardiness_ticks, where
            assert v.energy == w.energy_quanta, where
            curves = [[size for _, size in x.curve] for x in theirs.facts.sram]
            assert mine.peak == tuple(max([0, *curve]) for curve in curves), where
    return alike


def test_semantics_judge_alike():
    alike = check_semantics(SEEDS[:50])
    assert alike["all"] > 500
    assert alike["valid"] > 100
    for rule in ("assignment", *RULES):
        assert alike[rule] > 0, rule


@pytest.mark.long
def test_semantics_judge_many_alike():
    alike = check_semantics(MANY)
    assert alike["all"] > 10_000

"""Random tiny timed problems, every option drawn, and random schedules of them.

As in `tiny_random`, each seed has a *focus*, a rule or option that its numbers make
matter; `test_oracle_timed.py` measures that over a few hundred seeds leaving out any
one rule moves optima. Layers of a file come in a random topological order, models,
tensors and costs in a random one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from formulation.problem import Rate
from formulation.timed.schedule import Transfer
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
from tests import oracle_timed as oracle
from tests.random_schedules import shuffled
from tests.support import problem_of
from tests.tiny_random import LETTERS, pairs

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule

FOCUSES = {
    "exact": 3,
    "fluid": 7,
    "store": 3,
    "precedence": 2,  # latencies
    "release": 2,
    "sram": 6,
    "residents": 1,
    "rounds": 2,
    "multicast": 3,
    "mode": 2,  # of the DRAM
    "contiguous": 4,
    "convex": 4,
    "exclusive": 2,
    "colocate": 2,
    "latency_cap": 2,
    "energy_cap": 2,
    "cap": 3,
    "due": 1,
    "mini_batches": 1,
}
CYCLE = [focus for focus, times in FOCUSES.items() for _ in range(times)]
OBJECTIVES = (
    "makespan",
    "energy",
    "edp",
    "latency_sum",
    "tardiness_sum",
    "latency",
    "tardiness",
    "makespan,energy",
    "energy,makespan",
    "2*makespan+1/3*energy",
    "tardiness_sum,latency_sum,energy",
    "latency_sum.{0}",
    "tardiness_sum.{0}+1/2*makespan",
    "latency:3*{0}",
    "latency:2*{0}:{1}",
    "tardiness:{0}:5/2*{1},makespan",
)
MAX_CHOICES = 160
MAX_NODES = 1000  # of the search for the least value
MAX_TIMES = 26  # runs, streams, loads, transfers, at most
MAX_FLUID = 11  # movements, with fluid
SLOW = (None, Fraction(1), Fraction(1), Fraction(3, 2), Fraction(2))
FAST = (None, None, Fraction(3), Fraction(5))
SHARES = (
    (Fraction(1),),
    (Fraction(1),),
    (Fraction(1, 2), Fraction(1, 2)),
    (Fraction(1, 4), Fraction(3, 4)),
)


@dataclass(frozen=True)
class Tiny:
    """A problem, and an objective to ask it for."""

    instance: Instance
    problem: Problem
    objective: str


@cache
def tiny(seed: int) -> Tiny:
    """Return the problem of a seed, always the same."""
    rng = Random(f"timed {seed}")
    while True:
        draw = Draw(rng, CYCLE[seed % len(CYCLE)])
        instance = shuffled(draw.instance(f"timed-{seed}"), rng)
        problem = problem_of(instance)
        if is_small(problem):
            names = [m.name for m in instance.models]
            rng.shuffle(names)
            asked = [x for x in OBJECTIVES if len(names) > 1 or "{1}" not in x]
            objective = rng.choice(asked).format(*names)
            try:
                oracle.solve(problem, objective, limit=MAX_NODES)
            except oracle.TooLarge:
                continue
            return Tiny(instance, problem, objective)


def is_small(p: Problem) -> bool:
    if not 1 <= oracle.choice_count(p) <= MAX_CHOICES:
        return False
    movements = sum(t.weight_bytes > 0 for t in p.tasks)
    movements += sum(len(p.timing.releases[t.model]) for t in p.tasks)
    for x in p.tensors:
        if x.producer is not None:
            where = {c for j in x.consumers for c in p.supported(j)}
            movements += len(where) * len(p.timing.releases[x.model])
    runs = sum(len(p.timing.releases[t.model]) for t in p.tasks)
    fluid = p.timing.contention == "fluid"
    return runs + movements <= MAX_TIMES and not (fluid and movements > MAX_FLUID)


class Draw:
    """One attempt: workload, package and costs, then options to match."""

    def __init__(self, rng: Random, focus: str) -> None:
        self.rng, self.focus = rng, focus
        self.tick_ps = rng.choice((1000, 1000, 500, 2000))
        self.quantum_fj = rng.choice((10, 16, 100))
        self.store = focus == "store" or rng.random() < 0.2
        contention = rng.choice(("exact", "exact", "exact", "fluid", "none"))
        self.contention = focus if focus in ("exact", "fluid") else contention
        if self.store and self.contention == "fluid":
            self.contention = "exact"
        self.weights = rng.choice(("fetched", "fetched", "preloaded", "streamed"))
        if focus in ("residents", "sram"):
            self.weights = rng.choice(("fetched", "fetched", "preloaded"))
        self.spread = focus in ("store", "multicast", "contiguous", "convex", "mode")
        self.type_names = self.names(rng.choice((1, 2, 2)), "type_")
        if self.spread:
            many = focus == "multicast"  # three layers on three chiplets
            self.type_names = self.names(3 if many else 2, "type_")
        self.models = self.draw_models()
        self.package = self.draw_package()
        self.costs = self.draw_costs()

    def likely(self, chance: float, *focuses: str) -> bool:
        return self.focus in focuses or self.rng.random() < chance

    def names(self, count: int, prefix: str = "", letters: str = LETTERS) -> list[str]:
        """Names whose alphabetical order says nothing."""
        return [prefix + name for name in self.rng.sample(letters, count)]

    def per_tick(self, bandwidth: Fraction | None) -> Fraction | None:
        """Bytes per tick to GB/s."""
        return None if bandwidth is None else bandwidth * 1000 / self.tick_ps

    def ns(self, ticks: Fraction) -> Fraction:
        return ticks * self.tick_ps / 1000

    def energy(self) -> Fraction:
        """In pJ per bit."""
        return Fraction(
            self.rng.choice((0, Fraction(1, 1000), Fraction(3, 2000), Fraction(1, 100)))
        )

    # Workload.

    def draw_models(self) -> tuple[Model, ...]:
        counts = self.rng.choice(((2,), (3,), (3,), (1, 1), (1, 2), (2, 1), (2, 2)))
        if self.focus in ("contiguous", "convex", "multicast"):
            counts = (self.rng.choice((3, 3, 4)),)
        if self.focus in ("exclusive", "exact", "fluid"):
            counts = self.rng.choice(((1, 1), (1, 2), (2, 1), (2, 2)))
        names = self.names(len(counts), "net_")
        return tuple(self.draw_model(*pair) for pair in zip(names, counts, strict=True))

    def draw_model(self, name: str, count: int) -> Model:
        rng = self.rng
        heavy = self.likely(0.5, "residents", "sram")
        layers = tuple(
            Layer(
                name=layer,
                op="opaque",
                bounds=None,
                weight_bytes=rng.randint(1, 6) if heavy and rng.random() < 0.6 else 0,
            )
            for layer in self.names(count, letters=LETTERS[:7])
        )
        made: list[tuple[str | None, list[str]]] = []  # producer, consumers
        for layer in layers:
            inner = [u for u in made if u[0] is not None]
            inputs = []
            if inner and (self.focus == "multicast" or not self.likely(0.15)):
                near = inner[:1] if self.focus == "multicast" else inner
                inputs.append(rng.choice(near))
                if rng.random() < 0.3:
                    inputs.append(rng.choice(near))
            elif rng.random() < 0.7:
                made.append((None, []))
                inputs.append(made[-1])
            for tensor in inputs:
                if layer.name not in tensor[1]:
                    tensor[1].append(layer.name)
            for _ in range(2 if self.likely(0.1) else 1):
                made.append((layer.name, []))
        tensors = [
            Tensor(
                name=tensor,
                producer=producer,
                consumers=tuple(rng.sample(consumers, len(consumers))),
                bytes=self.draw_bytes(producer is not None and len(consumers) > 0),
                output=bool(producer and consumers and self.likely(0.15)),
            )
            for tensor, (producer, consumers) in zip(
                self.names(len(made), "t_"), made, strict=True
            )
        ]
        rng.shuffle(tensors)
        return Model(
            name=name,
            layers=layers,
            tensors=tuple(tensors),
            samples=rng.choice((1, 1, 2)),
            mini_batches=2 if self.likely(0.1, "mini_batches") else 1,
        )

    def draw_bytes(self, inner: bool) -> int:
        """Most outer tensors are small, so that not all is decided by DRAM."""
        if self.rng.random() < 0.1:
            return 0
        if inner:
            least = 4 if self.focus == "multicast" else 1
            return self.rng.randint(least, 8 if self.spread else 6)
        return self.rng.randint(0, 2 if self.spread else 4)

    # Package.

    def draw_package(self) -> Package:
        rng = self.rng
        topology = rng.choice(("mesh", "mesh", "torus", "explicit", "none"))
        if self.focus in ("store", "multicast", "mode") and topology == "none":
            topology = "mesh"
        width, height = rng.choice(((2, 1), (3, 1), (2, 2), (1, 3)))
        if topology == "torus":
            width, height = 3, 1
        if topology in ("explicit", "none"):
            width, height = rng.randint(2, 3), 1
        if self.focus == "multicast" and width * height < 3:
            width = 3
        routers = width * height
        count = rng.choice((1, 2, 2, 3))
        if self.spread or self.focus in ("exclusive", "colocate", "precedence"):
            count = 2 if self.focus in ("contiguous", "convex") else rng.choice((2, 3))
        count = 3 if self.focus == "multicast" else count
        chosen = rng.sample(range(routers), min(count, routers))
        held = [rng.choice(self.type_names) for _ in chosen]
        if self.spread:
            held = (self.type_names + held)[: len(chosen)]
            rng.shuffle(held)
        return Package(
            name="tiny",
            topology=topology,
            width=width,
            height=height,
            types={name: self.draw_type(name) for name in self.type_names},
            chiplets=tuple(map(Chiplet, held, chosen)),
            links=self.draw_links(topology, width, height),
            port_in_gb_s=self.draw_bandwidth(),
            port_out_gb_s=self.draw_bandwidth(),
            dram=self.draw_dram(routers),
        )

    def draw_bandwidth(self) -> Fraction | None:
        busy = self.focus in ("exact", "fluid", "store")
        if self.focus == "multicast":
            return self.per_tick(Fraction(self.rng.choice((1, 1, 2))))
        return self.per_tick(self.rng.choice(SLOW if busy else SLOW + FAST))

    def draw_type(self, name: str) -> ChipletType:
        rng = self.rng
        tight = self.focus in ("sram", "residents")
        return ChipletType(
            name=name,
            dataflow="given",
            num_pes=1,
            l1_bytes_per_pe=1,
            l2_bytes=rng.randint(5, 14)
            if tight
            else rng.randint(20 if self.focus == "multicast" else 10, 30),
            noc_bytes_per_cycle=Fraction(1),
            clock_mhz=Fraction(1000),
            mac_energy_pj=Fraction(1),
            l1_energy_pj_per_byte=Fraction(1),
            l2_energy_pj_per_byte=Fraction(1),
            static_power_mw=Fraction(
                rng.choice((0, Fraction(1, 100), Fraction(7, 50)))
            ),
        )

    def draw_links(self, topology: str, width: int, height: int) -> tuple[Link, ...]:
        rng = self.rng
        most = 6 if self.focus == "precedence" else 2
        found = []
        for src, dst in sorted(pairs(rng, topology, width, height)):
            hop = self.ns(Fraction(rng.randint(0, most), 2))
            found.append(Link(src, dst, self.draw_bandwidth(), hop, self.energy()))
        rng.shuffle(found)
        return tuple(found)

    def draw_dram(self, routers: int) -> Dram:
        rng = self.rng
        shares = rng.choice(SHARES[2:] if self.focus == "mode" else SHARES)
        bandwidth = rng.choice((None, Fraction(3, 2), Fraction(2), Fraction(3)))
        if self.focus == "multicast":  # so that tensors stay inside
            bandwidth = Fraction(1, 2)
        return Dram(
            bandwidth_gb_s=self.per_tick(bandwidth),
            latency_ns=self.ns(Fraction(rng.randint(0, 4), 2)),
            energy_pj_per_bit=self.energy(),
            interfaces=tuple(Interface(rng.randrange(routers), x) for x in shares),
            mode=rng.choice(("shared", "interleaved", "private")),
        )

    # Costs.

    def draw_costs(self) -> tuple[GivenMode, ...]:
        rng = self.rng
        rows = []
        for model in self.models:
            first = rng.randrange(len(self.type_names))
            for k, layer in enumerate(model.layers):
                favourite = self.type_names[(first + k) % len(self.type_names)]
                for name in self.type_names:
                    only = 0.6 if self.spread else 0.35
                    only = 0.9 if self.focus == "multicast" else only
                    if name != favourite and rng.random() < only:
                        continue
                    for _ in range(2 if rng.random() < 0.15 else 1):
                        disliked = self.spread and name != favourite
                        rows.append(self.draw_row(model, layer, name, disliked))
        rng.shuffle(rows)
        return tuple(rows)

    def draw_row(
        self, model: Model, layer: Layer, name: str, disliked: bool
    ) -> GivenMode:
        rng = self.rng
        inputs = [u.name for u in model.tensors if layer.name in u.consumers]
        return GivenMode(
            model=model.name,
            layer=layer.name,
            chiplet_type=name,
            latency_ticks=rng.randint(0, 6) * (3 if disliked else 1),
            energy_quanta=rng.randint(0, 40) + (60 if disliked else 0),
            ws_bytes=rng.randint(0, 6),
            rw_bytes=rng.randint(0, 3) if layer.weight_bytes else 0,
            ri_bytes={u: rng.randint(1, 3) for u in inputs if rng.random() < 0.3},
            ro_bytes=rng.randint(1, 3) if rng.random() < 0.2 else 0,
            holds_weights=rng.random() < 0.6,
        )

    # Options.

    def instance(self, name: str) -> Instance:
        rng = self.rng
        layers = [(m.name, layer.name) for m in self.models for layer in m.layers]
        colocate = []
        if self.likely(0.1, "colocate") and len(layers) > 1:
            colocate.append(tuple(rng.sample(layers, 2)))
        energy_cap = None
        if self.likely(0.03, "energy_cap"):
            quanta = sum(row.energy_quanta for row in self.costs) + 30
            energy_cap = Fraction(quanta * self.quantum_fj * rng.randint(2, 6), 5000)
        options = Options(
            contiguous=self.likely(0.08, "contiguous"),
            convex=self.focus != "contiguous" and self.likely(0.08, "convex"),
            exclusive=len(self.models) > 1 and self.likely(0.12, "exclusive"),
            multicast=self.likely(0.25, "multicast"),
            guaranteed=rng.random() < 0.1,
            sram="residents" if self.likely(0.08, "residents") else "full",
            colocate=tuple(colocate),
            latency_cap_ticks={
                m.name: rng.randint(5, 16)
                for m in self.models
                if self.likely(0.06, "latency_cap")
            },
            energy_cap_pj=energy_cap,
            timed=self.timed(),
        )
        return Instance(
            name=name,
            models=self.models,
            package=self.package,
            options=options,
            tick_ps=self.tick_ps,
            energy_quantum_fj=self.quantum_fj,
            costs=self.costs,
        )

    def timed(self) -> TimedOptions:
        rng = self.rng
        rounds = {m.name: 2 for m in self.models if self.likely(0.15, "rounds")}
        late = self.likely(0.2, "release")
        releases = {
            m.name: tuple(rng.randint(0, 9) for _ in range(rounds.get(m.name, 1)))
            for m in self.models
            if late and rng.random() < 0.7
        }
        frames = {
            m.name: Fraction(10**12, self.tick_ps * rng.randint(2, 7))
            for m in self.models
            if m.name not in releases and rng.random() < 0.1
        }
        caps = {}
        if self.likely(0.05, "cap"):
            part = rng.choice(
                ("makespan", "latency_sum", "tardiness_sum", "2*makespan+energy")
            )
            caps[part] = rng.randint(0, 6) if part[0] == "t" else rng.randint(5, 25)
            if "energy" in part:
                caps[part] = rng.randint(30, 150)
        return TimedOptions(
            contention=self.contention,
            switching="store_and_forward" if self.store else "cut_through",
            weights=self.weights,
            rounds=rounds,
            release_ticks=releases,
            frames_per_second=frames,
            due_ticks={
                m.name: rng.randint(0, 12)
                for m in self.models
                if self.likely(0.5, "due")
            },
            caps=caps,
        )


# Schedules.


@dataclass(frozen=True)
class Case:
    """A schedule of a problem, and how it was made."""

    problem: Problem
    schedule: Schedule
    made: str


def loosened(p: Problem) -> Problem:
    """Return the problem without caps and options, so that more schedules are valid."""
    return replace(
        p,
        models=tuple(replace(m, latency_cap_ticks=None) for m in p.models),
        energy_cap_quanta=None,
        contiguous=False,
        convex=False,
        exclusive=False,
        colocate=(),
        timing=replace(p.timing, caps=()),
    )


def valid(p: Problem, s: Schedule) -> bool:
    return not oracle.judge(p, s).violated


@cache
def cases(seed: int, draws: int = 2) -> tuple[Case, ...]:
    """Return valid schedules and near misses, some of them at a tighter problem."""
    given, rng = tiny(seed).problem, Random(f"timed schedules {seed}")
    p = loosened(given)
    offered = list(oracle.choices(p))
    made: list[Case] = []
    for _ in range(6 * draws if offered else 0):
        found = oracle.some(p, rng.choice(offered), rng)
        if found is None or len({c.made for c in made}) > 7 * draws:
            continue
        s = later(p, found, rng)
        made += [Case(p, s, "valid"), Case(given, s, "given")]
        made += [Case(p, moved(s, rng), "moved") for _ in range(4)]
        made += [Case(p, another(p, s, rng), "another") for _ in range(2)]
        made += tightened(p, s, rng)
        if sum(c.made == "valid" for c in made) == draws:
            break
    for _ in range(draws if offered else 0):
        made.append(Case(given, wild(p, rng.choice(offered), rng), "wild"))
    rng.shuffle(made)
    return tuple(made)


def later(p: Problem, s: Schedule, rng: Random) -> Schedule:
    """Delay some things, as long as the schedule stays valid."""
    for _ in range(8):
        delayed = moved(s, rng, (1, 1, 2, 4))
        if valid(p, delayed):
            s = delayed
    return s


def moved(s: Schedule, rng: Random, steps: tuple[int, ...] = (-1, -1, 1)) -> Schedule:
    """Move a run, or the start, the end or both of a movement, by a step."""
    where: list[tuple[str, int, int, int]] = [
        ("runs", t, k, 0) for t, row in enumerate(s.runs) for k, _ in enumerate(row)
    ]
    for t, spans in enumerate(s.streams):
        where += [("streams", t, k, 0) for k, x in enumerate(spans) if x]
    where += [("loads", t, 0, 0) for t, x in enumerate(s.loads) if x]
    for u, rows in enumerate(s.transfers):
        for k, row in enumerate(rows):
            where += [("transfers", u, k, n) for n, _ in enumerate(row)]
    what, a, k, n = rng.choice(where)
    step = rng.choice(steps)
    ends = rng.choice(((step, step), (step, step), (0, step), (step, 0)))
    all_of = list(getattr(s, what))
    if what == "loads":
        all_of[a] = _shift(all_of[a], ends)
        return replace(s, loads=tuple(all_of))
    rounds = list(all_of[a])
    if what == "runs":
        rounds[k] += step
        old = s.streams[a][k]
        if old and rng.random() < 0.7:  # with its stream
            streams = [list(row) for row in s.streams]
            streams[a][k] = _shift(old, (step, step))
            s = replace(s, streams=tuple(map(tuple, streams)))
    elif what == "streams":
        rounds[k] = _shift(rounds[k], ends)
    else:
        row = list(rounds[k])
        row[n] = replace(row[n], span=_shift(row[n].span, ends))
        rounds[k] = tuple(row)
    all_of[a] = tuple(rounds)
    return replace(s, **{what: tuple(all_of)})


def _shift(span: tuple[int, int], by: tuple[int, int]) -> tuple[int, int]:
    return max(0, span[0] + by[0]), max(0, span[1] + by[1])


def another(p: Problem, s: Schedule, rng: Random) -> Schedule:
    """Change a decision that is no time, and nothing that should follow."""
    t, u = rng.randrange(len(p.tasks)), rng.randrange(len(p.tensors))
    what = rng.choice(("chiplet", "mode", "resident", "place", "loads", "transfers"))
    values = list(getattr(s, what))
    if what == "chiplet":
        values[t] = rng.randrange(len(p.chiplets))
    elif what == "mode":
        values[t] += 1
    elif what == "resident":
        values[t] = rng.choice([x for x in (None, True, False) if x != values[t]])
    elif what == "place":
        values[u] = rng.choice([x for x in (None, "dram", "package") if x != values[u]])
    elif what == "loads":
        values[t] = (0, 2) if values[t] is None else None
    else:
        values[u] = tuple(row[1:] or (Transfer((0,), (0, 1)),) for row in values[u])
    return replace(s, **{what: tuple(values)})


def tightened(p: Problem, s: Schedule, rng: Random) -> list[Case]:
    """The schedule at limits that it just meets, and just misses."""
    verdict = oracle.judge(p, s)
    v = verdict.values
    assert v is not None
    made = []
    c, m = rng.randrange(len(p.chiplets)), rng.randrange(len(p.models))
    part = rng.choice(("makespan", "latency_sum", "tardiness_sum", "edp", "latency"))
    value = oracle.worth(p, oracle.parse(p, part), v)
    firsts = [
        min(s.runs[t][k] for t in p.models[m].tasks) for k in range(len(v.latency[m]))
    ]
    for less in (0, 1):
        chiplets = list(p.chiplets)
        peak = max(0, verdict.peak[c] - less)
        chiplets[c] = replace(chiplets[c], l2_bytes=peak)
        made.append(Case(replace(p, chiplets=tuple(chiplets)), s, f"l2 {less}"))
        models = list(p.models)
        models[m] = replace(models[m], latency_cap_ticks=max(v.latency[m]) - less)
        made.append(Case(replace(p, models=tuple(models)), s, f"latency {less}"))
        tight = replace(p, energy_cap_quanta=v.energy - less)
        made.append(Case(tight, s, f"energy {less}"))
        timing = replace(p.timing, caps=((part, value - less),))
        made.append(Case(replace(p, timing=timing), s, f"cap {less}"))
        releases = list(p.timing.releases)
        releases[m] = tuple(first + less for first in firsts)
        timing = replace(p.timing, releases=tuple(releases))
        made.append(Case(replace(p, timing=timing), s, f"release {less}"))
    options = {x: True for x in ("contiguous", "convex", "exclusive")}
    group = tuple(rng.sample(range(len(p.tasks)), min(2, len(p.tasks))))
    made.append(Case(replace(p, **options, colocate=(group,)), s, "options"))
    timing = replace(p.timing, contention=rng.choice(("exact", "none")))
    made.append(Case(replace(p, timing=timing), s, "contention"))
    if p.timing.contention != "fluid":
        timing = replace(p.timing, store_and_forward=not p.timing.store_and_forward)
        made.append(Case(replace(p, timing=timing), s, "switching"))
    made.append(Case(slower(p, rng), s, "slower"))
    return made


def slower(p: Problem, rng: Random) -> Problem:
    """Return the problem with a little less of one bandwidth."""
    if not p.resources:
        return p
    resources = list(p.resources)
    n = rng.randrange(len(resources))
    old = resources[n].bandwidth
    new = Rate(old.num * 11, old.den * 12)
    resources[n] = replace(resources[n], bandwidth=new)
    return replace(p, resources=tuple(resources))


def wild(p: Problem, choice: oracle.Choice, rng: Random) -> Schedule:
    """Return a schedule with all that it needs, at any times."""
    trial = oracle.Trial(p, choice, frozenset())
    node = trial.root
    node.value = [rng.randint(0, 12) for _ in node.value]
    return trial.schedule(node)

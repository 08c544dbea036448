"""The optimum of tiny instances by exhaustive enumeration.

Written from `formulation/MODEL.md` (§1 and §2) and the dataclasses of
`instances/schema.py` alone; it shares no code with what it is used to check.
Every function is a transcription of one paragraph of that page and carries its
label. All arithmetic is exact: ints, and fractions where the statement divides.

`solve` enumerates chiplet, mode, residency and place of everything and, for a
candidate that would improve, the stages. `evaluate` judges one fixed schedule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from math import ceil, prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from instances.schema import GivenMode, Instance, Layer, Link, Tensor

    Key = tuple[str, str]  # (model name, layer name) or (model name, tensor name)
    # ("link", src, dst), ("in", chiplet), ("out", chiplet), ("dram", interface)
    Resource = tuple[str, int] | tuple[str, int, int]
    Loads = dict[Resource, int | Fraction]  # bytes

OBJECTIVES = ("period", "energy", "period,energy")


@dataclass(frozen=True)
class Schedule:
    """The decisions of §2.

    `mode` is the index among the cost rows of this layer and this chiplet's
    type, in the order of `Instance.costs`. `resident` has the layers with
    weights, `place` ("package" or "dram") the produced tensors with consumers.
    """

    chiplet: dict[Key, int]
    mode: dict[Key, int]
    resident: dict[Key, bool]
    place: dict[Key, str]
    stage: dict[Key, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What §2 says of one schedule; numbers are `None` if `assignment` fails."""

    violated: frozenset[str]
    period: int | None = None
    latency: dict[str, int] = field(default_factory=dict)
    energy: int | None = None


@dataclass(frozen=True)
class Work:
    """One layer on its chiplet: duration, and its DRAM bytes by resource."""

    duration: int
    loads: Loads
    dram_bytes: int


class Given:
    """§1: the instance in ticks, quanta and bytes per tick, with its routes."""

    def __init__(self, instance: Instance) -> None:
        self.package = package = instance.package
        self.options = instance.options
        self.dram = package.dram
        self.quantum_fj = instance.energy_quantum_fj
        self.types = [chiplet.type for chiplet in package.chiplets]
        self.routers = [chiplet.router for chiplet in package.chiplets]
        self.chiplets = range(len(self.types))
        self.interfaces = range(len(self.dram.interfaces))
        self._set_units(instance)
        self._set_workload(instance)
        self.route = cache(self._route)
        self.nearest = [self._nearest(c) for c in self.chiplets]  # f(c)
        self.users = self._users()
        self.least_period = self._floor()
        self.work = cache(self._work)
        self.transfer = cache(self._transfer)

    def _set_units(self, instance: Instance) -> None:
        per_tick = Fraction(instance.tick_ps, 1000)  # 1e9 B/s · 1e-12 s/ps
        self.ticks_per_ns = 1000 / Fraction(instance.tick_ps)
        quanta_per_pj = 1000 / Fraction(self.quantum_fj)
        self.bandwidth: dict[Resource, Fraction] = {}
        self.latency: dict[Resource, Fraction] = {}  # ticks
        self.byte_energy: dict[Resource, Fraction] = {}  # quanta per byte
        link: Link
        for link in self.package.links:
            name = ("link", link.src, link.dst)
            if link.bandwidth_gb_s is not None:
                self.bandwidth[name] = link.bandwidth_gb_s * per_tick
            self.latency[name] = link.hop_latency_ns * self.ticks_per_ns
            self.byte_energy[name] = link.energy_pj_per_bit * 8 * quanta_per_pj
        for c in self.chiplets:
            if self.package.port_in_gb_s is not None:
                self.bandwidth["in", c] = self.package.port_in_gb_s * per_tick
            if self.package.port_out_gb_s is not None:
                self.bandwidth["out", c] = self.package.port_out_gb_s * per_tick
        if self.dram.bandwidth_gb_s is not None:
            for i, interface in enumerate(self.dram.interfaces):
                total = self.dram.bandwidth_gb_s * per_tick
                self.bandwidth["dram", i] = interface.share * total
        self.dram_energy = self.dram.energy_pj_per_bit * 8 * quanta_per_pj
        # mW · ps = fJ
        static_mw = sum(self.package.types[t].static_power_mw for t in self.types)
        self.static = Fraction(static_mw) * instance.tick_ps / self.quantum_fj
        if self.options.guaranteed:  # one half for streams, one for package transfers
            for name in self.bandwidth:
                if name[0] != "dram":
                    self.bandwidth[name] /= 2

    def _set_workload(self, instance: Instance) -> None:
        self.models = {model.name: model for model in instance.models}
        self.layers: list[Key] = []
        self.layer: dict[Key, Layer] = {}
        self.order: dict[Key, int] = {}  # place in the model's topological order
        self.rounds = {model.name: model.mini_batches for model in instance.models}
        self.tensor: dict[Key, Tensor] = {}
        self.bytes: dict[Key, int] = {}  # per round
        self.modes: dict[Key, list[list[GivenMode]]] = {}  # by chiplet
        assert instance.costs is not None
        for model in instance.models:
            for position, layer in enumerate(model.layers):
                name = (model.name, layer.name)
                self.layers.append(name)
                self.layer[name], self.order[name] = layer, position
                rows = [m for m in instance.costs if (m.model, m.layer) == name]
                self.modes[name] = [
                    [row for row in rows if row.chiplet_type == t] for t in self.types
                ]
            for tensor in model.tensors:
                self.tensor[model.name, tensor.name] = tensor
                self.bytes[model.name, tensor.name] = tensor.bytes * model.mini_batches
        self.producer: dict[Key, Key | None] = {}
        self.consumers: dict[Key, list[Key]] = {}
        self.inputs: dict[Key, list[Key]] = {name: [] for name in self.layers}
        self.outputs: dict[Key, list[Key]] = {name: [] for name in self.layers}
        for u, tensor in self.tensor.items():
            self.consumers[u] = [(u[0], layer) for layer in tensor.consumers]
            self.producer[u] = (
                None if tensor.producer is None else (u[0], tensor.producer)
            )
            for layer in self.consumers[u]:
                self.inputs[layer].append(u)
            if tensor.producer is not None:
                self.outputs[u[0], tensor.producer].append(u)
        self.weighted = [n for n in self.layers if self.layer[n].weight_bytes > 0]
        self.inner = [  # produced tensors with consumers: those that have a place
            u for u, t in self.tensor.items() if t.producer is not None and t.consumers
        ]

    def last_stage(self, model: str) -> int:
        """S_m."""
        limit = 2 * (len(self.models[model].layers) - 1)
        return min(limit, self.options.max_stage.get(model, limit))

    def transfer_ticks(self, u: Key, chiplet: int) -> int:
        ticks = self.tensor[u].transfer_ticks or {}
        return self.rounds[u[0]] * ticks.get(self.types[chiplet], 0)

    # Routes and DRAM interfaces.

    def _route(self, source: int, target: int) -> tuple[Resource, ...]:
        """Links from router to router."""
        if source == target or self.package.topology == "none":
            return ()
        path = [source]
        if self.package.topology == "mesh":
            width = self.package.width
            x, y = source % width, source // width
            while x != target % width:
                x += 1 if x < target % width else -1
                path.append(y * width + x)
            while y != target // width:
                y += 1 if y < target // width else -1
                path.append(y * width + x)
        else:
            path = self._tree_path(source, target)
        return tuple(("link", *hop) for hop in pairwise(path))

    def _tree_path(self, source: int, target: int) -> list[int]:
        hops = {source: 0}
        wave = [source]
        while wave:
            reached = [b for _, a, b in self.latency if a in wave and b not in hops]
            hops.update(dict.fromkeys(reached, hops[wave[0]] + 1))
            wave = reached
        path = [target]
        while path[0] != source:
            node = path[0]
            nearer = [
                a
                for _, a, b in self.latency
                if b == node and hops.get(a) == hops[node] - 1
            ]
            path.insert(0, min(nearer))
        return path

    def from_dram(self, i: int, chiplet: int) -> tuple[Resource, ...]:
        return self.route(self.dram.interfaces[i].router, self.routers[chiplet])

    def to_dram(self, chiplet: int, i: int) -> tuple[Resource, ...]:
        return self.route(self.routers[chiplet], self.dram.interfaces[i].router)

    def between(self, c: int, d: int) -> tuple[Resource, ...]:
        return self.route(self.routers[c], self.routers[d])

    def _nearest(self, chiplet: int) -> int:
        """f(c); `min` takes the first of equals."""
        return min(self.interfaces, key=lambda i: len(self.from_dram(i, chiplet)))

    def read_interfaces(self, chiplet: int) -> set[int]:
        """Interfaces that a chiplet may read through."""
        if self.dram.mode == "shared":
            return {self.nearest[chiplet]}
        if self.dram.mode == "interleaved":
            return set(self.interfaces)
        return set(self.nearest)

    def write_interfaces(self, chiplet: int) -> set[int]:
        if self.dram.mode == "interleaved":
            return set(self.interfaces)
        return {self.nearest[chiplet]}

    def _users(self) -> dict[Resource, set[int]]:
        """`guaranteed`: the chiplets that use each link and interface."""
        users: dict[Resource, set[int]] = {}
        for c in self.chiplets:
            for i in self.read_interfaces(c):
                for name in (("dram", i), *self.from_dram(i, c)):
                    users.setdefault(name, set()).add(c)
            for i in self.write_interfaces(c):
                for name in (("dram", i), *self.to_dram(c, i)):
                    users.setdefault(name, set()).add(c)
        return users

    def stream_bandwidth(self, name: Resource) -> Fraction | None:
        """What one chiplet's DRAM streams have of a resource; `None` is unlimited."""
        bandwidth = self.bandwidth.get(name)
        if bandwidth is None or not self.options.guaranteed or name[0] in ("in", "out"):
            return bandwidth
        return bandwidth / len(self.users[name])

    def _floor(self) -> int:
        """`floor`, with T ≥ 1 and the latencies."""
        routes = [self.between(c, d) for c in self.chiplets for d in self.chiplets]
        for c in self.chiplets:
            for i in self.read_interfaces(c) | self.write_interfaces(c):
                routes += [self.from_dram(i, c), self.to_dram(c, i)]
        latencies = [sum(self.latency[hop] for hop in route) for route in routes]
        latencies.append(self.dram.latency_ns * self.ticks_per_ns)
        return max(1, *(ceil(latency) for latency in latencies))

    # Traffic.

    def _work(
        self,
        layer: Key,
        chiplet: int,
        mode: int,
        streamed: bool,
        dram_inputs: tuple[tuple[Key, int | None], ...],
        dram_outputs: tuple[Key, ...],
    ) -> Work:
        """DRAM bytes and duration; an input comes with its producer's chiplet."""
        row = self.modes[layer][chiplet][mode]
        rounds = self.rounds[layer[0]]
        reads: list[tuple[int, int]] = []  # (chiplet whose f it is, bytes)
        if streamed:
            weights = self.layer[layer].weight_bytes + row.rw_bytes
            reads.append((chiplet, weights * (1 if row.holds_weights else rounds)))
        for u, origin in dram_inputs:
            refetch = row.ri_bytes.get(u[1], 0) * rounds
            home = chiplet if origin is None else origin
            reads.append((home, self.bytes[u] + refetch))
        written = 0
        if dram_outputs:
            reads.append((chiplet, row.ro_bytes * rounds))
            written += row.ro_bytes * rounds
        for u in self.outputs[layer]:
            if u in dram_outputs or self.tensor[u].output:
                written += self.bytes[u]

        loads: Loads = {}
        for home, size in reads:
            for i, part in self.spread(chiplet, home, size):
                add(loads, (("dram", i), *self.from_dram(i, chiplet)), part)
                add(loads, (("in", chiplet),), part)
        for i, part in self.spread(chiplet, chiplet, written):
            add(loads, (("out", chiplet),), part)
            add(loads, (*self.to_dram(chiplet, i), ("dram", i)), part)
        duration = row.latency_ticks * rounds
        for name, size in loads.items():
            bandwidth = self.stream_bandwidth(name)
            if bandwidth is not None:
                duration = max(duration, ceil(size / bandwidth))
        return Work(duration, loads, sum(size for _, size in reads) + written)

    def spread(
        self, chiplet: int, home: int, size: int
    ) -> list[tuple[int, int | Fraction]]:
        """(interface, bytes) of bytes that live behind f(home) if `private`."""
        if size == 0:
            return []
        if self.dram.mode == "interleaved":
            return [(i, size * self.dram.interfaces[i].share) for i in self.interfaces]
        if self.dram.mode == "private":
            return [(self.nearest[home], size)]
        return [(self.nearest[chiplet], size)]

    def _transfer(self, u: Key, source: int, targets: frozenset[int]) -> Loads:
        """`link` and `port`: bytes of a package tensor."""
        loads: Loads = {}
        routes = [self.between(source, d) for d in targets]
        if self.options.multicast:
            add(loads, {hop for route in routes for hop in route}, self.bytes[u])
        else:
            for route in routes:
                add(loads, route, self.bytes[u])
        copies = self.copies_sent(targets)
        add(loads, (("out", source),), copies * self.bytes[u])
        add(loads, (("in", d) for d in targets), self.bytes[u])
        return loads

    def copies_sent(self, targets: frozenset[int]) -> int:
        return min(1, len(targets)) if self.options.multicast else len(targets)


def add(loads: Loads, names: Iterable[Resource], size: int | Fraction) -> None:
    for name in names:
        loads[name] = loads.get(name, 0) + size


def is_dram(given: Given, s: Schedule, u: Key) -> bool:
    """Model inputs, and model outputs without consumers, are dram."""
    return s.place.get(u, "dram") == "dram"


def targets_of(given: Given, s: Schedule, u: Key) -> frozenset[int]:
    """Chiplets other than the producer's that have a consumer."""
    source = s.chiplet[given.producer[u]]
    return frozenset(s.chiplet[j] for j in given.consumers[u]) - {source}


def works_of(given: Given, s: Schedule) -> dict[Key, Work]:
    works = {}
    for layer in given.layers:
        dram_inputs = tuple(
            (u, s.chiplet.get(given.producer[u]))
            for u in given.inputs[layer]
            if is_dram(given, s, u)
        )
        dram_outputs = tuple(u for u in given.outputs[layer] if is_dram(given, s, u))
        streamed = layer in s.resident and not s.resident[layer]
        works[layer] = given.work(
            layer, s.chiplet[layer], s.mode[layer], streamed, dram_inputs, dram_outputs
        )
    return works


def traffic_of(
    given: Given, s: Schedule, works: dict[Key, Work]
) -> tuple[Loads, Loads]:
    """Bytes per period of DRAM streams and of package transfers."""
    streams: Loads = {}
    for work in works.values():
        for name, size in work.loads.items():
            streams[name] = streams.get(name, 0) + size
    package: Loads = {}
    for u in given.inner:
        if not is_dram(given, s, u):
            source = s.chiplet[given.producer[u]]
            loads = given.transfer(u, source, targets_of(given, s, u))
            for name, size in loads.items():
                package[name] = package.get(name, 0) + size
    return streams, package


# Rules on the period: the least T, not rounded, that satisfies each.


def compute(
    given: Given, s: Schedule, works: dict[Key, Work], package: Loads
) -> int | Fraction:
    """`compute`, and `serial` in its place."""
    busy: list[int | Fraction] = [0 for _ in given.chiplets]
    for layer, work in works.items():
        busy[s.chiplet[layer]] += work.duration
    if given.options.serial:
        for name, size in package.items():
            if name[0] != "link" and name in given.bandwidth:
                busy[name[1]] += size / given.bandwidth[name]
        for u in given.inner:
            if given.tensor[u].transfer_ticks is not None:
                source, targets = s.chiplet[given.producer[u]], targets_of(given, s, u)
                sent = given.copies_sent(targets)
                busy[source] += sent * given.transfer_ticks(u, source)
                for d in targets:
                    busy[d] += given.transfer_ticks(u, d)
    return max(busy)


def least_periods(
    given: Given, s: Schedule, works: dict[Key, Work], streams: Loads, package: Loads
) -> dict[str, int | Fraction]:
    least: dict[str, int | Fraction] = {"link": 0, "port": 0, "dram": 0}
    least["compute"] = compute(given, s, works, package)
    least["floor"] = given.least_period
    label = {"link": "link", "in": "port", "out": "port", "dram": "dram"}
    for name, bandwidth in given.bandwidth.items():
        size = package.get(name, 0)
        if name[0] == "dram" or not given.options.guaranteed:
            size += streams.get(name, 0)
        rule = label[name[0]]
        if size > least[rule] * bandwidth:
            least[rule] = size / bandwidth
    return least


def period_of(least: dict[str, int | Fraction], without: frozenset[str]) -> int:
    """`period`."""
    return max(1, *(ceil(t) for rule, t in least.items() if rule not in without))


def energy_of(
    given: Given,
    s: Schedule,
    works: dict[Key, Work],
    streams: Loads,
    package: Loads,
    period: int,
) -> int:
    """`energy`."""
    total = mode_energy(given, s) + given.static * period
    for name, byte_energy in given.byte_energy.items():
        total += (streams.get(name, 0) + package.get(name, 0)) * byte_energy
    total += sum(work.dram_bytes for work in works.values()) * given.dram_energy
    return ceil(total)


def mode_energy(given: Given, s: Schedule) -> int:
    return sum(
        given.rounds[n[0]] * given.modes[n][s.chiplet[n]][s.mode[n]].energy_quanta
        for n in given.layers
    )


# Rules on who is where.


def assignment(given: Given, s: Schedule) -> bool:
    """Whether a schedule says what it has to and uses only supported modes."""
    if not (set(s.chiplet) == set(s.mode) == set(s.stage) == set(given.layers)):
        return False
    if set(s.resident) != set(given.weighted) or set(s.place) != set(given.inner):
        return False
    for u, place in s.place.items():
        allowed = ("package", "dram")
        if given.tensor[u].transfer_ticks is not None:
            allowed = ("package",)
        if place not in allowed:
            return False
    return all(
        s.chiplet[n] in given.chiplets
        and s.mode[n] in range(len(given.modes[n][s.chiplet[n]]))
        for n in given.layers
    )


def contiguous(given: Given, chiplet: dict[Key, int]) -> bool:
    for m in given.models:
        for c in given.chiplets:
            here = [
                given.order[n] for n in given.layers if n[0] == m and chiplet[n] == c
            ]
            if here and max(here) - min(here) + 1 != len(here):
                return False
    return True


def convex(given: Given, chiplet: dict[Key, int]) -> bool:
    """No path of the model leaves a chiplet and comes back to it."""
    for c in given.chiplets:
        after: set[Key] = set()  # layers elsewhere, behind a layer on c
        for n in given.layers:
            producers = [given.producer[u] for u in given.inputs[n]]
            if chiplet[n] == c:
                if any(i in after for i in producers):
                    return False
            elif any(
                i is not None and (i in after or chiplet[i] == c) for i in producers
            ):
                after.add(n)
    return True


def exclusive(given: Given, chiplet: dict[Key, int]) -> bool:
    return all(
        len({n[0] for n in given.layers if chiplet[n] == c}) <= 1
        for c in given.chiplets
    )


def colocate(given: Given, chiplet: dict[Key, int]) -> bool:
    groups = given.options.colocate
    return all(len({chiplet[n] for n in group}) <= 1 for group in groups)


def broken_options(given: Given, chiplet: dict[Key, int]) -> set[str]:
    options = given.options
    broken = set()
    if options.contiguous and not contiguous(given, chiplet):
        broken.add("contiguous")
    if options.convex and not convex(given, chiplet):
        broken.add("convex")
    if options.exclusive and not exclusive(given, chiplet):
        broken.add("exclusive")
    if options.colocate and not colocate(given, chiplet):
        broken.add("colocate")
    return broken


# Rules on stages and memory.


def least_gap(given: Given, s: Schedule, u: Key, consumer: Key) -> int:
    """`stage`: the least σ(j) − σ(i)."""
    if s.chiplet[given.producer[u]] == s.chiplet[consumer]:
        return 0
    if is_dram(given, s, u) or given.options.serial:
        return 1
    return 2


def stage(given: Given, s: Schedule) -> bool:
    if not all(0 <= s.stage[n] <= given.last_stage(n[0]) for n in given.layers):
        return False
    return all(
        s.stage[j] - s.stage[given.producer[u]] >= least_gap(given, s, u, j)
        for u in given.inner
        for j in given.consumers[u]
    )


def span(given: Given, m: str, stages: dict[Key, int]) -> int:
    """Stages that model m extends over."""
    own = [stages[n] for n in given.layers if n[0] == m]
    return 1 + max(own) - min(own)


def copies(given: Given, s: Schedule, u: Key, stages: dict[Key, int]) -> dict[int, int]:
    """`sram`: copies of a package tensor on each chiplet; empty if unbuffered."""
    source = s.chiplet[given.producer[u]]
    ages: dict[int, list[int]] = {}  # chiplet -> Δ(j) of its consumers j
    for j in given.consumers[u]:
        delta = max(0, stages[j] - stages[given.producer[u]])
        ages.setdefault(s.chiplet[j], []).append(delta)
    here = ages.pop(source, [])
    serial = given.options.serial
    result = {d: max(deltas) + (1 if serial else 0) for d, deltas in ages.items()}
    if ages and serial:
        result[source] = 1 + max(here) if here else 1
    elif ages:
        result[source] = max(2, 1 + max(here)) if here else 2
    elif max(here) > 0:
        result[source] = 1 + max(here)
    # Only without `stage` can a consumer be ahead of its producer.
    return {c: max(0, n) for c, n in result.items()}


def memory(
    given: Given, s: Schedule, m: str, stages: dict[Key, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`sram`: buffers and peak of one model on every chiplet."""
    buffers, peak = [0 for _ in given.chiplets], [0 for _ in given.chiplets]
    unbuffered: list[Key] = []
    for u in given.inner:
        if u[0] == m and not is_dram(given, s, u):
            for c, n in copies(given, s, u, stages).items():
                buffers[c] += n * given.bytes[u]
            i = given.producer[u]
            if all(
                s.chiplet[j] == s.chiplet[i] and stages[j] <= stages[i]
                for j in given.consumers[u]
            ):
                unbuffered.append(u)
    for n in given.layers:
        if n[0] != m:
            continue
        c, now = s.chiplet[n], given.order[n]
        alive = sum(
            given.bytes[u]
            for u in unbuffered
            if s.chiplet[given.producer[u]] == c
            and given.order[given.producer[u]] <= now
            and now <= max(given.order[j] for j in given.consumers[u])
        )
        peak[c] = max(peak[c], given.modes[n][c][s.mode[n]].ws_bytes + alive)
    return tuple(buffers), tuple(peak)


def free_bytes(given: Given, s: Schedule) -> list[int]:
    """`sram`: L2 less the resident weights."""
    free = [given.package.types[t].l2_bytes for t in given.types]
    for n, resident in s.resident.items():
        if resident:
            free[s.chiplet[n]] -= given.layer[n].weight_bytes
    return free


def fits(
    given: Given,
    free: list[int],
    memories: Iterable[tuple[tuple[int, ...], tuple[int, ...]]],
) -> bool:
    """`sram`, given `memory` of each model."""
    if given.options.sram == "residents":
        return min(free) >= 0
    memories = list(memories)
    return all(
        sum(buffers[c] for buffers, _ in memories)
        + max(peak[c] for _, peak in memories)
        <= free[c]
        for c in given.chiplets
    )


# One schedule.


def evaluate(
    instance: Instance,
    schedule: Schedule,
    period: int | None = None,
    without: frozenset[str] = frozenset(),
) -> Verdict:
    """Judge a schedule at a period, its own least one unless given."""
    given, s = Given(instance), schedule
    if not assignment(given, s):
        return Verdict(frozenset({"assignment"}))
    works = works_of(given, s)
    streams, package = traffic_of(given, s, works)
    least = least_periods(given, s, works, streams, package)
    if period is None:
        period = period_of(least, without)
    violated = {rule for rule, t in least.items() if t > period}
    violated |= broken_options(given, s.chiplet)
    if not stage(given, s):
        violated.add("stage")
    memories = [memory(given, s, m, s.stage) for m in given.models]
    if not fits(given, free_bytes(given, s), memories):
        violated.add("sram")
    latency = {m: span(given, m, s.stage) * period for m in given.models}
    energy = energy_of(given, s, works, streams, package, period)
    caps = given.options.latency_cap_ticks
    if any(latency[m] > cap for m, cap in caps.items()):
        violated.add("latency_cap")
    if not energy_cap(given, energy):
        violated.add("energy_cap")
    if not period_cap(given, period):
        violated.add("period_cap")
    return Verdict(frozenset(violated) - without, period, latency, energy)


def energy_cap(given: Given, energy: int) -> bool:
    cap = given.options.energy_cap_pj
    return cap is None or energy * given.quantum_fj <= cap * 1000


def period_cap(given: Given, period: int) -> bool:
    cap = given.options.period_cap_ticks
    return cap is None or period <= cap


# All schedules.


def stage_vectors(
    given: Given, s: Schedule, m: str, without: frozenset[str]
) -> Iterator[dict[Key, int]]:
    """All stages of one model, up to a shift: only differences of stages matter."""
    names = [n for n in given.layers if n[0] == m]

    def extend(stages: dict[Key, int]) -> Iterator[dict[Key, int]]:
        if len(stages) == len(names):
            if min(stages.values()) == 0:
                yield dict(stages)
            return
        n = names[len(stages)]
        least = 0
        if "stage" not in without:
            for u in given.inputs[n]:
                i = given.producer[u]
                if i is not None:
                    least = max(least, stages[i] + least_gap(given, s, u, n))
        for stages[n] in range(least, given.last_stage(m) + 1):
            yield from extend(stages)
        stages.pop(n, None)

    yield from extend({})


class Staging:
    """Whether stages exist that satisfy `stage`, `sram` and `latency_cap`."""

    def __init__(self, given: Given, without: frozenset[str]) -> None:
        self.given, self.without = given, without
        # The memory of a model depends on neither residency nor other models.
        self.known: dict[object, set[tuple[tuple[int, ...], tuple[int, ...]]]] = {}

    def exists(self, s: Schedule, period: int) -> bool:
        free = free_bytes(self.given, s)
        choices = [self._memories(s, m, period) for m in self.given.models]
        if "sram" in self.without:
            return all(choices)
        return any(fits(self.given, free, chosen) for chosen in product(*choices))

    def _memories(
        self, s: Schedule, m: str, period: int
    ) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
        """`memory` of model m for all its stages within the latency cap."""
        given = self.given
        longest = given.last_stage(m) + 1
        cap = given.options.latency_cap_ticks.get(m)
        if cap is not None and "latency_cap" not in self.without:
            longest = min(longest, cap // period)
        own = tuple((s.chiplet[n], s.mode[n]) for n in given.layers if n[0] == m)
        places = tuple(s.place[u] for u in given.inner if u[0] == m)
        key = (m, own, places, longest)
        if key not in self.known:
            self.known[key] = {
                memory(given, s, m, stages)
                for stages in stage_vectors(given, s, m, self.without)
                if span(given, m, stages) <= longest
            }
        return self.known[key]


def candidates(given: Given, without: frozenset[str]) -> Iterator[Schedule]:
    """Every schedule but for its stages."""
    supported = [[c for c in given.chiplets if given.modes[n][c]] for n in given.layers]
    resident = [
        dict(zip(given.weighted, choice, strict=True))
        for choice in product((True, False), repeat=len(given.weighted))
    ]
    allowed = [
        ("package", "dram") if given.tensor[u].transfer_ticks is None else ("package",)
        for u in given.inner
    ]
    place = [
        dict(zip(given.inner, choice, strict=True)) for choice in product(*allowed)
    ]
    for chosen in product(*supported):
        chiplet = dict(zip(given.layers, chosen, strict=True))
        if broken_options(given, chiplet) - without:
            continue
        counts = [range(len(given.modes[n][chiplet[n]])) for n in given.layers]
        for modes in product(*counts):
            mode = dict(zip(given.layers, modes, strict=True))
            for r, p in product(resident, place):
                yield Schedule(chiplet, mode, r, p)


def solve(
    instance: Instance, objective: str, without: frozenset[str] = frozenset()
) -> tuple[int, ...] | None:
    """Return the optimal value(s) of an objective, `None` if infeasible.

    Parameters
    ----------
    objective
        "period" (ticks), "energy" (quanta) or "period,energy" (lexicographic).
    without
        Labels of rules to leave out.
    """
    assert objective in OBJECTIVES
    given = Given(instance)
    staging = Staging(given, without)
    best: tuple[int, ...] | None = None

    def improves(period: int, energy: int) -> bool:
        return best is None or value(objective, period, energy) < best

    for s in candidates(given, without):
        works = works_of(given, s)
        if best is not None:  # neither period nor energy can be less than these
            period = given.least_period if "floor" not in without else 1
            if "compute" not in without:
                period = max(period, busiest(given, s, works))
            if not improves(
                period, ceil(mode_energy(given, s) + given.static * period)
            ):
                continue
        streams, package = traffic_of(given, s, works)
        period = period_of(least_periods(given, s, works, streams, package), without)
        energy = energy_of(given, s, works, streams, package, period)
        if not improves(period, energy):
            continue
        if "energy_cap" not in without and not energy_cap(given, energy):
            continue
        if "period_cap" not in without and not period_cap(given, period):
            continue
        if staging.exists(s, period):
            best = value(objective, period, energy)
    return best


def busiest(given: Given, s: Schedule, works: dict[Key, Work]) -> int:
    busy = [0 for _ in given.chiplets]
    for layer, work in works.items():
        busy[s.chiplet[layer]] += work.duration
    return max(busy)


def value(objective: str, period: int, energy: int) -> tuple[int, ...]:
    return tuple({"period": period, "energy": energy}[q] for q in objective.split(","))


def candidate_count(instance: Instance) -> int:
    """Return how many candidates `solve` looks at, before the options."""
    given = Given(instance)
    ways = [sum(len(rows) for rows in given.modes[n]) for n in given.layers]
    return prod(ways) * 2 ** (len(given.weighted) + len(given.inner))

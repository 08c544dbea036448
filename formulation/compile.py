"""Instance + CostTable → Problem: names become indices, quantities integers.

Nothing is rounded here but what MODEL.md rounds: `floor` (whole ticks).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm
from typing import TYPE_CHECKING

from formulation.problem import (
    Chiplet,
    Flow,
    Mode,
    NopLink,
    Problem,
    ProblemModel,
    Rate,
    Resource,
    Task,
    Tensor,
)
from instances.load import instance_sha256
from instances.topology import route

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from costmodel.table import CostTable
    from costmodel.table import Mode as TableMode
    from instances.schema import Instance, Model


class CompileError(ValueError):
    """A cost table that does not belong to the instance."""


Leg = tuple[int, Fraction]  # (interface, share of the bytes that goes through it)


@dataclass(frozen=True, slots=True)
class _Ways:
    """Routes of a package: chiplet to chiplet, and to and from every interface."""

    between: tuple[tuple[tuple[int, ...], ...], ...]
    reading: tuple[tuple[tuple[int, ...], ...], ...]
    writing: tuple[tuple[tuple[int, ...], ...], ...]
    home: tuple[int, ...]


def _ways(instance: Instance) -> _Ways:
    package = instance.package
    routers = [c.router for c in package.chiplets]
    doors = [i.router for i in package.dram.interfaces]
    reading = tuple(tuple(route(package, i, r) for i in doors) for r in routers)
    return _Ways(
        between=tuple(tuple(route(package, a, b) for b in routers) for a in routers),
        reading=reading,
        writing=tuple(tuple(route(package, r, i) for i in doors) for r in routers),
        home=tuple(min(range(len(doors)), key=lambda i: len(w[i])) for w in reading),
    )


def _legs(instance: Instance, ways: _Ways, c: int) -> tuple[list[list[Leg]], list[Leg]]:
    """Return legs of reading data of every home interface on c, and of writing."""
    doors = instance.package.dram.interfaces
    if instance.package.dram.mode == "interleaved":
        spread = [(i, door.share) for i, door in enumerate(doors)]
        return [spread for _ in doors], spread
    own = [(ways.home[c], Fraction(1))]
    if instance.package.dram.mode == "private":
        return [[(i, Fraction(1))] for i in range(len(doors))], own
    return [own for _ in doors], own


def _used(instance: Instance, ways: _Ways) -> tuple[list[set[int]], list[set[int]]]:
    """Return the chiplets that may use every link and every interface for DRAM."""
    links: list[set[int]] = [set() for _ in instance.package.links]
    doors: list[set[int]] = [set() for _ in instance.package.dram.interfaces]
    for c in range(len(ways.home)):
        reads, write = _legs(instance, ways, c)
        homes = {ways.home[c], *ways.home}
        reading = {i for home in homes for i, _ in reads[home]}
        for i in reading:
            for link in ways.reading[c][i]:
                links[link].add(c)
        for i, _ in write:
            for link in ways.writing[c][i]:
                links[link].add(c)
        for i in reading | {i for i, _ in write}:
            doors[i].add(c)
    return links, doors


class _Resources:
    """Collects the finite resources in a fixed order: ports, links, interfaces."""

    def __init__(self, instance: Instance, load_unit: int) -> None:
        self.all: list[Resource] = []
        self.guaranteed = instance.options.guaranteed
        self.units_per_tick = Fraction(load_unit * instance.tick_ps, 1000)

    def add(
        self, kind: str, name: str, gb_s: Fraction | None, sharers: int
    ) -> int | None:
        """Add a resource unless its bandwidth is unlimited; GB/s is bytes/ns."""
        if gb_s is None:
            return None
        rate = gb_s * self.units_per_tick
        stream, counts = rate, True
        if self.guaranteed:
            if kind != "dram":
                rate, counts = rate / 2, False
            stream = rate / max(1, sharers)
        self.all.append(Resource(kind, name, _rate(rate), _rate(stream), counts))
        return len(self.all) - 1


def _rate(value: Fraction) -> Rate:
    return Rate(value.numerator, value.denominator)


def _flow(
    legs: Iterable[Leg],
    ways: Sequence[Sequence[int]],
    port: int | None,
    found: _Found,
    load_unit: int,
) -> tuple[dict[int, int], Fraction]:
    """Return load units per byte on every resource, and energy in quanta a byte."""
    loads: dict[int, int] = {}
    energy = found.dram_energy

    def put(resource: int | None, share: Fraction) -> None:
        if resource is not None:
            units = share * load_unit
            loads[resource] = loads.get(resource, 0) + units.numerator

    put(port, Fraction(1))
    for i, share in legs:
        put(found.doors[i], share)
        for link in ways[i]:
            put(found.links[link], share)
            energy += share * found.link_energy[link]
    return loads, energy


@dataclass(frozen=True, slots=True)
class _Found:
    """Resource indices of links and interfaces; energies in quanta per byte."""

    links: tuple[int | None, ...]
    doors: tuple[int | None, ...]
    link_energy: tuple[Fraction, ...]
    dram_energy: Fraction


def _floor_ticks(instance: Instance, ways: _Ways) -> int:
    """Return the least T that `floor` allows."""
    package, tick_ns = instance.package, Fraction(instance.tick_ps, 1000)
    used = [w for row in ways.between for w in row]
    for c in range(len(package.chiplets)):
        reads, write = _legs(instance, ways, c)
        homes = {ways.home[c], *ways.home}
        used += [ways.reading[c][i] for home in homes for i, _ in reads[home]]
        used += [ways.writing[c][i] for i, _ in write]
    worst = max(sum(package.links[k].hop_latency_ns for k in w) for w in used)
    slowest = max(Fraction(worst), package.dram.latency_ns)
    return max(1, ceil(slowest / tick_ns))


def _mode(mode: TableMode, row: int, model: Model, layer: str, energy_den: int) -> Mode:
    n = model.mini_batches
    weights = next(x.weight_bytes for x in model.layers if x.name == layer)
    inputs = [u.name for u in model.tensors if layer in u.consumers]
    return Mode(
        latency_ticks=mode.latency_ticks * n,
        energy=mode.energy_quanta * n * energy_den,
        ws_bytes=mode.ws_bytes,
        weight_bytes=(weights + mode.rw_bytes) * (1 if mode.holds_weights else n),
        ri_bytes=tuple(mode.ri_bytes.get(u, 0) * n for u in inputs),
        ro_bytes=mode.ro_bytes * n,
        row=row,
    )


def _workload(
    instance: Instance, table: CostTable, energy_den: int
) -> tuple[list[ProblemModel], list[Task], list[Tensor]]:
    """Return models, tasks and tensors, all in the instance's order."""
    models: list[ProblemModel] = []
    tasks: list[Task] = []
    tensors: list[Tensor] = []
    options, package = instance.options, instance.package
    for m, model in enumerate(instance.models):
        first, start = len(tasks), len(tensors)
        index = {layer.name: first + k for k, layer in enumerate(model.layers)}
        for u in model.tensors:
            times = u.transfer_ticks
            tensors.append(
                Tensor(
                    name=u.name,
                    model=m,
                    producer=None if u.producer is None else index[u.producer],
                    consumers=tuple(sorted(index[j] for j in u.consumers)),
                    bytes=u.bytes * model.mini_batches,
                    output=u.output or (u.producer is not None and not u.consumers),
                    transfer=None
                    if times is None
                    else tuple(
                        times.get(c.type, 0) * model.mini_batches
                        for c in package.chiplets
                    ),
                )
            )
        for layer in model.layers:
            names = list(enumerate(model.tensors, start))
            by_type = {
                name: tuple(
                    _mode(mode, row, model, layer.name, energy_den)
                    for row, mode in enumerate(
                        table.rows.get((model.name, layer.name, name), ())
                    )
                )
                for name in {c.type for c in package.chiplets}
            }
            tasks.append(
                Task(
                    name=layer.name,
                    model=m,
                    weight_bytes=layer.weight_bytes,
                    inputs=tuple(u for u, x in names if layer.name in x.consumers),
                    outputs=tuple(u for u, x in names if layer.name == x.producer),
                    modes=tuple(by_type[c.type] for c in package.chiplets),
                )
            )
        n = len(model.layers)
        given = options.max_stage.get(model.name)
        models.append(
            ProblemModel(
                name=model.name,
                first=first,
                last=first + n - 1,
                max_stage=min(2 * (n - 1), given if given is not None else 2 * (n - 1)),
                max_stage_given=given is not None and given < 2 * (n - 1),
                latency_cap_ticks=options.latency_cap_ticks.get(model.name),
                samples_per_round=model.samples * model.mini_batches,
            )
        )
    return models, tasks, tensors


def compile_problem(instance: Instance, table: CostTable) -> Problem:
    """Return the problem of an instance under a cost table.

    Raises
    ------
    CompileError
        If the table was built for another instance or in other quanta.
    """
    sha = instance_sha256(instance)
    stated = (table.instance_sha256, table.tick_ps, table.energy_quantum_fj)
    if stated != (sha, instance.tick_ps, instance.energy_quantum_fj):
        raise CompileError(
            f"cost table: got one of instance {stated[0][:12]} in ticks of {stated[1]} "
            f"ps and quanta of {stated[2]} fJ, expected {sha[:12]}, "
            f"{instance.tick_ps} ps, {instance.energy_quantum_fj} fJ"
        )
    package, options = instance.package, instance.options
    ways = _ways(instance)
    load_unit = 1
    if package.dram.mode == "interleaved":
        load_unit = lcm(*(i.share.denominator for i in package.dram.interfaces))
    pool = _Resources(instance, load_unit)
    ports = [
        (
            pool.add("port", f"into chiplet {c}", package.port_in_gb_s, 1),
            pool.add("port", f"out of chiplet {c}", package.port_out_gb_s, 1),
        )
        for c in range(len(package.chiplets))
    ]
    link_users, door_users = _used(instance, ways)
    quantum_pj = Fraction(instance.energy_quantum_fj, 1000)
    total = package.dram.bandwidth_gb_s
    found = _Found(
        links=tuple(
            pool.add("link", f"{x.src}->{x.dst}", x.bandwidth_gb_s, len(link_users[k]))
            for k, x in enumerate(package.links)
        ),
        doors=tuple(
            pool.add(
                "dram",
                f"interface {k} at router {x.router}",
                None if total is None else total * x.share,
                len(door_users[k]),
            )
            for k, x in enumerate(package.dram.interfaces)
        ),
        link_energy=tuple(x.energy_pj_per_bit * 8 / quantum_pj for x in package.links),
        dram_energy=package.dram.energy_pj_per_bit * 8 / quantum_pj,
    )
    static_pj = sum(
        package.types[c.type].static_power_mw for c in package.chiplets
    ) * Fraction(instance.tick_ps, 1000)  # mW · ns = pJ
    static = Fraction(static_pj) / quantum_pj
    raw = []
    for c, chiplet in enumerate(package.chiplets):
        reads, write = _legs(instance, ways, c)
        incoming, outgoing = ports[c]
        flows = [
            _flow(legs, ways.reading[c], incoming, found, load_unit) for legs in reads
        ]
        flows.append(_flow(write, ways.writing[c], outgoing, found, load_unit))
        raw.append((chiplet, flows))
    energy_den = lcm(
        static.denominator,
        *(e.denominator for e in found.link_energy),
        *(energy.denominator for _, flows in raw for _, energy in flows),
    )

    def whole(energy: Fraction) -> int:
        return (energy * energy_den).numerator

    chiplets = []
    for c, (chiplet, flows) in enumerate(raw):
        done = [Flow(tuple(sorted(loads.items())), whole(e)) for loads, e in flows]
        chiplets.append(
            Chiplet(
                name=str(c),
                type=chiplet.type,
                l2_bytes=package.types[chiplet.type].l2_bytes,
                port_in=ports[c][0],
                port_out=ports[c][1],
                home=ways.home[c],
                reads=tuple(done[:-1]),
                write=done[-1],
            )
        )
    models, tasks, tensors = _workload(instance, table, energy_den)
    places = {(instance.models[t.model].name, t.name): k for k, t in enumerate(tasks)}
    cap = options.energy_cap_pj
    return Problem(
        name=instance.name,
        instance_sha256=sha,
        table_sha256=table.sha256,
        tick_ps=instance.tick_ps,
        energy_quantum_fj=instance.energy_quantum_fj,
        energy_den=energy_den,
        load_unit=load_unit,
        chiplets=tuple(chiplets),
        resources=tuple(pool.all),
        links=tuple(
            NopLink(resource, whole(energy))
            for resource, energy in zip(found.links, found.link_energy, strict=True)
        ),
        routes=ways.between,
        static_energy=whole(static),
        floor_ticks=_floor_ticks(instance, ways),
        models=tuple(models),
        tasks=tuple(tasks),
        tensors=tuple(tensors),
        contiguous=options.contiguous,
        convex=options.convex,
        exclusive=options.exclusive,
        multicast=options.multicast,
        serial=options.serial,
        guaranteed=options.guaranteed,
        private=package.dram.mode == "private",
        residents_only=options.sram == "residents",
        colocate=tuple(tuple(places[x] for x in group) for group in options.colocate),
        energy_cap_quanta=None if cap is None else floor(cap / quantum_pj),
        period_cap_ticks=options.period_cap_ticks,
    )

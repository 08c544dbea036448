"""Package → what of a Problem is about the package alone: chiplets, ways, resources."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import TYPE_CHECKING

from formulation.problem import Chiplet, Flow, NopLink, Rate, Resource
from instances.topology import route

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from instances.schema import Instance

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
        rate = bandwidth = gb_s * self.units_per_tick
        stream, counts = rate, True
        if self.guaranteed:
            if kind != "dram":
                rate, counts = rate / 2, False
            stream = rate / max(1, sharers)
        self.all.append(
            Resource(
                kind=kind,
                name=name,
                rate=_rate(rate),
                stream_rate=_rate(stream),
                counts_streams=counts,
                bandwidth=_rate(bandwidth),
            )
        )
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
    """Resource indices of ports, links, interfaces; energies in quanta per byte."""

    ports: tuple[tuple[int | None, int | None], ...]  # per chiplet: in, out
    links: tuple[int | None, ...]
    doors: tuple[int | None, ...]
    link_energy: tuple[Fraction, ...]
    dram_energy: Fraction


def _latency_ticks(
    instance: Instance, way: Sequence[int], more_ns: Fraction = Fraction(0)
) -> int:
    """Return the hop latencies of a way and `more_ns` together, in whole ticks."""
    links, tick_ns = instance.package.links, Fraction(instance.tick_ps, 1000)
    return ceil((more_ns + sum(links[k].hop_latency_ns for k in way)) / tick_ns)


def _dram_ticks(instance: Instance) -> int:
    """Return the DRAM latency in whole ticks."""
    return _latency_ticks(instance, (), instance.package.dram.latency_ns)


def _access_ticks(instance: Instance, ways: _Ways) -> tuple[tuple[int, int], ...]:
    """Return the latencies of reading and writing DRAM on every chiplet, with routes.

    Of `interleaved` interfaces the farthest counts. Reads are of data that lie behind
    the home interface of the chiplet.
    """
    late = instance.package.dram.latency_ns
    found = []
    for c, home in enumerate(ways.home):
        reads, write = _legs(instance, ways, c)
        found.append(
            (
                max(
                    _latency_ticks(instance, ways.reading[c][i], late)
                    for i, _ in reads[home]
                ),
                max(
                    _latency_ticks(instance, ways.writing[c][i], late) for i, _ in write
                ),
            )
        )
    return tuple(found)


def _floor_ticks(instance: Instance, ways: _Ways) -> int:
    """Return the least T that `floor` allows."""
    package = instance.package
    used = [w for row in ways.between for w in row]
    for c in range(len(package.chiplets)):
        reads, write = _legs(instance, ways, c)
        homes = {ways.home[c], *ways.home}
        used += [ways.reading[c][i] for home in homes for i, _ in reads[home]]
        used += [ways.writing[c][i] for i, _ in write]
    worst = max(_latency_ticks(instance, w) for w in used)
    return max(1, worst, _dram_ticks(instance))


@dataclass(frozen=True, slots=True)
class Network:
    """A package in integers; attributes as in `Problem` and its `Windowing`."""

    energy_den: int
    load_unit: int
    chiplets: tuple[Chiplet, ...]
    resources: tuple[Resource, ...]
    links: tuple[NopLink, ...]
    routes: tuple[tuple[tuple[int, ...], ...], ...]
    static_energy: int
    dram_energy: int
    floor_ticks: int
    route_ticks: tuple[tuple[int, ...], ...]
    dram_ticks: int
    read_ticks: tuple[int, ...]
    write_ticks: tuple[int, ...]


def _find(instance: Instance, ways: _Ways, pool: _Resources) -> _Found:
    """Add all finite resources of a package to the pool, in their order."""
    package = instance.package
    ports = tuple(
        (
            pool.add("port", f"into chiplet {c}", package.port_in_gb_s, 1),
            pool.add("port", f"out of chiplet {c}", package.port_out_gb_s, 1),
        )
        for c in range(len(package.chiplets))
    )
    link_users, door_users = _used(instance, ways)
    quantum_pj = Fraction(instance.energy_quantum_fj, 1000)
    total = package.dram.bandwidth_gb_s
    return _Found(
        ports=ports,
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


def _flows(
    instance: Instance, ways: _Ways, c: int, found: _Found, load_unit: int
) -> list[tuple[dict[int, int], Fraction]]:
    """Return the flows of reading data of every home interface on c, then writing."""
    reads, write = _legs(instance, ways, c)
    incoming, outgoing = found.ports[c]
    flows = [_flow(legs, ways.reading[c], incoming, found, load_unit) for legs in reads]
    flows.append(_flow(write, ways.writing[c], outgoing, found, load_unit))
    return flows


def _static_quanta(instance: Instance) -> Fraction:
    """Return the energy that all chiplets together draw in a tick."""
    package = instance.package
    static_pj = sum(
        package.types[c.type].static_power_mw for c in package.chiplets
    ) * Fraction(instance.tick_ps, 1000)  # mW · ns = pJ
    return Fraction(static_pj) / Fraction(instance.energy_quantum_fj, 1000)


def network_of(instance: Instance) -> Network:
    """Return the package of an instance in integers."""
    package = instance.package
    ways = _ways(instance)
    load_unit = 1
    if package.dram.mode == "interleaved":
        load_unit = lcm(*(i.share.denominator for i in package.dram.interfaces))
    pool = _Resources(instance, load_unit)
    found = _find(instance, ways, pool)
    static = _static_quanta(instance)
    raw = [
        _flows(instance, ways, c, found, load_unit)
        for c in range(len(package.chiplets))
    ]
    energy_den = lcm(
        static.denominator,
        found.dram_energy.denominator,
        *(e.denominator for e in found.link_energy),
        *(energy.denominator for flows in raw for _, energy in flows),
    )

    def whole(energy: Fraction) -> int:
        return (energy * energy_den).numerator

    chiplets = []
    for c, (chiplet, flows) in enumerate(zip(package.chiplets, raw, strict=True)):
        done = [Flow(tuple(sorted(loads.items())), whole(e)) for loads, e in flows]
        chiplets.append(
            Chiplet(
                name=str(c),
                type=chiplet.type,
                l2_bytes=package.types[chiplet.type].l2_bytes,
                port_in=found.ports[c][0],
                port_out=found.ports[c][1],
                home=ways.home[c],
                reads=tuple(done[:-1]),
                write=done[-1],
            )
        )
    access = _access_ticks(instance, ways)
    return Network(
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
        dram_energy=whole(found.dram_energy),
        floor_ticks=_floor_ticks(instance, ways),
        route_ticks=tuple(
            tuple(_latency_ticks(instance, way) for way in row) for row in ways.between
        ),
        dram_ticks=_dram_ticks(instance),
        read_ticks=tuple(read for read, _ in access),
        write_ticks=tuple(write for _, write in access),
    )

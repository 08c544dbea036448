"""What makes a package acceptable."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from instances.dataflow import Dataflow, check_dataflow
from instances.faults import (
    Fault,
    check_bandwidth,
    check_choice,
    check_exact,
    check_integer,
    check_known,
    check_text,
    join,
)
from instances.topology import breadth_first_parents, link_pairs
from instances.vocabulary import (
    DRAM_MODES,
    GRIDS,
    MOST_ROUTERS,
    NODE_KEYS,
    NODES_NM,
    TOPOLOGIES,
)

if TYPE_CHECKING:
    from instances.schema import ChipletType, Dram, Package


def check_package(package: Package, path: str = "package") -> list[Fault]:
    """All faults of a package; places start with `path`."""
    faults: list[Fault] = []
    check_text(faults, join(path, "name"), package.name)
    check_choice(faults, join(path, "topology"), package.topology, TOPOLOGIES)
    check_integer(faults, join(path, "width"), package.width, 1)
    check_integer(faults, join(path, "height"), package.height, 1)
    _check_size(faults, package, path)
    for name, kind in package.types.items():
        faults += _check_type(kind, name, join(join(path, "types"), name))
    _check_chiplets(faults, package, path)
    port = join(path, "port")
    check_bandwidth(faults, join(port, "in_gb_s"), package.port_in_gb_s)
    check_bandwidth(faults, join(port, "out_gb_s"), package.port_out_gb_s)
    _check_dram(faults, package, package.dram, join(path, "dram"))
    _check_links(faults, package, join(path, "links"))
    if not faults and package.topology == "explicit":
        _check_reach(faults, package, path)
    return faults


def _check_size(faults: list[Fault], package: Package, path: str) -> None:
    """Fault for a grid with so many routers that it cannot be meant."""
    if not faults and package.width * package.height > MOST_ROUTERS:
        got = f"{package.width}x{package.height} routers"
        expected = f"at most {MOST_ROUTERS}"
        faults.append(Fault(join(path, "width"), got, expected))


def _check_type(kind: ChipletType, name: str, path: str) -> list[Fault]:
    """Faults of a chiplet type that stands under `name`."""
    faults: list[Fault] = []
    if kind.name != name:
        faults.append(Fault(join(path, "name"), repr(kind.name), repr(name)))
    check_text(faults, join(path, "name"), kind.name)
    if isinstance(kind.dataflow, Dataflow):
        faults += check_dataflow(kind.dataflow, join(path, "dataflow"))
    else:
        check_text(faults, join(path, "dataflow"), kind.dataflow)
    check_integer(faults, join(path, "num_pes"), kind.num_pes, 1)
    check_integer(faults, join(path, "l1_bytes_per_pe"), kind.l1_bytes_per_pe, 0)
    check_integer(faults, join(path, "l2_bytes"), kind.l2_bytes, 0)
    if kind.vector_lanes is not None:
        check_integer(faults, join(path, "vector_lanes"), kind.vector_lanes, 1)
    for key in ("noc_bytes_per_cycle", "clock_mhz"):
        check_exact(faults, join(path, key), getattr(kind, key), positive=True)
    energies = ("mac_energy_pj", "l1_energy_pj_per_byte", "l2_energy_pj_per_byte")
    for key in (*energies, "noc_energy_pj_per_byte", "static_power_mw"):
        check_exact(faults, join(path, key), getattr(kind, key))
    smallest, largest = NODES_NM
    for key in NODE_KEYS:
        node, before = getattr(kind, key), len(faults)
        if node is not None:
            check_integer(faults, join(path, key), node, smallest)
            if len(faults) == before and node > largest:
                expected = f"a node from {smallest} to {largest} nm"
                faults.append(Fault(join(path, key), str(node), expected))
    return faults


def _check_router(
    faults: list[Fault], package: Package, path: str, router: object
) -> None:
    """Fault unless `router` is a router; only grids bound their numbers."""
    before = len(faults)
    check_integer(faults, path, router, 0)
    routers = package.width * package.height
    if len(faults) == before and package.topology in GRIDS and router >= routers:  # type: ignore[operator]
        faults.append(Fault(path, str(router), f"a router from 0 to {routers - 1}"))


def _check_chiplets(faults: list[Fault], package: Package, path: str) -> None:
    """Known types at existing routers, at least one chiplet."""
    here = join(path, "chiplets")
    if not package.chiplets:
        faults.append(Fault(here, "no chiplets", "at least one"))
    for index, chiplet in enumerate(package.chiplets):
        place = join(here, index)
        _check_router(faults, package, join(place, "router"), chiplet.router)
        kinds = package.types
        check_known(faults, join(place, "type"), chiplet.type, kinds, "chiplet type")


def _check_dram(faults: list[Fault], package: Package, dram: Dram, path: str) -> None:
    """Numbers, mode, interfaces whose shares sum to 1."""
    check_bandwidth(faults, join(path, "bandwidth_gb_s"), dram.bandwidth_gb_s)
    check_exact(faults, join(path, "latency_ns"), dram.latency_ns)
    check_exact(faults, join(path, "energy_pj_per_bit"), dram.energy_pj_per_bit)
    check_choice(faults, join(path, "mode"), dram.mode, DRAM_MODES)
    here = join(path, "interfaces")
    if not dram.interfaces:
        faults.append(Fault(here, "no interfaces", "at least one"))
        return
    before = len(faults)
    for index, interface in enumerate(dram.interfaces):
        place = join(here, index)
        _check_router(faults, package, join(place, "router"), interface.router)
        check_exact(faults, join(place, "share"), interface.share, positive=True)
    if len(faults) == before:
        total = sum((entry.share for entry in dram.interfaces), Fraction(0))
        if total != 1:
            faults.append(Fault(here, f"shares that sum to {total}", "a sum of 1"))


def _check_links(faults: list[Fault], package: Package, path: str) -> None:
    """Numbers of each link; the links are exactly those of the topology."""
    seen: set[tuple[int, int]] = set()
    for index, link in enumerate(package.links):
        place = join(path, index)
        _check_router(faults, package, join(place, "src"), link.src)
        _check_router(faults, package, join(place, "dst"), link.dst)
        check_bandwidth(faults, join(place, "bandwidth_gb_s"), link.bandwidth_gb_s)
        check_exact(faults, join(place, "hop_latency_ns"), link.hop_latency_ns)
        check_exact(faults, join(place, "energy_pj_per_bit"), link.energy_pj_per_bit)
        pair = (link.src, link.dst)
        if link.src == link.dst:
            faults.append(Fault(place, f"a link {pair}", "two different routers"))
        if pair in seen:
            faults.append(Fault(place, f"a second link {pair}", "one of each"))
        seen.add(pair)
    if faults or package.topology == "explicit":
        return
    due = set(link_pairs(package.topology, package.width, package.height))
    for text, pairs in (("no link", due - seen), ("a link", seen - due)):
        if pairs:
            some = ", ".join(f"{src}→{dst}" for src, dst in sorted(pairs)[:4])
            more = "" if len(pairs) <= 4 else f" and {len(pairs) - 4} more"
            size = f"{package.width}x{package.height}"
            expected = f"the links of a {size} {package.topology}"
            faults.append(Fault(path, f"{text} {some}{more}", expected))


def _check_reach(faults: list[Fault], package: Package, path: str) -> None:
    """Every chiplet reaches every chiplet and interface, and is reached."""
    pairs = [(link.src, link.dst) for link in package.links]
    chiplets = {chiplet.router for chiplet in package.chiplets}
    interfaces = {interface.router for interface in package.dram.interfaces}
    for source in sorted(chiplets | interfaces):
        ends = chiplets | interfaces if source in chiplets else chiplets
        reached = breadth_first_parents(pairs, source)
        for router in sorted(ends - set(reached)):
            got = f"no way from router {source} to router {router}"
            faults.append(Fault(join(path, "links"), got, "a path of links"))

"""A package from its tree."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from instances.chiplet_types import packaged_type_nodes, parse_type
from instances.faults import InstanceError, suggestion
from instances.fields import exact, fields, integer, items, limit, mapping, text
from instances.files import check_schema, find_packaged, is_file_name, read_tree
from instances.keys import PACKAGE_SCHEMA
from instances.schema import Chiplet, ChipletType, Dram, Interface, Link, Package
from instances.topology import interface_places, link_pairs
from instances.tree import merge, without
from instances.variants import monolithic
from instances.vocabulary import GRIDS, MOST_ROUTERS

if TYPE_CHECKING:
    from instances.fields import Reading
    from instances.tree import Node

_DEEPEST = 8


def parse_package(reading: Reading, node: Node, depth: int = 0) -> Package | None:
    """Return the package that a name, a path or a mapping stands for.

    `None` if there is nothing to build from; faults are noted in `reading`.
    """
    before = len(reading.faults)
    node = resolve(reading, node, depth)
    if not isinstance(node.value, dict) or not node.value:
        if len(reading.faults) == before:
            expected = "a package: a name, a path or a mapping"
            reading.faults.append(node.fault(node.shown(), expected))
        return None
    if "monolithic" in node.value:
        return _parse_monolithic(reading, node, depth)
    reading.places["package"] = node
    entries = fields(reading, node, "package")
    topology = text(reading, entries.get("topology"))
    chiplets = items(reading, entries.get("chiplets"))
    width, height = _parse_size(reading, entries, topology, node)
    port = fields(reading, entries["port"], "port") if "port" in entries else {}
    return Package(
        name=text(reading, entries.get("name")),
        topology=topology,
        width=width,
        height=height,
        types=_parse_types(reading, entries),
        chiplets=_parse_chiplets(reading, chiplets),
        links=_parse_links(reading, entries, topology, width, height, node),
        port_in_gb_s=limit(reading, port.get("in_gb_s")),
        port_out_gb_s=limit(reading, port.get("out_gb_s")),
        dram=_parse_dram(reading, entries.get("dram"), topology, width, height),
        source=text(reading, entries.get("source"), ""),
    )


def resolve(reading: Reading, node: Node, depth: int) -> Node:
    """Return the mapping behind a name or path, with its ``base`` merged in."""
    if depth > _DEEPEST:
        expected = "an end of this chain of packages"
        reading.faults.append(node.fault(node.shown(), expected))
        return node
    if isinstance(node.value, str):
        try:
            if is_file_name(node.value):
                path = Path(node.file).parent / node.value
            else:
                path = find_packaged("packages", node.value)
        except InstanceError as error:
            faults = error.faults
            reading.faults += [node.fault(f.got, f.expected) for f in faults]
            return node
        tree = read_tree(reading, path)
        check_schema(reading, tree, PACKAGE_SCHEMA)
        return resolve(reading, tree, depth + 1)
    if isinstance(node.value, dict) and "base" in node.value:
        base = resolve(reading, node.value["base"], depth + 1)
        return merge(base, without(node, ["base"]))
    return node


def _parse_size(
    reading: Reading, entries: dict[str, Node], topology: str, node: Node
) -> tuple[int, int]:
    """Width and height; the list of chiplets has one entry per router."""
    count = len(items(reading, entries.get("chiplets")))
    given = "width" in entries and "height" in entries
    if topology in GRIDS:
        for key in ("width", "height"):
            if key not in entries:
                expected = f"the key {key!r} of a {topology}"
                reading.faults.append(node.fault("nothing", expected))
    elif not given:
        return max(count, 1), 1
    width = integer(reading, entries.get("width"))
    height = integer(reading, entries.get("height"))
    if given and "chiplets" in entries and count != width * height:
        got = f"{count} entries"
        expected = f"{width * height}, one per router (null: no chiplet)"
        reading.faults.append(entries["chiplets"].fault(got, expected))
    return width, height


def _parse_types(reading: Reading, entries: dict[str, Node]) -> dict[str, ChipletType]:
    """The types written in the package and the packaged ones that it uses."""
    own = mapping(reading, entries.get("types"))
    packaged = packaged_type_nodes(reading)
    types = {
        name: parse_type(reading, name, node, packaged) for name, node in own.items()
    }
    chiplets = entries.get("chiplets")
    items_ = chiplets.value if chiplets is not None else ()
    for node in items_ if isinstance(items_, tuple) else ():
        name = node.value
        if not isinstance(name, str) or name in types:
            continue
        if name in packaged:
            types[name] = parse_type(reading, name, packaged[name], packaged)
        else:
            expected = f"a chiplet type: {suggestion(name, [*types, *packaged])}"
            reading.faults.append(node.fault(repr(name), expected))
    return types


def _parse_chiplets(reading: Reading, nodes: tuple[Node, ...]) -> tuple[Chiplet, ...]:
    """Chiplets in the order of their routers; ``null`` leaves a router empty."""
    chiplets: list[Chiplet] = []
    for router, node in enumerate(nodes):
        if node.value is not None:
            reading.places[f"package.chiplets[{len(chiplets)}]"] = node
            reading.places[f"package.chiplets[{len(chiplets)}].type"] = node
            chiplets.append(Chiplet(text(reading, node), router))
    return tuple(chiplets)


def _parse_links(
    reading: Reading,
    entries: dict[str, Node],
    topology: str,
    width: int,
    height: int,
    node: Node,
) -> tuple[Link, ...]:
    """All directed links: of a grid, or the list of ``explicit``."""
    common = entries.get("link")
    if topology == "explicit":
        if "links" not in entries:
            expected = "the key 'links' of an explicit topology"
            reading.faults.append(node.fault("nothing", expected))
        rows = items(reading, entries.get("links"))
        return tuple(
            _parse_link(reading, row, common, index) for index, row in enumerate(rows)
        )
    if "links" in entries:
        expected = f"no list (the links of a {topology} follow from it)"
        reading.faults.append(entries["links"].fault("a list of links", expected))
    sane = 0 < width * height <= MOST_ROUTERS and width > 0
    pairs = link_pairs(topology, width, height) if topology in GRIDS and sane else ()
    if not pairs:
        return ()
    if common is None:
        expected = f"the key 'link' of a {topology}"
        reading.faults.append(node.fault("nothing", expected))
        return tuple(Link(a, b, None, Fraction(0), Fraction(0)) for a, b in pairs)
    numbers = fields(reading, common, "link")
    bandwidth = limit(reading, numbers.get("bandwidth_gb_s"))
    latency = exact(reading, numbers.get("hop_latency_ns"))
    energy = exact(reading, numbers.get("energy_pj_per_bit"))
    for index in range(len(pairs)):
        reading.places[f"package.links[{index}]"] = common
    return tuple(Link(a, b, bandwidth, latency, energy) for a, b in pairs)


def _parse_link(reading: Reading, row: Node, common: Node | None, index: int) -> Link:
    """One link of an explicit list; numbers of ``link`` where it has none."""
    merged = row if common is None else merge(common, row)
    reading.places[f"package.links[{index}]"] = merged
    entries = fields(reading, merged, "explicit link")
    for key in ("hop_latency_ns", "energy_pj_per_bit"):
        if key not in entries:
            expected = f"the key {key!r}, here or in 'link'"
            reading.faults.append(row.fault("nothing", expected))
    return Link(
        src=integer(reading, entries.get("src"), 0),
        dst=integer(reading, entries.get("dst"), 0),
        bandwidth_gb_s=limit(reading, entries.get("bandwidth_gb_s")),
        hop_latency_ns=exact(reading, entries.get("hop_latency_ns")),
        energy_pj_per_bit=exact(reading, entries.get("energy_pj_per_bit")),
    )


def _parse_dram(
    reading: Reading, node: Node | None, topology: str, width: int, height: int
) -> Dram:
    """DRAM with its interfaces: a number of them or a list."""
    entries = {} if node is None else fields(reading, node, "dram")
    where = entries.get("interfaces")
    if where is not None and isinstance(where.value, tuple):
        interfaces = tuple(_parse_interface(reading, row) for row in where.value)
    else:
        count = None if where is None else integer(reading, where)
        try:
            places = interface_places(topology, width, height, count)
        except ValueError as error:
            place = where or node
            if place is not None:
                reading.faults.append(place.fault(str(count), str(error)))
            places = ((0, Fraction(1)),)
        interfaces = tuple(Interface(router, share) for router, share in places)
    return Dram(
        bandwidth_gb_s=limit(reading, entries.get("bandwidth_gb_s")),
        latency_ns=exact(reading, entries.get("latency_ns")),
        energy_pj_per_bit=exact(reading, entries.get("energy_pj_per_bit")),
        interfaces=interfaces,
        mode=text(reading, entries.get("mode"), "shared"),
    )


def _parse_interface(reading: Reading, node: Node) -> Interface:
    """One interface of a list."""
    entries = fields(reading, node, "interface")
    router = integer(reading, entries.get("router"), 0)
    return Interface(router, exact(reading, entries.get("share")))


def _parse_monolithic(reading: Reading, node: Node, depth: int) -> Package | None:
    """The one-die package of a ``monolithic`` mapping."""
    whole = fields(reading, node, "monolithic package")
    entries = fields(reading, whole["monolithic"], "monolithic")
    if "of" not in entries or "type" not in entries:
        return None
    package = parse_package(reading, entries["of"], depth + 1)
    name = text(reading, whole.get("name"))
    number = {
        key: integer(reading, entries[key]) if key in entries else None
        for key in ("num_pes", "l2_bytes")
    }
    if package is None or reading.faults:
        return None
    try:
        result = monolithic(
            package,
            text(reading, entries["type"]),
            num_pes=number["num_pes"],
            l2_bytes=number["l2_bytes"],
            noc_bytes_per_cycle=limit(reading, entries.get("noc_bytes_per_cycle")),
            dram_gb_s=limit(reading, entries.get("dram_gb_s")),
            name=name,
        )
    except InstanceError as error:
        place = entries["type"]
        reading.faults += [place.fault(f.got, f.expected) for f in error.faults]
        return None
    [big] = result.types
    reading.places["package"] = whole["monolithic"]
    reading.places[f"package.types.{big}"] = whole["monolithic"]
    if "dram_gb_s" in entries:
        reading.places["package.dram.bandwidth_gb_s"] = entries["dram_gb_s"]
    return result

"""Chiplet types: the packaged ones, and reading one from a tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from instances.dataflow import parse_dataflow
from instances.faults import InstanceError, suggestion
from instances.fields import Reading, exact, fields, integer, mapping, text
from instances.files import TYPES_FILE, check_schema, is_file_name, read_tree
from instances.keys import TYPES_SCHEMA
from instances.schema import ChipletType
from instances.tree import merge, without
from instances.vocabulary import NODE_KEYS

if TYPE_CHECKING:
    from instances.dataflow import Dataflow
    from instances.tree import Node


def packaged_types() -> dict[str, ChipletType]:
    """Return the chiplet types of ``packages/chiplet-types.yaml`` by name.

    Raises
    ------
    InstanceError
        If the file has faults.
    """
    reading = Reading()
    nodes = packaged_type_nodes(reading)
    types = {
        name: parse_type(reading, name, node, nodes) for name, node in nodes.items()
    }
    if reading.faults:
        raise InstanceError(reading.faults)
    return types


def packaged_type_nodes(reading: Reading) -> dict[str, Node]:
    """Return the trees of the packaged chiplet types by name."""
    tree = read_tree(reading, TYPES_FILE)
    check_schema(reading, tree, TYPES_SCHEMA)
    entries = fields(reading, tree, "chiplet types")
    return mapping(reading, entries.get("types"))


def parse_type(
    reading: Reading, name: str, node: Node, packaged: dict[str, Node]
) -> ChipletType:
    """Return the chiplet type of a mapping; `packaged` serves its ``base``."""
    node = _with_base(reading, node, packaged, {id(node)})
    reading.places[f"package.types.{name}"] = node
    entries = fields(reading, node, "chiplet type")
    number = entries.get
    return ChipletType(
        name=name,
        dataflow=_parse_dataflow(reading, number("dataflow")),
        num_pes=integer(reading, number("num_pes")),
        l1_bytes_per_pe=integer(reading, number("l1_bytes_per_pe")),
        l2_bytes=integer(reading, number("l2_bytes")),
        noc_bytes_per_cycle=exact(reading, number("noc_bytes_per_cycle")),
        clock_mhz=exact(reading, number("clock_mhz")),
        mac_energy_pj=exact(reading, number("mac_energy_pj")),
        l1_energy_pj_per_byte=exact(reading, number("l1_energy_pj_per_byte")),
        l2_energy_pj_per_byte=exact(reading, number("l2_energy_pj_per_byte")),
        static_power_mw=exact(reading, number("static_power_mw"), 0),
        source=text(reading, number("source"), ""),
        noc_energy_pj_per_byte=exact(reading, number("noc_energy_pj_per_byte"), 0),
        **{key: _if_given(reading, number(key)) for key in NODE_KEYS},
        vector_lanes=_if_given(reading, number("vector_lanes")),
    )


def _parse_dataflow(reading: Reading, node: Node | None) -> str | Dataflow:
    """Return a name as it is, and of a path the dataflow in that file.

    The path starts from the folder of the file that names it.
    """
    name = text(reading, node)
    if node is None or not is_file_name(name):
        return name
    path = Path(node.file).parent / name
    if not path.is_file():
        reading.faults.append(node.fault(repr(name), f"a file; there is no {path}"))
        return name
    return parse_dataflow(reading, path) or name


def _if_given(reading: Reading, node: Node | None) -> int | None:
    """Return a whole number; absent and ``null`` are `None`."""
    return None if node is None or node.value is None else integer(reading, node)


def _with_base(
    reading: Reading, node: Node, packaged: dict[str, Node], seen: set[int]
) -> Node:
    """Return the mapping with the numbers of its ``base`` filled in."""
    base = node.value.get("base") if isinstance(node.value, dict) else None
    if base is None:
        return node
    own = without(node, ["base"])
    found = packaged.get(text(reading, base))
    if found is None or id(found) in seen:
        expected = (
            f"another packaged chiplet type: {suggestion(str(base.value), packaged)}"
        )
        reading.faults.append(base.fault(base.shown(), expected))
        return own
    return merge(_with_base(reading, found, packaged, seen | {id(found)}), own)

"""Instances and packages from files, names and mappings; identity of instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from instances.canonical import (
    from_canonical_json,
    instance_sha256,
    to_canonical_json,
)
from instances.check_package import check_package
from instances.faults import InstanceError
from instances.fields import Reading
from instances.files import find_packaged, is_file_name, packaged_names, read_tree
from instances.keys import CANONICAL_SCHEMA
from instances.parse import parse_instance
from instances.parse_package import parse_package
from instances.tree import from_python, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.schema import Instance, Package
    from instances.tree import Node

__all__ = [
    "from_canonical_json",
    "instance_from_mapping",
    "instance_sha256",
    "load_instance",
    "load_package",
    "packages",
    "scenarios",
    "to_canonical_json",
]


def scenarios() -> list[str]:
    """Names of the packaged scenarios."""
    return packaged_names("scenarios")


def packages() -> list[str]:
    """Names of the packaged packages."""
    return packaged_names("packages")


def load_instance(
    source: str | Path, overrides: Mapping[str, object] | None = None
) -> Instance:
    """Return the instance of a packaged scenario or of a file.

    Parameters
    ----------
    source
        A packaged name (``headline``), or the path of a YAML or JSON file: a
        `Path`, or a text with a slash or one of the usual endings. Canonical
        JSON is read as well.
    overrides
        Entries put over those of the file before anything is read, mapping by
        mapping; lists and scalars are replaced. For instance
        ``{"package": {"dram": {"interfaces": 4}}}``.

    Raises
    ------
    InstanceError
        Once, with all faults.
    """
    if isinstance(source, str) and not is_file_name(source):
        path = find_packaged("scenarios", source)
    else:
        path = Path(source)
    reading = Reading()
    tree = read_tree(reading, path)
    if reading.faults and not tree.value:
        raise InstanceError(reading.faults)
    entries = tree.value if isinstance(tree.value, dict) else {}
    schema = entries.get("schema")
    if schema is not None and schema.value == CANONICAL_SCHEMA and not overrides:
        return from_canonical_json(path.read_text(encoding="utf-8-sig"))
    return parse_instance(reading, _overridden(tree, overrides))


def instance_from_mapping(
    data: Mapping[str, object], file: str = "<mapping>"
) -> Instance:
    """Return the instance of a scenario given as plain Python values.

    Parameters
    ----------
    data
        As a file has it; a float counts as its shortest decimal text.
    file
        Named in messages; relative paths start from its folder.

    Raises
    ------
    InstanceError
        Once, with all faults.
    """
    return parse_instance(Reading(), from_python(dict(data), file))


def load_package(
    source: str | Path | Mapping[str, object],
    overrides: Mapping[str, object] | None = None,
) -> Package:
    """Return a package: packaged name, path of a file, or mapping.

    Parameters
    ----------
    overrides
        As in `load_instance`: ``{"chiplets": ["nvdla"] * 4}``.

    Raises
    ------
    InstanceError
        Once, with all faults.
    """
    if isinstance(source, Path):
        source = str(source.absolute())
    reading = Reading()
    node = from_python(source if isinstance(source, str) else dict(source), "<package>")
    if overrides:
        node = from_python({"base": source, **overrides}, "<package>")
    package = parse_package(reading, node)
    if package is not None:
        faults = [reading.located(fault) for fault in check_package(package)]
        bad = {(fault.file, fault.path) for fault in reading.faults}
        reading.faults += [f for f in faults if (f.file, f.path) not in bad]
    if reading.faults or package is None:
        raise InstanceError(dict.fromkeys(reading.faults))
    return package


def _overridden(tree: Node, overrides: Mapping[str, object] | None) -> Node:
    """Return the tree with the overrides put over it."""
    if not overrides:
        return tree
    return merge(tree, from_python(dict(overrides), "<overrides>"))

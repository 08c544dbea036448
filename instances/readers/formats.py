"""Formats of files that become instances: a name for each, and what it holds.

A format is a line here and a module of its name with a function ``read_instance``,
which takes the path of a file. Nothing is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError, check_choice

if TYPE_CHECKING:
    from pathlib import Path

    from instances.schema import Instance

FORMATS = {
    "fjsp": "a flexible job shop, timed",
    "pmp": "unrelated parallel machines (R||Cmax), pipelined",
}


def read_foreign(path: Path, name: str) -> Instance:
    """Return the instance of a file in one of the formats.

    Raises
    ------
    InstanceError
        With all faults of the file; if there is no format of this name.
    """
    faults: list[Fault] = []
    check_choice(faults, "format", name, tuple(FORMATS))
    if faults:
        raise InstanceError(faults)
    read = import_module(f"instances.readers.{name}").read_instance
    found: Instance = read(path)
    return found

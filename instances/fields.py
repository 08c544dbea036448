"""Reading single values out of a tree, noting faults instead of raising.

Each reader returns a value of the right type in any case: after a fault a
harmless one, so that reading goes on and every fault of a file is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from instances.faults import Fault, suggestion
from instances.keys import KEYS
from instances.tree import scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.tree import Node


@dataclass(slots=True)
class Reading:
    """What a reading gathers beside its result.

    Parameters
    ----------
    faults
        All faults so far.
    places
        Path in the `Instance` -> where that part stood in a file.
    """

    faults: list[Fault] = field(default_factory=list)
    places: dict[str, Node] = field(default_factory=dict)

    def located(self, fault: Fault) -> Fault:
        """Return a fault of the instance as a fault of the file it came from."""
        head = fault.path
        while head and head not in self.places:
            head = head[: max(head.rfind("."), head.rfind("["), 0)]
        node = self.places.get(head)
        if node is None:
            return fault
        rest = fault.path[len(head) :]
        while rest and isinstance(node.value, dict | tuple):
            step, after = _first_step(rest)
            if isinstance(node.value, tuple):
                child = node.value[int(step)] if step.isdigit() else None
            else:
                child = node.value.get(step)
            if child is None:
                break
            node, rest = child, after
        path = (node.path + rest).removeprefix(".")
        return Fault(path, fault.got, fault.expected, node.file, node.line)


def _first_step(path: str) -> tuple[str, str]:
    """Split ``.key…`` or ``[3]…`` after its first step."""
    start = 1
    ends = [i for i in (path.find(".", start), path.find("[", start)) if i > 0]
    end = min(ends, default=len(path))
    return path[start:end].rstrip("]"), path[end:]


def fields(
    reading: Reading, node: Node, kind: str, known: Mapping[str, bool] | None = None
) -> dict[str, Node]:
    """Entries of a mapping of a `kind` of `KEYS` (or with the keys `known`).

    Faults: not a mapping, unknown keys, required keys that are missing.
    """
    keys = KEYS[kind] if known is None else known
    what = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    entries = mapping(reading, node)
    for key, entry in entries.items():
        if key not in keys:
            expected = f"a key of {what}: {suggestion(key, keys)}"
            reading.faults.append(entry.fault("an unknown key", expected))
    if isinstance(node.value, dict):
        for key, required in keys.items():
            if required and key not in entries:
                expected = f"the key {key!r} of {what}"
                reading.faults.append(node.fault("nothing", expected))
    return {key: entry for key, entry in entries.items() if key in keys}


def mapping(reading: Reading, node: Node | None) -> dict[str, Node]:
    """Entries of a mapping; empty if the key is absent."""
    if node is None:
        return {}
    if isinstance(node.value, dict):
        return node.value
    reading.faults.append(node.fault(node.shown(), "a mapping"))
    return {}


def items(reading: Reading, node: Node | None) -> tuple[Node, ...]:
    """Items of a list; empty if the key is absent."""
    if node is None:
        return ()
    if isinstance(node.value, tuple):
        return node.value
    reading.faults.append(node.fault(node.shown(), "a list"))
    return ()


def text(reading: Reading, node: Node | None, default: str = "?") -> str:
    """Return a text; numbers and truth values have to be quoted to be one."""
    if node is None:
        return default
    if isinstance(node.value, str):
        return node.value
    plain = not isinstance(node.value, dict | tuple)
    expected = "a text (in quotes)" if plain else "a text"
    reading.faults.append(node.fault(node.shown(), expected))
    return default


def flag(reading: Reading, node: Node | None, default: bool = False) -> bool:
    """Return a truth value, written ``true`` or ``false``."""
    if node is None:
        return default
    if isinstance(node.value, bool):
        return node.value
    reading.faults.append(node.fault(node.shown(), "true or false"))
    return default


def exact(reading: Reading, node: Node | None, default: Fraction | int = 1) -> Fraction:
    """Return an exact number; a text "num/den" is one."""
    if node is None:
        return Fraction(default)
    if isinstance(node.value, int | Fraction) and not isinstance(node.value, bool):
        return Fraction(node.value)
    if isinstance(node.value, str) and "/" in node.value:
        # The only way to write one third in JSON is a text.
        ratio = scalar(node.value)
        if isinstance(ratio, Fraction):
            return ratio
    reading.faults.append(node.fault(node.shown(), "a number"))
    return Fraction(default)


def limit(reading: Reading, node: Node | None) -> Fraction | None:
    """Return an exact number, or `None` where it is absent or ``null``."""
    return None if node is None or node.value is None else exact(reading, node)


def integer(reading: Reading, node: Node | None, default: int = 1) -> int:
    """Return a whole number; ``2e9`` and ``64.0`` are whole."""
    if node is None:
        return default
    value = node.value
    is_number = isinstance(value, int | Fraction) and not isinstance(value, bool)
    if is_number and Fraction(value).denominator == 1:  # type: ignore[arg-type]
        return int(value)  # type: ignore[arg-type]
    reading.faults.append(node.fault(node.shown(), "an integer"))
    return default


def integers(reading: Reading, node: Node | None) -> dict[str, int]:
    """Return a mapping of names to whole numbers."""
    return {
        name: integer(reading, entry) for name, entry in mapping(reading, node).items()
    }

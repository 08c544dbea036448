"""Dataflows as data: what may be spread over the PEs, what stays, what is shared.

A dataflow leaves the mapping open; the cost model searches it. It is a YAML file
(`costmodel/dataflows/README.md` shows how to write one); costmodel/NEST.md says what
its entries mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instances.faults import (
    Fault,
    InstanceError,
    check_integer,
    join,
    suggestion,
    word_of,
)
from instances.fields import Reading, fields, integer, items, text
from instances.files import read_tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from instances.tree import Node

LOOPS = ("g", "k", "c", "r", "s", "y", "x")
FOLDS = ("g", "k", "c", "y", "x")  # loops that are cut into folds
HOLDABLE = ("k", "c", "y")
SUMMED = ("c", "r", "s")  # loops whose PEs make parts of one sum
OWN = {"weights": "gkc", "input": "gcyx", "output": "gkyx"}
STAYS = (*OWN, "rows")
SHARED = ("weights", "input")

_KEYS = {
    "dataflow": True,
    "about": False,
    "source": False,
    "array": True,
    "hold": False,
    "order": True,
    "stays": True,
    "slides": False,
    "multicast": False,
    "reduce": False,
}
_AXIS_KEYS = {"loops": True, "pes": False}


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the array: the loops spread along it, its PEs (`None`: no limit)."""

    loops: tuple[str, ...]
    pes: int | None = None


@dataclass(frozen=True, slots=True)
class Dataflow:
    """One dataflow.

    Parameters
    ----------
    name, about, source
        For people.
    array
        Axes; a loop on several of them is split along each.
    hold
        Loops of which a PE may do several turns in one step.
    order
        The loops over folds, outermost first.
    stays
        What waits in the PEs; it follows from `order` and stands there for people.
    slides
        Input columns that the step before had do not cross the NoC again.
    multicast
        Operands of which one crossing serves all PEs.
    reduce
        Loops whose partial sums are added in the array.
    """

    name: str
    array: tuple[Axis, ...]
    order: tuple[str, ...]
    stays: str
    hold: tuple[str, ...] = ()
    slides: bool = False
    multicast: tuple[str, ...] = ()
    reduce: tuple[str, ...] = ()
    about: str = ""
    source: str = ""

    @property
    def spread(self) -> tuple[str, ...]:
        """Loops that stand on an axis."""
        return tuple(d for d in LOOPS if any(d in axis.loops for axis in self.array))

    def inside(self, loop: str, other: str) -> bool:
        """Whether the folds of one loop stand inside those of another."""
        return self.order.index(loop) > self.order.index(other)


def staying(dataflow: Dataflow) -> tuple[str, ...]:
    """What an order lets wait in the PEs.

    The operands whose innermost own loop stands furthest out; ``rows`` too where
    weights wait just along `x`, along which the input slides.
    """
    place = {d: i for i, d in enumerate(dataflow.order)}
    inner = {operand: max(place[d] for d in own) for operand, own in OWN.items()}
    able = [operand for operand in OWN if inner[operand] == min(inner.values())]
    if dataflow.slides and inner["weights"] == place["x"] - 1 == len(FOLDS) - 2:
        able.append("rows")
    return tuple(able)


def check_dataflow(dataflow: Dataflow, path: str) -> list[Fault]:
    """All faults of a dataflow; places start with `path`."""
    faults: list[Fault] = []
    if not dataflow.array:
        faults.append(Fault(join(path, "array"), "no axis", "at least one"))
    for index, axis in enumerate(dataflow.array):
        here = join(join(path, "array"), index)
        if not axis.loops:
            faults.append(Fault(join(here, "loops"), "no loop", "at least one"))
        _check_names(faults, join(here, "loops"), axis.loops, LOOPS, "a loop")
        if axis.pes is not None:
            check_integer(faults, join(here, "pes"), axis.pes, 1)
    lists = (
        ("hold", dataflow.hold, HOLDABLE, "a loop a PE can hold"),
        ("multicast", dataflow.multicast, SHARED, "an operand"),
        ("reduce", dataflow.reduce, SUMMED, "a loop of sums"),
    )
    for key, names, known, what in lists:
        _check_names(faults, join(path, key), names, known, what)
    for index, loop in enumerate(dataflow.reduce):
        if loop in SUMMED and loop not in dataflow.spread:
            place = join(join(path, "reduce"), index)
            faults.append(Fault(place, repr(loop), "a loop that stands on an axis"))
    _check_order(faults, dataflow, path)
    return faults


def _check_names(
    faults: list[Fault],
    path: str,
    names: Sequence[str],
    known: Sequence[str],
    what: str,
) -> None:
    """Note unknown names of a list, and names that stand in it twice."""
    for index, name in enumerate(names):
        if name not in known:
            expected = f"{what}: {suggestion(name, known)}"
            faults.append(Fault(join(path, index), repr(name), expected))
        elif name in names[:index]:
            faults.append(Fault(join(path, index), f"{name!r} again", "each name once"))


def _check_order(faults: list[Fault], dataflow: Dataflow, path: str) -> None:
    """Note loops that `order` lacks; a `stays`, a `slides` that it contradicts."""
    here, order, before = join(path, "order"), dataflow.order, len(faults)
    _check_names(faults, here, order, FOLDS, "a loop of folds")
    missing = ", ".join(d for d in FOLDS if d not in order)
    if missing and len(faults) == before:
        faults.append(Fault(here, f"no {missing}", "each of g k c y x once"))
    whole = sorted(order) == sorted(FOLDS)
    if dataflow.stays not in STAYS:
        expected = word_of(dataflow.stays, STAYS)
        faults.append(Fault(join(path, "stays"), repr(dataflow.stays), expected))
    elif whole and dataflow.stays not in (able := staying(dataflow)):
        expected = f"{' or '.join(able)}, as the order is {' '.join(order)}"
        faults.append(Fault(join(path, "stays"), repr(dataflow.stays), expected))
    if dataflow.slides:
        if order and order[-1] != "x":
            expected = "an order with x innermost"
            faults.append(Fault(join(path, "slides"), "'x'", expected))
        if "x" in dataflow.spread:
            expected = "an array without x on an axis"
            faults.append(Fault(join(path, "slides"), "'x'", expected))


def read_dataflow(path: Path) -> Dataflow:
    """Return the dataflow of a file.

    Raises
    ------
    InstanceError
        With all faults of the file, each with its line.
    """
    reading = Reading()
    found = parse_dataflow(reading, path)
    if found is None:
        raise InstanceError(reading.faults)
    return found


def parse_dataflow(reading: Reading, path: Path) -> Dataflow | None:
    """Return the dataflow of a file; `None` after faults, noted in `reading`."""
    own = Reading()
    tree = read_tree(own, path)
    if own.faults:
        reading.faults += own.faults
        return None
    entries = fields(own, tree, "dataflow", _KEYS)
    slides = entries.get("slides")
    if slides is not None and slides.value != "x":
        own.faults.append(slides.fault(slides.shown(), "x"))
    found = Dataflow(
        name=text(own, entries.get("dataflow")),
        about=text(own, entries.get("about"), ""),
        source=text(own, entries.get("source"), ""),
        array=_axes(own, entries.get("array")),
        hold=_names(own, entries.get("hold")),
        order=_names(own, entries.get("order")),
        stays=text(own, entries.get("stays")),
        slides=slides is not None and slides.value == "x",
        multicast=_names(own, entries.get("multicast")),
        reduce=_names(own, entries.get("reduce")),
    )
    own.places["dataflow"] = tree
    absent = {key for key, required in _KEYS.items() if required} - set(entries)
    known = [fault.path for fault in own.faults if fault.path]
    for fault in check_dataflow(found, "dataflow"):
        place = own.located(fault)
        # What could not be read stands in the message already, and once.
        if place.path not in absent and not any(map(place.path.startswith, known)):
            own.faults.append(place)
    reading.faults += own.faults
    return None if own.faults else found


def _names(reading: Reading, node: Node | None) -> tuple[str, ...]:
    """Return a list of texts; a truth value or a number counts as its text."""
    return tuple(
        item.value if isinstance(item.value, str) else item.shown()
        for item in items(reading, node)
    )


def _axes(reading: Reading, node: Node | None) -> tuple[Axis, ...]:
    """Return the axes of a list."""
    axes = []
    for item in items(reading, node):
        entries = fields(reading, item, "axis", _AXIS_KEYS)
        size = entries.get("pes")
        pes = None if size is None else integer(reading, size)
        axes.append(Axis(_names(reading, entries.get("loops")), pes))
    return tuple(axes)

"""Dataflows as data: what may be spread over the PEs, what stays, what is shared.

A dataflow leaves the mapping open; `costmodel.mapper` searches it. It is a YAML file
(`dataflows/README.md` shows how to write one); NEST.md says what its entries mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from instances.faults import InstanceError, suggestion
from instances.fields import Reading, fields, integer, items, text
from instances.files import read_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.tree import Node

FOLDER = Path(__file__).parent / "dataflows"
LOOPS = ("g", "k", "c", "r", "s", "y", "x")
FOLDS = ("g", "k", "c", "y", "x")  # loops that are cut into folds
HOLDABLE = ("k", "c", "y")
SUMMED = ("c", "r", "s")  # loops whose PEs make parts of one sum
OWN = {"weights": "gkc", "input": "gcyx", "output": "gkyx"}
STAYS = (*OWN, "rows")
SHARED = ("weights", "input")

# `ChipletType.dataflow` of a fixed mapping -> its key in `TEMPLATES`. The fixed
# row-stationary one is `rs_fixed` here because `rs` is the searched dataflow.
FIXED = {"kcp_ws": "kcp_ws", "yxp_os": "yxp_os", "rs_fixed": "rs"}

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


def builtin_names() -> list[str]:
    """Names of the dataflows that come along."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def dataflow_of(name: str) -> Dataflow:
    """Return a built-in dataflow, or the one in a file whose path ends in ``.yaml``.

    Raises
    ------
    ValueError
        If there is no built-in of this name.
    InstanceError
        If the file is not a dataflow; lists all faults with file and line.
    """
    if name.endswith(".yaml"):
        return read_dataflow(Path(name))
    names = builtin_names()
    if name not in names:
        known = ", ".join([*names, *FIXED])
        expected = f"one of {known}, or the path of a .yaml file"
        raise ValueError(f"dataflow: got {name!r}, expected {expected}")
    return _builtin(name)


@lru_cache(maxsize=16)
def _builtin(name: str) -> Dataflow:
    return read_dataflow(FOLDER / f"{name}.yaml")


def read_dataflow(path: Path) -> Dataflow:
    """Read a dataflow.

    Raises
    ------
    InstanceError
        With all faults of the file.
    """
    reading = Reading()
    tree = read_tree(reading, path)
    broken = bool(reading.faults)
    entries = {} if broken else fields(reading, tree, "dataflow", _KEYS)
    order = _names(reading, entries.get("order"), FOLDS, "a loop of folds")
    found = Dataflow(
        name=text(reading, entries.get("dataflow")),
        about=text(reading, entries.get("about"), ""),
        source=text(reading, entries.get("source"), ""),
        array=_axes(reading, entries.get("array")),
        hold=_names(reading, entries.get("hold"), HOLDABLE, "a loop a PE can hold"),
        order=order,
        stays=text(reading, entries.get("stays")),
        slides="slides" in entries,
        multicast=_names(reading, entries.get("multicast"), SHARED, "an operand"),
        reduce=_names(reading, entries.get("reduce"), SUMMED, "a loop of sums"),
    )
    _check_order(reading, entries, found)
    _check_array(reading, entries, found)
    if reading.faults:
        raise InstanceError(reading.faults)
    return found


def _names(
    reading: Reading, node: Node | None, known: Sequence[str], what: str
) -> tuple[str, ...]:
    """Return the known names of a list; faults: unknown names, a name twice."""
    names: list[str] = []
    for item in items(reading, node):
        name = item.value
        if not isinstance(name, str) or name not in known:
            expected = f"{what}: {suggestion(str(name), known)}"
            reading.faults.append(item.fault(item.shown(), expected))
        elif name in names:
            reading.faults.append(item.fault(f"{name!r} again", "each name once"))
        else:
            names.append(name)
    return tuple(names)


def _axes(reading: Reading, node: Node | None) -> tuple[Axis, ...]:
    """Return the axes; faults: none, an axis without loops or PEs."""
    axes = []
    for item in items(reading, node):
        entries = fields(reading, item, "axis", _AXIS_KEYS)
        loops = _names(reading, entries.get("loops"), LOOPS, "a loop")
        listed = entries.get("loops")
        if listed is not None and listed.value == ():
            reading.faults.append(listed.fault("no loop", "at least one"))
        size = entries.get("pes")
        pes = None if size is None else integer(reading, size)
        if size is not None and pes is not None and pes < 1:
            reading.faults.append(size.fault(str(pes), "an integer of at least 1"))
        axes.append(Axis(loops, pes))
    if node is not None and node.value == ():
        reading.faults.append(node.fault("no axis", "at least one"))
    return tuple(axes)


def _check_order(reading: Reading, entries: dict[str, Node], found: Dataflow) -> None:
    """Note loops that `order` leaves out, and a `stays` that it contradicts."""
    order, stays = entries.get("order"), entries.get("stays")
    if order is None or not isinstance(order.value, tuple):
        return
    if len(order.value) == len(found.order) and len(found.order) < len(FOLDS):
        missing = ", ".join(d for d in FOLDS if d not in found.order)
        reading.faults.append(order.fault(f"no {missing}", "each of g k c y x once"))
    if stays is None or not isinstance(stays.value, str):
        return
    if found.stays not in STAYS:
        expected = suggestion(found.stays, STAYS)
        reading.faults.append(stays.fault(stays.shown(), expected))
    elif len(found.order) == len(FOLDS) and found.stays not in (able := staying(found)):
        expected = f"{' or '.join(able)}, as the order is {' '.join(found.order)}"
        reading.faults.append(stays.fault(stays.shown(), expected))


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


def _check_array(reading: Reading, entries: dict[str, Node], found: Dataflow) -> None:
    """Note a sliding that cannot be, and sums of loops that are nowhere spread."""
    slides = entries.get("slides")
    if slides is not None:
        if slides.value != "x":
            reading.faults.append(slides.fault(slides.shown(), "x"))
        elif found.order and found.order[-1] != "x":
            reading.faults.append(slides.fault("'x'", "an order with x innermost"))
        if "x" in found.spread:
            reading.faults.append(slides.fault("'x'", "an array without x on an axis"))
    reduced = entries.get("reduce")
    if reduced is not None and isinstance(reduced.value, tuple):
        for item in reduced.value:
            if item.value in SUMMED and item.value not in found.spread:
                expected = "a loop that stands on an axis"
                reading.faults.append(item.fault(item.shown(), expected))

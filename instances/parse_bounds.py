"""Loop bounds of a layer from its tree; sizes may be those of input or output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.fields import fields, integer
from instances.keys import KEYS
from instances.schema import LoopBounds
from instances.shapes import spread, transposed, windows
from instances.vocabulary import OPERANDS, TRANSPOSED

if TYPE_CHECKING:
    from instances.fields import Reading
    from instances.tree import Node

    Entries = dict[str, Node]

_AXES = (("oy", "y", "r"), ("ox", "x", "s"))


def parse_bounds(
    reading: Reading, node: Node, op: str
) -> tuple[LoopBounds, LoopBounds]:
    """Return the bounds of the loops, and those of which the weights count.

    The two differ for a transposed convolution only: its loops are those of an
    ordinary one, its filter is as it was written.
    """
    before = len(reading.faults)
    entries = fields(reading, node, "bounds")
    sizes = {
        key: integer(reading, entries.get(key))
        for key in KEYS["bounds"]
        if key not in ("padding", "y", "x")
    }
    if op in (*OPERANDS, TRANSPOSED) and "c" not in entries:
        reading.faults.append(node.fault("nothing", "the key 'c' of a bounds"))
    _check_positive(reading, entries, op)
    if len(reading.faults) == before:
        for names in _AXES:
            sizes[names[0]] = _outputs(reading, node, entries, sizes, names, op)
        _check_padding(reading, entries)
    written = LoopBounds(**sizes)
    if op != TRANSPOSED or len(reading.faults) > before:
        return written, written
    return transposed(sizes), written


def _check_positive(reading: Reading, entries: Entries, op: str) -> None:
    """Faults of what the loop bounds made from it would not show at its place."""
    keys = ["y", "x"] if op != TRANSPOSED else [*KEYS["bounds"]]
    for key in (*keys, "padding"):
        least = 0 if key == "padding" else 1
        if key not in entries:
            continue
        value = integer(reading, entries[key], least)
        if value < least:
            expected = f"an integer of at least {least}"
            reading.faults.append(entries[key].fault(str(value), expected))
    if op == TRANSPOSED and integer(reading, entries.get("dilation")) > 1:
        got = entries["dilation"].shown()
        reading.faults.append(entries["dilation"].fault(got, f"1 for {op!r}"))


def _check_padding(reading: Reading, entries: Entries) -> None:
    """Padding says something only of sizes of an input."""
    if "padding" in entries and not entries.keys() & {"y", "x"}:
        expected = "none beside oy and ox alone (with y and x it is counted)"
        got = entries["padding"].shown()
        reading.faults.append(entries["padding"].fault(got, expected))


def _outputs(
    reading: Reading,
    node: Node,
    entries: Entries,
    sizes: dict[str, int],
    names: tuple[str, str, str],
    op: str,
) -> int:
    """Outputs along one axis: given, or made of the input's size; both must agree."""
    out, inside, taps = names
    if inside not in entries:
        # One column is usual (a GEMM has no other); one row is a forgotten key.
        if out not in entries and (out == "oy" or "y" in entries):
            reading.faults.append(
                node.fault("nothing", f"the key {out!r} or {inside!r} of a bounds")
            )
        return sizes[out]
    size = integer(reading, entries[inside])
    padding = integer(reading, entries.get("padding"), 0)
    stride = sizes["stride"]
    if min(sizes[taps], stride, sizes["dilation"]) < 1:
        return 1  # a fault of its own
    if op == TRANSPOSED:
        least = spread(size, padding, sizes[taps], stride)
        most = least + stride - 1  # what is known as output padding
    else:
        least = windows(size, padding, sizes[taps], stride, sizes["dilation"])
        most = least
    if most < 1:
        got = f"{size} with padding {padding}"
        expected = f"enough for one output under {taps}: {sizes[taps]}"
        reading.faults.append(entries[inside].fault(got, expected))
        return 1
    if out not in entries:
        return max(least, 1)
    if not least <= sizes[out] <= most:
        expected = f"{least} to {most}" if most > least else str(least)
        expected += f", as {inside}: {size} with padding {padding} says"
        reading.faults.append(entries[out].fault(str(sizes[out]), expected))
    return sizes[out]

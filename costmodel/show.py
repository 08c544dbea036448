"""A mapping as people read it: one line for the table, or its loop nest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.dataflow import LOOPS

if TYPE_CHECKING:
    from costmodel.mapper import Mapping


def one_line(mapping: Mapping) -> str:
    """Say what is split over PEs, what a PE holds, the L2 tile."""
    if mapping.dataflow is None:
        text = "fixed mapping"
    else:
        split = [f" {d.upper()}{n}" for d, n in mapping.split.items() if n > 1]
        text = "split" + ("".join(split) or " nothing")
        held = [f" {d.upper()}{n}" for d, n in mapping.held.items() if n > 1]
        text += f"; each PE{''.join(held)}" if held else ""
    bounds = bounds_of(mapping)
    parts = [
        f"{d.upper()}{tile}/{bounds[d]}"
        for d, tile in tile_of(mapping).items()
        if bounds[d] > 1
    ]
    return f"{text}; L2 tile {' '.join(parts) or 'all'}"


def bounds_of(mapping: Mapping) -> dict[str, int]:
    """Turns of every loop; those of `y` are of all samples."""
    nest = mapping.nest
    return {d: getattr(nest, d) * (nest.n if d == "y" else 1) for d in LOOPS}


def tile_of(mapping: Mapping) -> dict[str, int]:
    """Turns of g, k, c, y in the largest L2 tile."""
    bounds, covers = bounds_of(mapping), mapping.covers
    found = {d: covers[d] * folds for d, folds in mapping.tile_folds.items()}
    nest, per_sample = mapping.nest, mapping.folds_per_sample
    if per_sample > 1:
        # Whole samples, or folds inside one; the last fold of a sample is narrower.
        samples = mapping.tile_folds["y"] // per_sample
        found["y"] = samples * nest.y if samples else min(found["y"], nest.y)
    return {d: min(turns, bounds[d]) for d, turns in found.items()}


def loop_nest(mapping: Mapping) -> str:
    """Return the loop nest, outermost loop first; loops of one turn are left out.

    A line is a loop: ``for`` one after the other, ``parallel for`` spread over PEs.
    Last folds may be narrower; `y` counts the rows of all samples (NEST.md).
    """
    bounds, covers, folds = bounds_of(mapping), mapping.covers, mapping.folds
    tile, nest = tile_of(mapping), mapping.nest
    lines = [("", "DRAM")]
    for d in "g" + mapping.tile_order:
        turns = folds[d] // mapping.tile_folds[d]
        lines.append(_loop("for", d, turns, f"tiles of {tile[d]} of {bounds[d]}"))
    lines.append(
        (
            "",
            f"L2: {mapping.tile_w} weights, {mapping.tile_in} inputs, "
            f"{mapping.tile_out} outputs a tile, twice",
        )
    )
    if mapping.dataflow is None:
        lines.append(("", "the fixed mapping"))
    else:
        for d in mapping.dataflow.order:
            turns = folds[d] if d == "x" else mapping.tile_folds[d]
            lines.append(_loop("for", d, turns, f"folds of {covers[d]}"))
        lines.append(("", "array"))
        for d in LOOPS:
            lines.append(_loop("parallel for", d, mapping.split[d], "PEs"))
        lines.append(("", "PE"))
        for d in LOOPS:
            turns = mapping.held[d]
            if d in "rs":
                turns = bounds[d] // mapping.split[d]
            lines.append(_loop("for", d, turns, "turns"))
        p, q = (n if n > 1 else "" for n in (nest.stride, nest.dilation))
        window = f"in[g, c, {p}y + {q}r, {p}x + {q}s]"
        lines.append(("", f"out[g, k, y, x] += {window} * w[g, k, c, r, s]"))
    return _indented(lines)


def _loop(word: str, loop: str, turns: int, what: str) -> tuple[str, str]:
    """One line of a loop; nothing if it does not turn."""
    return (word, f"{word} {loop}: {turns} {what}" if turns > 1 else "")


def _indented(lines: list[tuple[str, str]]) -> str:
    """Return text in which every loop indents what follows."""
    depth, text = 0, []
    for word, line in lines:
        if line:
            text.append("  " * depth + line)
            depth += bool(word)
    return "\n".join(text) + "\n"

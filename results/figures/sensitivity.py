"""How the headline's gains move with one thing changed. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import (
    BLUE,
    GREY,
    RED,
    Drawing,
    legend_above,
    note,
    ratio_axis,
)
from results.tables.lines import missing
from results.tables.sensitivity import pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]
Row = tuple[str, str, Line | None, Line | None]


FAR = 2.0  # gains above stand as numbers, so that the others can be told apart


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return gains of the mix over the die, a row a variation."""
    rows = pairs(lines)
    if not rows:
        return None
    caption = (
        "Gains with one thing changed at a time; the bar reaches to what the bound of "
        "the period still allows."
    )
    return Drawing(caption, 0.8 + 0.19 * len(rows), partial(_draw, rows))


def span(die: Line | None, mix: Line | None) -> tuple[float, float] | None:
    """Return the throughput gain as found, and as the mix's bound still allows.

    `None` where one of the two has no schedule. The die's own period is taken as found.
    """
    if die is None or mix is None:
        return None
    if die["period_ticks"] is None or mix["period_ticks"] is None:
        return None
    found = die["period_ticks"] / mix["period_ticks"]
    return found, die["period_ticks"] / mix["bound"] if mix["bound"] else found


def _label(group: str, name: str) -> str:
    text = f"{group}: {name}" if group != "as the headline" else group
    return text.replace("fixed templates ", "")


def _draw(rows: list[Row], figure: Any) -> None:
    axes = figure.add_subplot()
    axes.axvline(1, color=GREY, lw=0.6, zorder=0)
    seen = [1.0]
    named: dict[str, Any] = {}
    for y, (_, _, die, mix) in enumerate(rows):
        gains = span(die, mix)
        if gains is None:
            lacking = die if die is None or die["period_ticks"] is None else mix
            note(axes, 1, y, missing(lacking).reason)
            continue
        assert die is not None
        assert mix is not None
        energy = die["energy_pj"] / mix["energy_pj"]
        if max(gains[0], energy) > FAR:
            text = f"{gains[0]:.3g}×, energy {energy:.3g}×"
            note(axes, 1, y, text)
            continue
        seen += [min(gains[0], FAR), min(gains[1], FAR), energy]
        axes.plot(gains, (y, y), "-", color=BLUE, lw=1.5, alpha=0.5)
        [named["throughput"]] = axes.plot(gains[0], y, "o", color=BLUE)
        [named["energy"]] = axes.plot(energy, y, "s", mec=RED, mfc="white")
    axes.set_yticks(range(len(rows)), [_label(group, name) for group, name, *_ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    ratio_axis(axes, "x", seen)
    axes.set_xlim(0.97 * min(seen), 1.03 * max(seen))
    axes.grid(axis="x", lw=0.3, color="#cccccc")
    axes.set_xlabel("gain over the die (×)")
    legend_above(figure, named, 2)

"""Throughput and energy gain of every mix over the die. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import BLUE, GREY, RED, Drawing, legend_above, note
from results.tables.headline import with_gains
from results.tables.lines import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return gains over the die, a row a package; `None` without lines."""
    rows = with_gains(lines)
    if not rows:
        return None
    caption = "Gain over one large die, a mix of chiplets each."
    return Drawing(caption, 0.7 + 0.17 * len(rows), partial(_draw, rows))


def _draw(rows: list[Line], figure: Any) -> None:
    axes = figure.add_subplot()
    axes.axvline(1, color=GREY, lw=0.6, zorder=0)
    places = range(len(rows))
    for key, colour, marker, face, label in (
        ("throughput_gain", BLUE, "o", BLUE, "throughput"),
        ("energy_gain", RED, "s", "white", "energy"),
    ):
        known = [(row[key], y) for y, row in zip(places, rows, strict=True) if row[key]]
        axes.plot(
            [x for x, _ in known], [y for _, y in known], marker, ls="none",
            mec=colour, mfc=face, label=label,
        )  # fmt: skip
    for y, row in zip(places, rows, strict=True):
        if not row["throughput_gain"]:
            why = "no die" if row["period_ticks"] else missing(row).reason
            note(axes, 1, y, why)
    axes.set_yticks(list(places), [row["variant"] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", lw=0.3, color="#cccccc")
    axes.set_xlabel("gain over the die (×)")
    handles, labels = axes.get_legend_handles_labels()
    legend_above(figure, dict(zip(labels, handles, strict=True)), 2)

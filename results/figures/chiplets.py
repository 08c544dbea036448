"""Where the period and the energy go, a bar a chiplet. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import COLOURS, HATCHES, Drawing, legend_above
from results.tables.chiplets import PACKAGE, PARTS, TO_MJ, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]
TIMES = {"work_ticks": "compute", "wait_ticks": "waits for DRAM"}
LABELS = {
    "mac": "MAC", "l1": "L1", "l2": "L2", "noc": "NoC", "chiplet": "on chiplets",
    "dram": "DRAM", "nop": "NoP", "static": "static",
}  # fmt: skip


def rows_of(lines: Sequence[Line]) -> list[tuple[str, list[float], list[float]]]:
    """Return label, shares of the period, energies in mJ by `PARTS`, bar by bar.

    The bar of a package has no times, and the energies that are no chiplet's.
    """
    found: list[tuple[str, list[float], list[float]]] = []
    for line in lines:
        for one in line["chiplets"]:
            times = [100 * one[key] / line["period_ticks"] for key in TIMES]
            energy = [TO_MJ * one["energy_pj"].get(part, 0.0) for part in PARTS]
            found.append((f"{line['variant']}  {one['name']}", times, energy))
        spent = [sum(x[2][k] for x in found[-len(line["chiplets"]) :])
                 for k in range(len(PARTS))]  # fmt: skip
        rest = [
            max(0.0, TO_MJ * line["energy_parts_pj"][part] - spent[k])
            for k, part in enumerate(PARTS)
        ]
        found.append((f"{line['variant']}  {PACKAGE}", [], rest))
    return found


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return bars of the die, the pure packages and the best mix."""
    some = [line for line in chosen(lines) if line["chiplets"] is not None]
    if not some:
        return None
    rows = rows_of(some)
    caption = "Where the period (left) and the energy of a round (right) go."
    return Drawing(caption, 0.9 + 0.15 * len(rows), partial(_draw, rows))


def _draw(rows: list[tuple[str, list[float], list[float]]], figure: Any) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    parts = [k for k in range(len(PARTS)) if any(row[2][k] > 1e-6 for row in rows)]
    named: dict[str, Any] = {}
    fills = (("#bbbbbb", ""), ("white", "////"))
    for k, (name, fill) in enumerate(zip(TIMES.values(), fills, strict=True)):
        named[name] = _bars(left, rows, 1, k, *fill)
    for n, k in enumerate(parts):
        fill = COLOURS[n % len(COLOURS)], HATCHES[n % len(HATCHES)]
        named[LABELS[PARTS[k]]] = _bars(right, rows, 2, k, *fill)
    left.set_yticks(range(len(rows)), [row[0] for row in rows])
    left.set_ylim(len(rows) - 0.4, -0.6)
    left.set(xlabel="share of the period (%)", xlim=(0, 100))
    right.set(xlabel="energy (mJ)")
    legend_above(figure, named, 4)


def _bars(
    axes: Any, rows: list[Any], entry: int, k: int, colour: str, hatch: str
) -> Any:
    """Stack part k of every row on the parts before it."""
    values = [row[entry][k] if row[entry] else 0.0 for row in rows]
    starts = [sum(row[entry][:k]) for row in rows]
    return axes.barh(
        range(len(rows)), values, left=starts, height=0.75, color=colour, hatch=hatch,
        edgecolor="black", lw=0.3,
    )  # fmt: skip

"""Gap against time, a panel a scenario. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import (
    GREY,
    Drawing,
    gap_axis,
    legend_above,
    looks,
    time_axis,
)
from results.tables.gaps import per_scenario
from results.tables.lines import bounds_of, in_order, same_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]
COLUMNS = 2
EARLIEST = 0.05  # seconds: where the time axis begins


def steps(line: Line, bound: int) -> tuple[list[float], list[float]]:
    """Return seconds and gaps in percent to a final bound, whenever it fell.

    The last gap holds until the run ended.
    """
    rows = [(x, value) for x, value, _ in line["trace"] if value is not None]
    times = [max(EARLIEST, x) for x, _ in rows]
    gaps = [100 * (value - bound) / value for _, value in rows]
    if rows and line["seconds"] > times[-1]:
        times.append(line["seconds"])
        gaps.append(gaps[-1])
    return times, gaps


def proofs(line: Line) -> tuple[list[float], list[float]]:
    """Return seconds and the run's own gap in percent: its value to its own bound."""
    rows = [
        (max(EARLIEST, x), 100 * (value - bound) / value)
        for x, value, bound in line["trace"]
        if value is not None and bound is not None
    ]
    return [x for x, _ in rows], [y for _, y in rows]


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return a panel a scenario that has a proved bound; `None`: there is none."""
    bounds = bounds_of(lines)
    scenarios = {
        name: [line for some in of_methods.values() for line in some]
        for name, of_methods in per_scenario(lines).items()
    }
    panels = {
        name: (some, bounds[same_problem(some[0])])
        for name, some in scenarios.items()
        if same_problem(some[0]) in bounds
    }
    if not panels:
        return None
    rows = -(-len(panels) // COLUMNS)
    caption = (
        "Gap to the best proved bound against time. Grey: the gap that the exact "
        "engine itself had proved by then."
    )
    draw = partial(_draw, panels, in_order(lines, "method"))
    return Drawing(caption, 0.7 + 1.15 * rows, draw)


def _draw(
    panels: dict[str, tuple[list[Line], int]], methods: list[str], figure: Any
) -> None:
    rows = -(-len(panels) // COLUMNS)
    grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    found, named = looks(methods), {}
    every = [(line, bound) for some, bound in panels.values() for line in some]
    most = max((y for line, bound in every for y in steps(line, bound)[1]), default=0)
    longest = max((line["seconds"] for line, _ in every), default=1.0)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (name, (some, bound)) in zip(grid.flat, panels.items(), strict=False):
        for line in some:
            look = found[line["method"]]
            own = proofs(line)
            if own[0]:
                named["proved by then"] = axes.step(
                    *own, where="post", color=GREY, lw=0.6, ls=":"
                )[0]
            times, gaps = steps(line, bound)
            [mark] = axes.step(
                times, gaps, where="post", color=look.colour, ls=look.dashes, lw=0.9,
                marker=look.marker, ms=2, markevery=[0] if times else None,
            )  # fmt: skip
            named.setdefault(line["method"], mark)
        axes.set_title(name, pad=2)
        axes.grid(lw=0.3, color="#dddddd")
        axes.tick_params(labelbottom=True)
        gap_axis(axes, "y", most)
        time_axis(axes, EARLIEST, longest)
    figure.supxlabel("seconds", fontsize=7)
    figure.supylabel("gap (%)", fontsize=7)
    legend_above(figure, named, 4)

"""Gap of every method and scenario: best, mean and worst over seeds. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import Drawing, gap_axis, legend_above, looks, note
from results.statistics import spread
from results.tables.gaps import per_scenario, reason
from results.tables.lines import bounds_of, gap_to, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.statistics import Spread

Line = dict[str, Any]


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return gaps to the best proved bound, a row a scenario."""
    if not lines:
        return None
    scenarios, methods = per_scenario(lines), in_order(lines, "method")
    height = 0.9 + len(scenarios) * (0.12 + 0.07 * len(methods))
    caption = "Gap to the best proved bound: best, mean and worst over seeds."
    return Drawing(caption, height, partial(_draw, lines))


def _draw(lines: Sequence[Line], figure: Any) -> None:
    axes = figure.add_subplot()
    bounds, scenarios = bounds_of(lines), per_scenario(lines)
    methods = in_order(lines, "method")
    found = looks(methods)
    named: dict[str, Any] = {}
    most = 0.0
    for row, of_methods in enumerate(scenarios.values()):
        for k, method in enumerate(methods):
            y = row + 0.8 * ((k + 0.5) / len(methods) - 0.5)
            some = of_methods.get(method, [])
            gaps = [gap_to(line, bounds) for line in some]
            group = spread(gaps)
            if group.mean is None:
                note(axes, 0, y, f"{method}: {reason(some, gaps).reason}")
                continue
            most = max(most, group.worst or 0.0)
            named[method] = _mark(axes, group, y, found[method])
    for row in range(1, len(scenarios)):
        axes.axhline(row - 0.5, color="#cccccc", lw=0.4)
    axes.set_yticks(range(len(scenarios)), list(scenarios))
    axes.set_ylim(len(scenarios) - 0.5, -0.5)
    gap_axis(axes, "x", 100 * most)
    axes.grid(axis="x", lw=0.3, color="#dddddd")
    axes.set_xlabel("gap to the proved bound (%)")
    legend_above(figure, named, 3)


def _mark(axes: Any, group: Spread, y: float, look: Any) -> Any:
    """Draw a bar from best to worst and a mark at the mean."""
    assert group.best is not None
    assert group.worst is not None
    assert group.mean is not None
    ends = (100 * group.best, 100 * group.worst)
    axes.plot(ends, (y, y), "-", color=look.colour, lw=0.8)
    [mark] = axes.plot(
        100 * group.mean, y, look.marker, color=look.colour, ms=3, clip_on=False
    )
    return mark

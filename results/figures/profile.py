"""Performance profiles of all methods over scenarios and seeds. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import Drawing, gap_axis, legend_above, looks
from results.statistics import profile
from results.tables.gaps import per_scenario
from results.tables.lines import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]


def costs(lines: Sequence[Line]) -> dict[str, list[float | None]]:
    """Return method → value of every scenario: the worst over seeds.

    `None` where a run has no schedule, or there is no run.
    """
    found: dict[str, list[float | None]] = {}
    for of_methods in per_scenario(lines).values():
        for method in in_order(lines, "method"):
            values = [line["value"] for line in of_methods.get(method, [])]
            known = bool(values) and None not in values
            found.setdefault(method, []).append(max(values) if known else None)
    return found


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return profiles of the periods found, the worst over seeds."""
    if not lines:
        return None
    caption = (
        "Performance profiles: share of scenarios in which a method's period (the "
        "worst over seeds) is within a factor of the best method's."
    )
    return Drawing(caption, 2.3, partial(_draw, profile(costs(lines))))


def _draw(corners: dict[str, tuple[tuple[float, float], ...]], figure: Any) -> None:
    axes = figure.add_subplot()
    most = 100 * (max((x for some in corners.values() for x, _ in some), default=1) - 1)
    gap_axis(axes, "x", most)
    end = axes.get_xlim()[1]
    named: dict[str, Any] = {}
    for method, look in looks(list(corners)).items():
        some = [(100 * (x - 1), 100 * y) for x, y in corners[method]]
        steps = [*some, (end, some[-1][1])] if some else [(0, 0), (end, 0)]
        [named[method]] = axes.plot(
            [x for x, _ in steps], [y for _, y in steps],
            drawstyle="steps-post", color=look.colour, ls=look.dashes,
            marker=look.marker, markevery=slice(0, len(steps) - 1), ms=3,
        )  # fmt: skip
    axes.set(xlabel="above the best period (%)", ylabel="scenarios (%)", ylim=(-3, 103))
    axes.grid(lw=0.3, color="#dddddd")
    legend_above(figure, named, 3)

"""The front of period and energy, with what heuristics found. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import (
    BLUE,
    ORANGE,
    Drawing,
    FigureError,
    legend_above,
    looks,
)
from results.tables.front import best_line, heuristic_points
from results.text import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Line = dict[str, Any]
Front = dict[str, Any]


def outline(front: Front) -> tuple[list[int], list[int], list[int]]:
    """Return (period, least energy, most energy): what lies between is not known.

    In ticks and quanta: corners of the two staircases by ascending period, from the
    least period that is not ruled out to the last point, or a little beyond. Where
    nothing is known from above, the most is the first point's energy.

    Parameters
    ----------
    front
        As `results.front.as_json` returns it.
    """
    known = {q["period_ticks"]: q["energy_quanta"] for q in front["points"]}
    start, end, top = front["least_period_ticks"], max(known), max(known.values())
    boxes = front["boxes"]
    if any(box["last"] >= end for box in boxes):
        end += max(1, (end - start) // 20)  # more may lie beyond the last point
    corners = {start, end, *known}
    for box in boxes:
        corners |= {box["first"], box["last"] + 1}
    periods, low, high = [], [], []
    now = top
    for tick in sorted(x for x in corners if start <= x <= end):
        now = known.get(tick, now)
        cell = next((b for b in boxes if b["first"] <= tick <= b["last"]), None)
        periods.append(tick)
        low.append(now if cell is None else cell["low"])
        high.append(now)
    return periods, low, high


def drawing(
    front: Front,
    title: str,
    points: Mapping[str, Sequence[tuple[int, float]]] | None = None,
) -> Drawing:
    """Return a front: points, what they dominate, and shaded where it is not known.

    Parameters
    ----------
    front
        As `results.front.as_json` returns it, with at least one point.
    points
        Method → (period in ticks, energy in pJ) of its schedules.

    Raises
    ------
    FigureError
        For a front without points.
    """
    if not front["points"]:
        raise FigureError(f"{title}: there is no point to draw")
    caption = f"Front of period and energy of {title}."
    return Drawing(caption, 2.6, partial(_draw, front, title, points or {}))


def _draw(
    front: Front,
    title: str,
    points: Mapping[str, Sequence[tuple[int, float]]],
    figure: Any,
) -> None:
    axes = figure.add_subplot()
    tick_ps, quantum_fj = front["tick_ps"], front["energy_quantum_fj"]

    def ms(ticks: int) -> float:
        return 1e3 * seconds_of(ticks, tick_ps)

    ticks, least, most = outline(front)
    periods = [ms(tick) for tick in ticks]
    low, high = ([quanta * quantum_fj * 1e-12 for quanta in x] for x in (least, most))
    axes.fill_between(
        periods, low, high, step="post", color=ORANGE, alpha=0.4, lw=0,
        label="not known",
    )  # fmt: skip
    axes.step(periods, high, where="post", color=BLUE, lw=0.8)
    for proved, face in ((True, BLUE), (False, "white")):
        some = [q for q in front["points"] if q["proved"] == proved]
        if some:
            axes.plot(
                [ms(q["period_ticks"]) for q in some],
                [float(q["energy_pj"]) * 1e-9 for q in some],
                "o", mec=BLUE, mfc=face, mew=0.7,
                label="proved" if proved else "not proved",
            )  # fmt: skip
    found = looks(["front", *points])
    for method, pairs in points.items():
        look = found[method]
        axes.plot(
            [ms(x) for x, _ in pairs], [pj * 1e-9 for _, pj in pairs],
            look.marker, mfc="none", mec=look.colour, mew=0.7, label=method,
        )  # fmt: skip
    axes.set(xlabel="period (ms)", ylabel="energy per round (mJ)")
    axes.set_title(title, pad=2)
    axes.locator_params(nbins=5)
    axes.ticklabel_format(useOffset=False)
    handles, labels = axes.get_legend_handles_labels()
    legend_above(figure, dict(zip(labels, handles, strict=True)), 4)


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return the first scenario's front with what heuristics found; `None`: none."""
    for scenario, line in best_line(lines).items():
        if line["front"] and line["front"]["points"]:
            scale = {key: line[key] for key in ("tick_ps", "energy_quantum_fj")}
            points = {
                method: [(x["period_ticks"], x["energy_pj"]) for x in some]
                for method, some in heuristic_points(lines, scenario).items()
            }
            return drawing({**line["front"], **scale}, scenario, points)
    return None

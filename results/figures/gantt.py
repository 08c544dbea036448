"""A timed schedule as a picture: chiplets, what is moved where, L2. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import GREY, Drawing, looks
from results.text import scale_of, seconds_of
from results.view_timed import runs_of

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule, Span
    from formulation.timed.semantics import Evaluation

Rows = dict[str, list[tuple["Span", int]]]
"""Name of a row → (span, model) of its bars."""

ROW, CURVE, GAP, LEGEND, LETTER = 0.13, 0.28, 0.08, 0.16, 0.041  # inches
RIGHT, BELOW = 0.32, 0.36
COLUMNS = 4  # of the legend
WIDE = 0.004  # of the makespan: bars that long are told apart by a white edge
ORDER = ("dram", "link", "port")


def chiplet_rows(problem: Problem, schedule: Schedule, worth: Evaluation) -> Rows:
    """Return the runs of every chiplet."""
    every = runs_of(problem, schedule, worth)
    return {
        f"chiplet {chiplet.name}": [
            (run.span, problem.tasks[run.task].model) for run in runs
        ]
        for chiplet, runs in zip(problem.chiplets, every, strict=True)
    }


def resource_rows(problem: Problem, worth: Evaluation) -> Rows:
    """Return the movements over every interface, link and port that has any."""
    found: dict[int, list[tuple[Span, int]]] = {}
    for move in worth.facts.movements:
        for r, span in move.holds:
            found.setdefault(r, []).append((span, move.model))
    order = sorted(found, key=lambda r: (ORDER.index(problem.resources[r].kind), r))
    rows: Rows = {}
    for r in order:
        resource = problem.resources[r]
        kind = resource.kind.replace("dram", "DRAM")
        rows[f"{kind} {resource.name.partition(' at ')[0]}"] = sorted(found[r])
    return rows


def l2_curves(
    problem: Problem, worth: Evaluation
) -> dict[str, tuple[list[int], list[float]]]:
    """Return, per chiplet, ticks and the percent of its L2 held from each on."""
    curves = {}
    last = worth.worth.makespan_ticks
    for chiplet, use in zip(problem.chiplets, worth.facts.sram, strict=True):
        points = [(0, 0), *use.curve, (last, 0)]
        ticks = [tick for tick, _ in points]
        shares = [100 * held / chiplet.l2_bytes for _, held in points]
        curves[f"L2 of chiplet {chiplet.name}"] = ticks, shares
    return curves


def drawing(problem: Problem, schedule: Schedule, worth: Evaluation) -> Drawing:
    """Return the picture of a schedule."""
    chiplets = chiplet_rows(problem, schedule, worth)
    panels = [rows for rows in (chiplets, resource_rows(problem, worth)) if rows]
    curves = l2_curves(problem, worth)
    caption = (
        f"{problem.name}: runs on chiplets, movements over DRAM interfaces, links and "
        "ports, and the share of each L2 that is held."
    )
    heights = [ROW * (len(rows) + 0.4) for rows in panels] + [CURVE] * len(curves)
    legend = 0.1 + LEGEND * -(-len(problem.models) // COLUMNS)
    height = legend + sum(heights) + GAP * (len(heights) - 1) + BELOW
    names = [name for rows in panels for name in rows] + list(curves)
    places = _Places(legend, heights, LETTER * max(map(len, names)) + 0.12)
    return Drawing(
        caption, height, partial(_draw, problem, worth, panels, curves, places)
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """Where panels are, in inches from the top and the left.

    A layout engine would move them by rounding errors from run to run.
    """

    top: float
    heights: list[float]
    left: float

    def axes(self, figure: Any) -> list[Any]:
        """Return axes below one another, with one axis of time."""
        width, height = figure.get_size_inches()
        found: list[Any] = []
        at = self.top
        for high in self.heights:
            box = (self.left, height - at - high, width - self.left - RIGHT, high)
            sizes = (width, height, width, height)
            place = [x / size for x, size in zip(box, sizes, strict=True)]
            axes = figure.add_axes(place, sharex=found[0] if found else None)
            axes.tick_params(labelbottom=False)
            found.append(axes)
            at += high + GAP
        found[-1].tick_params(labelbottom=True)
        return found


def _draw(
    problem: Problem,
    worth: Evaluation,
    panels: list[Rows],
    curves: dict[str, tuple[list[int], list[float]]],
    places: _Places,
    figure: Any,
) -> None:
    figure.set_layout_engine("none")
    every = places.axes(figure)
    long = worth.worth.makespan_ticks
    scale, prefix = scale_of(seconds_of(max(long, 1), problem.tick_ps))
    unit = problem.tick_ps / 1e12 / scale  # of the axis, a tick
    alpha = 1.0 if problem.timing.contention == "exact" else 0.5  # bars may overlap
    named: dict[str, Any] = {}
    for axes, rows in zip(every, panels, strict=False):
        named |= _bars(axes, problem, rows, unit, WIDE * long, alpha)
    most = max((max(shares) for _, shares in curves.values()), default=0.0) or 100.0
    for axes, (name, (ticks, shares)) in zip(
        every[len(panels) :], curves.items(), strict=True
    ):
        times = [tick * unit for tick in ticks]
        axes.fill_between(times, shares, step="post", color=GREY, alpha=0.4, lw=0)
        axes.step(times, shares, where="post", color=GREY, lw=0.6)
        axes.set_ylim(0, 1.2 * most)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=6)
        axes.yaxis.tick_right()
        axes.tick_params(length=1.5)
        axes.yaxis.set_major_locator(_few())
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g} %")
        axes.grid(lw=0.3, color="#dddddd")
    every[0].set_xlim(0, max(long, 1) * unit)
    every[-1].set_xlabel(f"time ({prefix}s)")
    figure.legend(
        list(named.values()), list(named), loc="upper center", ncols=COLUMNS,
        columnspacing=1.0, handletextpad=0.5,
    )  # fmt: skip


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(2)


def _bars(
    axes: Any, problem: Problem, rows: Rows, unit: float, wide: float, alpha: float
) -> dict[str, Any]:
    """Draw a row of bars each; return model → what it was drawn as."""
    named: dict[str, Any] = {}
    models = [model.name for model in problem.models]
    every = looks(models)
    for y, bars in enumerate(rows.values()):
        for m, name in enumerate(models):
            for edge in (True, False):
                spans = [
                    (start * unit, (end - start) * unit)
                    for (start, end), model in bars
                    if model == m and start < end and (end - start >= wide) == edge
                ]
                if not spans:
                    continue
                look = every[name]
                drawn = axes.broken_barh(
                    spans, (y - 0.4, 0.8), facecolor=look.colour, alpha=alpha,
                    edgecolor="white" if edge else look.colour,
                    hatch=look.hatch if edge else "", lw=0.25,
                )  # fmt: skip
                named.setdefault(name, drawn)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.3, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=1.5)
    axes.grid(axis="x", lw=0.3, color="#dddddd")
    axes.set_axisbelow(True)
    return named

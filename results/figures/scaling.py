"""Time to gap 0, and the gap after the limit, by size. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import Drawing, legend_above, looks
from results.tables.lines import missing
from results.tables.scaling import by_size
from results.tables.solvers import to_proof
from results.text import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return a panel a number of models, a curve a number of chiplets."""
    lines = [runs[-1] for runs in by_size(lines)]
    if not lines:
        return None
    models = sorted({line["about"]["models"] for line in lines})
    caption = (
        "Chains of matrix products: seconds to gap 0. Hollow: stopped at the limit, "
        "with the gap that is left. Of each size the run with the largest limit."
    )
    return Drawing(caption, 0.6 + 1.25 * len(models), partial(_draw, lines, models))


def _draw(lines: Sequence[Line], models: list[int], figure: Any) -> None:
    panels = figure.subplots(len(models), 1, sharex=True, sharey=True, squeeze=False)
    sizes = sorted({line["about"]["chiplets"] for line in lines})
    named: dict[str, Any] = {}
    found = looks([f"{size} chiplets" for size in sizes])
    layers = sorted({line["about"]["layers"] for line in lines})
    times = [max(0.01, line["seconds"]) for line in lines]
    for axes, count in zip(panels.flat, models, strict=True):
        for size, (name, look) in zip(sizes, found.items(), strict=True):
            some = [
                line
                for line in lines
                if (line["about"]["models"], line["about"]["chiplets"]) == (count, size)
            ]
            some.sort(key=lambda line: line["about"]["layers"])
            [named[name]] = axes.plot(
                [line["about"]["layers"] for line in some],
                [line["seconds"] for line in some],
                color=look.colour, ls=look.dashes, marker=look.marker,
            )  # fmt: skip
            for line in some:
                if to_proof(line) is None:
                    _left(axes, line, look, sizes.index(size))
        axes.set_title(f"{count} model{'s' if count > 1 else ''}", pad=2)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_ylim(0.5 * min(times), 40 * max(times))
        axes.set_xticks(layers, [str(n) for n in layers])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        axes.grid(lw=0.3, color="#dddddd")
    panels.flat[-1].set_xlabel("layers")
    figure.supylabel("seconds", fontsize=7)
    legend_above(figure, named, len(sizes))


def _left(axes: Any, line: Line, look: Any, place: int) -> None:
    """Mark a run that was not proved, with its gap or the reason."""
    at = line["about"]["layers"], line["seconds"]
    axes.plot(*at, look.marker, mec=look.colour, mfc="white")
    text = missing(line).reason
    if line["value"] is not None and line["gap"] is not None:
        text = percent(line["gap"], 2)
    axes.annotate(
        text, at, xytext=(0, 4 + 6 * place), textcoords="offset points", ha="center",
        fontsize=5, color=look.colour,
    )  # fmt: skip

"""Which dataflow a layer likes, layer by layer. Pure functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from results.figures.style import GREY, Drawing, legend_above, looks, ratio_axis
from results.tables.affinity import kinds, ratios

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]


def figure(lines: Sequence[Line]) -> Drawing | None:
    """Return a panel a model of the first scenario: ratio of times, a mark a layer."""
    line = next((line for line in lines if line["layers"]), None)
    if line is None:
        return None
    models = list(dict.fromkeys(layer["model"] for layer in line["layers"]))
    first, second = kinds(line)
    caption = (
        f"Time of every layer on {second} over its time on {first}, fastest mode each: "
        f"above 1 {first} is faster."
    )
    return Drawing(caption, 0.6 + 1.3 * len(models), partial(_draw, line, models))


def _draw(line: Line, models: list[str], figure: Any) -> None:
    first, second = kinds(line)
    panels = figure.subplots(len(models), 1, sharey=True, squeeze=False)
    every = ratios(line, 0)
    found = looks(list(dict.fromkeys(layer["op"] for layer in line["layers"])))
    named: dict[str, Any] = {}
    for axes, model in zip(panels.flat, models, strict=True):
        layers = [(layer, x) for layer, x in every if layer["model"] == model]
        for op, look in found.items():
            some = [
                (k, x)
                for k, (layer, x) in enumerate(layers)
                if layer["op"] == op and x is not None
            ]
            if some:
                [named[op]] = axes.plot(
                    [k for k, _ in some], [x for _, x in some], look.marker,
                    ls="none", mec=look.colour, mfc="none", mew=0.7,
                )  # fmt: skip
        axes.axhline(1, color=GREY, lw=0.6, zorder=0)
        ratio_axis(axes, "y", [x for _, x in every if x is not None])
        axes.set_title(model, pad=2)
        axes.grid(axis="y", lw=0.3, color="#dddddd")
    panels.flat[-1].set_xlabel("layer")
    figure.supylabel(f"time on {second} / {first}", fontsize=7)
    legend_above(figure, named, 4)

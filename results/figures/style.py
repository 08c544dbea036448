"""How figures look and how they are written. Needs matplotlib: the extra `figures`.

Colours are those of Okabe and Ito, told apart by the colour blind; whatever a colour
says is also said by a marker, a dash or a hatching, for print in black and white.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from formulation.certificate import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FORMATS = (".pdf", ".png", ".svg")
# What would name the time or the program's version, so that equal data give equal
# files.
METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}
WIDTH = 3.5  # inches: one column of a two-column paper
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#666666"
LEAST_GAP = 0.1  # percent: below, axes of gaps are linear down to 0
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK, YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), "-", "--")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oo", "**")
RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "legend.fontsize": 6.0,
    "xtick.labelsize": 6.0,
    "ytick.labelsize": 6.0,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.4,
    "legend.frameon": False,
    "savefig.dpi": 250,
    "svg.hashsalt": "chipsched",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "pdf.compression": 0,  # zlibs differ in what they write
}


class FigureError(RuntimeError):
    """matplotlib is not there, or the file's name ends in no format of `FORMATS`."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one of several things is told from the others."""

    colour: str
    marker: str
    dashes: Any
    hatch: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure that can be drawn.

    Parameters
    ----------
    caption
        What it shows.
    height
        Inches; the width is `WIDTH`.
    draw
        Draws into an empty figure of matplotlib.
    """

    caption: str
    height: float
    draw: Callable[[Any], None]


def looks(names: list[str]) -> dict[str, Look]:
    """Return a look for each of up to eight names; then they come again."""
    every = list(zip(COLOURS, MARKERS, DASHES, HATCHES, strict=True))
    return {name: Look(*every[k % len(every)]) for k, name in enumerate(names)}


def library() -> Any:
    """Return matplotlib.

    Raises
    ------
    FigureError
        If it is not installed; says how to get it.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise FigureError(
            "figures need matplotlib: pip install 'chipsched[figures]'"
        ) from error
    return matplotlib


def rendered(drawing: Drawing, kind: str) -> bytes:
    """Return a drawing in one of `FORMATS`; equal drawings give equal bytes.

    Raises
    ------
    FigureError
        Without matplotlib.
    """
    matplotlib = library()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # nobody's own settings
        matplotlib.rcParams.update(RC)
        figure = Figure(figsize=(WIDTH, drawing.height), layout="constrained")
        FigureCanvasAgg(figure)
        drawing.draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format=kind[1:], metadata=METADATA[kind])
    return out.getvalue()


def save(drawing: Drawing, path: Path) -> None:
    """Write a drawing; the name says the format.

    Raises
    ------
    FigureError
        Without matplotlib, for a name that ends in none of `FORMATS`.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise FigureError(f"{path}: expected a name ending in {', '.join(FORMATS)}")
    write_atomically(path, rendered(drawing, kind))


def note(axes: Any, x: float, y: float, text: str, **where: Any) -> None:
    """Write in small grey letters why something is missing, or how much is left."""
    axes.annotate(
        text, (x, y), xytext=(3, 0), textcoords="offset points", va="center",
        fontsize=5.0, color=GREY, **where,
    )  # fmt: skip


def gap_axis(axes: Any, which: str, most: float) -> None:
    """Scale an axis of gaps in percent: linear up to 0.1, logarithmic above.

    Parameters
    ----------
    which
        ``x`` or ``y``.
    most
        The largest gap.
    """
    ticks = [0.0, LEAST_GAP]
    while ticks[-1] < most or len(ticks) < 3:
        ticks.append(10 * ticks[-1])
    set_scale, set_limits, set_ticks = {
        "x": (axes.set_xscale, axes.set_xlim, axes.set_xticks),
        "y": (axes.set_yscale, axes.set_ylim, axes.set_yticks),
    }[which]
    set_scale("symlog", linthresh=LEAST_GAP)
    set_limits(-LEAST_GAP / 5, ticks[-1])
    set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    set_ticks([], minor=True)


def ratio_axis(axes: Any, which: str, values: list[float]) -> None:
    """Scale an axis of ratios: logarithmic, but with plain ticks for few octaves."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    set_scale, axis = {
        "x": (axes.set_xscale, axes.xaxis),
        "y": (axes.set_yscale, axes.yaxis),
    }[which]
    set_scale("log")
    few = max(values, default=1) < 4 * min(values, default=1)
    axis.set_major_locator(MaxNLocator(5) if few else LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda x, _: f"{x:g}")


def time_axis(axes: Any, least: float, most: float) -> None:
    """Scale an x axis of seconds: logarithmic, a tick a decade."""
    axes.set_xscale("log")
    axes.set_xlim(least, 1.2 * most)
    ticks = [10.0**k for k in range(-2, 6) if least <= 10.0**k <= 1.2 * most]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def legend_above(figure: Any, named: Mapping[str, Any], columns: int) -> None:
    """Put one legend above all panels: label → what was drawn."""
    figure.legend(
        list(named.values()), list(named), loc="outside upper center", ncols=columns,
        columnspacing=1.0, handletextpad=0.5,
    )  # fmt: skip

"""The figure of a front. Needs matplotlib: ``pip install 'chipsched[figures]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.summary import seconds_of

if TYPE_CHECKING:
    from pathlib import Path

    from formulation.pareto import Front
    from formulation.problem import Problem

FORMATS = (".pdf", ".png", ".svg")
# What would name the time or the program's version, so that equal fronts give equal
# files.
METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}


class FigureError(RuntimeError):
    """matplotlib is not there, or the file's name ends in no format of `FORMATS`."""


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


def outline(front: Front) -> tuple[list[int], list[int], list[int]]:
    """Return (period, least energy, most energy): what lies between is not known.

    In ticks and quanta: corners of the two staircases by ascending period, from the
    least period that is not ruled out to the last point, or a little beyond. Where
    nothing is known from above, the most is the first point's energy.
    """
    known = {q.period_ticks: q.energy_quanta for q in front.points}
    start, end, top = front.least_period_ticks, max(known), max(known.values())
    if any(box.last >= end for box in front.boxes):
        end += max(1, (end - start) // 20)  # more may lie beyond the last point
    corners = {start, end, *known}
    for box in front.boxes:
        corners |= {box.first, box.last + 1}
    periods, low, high = [], [], []
    now = top
    for tick in sorted(x for x in corners if start <= x <= end):
        now = known.get(tick, now)
        cell = next((b for b in front.boxes if b.first <= tick <= b.last), None)
        periods.append(tick)
        low.append(now if cell is None else cell.low)
        high.append(now)
    return periods, low, high


def draw(p: Problem, front: Front, path: Path) -> None:
    """Draw a front: points, what they dominate, and shaded where it is not known.

    Parameters
    ----------
    path
        Ends in one of `FORMATS`.

    Raises
    ------
    FigureError
        Without matplotlib, for other formats, for a front without points.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise FigureError(f"{path}: expected a name ending in {', '.join(FORMATS)}")
    if not front.points:
        raise FigureError(f"{path}: there is no point to draw")
    matplotlib = library()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "chipsched", "svg.fonttype": "path"}):
        figure = Figure(figsize=(5, 3.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        joules = p.energy_quantum_fj * 1e-15
        ticks, least, most = outline(front)
        periods = [seconds_of(tick, p.tick_ps) for tick in ticks]
        low, high = ([quanta * joules for quanta in side] for side in (least, most))
        axes.fill_between(
            periods, low, high, step="post", color="tab:orange", alpha=0.4, lw=0,
            label="not known",
        )  # fmt: skip
        axes.step(periods, high, where="post", color="tab:blue", lw=0.8)
        for proved, face in ((True, "tab:blue"), (False, "white")):
            some = [q for q in front.points if q.proved == proved]
            axes.plot(
                [seconds_of(q.period_ticks, p.tick_ps) for q in some],
                [q.energy_quanta * joules for q in some],
                "o", ms=4, mec="tab:blue", mfc=face,
                label="proved" if proved else "not proved",
            )  # fmt: skip
        axes.set(xlabel="period (s)", ylabel="energy per round (J)", title=p.name)
        axes.locator_params(nbins=5)
        axes.legend(frameon=False)
        figure.savefig(path, metadata=METADATA[kind], dpi=200)

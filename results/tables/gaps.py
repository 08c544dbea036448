"""How far every heuristic is from what is proved, a scenario each. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.statistics import Spread, shifted_geometric_mean, spread
from results.tables.lines import EXACT, Line, bounds_of, gap_to, in_order, missing
from results.tables.table import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIFT = 0.01  # of gaps: those below 1 % count as small
ALL = "all scenarios"
COLUMNS = (
    Column("scenario", "scenario"),
    Column("method", "method"),
    Column("period_ticks", "least period", "count"),
    Column("bound_ticks", "proved bound", "count"),
    Column("gap_best", "gap, best", "share"),
    Column("gap_mean", "mean", "share"),
    Column("gap_worst", "worst", "share"),
    Column("runs", "runs", "count"),
    Column("seconds", "", "seconds"),
)


def per_scenario(lines: Sequence[Line]) -> dict[str, dict[str, list[Line]]]:
    """Return scenario → method → lines, all in order of appearance."""
    found: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        found.setdefault(line["variant"], {}).setdefault(line["method"], []).append(
            line
        )
    return found


def reason(some: Sequence[Line], gaps: Sequence[float | None]) -> Missing:
    """Return why a group has no gap: of how many runs, and the first one's reason."""
    lacking = [line for line, gap in zip(some, gaps, strict=True) if gap is None]
    if not lacking:
        return Missing("not run")
    first = lacking[0]
    why = "no bound" if first["value"] is not None else missing(first).reason
    if len(some) == 1:
        return Missing(why)
    return Missing(f"{why} ({len(lacking)} of {len(some)})")


def _cells(found: Spread, why: Missing) -> tuple[Cell, Cell, Cell]:
    if found.best is None:
        return why, why, why
    return found.best, found.mean, found.worst


def table(lines: Sequence[Line]) -> Table:
    """Return best, mean and worst gap over seeds to the best proved bound.

    Raises
    ------
    BelowBoundError
        If a schedule is better than a proved bound.
    """
    bounds = bounds_of(lines)
    rows: list[tuple[Cell, ...]] = []
    means: dict[str, list[float | None]] = {}
    scenarios = per_scenario(lines)
    for scenario, methods in scenarios.items():
        for method in in_order(lines, "method"):
            some = methods.get(method, [])
            gaps = [gap_to(line, bounds) for line in some]
            found = spread(gaps)
            means.setdefault(method, []).append(found.mean)
            values = [line["value"] for line in some if line["value"] is not None]
            known = [line["bound"] for line in some if line["bound"] is not None]
            why = reason(some, gaps)
            bound: Cell = None
            if method in EXACT:
                bound = max(known) if known else Missing("no bound")
            seconds = [line["seconds"] for line in some]
            rows.append(
                (
                    scenario,
                    method,
                    min(values) if values else why,
                    bound,
                    *_cells(found, why),
                    len(some),
                    spread(seconds).mean,
                )
            )
    for method, gaps in means.items():
        lacking = sum(gap is None for gap in gaps)
        why = Missing(f"{lacking} of {len(gaps)} missing")
        mean = shifted_geometric_mean(gaps, SHIFT)
        cell: Cell = why if mean is None else mean
        rows.append((ALL, method, None, None, None, cell, None, None, None))
    return Table(
        caption="Distance of every method from the best proved bound, "
        "(value - bound)/value, over seeds.",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            f"{ALL}: shifted geometric mean of the means over seeds, shift "
            f"{100 * SHIFT:g} %; none where one is missing",
        )
        if rows
        else (),
        grouped=True,
    )

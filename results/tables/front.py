"""The front of period and energy: its ends, and who comes near. Pure functions."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from results.tables.lines import Line, limit_seconds, missing
from results.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

METHOD = "front"
COLUMNS = (
    Column("scenario", "scenario"),
    Column("method", "method"),
    Column("what", "least"),
    Column("period_ticks", "period", "count"),
    Column("energy_mj", "energy (mJ)", "number"),
    Column("edp_ujs", "EDP (µJs)", "number"),
    Column("proved", "on the front"),
)


def best_line(lines: Sequence[Line]) -> dict[str, Line]:
    """Return the front of every scenario: of several the one with the most time."""
    found: dict[str, Line] = {}
    for line in lines:
        if line["method"] == METHOD:
            held = found.get(line["variant"])
            if held is None or _time(held) <= _time(line):
                found[line["variant"]] = line
    return found


def _time(line: Line) -> float:
    limit = limit_seconds(line)
    return inf if limit is None else limit


def heuristic_points(lines: Sequence[Line], scenario: str) -> dict[str, list[Line]]:
    """Return method → its lines with a schedule."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        other = line["variant"] != scenario or line["method"] == METHOD
        if not other and line["period_ticks"] is not None:
            found.setdefault(line["method"], []).append(line)
    return found


def _row(
    line: Line, what: str, ticks: int, energy_pj: float, proved: str | None
) -> tuple[Cell, ...]:
    edp = ticks * line["tick_ps"] * energy_pj * 1e-18  # µJs of ps·pJ
    name = (line["variant"], line["method"], what)
    return (*name, ticks, energy_pj * 1e-9, edp, proved)


def table(lines: Sequence[Line]) -> Table:
    """Return least period, energy and EDP of the front and of every heuristic."""
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for scenario, line in best_line(lines).items():
        found = line["front"]
        if not found or not found["points"]:
            rows.append((scenario, METHOD, None, missing(line), None, None, None))
            continue
        points = found["points"]
        for what, least in _leasts(points).items():
            proved = "proved" if least["proved"] else "not proved"
            energy_pj = float(least["energy_pj"])
            rows.append(_row(line, what, least["period_ticks"], energy_pj, proved))
        notes.append(
            f"{scenario}: {found['status']} after {line['seconds']:.0f} s: "
            f"{len(points)} points, {len(found['boxes'])} boxes where more may lie"
        )
        for some in heuristic_points(lines, scenario).values():
            pairs = [
                {
                    "period_ticks": x["period_ticks"],
                    "energy_pj": x["energy_pj"],
                    "edp": x["period_ticks"] * x["energy_pj"],
                }
                for x in some
            ]
            for what, least in _leasts(pairs).items():
                ticks, energy_pj = least["period_ticks"], least["energy_pj"]
                rows.append(_row(some[0], what, ticks, energy_pj, None))
    return Table(
        caption="Ends of the front of period and energy, and the best of heuristics.",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=tuple(notes),
        grouped=True,
    )


def _leasts(points: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        "period": min(points, key=lambda q: (q["period_ticks"], float(q["energy_pj"]))),
        "energy": min(points, key=lambda q: (float(q["energy_pj"]), q["period_ticks"])),
        "EDP": min(points, key=lambda q: q["edp"]),
    }

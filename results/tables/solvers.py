"""The two exact engines beside each other. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.statistics import shifted_geometric_mean
from results.tables.lines import Line, gap, in_order, known, missing
from results.tables.table import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIFT_SECONDS = 10.0
ALL = "all scenarios"
COLUMNS = (
    Column("scenario", "scenario"),
    Column("engine", "engine"),
    Column("value", "period", "count"),
    Column("bound", "bound", "count"),
    Column("gap", "gap", "share"),
    Column("nodes", "nodes", "count"),
    Column("seconds", "seconds to the proof", "seconds"),
    Column("seconds_spent", "", "seconds"),
    Column("claim", "claim"),
)


def to_proof(line: Line) -> float | None:
    """Return the seconds until the gap was 0; `None`: it was not closed."""
    closed = line["status"] in ("optimal", "infeasible")
    return float(line["seconds"]) if closed else None


def table(lines: Sequence[Line]) -> Table:
    """Return value, bound, gap, nodes and time of every engine and scenario."""
    rows: list[tuple[Cell, ...]] = []
    seconds: dict[str, list[float | None]] = {}
    for line in sorted(
        lines, key=lambda x: in_order(lines, "variant").index(x["variant"])
    ):
        proof = to_proof(line)
        seconds.setdefault(line["method"], []).append(proof)
        failed = line["status"] == "failed"
        rows.append(
            (
                line["variant"],
                line["method"],
                known(line, "value"),
                Missing("none") if line["bound"] is None else line["bound"],
                gap(line),
                missing(line) if failed else line["nodes"],
                missing(line) if proof is None else proof,
                line["seconds"],
                line["claim"],
            )
        )
    for method, times in seconds.items():
        proved = sum(x is not None for x in times)
        mean = shifted_geometric_mean(times, SHIFT_SECONDS)
        cell: Cell = Missing(f"{proved} of {len(times)} proved")
        if mean is not None:
            cell = mean
        rows.append((ALL, method, None, None, None, None, cell, None, None))
    return Table(
        caption="The exact engines: least period found, bound, and time to the proof.",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            f"{ALL}: shifted geometric mean, shift {SHIFT_SECONDS:g} s; none where a "
            "proof is missing",
            "nodes: of HiGHS; of CP-SAT its branches. The two do not compare",
        ),
        grouped=True,
    )

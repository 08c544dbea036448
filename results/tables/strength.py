"""The table of strengthenings, from records to text. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.tables.lines import Line, gap
from results.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = ("value", "bound", "why_stopped")


def pairs(lines: Sequence[Line]) -> list[tuple[Line, Line]]:
    """Return (with all, without one) for every run without one.

    Scenario by scenario, in order. A run whose other half is missing is left out.
    """
    whole = {
        (line["about"]["scenario"], line["objective"]): line
        for line in lines
        if line["about"]["off"] is None
    }
    found = []
    for line in lines:
        key = (line["about"]["scenario"], line["objective"])
        if line["about"]["off"] is not None and key in whole:
            found.append((whole[key], line))
    order = list(dict.fromkeys(line["about"]["scenario"] for line in lines))
    return sorted(found, key=lambda x: order.index(x[0]["about"]["scenario"]))


def raised(on: Line, off: Line) -> float | None:
    """Return bound on / bound off: above 1 the strengthening raises the bound."""
    if not on["bound"] or not off["bound"]:
        return None
    return float(on["bound"] / off["bound"])


def table(lines: Sequence[Line]) -> Table:
    """Return one row a strengthening that is left out."""
    columns = (
        Column("scenario", "scenario"),
        Column("objective", "objective"),
        Column("off", "without"),
        Column("gap_on", "gap on", "share"),
        Column("gap_off", "gap off", "share"),
        Column("seconds_on", "seconds on", "seconds"),
        Column("seconds_off", "seconds off", "seconds"),
        Column("bound_ratio", "bound on / off", "factor"),
        *(Column(f"{key}_{side}") for side in ("on", "off") for key in KEYS),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            on["about"]["scenario"],
            on["objective"],
            off["about"]["off"],
            gap(on),
            gap(off),
            on["seconds"],
            off["seconds"],
            raised(on, off),
            *(line[key] for line in (on, off) for key in KEYS),
        )
        for on, off in pairs(lines)
    ]
    loads = [line["environment"]["load"] for line in lines]
    told = [load for load in loads if load is not None] or [0]
    limits = sorted({line["limits"]["seconds"] for line in lines})
    workers = sorted({line["limits"]["workers"] for line in lines})
    return Table(
        caption="What each strengthening is worth: CP-SAT with all, and without one.",
        columns=columns,
        rows=tuple(rows),
        notes=(
            f"{', '.join(f'{x:g}' for x in limits)} s a run, "
            f"{', '.join(map(str, workers))} workers; load of the machine "
            f"{min(told):g} to {max(told):g}, so that a run has had that much less. "
            "Without project_stages there are no ways to cut either.",
        ),
        grouped=True,
    )

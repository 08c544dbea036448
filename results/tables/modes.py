"""The table of what modes are worth, from records. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.tables.lines import NOT_RUN, Line, gap, known, missing
from results.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

PJ_PER_UJ = 1e6
KEYS = ("claim", "value", "bound", "instance_sha256", "table_sha256")
COLUMNS = (
    Column("l2_bytes", "L2 per chiplet (bytes)", "count"),
    Column("max_modes", "modes", "count"),
    Column("table_modes", "in all", "count"),
    Column("period_ticks", "period", "count"),
    Column("period_gap", "gap", "share"),
    Column("period_seconds", "seconds", "seconds"),
    Column("energy_uj", "energy in µJ", "count"),
    Column("energy_gap", "gap", "share"),
    Column("energy_seconds", "seconds", "seconds"),
    *(Column(f"{side}_{key}") for side in ("period", "energy") for key in KEYS),
)


def _energy_uj(line: Line | None) -> Cell:
    """Return the energy in whole microjoules, or why there is none."""
    if line is None or line["energy_pj"] is None:
        return missing(line)
    return round(float(line["energy_pj"]) / PJ_PER_UJ)


def _modes(line: Line) -> Cell:
    """Return how many modes the cost table has; a run that failed does not say."""
    size = line.get("size")
    return NOT_RUN if size is None else int(size["modes"])


def table(lines: Sequence[Line]) -> Table:
    """Return one row a share of the L2 and number of modes."""
    found: dict[tuple[int, int], dict[str, Line]] = {}
    for line in lines:
        about = line["about"]
        key = about["l2_bytes"], about["max_modes"]
        found.setdefault(key, {})[line["objective"]] = line
    rows: list[tuple[Cell, ...]] = []
    for (l2_bytes, most), both in found.items():
        period, energy = both.get("period"), both.get("energy")
        rows.append(
            (
                l2_bytes,
                most,
                _modes(next(iter(both.values()))),
                known(period, "period_ticks"),
                gap(period),
                known(period, "seconds"),
                _energy_uj(energy),
                gap(energy),
                known(energy, "seconds"),
                *(known(side, key) for side in (period, energy) for key in KEYS),
            )
        )
    return Table(
        caption="At most 1, 2 and 4 modes of a layer on a chiplet type, on the "
        "headline's packages with all, a half and a quarter of the L2; period and "
        "energy are each the objective of a run.",
        columns=COLUMNS,
        rows=tuple(rows),
        grouped=True,
    )

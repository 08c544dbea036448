"""Where time and energy go, a chiplet each. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.headline import MONOLITHIC
from results.tables.lines import Line, missing
from results.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "package"
ON_CHIPLET = ("mac", "l1", "l2", "noc", "chiplet")
PARTS = (*ON_CHIPLET, "dram", "nop", "static")
TO_MJ = 1e-9  # of pJ
COLUMNS = (
    Column("variant", "package"),
    Column("chiplet", "chiplet"),
    Column("type", "type"),
    Column("layers", "layers", "count"),
    Column("work", "compute", "share"),
    Column("wait", "waits for DRAM", "share"),
    Column("idle", "idle", "share"),
    Column("mac_mj", "MAC (mJ)", "number"),
    Column("l1_mj", "L1", "number"),
    Column("l2_mj", "L2", "number"),
    Column("noc_mj", "NoC", "number"),
    Column("chiplet_mj", "", "number"),
    Column("dram_mj", "DRAM", "number"),
    Column("nop_mj", "NoP", "number"),
    Column("static_mj", "", "number"),
)


def chosen(lines: Sequence[Line]) -> list[Line]:
    """Return the die, the pure packages, and the mix with the least period.

    Of equal periods the one with less energy. The mix is left out without a schedule.
    """
    pure: list[Line] = []
    mixed: list[Line] = []
    for line in lines:
        letters = set(line["variant"]) - {"/"}
        alone = line["variant"] == MONOLITHIC or len(letters) == 1
        (pure if alone else mixed).append(line)
    mixed = [line for line in mixed if line["period_ticks"] is not None]
    mixed.sort(key=lambda line: (line["period_ticks"], line["energy_pj"]))
    return [*pure, *mixed[:1]]


def table(lines: Sequence[Line]) -> Table:
    """Return shares of the period and energy per round, a chiplet and package each."""
    rows: list[tuple[Cell, ...]] = []
    for line in chosen(lines):
        name = line["variant"]
        if line["chiplets"] is None:
            cells: list[Cell] = [missing(line)] * (len(COLUMNS) - 3)
            rows.append((name, PACKAGE, None, *cells))
            continue
        period = line["period_ticks"]
        for one in line["chiplets"]:
            work, wait = one["work_ticks"] / period, one["wait_ticks"] / period
            idle = (period - one["work_ticks"] - one["wait_ticks"]) / period
            amounts = [one["energy_pj"].get(part) for part in PARTS]
            energy = [None if pj is None else pj * TO_MJ for pj in amounts]
            what = (one["name"], one["type"], one["layers"])
            rows.append((name, *what, work, wait, idle, *energy))
        total = [line["energy_parts_pj"][part] * TO_MJ for part in PARTS]
        layers = sum(one["layers"] for one in line["chiplets"])
        rows.append((name, PACKAGE, None, layers, None, None, None, *total))
    return Table(
        caption="Where the period and the energy of a round go.",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=("DRAM and NoP energy is that of the whole package",),
        grouped=True,
    )

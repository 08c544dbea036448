"""The table of variations, from records to text. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.headline import MONOLITHIC
from results.tables.headline import gain, held_by
from results.tables.lines import Line, gap, known, missing
from results.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence


KEYS = ("claim", "bound", "energy_pj", "seconds", "instance_sha256", "table_sha256")


def pairs(lines: Sequence[Line]) -> list[tuple[str, str, Line | None, Line | None]]:
    """Return (group, name, the die's line, the mix's line), in order of appearance."""
    found: dict[tuple[str, str], dict[str, Line]] = {}
    for line in lines:
        about = line["about"]
        side = "die" if about["side"] == MONOLITHIC else "mix"
        found.setdefault((about["group"], about["name"]), {})[side] = line
    return [
        (group, name, both.get("die"), both.get("mix"))
        for (group, name), both in found.items()
    ]


def gained(die: Line | None, mix: Line | None, key: str) -> Cell:
    """Return how much better the mix is, or why that is not known."""
    for line in (die, mix):
        if line is None or line[key] is None:
            return missing(line)
    assert die is not None
    assert mix is not None
    return gain(die[key], mix[key])


def table(lines: Sequence[Line]) -> Table:
    """Return one row a variation."""
    sides = sorted({line["about"]["side"] for line in lines} - {MONOLITHIC})
    name = ", ".join(sides) or "mix"
    columns = (
        Column("group", "varied"),
        Column("name", "to"),
        Column("die_period_ticks", "period of the die", "count"),
        Column("mix_period_ticks", f"period of {name}", "count"),
        Column("throughput_gain", "throughput gain", "factor"),
        Column("energy_gain", "energy gain", "factor"),
        Column("die_gap", "gap of the die", "share"),
        Column("mix_gap", f"gap of {name}", "share"),
        Column("held_up_by", f"held up by ({name})", "long"),
        *(Column(f"{side}_{key}") for side in ("die", "mix") for key in KEYS),
    )
    rows: list[tuple[Cell, ...]] = []
    for group, what, die, mix in pairs(lines):
        rows.append(
            (
                group,
                what,
                known(die, "period_ticks"),
                known(mix, "period_ticks"),
                gained(die, mix, "period_ticks"),
                gained(die, mix, "energy_pj"),
                gap(die),
                gap(mix),
                None if mix is None else held_by(mix),
                *(known(side, key) for side in (die, mix) for key in KEYS),
            )
        )
    return Table(
        caption="The headline with one thing changed at a time.",
        columns=columns,
        rows=tuple(rows),
        grouped=True,
    )

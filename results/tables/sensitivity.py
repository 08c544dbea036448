"""The table of variations, from records to text. Pure functions."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from results.tables.headline import MONOLITHIC, gain, held_by, times
from results.text import grouped, markdown, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]

MISSING = "not run"


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


def _period(line: Line | None) -> str:
    if line is None:
        return MISSING
    if line["period_ticks"] is None:
        return str(line["why_stopped"])
    return grouped(line["period_ticks"])


def _gap(line: Line | None) -> str:
    return MISSING if line is None else percent(line["gap"])


def _gain(die: Line | None, mix: Line | None, key: str) -> float | None:
    if die is None or mix is None:
        return None
    return gain(die[key], mix[key])


def as_markdown(lines: Sequence[Line]) -> str:
    """Return the table in Markdown, one row a variation."""
    mixes = {
        line["about"]["side"] for line in lines if line["about"]["side"] != MONOLITHIC
    }
    name = ", ".join(sorted(mixes)) or "mix"
    header = (
        "varied",
        "to",
        "period of the die",
        f"period of {name}",
        "throughput gain",
        "energy gain",
        "gaps",
        f"held up by ({name})",
    )
    rows = [
        (
            group,
            what,
            _period(die),
            _period(mix),
            times(_gain(die, mix, "period_ticks")),
            times(_gain(die, mix, "energy_pj")),
            f"{_gap(die)}, {_gap(mix)}",
            MISSING if mix is None else held_by(mix),
        )
        for group, what, die, mix in pairs(lines)
    ]
    return markdown(header, rows)


def as_csv(lines: Sequence[Line]) -> str:
    """Return all runs as CSV, one line each, exact numbers."""
    names = (
        "claim",
        "period_ticks",
        "bound",
        "gap",
        "energy_pj",
        "seconds",
        "instance_sha256",
        "table_sha256",
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "name", "side", *names, "held_up_by"])
    for line in lines:
        about = line["about"]
        row = ["" if line[name] is None else line[name] for name in names]
        what = [about["group"], about["name"], about["side"]]
        writer.writerow([*what, *row, held_by(line)])
    return text.getvalue()

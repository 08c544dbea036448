"""The headline table, from records to text. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.headline import MONOLITHIC
from results.tables.lines import Line, gap, known, missing
from results.tables.table import Cell, Column, Missing, Table
from results.tables.table import as_text as cell_text
from results.text import clipped, columns, entry, grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

PAPER = {
    "throughput_gain": 2.2,
    "energy_gain": 1.9,
    "source": (
        "arXiv 2312.09401: GPT-2 and ResNet-50 on four chiplets, up to, over a "
        "monolithic output-stationary accelerator"
    ),
}
LEAST_HELD = 12
COLUMNS = (
    Column("variant", "package"),
    Column("period_ticks", "period", "count"),
    Column("throughput_gain", "throughput gain", "factor"),
    Column("energy_gain", "energy gain", "factor"),
    Column("gap", "gap", "share"),
    Column("claim", "claim"),
    Column("held_up_by", "held up by", "long"),
    Column("seconds", "seconds", "seconds"),
    Column("objective"),
    Column("tick_ps"),
    Column("bound"),
    Column("energy_pj"),
    Column("members"),
    Column("instance_sha256"),
    Column("table_sha256"),
)


def gain(base: float | None, row: float | None) -> float | None:
    """Return base/row, `None` where either is missing."""
    return None if base is None or row is None else base / row


def with_gains(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with throughput_gain and energy_gain over the die.

    Without a line for the die the gains are `None`.
    """
    die = next((line for line in lines if line["variant"] == MONOLITHIC), {})
    return [
        {
            **line,
            "throughput_gain": gain(die.get("period_ticks"), line["period_ticks"]),
            "energy_gain": gain(die.get("energy_pj"), line["energy_pj"]),
        }
        for line in lines
    ]


def held_by(line: Line) -> str | None:
    """Return what needs 99.9 % of the period: chiplets by number, others by name.

    `None`: there is no schedule.
    """
    explain = line["explain"]
    binding = explain["binding"] if explain else None
    if not binding:
        return None
    chiplets = [
        b["where"].removeprefix("chiplet ") for b in binding if b["rule"] == "compute"
    ]
    others = [f"{b['rule']} {b['where']}" for b in binding if b["rule"] != "compute"]
    if chiplets:
        others.insert(0, f"chiplet {', '.join(sorted(chiplets))}")
    return "; ".join(others)


def table(lines: Sequence[Line]) -> Table:
    """Return the rows of the table; a line without a schedule says why."""
    rows: list[tuple[Cell, ...]] = []
    for line in with_gains(lines):
        cells = (
            line["variant"],
            known(line, "period_ticks"),
            gained(line, "throughput_gain"),
            gained(line, "energy_gain"),
            gap(line),
            line["claim"],
            held_by(line),
            line["seconds"],
            line["objective"],
            line.get("tick_ps"),
            line["bound"],
            line["energy_pj"],
            " ".join(line["about"]["members"]),
            line["instance_sha256"],
            line["table_sha256"],
        )
        rows.append(cells)
    notes = [f"{label}: {text}" for label, text in facts(lines)] if lines else []
    return Table(
        caption="Gain over one large die, a mix of chiplets each.",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=tuple(notes),
    )


def gained(line: Line, key: str) -> Cell:
    """Return a gain, or why there is none."""
    if line[key] is not None:
        return float(line[key])
    return missing(line) if line["period_ticks"] is None else Missing("no die")


def _amount(value: float | None, unit: str) -> str:
    return "unlimited" if value is None else f"{value:g} {unit}"


def _totals(facts: Line) -> str:
    return (
        f"{grouped(facts['total_pes'])} PEs, "
        f"{facts['total_l2_bytes'] / 2**20:g} MiB of L2, "
        f"{_amount(facts['dram_total_gb_s'], 'GB/s')} of DRAM, "
        f"{facts['total_noc_bytes_per_cycle']:g} B/cycle of on-chip NoC"
    )


def _largest(lines: Sequence[Line]) -> str:
    """Return the largest unsplittable layer of every row, equal ones together."""
    rows: dict[int, list[str]] = {}
    for line in lines:
        if line["explain"] is None:
            continue
        ticks = line["explain"]["bounds"]["largest_layer_ticks"]
        rows.setdefault(ticks, []).append(line["variant"])
    return "; ".join(f"{grouped(n)} ({', '.join(x)})" for n, x in rows.items())


def facts(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Return what decides the comparison, as (label, text)."""
    first = lines[0]
    base = first["about"]["base"]
    dies = [x["facts"] for x in lines if x["variant"] == MONOLITHIC]
    die = next((some for some in dies if some), None)
    shares = base["dram_shares_gb_s"]
    each = ", ".join(_amount(share, "GB/s") for share in shares)
    found = [("package", _totals(base))]
    found.append(("one die", "not in these runs" if die is None else _totals(die)))
    found.append(
        (
            "DRAM",
            f"dram_total {_amount(base['dram_total_gb_s'], 'GB/s')}, "
            f"{base['dram_mode']}; interfaces at routers "
            f"{', '.join(map(str, base['dram_routers']))} with {each}: all that one "
            "chiplet can use is its own interface's",
        )
    )
    text = "max over layers of min over chiplets of d(l), in ticks: "
    found.append(("layers", text + _largest(lines)))
    found.append(("symmetry", first["about"]["symmetry"]))
    found.append(
        (
            "paper",
            f"{PAPER['throughput_gain']}x throughput and {PAPER['energy_gain']}x "
            f"energy efficiency ({PAPER['source']})",
        )
    )
    return found


def as_text(lines: Sequence[Line], width: int) -> str:
    """Return the table and its facts for a terminal of at least 64 columns."""
    header = ("package", "period", "gain", "energy", "gap", "claim", "s", "held up by")
    rows = [header]
    found = table(lines)
    for row in found.rows:
        name, period, speed, energy, left, claim, held, seconds = (
            cell_text(row[k], found.columns[k].kind) for k in found.shown()
        )
        rows.append((name, period, speed, energy, left, claim, seconds, held))
    right = frozenset({1, 2, 3, 4, 6})
    text = columns([row[:-1] for row in rows], right)
    if max(map(len, text)) + LEAST_HELD <= width:  # else what holds it up is left out
        text = columns(rows, right)
    out = [clipped(line, width) for line in text] + [""]
    for label, value in facts(lines):
        out += entry(label, value, width, indent=10)
    return "\n".join(out)

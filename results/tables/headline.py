"""The headline table, from records to text. Pure functions."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from results.text import clipped, columns, entry, grouped, markdown, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = dict[str, Any]

MONOLITHIC = "monolithic"
PAPER = {
    "throughput_gain": 2.2,
    "energy_gain": 1.9,
    "source": (
        "arXiv 2312.09401: GPT-2 and ResNet-50 on four chiplets, up to, over a "
        "monolithic output-stationary accelerator"
    ),
}
LEAST_HELD = 12
HEADER = (
    "package",
    "period",
    "throughput gain",
    "energy gain",
    "gap",
    "claim",
    "held up by",
    "seconds",
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


def held_by(line: Line) -> str:
    """Return what needs 99.9 % of the period: chiplets by number, others by name."""
    binding = line["explain"]["binding"]
    if not binding:
        return "–"
    chiplets = [
        b["where"].removeprefix("chiplet ") for b in binding if b["rule"] == "compute"
    ]
    others = [f"{b['rule']} {b['where']}" for b in binding if b["rule"] != "compute"]
    if chiplets:
        others.insert(0, f"chiplet {', '.join(sorted(chiplets))}")
    return "; ".join(others)


def times(value: float | None) -> str:
    """Return a factor: ``1.23x``."""
    return "–" if value is None else f"{value:.3f}x"


def cells(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the rows of the table; a line without a schedule says why."""
    return [
        (
            line["variant"],
            grouped(line["period_ticks"])
            if line["period_ticks"] is not None
            else line["why_stopped"],
            times(line["throughput_gain"]),
            times(line["energy_gain"]),
            percent(line["gap"]),
            line["claim"],
            held_by(line),
            f"{line['seconds']:.1f}",
        )
        for line in with_gains(lines)
    ]


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
        ticks = line["explain"]["bounds"]["largest_layer_ticks"]
        rows.setdefault(ticks, []).append(line["variant"])
    return "; ".join(f"{grouped(n)} ({', '.join(x)})" for n, x in rows.items())


def facts(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Return what decides the comparison, as (label, text)."""
    first = lines[0]
    base = first["about"]["base"]
    die = next((x["facts"] for x in lines if x["variant"] == MONOLITHIC), None)
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


def as_markdown(lines: Sequence[Line]) -> str:
    """Return the table and its facts in Markdown."""
    notes = "".join(f"- {label}: {text}\n" for label, text in facts(lines))
    return f"{markdown(HEADER, cells(lines))}\n{notes}"


def as_text(lines: Sequence[Line], width: int) -> str:
    """Return the table and its facts for a terminal of at least 64 columns."""
    header = ("package", "period", "gain", "energy", "gap", "claim", "s", "held up by")
    rows = [header]
    for row in cells(lines):
        name, period, speed, energy, gap, claim, held, seconds = row
        rows.append((name, period, speed, energy, gap, claim, seconds, held))
    right = frozenset({1, 2, 3, 4, 6})
    text = columns([row[:-1] for row in rows], right)
    if max(map(len, text)) + LEAST_HELD <= width:  # else what holds it up is left out
        text = columns(rows, right)
    out = [clipped(line, width) for line in text] + [""]
    for label, value in facts(lines):
        out += entry(label, value, width, indent=10)
    return "\n".join(out)


def as_csv(lines: Sequence[Line]) -> str:
    """Return everything the table shows as CSV, one line a row, exact numbers."""
    names = (
        "variant",
        "claim",
        "objective",
        "period_ticks",
        "tick_ps",
        "bound",
        "gap",
        "energy_pj",
        "throughput_gain",
        "energy_gain",
        "seconds",
        "instance_sha256",
        "table_sha256",
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "members", "held_up_by"])
    for line in with_gains(lines):
        row = ["" if line[name] is None else line[name] for name in names]
        writer.writerow([*row, " ".join(line["about"]["members"]), held_by(line)])
    return text.getvalue()

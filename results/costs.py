"""The cost table as text: one line a mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.text import clipped, columns, grouped

if TYPE_CHECKING:
    from costmodel.table import CostTable, Key, Mode


def _sorted(table: CostTable) -> list[tuple[Key, int, Mode]]:
    return [
        (key, k, mode)
        for key, modes in table.rows.items()
        for k, mode in enumerate(modes)
    ]


def as_text(table: CostTable, width: int) -> str:
    """Return the table for people: by model and chiplet type, one line a mode."""
    lines: list[str] = []
    groups: dict[tuple[str, str], list[tuple[Key, int, Mode]]] = {}
    for row in _sorted(table):
        key = row[0]
        groups.setdefault((key[0], key[2]), []).append(row)
    header = ("layer", "mode", "ticks", "util", "energy", "ws", "refetch")
    for (model, chiplet_type), rows in groups.items():
        lines.append(clipped(f"{model} on {chiplet_type}", width))
        cells = [header]
        for key, k, mode in rows:
            again = mode.rw_bytes + sum(mode.ri_bytes.values()) + 2 * mode.ro_bytes
            energy_pj = mode.energy_quanta * table.energy_quantum_fj / 1000
            cells.append(
                (
                    clipped(key[1], width - 50),
                    str(k),
                    grouped(mode.latency_ticks),
                    f"{100 * mode.utilisation:.0f} %" if mode.utilisation else "–",
                    f"{energy_pj / 1e6:.2f}",
                    f"{mode.ws_bytes / 1024:.0f}",
                    f"{again / 1024:.0f}",
                )
            )
        lines += columns(cells, frozenset(range(1, 7)))
    lines.append(f"ticks of {table.tick_ps} ps; energy in µJ; ws and refetch in KiB")
    return "\n".join(lines) + "\n"

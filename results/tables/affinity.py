"""Which layers like which dataflow, from their costs alone. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.statistics import shifted_geometric_mean
from results.tables.table import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.tables.lines import Line

ALL = "all"


def ratios(line: Line, entry: int) -> list[tuple[dict[str, object], float | None]]:
    """Return the layers with (second type)/(first type) of ticks (0) or energy (1).

    Above 1: the first type is better. `None`: not supported by one of them, or it
    costs nothing there.
    """
    first, second = kinds(line)
    found: list[tuple[dict[str, object], float | None]] = []
    for layer in line["layers"]:
        one, other = layer["kinds"].get(first), layer["kinds"].get(second)
        both = one is not None and other is not None and one[entry] > 0
        found.append((layer, other[entry] / one[entry] if both else None))
    return found


def kinds(line: Line) -> tuple[str, str]:
    """Return the first two chiplet types by name; one alone is compared with itself."""
    names = sorted({name for layer in line["layers"] for name in layer["kinds"]})
    return names[0], names[min(1, len(names) - 1)]


def table(lines: Sequence[Line]) -> Table:
    """Return, by scenario, model and operator, who is faster and by how much."""
    rows: list[tuple[Cell, ...]] = []
    names = ("first type", "second type")
    for line in lines:
        if line["layers"] is None:
            why = Missing(line["why_stopped"])
            rows.append((ALL, ALL, *([why] * 6), line["variant"]))
            continue
        names = kinds(line)
        ticks, energy = ratios(line, 0), ratios(line, 1)
        groups: dict[tuple[str, str], list[int]] = {}
        for k, (layer, _) in enumerate(ticks):
            groups.setdefault((str(layer["model"]), str(layer["op"])), []).append(k)
        groups[ALL, ALL] = list(range(len(ticks)))
        for (model, op), members in groups.items():
            some = [ticks[k][1] for k in members]
            sides = [x for x in some if x is not None]
            rows.append(
                (
                    model,
                    op,
                    len(members),
                    sum(x > 1 for x in sides),
                    sum(x < 1 for x in sides),
                    sum(x == 1 for x in sides),
                    _mean(some),
                    _mean([energy[k][1] for k in members]),
                    line["variant"],
                )
            )
    return Table(
        caption=f"Layers by operator: how many are faster on {names[0]} or {names[1]}, "
        "and what the other one costs in the mean.",
        columns=(
            Column("model", "model"),
            Column("op", "operator"),
            Column("layers", "layers", "count"),
            Column("faster_on_first", f"faster on {names[0]}", "count"),
            Column("faster_on_second", f"faster on {names[1]}", "count"),
            Column("equal", "equal", "count"),
            Column("ticks_ratio", f"time on {names[1]} / {names[0]}", "factor"),
            Column("energy_ratio", f"energy on {names[1]} / {names[0]}", "factor"),
            Column("scenario"),
        ),
        rows=tuple(rows),
        notes=(
            "fastest mode of every layer; energy of its thriftiest; geometric means",
        ),
        grouped=True,
    )


def _mean(values: list[float | None]) -> Cell:
    """Return the geometric mean (by a shift that is nothing), or how many lack."""
    mean = shifted_geometric_mean(values, 1e-12)
    lacking = sum(x is None for x in values)
    return Missing(f"{lacking} not supported") if mean is None else mean

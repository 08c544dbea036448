"""How proofs grow with layers, chiplets and models. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.tables.lines import Line, gap, known, limit_seconds, missing
from results.tables.solvers import to_proof
from results.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (
    Column("layers", "layers", "count"),
    Column("chiplets", "chiplets", "count"),
    Column("models", "models", "count"),
    Column("method", "engine"),
    Column("value", "period", "count"),
    Column("bound", "", "count"),
    Column("seconds_to_gap_0", "seconds to gap 0", "seconds"),
    Column("gap", "gap after the limit", "share"),
    Column("limit_seconds", "limit", "seconds"),
)


def table(lines: Sequence[Line]) -> Table:
    """Return time to gap 0 and the gap that is left, a size each."""
    rows: list[tuple[Cell, ...]] = []
    for line in lines:
        about = line["about"]
        proof = to_proof(line)
        rows.append(
            (
                about["layers"],
                about["chiplets"],
                about["models"],
                line["method"],
                known(line, "value"),
                line["bound"],
                missing(line) if proof is None else proof,
                gap(line),
                limit_seconds(line),
            )
        )
    return Table(
        caption="Chains of matrix products of growing size: time until the gap is 0, "
        "and the gap after the limit.",
        columns=COLUMNS,
        rows=tuple(rows),
        grouped=True,
    )

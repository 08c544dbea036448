"""How proofs grow with layers, chiplets and models. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.tables.lines import (
    NOT_RUN,
    Line,
    bounds_of,
    gap,
    known,
    limit_seconds,
    missing,
    same_problem,
)
from results.tables.solvers import to_proof
from results.tables.table import Cell, Column, Table
from results.text import NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = ("layers", "chiplets", "models")
LEFT_OUT = (
    "not run: open after the shorter limit, and none of the sizes that the grid names "
    "for the longer one"
)


def table(lines: Sequence[Line]) -> Table:
    """Return time to gap 0 and the gap that is left after each limit, a size each.

    Period and bound are the best of all runs of a size; the time is that of its run
    with the largest limit.
    """
    limits = list(dict.fromkeys(map(limit_seconds, in_time(lines))))
    bounds, rows = bounds_of(lines), list[tuple[Cell, ...]]()
    for runs in by_size(lines):
        last = runs[-1]
        best = min(runs, key=lambda x: (x["value"] is None, x["value"] or 0))
        proof = to_proof(last)
        rows.append(
            (
                *(last["about"][key] for key in SIZE),
                last["method"],
                known(best, "value"),
                bounds.get(same_problem(last)),
                missing(last) if proof is None else proof,
                *(_gap_after(limit, runs) for limit in limits),
            )
        )
    return Table(
        caption="Chains of matrix products of growing size: time until the gap is 0, "
        "and the gap after each limit.",
        columns=(
            *(Column(key, key, "count") for key in SIZE),
            Column("method", "engine"),
            Column("value", "period", "count"),
            Column("bound", "", "count"),
            Column("seconds_to_gap_0", "seconds to gap 0", "seconds"),
            *(
                Column(f"gap_after_{said}", f"gap after {said} s", "share")
                for said in map(_said, limits)
            ),
        ),
        rows=tuple(rows),
        notes=(LEFT_OUT,) if any(NOT_RUN in row for row in rows) else (),
        grouped=True,
    )


def in_time(lines: Sequence[Line]) -> list[Line]:
    """Return lines by their limits, those without one last."""
    limits = [(line, limit_seconds(line)) for line in lines]
    limits.sort(key=lambda x: (x[1] is None, x[1] or 0.0))
    return [line for line, _ in limits]


def by_size(lines: Sequence[Line]) -> list[list[Line]]:
    """Return the runs of every size and engine, in order of appearance.

    The runs of one are in the order of their limits.
    """
    found: dict[tuple[object, ...], list[Line]] = {}
    for line in lines:
        about = line["about"]
        key = (*(about[key] for key in SIZE), line["method"], line["table_sha256"])
        found.setdefault(key, []).append(line)
    return [in_time(runs) for runs in found.values()]


def _gap_after(limit: float | None, runs: Sequence[Line]) -> Cell:
    """Return the gap after a limit; what was proved before it stays so."""
    for line in runs:
        if limit_seconds(line) == limit or to_proof(line) is not None:
            return gap(line)
    return NOT_RUN


def _said(limit: float | None) -> str:
    return NONE if limit is None else f"{limit:g}"

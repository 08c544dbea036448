"""A cost table as CSV, one line a mode: other people's costs in, ours out.

`to_csv` writes every field of a table, `load_csv` reads what it wrote back to an
equal table, and files that say less or say it in other units. What the columns
mean stands in README.md.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from costmodel.costs_rows import COLUMNS, Reader
from costmodel.table import CostTable, TableError
from instances.load import instance_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.schema import Instance


def to_csv(table: CostTable) -> str:
    """Return all of a table; modes are numbered from 0."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    every = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for key, modes in table.rows.items():
        for number, mode in enumerate(modes):
            fields = {
                **{name: getattr(mode, name) for name in COLUMNS[len(key) + 1 :]},
                "ri_bytes": _joined(mode.ri_bytes),
                "holds_weights": str(mode.holds_weights).lower(),
                "accesses": _joined(mode.accesses),
            }
            cells = [*key, str(number), *map(str, fields.values())]
            # Not every Python quotes a lone carriage return by itself.
            (every if "\r" in "".join(cells) else writer).writerow(cells)
    return text.getvalue()


def load_csv(path: str | Path, instance: Instance) -> CostTable:
    """Return the cost table of an instance that a CSV file gives.

    Raises
    ------
    TableError
        If it is not one; lists all faults, each with file and line.
    OSError
        If it cannot be read.
    """
    try:
        # Bytes, so that no line end inside a quoted cell is translated.
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError([f"{path}: not UTF-8 text: {error.reason}"]) from None
    return from_csv(text, instance, str(path))


def from_csv(text: str, instance: Instance, file: str = "costs") -> CostTable:
    """Return the cost table of an instance that the text of a CSV file gives.

    Parameters
    ----------
    file
        Named in the faults.

    Raises
    ------
    TableError
        As `load_csv`.
    """
    reader = Reader(instance, file)
    rows = reader.rows(text)
    faults = reader.faults + (_uncovered(instance, reader) if reader.named else [])
    if faults:
        raise TableError(faults)
    return CostTable(
        instance_sha256=instance_sha256(instance),
        tick_ps=instance.tick_ps,
        energy_quantum_fj=instance.energy_quantum_fj,
        rows={key: tuple(modes) for key, modes in rows.items()},
    )


def _joined(amounts: Mapping[str, int]) -> str:
    """``name=number;…``; in names ``%`` and ``;`` are written %25 and %3B."""
    return ";".join(
        f"{name.replace('%', '%25').replace(';', '%3B')}={number}"
        for name, number in amounts.items()
    )


def _uncovered(instance: Instance, reader: Reader) -> list[str]:
    """Return a fault for every layer without a row that the package can use.

    A row that names an unknown type is a fault already, and may have been meant.
    """
    used = {chiplet.type for chiplet in instance.package.chiplets}
    return [
        f"{reader.file}: layer: got no row of {model.name}/{layer.name} for a chiplet "
        f"type of the package, expected one for any of {', '.join(sorted(used))}"
        for model in instance.models
        for layer in model.layers
        if not reader.named.get((model.name, layer.name), set()) & {*used, None}
    ]

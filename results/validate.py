"""Both comparisons with published figures: ``python -m results.validate``.

Costs them anew and writes `results/paper/validation.md`, whose text is written by
hand and whose tables stand between markers, and, of each table, CSV and LaTeX.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from formulation.certificate import write_atomically
from results.tables.table import latex, markdown
from results.validation import eyeriss, nvdla, tables

if TYPE_CHECKING:
    from results.tables.table import Table

FOLDER = Path(__file__).parent / "paper"
PAGE = "validation.md"


def costed() -> tuple[list[eyeriss.Row], list[nvdla.Costed], list[nvdla.Costed]]:
    """Cost both comparisons anew; NVDLA also with the mapper's own tilings."""
    return eyeriss.rows(), nvdla.costed(), nvdla.costed(by_primer=False)


def tables_of(
    layers: list[eyeriss.Row], sizes: list[nvdla.Costed], own: list[nvdla.Costed]
) -> dict[str, Table]:
    """Return both tables, by the names of their files."""
    return {
        "validation-eyeriss": tables.eyeriss_table(layers),
        "validation-nvdla": tables.nvdla_table(sizes, own),
    }


def texts(
    page: str,
    layers: list[eyeriss.Row],
    sizes: list[nvdla.Costed],
    own: list[nvdla.Costed],
) -> dict[str, str]:
    """Return file name -> text: the page with its tables, CSV, LaTeX.

    Raises
    ------
    ValueError
        If the page lacks the markers of a table.
    """
    found = {
        "validation-eyeriss.csv": tables.eyeriss_csv(layers),
        "validation-nvdla.csv": tables.nvdla_csv(sizes, own),
    }
    for name, table in tables_of(layers, sizes, own).items():
        page = between(page, name.removeprefix("validation-"), markdown(table))
        found[f"{name}.tex"] = latex(table)
    return {PAGE: page, **found}


def between(page: str, name: str, table: str) -> str:
    """Return the page with this table between its markers.

    Raises
    ------
    ValueError
        If the markers are not there exactly once.
    """
    start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
    pattern = f"{re.escape(start)}.*?{re.escape(end)}"
    filled, count = re.subn(
        pattern, lambda _: f"{start}{table}{end}", page, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{PAGE}: got {count} tables {name!r}, expected 1")
    return filled


@click.command()
def main() -> None:
    """Cost both comparisons anew and write their tables."""
    page = (FOLDER / PAGE).read_text(encoding="utf-8")
    for name, text in texts(page, *costed()).items():
        write_atomically(FOLDER / name, text)
        click.echo(FOLDER / name)


if __name__ == "__main__":
    main()

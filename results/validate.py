"""Both comparisons with published figures: ``python -m results.validate``.

Costs them anew and writes `results/paper/validation.md`, whose text is written by
hand and whose tables stand between markers, and two CSV files.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from formulation.certificate import write_atomically
from results.validation import eyeriss, nvdla, tables

FOLDER = Path(__file__).parent / "paper"
PAGE = "validation.md"


def texts(page: str) -> dict[str, str]:
    """Return file name -> text: the page with its tables, the CSV files.

    Raises
    ------
    ValueError
        If the page lacks the markers of a table.
    """
    sizes, layers = nvdla.costed(), eyeriss.rows()
    page = between(page, "eyeriss", tables.eyeriss_markdown(layers))
    return {
        PAGE: between(page, "nvdla", tables.nvdla_markdown(sizes)),
        "validation-eyeriss.csv": tables.eyeriss_csv(layers),
        "validation-nvdla.csv": tables.nvdla_csv(sizes),
    }


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
    for name, text in texts((FOLDER / PAGE).read_text(encoding="utf-8")).items():
        write_atomically(FOLDER / name, text)
        click.echo(FOLDER / name)


if __name__ == "__main__":
    main()

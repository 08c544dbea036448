"""Committed runs to tables and figures, one command: ``make paper``.

Everything in `results/paper` but the runs (``*.jsonl``) and `validation.md`'s prose is
made here. A table or figure is a file with a pure function over the lines of a study,
and a line below.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from formulation.certificate import write_atomically
from results import validate
from results.figures import affinity as affinity_figure
from results.figures import anytime, profile, style
from results.figures import chiplets as chiplets_figure
from results.figures import front as front_figure
from results.figures import gaps as gaps_figure
from results.figures import headline as headline_figure
from results.figures import scaling as scaling_figure
from results.figures import sensitivity as sensitivity_figure
from results.record import ROOT, parse_lines
from results.tables import (
    affinity,
    chiplets,
    front,
    gaps,
    headline,
    modes,
    scaling,
    sensitivity,
    solvers,
    strength,
)
from results.tables import document as paper_document
from results.tables.table import as_csv, latex, markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from results.figures.style import Drawing
    from results.tables.table import Table

Line = dict[str, Any]
Lines = dict[str, list[Line]]

FOLDER = Path(__file__).parent / "paper"
PAGES = (ROOT / "README.md", ROOT / "costmodel" / "README.md")
# name → (study, function of its lines)
TABLES: dict[str, tuple[str, Callable[[Sequence[Line]], Table]]] = {
    "headline": ("headline", headline.table),
    "sensitivity": ("sensitivity", sensitivity.table),
    "modes": ("modes", modes.table),
    "gaps": ("gaps", gaps.table),
    "solvers": ("solvers", solvers.table),
    "strength": ("strength", strength.table),
    "front": ("front", front.table),
    "chiplets": ("headline", chiplets.table),
    "affinity": ("affinity", affinity.table),
    "scaling": ("scaling", scaling.table),
}
FIGURES: dict[str, tuple[str, Callable[[Sequence[Line]], Drawing | None]]] = {
    "headline": ("headline", headline_figure.figure),
    "sensitivity": ("sensitivity", sensitivity_figure.figure),
    "gaps": ("gaps", gaps_figure.figure),
    "profile": ("gaps", profile.figure),
    "anytime": ("gaps", anytime.figure),
    "front": ("front", front_figure.figure),
    "chiplets": ("headline", chiplets_figure.figure),
    "affinity": ("affinity", affinity_figure.figure),
    "scaling": ("scaling", scaling_figure.figure),
}
NOT_YET = "*Not measured yet.*\n"


class MarkerError(ValueError):
    """A README without the markers of a table, or with a table nobody makes."""


def read(folder: Path = FOLDER) -> Lines:
    """Return study → its lines, of the studies whose runs are there.

    Raises
    ------
    RecordError
        If a file is not one of runs.
    """
    found = {}
    for study in dict.fromkeys(
        study for study, _ in (*TABLES.values(), *FIGURES.values())
    ):
        path = folder / f"{study}.jsonl"
        if path.exists():
            found[study] = parse_lines(path.read_text(encoding="utf-8"), str(path))
    return found


def tables(lines: Lines) -> dict[str, Table]:
    """Return every table whose runs are there."""
    return {
        name: make(lines[study])
        for name, (study, make) in TABLES.items()
        if study in lines
    }


def texts(made: Mapping[str, Table]) -> dict[str, str]:
    """Return file name → text: three of every table, and a document with them all."""
    found = {}
    for name, table in made.items():
        found[f"{name}.md"] = markdown(table)
        found[f"{name}.csv"] = as_csv(table)
        found[f"{name}.tex"] = latex(table)
    return found


def drawings(lines: Lines) -> dict[str, Drawing]:
    """Return every figure whose runs are there and hold something to draw."""
    found = {}
    for name, (study, make) in FIGURES.items():
        drawing = make(lines[study]) if study in lines else None
        if drawing is not None:
            found[name] = drawing
    return found


def filled(readme: str, found: Mapping[str, str]) -> str:
    """Return a README with every table between its markers.

    Raises
    ------
    MarkerError
        If a marker names no table.
    """

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in TABLES:
            known = ", ".join(TABLES)
            raise MarkerError(f"table {name!r}: expected one of {known}")
        text = found.get(f"{name}.md", NOT_YET)
        return f"<!-- table: {name} -->\n{text}<!-- end -->"

    pattern = r"<!-- table: (?P<name>[\w-]+) -->\n.*?<!-- end -->"
    return re.sub(pattern, fill, readme, flags=re.DOTALL)


def write(folder: Path = FOLDER, pages: Sequence[Path] = PAGES) -> list[Path]:
    """Write every table, every figure and the READMEs; return what was written."""
    lines = read(folder)
    made, drawn = tables(lines), drawings(lines)
    captions = {name: drawing.caption for name, drawing in drawn.items()}
    found = texts(made)
    costed = validate.costed()
    every = {**made, **validate.tables_of(*costed)}
    found["paper.tex"] = paper_document.document(every, captions)
    page = (folder / validate.PAGE).read_text(encoding="utf-8")
    found |= validate.texts(page, *costed)
    written = []
    for name, text in found.items():
        write_atomically(folder / name, text)
        written.append(folder / name)
    for name, drawing in drawn.items():
        for ending in style.FORMATS:
            path = folder / f"{name}{ending}"
            style.save(drawing, path)
            written.append(path)
    for readme in pages:
        write_atomically(readme, filled(readme.read_text(encoding="utf-8"), found))
    return [*written, *pages]


@click.command()
def main() -> None:
    """Make all tables and figures anew."""
    for path in write():
        click.echo(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

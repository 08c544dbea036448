"""Committed runs to committed tables, and into the README. One command: `write`.

``python -m results.tables`` writes them; a test compares byte for byte.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from formulation.certificate import write_atomically
from results.record import ROOT, parse_lines
from results.tables import headline, sensitivity

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PAPER = Path(__file__).parent.parent / "paper"
README = ROOT / "README.md"
MODULES: dict[str, tuple[Callable[[Any], str], Callable[[Any], str]]] = {
    "headline": (headline.as_markdown, headline.as_csv),
    "sensitivity": (sensitivity.as_markdown, sensitivity.as_csv),
}
NOT_YET = "*Not measured yet.*\n"


class MarkerError(ValueError):
    """A README without the markers of a table, or with a table nobody makes."""


def tables(folder: Path = PAPER) -> dict[str, str]:
    """Return file name -> text of every table whose runs are there."""
    found = {}
    for name, (as_markdown, as_csv) in MODULES.items():
        runs = folder / f"{name}.jsonl"
        if runs.exists():
            lines = parse_lines(runs.read_text(encoding="utf-8"), str(runs))
            found[f"{name}.md"] = as_markdown(lines)
            found[f"{name}.csv"] = as_csv(lines)
    return found


def filled(readme: str, found: dict[str, str]) -> str:
    """Return a README with every table between its markers.

    Raises
    ------
    MarkerError
        If a marker names no table.
    """

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in MODULES:
            known = ", ".join(MODULES)
            raise MarkerError(f"table {name!r}: expected one of {known}")
        text = found.get(f"{name}.md", NOT_YET)
        return f"<!-- table: {name} -->\n{text}<!-- end -->"

    pattern = r"<!-- table: (?P<name>[\w-]+) -->\n.*?<!-- end -->"
    return re.sub(pattern, fill, readme, flags=re.DOTALL)


def write(folder: Path = PAPER, readme: Path = README) -> list[Path]:
    """Write every table and the README; return what was written."""
    found = tables(folder)
    written = []
    for name, text in found.items():
        write_atomically(folder / name, text)
        written.append(folder / name)
    write_atomically(readme, filled(readme.read_text(encoding="utf-8"), found))
    return [*written, readme]

"""Rows to Markdown, CSV and LaTeX: one table, three texts. Pure functions.

A cell is a value in the unit of its column, a text, `None` where there is nothing to
say, or `Missing` with the reason why a value is not there. How it is written is said
by the column's kind.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from results.text import NONE, grouped, percent


@dataclass(frozen=True, slots=True)
class Missing:
    """A value that is not there, and why: ``time limit``, ``not run``."""

    reason: str


Cell = int | float | str | None | Missing

# kind → decimals in LaTeX; what is no key of this is text.
NUMBERS = {"count": 0, "factor": 3, "share": 2, "seconds": 1, "number": 3}
LONG, RIGHT = "long", "right"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Parameters
    ----------
    key
        Its name in CSV.
    head
        Its title for people; "": in CSV only.
    kind
        ``text``, ``right`` (text, aligned so), ``long`` (text that is broken into
        lines), ``count`` (whole), ``factor`` (1.002x), ``share`` (of 1, shown in
        percent), ``seconds``, ``number`` (three digits).
    """

    key: str
    head: str = ""
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Parameters
    ----------
    caption
        What it shows, one sentence or two.
    rows
        A cell a column.
    notes
        Shown below it, except in CSV.
    grouped
        Whether rows with the same first cell are set as a group.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    grouped: bool = False

    def __post_init__(self) -> None:
        """Refuse rows that do not fit.

        Raises
        ------
        ValueError
            Naming the first row with another number of cells than there are columns.
        """
        for k, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                expected = len(self.columns)
                raise ValueError(f"row {k}: got {len(row)} cells, expected {expected}")

    def shown(self) -> tuple[int, ...]:
        """Return the numbers of the columns that people see."""
        return tuple(k for k, column in enumerate(self.columns) if column.head)


def as_text(cell: Cell, kind: str) -> str:
    """Return a cell for people: grouped digits, ``1.002x``, ``0.5 %``."""
    if isinstance(cell, Missing):
        return cell.reason
    if cell is None:
        return NONE
    if isinstance(cell, str):
        return cell
    if kind == "count":
        return grouped(int(cell))
    if kind == "factor":
        return f"{cell:.3f}x"
    if kind == "share":
        return percent(cell)
    return f"{cell:.1f}" if kind == "seconds" else f"{cell:.3g}"


def _changes(table: Table) -> list[bool]:
    """Whether a row begins a group, a row each."""
    firsts = [row[0] for row in table.rows]
    return [k == 0 or firsts[k - 1] != first for k, first in enumerate(firsts)]


def markdown(table: Table) -> str:
    """Return the table in Markdown, its notes below it as a list."""
    shown = table.shown()
    heads = [table.columns[k].head for k in shown]
    aligned = [
        "---:" if table.columns[k].kind in (*NUMBERS, RIGHT) else "---" for k in shown
    ]
    rows = [heads, aligned]
    for row, begins in zip(table.rows, _changes(table), strict=True):
        cells = [as_text(row[k], table.columns[k].kind) for k in shown]
        if table.grouped and not begins:
            cells[0] = ""
        rows.append([cell.replace("|", r"\|") for cell in cells])
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"{text}\n{notes}" if notes else text


def as_csv(table: Table) -> str:
    """Return the table as CSV: every column, all digits; what is missing says why."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow(
            [cell.reason if isinstance(cell, Missing) else cell for cell in row]
        )
    return text.getvalue()


SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "µ": r"\textmu{}",
    "…": r"\dots{}",
    "é": r"\'e",
    "\N{NO-BREAK SPACE}": "~",
}


def escaped(text: str) -> str:
    """Return a text as LaTeX sets it literally.

    Raises
    ------
    ValueError
        For a character outside ASCII that there is no rule for.
    """
    found = "".join(SPECIAL.get(letter, letter) for letter in text)
    strange = sorted({letter for letter in found if not letter.isascii()})
    if strange:
        raise ValueError(f"{text!r}: no LaTeX is known for {strange}")
    return found


def _number(cell: float, kind: str) -> tuple[str, str] | None:
    """Return a number's digits before and after the point; `None`: it shows as 0."""
    shown = 100 * cell if kind == "share" else cell
    text = f"{shown:.{NUMBERS[kind]}f}"
    if float(text) == 0 and cell != 0:
        return None
    whole, _, rest = text.partition(".")
    return whole, rest


def _latex_cell(cell: Cell, kind: str) -> str:
    if kind not in NUMBERS or cell is None or isinstance(cell, str | Missing):
        text = escaped(as_text(cell, kind))
        return f"{{{text}}}" if kind in NUMBERS else text
    digits = _number(cell, kind)
    if digits is None:
        least = f"{10.0 ** -NUMBERS[kind]:.{NUMBERS[kind]}f}"
        return f"{{$<${least}}}"
    return ".".join(part for part in digits if part)


def _letter(table: Table, k: int) -> str:
    """Return the column's letter in a tabular: l, p or S with room for its numbers."""
    kind = table.columns[k].kind
    if kind == LONG:
        return r">{\raggedright\arraybackslash}p{0.18\linewidth}"
    if kind not in NUMBERS:
        return "r" if kind == RIGHT else "l"
    numbers = [
        digits
        for row in table.rows
        if isinstance(cell := row[k], int | float)
        and (digits := _number(cell, kind)) is not None
    ]
    before = max((len(whole) for whole, _ in numbers), default=1)
    after = max((len(rest) for _, rest in numbers), default=0)
    return f"S[table-format={before}.{after}]"


def latex(table: Table) -> str:
    """Return a tabular for booktabs and siunitx; caption and notes as comments."""
    shown = table.shown()
    units = {"share": r" (\%)", "factor": r" ($\times$)", "seconds": " (s)"}
    heads = []
    for k in shown:
        column = table.columns[k]
        head = escaped(column.head) + units.get(column.kind, "")
        heads.append(f"{{{head}}}" if column.kind in NUMBERS else head)
    lines = [f"% {line}" for line in (table.caption, *table.notes)]
    letters = [_letter(table, k) for k in shown]
    lines.append(r"\begin{tabular}{" + " ".join(["@{}", *letters, "@{}"]) + "}")
    lines += [r"\toprule", " & ".join(heads) + r" \\", r"\midrule"]
    for n, (row, begins) in enumerate(zip(table.rows, _changes(table), strict=True)):
        cells = [_latex_cell(row[k], table.columns[k].kind) for k in shown]
        if table.grouped and not begins:
            cells[0] = ""
        if table.grouped and begins and n:
            lines.append(r"\addlinespace")
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"

"""Text for people: numbers with units, columns, bars. Pure functions."""

from __future__ import annotations

import re
import shutil
import textwrap
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NARROW, WIDE = 48, 80
NONE = "–"
NEARLY = Fraction(999, 1000)  # from there on something is full
GLUE = "\N{NO-BREAK SPACE}"
_PREFIXES = ((1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))
_LARGE = ((1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))


def screen_width() -> int:
    """Return the columns to use: those of the terminal, between 48 and 80."""
    return max(NARROW, min(WIDE, shutil.get_terminal_size((WIDE, 24)).columns))


def grouped(number: int | None) -> str:
    """Return an integer in groups of three digits; – for none."""
    return NONE if number is None else f"{number:,}".replace(",", " ")


def with_unit(value: float | None, unit: str) -> str:
    """Return four digits and an SI prefix: ``2.469 ms``; – for none."""
    if value is None:
        return NONE
    if value == 0:
        return f"0 {unit}"
    scale, prefix = scale_of(value)
    return f"{value / scale:.4g} {prefix}{unit}"


def scale_of(value: float) -> tuple[float, str]:
    """Return the SI prefix of a number: (what it stands for, its letter)."""
    found = _PREFIXES[0]
    for step, name in (*_PREFIXES, *_LARGE):
        if abs(value) >= step:
            found = step, name
    return found


def seconds_of(ticks: int, tick_ps: int) -> float:
    """Return ticks in seconds."""
    return ticks * tick_ps / 1e12


def ticks_text(ticks: int, tick_ps: int) -> str:
    """Return ``1 234 ticks = 2.468 µs``."""
    time = with_unit(seconds_of(ticks, tick_ps), "s")
    return f"{grouped(ticks)} ticks = {time}"


def percent(fraction: float | None, digits: int = 3) -> str:
    """Return a share in percent; exactly ``0 %`` only for 0, – for none."""
    if fraction is None:
        return NONE
    if fraction == 0:
        return "0 %"
    least = 10.0**-digits
    shown = 100 * fraction
    return f"< {least:.{digits}f} %" if 0 < shown < least else f"{shown:.{digits}g} %"


def bar(fraction: float, width: int) -> str:
    """Return a bar of `width` columns; a full one only for a full share."""
    full = min(width, int(fraction * width + 0.5))
    if fraction < 1:
        full = min(full, width - 1)
    if fraction > 0:
        full = max(full, 1)
    return "█" * full + "·" * (width - full)


def load_bars(shares: Sequence[tuple[str, float]], width: int) -> list[str]:
    """Return a bar and percents for every (name, share)."""
    longest = max(len(name) for name, _ in shares)
    named = min(longest, width // 2)
    room = width - named - 2 - 8
    return [
        f"{clipped(name, named):<{named}}  {bar(share, room)} {100 * share:5.1f} %"
        for name, share in shares
    ]


def columns(rows: Sequence[Sequence[str]], right: frozenset[int]) -> list[str]:
    """Return aligned lines, two spaces between columns.

    Parameters
    ----------
    right
        The columns that are aligned on the right.
    """
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def entry(label: str, text: str, width: int, indent: int = 13) -> list[str]:
    """Return ``label  text``, wrapped under the text, never inside a word.

    A number stays together with its groups of digits and its unit.
    """
    glued = re.sub(r"(?<=\d) (?=\S)", GLUE, text)
    lines = textwrap.wrap(
        glued,
        width,
        initial_indent=label.ljust(indent) if len(label) < indent else f"{label} ",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(GLUE, " ") for line in lines] or [label]


def clipped(text: str, width: int) -> str:
    """Return at most `width` columns of a text, with … where it was cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def layers_text(names: list[tuple[int, str]]) -> str:
    """Return ``a … b, c``: runs of consecutive layers by first and last name."""
    pieces = []
    for _, group in groupby(enumerate(names), key=lambda pair: pair[1][0] - pair[0]):
        run = [name for _, (_, name) in group]
        pieces.append(run[0] if len(run) == 1 else f"{run[0]} … {run[-1]}")
    return ", ".join(pieces)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is aligned on the left."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *rows))

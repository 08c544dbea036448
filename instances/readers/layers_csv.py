"""A plain list of layers as CSV: one layer a line, MAESTRO's letters.

K and C are filters and input channels, R and S filter rows and columns, Y and X
rows and columns, of the output or (`input_sizes`) of the padded input. A GEMM has
K outputs, C summed products per output, and Y (times X) rows of tokens. With
groups, K and C are those of one group. Of a depthwise layer C counts the channels
and K says nothing: it is 1 or C, and groups, if given, is 1 or C.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError, suggestion, word_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

REQUIRED = ("name", "type", "K", "C", "Y", "X")
DEFAULT_ONE = ("R", "S", "stride", "groups", "batch")
COLUMNS = ("name", "type", "K", "C", "R", "S", "Y", "X", "stride", "groups", "batch")
SIZES = COLUMNS[2:]
TYPES = {
    "CONV": "CONV",
    "DSCONV": "DSCONV",
    "GEMM": "GEMM",
    # The same GEMM, as lists of MAESTRO's runs name it: tokens on Y, tokens on a
    # grid, one token.
    "GEMM_Y": "GEMM",
    "GEMM_YX": "GEMM",
    "FC": "GEMM",
}
MOST = 2**45
"""MACs and elements of one group and sample stay below this: 64-bit counts hold."""


@dataclass(frozen=True, slots=True)
class PlainLayer:
    """One line of the list.

    Parameters
    ----------
    name
        A label; names may repeat.
    kind
        ``CONV``, ``DSCONV`` (depthwise) or ``GEMM``.
    k, c
        Filters and input channels of one group; depthwise: k = 1, c channels.
    r, s
        Filter rows and columns.
    y, x
        *Input* rows and columns, padding included.
    stride
        Of both axes.
    groups
        Groups that share nothing; 1 if depthwise.
    batch
        Samples.
    line
        Where it was read.
    """

    name: str
    kind: str
    k: int
    c: int
    r: int
    s: int
    y: int
    x: int
    stride: int
    groups: int
    batch: int
    line: int

    @property
    def oy(self) -> int:
        """Output rows; input rows to spare are dropped."""
        return (self.y - self.r) // self.stride + 1

    @property
    def ox(self) -> int:
        """Output columns; input columns to spare are dropped."""
        return (self.x - self.s) // self.stride + 1

    @property
    def repeats(self) -> int:
        """Runs of one group and one sample."""
        return self.groups * self.batch

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all groups and samples."""
        per_run = self.k * self.c * self.r * self.s * self.oy * self.ox
        return per_run * self.repeats


def read_layers(path: Path, *, input_sizes: bool = False) -> tuple[PlainLayer, ...]:
    """Read a list of layers.

    Parameters
    ----------
    path
        A CSV file with a header. Columns in any order and case: ``name``, ``type``,
        ``K``, ``C``, ``R``, ``S``, ``Y``, ``X``, ``stride``, ``groups``, ``batch``.
        The last three, and R and S of a GEMM, are 1 where they are absent or empty.
    input_sizes
        Y and X are padded input sizes (MAESTRO's convention), not output sizes.

    Raises
    ------
    InstanceError
        With all faults of the file, each with its line.
    """
    file = str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            rows = [
                (reader.line_num, row) for row in reader if any(map(str.strip, row))
            ]
    except OSError as error:
        fault = Fault("", f"{error.strerror}", "a file to read", file)
        raise InstanceError([fault]) from error
    except UnicodeDecodeError as error:
        fault = Fault("", "no UTF-8 text", "a CSV file in UTF-8", file)
        raise InstanceError([fault]) from error
    except csv.Error as error:
        raise InstanceError([Fault("", f"{error}", "a CSV file", file)]) from error
    if not rows:
        raise InstanceError([Fault("", "no header", "a list of layers", file)])
    faults: list[Fault] = []
    header, width = _header(rows[0], file, faults), len(rows[0][1])
    if any(name not in header for name in REQUIRED):
        raise InstanceError(faults)  # the lines would only say it again
    layers = [
        layer
        for line, row in rows[1:]
        if (layer := _layer(header, width, row, input_sizes, file, line, faults))
    ]
    if len(rows) == 1:
        faults.append(Fault("", "a header alone", "at least one layer", file))
    if faults:
        raise InstanceError(faults)
    return tuple(layers)


def _header(
    row: tuple[int, list[str]], file: str, faults: list[Fault]
) -> dict[str, int]:
    """Column of each known name; faults for the others, twice-given and missing."""
    line, cells = row
    if len(cells) == 1 and ";" in cells[0]:
        faults.append(Fault("header", "semicolons", "commas between cells", file, line))
        return {}
    known = {name.casefold(): name for name in COLUMNS}
    found: dict[str, int] = {}
    for place, cell in enumerate(cells):
        name = known.get(cell.strip().casefold())
        if name is None:
            expected = f"a column: {suggestion(cell, COLUMNS)}"
            faults.append(Fault("header", repr(cell), expected, file, line))
        elif name in found:
            faults.append(Fault("header", f"{name!r} twice", "one", file, line))
        else:
            found[name] = place
    for name in REQUIRED:
        if name not in found:
            faults.append(Fault("header", f"no column {name!r}", "one", file, line))
    return found


def _layer(
    header: dict[str, int],
    width: int,
    row: Sequence[str],
    input_sizes: bool,
    file: str,
    line: int,
    faults: list[Fault],
) -> PlainLayer | None:
    """Return the layer of a line, or note what is wrong with it."""
    before = len(faults)

    def fault(column: str, got: str, expected: str) -> None:
        faults.append(Fault(column, got, expected, file, line))

    def cell(column: str) -> str:
        return row[header[column]].strip() if column in header else ""

    if len(row) != width:
        fault("", f"{len(row)} cells", f"{width}, as the header has")
        return None
    kind = TYPES.get(cell("type").upper(), "")
    if not kind:
        fault("type", repr(cell("type")), word_of(cell("type").upper(), TYPES))
    if not cell("name"):
        fault("name", "nothing", "a name")
    if not cell("name").isprintable():
        fault("name", repr(cell("name")), "a name of one line")
    sizes: dict[str, int] = {}
    for column in SIZES:
        text = cell(column)
        optional = column in DEFAULT_ONE and (column not in "RS" or kind == "GEMM")
        if not text and optional:
            sizes[column] = 1
        elif not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**31):
            got = text if text.isdecimal() else repr(text)
            fault(column, got if text else "nothing", "an integer from 1 to 2**31 - 1")
        else:
            sizes[column] = int(text)
    if len(faults) > before or not kind:
        return None
    return _checked(cell("name"), kind, sizes, input_sizes, line, fault)


def _checked(
    name: str,
    kind: str,
    sizes: dict[str, int],
    input_sizes: bool,
    line: int,
    fault: Callable[[str, str, str], None],
) -> PlainLayer | None:
    """Return the layer of readable cells, or note how they contradict each other."""
    k, c, r, s, y, x, stride, groups, batch = (sizes[column] for column in SIZES)
    wrong = False
    if kind == "DSCONV":
        for column, value in (("K", k), ("groups", groups)):
            if value not in (1, c):
                fault(column, str(value), f"1 or C = {c} of a depthwise layer")
                wrong = True
        k = groups = 1
    if not input_sizes:
        y, x = (y - 1) * stride + r, (x - 1) * stride + s
    for column, size, filter_size in (("Y", y, r), ("X", x, s)):
        if size < filter_size:
            axis = "R" if column == "Y" else "S"
            expected = f"at least {axis} = {filter_size}: the filter is larger"
            fault(column, str(size), f"{expected} than the input")
            wrong = True
    if wrong:
        return None
    layer = PlainLayer(name, kind, k, c, r, s, y, x, stride, groups, batch, line)
    amount = max(layer.macs // layer.repeats, max(k, c) * y * x, k * c * r * s)
    if amount >= MOST:
        fault("", f"{amount} MACs or elements", f"fewer than {MOST}")
        return None
    return layer

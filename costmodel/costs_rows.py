"""The lines of a cost table in CSV: every one checked, all faults noted."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING
from urllib.parse import unquote

from costmodel.build import FJ_PER_PJ, PS_PER_MICROSECOND
from costmodel.energy import LEVELS, OPERANDS
from costmodel.scaling import at_technology
from costmodel.table import Key, Mode
from instances.faults import LIMIT, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection

    from instances.schema import Instance

NAMES = ("model", "layer", "chiplet_type")
LATENCIES = ("latency_ticks", "latency_cycles", "latency_ns")
ENERGIES = ("energy_quanta", "energy_pj")
COUNTS = ("ws_bytes", "rw_bytes", "ro_bytes", "macs")
COLUMNS = (
    *NAMES,
    "mode",
    "latency_ticks",
    "energy_quanta",
    "ws_bytes",
    "rw_bytes",
    "ri_bytes",
    "ro_bytes",
    "holds_weights",
    "macs",
    "utilisation",
    "accesses",
    "mapping",
)
KNOWN = (*COLUMNS, *LATENCIES[1:], *ENERGIES[1:])
FLAGS = {"true": True, "false": False}
ACCESSES = tuple(f"{level}/{operand}" for level in LEVELS for operand in OPERANDS)
MOST_EXPONENT = 30
_NUMBER = re.compile(
    r"(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?([0-9]{1,3}))?"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file: column -> text of what is not empty, and where it stands."""

    cells: dict[str, str]
    line: int


class Reader:
    """Reads the rows of one file, noting faults instead of raising.

    Parameters
    ----------
    instance
        Whose models, chiplet types and quanta the file speaks of.
    file
        Named in the faults.

    Attributes
    ----------
    faults
        All that is wrong so far, a line each: ``file:line: column: got …``.
    named
        (model, layer) -> chiplet types that lines name, `None` for an unknown one.
    """

    def __init__(self, instance: Instance, file: str) -> None:
        self.instance, self.file = instance, file
        self.faults: list[str] = []
        self.named: dict[tuple[str, str], set[str | None]] = {}
        self.models = {model.name: model for model in instance.models}
        self.layers = {
            (model.name, layer.name): layer
            for model in instance.models
            for layer in model.layers
        }
        self.types = {
            name: at_technology(kind) for name, kind in instance.package.types.items()
        }
        self.line = 1

    def fault(self, where: str, got: str, expected: str) -> None:
        """Note what is wrong in a column of the current line."""
        self.faults.append(
            f"{self.file}:{self.line}: {where}: got {got}, expected {expected}"
        )

    def rows(self, text: str) -> dict[Key, list[Mode]]:
        """Return the modes of every key in the order of the file."""
        found: dict[Key, list[Mode]] = {}
        seen: dict[object, int] = {}
        rows = self._lines(text)
        for row in rows:
            self.line = row.line
            before = len(self.faults)
            key = self._key(row.cells)
            mode = self._mode(row.cells, key)
            if key is None or mode is None or len(self.faults) > before:
                continue
            # Without labels two rows are one mode twice only if nothing differs.
            label = row.cells.get("mode") or _frozen(mode)
            first = seen.setdefault((key, label), self.line)
            if first != self.line:
                what = row.cells.get("mode", "without a label")
                expected = f"a mode that is not in line {first} already"
                got = f"a second mode {what!r} of {'/'.join(key)}"
                self.fault("mode", got, expected)
            found.setdefault(key, []).append(mode)
        if not rows and not self.faults:
            self.fault("rows", "none", "a line for every mode")
        return found

    def _lines(self, text: str) -> list[_Row]:
        """Return the lines after the header; faults of header and form are noted."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header: list[str] | None = None
        rows: list[_Row] = []
        start = 1
        try:
            for cells in reader:
                line, start = start, reader.line_num + 1
                if not any(cell.strip() for cell in cells):
                    continue
                self.line = line
                if header is None:
                    header = [cell.strip() for cell in cells]
                    if not self._header(header):
                        return []
                elif len(cells) != len(header):
                    self.fault("line", f"{len(cells)} cells", f"{len(header)}")
                else:
                    pairs = zip(header, cells, strict=True)
                    rows.append(_Row({name: x for name, x in pairs if x != ""}, line))
        except csv.Error as error:
            self.line = max(reader.line_num, 1)
            self.fault("line", str(error), "comma-separated values")
        if header is None and not self.faults:
            self.fault("header", "an empty file", f"the columns {', '.join(COLUMNS)}")
        return rows

    def _header(self, header: list[str]) -> bool:
        """Whether the columns are known, single, and enough."""
        before = len(self.faults)
        for separator, name in ((";", "semicolons"), ("\t", "tabs")):
            if len(header) == 1 and separator in header[0]:
                self.fault("header", f"columns separated by {name}", "by commas")
                return False
        for column in dict.fromkeys(header):
            if column not in KNOWN:
                expected = f"a column: {suggestion(column, KNOWN)}"
                self.fault("header", f"the unknown column {column!r}", expected)
            elif header.count(column) > 1:
                times = header.count(column)
                self.fault("header", f"{times} columns {column!r}", "one")
        for name in NAMES:
            if name not in header:
                self.fault("header", "nothing", f"the column {name!r}")
        for choices in (LATENCIES, ENERGIES):
            given = [name for name in choices if name in header]
            if len(given) != 1:
                got = " and ".join(given) or "nothing"
                self.fault("header", got, f"one of the columns {', '.join(choices)}")
        return len(self.faults) == before

    def _key(self, cells: dict[str, str]) -> Key | None:
        """Return model, layer and type, if there are such."""
        before = len(self.faults)
        model = self._known(cells, "model", list(self.models))
        names = [y for x, y in self.layers if x == model]
        layer = self._known(cells, "layer", names) if model is not None else None
        kind = self._known(cells, "chiplet_type", list(self.types))
        if model is not None and layer is not None:
            self.named.setdefault((model, layer), set()).add(kind)
        if len(self.faults) > before or model is None or layer is None or kind is None:
            return None
        return model, layer, kind

    def _known(
        self, cells: dict[str, str], column: str, names: list[str]
    ) -> str | None:
        name = cells.get(column)
        if name in names:
            return name
        what = column.replace("_", " ")
        expected = f"a {what}: {suggestion(name or '', names)}"
        self.fault(column, "nothing" if name is None else repr(name), expected)
        return None

    def _mode(self, cells: dict[str, str], key: Key | None) -> Mode | None:
        """Return the mode of a line; `key` is `None` where it names nothing."""
        latency, energy = self._latency(cells, key), self._energy(cells)
        counts = {name: self._count(cells, name) for name in COUNTS}
        inputs = self._pairs(cells, "ri_bytes")
        accesses = self._pairs(cells, "accesses")
        self._check(ACCESSES, accesses, "accesses", "level/operand")
        holds = cells.get("holds_weights", "true").strip()
        if holds.lower() not in FLAGS:
            self.fault("holds_weights", repr(holds), "true or false")
        share = self._number(cells, "utilisation", Fraction(0))
        if share is not None and share > 1:
            self.fault("utilisation", cells["utilisation"], "a number from 0 to 1")
        if key is not None:
            self._check_refetch(key, counts["rw_bytes"], inputs)
        if latency is None or energy is None or share is None:
            return None
        return Mode(
            latency_ticks=latency,
            energy_quanta=energy,
            ri_bytes=inputs,
            holds_weights=FLAGS.get(holds.lower(), True),
            utilisation=float(share),
            accesses=accesses,
            mapping=cells.get("mapping", ""),
            **counts,
        )

    def _check_refetch(self, key: Key, rw_bytes: int, inputs: dict[str, int]) -> None:
        """Refetched is only what there is: weights, inputs of the layer."""
        model = self.models[key[0]]
        if rw_bytes and not self.layers[key[:2]].weight_bytes:
            expected = f"0 for {key[1]!r}, which has no weights"
            self.fault("rw_bytes", str(rw_bytes), expected)
        names = [u.name for u in model.tensors if key[1] in u.consumers]
        self._check(names, inputs, "ri_bytes", f"tensor read by {key[1]!r}")

    def _check(
        self, known: Collection[str], got: dict[str, int], at: str, what: str
    ) -> None:
        for name in got:
            if name not in known:
                expected = f"a {what}: {suggestion(name, known)}"
                self.fault(at, repr(name), expected)

    def _latency(self, cells: dict[str, str], key: Key | None) -> int | None:
        """Ticks, rounded up once; cycles are those of the type's own clock."""
        tick_ps = self.instance.tick_ps
        clock = self.types[key[2]].clock_mhz if key is not None else Fraction(1)
        return self._up(
            cells,
            {
                "latency_ticks": Fraction(1),
                "latency_cycles": PS_PER_MICROSECOND / clock / tick_ps,
                "latency_ns": Fraction(1000, tick_ps),
            },
        )

    def _energy(self, cells: dict[str, str]) -> int | None:
        """Quanta, rounded up once."""
        per_pj = Fraction(FJ_PER_PJ, self.instance.energy_quantum_fj)
        return self._up(cells, {"energy_quanta": Fraction(1), "energy_pj": per_pj})

    def _up(self, cells: dict[str, str], units: dict[str, Fraction]) -> int | None:
        """Return the one of some columns that the line has, times its unit."""
        given = [name for name in units if name in cells]
        if not given:
            self.fault(" or ".join(units), "nothing", "a number")
            return None
        [name] = given
        whole = name in ("latency_ticks", "energy_quanta")
        value = self._number(cells, name, None, whole=whole)
        if value is None:
            return None
        amount = value * units[name]
        up = -(-amount.numerator // amount.denominator)
        if up >= LIMIT:
            self.fault(name, cells[name], "less than 2**53 ticks or quanta")
        return up

    def _number(
        self,
        cells: dict[str, str],
        name: str,
        default: Fraction | None,
        *,
        whole: bool = False,
    ) -> Fraction | None:
        """Return an exact number of at least 0; `default` where the cell is empty."""
        text = cells.get(name)
        if text is None:
            return default
        return self._exact(name, text.strip(), whole)

    def _exact(self, name: str, text: str, whole: bool) -> Fraction | None:
        """Return the number that a text is, not through binary floating point."""
        match = _NUMBER.fullmatch(text)
        expected = "an integer" if whole else "a number"
        if match is None or int(match[1] or 0) > MOST_EXPONENT:
            self.fault(name, repr(text), f"{expected} of at least 0")
            return None
        value = Fraction(text)
        if whole and (value.denominator != 1 or value >= LIMIT):
            self.fault(name, repr(text), f"{expected} from 0 to 2**53 - 1")
            return None
        return value

    def _count(self, cells: dict[str, str], name: str) -> int:
        value = self._number(cells, name, Fraction(0), whole=True)
        return 0 if value is None else int(value)

    def _pairs(self, cells: dict[str, str], name: str) -> dict[str, int]:
        """Return what ``name=number;…`` says."""
        found: dict[str, int] = {}
        for pair in cells[name].split(";") if name in cells else ():
            left, equals, right = pair.rpartition("=")
            if not equals:
                self.fault(name, repr(pair), "name=number pairs with ; between them")
                continue
            tensor = unquote(left)
            if tensor in found:
                self.fault(name, f"{tensor!r} twice", "each name once")
            value = self._exact(f"{name} {tensor}", right.strip(), True)
            found[tensor] = 0 if value is None else int(value)
        return found


def _frozen(mode: Mode) -> object:
    """All of a mode, as a key of a dict."""
    return tuple(
        tuple(sorted(value.items())) if isinstance(value, dict) else value
        for value in (getattr(mode, name) for name in Mode.__dataclass_fields__)
    )

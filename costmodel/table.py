"""The cost table: modes of layers on chiplet types; frozen, saved as text, hashed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "cost-table/1"

Key = tuple[str, str, str]


class TableError(ValueError):
    """A cost table that is not one; `faults` lists everything that is wrong."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


@dataclass(frozen=True, slots=True)
class Mode:
    """A layer on a chiplet type under one mapping; per mini-batch.

    Parameters
    ----------
    latency_ticks
        The larger of compute and on-chip NoC time; DRAM and NoP are not in it.
    energy_quanta
        On-chiplet energy.
    ws_bytes
        Working set in L2, double-buffered.
    rw_bytes, ri_bytes, ro_bytes
        Refetch: weights, inputs (tensor name -> bytes; absent is 0) and partial
        outputs (read again, and as many written again).
    holds_weights
        The working set holds all weights of the layer.
    macs
        Multiply-accumulates; of vector work what its operations cost in MACs (A23); 0
        where the instance gave the cost.
    utilisation
        macs / (cycles · PEs); 0 for vector work and where the instance gave the cost.
    accesses
        ``level/operand`` -> bytes read and written at ``l1`` or ``l2``, or moved
        over the ``noc``; with `macs` all that the energy is made of.
    mapping
        For people; empty where the instance gave the cost.
    """

    latency_ticks: int
    energy_quanta: int
    ws_bytes: int
    rw_bytes: int = 0
    ri_bytes: Mapping[str, int] = field(default_factory=dict)
    ro_bytes: int = 0
    holds_weights: bool = True
    macs: int = 0
    utilisation: float = 0.0
    accesses: Mapping[str, int] = field(default_factory=dict)
    mapping: str = ""


@dataclass(frozen=True, slots=True)
class CostTable:
    """Modes of every (model, layer, chiplet type); no row is not supported.

    Parameters
    ----------
    instance_sha256
        Identity of the instance that the table was built from.
    tick_ps, energy_quantum_fj
        The quanta of `Mode.latency_ticks` and `Mode.energy_quanta`.
    rows
        (model, layer, chiplet type) -> its modes, fastest first.
    """

    instance_sha256: str
    tick_ps: int
    energy_quantum_fj: int
    rows: Mapping[Key, tuple[Mode, ...]]

    def to_json(self) -> str:
        """Return the canonical text: sorted, one line per mode."""
        lines = [
            json.dumps(
                {
                    "model": key[0],
                    "layer": key[1],
                    "chiplet_type": key[2],
                    **_plain(mode),
                },
                sort_keys=True,
                ensure_ascii=False,
            )
            for key in sorted(self.rows)
            for mode in self.rows[key]
        ]
        head = json.dumps(
            {
                "schema": SCHEMA,
                "instance_sha256": self.instance_sha256,
                "tick_ps": self.tick_ps,
                "energy_quantum_fj": self.energy_quantum_fj,
            },
            sort_keys=True,
        )
        rows = ",\n".join(lines)
        return f'{head[:-1]}, "rows": [\n{rows}\n]}}\n'

    @property
    def sha256(self) -> str:
        """Identity of the table: the hash of its canonical text."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the canonical text."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @staticmethod
    def load(path: str | Path) -> CostTable:
        """Read a table that `save` wrote.

        Raises
        ------
        TableError
            If it is not a cost table; lists all faults.
        OSError
            If it cannot be read.
        """
        try:
            return CostTable.from_json(Path(path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise TableError([f"{path}: not text: {error}"]) from None
        except TableError as error:
            raise TableError([f"{path}: {fault}" for fault in error.faults]) from None

    @staticmethod
    def from_json(text: str) -> CostTable:
        """Return the table that `to_json` wrote.

        Raises
        ------
        TableError
            If the text is not a cost table; lists all faults.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise TableError([f"not JSON: {error}"]) from None
        except RecursionError:
            raise TableError(["not a cost table: nested too deeply"]) from None
        if not isinstance(data, dict):
            raise TableError([f"got {type(data).__name__}, expected an object"])
        faults: list[str] = []
        _check(data, _HEAD, "", faults)
        if data.get("schema", SCHEMA) != SCHEMA:
            faults.append(f"schema: got {data['schema']!r}, expected {SCHEMA!r}")
        rows: dict[Key, list[Mode]] = {}
        entries = data.get("rows")
        for number, row in enumerate(entries if isinstance(entries, list) else []):
            before = len(faults)
            if not isinstance(row, dict):
                faults.append(f"rows[{number}]: got {row!r}, expected an object")
                continue
            _check(row, _ROW, f"rows[{number}].", faults)
            if len(faults) == before:
                key = row.pop("model"), row.pop("layer"), row.pop("chiplet_type")
                rows.setdefault(key, []).append(Mode(**row))
        if faults:
            raise TableError(faults)
        return CostTable(
            instance_sha256=data["instance_sha256"],
            tick_ps=data["tick_ps"],
            energy_quantum_fj=data["energy_quantum_fj"],
            rows={key: tuple(modes) for key, modes in rows.items()},
        )


def _plain(mode: Mode) -> dict[str, object]:
    """Fields of a mode, mappings as dicts."""
    plain = {name: getattr(mode, name) for name in Mode.__dataclass_fields__}
    return {**plain, "ri_bytes": dict(mode.ri_bytes), "accesses": dict(mode.accesses)}


def _check(
    data: dict[str, object], kinds: Mapping[str, str], path: str, faults: list[str]
) -> None:
    """Note missing and unknown keys and values of the wrong kind."""
    for name, kind in kinds.items():
        if name not in data:
            faults.append(f"{path}{name}: missing, expected {kind}")
        elif not _is(data[name], kind):
            faults.append(f"{path}{name}: got {data[name]!r}, expected {kind}")
    faults.extend(f"{path}{name}: unknown" for name in data if name not in kinds)


def _is(value: object, kind: str) -> bool:
    """Whether a value read from JSON is of a kind."""
    if kind in (COUNT, POSITIVE):
        least = 0 if kind == COUNT else 1
        return isinstance(value, int) and not isinstance(value, bool) and value >= least
    if kind == COUNTS:
        return isinstance(value, dict) and all(_is(v, COUNT) for v in value.values())
    if kind == SHARE:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and 0 <= value <= 1  # type: ignore[operator]
    return isinstance(value, {TEXT: str, FLAG: bool, LIST: list}[kind])


TEXT, FLAG, LIST = "a string", "true or false", "a list"
COUNT, POSITIVE = "an integer of at least 0", "an integer of at least 1"
COUNTS, SHARE = "an object of integers of at least 0", "a number from 0 to 1"

_HEAD = {
    "schema": TEXT,
    "instance_sha256": TEXT,
    "tick_ps": POSITIVE,
    "energy_quantum_fj": POSITIVE,
    "rows": LIST,
}
_ROW = {
    "model": TEXT,
    "layer": TEXT,
    "chiplet_type": TEXT,
    "latency_ticks": COUNT,
    "energy_quanta": COUNT,
    "ws_bytes": COUNT,
    "rw_bytes": COUNT,
    "ri_bytes": COUNTS,
    "ro_bytes": COUNT,
    "holds_weights": FLAG,
    "macs": COUNT,
    "utilisation": SHARE,
    "accesses": COUNTS,
    "mapping": TEXT,
}

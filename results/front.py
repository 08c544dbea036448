"""A front of (period, energy) on file, as CSV, JSON and text."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from formulation.certificate import dumps, energy_text, version_of
from formulation.pareto import Step
from results.record import RecordError
from results.text import columns, entry, grouped, seconds_of, with_unit

if TYPE_CHECKING:
    from pathlib import Path

    from formulation.pareto import Front
    from formulation.problem import Problem

SCHEMA = "front/1"
STATUS = {
    "complete": "complete: every schedule that no other one dominates is listed",
    "envelope": "envelope: what is not listed lies in boxes of at most 0.1 % of each "
    "axis's range",
    "stopped": "stopped: what is not listed lies in the boxes",
    "infeasible": "infeasible: there is no schedule",
}
FIELDS = ("period_ticks", "period_s", "energy_quanta", "energy_pj", "edp", "proved")


def header_of(p: Problem, engine: str) -> dict[str, Any]:
    """Return the first line of a file of steps: what they are steps of."""
    return {
        "schema": SCHEMA,
        "scenario": p.name,
        "instance_sha256": p.instance_sha256,
        "table_sha256": p.table_sha256,
        "engine": engine,
        "chipsched": version_of("chipsched"),
    }


class StepFile:
    """Steps on file, one JSON line each, below a header; it only ever grows.

    A last line that was cut off (by a crash) is dropped.

    Raises
    ------
    RecordError
        If the file is none of steps of this problem and engine; with every fault.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self.steps: list[Step] = []
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]
        if not whole:
            path.write_text(dumps(header) + "\n", encoding="utf-8")
            return
        lines = whole.splitlines()
        self._same(lines[0], header)
        self.steps = [
            _step(line, f"{path}:{number}")
            for number, line in enumerate(lines[1:], start=2)
        ]
        if whole != text:
            os.truncate(path, len(whole.encode()))

    def _same(self, line: str, header: dict[str, Any]) -> None:
        stated = _mapping(line, f"{self.path}:1")
        faults = [
            f"{self.path}:1: {key}: got {stated.get(key)!r}, expected {value!r}"
            for key, value in header.items()
            if stated.get(key) != value
        ]
        if faults:
            raise RecordError("\n".join(faults))

    def known(self) -> list[Step]:
        """Return the steps on file."""
        return list(self.steps)

    def add(self, step: Step) -> None:
        """Append a step."""
        self.steps.append(step)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(dumps(asdict(step)) + "\n")


def _mapping(line: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise RecordError(f"{where}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise RecordError(f"{where}: expected a mapping")
    return data


def _step(line: str, where: str) -> Step:
    data = _mapping(line, where)
    keys = set(Step.__dataclass_fields__)
    if data.keys() != keys:
        raise RecordError(f"{where}: expected the keys {', '.join(sorted(keys))}")
    for key in ("value", "bound"):
        pair = data[key]
        whole = isinstance(pair, list) and len(pair) == 2
        if not whole or not all(x is None or type(x) is int for x in pair):
            raise RecordError(f"{where}: {key}: expected two whole numbers or null")
        data[key] = tuple(pair)
    if data["cap"] is not None and type(data["cap"]) is not int:
        raise RecordError(f"{where}: cap: expected a whole number or null")
    for key in ("claim", "why_stopped"):
        if not isinstance(data[key], str):
            raise RecordError(f"{where}: {key}: expected a text")
    return Step(**{**data, "runs": tuple(data["runs"])})


def rows_of(p: Problem, front: Front) -> list[dict[str, Any]]:
    """Return one mapping a point, with the keys `FIELDS`."""
    return [
        {
            "period_ticks": x.period_ticks,
            "period_s": seconds_of(x.period_ticks, p.tick_ps),
            "energy_quanta": x.energy_quanta,
            "energy_pj": energy_text(x.energy_quanta, p.energy_quantum_fj),
            "edp": x.period_ticks * x.energy_quanta,
            "proved": x.proved,
        }
        for x in front.points
    ]


def as_csv(p: Problem, front: Front) -> str:
    """Return the points as CSV with a header; `edp` is in quanta·ticks."""
    text = io.StringIO()
    table = csv.DictWriter(text, FIELDS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows_of(p, front))
    return text.getvalue()


def as_json(p: Problem, front: Front) -> dict[str, Any]:
    """Return everything but the schedules as one mapping; unknown is `None`."""
    return {
        **{k: v for k, v in header_of(p, "").items() if k != "engine"},
        "status": front.status,
        "why_stopped": front.why_stopped,
        "tick_ps": p.tick_ps,
        "energy_quantum_fj": p.energy_quantum_fj,
        "least_period_ticks": front.least_period_ticks,
        "points": rows_of(p, front),
        "boxes": [asdict(box) for box in front.boxes],
        "steps": front.steps,
        "seconds": round(front.seconds, 3),
    }


def as_text(p: Problem, front: Front, width: int) -> str:
    """Return the points for people."""
    lines = [p.name, *entry("front", STATUS[front.status], width)]
    cells = [("period", "", "energy", "EDP", "")]
    least = min((q.period_ticks * q.energy_quanta for q in front.points), default=0)
    for q in front.points:
        edp = q.period_ticks * q.energy_quanta
        joules = q.energy_quanta * p.energy_quantum_fj * 1e-15
        time = seconds_of(q.period_ticks, p.tick_ps)
        cells.append(
            (
                grouped(q.period_ticks),
                with_unit(time, "s"),
                with_unit(joules, "J"),
                with_unit(joules * time, "Js") + (" least" if edp == least else ""),
                "" if q.proved else "not proved",
            )
        )
    if front.points:
        lines += columns(cells, frozenset((0, 1, 2)))
    if front.boxes:
        count = f"{grouped(len(front.boxes))} in which more of the front may lie"
        lines += entry("boxes", count, width)
    text = f"{front.why_stopped} after {front.seconds:.1f} s, {front.steps} solves"
    return "\n".join([*lines, *entry("stopped", text, width)])

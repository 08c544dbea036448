"""A point of a grid: one run, as data that a process of its own can be given."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.build import MAX_MODES
from instances.load import from_canonical_json, instance_sha256, to_canonical_json
from results.record import SCHEMA, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.schema import Instance

ENGINES = ("cpsat", "milp")
FRONT, COSTS = "front", "costs"
HEURISTICS = "formulation.heuristics"


class GridError(ValueError):
    """A file that is no grid; one line a fault."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run.

    Parameters
    ----------
    study, variant
        Which table it is for, and which of its rows.
    method
        ``cpsat``, ``milp``; ``cpsat+milp``: the second one starts from the first
        one's schedule; ``front``: of period and energy, by CP-SAT; ``costs``: of
        every layer, nothing is scheduled; else a heuristic: its name, or the path of
        a file ``*.py``.
    objective
        Parts in their order.
    seconds
        Of every engine, in their order; `None`: no limit.
    evaluations
        Budget of a heuristic; `None`: no limit.
    max_modes
        Of a layer on a chiplet type in the cost table.
    about
        Facts of the row that its table shows.
    """

    study: str
    variant: str
    instance: Instance
    method: str
    objective: tuple[str, ...] = ("period",)
    seconds: tuple[float | None, ...] = (60.0,)
    evaluations: int | None = None
    seed: int = 1
    workers: int = 2
    max_modes: int = MAX_MODES
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def engines(self) -> tuple[str, ...]:
        """The exact engines at work, in their order; () for other methods."""
        names = tuple(self.method.split("+"))
        return names if set(names) <= set(ENGINES) else ()

    @property
    def most_seconds(self) -> float | None:
        """All limits together; `None`: there is none."""
        known = [some for some in self.seconds if some is not None]
        return sum(known) if len(known) == len(self.seconds) else None

    @property
    def label(self) -> str:
        """What `--only` is matched with: study/variant/method/objective/seed."""
        parts = (self.study, self.variant, self.method_name, ",".join(self.objective))
        return "/".join((*parts, str(self.seed)))

    def limits(self) -> dict[str, Any]:
        """Return what bounds the run, as its line has it."""
        return {
            "objective": ",".join(self.objective),
            "seconds": list(self.seconds),
            "evaluations": self.evaluations,
            "seed": self.seed,
            "workers": self.workers,
        }

    def key(self, table_sha256: str) -> str:
        """Return the key of its line: a hash of what is asked, costs included."""
        return key_of(
            {
                "study": self.study,
                "variant": self.variant,
                "instance": instance_sha256(self.instance),
                "table": table_sha256,
                "method": self.method_name,
                "file": self._file_sha256(),
                **self.limits(),
            }
        )

    @property
    def method_name(self) -> str:
        """The method, as tables call it: of a file its name without folder."""
        own = self.method.endswith(".py")
        return Path(self.method).stem if own else self.method

    def _file_sha256(self) -> str | None:
        """Return the hash of a heuristic's own file."""
        if not self.method.endswith(".py"):
            return None
        return sha256(Path(self.method).read_bytes()).hexdigest()


def job_of(point: Point) -> dict[str, Any]:
    """Return a point as plain data."""
    return {
        "study": point.study,
        "variant": point.variant,
        "instance": json.loads(to_canonical_json(point.instance)),
        "method": point.method,
        "about": dict(point.about),
        "max_modes": point.max_modes,
        **point.limits(),
    }


def point_of(job: Mapping[str, Any]) -> Point:
    """Return the point of `job_of`."""
    return Point(
        study=job["study"],
        variant=job["variant"],
        instance=from_canonical_json(json.dumps(job["instance"])),
        method=job["method"],
        objective=tuple(job["objective"].split(",")),
        seconds=tuple(job["seconds"]),
        evaluations=job["evaluations"],
        seed=job["seed"],
        workers=job["workers"],
        max_modes=job["max_modes"],
        about=job["about"],
    )


def blank(point: Point, key: str) -> dict[str, Any]:
    """Return the line of a run of which nothing is known yet: `None` throughout."""
    unknown = dict.fromkeys(
        (
            "value",
            "bound",
            "gap",
            "period_ticks",
            "energy_pj",
            "nodes",
            "chiplets",
            "front",
            "layers",
            "seconds",
            "table_sha256",
            "evaluations",
            "explain",
            "facts",
            "environment",
        )
    )
    return {
        "schema": SCHEMA,
        "key": key,
        "study": point.study,
        "variant": point.variant,
        "method": point.method_name,
        "objective": ",".join(point.objective),
        "about": dict(point.about),
        "limits": point.limits(),
        "instance_sha256": instance_sha256(point.instance),
        "status": "failed",
        "claim": "unknown",
        "why_stopped": "not run",
        "trace": [],
        **unknown,
    }


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of a study: an instance, its label, and facts that the table shows.

    `max_modes` bounds the modes of a layer on a chiplet type in its cost table.
    """

    label: str
    instance: Instance
    about: Mapping[str, Any] = field(default_factory=dict)
    max_modes: int = MAX_MODES

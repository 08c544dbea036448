"""Runs on file: one JSON line each, with everything that a table may need.

A file only ever gets longer, and a run whose key it has is not made again.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formulation.certificate import PACKAGES, dumps, version_of, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "run/1"
ROOT = Path(__file__).parent.parent


class RecordError(ValueError):
    """A file of runs that cannot be read; says which line."""


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu() -> str | None:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or None


def environment() -> dict[str, Any]:
    """Return versions, processor, load and commit; `None` for what is not known."""
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "chipsched": version_of("chipsched"),
        "packages": {name: version_of(name) for name in PACKAGES},
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
    }


def key_of(identity: Mapping[str, Any]) -> str:
    """Return the key of a run: a hash of what was asked for."""
    return sha256(dumps(dict(identity)).encode()).hexdigest()[:16]


def parse_lines(text: str, name: str = "runs") -> list[dict[str, Any]]:
    """Return the runs of a text, one JSON line each.

    Raises
    ------
    RecordError
        Naming the first line that is not a run of this schema.
    """
    runs = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            run = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(f"{name}:{number}: not JSON: {error}") from error
        if not isinstance(run, dict) or run.get("schema") != SCHEMA:
            raise RecordError(f"{name}:{number}: expected the schema {SCHEMA}")
        runs.append(run)
    return runs


class Runs:
    """A file of runs.

    Parameters
    ----------
    path
        `None`: kept in memory only.

    Raises
    ------
    RecordError
        If the file is there and is not one of runs.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        if path is not None and path.exists():
            self.lines = parse_lines(path.read_text(encoding="utf-8"), str(path))

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the run of a key, `None` if it was not made."""
        return next((run for run in self.lines if run["key"] == key), None)

    def add(self, run: dict[str, Any]) -> None:
        """Append a run; the file is replaced whole, never half-written."""
        self.lines.append(run)
        if self.path is not None:
            text = "".join(dumps(line) + "\n" for line in self.lines)
            write_atomically(self.path, text)

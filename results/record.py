"""Runs on file: one JSON line each, with everything that a table may need.

A file only ever gets longer, and a run whose key it has is not made again. A last
line that was cut off, by a crash, is no run: it is left out, and removed before the
next one is added.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formulation.certificate import PACKAGES, dumps, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

SCHEMA = "run/2"
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


def _whole(text: str) -> str:
    """Return a text without a last line that was cut off in the middle of a run."""
    end = text.rfind("\n") + 1
    return text[:end] if text[end : end + 2] in ("{", '{"') else text


def parse_lines(text: str, name: str = "runs") -> list[dict[str, Any]]:
    """Return the runs of a text, one JSON line each.

    Of several lines with one key only the last one counts, at the first one's place:
    a failed run that was made again.

    Raises
    ------
    RecordError
        Naming the first line that is not a run of this schema.
    """
    runs: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(_whole(text).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            run = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(f"{name}:{number}: not JSON: {error}") from error
        if not isinstance(run, dict) or run.get("schema") != SCHEMA:
            raise RecordError(f"{name}:{number}: expected the schema {SCHEMA}")
        if not isinstance(run.get("key"), str):
            raise RecordError(f"{name}:{number}: key: expected a text")
        runs[run["key"]] = run
    return list(runs.values())


class Runs:
    """A file of runs. One process at a time adds to it.

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
        self.runs: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            lines = parse_lines(path.read_text(encoding="utf-8"), str(path))
            self.runs = {run["key"]: run for run in lines}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The runs, in their order; one a key."""
        return list(self.runs.values())

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the run of a key, `None` if it was not made."""
        return self.runs.get(key)

    def add(self, run: dict[str, Any]) -> None:
        """Append a run; it is on the disk when this returns."""
        self.runs[run["key"]] = run
        if self.path is None:
            return
        line = (dumps(run) + "\n").encode()
        if self.path.exists() and not self.path.is_file():  # /dev/null
            self.path.write_bytes(line)
            return
        with self.path.open("ab+") as file:
            _drop_torn_line(file)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _drop_torn_line(file: IO[bytes]) -> None:
    """Cut off what follows the last line's end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if size and file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)

"""Where the lines of points are kept: a file, a folder with one a study, or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.record import Runs

if TYPE_CHECKING:
    from pathlib import Path

Line = dict[str, Any]


class Kept:
    """Lines on file.

    Parameters
    ----------
    path
        A folder: ``<study>.jsonl`` in it. A file: all studies. `None`: in memory.

    Raises
    ------
    RecordError
        When a file is first looked at and is not one of runs.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.runs: dict[str, Runs] = {}

    def runs_of(self, study: str) -> Runs:
        """Return the runs of a study's file."""
        folder = self.path is not None and self.path.is_dir()
        name = study if folder else ""
        if name not in self.runs:
            path = self.path / f"{study}.jsonl" if folder and self.path else self.path
            self.runs[name] = Runs(path)
        return self.runs[name]

    def find(self, study: str, key: str) -> Line | None:
        """Return the line of a key, `None` if there is none."""
        return self.runs_of(study).find(key)

    def add(self, line: Line) -> None:
        """Keep a line; it is on the disk when this returns."""
        self.runs_of(line["study"]).add(line)

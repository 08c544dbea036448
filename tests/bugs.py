"""What a planted bug is (`tests/mutants.py`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """Replace the one place where `old` stands."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A bug, planted in each engine that can have it, or in the semantics."""

    what: str
    cpsat: Edit | None
    milp: Edit | None
    semantics: Edit | None = None

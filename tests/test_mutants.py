"""The bugs of `tests/mutants.py` can still be planted where they are meant to be."""

from __future__ import annotations

import ast

import pytest

from tests.mutants import BUGS, Edit, planted

EDITS = [
    pytest.param(edit, id=f"{bug.what}-{engine}")
    for bug in BUGS
    for engine in ("cpsat", "milp")
    if (edit := getattr(bug, engine)) is not None
]


@pytest.mark.parametrize("edit", EDITS)
def test_bug_has_one_place(edit: Edit) -> None:
    ast.parse(planted(edit))

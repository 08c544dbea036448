"""The bugs of `tests/mutants.py` can still be planted where they are meant to be."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.mutants import KINDS, planted

if TYPE_CHECKING:
    from tests.bugs import Edit

EDITS = [
    pytest.param(edit, id=f"{kind}-{bug.what}-{engine}")
    for kind, (bugs, tests) in KINDS.items()
    for bug in bugs
    for engine in tests
    if (edit := getattr(bug, engine)) is not None
]


@pytest.mark.parametrize("edit", EDITS)
def test_bug_has_one_place(edit: Edit) -> None:
    ast.parse(planted(edit))

"""The bugs of `tests/mutants.py` can still be planted where they are meant to be."""

from __future__ import annotations

import ast

import pytest

from tests.mutants import BUGS, planted


@pytest.mark.parametrize("engine", ["cpsat", "milp"])
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_bug_has_one_place(bug: object, engine: str) -> None:
    ast.parse(planted(getattr(bug, engine)))

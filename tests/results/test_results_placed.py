"""Makespans on given chiplets are bounded by those on free ones."""

from __future__ import annotations

import pytest

from formulation.outcome import Limits
from results.placed import rows


@pytest.mark.long
def test_given_chiplets_are_no_better_than_free_ones() -> None:
    free, placed = rows(Limits(seconds=20.0, workers=2))
    assert int(free[2]) <= int(free[1])
    assert int(free[2]) <= int(placed[1])
    assert int(placed[2]) <= int(placed[1])

"""Statistics, against values worked by hand."""

from __future__ import annotations

import pytest

from results.statistics import (
    Spread,
    mean,
    profile,
    shifted_geometric_mean,
    spread,
)


def test_a_mean_has_every_value_or_is_none() -> None:
    assert mean([1, 2, 6]) == 3
    assert mean([1, None, 6]) is None
    assert mean([]) is None


def test_shifted_geometric_means() -> None:
    # (0+10)(30+10) = 400 = 20², 20 − 10 = 10.
    assert shifted_geometric_mean([0, 30], 10) == pytest.approx(10)
    # (1+1)(3+1)(7+1) = 64 = 4³, 4 − 1 = 3.
    assert shifted_geometric_mean([1, 3, 7], 1) == pytest.approx(3)
    assert shifted_geometric_mean([5, 5], 10) == pytest.approx(5)
    # A huge shift gives the arithmetic mean.
    assert shifted_geometric_mean([1, 3], 1e9) == pytest.approx(2)
    assert shifted_geometric_mean([0, 0], 1) == 0


def test_a_missing_value_leaves_no_geometric_mean() -> None:
    assert shifted_geometric_mean([1, None], 1) is None
    assert shifted_geometric_mean([], 1) is None


def test_geometric_means_refuse_what_has_none() -> None:
    with pytest.raises(ValueError, match="shift"):
        shifted_geometric_mean([1], 0)
    with pytest.raises(ValueError, match="-2"):
        shifted_geometric_mean([None, -2, 1], 1)


def test_spreads_say_what_is_missing() -> None:
    assert spread([3, 1, 8]) == Spread(3, 0, 1, 4, 8)
    assert spread([3, None, 8]) == Spread(3, 1, None, None, None)
    assert spread([]) == Spread(0, 0, None, None, None)


def test_performance_profiles() -> None:
    # Best: 10, 4, 5. a: ratios 1, 2, never; b: 1.5, 1, 1. The last problem has no
    # cost at all and is left out.
    found = profile({"a": [10, 8, None, None], "b": [15, 4, 5, None]})
    assert found["a"] == ((1.0, 1 / 3), (2.0, 2 / 3))
    assert found["b"] == ((1.0, 2 / 3), (1.5, 1.0))


def test_profiles_of_costs_of_nothing() -> None:
    assert profile({"a": [0, 0], "b": [0, 1]}) == {
        "a": ((1.0, 1.0),),
        "b": ((1.0, 0.5),),
    }
    assert profile({"a": [None], "b": [None]}) == {"a": (), "b": ()}
    assert profile({"a": [None, 3], "b": [2, 3]})["a"] == ((1.0, 0.5),)
    with pytest.raises(ValueError, match="problems"):
        profile({"a": [1], "b": [1, 2]})

"""What is remembered of a problem belongs to that very object."""

from __future__ import annotations

from dataclasses import replace

from formulation.choices import choices, fitting
from formulation.pipelined.bounds import lower
from formulation.problem import Problem, remembered
from tests.support import tiny


def test_found_once_per_problem_and_arguments() -> None:
    calls = []

    @remembered
    def find(p: Problem, *words: str, times: int = 1) -> str:
        calls.append(words)
        return "".join(words) * times

    p = replace(tiny(0).problem)
    assert find(p, "a", "b") == find(p, "a", "b") == "ab"
    assert (find(p, "a", times=2), find(p, "a", times=3)) == ("aa", "aaa")
    assert find(p, "a", times=2) == "aa"
    assert calls == [("a", "b"), ("a",), ("a",)]
    assert find(replace(p), "a", "b") == "ab"
    assert len(calls) == 4


def test_a_changed_copy_is_another_problem() -> None:
    """As the problem itself it is the same, whatever is known of it."""
    p = tiny(0).problem
    before = (lower(p), choices(p, 0, p.supported(0)[0]))
    assert p.known
    assert replace(p) == p
    assert hash(replace(p)) == hash(p)
    assert not replace(p).known
    floor = replace(p, floor_ticks=10**6)
    assert lower(floor) == 10**6 != lower(p)
    tight = replace(p, chiplets=tuple(replace(c, l2_bytes=-1) for c in p.chiplets))
    assert fitting(p, 0, p.supported(0)[0])
    assert not fitting(tight, 0, p.supported(0)[0])
    assert before == (lower(p), choices(p, 0, p.supported(0)[0]))

"""What the MILP of timed schedules says where it cannot prove, and why it stops."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from threading import Event

import pytest

from formulation.outcome import Limits
from formulation.timed import milp
from formulation.timed.objective import timed_part
from tests import oracle_timed as oracle
from tests.test_oracle_timed import network, problem, row
from tests.timed_random import tiny

LIMITS = Limits(workers=1)


def asked(p, text="makespan", limits=LIMITS, **how):
    return milp.minimise(p, timed_part(p, text), limits, **how)


def crowd():
    """x, y, z on b, runs of 3 ticks with streams of 2; v on a streams 4 meanwhile."""
    edges = [(n, to, 2) for n, to in (("x", "y"), ("y", "z"), ("z", ""))]
    rows = [row(n, 3, "b") for n in "xyz"] + [row("v", 4, "a", "n")]
    nets = [network("x y z", edges), network("v", [("v", "", 4)], "n")]
    return problem(nets, rows, "ab", dram=1, l2=1, contention="fluid")


def test_long_movements_are_looked_at_again(monkeypatch) -> None:
    """With lines for lengths below 2 all that is longer is free at first."""
    p = crowd()
    least = oracle.best(p, "makespan")
    assert least is not None
    monkeypatch.setattr(milp, "FIRST_LINES", 2)
    answer = asked(p, strengthenings=frozenset())
    assert answer.proved
    assert (answer.value,) == least
    monkeypatch.setattr(milp, "MOST_LINES", 2)
    answer = asked(p, strengthenings=frozenset())
    assert not answer.proved
    assert answer.bound is not None
    assert answer.bound < least[0]
    assert answer.notes == (
        "given up: movements of more than 2 ticks are not looked at exactly, "
        "take longer ticks",
    )


def test_long_horizons_are_not_tried() -> None:
    rows = [row("x", milp.MOST_TICKS), row("y")]
    answer = asked(problem([network("x y")], rows), strengthenings=frozenset())
    assert (answer.why_stopped, answer.value, answer.bound) == ("finished", None, None)
    assert f"not tried: times above {milp.MOST_TICKS} ticks" in answer.notes[0]


@pytest.mark.parametrize("text", ["energy", "edp", "makespan+energy"])
def test_large_energies(text: str) -> None:
    """Ten million quanta: the bound is by less than a quantum too low, in the end."""
    rows = [row("x", 3, energy_quanta=10**7), row("x", 2, energy_quanta=10**7 + 1)]
    p = problem([network("x")], rows, static=Fraction(1, 100))
    answer = asked(p, text)
    assert (answer.value,) == oracle.best(p, text)
    assert answer.bound is not None
    assert answer.value is not None
    assert answer.value - answer.bound <= 1e-5 * answer.value
    if text == "energy":
        assert answer.proved


def test_time_limit_and_interruption() -> None:
    p = crowd()
    assert asked(p, limits=replace(LIMITS, seconds=1e-9)).why_stopped == "time limit"
    stop = Event()
    stop.set()
    answer = asked(p, limits=replace(LIMITS, stop=stop))
    assert answer.why_stopped == "interrupted"


def test_gap() -> None:
    """Within the gap that is asked for, and never a bound above the optimum."""
    seeds = [s for s in range(12) if oracle.best(tiny(s).problem, "latency_sum")]
    for seed in seeds:
        p = tiny(seed).problem
        answer = asked(p, "latency_sum", replace(LIMITS, gap=Fraction(1, 2)))
        least = oracle.best(p, "latency_sum")
        assert answer.value is not None
        assert answer.bound is not None
        assert least is not None
        assert answer.bound <= least[0] <= answer.value
        assert answer.why_stopped in ("gap", "finished")


def test_progress_is_told() -> None:
    news = []
    answer = asked(crowd(), report=news.append)
    assert news
    assert {x.engine for x in news} == {"milp"}
    assert news[-1].value == answer.value == news[-1].bound

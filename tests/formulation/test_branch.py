"""Branching that is stopped early, or lied to."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

import formulation.solve
from formulation.objective import parse_objective
from formulation.outcome import DisagreementError, Limits, Progress
from formulation.pareto import InMemory
from formulation.pareto import front as find_front
from formulation.solve import solve
from formulation.staircase import Staircase
from tests import oracle_front
from tests.support import LIMITS, minimise, problem_of, tiny

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.outcome import Answer, Target
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

# Seeds of `traded` whose best EDP is better than that of either axis's optimum.
RICH = (7, 14, 15, 27, 66, 113)
Engine = Any


def traded(seed: int) -> tuple[Problem, list[tuple[int, int]]]:
    instance = oracle_front.traded(tiny(seed).instance, seed)
    return problem_of(instance), oracle_front.front(instance)


def use(monkeypatch: pytest.MonkeyPatch, **fakes: Engine) -> None:
    """Let engines be what is given instead."""
    real = formulation.solve.engine_of

    def engine(kind: str, name: str) -> tuple[Engine, str]:
        return (fakes[name], "fake") if name in fakes else real(kind, name)

    monkeypatch.setattr(formulation.solve, "engine_of", engine)


def wrapped(change: Callable[[Target, Answer[Schedule]], Answer[Schedule]]) -> Engine:
    """Return CP-SAT whose answers are changed."""

    def fake(p: Problem, target: Target, limits: Limits, **words: Any) -> Any:
        return change(target, minimise("cpsat")(p, target, limits, **words))

    return fake


@pytest.mark.parametrize("objective", ["edp", "3*period+energy", "latency"])
@pytest.mark.parametrize("seed", RICH)
def test_stopped_after_any_call_the_bound_is_one(
    seed: int, objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, _ = traded(seed)
    best = solve(problem, parse_objective(objective), "cpsat", LIMITS)
    last = None
    for calls in range(1, 100):
        stop, left = Event(), [calls]

        def count(
            _: Target,
            answer: Answer[Schedule],
            left: list[int] = left,
            stop: Event = stop,
        ) -> Answer[Schedule]:
            left[0] -= 1
            if left[0] == 0:
                stop.set()
            return answer

        use(monkeypatch, cpsat=wrapped(count))
        limits = replace(LIMITS, stop=stop)
        outcome = solve(problem, parse_objective(objective), "cpsat", limits)
        value, bound = outcome.value[0], outcome.bound[0]
        assert value is not None
        assert (bound or 0) <= best.value[0] <= value
        assert (bound or 0) >= (last or 0)
        last = bound
        if outcome.why_stopped == "finished":
            break
        assert outcome.why_stopped == "interrupted"
    assert outcome.value == outcome.bound == best.value
    assert calls >= (1 if objective == "latency" else 2)


def weak(target: Target, answer: Answer[Schedule]) -> Answer[Schedule]:
    """Half the bound only, and time is up."""
    if answer.bound is None or target.quantity == "period":
        return answer
    return replace(answer, bound=answer.bound // 2, why_stopped="time limit")


@pytest.mark.parametrize("seed", RICH)
def test_weak_bounds_are_claimed_as_such(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, points = traded(seed)
    use(monkeypatch, cpsat=wrapped(weak))
    limits = Limits(workers=1, seconds=0.5)
    outcome = solve(problem, ("edp",), "cpsat", limits)
    assert outcome.claim == "feasible"
    assert outcome.why_stopped == "time limit"
    [value], [bound] = outcome.value, outcome.bound
    assert 0 < bound <= min(t * e for t, e in points) <= value


def test_an_engine_that_gives_up_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, points = traded(7)

    def give_up(target: Target, answer: Answer[Schedule]) -> Answer[Schedule]:
        return replace(weak(target, answer), why_stopped="finished")

    use(monkeypatch, cpsat=wrapped(give_up))
    outcome = solve(problem, ("edp",), "cpsat", LIMITS)
    assert outcome.claim == "feasible"
    assert outcome.bound[0] <= min(t * e for t, e in points) <= outcome.value[0]


def test_a_gap_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, _ = traded(7)
    use(monkeypatch, cpsat=wrapped(weak))
    limits = replace(LIMITS, gap=Fraction(9, 10))
    outcome = solve(problem, ("edp",), "cpsat", limits)
    assert outcome.why_stopped == "gap"
    assert outcome.value[0] > outcome.bound[0] >= outcome.value[0] / 10


def too_high(target: Target, answer: Answer[Schedule]) -> Answer[Schedule]:
    """Claim that nothing is below twice the best energy, and show nothing."""
    if target.quantity == "period" or answer.value is None:
        return answer
    return replace(answer, schedule=None, value=None, bound=2 * answer.value)


def never(target: Target, answer: Answer[Schedule]) -> Answer[Schedule]:
    """Claim that there is no schedule."""
    if target.quantity == "period":
        return answer
    nothing = {"schedule": None, "value": None, "bound": None}
    return replace(answer, infeasible=True, **nothing)


@pytest.mark.parametrize("seed", RICH)
@pytest.mark.parametrize("lie", [too_high, never])
def test_a_proof_that_a_schedule_contradicts_is_noticed(
    lie: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fastest schedule is known, and up to its period something was ruled out."""
    problem, points = traded(seed)
    assert points[0][1] < 2 * points[-1][1] or lie is never
    use(monkeypatch, cpsat=wrapped(lie))
    with pytest.raises(DisagreementError):
        solve(problem, ("edp",), "cpsat", LIMITS)


@pytest.mark.parametrize("seed", RICH)
def test_the_second_engine_finds_the_first_one_out(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consistent liar: it hides every schedule but the fastest and the thriftiest."""
    problem, points = traded(seed)
    ends = (points[0], points[-1])

    def least_sum(p: Problem, target: Target, limits: Limits) -> Any:
        cap, found = target.period_at_most, []
        for period, energy in ends:
            if cap is None or period <= cap:
                only = replace(target, quantity="energy", weights=(0, 0))
                only = replace(only, period_at_most=period)
                answer = minimise("cpsat")(p, only, limits)
                value = target.of(period, energy)
                found.append((value, replace(answer, value=value, bound=value)))
        return min(found, key=lambda x: x[0])[1]

    def hide(p: Problem, target: Target, limits: Limits, **words: Any) -> Any:
        if target.quantity == "sum":
            return least_sum(p, target, limits)
        answer = minimise("cpsat")(p, target, limits, **words)
        cap = target.period_at_most
        if target.quantity == "energy" and cap is not None and cap < ends[1][0]:
            fast = minimise("cpsat")(p, replace(target, quantity="period"), limits)
            energy = points[0][1]
            if fast.schedule is None or cap < ends[0][0]:
                return answer
            lex = replace(target, period_at_most=ends[0][0])
            found = minimise("cpsat")(p, lex, limits)
            return replace(found, bound=energy)
        return answer

    use(monkeypatch, cpsat=hide)
    alone = solve(problem, ("edp",), "cpsat", LIMITS)
    assert alone.value[0] > min(t * e for t, e in points)
    with pytest.raises(DisagreementError):
        solve(problem, ("edp",), "both", LIMITS)


def test_two_engines_prove_it_twice() -> None:
    problem, points = traded(14)
    news: list[Progress] = []
    outcome = solve(problem, ("edp",), "both", LIMITS, news.append)
    assert outcome.claim == "optimal-2"
    assert outcome.value == outcome.bound == (min(t * e for t, e in points),)
    assert {x.engine for x in news} == {"cpsat", "milp"}
    for x in news:
        assert x.bound is None or x.bound <= outcome.value[0] <= (x.value or x.bound)


@pytest.mark.parametrize("seed", RICH)
def test_a_front_that_is_stopped_holds_and_goes_on(seed: int) -> None:
    """After any number of steps: true points, and all others inside the boxes."""
    problem, points = traded(seed)
    whole = InMemory()
    find_front(problem, "cpsat", LIMITS, steps=whole)
    stop = Event()
    stop.set()
    for count in range(1, len(whole.steps) + 1):
        part = InMemory()
        part.steps = whole.steps[:count]
        found = find_front(problem, "cpsat", replace(LIMITS, stop=stop), steps=part)
        known = {(q.period_ticks, q.energy_quanta): q.proved for q in found.points}
        assert {xy for xy, proved in known.items() if proved} <= set(points)
        for t, e in points:
            assert (t, e) in known or any(
                box.first <= t <= box.last
                and box.low <= e
                and (box.high is None or e < box.high)
                for box in found.boxes
            )
        assert found.steps == count
        again = find_front(problem, "cpsat", LIMITS, steps=part)
        assert [(q.period_ticks, q.energy_quanta) for q in again.points] == points
        assert again.status == "complete"


def test_an_envelope_within_its_tolerance() -> None:
    """With no points to complete it ends when all boxes are small; nothing is lost."""
    problem, points = traded(37)
    assert len(points) > 5
    tolerance = Fraction(1, 4)
    found = find_front(problem, "cpsat", LIMITS, most_points=1, tolerance=tolerance)
    assert found.status == "envelope"
    wide = (points[-1][0] - found.least_period_ticks) * tolerance
    high = (points[0][1] - points[-1][1]) * tolerance
    assert all(box.last - box.first + 1 <= wide for box in found.boxes)
    assert all(box.high - box.low <= high for box in found.boxes)


def test_a_staircase_refuses_contradictions() -> None:
    schedule: Any = None
    stairs = Staircase(1, 100)
    stairs.add(10, 50, schedule)
    stairs.prove(9, 60)
    stairs.prove(100, 20)
    with pytest.raises(DisagreementError):
        stairs.prove(10, 51)
    with pytest.raises(DisagreementError):
        stairs.rule_out(10)
    with pytest.raises(DisagreementError):
        stairs.add(9, 59, schedule)
    stairs.rule_out(9)
    with pytest.raises(DisagreementError):
        stairs.add(9, 70, schedule)
    assert [(c.first, c.last, c.low, c.high) for c in stairs.cells()] == [
        (10, 100, 20, 50)
    ]

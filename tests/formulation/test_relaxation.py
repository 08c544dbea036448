"""The relaxation holds every valid schedule, and its bounds hold for all of them.

The strongest test is row by row: each valid schedule, written out as a point by the
semantics' own traffic, satisfies every row and every column's bounds, exactly.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
import yaml

from formulation import dual, traffic
from formulation.choices import choices
from formulation.decisions import DRAM, PACKAGE
from formulation.dual import Linear, recompute
from formulation.engines.lp import multipliers
from formulation.outcome import Target
from formulation.pipelined import relaxation as of_relaxation
from formulation.pipelined.bounds import lower
from formulation.pipelined.relaxation import relaxation
from formulation.pipelined.relaxation_rules import ROWS, giants
from formulation.pipelined.semantics import evaluate
from formulation.pipelined.traffic import copies, duration
from instances.load import instance_from_mapping, load_instance
from tests import oracle
from tests.random_schedules import broken, cases, draw, problem
from tests.support import problem_of, tiny
from tests.tiny_random import CYCLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

CHUNK = len(CYCLE)
SEEDS = range(4 * CHUNK)
Key = tuple[object, ...]


class Point:
    """A valid schedule as values of columns; what is not set is 0."""

    def __init__(self, p: Problem, s: Schedule, period: int, sends: bool) -> None:
        self.p, self.s, self.sends = p, s, sends
        self.at: dict[Key, int] = {("T",): period}
        for t in range(len(p.tasks)):
            self.layer(t)
        for u, tensor in enumerate(p.tensors):
            if tensor.placed and s.place[u] == DRAM:
                self.at["made", u, s.chiplet[tensor.producer]] = 1
            elif tensor.placed:
                self.transfer(u)
        for c, used in enumerate(evaluate(p, s).sram):
            self.at["kept", c] = used.resident_bytes + self.moving(c)
            self.at["peak", c] = counted_peak(p, s, c, self.sends)

    def layer(self, t: int) -> None:
        p, s, c = self.p, self.s, self.s.chiplet[t]
        mode = traffic.task_mode(p, s, t)
        ways = choices(p, t, c)
        n = next(
            n
            for n, k in enumerate(ways)
            if (k.mode, k.resident) == (s.mode[t], s.resident[t])
        )
        self.at["pick", t, c, n] = 1
        took = duration(p, s, t, traffic.stream(p, s, t))
        self.at["stretch", t, c] = took - ways[n].ticks
        for u, again in zip(p.tasks[t].inputs, mode.ri_bytes, strict=True):
            producer = p.tensors[u].producer
            if producer is not None and s.place[u] == DRAM:
                home = p.chiplets[s.chiplet[producer]].home if p.private else None
                self.at["read", u, t, c, p.tensors[u].bytes + again, home] = 1
        if any(s.place[u] == DRAM for u in p.tasks[t].outputs):
            self.at["again", t, c, mode.ro_bytes] = 1

    def transfer(self, u: int) -> None:
        p, here = self.p, self.s.chiplet[self.p.tensors[u].producer]
        to = traffic.destinations(p, self.s, u)
        for d in to:
            self.at["leaves", u, here] = 1
            self.at["sent", u, here, d] = 1
            for link in p.routes[here][d]:
                self.at["over", u, here, link] = 1

    def moving(self, c: int) -> int:
        """Bytes of the buffers of tensors that come to or leave a chiplet."""
        return sum(
            copies(self.p, self.s, u).get(c, 0) * tensor.bytes
            for u, tensor in enumerate(self.p.tensors)
            if self.sends
            and not self.p.residents_only
            and traffic.destinations(self.p, self.s, u)
        )

    def broken(self, program: Linear) -> list[str]:
        """Names of rows and columns that the point does not satisfy."""
        at = [self.at.get(key, 0) for key in program.keys]
        box = zip(program.keys, program.low, at, program.high, strict=True)
        found = [str(key) for key, low, x, high in box if not low <= x <= high]
        for row in program.rows.values():
            left = sum(k * at[j] for j, k in row.terms)
            if left < row.right or (row.equal and left != row.right):
                found.append(row.name)
        return found

    def objective(self, program: Linear) -> int:
        """The quantity that the program gives the point."""
        pairs = zip(program.keys, program.cost, strict=True)
        total = sum(k * self.at.get(key, 0) for key, k in pairs)
        return -(-total // program.unit)


def counted_peak(p: Problem, s: Schedule, c: int, sends: bool = True) -> int:
    """The most that a layer on c needs, with what is made here, live and never sent.

    Tensors that stay but are buffered count in it; and those that are sent, where
    transfers are left out of the relaxation.
    """
    most = 0
    for t, task in enumerate(p.tasks):
        if s.chiplet[t] == c:
            need = traffic.task_mode(p, s, t).ws_bytes
            for u, tensor in enumerate(p.tensors):
                i = tensor.producer
                if i is None or tensor.model != task.model or s.place[u] != PACKAGE:
                    continue
                where = {s.chiplet[x] for x in (i, *tensor.consumers)}
                stays = where == {c} or (s.chiplet[i] == c and not sends)
                if stays and i <= t <= max(tensor.consumers):
                    need += tensor.bytes
            most = max(most, need)
    return most


@cache
def best(seed: int, objective: str) -> tuple[int, ...] | None:
    return oracle.solve(tiny(seed).instance, objective)


def bound(p: Problem, target: Target) -> int:
    program = relaxation(p, target)
    return recompute(program, multipliers(program))


def valid_schedules(seed: int) -> Iterator[Schedule]:
    """Those of `cases`, and what is valid of some more draws."""
    p, rng = problem(seed).problem, Random(f"relaxation {seed}")
    yield from (x.schedule for x in cases(seed) if not x.broken and x.period is None)
    for _ in range(25):
        s = draw(p, rng)
        if not broken(p, s):
            yield s


@pytest.mark.parametrize("sends", [True, False])
@pytest.mark.parametrize("first", range(0, 8 * CHUNK, CHUNK))
def test_every_valid_schedule_satisfies_every_row(
    first: int, sends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is worth what the semantics say, in period and in energy."""
    if not sends:
        monkeypatch.setattr(of_relaxation, "MOST_SENDERS", 0)
    seen = 0
    for seed in range(first, first + CHUNK):
        p = problem(seed).problem
        programs = [relaxation(p, Target(q)) for q in ("period", "energy")]
        for s in valid_schedules(seed):
            worth = evaluate(p, s)
            point = Point(p, s, worth.period_ticks, sends)
            values = worth.period_ticks, worth.energy_quanta
            for program, value in zip(programs, values, strict=True):
                assert point.broken(program) == [], seed
                assert point.objective(program) <= value, seed
                assert point.objective(program) == value or not sends, seed
            seen += 1
    assert seen > 4 * CHUNK


def test_caps_are_rows_and_bounds() -> None:
    """A schedule satisfies caps of its own values, and none of one less."""
    for seed in range(2 * CHUNK):
        p = problem(seed).problem
        for s in list(valid_schedules(seed))[:2]:
            worth = evaluate(p, s)
            period, energy = worth.period_ticks, worth.energy_quanta
            point = Point(p, s, period, sends=True)
            met = relaxation(p, Target("period", period, energy))
            assert point.broken(met) == [], seed
            for caps, row in (
                ((period - 1, energy), "('T',)"),
                ((period, energy - 1), "energy cap"),
            ):
                assert point.broken(relaxation(p, Target("period", *caps))) == [row]


@pytest.mark.parametrize("quantity", ["period", "energy"])
@pytest.mark.parametrize("first", range(0, 5 * CHUNK, CHUNK))
def test_bounds_hold(first: int, quantity: str) -> None:
    """Never above the oracle's optimum, never below the bounds without search."""
    met = 0
    for seed in range(first, first + CHUNK):
        found = best(seed, quantity)
        if found is not None:
            p = tiny(seed).problem
            low = bound(p, Target(quantity))
            assert low <= found[0], seed
            if quantity == "period":
                assert low >= lower(p), seed
            met += low == found[0]
    assert met > 5


@pytest.mark.parametrize("first", range(0, 4 * CHUNK, CHUNK))
def test_bounds_hold_under_caps(first: int) -> None:
    """The energy under the least period, and the period under the least energy."""
    raised = 0
    for seed in range(first, first + CHUNK):
        found, cheapest = best(seed, "period,energy"), best(seed, "energy")
        if found is None or cheapest is None:
            continue
        p = tiny(seed).problem
        low = bound(p, Target("energy", period_at_most=found[0]))
        assert low <= found[1], seed
        raised += low > bound(p, Target("energy"))
        capped = replace(
            tiny(seed).instance.options,
            energy_cap_pj=Fraction(cheapest[0] * p.energy_quantum_fj, 1000),
        )
        instance = replace(tiny(seed).instance, options=capped)
        least = oracle.solve(instance, "period")
        assert least is not None
        target = Target("period", energy_at_most=cheapest[0])
        assert bound(p, target) <= least[0], seed
        assert bound(problem_of(instance), Target("period")) <= least[0], seed
    assert raised > 3


FAMILIES = [rows for rows in ROWS if rows is not giants]


@pytest.mark.parametrize("left_out", FAMILIES, ids=lambda rows: rows.__name__)
def test_every_family_of_rows_lifts_a_bound(
    left_out: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it no bound is better, and some are worse."""
    seeds = [seed for seed in range(CHUNK) if best(seed, "period") is not None]

    def bounds() -> list[int]:
        targets = [Target(q) for q in ("period", "energy")]
        return [bound(tiny(seed).problem, q) for seed in seeds for q in targets]

    whole = bounds()
    kept = tuple(rows for rows in ROWS if rows is not left_out)
    monkeypatch.setattr(of_relaxation, "ROWS", kept)
    less = bounds()
    assert all(a >= b for a, b in zip(whole, less, strict=True))
    assert whole != less


def test_two_giants_do_not_share_l2(monkeypatch: pytest.MonkeyPatch) -> None:
    """L2 of 30, two layers of 3 ticks with 16 bytes of weights, working sets of 4.

    One is resident, the other streams: 3 + 16 = 19 ticks. In fractions 26/16 of a
    layer fit beside a working set: 2·3 + (16 − 3)·(2 − 26/16) = 10.875. With L2 of 20
    one still just fits beside the other's working set.
    """
    scenario = yaml.safe_load(
        (Path(__file__).parent.parent / "tiny" / "sram.yaml").read_text()
    )
    small = problem_of(instance_from_mapping(scenario))
    assert small.chiplets[0].l2_bytes == 20
    assert bound(small, Target("period")) == 19
    scenario["package"]["types"]["k"]["l2_bytes"] = 30
    p = problem_of(instance_from_mapping(scenario))
    assert bound(p, Target("period")) == 19
    monkeypatch.setattr(of_relaxation, "ROWS", FAMILIES)
    assert bound(p, Target("period")) == 11


@pytest.mark.parametrize("quantity", ["period", "energy"])
def test_the_headline_is_bounded(quantity: str) -> None:
    """At full size, too, nothing overflows and the bound is no weaker than §4.1."""
    p = problem_of(load_instance("headline-contiguous"))
    program = relaxation(p, Target(quantity))
    found = multipliers(program)
    low = recompute(program, found)
    # HiGHS's duals are no accident: a half of each proves less.
    assert low > recompute(program, {name: y / 2 for name, y in found.items()})
    if quantity == "period":
        assert low >= lower(p)
    else:
        least = sum(min(k.energy for modes in t.modes for k in modes) for t in p.tasks)
        assert low > -(-least // p.energy_den)


def guesses(program: Linear, rng: Random) -> Iterator[dict[str, Fraction]]:
    """Multipliers of any sign: HiGHS's spoilt ones, and mere noise.

    The first is the lie that pays best: a little below 0 wherever a row is slack.
    """
    found = multipliers(program)
    slack = program.rows.keys() - found.keys()
    yield {**found, **dict.fromkeys(slack, Fraction(-1, 1000))}
    for spoil in (Fraction(1, 100), Fraction(1), Fraction(3)):
        yield {
            name: y * (1 + spoil * Fraction(rng.randint(-8, 8), 8))
            for name, y in found.items()
        }
        scale = max(found.values(), default=Fraction(1)) * spoil
        yield {
            name: found.get(name, Fraction(0)) + scale * Fraction(rng.randint(-8, 8), 8)
            for name in program.rows
            if rng.random() < 0.1
        }


def above_the_optimum(quantity: str) -> int:
    """How many of many guesses claim more than the oracle's optimum."""
    wrong = 0
    for seed in range(0, 5 * CHUNK, 3):
        found = best(seed, quantity)
        if found is None:
            continue
        program = relaxation(tiny(seed).problem, Target(quantity))
        for guess in guesses(program, Random(f"guess {seed}")):
            wrong += recompute(program, guess) > found[0]
    return wrong


@pytest.mark.parametrize("quantity", ["period", "energy"])
def test_any_multipliers_give_a_bound(
    quantity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever their signs; without the rule on signs many claim too much."""
    assert above_the_optimum(quantity) == 0
    monkeypatch.setattr(dual, "signed", lambda _, y: y)
    assert above_the_optimum(quantity) > 5


def small_program() -> Linear:
    """min 3a + 2b, a + b ≥ 4, a − b = 1, a and b in [0, 5]: a = 5/2, b = 3/2."""
    program = Linear()
    a, b = program.column("a", 5), program.column("b", 5)
    program.cost = [3, 2]
    program.row("sum", [(a, 1), (b, 1)], 4)
    program.row("difference", [(a, 1), (b, -1)], 1, equal=True)
    return program


@pytest.mark.parametrize(
    ("multipliers", "bound"),
    [
        # 3a + 2b = 5/2·(a + b) + 1/2·(a − b) ≥ 10 + 1/2 = 10.5.
        ({"sum": Fraction(5, 2), "difference": Fraction(1, 2)}, 11),
        # 3a + 2b ≥ 2·4 + (3 − 2)·a ≥ 8.
        ({"sum": Fraction(2)}, 8),
        # 3·4 + (2 − 3)·b ≥ 12 − 5 = 7.
        ({"sum": Fraction(3)}, 7),
        # Counts as 0: 3a + 2b ≥ 0.
        ({"sum": Fraction(-1)}, 0),
        # −1·1 + (3 + 1)·a + (2 − 1)·b ≥ −1.
        ({"difference": Fraction(-1)}, -1),
    ],
)
def test_weak_duality_by_hand(multipliers: dict[str, Fraction], bound: int) -> None:
    assert recompute(small_program(), multipliers) == bound


def test_rows_have_names_of_their_own() -> None:
    program = small_program()
    with pytest.raises(ValueError, match="no rows of these names: x, y"):
        recompute(program, {"y": Fraction(1), "sum": Fraction(1), "x": Fraction(0)})
    with pytest.raises(ValueError, match="two rows are called 'sum'"):
        program.row("sum", [], 0)


def test_highs_finds_the_best_multipliers() -> None:
    program = small_program()
    assert recompute(program, multipliers(program)) == 11


def test_multipliers_prove_no_less_than_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS, stopped early, was seen to leave some that prove a period below 0."""
    program = relaxation(tiny(0).problem, Target("period"))
    bad = {name: Fraction(10**6) for name in program.rows}
    assert recompute(program, bad) < recompute(program, {})
    monkeypatch.setattr("formulation.engines.lp.Lp.run", lambda *_: (bad, []))
    assert multipliers(program, 1.0) == {}


def test_large_numbers_lose_nothing() -> None:
    """The same program with 10^18 of everything but the answer's shape."""
    program, big = Linear(), 10**18
    a, b = program.column("a", 5 * big), program.column("b", 5 * big)
    program.cost = [3, 2]
    program.row("sum", [(a, big), (b, big)], 4 * big * big)
    program.row("difference", [(a, 1), (b, -1)], big, equal=True)
    low = recompute(program, multipliers(program))
    assert 0 <= Fraction(21, 2) - Fraction(low, big) < Fraction(1, 10**9)

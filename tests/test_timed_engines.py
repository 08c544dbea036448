"""CP-SAT on timed schedules proves exactly what the oracle finds.

Seeds of `tests/timed_random.py`, less those with ``fluid``, which has no engine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from formulation.outcome import Limits
from formulation.timed.bounds import explain, least, lower
from formulation.timed.cpsat import minimise
from formulation.timed.cpsat_build import STRENGTHENINGS
from formulation.timed.cpsat_rules import RULES as CPSAT_RULES
from formulation.timed.list_schedule import list_schedule
from formulation.timed.objective import earned, timed_part
from formulation.timed.semantics import RULES, KindError, evaluate
from tests import oracle_timed as oracle
from tests.test_oracle_timed import chain, network, problem, row
from tests.timed_random import cases, tiny

LIMITS = Limits(workers=1)
NONE: frozenset[str] = frozenset()
ALL = frozenset(STRENGTHENINGS)
CHUNK = 20
CHUNKS = range(0, 3 * CHUNK, CHUNK)
MANY = range(3 * CHUNK, 26 * CHUNK, CHUNK)
ABLATED = range(0, 60, 3)
MATTERS = {  # seeds whose optimum is another one without the rule
    "release": (15, 16, 37, 39),
    "duration": (0, 10, 12, 131),
    "precedence": (10, 13, 16, 93),
    "no-overlap": (0, 10, 11, 13),
    "sram": (11, 15, 19, 71),
    "contiguous": (33, 84, 137, 188),
    "convex": (35, 88, 139, 243),
    "exclusive": (103, 110, 111, 119),
    "colocate": (133, 141, 185, 188),
    "latency_cap": (43, 96, 116, 140),
    "energy_cap": (104, 149, 187, 201),
    "cap": (47, 54, 79, 82),
}


def rigid(seeds) -> list[int]:
    return [s for s in seeds if tiny(s).problem.timing.contention != "fluid"]


@cache
def best(seed: int, without: frozenset[str] = NONE) -> tuple[int, ...] | None:
    return oracle.best(tiny(seed).problem, tiny(seed).objective, without)


def proved(p, objective: str, **how) -> tuple[int, ...] | None:
    """Return the proved optimum of an objective, `None` if it is proved infeasible."""
    values = []
    for text in objective.split(","):
        part = timed_part(p, text)
        answer = minimise(p, part, LIMITS, **how)
        assert answer.why_stopped == "finished"
        if answer.infeasible:
            assert not values
            return None
        assert answer.proved
        values.append(answer.value)
        p = earned(p, part, answer.value)
    return tuple(values)


def assert_equal(first: int) -> None:
    seeds = rigid(range(first, first + CHUNK))
    found = {s: proved(tiny(s).problem, tiny(s).objective) for s in seeds}
    assert found == {s: best(s) for s in seeds}


@pytest.mark.parametrize("first", CHUNKS)
def test_optimum(first: int) -> None:
    assert_equal(first)


@pytest.mark.long
@pytest.mark.parametrize("first", MANY)
def test_optimum_of_many(first: int) -> None:
    assert_equal(first)


@pytest.mark.parametrize(
    ("seeds", "enough"),
    [
        (range(CHUNKS.stop), 40),
        pytest.param(range(MANY.stop), 300, marks=pytest.mark.long),
    ],
)
def test_enough_is_compared(seeds: range, enough: int) -> None:
    """Of the problems 10 to 40 % are infeasible."""
    chosen = rigid(seeds)
    infeasible = sum(best(s) is None for s in chosen)
    assert len(chosen) >= enough
    assert 0.1 <= infeasible / len(chosen) <= 0.4


@pytest.mark.parametrize("off", [*STRENGTHENINGS, "all"])
def test_strengthenings_cut_nothing_off(off: str) -> None:
    kept = NONE if off == "all" else ALL - {off}
    seeds = rigid(ABLATED)
    found = {
        s: proved(tiny(s).problem, tiny(s).objective, strengthenings=kept)
        for s in seeds
    }
    assert found == {s: best(s) for s in seeds}


@pytest.mark.parametrize("rule", MATTERS)
def test_relaxation(rule: str) -> None:
    """Without a rule the optimum is that of the relaxation, and another one."""
    for seed in MATTERS[rule]:
        p, objective = tiny(seed).problem, tiny(seed).objective.split(",")[0]
        expected = oracle.best(p, objective, frozenset({rule}))
        assert proved(p, objective, without=frozenset({rule})) == expected, seed
        assert expected != oracle.best(p, objective), seed


def assert_alike(seeds: list[int], draws: int) -> Counter[str]:
    """With all decisions fixed exactly the valid schedules are accepted."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        for case in cases(seed, draws):
            verdict = oracle.judge(case.problem, case.schedule)
            if "assignment" in verdict.violated:
                continue
            seen.update(verdict.violated or {"valid"})
            value = proved(case.problem, "makespan", fixed=case.schedule)
            if verdict.violated:
                assert value is None, (seed, case)
            else:
                assert verdict.values is not None
                assert value == (verdict.values.makespan,), (seed, case)
    return seen


def test_fixed_schedules() -> None:
    seen = assert_alike(rigid(range(26)), 1)
    assert seen["valid"] >= 50
    rules = {"release", "duration", "precedence", "no-overlap", "sram"}
    assert {r: seen[r] for r in rules if seen[r] < 5} == {}


@pytest.mark.long
def test_many_fixed_schedules() -> None:
    seen = assert_alike(rigid(range(26, 200)), 2)
    rules = set(RULES) - {"assignment", "bandwidth"}
    assert {r: seen[r] for r in rules if seen[r] < 5} == {}


def test_a_load_may_wait_for_room() -> None:
    """x takes all of L2 for 5 ticks, y's weights come then: 5 + 8 + 1."""
    rows = [row("x", 5, ws_bytes=9), row("y", 1, rw_bytes=100)]
    p = problem([network("x y:8")], rows, dram=1, l2=9)
    assert proved(p, "makespan") == oracle.best(p, "makespan") == (14,)


@pytest.mark.parametrize(
    ("hop", "dram", "total"),
    [
        (0, None, 12),  # z takes no tick: after y, within x
        (0, 1, 12),  # though it could have a stream
        (50, 1, 22),  # and with one, of 3 ticks, it is before x
    ],
)
def test_a_run_holds_its_chiplet_if_it_takes_ticks(
    hop: int, dram: int | None, total: int
) -> None:
    models = [network("x"), network("y z", [("y", "z", 3)], name="n")]
    others = [replace(x, model="n") for x in (row("y", 2, "b"), row("z", 0))]
    rows = [row("x", 10), *others]
    p = problem(models, rows, "ab", hop=hop, dram=dram)
    assert proved(p, "latency_sum") == oracle.best(p, "latency_sum") == (total,)


def test_critical_path() -> None:
    """3 ticks, then 4 bytes over DRAM (5 ticks late) or 2 + 1 over the link, then 2."""
    p = chain(link=2, hop=1, dram_latency=5)
    assert explain(p)["critical_path_ticks"] == 8
    p = chain(link=2, hop=1, dram_latency=1)
    assert explain(p)["critical_path_ticks"] == 6


def test_bounds_hold() -> None:
    """No optimum is below its bound; each bound but DRAM's is met by some."""
    met: Counter[str] = Counter()
    for seed in rigid(range(60)):
        p = tiny(seed).problem
        soon, late = oracle.best(p, "makespan"), oracle.best(p, "latency_sum")
        if soon is None or late is None:
            continue
        for name, ticks in explain(p).items():
            assert soon[0] >= ticks, (seed, name)
            met[name] += ticks == soon[0]
        assert late[0] >= sum(x for rounds in lower(p).latency for x in rounds)
        for text in ("energy", "edp", "tardiness_sum", "latency"):
            value, bound = oracle.best(p, text), least(p, timed_part(p, text))
            assert value is not None
            assert value[0] >= bound, (seed, text)
            met[text] += bound == value[0] > 0
    assert {name for name in explain(p) if not met[name]} <= {"dram_total_ticks"}
    assert met["energy"] >= 5


@pytest.mark.parametrize(
    ("weights", "contention", "least"),
    [
        ("fetched", "exact", 12),  # 4 + 8 weights: once; no layer has other bytes
        ("streamed", "exact", 24),  # in both rounds
        ("preloaded", "exact", 7),  # 5 bytes fit L2
        ("fetched", "none", 0),
    ],
)
def test_dram_total(weights: str, contention: str, least: int) -> None:
    p = problem(
        [network("x:4 y:8")],
        [row("x"), row("y")],
        dram=1,
        l2=5,
        weights=weights,
        contention=contention,
        rounds={"m": 2},
    )
    assert explain(p)["dram_total_ticks"] == least
    assert proved(p, "makespan") == oracle.best(p, "makespan")


@pytest.mark.parametrize("weights", ["preloaded", "fetched", "streamed"])
def test_what_takes_no_tick_needs_no_room(weights: str) -> None:
    p = problem(
        [network("x:4 y:8")],
        [row("x", 0, ws_bytes=9), row("x", 5), row("y", 0, ws_bytes=9), row("y", 5)],
        dram=1,
        l2=5,
        weights=weights,
    )
    least = oracle.best(p, "makespan")
    assert least is not None
    assert max(explain(p).values()) <= least[0]
    assert proved(p, "makespan") == least
    assert proved(p, "makespan", strengthenings=NONE) == least


def test_bounds_hold_for_every_schedule() -> None:
    for seed in rigid(range(40)):
        for case in cases(seed, 1):
            if case.made == "valid":
                heads = lower(case.problem).start
                pairs = zip(case.schedule.runs, heads, strict=True)
                assert all(
                    start >= head
                    for starts, row in pairs
                    for start, head in zip(starts, row, strict=True)
                ), seed


def test_list_schedules() -> None:
    """They are valid, and there is one for most feasible problems."""
    feasible, listed, tight = 0, 0, 0
    for seed in rigid(range(120)):
        p = tiny(seed).problem
        found = list(list_schedule(p))
        for s in found:
            assert not evaluate(p, s).violations
        if best(seed) is not None:
            feasible += 1
            listed += bool(found)
        else:
            assert not found
        least = oracle.best(p, "makespan")
        tight += any((evaluate(p, s).worth.makespan_ticks,) == least for s in found)
    assert listed >= 0.9 * feasible
    assert tight >= 0.6 * feasible


def test_a_start_counts_if_it_is_valid() -> None:
    seed = next(s for s in rigid(range(60)) if best(s) is not None)
    p = tiny(seed).problem
    part = timed_part(p, "makespan")
    good = minimise(p, part, LIMITS).schedule
    assert good is not None
    early = tuple(tuple(x - 1 for x in starts) for starts in good.runs)
    bad = replace(good, runs=early)
    assert minimise(p, part, LIMITS, hint=good).notes == ()
    broken = minimise(p, part, LIMITS, hint=bad)
    assert broken.proved
    (note,) = broken.notes
    assert note.startswith("the hint was rejected: ")


def test_fluid_is_refused() -> None:
    seed = next(s for s in range(60) if tiny(s).problem.timing.contention == "fluid")
    p = tiny(seed).problem
    with pytest.raises(KindError, match="fluid has no engine yet"):
        minimise(p, timed_part(p, "makespan"), LIMITS)


def test_the_rules_are_those_of_the_semantics() -> None:
    assert set(CPSAT_RULES) == set(RULES)
    assert set(MATTERS) == set(RULES) - {"assignment", "bandwidth"}

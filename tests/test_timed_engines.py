"""Both engines of timed schedules prove exactly what the oracle finds.

Seeds of `tests/timed_random.py`; those with ``fluid`` are for the MILP alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from formulation.timed.bounds import explain, least, lower
from formulation.timed.cpsat_build import STRENGTHENINGS as CPSAT_STRENGTHENINGS
from formulation.timed.cpsat_rules import RULES as CPSAT_RULES
from formulation.timed.list_schedule import list_schedule
from formulation.timed.milp_build import STRENGTHENINGS as MILP_STRENGTHENINGS
from formulation.timed.milp_rules import RULES as MILP_RULES
from formulation.timed.objective import timed_part
from formulation.timed.semantics import RULES, KindError, evaluate
from tests import oracle_timed as oracle
from tests.test_oracle_timed import chain, network, problem, row
from tests.timed_engines import ENGINES, LIMITS, proved
from tests.timed_random import cases, tiny

NONE: frozenset[str] = frozenset()
STRENGTHENINGS = {"cpsat": CPSAT_STRENGTHENINGS, "milp": MILP_STRENGTHENINGS}
CHUNK = 20
CHUNKS = range(0, 3 * CHUNK, CHUNK)
MANY = range(3 * CHUNK, 26 * CHUNK, CHUNK)
ABLATED = range(0, 60, 3)
MATTERS = {  # seeds whose optimum is another one without the rule
    "release": (15, 16, 37, 39),
    "duration": (0, 10, 12, 131),
    "precedence": (10, 13, 16, 93),
    "no-overlap": (0, 10, 11, 13),
    "bandwidth": (86, 125, 161, 162),  # with fluid
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


def fit(engine: str, seeds) -> list[int]:
    """Return the seeds that an engine takes."""
    return rigid(seeds) if engine == "cpsat" else list(seeds)


@cache
def best(seed: int, without: frozenset[str] = NONE) -> tuple[int, ...] | None:
    return oracle.best(tiny(seed).problem, tiny(seed).objective, without)


def assert_equal(engine: str, first: int) -> None:
    seeds = fit(engine, range(first, first + CHUNK))
    found = {s: proved(engine, tiny(s).problem, tiny(s).objective) for s in seeds}
    assert found == {s: best(s) for s in seeds}


def few(engine: str, every):
    """Return what an engine does in all runs; the MILP is the slower one."""
    return every if engine == "cpsat" else every[: (len(every) + 2) // 3]


SHORT = [(engine, first) for engine in ENGINES for first in few(engine, CHUNKS)]
LONG = [
    (engine, first)
    for engine in ENGINES
    for first in (*CHUNKS, *MANY)
    if (engine, first) not in SHORT
]


@pytest.mark.parametrize(("engine", "first"), SHORT)
def test_optimum(engine: str, first: int) -> None:
    assert_equal(engine, first)


@pytest.mark.long
@pytest.mark.parametrize(("engine", "first"), LONG)
def test_optimum_of_many(engine: str, first: int) -> None:
    assert_equal(engine, first)


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


@pytest.mark.parametrize(
    ("engine", "off"),
    [(engine, off) for engine in ENGINES for off in (*STRENGTHENINGS[engine], "all")],
)
def test_strengthenings_cut_nothing_off(engine: str, off: str) -> None:
    kept = NONE if off == "all" else frozenset(STRENGTHENINGS[engine]) - {off}
    seeds = few(engine, fit(engine, ABLATED))
    found = {
        s: proved(engine, tiny(s).problem, tiny(s).objective, strengthenings=kept)
        for s in seeds
    }
    assert found == {s: best(s) for s in seeds}


def assert_relaxed(engine: str, rule: str, seeds: list[int]) -> None:
    for seed in seeds:
        p, objective = tiny(seed).problem, tiny(seed).objective.split(",")[0]
        expected = oracle.best(p, objective, frozenset({rule}))
        assert proved(engine, p, objective, without=frozenset({rule})) == expected, seed
        assert expected != oracle.best(p, objective), seed


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", MATTERS)
def test_relaxation(engine: str, rule: str) -> None:
    """Without a rule the optimum is that of the relaxation, and another one."""
    seeds = few(engine, fit(engine, MATTERS[rule]))
    assert seeds or (engine, rule) == ("cpsat", "bandwidth")
    assert_relaxed(engine, rule, seeds)


@pytest.mark.long
@pytest.mark.parametrize("rule", MATTERS)
def test_relaxation_more(rule: str) -> None:
    assert_relaxed("milp", rule, list(MATTERS[rule]))


def assert_alike(engine: str, seeds: list[int], draws: int) -> Counter[str]:
    """With all decisions fixed exactly the valid schedules are accepted."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        for case in cases(seed, draws):
            verdict = oracle.judge(case.problem, case.schedule)
            if "assignment" in verdict.violated:
                continue
            seen.update(verdict.violated or {"valid"})
            value = proved(engine, case.problem, "makespan", fixed=case.schedule)
            if verdict.violated:
                assert value is None, (seed, case)
            else:
                assert verdict.values is not None
                assert value == (verdict.values.makespan,), (seed, case)
    return seen


@pytest.mark.parametrize("engine", ENGINES)
def test_fixed_schedules(engine: str) -> None:
    seeds = few(engine, fit(engine, range(26)))
    seen = assert_alike(engine, seeds, 1)
    assert seen["valid"] >= 2 * len(seeds)
    rules = {"release", "duration", "precedence", "no-overlap", "sram"}
    assert {r: seen[r] for r in rules if seen[r] < 2} == {}


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_many_fixed_schedules(engine: str) -> None:
    seen = assert_alike(engine, few(engine, fit(engine, range(200))), 2)
    rules = set(RULES) - {"assignment"}
    if engine == "cpsat":
        rules -= {"bandwidth"}
    assert {r: seen[r] for r in rules if seen[r] < 5} == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_load_may_wait_for_room(engine: str) -> None:
    """x takes all of L2 for 5 ticks, y's weights come then: 5 + 8 + 1."""
    rows = [row("x", 5, ws_bytes=9), row("y", 1, rw_bytes=100)]
    p = problem([network("x y:8")], rows, dram=1, l2=9)
    assert proved(engine, p, "makespan") == oracle.best(p, "makespan") == (14,)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("hop", "dram", "total"),
    [
        (0, None, 12),  # z takes no tick: after y, within x
        (0, 1, 12),  # though it could have a stream
        (50, 1, 22),  # and with one, of 3 ticks, it is before x
    ],
)
def test_a_run_holds_its_chiplet_if_it_takes_ticks(
    engine: str, hop: int, dram: int | None, total: int
) -> None:
    models = [network("x"), network("y z", [("y", "z", 3)], name="n")]
    others = [replace(x, model="n") for x in (row("y", 2, "b"), row("z", 0))]
    rows = [row("x", 10), *others]
    p = problem(models, rows, "ab", hop=hop, dram=dram)
    assert proved(engine, p, "latency_sum") == oracle.best(p, "latency_sum") == (total,)


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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("weights", "contention", "least"),
    [
        ("fetched", "exact", 12),  # 4 + 8 weights: once; no layer has other bytes
        ("streamed", "exact", 24),  # in both rounds
        ("preloaded", "exact", 7),  # 5 bytes fit L2
        ("fetched", "none", 0),
    ],
)
def test_dram_total(engine: str, weights: str, contention: str, least: int) -> None:
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
    assert proved(engine, p, "makespan") == oracle.best(p, "makespan")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("weights", ["preloaded", "fetched", "streamed"])
def test_what_takes_no_tick_needs_no_room(engine: str, weights: str) -> None:
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
    assert proved(engine, p, "makespan") == least
    assert proved(engine, p, "makespan", strengthenings=NONE) == least


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


@pytest.mark.parametrize("engine", ENGINES)
def test_a_start_counts_if_it_is_valid(engine: str) -> None:
    seed = next(s for s in rigid(range(60)) if best(s) is not None)
    p, minimise = tiny(seed).problem, ENGINES[engine]
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


def test_fluid_is_not_for_cpsat() -> None:
    seed = next(s for s in range(60) if tiny(s).problem.timing.contention == "fluid")
    p = tiny(seed).problem
    with pytest.raises(KindError, match="fluid is for the engine milp alone"):
        ENGINES["cpsat"](p, timed_part(p, "makespan"), LIMITS)


@pytest.mark.parametrize("rules", [CPSAT_RULES, MILP_RULES])
def test_the_rules_are_those_of_the_semantics(rules) -> None:
    assert set(rules) == set(RULES)
    assert set(MATTERS) == set(RULES) - {"assignment"}

"""The windowed oracle against worked examples, every vector, semantics and engines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import product
from random import Random
from typing import TYPE_CHECKING

import pytest

from formulation.outcome import Limits
from formulation.rules import UnassignedError
from formulation.windowed import cpsat, dp
from formulation.windowed.objective import windowed_part
from formulation.windowed.schedule import Schedule, from_dict
from formulation.windowed.semantics import RULES, evaluate
from tests import oracle
from tests.formulation.windowed_cases import SCHEDULE, problem
from tests.oracle_timed import TooLarge, parse
from tests.oracle_windowed import judge, optima, optimum, timetables, worth
from tests.support import problem_of
from tests.windowed_random import OBJECTIVES, Tiny, drawn, tiny, with_cap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.problem import Problem
    from formulation.rules import Violation
    from formulation.windowed.semantics import Evaluation

SEEDS = range(80)
MANY = range(2000, 2320)
LIMITS = Limits(workers=1)
ENGINES = {"programs": dp.minimise, "cpsat": cpsat.minimise}
MAIN = ("makespan", "energy", "edp")


# Examples.


def test_the_hand_worked_instance() -> None:
    """The values that `test_windowed_engines.py` works out for the same instance."""
    p = problem()
    for objective, value in (
        ("makespan", 34),
        ("energy", 84),
        ("latency", 34),
        ("latency:3*s:m", 48),
    ):
        found = optimum(p, objective)
        assert found is not None
        assert found.best == (value,)
    first, second = found_both(p, "makespan,energy"), found_both(p, "energy,makespan")
    assert (first[0], second[0]) == (34, 84)
    assert first[1] >= 84
    assert second[1] >= 34


def found_both(p: Problem, objective: str) -> tuple[int, ...]:
    found = optimum(p, objective)
    assert found is not None
    return found.best


def test_what_is_live_is_handed_on_through_those_who_do_not_read_it() -> None:
    """Layers a, b, c of m on chiplets 0, 1, 2, mini-batches one by one; s later.

    a: 3, reads (8 + 8)/4 + 3 = 7, sends u = 4: 4/2 + 2 = 4. Together 14.
    b: 2, u arrives 4, u and v = 10 leave: 10/2 + 2 = 7. Together 13.
    c: 4, arrives 7, reads 12/2 + 7 = 13, writes 2/2 + 7 = 8. Together 32.
    m takes 14 + 13 + 32 + 32 = 91. s: 6 + 2·(4/4 + 3) = 14. Makespan 105.
    Energy 2·13 + 10; DRAM 2·(16 + 12 + 2) + 8 = 68; links 1/2·2·(4 + 10 + 2·14) = 42:
    146. `receiver` saves 4 of a, 7 of b: 91 − 11 = 80.
    """
    one = {
        "layers": {
            f"m/{name}": {"chiplet": c, "mode": 0, "window": 0}
            for c, name in enumerate("abc")
        }
        | {"s/d": {"chiplet": 0, "mode": 0, "window": 1}},
        "groups": {"m": [1, None], "s": [None, 1]},
    }
    verdict = judge(problem(), from_dict(problem(), one))
    assert verdict.violated == set()
    assert verdict.values is not None
    assert verdict.values.times == ((91, 0), (0, 14))
    assert (verdict.values.makespan, verdict.values.latency) == (105, (91, 105))
    assert verdict.values.energy == 146
    p = problem({"handover": "receiver"})
    verdict = judge(p, from_dict(p, one))
    assert verdict.values is not None
    assert verdict.values.lengths == (80, 14)


def test_what_a_segment_keeps() -> None:
    """a and b on chiplet 0, c on 1, d, which needs its 40 bytes alone, on 2.

    b runs with 20 bytes of its own, u (4) and v (6): 30, c with 30, u and v: 40. With
    both mini-batches 40 and 50; with weights that stay 8 and 12 more.
    """
    for words, group, due in (
        ({"memory": "layers"}, 2, 40),
        ({}, 1, 40),
        ({}, 2, 50),
        ({"weights": "once"}, 1, 52),
        ({"weights": "once"}, 2, 62),
    ):
        given = {"memory": "segments", **words}
        for l2_bytes, fits in ((due - 1, False), (due, True)):
            p = problem(given, package={"types": {"k": {"l2_bytes": l2_bytes}}})
            s = from_dict(p, {**SCHEDULE, "groups": {"m": [group], "s": [1]}})
            assert ("sram" not in judge(p, s).violated) == fits, (words, l2_bytes)


# Numbers of a problem that only windowed schedules use.


def test_the_numbers_of_a_problem_are_those_of_the_instance() -> None:
    """Latencies of reads and writes, mini-batches, weights, words.

    The package is checked in `test_oracle_timed.py`.
    """
    for seed in SEEDS[::2]:
        instance, p = tiny(seed).instance, tiny(seed).problem
        g, asked = oracle.Given(instance), instance.options.windowed
        late = g.dram.latency_ns * g.ticks_per_ns
        for c in g.chiplets:
            there = [g.from_dram(i, c) for i, _ in g.spread(c, c, 1)]
            back = [g.to_dram(c, i) for i, _ in g.spread(c, c, 1)]
            for ways, ticks in ((there, p.windowing.read_ticks), (back, writes(p))):
                exact = [late + sum(g.latency[link] for link in way) for way in ways]
                assert ticks[c] == -(-max(exact) // 1)
        batches = [model.mini_batches for model in instance.models]
        assert list(p.windowing.mini_batches) == batches
        for name, t in zip(g.layers, p.tasks, strict=True):
            n, weights = batches[t.model], g.layer[name].weight_bytes
            assert t.weight_bytes == weights
            for modes, rows in zip(t.modes, g.modes[name], strict=True):
                due = Counter(
                    (
                        row.latency_ticks * n,
                        (weights + row.rw_bytes) if weights else 0,
                        1 if row.holds_weights else n,
                        row.ws_bytes,
                    )
                    for row in rows
                )
                assert due == Counter(
                    (
                        x.latency_ticks,
                        Fraction(x.weight_bytes, x.fetches),
                        x.fetches,
                        x.ws_bytes,
                    )
                    for x in modes
                )
        assert p.windowing.windows == asked.windows
        assert p.windowing.single == (asked.mini_batches == "single")
        assert p.windowing.weights_once == (asked.weights == "once")
        assert p.windowing.refetch == asked.refetch
        assert p.windowing.segments_fit == (asked.memory == "segments")
        assert p.windowing.receiver_only == (asked.handover == "receiver")
        assert p.windowing.conflict_ticks == asked.conflict_ticks


def writes(p: Problem) -> tuple[int, ...]:
    return p.windowing.write_ticks


# All schedules.


def vectors(p: Problem) -> Iterator[Schedule]:
    """Every vector of decisions, of the right form or not.

    Of chiplets and modes only those of `assignment`; any g up to n, wherever there are
    layers.
    """
    spots = [
        [(c, k) for c, modes in enumerate(t.modes) for k in range(len(modes))]
        for t in p.tasks
    ]
    for window in product(range(p.windowing.windows), repeat=len(p.tasks)):
        together = {(t.model, w) for t, w in zip(p.tasks, window, strict=True)}
        entries: list[Sequence[int | None]] = [
            range(1, n + 1) if (m, w) in together else (None,)
            for m, n in enumerate(p.windowing.mini_batches)
            for w in range(max(window) + 1)
        ]
        count = max(window) + 1
        for flat in product(*entries):
            rows = [flat[m * count :][:count] for m in range(len(p.models))]
            for spot in product(*spots):
                yield Schedule(
                    chiplet=tuple(c for c, _ in spot),
                    mode=tuple(k for _, k in spot),
                    window=window,
                    groups=tuple(map(tuple, rows)),
                )


def vector_count(p: Problem) -> int:
    total = p.windowing.windows ** len(p.tasks)
    for t in p.tasks:
        total *= sum(map(len, t.modes)) * p.windowing.mini_batches[t.model]
    return total


def check_vectors(seeds: range, most: int) -> Counter[str]:
    compared: Counter[str] = Counter()
    for seed in seeds:
        p, objective = tiny(seed).problem, tiny(seed).objective
        if vector_count(p) > most:
            continue
        texts = (objective, "makespan,energy", "energy,latency")
        best: list[tuple[int, ...] | None] = [None for _ in texts]
        for s in vectors(p):
            verdict = judge(p, s)
            if verdict.violated or verdict.values is None:
                continue
            for n, text in enumerate(texts):
                value = tuple(
                    worth(p, parse(p, part), verdict.values) for part in text.split(",")
                )
                now = best[n]
                best[n] = value if now is None else min(now, value)
        found = [x and x.best for x in optima(p, texts)]
        assert found == best, seed
        compared["feasible" if best[0] is not None else "infeasible"] += 1
    return compared


def test_the_optimum_is_the_best_of_every_vector() -> None:
    compared = check_vectors(SEEDS, 1500)
    assert compared["feasible"] >= 15
    assert compared["infeasible"] >= 2


@pytest.mark.long
def test_the_optimum_is_the_best_of_many_more_vectors() -> None:
    assert check_vectors(range(240), 6000)["feasible"] > 90


def test_windows_are_counted_right() -> None:
    """Two layers of m, d of s: one window, two and three.

    1 of one; with two m has (0,0), (0,1), (1,1), s 0 or 1, of these 6 the first with 0
    and the third with 1 leave one empty: 4; three if all are apart: s may be first,
    between and last.
    """
    p = problem()
    kept = p.models[0]
    short = replace(
        p,
        models=(replace(kept, last=1), replace(p.models[1], first=2, last=2)),
        tasks=(p.tasks[0], p.tasks[1], p.tasks[3]),
    )
    sizes = Counter(len(blocks) for blocks in timetables(short))
    assert sizes == {1: 1, 2: 4, 3: 3}


def test_a_search_that_is_too_large_is_given_up() -> None:
    with pytest.raises(TooLarge):
        optimum(problem(), "makespan", limit=50)


# The semantics.


@cache
def larger(seed: int) -> Tiny:
    """Return a problem with more schedules than those of `tiny`, half with a cap.

    Caps are such that the best schedule of the objective breaks them; of some no
    schedule is left.
    """
    rng = Random(f"larger {seed}")
    if rng.random() < 0.5:
        return drawn(rng, seed, 100, 40_000)
    while True:
        given = drawn(rng, seed, 100, 20_000)
        kinds = [("cap", text) for text in OBJECTIVES[:5]] + [("energy_cap", "energy")]
        kinds += [("latency_cap", f"latency:{m.name}") for m in given.problem.models]
        which, text = rng.choice(kinds)
        text = windowed_part(given.problem, text).text
        most, least = optima(given.problem, (f"{given.objective},{text}", text))
        if most is None or least is None or most.best[1] == least.best[0]:
            continue
        low = least.best[0] - (rng.random() < 0.15)
        cap = max(1, rng.randint(low, most.best[1] - 1))
        instance = with_cap(given.instance, which, text, cap)
        return Tiny(instance, problem_of(instance), given.objective, which)


@dataclass(frozen=True)
class Draws:
    """Random schedules of a problem."""

    p: Problem
    rng: Random

    def some(self) -> Schedule:
        """Mostly what the rules ask for."""
        p, rng = self.p, self.rng
        count = rng.randint(1, min(p.windowing.windows + (rng.random() < 0.2), 4))
        window: list[int] = []
        for model in p.models:
            window += sorted(rng.randrange(count) for _ in model.tasks)
        used = sorted(set(window))
        window = [used.index(w) for w in window]
        stays = rng.random()
        chiplet: list[int] = []
        for t, task in enumerate(p.tasks):
            can = self.possible(t)
            before = t > p.models[task.model].first and window[t] == window[t - 1]
            if before and chiplet[-1] in can and rng.random() < stays:
                chiplet.append(chiplet[-1])
                continue
            taken = {c for c, w in zip(chiplet, window, strict=False) if w == window[t]}
            near = [
                c
                for c in can
                if c not in taken and (not before or len(p.routes[chiplet[-1]][c]) <= 1)
            ]
            chiplet.append(rng.choice(near if near and rng.random() < 0.9 else can))
        modes = [len(t.modes[c]) for t, c in zip(p.tasks, chiplet, strict=True)]
        together = {(t.model, w) for t, w in zip(p.tasks, window, strict=True)}
        groups = tuple(
            tuple(
                self.group(n) if (m, w) in together else None
                for w in range(max(window) + 1)
            )
            for m, n in enumerate(p.windowing.mini_batches)
        )
        mode = tuple(rng.randrange(max(k, 1)) for k in modes)
        return Schedule(tuple(chiplet), mode, tuple(window), groups)

    def possible(self, t: int) -> Sequence[int]:
        """The chiplets that support a layer; all if none does."""
        return self.p.supported(t) or range(len(self.p.chiplets))

    def group(self, n: int) -> int:
        sizes = [g for g in range(1, n + 1) if n % g == 0]
        return 1 if self.p.windowing.single else self.rng.choice(sizes)

    def near(self, s: Schedule) -> Schedule:
        """Change one decision, mostly to something that is possible."""
        rng, t = self.rng, self.rng.randrange(len(self.p.tasks))
        what = rng.choice(("chiplet", "chiplet", "mode", "window", "group"))
        if what == "chiplet":
            return replace(s, chiplet=put(s.chiplet, t, rng.choice(self.possible(t))))
        if what == "mode":
            return replace(s, mode=put(s.mode, t, s.mode[t] + rng.choice((-1, 1))))
        if what == "window":
            step = rng.choice((-1, 1))
            return replace(s, window=put(s.window, t, s.window[t] + step))
        m = rng.randrange(len(s.groups))
        w = rng.randrange(len(s.groups[m]))
        row = put(s.groups[m], w, rng.choice((None, 0, 1, 2, 3, 4)))
        return replace(s, groups=put(s.groups, m, row))

    def wild(self) -> Schedule:
        """Anything at all, out of range now and then; rows may be of any length."""
        rng, count = self.rng, len(self.p.tasks)
        low = rng.choice((0, 0, 0, -1, -2))
        high = rng.choice((low, 0, 1, 2)) if low < 0 else rng.choice((0, 1, 2))
        window = tuple(rng.randint(low, max(low, high)) for _ in range(count))
        length = max(0, max(window) + 1 + (rng.random() < 0.1))
        return Schedule(
            tuple(rng.randint(-1, len(self.p.chiplets)) for _ in range(count)),
            tuple(rng.choice((0, 0, 0, 1, -1)) for _ in range(count)),
            window,
            tuple(
                tuple(rng.choice((None, 1, 1, 2, -1)) for _ in range(length))
                for _ in self.p.models
            ),
        )


def put(values: tuple, index: int, value: object) -> tuple:
    return (*values[:index], value, *values[index + 1 :])


def evaluated(p: Problem, s: Schedule) -> Evaluation | tuple[Violation, ...]:
    """What the semantics say, or why they say no more."""
    try:
        return evaluate(p, s)
    except UnassignedError as error:
        return error.violations


def check_semantics(problems: Sequence[Tiny], times: int) -> Counter[str]:
    """Return how many schedules were judged alike, by what is broken."""
    alike: Counter[str] = Counter()
    for number, given in enumerate(problems):
        p = given.problem
        draws = Draws(p, Random(f"draws {number}"))
        chosen = [draws.some() for _ in range(times)]
        chosen += [draws.near(s) for s in chosen]
        chosen += [draws.wild() for _ in range(times // 2)]
        for s in dict.fromkeys(chosen):
            mine = judge(p, s)
            alike.update(mine.violated or {"valid"})
            alike["all"] += 1
            alike["alone"] += len(mine.violated) == 1
            where = (given.instance.name, s)
            theirs = evaluated(p, s)
            found = theirs if isinstance(theirs, tuple) else theirs.violations
            assert mine.violated == {v.rule for v in found}, where
            if isinstance(theirs, tuple):
                assert mine.values is None, where
                continue
            v, w = mine.values, theirs.worth
            assert v is not None, where
            assert v.makespan == w.makespan_ticks, where
            assert v.latency == w.latency_ticks, where
            assert v.energy == w.energy_quanta, where
            assert v.edp == w.edp, where
            assert v.lengths == theirs.facts.length_ticks, where
            times_of = tuple(zip(*theirs.facts.time_ticks, strict=True))
            assert v.times == times_of, where
    return alike


def test_semantics_judge_alike() -> None:
    alike = check_semantics([tiny(seed) for seed in SEEDS], 12)
    alike += check_semantics([larger(seed) for seed in SEEDS[:10]], 24)
    assert alike["all"] > 1500
    assert alike["valid"] > 300
    assert alike["alone"] > 300
    for rule in RULES:
        assert alike[rule] > 10, rule


@pytest.mark.long
def test_semantics_judge_many_alike() -> None:
    alike = check_semantics([larger(seed) for seed in MANY], 60)
    assert alike["all"] > 15_000
    for rule in RULES:
        assert alike[rule] > 100, rule


# The engines.


def check_engines(given: Tiny) -> bool:
    """Compare the optimum with what the engines prove, and ask both judges of it."""
    p = given.problem
    objectives = tuple(dict.fromkeys((*MAIN, given.objective)))
    found = optima(p, objectives)
    for objective, due in zip(objectives, found, strict=True):
        part = windowed_part(p, objective)
        for name, engine in ENGINES.items():
            answer = engine(p, part, LIMITS)
            where = (given.instance.name, objective, name)
            assert answer.why_stopped == "finished", where
            assert answer.infeasible == (due is None), where
            if due is None:
                continue
            assert due.best == (answer.value,) == (answer.bound,), where
            assert answer.schedule is not None, where
            for s in (due.schedule, answer.schedule):
                verdict = judge(p, s)
                assert verdict.violated == set(), where
                assert verdict.values is not None, where
                assert worth(p, parse(p, objective), verdict.values) == due.best[0]
                assert evaluate(p, s).violations == (), where
    return found[0] is not None


def test_engines_prove_the_optimum() -> None:
    feasible = [check_engines(tiny(seed)) for seed in range(500, 524)]
    assert sum(feasible) > 15


def test_engines_prove_the_optimum_of_larger_ones() -> None:
    feasible = [check_engines(larger(seed)) for seed in range(8)]
    assert sum(feasible) > 4


@pytest.mark.long
@pytest.mark.parametrize("block", range(8))
def test_engines_prove_many_optima(block: int) -> None:
    count = len(MANY) // 8
    seeds = MANY[block * count :][:count]
    feasible = [check_engines(larger(seed)) for seed in seeds]
    assert sum(feasible) > len(seeds) // 2

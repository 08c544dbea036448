"""The MILP engine: what solvers say, and what is made of it.

That its optima are right is tested against the oracle, with the other engine.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import pytest

from costmodel.build import build_table
from formulation.compile import compile_problem
from formulation.engines.milp import (
    EngineError,
    Found,
    News,
    Program,
    highs,
)
from formulation.engines.milp_cbc import cbc_available
from formulation.outcome import Limits, Target
from formulation.pipelined import milp
from formulation.pipelined.milp_cuts import STRENGTHENINGS
from formulation.pipelined.milp_rules import RULES
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import RULES as LABELS
from formulation.pipelined.semantics import evaluate
from formulation.problem import (
    Chiplet,
    Flow,
    Mode,
    NopLink,
    Problem,
    ProblemModel,
    Rate,
    Resource,
    Task,
    Tensor,
    Timing,
)
from tests import oracle
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from instances.schema import Instance

QUICK = Limits(seconds=60, workers=1)
PERIOD, ENERGY = Target("period"), Target("energy")
SILENT = News(lambda _: None, lambda _: None)


def chain(layers: int = 3, chiplets: int = 2, ticks: int = 10) -> Problem:
    """A chain of equal layers on equal chiplets, 4-byte tensors, fast links.

    Every layer: `ticks`, 5 quanta, 8 bytes of work, 6 bytes of weights.
    L2 100 bytes; ports, DRAM: 4 bytes a tick; a DRAM byte costs 2 quanta.
    """
    ports = [
        Resource("port", f"port {n}", Rate(4, 1), Rate(4, 1), True, Rate(4, 1))
        for n in range(2 * chiplets)
    ]
    door = Resource("dram", "door", Rate(4, 1), Rate(4, 1), True, Rate(4, 1))
    mode = Mode(ticks, 5, 8, 6, (0,), 0, 0)
    every = (mode,)
    names = [f"u{n}" for n in range(layers + 1)]
    return Problem(
        name="chain",
        instance_sha256="",
        table_sha256="",
        tick_ps=1000,
        energy_quantum_fj=1000,
        energy_den=1,
        load_unit=1,
        chiplets=tuple(
            Chiplet(
                name=str(c),
                type="t",
                l2_bytes=100,
                port_in=2 * c,
                port_out=2 * c + 1,
                home=0,
                reads=(Flow(((2 * c, 1), (2 * chiplets, 1)), 2),),
                write=Flow(((2 * c + 1, 1), (2 * chiplets, 1)), 2),
            )
            for c in range(chiplets)
        ),
        resources=(*ports, door),
        links=(NopLink(None, 1),),
        routes=tuple(
            tuple(() if c == d else (0,) for d in range(chiplets))
            for c in range(chiplets)
        ),
        static_energy=0,
        dram_energy=0,
        floor_ticks=1,
        route_ticks=((0,) * chiplets,) * chiplets,
        dram_ticks=0,
        models=(ProblemModel("m", 0, layers - 1, 2 * (layers - 1), False, None, 1),),
        tasks=tuple(
            Task(f"l{n}", 0, 6, (n,), (n + 1,), (every,) * chiplets)
            for n in range(layers)
        ),
        tensors=tuple(
            Tensor(
                name=name,
                model=0,
                producer=None if n == 0 else n - 1,
                consumers=(n,) if n < layers else (),
                bytes=4,
                output=n == layers,
                transfer=None,
            )
            for n, name in enumerate(names)
        ),
        contiguous=False,
        convex=False,
        exclusive=False,
        multicast=False,
        serial=False,
        guaranteed=False,
        private=False,
        residents_only=False,
        colocate=(),
        energy_cap_quanta=None,
        period_cap_ticks=None,
        timing=Timing("exact", False, "fetched", ((0,),), (None,), ()),
        kind="pipelined",
    )


def on_one_chiplet(problem: Problem) -> Schedule:
    """Everything resident on chiplet 0, in stage 0."""
    n = len(problem.tasks)
    return Schedule(
        chiplet=(0,) * n,
        mode=(0,) * n,
        stage=(0,) * n,
        resident=(True,) * n,
        place=tuple("package" if u.placed else None for u in problem.tensors),
    )


def tiny(seed: int) -> Problem:
    instance = tiny_instance(seed)
    return compile_problem(instance, build_table(instance))


def run(program: Program, limits: Limits = QUICK) -> Found:
    return highs(program, limits, limits.seconds, 0.0, SILENT)


def test_every_rule_has_a_function() -> None:
    assert list(RULES) == list(LABELS)
    assert all(rule.__doc__ for rule in (*RULES.values(), *STRENGTHENINGS.values()))


def test_highs_1_14_model() -> None:
    """Min 2x+3z, x+z ≥ 4.5, z integer: x=4.5 costs 9; HiGHS 1.14.0 says 15."""
    program = Program("wrong_in_1_14")
    x, z = program.real("x", 0, 10), program.integer("z", 0, 10)
    program.row("cover", [(x, 1), (z, 1)], ">=", 4.5)
    program.minimise([(x, 2), (z, 3)])
    found = run(program)
    assert (found.status, found.bound) == ("optimal", pytest.approx(9))
    assert found.values == {x: pytest.approx(4.5), z: pytest.approx(0)}


def test_terms_of_one_variable_add_up() -> None:
    """2x + 3x ≥ 10 means x ≥ 2."""
    program = Program("twice")
    x = program.integer("x", 0)
    program.row("twice", [(x, 2), (x, 3)], ">=", 10)
    program.minimise([(x, 1)])
    assert run(program).bound == pytest.approx(2)


def test_unused_variables_and_empty_rows() -> None:
    """0 ≥ 1 cannot hold; a variable that no row mentions has a value all the same."""
    program = Program("empty")
    x, y = program.integer("x", 3), program.integer("y", 1, 2)
    program.minimise([(x, 1)])
    found = run(program)
    assert found.values is not None
    assert found.values[x] == 3
    assert 1 <= found.values[y] <= 2
    program.row("never", [], ">=", 1)
    assert run(program) == Found("infeasible", None, None, None, "Infeasible")


def test_presolve_leaves_no_binary_at_a_half() -> None:
    """Two runs of 3 ticks from x and y, streams of 2, one before the other: 4 ticks.

    HiGHS 1.13.1 enumerates in presolve what comes first, and forgets that something
    does (ERGO-Code/HiGHS#3216).
    """
    program = Program("order")
    x, y = program.real("x", 0, 2), program.real("y", 0, 2)
    s, t = program.real("s", 0, 4), program.real("t", 0, 4)
    a, b = program.binary("a"), program.binary("b")
    for stream, start in ((s, x), (t, y)):
        program.row("from", [(stream, 1), (start, -1)], ">=", 0)
        program.row("until", [(start, 1), (stream, -1)], ">=", -1)
    program.row("first", [(t, 1), (s, -1), (a, -4)], ">=", 2 - 4)
    program.row("first", [(s, 1), (t, -1), (b, -4)], ">=", 2 - 4)
    program.row("either", [(a, 1), (b, 1)], ">=", 1)
    end, over = program.real("end", 4, 4), program.real("over", -4, 0)
    for start in (x, y):
        program.row("end", [(end, 1), (start, -1)], ">=", 3)
    program.row("over", [(over, 1), (end, -1)], ">=", -4)
    program.minimise([(over, 1)])
    found = run(program)
    assert found.status == "optimal"
    assert found.values is not None
    assert sorted(round(found.values[v], 3) for v in (a, b)) == [0, 1]


def test_names_that_pulp_would_rewrite_are_refused() -> None:
    with pytest.raises(ValueError, match="rewrite"):
        Program("names").binary("x[1,2]")


def test_chain_period() -> None:
    """3 layers of 10 ticks on 2 chiplets: 20, whatever moves."""
    answer = milp.minimise(chain(), PERIOD, QUICK)
    assert (answer.value, answer.bound, answer.why_stopped) == (20, 20, "finished")
    assert answer.notes == ()


def test_chain_energy() -> None:
    """3·5, 4 bytes read and written at 2: 31 if nothing else moves."""
    answer = milp.minimise(chain(), ENERGY, QUICK)
    assert (answer.value, answer.bound) == (31, 31)


def test_lexicographic() -> None:
    """At 20 ticks one tensor of 4 bytes crosses a link: 35; at 30 none: 31."""
    for period, energy in ((20, 35), (30, 31)):
        target = Target("energy", period_at_most=period)
        assert milp.minimise(chain(), target, QUICK).value == energy
    target = Target("period", energy_at_most=34)
    assert milp.minimise(chain(), target, QUICK).value == 30


def test_infeasible() -> None:
    """20 ticks cannot be 19."""
    problem = replace(chain(), period_cap_ticks=19)
    answer = milp.minimise(problem, PERIOD, QUICK)
    assert (answer.infeasible, answer.bound) == (True, None)
    assert answer.why_stopped == "finished"
    without = frozenset(["period_cap"])
    assert milp.minimise(problem, PERIOD, QUICK, without=without).value == 20


def test_a_layer_without_chiplet_is_infeasible() -> None:
    problem = chain()
    bare = replace(problem.tasks[1], modes=((), ()))
    problem = replace(problem, tasks=(problem.tasks[0], bare, problem.tasks[2]))
    assert milp.minimise(problem, PERIOD, QUICK).infeasible
    assert milp.minimise(problem, ENERGY, QUICK).infeasible


def test_offset() -> None:
    """A bound that is already proved changes nothing but the offset."""
    for at_least in (0, 7, 19, 20):
        answer = milp.minimise(chain(), Target("period", at_least=at_least), QUICK)
        assert (answer.value, answer.bound) == (20, 20)
    for at_least in (0, 30, 31):
        answer = milp.minimise(chain(), Target("energy", at_least=at_least), QUICK)
        assert (answer.value, answer.bound) == (31, 31)


def test_large_numbers() -> None:
    """Periods of 6·10^6 ticks and energies of 3·10^15 quanta are met to the unit."""
    problem = chain(ticks=3_000_001)
    answer = milp.minimise(problem, PERIOD, QUICK)
    assert (answer.value, answer.bound) == (6_000_002, 6_000_002)
    problem = chain()
    dear = replace(problem.tasks[0].modes[0][0], energy=10**15 + 1)
    tasks = tuple(replace(t, modes=((dear,),) * 2) for t in problem.tasks)
    answer = milp.minimise(replace(problem, tasks=tasks), ENERGY, QUICK)
    assert answer.value == answer.bound == 3 * 10**15 + 3 + 16


def big(seed: int) -> Instance:
    """A tiny instance with numbers of full size: 10^5 times, energies 10^6."""
    rng, instance = Random(seed), tiny_instance(seed)

    def grown(n: int, factor: int = 100_000) -> int:
        return n * factor + (rng.randrange(factor) if n else 0)

    models = []
    for model in instance.models:
        layers = [
            replace(layer, weight_bytes=grown(layer.weight_bytes))
            for layer in model.layers
        ]
        tensors = [replace(u, bytes=grown(u.bytes)) for u in model.tensors]
        models.append(replace(model, layers=tuple(layers), tensors=tuple(tensors)))
    costs = [
        replace(
            row,
            latency_ticks=grown(row.latency_ticks),
            energy_quanta=grown(row.energy_quanta, 1_000_000),
            ws_bytes=grown(row.ws_bytes),
            rw_bytes=grown(row.rw_bytes),
            ri_bytes={u: grown(n) for u, n in row.ri_bytes.items()},
            ro_bytes=grown(row.ro_bytes),
        )
        for row in instance.costs or ()
    ]
    types = {
        name: replace(kind, l2_bytes=(kind.l2_bytes + 2) * 100_000)
        for name, kind in instance.package.types.items()
    }
    return replace(
        instance,
        models=tuple(models),
        costs=tuple(costs),
        package=replace(instance.package, types=types),
        options=replace(
            instance.options,
            latency_cap_ticks={},
            energy_cap_pj=None,
            period_cap_ticks=None,
        ),
    )


@pytest.mark.parametrize("seed", range(40))
def test_full_size_numbers(seed: int) -> None:
    """With integer variables of 10^6 HiGHS called worse schedules optimal."""
    instance = big(seed)
    problem = compile_problem(instance, build_table(instance))
    for target in (PERIOD, ENERGY):
        best = oracle.solve(instance, target.quantity)
        answer = milp.minimise(problem, target, QUICK)
        assert (answer.value,) == (best or (None,))
        assert answer.infeasible == (best is None)
        if answer.value is not None:
            # The rounding up of durations is lost: less than a tick a layer.
            assert answer.bound is not None
            most = len(problem.tasks) * max(1, problem.static_energy)
            assert answer.value - most <= answer.bound <= answer.value


def test_too_many_ticks_are_refused() -> None:
    """With 10^12 ticks HiGHS 1.13.1 says infeasible of what is not."""
    answer = milp.minimise(chain(ticks=10**12), PERIOD, QUICK)
    assert (answer.value, answer.bound, answer.infeasible) == (None, None, False)
    assert "longer ticks" in answer.notes[0]


def test_energy_in_steps() -> None:
    """With 10^13 quanta at stake the bound is honest, if not exact."""
    problem = chain()
    cheap = problem.tasks[0].modes[0][0]
    dear = replace(cheap, energy=10**13)
    first = replace(problem.tasks[0], modes=((dear,), (cheap,)))
    problem = replace(problem, tasks=(first, *problem.tasks[1:]))
    answer = milp.minimise(problem, ENERGY, QUICK)
    assert answer.value == 31
    assert answer.bound is not None
    assert answer.bound <= answer.value


@pytest.mark.parametrize("fault", ["stage", "support", "cap"])
def test_fixed(fault: str) -> None:
    """A valid schedule has its own value, an invalid one is infeasible."""
    problem = chain()
    schedule = on_one_chiplet(problem)
    answer = milp.minimise(problem, PERIOD, QUICK, fixed=schedule)
    assert (answer.value, answer.schedule) == (30, schedule)
    if fault == "stage":
        schedule = replace(schedule, stage=(1, 0, 0))
    elif fault == "support":
        schedule = replace(schedule, mode=(0, 1, 0))
    else:
        problem = replace(problem, period_cap_ticks=29)
    assert milp.minimise(problem, PERIOD, QUICK, fixed=schedule).infeasible


def test_hint_is_taken() -> None:
    problem = chain()
    best = milp.minimise(problem, PERIOD, QUICK).schedule
    for hint in (on_one_chiplet(problem), best):
        answer = milp.minimise(problem, PERIOD, QUICK, hint=hint)
        assert (answer.value, answer.bound, answer.notes) == (20, 20, ())


@pytest.mark.parametrize("seed", range(20))
def test_hints_are_complete(seed: int) -> None:
    """The start that is made of a valid schedule is one for HiGHS, too."""
    problem = tiny(seed)
    for target in (PERIOD, ENERGY):
        first = milp.minimise(problem, target, QUICK)
        if first.schedule is not None:
            again = milp.minimise(problem, target, QUICK, hint=first.schedule)
            assert (again.value, again.notes) == (first.value, ())


def test_bad_hint_is_reported() -> None:
    """A hint that breaks a rule, and one that is none, are notes."""
    problem = chain()
    wrong = replace(on_one_chiplet(problem), stage=(1, 0, 0))
    for hint in (wrong, replace(wrong, mode=(0, 1, 0))):
        answer = milp.minimise(problem, PERIOD, QUICK, hint=hint)
        assert answer.value == 20
        assert [note[:21] for note in answer.notes] == ["the hint was rejected"]


def hard() -> Problem:
    """40 layers of different lengths on 4 chiplets: not done in a moment."""
    problem = chain(40, 4)
    tasks = []
    for n, task in enumerate(problem.tasks):
        longer = replace(task.modes[0][0], latency_ticks=100_003 + 7919 * n * n % 65537)
        tasks.append(replace(task, modes=((longer,),) * 4))
    return replace(problem, tasks=tuple(tasks))


def test_time_limit_is_honest() -> None:
    """Neither optimal nor infeasible: a bound, and a schedule only if found."""
    problem = hard()
    answer = milp.minimise(problem, PERIOD, Limits(seconds=1.5, workers=1))
    assert answer.why_stopped == "time limit"
    assert not answer.infeasible
    assert not answer.proved
    answer = milp.minimise(problem, PERIOD, Limits(seconds=1e-3, workers=1))
    assert (answer.schedule, answer.value) == (None, None)
    assert (answer.why_stopped, answer.infeasible) == ("time limit", False)


def test_a_hint_survives_the_time_limit() -> None:
    problem = replace(hard(), residents_only=True)
    problem = replace(
        problem, chiplets=tuple(replace(c, l2_bytes=1000) for c in problem.chiplets)
    )
    hint = on_one_chiplet(problem)
    limits = Limits(seconds=1e-3, workers=1)
    answer = milp.minimise(problem, PERIOD, limits, hint=hint)
    assert answer.schedule == hint
    assert answer.value == evaluate(problem, hint).period_ticks


def test_stop_from_another_thread() -> None:
    stop = threading.Event()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    limits = Limits(seconds=120, workers=1, stop=stop)
    answer = milp.minimise(hard(), PERIOD, limits)
    timer.cancel()
    assert answer.why_stopped == "interrupted"
    assert not answer.infeasible
    stopped = milp.minimise(hard(), PERIOD, limits)
    assert (stopped.why_stopped, stopped.schedule) == ("interrupted", None)


def test_ctrl_c_reaches_the_main_thread() -> None:
    """While HiGHS runs Python's signal handlers do, too."""
    code = (
        "import signal, threading\n"
        "from formulation.outcome import Limits, Target\n"
        "from formulation.pipelined.milp import minimise\n"
        "from tests.formulation.test_milp import hard\n"
        "stop = threading.Event()\n"
        "signal.signal(signal.SIGINT, lambda *_: stop.set())\n"
        "limits = Limits(seconds=120, workers=1, stop=stop)\n"
        "problem = hard()\n"
        "print('ready', flush=True)\n"
        "print(minimise(problem, Target('period'), limits).why_stopped)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(1)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    assert out == "interrupted\n"


def test_gap() -> None:
    """Half of it is easy; the bound is below the value, and both are said."""
    limits = Limits(seconds=60, workers=1, gap=Fraction(9, 10))
    answer = milp.minimise(hard(), PERIOD, limits)
    assert answer.value is not None
    assert answer.bound is not None
    assert answer.why_stopped in ("gap", "finished")
    assert 10 * (answer.value - answer.bound) <= 9 * answer.value


def test_progress() -> None:
    """News never gets worse and ends with the answer."""
    news = []
    answer = milp.minimise(tiny(1), PERIOD, QUICK, report=news.append)
    bounds = [n.bound for n in news if n.bound is not None]
    values = [n.value for n in news if n.value is not None]
    assert bounds == sorted(bounds)
    assert values == sorted(values, reverse=True)
    assert (news[-1].value, news[-1].bound) == (answer.value, answer.bound)


def test_contradictions_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule missing from the MILP shows as a rejected solution or a hint above."""
    problem = replace(chain(), period_cap_ticks=25, energy_cap_quanta=34)
    monkeypatch.setitem(RULES, "energy_cap", lambda _: None)
    with pytest.raises(EngineError, match="energy_cap"):
        milp.minimise(problem, PERIOD, QUICK)
    monkeypatch.setitem(RULES, "stage", lambda m: m.program.row("x", [], ">=", 1))
    with pytest.raises(EngineError, match="valid schedule"):
        milp.minimise(chain(), PERIOD, QUICK, hint=on_one_chiplet(chain()))


def test_unknown_labels_are_refused() -> None:
    for bad in ({"without": frozenset(["x"])}, {"strengthenings": frozenset(["x"])}):
        with pytest.raises(ValueError, match="'x'"):
            milp.minimise(chain(), PERIOD, QUICK, **bad)
    with pytest.raises(ValueError, match="latency"):
        milp.minimise(chain(), Target("latency"), QUICK)
    with pytest.raises(ValueError, match="glpk"):
        milp.minimise(chain(), PERIOD, QUICK, solver="glpk")


@pytest.mark.parametrize("seed", range(12))
def test_strengthenings_change_no_optimum(seed: int) -> None:
    problem = tiny(100 + seed)
    for target in (PERIOD, ENERGY):
        full = milp.minimise(problem, target, QUICK)
        bare = milp.minimise(problem, target, QUICK, strengthenings=frozenset())
        assert (full.value, full.bound) == (bare.value, bare.bound)


@pytest.mark.skipif(not cbc_available(), reason="this PuLP has no CBC")
@pytest.mark.parametrize("seed", range(10))
def test_cbc_agrees_but_proves_nothing(seed: int) -> None:
    problem = tiny(200 + seed)
    for target in (PERIOD, ENERGY):
        one = milp.minimise(problem, target, QUICK)
        other = milp.minimise(problem, target, QUICK, solver="cbc")
        assert other.value == one.value
        assert (other.bound, other.infeasible) == (None, False)

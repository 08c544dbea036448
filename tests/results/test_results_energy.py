"""Where the energy of a schedule goes: parts, their sum, and who pays for what."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from costmodel.build import build_table
from formulation.compile import compile_problem
from formulation.decisions import DRAM
from formulation.outcome import Limits
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import energy, energy_parts, evaluate, facts_of
from instances.load import load_instance
from results.energy import LABELS, breakdown_lines, breakdown_pj
from results.run import solve_instance
from tests.random_schedules import Case, cases, problem

if TYPE_CHECKING:
    from instances.schema import Instance

SEEDS = range(40)
NAMES = ("chiplet", "nop", "dram", "static")


def assigned(seed: int) -> list[Case]:
    """Schedules that have an energy at all."""
    return [case for case in cases(seed) if "assignment" not in case.broken]


def parts_of(instance: Instance, s: Schedule, period: int) -> dict[str, Fraction]:
    """Parts in pJ, so that they compare between instances."""
    p = compile_problem(instance, build_table(instance))
    parts = energy_parts(p, s, facts_of(p, s), period)
    quantum_pj = Fraction(p.energy_quantum_fj, 1000)
    return {name: units * quantum_pj / p.energy_den for name, units in parts.items()}


def test_the_parts_add_up_to_the_energy() -> None:
    seen = set()
    for seed in SEEDS:
        p = problem(seed).problem
        for case in assigned(seed):
            worth = evaluate(p, case.schedule)
            facts = facts_of(p, case.schedule)
            parts = energy_parts(p, case.schedule, facts, worth.period_ticks)
            assert tuple(parts) == NAMES
            assert min(parts.values()) >= 0
            assert -(-sum(parts.values()) // p.energy_den) == worth.energy_quanta
            assert worth.energy_quanta == energy(
                p, case.schedule, facts, worth.period_ticks
            )
            seen |= {name for name, units in parts.items() if units}
    assert seen == set(NAMES)


def without(instance: Instance, part: str) -> Instance:
    """The instance in which one part is free."""
    package = instance.package
    if part == "chiplet":
        free = tuple(replace(row, energy_quanta=0) for row in instance.costs)
        return replace(instance, costs=free)
    if part == "nop":
        links = tuple(replace(x, energy_pj_per_bit=Fraction(0)) for x in package.links)
        package = replace(package, links=links)
    elif part == "dram":
        dram = replace(package.dram, energy_pj_per_bit=Fraction(0))
        package = replace(package, dram=dram)
    else:
        kinds = {
            name: replace(kind, static_power_mw=Fraction(0))
            for name, kind in package.types.items()
        }
        package = replace(package, types=kinds)
    return replace(instance, package=package)


@pytest.mark.parametrize("part", NAMES)
def test_what_is_free_takes_its_part_away_and_no_other(part: str) -> None:
    moved = 0
    for seed in SEEDS:
        instance = problem(seed).instance
        free = without(instance, part)
        for case in assigned(seed)[:2]:
            before = parts_of(instance, case.schedule, 100)
            moved += before[part] > 0
            assert parts_of(free, case.schedule, 100) == {**before, part: 0}
    assert moved > 5


@pytest.fixture(scope="module")
def headline():
    return solve_instance(
        load_instance("headline-contiguous"),
        objective=("period",),
        engine="cpsat",
        limits=Limits(seconds=30, workers=1),
    )


def test_breakdown_of_the_headline(headline) -> None:
    """The exact sum; modes divide whole, and rounding is below a quantum a mode."""
    parts = headline.energy_parts_pj
    quantum_pj = Fraction(1, 100)
    assert tuple(parts) == tuple(LABELS)
    assert sum(parts.values()) == headline.worth.energy_quanta * quantum_pj
    assert parts["chiplet"] == parts["static"] == 0
    assert 0 <= parts["rounding"] < 152 * quantum_pj
    for name in ("mac", "l1", "l2", "noc", "nop", "dram"):
        assert parts[name] > 0
    given = headline.prepared.instance
    macs = sum(
        layer.bounds.macs * model.samples * model.mini_batches
        for model in given.models
        for layer in model.layers
    )
    assert parts["mac"] == macs * Fraction("0.23")


def test_several_mini_batches_count_each_time() -> None:
    """All on a chiplet at an interface: no NoP; MACs times the mini-batches."""
    given = load_instance("headline")
    parts = []
    for n in (1, 3):
        models = (replace(given.models[1], mini_batches=n),)
        instance = replace(given, models=models)
        table = build_table(instance)
        p = compile_problem(instance, table)
        s = Schedule(
            chiplet=(0,) * len(p.tasks),
            mode=(0,) * len(p.tasks),
            stage=(0,) * len(p.tasks),
            resident=tuple(False if t.weight_bytes else None for t in p.tasks),
            place=tuple(DRAM if u.placed else None for u in p.tensors),
        )
        worth = evaluate(p, s)
        found = breakdown_pj(instance, table, p, s, worth)
        assert sum(found.values()) == Fraction(worth.energy_quanta, 100)
        assert found["chiplet"] == found["nop"] == 0
        parts.append(found)
    assert parts[1]["mac"] == 3 * parts[0]["mac"] > 0


def test_given_energies_stay_undivided() -> None:
    """A table without MACs and accesses, and one whose accesses do not explain it."""
    for seed in SEEDS:
        tiny = problem(seed)
        p, instance = tiny.problem, tiny.instance
        table = build_table(instance)
        strange = replace(
            table,
            rows={
                key: tuple(
                    replace(m, energy_quanta=m.energy_quanta, accesses={"l9/x": 1})
                    for m in modes
                )
                for key, modes in table.rows.items()
            },
        )
        s = assigned(seed)[0].schedule
        worth = evaluate(p, s)
        quantum_pj = Fraction(p.energy_quantum_fj, 1000)
        energy_quanta = sum(
            p.tasks[t].modes[s.chiplet[t]][s.mode[t]].energy
            for t in range(len(p.tasks))
        )
        for some in (table, strange):
            parts = breakdown_pj(instance, some, p, s, worth)
            assert parts["chiplet"] == energy_quanta * quantum_pj / p.energy_den
            assert parts["mac"] == parts["l1"] == parts["l2"] == parts["noc"] == 0
            assert sum(parts.values()) == worth.energy_quanta * quantum_pj


def test_lines() -> None:
    parts = {**dict.fromkeys(LABELS, Fraction(0)), "mac": Fraction(3), "dram": 1}
    parts["rounding"] = Fraction(1, 10**6)
    assert breakdown_lines(parts) == [
        "energy goes to",
        "  MAC   3 pJ  75 %",
        "  DRAM  1 pJ  25 %",
    ]
    assert breakdown_lines({}) == []
    assert breakdown_lines(dict.fromkeys(LABELS, Fraction(0))) == []

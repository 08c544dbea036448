"""Build, read, fix and hint the CP-SAT model of pipelined schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.cpsat_decisions import Term, weighted
from formulation.cpsat_given import fix_decisions, hint_decisions, read_decisions
from formulation.engines.cpsat import EngineError
from formulation.pipelined import bounds
from formulation.pipelined.cpsat_rules import RULES, energy
from formulation.pipelined.cpsat_vars import Cpsat
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.symmetry import ladder, representative, useful

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from formulation.cpsat_decisions import Lit
    from formulation.cpsat_given import Value
    from formulation.outcome import Target
    from formulation.problem import Problem

STRENGTHENINGS = (
    "cuts",
    "dominated",
    "energy_cuts",
    "lower_bound",
    "peaks",
    "project_stages",
    "race",
    "relaxation",
    "symmetry",
)
ENERGY_LIMIT = 2**61


def build(
    p: Problem,
    target: Target,
    *,
    staged: bool = True,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
) -> Cpsat:
    """Return the model of a problem: every rule that is not left out, and the target.

    Raises
    ------
    EngineError
        If the energy of some schedule could pass 2^61 units.
    """
    prune = "dominated" in strengthenings
    m = Cpsat(p, target, staged=staged, prune=prune, without=without)
    for label, rule in RULES.items():
        if label not in without:
            rule(m)
    if "symmetry" in strengthenings:
        _break_symmetry(m)
    if target.period_at_most is not None:
        m.model.add(m.period <= target.period_at_most)
    if target.energy_at_most is not None:
        m.model.add(energy(m) <= target.energy_at_most * p.energy_den)
    if "lower_bound" in strengthenings:
        m.model.add(m.period >= bounds.lower(p, without))
    if target.quantity == "period":
        m.model.add(m.period >= target.at_least)
        if target.at_most is not None:
            m.model.add(m.period <= target.at_most)
        m.model.minimize(m.period)
    else:
        objective = _units(m)
        if target.at_least > 0:
            m.model.add(objective > (target.at_least - 1) * p.energy_den)
        if target.at_most is not None:
            m.model.add(objective <= target.at_most * p.energy_den)
        m.model.minimize(objective)
        m.objective = objective
    return m


def _units(m: Cpsat) -> cp_model.LinearExprT:
    """Return energy, or a sum, in units of 1/`energy_den`: rounded up it is the value.

    Of a sum w·T + k·energy with k > 1 the energy is rounded before.
    """
    objective, p, (per_tick, per_quantum) = energy(m), m.p, m.target.weights
    assert m.energy_terms is not None
    most = sum(abs(k) for _, k in m.energy_terms[:-1]) + p.static_energy * m.horizon
    if m.target.quantity == "sum":
        if per_quantum > 1 and p.energy_den > 1:
            quanta = m.model.new_int_var(0, most // p.energy_den + 1, "quanta")
            m.model.add(p.energy_den * quanta >= objective)
            terms: list[Term] = [(quanta, per_quantum * p.energy_den)]
        else:
            terms = [(x, per_quantum * k) for x, k in m.energy_terms]
        objective = weighted([*terms, (m.period, per_tick * p.energy_den)])
        most = per_quantum * (most + p.energy_den)
        most += per_tick * p.energy_den * m.horizon
    if most > ENERGY_LIMIT:
        raise EngineError("energies pass 2^61 units: take a coarser quantum")
    return objective


def _break_symmetry(m: Cpsat) -> None:
    """The first layer on a chiplet that a symmetry moves is on one it moves up.

    y[l,c] → moved[l] ∀ c that it moves down; moved[l] → an earlier layer is on a
    chiplet that it moves up (MODEL.md §4.11).
    """
    m.group = useful(m.p)
    for n, to in enumerate(m.group):
        moved: Lit = m.false
        for rung in ladder(m.p, to):
            for c in rung.down:
                m.model.add_implication(m.value(rung.task, c), moved)
            if rung.up:
                before, moved = moved, m.bool(f"moved_{n}_t{rung.task}")
                ups = [m.value(rung.task, c) for c in rung.up]
                m.imply([moved, before.negated(), *(y.negated() for y in ups)], m.false)


def read(m: Cpsat, value: Value) -> Schedule:
    """Return the schedule of a solution; stages are 0 where the model has none."""
    taken = read_decisions(m, value)
    stages = [value(x) for x in m.stage] if m.staged else [0] * len(m.p.tasks)
    return Schedule(stage=tuple(stages), **taken._asdict())


def fix(m: Cpsat, s: Schedule, *, stages: bool = True, places: bool = True) -> None:
    """Fix the decisions of a model to those of a schedule.

    A decision that the model does not have makes it infeasible.
    """
    fix_decisions(m, s, places=places)
    if stages and m.staged:
        for x, stage in zip(m.stage, s.stage, strict=True):
            m.model.add(x == stage)


def add_hint(m: Cpsat, s: Schedule) -> None:
    """Start the search from a schedule, or from its image that symmetry leaves."""
    s = representative(m.p, s, m.group)
    hint_decisions(m, s)
    if m.staged:
        for x, stage in zip(m.stage, s.stage, strict=True):
            m.model.add_hint(x, stage)

"""Rows that no rule asks for: each follows from the rules, with its proof."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.milp_decisions import minus, slack
from formulation.pipelined.milp_energy import least_energy
from formulation.pipelined.milp_rules import stream_resources
from formulation.pipelined.milp_vars import Milp, ticks
from formulation.pipelined.symmetry import ladder, useful

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.engines.milp import Terms
    from formulation.problem import Problem


def least_ticks(problem: Problem, without: frozenset[str]) -> int:
    """Return a proved lower bound on T.

    `floor`, and by `compute` with d(l) ≥ t: T ≥ max_l min t, and Σ over
    chiplets of Σ d(l) ≤ chiplets·T gives T ≥ ⌈Σ_l min t / chiplets⌉.
    """
    least = 1
    if "floor" not in without:
        least = max(least, problem.floor_ticks)
    shortest = [
        min((k.latency_ticks for modes in task.modes for k in modes), default=0)
        for task in problem.tasks
    ]
    if "compute" not in without:
        mean = -(-sum(shortest) // len(problem.chiplets))
        least = max(least, mean, *shortest)
    return least


def longest_ticks(problem: Problem) -> int:
    """Return about how many ticks one thing may take: a layer or a stream."""
    most = [k.latency_ticks for task in problem.tasks for ks in task.modes for k in ks]
    sizes = [u.bytes for u in problem.tensors]
    sizes += [task.weight_bytes for task in problem.tasks]
    units = problem.load_unit * max(sizes, default=0)
    most += [r.stream_rate.ticks(units) for r in problem.resources]
    return max(most, default=1)


def least_period(m: Milp) -> None:
    """T ≥ `least_ticks`; proof there."""
    m.tick_row("least_period", m.period_ticks(), ">=", m.least_ticks - m.base_ticks)


def least_energies(m: Milp) -> None:
    """E ≥ `least_energy`; proof there. Only if energy is minimised."""
    if m.energy is not None:
        low = (least_energy(m) - m.base_energy) / m.energy_step
        m.program.row("least_energy", [(m.energy, 1)], ">=", low)


def stretches(m: Milp) -> None:
    """stretch[l, c] ≥ Σ over literals of g(literal) ∀ resources ρ.

    For a choice k let f(s) = max(ticks_k, s / rate ρ), s_k its constant load on ρ
    (f(s_k) = ticks_k), g_k(i) = f(s_k + load of i) − ticks_k. f is convex, so
    f(s_k + Σ loads) − f(s_k) ≥ Σ g_k(i); and d(l) ≥ f(s_k + Σ loads) for the k that
    is chosen. g(i) is the least g_k(i) over the choices k that i can go with: a
    literal of 1 goes with the choice that is made.
    """
    for t, c in m.stretch if "compute" not in m.without else ():
        choices = m.choices[t, c]
        for r in stream_resources(m, t, c):
            terms = [(m.stretch[t, c], float(m.tick_step))]
            for item in m.items[t, c]:
                gains = [
                    ticks(m, r, choices[n].units.get(r, 0) + item.units.get(r, 0), True)
                    - choices[n].ticks
                    for n in item.choices
                ]
                terms.append((item.literal, -float(max(Fraction(0), min(gains)))))
            if len([k for _, k in terms if k]) > 1:
                give = slack(m.problem.resources[r].stream_rate.num)
                m.tick_row("stretches", terms, ">=", -give)


def two_copies(m: Milp) -> None:
    """copies[u, d] ≥ 2·arrives[u, d], if `stage` holds.

    Between chiplets a package tensor has Δ ≥ 2, with ``serial`` Δ ≥ 1 and one copy
    more: two at least.
    """
    for key, arrives in m.arrives.items() if "stage" not in m.without else ():
        if key in m.copies:
            terms = [(m.copies[key], 1), (arrives, -2)]
            m.program.row("two_copies", terms, ">=", 0)


def symmetry(m: Milp) -> None:
    """Σ x[l, c] over c moved down ≤ moved[l] ≤ Σ earlier x[l', c'], c' moved up.

    For every symmetry in `Milp.group`, l in the order of `ladder` (MODEL.md §4.11); the
    sum is kept in moved[l], which counts at most 1.
    """
    m.group = useful(m.problem)
    for n, to in enumerate(m.group):
        moved: Terms = []
        for rung in ladder(m.problem, to):
            down = [(m.x[rung.task, c], 1.0) for c in rung.down]
            m.program.row("symmetry", [*down, *minus(moved)], "<=", 0)
            if rung.up:
                some = m.program.real(f"moved_{n}_{rung.task}", 0, 1)
                ups = [(m.x[rung.task, c], 1.0) for c in rung.up]
                earlier = minus([*moved, *ups])
                m.program.row("moved", [(some, 1), *earlier], "<=", 0)
                moved = [(some, 1.0)]


STRENGTHENINGS: dict[str, Callable[[Milp], None]] = {
    "least_period": least_period,
    "least_energy": least_energies,
    "stretches": stretches,
    "two_copies": two_copies,
    "symmetry": symmetry,
}

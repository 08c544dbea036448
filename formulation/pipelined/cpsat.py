"""CP-SAT on pipelined schedules: cut, relax, complete, prove."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from formulation.dual import recompute
from formulation.engines.cpsat import CpsatRun, run
from formulation.engines.lp import multipliers
from formulation.pipelined.cpsat_build import (
    STRENGTHENINGS,
    add_hint,
    build,
    fix,
    read,
)
from formulation.pipelined.cpsat_cuts import by_cuts, cuttable, polish
from formulation.pipelined.cpsat_energy import by_energy, energy_cuttable
from formulation.pipelined.cpsat_search import (
    Search,
    complete,
    solve_relaxed,
    stopped,
)
from formulation.pipelined.peaks import peak_bounds
from formulation.pipelined.relaxation import MOST_SENDERS, relaxation

if TYPE_CHECKING:
    from formulation.outcome import Answer, Limits, Report, Target
    from formulation.pipelined.cpsat_vars import Cpsat
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem


PEAKS = 0.3  # of the time, for branching on peaks
PEAKS_SECONDS = 3.0  # less than that is not begun with: a box of `headline` takes 0.5
# Two workers race with and without an LP. On their own they are one search with an LP
# and one that moves solutions about. After 14 s on a busy machine (load 14; values and
# bounds of the model without stages, no ways to cut): least period of
# headline-contiguous 1.73 million ticks in the race, 2.50 without it, 1.51 with no LP
# at all; of headline all alike. For energies the moves are worth more than a second
# search: headline 24.3 % against 24.4 %, headline-contiguous 26.3 % against 26.6 %.
RACE: dict[str, object] = {"subsolvers": ["default_lp", "no_lp"]}


def minimise(
    p: Problem,
    target: Target,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    fixed: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
    tune: dict[str, object] | None = None,
) -> Answer[Schedule]:
    """Minimise a target.

    First the relaxation without stages (MODEL.md §3.2), whose solutions are given
    stages as they come; if its optimum cannot be completed, the whole model.

    Parameters
    ----------
    hint
        A schedule to start from.
    fixed
        All decisions are fixed to this schedule: the answer is its value, or
        infeasible (tests).
    without
        Labels of rules left out; the answer is then one of a relaxation.
    strengthenings
        Those of `STRENGTHENINGS` that are on.
    tune
        CP-SAT parameters by name.

    Raises
    ------
    EngineError
        If CP-SAT returns what the semantics refuse, refuses the model, or proves
        infeasible what has a valid schedule.
    """
    search = Search(p, limits, report, without, target)
    if hint is not None:
        search.begin(hint)
    chosen = frozenset() if fixed is not None else strengthenings
    racing = "race" in chosen and limits.workers == 2 and target.quantity == "period"
    return search.answer(
        _search(search, chosen, fixed, tune or (RACE if racing else {}))
    )


def _search(
    search: Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object],
) -> str:
    """Go through the phases until one settles it; return why it stopped."""
    p, why, linear = search.p, "", "relaxation" in strengthenings
    if linear and search.target.quantity != "period":
        _linear(search)
    if "project_stages" in strengthenings and "stage" not in search.without:
        if cuttable(search, strengthenings):
            by_cuts(search, strengthenings)
            if not p.contiguous:
                polish(search, strengthenings)
        if energy_cuttable(search, strengthenings):
            by_energy(search, strengthenings)
        if "peaks" in strengthenings and not p.contiguous:
            _branch_on_peaks(search)
        if linear and search.target.quantity == "period" and not search.enough:
            _linear(search)
        if not search.enough:
            why = _relaxed(search, strengthenings, tune)
    if why != "infeasible" and not search.enough:
        why = _whole(search, strengthenings, fixed, tune)
    return "gap" if search.enough and why != "infeasible" else why


def _linear(search: Search) -> None:
    """Take the bound of the linear relaxation (MODEL.md §4.8), if no rule is out."""
    if not search.without:
        program = relaxation(search.p, search.target)
        left = search.left()
        seconds = None if left is None else left / 4
        search.raise_bound(recompute(program, multipliers(program, seconds)))


def _branch_on_peaks(search: Search) -> None:
    """Raise the bound on an energy box by box (MODEL.md §4.12), if no rule is out."""
    p, left = search.p, search.left()
    unable = search.without or p.residents_only or search.enough
    unable = unable or (left is not None and PEAKS * left < PEAKS_SECONDS)
    if unable or search.target.quantity == "period" or len(p.chiplets) > MOST_SENDERS:
        return
    ends = None if left is None else time.monotonic() + PEAKS * left

    def seconds() -> float | None:
        return None if ends is None else max(0.0, ends - time.monotonic())

    def enough(bound: int) -> bool:
        search.raise_bound(bound)
        return search.enough or stopped(search)

    peak_bounds(p, search.target, seconds, enough)


def _relaxed(
    search: Search, strengthenings: frozenset[str], tune: dict[str, object]
) -> str:
    """Solve without stages, complete what is found; return why it stopped."""
    m = build(
        search.p,
        search.target,
        staged=False,
        without=search.without,
        strengthenings=strengthenings,
    )
    if search.bound is not None and search.target.quantity == "period":
        m.model.add(m.period >= search.bound)
    start = search.value
    if search.schedule is not None:
        add_hint(m, search.schedule)
    left = search.left()
    result, last = solve_relaxed(
        search,
        m,
        seconds=None if left is None else left - min(5.0, left / 10),
        tune=tune,
        bounded=lambda bound: search.raise_bound(search.quanta(bound)),
    )
    if result.infeasible:
        return "infeasible"
    _hint_taken(search, m, result, start)
    if result.bound is not None:
        search.raise_bound(search.quanta(result.bound))
    if last is not None and not search.closed:
        complete(search, last, strengthenings)
    return result.why_stopped


def _whole(
    search: Search,
    strengthenings: frozenset[str],
    fixed: Schedule | None,
    tune: dict[str, object],
) -> str:
    """Solve the whole model; return why it stopped."""
    target = search.target
    if search.bound is not None:
        target = replace(target, at_least=max(target.at_least, search.bound))
    m = build(search.p, target, without=search.without, strengthenings=strengthenings)
    start = None if fixed is not None else search.value
    if fixed is not None:
        fix(m, fixed)
    elif search.schedule is not None:
        add_hint(m, search.schedule)
    left = search.left()
    if left is not None and left <= 0:
        return "time limit"
    result = run(
        m.model,
        search.limits,
        seconds=left,
        tune=tune,
        seen=lambda value: search.must(read(m, value)),
        bounded=lambda bound: search.raise_bound(search.quanta(bound)),
    )
    if result.infeasible:
        return "infeasible"
    _hint_taken(search, m, result, start)
    if result.bound is not None:
        search.raise_bound(search.quanta(result.bound))
    if result.values is not None:
        search.must(read(m, result.values))
    return result.why_stopped


def _hint_taken(search: Search, m: Cpsat, result: CpsatRun, start: int | None) -> None:
    """Note a hint that the search began from and that CP-SAT did not find again.

    Its own solutions end at one that is at least as good, or it lost the hint.
    """
    if start is None:
        return
    found = None
    if result.values is not None:
        found = search.quanta(result.values(m.objective))
    if found is None or found > start:
        note = "the hint was not taken as a start"
        search.notes += [note] if note not in search.notes else []

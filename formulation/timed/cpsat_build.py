"""Build, read, fix and hint the CP-SAT model of timed schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.cpsat_given import fix_decisions, hint_decisions, read_decisions
from formulation.timed.cpsat_quantities import latencies, value
from formulation.timed.cpsat_rules import RULES
from formulation.timed.cpsat_vars import Timed
from formulation.timed.read import with_times
from formulation.timed.schedule import Schedule

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from formulation.cpsat_given import Value
    from formulation.objective import Part
    from formulation.problem import Problem
    from formulation.timed.bounds import Lower
    from formulation.timed.schedule import Span

STRENGTHENINGS = ("dominated", "list", "lower_bound")


def build(
    p: Problem,
    part: Part,
    horizon: int,
    *,
    lower: Lower | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
) -> Timed:
    """Return the model of a problem: every rule that is not left out, and a part.

    Parameters
    ----------
    lower
        Proved bounds, which are added as rows.

    Raises
    ------
    EngineError
        If an energy or a product could be too large.
    """
    m = Timed(p, horizon, without, prune="dominated" in strengthenings)
    for label, rule in RULES.items():
        if label not in without:
            rule(m)
    if lower is not None:
        m.model.add(m.makespan >= lower.makespan)
        for rounds, least in zip(latencies(m), lower.latency, strict=True):
            for late, ticks in zip(rounds, least, strict=True):
                m.model.add(late >= ticks)
        for starts, heads in zip(m.start, lower.start, strict=True):
            for start, head in zip(starts, heads, strict=True):
                m.model.add(start >= head)
    m.model.minimize(value(m, part))
    return m


def read(m: Timed, value: Value) -> Schedule:
    """Return the schedule of a solution."""
    s = Schedule(*read_decisions(m, value), (), (), (), ())

    def span(start: cp_model.IntVar, ticks: int) -> Span:
        first = value(start)
        return first, first + (0 if "duration" in m.without else ticks)

    return with_times(m, s, value, span)


def fix(m: Timed, s: Schedule) -> None:
    """Fix all decisions and times of a model to those of a schedule.

    A decision that the model does not have makes it infeasible.
    """
    fix_decisions(m, s)
    for x, start, length, ticks in _times(m, s):
        m.model.add(x == start)
        if ticks is not None:
            m.model.add(length == ticks)


def add_hint(m: Timed, s: Schedule) -> None:
    """Start the search from a schedule."""
    hint_decisions(m, s)
    for x, start, _, _ in _times(m, s):
        m.model.add_hint(x, start)


def _times(
    m: Timed, s: Schedule
) -> list[tuple[cp_model.IntVar, int, cp_model.LinearExprT, int | None]]:
    """Return (start, its value, length, its value) of everything in a schedule.

    The length of a run follows from the others: `None`.
    """
    found: list[tuple[cp_model.IntVar, int, cp_model.LinearExprT, int | None]] = []

    def moved(x: cp_model.IntVar, long: cp_model.LinearExprT, span: Span) -> None:
        found.append((x, span[0], long, span[1] - span[0]))

    for t, starts in enumerate(m.start):
        found += [(x, n, 0, None) for x, n in zip(starts, s.runs[t], strict=True)]
        for x, span in zip(m.stream[t], s.streams[t], strict=True):
            if span is not None:
                moved(x, m.stream_long[t], span)
        brought = s.loads[t]
        if brought is not None:
            units, _ = m.load_units(t, s.chiplet[t])
            moved(m.load[t], m.alone(units), brought)
    for u, rounds in enumerate(s.transfers):
        for k, row in enumerate(rounds):
            for move in row:
                key = m.sending(u, move.to[0])
                moved(m.send[key][k], m.send_long[key], move.span)
    return found

"""Build, fix and read the MILP of timed schedules.

From a solution only decisions, lengths and orders are taken, rounded; the least times
that go with them are worked out in whole ticks (`decode`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation import milp_decisions, milp_traffic
from formulation.engines.milp import EngineError, Program
from formulation.milp_decisions import decided, minus, read_decisions
from formulation.timed import milp_vars
from formulation.timed.milp_quantities import latencies, value
from formulation.timed.milp_rules import RULES
from formulation.timed.milp_vars import Moment, Timed
from formulation.timed.movements import passes, ticks_alone, traffic_of
from formulation.timed.read import with_times
from formulation.timed.schedule import Schedule

if TYPE_CHECKING:
    from formulation.engines.milp import Terms, Var
    from formulation.objective import Part
    from formulation.problem import Problem
    from formulation.timed.bounds import Lower
    from formulation.timed.schedule import Span

STRENGTHENINGS = ("list", "lower_bound")


def build(
    p: Problem,
    part: Part,
    horizon: int,
    *,
    longest: int = 0,
    lines: int = 0,
    known: int | None = None,
    lower: Lower | None = None,
    without: frozenset[str] = frozenset(),
) -> Timed:
    """Return the program of a problem: every rule that is not left out, and a part.

    Parameters
    ----------
    longest, lines
        See `Timed`.
    known
        The value of a schedule: the objective counts from there, and is no more.
    lower
        Proved bounds, which are added as rows.
    """
    program = Program("timed")
    m = Timed(
        problem=p,
        without=without,
        program=program,
        horizon=horizon,
        longest=longest,
        lines=lines,
        makespan=program.real("makespan", 0, horizon),
    )
    for define in (
        milp_decisions.assignments,
        milp_decisions.places,
        milp_traffic.dram_reads,
        milp_traffic.dram_refetches,
        milp_traffic.transfers,
        milp_vars.runs,
        milp_vars.loads,
        milp_vars.transfers,
    ):
        define(m)
    for label, rule in RULES.items():
        if label not in without:
            rule(m)
    if lower is not None:
        _bound(m, lower)
    terms = value(m, part)
    # No quantity is below −(its release); no objective may be without bound.
    low = -sum(n * (-var.lowBound) for var, n in terms) - (known or 0)
    worth = program.real("worth", low, None if known is None else 0)
    rest = [(worth, 1.0), *minus(terms)]
    program.row("worth", rest, ">=", -(known or 0))
    program.minimise([(worth, 1.0)])
    return m


def _bound(m: Timed, lower: Lower) -> None:
    """Add proved bounds."""
    m.program.row("least", [(m.makespan, 1.0)], ">=", lower.makespan)
    for rounds, least in zip(latencies(m), lower.latency, strict=True):
        for late, ticks in zip(rounds, least, strict=True):
            m.program.row("least", [(late, 1.0)], ">=", ticks)
    for starts, heads in zip(m.start, lower.start, strict=True):
        for start, head in zip(starts, heads, strict=True):
            m.program.row("least", [(start, 1.0)], ">=", head)


def decode(m: Timed, values: dict[Var, float]) -> dict[Var | None, int]:
    """Return the least times, in whole ticks, of the lengths and orders of a solution.

    Raises
    ------
    EngineError
        If there are none.
    """

    def whole(terms: tuple[tuple[Var, float], ...]) -> int:
        return round(sum(n * round(values[var]) for var, n in terms))

    def lag(moment: Moment) -> int:
        return whole(moment.lag) + moment.ticks

    rows = [
        (row.later.var, row.earlier.var, lag(row.earlier) - lag(row.later))
        for row in m.rows
        if all(whole(guard) == 1 for guard in row.guards)
    ]
    times: dict[Var | None, int] = {None: 0}
    for later, earlier, _ in rows:
        times.setdefault(later, 0)
        times.setdefault(earlier, 0)
    for _ in range(len(times) + 1):
        changed = False
        for later, earlier, ticks in rows:
            if times[earlier] + ticks > times[later]:
                times[later] = times[earlier] + ticks
                changed = True
        if times[None]:
            break
        if not changed:
            return times
    raise EngineError("the orders of a solution of the MILP are a circle")


def read(m: Timed, values: dict[Var, float]) -> Schedule:
    """Return the schedule of a solution.

    Raises
    ------
    EngineError
        If its decisions or orders are none.
    """
    times, found = decode(m, values), read_decisions(m, values)
    s = Schedule(
        found.numbers["chiplet"],
        found.numbers["mode"],
        found.resident,
        found.place,
        (),
        (),
        (),
        (),
    )

    def span(start: Var, ticks: int) -> Span:
        first = times.get(start, 0)  # one that nothing speaks of
        long = 0 if "duration" in m.without else ticks
        if start in m.pace:
            long = max(long, round(values[m.pace[start]]))
        return first, first + long

    return with_times(m, s, lambda start: times.get(start, 0), span)


def fix(m: Timed, s: Schedule) -> None:
    """Fix all decisions and times of a program to those of a schedule.

    A decision that it does not have, or another length, makes it infeasible.
    """
    p, values, traffic = m.p, decided(m, s), traffic_of(m.p, s)
    for var, n in values.items():
        m.program.row("fixed", [(var, 1.0)], "==", n)
    for t in range(len(p.tasks)):
        mine = (s.chiplet[t], s.mode[t], s.resident[t])
        if not any(
            (c, k.mode, k.resident) == mine
            for c in p.supported(t)
            for k in m.choices[t, c]
        ):
            _never(m)
    for t, starts in enumerate(m.start):
        for start, tick in zip(starts, s.runs[t], strict=True):
            _at(m, start, tick)
        q = ticks_alone(p, traffic.streams[t].units)
        for k, span in enumerate(s.streams[t]):
            if span is not None:
                _move(m, m.stream[t][k], m.stream_long[t][k], span, q)
        brought, own = s.loads[t], traffic.loads[t]
        if brought is not None and own is not None:
            q = ticks_alone(p, own.units)
            _move(m, m.load[t], m.load_long[t], brought, q)
    for u, rounds in enumerate(s.transfers):
        for k, row in enumerate(rounds):
            for move, (to, sent) in zip(row, traffic.sends[u], strict=True):
                here = s.chiplet[p.tensors[u].producer or 0]
                held = passes(p, here, to, sent.units).values()
                key, q = m.sending(u, to[0]), max((b for _, b in held), default=0)
                _move(m, m.send[key][k], m.send_long[key][k], move.span, q)


def _never(m: Timed) -> None:
    """Make the program infeasible."""
    m.program.row("never", [(m.makespan, 1.0)], "<=", -1)


def _at(m: Timed, start: Var, tick: int) -> None:
    """Fix a start, also for `decode`."""
    m.program.row("fixed", [(start, 1.0)], "<=", tick)
    m.after("fixed", Moment(start), Moment(None, (), tick))


def _move(m: Timed, start: Var, long: Terms, span: Span, alone: int) -> None:
    """Fix a movement; with ``fluid`` it may last longer than it does alone."""
    _at(m, start, span[0])
    ticks = span[1] - span[0]
    if start in m.pace:
        m.program.row("fixed", long, "==", ticks)
    elif "duration" not in m.without and ticks != alone:
        _never(m)

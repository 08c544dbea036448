"""Times, lengths and orders of the MILP of timed schedules (MODEL.md §6.8).

Times are continuous: with decisions, lengths and orders fixed they are the solutions
of inequalities later ≥ earlier + whole ticks, which `milp_read` solves exactly.

================ =================================================================
start[t][k]      S of the run of layer t in round k; stream[t][k]: x of its stream
load[t], send[…] when a load, a transfer (by round) starts
…_long           their lengths, as terms of integer variables
done[a, b]       span a ends no later than span b starts
later[a, b]      span a starts after span b starts
================ =================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from formulation.milp_decisions import Decided, minus
from formulation.timed.movements import passes, ticks_alone
from formulation.timed.read import sending
from formulation.traffic import send

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.engines.milp import Terms, Var
    from formulation.milp_decisions import Choice
    from formulation.problem import Problem
    from formulation.timed.read import Sending
    from formulation.timed.schedule import Span as Ticks


Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: a variable (`None`: tick 0) and what is added to it."""

    var: Var | None
    lag: tuple[tuple[Var, float], ...] = ()
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class After:
    """`later` ≥ `earlier` if the literals that all `guards` sum up to are 1."""

    later: Moment
    earlier: Moment
    guards: tuple[tuple[tuple[Var, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Something from a moment to another one; `name` tells it from all others."""

    name: str
    start: Moment
    end: Moment


@dataclass(kw_only=True)
class Timed(Decided):
    """A program under construction, indexed like the problem.

    Parameters
    ----------
    horizon
        No time is later.
    longest
        With ``fluid``, no movement lasts longer.
    lines
        With ``fluid``, up to which length its part of a bandwidth is exact.
    rows
        All inequalities between times that are in the program.
    """

    horizon: int
    longest: int
    lines: int
    makespan: Var
    rows: list[After] = field(default_factory=list)
    start: list[list[Var]] = field(default_factory=list)
    long: list[list[Terms]] = field(default_factory=list)
    stream: list[list[Var]] = field(default_factory=list)
    stream_long: list[list[Terms]] = field(default_factory=list)
    slowest: dict[int, Var] = field(default_factory=dict)  # q, where it is loose
    load: dict[int, Var] = field(default_factory=dict)
    load_long: dict[int, Terms] = field(default_factory=dict)
    send: dict[Sending, list[Var]] = field(default_factory=dict)
    send_long: dict[Sending, list[Terms]] = field(default_factory=dict)
    pace: dict[Var, Var] = field(default_factory=dict)  # start → length (fluid)
    orders: dict[tuple[str, str, str], Var] = field(default_factory=dict)
    found: dict[str, object] = field(default_factory=dict)

    @property
    def p(self) -> Problem:
        """The problem."""
        return self.problem

    @property
    def fluid(self) -> bool:
        """Whether movements share bandwidth, and last as long as they like."""
        return self.p.timing.contention == "fluid" and "duration" not in self.without

    def once(self, name: str, make: Callable[[Timed], Made]) -> Made:
        """Return what `make` makes of the program, made once."""
        if name not in self.found:
            self.found[name] = make(self)
        return cast("Made", self.found[name])

    def kept(self, t: int) -> tuple[bool | None, ...]:
        """Return residencies; none is resident if weights are streamed."""
        if self.p.tasks[t].weight_bytes and self.p.timing.weights == "streamed":
            return (False,)
        return super().kept(t)

    def moved(self, u: int) -> bool:
        """Whether a tensor is sent; also without bytes, as that takes its latency."""
        return self.p.tensors[u].placed

    def rounds(self, model: int) -> range:
        """Return the rounds of a model."""
        return range(len(self.p.timing.releases[model]))

    def sending(self, u: int, d: int) -> Sending:
        """Return the transfer that brings a tensor to a chiplet."""
        return sending(self.p, u, d)

    def time(self, name: str) -> Var:
        """Return a new time."""
        return self.program.real(name, 0, self.horizon)

    def alone(self, units: dict[int, int]) -> int:
        """Return q of a movement; 0 if `duration` is left out."""
        return 0 if "duration" in self.without else ticks_alone(self.p, units)

    def after(
        self,
        label: str,
        later: Moment,
        earlier: Moment,
        guards: tuple[Terms, ...] = (),
        more: int = 0,
    ) -> None:
        """Add `later` ≥ `earlier`, switched off unless all `guards` are 1.

        Off it is with M = H + what `earlier` has beyond a time of a schedule: its
        ticks, and at most `more` of its lag (MODEL.md §6.4).
        """
        some = tuple(tuple(guard) for guard in guards)
        self.rows.append(After(later, earlier, some))
        big = float(self.horizon + earlier.ticks + more)
        terms: Terms = [(later.var, 1.0)] if later.var is not None else []
        if earlier.var is not None:
            terms.append((earlier.var, -1.0))
        terms += [*later.lag, *minus(list(earlier.lag))]
        for guard in some:
            terms += [(var, -big * k) for var, k in guard]
        right = earlier.ticks - later.ticks - big * len(some)
        self.program.row(label, terms, ">=", right)

    def order(self, kind: str, a: Span, b: Span) -> Terms:
        """Return done[a, b] or later[a, b] of MODEL.md §6.8; nothing if never 1."""
        # PuLP's variables have an == of their own.
        same = a.start.var is b.start.var and a.start.ticks == b.start.ticks
        if kind == "later" and (a.start.var is None or same):
            return []
        key = (kind, a.name, b.name)
        if key not in self.orders:
            var = self.orders[key] = self.program.binary(f"{kind}_{a.name}_{b.name}")
            if kind == "done":
                self.after("done", b.start, a.end, ([(var, 1.0)],))
            else:
                next_tick = Moment(b.start.var, b.start.lag, b.start.ticks + 1)
                self.after("later", a.start, next_tick, ([(var, 1.0)],))
        return [(self.orders[key], 1.0)]

    @cached_property
    def loose(self) -> list[bool]:
        """Whether the length of a layer's stream depends on more than its choice."""
        return [
            any(
                n
                for c in self.p.supported(t)
                for item in self.items[t, c]
                for n in item.units.values()
            )
            for t in range(len(self.p.tasks))
        ]

    def picks(self, t: int) -> list[tuple[Choice, int]]:
        """Return (choice, its latency) of every choice of a layer."""
        return [
            (k, self.p.tasks[t].modes[c][k.mode].latency_ticks)
            for c in self.p.supported(t)
            for k in self.choices[t, c]
        ]

    def least(self, t: int) -> int:
        """Return the least length of a run of a layer."""
        some = [max(n, self.alone(k.units)) for k, n in self.picks(t)]
        return min(some, default=0)

    def resident(self, t: int, c: int) -> Terms:
        """Return 1 iff the weights of a layer are resident on a chiplet."""
        return [(k.var, 1.0) for k in self.choices.get((t, c), ()) if k.resident]

    def load_units(self, t: int, c: int) -> dict[int, int]:
        """Return load units of the load of a layer on a chiplet."""
        chiplet, weights = self.p.chiplets[c], self.p.tasks[t].weight_bytes
        return {r: n * weights for r, n in chiplet.reads[chiplet.home].loads}

    def run(self, t: int, k: int) -> Span:
        """Return the span of a run."""
        start = Moment(self.start[t][k])
        return Span(f"run_{t}_{k}", start, Moment(start.var, tuple(self.long[t][k])))

    @cached_property
    def held(self) -> dict[tuple[int, int, int], dict[int, Ticks]]:
        """(u, c, d): what a transfer holds when, counted from its start."""
        return {
            (u, c, d): passes(self.p, c, [d], send(self.p, u, c, [d]).units)
            for u, c, d in self.sent
        }


def stream_literals(m: Timed, t: int) -> dict[int, Terms]:
    """Return, per resource, the load units that a layer's stream may put there."""
    rows: dict[int, Terms] = {}
    for c in m.p.supported(t):
        parts = [(k.var, k.units) for k in m.choices[t, c]]
        parts += [(item.literal, item.units) for item in m.items[t, c]]
        for var, units in parts:
            for r, n in units.items():
                if n:
                    rows.setdefault(r, []).append((var, float(n)))
    return rows


def runs(m: Timed) -> None:
    """S and x of every run and stream; how long they last."""
    for t, task in enumerate(m.p.tasks):
        rounds = m.rounds(task.model)
        m.start.append([m.time(f"start_{t}_{k}") for k in rounds])
        m.stream.append([m.time(f"stream_{t}_{k}") for k in rounds])
        streams, longs = _lengths(m, t)
        m.stream_long.append(streams)
        m.long.append(longs)
        for k in rounds:
            m.after("makespan", Moment(m.makespan), m.run(t, k).end)


def _alone(m: Timed, t: int) -> Terms:
    """Return q of a layer's stream; its rows are `duration`."""
    if "duration" in m.without:
        return []
    if not m.loose[t]:
        fixed = [(k.var, float(m.alone(k.units))) for k, _ in m.picks(t)]
        return [(var, q) for var, q in fixed if q]
    most = 0
    for r, row in stream_literals(m, t).items():
        units = sum(int(n) for _, n in row)
        most = max(most, m.p.resources[r].bandwidth.ticks(units))
    m.slowest[t] = m.program.integer(f"q_{t}", 0, min(most, m.horizon))
    return [(m.slowest[t], 1.0)]


def _lengths(m: Timed, t: int) -> tuple[list[Terms], list[Terms]]:
    """Return the lengths of the streams and of the runs of a layer, by round."""
    alone, starts = _alone(m, t), m.stream[t]
    if m.fluid and alone:
        streams: list[Terms] = [
            [(_paced(m, x, f"{t}_{k}", alone), 1.0)] for k, x in enumerate(starts)
        ]
        return streams, [_long(m, t, f"{t}_{k}", q) for k, q in enumerate(streams)]
    streams = [alone] * len(starts)
    if alone and m.loose[t]:
        return streams, [_long(m, t, f"{t}", alone)] * len(starts)
    both = [(k.var, float(max(n, m.alone(k.units)))) for k, n in m.picks(t)]
    return streams, [[(var, n) for var, n in both if n]] * len(starts)


def _long(m: Timed, t: int, name: str, stream: Terms) -> Terms:
    """Return max(t, y − x), exactly: ≥ both, and ≤ y − x if wider, else ≤ t."""
    latency = [(k.var, float(ticks)) for k, ticks in m.picks(t) if ticks]
    long = m.program.integer(f"long_{name}", 0, m.horizon)
    wider, big = m.program.binary(f"wider_{name}"), float(m.horizon)
    for what in (latency, stream):
        m.program.row("long", [(long, 1.0), *minus(what)], ">=", 0)
    most = [(long, 1.0), *minus(latency), (wider, -big)]
    m.program.row("long_most", most, "<=", 0)
    most = [(long, 1.0), *minus(stream), (wider, big)]
    m.program.row("long_most", most, "<=", big)
    return [(long, 1.0)]


def _paced(m: Timed, start: Var, name: str, *alone: Terms) -> Var:
    """Return the length of a movement with ``fluid``: at least all that it is alone."""
    length = m.program.integer(f"lasts_{name}", 0, m.longest)
    for q in alone:
        m.program.row("lasts", [(length, 1.0), *minus(q)], ">=", 0)
    m.pace[start] = length
    return length


def loads(m: Timed) -> None:
    """The load of every layer that may be resident."""
    for t, task in enumerate(m.p.tasks):
        if m.p.timing.weights != "fetched" or not task.weight_bytes:
            continue
        start = m.load[t] = m.time(f"load_{t}")
        alone: Terms = []
        for c in m.p.supported(t):
            q = m.alone(m.load_units(t, c))
            alone += [(var, float(q)) for var, _ in m.resident(t, c) if q]
        m.load_long[t] = alone
        if m.fluid and alone:
            m.load_long[t] = [(_paced(m, start, f"load_{t}", alone), 1.0)]


def transfers(m: Timed) -> None:
    """Every transfer: Σ arrives ≤ Σ gets, so that it is 1 exactly if there is one."""
    ways: dict[Sending, dict[int, Terms]] = {}
    for (u, d), arrives in m.arrives.items():
        used = [x for j in m.p.tensors[u].consumers for x in m.gets(u, j, d)]
        m.program.row("arrives_used", [(arrives, 1.0), *minus(used)], "<=", 0)
    for (u, c, d), sent in m.sent.items():
        ends = m.held[u, c, d].values()
        q = 0 if "duration" in m.without else max((b for _, b in ends), default=0)
        terms = ways.setdefault(m.sending(u, d), {}).setdefault(d, [])
        terms += [(sent, float(q))] if q else []
    for key, by_end in ways.items():
        u, to = key
        name = f"send_{u}" if to is None else f"send_{u}_{to}"
        rounds = m.rounds(m.p.tensors[u].model)
        m.send[key] = [m.time(f"{name}_{k}") for k in rounds]
        m.send_long[key] = _sent_lengths(m, name, m.send[key], list(by_end.values()))


def _sent_lengths(
    m: Timed, name: str, starts: list[Var], alone: list[Terms]
) -> list[Terms]:
    """Return lengths by round, of one transfer to one chiplet or to several."""
    if m.fluid and any(alone):
        return [
            [(_paced(m, x, f"{name}_{k}", *alone), 1.0)] for k, x in enumerate(starts)
        ]
    if len(alone) == 1 or not any(alone):
        return [alone[0]] * len(starts)
    long = m.program.integer(f"q_{name}", 0, m.horizon)
    for q in alone:  # all go together: the longest of them
        m.program.row("q_send", [(long, 1.0), *minus(q)], ">=", 0)
    return [[(long, 1.0)]] * len(starts)

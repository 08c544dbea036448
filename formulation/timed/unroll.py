"""From pipelined to timed schedules: rounds started period after period.

MODEL.md §6.4, *Unrolling*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from formulation.pipelined.semantics import evaluate
from formulation.problem import Timing
from formulation.timed.movements import moves, traffic_of
from formulation.timed.schedule import Schedule, Transfer

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule as Pipelined
    from formulation.problem import Problem
    from formulation.timed.schedule import Span


@dataclass(frozen=True, slots=True)
class Unrolled:
    """Rounds of a pipelined schedule as a timed one.

    Parameters
    ----------
    problem
        What `schedule` is a schedule of: `several`.
    period_ticks
        From the start of a round to that of the next one.
    most_ticks
        No run ends later: the largest latency and a period for every further round.
    """

    problem: Problem
    schedule: Schedule
    period_ticks: int
    most_ticks: int


def several(p: Problem, rounds: int, contention: str) -> Problem:
    """Return the problem of some rounds of each model, weights in place.

    There are no releases and no caps. With ``fluid`` transfers cut through.
    """
    timing = Timing(
        contention=contention,
        store_and_forward=p.timing.store_and_forward and contention != "fluid",
        weights="preloaded",
        releases=((0,) * rounds,) * len(p.models),
        due_ticks=p.timing.due_ticks,
        caps=(),
    )
    models = tuple(replace(model, latency_cap_ticks=None) for model in p.models)
    return replace(
        p, kind="timed", models=models, energy_cap_quanta=None, timing=timing
    )


def stages(p: Problem, s: Pipelined) -> tuple[int, ...]:
    """Return σ of every layer, counted from the first one of its model."""
    first = [min(s.stage[t] for t in model.tasks) for model in p.models]
    return tuple(
        sigma - first[task.model] for sigma, task in zip(s.stage, p.tasks, strict=True)
    )


def unroll(p: Problem, s: Pipelined, rounds: int) -> Unrolled:
    """Return rounds of a valid pipelined schedule, one period apart.

    Inside a period a chiplet works as in MODEL.md §2. A stream takes its whole run, a
    transfer the whole period after its producer's. Whether that is a timed schedule is
    said by the semantics: with ``guaranteed``, without hop and DRAM latency, it is one.

    Raises
    ------
    UnassignedError
        If the schedule breaks `assignment`.
    """
    worth, sigma = evaluate(p, s), stages(p, s)
    period, busy = worth.period_ticks, [0] * len(p.chiplets)
    wide = several(p, rounds, "fluid")
    given = bare(s)
    traffic = traffic_of(wide, given)
    starts: list[int] = []
    streams: list[Span | None] = []
    for t, (c, ticks) in enumerate(zip(s.chiplet, worth.durations, strict=True)):
        start = sigma[t] * period + busy[c]
        busy[c] += ticks
        starts.append(start)
        streams.append((start, start + ticks) if moves(traffic.streams[t]) else None)
    sent: list[tuple[Transfer, ...]] = []
    for tensor, sends in zip(p.tensors, traffic.sends, strict=True):
        after = 0 if tensor.producer is None else (sigma[tensor.producer] + 1) * period
        sent.append(tuple(Transfer(to, (after, after + period)) for to, _ in sends))
    first = replace(
        given,
        runs=tuple((start,) for start in starts),
        streams=tuple((stream,) for stream in streams),
        loads=(None,) * len(p.tasks),
        transfers=tuple((moved,) for moved in sent),
    )
    return Unrolled(
        problem=wide,
        schedule=repeated(first, period, rounds),
        period_ticks=period,
        most_ticks=(max(sigma) + rounds) * period,
    )


def bare(s: Pipelined) -> Schedule:
    """Return the decisions of a pipelined schedule as a timed one without times."""
    return Schedule(s.chiplet, s.mode, s.resident, s.place, (), (), (), ())


def repeated(s: Schedule, period_ticks: int, rounds: int) -> Schedule:
    """Return rounds of a schedule that all do what its first one does, a period apart.

    It has no loads.
    """

    def late(span: Span, k: int) -> Span:
        return span[0] + k * period_ticks, span[1] + k * period_ticks

    every = range(rounds)
    return replace(
        s,
        runs=tuple(tuple(x[0] + k * period_ticks for k in every) for x in s.runs),
        streams=tuple(
            tuple(None if x[0] is None else late(x[0], k) for k in every)
            for x in s.streams
        ),
        transfers=tuple(
            tuple(tuple(replace(m, span=late(m.span, k)) for m in x[0]) for k in every)
            for x in s.transfers
        ),
    )

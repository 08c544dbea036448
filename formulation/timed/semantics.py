"""What a timed schedule is and what it costs: the one definition (MODEL.md §6).

`RULES` maps every label to a function that yields violations, `QUANTITIES` every
quantity to a function; `evaluate` puts them together. Heuristics, read-back of
solver answers and the checker all come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from formulation import rules
from formulation.objective import ObjectiveError
from formulation.rules import SHAPE_RULES, UnassignedError, Violation
from formulation.rules import KindError as KindError
from formulation.timed.memory import SramUse, sram_use
from formulation.timed.movements import (
    Movement,
    Traffic,
    movements,
    moves,
    run_spans,
    traffic_of,
)
from formulation.timed.objective import caps_of, value
from formulation.traffic import energy_parts, is_dram, task_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule, Span


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules and quantities are computed from.

    `runs` holds the span of every run, per task and round.
    """

    runs: tuple[tuple[Span, ...], ...]
    movements: tuple[Movement, ...]
    traffic: Traffic
    sram: tuple[SramUse, ...]


@dataclass(frozen=True, slots=True)
class Worth:
    """The quantities of a schedule. Latency and tardiness are per model and round."""

    makespan_ticks: int
    latency_ticks: tuple[tuple[int, ...], ...]
    tardiness_ticks: tuple[tuple[int, ...], ...]
    energy_quanta: int

    @property
    def edp(self) -> int:
        """Energy times makespan, in quanta·ticks."""
        return self.energy_quanta * self.makespan_ticks


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A schedule's worth. `violations` is empty exactly for a valid schedule."""

    violations: tuple[Violation, ...]
    worth: Worth
    facts: Facts


def _ticks(rule: str, where: str, short: int) -> Iterator[Violation]:
    """Yield a violation if it is short of some ticks."""
    if short > 0:
        yield Violation(rule, where, short, "ticks")


def assignment(p: Problem, s: Schedule) -> Iterator[Violation]:
    """As in every kind; and each run, stream, load and transfer that there is, once."""
    found = tuple(rules.assignment(p, s))
    yield from found
    wrong = partial(Violation, "assignment", amount=1, unit="tasks")
    for t, task in enumerate(p.tasks):
        rounds = len(p.timing.releases[task.model])
        if s.resident[t] and p.timing.weights == "streamed":
            yield wrong(where=f"{p.full_name(t)}: resident, but weights are streamed")
        if len(s.runs[t]) != rounds or len(s.streams[t]) != rounds:
            found += (wrong(where=f"{p.full_name(t)}: expected {rounds} runs"),)
            yield found[-1]
    if found:
        return
    traffic = traffic_of(p, s)
    for t, own in enumerate(traffic.streams):
        for k, span in enumerate(s.streams[t]):
            if (span is not None) != moves(own):
                yield wrong(
                    where=f"{p.full_name(t)}, round {k}: stream goes with bytes"
                )
        if (s.loads[t] is not None) != (traffic.loads[t] is not None):
            yield wrong(where=f"{p.full_name(t)}: load goes with fetched weights")
    for u, tensor in enumerate(p.tensors):
        due = [to for to, _ in traffic.sends[u]]
        if len(s.transfers[u]) != len(p.timing.releases[tensor.model]):
            yield wrong(
                where=f"{p.tensor_name(u)}: transfers of another number of rounds"
            )
        for k, rows in enumerate(s.transfers[u]):
            if [move.to for move in rows] != due:
                where = f"{p.tensor_name(u)}, round {k}: transfers to {due} expected"
                yield wrong(where=where)


def release(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """A run starts at or after the release of its round, a load at or after 0."""
    for t, starts in enumerate(s.runs):
        for k, start in enumerate(starts):
            due = p.timing.releases[p.tasks[t].model][k]
            yield from _ticks("release", _run(p, t, k), due - start)
    for t, span in enumerate(s.loads):
        if span is not None:
            yield from _ticks("release", f"load of {p.full_name(t)}", -span[0])


def duration(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """A movement lasts q ticks; with ``fluid`` at least q."""
    for move in facts.movements:
        off = move.ticks - (move.span[1] - move.span[0])
        if p.timing.contention != "fluid":
            off = abs(off)
        yield from _ticks("duration", move.name, off)


def precedence(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """Streams lie within their runs; loads, producers, transfers come before runs."""
    for t, spans in enumerate(facts.runs):
        for k, (start, end) in enumerate(spans):
            own, brought = s.streams[t][k], s.loads[t]
            if own is not None:
                off = max(start - own[0], own[1] - end)
                yield from _ticks("precedence", f"stream of {_run(p, t, k)}", off)
            if brought is not None:
                where = f"load of {_run(p, t, k)}"
                yield from _ticks("precedence", where, brought[1] - start)
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is not None:
            for k, (_, made) in enumerate(facts.runs[tensor.producer]):
                yield from _after(p, s, facts, u, k, made)


def _after(
    p: Problem, s: Schedule, facts: Facts, u: int, k: int, made: int
) -> Iterator[Violation]:
    """Yield what comes too early after a tensor that is `made` then, in a round."""
    tensor = p.tensors[u]
    assert tensor.producer is not None
    here = s.chiplet[tensor.producer]
    usable = {here: made}
    for move in s.transfers[u][k]:
        where = f"transfer of {p.tensor_name(u)}, round {k}"
        yield from _ticks("precedence", where, made - move.span[0])
        for d in move.to:
            usable[d] = move.span[1] + p.route_ticks[here][d]
    for j in tensor.consumers:
        ready = made + p.dram_ticks
        if not is_dram(p, s, u):
            ready = usable[s.chiplet[j]]
        where = f"{p.tensor_name(u)} to {_run(p, j, k)}"
        yield from _ticks("precedence", where, ready - facts.runs[j][k][0])


def no_overlap(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """Runs share no chiplet; with ``exact`` movements share no resource either."""
    chiplets: list[list[tuple[Span, str]]] = [[] for _ in p.chiplets]
    for t, spans in enumerate(facts.runs):
        for k, span in enumerate(spans):
            chiplets[s.chiplet[t]].append((span, _run(p, t, k)))
    for c, tasks in enumerate(chiplets):
        yield from _overlaps(f"chiplet {p.chiplets[c].name}", tasks)
    resources: list[list[tuple[Span, str]]] = [[] for _ in p.resources]
    for move in facts.movements if p.timing.contention == "exact" else ():
        for r, span in move.holds:
            resources[r].append((span, move.name))
    for r, tasks in enumerate(resources):
        yield from _overlaps(f"{p.resources[r].kind} {p.resources[r].name}", tasks)


def _overlaps(where: str, tasks: list[tuple[Span, str]]) -> Iterator[Violation]:
    """Yield a violation for every task that starts before the earlier ones end."""
    busy, until = "", None
    for (start, end), name in sorted(tasks):
        if start >= end:
            continue
        if until is not None and start < until:
            line = f"{where}: {name} during {busy}"
            yield Violation("no-overlap", line, min(until, end) - start, "ticks")
        if until is None or end > until:
            busy, until = name, end


def bandwidth(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """With ``fluid``, at every instant Σ bytes/(end − start) ≤ bandwidth."""
    if p.timing.contention != "fluid":
        return
    changes: list[dict[int, Fraction]] = [{} for _ in p.resources]
    for move in facts.movements:
        start, end = move.span
        for r, units in move.units.items() if start < end else ():
            rate, change = Fraction(units, end - start), changes[r]
            change[start] = change.get(start, Fraction(0)) + rate
            change[end] = change.get(end, Fraction(0)) - rate
    for resource, change in zip(p.resources, changes, strict=True):
        most = Fraction(resource.bandwidth.num, resource.bandwidth.den)
        over, rate, last = Fraction(0), Fraction(0), 0
        for tick in sorted(change):
            over += max(Fraction(0), rate - most) * (tick - last)
            rate, last = rate + change[tick], tick
        if over:
            where = f"{resource.kind} {resource.name}"
            yield Violation("bandwidth", where, ceil(over / p.load_unit), "bytes")


def sram(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """In every tick, what lies in the L2 of a chiplet fits it."""
    for chiplet, used in zip(p.chiplets, facts.sram, strict=True):
        over = used.peak_bytes - chiplet.l2_bytes
        if over > 0:
            where = f"chiplet {chiplet.name} in tick {used.peak_tick}"
            yield Violation("sram", where, over, "bytes")


def latency_cap(p: Problem, worth: Worth) -> Iterator[Violation]:
    """The latency of every round of a model ≤ its cap."""
    for model, rounds in zip(p.models, worth.latency_ticks, strict=True):
        cap = model.latency_cap_ticks
        for k, ticks in enumerate(rounds if cap is not None else ()):
            where = f"{model.name}, round {k}"
            yield from _ticks("latency_cap", where, ticks - (cap or 0))


def energy_cap(p: Problem, worth: Worth) -> Iterator[Violation]:
    """The energy of everything ≤ its cap."""
    return rules.energy_cap(p, worth.energy_quanta)


def cap(p: Problem, worth: Worth) -> Iterator[Violation]:
    """Every capped part of an objective ≤ its cap."""
    for part, most in caps_of(p):
        over = value(p, part, worth) - most
        if over > 0:
            yield Violation("cap", part.text, over, part.unit)


TIME_RULES: dict[str, Callable[[Problem, Schedule, Facts], Iterator[Violation]]] = {
    "release": release,
    "duration": duration,
    "precedence": precedence,
    "no-overlap": no_overlap,
    "bandwidth": bandwidth,
    "sram": sram,
}
CAP_RULES: dict[str, Callable[[Problem, Worth], Iterator[Violation]]] = {
    "latency_cap": latency_cap,
    "energy_cap": energy_cap,
    "cap": cap,
}
RULES = ("assignment", *SHAPE_RULES, *TIME_RULES, *CAP_RULES)


def _run(p: Problem, t: int, k: int) -> str:
    return f"{p.full_name(t)}, round {k}"


def makespan(runs: tuple[tuple[Span, ...], ...]) -> int:
    """Return the end of the last run; no load or transfer ends later."""
    return max(end for spans in runs for _, end in spans)


def latency(
    p: Problem, runs: tuple[tuple[Span, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Return, per model and round, the end of its last run less its release."""
    return tuple(
        tuple(
            max(runs[t][k][1] for t in model.tasks) - released
            for k, released in enumerate(releases)
        )
        for model, releases in zip(p.models, p.timing.releases, strict=True)
    )


def tardiness(
    p: Problem, latencies: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Return, per model and round, by how much its latency exceeds what is due."""
    return tuple(
        tuple(0 if due is None else max(0, ticks - due) for ticks in rounds)
        for due, rounds in zip(p.timing.due_ticks, latencies, strict=True)
    )


def parts_of_energy(
    p: Problem, s: Schedule, traffic: Traffic, makespan_ticks: int
) -> dict[str, int]:
    """Return the energy units of everything: chiplets, NoP, DRAM, static power."""
    rounds = [len(x) for x in p.timing.releases]
    chiplets = sum(
        rounds[task.model] * task_mode(p, s, t).energy for t, task in enumerate(p.tasks)
    )
    streams = [own for own in traffic.loads if own is not None]
    for t, own in enumerate(traffic.streams):
        streams += [own] * rounds[p.tasks[t].model]
    sent = []
    for u, sends in enumerate(traffic.sends):
        sent += [move for _, move in sends] * rounds[p.tensors[u].model]
    return energy_parts(p, chiplets, streams, sent, makespan_ticks)


def energy(p: Problem, s: Schedule, traffic: Traffic, makespan_ticks: int) -> int:
    """Return the energy of everything in quanta, rounded up once."""
    units = sum(parts_of_energy(p, s, traffic, makespan_ticks).values())
    return -(-units // p.energy_den)


QUANTITIES = ("makespan", "latency", "tardiness", "energy", "edp")


def facts_of(p: Problem, s: Schedule) -> Facts:
    """Return runs, movements and L2 use of an assigned schedule."""
    runs = tuple(run_spans(p, s, t) for t in range(len(p.tasks)))
    traffic = traffic_of(p, s)
    moved = tuple(movements(p, s, traffic))
    return Facts(runs, moved, traffic, sram_use(p, s, runs, makespan(runs)))


def check_options(p: Problem) -> None:
    """Refuse a problem with options that timed schedules do not have.

    Raises
    ------
    KindError
        With a line for every such option, and for every cap that is no part of an
        objective.
    """
    faults = ["timed schedules have no option serial"] if p.serial else []
    try:
        caps_of(p)
    except ObjectiveError as error:
        faults += str(error).splitlines()
    if faults:
        raise KindError("\n".join(faults))


def evaluate(
    p: Problem, s: Schedule, without: frozenset[str] = frozenset()
) -> Evaluation:
    """Judge a schedule and say what it is worth.

    Parameters
    ----------
    without
        Labels of rules that are left out (relaxations, tests).

    Raises
    ------
    KindError
        If the problem has options that timed schedules do not have.
    UnassignedError
        If `assignment` fails: nothing else is defined then.
    """
    check_options(p)
    unassigned = tuple(assignment(p, s))
    if unassigned:
        raise UnassignedError(unassigned)
    facts = facts_of(p, s)
    long = makespan(facts.runs)
    latencies = latency(p, facts.runs)
    worth = Worth(
        makespan_ticks=long,
        latency_ticks=latencies,
        tardiness_ticks=tardiness(p, latencies),
        energy_quanta=energy(p, s, facts.traffic, long),
    )
    found = [v for shape in SHAPE_RULES.values() for v in shape(p, s)]
    found += [v for rule in TIME_RULES.values() for v in rule(p, s, facts)]
    found += [v for rule in CAP_RULES.values() for v in rule(p, worth)]
    kept = tuple(v for v in found if v.rule not in without)
    return Evaluation(kept, worth, facts)

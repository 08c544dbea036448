"""What a pipelined schedule is and what it costs: the one definition (MODEL.md §2).

`RULES` maps every label to a function that yields violations, `QUANTITIES` every
quantity to a function; `evaluate` puts them together. Heuristics, read-back of
solver answers and the checker all come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from formulation.decisions import PACKAGE
from formulation.pipelined import traffic
from formulation.rules import SHAPE_RULES as COMMON_SHAPE_RULES
from formulation.rules import UnassignedError, Violation, assignment, energy_cap
from formulation.traffic import Stream, Transfer, is_dram, stream, task_mode, transfer
from formulation.traffic import energy_parts as traffic_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem


@dataclass(frozen=True, slots=True)
class SramUse:
    """What lies in the L2 of one chiplet, in bytes."""

    resident_bytes: int
    buffer_bytes: int
    peak_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.resident_bytes + self.buffer_bytes + self.peak_bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules and quantities are computed from."""

    durations: tuple[int, ...]
    streams: tuple[Stream, ...]
    transfers: tuple[Transfer, ...]
    sram: tuple[SramUse, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """The least period that one chiplet, resource or latency asks for."""

    rule: str
    where: str
    ticks: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A schedule's worth. `violations` is empty exactly for a valid schedule."""

    violations: tuple[Violation, ...]
    period_ticks: int
    latency_ticks: tuple[int, ...]
    energy_quanta: int
    needs: tuple[Need, ...]
    sram: tuple[SramUse, ...]
    durations: tuple[int, ...]

    @property
    def edp(self) -> int:
        """Energy times period, in quanta·ticks."""
        return self.energy_quanta * self.period_ticks


def stage(p: Problem, s: Schedule) -> Iterator[Violation]:
    """0 ≤ σ ≤ S_m; a consumer comes 0, 1 or 2 stages after its producer."""
    for model in p.models:
        for t in model.tasks:
            over = max(-s.stage[t], s.stage[t] - model.max_stage)
            if over > 0:
                where = f"{p.full_name(t)} in stage {s.stage[t]}"
                yield Violation("stage", where, over, "stages")
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None:
            continue
        i = tensor.producer
        for j in tensor.consumers:
            lag = 0
            if s.chiplet[i] != s.chiplet[j]:
                lag = 1 if is_dram(p, s, u) or p.serial else 2
            short = s.stage[i] + lag - s.stage[j]
            if short > 0:
                where = f"{p.tensor_name(u)} to {p.full_name(j)}"
                yield Violation("stage", where, short, "stages")


def compute(p: Problem, s: Schedule, facts: Facts) -> Iterator[Need]:
    """Σ d(l) on a chiplet (with ``serial`` and its transfers) ≤ T."""
    for c, chiplet in enumerate(p.chiplets):
        busy = sum(d for t, d in enumerate(facts.durations) if s.chiplet[t] == c)
        talk = traffic.serial_ticks(p, s, list(facts.transfers), c) if p.serial else 0
        yield Need("compute", f"chiplet {chiplet.name}", busy + ceil(talk))


def _resource(p: Problem, s: Schedule, facts: Facts, kind: str) -> Iterator[Need]:
    for r, resource in enumerate(p.resources):
        if resource.kind == kind:
            units = sum(move.units.get(r, 0) for move in facts.transfers)
            if resource.counts_streams:
                units += sum(own.units.get(r, 0) for own in facts.streams)
            yield Need(kind, resource.name, resource.rate.ticks(units))


def link(p: Problem, s: Schedule, facts: Facts) -> Iterator[Need]:
    """Bytes over a directed link ≤ bandwidth·T."""
    return _resource(p, s, facts, "link")


def port(p: Problem, s: Schedule, facts: Facts) -> Iterator[Need]:
    """Bytes into or out of a chiplet ≤ bandwidth·T."""
    return _resource(p, s, facts, "port")


def dram(p: Problem, s: Schedule, facts: Facts) -> Iterator[Need]:
    """Bytes read and written through a DRAM interface ≤ bandwidth·T."""
    return _resource(p, s, facts, "dram")


def floor(p: Problem, s: Schedule, facts: Facts) -> Iterator[Need]:
    """T covers every hop latency and the DRAM latency."""
    yield Need("floor", "route and DRAM latency", p.floor_ticks)


def sram(p: Problem, s: Schedule, use: tuple[SramUse, ...]) -> Iterator[Violation]:
    """Resident weights + buffers + peak ≤ L2."""
    for chiplet, used in zip(p.chiplets, use, strict=True):
        over = used.total_bytes - chiplet.l2_bytes
        if over > 0:
            yield Violation("sram", f"chiplet {chiplet.name}", over, "bytes")


def latency_cap(p: Problem, latencies: tuple[int, ...]) -> Iterator[Violation]:
    """The latency of a model ≤ its cap."""
    for model, latency in zip(p.models, latencies, strict=True):
        if model.latency_cap_ticks is not None and latency > model.latency_cap_ticks:
            over = latency - model.latency_cap_ticks
            yield Violation("latency_cap", model.name, over, "ticks")


def period_cap(p: Problem, period_ticks: int) -> Iterator[Violation]:
    """T ≤ its cap."""
    if p.period_cap_ticks is not None and period_ticks > p.period_cap_ticks:
        over = period_ticks - p.period_cap_ticks
        yield Violation("period_cap", "package", over, "ticks")


SHAPE_RULES: dict[str, Callable[[Problem, Schedule], Iterator[Violation]]] = {
    "stage": stage,
    **COMMON_SHAPE_RULES,
}
PERIOD_RULES: dict[str, Callable[[Problem, Schedule, Facts], Iterator[Need]]] = {
    "compute": compute,
    "link": link,
    "port": port,
    "dram": dram,
    "floor": floor,
}
RULES = (
    "assignment",
    *SHAPE_RULES,
    *PERIOD_RULES,
    "sram",
    "latency_cap",
    "energy_cap",
    "period_cap",
)
QUANTITIES = ("period", "latency", "energy", "edp")


def latency(p: Problem, s: Schedule, period_ticks: int) -> tuple[int, ...]:
    """Return (1 + max σ − min σ)·T of every model, in ticks."""
    spans = []
    for model in p.models:
        stages = [s.stage[t] for t in model.tasks]
        spans.append((1 + max(stages) - min(stages)) * period_ticks)
    return tuple(spans)


def energy_parts(
    p: Problem, s: Schedule, facts: Facts, period_ticks: int
) -> dict[str, int]:
    """Return the energy units of a round: chiplets, NoP links, DRAM, static power."""
    chiplets = sum(task_mode(p, s, t).energy for t in range(len(p.tasks)))
    return traffic_parts(p, chiplets, facts.streams, facts.transfers, period_ticks)


def energy(p: Problem, s: Schedule, facts: Facts, period_ticks: int) -> int:
    """Return the energy per round in quanta, rounded up once."""
    units = sum(energy_parts(p, s, facts, period_ticks).values())
    return -(-units // p.energy_den)


def sram_use(p: Problem, s: Schedule) -> tuple[SramUse, ...]:
    """Return what lies in every chiplet's L2."""
    chiplets = range(len(p.chiplets))
    resident = [0 for _ in chiplets]
    buffers = [0 for _ in chiplets]
    peak = [0 for _ in chiplets]
    for t, task in enumerate(p.tasks):
        if s.resident[t]:
            resident[s.chiplet[t]] += task.weight_bytes
    if p.residents_only:
        return tuple(SramUse(resident[c], 0, 0) for c in chiplets)
    work = [task_mode(p, s, t).ws_bytes for t in range(len(p.tasks))]
    for u, tensor in enumerate(p.tensors):
        held = traffic.copies(p, s, u)
        for c, n in held.items():
            buffers[c] += n * tensor.bytes
        if not held and s.place[u] == PACKAGE and tensor.producer is not None:
            here = s.chiplet[tensor.producer]
            for t in range(tensor.producer, max(tensor.consumers) + 1):
                if s.chiplet[t] == here:
                    work[t] += tensor.bytes
    for t, amount in enumerate(work):
        peak[s.chiplet[t]] = max(peak[s.chiplet[t]], amount)
    return tuple(SramUse(resident[c], buffers[c], peak[c]) for c in chiplets)


def facts_of(p: Problem, s: Schedule) -> Facts:
    """Return durations, streams, transfers and L2 use of an assigned schedule."""
    streams = tuple(stream(p, s, t) for t in range(len(p.tasks)))
    durations = tuple(traffic.duration(p, s, t, own) for t, own in enumerate(streams))
    transfers = tuple(transfer(p, s, u) for u in range(len(p.tensors)))
    return Facts(durations, streams, transfers, sram_use(p, s))


def evaluate(
    p: Problem,
    s: Schedule,
    period_ticks: int | None = None,
    without: frozenset[str] = frozenset(),
) -> Evaluation:
    """Judge a schedule and say what it is worth.

    Parameters
    ----------
    period_ticks
        `None`: at the least period that the rules allow (caps aside). Else the
        period to check it at; a shorter one than needed is a violation.
    without
        Labels of rules that are left out (relaxations, tests).

    Raises
    ------
    UnassignedError
        If `assignment` fails: nothing else is defined then.
    """
    unassigned = tuple(assignment(p, s))
    if unassigned:
        raise UnassignedError(unassigned)
    facts = facts_of(p, s)
    needs = tuple(
        need
        for label, rule in PERIOD_RULES.items()
        if label not in without
        for need in rule(p, s, facts)
    )
    period = max([1, *(n.ticks for n in needs)])
    if period_ticks is not None:
        period = period_ticks
    found = [v for rule in SHAPE_RULES.values() for v in rule(p, s)]
    found += [
        Violation(n.rule, n.where, n.ticks - period, "ticks")
        for n in needs
        if n.ticks > period
    ]
    found += sram(p, s, facts.sram)
    latencies = latency(p, s, period)
    quanta = energy(p, s, facts, period)
    found += latency_cap(p, latencies)
    found += energy_cap(p, quanta)
    found += period_cap(p, period)
    return Evaluation(
        violations=tuple(v for v in found if v.rule not in without),
        period_ticks=period,
        latency_ticks=latencies,
        energy_quanta=quanta,
        needs=needs,
        sram=facts.sram,
        durations=facts.durations,
    )

"""What a pipelined schedule is and what it costs: the one definition (MODEL.md §2).

`RULES` maps every label to a function that yields violations, `QUANTITIES` every
quantity to a function; `evaluate` puts them together. Heuristics, read-back of
solver answers and the checker all come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from formulation.pipelined import traffic
from formulation.pipelined.schedule import DRAM, PACKAGE
from formulation.pipelined.structure import between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule: where, and by how much.

    `amount` is in `unit`: ticks, bytes, stages, layers or quanta.
    """

    rule: str
    where: str
    amount: int
    unit: str

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.rule}: {self.where}: {self.amount} {self.unit}"


class UnassignedError(ValueError):
    """A schedule that breaks `assignment`; `violations` says how."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("\n".join(str(v) for v in violations))
        self.violations = violations


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
    streams: tuple[traffic.Stream, ...]
    transfers: tuple[traffic.Transfer, ...]
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


def assignment(p: Problem, s: Schedule) -> Iterator[Violation]:
    """Every layer on one supporting chiplet, in a mode it has; nothing left open."""
    for t, task in enumerate(p.tasks):
        wrong = partial(Violation, "assignment", amount=1, unit="layers")
        name = p.full_name(t)
        c = s.chiplet[t]
        if not 0 <= c < len(p.chiplets):
            yield wrong(where=f"{name}: no chiplet {c}")
        elif not task.modes[c]:
            yield wrong(where=f"{name}: not supported on chiplet {c}")
        elif not 0 <= s.mode[t] < len(task.modes[c]):
            yield wrong(where=f"{name}: no mode {s.mode[t]} on chiplet {c}")
        if (s.resident[t] is None) != (task.weight_bytes == 0):
            yield wrong(where=f"{name}: residency goes with weights")
    for u, tensor in enumerate(p.tensors):
        allowed: tuple[str | None, ...] = (None,)
        if tensor.placed:
            allowed = (PACKAGE,) if p.always_package(u) else (PACKAGE, DRAM)
        if s.place[u] not in allowed:
            where = f"{p.tensor_name(u)}: place {s.place[u]}"
            yield Violation("assignment", where, 1, "tensors")


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
                lag = 1 if traffic.is_dram(p, s, u) or p.serial else 2
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


def contiguous(p: Problem, s: Schedule) -> Iterator[Violation]:
    """A chiplet's layers of a model are an interval of its topological order."""
    for model in p.models if p.contiguous else ():
        for c, chiplet in enumerate(p.chiplets):
            here = [t for t in model.tasks if s.chiplet[t] == c]
            holes = here[-1] - here[0] + 1 - len(here) if here else 0
            if holes:
                where = f"{model.name} on chiplet {chiplet.name}"
                yield Violation("contiguous", where, holes, "layers")


def convex(p: Problem, s: Schedule) -> Iterator[Violation]:
    """No path of tensors leaves a chiplet and comes back."""
    for t, inside in between(p, s.chiplet) if p.convex else ():
        where = f"{p.full_name(t)} between layers of chiplet {p.chiplets[inside].name}"
        yield Violation("convex", where, 1, "layers")


def exclusive(p: Problem, s: Schedule) -> Iterator[Violation]:
    """A chiplet has layers of at most one model."""
    for c, chiplet in enumerate(p.chiplets) if p.exclusive else ():
        here = {p.tasks[t].model for t in range(len(p.tasks)) if s.chiplet[t] == c}
        if len(here) > 1:
            where = f"chiplet {chiplet.name}"
            yield Violation("exclusive", where, len(here) - 1, "models")


def colocate(p: Problem, s: Schedule) -> Iterator[Violation]:
    """The layers of a named group are on one chiplet."""
    for group in p.colocate:
        used = {s.chiplet[t] for t in group}
        if len(used) > 1:
            where = f"group of {p.full_name(group[0])}"
            yield Violation("colocate", where, len(used) - 1, "chiplets")


def latency_cap(p: Problem, latencies: tuple[int, ...]) -> Iterator[Violation]:
    """The latency of a model ≤ its cap."""
    for model, latency in zip(p.models, latencies, strict=True):
        if model.latency_cap_ticks is not None and latency > model.latency_cap_ticks:
            over = latency - model.latency_cap_ticks
            yield Violation("latency_cap", model.name, over, "ticks")


def energy_cap(p: Problem, energy_quanta: int) -> Iterator[Violation]:
    """The energy per round ≤ its cap."""
    if p.energy_cap_quanta is not None and energy_quanta > p.energy_cap_quanta:
        over = energy_quanta - p.energy_cap_quanta
        yield Violation("energy_cap", "package", over, "quanta")


def period_cap(p: Problem, period_ticks: int) -> Iterator[Violation]:
    """T ≤ its cap."""
    if p.period_cap_ticks is not None and period_ticks > p.period_cap_ticks:
        over = period_ticks - p.period_cap_ticks
        yield Violation("period_cap", "package", over, "ticks")


SHAPE_RULES: dict[str, Callable[[Problem, Schedule], Iterator[Violation]]] = {
    "stage": stage,
    "contiguous": contiguous,
    "convex": convex,
    "exclusive": exclusive,
    "colocate": colocate,
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
    dram = p.dram_energy * sum(x.read_bytes + x.write_bytes for x in facts.streams)
    moved = sum(own.energy for own in facts.streams)
    moved += sum(move.energy for move in facts.transfers)
    return {
        "chiplet": sum(traffic.task_mode(p, s, t).energy for t in range(len(p.tasks))),
        "nop": moved - dram,
        "dram": dram,
        "static": p.static_energy * period_ticks,
    }


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
    work = [traffic.task_mode(p, s, t).ws_bytes for t in range(len(p.tasks))]
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
    streams = tuple(traffic.stream(p, s, t) for t in range(len(p.tasks)))
    durations = tuple(traffic.duration(p, s, t, own) for t, own in enumerate(streams))
    transfers = tuple(traffic.transfer(p, s, u) for u in range(len(p.tensors)))
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

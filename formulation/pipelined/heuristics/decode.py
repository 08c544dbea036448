"""From what a heuristic decides to a whole schedule, and what it is worth.

A heuristic says on which chiplet every layer is, and more if it wants to. The decoder
adds modes and residency (`l2.pack`), the earliest stages, and sends tensors over DRAM
where L2 or the stages leave no other way. Its sums are those of the semantics, taken
from the semantics' own functions (`tables`); tests hold that they agree, and `search`
asks the semantics about every schedule that it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING

from formulation.decisions import DRAM, PACKAGE
from formulation.pipelined.heuristics.l2 import Option, Packed, pack
from formulation.pipelined.heuristics.tables import Tables
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.semantics import SHAPE_RULES
from formulation.pipelined.stages import first_stages
from formulation.pipelined.traffic import serial_ticks
from formulation.structure import edges
from formulation.traffic import transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.problem import Problem

MOST_KEPT = 20_000  # packed chiplets
BROKEN = 10**6  # stands for a broken rule without an amount worth counting


@dataclass(frozen=True, slots=True)
class Plan:
    """What a heuristic decides; the decoder does the rest.

    Parameters
    ----------
    chiplet
        Of every layer.
    dram
        Tensors that go over DRAM; all others go over the package if they can.
    lean
        What modes and residency lean to, per chiplet: indices of `tables.LEANS`; () is
        the first one everywhere.
    fixed
        Layer → its mode and residency, where the decoder has no choice.
    """

    chiplet: tuple[int, ...]
    dram: frozenset[int] = frozenset()
    lean: tuple[int, ...] = ()
    fixed: tuple[tuple[int, tuple[int, bool | None]], ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A plan made whole. `excess` is 0 for a schedule that should be valid.

    Parameters
    ----------
    plan
        With all tensors that had to go over DRAM.
    busy
        What every chiplet needs, in ticks.
    excess
        By how much rules are broken: bytes, stages, ticks, quanta added up, so only
        good for comparing.
    needs
        The period that every chiplet and every resource asks for, in ticks.
    stage, options
        Of every layer; () if rules on chiplets alone are broken.
    """

    plan: Plan
    period_ticks: int
    energy_quanta: int
    latency_ticks: tuple[int, ...]
    busy: tuple[int, ...]
    excess: int
    needs: tuple[int, ...] = ()
    stage: tuple[int, ...] = ()
    options: tuple[Option, ...] = ()


@dataclass
class _Work:
    """A plan while it is decoded."""

    chiplet: tuple[int, ...]
    dram: set[int]
    stage: list[int] = field(default_factory=list)
    buffers: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    held: list[list[tuple[int, int]]] = field(default_factory=list)
    units: dict[int, int] = field(default_factory=dict)
    energy: int = 0


class Decoder:
    """Makes plans of one problem whole."""

    def __init__(self, p: Problem) -> None:
        self.p = p
        self.tables = Tables(p)
        self.edges = sorted(edges(p), key=lambda e: e[2])
        self.placed = [
            (u, x.producer, x.consumers, x.bytes)
            for u, x in enumerate(p.tensors)
            if x.placed and x.producer is not None
        ]
        self.packages = frozenset(
            u for u in range(len(p.tensors)) if p.always_package(u)
        )
        self.far = 1 if p.serial else 2
        self._packed: dict[tuple[object, ...], Packed] = {}

    def decode(self, plan: Plan) -> Decoded:
        """Return the plan made whole."""
        broken = self._shape(plan.chiplet)
        if broken:
            return Decoded(plan, 0, 0, (), (), BROKEN * broken)
        work = _Work(plan.chiplet, set(plan.dram - self.packages))
        most = 1
        while True:
            self._spread(work)
            packed = self._pack(plan, work)
            out = self._evicted(work, packed, most)
            if not out:
                break
            work.dram |= out  # tensors that were not yet there: this ends
            most *= 2
        return self._whole(replace(plan, dram=frozenset(work.dram)), work, packed)

    def _shape(self, chiplet: tuple[int, ...]) -> int:
        """Return by how much the rules on chiplets alone are broken."""
        p = self.p
        able, n = self.tables.able, len(p.chiplets)
        lost = sum(
            [not (0 <= c < n and row[c]) for row, c in zip(able, chiplet, strict=True)]
        )
        if lost:
            return lost
        none: tuple[None, ...] = ()
        s = Schedule(chiplet, self.tables.zeros, self.tables.zeros, none, none)
        return sum(
            violation.amount
            for label, rule in SHAPE_RULES.items()
            if label != "stage"
            for violation in rule(p, s)
        )

    def _spread(self, work: _Work) -> None:
        """Find stages, and what tensors take of L2 and of the package."""
        p, chiplet, dram = self.p, work.chiplet, work.dram
        lags = [
            (i, j, 0 if chiplet[i] == chiplet[j] else 1 if u in dram else self.far)
            for u, i, j in self.edges
        ]
        stage = work.stage = first_stages(lags, len(p.tasks))
        buffers = work.buffers = [0] * len(p.chiplets)
        live = work.live = [0] * len(p.tasks)
        held = work.held = [[] for _ in p.chiplets]
        units = work.units = {}
        work.energy = 0
        for u, i, consumers, size in self.placed:
            if u in dram:
                continue
            here, since = chiplet[i], stage[i]
            to = tuple([chiplet[j] for j in consumers])
            late = tuple([stage[j] - since for j in consumers])
            if any(late) or to.count(here) < len(to):
                where = ((here, 0), *zip(to, late, strict=True))
                for c, n in self.tables.held(u, where, chiplet, stage).items():
                    buffers[c] += n * size
                    held[c].append((n * size, u))
                move = self.tables.move(u, here, to, chiplet)
                work.energy += move.energy
                for r, amount in move.units.items():
                    units[r] = units.get(r, 0) + amount
            else:
                for t in range(i, consumers[-1] + 1):
                    if chiplet[t] == here:
                        live[t] += size
        if p.residents_only:
            work.buffers = [0] * len(p.chiplets)
            work.live = [0] * len(p.tasks)

    def _pack(self, plan: Plan, work: _Work) -> list[Packed]:
        """Return modes and residency of every chiplet."""
        p, chiplet = self.p, work.chiplet
        here: list[list[int]] = [[] for _ in p.chiplets]
        for t, c in enumerate(chiplet):
            here[c].append(t)
        near: dict[int, list[tuple[int, int]]] = {}
        for u in sorted(work.dram):
            i = p.tensors[u].producer
            if i is None:
                continue
            for t in (i, *p.tensors[u].consumers):
                near.setdefault(t, []).append((u, chiplet[i] if p.private else 0))
        fixed = dict(plan.fixed)
        found = []
        for c, tasks in enumerate(here):
            lean = plan.lean[c] if plan.lean else 0
            live = tuple([work.live[t] for t in tasks])
            odd = [
                (t, fixed.get(t), tuple(near.get(t, ())))
                for t in tasks
                if t in fixed or t in near
            ]
            key = (c, lean, tuple(tasks), work.buffers[c], live, *odd)
            packed = self._packed.get(key)
            if packed is None:
                layers = [
                    self._layer(t, c, lean, tuple(near.get(t, ())), fixed.get(t), work)
                    for t in tasks
                ]
                room = p.chiplets[c].l2_bytes - work.buffers[c]
                packed = pack(layers, live, room, lean)
                if len(self._packed) >= MOST_KEPT:
                    self._packed.clear()
                self._packed[key] = packed
            found.append(packed)
        return found

    def _layer(
        self,
        t: int,
        c: int,
        lean: int,
        near: tuple[tuple[int, int], ...],
        fixed: tuple[int, bool | None] | None,
        work: _Work,
    ) -> tuple[Option, ...]:
        """Return the options of a layer, one if it is fixed."""
        options = self.tables.options(t, c, lean, near, work.chiplet)
        if fixed is None:
            return options
        wanted = [o for o in options if (o.mode, o.resident) == fixed]
        return tuple(wanted) or options

    def _evicted(self, work: _Work, packed: list[Packed], most: int) -> set[int]:
        """Return tensors that have to go over DRAM: where L2 or the stages are short.

        Of a chiplet that is short of L2, those that hold most there.
        """
        p, out = self.p, set[int]()
        for c, some in enumerate(packed):
            if not some.over_bytes or p.residents_only:  # nothing but weights counts
                continue
            here = [t for t, x in enumerate(work.chiplet) if x == c]
            most_live = here[some.tightest]
            holders = work.held[c] + [
                (size, u)
                for u, i, consumers, size in self.placed
                if i <= most_live <= consumers[-1]
                and work.chiplet[i] == c
                and u not in work.dram
            ]
            able = sorted({(-n, u) for n, u in holders if u not in self.packages})
            out |= {u for _, u in able[:most]}
        for model in p.models:
            depth = max(work.stage[t] for t in model.tasks)
            if depth > model.max_stage:
                crossing = {
                    u
                    for u, i, consumers, _ in self.placed
                    if u not in work.dram | self.packages
                    and p.tensors[u].model == p.tasks[model.first].model
                    and any(work.chiplet[j] != work.chiplet[i] for j in consumers)
                }
                out |= set(sorted(crossing)[:most])
        return out

    def _whole(self, plan: Plan, work: _Work, packed: list[Packed]) -> Decoded:
        """Return schedule, period, energy and what is broken."""
        p, units = self.p, work.units
        energy = work.energy + sum(some.energy for some in packed)
        streams: dict[int, int] = {}
        for some in packed:
            for r, amount in some.units:
                streams[r] = streams.get(r, 0) + amount
        chosen = [iter(some.options) for some in packed]
        options = tuple([next(chosen[c]) for c in work.chiplet])
        busy = [some.ticks for some in packed]
        if p.serial:
            s = self.schedule(plan, work.stage, options)
            moves = [transfer(p, s, u) for u in range(len(p.tensors))]
            for c in range(len(p.chiplets)):
                busy[c] += ceil(serial_ticks(p, s, moves, c))
        needs = list(busy)
        for r, resource in enumerate(p.resources):
            load = units.get(r, 0)
            if resource.counts_streams:
                load += streams.get(r, 0)
            needs.append(resource.rate.ticks(load))
        period = max(1, p.floor_ticks, *needs)
        quanta = -(-(energy + p.static_energy * period) // p.energy_den)
        excess = sum(some.over_bytes for some in packed)
        latencies = []
        for model in p.models:
            # The first layer has no producer, so some layer is in stage 0.
            depth = max(work.stage[model.first : model.last + 1])
            latencies.append((1 + depth) * period)
            excess += BROKEN * max(0, depth - model.max_stage)
            if model.latency_cap_ticks is not None:
                excess += max(0, latencies[-1] - model.latency_cap_ticks)
        if p.period_cap_ticks is not None:
            excess += max(0, period - p.period_cap_ticks)
        if p.energy_cap_quanta is not None:
            excess += max(0, quanta - p.energy_cap_quanta)
        return Decoded(
            plan=plan,
            period_ticks=period,
            energy_quanta=quanta,
            latency_ticks=tuple(latencies),
            busy=tuple(busy),
            excess=excess,
            needs=tuple(needs),
            stage=tuple(work.stage),
            options=options,
        )

    def schedule(
        self, plan: Plan, stage: Sequence[int], options: Sequence[Option]
    ) -> Schedule:
        """Return the schedule of a decoded plan."""
        return Schedule(
            chiplet=plan.chiplet,
            mode=tuple([o.mode for o in options]),
            stage=tuple(stage),
            resident=tuple([o.resident for o in options]),
            place=tuple(
                (DRAM if u in plan.dram else PACKAGE) if tensor.placed else None
                for u, tensor in enumerate(self.p.tensors)
            ),
        )

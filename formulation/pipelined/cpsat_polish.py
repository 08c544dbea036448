"""Better free assignments from a good one: move a few layers, then ask CP-SAT.

A heuristic, CP-SAT twice: a small *master* moves at most a few layers between
chiplets so that the loads, counted with the durations of the schedule at hand, come
down; the whole model with those chiplets then says whether it can be done.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ortools.sat.python import cp_model

from formulation.choices import fitting
from formulation.cpsat_decisions import weighted
from formulation.engines.cpsat import Model, run
from formulation.pipelined.semantics import Evaluation, evaluate

if TYPE_CHECKING:
    from formulation.outcome import Limits
    from formulation.pipelined.schedule import Schedule
    from formulation.problem import Problem

MASTER_SECONDS = 0.3
SPARE_BYTES = 2**19  # of L2, for the buffers of moved layers
SHARE = 0.4  # of the layers may move


@dataclass(frozen=True, slots=True)
class _Spot:
    """A layer on a chiplet in the master: ticks, and DRAM bytes a period."""

    ticks: int
    dram_bytes: int


def _kept(p: Problem, s: Schedule, found: Evaluation) -> set[int]:
    """Return layers that are fast only since their weights are resident."""
    kept = set()
    for t, c in enumerate(s.chiplet):
        slow = [k.ticks for k in fitting(p, t, c) if not k.resident]
        if s.resident[t] and (not slow or min(slow) > found.durations[t]):
            kept.add(t)
    return kept


def _spots(p: Problem, s: Schedule, found: Evaluation) -> list[dict[int, _Spot]]:
    """Return where every layer may go, and what it takes there."""
    kept = _kept(p, s, found)
    room = [chiplet.l2_bytes - SPARE_BYTES for chiplet in p.chiplets]
    for t in kept:
        room[s.chiplet[t]] -= p.tasks[t].weight_bytes
    spots: list[dict[int, _Spot]] = []
    for t, task in enumerate(p.tasks):
        here = s.chiplet[t]
        if t in kept:
            spots.append({here: _Spot(found.durations[t], 0)})
            continue
        moved = sum(p.tensors[u].bytes for u in (*task.inputs, *task.outputs))
        some = {}
        for c in p.supported(t):
            fits = [
                k.ticks
                for k in fitting(p, t, c)
                if not k.resident and k.ws_bytes <= room[c]
            ]
            if fits:
                some[c] = _Spot(min(fits), task.weight_bytes + moved)
        some[here] = _Spot(found.durations[t], task.weight_bytes)
        spots.append(some)
    return spots


def better_chiplets(
    p: Problem,
    s: Schedule,
    least: int,
    most_moves: int,
    attempt: int,
    limits: Limits,
) -> tuple[int, ...] | None:
    """Return chiplets whose loads are below the schedule's period, or `None`.

    Parameters
    ----------
    least
        A bound on the period.
    attempt
        Draws the half of the layers that may move: other ones every time.
    """
    found = evaluate(p, s)
    draw = random.Random(f"{limits.seed} {attempt}")
    spots = [
        x if draw.random() < SHARE else {s.chiplet[t]: x[s.chiplet[t]]}
        for t, x in enumerate(_spots(p, s, found))
    ]
    model = Model()
    period = model.new_int_var(least, found.period_ticks - 1, "period")
    on = [
        {c: model.new_bool_var(f"on_t{t}_c{c}") for c in x} for t, x in enumerate(spots)
    ]
    moves = [on[t][c].negated() for t, c in enumerate(s.chiplet)]
    for t, c in enumerate(s.chiplet):
        model.add_exactly_one(on[t].values())
        model.add_hint(on[t][c], True)
    for c in range(len(p.chiplets)):
        terms = [(on[t][c], x[c].ticks) for t, x in enumerate(spots) if c in x]
        model.add(weighted(terms) <= period)
    _interfaces(p, model, period, spots, on)
    changed = cp_model.LinearExpr.sum(moves)
    model.add(changed <= most_moves)
    model.minimize((len(p.tasks) + 1) * period + changed)
    tune: dict[str, object] = {"linearization_level": 0}
    result = run(model, limits, seconds=MASTER_SECONDS, tune=tune)
    if result.values is None:
        return None
    values = result.values
    return tuple(next(c for c, x in some.items() if values(x)) for some in on)


def _interfaces(
    p: Problem,
    model: cp_model.CpModel,
    period: cp_model.IntVar,
    spots: list[dict[int, _Spot]],
    on: list[dict[int, cp_model.IntVar]],
) -> None:
    """Keep the streams of every interface within T, a quarter of L2 being resident."""
    for r, resource in enumerate(p.resources):
        if resource.kind != "dram":
            continue
        terms = []
        spare = 0
        for c, chiplet in enumerate(p.chiplets):
            per_byte = dict(chiplet.reads[chiplet.home].loads).get(r, 0)
            spare += per_byte * (chiplet.l2_bytes // 4)
            terms += [
                (on[t][c], x[c].dram_bytes * per_byte * resource.rate.den)
                for t, x in enumerate(spots)
                if c in x
            ]
        room = spare * resource.rate.den
        model.add(weighted(terms) <= resource.rate.num * period + room)

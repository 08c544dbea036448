"""A whole schedule from a chiplet for every layer: quick, valid or not.

A heuristic: fastest modes, earliest stages, everything on the package, then as many
resident weights as fit. The semantics say whether the result is valid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from formulation.pipelined.choices import Choice, choices
from formulation.pipelined.schedule import DRAM, PACKAGE, Schedule
from formulation.pipelined.semantics import sram_use
from formulation.pipelined.stages import earliest
from formulation.pipelined.traffic import copies, duration, stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.problem import Problem


def complete(p: Problem, chiplet: Sequence[int]) -> Schedule | None:
    """Return a schedule with these chiplets, or `None` if a layer has no mode there."""
    options = [choices(p, t, c) for t, c in enumerate(chiplet)]
    if not all(options):
        return None
    picked = [
        min((k for k in some if not k.resident), key=lambda k: (k.ticks, k.ws_bytes))
        for some in options
    ]
    place = [None if not u.placed else PACKAGE for u in p.tensors]
    s = _unbuffered(p, earliest(p, _schedule(chiplet, picked, place)))
    used = sram_use(p, s)
    room = [c.l2_bytes - x.total_bytes for c, x in zip(p.chiplets, used, strict=True)]
    for t, kept in _residents(p, options, picked):
        c = chiplet[t]
        more = kept.resident_bytes + max(0, kept.ws_bytes - picked[t].ws_bytes)
        if more <= room[c]:
            room[c] -= more
            picked[t] = kept
    return replace(
        s,
        mode=tuple(k.mode for k in picked),
        resident=tuple(k.resident for k in picked),
    )


def _schedule(
    chiplet: Sequence[int], picked: list[Choice], place: list[str | None]
) -> Schedule:
    return Schedule(
        chiplet=tuple(chiplet),
        mode=tuple(k.mode for k in picked),
        stage=tuple(0 for _ in chiplet),
        resident=tuple(k.resident for k in picked),
        place=tuple(place),
    )


def _unbuffered(p: Problem, s: Schedule) -> Schedule:
    """Put tensors that would be buffered into DRAM where that slows no layer.

    A write and a read a copy, against copies at both ends whose room can keep
    weights that would be streamed every period.
    """
    busy = [duration(p, s, t, stream(p, s, t)) for t in range(len(p.tasks))]
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None or p.always_package(u) or not copies(p, s, u):
            continue
        place = (*s.place[:u], DRAM, *s.place[u + 1 :])
        trial = replace(s, place=place)
        touched = (tensor.producer, *tensor.consumers)
        if all(duration(p, trial, t, stream(p, trial, t)) <= busy[t] for t in touched):
            s = trial
    return s


def _residents(
    p: Problem, options: list[tuple[Choice, ...]], picked: list[Choice]
) -> list[tuple[int, Choice]]:
    """Return (layer, resident choice), most ticks saved a byte first, then large."""
    found = []
    for t, some in enumerate(options):
        kept = [k for k in some if k.resident]
        if kept and p.tasks[t].weight_bytes:
            best = min(kept, key=lambda k: (k.ticks, k.ws_bytes))
            saved = picked[t].ticks - best.ticks
            rank = (saved / best.resident_bytes, best.resident_bytes)
            found.append((rank, t, best))
    found.sort(key=lambda x: x[0], reverse=True)
    return [(t, best) for _, t, best in found]

"""The CP-SAT model of windowed schedules, as flows (MODEL.md §7.9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from formulation.engines.cpsat import EngineError, Model
from formulation.windowed.bounds import groupings, lower
from formulation.windowed.dp_ways import neighbours, segment_ways
from formulation.windowed.objective import caps_of
from formulation.windowed.segments import Segment, handover

if TYPE_CHECKING:
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from formulation.objective import Part
    from formulation.problem import Problem

    Node = tuple[str | int, ...]
    Sum = cp_model.LinearExprT

LARGEST = 2**62
"""What no variable of CP-SAT may reach."""


@dataclass(frozen=True, slots=True)
class Step:
    """A segment in a window, if `taken`: its modes and what it takes."""

    window: int
    segment: Segment
    modes: tuple[int, ...]
    first_ticks: int
    next_ticks: int
    energy: int
    taken: cp_model.IntVar


@dataclass(frozen=True, slots=True)
class Hand:
    """A hand-over in a window at a cut, if `taken`."""

    window: int
    model: int
    group: int
    cut: int
    here: int
    there: int
    taken: cp_model.IntVar


@dataclass(slots=True)
class Flows:
    """The model: literals, and what they sum up to.

    Parameters
    ----------
    windows
        How many there may be.
    idle
        (model, window) → whether it does nothing there.
    times, lengths
        time(m, w) by (model, window); lengths by window.
    most_ticks, most_quanta
        No makespan and no energy of the model is larger.
    """

    p: Problem
    windows: int
    model: Model = field(default_factory=Model)
    steps: list[Step] = field(default_factory=list)
    hands: list[Hand] = field(default_factory=list)
    idle: dict[tuple[int, int], cp_model.IntVar] = field(default_factory=dict)
    times: dict[tuple[int, int], cp_model.IntVar] = field(default_factory=dict)
    lengths: list[cp_model.IntVar] = field(default_factory=list)
    latencies: list[cp_model.IntVar] = field(default_factory=list)
    most_ticks: int = 0
    most_quanta: int = 0
    makespan: cp_model.IntVar = field(init=False)
    energy: cp_model.IntVar = field(init=False)


def all_segments(p: Problem, m: int) -> list[Segment]:
    """Return every segment that a model may have."""
    first, end = p.models[m].first, p.models[m].last + 1
    return [
        Segment(m, c, a, b, begins, ends, group)
        for group in groupings(p, m)
        for c in range(len(p.chiplets))
        for a in range(first, end)
        for b in range(a + 1, end + 1)
        for begins in (True, False)
        for ends in (True, False)
        if (begins or a > first) and (ends or b < end)
    ]


def _add_literals(x: Flows) -> None:
    """Add a literal for every segment with its modes, and for every hand-over.

    `assignment`, `mini_batch`, `sram` and `adjacent` hold of each by itself.
    """
    p = x.p
    for m, model in enumerate(p.models):
        some = [(s, ways) for s in all_segments(p, m) if (ways := segment_ways(p, s))]
        for w in range(x.windows):
            for s, ways in some:
                for k, (cost, modes) in enumerate(ways):
                    name = f"s_m{m}_w{w}_g{s.group}_c{s.chiplet}_a{s.start}_b{s.end}"
                    taken = x.model.new_bool_var(f"{name}_{s.first}_{s.last}_{k}")
                    ticks = cost.first_ticks, cost.next_ticks
                    x.steps.append(Step(w, s, modes, *ticks, cost.energy, taken))
            for group in groupings(p, m):
                for cut in range(model.first + 1, model.last + 1):
                    for c in range(len(p.chiplets)):
                        for d in neighbours(p, c):
                            name = f"h_m{m}_w{w}_g{group}_b{cut}_c{c}_d{d}"
                            taken = x.model.new_bool_var(name)
                            x.hands.append(Hand(w, m, group, cut, c, d, taken))


def _add_flow(x: Flows) -> None:
    """Let every model go from its first to its last layer, through all windows.

    Nodes: between windows the layers done; inside, before and after a hand-over, also
    g and the chiplet. So `window` holds.
    """
    p, flow = x.p, x.model
    net: dict[Node, list[Sum]] = {}

    def arc(taken: Sum, tail: Node, head: Node) -> None:
        net.setdefault(tail, []).append(-taken)
        net.setdefault(head, []).append(taken)

    for step in x.steps:
        s, w = step.segment, step.window
        inside = (s.model, w, s.group, s.chiplet)
        tail: Node = ("in", *inside, s.start)
        head: Node = ("out", *inside, s.end)
        if s.first:
            tail = ("done", s.model, w, s.start)
        if s.last:
            head = ("done", s.model, w + 1, s.end)
        arc(step.taken, tail, head)
    for h in x.hands:
        over = (h.model, h.window, h.group)
        arc(h.taken, ("out", *over, h.here, h.cut), ("in", *over, h.there, h.cut))
    for m, model in enumerate(p.models):
        cuts = range(model.first, model.last + 2)
        for w in range(x.windows):
            skips = [flow.new_bool_var(f"i_m{m}_w{w}_b{cut}") for cut in cuts]
            for cut, skip in zip(cuts, skips, strict=True):
                arc(skip, ("done", m, w, cut), ("done", m, w + 1, cut))
            x.idle[m, w] = flow.new_bool_var(f"idle_m{m}_w{w}")
            flow.add(sum(skips) == x.idle[m, w])
        net.setdefault(("done", m, 0, cuts[0]), []).append(1)
        net.setdefault(("done", m, x.windows, cuts[-1]), []).append(-1)
    for sums in net.values():
        flow.add(sum(sums) == 0)


def _add_times(x: Flows) -> None:
    """Sum up F and the slowest N of every model and window, and their lengths."""
    p = x.p
    first: dict[tuple[int, int], list[Sum]] = {}
    slow: dict[tuple[int, int, int, int], list[Sum]] = {}
    most = 1
    for step in x.steps:
        s, w = step.segment, step.window
        first.setdefault((s.model, w), []).append(step.first_ticks * step.taken)
        on = (s.model, w, s.group, s.chiplet)
        slow.setdefault(on, []).append(step.next_ticks * step.taken)
        most = max(most, step.first_ticks, step.next_ticks)
    longest = 0
    for h in x.hands:
        over = handover(p, h.model, h.group, h.cut, h.here, h.there)
        longest = max(longest, over.receiver_ticks)
        for c, ticks in ((h.here, over.sender_ticks), (h.there, over.receiver_ticks)):
            first.setdefault((h.model, h.window), []).append(ticks * h.taken)
            on = (h.model, h.window, h.group, c)
            slow.setdefault(on, []).append(ticks * h.taken)
    # A path has at most P segments, and r − 1 < n groups follow the first one.
    most += 2 * longest
    horizon = most * (len(p.chiplets) + max(p.windowing.mini_batches))
    for w in range(x.windows):
        x.lengths.append(x.model.new_int_var(0, horizon, f"length_w{w}"))
        for m in range(len(p.models)):
            total = first.get((m, w), [])
            for group in groupings(p, m):
                slowest = x.model.new_int_var(0, most, f"slow_m{m}_w{w}_g{group}")
                for c in range(len(p.chiplets)):
                    x.model.add(sum(slow.get((m, w, group, c), [])) <= slowest)
                total.append((p.windowing.mini_batches[m] // group - 1) * slowest)
            x.times[m, w] = x.model.new_int_var(0, horizon, f"time_m{m}_w{w}")
            x.model.add(sum(total) == x.times[m, w])
            x.model.add(x.times[m, w] <= x.lengths[w])
    x.most_ticks = horizon * x.windows
    x.makespan = x.model.new_int_var(0, x.most_ticks, "makespan")
    x.model.add(sum(x.lengths) == x.makespan)


def _add_segment(x: Flows) -> None:
    """`segment`: Σ over segments of a chiplet in a window ≤ 1."""
    used: dict[tuple[int, int], list[cp_model.IntVar]] = {}
    for step in x.steps:
        place = step.window, step.segment.chiplet
        used.setdefault(place, []).append(step.taken)
    for taken in used.values():
        x.model.add_at_most_one(taken)


def _add_energy(x: Flows) -> None:
    """Let energy·quantum ≥ the units of all segments, hand-overs and static power.

    Raises
    ------
    EngineError
        If energies are too large for CP-SAT.
    """
    p, most = x.p, 0
    units: list[Sum] = []
    for step in x.steps:
        units.append(step.energy * step.taken)
        most += step.energy
    for h in x.hands:
        over = handover(p, h.model, h.group, h.cut, h.here, h.there)
        units.append(over.energy * h.taken)
        most += over.energy
    most += p.static_energy * x.most_ticks
    if most >= LARGEST:
        raise EngineError("energies are too large for CP-SAT: take coarser quanta")
    x.most_quanta = -(-most // p.energy_den)
    x.energy = x.model.new_int_var(0, x.most_quanta, "energy")
    units.append(p.static_energy * x.makespan)
    x.model.add(sum(units) <= p.energy_den * x.energy)


def _add_latencies(x: Flows) -> None:
    """Let each latency be at least the end of the model in every window it is in."""
    for m in range(len(x.p.models)):
        late = x.model.new_int_var(0, x.most_ticks, f"latency_m{m}")
        for w in range(x.windows):
            end = sum(x.lengths[:w]) + x.times[m, w]
            x.model.add(late + x.most_ticks * x.idle[m, w] >= end)
        x.latencies.append(late)


def _expression(x: Flows, part: Part) -> cp_model.IntVar:
    """Return a variable that is at least the value of a part.

    Raises
    ------
    EngineError
        If its values are too large for CP-SAT.
    """
    ticks, quanta = x.most_ticks, x.most_quanta
    worth: dict[str, tuple[cp_model.IntVar, int]] = {
        "makespan": (x.makespan, ticks),
        "energy": (x.energy, quanta),
    }
    if any(name == "edp" for name, _ in part.terms):
        if ticks * quanta >= LARGEST:
            raise EngineError("EDP is too large for CP-SAT: take coarser quanta")
        product = x.model.new_int_var(0, ticks * quanta, "edp")
        x.model.add_multiplication_equality(product, [x.makespan, x.energy])
        worth["edp"] = product, ticks * quanta
    if part.largest:
        weights = part.weights(x.p)
        found = x.model.new_int_var(0, max(weights.values()) * ticks, part.text)
        for m, weight in weights.items():
            x.model.add(weight * x.latencies[m] <= found)
        return found
    most = sum(weight * worth[name][1] for name, weight in part.terms)
    if most >= LARGEST:
        raise EngineError(f"{part.text} is too large for CP-SAT: take coarser quanta")
    found = x.model.new_int_var(0, most, part.text)
    x.model.add(sum(weight * worth[name][0] for name, weight in part.terms) <= found)
    return found


def _add_caps(x: Flows) -> None:
    """`latency_cap`, `energy_cap` and `cap`."""
    for model, late in zip(x.p.models, x.latencies, strict=True):
        if model.latency_cap_ticks is not None:
            x.model.add(late <= model.latency_cap_ticks)
    if x.p.energy_cap_quanta is not None:
        x.model.add(x.energy <= x.p.energy_cap_quanta)
    for part, most in caps_of(x.p):
        x.model.add(_expression(x, part) <= most)


def lower_bound(x: Flows) -> None:
    """Let makespan, energy and latencies be no less than the bounds of §7.6."""
    least = lower(x.p)
    x.model.add(x.makespan >= least.makespan)
    x.model.add(x.energy >= least.energy)
    for late, ticks in zip(x.latencies, least.latency, strict=True):
        x.model.add(late >= ticks)


def empty_last(x: Flows) -> None:
    """Let no window be used after an empty one.

    Windows without layers take no time and move nothing: they can come last.
    """
    models = range(len(x.p.models))
    for w in range(x.windows - 1):
        idle = sum(x.idle[m, w] for m in models)
        for m in models:  # all idle in w: idle in w + 1
            x.model.add(idle <= len(models) - 1 + x.idle[m, w + 1])


STRENGTHENINGS: dict[str, Callable[[Flows], None]] = {
    "lower_bound": lower_bound,
    "empty_last": empty_last,
}


def build(
    p: Problem, part: Part, strengthenings: frozenset[str] = frozenset(STRENGTHENINGS)
) -> Flows:
    """Return the model of a problem with a part of an objective.

    Raises
    ------
    EngineError
        If its numbers are too large for CP-SAT.
    """
    x = Flows(p, min(p.windowing.windows, len(p.tasks)))  # `limit`; none is empty
    _add_literals(x)
    _add_flow(x)
    _add_times(x)
    _add_segment(x)
    _add_energy(x)
    _add_latencies(x)
    _add_caps(x)
    for name in sorted(strengthenings):
        STRENGTHENINGS[name](x)
    x.model.minimize(_expression(x, part))
    return x

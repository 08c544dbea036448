"""What a segment of a windowed schedule moves, takes and costs (MODEL.md §7.1, §7.2).

Layers are tasks of the problem, so cuts are task numbers too: the cut `a` is before
task a. Byte counts of a *group* are those of g mini-batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from formulation.problem import remembered
from formulation.timed.movements import ticks_alone, way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from formulation.problem import Flow, Mode, Problem


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive layers of a model on one chiplet in one window.

    Parameters
    ----------
    model, chiplet
        Whose, and where.
    start, end
        Tasks start, …, end − 1.
    first, last
        Whether it is the first, the last one of its model in the window.
    group
        g: how many mini-batches pass together.
    """

    model: int
    chiplet: int
    start: int
    end: int
    first: bool
    last: bool
    group: int

    @property
    def tasks(self) -> range:
        """Its layers."""
        return range(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a group moves between a segment and DRAM, in bytes: D, V and Q."""

    read_bytes: int
    weight_bytes: int
    written_bytes: int

    def plus(self, other: Amounts) -> Amounts:
        """Return the sums."""
        return Amounts(
            self.read_bytes + other.read_bytes,
            self.weight_bytes + other.weight_bytes,
            self.written_bytes + other.written_bytes,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a segment takes and costs.

    Parameters
    ----------
    first_ticks, next_ticks
        F and N: of the first group, and of one that follows.
    energy
        Energy units of all groups.
    """

    first_ticks: int
    next_ticks: int
    energy: int

    def plus(self, ticks: int, energy: int = 0) -> Cost:
        """Return the cost if every group takes longer, and all take more energy."""
        first, again = self.first_ticks + ticks, self.next_ticks + ticks
        return Cost(first, again, self.energy + energy)


@dataclass(frozen=True, slots=True)
class Handover:
    """What a hand-over between segments takes of both, a group, and costs, of all."""

    sender_ticks: int
    receiver_ticks: int
    energy: int


def of_group(p: Problem, model: int, group: int, amount: int) -> int:
    """Return what g mini-batches have of an amount of all n of them."""
    return amount * group // p.windowing.mini_batches[model]


@remembered
def live(p: Problem, cut: int) -> tuple[int, ...]:
    """Return L: the tensors that a layer before the cut makes and a later one reads."""
    return tuple(
        u
        for u, tensor in enumerate(p.tensors)
        if tensor.producer is not None
        and tensor.producer < cut
        and any(j >= cut for j in tensor.consumers)
    )


def _sum(p: Problem, tensors: Iterable[int]) -> int:
    """Return the bytes of tensors, of all mini-batches."""
    return sum(p.tensors[u].bytes for u in tensors)


@remembered
def cut_bytes(p: Problem, cut: int) -> int:
    """Return the bytes that are live at a cut, of all mini-batches."""
    return _sum(p, live(p, cut))


@remembered
def model_inputs(p: Problem, start: int, end: int) -> tuple[int, ...]:
    """Return the model inputs with a consumer among tasks start, …, end − 1."""
    read = {u for t in range(start, end) for u in p.tasks[t].inputs}
    return tuple(sorted(u for u in read if p.tensors[u].producer is None))


@remembered
def written(p: Problem, start: int, end: int, last: bool) -> tuple[int, ...]:
    """Return the tensors that a segment writes to DRAM."""
    made = {u for t in range(start, end) for u in p.tasks[t].outputs}
    outputs = {u for u in made if p.tensors[u].output}
    return tuple(sorted(outputs | set(live(p, end) if last else ())))


def weight_bytes(p: Problem, t: int, mode: Mode, group: int) -> int:
    """Return v: the weights that a group reads for a layer."""
    if not p.windowing.refetch or p.windowing.weights_once:
        return p.tasks[t].weight_bytes
    return mode.weight_bytes // mode.fetches * (1 if mode.fetches == 1 else group)


def fixed_amounts(p: Problem, s: Segment) -> Amounts:
    """Return what a segment moves whatever the modes of its layers are."""
    read = _sum(p, model_inputs(p, s.start, s.end))
    if s.first:
        read += cut_bytes(p, s.start)
    write = _sum(p, written(p, s.start, s.end, s.last))
    return Amounts(
        of_group(p, s.model, s.group, read), 0, of_group(p, s.model, s.group, write)
    )


def layer_amounts(p: Problem, s: Segment, t: int, mode: Mode) -> Amounts:
    """Return what a layer of a segment adds in a mode: weights, what is read again."""
    again_in = again_out = 0
    if p.windowing.refetch:
        inputs = set(model_inputs(p, s.start, s.end))
        if s.first:
            inputs |= set(live(p, s.start))
        task = p.tasks[t]
        for u, again in zip(task.inputs, mode.ri_bytes, strict=True):
            again_in += again if u in inputs else 0
        if set(task.outputs) & set(written(p, s.start, s.end, s.last)):
            again_out = mode.ro_bytes
    return Amounts(
        of_group(p, s.model, s.group, again_in + again_out),
        weight_bytes(p, t, mode, s.group),
        of_group(p, s.model, s.group, again_out),
    )


def _flow_ticks(p: Problem, flow: Flow, amount: int, late: int) -> int:
    """Return how long bytes take on a way that is `late`; 0 for no bytes."""
    if not amount:
        return 0
    units = {r: per_byte * amount for r, per_byte in flow.loads}
    return ticks_alone(p, units) + late + p.windowing.conflict_ticks


def read_ticks(p: Problem, c: int, amount: int) -> int:
    """Return how long a chiplet reads bytes from DRAM."""
    chiplet = p.chiplets[c]
    return _flow_ticks(
        p, chiplet.reads[chiplet.home], amount, p.windowing.read_ticks[c]
    )


def write_ticks(p: Problem, c: int, amount: int) -> int:
    """Return how long a chiplet writes bytes to DRAM."""
    return _flow_ticks(p, p.chiplets[c].write, amount, p.windowing.write_ticks[c])


def send_ticks(p: Problem, here: int, there: int, amount: int) -> int:
    """Return how long bytes take from one chiplet to another."""
    if not amount:
        return 0
    units = dict.fromkeys(way(p, here, there), p.load_unit * amount)
    late = p.route_ticks[here][there] + p.windowing.conflict_ticks
    return ticks_alone(p, units) + late


@remembered
def handover(
    p: Problem, model: int, group: int, cut: int, here: int, there: int
) -> Handover:
    """Return what handing over takes at a cut, from one chiplet to another."""
    amount = of_group(p, model, group, cut_bytes(p, cut))
    ticks = send_ticks(p, here, there, amount)
    links = sum(p.links[x].energy for x in p.routes[here][there])
    groups = p.windowing.mini_batches[model] // group
    sender = 0 if p.windowing.receiver_only else ticks
    return Handover(sender, ticks, groups * amount * links)


def stay(p: Problem, s: Segment, compute: int, energy: int, moved: Amounts) -> Cost:
    """Return what a segment takes and costs, hand-overs aside.

    Parameters
    ----------
    compute
        Latencies of its layers in their modes, of all mini-batches, in ticks.
    energy
        Energy units of its layers, of all mini-batches.
    moved
        All that a group moves.
    """
    c, chiplet = s.chiplet, p.chiplets[s.chiplet]
    groups = p.windowing.mini_batches[s.model] // s.group
    every = of_group(p, s.model, s.group, compute)
    every += write_ticks(p, c, moved.written_bytes)
    first = every + read_ticks(p, c, moved.read_bytes + moved.weight_bytes)
    again, times = first, groups
    if p.windowing.weights_once:
        again, times = every + read_ticks(p, c, moved.read_bytes), 1
    reads = groups * moved.read_bytes + times * moved.weight_bytes
    energy += chiplet.reads[chiplet.home].energy * reads
    energy += chiplet.write.energy * groups * moved.written_bytes
    return Cost(first, again, energy)


def segment_cost(p: Problem, s: Segment, modes: Sequence[Mode]) -> Cost:
    """Return what a segment takes and costs in these modes, hand-overs aside."""
    moved = fixed_amounts(p, s)
    for t, mode in zip(s.tasks, modes, strict=True):
        moved = moved.plus(layer_amounts(p, s, t, mode))
    compute = sum(mode.latency_ticks for mode in modes)
    return stay(p, s, compute, sum(mode.energy for mode in modes), moved)


def path_costs(
    p: Problem, path: Sequence[Segment], modes: Callable[[int], Mode]
) -> tuple[Cost, ...]:
    """Return what the segments of a model in a window take and cost.

    A hand-over's energy is with the sender.
    """
    costs = [segment_cost(p, s, [modes(t) for t in s.tasks]) for s in path]
    for k, (s, after) in enumerate(pairwise(path)):
        over = handover(p, s.model, s.group, s.end, s.chiplet, after.chiplet)
        costs[k] = costs[k].plus(over.sender_ticks, over.energy)
        costs[k + 1] = costs[k + 1].plus(over.receiver_ticks)
    return tuple(costs)


def lying_bytes(p: Problem, s: Segment, t: int) -> int:
    """Return what lies in L2 of tensors while a layer of a segment runs."""
    arrived, leaving = set(live(p, s.start)), set(live(p, s.end))
    total = 0
    for u in arrived | {u for x in range(s.start, t + 1) for u in p.tasks[x].outputs}:
        later = any(t <= j < s.end for j in p.tensors[u].consumers)
        if u in leaving or later:
            total += p.tensors[u].bytes
    return of_group(p, s.model, s.group, total)


def kept_bytes(p: Problem, s: Segment) -> int:
    """Return the weights that a segment keeps in L2."""
    if p.windowing.segments_fit and p.windowing.weights_once:
        return sum(p.tasks[t].weight_bytes for t in s.tasks)
    return 0


def need_bytes(p: Problem, s: Segment, t: int, mode: Mode) -> int:
    """Return what a layer of a segment needs of L2 in a mode, beside `kept_bytes`."""
    lying = lying_bytes(p, s, t) if p.windowing.segments_fit else 0
    return mode.ws_bytes + lying

"""What holds for every timed schedule of a problem (MODEL.md §6.4, §6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from formulation.choices import choices, fitting
from formulation.problem import remembered
from formulation.timed.movements import passes, ticks_alone
from formulation.timed.objective import value
from formulation.timed.semantics import Worth
from formulation.traffic import send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from formulation.choices import Choice
    from formulation.objective import Part
    from formulation.problem import Flow, Mode, Problem


@dataclass(slots=True)
class _Most:
    """Sums over all rounds, at the largest value of any choice, in ticks.

    `latencies` is Λ of MODEL.md §6.4; `alone` sums q of streams, `others` of loads and
    transfers; `runs` and `fixed` sum the lengths of runs with and without their stream.
    """

    runs: int = 0
    fixed: int = 0
    alone: int = 0
    others: int = 0
    movements: int = 0
    latencies: int = 0


def horizon(p: Problem, without: frozenset[str] = frozenset()) -> int:
    """Return H: some optimal schedule has a makespan ≤ H, if there is a schedule.

    Without `precedence` streams need not lie in runs, so they count on their own.
    """
    most = _most(p)
    released = max(max(releases) for releases in p.timing.releases)
    if p.timing.contention == "fluid":
        slow = 2 * most.movements * (most.alone + most.others)
        return released + most.runs + slow + most.latencies
    outside = most.alone if "precedence" in without else 0
    return released + most.fixed + outside + most.others + most.latencies


def longest(p: Problem) -> int:
    """Return how long a movement need last at most, with ``fluid`` (MODEL.md §6.4).

    It lies in at most 2·M − 1 intervals between starts and ends, each of at most Q
    ticks.
    """
    most = _most(p)
    return max(1, 2 * most.movements - 1) * (most.alone + most.others)


def _most(p: Problem) -> _Most:
    """Return the sums over all tasks and tensors."""
    most = _Most()
    for t in range(len(p.tasks)):
        _add_task(p, t, most)
    for u in range(len(p.tensors)):
        _add_tensor(p, u, most)
    return most


def _units(flows: Iterable[tuple[Flow, int]]) -> dict[int, int]:
    """Return load units per resource of bytes on their ways."""
    units: dict[int, int] = {}
    for flow, amount in flows:
        for r, per_byte in flow.loads:
            units[r] = units.get(r, 0) + per_byte * amount
    return units


def _slowest_stream(p: Problem, t: int, c: int, mode: Mode) -> int:
    """Return a q that no stream of a task in a mode on a chiplet exceeds."""
    task, chiplet = p.tasks[t], p.chiplets[c]
    weights = mode.weight_bytes if task.weight_bytes else 0
    written = mode.ro_bytes + sum(p.tensors[u].bytes for u in task.outputs)
    own = chiplet.reads[chiplet.home]
    parts = [_units([(own, mode.ro_bytes + weights), (chiplet.write, written)])]
    for u, again in zip(task.inputs, mode.ri_bytes, strict=True):
        # With `private` it depends on the producer through which interface.
        ways = [_units([(flow, p.tensors[u].bytes + again)]) for flow in chiplet.reads]
        used = {r for way in ways for r in way}
        parts.append({r: max(way.get(r, 0) for way in ways) for r in used})
    used = {r for part in parts for r in part}
    return ticks_alone(p, {r: sum(part.get(r, 0) for part in parts) for r in used})


def _add_task(p: Problem, t: int, most: _Most) -> None:
    """Add the runs and streams of a task in all rounds, and its load."""
    task = p.tasks[t]
    rounds = len(p.timing.releases[task.model])
    choices = [
        (mode.latency_ticks, _slowest_stream(p, t, c, mode))
        for c, modes in enumerate(task.modes)
        for mode in modes
    ]
    if not choices:
        return
    most.runs += rounds * max(t for t, _ in choices)
    most.fixed += rounds * max(max(choice) for choice in choices)
    most.alone += rounds * max(q for _, q in choices)
    most.movements += rounds
    if task.weight_bytes and p.timing.weights == "fetched":
        most.movements += 1
        most.others += max(
            ticks_alone(
                p,
                _units([(p.chiplets[c].reads[p.chiplets[c].home], task.weight_bytes)]),
            )
            for c in p.supported(t)
        )


def _add_tensor(p: Problem, u: int, most: _Most) -> None:
    """Add the transfers of a tensor, or its wait for DRAM, in all rounds."""
    tensor = p.tensors[u]
    if tensor.producer is None or not tensor.placed:
        return
    rounds = len(p.timing.releases[tensor.model])
    ends = {d for j in tensor.consumers for d in p.supported(j)}
    slowest, late = 0, 0
    for c in p.supported(tensor.producer):
        for d in ends - {c}:
            units = send(p, u, c, [d]).units
            ticks = [p.resources[r].bandwidth.ticks(n) for r, n in units.items()]
            joint = sum(ticks) if p.timing.store_and_forward else max(ticks, default=0)
            slowest, late = max(slowest, joint), max(late, p.route_ticks[c][d])
    count = min(len(tensor.consumers), len(p.chiplets) - 1)
    if p.multicast:
        count = min(count, 1)
    most.movements += rounds * count
    most.others += rounds * count * slowest
    most.latencies += rounds * max(count * late, p.dram_ticks)


@dataclass(frozen=True, slots=True)
class Lower:
    """Proved bounds, in ticks.

    Parameters
    ----------
    makespan
        No makespan is less.
    latency
        Per model and round: no latency is less.
    start
        Per task and round: no run starts earlier.
    """

    makespan: int
    latency: tuple[tuple[int, ...], ...]
    start: tuple[tuple[int, ...], ...]


@remembered
def lower(p: Problem) -> Lower:
    """Return the bounds of MODEL.md §6.5, under all rules together."""
    heads, ends = critical_path(p)
    latency, start = [], []
    for model, releases in zip(p.models, p.timing.releases, strict=True):
        latency.append((max(ends[t] for t in model.tasks),) * len(releases))
        start += [tuple(r + heads[t] for r in releases) for t in model.tasks]
    return Lower(max(explain(p).values()), tuple(latency), tuple(start))


def explain(p: Problem) -> dict[str, int]:
    """Return the bounds that say what holds the makespan up, in ticks."""
    heads, ends = critical_path(p)
    path, layer = 0, 0
    for t, task in enumerate(p.tasks):
        releases = sorted(p.timing.releases[task.model])
        path = max(path, releases[-1] + ends[t])
        least = _least(p, t)
        for n, released in enumerate(releases):
            left = (len(releases) - n) * least
            layer = max(layer, released + heads[t] + left)
    return {
        "critical_path_ticks": path,
        "largest_layer_ticks": layer,
        "chiplet_work_ticks": chiplet_work(p),
        "dram_total_ticks": dram_total(p),
    }


def least(p: Problem, part: Part) -> int:
    """Return a bound on a part of an objective, from those of all quantities."""
    found = lower(p)
    pairs = zip(p.timing.due_ticks, found.latency, strict=True)
    late = tuple(
        tuple(0 if due is None else max(0, ticks - due) for ticks in rounds)
        for due, rounds in pairs
    )
    energy = least_energy(p, found.makespan)
    return value(p, part, Worth(found.makespan, found.latency, late, energy))


def least_energy(p: Problem, makespan_ticks: int) -> int:
    """Return a bound on the energy in quanta of what lasts at least so long."""
    units = p.static_energy * makespan_ticks
    for t, task in enumerate(p.tasks):
        rounds = len(p.timing.releases[task.model])
        found = []
        for c in p.supported(t):
            home = p.chiplets[c].reads[p.chiplets[c].home]
            for k in _allowed(p, t, c):
                brought = task.weight_bytes if k.resident else 0
                if p.timing.weights == "preloaded":
                    brought = 0
                found.append(rounds * k.energy + home.energy * brought)
        units += min(found, default=0)
    return -(-units // p.energy_den)


def _allowed(p: Problem, t: int, c: int) -> list[Choice]:
    """Return the choices of a layer on a chiplet that some schedule may have.

    A run without ticks needs no room.
    """
    fits = fitting(p, t, c)
    return [
        k
        for k in choices(p, t, c)
        if not (k.resident and p.timing.weights == "streamed")
        and (k in fits or not run_ticks(p, t, c, k))
    ]


def run_ticks(p: Problem, t: int, c: int, k: Choice) -> int:
    """Return how long a run lasts at least, with what its choice alone moves."""
    latency = p.tasks[t].modes[c][k.mode].latency_ticks
    return max(latency, ticks_alone(p, dict(k.units)))


def _shortest(p: Problem, t: int, c: int) -> int | None:
    """Return δ(l, c), the least length of a run on a chiplet; `None` if it fits not."""
    found = [run_ticks(p, t, c, k) for k in _allowed(p, t, c)]
    return min(found, default=None)


def _least(p: Problem, t: int) -> int:
    """Return the least length of a run of a layer, 0 if it fits nowhere."""
    some = [_shortest(p, t, c) for c in p.supported(t)]
    return min((x for x in some if x is not None), default=0)


def critical_path(p: Problem) -> tuple[list[int], list[int]]:
    """Return when a run of each layer starts and ends at least after its release."""
    heads, ends = [0] * len(p.tasks), [0] * len(p.tasks)
    by_chiplet: list[dict[int, int]] = [{} for _ in p.tasks]
    for t, task in enumerate(p.tasks):  # in topological order
        for c in p.supported(t):
            least = _shortest(p, t, c)
            if least is not None:
                head = max(
                    (_ready(p, u, c, by_chiplet) for u in task.inputs), default=0
                )
                by_chiplet[t][c] = head + least
        heads[t] = min(
            (end - (_shortest(p, t, c) or 0) for c, end in by_chiplet[t].items()),
            default=0,
        )
        ends[t] = min(by_chiplet[t].values(), default=0)
    return heads, ends


def _ready(p: Problem, u: int, d: int, ends: list[dict[int, int]]) -> int:
    """Return the least tick at which a consumer on d can start, for a tensor."""
    producer = p.tensors[u].producer
    if producer is None:
        return 0
    found = []
    for c, end in ends[producer].items():
        lag = 0
        if c != d:
            moved = passes(p, c, [d], send(p, u, c, [d]).units).values()
            over = max((until for _, until in moved), default=0)
            lag = min(p.dram_ticks, over + p.route_ticks[c][d])
        found.append(end + lag)
    return min(found, default=0)


def chiplet_work(p: Problem) -> int:
    """Return the largest release plus the work that is left, over all chiplets."""
    work: dict[int, int] = {}
    for t, task in enumerate(p.tasks):
        for released in p.timing.releases[task.model]:
            work[released] = work.get(released, 0) + _least(p, t)
    best, left = 0, 0
    for released in sorted(work, reverse=True):
        left += work[released]
        best = max(best, released - (-left // len(p.chiplets)))
    return best


def dram_total(p: Problem) -> int:
    """Return the least time of all DRAM bytes over all interfaces together."""
    doors = [x.bandwidth for x in p.resources if x.kind == "dram"]
    if len(doors) < len(p.chiplets[0].reads) or p.timing.contention == "none":
        return 0
    rounds = [len(x) for x in p.timing.releases]
    amount = sum(task.weight_bytes for task in p.tasks)
    if p.timing.weights == "preloaded":
        # With a makespan of 0 they lie in L2 in no tick.
        some = any(_least(p, t) for t in range(len(p.tasks)))
        amount = max(0, amount - sum(c.l2_bytes for c in p.chiplets)) if some else 0
    if p.timing.weights == "streamed":
        amount = sum(task.weight_bytes * rounds[task.model] for task in p.tasks)
    for u, tensor in enumerate(p.tensors):
        if tensor.producer is None:
            amount += tensor.bytes * len(tensor.consumers) * rounds[tensor.model]
        elif tensor.output or p.always_dram(u):
            amount += tensor.bytes * rounds[tensor.model]
    rate = sum(Fraction(x.num, x.den) for x in doors)
    return ceil(amount * p.load_unit / rate)

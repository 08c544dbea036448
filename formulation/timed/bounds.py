"""What holds for every timed schedule of a problem: the horizon (MODEL.md §6.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.timed.movements import ticks_alone
from formulation.traffic import send

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def horizon(p: Problem) -> int:
    """Return H: some optimal schedule has a makespan ≤ H, if there is a schedule."""
    most = _Most()
    for t in range(len(p.tasks)):
        _add_task(p, t, most)
    for u in range(len(p.tensors)):
        _add_tensor(p, u, most)
    released = max(max(releases) for releases in p.timing.releases)
    if p.timing.contention == "fluid":
        slow = 2 * most.movements * (most.alone + most.others)
        return released + most.runs + slow + most.latencies
    return released + most.fixed + most.others + most.latencies


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

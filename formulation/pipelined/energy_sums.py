"""What an interval of a model's layers costs a chiplet in energy, by five numbers.

MODEL.md §4.9. Of all intervals on a chiplet the numbers are added, but of the peaks
the largest counts. Then

    energy on c ≥ least + max(−refund, price·(weight + peak − L2)),

with one price per byte of L2, that of reading a byte of DRAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from formulation.choices import fitting
from formulation.pipelined.cuts import prefix_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from formulation.problem import Problem, ProblemModel

    Array = NDArray[np.int64]

FAR = 2**53  # stands for "not possible"; more than any energy that is looked at
LEVELS = 160  # of the peak


@dataclass(frozen=True, slots=True)
class Sums:
    """Numbers of every interval [chiplet, from, to] of a model.

    Parameters
    ----------
    least
        Energy units, weights that may be resident counted as free, without a limit
        on the peak; tensors that leave or reach the interval at their least price.
    weight
        Bytes of the weights that may be resident.
    peak
        Bytes by which the peak counts at the price.
    refund
        Energy units of `least` that are not spent where L2 is left over.
    ticks
        Σ min d(l), and what streaming adds where not all weights fit L2 (`cuts`).
    """

    least: Array
    weight: Array
    peak: Array
    refund: Array
    ticks: Array


def prices(p: Problem) -> Array:
    """Return energy units per byte that a chiplet reads through its interface."""
    return np.array([c.reads[c.home].energy for c in p.chiplets], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Moved:
    """A tensor between layers of a model, counted from 0."""

    tensor: int
    producer: int
    last: int
    readers: tuple[int, ...]
    bytes: int


def _moved(p: Problem, model: ProblemModel) -> list[_Moved]:
    """Return the tensors between layers, by their last consumer."""
    found = []
    for u, tensor in enumerate(p.tensors):
        i = tensor.producer
        if i is not None and tensor.model == p.tasks[model.first].model:
            readers = tuple(j - model.first for j in tensor.consumers)
            if readers and tensor.bytes:
                i -= model.first
                found.append(_Moved(u, i, max(readers), readers, tensor.bytes))
    return sorted(found, key=lambda x: x.last)


@lru_cache(maxsize=4)
def sums(p: Problem, model: ProblemModel, per_tick: int = 0) -> Sums:
    """Return the numbers of all intervals of a model (proofs: MODEL.md §4.9).

    Parameters
    ----------
    per_tick
        Energy units that every tick of Σ d(l) costs on top: λ of MODEL.md §4.9.
    """
    n, size = len(p.chiplets), model.last - model.first + 1
    shape = (n, size + 1, size + 1)
    weight, ticks, refund = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    least, peak = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    slower = prefix_of(p, model).extra
    for c in range(n):
        some = [fitting(p, t, c) for t in model.tasks]
        kept = [max((k.resident_bytes for k in ks), default=0) for ks in some]
        busy = [min((k.ticks for k in ks), default=0) for ks in some]
        weight[c], ticks[c] = _between(kept), _between(busy) + slower[c]
        least[c], peak[c] = _peaks(p, model, c, per_tick)
        far = _between([0 if ks else 1 for ks in some]) > 0
        for moved in _moved(p, model):
            _crossing(p, c, moved, least[c], refund[c])
        least[c][far] = FAR
    return Sums(least, weight, peak, refund, ticks)


def _between(values: list[int]) -> Array:
    """Return the sums [from, to] of consecutive values."""
    line = np.concatenate([[0], np.cumsum(np.array(values, dtype=np.int64))])
    rows: Array = np.maximum(line[None, :] - line[:, None], 0).astype(np.int64)
    return rows


def _peaks(
    p: Problem, model: ProblemModel, c: int, per_tick: int
) -> tuple[Array, Array]:
    """Return least energy and priced peak [from, to] of the intervals on c.

    φ(P) = Σ_l min of energy + price·(resident − what may be resident), over choices
    with working set + inner tensors live ≤ P. The priced peak is (min over P of
    φ(P) + price·P − least φ) / price. P goes in steps, rounded down.
    """
    size, price = model.last - model.first + 1, int(prices(p)[c])
    step = -(-max(1, p.chiplets[c].l2_bytes) // LEVELS)
    priced = price * np.arange(LEVELS + 1, dtype=np.int64) * step
    options = [options_of(p, t, c, per_tick)[1] for t in model.tasks]
    least = np.zeros((size + 1, size + 1), dtype=np.int64)
    peak = np.zeros_like(least)
    moved = _moved(p, model)
    alone = [_by_level(some, 0, step, p.residents_only) for some in options]
    for a in range(size):
        live, inner = [0] * size, [x for x in moved if x.producer >= a]
        phi, total = list(alone), np.zeros(LEVELS + 1, dtype=np.int64)
        done = 0
        for b in range(a + 1, size + 1):
            total += phi[b - 1]
            changed = set()
            while done < len(inner) and inner[done].last < b:
                tensor = inner[done]
                done += 1
                for k in range(tensor.producer, tensor.last + 1):
                    live[k] += tensor.bytes
                    changed.add(k)
            for k in changed:
                total -= phi[k]
                phi[k] = _by_level(options[k], live[k], step, p.residents_only)
                total += phi[k]
            least[a, b] = total[-1]
            saved = int((total - total[-1] + priced).min())
            peak[a, b] = saved // max(1, price)
    return least, peak


def options_of(
    p: Problem, t: int, c: int, per_tick: int = 0
) -> tuple[int, list[tuple[int, int]]]:
    """Return the bytes that may be resident, and what choices take.

    Per choice that fits L2 alone: working set, and energy + `per_tick`·ticks +
    price·(resident − these bytes).
    """
    some, price = fitting(p, t, c), int(prices(p)[c])
    kept = max((k.resident_bytes for k in some), default=0)
    return kept, [
        (
            k.ws_bytes,
            k.energy + per_tick * k.ticks + price * (k.resident_bytes - kept),
        )
        for k in some
    ]


def inner_tensors(
    p: Problem, model: ProblemModel, a: int, b: int
) -> list[tuple[int, ...]]:
    """Return the inner tensors across each layer of an interval from a to before b."""
    live: list[tuple[int, ...]] = [()] * (b - a)
    for x in _moved(p, model):
        if x.producer >= a and x.last < b:
            for k in range(x.producer, x.last + 1):
                live[k - a] += (x.tensor,)
    return live


def _by_level(
    options: list[tuple[int, int]], live: int, step: int, free: bool
) -> Array:
    """Return the least energy of a layer for every level of the peak."""
    best = np.full(LEVELS + 1, FAR, dtype=np.int64)
    for working_set, energy in options:
        level = 0 if free else min((working_set + live) // step, LEVELS)
        best[level:] = np.minimum(best[level:], energy)
    return best


def _crossing(p: Problem, c: int, x: _Moved, least: Array, refund: Array) -> None:
    """Add what a tensor costs an interval on c that it leaves or reaches.

    It leaves: written to DRAM, or 2 copies (``serial``: 1) at the price. It reaches:
    read by every consumer, or 2 copies at the price and the last link.
    """
    chiplet, price = p.chiplets[c], int(prices(p)[c])
    room = 0 if p.residents_only else price * x.bytes
    written = 0 if p.tensors[x.tensor].output else chiplet.write.energy * x.bytes
    leave = min(written, room if p.serial else 2 * room)
    inside = (slice(0, x.producer + 1), slice(x.producer + 1, x.last + 1))
    least[inside] += leave
    refund[inside] += leave
    read = min(flow.energy for flow in chiplet.reads) * x.bytes
    links = [
        p.links[route[-1]].energy if route else 0
        for d, route in enumerate(row[c] for row in p.routes)
        if d != c
    ]
    link = min(links, default=0) * x.bytes
    for a in range(x.producer + 1, x.last + 1):
        for b in range(a + 1, least.shape[1]):
            readers = sum(a <= j < b for j in x.readers)
            reach = min(readers * read, 2 * room + link) if readers else 0
            least[a, b] += reach
            refund[a, b] += reach - min(reach, link)

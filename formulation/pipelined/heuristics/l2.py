"""Modes and residency of one chiplet's layers: a knapsack of L2, solved greedily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_PEAKS = 6  # working sets that are tried
FULL = 2**62


@dataclass(frozen=True, slots=True)
class Option:
    """What a layer can be on its chiplet, its DRAM stream included.

    Parameters
    ----------
    ticks
        d(l).
    energy
        Energy units of chiplet and stream.
    units
        Load units of its stream by resource.
    prices
        What it costs, for every way of `tables.LEANS`: any unit, less is better.
    """

    mode: int
    resident: bool | None
    ticks: int
    energy: int
    units: tuple[tuple[int, int], ...]
    ws_bytes: int
    resident_bytes: int
    prices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """Chosen options, one a layer, and their sums.

    Parameters
    ----------
    over_bytes
        What they need beyond the room: 0 if they fit.
    tightest
        The layer (its place in the list) that needs the largest working set.
    """

    options: tuple[Option, ...]
    ticks: int
    energy: int
    units: tuple[tuple[int, int], ...]
    over_bytes: int
    tightest: int


def _summed(options: Sequence[Option], over_bytes: int, tightest: int) -> Packed:
    units: dict[int, int] = {}
    for option in options:
        for r, amount in option.units:
            units[r] = units.get(r, 0) + amount
    return Packed(
        options=tuple(options),
        ticks=sum(option.ticks for option in options),
        energy=sum(option.energy for option in options),
        units=tuple(units.items()),
        over_bytes=over_bytes,
        tightest=tightest,
    )


def _smallest(
    layers: Sequence[Sequence[Option]], live: Sequence[int], room: int
) -> Packed:
    """Return the options that need least, of layers that may not fit."""
    chosen, peak, resident, tightest = [], 0, 0, 0
    for k, options in enumerate(layers):
        option = min(options, key=lambda o: (o.resident_bytes, o.ws_bytes))
        chosen.append(option)
        resident += option.resident_bytes
        if option.ws_bytes + live[k] > peak:
            peak, tightest = option.ws_bytes + live[k], k
    return _summed(chosen, max(0, peak + resident - room), tightest)


@dataclass(frozen=True, slots=True)
class _Filled:
    """Options within a working set, and their price."""

    price: int
    chosen: list[Option]


def _fill(
    layers: Sequence[Sequence[Option]],
    live: Sequence[int],
    peak: int,
    room: int,
    lean: int,
) -> _Filled | None:
    """Return options with a need ≤ `peak`, residents by price saved per byte."""
    price, used = 0, 0
    chosen: list[Option] = []
    gains = []
    for options, bytes_live in zip(layers, live, strict=True):
        most = peak - bytes_live
        base = kept = None
        for option in options:  # the cheapest first
            if option.ws_bytes <= most:
                if not option.resident_bytes:
                    base = option
                    break
                kept = kept or option
        if base is None:
            if kept is None:
                return None
            base, kept = kept, None
        cost = base.prices[lean]
        price += cost
        used += base.resident_bytes
        if kept is not None:
            saved = cost - kept.prices[lean]
            gains.append((saved / kept.resident_bytes, len(chosen), kept, saved))
        chosen.append(base)
    spare = room - peak - used
    if spare < 0:
        return None
    gains.sort(key=lambda g: -g[0])
    for _, k, kept, saved in gains:
        if kept.resident_bytes <= spare:
            spare -= kept.resident_bytes
            price -= saved
            chosen[k] = kept
    return _Filled(price, chosen)


def pack(
    layers: Sequence[Sequence[Option]],
    live: Sequence[int],
    room: int,
    lean: int,
) -> Packed:
    """Return modes and residency of a chiplet's layers.

    For a few working sets, the cheapest option of every layer within it; then, by the
    price saved per byte, weights become resident as long as they fit. The cheapest
    answer counts. A heuristic: it need not find the best.

    Parameters
    ----------
    layers
        The options of each layer, the cheapest first; none is empty.
    live
        Bytes of unbuffered tensors that are live at each layer.
    room
        Bytes of L2 beside the buffers.
    lean
        Which of the options' prices counts.
    """
    if not layers:
        return _summed((), 0, 0)
    least, needs = 0, set()
    for options, here in zip(layers, live, strict=True):
        sizes = [option.ws_bytes for option in options]
        least = max(least, here + min(sizes))
        needs.update([here + size for size in sizes])
    tried = sorted([n for n in needs if least <= n <= room])
    if len(tried) > MOST_PEAKS:
        last = len(tried) - 1
        tried = [tried[k * last // (MOST_PEAKS - 1)] for k in range(MOST_PEAKS)]
    best = None
    for peak in tried:
        found = _fill(layers, live, peak, room, lean)
        if found is not None and (best is None or found.price < best.price):
            best = found
    if best is None:
        return _smallest(layers, live, room)
    return _summed(best.chosen, 0, 0)

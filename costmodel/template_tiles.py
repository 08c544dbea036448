"""How the fixed mappings cut output rows into folds and columns into tiles.

The cuts are MAESTRO's, where its windows do not fit the row exactly too: it counts
in input rows, so rows to spare make clusters and folds of their own (A6). Checked
against its analysis of iterations and reuse (maestro-project/maestro at 4eb08d1,
`DFA_iteration-analysis.hpp`, `CA_reuse-analysis.hpp`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from costmodel.templates import Bus, Ints, Shapes

YXP_COLUMNS = 8  # PEs of a yxp_os cluster, one output column each


@dataclass(frozen=True, slots=True)
class Fold:
    """Folds of output rows over clusters: how many, and rows that cross in a step.

    `apart`: input rows where every cluster loads its own; `joint`: where neighbours
    share halos; `out`: output rows. All as MAESTRO counts them.
    """

    times: Ints
    apart: Ints
    joint: Ints
    out: Ints


def row_folds(h: Shapes, clusters: Ints) -> tuple[Fold, Fold, Fold]:
    """The first fold, those like it but further on, and the last, narrower one.

    An input row to spare makes a cluster of its own in a single fold, a fold of
    its own behind full ones, and counts as the rows that are left of its window.
    """
    oy, overlap = h.oy, np.minimum(h.r, h.stride)
    spare = h.y - h.r - (oy - 1) * h.stride
    left = spare + h.r - h.stride
    left = np.where(left < 0, h.y, left)
    end = np.where(spare > 0, left, h.r)  # input rows of the last cluster
    end_joint = np.maximum(h.stride - h.r + left, 0)
    end_out = np.minimum(h.stride, end - h.r + 1)

    def fold(times: Ints, active: Ints, odd: Ints) -> Fold:
        """`odd`: the last of several active clusters is not like the others."""
        rest = active - 1 - odd
        return Fold(
            times,
            h.r + rest * h.r + odd * end,
            h.r + rest * overlap + odd * end_joint,
            1 + rest * overlap + odd * end_out,
        )

    short = oy < clusters
    active = np.where(short, oy + (spare > 0), clusters)
    first = fold(1 + 0 * active, active, (short & (active > 1)).astype(np.int64))
    full = oy // clusters
    more = fold(np.maximum(full - 1, 0), clusters, 0 * active)
    rest = oy - full * clusters
    last = fold(rest, np.maximum(rest, 1), ((spare > 0) & (rest > 1)).astype(np.int64))
    single = rest <= 1
    own = np.where((spare > 0) & (rest == 1), end, h.r)
    times = ~short & ((rest > 0) | (spare > 0)) & ~(single & (end <= 0))
    last = Fold(
        times.astype(np.int64),
        np.where(single, own, last.apart),
        np.where(single, own, last.joint),
        np.where(single, end, last.out),
    )
    return first, more, last


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tiles along a row of ``yxp_os``, as MAESTRO cuts them.

    `width` and `moved`: input columns of a tile and columns from one to the next;
    `full`: tiles of that width but for the first; `end`: input columns of the last,
    narrower tile, or the whole row where they would be negative; `last`: 0 or 1.
    """

    width: Ints
    moved: Ints
    full: Ints
    end: Ints
    last: Ints


def column_tiles(h: Shapes) -> Tiles:
    """Cut the rows of layers into the tiles of ``yxp_os``."""
    unit = h.stride == 1
    held = np.where(unit, YXP_COLUMNS, (YXP_COLUMNS - 1 + h.stride) // h.stride)
    strided = held * np.minimum(h.stride, h.s) + np.maximum(h.s - h.stride, 0)
    width = np.where(unit, YXP_COLUMNS - 1 + h.s, strided)
    moved = held * h.stride
    full: Ints = np.where(h.x > width, (h.x - width) // moved, 0)
    end: Ints = h.x - (full + 1) * moved
    end = np.where(end < 0, h.x, end)
    last = (full * moved + width < h.x) & (end >= h.s)
    return Tiles(np.minimum(width, h.x), moved, full, end, last.astype(np.int64))


def tile_cycles(h: Shapes, tiles: Tiles, bus: Bus) -> tuple[Ints, Ints]:
    """Cycles of a full tile and of the last one inside a cluster of 8 PEs."""
    taps = h.r * h.s
    apart = np.minimum(h.stride, h.s)  # columns from one PE to the next
    active = (tiles.width - h.s) // apart + 1
    spare = tiles.width - h.s - (active - 1) * apart
    left = np.where(spare > 0, spare + h.s - apart, 0)
    full = taps + bus.tau(taps + h.r * (active * h.s + left))
    # A whole row in place of a narrow tile takes several passes (A6).
    wide = tiles.end > YXP_COLUMNS * h.s
    passes = tiles.end // h.s // YXP_COLUMNS - 1
    rest = tiles.end - (passes + 1) * YXP_COLUMNS * h.s
    odd = rest % h.s > 0

    def step(pes: Ints | int, out: Ints | int) -> Ints:
        slowest = np.maximum(bus.tau(pes * taps), bus.tau(1 + out * h.s))
        cycles: Ints = np.maximum(taps, slowest)
        return cycles

    long = taps + bus.tau((YXP_COLUMNS + 1) * taps)
    long = long + passes * step(YXP_COLUMNS, YXP_COLUMNS - 1)
    long = long + (rest > 0) * step(active - odd, active - 1 - odd)
    return full, np.where(wide & (h.s < h.stride), long, full)

"""What crosses the NoC of an array mapping, in closed form (NEST.md, NoC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from costmodel.templates import Ints
from instances.dataflow import OWN

if TYPE_CHECKING:
    from costmodel.nest import Arrays, Nest
    from instances.dataflow import Dataflow

Flags = npt.NDArray[np.bool_]
Variants = dict[str, dict[str, Ints]]

# operand -> the tile loop that is not its own, and the two that are
FOREIGN = {"weights": ("y", "kc"), "input": ("k", "cy"), "output": ("c", "ky")}


@dataclass(frozen=True, slots=True)
class Loads:
    """What crosses the NoC by array mapping, if nothing is loaded twice.

    `input`, `weights`, `output` are elements, halos included. The pairs are the PEs
    that each receive a copy (or have a sum of their own) in the first fold of a
    loop, and in all its folds together: 1 and the number of folds where one
    crossing serves all.
    """

    input: Ints
    weights: Ints
    output: Ints
    k: tuple[Ints, Ints]
    c: tuple[Ints, Ints]
    y: tuple[Ints, Ints]
    x: tuple[Ints, Ints]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tilings; integer arrays.

    Parameters
    ----------
    of
        The array mapping of each.
    g, k, c, y
        Its folds to an L2 tile.
    tiles_k, tiles_c, tiles_y
        Tiles along a loop.
    """

    of: Ints
    g: Ints
    k: Ints
    c: Ints
    y: Ints
    tiles_k: Ints
    tiles_c: Ints
    tiles_y: Ints


def loads(h: Nest, flow: Dataflow, a: Arrays) -> Loads:
    """What crosses the NoC in each fold (NEST.md, NoC)."""
    split = dict(zip("gkcrsyx", a.splits, strict=True))
    held = dict(zip("gkcrsyx", a.held, strict=True))
    shares = "input" in flow.multicast
    one = np.ones_like(a.cycles)
    sums = one
    for d in ("r", "s"):
        sums = sums if d in flow.reduce else sums * split[d]
    # PEs that have work: in a full fold, in all folds.
    pes_k = _used(h.k, a.k, held["k"], a.folds_k)
    pes_c = _used(h.c, a.c, held["c"], a.folds_c)
    pes_x = _used(h.x, a.x, held["x"], a.folds_x)
    rows, last = a.y, (h.y - (a.per_sample - 1) * a.y)
    full, rest = -(-rows // held["y"]), -(-last // held["y"])
    total = h.n * ((a.per_sample - 1) * full + rest)
    whole = rows // h.y
    end = h.n - (a.folds_y - 1) * whole
    ends = -(-end * h.y // held["y"])
    pes_y = full, np.where(whole > 0, (a.folds_y - 1) * full + ends, total)
    lone = "weights" in flow.multicast
    return Loads(
        input=h.g * h.c * _rows(h, flow, a, split, held) * _columns(h, flow, a, split),
        weights=h.weights * one,
        output=h.outputs * sums,
        k=(one, a.folds_k) if shares else pes_k,
        c=(one, a.folds_c) if "c" in flow.reduce else pes_c,
        y=(one, a.folds_y) if lone else pes_y,
        x=(one, a.folds_x) if lone else pes_x,
    )


def _used(bound: int, size: Ints, held: Ints, folds: Ints) -> tuple[Ints, Ints]:
    """PEs with work in a full fold, and in all folds together."""
    full = -(-size // held)
    last = -(-(bound - (folds - 1) * size) // held)
    return full, (folds - 1) * full + last


def _rows(
    h: Nest, flow: Dataflow, a: Arrays, split: dict[str, Ints], held: dict[str, Ints]
) -> Ints:
    """Input rows that cross in all folds along `y`; by PE if not multicast."""
    alone = "input" not in flow.multicast
    reach = np.where(alone & (split["r"] > 1), 1, h.reach_r)
    step = np.minimum(h.stride, reach)
    whole = a.y // h.y
    if not alone:
        # Runs of rows without a gap: one to a fold, or one to a sample.
        runs = h.n * np.where(whole > 0, 1, a.per_sample)
        rows: Ints = (h.n * h.y - runs) * step + runs * reach
        return rows
    size = held["y"]
    last = h.y - (a.per_sample - 1) * a.y
    inside = h.n * ((a.per_sample - 1) * -(-a.y // size) + -(-last // size))
    end = h.n - (a.folds_y - 1) * whole
    runs = np.where(
        whole > 0,
        (a.folds_y - 1) * _pieces(h.y, whole, size) + _pieces(h.y, end, size),
        inside,
    )
    rows = (h.n * h.y - runs) * step + runs * reach
    return rows * split["r"]


def _pieces(rows: int, samples: Ints, size: Ints) -> Ints:
    """Runs of rows that PEs of `size` rows get from whole samples.

    A PE whose rows are of two samples has two; derived: every start of a PE's share
    and every start of a sample starts one, and some coincide.
    """
    samples = np.maximum(samples, 1)
    both = (samples - 1) // (size // np.gcd(size, rows))
    found: Ints = -(-samples * rows // size) + samples - 1 - both
    return found


def _columns(h: Nest, flow: Dataflow, a: Arrays, split: dict[str, Ints]) -> Ints:
    """Input columns that cross in all folds along `x`; by PE if not multicast."""
    alone = "input" not in flow.multicast
    reach = np.where(alone & (split["s"] > 1), 1, h.reach_s)
    step = np.minimum(h.stride, reach)
    if flow.slides:
        runs = np.ones_like(a.x)
    else:
        runs = np.full_like(a.x, h.x) if alone else a.folds_x
    columns: Ints = (h.x - runs) * step + runs * reach
    return columns * split["s"] if alone else columns


def crossings(flow: Dataflow, a: Arrays, once: Loads, t: Tiles) -> Variants:
    """Elements that cross the NoC by operand (sums: up), for every order of tile loops.

    All that an order decides is which of the operand's own tile loops stand inside
    the foreign one: the keys are these sets (``""``, ``"k"``, …). NEST.md, Closed
    form, has the proof.
    """
    turns = {d: getattr(t, d) > 1 for d in "gkcy"}
    turns["x"] = (a.folds_x > 1)[t.of]
    found: Variants = {}
    for operand, (foreign, _) in FOREIGN.items():
        own = OWN[operand]
        size = getattr(once, operand)[t.of]
        if operand == "weights":
            first, total = (part[t.of] for part in once.x)
            size = size * np.where(_inner(flow, turns, own, "x"), total, first)
        first, total = (size * part[t.of] for part in getattr(once, foreign))
        folds = getattr(t, foreign)
        # The first fold of a tile is full unless the tile is one fold.
        tiles = getattr(t, f"tiles_{foreign}")
        by_tile = np.where(folds == 1, total, tiles * first)
        loaded = np.where(_inner(flow, turns, own, foreign), total, by_tile)
        turning = _any(turns, own)
        found[operand] = {
            key: np.where(turning if turn is None else turning | turn, loaded, first)
            for key, turn in behind(t, operand).items()
        }
    return found


def reloads(t: Tiles) -> Variants:
    """How often L2 loads each operand; keys as those of `crossings`."""
    return {
        operand: {
            key: np.ones_like(t.of) if turn is None else np.where(turn, turns, 1)
            for key, turn in behind(t, operand).items()
        }
        for operand, (foreign, _) in FOREIGN.items()
        for turns in (getattr(t, f"tiles_{foreign}"),)
    }


def behind(t: Tiles, operand: str) -> dict[str, Flags | None]:
    """Where one of the operand's own tile loops turns, by those inside the foreign."""
    own = FOREIGN[operand][1]
    one, two = own[0], own[1]
    turns = {d: getattr(t, f"tiles_{d}") > 1 for d in (one, two)}
    return {
        "": None,
        one: turns[one],
        two: turns[two],
        one + two: turns[one] | turns[two],
    }


def _inner(flow: Dataflow, turns: dict[str, Flags], own: str, loop: str) -> Flags:
    """Where an own fold loop inside this one turns."""
    return _any(turns, "".join(d for d in own if flow.inside(d, loop)))


def _any(turns: dict[str, Flags], loops: str) -> Flags:
    """Where one of these loops turns."""
    found: Flags = np.zeros_like(next(iter(turns.values())))
    for loop in loops:
        found = found | turns[loop]
    return found


def least_crossings(
    flow: Dataflow, a: Arrays, once: Loads
) -> list[tuple[Flags, Ints, Ints, Ints, Ints]]:
    """Input, weights, sums up and down that no tiling is below, by innermost loop.

    Each entry: where it may be (the flags), then the amounts. Derived: the innermost
    turning loop is one of k, c, y, x; both operands that own it are loaded anew in
    all turns of their foreign loops, the third at least once. `x` is cut into folds
    only, so if it turns, only itself or a loop inside it can be the innermost.
    """
    w_first, w_all = (once.weights * y * x for y, x in zip(once.y, once.x, strict=True))
    i_first, i_all = (once.input * part for part in once.k)
    o_first, o_all = (once.output * part for part in once.c)
    wide = a.folds_x > 1
    turns = {"k": a.folds_k > 1, "c": a.folds_c > 1, "y": a.folds_y > 1, "x": wide}
    found = []
    for loop, turn in turns.items():
        may = turn if loop == "x" or flow.inside(loop, "x") else turn & ~wide
        weights = w_all if loop in "kc" else w_first
        inputs = i_first if loop == "k" else i_all
        sums = o_first if loop == "c" else o_all
        found.append((may, inputs, weights, sums, sums - o_first))
    still = ~_any(turns, "kcyx")
    found.append((still, i_first, w_first, o_first, 0 * o_first))
    return found

"""The counter: walks a tiny layer under a mapping and counts what happens.

Written from `costmodel/NEST.md` alone, as the second hand to the closed forms. It is
slow and obvious: every step is taken, every PE is asked which elements it needs,
what the array and L2 hold is compared with what is needed, every MAC is done. All
amounts are elements.

Where NEST.md leaves a choice, this is how it is read here:

Q1  A fold fills its PEs in blocks: PE i has the turns i·L .. i·L+L-1 of the fold, so
    the last PE may have fewer and PEs behind it none ("that have work").
Q2  A fold along y of more than D_y rows must be a multiple of D_y, also for n = 1
    and also beyond n·D_y; any other number is refused. S_d and L_d may otherwise
    exceed D_d, which idles PEs or cycles.
Q3  The multicast part of the input is every row and column of every window of the
    fold, holes of a dilated window included, however `r` and `s` are split.
Q4  Without multicast a PE's own window reaches over its own share of `r` and `s`:
    a PE with one filter row needs one input row for each of its output rows.
Q5  Without multicast and with `slides`, a PE's new columns are those that this PE
    did not have.
Q6  The sum of one PE is an element of its own where `c`, `r` or `s` is not reduced.
    It goes up at the end of a stay of the part if the PE worked at any time of the
    stay, and comes down when the PE starts to work on it in a later stay.
Q7  The input's own size is n times the extent of the whole sample; what tiles fill
    beyond it is refetch, never below 0 (a stride beyond the reach leaves gaps
    between tiles). L2 is charged its own size even then.
Q8  Further inputs count in the working set only, in no access.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LOOPS = "gkcrsyx"
OWN = {"weights": "gkc", "input": "gcyx", "output": "gkyx"}
TILED = {"weights": "gkc", "input": "gcy", "output": "gky"}

Element = tuple[Any, ...]
Turns = list[Any]  # of `y`: (sample, row); of the others: int
Fold = list[Turns]  # the turns of each PE that has work, by its coordinate
Folds = dict[str, list[Fold]]  # of each loop
Place = tuple[int, ...]  # of a PE, one coordinate a loop


@dataclass(frozen=True)
class Loops:
    """Turns of a layer's loops; `y`, `x` are output rows and columns of one sample.

    1x1 layers are already merged to rows of one column (A10), the samples of layers
    of two tensors are already groups.
    """

    g: int
    n: int
    k: int
    c: int
    r: int
    s: int
    y: int
    x: int
    stride: int
    dilation: int


@dataclass(frozen=True)
class Mapped:
    """Split of gkcrsyx, held of kcy, folds of gkcy in one L2 tile, and the orders."""

    split: dict[str, int]
    held: dict[str, int]
    tile_folds: dict[str, int]
    tile_order: str
    order: str
    slides: bool
    multicast: frozenset[str]
    reduce: frozenset[str]


@dataclass(frozen=True)
class Counted:
    """What was counted; elements, but for cycles, MACs and accesses."""

    compute_cycles: int
    noc_weights: int
    noc_input: int
    noc_output_up: int
    noc_output_down: int
    refetch_weights: int
    refetch_input: int
    refetch_output: int
    tile_weights: int
    tile_input: int
    tile_output: int
    holds_weights: bool
    macs: int
    l1_accesses: int
    l2_accesses: int

    def working_set(self, residuals: int = 0) -> int:
        """Two copies of the largest tile, with `residuals` further inputs."""
        outputs = self.tile_output * (1 + residuals)
        return 2 * (self.tile_weights + self.tile_input + outputs)


def chunks(turns: Sequence[Any], size: int) -> list[list[Any]]:
    """Cut into pieces of `size` turns; the last may be shorter."""
    return [list(turns[i : i + size]) for i in range(0, len(turns), size)]


def key_faults(mapped: Mapped) -> list[str]:
    """Say which of the mapping's names and numbers are not of their kind."""
    found = []
    for name, wanted in (("split", LOOPS), ("held", "kcy"), ("tile_folds", "gkcy")):
        given = getattr(mapped, name)
        if set(given) != set(wanted):
            found.append(f"{name}: got {sorted(given)}, expected the keys {wanted}")
        low = [d for d, value in given.items() if value < 1]
        found += [f"{name}[{d}]: got {given[d]}, expected ≥ 1" for d in low]
    for name, wanted in (("tile_order", "kcy"), ("order", "gkcyx")):
        given = getattr(mapped, name)
        if sorted(given) != sorted(wanted):
            found.append(f"{name}: got {given!r}, expected an order of {wanted}")
    for name, known in (("multicast", {"weights", "input"}), ("reduce", set("crs"))):
        if extra := sorted(getattr(mapped, name) - known):
            found.append(f"{name}: got {extra}, expected some of {sorted(known)}")
    return found


def split_faults(loops: Loops, mapped: Mapped) -> list[str]:
    """Say where the split and the held turns are not what NEST.md allows."""
    found = []
    for d in "rs":
        if mapped.split[d] not in (1, getattr(loops, d)):
            found.append(f"split[{d}]: neither 1 nor all {getattr(loops, d)}")
    rows = mapped.split["y"] * mapped.held["y"]
    if rows > loops.y and rows % loops.y:
        found.append(f"y: a fold of {rows} rows is no number of samples of {loops.y}")
    if mapped.slides and (mapped.order[-1] != "x" or mapped.split["x"] > 1):
        found.append("slides: needs x innermost in the order and not split")
    return found


def tile_faults(loops: Loops, mapped: Mapped, folds: Folds) -> list[str]:
    """Say which tiles are unequal, or straddle samples."""
    found = []
    for d, held_folds in mapped.tile_folds.items():
        if len(folds[d]) % held_folds:
            found.append(f"tile_folds[{d}]: {held_folds} divides not {len(folds[d])}")
    for tile in chunks(folds["y"], mapped.tile_folds["y"]):
        samples = {sample for sample, _ in flat(tile)}
        if len(samples) > 1 and len(flat(tile)) != len(samples) * loops.y:
            return [*found, "tile_folds[y]: a tile has parts of several samples"]
    return found


def folds_of(loops: Loops, mapped: Mapped) -> Folds:
    """Cut every loop into folds, and every fold into the turns of each PE."""
    found = {}
    for d in LOOPS:
        held = mapped.held.get(d, 1)
        if d in "rs":  # one fold holds all, split over as many PEs or in one
            held = getattr(loops, d) // mapped.split[d]
        runs: list[Turns] = [list(range(getattr(loops, d)))]
        size = mapped.split[d] * held
        if d == "y":
            samples = [[(i, row) for row in range(loops.y)] for i in range(loops.n)]
            whole = size > loops.y
            runs = [[turn for run in samples for turn in run]] if whole else samples
        found[d] = [chunks(piece, held) for run in runs for piece in chunks(run, size)]
    return found


def flat(folds: Iterable[Fold]) -> Turns:
    """All turns of some folds."""
    return [turn for fold in folds for share in fold for turn in share]


class Layer:
    """Which elements touch which, of one layer under one mapping."""

    def __init__(self, loops: Loops, mapped: Mapped) -> None:
        self.loops, self.mapped = loops, mapped
        if wrong := key_faults(mapped) or split_faults(loops, mapped):
            raise ValueError("; ".join(wrong))
        self.folds = folds_of(loops, mapped)
        if wrong := tile_faults(loops, mapped, self.folds):
            raise ValueError("; ".join(wrong))

    def touched(self, outs: Turns, taps: Turns) -> range:
        """Input rows (columns) between the first and the last tap of some outputs."""
        p, q = self.loops.stride, self.loops.dilation
        return range(min(outs) * p + taps[0] * q, max(outs) * p + taps[-1] * q + 1)

    def window(self, turns: dict[str, Turns]) -> set[Element]:
        """Return the input elements (g, c, sample, row, column) of all windows."""
        rows = {
            (sample, row)
            for sample, y in turns["y"]
            for row in self.touched([y], turns["r"])
        }
        columns = {col for x in turns["x"] for col in self.touched([x], turns["s"])}
        found = product(turns["g"], turns["c"], rows, columns)
        return {(g, c, *row, col) for g, c, row, col in found}

    def extent(self, turns: dict[str, Turns]) -> set[Element]:
        """Return the input from first to last row and column, sample by sample."""
        rows = set()
        for sample in {sample for sample, _ in turns["y"]}:
            outs = [y for i, y in turns["y"] if i == sample]
            rows |= {(sample, row) for row in self.touched(outs, turns["r"])}
        columns = self.touched(turns["x"], turns["s"])
        found = product(turns["g"], turns["c"], rows, columns)
        return {(g, c, *row, col) for g, c, row, col in found}

    def filters(self, turns: dict[str, Turns]) -> set[Element]:
        """Return the weight elements (g, k, c, r, s)."""
        return set(product(*(turns[d] for d in "gkcrs")))

    def tile_part(self, operand: str, turns: dict[str, Turns]) -> set[Element]:
        """Return the elements of an operand that an L2 tile of these turns holds."""
        if operand == "output":
            return set(product(*(turns[d] for d in OWN["output"])))
        return self.extent(turns) if operand == "input" else self.filters(turns)


class Array:
    """What the PEs hold, and what has crossed the NoC so far."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.at: dict[str, int] = {}  # the fold of each loop in the step before
        self.had: dict[str, dict[Place, set[Element]]] = {"weights": {}, "input": {}}
        self.crossed = {"weights": 0, "input": 0, "up": 0, "down": 0}
        self.sums: set[Element] = set()  # in the PEs now
        self.left: set[Element] = set()  # partial or whole, went up before
        self.done: set[Element] = set()  # products, each once
        self.cycles = 0

    def step(self, at: dict[str, int], stored: dict[str, set[Element]]) -> None:
        """Do the step of fold `at[d]` of each loop, from what L2 has `stored`."""
        pes = self.pes_of(at)
        fold = {d: flat([self.layer.folds[d][i]]) for d, i in at.items()}
        for operand in ("weights", "input"):
            if any(at[d] != self.at.get(d) for d in OWN[operand]):
                part = self.part_of(operand, fold, pes)
                slid = operand == "input" and self.slid_to(at)
                before = self.had[operand] if slid else {}
                for place, elements in part.items():
                    assert elements <= stored[operand]
                    self.crossed[operand] += len(elements - before.get(place, set()))
                self.had[operand] = part
        if any(at[d] != self.at.get(d) for d in OWN["output"]):
            self.leave()
        self.work(pes)
        self.at = dict(at)

    def pes_of(self, at: dict[str, int]) -> dict[Place, dict[str, Turns]]:
        """Turns of each PE that has work in this step."""
        shares = [list(enumerate(self.layer.folds[d][at[d]])) for d in LOOPS]
        found = {}
        for chosen in product(*shares):
            place, turns = zip(*chosen, strict=True)
            found[place] = dict(zip(LOOPS, turns, strict=True))
        return found

    def part_of(
        self, operand: str, fold: dict[str, Turns], pes: dict[Place, dict[str, Turns]]
    ) -> dict[Place, set[Element]]:
        """Elements that cross, by receiver: the whole array (), or each PE."""
        needs = {(): fold} if operand in self.layer.mapped.multicast else pes
        of = self.layer.window if operand == "input" else self.layer.filters
        return {place: of(turns) for place, turns in needs.items()}

    def slid_to(self, at: dict[str, int]) -> bool:
        """Whether this is the next `x` fold of otherwise the same folds."""
        after = {**self.at, "x": self.at.get("x", 0) + 1}
        return self.layer.mapped.slides and at == after

    def leave(self) -> None:
        """Send up every sum that the PEs hold."""
        self.crossed["up"] += len(self.sums)
        self.left |= self.sums
        self.sums = set()

    def work(self, pes: dict[Place, dict[str, Turns]]) -> None:
        """Do the MACs of a step one by one; it takes as long as a full fold (A18)."""
        mapped, loops = self.layer.mapped, self.layer.loops
        for place, turns in pes.items():
            weights = self.had["weights"].get(place) or self.had["weights"][()]
            inputs = self.had["input"].get(place) or self.had["input"][()]
            apart = [place[LOOPS.index(d)] for d in "crs" if d not in mapped.reduce]
            for g, k, c, r, s, y, x in product(*(turns[d] for d in LOOPS)):
                row = y[1] * loops.stride + r * loops.dilation
                column = x * loops.stride + s * loops.dilation
                assert (g, k, c, r, s) in weights
                assert (g, c, y[0], row, column) in inputs
                total = (g, k, y, x, *apart)
                if total not in self.sums:
                    self.crossed["down"] += total in self.left
                    self.sums.add(total)
                assert (g, k, c, r, s, y, x) not in self.done
                self.done.add((g, k, c, r, s, y, x))
        taps = [max(len(turns[d]) for turns in pes.values()) for d in "rs"]
        self.cycles += prod(mapped.held.values()) * prod(taps)


class Store:
    """What L2 holds, and what was filled and drained so far."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.keys: dict[str, Element] = {}
        self.holds: dict[str, set[Element]] = {}
        self.filled = {"weights": 0, "input": 0}
        self.seen: set[Element] = set()  # outputs that were here before
        self.back = 0
        self.largest = {"weights": 0, "input": 0, "output": 0}

    def tile(self, at: dict[str, int], turns: dict[str, Turns]) -> None:
        """Hold tile `at[d]` of each loop."""
        for operand, names in TILED.items():
            key = tuple(at[d] for d in names)
            if key == self.keys.get(operand):
                continue
            part = self.layer.tile_part(operand, turns)
            if operand == "output":
                self.back += len(part & self.seen)
                self.seen |= part
            else:
                self.filled[operand] += len(part)
            self.keys[operand], self.holds[operand] = key, part
        # The first tile of every loop is the widest, so one tile has all three maxima.
        for operand, part in self.holds.items():
            self.largest[operand] = max(self.largest[operand], len(part))


def tiles_of(layer: Layer) -> Iterator[tuple[dict[str, int], dict[str, list[int]]]]:
    """Tiles in the order of the walk: their number and their folds, of each loop."""
    counts = {d: len(layer.folds[d]) for d in LOOPS}
    per_tile = {**counts, **layer.mapped.tile_folds}
    tiles = {d: chunks(range(counts[d]), per_tile[d]) for d in LOOPS}
    names = "g" + layer.mapped.tile_order
    for numbers in product(*(range(len(tiles[d])) for d in names)):
        at = {**dict.fromkeys(LOOPS, 0), **dict(zip(names, numbers, strict=True))}
        yield at, {d: tiles[d][i] for d, i in at.items()}


def walk(loops: Loops, mapped: Mapped) -> Counted:
    """Walk a layer step by step.

    Raises
    ------
    ValueError
        If NEST.md does not allow the mapping; names all faults of the first kind
        found (names and numbers, then splits, then tiles).
    """
    layer = Layer(loops, mapped)
    array, store = Array(layer), Store(layer)
    for at_tile, folds in tiles_of(layer):
        turns = {d: flat(layer.folds[d][i] for i in folds[d]) for d in LOOPS}
        store.tile(at_tile, turns)
        for indices in product(*(folds[d] for d in mapped.order)):
            at = dict(zip(mapped.order, indices, strict=True))
            array.step({**at, "r": 0, "s": 0}, store.holds)
    array.leave()
    return counted(layer, array, store)


def counted(layer: Layer, array: Array, store: Store) -> Counted:
    """Sum up a walk that has ended."""
    everything = {d: flat(folds) for d, folds in layer.folds.items()}
    size = {operand: len(layer.tile_part(operand, everything)) for operand in OWN}
    refetch = {o: max(0, store.filled[o] - size[o]) for o in store.filled}
    crossed, macs = array.crossed, len(array.done)
    compulsory = size["weights"] + size["input"] + size["output"]
    outside = compulsory + refetch["weights"] + refetch["input"] + 2 * store.back
    into_array = crossed["weights"] + crossed["input"] + crossed["down"]
    return Counted(
        compute_cycles=array.cycles,
        noc_weights=crossed["weights"],
        noc_input=crossed["input"],
        noc_output_up=crossed["up"],
        noc_output_down=crossed["down"],
        refetch_weights=refetch["weights"],
        refetch_input=refetch["input"],
        refetch_output=store.back,
        tile_weights=store.largest["weights"],
        tile_input=store.largest["input"],
        tile_output=store.largest["output"],
        holds_weights=store.largest["weights"] == size["weights"],
        macs=macs,
        l1_accesses=4 * macs + into_array,
        l2_accesses=into_array + crossed["up"] + outside,
    )

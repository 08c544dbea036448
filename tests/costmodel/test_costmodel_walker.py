"""The counter of the tests, against layers that are worked out by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.costmodel.walker import Loops, Mapped, folds_of, tile_faults, walk

BOTH = frozenset({"weights", "input"})
ONE = {"g": 1, "n": 1, "k": 1, "c": 1, "r": 1, "s": 1, "y": 1, "x": 1}


def layer(stride: int = 1, dilation: int = 1, **turns: int) -> Loops:
    return Loops(**{**ONE, **turns}, stride=stride, dilation=dilation)


def mapping(
    loops: Loops,
    split: dict[str, int] | None = None,
    held: dict[str, int] | None = None,
    tile: dict[str, int] | None = None,
    **given: Any,
) -> Mapped:
    """One PE, all in one tile, everything multicast and reduced, unless told."""
    fields: dict[str, Any] = {"tile_order": "kcy", "order": "gkcyx", "slides": False}
    fields |= {"multicast": BOTH, "reduce": frozenset("crs")} | given
    mapped = Mapped(
        split=dict.fromkeys("gkcrsyx", 1) | (split or {}),
        held=dict.fromkeys("kcy", 1) | (held or {}),
        tile_folds={},
        **fields,
    )
    folds = folds_of(loops, mapped)
    return replace(mapped, tile_folds={d: len(folds[d]) for d in "gkcy"} | (tile or {}))


def test_one_dimensional_convolution() -> None:
    # 4 outputs of 3 taps on a row of 6. Sliding: 3 columns, then 1 + 1 + 1.
    loops = layer(s=3, x=4)
    seen = walk(loops, mapping(loops, slides=True))
    assert (seen.compute_cycles, seen.macs) == (12, 12)
    assert (seen.noc_weights, seen.noc_input) == (3, 6)
    assert (seen.noc_output_up, seen.noc_output_down) == (4, 0)
    assert seen.l1_accesses == 4 * 12 + 3 + 6
    assert seen.l2_accesses == (3 + 6 + 4) + (3 + 6) + 4
    assert (seen.tile_weights, seen.tile_input, seen.tile_output) == (3, 6, 4)
    assert (seen.working_set(), seen.working_set(residuals=1)) == (26, 34)
    assert seen.holds_weights
    # Without sliding every window crosses whole: 4 · 3.
    assert walk(loops, mapping(loops)).noc_input == 12
    # All taps at once, one PE each: a third of the time, the same traffic.
    split = walk(loops, mapping(loops, {"s": 3}, slides=True))
    assert (split.compute_cycles, split.noc_input, split.noc_output_up) == (4, 6, 4)
    # Each PE fetching its own column has a new one in each of the 4 steps.
    alone = mapping(loops, {"s": 3}, slides=True, multicast=frozenset({"weights"}))
    assert walk(loops, alone).noc_input == 3 * 4


def test_sliding_starts_anew_on_every_row() -> None:
    # 2 filters, 2 rows of 3 outputs, 2 taps: a row is 4 columns, crosses 2 · 2 times.
    loops = layer(k=2, y=2, x=3, s=2)
    assert walk(loops, mapping(loops, slides=True)).noc_input == 2 * 2 * 4


def test_gemm_in_tiles() -> None:
    # 6 filters, 4 channels, 4 rows on 2 · 2 PEs: folds k 3, c 2, y 4; tiles k 3, y 2,
    # c 2 in this order, each of 2 x 2 weights, 2 x 2 inputs, 2 x 2 outputs, 2 steps.
    loops = layer(k=6, c=4, y=4)
    tile = {"k": 1, "c": 1, "y": 2}
    mapped = mapping(loops, {"k": 2, "c": 2}, tile=tile, tile_order="kyc")
    seen = walk(loops, mapped)
    assert (seen.compute_cycles, seen.macs) == (24, 96)
    assert (seen.tile_weights, seen.tile_input, seen.tile_output) == (4, 4, 4)
    assert not seen.holds_weights
    # c is innermost: weights and input are another part in each of the 12 tiles.
    assert seen.noc_weights == 12 * 4
    assert (seen.refetch_weights, seen.refetch_input) == (48 - 24, 48 - 16)
    assert seen.refetch_output == 0
    # 24 steps of 2 channels of a row; of 2 sums of a row, each there twice.
    assert (seen.noc_input, seen.noc_output_up, seen.noc_output_down) == (48, 48, 24)
    assert seen.l1_accesses == 4 * 96 + 48 + 48 + 24
    assert seen.l2_accesses == (48 + 48 + 48 + 24) + (48 + 48) + 24
    # c outermost: both halves of c pass over all 24 outputs; 24 come back. Inputs
    # (c, y) change in each of the 12 tiles, weights (c, k) in 2 · 3 of them.
    turned = walk(loops, replace(mapped, tile_order="cky"))
    assert turned.refetch_output == 24
    assert (turned.refetch_weights, turned.refetch_input) == (0, 48 - 16)
    assert turned.l2_accesses == (24 + 48 + 48 + 24) + (24 + 48) + (24 + 2 * 24)


# 5 filters on 2 PEs of 2, 3 channels on 2, 3 rows on 2: folds 4 + 1, 2 + 1, 2 + 1.
PARTIAL = layer(k=5, c=3, y=3)
SPLIT = {"k": 2, "c": 2, "y": 2}


def test_partial_folds() -> None:
    # 2 · 2 · 2 steps of 2 cycles, full or not. The 15 weights wait for y; all 9
    # inputs cross in both folds of k; 15 outputs in both folds of c.
    seen = walk(PARTIAL, mapping(PARTIAL, SPLIT, {"k": 2}))
    assert (seen.compute_cycles, seen.macs) == (16, 45)
    assert (seen.noc_weights, seen.noc_input) == (15, 18)
    assert (seen.noc_output_up, seen.noc_output_down) == (30, 15)


def test_without_multicast_every_pe_fetches() -> None:
    # Weights are fetched in the fold of 2 rows: twice. Inputs: by the PEs of k at
    # work, 2 for the fold of 4 filters, 1 for the fold of 1.
    mapped = mapping(PARTIAL, SPLIT, {"k": 2}, multicast=frozenset())
    seen = walk(PARTIAL, mapped)
    assert (seen.noc_weights, seen.noc_input) == (2 * 15, 9 * 2 + 9 * 1)


def test_without_reduction_every_pe_sends_its_sum() -> None:
    # Two PEs have a sum of the fold of 2 channels, one of the fold of 1: 3 go up; the
    # one that was there before comes down.
    mapped = mapping(PARTIAL, SPLIT, {"k": 2}, reduce=frozenset("rs"))
    seen = walk(PARTIAL, mapped)
    assert (seen.noc_output_up, seen.noc_output_down) == (3 * 15, 15)
    # c innermost: the sums stay for both folds, both PEs still have theirs at the end.
    stays = walk(PARTIAL, replace(mapped, order="gkyxc"))
    assert (stays.noc_output_up, stays.noc_output_down) == (2 * 15, 0)


def test_stride_2() -> None:
    # 4 columns of 3 taps on a row of 9. Sliding: 3 + 2 + 2 + 2. Two at a time: 5 each.
    loops = layer(stride=2, s=3, x=4)
    assert walk(loops, mapping(loops, slides=True)).noc_input == 9
    assert walk(loops, mapping(loops, {"x": 2})).noc_input == 10
    alone = mapping(loops, {"x": 2}, multicast=frozenset({"weights"}))
    assert walk(loops, alone).noc_input == 4 * 3
    # The same along y in 2 tiles of 2 rows: 5 + 5 rows, the one between them twice.
    loops = layer(stride=2, r=3, y=4)
    seen = walk(loops, mapping(loops, {"y": 2}, tile={"y": 1}))
    assert (seen.noc_input, seen.tile_input, seen.refetch_input) == (10, 5, 1)


def test_dilation_2() -> None:
    # 3 rows of 3 taps, reach 5: a fold of a row takes 5 rows, holes too; L2 has 7.
    loops = layer(dilation=2, r=3, y=3)
    seen = walk(loops, mapping(loops, {"r": 3}))
    assert (seen.compute_cycles, seen.noc_input, seen.tile_input) == (3, 15, 7)
    # A PE of one filter row has a window of one row; its sums go up by themselves.
    mapped = mapping(loops, {"r": 3}, multicast=frozenset(), reduce=frozenset())
    alone = walk(loops, mapped)
    assert (alone.noc_input, alone.noc_weights) == (9, 3)
    assert (alone.noc_output_up, alone.noc_output_down) == (9, 0)


def test_stride_beyond_the_reach() -> None:
    # 4 rows of 2 taps, 3 apart: a fold of 2 rows crosses 2 · 2 rows, not the 5 between
    # first and last. L2 holds these 5; both tiles have 10 of the 11 rows.
    loops = layer(stride=3, k=2, r=2, y=4)
    mapped = mapping(loops, {"y": 2}, {"k": 2}, {"y": 1})
    seen = walk(loops, mapped)
    assert (seen.noc_input, seen.tile_input, seen.refetch_input) == (8, 5, 0)
    assert seen.l2_accesses == (4 + 8 + 8) + (4 + 11) + 8
    # Two tiles of k outside: 20 rows are filled, 11 is the input's size.
    twice = mapping(loops, {"y": 2}, tile={"k": 1, "y": 1})
    assert walk(loops, twice).refetch_input == 20 - 11


def test_depthwise() -> None:
    # 4 channels of their own on 2 PEs, 2 rows of 3 taps: 2 · 2 steps of 3 cycles. A
    # fold of a row takes 3 of the 4 input rows.
    loops = layer(g=4, r=3, y=2)
    seen = walk(loops, mapping(loops, {"g": 2}))
    assert (seen.compute_cycles, seen.macs) == (12, 24)
    assert (seen.noc_weights, seen.noc_input, seen.noc_output_up) == (12, 24, 8)
    # Held by halves of g, L2 does not hold all weights, and refetches nothing.
    halves = walk(loops, mapping(loops, {"g": 2}, tile={"g": 1}))
    assert not halves.holds_weights
    assert (halves.refetch_weights, halves.refetch_input) == (0, 0)
    assert (halves.tile_weights, halves.tile_input, halves.tile_output) == (6, 8, 4)


def test_two_samples() -> None:
    # 2 samples of 3 rows of 3 taps, 5 input rows each. Folds of 2 rows end with the
    # sample: (4 + 3) · 2 input rows, 4 steps of 3 cycles.
    loops = layer(n=2, r=3, y=3)
    mapped = mapping(loops, {"y": 2})
    seen = walk(loops, mapped)
    assert (seen.compute_cycles, seen.noc_weights, seen.noc_input) == (12, 3, 14)
    # A tile of one sample reads nothing again; a tile of a fold reads the halos again.
    for folds, refetch in ((4, 0), (2, 0), (1, 14 - 10)):
        tiled = replace(mapped, tile_folds=mapped.tile_folds | {"y": folds})
        assert walk(loops, tiled).refetch_input == refetch
    # Both samples in one fold, 2 rows a PE: one step of 2 · 3 cycles. The middle PE
    # has a row of either sample, 3 + 3 input rows; the others have 4.
    both = mapping(loops, {"y": 3}, {"y": 2})
    seen = walk(loops, both)
    assert (seen.compute_cycles, seen.noc_input) == (6, 10)
    alone = walk(loops, replace(both, multicast=frozenset({"weights"})))
    assert alone.noc_input == 4 + 6 + 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": {"r": 2}}, "split[r]: neither 1 nor all 3"),
        ({"split": {"y": 4}}, "4 rows is no number of samples of 3"),
        ({"split": {"k": 0}}, "split[k]: got 0"),
        ({"tile": {"k": 3}}, "tile_folds[k]: 3 divides not 4"),
        ({"tile": {"y": 2}}, "tile_folds[y]: a tile has parts of several samples"),
        ({"slides": True, "order": "gkcxy"}, "slides: needs x innermost"),
        ({"slides": True, "split": {"x": 2}}, "slides: needs x innermost"),
        ({"order": "gkcy"}, "order: got 'gkcy'"),
        ({"tile_order": "gkc"}, "tile_order: got 'gkc'"),
        ({"multicast": frozenset({"output"})}, "multicast: got ['output']"),
        ({"reduce": frozenset("k")}, "reduce: got ['k']"),
        ({"held": {"x": 2}}, "held: got ['c', 'k', 'x', 'y']"),
    ],
)
def test_mappings_that_the_nest_does_not_allow(
    change: dict[str, Any], words: str
) -> None:
    loops = layer(n=4, k=4, r=3, y=3, x=2)
    mapped = mapping(loops)
    walk(loops, mapped)
    for name, value in change.items():
        field = {"tile": "tile_folds"}.get(name, name)
        old = getattr(mapped, field)
        new = old | value if isinstance(value, dict) else value
        mapped = replace(mapped, **{field: new})
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        walk(loops, mapped)
    assert words in str(caught.value)


def drawn(draw: random.Random) -> tuple[Loops, Mapped]:
    """A random tiny layer and a mapping of it that the nest allows."""
    turns = {d: draw.randint(1, 3) for d in "gnrsx"}
    turns |= {d: draw.randint(1, 5) for d in "kcy"}
    loops = layer(draw.randint(1, 4), draw.randint(1, 2), **turns)
    split = {d: draw.randint(1, 3) for d in "gkcx"}
    split |= {d: draw.choice([1, getattr(loops, d)]) for d in "rs"}
    held = {d: draw.randint(1, 2) for d in "kc"}
    rows = [(s, h) for s in range(1, 7) for h in range(1, 4)]
    fits = [(s, h) for s, h in rows if s * h <= loops.y or s * h % loops.y == 0]
    split["y"], held["y"] = draw.choice(fits)
    slides = draw.random() < 0.5
    order = "".join(draw.sample("gkcyx", 5))
    if slides:
        split["x"], order = 1, order.replace("x", "") + "x"
    mapped = mapping(
        loops,
        split,
        held,
        order=order,
        slides=slides,
        tile_order="".join(draw.sample("kcy", 3)),
        multicast=frozenset(o for o in sorted(BOTH) if draw.random() < 0.6),
        reduce=frozenset(d for d in "crs" if draw.random() < 0.6),
    )
    folds = folds_of(loops, mapped)
    for d in draw.sample("gkcy", 4):
        options = [
            replace(mapped, tile_folds=mapped.tile_folds | {d: t})
            for t in range(1, len(folds[d]) + 1)
        ]
        mapped = draw.choice([o for o in options if not tile_faults(loops, o, folds)])
    return loops, mapped


def touched(loops: Loops, outs: int, taps: int) -> int:
    """Input rows or columns that some window of a sample reaches over."""
    reach = (taps - 1) * loops.dilation + 1
    return len({o * loops.stride + i for o in range(outs) for i in range(reach)})


@pytest.mark.parametrize("seed", range(40))
def test_what_every_walk_keeps(seed: int) -> None:
    loops, mapped = drawn(random.Random(seed))
    seen = walk(loops, mapped)
    filters = loops.g * loops.k * loops.c * loops.r * loops.s
    outputs = loops.g * loops.n * loops.k * loops.y * loops.x
    rows, columns = touched(loops, loops.y, loops.r), touched(loops, loops.x, loops.s)
    assert seen.macs == outputs * loops.c * loops.r * loops.s
    pes = 1
    for spread in mapped.split.values():
        pes *= spread
    assert seen.compute_cycles * pes >= seen.macs
    # Every operand crosses at least once, and again whenever L2 had to fetch it again.
    assert seen.noc_weights >= filters + seen.refetch_weights
    if "input" in mapped.multicast:
        assert seen.noc_input >= loops.g * loops.n * loops.c * rows * columns
    assert seen.noc_output_up - seen.noc_output_down >= outputs
    assert seen.noc_output_up >= outputs + seen.refetch_output
    if mapped.reduce == frozenset("crs"):
        assert seen.noc_output_up - seen.noc_output_down == outputs


@pytest.mark.parametrize("seed", range(20))
def test_all_in_one_tile_has_no_refetch(seed: int) -> None:
    loops, mapped = drawn(random.Random(seed))
    folds = folds_of(loops, mapped)
    mapped = replace(mapped, tile_folds={d: len(folds[d]) for d in "gkcy"})
    seen = walk(loops, mapped)
    assert (seen.refetch_weights, seen.refetch_input, seen.refetch_output) == (0, 0, 0)
    assert seen.holds_weights
    assert seen.tile_weights == loops.g * loops.k * loops.c * loops.r * loops.s
    assert seen.tile_output == loops.g * loops.n * loops.k * loops.y * loops.x

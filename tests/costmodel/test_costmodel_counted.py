"""NoC traffic and compute time of array mappings, counted by running the folds."""

from __future__ import annotations

import pytest

from costmodel.families import FAMILIES
from costmodel.nest import Nest, nest_of, searched
from instances.schema import LoopBounds

LAYERS = [
    LoopBounds(k=3, c=2, oy=5, ox=4, r=3, s=2),
    LoopBounds(k=2, c=3, oy=3, ox=5, r=3, s=3, stride=2),
    LoopBounds(k=2, c=2, oy=4, ox=3, stride=2),
    LoopBounds(k=5, c=4, oy=6),
    LoopBounds(k=1, c=1, oy=3, ox=3, r=2, s=3, groups=3),
]


def cut(bound: int, size: int) -> list[range]:
    return [range(i, min(i + size, bound)) for i in range(0, bound, size)]


def row_folds(h: Nest, rows: int) -> list[list[tuple[int, int]]]:
    """Output rows (sample, row) of each fold: parts of a sample or whole ones."""
    if rows < h.y:
        return [[(n, y) for y in part] for n in range(h.n) for part in cut(h.y, rows)]
    parts = cut(h.n, rows // h.y)
    return [[(n, y) for n in part for y in range(h.y)] for part in parts]


def counted_inputs(h: Nest, k: int, rows: int, columns: int) -> int:
    """Inputs of all folds, each once in a fold however many PEs need it."""
    total = 0
    for fold in row_folds(h, rows):
        for part in cut(h.x, columns):
            needed = {
                (n, y * h.stride + r, x * h.stride + s)
                for n, y in fold
                for x in part
                for r in range(h.r)
                for s in range(h.s)
            }
            total += len(needed)
    return total * h.g * h.c * len(cut(h.k, k))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@pytest.mark.parametrize("bounds", LAYERS)
@pytest.mark.parametrize("samples", [1, 3])
def test_folds_executed(family, bounds: LoopBounds, samples: int) -> None:
    h = nest_of(bounds, samples, True)
    found = searched(family, h, num_pes=12, l1_elements=60)
    for i in range(0, len(found.cycles), 7):
        one = found.take(i)
        columns = h.x if family.columns_pass else int(one.split_x)
        inputs = counted_inputs(h, int(one.k), int(one.y), columns)
        assert one.inputs == inputs
        folds = len(row_folds(h, int(one.y))) * len(cut(h.x, columns))
        assert one.weights == h.weights * (1 if family.weights_stay else folds)
        sums = 1 if family.sums_stay else len(cut(h.c, int(one.c)))
        assert one.sums_up == h.outputs * sums
        assert one.sums_up - one.sums_down == h.outputs
        pes = one.split_g * one.split_k * one.split_c * one.split_r * one.split_s
        pes = pes * one.split_y * one.split_x
        assert pes <= 12
        assert one.cycles * pes >= h.macs

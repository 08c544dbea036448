"""The operators carried out with plain loops, counting what they multiply and touch.

Written from the definitions of the operators, with bounds tests in place of size
formulas: a window counts where it lies inside the padded input.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product

ZERO = 0


@dataclass
class Done:
    """What a run made and touched; coordinates are those of the padded input."""

    outputs: dict = field(default_factory=lambda: defaultdict(int))
    inputs: set = field(default_factory=set)
    weights: set = field(default_factory=set)
    multiplies: int = 0


def inside(start: int, taps: int, stride: int, dilation: int, end: int) -> bool:
    """Whether the window number `start` ends before `end`."""
    return all(start * stride + t * dilation < end for t in range(taps))


def convolve(x, w, *, size, stride=1, padding=0, dilation=1, groups=1) -> Done:
    """Convolution of x[channel, row, column]; w[k, c, r, s] has all output channels.

    `size` is (channels, rows, columns) of x; `w` (outputs, channels of a group,
    filter rows, columns) and its values.
    """
    (channels, rows, columns), (k, c, r, s), weight = size, *w
    assert channels == c * groups
    done = Done()
    high, wide = rows + 2 * padding, columns + 2 * padding
    for o, a, b in product(range(k), range(high), range(wide)):
        if not inside(a, r, stride, dilation, high):
            continue
        if not inside(b, s, stride, dilation, wide):
            continue
        for i, u, v in product(range(c), range(r), range(s)):
            channel = o // (k // groups) * c + i
            y, z = a * stride + u * dilation, b * stride + v * dilation
            real = padding <= y < rows + padding and padding <= z < columns + padding
            value = x[channel, y - padding, z - padding] if real else ZERO
            done.outputs[o, a, b] += value * weight[o, i, u, v]
            done.multiplies += 1
            done.inputs.add((channel, y, z))
            done.weights.add((o, i, u, v))
    return done


def convolve_transposed(x, w, *, size, stride, padding=0) -> Done:
    """Transposed convolution: every input is spread over the outputs it reaches."""
    (channels, rows, columns), (k, c, r, s), weight = size, *w
    assert channels == c
    done = Done()
    last = (rows - 1) * stride + r - padding, (columns - 1) * stride + s - padding
    for o, i, y, z, u, v in product(*map(range, (k, c, rows, columns, r, s))):
        a, b = y * stride + u, z * stride + v
        if padding <= a < last[0] and padding <= b < last[1]:
            value = x[i, y, z] * weight[o, i, u, v]
            done.outputs[o, a - padding, b - padding] += value
            done.multiplies += 1
            done.inputs.add((i, y, z))
            done.weights.add((o, i, u, v))
    return done


def pool(size, taps, stride, padding=0) -> tuple[int, int, set]:
    """Return outputs, comparisons (a maximum by pairs) and touched inputs."""
    channels, rows, columns = size
    high, wide = rows + 2 * padding, columns + 2 * padding
    outputs, compared, touched = 0, 0, set()
    for channel, a, b in product(range(channels), range(high), range(wide)):
        if not inside(a, taps[0], stride, 1, high):
            continue
        if not inside(b, taps[1], stride, 1, wide):
            continue
        outputs += 1
        first = True
        for u, v in product(range(taps[0]), range(taps[1])):
            touched.add((channel, a * stride + u, b * stride + v))
            compared += 0 if first else 1
            first = False
    return outputs, compared, touched

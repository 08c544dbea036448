"""NVDLA, NVIDIA's own estimates for ResNet-50: frames per second of seven sizes.

Source: NVDLA Primer (nvdla/doc, doc/primer.rst), section "Example Area and
Performance with NVDLA": int8, one image at a time, no SRAM beside the convolution
buffer. These are estimates, no measurements. The primer's rule: a layer takes the
longest of reading, writing and multiplying; the network takes their sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

from costmodel.build import operands
from costmodel.mapper import best_mappings
from instances.chiplet_types import packaged_types
from instances.dataflow import read_dataflow
from instances.models.resnet import resnet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.schema import ChipletType, Layer

FOLDER = Path(__file__).parent
CLOCK_MHZ = 1000  # not stated in the primer; the estimates' clock is an assumption
NO_LIMIT = Fraction(10**6)  # elements per cycle between buffer and MACs
# The convolution buffer feeds the array; a MAC has no memory that could be too small.
L1_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Size:
    """A row of the primer's table; the two atomics multiply to the MACs."""

    atomic_c: int
    atomic_k: int
    buffer_kib: int
    dram_gb_s: float
    frames_per_s: float

    @property
    def macs(self) -> int:
        """MACs per cycle."""
        return self.atomic_c * self.atomic_k


SIZES = (
    Size(64, 32, 512, 20, 269),
    Size(64, 16, 256, 15, 153),
    Size(32, 16, 256, 10, 93),
    Size(32, 8, 256, 5, 46),
    Size(16, 8, 256, 2, 20),
    Size(8, 8, 128, 1, 7.3),
    Size(8, 4, 128, 0.5, 3.6),
)
COUNTED = (2048, 1024, 512, 256, 128, 64)
FITTED = (2048, 256, 64)  # largest, middle, smallest; the other three are shown


@dataclass(frozen=True, slots=True)
class Rule:
    """How MAC time and DRAM time make a layer's time; one of the two is fitted.

    Parameters
    ----------
    exposed
        Share of the shorter time that is not hidden behind the longer: 0 is the
        primer's rule, 1 no overlap at all.
    efficiency
        Share of the stated DRAM bandwidth that is reached.
    """

    exposed: float = 0.0
    efficiency: float = 1.0


PRIMER, NO_OVERLAP = Rule(), Rule(exposed=1.0)
EXPOSED = [Rule(exposed=percent / 100) for percent in range(101)]
EFFICIENT = [Rule(efficiency=percent / 100) for percent in range(30, 101)]


@dataclass(frozen=True, slots=True)
class Costed:
    """A size with, layer by layer, cycles of MACs and bytes of DRAM."""

    size: Size
    layers: tuple[tuple[int, int], ...]

    def frames_per_s(self, rule: Rule) -> float:
        """Frames per second under a rule."""
        seconds = 0.0
        for cycles, moved in self.layers:
            mac = cycles / (CLOCK_MHZ * 1e6)
            dram = moved / (self.size.dram_gb_s * 1e9 * rule.efficiency)
            seconds += max(mac, dram) + rule.exposed * min(mac, dram)
        return 1 / seconds

    def error(self, rule: Rule) -> float:
        """How far above the published figure, as a share of it."""
        return self.frames_per_s(rule) / self.size.frames_per_s - 1


def costed(*, by_primer: bool = True) -> list[Costed]:
    """Cost ResNet-50 on every size; each layer by its fastest mode.

    Parameters
    ----------
    by_primer
        Bytes of DRAM by the primer's passes (`passes`); else those of the mapper's
        own tilings.
    """
    model = resnet(50)
    found = []
    for size in SIZES:
        chip, seen = chiplet(size), {}
        layers = []
        for layer in model.layers:
            read = [u for u in model.tensors if layer.name in u.consumers]
            key = layer.bounds, len(read)
            if key not in seen:
                least = sum(u.bytes for u in read) + layer.weight_bytes
                seen[key] = _fastest(size, chip, layer, len(read) - 1, least)
                if by_primer:
                    over = operands(layer, read)[0]
                    assert layer.bounds is not None
                    again = (passes(size, layer) - 1) * sum(u.bytes for u in over)
                    moved = least + again + layer.bounds.outputs
                    seen[key] = seen[key][0], moved
            layers.append(seen[key])
        found.append(Costed(size, tuple(layers)))
    return found


def chiplet(size: Size) -> ChipletType:
    """Return a size as a chiplet type; its energies, not compared, are packaged ones.

    L2 is the convolution buffer.
    """
    name = f"nvdla-{size.atomic_c}x{size.atomic_k}"
    return replace(
        packaged_types()["nvdla"],
        name=name,
        dataflow=read_dataflow(FOLDER / f"{name}.yaml"),
        num_pes=size.macs,
        l1_bytes_per_pe=L1_BYTES,
        l2_bytes=size.buffer_kib * 1024,
        noc_bytes_per_cycle=NO_LIMIT,
        clock_mhz=Fraction(CLOCK_MHZ),
    )


def passes(size: Size, layer: Layer) -> int:
    """How often a layer's input is read: once for each bufferful of weights.

    The primer ("What are the number of MAC units, and the required memory
    bandwidth?"): a buffer that cannot hold the support region of the input and all
    weights takes several passes, and every pass reads the input; with a fourth of the
    weights, four. The support region is as many rows of the input as the filter has.

    Raises
    ------
    ValueError
        If the support region alone exceeds the buffer.
    """
    b = layer.bounds
    assert b is not None
    room = size.buffer_kib * 1024 - b.c * b.r * b.columns_in
    if room <= 0:
        raise ValueError(f"layer {layer.name}: its support region exceeds the buffer")
    return -(-layer.weight_bytes // room)


def _fastest(
    size: Size, chip: ChipletType, layer: Layer, residuals: int, read_bytes: int
) -> tuple[int, int]:
    """Cycles of MACs and bytes of DRAM of the mode that is fastest by the primer.

    DRAM: every input, the weights and the output once, and what the mode refetches.
    """
    assert layer.bounds is not None
    modes = [
        (
            one.compute_cycles,
            read_bytes
            + layer.bounds.outputs
            + one.reread_in
            + one.reread_w
            + 2 * one.reread_out,
        )
        for one in best_mappings(layer, chip, residuals=residuals)
        if one is not None
    ]
    bytes_per_cycle = size.dram_gb_s * 1e3 / CLOCK_MHZ
    return min(modes, key=lambda mode: (max(mode[0], mode[1] / bytes_per_cycle), mode))


def fit(found: Sequence[Costed], rules: Sequence[Rule]) -> Rule:
    """Return the rule with the least largest error; the first among equals."""
    return min(rules, key=lambda rule: max(abs(one.error(rule)) for one in found))


def counted(found: Sequence[Costed]) -> list[Costed]:
    """The sizes that count; the smallest is shown beside them."""
    return [one for one in found if one.size.macs in COUNTED]


def split(
    found: Sequence[Costed], fitted: Sequence[int] = FITTED
) -> tuple[list[Costed], list[Costed]]:
    """The sizes to fit on, and those to show."""
    of = counted(found)
    return (
        [one for one in of if one.size.macs in fitted],
        [one for one in of if one.size.macs not in fitted],
    )


def mean(found: Sequence[Costed], rule: Rule) -> float:
    """Mean absolute error."""
    return sum(abs(one.error(rule)) for one in found) / len(found)


def worst(found: Sequence[Costed], rule: Rule) -> float:
    """Largest absolute error."""
    return max(abs(one.error(rule)) for one in found)


@dataclass(frozen=True, slots=True)
class Range:
    """Least and largest over all ways to choose three of the six sizes to fit on.

    Parameters
    ----------
    rules
        The fitted rules with the least and the largest constant.
    means, worsts
        Mean and largest absolute error of the three sizes shown.
    """

    rules: tuple[Rule, Rule]
    means: tuple[float, float]
    worsts: tuple[float, float]


def every_split(found: Sequence[Costed], rules: Sequence[Rule]) -> Range:
    """Fit on every three sizes, and look at the other three."""
    fits, means, worsts = [], [], []
    for fitted in combinations(COUNTED, 3):
        on, shown = split(found, fitted)
        fits.append(fit(on, rules))
        means.append(mean(shown, fits[-1]))
        worsts.append(worst(shown, fits[-1]))
    fits.sort(key=lambda rule: (rule.exposed, rule.efficiency))
    return Range(
        (fits[0], fits[-1]), (min(means), max(means)), (min(worsts), max(worsts))
    )


def best_mean_within(found: Sequence[Costed], most: float) -> float | None:
    """Least mean error of any pair of constants with no error above `most`.

    Fitted on all six sizes: what no choice of sizes can better.
    """
    of = counted(found)
    pairs = product(range(0, 101, 5), range(40, 101, 5))
    rules = [Rule(exposed / 100, share / 100) for exposed, share in pairs]
    means = [mean(of, rule) for rule in rules if worst(of, rule) <= most]
    return min(means, default=None)

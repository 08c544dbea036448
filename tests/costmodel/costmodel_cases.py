"""Chiplet types, layers and instances for the tests of the cost model."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from costmodel.mapper import BUDGETS, GOALS, Mapping, best_mappings
from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    Instance,
    Interface,
    Layer,
    LoopBounds,
    Model,
    Options,
    Package,
    Tensor,
)

if TYPE_CHECKING:
    from instances.dataflow import Dataflow

BASE = ChipletType(
    name="ws",
    dataflow="ws",
    num_pes=4,
    l1_bytes_per_pe=512,
    l2_bytes=1 << 20,
    noc_bytes_per_cycle=Fraction(1000),
    clock_mhz=Fraction(500),
    mac_energy_pj=Fraction(1),
    l1_energy_pj_per_byte=Fraction(1),
    l2_energy_pj_per_byte=Fraction(10),
)


def chiplet(dataflow: str | Dataflow, **changes: object) -> ChipletType:
    """A chiplet type; bandwidths may be integers."""
    speed = Fraction(changes.pop("noc_bytes_per_cycle", BASE.noc_bytes_per_cycle))
    named = replace(BASE, dataflow=dataflow, noc_bytes_per_cycle=speed, **changes)
    return replace(named, name=named.dataflow_name)


def fastest(layer: Layer, kind: ChipletType, *more, **others) -> Mapping | None:
    """The mapping of least latency with all of L2."""
    found = best_mappings(layer, kind, *more, **others)
    return found[(len(BUDGETS) - 1) * len(GOALS)]


def gemm(m: int, n: int, c: int) -> Layer:
    """M rows, N columns, inner size C."""
    return Layer("gemm", "gemm", LoopBounds(k=n, c=c, oy=m), n * c)


def conv(bounds: LoopBounds) -> Layer:
    """A convolution with 8-bit weights."""
    weights = bounds.groups * bounds.k * bounds.c * bounds.r * bounds.s
    return Layer("conv", "conv", bounds, weights)


def instance(types: list[ChipletType], models: tuple[Model, ...], **more) -> Instance:
    """An instance with one chiplet of each type and nothing else of interest."""
    package = Package(
        name="test",
        topology="none",
        width=len(types),
        height=1,
        types={t.name: t for t in types},
        chiplets=tuple(Chiplet(t.name, i) for i, t in enumerate(types)),
        links=(),
        port_in_gb_s=None,
        port_out_gb_s=None,
        dram=Dram(None, Fraction(0), Fraction(0), (Interface(0, Fraction(1)),)),
    )
    more = {"tick_ps": 2000, **more}
    return Instance("test", models, package, Options(), **more)


def single(layer: Layer, samples: int = 1, mini_batches: int = 1) -> Model:
    """A model of one layer with an input and an output."""
    b = layer.bounds
    rows, columns = (b.oy - 1) * b.stride + b.r, (b.ox - 1) * b.stride + b.s
    inputs = b.groups * b.c * rows * columns
    outputs = b.groups * b.k * b.oy * b.ox
    return Model(
        "m",
        (layer,),
        (
            Tensor("in", None, (layer.name,), inputs * samples),
            Tensor("out", layer.name, (), outputs * samples, output=True),
        ),
        samples,
        mini_batches,
    )


@st.composite
def layers(draw: st.DrawFn, dilated: bool = True) -> Layer:
    """Convolutions (grouped and depthwise too), matrix products, attention."""
    kind = draw(st.sampled_from(("conv", "gemm", "depthwise", "matmul", "grouped")))
    size = st.integers(1, 40)
    if kind in ("gemm", "matmul"):
        groups = draw(st.integers(1, 6)) if kind == "matmul" else 1
        bounds = LoopBounds(
            draw(st.integers(1, 600)),
            draw(st.integers(1, 300)),
            draw(st.integers(1, 100)),
            groups=groups,
        )
        weights = bounds.k * bounds.c if kind == "gemm" else 0
        return Layer("layer", kind, bounds, weights)
    r, s = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    groups = 1 if kind == "conv" else draw(st.integers(2, 40))
    one = kind == "depthwise"
    bounds = LoopBounds(
        k=1 if one else draw(size),
        c=1 if one else draw(size),
        oy=draw(st.integers(1, 20)),
        ox=draw(st.integers(1, 20)),
        r=r,
        s=s,
        stride=draw(st.integers(1, 3)),
        groups=groups,
        dilation=draw(st.integers(1, 2)) if dilated else 1,
    )
    return conv(bounds)


@st.composite
def chiplets(draw: st.DrawFn, dataflows: tuple[str, ...] = ("ws", "os", "rs", "tpu")):
    """Chiplet types of the families."""
    return chiplet(
        draw(st.sampled_from(dataflows)),
        num_pes=draw(st.integers(1, 700)),
        noc_bytes_per_cycle=Fraction(
            draw(st.integers(1, 2000)), draw(st.integers(1, 8))
        ),
        l1_bytes_per_pe=draw(st.sampled_from((16, 128, 512))),
        l2_bytes=1 << draw(st.integers(13, 22)),
    )

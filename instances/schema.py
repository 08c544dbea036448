"""What is given: models, package, options. No costs, no scheduling.

Every physical number is a `fractions.Fraction` read from its decimal text, so
that a bandwidth of 25.6 GB/s is exactly that everywhere downstream. Field
names carry the unit. Absence is `None`: an absent bandwidth is unlimited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from instances.check import check_instance
from instances.faults import InstanceError
from instances.options import Options, TimedOptions, WindowedOptions
from instances.vocabulary import (
    DRAM_MODES,
    OPERANDS,
    OPERATORS,
    SRAM_MODES,
    TOPOLOGIES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.dataflow import Dataflow

__all__ = [
    "DRAM_MODES",
    "OPERATORS",
    "SRAM_MODES",
    "TOPOLOGIES",
    "Chiplet",
    "ChipletType",
    "Dram",
    "GivenMode",
    "Instance",
    "Interface",
    "Layer",
    "Link",
    "LoopBounds",
    "Model",
    "Options",
    "Package",
    "Tensor",
    "TimedOptions",
    "WindowedOptions",
]


@dataclass(frozen=True, slots=True)
class LoopBounds:
    """Loop bounds of one layer for one sample.

    out[g, k, y, x] += w[g, k, c, r, s]
                       * in[g, c, y*stride + r*dilation, x*stride + s*dilation]

    Parameters
    ----------
    k, c
        Output and input channels *per group*.
    r, s
        Filter rows and columns.
    oy, ox
        Output rows and columns.
        A GEMM of M rows, N columns, inner size K is oy=M, k=N, c=K, ox=r=s=1.
    stride, dilation
        Of both axes.
    groups
        Independent repetitions: convolution groups (depthwise: groups =
        channels, k = c = 1) or attention heads.

    Notes
    -----
    Vector operators (`vocabulary.VECTOR_OPERATORS`) have an output of the same
    shape, groups*k channels of oy rows and ox columns, and c = 1. Only pooling
    has a window (r, s, stride, dilation). ``softmax``, ``layer_norm`` and
    ``rms_norm`` go over the k channels of each position and group,
    ``group_norm`` over all channels and positions of a group.
    """

    k: int
    c: int
    oy: int
    ox: int = 1
    r: int = 1
    s: int = 1
    stride: int = 1
    groups: int = 1
    dilation: int = 1

    @property
    def macs(self) -> int:
        """Turns of all loops for one sample: the MACs of an operator that has MACs."""
        per_group = self.k * self.c * self.r * self.s * self.oy * self.ox
        return self.groups * per_group

    @property
    def outputs(self) -> int:
        """Output elements of one sample."""
        return self.groups * self.k * self.oy * self.ox

    @property
    def rows_in(self) -> int:
        """Input rows between the first and the last one needed, padding included."""
        return (self.oy - 1) * self.stride + (self.r - 1) * self.dilation + 1

    @property
    def columns_in(self) -> int:
        """Input columns, likewise."""
        return (self.ox - 1) * self.stride + (self.s - 1) * self.dilation + 1


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a model.

    Parameters
    ----------
    name
        Unique in its model.
    op
        ``conv`` or ``gemm`` (one operand is weights), ``matmul`` (both operands
        are tensors), a vector operator (``add``, ``softmax``, …; see the README),
        ``opaque`` (no loops: its costs come from a given table).
    bounds
        For one sample; `None` exactly for ``opaque``.
    weight_bytes
        W_l: read-only operand, the same for all samples; 0 for none.
    operands
        Names of the tensors that the loops run over: one of ``conv``, ``gemm`` and
        poolings, or several, joined along the channels; left and right of
        ``matmul``. Further inputs are added to the output.
        Empty: the first ones that the layer reads, in the order of
        `Model.tensors`.
    """

    name: str
    op: str
    bounds: LoopBounds | None
    weight_bytes: int
    operands: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one sample; 0 for vector work and ``opaque``."""
        return self.bounds.macs if self.bounds and self.op in OPERANDS else 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """Data that a layer makes, or that comes in from outside.

    Parameters
    ----------
    name
        Unique in its model.
    producer
        Name of a layer, or `None` for a model input.
    consumers
        Names of layers of the same model that read it.
    bytes
        Per mini-batch.
    output
        A model output. A produced tensor without consumers is one in any case.
    transfer_ticks
        Chiplet type -> ticks to send or receive it, instead of bytes (which are
        then 0); only with the option ``serial``. A missing type is free (0).
    """

    name: str
    producer: str | None
    consumers: tuple[str, ...]
    bytes: int
    output: bool = False
    transfer_ticks: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A DAG of layers in a stated topological order.

    Parameters
    ----------
    samples
        b_m, samples per mini-batch.
    mini_batches
        n_m, mini-batches per round.
    source
        Where shapes come from.
    """

    name: str
    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    samples: int = 1
    mini_batches: int = 1
    source: str = ""


@dataclass(frozen=True, slots=True)
class ChipletType:
    """One kind of chiplet; see MODEL.md, Package.

    `dataflow` is one of the user's own, or names one of the cost model, searched or
    fixed.
    Energies are per MAC and per byte moved at L1 and L2 and over the NoC.
    `noc_bytes_per_cycle` is the bandwidth between L2 and the PE array. Energies
    that hold at the node `energies_at_nm` and a clock that holds at `clock_at_nm`
    are scaled to the node `technology_nm` by the cost model; where one of the two
    nodes is `None`, they are taken as they stand. `vector_lanes` is how many
    operations of vector work (pooling, norms, …) it does per cycle; `None`: one a PE.
    """

    name: str
    dataflow: str | Dataflow
    num_pes: int
    l1_bytes_per_pe: int
    l2_bytes: int
    noc_bytes_per_cycle: Fraction
    clock_mhz: Fraction
    mac_energy_pj: Fraction
    l1_energy_pj_per_byte: Fraction
    l2_energy_pj_per_byte: Fraction
    static_power_mw: Fraction = Fraction(0)
    source: str = ""
    noc_energy_pj_per_byte: Fraction = Fraction(0)
    technology_nm: int | None = None
    energies_at_nm: int | None = None
    clock_at_nm: int | None = None
    vector_lanes: int | None = None

    @property
    def dataflow_name(self) -> str:
        """Name of the dataflow."""
        flow = self.dataflow
        return flow if isinstance(flow, str) else flow.name


@dataclass(frozen=True, slots=True)
class Link:
    """A directed NoP link between two routers."""

    src: int
    dst: int
    bandwidth_gb_s: Fraction | None
    hop_latency_ns: Fraction
    energy_pj_per_bit: Fraction


@dataclass(frozen=True, slots=True)
class Interface:
    """A DRAM interface at a router, with its share of the total bandwidth."""

    router: int
    share: Fraction


@dataclass(frozen=True, slots=True)
class Dram:
    """Memory of the package. `bandwidth_gb_s` is the total; `None` is unlimited."""

    bandwidth_gb_s: Fraction | None
    latency_ns: Fraction
    energy_pj_per_bit: Fraction
    interfaces: tuple[Interface, ...]
    mode: str = "shared"


@dataclass(frozen=True, slots=True)
class Chiplet:
    """A chiplet at a router; its id is its place in `Package.chiplets`."""

    type: str
    router: int


@dataclass(frozen=True, slots=True)
class Package:
    """Chiplets, routers, links, DRAM.

    Routers of a mesh, torus or triangular mesh are numbered row-major, x first:
    router = y*width + x. `links` is always the full list of directed links
    (built from the topology by the loader); topology ``none`` has no links:
    every route is empty, only ports and interfaces count.
    """

    name: str
    topology: str
    width: int
    height: int
    types: Mapping[str, ChipletType]
    chiplets: tuple[Chiplet, ...]
    links: tuple[Link, ...]
    port_in_gb_s: Fraction | None
    port_out_gb_s: Fraction | None
    dram: Dram
    source: str = ""


@dataclass(frozen=True, slots=True)
class GivenMode:
    """One mode of a cost that the instance itself gives (see `Instance.costs`).

    Quantities are those of a cost-table mode, per mini-batch. `ri_bytes` maps
    an input tensor's name to its refetch bytes. `holds_weights`: the working
    set holds all weights of the layer, so they are fetched once a round.
    """

    model: str
    layer: str
    chiplet_type: str
    latency_ticks: int
    energy_quanta: int
    ws_bytes: int
    rw_bytes: int = 0
    ri_bytes: Mapping[str, int] = field(default_factory=dict)
    ro_bytes: int = 0
    holds_weights: bool = True


@dataclass(frozen=True, slots=True)
class Instance:
    """Everything that is given.

    Parameters
    ----------
    tick_ps, energy_quantum_fj
        The quanta: one tick of time, one quantum of energy.
    costs
        `None`: the cost model builds the table. Otherwise the table itself;
        a (layer, chiplet type) without a row is not supported there.
    bytes_per_element
        Precision the models were built with (1 = 8-bit).

    Raises
    ------
    InstanceError
        With all that `instances.check.check_instance` finds.
    """

    name: str
    models: tuple[Model, ...]
    package: Package
    options: Options
    tick_ps: int
    energy_quantum_fj: int = 10
    bytes_per_element: int = 1
    costs: tuple[GivenMode, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse an instance with faults."""
        faults = check_instance(self)
        if faults:
            raise InstanceError(faults)

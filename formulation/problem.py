"""The problem as the engines see it: tasks, modes, tensors, resources. Integers only.

Past `compile` there are no convolutions, no nanoseconds and no picojoules. Time
is in ticks, data in bytes, energy in *energy units* of which `energy_den` make a
quantum, and the amount that a byte puts on a resource in *load units* of which
`load_unit` make a byte (so that the shares of interleaved DRAM stay integers).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

Rest = ParamSpec("Rest")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Rate:
    """An exact bandwidth: `num`/`den` load units per tick."""

    num: int
    den: int

    def ticks(self, units: int) -> int:
        """Return the least whole number of ticks that carries `units` load units."""
        return -(-units * self.den // self.num)


@dataclass(frozen=True, slots=True)
class Resource:
    """A link, port or DRAM interface of finite bandwidth.

    Parameters
    ----------
    kind
        ``link``, ``port`` or ``dram``: the label of its rule.
    rate
        What its rule allows per tick.
    stream_rate
        What one layer's own DRAM stream may use (equal to `rate`, or its share
        with ``guaranteed``).
    counts_streams
        Whether DRAM streams count in its rule (not with ``guaranteed`` on links
        and ports, where `rate` is the half kept for package transfers).
    bandwidth
        All that it carries per tick, whatever ``guaranteed`` keeps for whom.
    """

    kind: str
    name: str
    rate: Rate
    stream_rate: Rate
    counts_streams: bool
    bandwidth: Rate


@dataclass(frozen=True, slots=True)
class Flow:
    """What one byte does on a fixed way between a chiplet and DRAM.

    Parameters
    ----------
    loads
        (resource, load units per byte), ascending, no resource twice.
    energy
        Energy units per byte: links crossed and the DRAM access.
    """

    loads: tuple[tuple[int, int], ...]
    energy: int


@dataclass(frozen=True, slots=True)
class NopLink:
    """A directed link: its resource (`None` if unlimited) and energy units a byte."""

    resource: int | None
    energy: int


@dataclass(frozen=True, slots=True)
class Chiplet:
    """A chiplet: type name, L2, ports (resource or `None`), its way to DRAM.

    Parameters
    ----------
    home
        f(c): index of its interface.
    reads
        Home interface of the data -> how it is read here. Without ``private``
        all entries are the same.
    write
        How a byte is written from here.
    """

    name: str
    type: str
    l2_bytes: int
    port_in: int | None
    port_out: int | None
    home: int
    reads: tuple[Flow, ...]
    write: Flow


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode of a task on a chiplet, per round.

    `weight_bytes` is w(l, mode): what is read as weights per round if streamed, in
    `fetches` equal parts (one, or one a mini-batch).
    `ri_bytes` is aligned with the task's `inputs`. `row` is the place of the
    mode in the cost table.
    """

    latency_ticks: int
    energy: int
    ws_bytes: int
    weight_bytes: int
    ri_bytes: tuple[int, ...]
    ro_bytes: int
    row: int
    fetches: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A layer: its model, resident size, tensors and modes per chiplet."""

    name: str
    model: int
    weight_bytes: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    modes: tuple[tuple[Mode, ...], ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor, per round.

    Parameters
    ----------
    producer
        A task, or `None` for a model input.
    output
        Written to DRAM for the outside whatever its place.
    transfer
        Ticks per chiplet to send or receive it; `None`: its bytes count.
    """

    name: str
    model: int
    producer: int | None
    consumers: tuple[int, ...]
    bytes: int
    output: bool
    transfer: tuple[int, ...] | None

    @property
    def placed(self) -> bool:
        """Whether a schedule says where it lies."""
        return self.producer is not None and bool(self.consumers)


@dataclass(frozen=True, slots=True)
class ProblemModel:
    """A model: tasks `first` … `last` (inclusive) in topological order."""

    name: str
    first: int
    last: int
    max_stage: int
    max_stage_given: bool
    latency_cap_ticks: int | None
    samples_per_round: int

    @property
    def tasks(self) -> range:
        """Its tasks in topological order."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True)
class Timing:
    """What only timed schedules are given (MODEL.md §6).

    Parameters
    ----------
    contention
        ``exact``, ``fluid`` or ``none``.
    store_and_forward
        Whether a transfer takes the resources of its way one after another.
    weights
        ``fetched``, ``preloaded`` or ``streamed``.
    releases
        Per model: when each of its rounds is released, in ticks.
    due_ticks
        Per model: when a round is due after its release; `None`: never.
    caps
        (part of an objective, its largest value).
    """

    contention: str
    store_and_forward: bool
    weights: str
    releases: tuple[tuple[int, ...], ...]
    due_ticks: tuple[int | None, ...]
    caps: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Windowing:
    """What only windowed schedules are given (MODEL.md §7); all words are neutral.

    Parameters
    ----------
    windows
        W: how many windows there may be at most.
    single
        Whether mini-batches pass one after the other, never in groups.
    weights_once
        Whether weights are read once a window, not by every group.
    refetch
        Whether bytes that a tiling reads again count.
    segments_fit
        Whether what a segment keeps must fit L2, not only each layer.
    receiver_only
        Whether a hand-over takes the time of the receiver alone.
    conflict_ticks
        What every movement takes longer.
    mini_batches
        Per model: n.
    read_ticks, write_ticks
        Per chiplet: λ_R and λ_W, latencies of DRAM and the route together.
    caps
        (part of an objective, its largest value).
    """

    windows: int = 5
    single: bool = False
    weights_once: bool = False
    refetch: bool = False
    segments_fit: bool = False
    receiver_only: bool = False
    conflict_ticks: int = 0
    mini_batches: tuple[int, ...] = ()
    read_ticks: tuple[int, ...] = ()
    write_ticks: tuple[int, ...] = ()
    caps: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """All of §1 and the options of §2, §6 and §7 of MODEL.md, in integers.

    Parameters
    ----------
    route_ticks
        Latency of the route from one chiplet to another, in whole ticks.
    dram_ticks
        DRAM latency in whole ticks.
    static_energy
        Energy units that all chiplets together draw in a tick.
    dram_energy
        Energy units of a byte read or written in DRAM: the part of `Flow.energy`
        that is no link's.
    kind
        The kind of schedule that is asked for, a name of `kinds.KINDS`.
    known
        What `remembered` functions found for this very object; no part of the
        problem, and empty in a copy by `dataclasses.replace`.
    """

    name: str
    instance_sha256: str
    table_sha256: str
    tick_ps: int
    energy_quantum_fj: int
    energy_den: int
    load_unit: int
    chiplets: tuple[Chiplet, ...]
    resources: tuple[Resource, ...]
    links: tuple[NopLink, ...]
    routes: tuple[tuple[tuple[int, ...], ...], ...]
    static_energy: int
    dram_energy: int
    floor_ticks: int
    route_ticks: tuple[tuple[int, ...], ...]
    dram_ticks: int
    models: tuple[ProblemModel, ...]
    tasks: tuple[Task, ...]
    tensors: tuple[Tensor, ...]
    contiguous: bool
    convex: bool
    exclusive: bool
    multicast: bool
    serial: bool
    guaranteed: bool
    private: bool
    residents_only: bool
    colocate: tuple[tuple[int, ...], ...]
    energy_cap_quanta: int | None
    period_cap_ticks: int | None
    timing: Timing
    kind: str
    windowing: Windowing = Windowing()
    known: dict[object, object] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def full_name(self, task: int) -> str:
        """Return ``model/layer`` of a task."""
        t = self.tasks[task]
        return f"{self.models[t.model].name}/{t.name}"

    def tensor_name(self, tensor: int) -> str:
        """Return ``model/tensor`` of a tensor."""
        u = self.tensors[tensor]
        return f"{self.models[u.model].name}/{u.name}"

    def supported(self, task: int) -> tuple[int, ...]:
        """Return the chiplets that support a task."""
        return tuple(c for c, m in enumerate(self.tasks[task].modes) if m)

    def always_dram(self, tensor: int) -> bool:
        """Whether the tensor is dram in every schedule (inputs, plain outputs)."""
        return not self.tensors[tensor].placed

    def always_package(self, tensor: int) -> bool:
        """Whether the tensor is package in every schedule (given by times)."""
        return self.tensors[tensor].transfer is not None and not self.always_dram(
            tensor
        )


def on_chiplets(p: Problem, chiplet: tuple[int, ...]) -> Problem:
    """Return the problem with every layer on its chiplet."""
    tasks = tuple(
        replace(
            task, modes=tuple(m if c == d else () for d, m in enumerate(task.modes))
        )
        for task, c in zip(p.tasks, chiplet, strict=True)
    )
    return replace(p, tasks=tasks)


def remembered(
    find: Callable[Concatenate[Problem, Rest], Found],
) -> Callable[Concatenate[Problem, Rest], Found]:
    """Return the function, working its answer out once per problem and arguments.

    The answer must not be changed by who gets it. It lives as long as the problem: a
    cache keyed by the problem would hash all of it at every call.
    """

    @wraps(find)
    def look_up(p: Problem, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Found:
        key = (find, args, tuple(kwargs.items()))
        if key not in p.known:
            p.known[key] = find(p, *args, **kwargs)
        return cast("Found", p.known[key])

    return look_up

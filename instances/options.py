"""Options of schedules: what an instance may ask for beside models and package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction


@dataclass(frozen=True, slots=True)
class TimedOptions:
    """Options of timed schedules alone; the defaults are neutral. See MODEL.md §6.

    Parameters
    ----------
    contention, switching, weights
        A word of `vocabulary.CONTENTIONS`, `SWITCHINGS`, `WEIGHT_POLICIES` each.
    rounds
        Model -> k_m, how many rounds it runs; 1 where it is absent.
    release_ticks
        Model -> when each of its rounds is released; 0 where it is absent.
    frames_per_second
        Model -> samples that arrive in a second, instead of `release_ticks`.
    due_ticks
        Model -> when a round of it is due, counted from its release.
    caps
        Part of an objective, such as ``makespan`` -> its largest value.
    """

    contention: str = "exact"
    switching: str = "cut_through"
    weights: str = "fetched"
    rounds: Mapping[str, int] = field(default_factory=dict)
    release_ticks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    frames_per_second: Mapping[str, Fraction] = field(default_factory=dict)
    due_ticks: Mapping[str, int] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WindowedOptions:
    """Options of windowed schedules alone; the defaults are neutral. See MODEL.md §7.

    Parameters
    ----------
    windows
        W: how many windows there may be at most.
    mini_batches, weights, memory, handover
        A word of `vocabulary.GROUPINGS`, `WEIGHT_READS`, `MEMORIES`, `HANDOVERS` each.
    refetch
        Whether bytes that a tiling reads again count.
    conflict_ticks
        What every movement takes longer because of others.
    caps
        Part of an objective, such as ``makespan`` -> its largest value.
    """

    windows: int = 5
    mini_batches: str = "grouped"
    weights: str = "every_group"
    refetch: bool = False
    memory: str = "layers"
    handover: str = "both"
    conflict_ticks: int = 0
    caps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of schedules; the defaults are neutral. See MODEL.md.

    `colocate` holds groups of (model, layer); `max_stage` and
    `latency_cap_ticks` map a model's name to its limit; `kind` is the kind of schedule
    that is asked for, a word of `vocabulary.KINDS`.
    """

    contiguous: bool = False
    convex: bool = False
    exclusive: bool = False
    multicast: bool = False
    serial: bool = False
    guaranteed: bool = False
    sram: str = "full"
    colocate: tuple[tuple[tuple[str, str], ...], ...] = ()
    max_stage: Mapping[str, int] = field(default_factory=dict)
    latency_cap_ticks: Mapping[str, int] = field(default_factory=dict)
    energy_cap_pj: Fraction | None = None
    period_cap_ticks: int | None = None
    timed: TimedOptions = TimedOptions()
    kind: str = "pipelined"
    windowed: WindowedOptions = WindowedOptions()

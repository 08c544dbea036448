"""An instance from the tree of its scenario."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from instances.faults import InstanceError
from instances.fields import (
    Reading,
    exact,
    fields,
    flag,
    integer,
    integers,
    items,
    limit,
    mapping,
    text,
)
from instances.files import check_schema
from instances.keys import SCENARIO_SCHEMA
from instances.parse_model import parse_model
from instances.parse_package import parse_package
from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    GivenMode,
    Instance,
    Interface,
    Model,
    Options,
    Package,
    TimedOptions,
    WindowedOptions,
)

if TYPE_CHECKING:
    from instances.faults import Fault
    from instances.tree import Node

_ONE = Fraction(1)
_NO_TYPE = ChipletType("?", "?", 1, 1, 1, _ONE, _ONE, _ONE, _ONE, _ONE)
_NO_PACKAGE = Package(
    name="?",
    topology="none",
    width=1,
    height=1,
    types={"?": _NO_TYPE},
    chiplets=(Chiplet("?", 0),),
    links=(),
    port_in_gb_s=None,
    port_out_gb_s=None,
    dram=Dram(None, _ONE, _ONE, (Interface(0, _ONE),)),
)


def parse_instance(reading: Reading, tree: Node) -> Instance:
    """Return the instance of a scenario.

    Raises
    ------
    InstanceError
        With all faults: those already in `reading`, those of reading `tree`,
        and what `instances.check.check_instance` finds, each at its place.
    """
    check_schema(reading, tree, SCENARIO_SCHEMA)
    entries = fields(reading, tree, "scenario")
    precision = integer(reading, entries.get("bytes_per_element"))
    models: list[Model] = []
    rows = items(reading, entries.get("models"))
    unknown_model = False
    for row in rows:
        model = parse_model(reading, row, max(precision, 1))
        if model is None:
            unknown_model = True
            continue
        reading.places[f"models[{len(models)}]"] = row
        models.append(model)
    package = None
    if "package" in entries:
        package = parse_package(reading, entries["package"])
    reading.places[""] = tree
    for key in ("models", "options", "costs", "tick_ps", "name"):
        reading.places[key] = entries.get(key, tree)
    try:
        instance = Instance(
            name=text(reading, entries.get("name")),
            models=tuple(models),
            package=_NO_PACKAGE if package is None else package,
            options=_parse_options(reading, entries.get("options")),
            tick_ps=_parse_tick(reading, entries.get("tick_ps"), tree, package),
            energy_quantum_fj=integer(reading, entries.get("energy_quantum_fj"), 10),
            bytes_per_element=precision,
            costs=_parse_costs(reading, entries.get("costs")),
        )
    except InstanceError as error:
        _add_checked(reading, error, package is None, unknown_model)
    if reading.faults:
        raise InstanceError(sorted(dict.fromkeys(reading.faults), key=_order))
    return instance


def _add_checked(
    reading: Reading, error: InstanceError, no_package: bool, no_model: bool
) -> None:
    """Add faults of the built instance, but none that only follow from others."""
    bad = {(fault.file, fault.path, fault.line) for fault in reading.faults}
    if not bad:
        reading.faults += [reading.located(fault) for fault in error.faults]
        return
    for fault in error.faults:
        about_type = "chiplet_type" in fault.path or "transfer_ticks" in fault.path
        about_model = fault.expected.startswith("a model:") or fault.path == "models"
        if (no_package and about_type) or (no_model and about_model):
            continue
        located = reading.located(fault)
        if (located.file, located.path, located.line) not in bad:
            reading.faults.append(located)


def _order(fault: Fault) -> tuple[str, int]:
    return fault.file, fault.line or 0


def _parse_tick(
    reading: Reading, node: Node | None, tree: Node, package: Package | None
) -> int:
    """The tick in ps; by default one cycle of the fastest chiplet's clock."""
    if node is not None:
        return integer(reading, node)
    if package is None:
        return 1
    used = {chiplet.type for chiplet in package.chiplets} & set(package.types)
    clocks = [package.types[name].clock_mhz for name in used]
    if not clocks or min(clocks) <= 0:
        return 1
    cycle = Fraction(1_000_000) / max(clocks)
    if cycle.denominator == 1:
        return int(cycle)
    got = f"no tick_ps, and a cycle of {cycle} ps of the fastest chiplet"
    reading.faults.append(tree.fault(got, "the key 'tick_ps', a whole number of ps"))
    return 1


def _parse_options(reading: Reading, node: Node | None) -> Options:
    """Options; what is absent is neutral."""
    entries = {} if node is None else fields(reading, node, "options")
    period_cap = entries.get("period_cap_ticks")
    if period_cap is not None and period_cap.value is None:
        period_cap = None
    return Options(
        contiguous=flag(reading, entries.get("contiguous")),
        convex=flag(reading, entries.get("convex")),
        exclusive=flag(reading, entries.get("exclusive")),
        multicast=flag(reading, entries.get("multicast")),
        serial=flag(reading, entries.get("serial")),
        guaranteed=flag(reading, entries.get("guaranteed")),
        sram=text(reading, entries.get("sram"), "full"),
        colocate=tuple(
            tuple(_parse_pair(reading, pair) for pair in items(reading, group))
            for group in items(reading, entries.get("colocate"))
        ),
        max_stage=integers(reading, entries.get("max_stage")),
        latency_cap_ticks=integers(reading, entries.get("latency_cap_ticks")),
        energy_cap_pj=limit(reading, entries.get("energy_cap_pj")),
        period_cap_ticks=None if period_cap is None else integer(reading, period_cap),
        timed=_parse_timed(reading, entries.get("timed")),
        kind=text(reading, entries.get("kind"), Options().kind),
        windowed=_parse_windowed(reading, entries.get("windowed")),
    )


def _parse_timed(reading: Reading, node: Node | None) -> TimedOptions:
    """Options of timed schedules; what is absent is neutral."""
    entries = {} if node is None else fields(reading, node, "timed")
    neutral = TimedOptions()
    releases = mapping(reading, entries.get("release_ticks"))
    rates = mapping(reading, entries.get("frames_per_second"))
    return TimedOptions(
        contention=text(reading, entries.get("contention"), neutral.contention),
        switching=text(reading, entries.get("switching"), neutral.switching),
        weights=text(reading, entries.get("weights"), neutral.weights),
        rounds=integers(reading, entries.get("rounds")),
        release_ticks={
            name: tuple(integer(reading, x) for x in items(reading, entry))
            for name, entry in releases.items()
        },
        frames_per_second={name: exact(reading, x) for name, x in rates.items()},
        due_ticks=integers(reading, entries.get("due_ticks")),
        caps=integers(reading, entries.get("caps")),
    )


def _parse_windowed(reading: Reading, node: Node | None) -> WindowedOptions:
    """Options of windowed schedules; what is absent is neutral."""
    entries = {} if node is None else fields(reading, node, "windowed")
    neutral = WindowedOptions()

    def word(key: str) -> str:
        return text(reading, entries.get(key), getattr(neutral, key))

    def number(key: str) -> int:
        return integer(reading, entries.get(key), getattr(neutral, key))

    return WindowedOptions(
        windows=number("windows"),
        mini_batches=word("mini_batches"),
        weights=word("weights"),
        refetch=flag(reading, entries.get("refetch")),
        memory=word("memory"),
        handover=word("handover"),
        conflict_ticks=number("conflict_ticks"),
        caps=integers(reading, entries.get("caps")),
    )


def _parse_pair(reading: Reading, node: Node) -> tuple[str, str]:
    """A [model, layer] pair."""
    pair = items(reading, node)
    if len(pair) != 2:
        if isinstance(node.value, tuple):
            reading.faults.append(node.fault(f"{len(pair)} items", "[model, layer]"))
        return ("?", "?")
    return text(reading, pair[0]), text(reading, pair[1])


def _parse_costs(reading: Reading, node: Node | None) -> tuple[GivenMode, ...] | None:
    """The rows of ``costs``; `None` where there is no such key."""
    if node is None or node.value is None:
        return None
    return tuple(_parse_cost(reading, row) for row in items(reading, node))


def _parse_cost(reading: Reading, node: Node) -> GivenMode:
    """One row."""
    entries = fields(reading, node, "cost")
    return GivenMode(
        model=text(reading, entries.get("model")),
        layer=text(reading, entries.get("layer")),
        chiplet_type=text(reading, entries.get("chiplet_type")),
        latency_ticks=integer(reading, entries.get("latency_ticks")),
        energy_quanta=integer(reading, entries.get("energy_quanta")),
        ws_bytes=integer(reading, entries.get("ws_bytes")),
        rw_bytes=integer(reading, entries.get("rw_bytes"), 0),
        ri_bytes=integers(reading, entries.get("ri_bytes")),
        ro_bytes=integer(reading, entries.get("ro_bytes"), 0),
        holds_weights=flag(reading, entries.get("holds_weights"), True),
    )

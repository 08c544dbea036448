"""Instance + CostTable → Problem: names become indices, quantities integers.

The package is translated in `network`, the workload here. Nothing is rounded but what
MODEL.md rounds: `floor` (whole ticks).
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from formulation.network import Network, network_of
from formulation.problem import (
    Mode,
    Problem,
    ProblemModel,
    Task,
    Tensor,
    Timing,
    Windowing,
)
from instances.load import instance_sha256

if TYPE_CHECKING:
    from costmodel.table import CostTable
    from costmodel.table import Mode as TableMode
    from instances.schema import Instance, Model


class CompileError(ValueError):
    """A cost table that does not belong to the instance."""


def _mode(mode: TableMode, row: int, model: Model, layer: str, energy_den: int) -> Mode:
    n = model.mini_batches
    weights = next(x.weight_bytes for x in model.layers if x.name == layer)
    inputs = [u.name for u in model.tensors if layer in u.consumers]
    return Mode(
        latency_ticks=mode.latency_ticks * n,
        energy=mode.energy_quanta * n * energy_den,
        ws_bytes=mode.ws_bytes,
        weight_bytes=(weights + mode.rw_bytes) * (1 if mode.holds_weights else n),
        ri_bytes=tuple(mode.ri_bytes.get(u, 0) * n for u in inputs),
        ro_bytes=mode.ro_bytes * n,
        row=row,
        fetches=1 if mode.holds_weights else n,
    )


def _tensors(
    model: Model, m: int, index: dict[str, int], types: list[str]
) -> list[Tensor]:
    """Return the tensors of a model; `index` maps its layers to tasks."""
    tensors = []
    for u in model.tensors:
        times = u.transfer_ticks
        tensors.append(
            Tensor(
                name=u.name,
                model=m,
                producer=None if u.producer is None else index[u.producer],
                consumers=tuple(sorted(index[j] for j in u.consumers)),
                bytes=u.bytes * model.mini_batches,
                output=u.output or (u.producer is not None and not u.consumers),
                transfer=None
                if times is None
                else tuple(times.get(name, 0) * model.mini_batches for name in types),
            )
        )
    return tensors


def _tasks(
    model: Model,
    m: int,
    start: int,
    types: list[str],
    table: CostTable,
    energy_den: int,
) -> list[Task]:
    """Return the layers of a model, whose first tensor is number `start`."""
    tasks = []
    names = list(enumerate(model.tensors, start))
    for layer in model.layers:
        by_type = {
            name: tuple(
                _mode(mode, row, model, layer.name, energy_den)
                for row, mode in enumerate(
                    table.rows.get((model.name, layer.name, name), ())
                )
            )
            for name in set(types)
        }
        tasks.append(
            Task(
                name=layer.name,
                model=m,
                weight_bytes=layer.weight_bytes,
                inputs=tuple(u for u, x in names if layer.name in x.consumers),
                outputs=tuple(u for u, x in names if layer.name == x.producer),
                modes=tuple(by_type[name] for name in types),
            )
        )
    return tasks


def _workload(
    instance: Instance, table: CostTable, energy_den: int
) -> tuple[list[ProblemModel], list[Task], list[Tensor]]:
    """Return models, tasks and tensors, all in the instance's order."""
    models: list[ProblemModel] = []
    tasks: list[Task] = []
    tensors: list[Tensor] = []
    options = instance.options
    types = [c.type for c in instance.package.chiplets]
    for m, model in enumerate(instance.models):
        first, start = len(tasks), len(tensors)
        index = {layer.name: first + k for k, layer in enumerate(model.layers)}
        tensors += _tensors(model, m, index, types)
        tasks += _tasks(model, m, start, types, table, energy_den)
        n = len(model.layers)
        given = options.max_stage.get(model.name)
        models.append(
            ProblemModel(
                name=model.name,
                first=first,
                last=first + n - 1,
                max_stage=min(2 * (n - 1), given if given is not None else 2 * (n - 1)),
                max_stage_given=given is not None and given < 2 * (n - 1),
                latency_cap_ticks=options.latency_cap_ticks.get(model.name),
                samples_per_round=model.samples * model.mini_batches,
            )
        )
    return models, tasks, tensors


def _releases(instance: Instance, model: Model) -> tuple[int, ...]:
    """Return when the rounds of a model are released: given, or its last frame's."""
    timed = instance.options.timed
    rounds = timed.rounds.get(model.name, 1)
    rate = timed.frames_per_second.get(model.name)
    if rate is None:
        return timed.release_ticks.get(model.name, (0,) * rounds)
    frames = model.samples * model.mini_batches
    ticks = Fraction(10**12, instance.tick_ps) / rate  # from a frame to the next one
    return tuple(ceil(((k + 1) * frames - 1) * ticks) for k in range(rounds))


def _timing(instance: Instance) -> Timing:
    """Return what only timed schedules are given."""
    timed = instance.options.timed
    return Timing(
        contention=timed.contention,
        store_and_forward=timed.switching == "store_and_forward",
        weights=timed.weights,
        releases=tuple(_releases(instance, model) for model in instance.models),
        due_ticks=tuple(timed.due_ticks.get(model.name) for model in instance.models),
        caps=tuple(sorted(timed.caps.items())),
    )


def _windowing(instance: Instance, network: Network) -> Windowing:
    """Return what only windowed schedules are given."""
    windowed = instance.options.windowed
    return Windowing(
        windows=windowed.windows,
        single=windowed.mini_batches == "single",
        weights_once=windowed.weights == "once",
        refetch=windowed.refetch,
        segments_fit=windowed.memory == "segments",
        receiver_only=windowed.handover == "receiver",
        conflict_ticks=windowed.conflict_ticks,
        mini_batches=tuple(model.mini_batches for model in instance.models),
        read_ticks=network.read_ticks,
        write_ticks=network.write_ticks,
        caps=tuple(sorted(windowed.caps.items())),
    )


def _check_table(instance: Instance, sha: str, table: CostTable) -> None:
    """Refuse a table of another instance (`sha`: of this one) or in other quanta."""
    stated = (table.instance_sha256, table.tick_ps, table.energy_quantum_fj)
    if stated != (sha, instance.tick_ps, instance.energy_quantum_fj):
        raise CompileError(
            f"cost table: got one of instance {stated[0][:12]} in ticks of {stated[1]} "
            f"ps and quanta of {stated[2]} fJ, expected {sha[:12]}, "
            f"{instance.tick_ps} ps, {instance.energy_quantum_fj} fJ"
        )


def compile_problem(instance: Instance, table: CostTable) -> Problem:
    """Return the problem of an instance under a cost table.

    Raises
    ------
    CompileError
        If the table was built for another instance or in other quanta.
    """
    sha = instance_sha256(instance)
    _check_table(instance, sha, table)
    options, network = instance.options, network_of(instance)
    models, tasks, tensors = _workload(instance, table, network.energy_den)
    places = {(instance.models[t.model].name, t.name): k for k, t in enumerate(tasks)}
    cap = options.energy_cap_pj
    quantum_pj = Fraction(instance.energy_quantum_fj, 1000)
    return Problem(
        name=instance.name,
        instance_sha256=sha,
        table_sha256=table.sha256,
        tick_ps=instance.tick_ps,
        energy_quantum_fj=instance.energy_quantum_fj,
        energy_den=network.energy_den,
        load_unit=network.load_unit,
        chiplets=network.chiplets,
        resources=network.resources,
        links=network.links,
        routes=network.routes,
        static_energy=network.static_energy,
        dram_energy=network.dram_energy,
        floor_ticks=network.floor_ticks,
        route_ticks=network.route_ticks,
        dram_ticks=network.dram_ticks,
        models=tuple(models),
        tasks=tuple(tasks),
        tensors=tuple(tensors),
        contiguous=options.contiguous,
        convex=options.convex,
        exclusive=options.exclusive,
        multicast=options.multicast,
        serial=options.serial,
        guaranteed=options.guaranteed,
        private=instance.package.dram.mode == "private",
        residents_only=options.sram == "residents",
        colocate=tuple(tuple(places[x] for x in group) for group in options.colocate),
        energy_cap_quanta=None if cap is None else floor(cap / quantum_pj),
        period_cap_ticks=options.period_cap_ticks,
        timing=_timing(instance),
        kind=options.kind,
        windowing=_windowing(instance, network),
    )

"""What makes an instance acceptable: the one list of its rules.

`check_instance` judges objects, however they were made; the reader of files
only adds where each thing stood. Tests construct tiny instances directly, so
nothing here is stricter than the meaning of the fields asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.check_package import check_package
from instances.check_timed import check_timed
from instances.check_windowed import check_windowed
from instances.faults import (
    Fault,
    check_choice,
    check_exact,
    check_flag,
    check_integer,
    check_known,
    check_text,
    check_unique,
    join,
)
from instances.vocabulary import (
    JOINING,
    KINDS,
    OPERANDS,
    OPERATORS,
    POOLS,
    SCALES,
    SRAM_MODES,
    VECTOR_OPERATORS,
)

if TYPE_CHECKING:
    from instances.schema import GivenMode, Instance, Layer, Model, Tensor

BOUNDS = ("k", "c", "oy", "ox", "r", "s", "stride", "groups", "dilation")
_WEIGHTLESS = {
    **{op: "it has no weights" for op in VECTOR_OPERATORS if op not in SCALES},
    "matmul": "both operands are tensors; with weights it is a gemm",
    "embedding": "the table stays in DRAM; the rows looked up are an input tensor",
}
FLAGS = ("contiguous", "convex", "exclusive", "multicast", "serial", "guaranteed")


def check_instance(instance: Instance) -> list[Fault]:
    """All faults of an instance, in the order of its fields; empty if none."""
    faults: list[Fault] = []
    check_text(faults, "name", instance.name)
    if not instance.models:
        faults.append(Fault("models", "no models", "at least one"))
    check_unique(faults, "models", [model.name for model in instance.models])
    for index, model in enumerate(instance.models):
        faults += _check_model(model, join("models", index))
        _check_transfers(faults, instance, model, join("models", index))
    faults += check_package(instance.package)
    _check_options(faults, instance)
    for key in ("tick_ps", "energy_quantum_fj", "bytes_per_element"):
        check_integer(faults, key, getattr(instance, key), 1)
    _check_costs(faults, instance)
    return faults


def _check_model(model: Model, path: str) -> list[Fault]:
    """Faults of a model taken alone."""
    faults: list[Fault] = []
    check_text(faults, join(path, "name"), model.name)
    check_integer(faults, join(path, "samples"), model.samples, 1)
    check_integer(faults, join(path, "mini_batches"), model.mini_batches, 1)
    here = join(path, "layers")
    if not model.layers:
        faults.append(Fault(here, "no layers", "at least one"))
    check_unique(faults, here, [layer.name for layer in model.layers])
    for index, layer in enumerate(model.layers):
        _check_layer(faults, layer, join(here, index))
        _check_operands(faults, layer, model, join(here, index))
    here = join(path, "tensors")
    check_unique(faults, here, [tensor.name for tensor in model.tensors])
    place = {layer.name: index for index, layer in enumerate(model.layers)}
    for index, tensor in enumerate(model.tensors):
        _check_tensor(faults, tensor, place, join(here, index))
    return faults


def _check_layer(faults: list[Fault], layer: Layer, path: str) -> None:
    """Operator, loop bounds, weights."""
    check_text(faults, join(path, "name"), layer.name)
    check_choice(faults, join(path, "op"), layer.op, OPERATORS)
    check_integer(faults, join(path, "weight_bytes"), layer.weight_bytes, 0)
    if layer.op in _WEIGHTLESS and layer.weight_bytes:
        got = f"{layer.weight_bytes} for {layer.op!r}"
        expected = f"0 ({_WEIGHTLESS[layer.op]})"
        faults.append(Fault(join(path, "weight_bytes"), got, expected))
    here = join(path, "bounds")
    if layer.bounds is None:
        if layer.op != "opaque":
            faults.append(Fault(here, "none", f"loop bounds of a {layer.op}"))
        return
    if layer.op == "opaque":
        expected = "none (an opaque layer's costs are given)"
        faults.append(Fault(here, "loop bounds", expected))
    for key in BOUNDS:
        check_integer(faults, join(here, key), getattr(layer.bounds, key), 1)
    if layer.op in VECTOR_OPERATORS:
        window = () if layer.op in POOLS else ("r", "s", "stride", "dilation")
        for key in ("c", *window):
            value = getattr(layer.bounds, key)
            if isinstance(value, int) and value > 1:
                expected = f"1 for {layer.op!r} (channels are k, times groups)"
                faults.append(Fault(join(here, key), str(value), expected))


def _check_operands(faults: list[Fault], layer: Layer, model: Model, path: str) -> None:
    """As many operands as the loops have, read by the layer; or none said."""
    if not layer.operands:
        return
    here, count = join(path, "operands"), OPERANDS.get(layer.op, 0)
    if layer.op in JOINING:
        check_unique(faults, here, layer.operands, None)
    elif len(layer.operands) != count:
        expected = f"{count or 'none'} for {layer.op!r}"
        faults.append(Fault(here, str(len(layer.operands)), expected))
    reads = [u.name for u in model.tensors if layer.name in u.consumers]
    for index, name in enumerate(layer.operands):
        what = f"tensor read by {layer.name!r}"
        check_known(faults, join(here, index), name, reads, what)


def _check_tensor(
    faults: list[Fault], tensor: Tensor, place: dict[str, int], path: str
) -> None:
    """Known ends, in topological order; `place` is each layer's index."""
    check_text(faults, join(path, "name"), tensor.name)
    check_integer(faults, join(path, "bytes"), tensor.bytes, 0)
    check_flag(faults, join(path, "output"), tensor.output)
    here = join(path, "consumers")
    check_unique(faults, here, tensor.consumers, None)
    known = [
        check_known(faults, join(here, index), name, place, "layer of this model")
        for index, name in enumerate(tensor.consumers)
    ]
    producer = tensor.producer
    if producer is None:
        if tensor.output:
            expected = "false for a tensor without a producer (a model input)"
            faults.append(Fault(join(path, "output"), "true", expected))
        return
    end = join(path, "producer")
    if not check_known(faults, end, producer, place, "layer of this model"):
        return
    for index, name in enumerate(tensor.consumers):
        if known[index] and place[name] <= place[producer]:
            expected = (
                f"a layer after the producer {producer!r} (layers are listed in "
                "topological order, without cycles)"
            )
            faults.append(Fault(join(here, index), repr(name), expected))


def _check_transfers(
    faults: list[Fault], instance: Instance, model: Model, path: str
) -> None:
    """Transfer times stand in place of bytes, and only with ``serial``."""
    for index, tensor in enumerate(model.tensors):
        times = tensor.transfer_ticks
        if times is None:
            continue
        place = join(join(path, "tensors"), index)
        here = join(place, "transfer_ticks")
        if not instance.options.serial:
            expected = "bytes, or the option serial"
            faults.append(Fault(here, "transfer times", expected))
        if tensor.bytes != 0:
            got, expected = str(tensor.bytes), "0 beside transfer_ticks"
            faults.append(Fault(join(place, "bytes"), got, expected))
        if tensor.producer is None:
            expected = "bytes (a model input comes from DRAM)"
            faults.append(Fault(here, "transfer times", expected))
        types = instance.package.types
        for name, ticks in times.items():
            check_known(faults, join(here, name), name, types, "chiplet type")
            check_integer(faults, join(here, name), ticks, 0)


def _check_options(faults: list[Fault], instance: Instance) -> None:
    """Known names, limits that are not negative."""
    options = instance.options
    for key in FLAGS:
        check_flag(faults, join("options", key), getattr(options, key))
    check_choice(faults, "options.sram", options.sram, SRAM_MODES)
    layers = {
        model.name: [layer.name for layer in model.layers] for model in instance.models
    }
    for key in ("max_stage", "latency_cap_ticks"):
        for name, limit in getattr(options, key).items():
            here = join(join("options", key), name)
            check_known(faults, here, name, layers, "model")
            check_integer(faults, here, limit, 0)
    if options.energy_cap_pj is not None:
        check_exact(faults, "options.energy_cap_pj", options.energy_cap_pj)
    if options.period_cap_ticks is not None:
        check_integer(faults, "options.period_cap_ticks", options.period_cap_ticks, 0)
    for number, group in enumerate(options.colocate):
        here = join("options.colocate", number)
        if not group:
            faults.append(Fault(here, "no layers", "at least one"))
        for index, (model, layer) in enumerate(group):
            end = join(here, index)
            if check_known(faults, end, model, layers, "model"):
                check_known(faults, end, layer, layers[model], f"layer of {model!r}")
    check_choice(faults, "options.kind", options.kind, KINDS)
    if options.serial and options.kind == "timed":
        faults.append(Fault("options.serial", "true", "false of timed schedules"))
    check_timed(faults, options.timed, layers)
    check_windowed(faults, options.windowed)


def _check_costs(faults: list[Fault], instance: Instance) -> None:
    """Given costs name what exists; opaque layers need given costs."""
    if instance.costs is None:
        for index, model in enumerate(instance.models):
            for number, layer in enumerate(model.layers):
                if layer.op == "opaque":
                    place = join(join(join("models", index), "layers"), number)
                    got = "an opaque layer and no costs"
                    faults.append(Fault(place, got, "costs in the instance"))
        return
    models = {model.name: model for model in instance.models}
    tables = {
        name: {layer.name: layer for layer in model.layers}
        for name, model in models.items()
    }
    for index, row in enumerate(instance.costs):
        path = join("costs", index)
        _check_cost_numbers(faults, row, path)
        here, types = join(path, "chiplet_type"), instance.package.types
        check_known(faults, here, row.chiplet_type, types, "chiplet type")
        if not check_known(faults, join(path, "model"), row.model, models, "model"):
            continue
        here, known = join(path, "layer"), tables[row.model]
        if check_known(faults, here, row.layer, known, f"layer of {row.model!r}"):
            layer = known[row.layer]
            _check_refetch(faults, row, models[row.model], layer, path)


def _check_cost_numbers(faults: list[Fault], row: GivenMode, path: str) -> None:
    """Integers of at least 0."""
    keys = ("latency_ticks", "energy_quanta", "ws_bytes", "rw_bytes", "ro_bytes")
    for key in keys:
        check_integer(faults, join(path, key), getattr(row, key), 0)
    for name, amount in row.ri_bytes.items():
        check_integer(faults, join(join(path, "ri_bytes"), name), amount, 0)
    check_flag(faults, join(path, "holds_weights"), row.holds_weights)


def _check_refetch(
    faults: list[Fault], row: GivenMode, model: Model, layer: Layer, path: str
) -> None:
    """Refetched is only what there is: weights, inputs of the layer."""
    if row.rw_bytes and not layer.weight_bytes:
        expected = f"0 for the layer {layer.name!r}, which has no weights"
        faults.append(Fault(join(path, "rw_bytes"), str(row.rw_bytes), expected))
    inputs = [tensor.name for tensor in model.tensors if layer.name in tensor.consumers]
    for name in row.ri_bytes:
        here = join(join(path, "ri_bytes"), name)
        check_known(faults, here, name, inputs, f"tensor read by {layer.name!r}")

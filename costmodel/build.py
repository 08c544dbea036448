"""Instance -> CostTable: the only place that rounds.

Cycles become ticks and energy becomes quanta, both rounded up, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.energy import energy_pj
from costmodel.mapper import best_mappings
from costmodel.nest import nest_of
from costmodel.operators import OPERATION_MACS, vector_mapping
from costmodel.scaling import at_technology
from costmodel.table import CostTable, Key, Mode
from instances.vocabulary import VECTOR_OPERATORS

if TYPE_CHECKING:
    from fractions import Fraction

    from costmodel.mapper import Mapping
    from instances.schema import ChipletType, Instance, Layer, Model, Tensor

PS_PER_MICROSECOND = 10**6
FJ_PER_PJ = 1000
MAX_MODES = 4


def build_table(
    instance: Instance,
    instance_sha256: str | None = None,
    max_modes: int = MAX_MODES,
) -> CostTable:
    """Cost every layer on every chiplet type of the package.

    Where the instance gives its costs, the table is exactly those. An ``opaque``
    layer without given costs, or a layer whose smallest tile exceeds a type's L2,
    has no row there.

    Parameters
    ----------
    instance_sha256
        Identity of the instance; computed if absent.
    max_modes
        At most so many modes a row, at least 1 (see `few`).

    Raises
    ------
    ValueError
        For a chiplet type whose dataflow does not exist, or that has fewer PEs
        than a cluster of its fixed mapping; for `max_modes` below 1.
    InstanceError
        For faults in the file of a dataflow.
    """
    if max_modes < 1:
        raise ValueError(f"max_modes: got {max_modes}, expected at least 1")
    if instance_sha256 is None:
        from instances.load import instance_sha256 as identity

        instance_sha256 = identity(instance)
    if instance.costs is not None:
        rows = given_rows(instance)
    else:
        rows = built_rows(instance, max_modes)
    return CostTable(
        instance_sha256=instance_sha256,
        tick_ps=instance.tick_ps,
        energy_quantum_fj=instance.energy_quantum_fj,
        rows=rows,
    )


def given_rows(instance: Instance) -> dict[Key, tuple[Mode, ...]]:
    """Return the costs that the instance itself gives, unchanged, in its order."""
    rows: dict[Key, tuple[Mode, ...]] = {}
    for given in instance.costs or ():
        mode = Mode(
            latency_ticks=given.latency_ticks,
            energy_quanta=given.energy_quanta,
            ws_bytes=given.ws_bytes,
            rw_bytes=given.rw_bytes,
            ri_bytes=dict(given.ri_bytes),
            ro_bytes=given.ro_bytes,
            holds_weights=given.holds_weights,
        )
        key = given.model, given.layer, given.chiplet_type
        rows[key] = (*rows.get(key, ()), mode)
    return rows


def built_rows(
    instance: Instance, max_modes: int = MAX_MODES
) -> dict[Key, tuple[Mode, ...]]:
    """Modes of every layer on every type, searched once for each shape.

    Raises
    ------
    ValueError
        As `build_table`.
    """
    types = {chiplet.type for chiplet in instance.package.chiplets}
    found: dict[object, list[Mapping]] = {}
    rows: dict[Key, tuple[Mode, ...]] = {}
    for model in instance.models:
        for layer in model.layers:
            if layer.bounds is None:
                continue
            if layer.op in VECTOR_OPERATORS:
                rows |= vector_rows(instance, model, layer)
                continue
            tensors = [u for u in model.tensors if layer.name in u.consumers]
            left, right = operands(layer, tensors)
            used = {u.name for u in (*left, right) if u is not None}
            extra = len(tensors) - len(used)
            # What is held is read once a round: it pays with several mini-batches.
            hold = layer.weight_bytes > 0 and model.mini_batches > 1
            loops = layer.op, layer.bounds, layer.weight_bytes
            shape = (*loops, model.samples, extra, hold)
            for name in sorted(types):
                chiplet = at_technology(instance.package.types[name])
                if (shape, name) not in found:
                    best = best_mappings(
                        layer,
                        chiplet,
                        model.samples,
                        instance.bytes_per_element,
                        extra,
                        hold,
                    )
                    # A mapping is one object however many goals it is best for.
                    distinct = {id(one): one for one in best if one is not None}
                    found[shape, name] = list(distinct.values())
                modes = [
                    _mode(instance, model, layer, tensors, chiplet, mapping)
                    for mapping in found[shape, name]
                ]
                if modes:
                    rows[model.name, layer.name, name] = few(
                        undominated(modes),
                        max_modes,
                        layer.weight_bytes,
                        model.mini_batches,
                    )
    return rows


def vector_rows(
    instance: Instance, model: Model, layer: Layer
) -> dict[Key, tuple[Mode, ...]]:
    """Price vector work on every type whose L2 suffices: one mode each."""
    reads = sum(layer.name in u.consumers for u in model.tensors)
    reads -= max(len(layer.operands) - 1, 0)  # joined tensors are one input
    size = instance.bytes_per_element
    rows: dict[Key, tuple[Mode, ...]] = {}
    for name in sorted({chiplet.type for chiplet in instance.package.chiplets}):
        chiplet = at_technology(instance.package.types[name])
        found = vector_mapping(layer, chiplet, model.samples, size, reads)
        if found is None:
            continue
        macs = OPERATION_MACS * found.operations
        quanta = energy_pj(chiplet, macs, found.accesses) * FJ_PER_PJ
        mode = Mode(
            latency_ticks=ticks(found.cycles, chiplet.clock_mhz, instance.tick_ps),
            energy_quanta=_up(quanta / instance.energy_quantum_fj),
            ws_bytes=found.ws_bytes,
            macs=macs,
            accesses=found.accesses,
            mapping=found.text,
        )
        rows[model.name, layer.name, name] = (mode,)
    return rows


def undominated(modes: list[Mode]) -> tuple[Mode, ...]:
    """Return the modes that no other one equals or betters in everything.

    Compared are latency, energy, working set, refetch bytes and `holds_weights`.
    Fastest first.
    """
    kept: dict[tuple[int, ...], Mode] = {}
    tensors = sorted({name for mode in modes for name in mode.ri_bytes})
    for mode in modes:
        kept.setdefault(_price(mode, tensors), mode)
    prices = sorted(
        price
        for price in kept
        if not any(
            other != price and all(a <= b for a, b in zip(other, price, strict=True))
            for other in kept
        )
    )
    return tuple(kept[price] for price in prices)


def few(
    modes: tuple[Mode, ...], most: int, weight_bytes: int = 0, mini_batches: int = 1
) -> tuple[Mode, ...]:
    """Return at most `most` of some modes, in their order (fastest first).

    The fastest; then that of least energy, of least bytes from outside, of least
    working set; then, again and again, the mode that is farthest from those taken:
    largest least distance, a distance being the largest difference in one of the
    four, as a share of its range. The first among equals (A12).

    Parameters
    ----------
    weight_bytes, mini_batches
        Weights that a tile holds are read once a round, others `mini_batches` times.
    """
    if len(modes) <= most:
        return modes

    def outside(mode: Mode) -> int:
        rounds = 1 if mode.holds_weights else mini_batches
        again = sum(mode.ri_bytes.values()) + 2 * mode.ro_bytes
        return mini_batches * again + rounds * (weight_bytes + mode.rw_bytes)

    points = [
        (mode.latency_ticks, mode.energy_quanta, outside(mode), mode.ws_bytes)
        for mode in modes
    ]
    everyone = range(len(modes))
    taken: list[int] = []
    for axis in range(4):
        best = min(everyone, key=lambda i: (points[i][axis], i))
        if best not in taken and len(taken) < most:
            taken.append(best)
    spans = [max(values) - min(values) for values in zip(*points, strict=True)]

    def apart(one: int, two: int) -> float:
        pairs = zip(points[one], points[two], spans, strict=True)
        return max((abs(a - b) / span for a, b, span in pairs if span), default=0.0)

    while len(taken) < min(most, len(modes)):
        left = [i for i in everyone if i not in taken]
        taken.append(max(left, key=lambda i: (min(apart(i, j) for j in taken), -i)))
    return tuple(modes[i] for i in sorted(taken))


def _price(mode: Mode, tensors: list[str]) -> tuple[int, ...]:
    """What a mode costs; less is better in every place."""
    return (
        mode.latency_ticks,
        mode.energy_quanta,
        mode.ws_bytes,
        mode.rw_bytes,
        mode.ro_bytes,
        0 if mode.holds_weights else 1,
        *(mode.ri_bytes.get(name, 0) for name in tensors),
    )


def _mode(
    instance: Instance,
    model: Model,
    layer: Layer,
    tensors: list[Tensor],
    chiplet: ChipletType,
    found: Mapping,
) -> Mode:
    """Price a mapping in the instance's units."""
    assert layer.bounds is not None
    nest = nest_of(layer.bounds, model.samples, layer.op != "matmul")
    size = instance.bytes_per_element
    accesses = accesses_of(found, nest.macs, nest.inputs, nest.weights, nest.outputs)
    accesses = {name: count * size for name, count in accesses.items()}
    quanta = energy_pj(chiplet, nest.macs, accesses) * FJ_PER_PJ
    left, right = operands(layer, tensors)
    again = dict.fromkeys((u.name for u in tensors), 0)
    for part in left:
        again[part.name] += _scaled(part.bytes, found.reread_in, nest.inputs)
    rw_bytes = 0
    if layer.op != "matmul":
        rw_bytes = _scaled(layer.weight_bytes, found.reread_w, nest.weights)
    elif right is not None:
        again[right.name] += _scaled(right.bytes, found.reread_w, nest.weights)
    return Mode(
        latency_ticks=ticks(found.cycles, chiplet.clock_mhz, instance.tick_ps),
        energy_quanta=_up(quanta / instance.energy_quantum_fj),
        ws_bytes=found.ws_bytes,
        rw_bytes=rw_bytes,
        ri_bytes={name: count for name, count in again.items() if count},
        ro_bytes=found.reread_out * size,
        holds_weights=found.holds_weights,
        macs=nest.macs,
        utilisation=nest.macs / (found.cycles * chiplet.num_pes),
        accesses=accesses,
        mapping=found.text,
    )


def ticks(cycles: int, clock_mhz: Fraction, tick_ps: int) -> int:
    """Cycles as ticks, rounded up; exact."""
    return _up(cycles * PS_PER_MICROSECOND / clock_mhz / tick_ps)


def accesses_of(
    found: Mapping, macs: int, inputs: int, weights: int, outputs: int
) -> dict[str, int]:
    """Elements read and written at each level, by operand (A4).

    A MAC reads two operands and a partial sum in L1 and writes one. What crosses
    the NoC is one access of L2 and, on the way in (sums too), one of L1. Filling and
    emptying L2 is an access each; a refetched partial output is two. What crosses
    the NoC counts once, whatever it feeds (A31).
    """
    return {
        "l1/input": macs + found.noc_in,
        "l1/weight": macs + found.noc_w,
        "l1/output": 2 * macs + found.noc_down,
        "l2/input": found.noc_in + inputs + found.reread_in,
        "l2/weight": found.noc_w + weights + found.reread_w,
        "l2/output": found.noc_up + found.noc_down + outputs + 2 * found.reread_out,
        "noc/input": found.noc_in,
        "noc/weight": found.noc_w,
        "noc/output": found.noc_up + found.noc_down,
    }


def operands(layer: Layer, tensors: list[Tensor]) -> tuple[list[Tensor], Tensor | None]:
    """Which input tensors are the operands of the loops (A13).

    Those that the layer names, else the first of its inputs: the left one, which
    may be several joined tensors, and the right one, only of ``matmul``; one tensor
    alone is both.

    Parameters
    ----------
    tensors
        Inputs of the layer in the model's order.
    """
    if not tensors:
        return [], None
    by_name = {u.name: u for u in tensors}
    named = [by_name[name] for name in layer.operands]
    if layer.op == "matmul":
        named = named or tensors
        return named[:1], named[:2][-1]
    return named or tensors[:1], None


def _scaled(whole: int, part: int, of: int) -> int:
    """`whole` times part/of, rounded up."""
    return -(-whole * part // of)


def _up(value: Fraction) -> int:
    """Round up."""
    return -(-value.numerator // value.denominator)

"""A plain list of layers, costed one by one, as text, CSV or JSON.

The fixed mappings are evaluated for the whole list at once. Amounts are elements.
Energy is in units of one MAC, with MAESTRO's prices of an access (A5), for fixed
and searched mappings alike.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from costmodel.build import accesses_of
from costmodel.mapper import best_mappings
from costmodel.nest import nest_of
from costmodel.templates import TEMPLATES, Shapes, evaluate, least_pes
from instances.dataflow import read_dataflow
from instances.faults import Fault, InstanceError
from instances.files import is_file_name
from instances.schema import ChipletType, Layer, LoopBounds
from results.text import clipped, columns, grouped, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from instances.dataflow import Dataflow
    from instances.readers.layers_csv import PlainLayer

UNLIMITED = Fraction(2**53)
"""No transfer is larger: the readers' limit on a layer is lower."""
MAC_PJ = Fraction(23, 100)
L1_XMAC, L2_XMAC = Fraction("1.68"), Fraction("18.61")
SEARCHED = {"rs_searched": "rs"}  # `rs` alone is MAESTRO's fixed mapping here
NAMES_SHOWN = 8
NARROW = 72


@dataclass(frozen=True, slots=True)
class Hardware:
    """An array and its memories.

    Parameters
    ----------
    pes
        Processing elements.
    noc_bandwidth
        Elements per cycle between L2 and the array; `None` for no limit.
    l1_bytes, l2_bytes
        Per PE, and in all. Fixed mappings do not look at them (A6).
    element_bytes
        Precision of all operands and partial sums.
    """

    pes: int
    noc_bandwidth: Fraction | None
    l1_bytes: int = 512
    l2_bytes: int = 10 * 2**20
    element_bytes: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What a layer costs, all its groups and samples together.

    `utilisation` is MACs per PE and cycle; `energy_xmac` in units of one MAC;
    accesses in elements, L1 of all PEs together.
    """

    name: str
    cycles: int
    macs: int
    energy_xmac: float
    utilisation: float
    l1_reads: int
    l1_writes: int
    l2_reads: int
    l2_writes: int

    @property
    def l1_accesses(self) -> int:
        """Reads and writes of L1."""
        return self.l1_reads + self.l1_writes

    @property
    def l2_accesses(self) -> int:
        """Reads and writes of L2."""
        return self.l2_reads + self.l2_writes


def cost_layers(
    layers: Sequence[PlainLayer], dataflow: str, hardware: Hardware
) -> list[Row]:
    """Cost every layer, in the order of the list.

    Parameters
    ----------
    dataflow
        A fixed mapping of MAESTRO (``kcp_ws``, ``yxp_os``, ``rs``), or a searched
        family: ``ws``, ``os``, ``rs_searched``, what else the cost model knows, or the
        path of a file. Of a searched family the fastest mapping is taken.

    Raises
    ------
    InstanceError
        For fewer PEs than a cluster of the mapping, with the layers that need
        more; for a dataflow that does not exist; for layers whose smallest tile
        exceeds L2.
    """
    if dataflow in TEMPLATES:
        return _fixed(layers, dataflow, hardware)
    searched: str | Dataflow = SEARCHED.get(dataflow, dataflow)
    if is_file_name(dataflow):
        searched = read_dataflow(Path(dataflow))
    return _searched(layers, searched, hardware)


def _fixed(layers: Sequence[PlainLayer], template: str, hw: Hardware) -> list[Row]:
    """Evaluate a fixed mapping of all layers at once; repeats one by one (A7)."""
    k, c, r, s, y, x, stride = (
        np.array([getattr(layer, name) for layer in layers], np.int64)
        for name in ("k", "c", "r", "s", "y", "x", "stride")
    )
    depthwise = np.array([layer.kind == "DSCONV" for layer in layers])
    shapes = Shapes(k, c, r, s, y, x, stride, depthwise)
    flat = depthwise & (template != "yxp_os")
    needed = np.where(flat, 1, least_pes(template, shapes.r)).tolist()
    _enough_pes(layers, needed, template, hw.pes)
    bandwidth = min(hw.noc_bandwidth or UNLIMITED, UNLIMITED)
    run = evaluate(template, shapes, hw.pes, bandwidth)
    counts = zip(
        layers,
        run.cycles.tolist(),
        run.macs.tolist(),
        (run.in_reads + run.weight_reads).tolist(),
        run.out_drain.tolist(),
        (run.in_fill + run.weight_fill + run.out_writes).tolist(),
        strict=True,
    )
    return [
        _row(
            layer.name,
            hw.pes,
            layer.repeats * cycles,
            layer.repeats * macs,
            # Two operands and a sum are read, a sum is written (A4).
            l1=(layer.repeats * 3 * macs, layer.repeats * (macs + into)),
            l2=(layer.repeats * (into + drained), layer.repeats * written),
        )
        for layer, cycles, macs, into, drained, written in counts
    ]


def _enough_pes(
    layers: Sequence[PlainLayer], needed: Sequence[int], template: str, pes: int
) -> None:
    """Refuse an array of less than a cluster, with the layers that need more."""
    short: dict[int, list[str]] = {}
    for layer, least in zip(layers, needed, strict=True):
        if pes < least:
            short.setdefault(least, []).append(f"{layer.name} (line {layer.line})")
    faults = []
    for least, names in sorted(short.items()):
        more = f" and {len(names) - NAMES_SHOWN} more" if names[NAMES_SHOWN:] else ""
        where = ", ".join(names[:NAMES_SHOWN]) + more
        faults.append(
            Fault(
                "pes", str(pes), f"at least {least}, a cluster of {template}: {where}"
            )
        )
    if faults:
        raise InstanceError(faults)


def _row(
    name: str,
    pes: int,
    cycles: int,
    macs: int,
    l1: tuple[int, int],
    l2: tuple[int, int],
) -> Row:
    """Price a layer; `l1` and `l2` are reads and writes."""
    energy = macs + L1_XMAC * sum(l1) + L2_XMAC * sum(l2)
    return Row(name, cycles, macs, float(energy), macs / (cycles * pes), *l1, *l2)


def _searched(
    layers: Sequence[PlainLayer], dataflow: str | Dataflow, hw: Hardware
) -> list[Row]:
    """Search the mappings of each layer; equal shapes once."""
    size = hw.element_bytes
    chiplet = ChipletType(
        name="array",
        dataflow=dataflow,
        num_pes=hw.pes,
        l1_bytes_per_pe=hw.l1_bytes,
        l2_bytes=hw.l2_bytes,
        noc_bytes_per_cycle=(hw.noc_bandwidth or UNLIMITED) * size,
        clock_mhz=Fraction(1000),
        mac_energy_pj=MAC_PJ,
        l1_energy_pj_per_byte=L1_XMAC * MAC_PJ / size,
        l2_energy_pj_per_byte=L2_XMAC * MAC_PJ / size,
    )
    found: dict[tuple[LoopBounds, int], Row | None] = {}
    rows, faults = [], []
    for layer in layers:
        bounds = _bounds(layer)
        key = bounds, layer.batch
        if key not in found:
            try:
                found[key] = _fastest(layer, bounds, chiplet, size)
            except ValueError as error:
                # The hardware's or the name's fault, the same for every layer.
                raise InstanceError(
                    [Fault(f"dataflow {chiplet.dataflow_name}", *_halves(error))]
                ) from error
        row = found[key]
        if row is None:
            where = f"layer {layer.name} (line {layer.line})"
            got = f"{hw.l2_bytes} bytes of L2"
            faults.append(Fault(where, got, "room for its smallest tile"))
        else:
            rows.append(
                Row(layer.name, *(getattr(row, f.name) for f in fields(Row)[1:]))
            )
    if faults:
        raise InstanceError(faults)
    return rows


def _halves(error: ValueError) -> tuple[str, str]:
    """What the mapper got and what it expected, of its message."""
    got, _, expected = str(error).partition(", expected ")
    return got.partition("got ")[2] or got, expected or "a mapping"


def _bounds(layer: PlainLayer) -> LoopBounds:
    """Loops of one sample, all groups."""
    deep = layer.kind == "DSCONV"
    return LoopBounds(
        k=1 if deep else layer.k,
        c=1 if deep else layer.c,
        oy=layer.oy,
        ox=layer.ox,
        r=layer.r,
        s=layer.s,
        stride=layer.stride,
        groups=layer.c if deep else layer.groups,
    )


def _fastest(
    layer: PlainLayer, bounds: LoopBounds, chiplet: ChipletType, size: int
) -> Row | None:
    """Cost the fastest mapping; `None` where no tiling fits L2."""
    b = bounds
    op = "gemm" if layer.kind == "GEMM" else "conv"
    one = Layer(layer.name, op, b, b.groups * b.k * b.c * b.r * b.s * size)
    found = [m for m in best_mappings(one, chiplet, layer.batch, size) if m is not None]
    if not found:
        return None
    best = min(found, key=lambda mapping: mapping.cycles)
    nest = nest_of(b, layer.batch, True)
    count = accesses_of(best, nest.macs, nest.inputs, nest.weights, nest.outputs)
    l1 = sum(n for name, n in count.items() if name.startswith("l1/"))
    l1_reads = 3 * nest.macs
    # Read: what goes into the array, and what is drained or spilt to the outside.
    l2_reads = best.noc_in + best.noc_w + best.noc_down + nest.outputs + best.reread_out
    l2 = sum(n for name, n in count.items() if name.startswith("l2/"))
    return _row(
        layer.name,
        chiplet.num_pes,
        best.cycles,
        nest.macs,
        (l1_reads, l1 - l1_reads),
        (l2_reads, l2 - l2_reads),
    )


def as_json(rows: Iterable[Row]) -> str:
    """Return a list of objects, one a layer, in the list's order."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def as_csv(rows: Iterable[Row]) -> str:
    """Return the rows as CSV, all digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(names)
    writer.writerows([getattr(row, name) for name in names] for row in rows)
    return text.getvalue()


def as_text(rows: Sequence[Row], pes: int, width: int) -> str:
    """Return a table with a total; narrow ones have no accesses and fewer digits."""
    total = _row(
        "total",
        pes,
        sum(row.cycles for row in rows),
        sum(row.macs for row in rows),
        (sum(row.l1_reads for row in rows), sum(row.l1_writes for row in rows)),
        (sum(row.l2_reads for row in rows), sum(row.l2_writes for row in rows)),
    )
    header = ("layer", "cycles", "util", "MACs", "energy", "L1", "L2")
    cells: list[tuple[str, ...]] = [header]
    cells += [
        (
            row.name,
            grouped(row.cycles) if width >= NARROW else _short(row.cycles),
            percent(row.utilisation),
            _short(row.macs),
            _short(row.energy_xmac),
            _short(row.l1_accesses),
            _short(row.l2_accesses),
        )
        for row in (*rows, total)
    ]
    if width < NARROW:
        cells = [row[:5] for row in cells]
    rest = sum(2 + max(len(row[k]) for row in cells) for k in range(1, len(cells[0])))
    cells = [(clipped(row[0], max(5, width - rest)), *row[1:]) for row in cells]
    lines = columns(cells, frozenset(range(1, len(cells[0]))))
    units = "energy in MACs"
    if width >= NARROW:
        units += "; L1 and L2 are accesses, reads and writes"
    lines.append(units)
    return "\n".join(lines) + "\n"


def _short(amount: float) -> str:
    """Return four digits and a prefix: 11.81M."""
    for scale, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if amount >= scale:
            return f"{amount / scale:.4g}{prefix}"
    return f"{amount:.4g}"

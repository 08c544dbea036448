"""A model from its tree: built from hyper-parameters, or written out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from instances.faults import InstanceError, suggestion
from instances.fields import fields, flag, integer, integers, items, text
from instances.keys import OPTIONAL, REQUIRED
from instances.models import BUILDERS
from instances.parse_bounds import parse_bounds
from instances.schema import Layer, Model, Tensor
from instances.shapes import weight_elements
from instances.vocabulary import TRANSPOSED

if TYPE_CHECKING:
    from instances.fields import Reading
    from instances.tree import Node


def parse_model(reading: Reading, node: Node, bytes_per_element: int) -> Model | None:
    """Return one entry of ``models``; `None` if it names an unknown builder."""
    if isinstance(node.value, dict) and "build" in node.value:
        return _build(reading, node, node.value, bytes_per_element)
    entries = fields(reading, node, "model")
    return Model(
        name=text(reading, entries.get("name")),
        layers=tuple(
            _parse_layer(reading, entry, bytes_per_element)
            for entry in items(reading, entries.get("layers"))
        ),
        tensors=tuple(
            _parse_tensor(reading, entry)
            for entry in items(reading, entries.get("tensors"))
        ),
        samples=integer(reading, entries.get("samples")),
        mini_batches=integer(reading, entries.get("mini_batches")),
        source=text(reading, entries.get("source"), ""),
    )


def builder_keys(name: str) -> dict[str, bool]:
    """Return the keys of an entry with ``build: name``.

    These are the builder's arguments; the precision is the scenario's.
    """
    parameters = inspect.signature(BUILDERS[name]).parameters
    keys = [key for key in parameters if key != "bytes_per_element"]
    return {"build": REQUIRED, **dict.fromkeys(keys, OPTIONAL)}


def _build(
    reading: Reading, node: Node, entries: dict[str, Node], bytes_per_element: int
) -> Model | None:
    """Call the builder; its faults are placed at the arguments."""
    build = entries["build"]
    if not isinstance(build.value, str) or build.value not in BUILDERS:
        expected = f"a builder: {suggestion(str(build.value), BUILDERS)}"
        reading.faults.append(build.fault(build.shown(), expected))
        return None
    kind = f"model built by {build.value!r}"
    known = fields(reading, node, kind, builder_keys(build.value))
    arguments: dict[str, bool | int | str] = {}
    for key, entry in known.items():
        value = entry.value
        if key == "name":
            arguments[key] = text(reading, entry)
        elif isinstance(value, bool | int | str):
            if key != "build":
                arguments[key] = value
        else:
            reading.faults.append(
                entry.fault(entry.shown(), "an integer, true or false, or a text")
            )
    builder = BUILDERS[build.value]
    try:
        return builder(**arguments, bytes_per_element=bytes_per_element)
    except InstanceError as error:
        for fault in error.faults:
            place = known.get(fault.path, node)
            reading.faults.append(place.fault(fault.got, fault.expected))
    # Another model of this name keeps what refers to it from looking wrong.
    name = arguments.get("name")
    return builder() if name is None else builder(name=name)


def _parse_layer(reading: Reading, node: Node, bytes_per_element: int) -> Layer:
    """One layer; its weights follow from the bounds where they are not given."""
    entries = fields(reading, node, "layer")
    op = text(reading, entries.get("op"))
    lowered = "conv" if op == TRANSPOSED else op
    bounds, weights = None, 0
    if "bounds" in entries:
        bounds, written = parse_bounds(reading, entries["bounds"], op)
        weights = max(weight_elements(lowered, written) * bytes_per_element, 0)
    operands = items(reading, entries.get("operands"))
    return Layer(
        name=text(reading, entries.get("name")),
        op=lowered,
        bounds=bounds,
        weight_bytes=integer(reading, entries.get("weight_bytes"), weights),
        operands=tuple(text(reading, entry) for entry in operands),
    )


def _parse_tensor(reading: Reading, node: Node) -> Tensor:
    """One tensor; bytes may be absent only beside transfer times."""
    entries = fields(reading, node, "tensor")
    producer = entries.get("producer")
    absent = producer is None or producer.value is None
    times = entries.get("transfer_ticks")
    if "bytes" not in entries and times is None:
        expected = "the key 'bytes' of a tensor"
        reading.faults.append(node.fault("nothing", expected))
    return Tensor(
        name=text(reading, entries.get("name")),
        producer=None if absent else text(reading, producer),
        consumers=tuple(
            text(reading, entry) for entry in items(reading, entries.get("consumers"))
        ),
        bytes=integer(reading, entries.get("bytes"), 0),
        output=flag(reading, entries.get("output")),
        transfer_ticks=None if times is None else integers(reading, times),
    )

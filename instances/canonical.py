"""The canonical text of an instance and its identity.

One layout: JSON with sorted keys and without spaces, every field of the
dataclasses present (but those of `LEFT_OUT` where they are neutral, so that hashes
older than the field stay), fractions as integers or as texts "num/den". The SHA-256
of that text identifies the instance: comments, the order of keys, defaults
and how numbers are written do not matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from instances.dataflow import Axis, Dataflow
from instances.faults import Fault, InstanceError, join
from instances.keys import CANONICAL_SCHEMA
from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    GivenMode,
    Instance,
    Interface,
    Layer,
    Link,
    LoopBounds,
    Model,
    Options,
    Package,
    Tensor,
    TimedOptions,
    WindowedOptions,
)
from instances.vocabulary import NODE_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    Decoder = Callable[[Any, str], Any]

LEFT_OUT: dict[type, dict[str, object]] = {
    Options: {
        "timed": TimedOptions(),
        "kind": Options().kind,
        "windowed": WindowedOptions(),
    }
}

_RATIO = re.compile(r"-?[0-9]{1,20}/[1-9][0-9]{0,19}")


def to_canonical_json(instance: Instance) -> str:
    """Return the canonical text; it ends without a newline."""
    data = {"schema": CANONICAL_SCHEMA, "instance": _encode(instance)}
    layout = (",", ":")
    return json.dumps(data, sort_keys=True, separators=layout, ensure_ascii=False)


def instance_sha256(instance: Instance) -> str:
    """Return the SHA-256 of the canonical text as 64 hexadecimal digits."""
    return sha256(to_canonical_json(instance).encode()).hexdigest()


def from_canonical_json(text: str) -> Instance:
    """Return the instance of a canonical text.

    Raises
    ------
    InstanceError
        If the text is not a canonical instance (the first fault), or the
        instance has faults (all of them).
    """
    try:
        data = json.loads(
            text,
            parse_float=_no_float,
            parse_constant=_no_float,
            object_pairs_hook=_no_twin,
        )
    except ValueError as error:
        raise InstanceError([Fault("", str(error), "canonical JSON")]) from None
    data = _decode_mapping(data, "")
    if set(data) != {"schema", "instance"} or data["schema"] != CANONICAL_SCHEMA:
        expected = f"the keys 'instance' and 'schema': {CANONICAL_SCHEMA}"
        raise InstanceError([Fault("", "something else", expected)])
    result = _decode_object(Instance)(data["instance"], "")
    assert isinstance(result, Instance)
    return result


def _encode(value: object) -> object:
    """Plain JSON data of a dataclass, mapping, sequence or scalar."""
    if is_dataclass(value):
        neutral = LEFT_OUT.get(type(value), {})
        values = {x.name: getattr(value, x.name) for x in dataclass_fields(value)}
        return {
            name: _encode(entry)
            for name, entry in values.items()
            if name not in neutral or entry != neutral[name]
        }
    if isinstance(value, Mapping):
        return {key: _encode(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [_encode(entry) for entry in value]
    if isinstance(value, Fraction):
        whole = value.denominator == 1
        return int(value) if whole else f"{value.numerator}/{value.denominator}"
    return value


def _no_float(text: str) -> None:
    raise ValueError(f"the number {text}")


def _no_twin(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a key that stands twice")
    return entries


def _refuse(path: str, value: object, expected: str) -> InstanceError:
    return InstanceError([Fault(path, repr(value)[:60], expected)])


def _decode_text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    raise _refuse(path, value, "a text")


def _decode_integer(value: Any, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _refuse(path, value, "an integer")


def _decode_flag(value: Any, path: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _refuse(path, value, "true or false")


def _decode_exact(value: Any, path: str) -> Fraction:
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str) and _RATIO.fullmatch(value):
        number = Fraction(value)
        if number.denominator > 1 and value == _encode(number):
            return number
    raise _refuse(path, value, 'an integer or "num/den" in lowest terms')


def _decode_mapping(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _refuse(path, value, "a mapping")


def _optional(inner: Decoder) -> Decoder:
    return lambda value, path: None if value is None else inner(value, path)


def _list(inner: Decoder) -> Decoder:
    def decode(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _refuse(path, value, "a list")
        return tuple(inner(entry, join(path, i)) for i, entry in enumerate(value))

    return decode


def _mapping(inner: Decoder) -> Decoder:
    def decode(value: Any, path: str) -> dict[str, Any]:
        entries = _decode_mapping(value, path)
        return {key: inner(entry, join(path, key)) for key, entry in entries.items()}

    return decode


def _decode_pair(value: Any, path: str) -> tuple[str, str]:
    pair = _list(_decode_text)(value, path)
    if len(pair) != 2:
        raise _refuse(path, value, "[model, layer]")
    return pair[0], pair[1]


def _named_or(inner: Decoder) -> Decoder:
    return lambda value, path: value if isinstance(value, str) else inner(value, path)


def _decode_object(kind: type) -> Decoder:
    """Decoder of a dataclass by the table below."""

    def decode(value: Any, path: str) -> Any:
        entries = _decode_mapping(value, path)
        decoders = _DECODERS[kind]
        absent = LEFT_OUT.get(kind, {}).keys() - entries.keys()
        if set(entries) | absent != set(decoders):
            keys = ", ".join(sorted((set(entries) | absent) ^ set(decoders)))
            expected = f"exactly the fields of a {kind.__name__}"
            raise InstanceError([Fault(path, f"a difference at {keys}", expected)])
        return kind(
            **{
                name: decoder(entries[name], join(path, name))
                for name, decoder in decoders.items()
                if name not in absent
            }
        )

    return decode


def _left_out(decoder: Decoder, neutral: object) -> Decoder:
    """Decoder of what is left out where it is neutral."""

    def decode(value: Any, path: str) -> Any:
        result = decoder(value, path)
        if result == neutral:
            raise _refuse(path, value, "nothing, since all of it is neutral")
        return result

    return decode


_T, _I, _F, _X = _decode_text, _decode_integer, _decode_flag, _decode_exact

_DECODERS: dict[type, dict[str, Decoder]] = {
    LoopBounds: {
        **dict.fromkeys(("k", "c", "oy", "ox", "r", "s"), _I),
        **dict.fromkeys(("stride", "groups", "dilation"), _I),
    },
    Layer: {
        "name": _T,
        "op": _T,
        "bounds": _optional(_decode_object(LoopBounds)),
        "weight_bytes": _I,
        "operands": _list(_T),
    },
    Tensor: {
        "name": _T,
        "producer": _optional(_T),
        "consumers": _list(_T),
        "bytes": _I,
        "output": _F,
        "transfer_ticks": _optional(_mapping(_I)),
    },
    Model: {
        "name": _T,
        "layers": _list(_decode_object(Layer)),
        "tensors": _list(_decode_object(Tensor)),
        "samples": _I,
        "mini_batches": _I,
        "source": _T,
    },
    Axis: {"loops": _list(_T), "pes": _optional(_I)},
    Dataflow: {
        **dict.fromkeys(("name", "stays", "about", "source"), _T),
        "array": _list(_decode_object(Axis)),
        **dict.fromkeys(("order", "hold", "multicast", "reduce"), _list(_T)),
        "slides": _F,
    },
    ChipletType: {
        "name": _T,
        "dataflow": _named_or(_decode_object(Dataflow)),
        "num_pes": _I,
        "l1_bytes_per_pe": _I,
        "l2_bytes": _I,
        "noc_bytes_per_cycle": _X,
        "clock_mhz": _X,
        "mac_energy_pj": _X,
        "l1_energy_pj_per_byte": _X,
        "l2_energy_pj_per_byte": _X,
        "static_power_mw": _X,
        "source": _T,
        "noc_energy_pj_per_byte": _X,
        **dict.fromkeys(NODE_KEYS, _optional(_I)),
        "vector_lanes": _optional(_I),
    },
    Link: {
        "src": _I,
        "dst": _I,
        "bandwidth_gb_s": _optional(_X),
        "hop_latency_ns": _X,
        "energy_pj_per_bit": _X,
    },
    Interface: {"router": _I, "share": _X},
    Dram: {
        "bandwidth_gb_s": _optional(_X),
        "latency_ns": _X,
        "energy_pj_per_bit": _X,
        "interfaces": _list(_decode_object(Interface)),
        "mode": _T,
    },
    Chiplet: {"type": _T, "router": _I},
    Package: {
        "name": _T,
        "topology": _T,
        "width": _I,
        "height": _I,
        "types": _mapping(_decode_object(ChipletType)),
        "chiplets": _list(_decode_object(Chiplet)),
        "links": _list(_decode_object(Link)),
        "port_in_gb_s": _optional(_X),
        "port_out_gb_s": _optional(_X),
        "dram": _decode_object(Dram),
        "source": _T,
    },
    TimedOptions: {
        **dict.fromkeys(("contention", "switching", "weights"), _T),
        **dict.fromkeys(("rounds", "due_ticks", "caps"), _mapping(_I)),
        "release_ticks": _mapping(_list(_I)),
        "frames_per_second": _mapping(_X),
    },
    WindowedOptions: {
        **dict.fromkeys(("windows", "conflict_ticks"), _I),
        **dict.fromkeys(("mini_batches", "weights", "memory", "handover"), _T),
        "refetch": _F,
        "caps": _mapping(_I),
    },
    Options: {
        **dict.fromkeys(("contiguous", "convex", "exclusive", "multicast"), _F),
        **dict.fromkeys(("serial", "guaranteed"), _F),
        "sram": _T,
        "colocate": _list(_list(_decode_pair)),
        "max_stage": _mapping(_I),
        "latency_cap_ticks": _mapping(_I),
        "energy_cap_pj": _optional(_X),
        "period_cap_ticks": _optional(_I),
        "timed": _left_out(_decode_object(TimedOptions), TimedOptions()),
        "kind": _left_out(_T, Options().kind),
        "windowed": _left_out(_decode_object(WindowedOptions), WindowedOptions()),
    },
    GivenMode: {
        **dict.fromkeys(("model", "layer", "chiplet_type"), _T),
        **dict.fromkeys(("latency_ticks", "energy_quanta", "ws_bytes"), _I),
        **dict.fromkeys(("rw_bytes", "ro_bytes"), _I),
        "ri_bytes": _mapping(_I),
        "holds_weights": _F,
    },
    Instance: {
        "name": _T,
        "models": _list(_decode_object(Model)),
        "package": _decode_object(Package),
        "options": _decode_object(Options),
        "tick_ps": _I,
        "energy_quantum_fj": _I,
        "bytes_per_element": _I,
        "costs": _optional(_list(_decode_object(GivenMode))),
    },
}

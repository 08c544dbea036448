"""Variants of a package and of an instance, for studies that change one thing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from instances.chiplet_types import packaged_types
from instances.faults import Fault, InstanceError, suggestion
from instances.schema import Chiplet, ChipletType, Interface, Package
from instances.topology import interface_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.dataflow import Dataflow
    from instances.schema import Instance, Model


def monolithic(
    package: Package,
    chiplet_type: str,
    *,
    num_pes: int | None = None,
    l2_bytes: int | None = None,
    noc_bytes_per_cycle: Fraction | None = None,
    dram_gb_s: Fraction | None = None,
    name: str | None = None,
) -> Package:
    """Return the one-die accelerator that a package is compared with.

    A 1x1 package. What is not given is the sum over the chiplets of `package`:
    PEs, vector lanes (where a type says them), L2, NoC bandwidth, static power;
    and the package's DRAM bandwidth. The port is unlimited, one interface has the
    whole DRAM bandwidth. Dataflow, clock, L1 per PE and energies are those of
    `chiplet_type`.

    Parameters
    ----------
    chiplet_type
        A type of `package` or a packaged one.
    num_pes, l2_bytes, noc_bytes_per_cycle, dram_gb_s
        Instead of the sums (bytes per cycle of `chiplet_type`'s clock; GB/s).
    name
        Of the package; ``monolithic-<chiplet_type>`` if not given.

    Raises
    ------
    InstanceError
        If there is no such chiplet type.
    """
    [kind] = _find_types(package, [chiplet_type])
    big = _summed(kind, [package.types[entry.type] for entry in package.chiplets])
    if num_pes is not None:
        big = replace(big, num_pes=num_pes)
    if l2_bytes is not None:
        big = replace(big, l2_bytes=l2_bytes)
    if noc_bytes_per_cycle is not None:
        big = replace(big, noc_bytes_per_cycle=noc_bytes_per_cycle)
    total = package.dram.bandwidth_gb_s if dram_gb_s is None else dram_gb_s
    one = (Interface(0, Fraction(1)),)
    dram = replace(package.dram, bandwidth_gb_s=total, interfaces=one, mode="shared")
    return Package(
        name=f"monolithic-{kind.name}" if name is None else name,
        topology="mesh",
        width=1,
        height=1,
        types={big.name: big},
        chiplets=(Chiplet(big.name, 0),),
        links=(),
        port_in_gb_s=None,
        port_out_gb_s=None,
        dram=dram,
        source=f"one die with the resources of {package.name}",
    )


def with_chiplets(
    package: Package, types: Sequence[str], name: str | None = None
) -> Package:
    """Return the package with other types on its chiplets, in their order.

    Parameters
    ----------
    types
        One per chiplet: types of `package` or packaged ones.

    Raises
    ------
    InstanceError
        If a type is unknown or their number is not that of the chiplets.
    """
    if len(types) != len(package.chiplets):
        expected = f"{len(package.chiplets)}, one per chiplet of {package.name!r}"
        raise InstanceError([Fault("chiplets", f"{len(types)} types", expected)])
    kinds = {kind.name: kind for kind in _find_types(package, types)}
    pairs = zip(types, package.chiplets, strict=True)
    chiplets = tuple(Chiplet(kind, chiplet.router) for kind, chiplet in pairs)
    name = package.name if name is None else name
    return replace(package, name=name, types=kinds, chiplets=chiplets)


def with_interfaces(
    package: Package,
    interfaces: int | Sequence[Interface],
    mode: str | None = None,
) -> Package:
    """Return the package with other DRAM interfaces.

    Parameters
    ----------
    interfaces
        A number, placed by `instances.topology.interface_places`, or a list.
    mode
        ``shared``, ``interleaved`` or ``private``; unchanged if not given.

    Raises
    ------
    InstanceError
        If the places of so many interfaces are not defined.
    """
    if isinstance(interfaces, int):
        try:
            places = interface_places(
                package.topology, package.width, package.height, interfaces
            )
        except ValueError as error:
            fault = Fault("dram.interfaces", str(interfaces), str(error))
            raise InstanceError([fault]) from None
        interfaces = [Interface(router, share) for router, share in places]
    dram = replace(
        package.dram,
        interfaces=tuple(interfaces),
        mode=package.dram.mode if mode is None else mode,
    )
    return replace(package, dram=dram)


def with_types(package: Package, **changes: int | Fraction | str | Dataflow) -> Package:
    """Return the package with fields of all its chiplet types replaced.

    For instance ``with_types(package, noc_bytes_per_cycle=Fraction(128))``.
    """
    types = {
        name: replace(kind, **changes)  # type: ignore[arg-type]
        for name, kind in package.types.items()
    }
    return replace(package, types=types)


def with_package(
    instance: Instance, package: Package, name: str | None = None
) -> Instance:
    """Return the same workload, options and quanta on another package."""
    name = instance.name if name is None else name
    return replace(instance, package=package, name=name)


def with_models(
    instance: Instance, models: Sequence[Model], name: str | None = None
) -> Instance:
    """Return the same package, options and quanta with another workload."""
    name = instance.name if name is None else name
    return replace(instance, models=tuple(models), name=name)


def _summed(kind: ChipletType, kinds: Sequence[ChipletType]) -> ChipletType:
    """Chiplet type like `kind` with the resources of all `kinds` together."""
    noc = sum((entry.noc_bytes_per_cycle for entry in kinds), Fraction(0))
    lanes = None
    if any(entry.vector_lanes is not None for entry in kinds):
        lanes = sum(entry.vector_lanes or entry.num_pes for entry in kinds)
    return replace(
        kind,
        name=f"{kind.name}-monolithic",
        num_pes=sum(entry.num_pes for entry in kinds),
        l2_bytes=sum(entry.l2_bytes for entry in kinds),
        noc_bytes_per_cycle=noc,
        static_power_mw=sum((entry.static_power_mw for entry in kinds), Fraction(0)),
        vector_lanes=lanes,
    )


def _find_types(package: Package, names: Sequence[str]) -> list[ChipletType]:
    """Chiplet types by name, of the package first, else packaged ones."""
    known = dict(package.types)
    if not set(names) <= set(known):
        known = packaged_types() | known
    faults = [
        Fault("chiplet_type", repr(name), f"a chiplet type: {suggestion(name, known)}")
        for name in names
        if name not in known
    ]
    if faults:
        raise InstanceError(faults)
    return [known[name] for name in names]

"""Energy: counts times the energy of one action, exact."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.schema import ChipletType

LEVELS = ("l1", "l2", "noc")
OPERANDS = ("input", "weight", "output")
PARTS = ("mac", *LEVELS)


def energy_parts_pj(
    chiplet: ChipletType, macs: int, accesses: Mapping[str, int]
) -> dict[str, Fraction]:
    """Where the energy on a chiplet goes (A5, A31): `PARTS` -> pJ.

    Parameters
    ----------
    chiplet
        At its own node (`scaling.at_technology`); gives the energy of a MAC and of
        a byte at L1, at L2 and over the NoC.
    macs
        Multiply-accumulates.
    accesses
        ``level/operand`` (``l1/input``, …, ``noc/output``) -> bytes; at a memory
        reads and writes together, over the NoC what crosses it.

    Raises
    ------
    ValueError
        For an access at a level that has no energy.
    """
    prices = {
        level: getattr(chiplet, f"{level}_energy_pj_per_byte") for level in LEVELS
    }
    parts = {"mac": macs * chiplet.mac_energy_pj, **dict.fromkeys(LEVELS, Fraction(0))}
    for name, moved in accesses.items():
        level = name.split("/")[0]
        if level not in prices:
            expected = ", ".join(f"{known}/…" for known in LEVELS)
            raise ValueError(f"accesses: got {name!r}, expected one of {expected}")
        parts[level] += moved * prices[level]
    return parts


def energy_pj(chiplet: ChipletType, macs: int, accesses: Mapping[str, int]) -> Fraction:
    """On-chiplet energy in pJ without static power: the sum of `energy_parts_pj`.

    Raises
    ------
    ValueError
        As `energy_parts_pj`.
    """
    return sum(energy_parts_pj(chiplet, macs, accesses).values(), Fraction(0))

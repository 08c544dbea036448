"""Energy: counts times the energy of one action, exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from instances.schema import ChipletType

LEVELS = ("l1", "l2")
OPERANDS = ("input", "weight", "output")


def energy_pj(chiplet: ChipletType, macs: int, accesses: Mapping[str, int]) -> Fraction:
    """On-chiplet energy in pJ, without NoC wires and static power (A5).

    Parameters
    ----------
    chiplet
        Gives the energy of a MAC and of a byte at L1 and at L2.
    macs
        Multiply-accumulates.
    accesses
        ``level/operand`` (``l1/input``, …, ``l2/output``) -> bytes, reads and
        writes together.

    Raises
    ------
    ValueError
        For an access at a level that has no energy.
    """
    prices = {"l1": chiplet.l1_energy_pj_per_byte, "l2": chiplet.l2_energy_pj_per_byte}
    total = macs * chiplet.mac_energy_pj
    for name, moved in accesses.items():
        level = name.split("/")[0]
        if level not in prices:
            raise ValueError(f"accesses: got {name!r}, expected l1/… or l2/…")
        total += moved * prices[level]
    return total

"""Energies and clock of a chiplet type at another technology node; exact (A33).

Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device
performance from 180 nm to 7 nm", Integration 58 (2017), pages 74–81: polynomials
in the supply voltage fitted to simulated circuits, in energy of degree two and in
delay of degree three. Only ratios between nodes are used.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instances.schema import ChipletType

ENERGIES = (
    "mac_energy_pj",
    "l1_energy_pj_per_byte",
    "l2_energy_pj_per_byte",
    "noc_energy_pj_per_byte",
)

# nm: nominal volts, energy coefficients, delay coefficients, highest power first;
# high-performance devices. Where they come from and what was compared: A33.
_TABLE = {
    7: ("0.7", "0.1776 -0.09097 0.02447", "-28.58 76.6 -70.26 24.69"),
    10: ("0.75", "0.2068 -0.09311 0.02375", "-34.95 93.65 -85.99 30.4"),
    14: ("0.8", "0.2363 -0.09675 0.02239", "-40.66 109.2 -100.6 35.92"),
    16: ("0.85", "0.2958 -0.1241 0.03024", "0 24.8 -47.52 28.87"),
    20: ("0.9", "0.373 -0.1582 0.04104", "0 34.63 -66.37 41.15"),
    32: ("0.9", "0.8367 -0.4341 0.1701", "-1047 2982 -2797 873.5"),
    45: ("1", "1.018 -0.3107 0.1539", "-501.6 1567 -1619 566.1"),
    65: ("1.1", "3.755 -4.398 1.975", "-53.3 230.4 -333.9 178.6"),
}
NODES = tuple(_TABLE)


def _polynomial(coefficients: str, volts: str) -> Fraction:
    """Value of a polynomial at a voltage."""
    value = Fraction(0)
    for coefficient in coefficients.split():
        value = value * Fraction(volts) + Fraction(coefficient)
    return value


ENERGY = {nm: _polynomial(e, volts) for nm, (volts, e, _) in _TABLE.items()}
DELAY = {nm: _polynomial(d, volts) for nm, (volts, _, d) in _TABLE.items()}


def _between(factors: dict[int, Fraction], node_nm: int) -> Fraction:
    """Factor of a node; on a straight line between the two nodes around it."""
    if node_nm in factors:
        return factors[node_nm]
    above = bisect_left(NODES, node_nm)
    low, high = NODES[above - 1], NODES[above]
    share = Fraction(node_nm - low, high - low)
    return factors[low] + share * (factors[high] - factors[low])


def energy_ratio(from_nm: int, to_nm: int) -> Fraction:
    """Energy of an operation at `to_nm` over that at `from_nm` (7 to 65 nm)."""
    return _between(ENERGY, to_nm) / _between(ENERGY, from_nm)


def clock_ratio(from_nm: int, to_nm: int) -> Fraction:
    """Clock at `to_nm` over that at `from_nm`: delays the other way (7 to 65 nm)."""
    return _between(DELAY, from_nm) / _between(DELAY, to_nm)


def at_technology(kind: ChipletType) -> ChipletType:
    """Return the type with energies and clock at its own node.

    Energies change only where `technology_nm` and `energies_at_nm` are stated, the
    clock only where `technology_nm` and `clock_at_nm` are. Static power stays. The
    result states no reference nodes, so that scaling it again changes nothing.
    """
    node = kind.technology_nm
    if node is None:
        return kind
    changes: dict[str, Fraction] = {}
    if kind.energies_at_nm is not None:
        ratio = energy_ratio(kind.energies_at_nm, node)
        changes |= {name: getattr(kind, name) * ratio for name in ENERGIES}
    if kind.clock_at_nm is not None:
        changes["clock_mhz"] = kind.clock_mhz * clock_ratio(kind.clock_at_nm, node)
    return replace(kind, **changes, energies_at_nm=None, clock_at_nm=None)  # type: ignore[arg-type]

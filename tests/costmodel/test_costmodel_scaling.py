"""Energies and clock at another technology node."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from costmodel_cases import chiplet, gemm, instance, single

from costmodel.build import build_table
from costmodel.scaling import (
    DELAY,
    ENERGIES,
    ENERGY,
    NODES,
    at_technology,
    clock_ratio,
    energy_ratio,
)
from instances.faults import InstanceError
from instances.vocabulary import NODES_NM


def test_factors_that_the_authors_work_out() -> None:
    """Their corrigendum: 32 nm at 0.9 V 0.4571; 65 nm at 1.3 V 2.604 (here 1.1 V)."""
    assert round(float(ENERGY[32]), 4) == 0.4571
    at_1_3 = Fraction("3.755") * Fraction("1.3") ** 2 - Fraction("4.398") * Fraction(
        "1.3"
    )
    assert round(float(at_1_3 + Fraction("1.975")), 3) == 2.604
    volts = Fraction("1.1")
    by_hand = Fraction("3.755") * volts**2 - Fraction("4.398") * volts
    assert ENERGY[65] == by_hand + Fraction("1.975") == Fraction("1.68075")


def test_delays_by_hand() -> None:
    """45 nm at 1 V is the sum of its coefficients; 16 nm has no cubic term."""
    assert DELAY[45] == Fraction("12.5")
    assert DELAY[16] == Fraction("6.396")  # 24.8·0.7225 - 47.52·0.85 + 28.87


def test_nodes_of_the_format_are_those_of_the_rule() -> None:
    assert (NODES[0], NODES[-1]) == NODES_NM
    assert list(NODES) == sorted(NODES)


def test_smaller_nodes_take_less_energy() -> None:
    factors = [energy_ratio(65, node) for node in range(7, 66)]
    assert factors == sorted(set(factors))
    assert factors[-1] == 1


def test_between_two_nodes_on_a_straight_line() -> None:
    """28 nm is two thirds of the way from 20 to 32."""
    assert energy_ratio(32, 28) * ENERGY[32] == (ENERGY[20] + 2 * ENERGY[32]) / 3


@pytest.mark.parametrize(("a", "b", "c"), [(7, 28, 65), (16, 45, 12), (22, 22, 10)])
def test_ratios_chain(a: int, b: int, c: int) -> None:
    for ratio in (energy_ratio, clock_ratio):
        assert ratio(a, b) * ratio(b, c) == ratio(a, c)
        assert ratio(a, a) == 1


def test_the_clock_goes_against_the_delay() -> None:
    assert clock_ratio(45, 16) == Fraction("12.5") / Fraction("6.396") > 1


@pytest.mark.parametrize(
    "nodes",
    [
        {},
        {"technology_nm": 16},
        {"energies_at_nm": 45},
        {"clock_at_nm": 45},
        {"energies_at_nm": 45, "clock_at_nm": 45},
        {"technology_nm": 16, "energies_at_nm": 16, "clock_at_nm": 16},
    ],
)
def test_one_node_alone_scales_nothing(nodes: dict[str, int]) -> None:
    plain = chiplet("ws")
    kind = at_technology(replace(plain, **nodes))
    assert replace(kind, **dict.fromkeys(("technology_nm", *nodes))) == plain


def test_two_nodes_scale_what_they_speak_of() -> None:
    plain = chiplet(
        "ws", noc_energy_pj_per_byte=Fraction(3), static_power_mw=Fraction(9)
    )
    kind = replace(plain, technology_nm=16, energies_at_nm=45)
    small = at_technology(kind)
    for name in ENERGIES:
        assert getattr(small, name) == getattr(plain, name) * ENERGY[16] / ENERGY[45]
    assert small.clock_mhz == plain.clock_mhz
    assert small.static_power_mw == 9
    assert at_technology(small) == small
    fast = at_technology(replace(plain, technology_nm=16, clock_at_nm=45))
    assert fast.clock_mhz == plain.clock_mhz * Fraction("12.5") / Fraction("6.396")
    assert fast.mac_energy_pj == plain.mac_energy_pj


def test_the_table_is_built_at_the_own_node() -> None:
    """The same mapping: less energy by the factor, less time by the other."""
    plain = chiplet("ws")
    kind = replace(plain, technology_nm=16, energies_at_nm=45, clock_at_nm=45)
    tables = [
        build_table(instance([k], (single(gemm(400, 20, 20)),), tick_ps=1))
        for k in (plain, kind)
    ]
    [before], [after] = (table.rows["m", "gemm", "ws"] for table in tables)
    assert after.accesses == before.accesses
    exact = before.energy_quanta * ENERGY[16] / ENERGY[45]
    assert abs(after.energy_quanta - exact) < 1  # rounded up twice
    ticks = before.latency_ticks * Fraction("6.396") / Fraction("12.5")
    assert 0 <= after.latency_ticks - ticks < 1


@pytest.mark.parametrize("key", ["technology_nm", "energies_at_nm", "clock_at_nm"])
@pytest.mark.parametrize("node", [6, 66, Fraction(16)])
def test_nodes_that_cannot_be_scaled_are_refused(key: str, node: object) -> None:
    with pytest.raises(InstanceError, match=rf"types\.ws\.{key}"):
        instance([chiplet("ws", **{key: node})], (single(gemm(4, 2, 2)),))

"""Energy by parts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from costmodel_cases import chiplet, gemm, instance, single

from costmodel.build import accesses_of, build_table
from costmodel.energy import PARTS, energy_parts_pj, energy_pj
from costmodel.mapper import best_mappings
from instances.chiplet_types import packaged_types
from instances.load import load_instance
from instances.schema import Layer, LoopBounds, Model, Tensor

KIND = chiplet("ws", noc_energy_pj_per_byte=Fraction(3))


def test_parts_by_hand() -> None:
    """4 rows, 2 columns, inner size 2: input 8, weights 4, outputs 8 cross the NoC.

    MACs 16·1, L1 76·1, L2 40·10 (see test_costmodel_examples), NoC 20·3.
    """
    found = best_mappings(gemm(4, 2, 2), KIND)[-1]
    parts = energy_parts_pj(KIND, 16, accesses_of(found, 16, 8, 4, 8))
    assert parts == {"mac": 16, "l1": 76, "l2": 400, "noc": 60}
    assert energy_pj(KIND, 16, accesses_of(found, 16, 8, 4, 8)) == 552


def test_a_level_without_energy_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'l3/input', expected one of l1/…, l2/…"):
        energy_pj(KIND, 1, {"l3/input": 1})


def test_every_mode_of_the_headline_is_the_sum_of_its_parts() -> None:
    """MACs and accesses of the table say its energy to the quantum."""
    given = load_instance("headline")
    table = build_table(given)
    quantum_pj = Fraction(given.energy_quantum_fj, 1000)
    for (_, _, name), modes in table.rows.items():
        for mode in modes:
            kind = given.package.types[name]
            parts = energy_parts_pj(kind, mode.macs, mode.accesses)
            assert tuple(parts) == PARTS
            assert all(parts.values())
            rest = mode.energy_quanta * quantum_pj - sum(parts.values())
            assert 0 <= rest < quantum_pj


def test_noc_energy_is_neutral_where_it_is_not_given() -> None:
    """3 pJ a byte more on 20 bytes are 60 pJ: 6000 quanta."""
    plain = chiplet("ws")
    assert plain.noc_energy_pj_per_byte == 0
    tables = [
        build_table(instance([k], (single(gemm(4, 2, 2)),))) for k in (plain, KIND)
    ]
    [before], [after] = (table.rows["m", "gemm", "ws"] for table in tables)
    assert before.accesses == after.accesses
    assert after.energy_quanta - before.energy_quanta == 6000


def test_packaged_types_pay_two_macs_a_byte() -> None:
    for kind in packaged_types().values():
        assert kind.noc_energy_pj_per_byte == 2 * kind.mac_energy_pj


def test_vector_work_is_the_sum_of_its_parts() -> None:
    """Its operations are charged as MACs, so that its energy divides like any other."""
    loops = LoopBounds(k=1, c=1, oy=8, ox=4)
    layer = Layer("relu", "relu", loops, 0)
    tensors = (
        Tensor("in", None, ("relu",), 32),
        Tensor("out", "relu", (), 32, output=True),
    )
    given = instance([KIND], (Model("m", (layer,), tensors),))
    [mode] = build_table(given).rows["m", "relu", "ws"]
    parts = energy_parts_pj(KIND, mode.macs, mode.accesses)
    assert all(parts.values())
    assert sum(parts.values()) == Fraction(mode.energy_quanta, 100)

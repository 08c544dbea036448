"""Laws that hold for every layer on every chiplet type."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from costmodel_cases import chiplet, chiplets, gemm, instance, layers, single
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel.build import build_table
from costmodel.energy import energy_pj
from costmodel.families import FAMILIES
from costmodel.mapper import best_mappings
from costmodel.nest import fixed, nest_of
from costmodel.roofline import compulsory_elements, least_cycles

laws = settings(derandomize=True, deadline=None, max_examples=60, database=None)


def cycles(layer, kind, samples: int = 1) -> int:
    found = best_mappings(layer, kind, samples)[-1]
    assume(found is not None)
    return found.cycles


@laws
@given(layers(), chiplets(), st.integers(1, 5))
def test_never_better_than_the_roofline(layer, kind, samples) -> None:
    """MACs on all PEs and the compulsory bytes on the NoC are lower bounds."""
    floor = least_cycles(layer, kind, samples)
    for found in best_mappings(layer, kind, samples):
        if found is not None:
            assert found.cycles >= floor


@laws
@given(layers(), chiplets())
def test_compulsory_bytes_cross_the_noc(layer, kind) -> None:
    """Of searched mappings; every operand at least once."""
    inputs, weights, outputs = compulsory_elements(layer)
    for found in best_mappings(layer, kind):
        if found is not None and not found.text.startswith("fixed"):
            assert found.noc_in >= inputs
            assert found.noc_w >= weights
            assert found.noc_up >= outputs


@laws
@given(layers(), chiplets(), st.integers(64, 5000))
def test_never_worse_than_the_fixed_mapping(layer, kind, pes) -> None:
    """Or than the roofline, where the fixed mapping's free first elements beat it."""
    kind = replace(kind, num_pes=pes, l2_bytes=1 << 30)
    nest = nest_of(layer.bounds, 1, layer.op != "matmul")
    template = fixed(
        FAMILIES[kind.dataflow].template,
        layer.bounds,
        nest,
        np.asarray([pes], np.int64),
        kind.noc_bytes_per_cycle,
    )
    own = int(template.cycles[0])
    assert cycles(layer, kind) <= max(own, least_cycles(layer, kind))


@laws
@given(layers(), chiplets(), st.integers(1, 500))
def test_more_pes_never_hurt(layer, kind, more) -> None:
    bigger = replace(kind, num_pes=kind.num_pes + more)
    assert cycles(layer, bigger) <= cycles(layer, kind)


@laws
@given(layers(), chiplets(), st.integers(1, 100))
def test_more_bandwidth_never_hurts(layer, kind, more) -> None:
    bigger = replace(kind, noc_bytes_per_cycle=kind.noc_bytes_per_cycle + more)
    assert cycles(layer, bigger) <= cycles(layer, kind)


@laws
@given(layers(), chiplets(), st.integers(1, 1 << 16))
def test_more_l2_never_hurts(layer, kind, more) -> None:
    bigger = replace(kind, l2_bytes=kind.l2_bytes + more)
    assert cycles(layer, bigger) <= cycles(layer, kind)


@laws
@given(layers(), chiplets(), st.integers(2, 9))
def test_a_mini_batch_costs_at_most_its_samples(layer, kind, samples) -> None:
    assert cycles(layer, kind, samples) <= samples * cycles(layer, kind)


@laws
@given(layers(), chiplets(), st.integers(1, 3))
def test_modes_of_the_table(layer, kind, samples) -> None:
    """At most four, fit L2, none dominated; energy is the sum of its parts."""
    given_instance = instance([kind], (single(layer, samples, mini_batches=2),))
    table = build_table(given_instance, "0" * 64)
    modes = table.rows.get(("m", layer.name, kind.name), ())
    assert len(modes) <= 4
    assert list(modes) == sorted(modes, key=lambda m: m.latency_ticks)
    for mode in modes:
        assert mode.ws_bytes <= kind.l2_bytes
        assert 0 < mode.utilisation <= 1
        assert mode.macs == samples * layer.bounds.macs
        exact = energy_pj(kind, mode.macs, mode.accesses)
        assert (mode.energy_quanta - 1) * 10 < exact * 1000 <= mode.energy_quanta * 10
        if mode.holds_weights:
            assert mode.rw_bytes == 0
        if layer.op == "matmul":
            assert mode.rw_bytes == 0


def test_half_the_precision_halves_noc_time() -> None:
    """A NoC-bound layer of 2-byte elements takes twice as long, energy too."""
    layer = gemm(1, 64, 64)
    kind = chiplet("ws", num_pes=4096, noc_bytes_per_cycle=1)
    one = best_mappings(layer, kind)[-1]
    two = best_mappings(layer, kind, element_bytes=2)[-1]
    assert two.cycles == 2 * one.cycles

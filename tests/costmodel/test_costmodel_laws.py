"""Laws that hold for every layer on every chiplet type."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from costmodel_cases import chiplet, chiplets, fastest, gemm, instance, layers, single
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel.build import build_table
from costmodel.energy import energy_pj
from costmodel.families import FIXED, dataflow_of
from costmodel.mapper import BUDGETS, GOALS, best_mappings
from costmodel.nest import nest_of, searched
from costmodel.roofline import compulsory_elements, least_cycles
from costmodel.tiling import Case, costs, least, tilings

laws = settings(derandomize=True, deadline=None, max_examples=60, database=None)
some_laws = settings(laws, max_examples=40)
few_laws = settings(laws, max_examples=25)


def cycles(layer, kind, samples: int = 1) -> float:
    """Of the fastest mapping; infinite where the layer does not fit."""
    found = fastest(layer, kind, samples)
    return inf if found is None else found.cycles


@laws
@given(layers(), chiplets(), st.integers(1, 5))
def test_never_better_than_the_roofline(layer, kind, samples) -> None:
    """MACs on all PEs and the compulsory bytes on the NoC are lower bounds."""
    floor = least_cycles(layer, kind, samples)
    for found in best_mappings(layer, kind, samples):
        if found is not None:
            assert found.cycles >= floor


@laws
@given(layers(), chiplets(), st.integers(1, 4))
def test_compulsory_bytes_cross_the_noc(layer, kind, samples) -> None:
    """Every operand at least once; nothing is fetched less than once."""
    inputs, weights, outputs = compulsory_elements(layer, samples)
    for found in best_mappings(layer, kind, samples):
        if found is not None:
            assert found.noc_in >= inputs
            assert found.noc_w >= weights
            assert found.noc_up >= outputs
            assert min(found.reread_in, found.reread_w, found.reread_out) >= 0
            assert found.noc_down >= 0


MORE = {
    "num_pes": st.integers(1, 500),
    "noc_bytes_per_cycle": st.integers(1, 100),
    "l2_bytes": st.integers(1, 1 << 16),
    "l1_bytes_per_pe": st.integers(1, 2048),
}


def more_of(draw, kind, what):
    """The chiplet type with more of one thing."""
    return replace(kind, **{what: getattr(kind, what) + draw(MORE[what])})


@pytest.mark.parametrize("what", MORE)
@some_laws
@given(layers(), chiplets(), st.integers(1, 3), st.data())
def test_more_never_hurts(what, layer, kind, samples, data) -> None:
    """Of PEs, bandwidth, L2, L1; and what fits before fits with more."""
    bigger = more_of(data.draw, kind, what)
    assert cycles(layer, bigger, samples) <= cycles(layer, kind, samples)


@laws
@given(layers(dilated=False), chiplets(tuple(FIXED)), st.integers(2, 6))
def test_fixed_mappings_obey_the_laws_too(layer, kind, samples) -> None:
    """The roofline (A8), and samples one after the other (A7)."""
    kind = replace(kind, num_pes=kind.num_pes + 64)  # a cluster of each
    one = fastest(layer, kind)
    more = fastest(layer, kind, samples)
    assume(one is not None and more is not None)
    assert one.cycles >= least_cycles(layer, kind)
    assert least_cycles(layer, kind, samples) <= more.cycles <= samples * one.cycles


def everything(layer, kind, samples):
    """All candidates of a layer on a type: array mappings, tilings, their costs."""
    flow = dataflow_of(kind.dataflow)
    nest = nest_of(layer.bounds, samples, layer.op != "matmul")
    case = Case(
        nest=nest,
        dataflow=flow,
        element_bytes=1,
        weight_bytes=nest.weights,
        residuals=0,
        floor=0,
        bandwidth=kind.noc_bytes_per_cycle,
        l1_pj=float(kind.l1_energy_pj_per_byte),
        l2_pj=float(kind.l2_energy_pj_per_byte),
        noc_pj=float(kind.noc_energy_pj_per_byte),
    )
    arrays = searched(flow, nest, kind.num_pes, kind.l1_bytes_per_pe)
    assume(len(arrays.cycles) < 3000)
    tiles = tilings(arrays)
    assume(len(tiles.of) < 200_000)  # all at once in memory
    return case, arrays, tiles, costs(case, arrays, tiles)


@few_laws
@given(layers(), chiplets(), st.integers(1, 3))
def test_no_candidate_is_faster_than_the_one_found(layer, kind, samples) -> None:
    """The search for latency is exact, for every budget; the bounds are bounds."""
    case, arrays, tiles, cost = everything(layer, kind, samples)
    low, low_energy = least(case, arrays)
    assert (low[tiles.of] <= cost.cycles.min(0)).all()
    assert (low_energy[tiles.of] <= cost.energy.min(0) * (1 + 1e-9)).all()
    found = best_mappings(layer, kind, samples)
    for i, share in enumerate(BUDGETS):
        fit = cost.ws <= int(share * kind.l2_bytes)
        best = found[i * len(GOALS)]
        assert (best is None) == (not fit.any())
        if best is not None:
            assert best.cycles == cost.cycles[:, fit].min()
            assert best.ws_bytes <= int(share * kind.l2_bytes)


@few_laws
@given(layers(), chiplets())
def test_each_goal_is_the_best_at_it(layer, kind) -> None:
    """Of the mappings found for a budget; `again` is bytes, outputs twice."""

    def worth(mapping):
        moved = mapping.noc_in + mapping.noc_w + mapping.noc_up + mapping.noc_down
        into = moved - mapping.noc_up
        again = mapping.reread_in + mapping.reread_w + 2 * mapping.reread_out
        l1, l2 = kind.l1_energy_pj_per_byte, kind.l2_energy_pj_per_byte
        wires = kind.noc_energy_pj_per_byte * moved
        return mapping.cycles, l1 * into + l2 * (moved + again) + wires, again

    found = best_mappings(layer, kind)
    for start in range(0, len(found), len(GOALS)):
        group = [m for m in found[start : start + len(GOALS)] if m is not None]
        assert len(group) in (0, len(GOALS))
        for place, mapping in enumerate(group):
            least_of_group = min(worth(other)[place] for other in group)
            assert worth(mapping)[place] == least_of_group


@laws
@given(layers(), chiplets(), st.integers(2, 9))
def test_a_mini_batch_costs_at_most_its_samples(layer, kind, samples) -> None:
    """And where one sample fits, all do."""
    assert cycles(layer, kind, samples) <= samples * cycles(layer, kind)


@laws
@given(layers(), chiplets(), st.integers(1, 3), st.integers(1, 5))
def test_modes_of_the_table(layer, kind, samples, most) -> None:
    """At most so many, fit L2, none dominated; energy is the sum of its parts."""
    given_instance = instance([kind], (single(layer, samples, mini_batches=2),))
    table = build_table(given_instance, "0" * 64, most)
    modes = table.rows.get(("m", layer.name, kind.name), ())
    assert len(modes) <= most
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
    one = fastest(layer, kind)
    two = fastest(layer, kind, element_bytes=2)
    assert two.cycles == 2 * one.cycles

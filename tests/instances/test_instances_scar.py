"""SCAR's scenarios: their batches, and mini-batches by the stated rule (I25)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from costmodel.build import build_table
from instances.load import load_instance, load_package
from instances.models import BUILDERS

if TYPE_CHECKING:
    from instances.schema import Model

HALF = 5 * 2**20  # of L2
BATCHES = {
    # Table III of arXiv 2405.00790
    1: {"gpt-l": 1, "bert-l": 3},
    2: {"gpt-l": 1, "bert-l": 3, "resnet50": 1},
    3: {"gpt-l": 1, "bert-l": 3, "resnet50": 32},
    4: {"gpt-l": 8, "bert-l": 24, "unet": 1, "resnet50": 32},
    5: {
        **{"gpt-l": 8, "bert-l": 24, "bert-base": 24, "unet": 1},
        **{"resnet50": 32, "googlenet": 32},
    },
    6: {
        **{"d2go": 10, "plane_rcnn": 15, "midas_small": 30},
        **{"emformer": 3, "hrvit_b1": 10},
    },
    7: {"plane_rcnn": 15, "hand_graph_cnn": 45, "midas_small": 30},
    8: {"d2go": 30, "emformer": 3},
    9: {"eyecod": 60, "hand_graph_cnn": 30, "sparse_to_dense": 30},
    10: {"eyecod": 60, "hand_graph_cnn": 45},
}
MIXED = (1, 2, 3, 4, 5)  # scenarios that are packaged as mixes of a round, too
BUILDS = {
    "gpt-l": ("gpt2", {"size": "medium", "lm_head": "none"}),
    "bert-l": ("bert", {"size": "large", "head": "none"}),
    "bert-base": ("bert", {"size": "base", "head": "none"}),
    "resnet50": ("resnet50", {}),
    "unet": ("unet", {}),
    "googlenet": ("googlenet", {}),
}


def made(name: str, samples: int, mini_batches: int = 2) -> Model:
    """A model of SCAR's with a mini-batch of `samples`."""
    builder, arguments = BUILDS.get(name, (name, {}))
    sizes = {"samples": samples, "mini_batches": mini_batches}
    return BUILDERS[builder](**arguments, **sizes, name=name)


def alive(model: Model) -> dict[str, int]:
    """Layer -> bytes of the model's tensors that are alive while it runs."""
    place = {layer.name: index for index, layer in enumerate(model.layers)}
    total = [0] * len(place)
    for tensor in model.tensors:
        if tensor.producer is not None and tensor.consumers:
            last = max(place[reader] for reader in tensor.consumers)
            for index in range(place[tensor.producer], last + 1):
                total[index] += tensor.bytes
    return dict(zip(place, total, strict=True))


@cache
def needed(name: str, samples: int) -> int:
    """Most bytes of L2 that a mini-batch needs: tensors alive, least working set."""
    model = made(name, samples)
    given = replace(load_instance("sc1-2x2"), models=(model,))
    table, tensors = build_table(given, "0" * 64), alive(model)
    return max(
        tensors[layer] + min(mode.ws_bytes for mode in modes)
        for (_, layer, _), modes in table.rows.items()
    )


@pytest.mark.parametrize("size", ["2x2", "3x3"])
@pytest.mark.parametrize("number", MIXED)
def test_batches_are_those_of_the_table(number, size):
    given = load_instance(f"sc{number}-{size}")
    assert {m.name: m.samples * m.mini_batches for m in given.models} == BATCHES[number]
    chiplets = 4 if size == "2x2" else 9
    assert len(given.package.chiplets) == chiplets
    assert given.options.contiguous
    for model in given.models:
        assert model == made(model.name, model.samples, model.mini_batches)


@pytest.mark.parametrize(
    ("name", "number", "package"),
    [
        *((f"scar{number}", number, "3x3-het-sides") for number in range(1, 6)),
        ("scar4-6x6", 4, "6x6-het-cross"),
        *((f"scar{number}", number, "3x3-het-sides-256") for number in range(6, 11)),
    ],
)
def test_windowed_scenarios_pass_sample_by_sample(name, number, package):
    given = load_instance(name)
    assert given.options.kind == "windowed"
    assert given.package == load_package(package)
    assert {m.name: m.mini_batches for m in given.models} == BATCHES[number]
    for model in given.models:
        assert model == made(model.name, 1, model.mini_batches)


@pytest.mark.parametrize(
    "number", [8, 9, *(pytest.param(n, marks=pytest.mark.long) for n in (6, 7, 10))]
)
def test_layers_of_ar_vr_fit_l2_on_both_types(number):
    """Every layer has a mode whose working set is below a sixth of the 10 MiB."""
    given = load_instance(f"scar{number}")
    rows = build_table(given, "0" * 64).rows
    for model in given.models:
        for layer in model.layers:
            for kind in ("nvdla-256", "shidiannao-256"):
                modes = rows[model.name, layer.name, kind]
                assert 6 * min(mode.ws_bytes for mode in modes) < 2 * HALF


def pairs():
    """Every model with every batch and mini-batch of the scenarios."""
    found = set()
    for number in MIXED:
        batches = BATCHES[number]
        for model in load_instance(f"sc{number}-2x2").models:
            found.add((model.name, batches[model.name], model.samples))
    return sorted(found)


@pytest.mark.parametrize(("name", "batch", "samples"), pairs())
def test_mini_batches_follow_the_rule(name, batch, samples):
    divisors = [b for b in range(1, batch + 1) if batch % b == 0]
    larger = next((b for b in divisors if b > samples), None)
    assert samples == 1 or needed(name, samples) <= HALF
    if larger is not None:
        tensors = max(alive(made(name, larger)).values())  # often enough alone
        assert max(tensors, needed(name, larger) if tensors <= HALF else 0) > HALF


def test_unet_needs_more_than_l2():
    assert max(alive(made("unet", 1)).values()) > 2 * HALF

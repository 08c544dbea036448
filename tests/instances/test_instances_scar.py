"""SCAR's scenarios: their batches, and mini-batches by the stated rule (I25)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from costmodel.build import build_table
from instances.load import load_instance
from instances.models import BUILDERS

L2_BYTES = 10 * 2**20
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
}
BUILDS = {
    "gpt-l": ("gpt2", {"size": "medium", "lm_head": "none"}),
    "bert-l": ("bert", {"size": "large", "head": "none"}),
    "bert-base": ("bert", {"size": "base", "head": "none"}),
    "resnet50": ("resnet50", {}),
    "unet": ("unet", {}),
    "googlenet": ("googlenet", {}),
}


@cache
def needed(name: str, samples: int) -> int:
    """Most bytes of L2 that a mini-batch needs: tensors alive, least working set."""
    builder, arguments = BUILDS[name]
    model = BUILDERS[builder](**arguments, samples=samples, mini_batches=2, name=name)
    given = replace(load_instance("sc1-2x2"), models=(model,))
    table = build_table(given, "0" * 64)
    place = {layer.name: index for index, layer in enumerate(model.layers)}
    alive = [0] * len(place)
    for tensor in model.tensors:
        if tensor.producer is not None and tensor.consumers:
            last = max(place[reader] for reader in tensor.consumers)
            for index in range(place[tensor.producer], last + 1):
                alive[index] += tensor.bytes
    return max(
        alive[place[layer]] + min(mode.ws_bytes for mode in modes)
        for (_, layer, _), modes in table.rows.items()
    )


@pytest.mark.parametrize("size", ["2x2", "3x3"])
@pytest.mark.parametrize("number", sorted(BATCHES))
def test_batches_are_those_of_the_table(number, size):
    given = load_instance(f"sc{number}-{size}")
    assert {m.name: m.samples * m.mini_batches for m in given.models} == BATCHES[number]
    chiplets = 4 if size == "2x2" else 9
    assert len(given.package.chiplets) == chiplets
    assert given.options.contiguous
    for model in given.models:
        builder, arguments = BUILDS[model.name]
        due = BUILDERS[builder](
            **arguments,
            samples=model.samples,
            mini_batches=model.mini_batches,
            name=model.name,
        )
        assert model == due


def pairs():
    """Every model with every batch and mini-batch of the scenarios."""
    found = set()
    for number, batches in BATCHES.items():
        for model in load_instance(f"sc{number}-2x2").models:
            found.add((model.name, batches[model.name], model.samples))
    return sorted(found)


@pytest.mark.parametrize(("name", "batch", "samples"), pairs())
def test_mini_batches_follow_the_rule(name, batch, samples):
    divisors = [b for b in range(1, batch + 1) if batch % b == 0]
    larger = next((b for b in divisors if b > samples), None)
    assert samples == 1 or needed(name, samples) <= L2_BYTES // 2
    if larger is not None:
        assert needed(name, larger) > L2_BYTES // 2


def test_unet_needs_more_than_l2():
    assert needed("unet", 1) > L2_BYTES

"""Chains of matrix products of growing size: layers, chiplets, models.

How long a proof takes depends on the numbers of layers, chiplets and models, and
here on nothing else: sizes of layers come from one short cycle, quanta, links and
options from the scenario that is varied.
"""

from __future__ import annotations

from itertools import product

from instances.load import load_instance
from results.experiments.point import Variant

LAYERS = (12, 24, 48, 96)  # of all models together
MESHES = ((2, 1), (2, 2), (3, 3))
MODELS = (1, 2, 3)
KINDS = ("nvdla", "shidiannao")
CHANNELS = (64, 96, 128, 192, 256)
ROWS = (32, 48, 64)


def chain(name: str, layers: int, shift: int) -> dict[str, object]:
    """Return a model: a chain of matrix products; `shift`: where the cycle begins."""
    width = [CHANNELS[(shift + 2 * k) % len(CHANNELS)] for k in range(layers + 1)]
    rows = ROWS[shift % len(ROWS)]
    tensors: list[dict[str, object]] = []
    for k in range(layers + 1):
        tensor: dict[str, object] = {"name": f"t{k}", "bytes": rows * width[k]}
        if k > 0:
            tensor["producer"] = f"l{k - 1}"
        tensor["consumers"] = [f"l{k}"] if k < layers else []
        tensors.append(tensor)
    return {
        "name": name,
        "layers": [
            {
                "name": f"l{k}",
                "op": "gemm",
                "bounds": {"k": width[k + 1], "c": width[k], "oy": rows},
            }
            for k in range(layers)
        ],
        "tensors": tensors,
    }


def synthetic(scenario: str) -> list[Variant]:
    """Return a variant of a scenario for every size."""
    found = []
    for layers, (width, height), models in product(LAYERS, MESHES, MODELS):
        count = width * height
        chains = [chain(f"m{m}", layers // models, m) for m in range(models)]
        label = f"l{layers}-c{count}-m{models}"
        changes = {
            "name": f"chains-{layers}-{count}-{models}",
            "models": chains,
            "package": {
                "name": f"{width}x{height}",
                "width": width,
                "height": height,
                "chiplets": [KINDS[k % len(KINDS)] for k in range(count)],
            },
        }
        size = {"layers": layers, "chiplets": count, "models": models}
        found.append(Variant(label, load_instance(scenario, changes), size))
    return found

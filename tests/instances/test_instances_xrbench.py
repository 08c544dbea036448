"""AR/VR networks layer by layer against XRBench's lists (MAESTRO's format, I27, I28).

A list has rows of K, C, input rows and columns, R, S: every layer a dense convolution
of stride 1. What the networks' own papers say otherwise stands in `NETWORKS` by the
list's names, and nothing else differs.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from instances.models import BUILDERS

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "xrbench"


@dataclass(frozen=True)
class Listed:
    """A network's list and what is put right in it."""

    file: str
    network: str
    layers: int
    strides: dict[str, int] = field(default_factory=dict)
    """Layer -> stride."""
    dense: tuple[str, ...] = ()
    """Layers of a window over as many channels as filters that are not depthwise."""
    all_dense: bool = False
    right: dict[str, dict[str, int]] = field(default_factory=dict)
    """Layer -> what its dimensions are."""
    transposed: tuple[str, ...] = ()
    left_out: tuple[tuple[int, ...], ...] = ()
    """Layers that the list has not: groups, k, c, r, s, rows, columns of output."""
    arguments: dict[str, int] = field(default_factory=dict)
    """Of the builder."""
    ordered: bool = False
    """Whether the layers come in the same order, too."""


def by(stride: int, *numbers: int) -> dict[str, int]:
    """Layers conv<number>, all of one stride."""
    return {f"conv{number}": stride for number in numbers}


def put(key: str, values: dict[int, int], prefix: str = "conv") -> dict[str, dict]:
    """Layers whose dimension `key` is put right."""
    return {f"{prefix}{number}": {key: value} for number, value in values.items()}


# Joined channels: in every block down 32 and 64 are joined to the 32 that come in (1 in
# the first), in every block up the 32 that come in to the skip's 32, and 32 more.
RITNET = put(
    "C",
    {
        **{1: 1, 2: 33, 4: 65},
        **{5 * block + 2: 64 for block in range(1, 5)},
        **{5 * block + 4: 96 for block in range(1, 5)},
        **{number: 64 for number in range(26, 42, 4)},
        **{number: 96 for number in range(28, 42, 4)},
    },
)
RITNET["conv42"] = {"K": 4}
# A graph convolution runs at every vertex: 320 and 1280 of them. Half the image leaves
# 2 x 2 positions of 256 features, and 80 vertices have 64 each.
HAND = {
    **{"fc1": {"C": 1024}, "fc11": {"C": 80 * 64}},
    **put("Y", {3: 320, 4: 320, 9: 320, 10: 320}, "fc"),
    **put("Y", dict.fromkeys((5, 6, 7, 8), 1280), "fc"),
}
# The stride of a group is in its first convolution. Three quarters of 20 rows are 15,
# of as many columns as before; a quarter of a region of 14 is 4, its mask twice that.
PLANE = {
    "conv13": {"Y": 20, "X": 20},
    **put("X", {118: 20, 119: 20}),
    **{"conv128": {"Y": 4, "X": 4}, "conv134": {"Y": 4, "X": 4}},
    **{"conv135": {"Y": 8, "X": 8}},
    **put("Y", {1: 1, 2: 1, 3: 1}, "fc"),
}
NETWORKS = {
    "ritnet": Listed(
        *("VR_gaming", "ES_RITNet", 42),
        all_dense=True,
        right=RITNET,
        ordered=True,
    ),
    "fbnet_c": Listed(
        *("VR_gaming", "GE_FBNet_C", 63, by(2, 1, 5, 12, 24, 48)),
        arguments={"rows": 160, "columns": 100},
        ordered=True,
    ),
    "sparse_to_dense": Listed(
        *("social_interactionA", "DR_RGBd_200", 34),
        by(2, 1, 6, 8, 11, 13, 16, 18),
        all_dense=True,
    ),
    "emformer": Listed("outdoor_activity_B", "ASR_EM_24L", 120, ordered=True),
    "d2go": Listed(
        *("outdoor_activity_B", "D2go_FastRCNN", 138, by(2, 1, 7, 19, 39, 108)),
        right=put("Y", {1: 1, 2: 1}, "fc"),
        ordered=True,
    ),
    "midas_small": Listed(
        *("AR_gaming", "DE_midas_v21_small", 92),
        dense=tuple(f"conv{number}" for number in range(68, 92)),
        # The five layers of stride 2: the first, and depthwise ones.
        left_out=(
            (1, 32, 3, 3, 3, 96, 128),
            (144, 1, 1, 3, 3, 48, 64),
            (192, 1, 1, 5, 5, 24, 32),
            (288, 1, 1, 3, 3, 12, 16),
            (816, 1, 1, 5, 5, 6, 8),
        ),
    ),
    "hand_graph_cnn": Listed(
        *("VR_gaming", "HT_hand_graph_cnn_half", 224, by(2, 1)),
        all_dense=True,
        right=HAND,
    ),
    "plane_rcnn": Listed(
        *("AR_gaming", "PD_Plane_RCNN_Quarter", 153),
        by(2, 1, 12, 15, 25, 28, 95, 98, 137, 139) | by(4, 128),
        all_dense=True,
        right=PLANE,
        transposed=("conv134", "conv141", "conv142", "conv145", "conv146"),
    ),
    "hrvit_b1": Listed(
        *("AR_Assistant", "SS_HRViT_b1", 423),
        {
            **by(2, 1, 2, 8, 21, 25, 59, 64, 98, 103, 109, 152, 158, 165),
            **by(2, 201, 206, 211),
            **by(4, 23, 62, 101, 107, 156, 163),
            **by(8, 105, 161),
        },
        dense=("conv194", "conv198", "conv203", "conv208"),
        right={"fc211": {"Y": 1}},
    ),
}


def listed(entry):
    """Layer -> dimensions, as the list has them."""
    text = (FOLDER / f"{entry.file}.m").read_text(encoding="utf-8")
    body = re.split(r"^Network (\w+)", text, flags=re.MULTILINE)
    own = body[body.index(entry.network) + 1]
    rows = re.findall(r"Layer (\w+).*?Dimensions: \{(.*?)\}", own, flags=re.DOTALL)
    return {
        name: {key: int(size) for key, size in re.findall(r"(\w): (\d+)", sizes)}
        for name, sizes in rows
    }


def corrected(name, entry):
    """Groups, k, c, r, s, rows and columns of output of a list's layers, put right."""
    rows = listed(entry)
    assert len(rows) == entry.layers
    found = []
    for layer, sizes in rows.items():
        d = sizes | entry.right.get(layer, {})
        if name == "hrvit_b1":
            d |= kronecker(layer, rows)
        stride = entry.strides.get(layer, 1)
        size = (-(-d["Y"] // stride), -(-d["X"] // stride))
        window = d["R"] > 1 and d["K"] == d["C"]
        if window and not entry.all_dense and layer not in entry.dense:
            found.append((d["K"], 1, 1, d["R"], d["S"], *size))
        elif layer in entry.transposed:  # four phases, a quarter of the taps each
            taps = d["R"] // 2, d["S"] // 2
            found.append((1, 4 * d["K"], d["C"], *taps, *size))
        else:
            found.append((1, d["K"], d["C"], d["R"], d["S"], *size))
    return found


def kronecker(layer, rows):
    """HRViT's small products, the third and fourth of a block's six, run for every
    group of channels: as many as the other one has columns."""
    kind, number = layer[:2], int(re.sub(r"\D", "", layer))
    place = (number - 1) % 6
    if kind != "fc" or number == 211 or place not in (2, 3):
        return {}
    other = rows[f"fc{number + 1 if place == 2 else number - 1}"]
    return {"Y": rows[layer]["Y"] * other["C"]}


def built(name, entry):
    """Such a row for every layer with weights, and how many products have none."""
    layers = BUILDERS[name](**entry.arguments).layers
    rows = [
        (b.groups, b.k, b.c, b.r, b.s, b.oy, b.ox)
        for b in (layer.bounds for layer in layers if layer.op != "matmul")
    ]
    return rows, len(layers) - len(rows)


@pytest.mark.skipif(
    not FOLDER.exists(), reason=f"no lists of layers: {FOLDER} is absent"
)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_layers_are_those_of_the_list(name):
    entry = NETWORKS[name]
    rows, products = built(name, entry)
    due = corrected(name, entry)
    if entry.ordered:
        assert rows == due
    assert Counter(rows) == Counter((*due, *entry.left_out))
    # Attention's products, two in a block, which lists of weights leave out.
    assert products == {"emformer": 2 * 24, "hrvit_b1": 2 * 35}.get(name, 0)

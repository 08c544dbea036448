"""Builders of published networks from their hyper-parameters.

`BUILDERS` maps the name that a file gives under ``build:`` to the function. A
builder takes keyword arguments with defaults, among them ``samples``,
``mini_batches``, ``bytes_per_element`` and ``name``, and raises `InstanceError`
with the argument's name as path. A new network is a new file and a line here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from instances.models.alexnet import alexnet
from instances.models.bert import bert
from instances.models.d2go import d2go
from instances.models.emformer import emformer
from instances.models.eyecod import eyecod, ritnet
from instances.models.fbnet import fbnet_c
from instances.models.googlenet import googlenet
from instances.models.gpt2 import gpt2
from instances.models.hand import hand_graph_cnn
from instances.models.hrvit import hrvit_b1
from instances.models.midas import midas_small
from instances.models.mobilenet import mobilenetv2
from instances.models.plane_rcnn import plane_rcnn
from instances.models.resnet import BLOCKS, resnet
from instances.models.sparse_to_dense import sparse_to_dense
from instances.models.unet import unet
from instances.models.vgg import vgg16

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import Model

BUILDERS: dict[str, Callable[..., Model]] = {
    "alexnet": alexnet,
    "bert": bert,
    "d2go": d2go,
    "emformer": emformer,
    "eyecod": eyecod,
    "fbnet_c": fbnet_c,
    "googlenet": googlenet,
    "gpt2": gpt2,
    "hand_graph_cnn": hand_graph_cnn,
    "hrvit_b1": hrvit_b1,
    "midas_small": midas_small,
    "mobilenetv2": mobilenetv2,
    "plane_rcnn": plane_rcnn,
    "resnet": resnet,
    **{
        f"resnet{depth}": partial(resnet, depth, name=f"resnet{depth}")
        for depth in BLOCKS
    },
    "ritnet": ritnet,
    "sparse_to_dense": sparse_to_dense,
    "unet": unet,
    "vgg16": vgg16,
}

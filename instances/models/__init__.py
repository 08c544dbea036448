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
from instances.models.googlenet import googlenet
from instances.models.gpt2 import gpt2
from instances.models.mobilenet import mobilenetv2
from instances.models.resnet import BLOCKS, resnet
from instances.models.unet import unet
from instances.models.vgg import vgg16

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import Model

BUILDERS: dict[str, Callable[..., Model]] = {
    "alexnet": alexnet,
    "bert": bert,
    "googlenet": googlenet,
    "gpt2": gpt2,
    "mobilenetv2": mobilenetv2,
    "resnet": resnet,
    **{
        f"resnet{depth}": partial(resnet, depth, name=f"resnet{depth}")
        for depth in BLOCKS
    },
    "unet": unet,
    "vgg16": vgg16,
}

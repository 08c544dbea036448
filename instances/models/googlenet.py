"""GoogLeNet (Szegedy et al. 2015) from its published hyper-parameters.

Source: "Going Deeper with Convolutions", Table 1; without the two auxiliary
classifiers, which serve training only (section 5). Parameters: 6 998 552, those of
Caffe's bvlc_googlenet; 6 624 904 with torchvision's 3x3 in place of 5x5 convolutions
(docs of torchvision.models.googlenet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.parts import Graph, halved, require
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from instances.schema import Model

INCEPTIONS = {
    # name: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")  # a pooling of stride 2 behind
CLASSES = 1000
SOURCE = "GoogLeNet, Szegedy et al. 2015, Table 1"


def googlenet(
    image: int = 224,
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "googlenet",
) -> Model:
    """Return GoogLeNet: three convolutions, nine inceptions of six, a classifier.

    58 layers. The four ends of an inception are joined along the channels by
    whoever reads them: each is a tensor of its own. Pooling is done by whoever
    reads the unpooled tensors (I6), in front of a pool projection too; not `fused`:
    fourteen layers for it, 72 in all. The normalisation of responses is left out
    (I4).

    Parameters
    ----------
    image
        Rows and columns of the image.
    fused
        Whether poolings are free.
    samples, mini_batches, bytes_per_element
        Images per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    require(
        {
            "image": image,
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        },
        flags={"fused": fused},
    )
    graph = Graph(samples, bytes_per_element, fused)
    _body(graph, image)
    return graph.finish(name, mini_batches, SOURCE)


def _body(graph: Graph, image: int) -> None:
    """Add all layers."""
    tensor = graph.model_input("image", 3 * image * image)
    size = halved(image)
    tensor = graph.conv("conv1", 64, 3, size, [tensor], 7, 2)
    size = halved(size)
    reads = graph.pool("pool1", "max_pool", 64, size, [tensor], 3, 2)
    tensor = graph.conv("conv2.reduce", 64, 64, size, reads)
    tensor = graph.conv("conv2", 192, 64, size, [tensor], 3)
    size, channels = halved(size), 192
    reads = graph.pool("pool2", "max_pool", channels, size, [tensor], 3, 2)
    for place, widths in INCEPTIONS.items():
        reads = _inception(graph, f"inception{place}", channels, size, reads, widths)
        one, _, three, _, five, projected = widths
        channels = one + three + five + projected
        if place in POOLED:
            size = halved(size)
            label = f"pool{place[0]}"
            reads = graph.pool(label, "max_pool", channels, size, reads, 3, 2)
    reads = graph.pool("avgpool", "average_pool", channels, 1, reads, size, 1)
    bounds = LoopBounds(k=CLASSES, c=channels, oy=1)
    graph.layer("fc", "gemm", bounds, reads, len(reads))


def _inception(
    graph: Graph,
    path: str,
    c: int,
    size: int,
    reads: list[str],
    widths: tuple[int, int, int, int, int, int],
) -> list[str]:
    """Add one inception over the joined tensors `reads`; returns its four ends."""
    joined = len(reads)
    one, less, three, least, five, projected = widths
    first = graph.conv(f"{path}.1x1", one, c, size, reads, joined=joined)
    narrow = graph.conv(f"{path}.3x3_reduce", less, c, size, reads, joined=joined)
    second = graph.conv(f"{path}.3x3", three, less, size, [narrow], 3)
    narrow = graph.conv(f"{path}.5x5_reduce", least, c, size, reads, joined=joined)
    third = graph.conv(f"{path}.5x5", five, least, size, [narrow], 5)
    pooled = graph.pool(f"{path}.pool", "max_pool", c, size, reads, 3, 1)
    label = f"{path}.pool_proj"
    fourth = graph.conv(label, projected, c, size, pooled, joined=len(pooled))
    return [first, second, third, fourth]

"""U-Net (Ronneberger et al. 2015) from its published hyper-parameters.

Source: "U-Net: Convolutional Networks for Biomedical Image Segmentation", section 2
and Figure 1, with convolutions padded by one (I22).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError
from instances.models.parts import Graph, require
from instances.shapes import transposed

if TYPE_CHECKING:
    from instances.schema import Model

WIDTHS = (64, 128, 256, 512)
BOTTOM = 1024
SOURCE = "U-Net, Ronneberger et al. 2015, Figure 1; padded convolutions"


def unet(
    image: int = 512,
    channels: int = 1,
    classes: int = 2,
    fused: bool = True,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "unet",
) -> Model:
    """Return U-Net: four steps down, a bottom, four steps up, a 1x1 convolution.

    23 layers, as the paper counts. A step's skip and what comes from below are
    joined along the channels by the first convolution of the step up. Pooling is
    done by whoever reads the unpooled tensor (I6); not `fused`: four layers for it,
    27 in all. An up-convolution is transposed, 2x2 of stride 2 (A26: exact).

    Parameters
    ----------
    image, channels
        Rows and columns of the image, a multiple of 16; channels of it.
    classes
        Channels of the output.
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
            "channels": channels,
            "classes": classes,
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        },
        flags={"fused": fused},
    )
    if image % 2 ** len(WIDTHS):
        raise InstanceError([Fault("image", str(image), "a multiple of 16")])
    graph = Graph(samples, bytes_per_element, fused)
    tensor = _body(graph, image, channels)
    graph.conv("out", classes, WIDTHS[0], image, [tensor])
    return graph.finish(name, mini_batches, SOURCE)


def _body(graph: Graph, image: int, channels: int) -> str:
    """Add the steps down and up; returns the last one's tensor."""
    reads = [graph.model_input("image", channels * image * image)]
    size, c, skips = image, channels, []
    for number, width in enumerate(WIDTHS, start=1):
        skip = _two(graph, f"down{number}", width, c, size, reads)
        skips.append(skip)
        size, c = size // 2, width
        reads = graph.pool(f"down{number}.pool", "max_pool", width, size, [skip], 2, 2)
    tensor = _two(graph, "bottom", BOTTOM, c, size, reads)
    for number in range(len(WIDTHS), 0, -1):
        width, size = WIDTHS[number - 1], 2 * size
        tensor = _upwards(graph, f"up{number}.upconv", width, size, tensor)
        reads = [skips[number - 1], tensor]
        tensor = _two(graph, f"up{number}", width, 2 * width, size, reads)
    return tensor


def _two(graph: Graph, path: str, k: int, c: int, size: int, reads: list[str]) -> str:
    """Add two 3x3 convolutions over the joined tensors `reads`."""
    first = graph.conv(f"{path}.conv1", k, c, size, reads, 3, joined=len(reads))
    return graph.conv(f"{path}.conv2", k, k, size, [first], 3)


def _upwards(graph: Graph, name: str, k: int, size: int, tensor: str) -> str:
    """Add an up-convolution that halves the channels, to `size` rows of output."""
    sizes = {"k": k, "c": 2 * k, "r": 2, "s": 2, "oy": size, "ox": size}
    bounds = transposed({**sizes, "stride": 2, "groups": 1})
    return graph.layer(name, "conv", bounds, [tensor])

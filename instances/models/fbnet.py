"""FBNet-C (Wu et al. 2019) from its published blocks.

Source: "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural
Architecture Search", Table 1 and Figure 4; 5.5 million parameters and 375 million
MACs in Table 3. As released, blocks of expansion 1 have no first 1x1 convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.models.maps import Map, conv, dense, depthwise, input_map
from instances.models.parts import checked_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.models.parts import Graph
    from instances.schema import Model

FIRST, LAST, CLASSES = 16, 1984, 1000
BLOCKS = (
    # channels, stride of the first, (expansion, kernel) of each block but skipped ones
    (16, 1, ((1, 3),)),
    (24, 2, ((6, 3), (1, 3), (1, 3))),
    (32, 2, ((6, 5), (3, 5), (6, 5), (6, 3))),
    (64, 2, ((6, 5), (3, 5), (6, 5), (6, 5))),
    (112, 1, ((6, 5), (6, 5), (6, 5), (3, 5))),
    (184, 2, ((6, 5), (6, 5), (6, 5), (6, 5))),
    (352, 1, ((6, 3),)),
)
SOURCE = "FBNet-C, Wu et al. 2019, Figure 4"


def fbnet_c(
    rows: int = 224,
    columns: int = 224,
    samples: int = 1,
    mini_batches: int = 1,
    bytes_per_element: int = 1,
    name: str = "fbnet_c",
) -> Model:
    """Return FBNet-C with its 1000-class head: 63 layers.

    Norms and activations are folded into the convolutions (I4); a shortcut is added by
    the last convolution of its block (I3), the average is taken by the classifier (I6).

    Parameters
    ----------
    rows, columns
        Of the image.
    samples, mini_batches, bytes_per_element
        Images per mini-batch, mini-batches per round, precision.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    graph = checked_graph(
        samples, mini_batches, bytes_per_element, rows=rows, columns=columns
    )
    fbnet_c_layers(graph, input_map(graph, "image", 3, rows, columns))
    return graph.finish(name, mini_batches, SOURCE)


def fbnet_c_layers(
    graph: Graph, source: Map, prefix: str = "", awaited: Sequence[Map] = ()
) -> None:
    """Add the layers of FBNet-C over `source`.

    Parameters
    ----------
    prefix
        Of the layers' names.
    awaited
        Further maps that the first layer reads.
    """
    tensor = conv(graph, f"{prefix}conv1", source, FIRST, 3, 2, awaited)
    number = 0
    for k, first_stride, blocks in BLOCKS:
        for index, (expansion, kernel) in enumerate(blocks):
            number += 1
            path, stride = f"{prefix}block{number}", first_stride if index == 0 else 1
            tensor = inverted(graph, path, tensor, k, expansion, kernel, stride)
    tensor = conv(graph, f"{prefix}conv2", tensor, LAST)
    dense(graph, f"{prefix}fc", tensor.resized(1, 1), CLASSES)


def inverted(
    graph: Graph,
    path: str,
    source: Map,
    k: int,
    expansion: int,
    kernel: int,
    stride: int = 1,
    squeezed: int = 0,
    awaited: Sequence[Map] = (),
) -> Map:
    """Add an inverted bottleneck: 1x1 (unless expansion is 1), depthwise, 1x1.

    Parameters
    ----------
    squeezed
        Channels between the two layers of a gate (squeeze and excitation), which reads
        the average of the depthwise one and scales its channels (I30); 0: no gate.
    awaited
        Further maps that the 1x1 convolution in front reads.
    """
    hidden = source
    if expansion > 1:
        wide = expansion * source.channels
        hidden = conv(graph, f"{path}.expand", source, wide, added=awaited)
    hidden = depthwise(graph, f"{path}.depthwise", hidden, kernel, stride)
    added = [source] if stride == 1 and source.channels == k else []
    if squeezed:
        gate = conv(graph, f"{path}.squeeze", hidden.resized(1, 1), squeezed)
        added.insert(0, conv(graph, f"{path}.excite", gate, hidden.channels))
    return conv(graph, f"{path}.project", hidden, k, added=added)

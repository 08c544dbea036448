"""Pieces shared by the builders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import (
    Fault,
    InstanceError,
    check_choice,
    check_flag,
    check_integer,
)
from instances.schema import Layer, LoopBounds, Model, Tensor
from instances.shapes import weight_elements
from instances.vocabulary import OPERANDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def halved(size: int) -> int:
    """Rows behind stride 2 where the padding lets none be lost: ⌈size/2⌉."""
    return (size + 1) // 2


def require(
    counts: Mapping[str, object],
    choices: Mapping[str, tuple[object, Sequence[str]]] | None = None,
    flags: Mapping[str, object] | None = None,
) -> None:
    """Refuse arguments of a builder that make no sense, all at once.

    Parameters
    ----------
    counts
        Argument -> value that has to be an integer of at least 1.
    choices
        Argument -> (value, accepted values).
    flags
        Argument -> value that has to be a truth value.

    Raises
    ------
    InstanceError
        With one fault per argument; its path is the argument's name.
    """
    faults: list[Fault] = []
    for name, value in counts.items():
        check_integer(faults, name, value, 1)
    for name, (value, accepted) in (choices or {}).items():
        check_choice(faults, name, value, accepted)
    for name, value in (flags or {}).items():
        check_flag(faults, name, value)
    if faults:
        raise InstanceError(faults)


class Graph:
    """A model in the making: layers in order, each with one output tensor.

    Parameters
    ----------
    samples
        Samples per mini-batch; multiplies the bytes of tensors.
    bytes_per_element
        Of weights and tensors alike.
    fused
        What the builder makes: no layers for vector work, or one for each.
    """

    def __init__(
        self, samples: int, bytes_per_element: int, fused: bool = True
    ) -> None:
        self.fused = fused
        self._bytes = bytes_per_element
        self._samples = samples
        self._layers: list[Layer] = []
        self._made: dict[str, tuple[str | None, int]] = {}
        self._readers: dict[str, list[str]] = {}

    def model_input(self, name: str, elements: int) -> str:
        """Add a model input of `elements` a sample; returns its name."""
        return self._tensor(name, None, elements)

    def layer(
        self,
        name: str,
        op: str,
        bounds: LoopBounds,
        reads: Sequence[str],
        joined: int = 1,
    ) -> str:
        """Add a layer and its output tensor, which has the layer's name.

        Parameters
        ----------
        reads
            Tensors that exist already, the operands of the loops first; one alone is
            both of a ``matmul``.
        joined
            How many of the first `reads` are one operand, joined along the channels.

        Returns
        -------
        str
            The name of the output tensor.
        """
        weights = weight_elements(op, bounds) * self._bytes
        count = joined if joined > 1 else OPERANDS.get(op, 0)
        operands = tuple(reads[:count]) if len(reads) >= count else ()
        self._layers.append(Layer(name, op, bounds, weights, operands))
        for tensor in reads:
            self._readers[tensor].append(name)
        return self._tensor(name, name, bounds.outputs)

    def conv(
        self,
        name: str,
        k: int,
        c: int,
        size: int,
        reads: Sequence[str],
        kernel: int = 1,
        stride: int = 1,
        joined: int = 1,
    ) -> str:
        """Add a convolution with `size` rows and columns of output."""
        bounds = LoopBounds(k, c, size, size, kernel, kernel, stride)
        return self.layer(name, "conv", bounds, reads, joined)

    def pool(
        self,
        name: str,
        op: str,
        k: int,
        size: int,
        reads: Sequence[str],
        kernel: int,
        stride: int,
    ) -> list[str]:
        """Add a pooling with `size` rows and columns of output, unless fused.

        Fused, whoever reads the pooled tensor reads `reads` (I6).

        Returns
        -------
        list of str
            What the next layer reads: the pooled tensor, or `reads`.
        """
        if self.fused:
            return list(reads)
        bounds = LoopBounds(k, 1, size, size, kernel, kernel, stride)
        return [self.layer(name, op, bounds, reads, len(reads))]

    def finish(self, name: str, mini_batches: int, source: str) -> Model:
        """Return the model; tensors that nobody reads are its outputs."""
        tensors = tuple(
            Tensor(
                tensor,
                producer,
                tuple(self._readers[tensor]),
                elements * self._samples * self._bytes,
                output=not self._readers[tensor],
            )
            for tensor, (producer, elements) in self._made.items()
        )
        layers = tuple(self._layers)
        return Model(name, layers, tensors, self._samples, mini_batches, source)

    def _tensor(self, name: str, producer: str | None, elements: int) -> str:
        self._made[name] = (producer, elements)
        self._readers[name] = []
        return name


def checked_graph(
    samples: int, mini_batches: int, bytes_per_element: int, **counts: int
) -> Graph:
    """Return an empty graph of a builder without `fused`, its arguments checked.

    Parameters
    ----------
    counts
        Further arguments that have to be integers of at least 1.

    Raises
    ------
    InstanceError
        If an argument makes no sense.
    """
    require(
        {
            **counts,
            "samples": samples,
            "mini_batches": mini_batches,
            "bytes_per_element": bytes_per_element,
        }
    )
    return Graph(samples, bytes_per_element)

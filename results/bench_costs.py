"""How fast the cost model is. ``python -m results.bench_costs``.

Times are of this machine as it is; counts are not.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import click
import numpy as np

from costmodel.build import build_table
from costmodel.families import dataflow_of
from costmodel.nest import nest_of, searched
from costmodel.templates import TEMPLATES, evaluate, shapes_of
from costmodel.tiling import ORDERS, Case, costs, tilings
from instances.load import load_instance
from instances.models.gpt2 import gpt2
from instances.models.resnet import resnet
from results.text import columns, grouped

if TYPE_CHECKING:
    from collections.abc import Callable

    from instances.schema import Instance, Layer, LoopBounds

SIZES = ("small", "medium", "large", "xl")
DEPTHS = (50, 152)
CHUNK = 32  # array mappings costed at a time
MOST = 512  # of a layer


def large_instance() -> Instance:
    """Six models on the two chiplet types of the headline."""
    models = [gpt2(size, name=f"gpt2-{size}") for size in SIZES]
    models += [resnet(depth, name=f"resnet{depth}") for depth in DEPTHS]
    return replace(load_instance("headline"), models=tuple(models))


def shapes(instance: Instance) -> dict[LoopBounds, Layer]:
    """Layers of different loop bounds."""
    layers = (layer for model in instance.models for layer in model.layers)
    return {layer.bounds: layer for layer in layers if layer.bounds is not None}


def timed(work: Callable[[], object]) -> float:
    """Seconds of the quicker of two runs."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def template_row(name: str, instance: Instance) -> tuple[str, str]:
    """Milliseconds that a fixed mapping takes for a layer, one at a time."""
    found = [shapes_of(bounds) for bounds in shapes(instance)]

    def work() -> None:
        for one in found:
            evaluate(name, one, 4096, 256)

    return f"{name}, ms a layer", f"{1000 * timed(work) / len(found):.3f}"


def search_row(name: str, instance: Instance) -> tuple[str, str]:
    """Mappings costed a second: array mappings, by tilings, by orders of tiles."""
    flow, count = dataflow_of(name), 0
    chosen = []
    for bounds, layer in shapes(instance).items():
        nest = nest_of(bounds, 1, layer.op != "matmul")
        case = Case(
            nest=nest,
            dataflow=flow,
            element_bytes=1,
            weight_bytes=nest.weights,
            residuals=0,
            floor=0,
            bandwidth=Fraction(256),
            l1_pj=0.4,
            l2_pj=4.0,
        )
        arrays = searched(flow, nest, 4096, 512)
        some = min(len(arrays.cycles), MOST)
        for start in range(0, some, CHUNK):
            index = np.arange(start, min(start + CHUNK, some))
            chosen.append((case, arrays.take(index)))

    def work() -> None:
        nonlocal count
        count = 0
        for case, arrays in chosen:
            tiles = tilings(arrays)
            costs(case, arrays, tiles)
            count += len(ORDERS) * len(tiles.of)

    seconds = timed(work)
    return f"{name}, mappings a second", grouped(round(count / seconds))


def whole_table() -> list[tuple[str, str]]:
    """Build the table of the large instance.

    The memory is the peak of this process or of the one that started it.
    """
    instance = large_instance()
    start = time.perf_counter()
    table = build_table(instance, "0" * 64)
    seconds = time.perf_counter() - start
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    modes = [len(found) for found in table.rows.values()]
    spread = ", ".join(
        f"{n}: {modes.count(n)}" for n in range(1, max(modes, default=0) + 1)
    )
    return [
        ("models", ", ".join(model.name for model in instance.models)),
        ("layers; different ones", f"{len(modes) // 2}; {len(shapes(instance))}"),
        ("rows by number of modes", spread),
        ("table, s", f"{seconds:.1f}"),
        ("peak memory, MB", f"{most / 1024:.0f}"),
    ]


@click.command()
@click.option("--table-only", is_flag=True, help="Only the table of six models.")
def main(table_only: bool) -> None:
    """Measure fixed mappings, the search, and the table of six large models."""
    if table_only:
        click.echo("\n".join(columns(whole_table(), frozenset())))
        return
    instance = load_instance("headline")
    rows = [template_row(name, instance) for name in TEMPLATES]
    rows += [search_row(name, instance) for name in ("ws", "os", "rs")]
    click.echo("\n".join(columns(rows, frozenset({1}))))
    # In a process of its own, so that its peak memory is its own.
    command = [sys.executable, "-m", "results.bench_costs", "--table-only"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    click.echo(done.stdout, nl=False)


if __name__ == "__main__":
    main()

"""The command `chipsched layers`. Heavy imports stay inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from results.failures import input_errors
from results.options import bandwidth, json_option

if TYPE_CHECKING:
    from fractions import Fraction


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--dataflow",
    required=True,
    metavar="NAME",
    help="MAESTRO's fixed kcp_ws, yxp_os, rs; searched ws, os, rs_searched, tpu or a "
    "file's path.",
)
@click.option("--pes", type=click.IntRange(1, 2**31 - 1), required=True)
@click.option(
    "--noc-bandwidth",
    callback=bandwidth,
    required=True,
    metavar="ELEMENTS",
    help="Per cycle; inf for no limit.",
)
@click.option("--input-sizes", is_flag=True, help="Y and X are padded input sizes.")
@click.option(
    "--l1",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="BYTES",
    help="Per PE; of searched dataflows only, as the next two.",
)
@click.option(
    "--l2",
    type=click.IntRange(min=1),
    default=10 * 2**20,
    show_default=True,
    metavar="BYTES",
)
@click.option(
    "--bytes-per-element", type=click.IntRange(1, 64), default=1, show_default=True
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV alone on stdout.")
def layers(
    file: Path,
    dataflow: str,
    pes: int,
    noc_bandwidth: Fraction | None,
    input_sizes: bool,
    l1: int,
    l2: int,
    bytes_per_element: int,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Cost a plain list of layers, a CSV FILE, on one array of PEs."""
    from instances.readers.layers_csv import read_layers
    from results import layers as plain
    from results.text import screen_width

    hardware = plain.Hardware(pes, noc_bandwidth, l1, l2, bytes_per_element)
    with input_errors():
        listed = read_layers(file, input_sizes=input_sizes)
        rows = plain.cost_layers(listed, dataflow, hardware)
    if as_json:
        text = plain.as_json(rows)
    elif as_csv:
        text = plain.as_csv(rows)
    else:
        text = plain.as_text(rows, pes, screen_width())
    click.echo(text, nl=False)
    return 0

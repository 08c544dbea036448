"""Unrelated parallel machines, R||Cmax: the least makespan of independent jobs.

Rows of a file: the number of jobs; the number of machines; for every job its times on
the machines.

As a pipelined instance every job is a layer of one model without tensors. A chiplet
does all of its layers in a period, one after the other, and nothing else is asked for:
the least period is the least makespan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.readers.machines import (
    instance_of,
    machine,
    mode,
    read_rows,
    task,
)
from instances.schema import Model, Options

if TYPE_CHECKING:
    from pathlib import Path

    from instances.schema import Instance

MODEL = "jobs"


def read_instance(path: Path) -> Instance:
    """Return the pipelined instance of a file.

    Raises
    ------
    InstanceError
        With all faults of the file, each with its line.
    """
    rows = read_rows(path)
    jobs = rows.count(0, "jobs")
    machines = rows.count(1, "machines")
    if jobs is None or machines is None:
        rows.refuse()  # the others could not be told apart
    assert jobs is not None
    assert machines is not None
    rows.end(2 + jobs)
    names = [machine(number + 1) for number in range(machines)]
    layers, costs = [], []
    for job in range(min(jobs, len(rows.rows) - 1)):
        name = f"job{job + 1}"
        places = [f"{name}, {other}" for other in names]
        layers.append(task(name))
        for number, ticks in enumerate(rows.integers(2 + job, places, 1, name)):
            if ticks is not None:
                costs.append(mode(MODEL, name, number + 1, ticks))
    rows.refuse()
    return instance_of(
        path, machines, [Model(MODEL, tuple(layers), ())], costs, Options()
    )

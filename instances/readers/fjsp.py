"""Flexible job shops: the least makespan of jobs of ordered operations.

Two texts are read and told apart by their first row.

- A number in every row: jobs; machines; then a row of the operations of every job; then
  for every operation, job by job, its times on the machines, 0 where it may not run.
- The usual one (``.fjs``): jobs, machines and, maybe, an average in the first row; then
  for every job its number of operations, and for each of them how many machines it may
  run on, and so many pairs of a machine, from 1 on, and a time.

As a timed instance every job is a model of one layer an operation, each the input of
the next by a tensor without bytes; contention ``none``: nothing but runs takes time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from instances.readers.machines import (
    instance_of,
    machine,
    mode,
    read_rows,
    task,
)
from instances.schema import Model, Options, Tensor, TimedOptions

if TYPE_CHECKING:
    from pathlib import Path

    from instances.readers.machines import Rows
    from instances.schema import Instance

Times = dict[int, int]
"""Machine, from 1 on, to its time for an operation."""


def read_instance(path: Path) -> Instance:
    """Return the timed instance of a file.

    Raises
    ------
    InstanceError
        With all faults of the file, each with its line.
    """
    rows = read_rows(path)
    usual = len(rows.rows[0][1]) > 1
    machines, jobs = _usual(rows) if usual else _table(rows)
    rows.refuse()
    models, costs = [], []
    for job, operations in enumerate(jobs):
        name = f"job{job + 1}"
        layers = [f"op{number + 1}" for number in range(len(operations))]
        tensors = tuple(
            Tensor(f"{made}-{used}", made, (used,), 0)
            for made, used in pairwise(layers)
        )
        models.append(Model(name, tuple(task(layer) for layer in layers), tensors))
        costs += [
            mode(name, layer, number, ticks)
            for layer, times in zip(layers, operations, strict=True)
            for number, ticks in times.items()
        ]
    timed = TimedOptions(contention="none", weights="preloaded")
    options = Options(kind="timed", timed=timed)
    return instance_of(path, machines, models, costs, options)


def _table(rows: Rows) -> tuple[int, list[list[Times]]]:
    """Return the machines and jobs of a text with a row of times an operation."""
    jobs = rows.count(0, "jobs")
    machines = rows.count(1, "machines")
    if jobs is None or machines is None:
        return 0, []
    places = [f"operations of job{job + 1}" for job in range(jobs)]
    counts = rows.integers(2, places, 1, "operations")
    if None in counts:
        return 0, []  # the rows could not be told apart
    whole = [count for count in counts if count is not None]
    rows.end(3 + sum(whole))
    names, found, index = [machine(n + 1) for n in range(machines)], [], 3
    for job, count in enumerate(whole):
        operations: list[Times] = []
        for number in range(min(count, len(rows.rows) - index + 1)):
            name = f"job{job + 1}.op{number + 1}"
            places = [f"{name}, {other}" for other in names]
            times = rows.integers(index, places, 0, name)
            if not any(times) and None not in times:
                line = rows.rows[index][0]
                rows.fault(line, name, "no machine", "a time above 0")
            operations.append({n + 1: t for n, t in enumerate(times) if t})
            index += 1
        found.append(operations)
        if index > len(rows.rows):
            break
    return machines, found


def _usual(rows: Rows) -> tuple[int, list[list[Times]]]:
    """Return the machines and jobs of a usual text, a row a job."""
    line, words = rows.rows[0]
    if len(words) > 3:
        rows.fault(line, "", f"{len(words)} numbers", "jobs, machines, an average")
        return 0, []
    jobs = rows.few(0, "jobs", rows.integer(line, "jobs", words[0], 1))
    machines = rows.integer(line, "machines", words[1], 1)
    machines = rows.few(0, "machines", machines)
    if jobs is None or machines is None:
        return 0, []
    rows.end(1 + jobs)
    found = []
    for job in range(jobs):
        if 1 + job >= len(rows.rows):
            rows.fault(None, f"job{job + 1}", "the end of the file", "its operations")
            break
        found.append(_operations(rows, 1 + job, f"job{job + 1}", machines))
    return machines, found


def _operations(rows: Rows, index: int, job: str, machines: int) -> list[Times]:
    """Return the operations of a row; with a fault in their numbers, none."""
    line, words = rows.rows[index]
    numbers = [
        rows.integer(line, f"{job}, number {n + 1}", word, 0)
        for n, word in enumerate(words)
    ]
    left = [number for number in numbers if number is not None]
    if len(left) < len(numbers):
        return []
    count, at = left[0], 1
    found: list[Times] = []
    if not count:
        rows.fault(line, job, "0 operations", "at least 1")
    for number in range(count):
        name = f"{job}.op{number + 1}"
        width = left[at] if at < len(left) else 0
        pairs = left[at + 1 : at + 1 + 2 * width]
        if not width or len(pairs) < 2 * width:
            got = "0 machines" if at < len(left) and not width else "the end of the row"
            rows.fault(line, name, got, "machines, each with its time")
            return found
        found.append(_pairs(rows, line, name, pairs, machines))
        at += 1 + 2 * width
    if at < len(left):
        rows.fault(line, job, f"{len(left) - at} more numbers", "the end of the row")
    return found


def _pairs(rows: Rows, line: int, name: str, pairs: list[int], machines: int) -> Times:
    """Return the times of an operation given as pairs of a machine and a time."""
    times: Times = {}
    for number, ticks in zip(pairs[::2], pairs[1::2], strict=True):
        if not 1 <= number <= machines:
            rows.fault(line, name, f"machine {number}", f"one from 1 to {machines}")
        elif number in times:
            rows.fault(line, name, f"machine {number} twice", "every machine once")
        else:
            times[number] = ticks
    return times

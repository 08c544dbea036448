"""A timed schedule: the decisions of MODEL.md §6, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from formulation.decisions import (
    decisions_from_dict,
    decisions_to_dict,
    mappings,
    refuse,
    unknown,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.problem import Problem

Span = tuple[int, int]
"""Start and end in ticks: it holds the ticks start, …, end − 1."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One sending of a package tensor in one round.

    Parameters
    ----------
    to
        Chiplets that it arrives on, ascending: one, or with ``multicast`` all.
    span
        From when to when, in ticks.
    """

    to: tuple[int, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decisions, indexed like `Problem.tasks` and `Problem.tensors`; times in ticks.

    Parameters
    ----------
    chiplet, mode, resident, place
        As in a pipelined schedule; the same in all rounds.
    runs
        Per task and round: when it starts.
    streams
        Per task and round: its DRAM stream; `None` if it moves nothing.
    loads
        Per task: when its weights are brought; `None` if they are not.
    transfers
        Per tensor and round.
    """

    chiplet: tuple[int, ...]
    mode: tuple[int, ...]
    resident: tuple[bool | None, ...]
    place: tuple[str | None, ...]
    runs: tuple[tuple[int, ...], ...]
    streams: tuple[tuple[Span | None, ...], ...]
    loads: tuple[Span | None, ...]
    transfers: tuple[tuple[tuple[Transfer, ...], ...], ...]


def to_dict(problem: Problem, schedule: Schedule) -> dict[str, Any]:
    """Return the schedule by names, as it stands in certificates.

    Beside ``layers`` and ``places``: ``runs`` (layer → per round ``start`` and
    ``stream``), ``loads`` (layer → [start, end]) and ``transfers`` (tensor → per round
    a list of ``to``, ``start``, ``end``); what there is none of is left out.
    """
    numbers = {"chiplet": schedule.chiplet, "mode": schedule.mode}
    data = decisions_to_dict(problem, schedule, numbers)
    data["runs"] = {
        problem.full_name(t): [
            {"start": start}
            if stream is None
            else {"start": start, "stream": [*stream]}
            for start, stream in zip(starts, streams, strict=True)
        ]
        for t, (starts, streams) in enumerate(
            zip(schedule.runs, schedule.streams, strict=True)
        )
    }
    data["loads"] = {
        problem.full_name(t): [*span]
        for t, span in enumerate(schedule.loads)
        if span is not None
    }
    data["transfers"] = {
        problem.tensor_name(u): [
            [{"to": [*x.to], "start": x.span[0], "end": x.span[1]} for x in moves]
            for moves in rounds
        ]
        for u, rounds in enumerate(schedule.transfers)
        if any(rounds)
    }
    return data


def from_dict(problem: Problem, data: object) -> Schedule:
    """Read a schedule by names.

    Only the form is checked here; whether the decisions are valid is said by
    `semantics`.

    Raises
    ------
    ScheduleError
        With one line for every fault: missing or unknown names, wrong types, another
        number of rounds.
    """
    faults: list[str] = []
    keys = ("layers", "places", "runs", "loads", "transfers")
    layers, places, runs, loads, transfers = mappings(data, *keys)
    given = decisions_from_dict(problem, layers, places, ("chiplet", "mode"), faults)
    tasks = {problem.full_name(t): t for t in range(len(problem.tasks))}
    tensors = {problem.tensor_name(u): u for u in range(len(problem.tensors))}
    faults += unknown(runs, set(tasks), "runs")
    faults += unknown(loads, set(tasks), "loads")
    faults += unknown(transfers, set(tensors), "transfers")
    starts, streams = [], []
    for name, t in tasks.items():
        rounds = _rounds(problem, problem.tasks[t].model, runs, "runs", name, faults)
        pairs = [_run(row, f"runs.{name}[{k}]", faults) for k, row in enumerate(rounds)]
        starts.append(tuple(start for start, _ in pairs))
        streams.append(tuple(stream for _, stream in pairs))
    moves = []
    for name, u in tensors.items():
        model = problem.tensors[u].model
        rounds = [()] * len(problem.timing.releases[model])
        if name in transfers:
            rounds = _rounds(problem, model, transfers, "transfers", name, faults)
        moves.append(
            tuple(
                _transfers(row, f"transfers.{name}[{k}]", faults)
                for k, row in enumerate(rounds)
            )
        )
    brought = tuple(
        _span(loads[name], f"loads.{name}", faults) if name in loads else None
        for name in tasks
    )
    refuse(faults)
    return Schedule(
        chiplet=given.numbers["chiplet"],
        mode=given.numbers["mode"],
        resident=given.resident,
        place=given.place,
        runs=tuple(starts),
        streams=tuple(streams),
        loads=brought,
        transfers=tuple(moves),
    )


def _rounds(
    problem: Problem,
    model: int,
    given: dict[str, Any],
    key: str,
    name: str,
    faults: list[str],
) -> Sequence[Any]:
    """Return an entry for every round of a model."""
    rows, due = given.get(name), len(problem.timing.releases[model])
    if isinstance(rows, list) and len(rows) == due:
        return rows
    got = "nothing" if rows is None else repr(rows)[:60]
    faults.append(f"{key}.{name}: got {got}, expected a list of {due}, one a round")
    return ()


def _run(row: Any, where: str, faults: list[str]) -> tuple[int, Span | None]:
    """Return the start of a run and its stream."""
    if not isinstance(row, dict) or not row.keys() <= {"start", "stream"}:
        faults.append(f"{where}: got {row!r}, expected start and perhaps stream")
        return 0, None
    start = whole(row.get("start"), f"{where}.start", faults)
    stream = row.get("stream")
    return start, None if stream is None else _span(stream, f"{where}.stream", faults)


def _span(pair: Any, where: str, faults: list[str]) -> Span:
    if not isinstance(pair, list) or len(pair) != 2:
        faults.append(f"{where}: got {pair!r}, expected [start, end]")
        return 0, 0
    return whole(pair[0], f"{where}[0]", faults), whole(pair[1], f"{where}[1]", faults)


def _transfers(rows: Any, where: str, faults: list[str]) -> tuple[Transfer, ...]:
    """Return the transfers of a tensor in a round, ascending by destination."""
    found = []
    for n, row in enumerate(rows if isinstance(rows, list | tuple) else (rows,)):
        here = f"{where}[{n}]"
        if not isinstance(row, dict) or row.keys() != {"to", "start", "end"}:
            faults.append(f"{here}: got {row!r}, expected to, start and end")
            continue
        to = row["to"]
        if not isinstance(to, list) or not to:
            faults.append(f"{here}.to: got {to!r}, expected a list of chiplets")
            to = []
        span = _span([row["start"], row["end"]], here, faults)
        chiplets = {whole(d, f"{here}.to", faults) for d in to}
        found.append(Transfer(tuple(sorted(chiplets)), span))
    return tuple(sorted(found, key=lambda x: x.to))

"""Timed schedules as text that fits a terminal: time lines, loads; and in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from formulation.timed.bounds import explain as explain
from results.text import (
    NEARLY,
    clipped,
    columns,
    entry,
    grouped,
    layers_text,
    load_bars,
    ticks_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from formulation.problem import Problem
    from formulation.timed.schedule import Schedule, Span
    from formulation.timed.semantics import Evaluation

MOST_PIECES = 12  # lines of a chiplet
IDLE = "·"
LABELS = {
    "critical_path_ticks": "critical path",
    "largest_layer_ticks": "largest layer",
    "chiplet_work_ticks": "work of all layers",
    "dram_total_ticks": "all DRAM bytes",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a layer in a round."""

    span: Span
    task: int
    round: int


def runs_of(problem: Problem, schedule: Schedule, worth: Evaluation) -> list[list[Run]]:
    """Return the runs on every chiplet in the order in which they start."""
    found: list[list[Run]] = [[] for _ in problem.chiplets]
    for t, spans in enumerate(worth.facts.runs):
        found[schedule.chiplet[t]] += [Run(span, t, k) for k, span in enumerate(spans)]
    return [sorted(runs, key=lambda run: (run.span, run.task)) for runs in found]


def covered(spans: Iterable[Span]) -> int:
    """Return the ticks that some span takes."""
    total, until = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


def busy(
    problem: Problem, schedule: Schedule, worth: Evaluation
) -> list[tuple[str, str, int]]:
    """Return (rule, where, ticks) in which chiplets run, and resources carry."""
    rows = []
    every = runs_of(problem, schedule, worth)
    for chiplet, runs in zip(problem.chiplets, every, strict=True):
        ticks = covered(run.span for run in runs)
        rows.append(("chiplet", chiplet.name, ticks))
    held: list[list[Span]] = [[] for _ in problem.resources]
    for move in worth.facts.movements:
        for r, span in move.holds:
            held[r].append(span)
    for resource, spans in zip(problem.resources, held, strict=True):
        rows.append((resource.kind, resource.name, covered(spans)))
    return rows


def binding(
    problem: Problem, schedule: Schedule, worth: Evaluation
) -> list[dict[str, Any]]:
    """Return the chiplets and resources in use for 99.9 % of the makespan or more."""
    least = worth.worth.makespan_ticks * NEARLY
    rows = sorted(busy(problem, schedule, worth), key=lambda row: -row[2])
    return [
        {"rule": "no-overlap", "where": f"{kind} {name}", "ticks": ticks}
        for kind, name, ticks in rows
        if ticks >= least
    ]


def entries(problem: Problem, worth: Evaluation | None) -> dict[str, Any]:
    """Return what the JSON of a solve says of a schedule, but for latencies."""
    names = [model.name for model in problem.models]
    late = None
    if worth is not None:
        rows = map(list, worth.worth.tardiness_ticks)
        late = dict(zip(names, rows, strict=True))
    return {
        "makespan_ticks": None if worth is None else worth.worth.makespan_ticks,
        "tardiness_ticks": late,
    }


def asked(problem: Problem, width: int) -> list[str]:
    """Return a line for every cap."""
    caps = [f"{text} at most {grouped(most)}" for text, most in problem.timing.caps]
    return entry("caps", "; ".join(caps), width) if caps else []


def length(worth: Evaluation) -> tuple[str, int]:
    """Return the makespan."""
    return "makespan", worth.worth.makespan_ticks


def worth_lines(problem: Problem, worth: Evaluation, width: int) -> list[str]:
    """Return the latency of every model, and how late it is."""
    lines = []
    rows = zip(
        problem.models,
        problem.timing.due_ticks,
        worth.worth.latency_ticks,
        worth.worth.tardiness_ticks,
        strict=True,
    )
    for model, due, latencies, late in rows:
        text = f"latency {ticks_text(max(latencies), problem.tick_ps)}"
        if len(latencies) > 1:
            mean = sum(latencies) // len(latencies)
            text += f" at most, {grouped(mean)} on average of {len(latencies)} rounds"
        if due is not None:
            text += f", {grouped(max(late))} ticks late" if any(late) else ", in time"
        lines += entry(clipped(model.name, 12), text, width)
    return lines


def layout(
    problem: Problem, schedule: Schedule, worth: Evaluation, width: int
) -> list[str]:
    """Return the time line of every chiplet, what runs there when, then loads."""
    letters = [ascii_uppercase[m % 26] for m in range(len(problem.models))]
    pairs = zip(letters, problem.models, strict=True)
    lines = entry("models", "; ".join(f"{a} {model.name}" for a, model in pairs), width)
    makespan = worth.worth.makespan_ticks
    every = runs_of(problem, schedule, worth)
    for chiplet, runs in zip(problem.chiplets, every, strict=True):
        title = f"chiplet {chiplet.name}  {chiplet.type}  {len(runs)} runs"
        lines += ["", clipped(title, width)]
        if runs and makespan:
            lines.append(time_line(problem, runs, letters, makespan, width))
        lines += pieces(problem, runs, width)
    shares = [
        (f"{kind} {name}", ticks / makespan if makespan else 0.0)
        for kind, name, ticks in busy(problem, schedule, worth)
    ]
    for chiplet, use in zip(problem.chiplets, worth.facts.sram, strict=True):
        peak = use.peak_bytes / chiplet.l2_bytes
        shares.append((f"sram chiplet {chiplet.name}", peak))
    return [*lines, "", *load_bars(shares, width)]


def time_line(
    problem: Problem,
    runs: Sequence[Run],
    letters: Sequence[str],
    makespan: int,
    width: int,
) -> str:
    """Return a column a piece of time: the model that has most of it, or idle."""
    cells = width - 4
    shares: list[dict[str, int]] = [{} for _ in range(cells)]
    for run in runs:
        letter = letters[problem.tasks[run.task].model]
        start, end = (tick * cells for tick in run.span)  # a cell is `makespan` long
        for cell in range(start // makespan, -(-end // makespan)):
            here = min(end, (cell + 1) * makespan) - max(start, cell * makespan)
            shares[cell][letter] = shares[cell].get(letter, 0) + here
    text = ""
    for share in shares:
        idle = makespan - sum(share.values())
        letter, most = max(share.items(), key=lambda pair: pair[1], default=(IDLE, 0))
        text += letter if most >= idle else IDLE
    return f"  {text}"


def pieces(problem: Problem, runs: Sequence[Run], width: int) -> list[str]:
    """Return lines of runs of one model and round that follow one another."""

    def whose(run: Run) -> tuple[int, int]:
        return problem.tasks[run.task].model, run.round

    rows = []
    for (m, k), group in groupby(runs, key=whose):
        some = list(group)
        model = problem.models[m]
        name = model.name
        if len(problem.timing.releases[m]) > 1:
            name += f", round {k}"
        names = [(run.task, problem.tasks[run.task].name) for run in some]
        end = max(run.span[1] for run in some)
        rows.append(
            (
                f"  {grouped(some[0].span[0])}",
                "–",
                grouped(end),
                f"{name}: {layers_text(names)}",
            )
        )
    lines = columns(rows[:MOST_PIECES], frozenset({0, 2}))
    if len(rows) > MOST_PIECES:
        lines.append(f"  … {len(rows) - MOST_PIECES} more")
    return [clipped(line, width) for line in lines]

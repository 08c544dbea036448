"""Windowed schedules as text that fits a terminal: windows, segments; and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.windowed.bounds import explain as explain
from results.text import (
    NEARLY,
    clipped,
    entry,
    grouped,
    layers_text,
    load_bars,
    ticks_text,
)

if TYPE_CHECKING:
    from formulation.problem import Problem
    from formulation.windowed.schedule import Schedule
    from formulation.windowed.semantics import Evaluation

LABELS = {
    "chiplet_work_ticks": "chiplet work",
    "one_model_ticks": "one model",
    "one_layer_ticks": "one layer",
}


def busy(problem: Problem, worth: Evaluation) -> list[int]:
    """Return the ticks in which a model that has a chiplet runs, per chiplet."""
    ticks = [0] * len(problem.chiplets)
    for models, times in zip(worth.facts.segments, worth.facts.time_ticks, strict=True):
        for own, time in zip(models, times, strict=True):
            for x in own:
                ticks[x.chiplet] += time
    return ticks


def binding(
    problem: Problem, schedule: Schedule, worth: Evaluation
) -> list[dict[str, Any]]:
    """Return the chiplets whose models run for 99.9 % of the makespan or more."""
    least = worth.worth.makespan_ticks * NEARLY
    rows = zip(problem.chiplets, busy(problem, worth), strict=True)
    return [
        {"rule": "segment", "where": f"chiplet {chiplet.name}", "ticks": ticks}
        for chiplet, ticks in rows
        if ticks >= least
    ]


def entries(problem: Problem, worth: Evaluation | None) -> dict[str, Any]:
    """Return what the JSON of a solve says of a schedule, but for latencies."""
    if worth is None:
        return {"makespan_ticks": None, "window_ticks": None}
    lengths = [*worth.facts.length_ticks]
    return {"makespan_ticks": worth.worth.makespan_ticks, "window_ticks": lengths}


def asked(problem: Problem, width: int) -> list[str]:
    """Return how many windows there may be, and a line for every cap."""
    lines = entry("windows", f"at most {problem.windowing.windows}", width)
    caps = [f"{text} at most {grouped(most)}" for text, most in problem.windowing.caps]
    return lines + (entry("caps", "; ".join(caps), width) if caps else [])


def length(worth: Evaluation) -> tuple[str, int]:
    """Return the makespan."""
    return "makespan", worth.worth.makespan_ticks


def worth_lines(problem: Problem, worth: Evaluation, width: int) -> list[str]:
    """Return the latency of every model, and what it would need without barriers."""
    lines = []
    for m, model in enumerate(problem.models):
        alone = sum(times[m] for times in worth.facts.time_ticks)
        text = f"latency {ticks_text(worth.worth.latency_ticks[m], problem.tick_ps)}"
        if alone != worth.worth.latency_ticks[m]:
            text += f", {grouped(alone)} without waiting"
        lines += entry(clipped(model.name, 12), text, width)
    return lines


def layout(
    problem: Problem, schedule: Schedule, worth: Evaluation, width: int
) -> list[str]:
    """Return who does what where, window by window, then how busy chiplets are."""
    lines: list[str] = []
    facts = worth.facts
    for w, models in enumerate(facts.segments):
        title = f"window {w}  {grouped(facts.length_ticks[w])} ticks"
        lines.append(clipped(title, width))
        for m, own in enumerate(models):
            if not own:
                continue
            text = (
                f"  {problem.models[m].name}  {grouped(facts.time_ticks[w][m])} ticks"
            )
            group, n = own[0].group, problem.windowing.mini_batches[m]
            if n > 1:
                text += f", {group} of {n} mini-batches at a time"
            lines.append(clipped(text, width))
            for x, cost in zip(own, facts.costs[w][m], strict=True):
                names = layers_text([(t, problem.tasks[t].name) for t in x.tasks])
                where = f"    chiplet {problem.chiplets[x.chiplet].name}  "
                times = grouped(cost.first_ticks)
                if group < n:
                    times += f", then {grouped(cost.next_ticks)} each"
                lines.append(clipped(f"{where}{names}: {times}", width))
    makespan = worth.worth.makespan_ticks
    shares = [
        (f"chiplet {chiplet.name}", ticks / makespan if makespan else 0.0)
        for chiplet, ticks in zip(problem.chiplets, busy(problem, worth), strict=True)
    ]
    return [*lines, "", *load_bars(shares, width)]

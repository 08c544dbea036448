"""Pipelined schedules as text that fits a terminal: stages, loads; and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.pipelined.bounds import explain as explain
from results.text import (
    NEARLY,
    clipped,
    entry,
    layers_text,
    load_bars,
    seconds_of,
    ticks_text,
    with_unit,
)

if TYPE_CHECKING:
    from formulation.pipelined.schedule import Schedule
    from formulation.pipelined.semantics import Evaluation
    from formulation.problem import Problem

MOST_LINES = 4
LABELS = {
    "average_load_ticks": "average load",
    "largest_layer_ticks": "largest layer",
    "dram_total_ticks": "all DRAM bytes",
    "floor_ticks": "latencies",
}


def throughput(problem: Problem, period_ticks: int) -> dict[str, float]:
    """Return samples per second of every model: b_m·n_m/T."""
    period = seconds_of(period_ticks, problem.tick_ps)
    return {model.name: model.samples_per_round / period for model in problem.models}


def full(worth: Evaluation) -> list[dict[str, Any]]:
    """Return the chiplets and resources that need 99.9 % of the period or more."""
    needs = sorted(worth.needs, key=lambda need: -need.ticks)
    return [
        {"rule": need.rule, "where": need.where, "ticks": need.ticks}
        for need in needs
        if need.ticks >= worth.period_ticks * NEARLY
    ]


def binding(
    problem: Problem, schedule: Schedule, worth: Evaluation
) -> list[dict[str, Any]]:
    """Return what is `full`: the semantics say it, no schedule is asked."""
    return full(worth)


def entries(problem: Problem, worth: Evaluation | None) -> dict[str, Any]:
    """Return what the JSON of a solve says of a schedule."""
    given = {m.name: m.max_stage for m in problem.models if m.max_stage_given}
    return {
        "period_ticks": None if worth is None else worth.period_ticks,
        "throughput_per_s": None
        if worth is None
        else throughput(problem, worth.period_ticks),
        "max_stage": given or None,
    }


def asked(problem: Problem, width: int) -> list[str]:
    """Return a line for every model whose stages are limited."""
    lines = []
    for model in problem.models:
        if model.max_stage_given:
            text = f"{model.name} is limited to stages 0 to {model.max_stage}"
            lines += entry("max stage", text, width)
    return lines


def length(worth: Evaluation) -> tuple[str, int]:
    """Return the period."""
    return "period", worth.period_ticks


def worth_lines(problem: Problem, worth: Evaluation, width: int) -> list[str]:
    """Return samples per second and latency of every model, and what is full."""
    lines = []
    rates = throughput(problem, worth.period_ticks)
    for model, latency in zip(problem.models, worth.latency_ticks, strict=True):
        text = f"{with_unit(rates[model.name], 'samples/s')}, latency "
        text += ticks_text(latency, problem.tick_ps)
        lines += entry(clipped(model.name, 12), text, width)
    held = [f"{b['rule']} of {b['where']}" for b in full(worth)]
    return lines + entry("held up by", "; ".join(held), width)


def layout(
    problem: Problem, schedule: Schedule, worth: Evaluation, width: int
) -> list[str]:
    """Return stages per chiplet, then loads."""
    return [*stages(problem, schedule, width), "", *loads(problem, worth, width)]


def loads(problem: Problem, worth: Evaluation, width: int) -> list[str]:
    """Return bars: time of chiplets and resources in percent of T, bytes of L2."""
    rows = [
        (f"{need.rule} {need.where}", need.ticks / worth.period_ticks)
        for need in worth.needs
        if need.rule != "floor"
    ]
    for chiplet, use in zip(problem.chiplets, worth.sram, strict=True):
        rows.append(
            (f"sram chiplet {chiplet.name}", use.total_bytes / chiplet.l2_bytes)
        )
    return load_bars(rows, width)


def stages(problem: Problem, schedule: Schedule, width: int) -> list[str]:
    """Return, per chiplet, the layers of every model and stage."""
    lines: list[str] = []
    for c, chiplet in enumerate(problem.chiplets):
        here = [t for t in range(len(problem.tasks)) if schedule.chiplet[t] == c]
        kept = sum(problem.tasks[t].weight_bytes for t in here if schedule.resident[t])
        title = f"chiplet {chiplet.name}  {chiplet.type}  {len(here)} layers"
        if kept:
            title += f", {with_unit(kept, 'B')} of weights resident"
        lines.append(clipped(title, width))
        for model in problem.models:
            for stage in sorted({schedule.stage[t] for t in here if t in model.tasks}):
                some = [
                    (t, problem.tasks[t].name)
                    for t in here
                    if t in model.tasks and schedule.stage[t] == stage
                ]
                label = f"  {model.name} stage {stage} "
                wrapped = entry(label, layers_text(some), width, indent=len(label))
                if len(wrapped) > MOST_LINES:
                    more = f"{' ' * len(label)}… {len(some)} layers in all"
                    wrapped = [*wrapped[: MOST_LINES - 1], more]
                lines += [clipped(line, width) for line in wrapped]
    return lines

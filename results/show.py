"""Solved schedules as text that fits a terminal: summary, stages, loads."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from formulation.outcome import relative_gap
from formulation.pipelined.bounds import explain
from results.summary import binding, seconds_of, throughput
from results.text import bar, clipped, columns, entry, grouped, percent, with_unit

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


def claim_text(data: dict[str, Any]) -> str:
    """Return a certificate's claim in words."""
    runs = data["runs"]
    provers = [r["engine"] for r in runs if r["infeasible"]] or [
        r["engine"] for r in runs if r["bound"] == data["value"]
    ]
    by = " and ".join(dict.fromkeys(provers))
    return {
        "infeasible": f"infeasible: {by} proved that there is no schedule",
        "unknown": "unknown: no schedule found, none ruled out",
        "feasible": "feasible: the checker accepts it; not proved optimal",
        "bounded": "bounded: not proved optimal; the checker recomputes a bound",
        "optimal-1": f"optimal-1: proved by {by}",
        "optimal-2": f"optimal-2: proved by {by}",
        "certified": "certified: the checker recomputes the bound that proves it",
    }[data["claim"]]


def _parts(data: dict[str, Any], width: int) -> list[str]:
    recomputed = {dual["quantity"]: dual["bound"] for dual in data["duals"]}
    lines = []
    triples = zip(data["objective"], data["value"], data["bound"], strict=True)
    for quantity, value, bound in triples:
        exact = recomputed.get(quantity)
        text = _bound_text(quantity, value, bound)
        if bound is not None and bound == exact:
            text += ", recomputed"
        lines += entry(f"{quantity} ≥", text, width)
        if exact is not None and bound != exact:
            text = _bound_text(quantity, value, exact)
            lines += entry("recomputed", text, width)
    return lines


def _bound_text(quantity: str, value: int | None, bound: int | None) -> str:
    if bound is None:
        return "no bound proved"
    unit = {"period": "ticks", "energy": "quanta"}[quantity]
    return f"{grouped(bound)} {unit}, gap {percent(relative_gap(value, bound))}"


def overview(
    problem: Problem, data: dict[str, Any], worth: Evaluation | None, width: int
) -> list[str]:
    """Return the lines that `chipsched solve` prints.

    Parameters
    ----------
    data
        The certificate.
    """
    lines = [clipped(problem.name, width), *entry("claim", claim_text(data), width)]
    if data["clashing"]:
        lines += entry("clashing", ", ".join(data["clashing"]), width)
    if worth is not None:
        lines += _worth(problem, data, worth, width)
    lines += _parts(data, width)
    bounds = [
        f"{LABELS.get(key, key)} {grouped(ticks)}"
        for key, ticks in explain(problem).items()
    ]
    lines += entry("at least", "; ".join(bounds) + " ticks", width)
    for model in problem.models:
        if model.max_stage_given:
            text = f"{model.name} is limited to stages 0 to {model.max_stage}"
            lines += entry("max stage", text, width)
    for run in data["runs"]:
        text = f"{run['why_stopped']} after {run['seconds']:.1f} s"
        notes = "; ".join(run["notes"])
        version = f" (version {run['version']})"
        lines += entry(
            run["engine"], text + version + (f"; {notes}" if notes else ""), width
        )
    return lines


def _worth(
    problem: Problem, data: dict[str, Any], worth: Evaluation, width: int
) -> list[str]:
    def ticks(n: int) -> str:
        time = with_unit(seconds_of(n, problem.tick_ps), "s")
        return f"{grouped(n)} ticks = {time}"

    lines = entry("period", ticks(worth.period_ticks), width)
    joules = with_unit(float(data["energy_pj"]) * 1e-12, "J")
    lines += entry("energy", f"{joules} per round", width)
    rates = throughput(problem, worth.period_ticks)
    for model, latency in zip(problem.models, worth.latency_ticks, strict=True):
        text = f"{with_unit(rates[model.name], 'samples/s')}, latency {ticks(latency)}"
        lines += entry(clipped(model.name, 12), text, width)
    held = [f"{b['rule']} of {b['where']}" for b in binding(worth)]
    return lines + entry("held up by", "; ".join(held), width)


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
    longest = max(len(name) for name, _ in rows)
    named = min(longest, width // 2)
    room = width - named - 2 - 8
    return [
        f"{clipped(name, named):<{named}}  {bar(share, room)} {100 * share:5.1f} %"
        for name, share in rows
    ]


def _runs_of(names: list[tuple[int, str]]) -> str:
    """Return ``a … b, c``: runs of consecutive layers by first and last name."""
    pieces = []
    for _, group in groupby(enumerate(names), key=lambda pair: pair[1][0] - pair[0]):
        run = [name for _, (_, name) in group]
        pieces.append(run[0] if len(run) == 1 else f"{run[0]} … {run[-1]}")
    return ", ".join(pieces)


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
                wrapped = entry(label, _runs_of(some), width, indent=len(label))
                if len(wrapped) > MOST_LINES:
                    more = f"{' ' * len(label)}… {len(some)} layers in all"
                    wrapped = [*wrapped[: MOST_LINES - 1], more]
                lines += [clipped(line, width) for line in wrapped]
    return lines


def given(problem: Problem, width: int) -> list[str]:
    """Return what there is to schedule, for a scenario without schedule."""
    lines = [clipped(problem.name, width)]
    for model in problem.models:
        weights = sum(problem.tasks[t].weight_bytes for t in model.tasks)
        text = (
            f"{len(model.tasks)} layers, {with_unit(weights, 'B')} of weights, "
            f"{model.samples_per_round} samples a round"
        )
        lines += entry(clipped(model.name, 12), text, width)
    for chiplet in problem.chiplets:
        text = f"{chiplet.type}, {with_unit(chiplet.l2_bytes, 'B')} of L2"
        lines += entry(f"chiplet {chiplet.name}", text, width)
    rows = []
    for resource in problem.resources:
        rate = resource.rate.num / resource.rate.den / problem.load_unit
        speed = with_unit(rate * 1e12 / problem.tick_ps, "B/s")
        rows.append((resource.kind, resource.name, speed))
    lines += [clipped(line, width) for line in columns(rows, frozenset({2}))]
    bounds = explain(problem).items()
    lines.append("the period is at least")
    names = [(f"  {LABELS.get(key, key)}", f"{grouped(n)} ticks") for key, n in bounds]
    return lines + columns(names, frozenset({1}))

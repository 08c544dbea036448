"""What was solved as text that fits a terminal, and what there is to solve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.kinds import kind_of
from formulation.outcome import relative_gap
from results.text import (
    clipped,
    columns,
    entry,
    grouped,
    percent,
    ticks_text,
    with_unit,
)
from results.views import VIEWS

if TYPE_CHECKING:
    from formulation.kinds import Judged
    from formulation.problem import Problem


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


def _parts(problem: Problem, data: dict[str, Any], width: int) -> list[str]:
    recomputed = {dual["quantity"]: dual["bound"] for dual in data["duals"]}
    lines = []
    triples = zip(data["objective"], data["value"], data["bound"], strict=True)
    for quantity, value, bound in triples:
        exact = recomputed.get(quantity)
        (part,) = kind_of(problem).parts(problem, (quantity,))
        text = _bound_text(part.unit, value, bound)
        if bound is not None and bound == exact:
            text += ", recomputed"
        lines += entry(f"{quantity} ≥", text, width)
        if exact is not None and bound != exact:
            text = _bound_text(part.unit, value, exact)
            lines += entry("recomputed", text, width)
    return lines


def _bound_text(unit: str, value: int | None, bound: int | None) -> str:
    if bound is None:
        return "no bound proved"
    return f"{grouped(bound)} {unit}, gap {percent(relative_gap(value, bound))}"


def overview(
    problem: Problem, data: dict[str, Any], worth: Judged | None, width: int
) -> list[str]:
    """Return the lines that `chipsched solve` prints.

    Parameters
    ----------
    data
        The certificate.
    """
    view = VIEWS[problem.kind]
    lines = [clipped(problem.name, width), *entry("claim", claim_text(data), width)]
    if data["clashing"]:
        lines += entry("clashing", ", ".join(data["clashing"]), width)
    if worth is not None:
        name, ticks = view.length(worth)
        lines += entry(name, ticks_text(ticks, problem.tick_ps), width)
        joules = with_unit(float(data["energy_pj"]) * 1e-12, "J")
        lines += entry("energy", joules + view.per, width)
        lines += view.worth(problem, worth, width)
    lines += _parts(problem, data, width)
    bounds = [f"{name} {grouped(ticks)}" for name, ticks in _bounds(problem)]
    lines += entry("at least", "; ".join(bounds) + " ticks", width)
    lines += view.asked(problem, width)
    for run in data["runs"]:
        text = f"{run['why_stopped']} after {run['seconds']:.1f} s"
        notes = "; ".join(run["notes"])
        version = f" (version {run['version']})"
        lines += entry(
            run["engine"], text + version + (f"; {notes}" if notes else ""), width
        )
    return lines


def _bounds(problem: Problem) -> list[tuple[str, int]]:
    """Return the bounds that need no search by their names, in ticks."""
    view = VIEWS[problem.kind]
    found = view.bounds(problem)
    return [(view.labels[key], ticks) for key, ticks in found.items()]


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
    lines.append(VIEWS[problem.kind].at_least)
    names = [(f"  {name}", f"{grouped(n)} ticks") for name, n in _bounds(problem)]
    return lines + columns(names, frozenset({1}))

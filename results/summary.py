"""What `chipsched solve --json` says: one mapping, `None` for what is not known."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from formulation.outcome import relative_gap
from formulation.pipelined.bounds import explain

if TYPE_CHECKING:
    from formulation.outcome import Outcome
    from formulation.pipelined.schedule import Schedule
    from formulation.pipelined.semantics import Evaluation
    from formulation.problem import Problem
    from results.run import Solved

NEARLY = Fraction(999, 1000)


def seconds_of(ticks: int, tick_ps: int) -> float:
    """Return ticks in seconds."""
    return ticks * tick_ps / 1e12


def throughput(problem: Problem, period_ticks: int) -> dict[str, float]:
    """Return samples per second of every model: b_m·n_m/T."""
    period = seconds_of(period_ticks, problem.tick_ps)
    return {model.name: model.samples_per_round / period for model in problem.models}


def binding(worth: Evaluation) -> list[dict[str, Any]]:
    """Return the chiplets and resources that need 99.9 % of the period or more."""
    needs = sorted(worth.needs, key=lambda need: -need.ticks)
    return [
        {"rule": need.rule, "where": need.where, "ticks": need.ticks}
        for need in needs
        if need.ticks >= worth.period_ticks * NEARLY
    ]


def _number(text: str | None) -> int | float | None:
    if text is None:
        return None
    return float(text) if "." in text else int(text)


def _parts(outcome: Outcome[Schedule]) -> list[dict[str, Any]]:
    columns = (outcome.objective, outcome.value, outcome.bound, outcome.recomputed)
    return [
        {
            "quantity": quantity,
            "value": value,
            "bound": bound,
            "gap": relative_gap(value, bound),
            "recomputed_bound": exact,
            "recomputed_gap": relative_gap(value, exact),
        }
        for quantity, value, bound, exact in zip(*columns, strict=True)
    ]


def summary(solved: Solved, certificate: str | None) -> dict[str, Any]:
    """Return the JSON of a solve.

    Parameters
    ----------
    certificate
        Path of the certificate, or `None` if none was written.
    """
    problem, outcome = solved.prepared.problem, solved.outcome
    worth, data = solved.worth, solved.certificate
    energy_pj = solved.energy_parts_pj
    given = {m.name: m.max_stage for m in problem.models if m.max_stage_given}
    return {
        "scenario": problem.name,
        "status": outcome.status,
        "claim": outcome.claim,
        "engine": "+".join(dict.fromkeys(run.engine for run in outcome.runs)),
        "objective": ",".join(outcome.objective),
        "value": outcome.value[0],
        "bound": outcome.bound[0],
        "gap": outcome.gap if outcome.schedule is not None else None,
        "parts": _parts(outcome),
        "period_ticks": None if worth is None else worth.period_ticks,
        "tick_ps": problem.tick_ps,
        "energy_pj": _number(data["energy_pj"]),
        "energy_parts_pj": None
        if energy_pj is None
        else {name: float(amount) for name, amount in energy_pj.items()},
        "throughput_per_s": None
        if worth is None
        else throughput(problem, worth.period_ticks),
        "latency_ticks": data["latency_ticks"],
        "max_stage": given or None,
        "why_stopped": outcome.why_stopped,
        "seconds": round(outcome.seconds, 3),
        "build_seconds": round(solved.prepared.seconds, 3),
        "runs": data["runs"],
        "relaxed": list(outcome.relaxed),
        "clashing": list(outcome.clashing),
        "explain": {
            "bounds": explain(problem),
            "binding": None if worth is None else binding(worth),
        },
        "instance_sha256": problem.instance_sha256,
        "table_sha256": problem.table_sha256,
        "schedule": data["schedule"],
        "certificate": certificate,
    }

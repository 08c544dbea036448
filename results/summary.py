"""What `chipsched solve --json` says: one mapping, `None` for what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.outcome import relative_gap
from results.views import VIEWS

if TYPE_CHECKING:
    from formulation.outcome import Outcome
    from results.run import Solved


def _number(text: str | None) -> int | float | None:
    if text is None:
        return None
    return float(text) if "." in text else int(text)


def _parts(outcome: Outcome[Any]) -> list[dict[str, Any]]:
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
    view = VIEWS[problem.kind]
    return {
        "scenario": problem.name,
        "kind": problem.kind,
        "status": outcome.status,
        "claim": outcome.claim,
        "engine": "+".join(dict.fromkeys(run.engine for run in outcome.runs)),
        "objective": ",".join(outcome.objective),
        "value": outcome.value[0],
        "bound": outcome.bound[0],
        "gap": outcome.gap if outcome.schedule is not None else None,
        "parts": _parts(outcome),
        **view.entries(problem, worth),
        "tick_ps": problem.tick_ps,
        "energy_pj": _number(data["energy_pj"]),
        "energy_parts_pj": None
        if energy_pj is None
        else {name: float(amount) for name, amount in energy_pj.items()},
        "latency_ticks": data["latency_ticks"],
        "why_stopped": outcome.why_stopped,
        "seconds": round(outcome.seconds, 3),
        "build_seconds": round(solved.prepared.seconds, 3),
        "runs": data["runs"],
        "relaxed": list(outcome.relaxed),
        "clashing": list(outcome.clashing),
        "explain": {
            "bounds": view.bounds(problem),
            "binding": None
            if worth is None
            else view.binding(problem, outcome.schedule, worth),
        },
        "instance_sha256": problem.instance_sha256,
        "table_sha256": problem.table_sha256,
        "schedule": data["schedule"],
        "certificate": certificate,
    }

"""The answer of `chipsched compare` as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formulation.certificate import energy_text
from formulation.kinds import kind_of
from formulation.outcome import relative_gap
from results.rivals import SOLVED
from results.text import NONE, clipped, columns, entry, grouped, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.rivals import Proof
    from results.run import Prepared
    from results.schedules import Rival

NAME = 24  # columns of a schedule's name


def gap_of(value: tuple[int, ...], proof: Proof) -> float | None:
    """Return the gap of the first part in which a value is above the bound."""
    gap: float | None = None
    for mine, bound in zip(value, proof.bound, strict=False):
        gap = relative_gap(mine, bound)
        if gap:
            return gap
    return gap if len(proof.bound) == len(value) else None


def above(value: tuple[int, ...], best: tuple[int, ...]) -> float:
    """Return value/best − 1 of the first part in which they differ."""
    for mine, least in zip(value, best, strict=True):
        if mine != least:
            return (mine - least) / least if least else float("inf")
    return 0.0


def best_known(rivals: Sequence[Rival], proof: Proof) -> tuple[int, ...] | None:
    """Return the best value of all, the proof's own schedule included."""
    values = [r.value for r in (*rivals, proof.best) if r.value is not None]
    return min(values, default=None)


def _row(
    prepared: Prepared, rival: Rival, proof: Proof, best: tuple[int, ...] | None
) -> dict[str, Any]:
    problem, worth, found = prepared.problem, rival.worth, rival.found
    kind, value = kind_of(problem), rival.value
    facts: dict[str, Any] = dict.fromkeys(kind.keys)
    if value is not None:
        facts |= kind.facts(problem, worth)
        quanta = facts["energy_quanta"]
        facts["energy_pj"] = float(energy_text(quanta, problem.energy_quantum_fj))
    run = None
    if found is not None:
        run = {
            "evaluations": found.evaluations,
            "seconds": round(found.seconds, 3),
            "why_stopped": found.why_stopped,
            "notes": list(found.notes),
            "trace": [
                [point.evaluations, round(point.seconds, 3), list(point.value)]
                for point in found.trace
            ],
        }
    return {
        "name": rival.name,
        "valid": value is not None,
        "value": None if value is None else list(value),
        "gap": None if value is None else gap_of(value, proof),
        "above_best_known": None
        if value is None or best is None
        else above(value, best),
        "violations": list(rival.violations),
        **facts,
        "run": run,
        "schedule": None
        if rival.schedule is None or value is None
        else kind.to_dict(problem, rival.schedule),
    }


def as_json(
    prepared: Prepared,
    objective: tuple[str, ...],
    rivals: Sequence[Rival],
    proof: Proof,
) -> dict[str, Any]:
    """Return all of it as one mapping; what is not known is `None`."""
    best = best_known(rivals, proof)
    return {
        "scenario": prepared.problem.name,
        "objective": ",".join(objective),
        "instance_sha256": prepared.problem.instance_sha256,
        "table_sha256": prepared.problem.table_sha256,
        "proof": {
            "source": proof.source,
            "claim": proof.claim,
            "optimal": proof.optimal,
            "value": None if proof.best.value is None else list(proof.best.value),
            "bound": list(proof.bound),
            "why_stopped": proof.why_stopped,
            "seconds": round(proof.seconds, 3),
        },
        "best_known": None if best is None else list(best),
        "rows": [_row(prepared, rival, proof, best) for rival in rivals],
    }


def _proof_text(
    prepared: Prepared,
    objective: tuple[str, ...],
    proof: Proof,
    best: tuple[int, ...] | None,
) -> str:
    where = "by solving" if proof.source == SOLVED else f"by {proof.source}"
    if proof.claim == "infeasible":
        return f"infeasible, {where}"
    if proof.optimal and proof.best.value is not None:
        return f"proved optimum {_values(proof.best.value)} ({proof.claim}, {where})"
    known = f"best known {_values(best)}" if best else "no schedule known"
    if not proof.bound:
        return f"no bound proved, {where} ({proof.why_stopped}); {known}"
    problem = prepared.problem
    unit = kind_of(problem).parts(problem, objective)[0].unit
    return (
        f"no optimum: bound {_values(proof.bound)} {unit}, {where} "
        f"({proof.why_stopped}); {known}"
    )


def _values(value: tuple[int, ...]) -> str:
    return ", ".join(grouped(part) for part in value)


def as_text(
    prepared: Prepared,
    objective: tuple[str, ...],
    rivals: Sequence[Rival],
    proof: Proof,
    width: int,
) -> str:
    """Return a table, the proof above it, broken rules and notes below."""
    best = best_known(rivals, proof)
    name = ",".join(objective)
    lines = entry(prepared.problem.name, "", width)
    lines += entry(name, _proof_text(prepared, objective, proof, best), width)
    rows: list[tuple[str, ...]] = [
        ("schedule", "value", "gap", "above best", "seconds")
    ]
    for rival in rivals:
        cells = [NONE, NONE, NONE]
        if rival.value is not None:
            gap = percent(gap_of(rival.value, proof))
            more = NONE if best is None else percent(above(rival.value, best))
            cells = [_values(rival.value), gap, more]
        elif rival.violations:
            cells[0] = "refused"
        else:
            cells[0] = "none found"
        took = NONE if rival.found is None else f"{rival.found.seconds:.1f}"
        rows.append((clipped(rival.name, NAME), *cells, took))
    lines += ["", *columns(rows, frozenset({1, 2, 3, 4}))]
    for rival in rivals:
        notes = () if rival.found is None else rival.found.notes
        for line in (*(f"breaks {text}" for text in rival.violations), *notes):
            label = clipped(rival.name, NAME)
            lines += entry(f"{label}  ", line, width)
    return "\n".join(lines)

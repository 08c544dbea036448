"""Runs of the benchmark library: one record each, compared with what is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from formulation.outcome import relative_gap
from formulation.pipelined.semantics import evaluate
from formulation.starts import AUTO
from instances.faults import Fault, InstanceError
from instances.files import library_names, packaged_names
from instances.load import instance_sha256, load_instance
from results.best_known import CrossingError, crossings, packed, unpacked
from results.compare import RefusedError
from results.record import SCHEMA, environment, key_of
from results.run import prepare, solve_prepared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from formulation.outcome import Limits, Outcome, Report
    from formulation.pipelined.schedule import Schedule
    from results.best_known import BestKnown, Entry
    from results.record import Runs

STUDY = "library"


def chosen(names: Sequence[str]) -> list[str]:
    """Return the instances that names of families and instances stand for.

    Nothing: the whole library. Packaged scenarios may be named, too.

    Raises
    ------
    InstanceError
        With every name that is none, and what there is.
    """
    families = library_names()
    members = [name for family in families.values() for name in family]
    known = {name: [name] for name in [*packaged_names("scenarios"), *members]}
    known |= families
    faults = [
        Fault("", repr(name), f"a family ({', '.join(families)}) or an instance")
        for name in names
        if name not in known
    ]
    if faults:
        raise InstanceError(faults)
    picked = members if not names else [one for name in names for one in known[name]]
    return list(dict.fromkeys(picked))


def run_of(
    name: str,
    objective: str,
    engine: str,
    limits: Limits,
    runs: Runs,
    report: Report | None = None,
) -> dict[str, Any]:
    """Return the record of a run, from the file or made now and added to it.

    A run that was interrupted is not added.

    Raises
    ------
    RefusedError
        If our own checker refuses the answer.
    """
    instance = load_instance(name)
    asked = {
        "objective": objective,
        "engine": engine,
        "seconds": limits.seconds,
        "workers": limits.workers,
        "seed": limits.seed,
        "start": AUTO,
    }
    sha = instance_sha256(instance)
    prepared = prepare(instance)
    table = prepared.problem.table_sha256
    key = key_of({"study": STUDY, "instance": sha, "table": table, **asked})
    known = runs.find(key)
    if known is not None:
        return known
    solved = solve_prepared(prepared, (objective,), engine, limits, report)
    if not solved.verdict.accepted:
        raise RefusedError("\n".join(solved.verdict.violations))
    run = {
        "schema": SCHEMA,
        "key": key,
        "study": STUDY,
        "scenario": name,
        "instance_sha256": sha,
        "table_sha256": table,
        **asked,
        **_found(solved.outcome),
        "build_seconds": round(prepared.seconds, 3),
        "environment": environment(),
    }
    run["made"] = _made(run, solved.outcome)
    if limits.stop is None or not limits.stop.is_set():
        runs.add(run)
    return run


def _found(outcome: Outcome[Schedule]) -> dict[str, Any]:
    """Return what came out, the schedule packed."""
    [value], [bound], [exact] = outcome.value, outcome.bound, outcome.recomputed
    schedule = outcome.schedule
    return {
        "claim": outcome.claim,
        "value": value,
        "bound": bound,
        "recomputed_bound": exact,
        "infeasible": outcome.claim == "infeasible",
        "proved_by": sorted(
            {run.engine for run in outcome.runs if run.bound == (bound,)}
            if bound is not None
            else ()
        ),
        "schedule": None if schedule is None else packed(schedule),
        "why_stopped": outcome.why_stopped,
        "solve_seconds": round(outcome.seconds, 3),
    }


def _made(run: Mapping[str, Any], outcome: Outcome[Schedule]) -> dict[str, Any]:
    """Return what an entry keeps of where a number came from."""
    here = run["environment"]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "engine": run["engine"],
        "versions": {
            "chipsched": here["chipsched"],
            **{done.engine: done.version for done in outcome.runs},
        },
        "commit": here["commit"],
        "dirty": here["dirty"],
        "seconds": run["solve_seconds"],
        "time_limit": run["seconds"],
        "workers": run["workers"],
        "seed": run["seed"],
    }


def against(entry: Entry | None, run: Mapping[str, Any], stale: bool) -> str:
    """Return in words how a run compares with what is known."""
    if entry is None:
        return "known of other costs" if stale else "new"
    if entry["infeasible"]:
        return "infeasible, as known" if run["infeasible"] else "not proved infeasible"
    words = [
        _change("value", run["value"], entry["value"], -1),
        _change("bound", run["bound"], entry["bound"], 1),
    ]
    changes = [word for word in words if word is not None]
    return ", ".join(changes) if changes else "as known"


def _change(what: str, now: int | None, known: int | None, better: int) -> str | None:
    """Return ``value 1.2 % worse``, `None` if it is as known."""
    if now == known:
        return None
    if known is None:
        return f"first {what}"
    if now is None:
        return f"no {what}"
    word = "better" if (now - known) * better > 0 else "worse"
    return f"{what} {100 * abs(now - known) / max(abs(known), 1):.2g} % {word}"


def row_of(run: Mapping[str, Any], best: BestKnown) -> dict[str, Any]:
    """Return what the table shows of a run: numbers, and how they compare."""
    entry = best.find(run)
    return {
        "scenario": run["scenario"],
        "objective": run["objective"],
        "value": run["value"],
        "bound": run["bound"],
        "gap": relative_gap(run["value"], run["bound"]),
        "claim": run["claim"],
        "seconds": run["solve_seconds"],
        "known_value": None if entry is None else entry["value"],
        "known_bound": None if entry is None else entry["bound"],
        "known_claim": None if entry is None else entry["claim"],
        "against": against(entry, run, best.is_stale(run)),
    }


def refuse_crossing(run: Mapping[str, Any], best: BestKnown) -> None:
    """Refuse a run that contradicts what is known, with all that repeating it takes.

    Raises
    ------
    CrossingError
        With hashes, command, versions and the known entry, its schedule valued anew.
    """
    entry = best.find(run)
    wrong = crossings(entry, run)
    if entry is None or not wrong:
        return
    command = (
        f"chipsched bench {run['scenario']} --objective '{run['objective']}' "
        f"--engine {run['engine']} --time-limit {run['seconds'] or 0} "
        f"--workers {run['workers']} --seed {run['seed']}"
    )
    known = {key: entry[key] for key in ("value_from", "bound_from", "proved_by")}
    lines = [
        f"{run['scenario']}, {run['objective']}: {'; '.join(wrong)}",
        f"instance {run['instance_sha256']}, cost table {run['table_sha256']}",
        f"repeat with: {command}",
        f"this run: {run['made']}, bound proved by {run['proved_by']}",
        f"known ({best.path}): {known}",
        f"known schedule: {_anew(run, entry)}",
        f"this run's schedule: {run['schedule']}",
    ]
    raise CrossingError("\n".join(lines))


def _anew(run: Mapping[str, Any], entry: Entry) -> str:
    """Return what the semantics say now of the known schedule."""
    if entry["schedule"] is None:
        return "none"
    from formulation.objective import parse_part

    problem = prepare(load_instance(run["scenario"])).problem
    worth = evaluate(problem, unpacked(entry["schedule"]))
    if worth.violations:
        return f"violates {', '.join(v.rule for v in worth.violations)}"
    value = parse_part(run["objective"]).value(problem, worth)
    return f"is worth {value} when valued anew, {entry['value']} on file"

"""The certificate of a solve: one JSON file that the checker replays on its own.

It holds the instance and the cost table with their SHA-256, the objective, the
schedule by names, its value, the bounds, the claim, and what every engine did.
`seal` is the SHA-256 of everything else, so that a damaged file is noticed; the
checker recomputes what the numbers say and does not rely on it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from fractions import Fraction
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formulation.dual import Dual
from formulation.kinds import KINDS, kind_of
from formulation.outcome import EngineRun, Outcome
from instances.load import to_canonical_json

if TYPE_CHECKING:
    from costmodel.table import CostTable
    from formulation.kinds import Judged
    from formulation.problem import Problem
    from instances.schema import Instance

SCHEMA = "certificate/1"
PACKAGES = ("ortools", "pulp", "highspy", "numpy", "click", "pyyaml")
COMMON_KEYS = frozenset(
    {
        "schema",
        "seal",
        "kind",
        "chipsched",
        "packages",
        "instance",
        "instance_sha256",
        "table",
        "table_sha256",
        "objective",
        "claim",
        "value",
        "bound",
        "schedule",
        "relaxed",
        "clashing",
        "duals",
        "why_stopped",
        "seconds",
        "runs",
    }
)
LONGEST_SECONDS = 1e9
RUN_KEYS = frozenset(EngineRun.__dataclass_fields__)
DUAL_KEYS = frozenset(Dual.__dataclass_fields__)
MULTIPLIER = re.compile(r"-?[0-9]{1,999}(/[1-9][0-9]{0,999})?")


class CertificateError(ValueError):
    """A file that is not a certificate this version reads; one line a fault."""


def keys_of(kind: str) -> frozenset[str]:
    """Return the keys of a certificate of a kind of schedules."""
    return COMMON_KEYS | set(KINDS[kind].keys)


def version_of(package: str) -> str | None:
    """Return the installed version of a distribution, `None` if there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def energy_text(quanta: int, quantum_fj: int) -> str:
    """Return an energy in pJ as exact decimal text (a quantum is whole fJ)."""
    whole, rest = divmod(quanta * quantum_fj, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") if rest else str(whole)


def seal_of(certificate: dict[str, Any]) -> str:
    """Return the SHA-256 of everything in a certificate but its `seal`."""
    rest = {key: value for key, value in certificate.items() if key != "seal"}
    return sha256(dumps(rest).encode()).hexdigest()


def dumps(data: object) -> str:
    """Return the one text of a JSON value: keys sorted, no spaces."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def _run(run: EngineRun) -> dict[str, Any]:
    return {
        "engine": run.engine,
        "version": run.version,
        "quantity": list(run.quantity),
        "value": list(run.value),
        "bound": list(run.bound),
        "infeasible": run.infeasible,
        "why_stopped": run.why_stopped,
        "seconds": round(run.seconds, 3),
        "notes": list(run.notes),
        "nodes": run.nodes,
    }


def _dual(dual: Dual) -> dict[str, Any]:
    return {
        "quantity": dual.quantity,
        "bound": dual.bound,
        "multipliers": {name: str(y) for name, y in dual.multipliers.items()},
    }


def read_dual(data: dict[str, Any]) -> Dual:
    """Return a bound with its multipliers, of a certificate without `form_faults`."""
    multipliers = {name: Fraction(y) for name, y in data["multipliers"].items()}
    return Dual(data["quantity"], data["bound"], multipliers)


def facts_of(problem: Problem, evaluation: Judged) -> dict[str, Any]:
    """Return what a certificate states of an evaluated schedule: `Kind.keys`."""
    facts = kind_of(problem).facts(problem, evaluation)
    pj = energy_text(facts["energy_quanta"], problem.energy_quantum_fj)
    return facts | {"energy_pj": pj}


def make_certificate(
    instance: Instance,
    table: CostTable,
    problem: Problem,
    outcome: Outcome[Any],
    evaluation: Judged | None,
) -> dict[str, Any]:
    """Return the certificate of an outcome.

    Parameters
    ----------
    evaluation
        What the semantics say of `outcome.schedule`; `None` without a schedule.
    """
    found, kind = outcome.schedule, kind_of(problem)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": kind.name,
        "chipsched": version_of("chipsched"),
        "packages": {name: version_of(name) for name in PACKAGES},
        "instance": json.loads(to_canonical_json(instance)),
        "instance_sha256": problem.instance_sha256,
        "table": json.loads(table.to_json()),
        "table_sha256": problem.table_sha256,
        "objective": list(outcome.objective),
        "claim": outcome.claim,
        "value": list(outcome.value),
        "bound": list(outcome.bound),
        **dict.fromkeys(kind.keys),
        "schedule": None if found is None else kind.to_dict(problem, found),
        "relaxed": list(outcome.relaxed),
        "clashing": list(outcome.clashing),
        "duals": [_dual(dual) for dual in outcome.duals],
        "why_stopped": outcome.why_stopped,
        "seconds": round(outcome.seconds, 3),
        "runs": [_run(run) for run in outcome.runs],
    }
    if evaluation is not None:
        data |= facts_of(problem, evaluation)
    data["seal"] = seal_of(data)
    return data


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; a text in UTF-8.

    A link is followed; what is no regular file (``/dev/null``) is written to.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_certificate(path: Path, certificate: dict[str, Any]) -> None:
    """Save a certificate; see `write_atomically`."""
    write_atomically(path, dumps(certificate) + "\n")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the mapping of a JSON object.

    Raises
    ------
    CertificateError
        If a key stands there twice.
    """
    data = dict(pairs)
    if len(data) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise CertificateError(f"twice the same key: {', '.join(twice)}")
    return data


def _no_constant(name: str) -> float:
    raise CertificateError(f"not a number: {name}")


def loads_json(text: str) -> Any:
    """Return what a text of JSON says, no key of an object twice.

    Raises
    ------
    CertificateError
        If the text is not JSON.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_no_twins, parse_constant=_no_constant
        )
    except CertificateError:
        raise
    except (ValueError, RecursionError) as error:
        raise CertificateError(f"not JSON: {error}") from error


def loads_certificate(text: str) -> dict[str, Any]:
    """Return a certificate from its text.

    Raises
    ------
    CertificateError
        If the text is not JSON or does not call itself a certificate that this
        version reads.
    """
    data = loads_json(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        got = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise CertificateError(f"schema: got {got!r}, expected {SCHEMA!r}")
    return data


def read_certificate(path: Path) -> dict[str, Any]:
    """Return the certificate in a file.

    Raises
    ------
    CertificateError
        If the file cannot be read or is not a certificate.
    """
    try:
        return loads_certificate(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, CertificateError) as error:
        raise CertificateError(f"{path}: {error}") from error


def form_faults(data: dict[str, Any]) -> list[str]:
    """Return what is wrong with the form of a certificate: keys and types."""
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return [f"kind: got {kind!r}, expected {' or '.join(KINDS)}"]
    keys = keys_of(kind)
    faults = [f"{key}: missing" for key in sorted(keys - data.keys())]
    faults += [
        f"{key}: not a key of {SCHEMA}, {kind}" for key in sorted(data.keys() - keys)
    ]
    if faults:
        return faults
    for key in ("instance", "table", "packages"):
        if not isinstance(data[key], dict):
            faults.append(f"{key}: expected a mapping")
    for key in ("objective", "relaxed", "clashing"):
        if not _texts(data[key]):
            faults.append(f"{key}: expected a list of names")
    faults += _numbers(data, ("value", "bound"), "")
    if not isinstance(data["runs"], list):
        return [*faults, "runs: expected a list"]
    for k, run in enumerate(data["runs"]):
        where = f"runs[{k}]"
        if not isinstance(run, dict) or run.keys() != RUN_KEYS:
            faults.append(f"{where}: expected the keys {', '.join(sorted(RUN_KEYS))}")
            continue
        faults += _numbers(run, ("value", "bound"), f"{where}.")
        if not _texts(run["quantity"]) or not _texts(run["notes"]):
            faults.append(f"{where}: expected lists of texts as quantity and notes")
        if run["nodes"] is not None and not _count(run["nodes"]):
            faults.append(f"{where}.nodes: expected a count or null")
        if not isinstance(run["infeasible"], bool):
            faults.append(f"{where}.infeasible: expected a boolean")
        faults += _record_faults(run, ("engine", "version", "why_stopped"), f"{where}.")
    faults += _dual_faults(data["duals"])
    return faults + _record_faults(data, ("claim", "why_stopped"), "")


def _dual_faults(duals: object) -> list[str]:
    if not isinstance(duals, list):
        return ["duals: expected a list"]
    faults = []
    for k, dual in enumerate(duals):
        where = f"duals[{k}]"
        if not isinstance(dual, dict) or dual.keys() != DUAL_KEYS:
            faults.append(f"{where}: expected the keys {', '.join(sorted(DUAL_KEYS))}")
            continue
        if not isinstance(dual["quantity"], str):
            faults.append(f"{where}.quantity: expected a text")
        if isinstance(dual["bound"], bool) or not isinstance(dual["bound"], int):
            faults.append(f"{where}.bound: expected a whole number")
        named = dual["multipliers"]
        for name, y in named.items() if isinstance(named, dict) else [("", None)]:
            if not isinstance(y, str) or not MULTIPLIER.fullmatch(y):
                at = f"{where}.multipliers {name}".strip()
                faults.append(f"{at}: expected a text such as 3 or -3/4")
    return faults


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(x, str) for x in value)


def _count(value: object) -> bool:
    return type(value) is int and value >= 0


def _numbers(data: dict[str, Any], keys: tuple[str, ...], where: str) -> list[str]:
    def fits(value: object) -> bool:
        return value is None or (isinstance(value, int) and not isinstance(value, bool))

    return [
        f"{where}{key}: expected a list of whole numbers or null"
        for key in keys
        if not isinstance(data[key], list) or not all(map(fits, data[key]))
    ]


def _record_faults(
    data: dict[str, Any], texts: tuple[str, ...], where: str
) -> list[str]:
    faults = [
        f"{where}{key}: expected a text"
        for key in texts
        if not isinstance(data[key], str)
    ]
    seconds = data["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        faults.append(f"{where}seconds: expected a number")
    elif not 0 <= seconds < LONGEST_SECONDS:
        faults.append(f"{where}seconds: got {seconds}, expected a time")
    return faults

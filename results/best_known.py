"""Best known values and bounds: a file of their own, which only ever gets better.

An entry is of one instance, one cost table and one objective. It keeps the least
value with its schedule, the largest bound, and who found each. A run that is below a
known bound, or proves a bound above a known value, contradicts it: one of the two is
wrong, and nothing is written.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formulation.certificate import dumps, write_atomically
from formulation.decisions import DRAM, PACKAGE
from formulation.pipelined.schedule import Schedule
from results.record import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "best-known/1"
FILE = Path(__file__).parent / "library" / "best_known.json"
INSTANCE = frozenset({"instance_sha256", "table_sha256", "objectives"})
ENTRY = frozenset(
    {
        *("claim", "value", "bound", "recomputed_bound", "infeasible", "proved_by"),
        *("value_from", "bound_from", "schedule", "schedule_sha256"),
    }
)
_RESIDENT = {True: "r", False: "s", None: "-"}
_PLACE = {PACKAGE: "p", DRAM: "d", None: "-"}

Entry = dict[str, Any]


class CrossingError(RuntimeError):
    """A run and what is known contradict each other; says all about both."""


def packed(schedule: Schedule) -> dict[str, str]:
    """Return a schedule in short texts, in the order of layers and tensors.

    `resident`: r, s (streamed) or - a layer; `place`: p, d or - a tensor.
    """
    numbers = ("chiplet", "mode", "stage")
    return {
        **{key: " ".join(map(str, getattr(schedule, key))) for key in numbers},
        "resident": "".join(_RESIDENT[value] for value in schedule.resident),
        "place": "".join(_PLACE[value] for value in schedule.place),
    }


def unpacked(texts: Mapping[str, str]) -> Schedule:
    """Return the schedule of `packed`.

    Raises
    ------
    KeyError, ValueError
        If the texts are none.
    """
    resident = {text: value for value, text in _RESIDENT.items()}
    place = {text: value for value, text in _PLACE.items()}
    return Schedule(
        chiplet=tuple(map(int, texts["chiplet"].split())),
        mode=tuple(map(int, texts["mode"].split())),
        stage=tuple(map(int, texts["stage"].split())),
        resident=tuple(resident[letter] for letter in texts["resident"]),
        place=tuple(place[letter] for letter in texts["place"]),
    )


def schedule_hash(texts: Mapping[str, str]) -> str:
    """Return the SHA-256 of a packed schedule."""
    return sha256(dumps(dict(texts)).encode()).hexdigest()


class BestKnown:
    """The file: instance -> hashes and objective -> entry.

    Parameters
    ----------
    path
        Need not exist yet.

    Raises
    ------
    RecordError
        If there is a file that is not one of best known values.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.instances = _read(path)

    def find(self, run: Mapping[str, Any]) -> Entry | None:
        """Return what is known of a run's instance, table and objective."""
        known = self.instances.get(run["scenario"])
        if known is None or not _same(known, run):
            return None
        entry: Entry | None = known["objectives"].get(run["objective"])
        return entry

    def is_stale(self, run: Mapping[str, Any]) -> bool:
        """Whether what is known is of another instance or cost table of this name."""
        known = self.instances.get(run["scenario"])
        return known is not None and not _same(known, run)

    def take(self, run: Mapping[str, Any]) -> bool:
        """Take what is better in a run and write the file whole; whether there was.

        What is known of another instance or cost table of the same name is dropped.

        Raises
        ------
        CrossingError
            If the run contradicts what is known.
        """
        self.instances = _read(self.path)  # someone else may have been here
        before = self.find(run)
        after = improved(before, run)
        if after == before:
            return False
        name = run["scenario"]
        known = {} if self.is_stale(run) else self.instances.get(name, {})
        self.instances[name] = {
            "instance_sha256": run["instance_sha256"],
            "table_sha256": run["table_sha256"],
            "objectives": {**known.get("objectives", {}), run["objective"]: after},
        }
        data = {"schema": SCHEMA, "instances": self.instances}
        text = json.dumps(data, indent=1, sort_keys=True) + "\n"
        write_atomically(self.path, text)
        return True


def _same(known: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    return all(known[key] == run[key] for key in ("instance_sha256", "table_sha256"))


def _read(path: Path) -> dict[str, Any]:
    """Return the instances of a file; {} if there is no file."""
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise RecordError(f"{path}: expected the schema {SCHEMA}")
    instances = data.get("instances")
    if not isinstance(instances, dict):
        raise RecordError(f"{path}: instances: expected a mapping")
    faults = [
        f"{path}: {name}: {fault}"
        for name, known in instances.items()
        for fault in _faults(known)
    ]
    if faults:
        raise RecordError("\n".join(faults))
    return instances


def _faults(known: object) -> list[str]:
    """Return what is wrong with all that is known of an instance."""
    if not isinstance(known, dict) or set(known) != INSTANCE:
        return [f"expected the keys {', '.join(sorted(INSTANCE))}"]
    entries = known["objectives"]
    if not isinstance(entries, dict):
        return ["objectives: expected a mapping"]
    faults = []
    for objective, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != ENTRY:
            expected = ", ".join(sorted(ENTRY))
            faults.append(f"{objective}: expected the keys {expected}")
            continue
        for key in ("value", "bound", "recomputed_bound"):
            if not (entry[key] is None or type(entry[key]) is int):
                faults.append(f"{objective}: {key}: expected a whole number or null")
        if (entry["value"] is None) != (entry["schedule"] is None):
            faults.append(f"{objective}: a value goes with a schedule")
        if not isinstance(entry["proved_by"], list):
            faults.append(f"{objective}: proved_by: expected a list")
    return faults


def crossings(entry: Entry | None, run: Mapping[str, Any]) -> list[str]:
    """Return what contradicts what, one line each; empty if nothing does."""
    if entry is None:
        return []
    found = []
    value, bound = run["value"], run["bound"]
    if None not in (value, entry["bound"]) and value < entry["bound"]:
        found.append(f"value {value} is below the known bound {entry['bound']}")
    if None not in (bound, entry["value"]) and bound > entry["value"]:
        found.append(f"bound {bound} is above the known value {entry['value']}")
    if run["infeasible"] and entry["value"] is not None:
        found.append(f"proved infeasible, but {entry['value']} is known")
    if entry["infeasible"] and value is not None:
        found.append(f"value {value}, but it is known to be infeasible")
    return found


def improved(entry: Entry | None, run: Mapping[str, Any]) -> Entry:
    """Return the better of what is known and what a run found, part by part.

    Raises
    ------
    CrossingError
        If they contradict each other.
    """
    wrong = crossings(entry, run)
    if wrong:
        raise CrossingError("; ".join(wrong))
    best: Entry = dict.fromkeys(ENTRY) | {"infeasible": False, "proved_by": []}
    best |= entry or {}
    value, bound, exact = run["value"], run["bound"], run["recomputed_bound"]
    if value is not None and (best["value"] is None or value < best["value"]):
        best |= {"value": value, "value_from": run["made"]}
        best |= {"schedule": run["schedule"]}
        best |= {"schedule_sha256": schedule_hash(run["schedule"])}
    if bound is not None and (best["bound"] is None or bound > best["bound"]):
        best |= {"bound": bound, "bound_from": run["made"]}
        best["proved_by"] = run["proved_by"]
    elif bound is not None and bound == best["bound"]:
        best["proved_by"] = sorted({*best["proved_by"], *run["proved_by"]})
    if exact is not None:
        best["recomputed_bound"] = max(exact, best["recomputed_bound"] or exact)
    if run["infeasible"] and not best["infeasible"]:
        best |= {"infeasible": True, "bound_from": run["made"]}
    best["claim"] = claim_of(best)
    return best


def claim_of(entry: Mapping[str, Any]) -> str:
    """Return the rung of the ladder (MODEL.md, Claims) that an entry reaches."""
    value, exact = entry["value"], entry["recomputed_bound"]
    if entry["infeasible"]:
        return "infeasible"
    if value is None:
        return "unknown"
    if value == exact:
        return "certified"
    if value == entry["bound"]:
        return "optimal-2" if len(entry["proved_by"]) > 1 else "optimal-1"
    return "feasible" if exact is None else "bounded"

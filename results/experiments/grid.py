"""Grids of experiments, as files: what is run is data.

schema: grid/1
studies:
NAME:                     # which table it is for
scenarios: [SCENARIO]   # packaged names, or files beside the grid
variants: mixes         # of each scenario; left out: the scenario itself
runs:                   # every combination of what stands in a list
- methods: [cpsat, annealing]
only: ["*"]         # of which variants
objectives: [period]
seconds: 60         # of every engine; of cpsat+milp also [60, 15]
evaluations: null   # of a heuristic
seeds: [1]
workers: 2
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from formulation.objective import ObjectiveError, parse_objective
from instances.faults import InstanceError
from instances.load import load_instance
from results import headline, modes, sensitivity
from results.experiments.point import (
    COSTS,
    ENGINES,
    FRONT,
    HEURISTICS,
    GridError,
    Point,
    Variant,
)
from results.experiments.synthetic import synthetic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SCHEMA = "grid/1"
FOLDER = Path(__file__).parent
VARIANTS: dict[str, Callable[[str], list[Variant]]] = {
    "mixes": headline.variants,
    "assumptions": sensitivity.variants,
    "modes": modes.variants,
    "synthetic": synthetic,
}
DEFAULTS: dict[str, Any] = {
    "only": ["*"],
    "objectives": ["period"],
    "seconds": 60,
    "evaluations": None,
    "seeds": [1],
    "workers": 2,
}


def packaged_grids() -> list[str]:
    """Return the names of the grids that come along."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def grid_path(source: str) -> Path:
    """Return the file of a grid: a packaged name, or a path."""
    if source in packaged_grids():
        return FOLDER / f"{source}.yaml"
    return Path(source)


def matches(pattern: str, label: str) -> bool:
    """Whether a point's label begins with a pattern (*, ? and [] as in a shell)."""
    return fnmatchcase(label, f"{pattern}*")


def load_grid(source: str, only: str = "") -> list[Point]:
    """Return the points of a grid, in its order.

    Parameters
    ----------
    only
        As `matches` reads it; studies that cannot match are not even loaded.

    Raises
    ------
    GridError
        With every fault of the file and of its scenarios.
    OSError
        If it cannot be read.
    """
    path = grid_path(source)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GridError(f"{path}: {error}") from error
    faults: list[str] = []
    checked = _Checked(str(path), faults)
    studies = checked.studies(data)
    points: list[Point] = []
    study_pattern, slash, _ = only.partition("/")
    for name, study in studies.items() if not faults else ():
        if fnmatchcase(name, study_pattern if slash else f"{study_pattern}*"):
            points += _points(name, study, path, faults)
    if faults:
        raise GridError("\n".join(faults))
    return [point for point in points if matches(only, point.label)]


def _points(
    name: str, study: Mapping[str, Any], path: Path, faults: list[str]
) -> Iterator[Point]:
    folder, labels = path.parent, list[str]()
    for scenario in study["scenarios"]:
        beside = folder / scenario
        source = str(beside) if beside.is_file() else scenario
        try:
            rows = _variants(study.get("variants"), source, Path(scenario).stem)
        except InstanceError as error:
            lines = str(error).splitlines()
            faults += [f"{path}: studies.{name}: {line}" for line in lines]
            continue
        labels += [row.label for row in rows]
        for row, run in product(rows, study["runs"]):
            if any(fnmatchcase(row.label, pattern) for pattern in run["only"]):
                about = {"scenario": scenario, **row.about}
                yield from _runs(name, row, run, folder, about)
    for k, run in enumerate(study["runs"]):
        faults += [
            f"{path}: studies.{name}.runs[{k}].only: got {pattern!r}, expected one of "
            f"{_list(labels)}"
            for pattern in run["only"]
            if labels and not any(fnmatchcase(label, pattern) for label in labels)
        ]


def _runs(
    study: str,
    row: Variant,
    run: Mapping[str, Any],
    folder: Path,
    about: Mapping[str, Any],
) -> Iterator[Point]:
    """Yield every combination of what stands in the lists of a run."""
    for method, objective, seed in product(
        run["methods"], run["objectives"], run["seeds"]
    ):
        yield Point(
            study=study,
            variant=row.label,
            instance=row.instance,
            method=_method(method, folder),
            objective=parse_objective(objective),
            seconds=_seconds(method, run["seconds"]),
            evaluations=run["evaluations"],
            seed=seed,
            workers=run["workers"],
            max_modes=row.max_modes,
            about=about,
        )


def _variants(name: str | None, source: str, label: str) -> list[Variant]:
    if name is None:
        return [Variant(label, load_instance(source))]
    return VARIANTS[name](source)


def _method(method: str, folder: Path) -> str:
    """Return a method; a file beside the grid by its whole path."""
    return str((folder / method).resolve()) if method.endswith(".py") else method


def _seconds(method: str, given: Any) -> tuple[float | None, ...]:
    engines = len(method.split("+"))
    return tuple(given) if isinstance(given, list) else (given,) * engines


def known_methods() -> list[str]:
    """Return what may stand under ``methods``, heuristics included."""
    heuristics = import_module(HEURISTICS).names_of("pipelined")
    both = [f"{one}+{other}" for one in ENGINES for other in ENGINES if one != other]
    return [*ENGINES, *both, FRONT, COSTS, *heuristics]


class _Checked:
    """Checks a grid entry by entry; every fault goes into a list."""

    def __init__(self, file: str, faults: list[str]) -> None:
        self.file, self.faults = file, faults

    def fault(self, path: str, got: object, expected: str) -> None:
        """Note a fault."""
        self.faults.append(f"{self.file}: {path}: got {got!r}, expected {expected}")

    def mapping(self, path: str, value: Any, keys: Sequence[str] | None) -> Any:
        """Return a mapping with no other keys than these."""
        if not isinstance(value, dict):
            self.fault(path, value, "a mapping")
            return {}
        for key in value:
            if keys is not None and key not in keys:
                self.fault(f"{path}.{key}".lstrip("."), key, f"one of {_list(keys)}")
        return value

    def texts(self, path: str, value: Any, known: Sequence[str] | None = None) -> Any:
        """Return a list of texts, at least one."""
        if not isinstance(value, list) or not value:
            self.fault(path, value, "a list of names")
            return []
        for k, text in enumerate(value):
            if not isinstance(text, str) or (known is not None and text not in known):
                expected = "a name" if known is None else f"one of {_list(known)}"
                self.fault(f"{path}[{k}]", text, expected)
        return value

    def studies(self, data: Any) -> dict[str, Any]:
        """Return the studies of a grid, defaults filled in."""
        if not isinstance(data, dict):
            self.fault("top level", data, "a mapping")
            return {}
        data = self.mapping("", data, ("schema", "studies"))
        if data.get("schema") != SCHEMA:
            self.fault("schema", data.get("schema"), SCHEMA)
        studies = self.mapping("studies", data.get("studies"), None)
        return {
            name: self.study(f"studies.{name}", study)
            for name, study in studies.items()
        }

    def study(self, path: str, study: Any) -> dict[str, Any]:
        """Return a study, defaults filled in."""
        study = self.mapping(path, study, ("scenarios", "variants", "runs"))
        self.texts(f"{path}.scenarios", study.get("scenarios"))
        if study.get("variants") not in (None, *VARIANTS):
            expected = f"one of {_list(list(VARIANTS))}"
            self.fault(f"{path}.variants", study["variants"], expected)
        runs = study.get("runs")
        if not isinstance(runs, list) or not runs:
            self.fault(f"{path}.runs", runs, "a list of runs")
            runs = []
        runs = [self.run(f"{path}.runs[{k}]", run) for k, run in enumerate(runs)]
        return {**study, "runs": runs}

    def run(self, path: str, given: Any) -> dict[str, Any]:
        """Return a run, defaults filled in."""
        run = {**DEFAULTS, **self.mapping(path, given, ("methods", *DEFAULTS))}
        methods = self.texts(f"{path}.methods", run.get("methods"))
        self.texts(f"{path}.only", run["only"])
        for k, method in enumerate(methods):
            if not str(method).endswith(".py") and method not in known_methods():
                expected = f"one of {_list(known_methods())}, or FILE.py"
                self.fault(f"{path}.methods[{k}]", method, expected)
        for k, text in enumerate(self.texts(f"{path}.objectives", run["objectives"])):
            try:
                parse_objective(str(text))
            except ObjectiveError as error:
                self.fault(f"{path}.objectives[{k}]", text, f"an objective: {error}")
        self.seconds(f"{path}.seconds", run["seconds"], methods)
        for key, least in (("evaluations", 1), ("workers", 1)):
            value = run[key]
            absent = key == "evaluations" and value is None
            if not absent and not _whole(value, least):
                self.fault(f"{path}.{key}", value, "a whole number above 0")
        seeds = run["seeds"]
        if not isinstance(seeds, list) or not all(_whole(x, 0) for x in seeds):
            self.fault(f"{path}.seeds", seeds, "a list of whole numbers")
        return run

    def seconds(self, path: str, given: Any, methods: Sequence[Any]) -> None:
        """Check limits: a number, or one of every engine of every method."""
        some = given if isinstance(given, list) else [given]
        numbers = all(type(x) in (int, float) and 0 < x < 10**9 for x in some)
        if not numbers:
            self.fault(path, given, "seconds above 0")
        elif isinstance(given, list):
            for method in methods:
                if len(str(method).split("+")) != len(given):
                    self.fault(path, given, f"a number for every engine of {method}")


def _whole(value: object, least: int) -> bool:
    return type(value) is int and least <= value < 2**31


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)

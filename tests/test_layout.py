"""The layout is a promise: who may import whom, how long things get, labels."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from formulation.pipelined.semantics import RULES
from formulation.timed.semantics import RULES as TIMED_RULES
from formulation.windowed.semantics import RULES as WINDOWED_RULES

ROOT = Path(__file__).parent.parent
LAYERS = ("instances", "costmodel", "formulation", "results")
SOLVERS = ("ortools", "pulp", "highspy")
FILE_LINES, FUNCTION_LINES = 400, 60
SOURCES = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Full names of all modules imported anywhere in a file, types too."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_imports_go_to_the_left_only(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    right = set(LAYERS[LAYERS.index(layer) + 1 :]) | {"tests"}
    assert not top(imported(path)) & right


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_solvers_stay_in_files_named_for_them(path: Path) -> None:
    used = top(imported(path)) & set(SOLVERS)
    allowed = {"ortools"} if path.name.startswith("cpsat") else set()
    if path.name.startswith("milp"):
        allowed = {"pulp", "highspy"}
    if path.name == "lp.py":
        allowed = {"highspy"}
    assert used <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_no_blanket_handlers_and_no_prints(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{shown(path)}:{node.lineno}"
            name = node.type.id if isinstance(node.type, ast.Name) else ""
            assert name != "Exception", f"{shown(path)}:{node.lineno}"
            if name == "BaseException":  # only to raise it, here or elsewhere
                last = ast.unparse(node.body[-1])
                assert last == "raise" or last.endswith(f" = {node.name}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print" or path.name == "__main__.py"


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_files_and_functions_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{lines} lines"
    long = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # Without decorators: those of a command are its table of options.
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                long.append(f"{node.name}: {length} lines")
    assert not long


def module_file(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def reachable(start: str) -> set[Path]:
    """Files of ours that a module imports, directly or not, even lazily."""
    todo, seen = [start], set()
    while todo:
        path = module_file(todo.pop())
        if path is not None and path not in seen:
            seen.add(path)
            todo += [n for n in imported(path) if n.partition(".")[0] in LAYERS]
    return seen


@pytest.mark.parametrize("start", ["formulation.checker", "formulation.certificate"])
def test_checker_reaches_no_solver(start: str) -> None:
    files = reachable(start)
    assert len(files) > 5
    for path in files:
        assert not top(imported(path)) & set(SOLVERS), shown(path)


def loaded_after(code: str) -> set[str]:
    tail = "\nimport sys\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return top(set(done.stdout.split()))


def test_checker_loads_no_solver() -> None:
    modules = loaded_after("import formulation.checker, formulation.certificate")
    assert "formulation" in modules
    assert not modules & {*SOLVERS, "pandas"}


@pytest.mark.parametrize("label", RULES)
def test_a_rule_stands_everywhere(label: str) -> None:
    from formulation.pipelined.cpsat_rules import RULES as CPSAT_RULES
    from formulation.pipelined.milp_rules import RULES as MILP_RULES

    statement = (ROOT / "formulation" / "MODEL.md").read_text(encoding="utf-8")
    assert f"`{label}`" in statement
    assert label in CPSAT_RULES
    assert label in MILP_RULES
    assert (ROOT / "tests" / "tiny" / f"{label}.yaml").exists()


@pytest.mark.parametrize("label", TIMED_RULES)
def test_a_rule_of_timed_schedules_is_stated(label: str) -> None:
    statement = (ROOT / "formulation" / "MODEL.md").read_text(encoding="utf-8")
    assert f"`{label}`" in statement.split("## 6. Timed schedules")[1]
    assert (ROOT / "tests" / "tiny" / "timed" / f"{label}.yaml").exists()


@pytest.mark.parametrize("label", WINDOWED_RULES)
def test_a_rule_of_windowed_schedules_is_stated(label: str) -> None:
    statement = (ROOT / "formulation" / "MODEL.md").read_text(encoding="utf-8")
    assert f"`{label}`" in statement.split("## 7. Windowed schedules")[1]


def test_engines_have_no_rules_of_their_own() -> None:
    from formulation.pipelined.cpsat_rules import RULES as CPSAT_RULES
    from formulation.pipelined.milp_rules import RULES as MILP_RULES

    assert set(CPSAT_RULES) == set(RULES) == set(MILP_RULES)


def test_packages_are_listed_for_installing() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    here = {".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES}
    assert listed == here

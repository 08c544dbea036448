"""The pins of pyproject.toml and constraints.txt, and why they are there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import highspy
import pytest
from ortools.sat.python import cp_model
from packaging.requirements import Requirement

from formulation.engines.cpsat import Model
from formulation.outcome import Limits, Target
from formulation.pipelined import cpsat, milp
from instances.load import load_instance
from tests.support import problem_of, tiny

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINNED = dict(line.split("==") for line in CONSTRAINTS)

LIBRARIES = {
    "ortools": """
from ortools.sat.python import cp_model
model = cp_model.CpModel()
x = model.new_int_var(0, 9, "x")
model.add(2 * x >= 5)
model.minimize(x)
solver = cp_model.CpSolver()
solver.parameters.num_workers = 1
assert solver.solve(model) == cp_model.OPTIMAL and solver.value(x) == 3
""",
    "highspy and pulp": """
import highspy
import pulp
lp = pulp.LpProblem("p", pulp.LpMinimize)
y = lp.add_variable("y", 0, 9, "Integer")
lp += y
lp += 2 * y >= 5
lp.solve(pulp.HiGHS(msg=False))
assert round(y.value()) == 3
""",
}


@pytest.mark.parametrize("first", LIBRARIES)
def test_both_solvers_live_in_one_process(first: str) -> None:
    # highspy 1.15 and ortools 9.15 break each other in either order (or-tools #5246).
    [second] = set(LIBRARIES) - {first}
    code = LIBRARIES[first] + LIBRARIES[second] + "print('both')"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "both"


def test_models_without_camel_case_names_are_models() -> None:
    # They are added by one method of a new model and called by nothing in ortools.
    assert "_add_pre_pep8_methods" in cp_model.CpModel.__init__.__code__.co_names
    assert not {"Add", "NewIntVar", "Minimize"} & vars(Model()).keys()
    answers = []
    for kind in (cp_model.CpModel, Model):
        model = kind()
        x = [model.new_int_var(0, 9, f"x{n}") for n in range(2)]
        model.add(2 * x[0] >= 5)
        model.add(x[0] + x[1] == 8).only_enforce_if(model.new_constant(1))
        model.add_max_equality(model.new_int_var(0, 6, "most"), x)
        model.minimize(x[0])
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        status = solver.solve(model.clone())
        values = (solver.value(x[0]), solver.value(x[1]))
        answers.append((status, values, model.model_stats()))
    assert answers[0] == answers[1]
    assert answers[1][:2] == (cp_model.OPTIMAL, (3, 5))


@pytest.mark.parametrize("presolve", ["on", "off"])
def test_highs_solves_what_1_14_gets_wrong(presolve: str) -> None:
    # min 2x + 3z, x + z >= 4.5, 0 <= x <= 10, z integer in 0..10. x = 4.5, z = 0
    # costs 9; 1.14.0 with presolve on calls 15 optimal (HiGHS #2957).
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("presolve", presolve)
    highs.addVar(0, 10)
    highs.addVar(0, 10)
    highs.changeColCost(0, 2)
    highs.changeColCost(1, 3)
    highs.changeColIntegrality(1, highspy.HighsVarType.kInteger)
    highs.addRow(4.5, highspy.kHighsInf, 2, [0, 1], [1.0, 1.0])
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    assert highs.getInfo().objective_function_value == pytest.approx(9)


# The work-arounds for wrong answers of the pinned versions


@pytest.mark.parametrize("path", [*(ROOT / "formulation").rglob("*.py")], ids=str)
def test_solvers_are_only_started_where_the_work_arounds_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    allowed = {"CpSolver(": "engines/cpsat.py", "HiGHS(": "engines/milp.py"}
    allowed["Highs("] = "engines/lp.py"  # for duals that nobody believes
    for call, file in allowed.items():
        started = re.search(rf"\w\.{re.escape(call)}", text) is not None
        assert not started or path.as_posix().endswith(file)


def test_cpsat_runs_without_the_presolve_step_that_loses_optima(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # or-tools #5293: certified 9 086 429 where 6 012 953 is optimal. Every run of ours
    # has the parameter, whatever else is tuned.
    seen: list[int] = []
    true = cp_model.CpSolver.solve

    def solve(solver: cp_model.CpSolver, *args: Any) -> Any:
        seen.append(solver.parameters.presolve_inclusion_work_limit)
        return true(solver, *args)

    monkeypatch.setattr(cp_model.CpSolver, "solve", solve)
    default = cp_model.CpSolver().parameters.presolve_inclusion_work_limit
    assert default != 0
    for contiguous in (False, True):
        p = replace(tiny(10).problem, contiguous=contiguous)
        for quantity in ("period", "energy"):
            assert cpsat.minimise(p, Target(quantity), Limits(workers=2)).proved
    assert len(seen) >= 4
    assert set(seen) == {0}


def test_highs_runs_without_the_aggregator(monkeypatch: pytest.MonkeyPatch) -> None:
    # HiGHS 1.13.1 called worse schedules optimal with it (`formulation/engines/milp`).
    seen: list[tuple[object, ...]] = []
    true = highspy.Highs.run

    def run(highs: highspy.Highs) -> Any:
        options = ("presolve_rule_off", "mip_rel_gap", "mip_abs_gap")
        seen.append(tuple(highs.getOptionValue(name)[1] for name in options))
        return true(highs)

    monkeypatch.setattr(highspy.Highs, "run", run)
    answer = milp.minimise(tiny(10).problem, Target("period"), Limits(workers=1))
    assert answer.proved
    assert seen
    for rules, relative, absolute in seen:
        assert rules == 1 << 12 | 1 << 16  # and without enumeration
        assert relative == 0
        assert 0 < absolute < 1  # of a tick


def test_highs_never_sees_large_integers() -> None:
    # With integers of 10^6 it declared worse schedules optimal: beyond 2^13 periods
    # are continuous and counted in steps (`milp_vars.steps`).
    p = problem_of(load_instance("headline"))
    m = milp.build(p, Target("energy"))
    for variable in m.program.variables:
        if variable.cat == "Integer":
            assert variable.upBound is not None
            assert variable.upBound - variable.lowBound <= 2**13


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_what_is_installed_satisfies_the_pins(text: str) -> None:
    wanted = Requirement(text)
    assert metadata.version(wanted.name) in wanted.specifier


def test_the_solvers_are_pinned_from_above() -> None:
    pins = {Requirement(text).name: text for text in PROJECT["dependencies"]}
    assert "<1.14" in pins["highspy"]
    assert "<10" in pins["ortools"]
    assert "<4" in pins["pulp"]


def test_constraints_are_exact_and_say_nothing_else() -> None:
    for line in CONSTRAINTS:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line)


@pytest.mark.parametrize(
    "text",
    [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]],
)
def test_constraints_fix_every_dependency(text: str) -> None:
    wanted = Requirement(text)
    versions = {name.lower(): version for name, version in PINNED.items()}
    assert versions[wanted.name.lower()] in wanted.specifier

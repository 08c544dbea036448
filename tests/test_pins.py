"""The pins of pyproject.toml and constraints.txt, and why they are there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import highspy
import pytest
from ortools.sat.python import cp_model
from packaging.requirements import Requirement

from formulation.engines.cpsat import Model

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

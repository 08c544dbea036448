"""Files of classical scheduling problems as instances: what is read, what is refused.

Small files are written here. Those of others are read where they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from formulation.outcome import Limits
from formulation.timed.cpsat import minimise
from formulation.timed.objective import timed_part
from instances.faults import InstanceError
from instances.readers.formats import FORMATS, read_foreign
from results.cli import main
from tests.support import problem_of, proved

ROOT = Path(__file__).resolve().parents[2]
CLASSICAL = ROOT.parent / "shared" / "data" / "classical"
# Job 1: a takes 3 on machine 1 or 5 on machine 2, then b 4 on machine 2. Job 2: c takes
# 2 on machine 1. a on machine 1 at once, then b: 7, while c runs from 3 to 5.
TABLE = "2\n2\n2\t1\t\n3\t5\t\n0\t4\t\n2\t0\t\n"
USUAL = "2 2 1.3\n2  2 1 3 2 5  1 2 4\n1  1 1 2\n"
# Job 3 alone on a machine takes 5, the others on the other one 2 + 4 or 3 + 3. With one
# of them beside it a machine has at least 5 + 2. So 6.
JOBS = "3\n2\n2 3\n4 3\n5 5\n"


def read(tmp_path: Path, form: str, text: str, name: str = "given.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_foreign(path, form)


def makespan(instance) -> tuple[int | None, int | None]:
    p = problem_of(instance)
    answer = minimise(p, timed_part(p, "makespan"), Limits(workers=1))
    assert answer.why_stopped == "finished"
    return answer.value, answer.bound


def faults(tmp_path: Path, form: str, text: str) -> list[str]:
    with pytest.raises(InstanceError) as caught:
        read(tmp_path, form, text)
    return [str(x).split("given.txt:")[-1] for x in caught.value.faults]


def test_a_table_is_a_timed_instance(tmp_path: Path) -> None:
    given = read(tmp_path, "fjsp", TABLE)
    assert given.options.kind == "timed"
    assert [len(model.layers) for model in given.models] == [2, 1]
    assert len(given.package.chiplets) == 2
    assert given.costs is not None
    assert [x.latency_ticks for x in given.costs] == [3, 5, 4, 2]
    assert makespan(given) == (7, 7)


def test_the_usual_text_is_the_same_instance(tmp_path: Path) -> None:
    assert read(tmp_path, "fjsp", USUAL) == read(tmp_path, "fjsp", TABLE)


def test_jobs_on_machines_are_a_pipelined_instance(tmp_path: Path) -> None:
    given = read(tmp_path, "pmp", JOBS)
    assert given.options.kind == "pipelined"
    assert proved("cpsat", problem_of(given), "period") == 6
    assert proved("milp", problem_of(given), "period") == 6


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (
            "pmp",
            "2\n2\n0 x\n1 2 3\n4\n",
            [
                "3: job1, machine1: got 0, expected an integer from 1 to 2**31 - 1",
                "3: job1, machine2: got 'x', expected an integer from 1 to 2**31 - 1",
                "4: job2: got 3 numbers, expected 2 numbers",
                "5: got 1 number, expected the end of the file",
            ],
        ),
        (
            "pmp",
            "1 2\n0\n",
            ["1: jobs: got 2 numbers, expected 1 number", "2: machine"],
        ),
        ("pmp", "999999\n1\n1\n", ["1: jobs: got 999999, expected below 100000"]),
        ("pmp", "2\n1\n1\n", ["job2: got the end of the file, expected 1 number"]),
        ("fjsp", "1\n2\n1\n0 0\n", ["4: job1.op1: got no machine, expected a time"]),
        ("fjsp", "1\n2\n2\n1 1\n", ["job1.op2: got the end of the file"]),
        (
            "fjsp",
            "2 2\n1 1 3 5\n2 2 1 3 1 4\n1 1 1 1 9\n",
            [
                "2: job1.op1: got machine 3, expected one from 1 to 2",
                "3: job2.op1: got machine 1 twice, expected every machine once",
                "3: job2.op2: got the end of the row, expected machines",
                "4: got 5 numbers, expected the end of the file",
            ],
        ),
        ("fjsp", "1 1\n1 1 1 9 7\n", ["2: job1: got 1 more numbers, expected the end"]),
        ("fjsp", "\n \n", ["got no numbers, expected rows of numbers"]),
    ],
)
def test_every_fault_is_told(
    tmp_path: Path, form: str, text: str, expected: list[str]
) -> None:
    found = faults(tmp_path, form, text)
    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.strip().startswith(start)


def command(capsys, *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args])
    captured = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("form", "text", "value"), [("fjsp", TABLE, 7), ("pmp", JOBS, 6)]
)
def test_the_command_solves(
    tmp_path: Path, capsys, form: str, text: str, value: int
) -> None:
    path = tmp_path / "given.txt"
    path.write_text(text, encoding="utf-8")
    code, out, _ = command(capsys, "solve", path, "--format", form, "--json")
    answer = json.loads(out)
    assert (code, answer["value"], answer["bound"]) == (0, value, value)


def test_a_bad_file_is_bad_input(tmp_path: Path, capsys) -> None:
    path = tmp_path / "given.txt"
    path.write_text("1\n1\n0\n", encoding="utf-8")
    code, out, err = command(capsys, "solve", path, "--format", "pmp")
    assert (code, out) == (1, "")
    assert f"{path}:3: job1, machine1: got 0" in err
    assert command(capsys, "solve", tmp_path / "none", "--format", "pmp")[0] == 1


def test_formats_have_rows_in_the_readme() -> None:
    text = (ROOT / "instances" / "README.md").read_text(encoding="utf-8")
    table = text.split("## Files of other tools")[1].split("\n## ")[0]
    assert all(f"| `{name}` |" in table for name in FORMATS)


@pytest.mark.skipif(not CLASSICAL.exists(), reason="../shared is absent")
@pytest.mark.parametrize(
    ("number", "least"), [(51, 55), (137, 47), (179, 11), (1, 40), (4, 60)]
)
def test_flexible_job_shops_of_others(number: int, least: int) -> None:
    """Optima that others proved, or the best that they know."""
    given = read_foreign(CLASSICAL / "fjsp" / f"{number}.txt", "fjsp")
    assert makespan(given) == (least, least)


@pytest.mark.skipif(not CLASSICAL.exists(), reason="../shared is absent")
@pytest.mark.parametrize(
    ("number", "least"),
    [
        (2, 87),
        pytest.param(201, 1014, marks=pytest.mark.long),
        pytest.param(1, 117, marks=pytest.mark.long),
    ],
)
def test_parallel_machines_of_others(capsys, number: int, least: int) -> None:
    path = CLASSICAL / "pmp" / f"{number}.txt"
    args = ("--format", "pmp", "--json", "--time-limit", "0")
    code, out, _ = command(capsys, "solve", path, *args)
    answer = json.loads(out)
    assert (code, answer["value"], answer["bound"]) == (0, least, least)

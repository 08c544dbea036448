"""`--costs TABLE.csv` in every command that has a cost table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from formulation.certificate import read_certificate

COMPUTE = Path(__file__).parent.parent / "tiny" / "compute.yaml"
# Its layers a and b take 3 and 4 ticks on its one chiplet, of type k; here 5 and 6.
SLOWER = "model,layer,chiplet_type,latency_ticks,energy_pj\nm,a,k,5,.1\nm,b,k,6,.2\n"


@pytest.fixture
def slower(tmp_path: Path) -> Path:
    path = tmp_path / "slower.csv"
    path.write_text(SLOWER)
    return path


def test_solve_stands_on_the_table_given(
    chipsched: Any, slower: Path, tmp_path: Path
) -> None:
    """T = 5 + 6; the certificate has that table, and the checker replays it."""
    certificate = tmp_path / "c.json"
    code, out, _ = chipsched(
        "solve", COMPUTE, "--costs", slower, "--json", "--out", certificate
    )
    answer = json.loads(out)
    assert code == 0
    assert answer["period_ticks"] == 11
    assert answer["energy_parts_pj"]["chiplet"] == 0.3
    assert sum(answer["energy_parts_pj"].values()) == pytest.approx(0.3)
    assert answer["energy_pj"] == 0.3
    data = read_certificate(certificate)
    assert data["table_sha256"] == answer["table_sha256"]
    assert [row["latency_ticks"] for row in data["table"]["rows"]] == [5, 6]
    assert chipsched("check", certificate)[0] == 0
    assert chipsched("solve", COMPUTE, "--json")[1] != out


def test_caps_and_a_table_go_together(chipsched: Any, slower: Path) -> None:
    args = ("solve", COMPUTE, "--costs", slower, "--period-cap")
    assert chipsched(*args, 11)[0] == 0
    assert chipsched(*args, 10)[0] == 2


def test_check_against_a_scenario_under_a_table(
    chipsched: Any, slower: Path, tmp_path: Path
) -> None:
    certificate = tmp_path / "c.json"
    chipsched("solve", COMPUTE, "--costs", slower, "--out", certificate)
    against = ("check", certificate, "--against", COMPUTE)
    assert chipsched(*against, "--costs", slower)[0] == 0
    code, out, _ = chipsched(*against)
    assert code == 4
    assert "table_sha256: got" in out
    assert chipsched("check", certificate, "--costs", slower)[0] == 1


def test_show_takes_a_table_with_a_scenario_alone(
    chipsched: Any, slower: Path, tmp_path: Path
) -> None:
    code, out, _ = chipsched("show", COMPUTE, "--costs", slower)
    assert code == 0
    assert "11 ticks" in out
    certificate = tmp_path / "c.json"
    chipsched("solve", COMPUTE, "--costs", slower, "--out", certificate)
    code, out, _ = chipsched("show", certificate)
    assert code == 0
    assert "on chiplets" in out
    code, _, err = chipsched("show", certificate, "--costs", slower)
    assert code == 1
    assert "a certificate has its own costs" in err


def test_cost_writes_what_costs_reads(
    chipsched: Any, slower: Path, tmp_path: Path
) -> None:
    _, ours, _ = chipsched("cost", "headline", "--json")
    path = tmp_path / "table.csv"
    path.write_text(chipsched("cost", "headline", "--csv")[1])
    again = chipsched("cost", "headline", "--costs", path, "--json")
    assert again == (0, ours, "")
    assert "m on k" in chipsched("cost", COMPUTE, "--costs", slower)[1]


@pytest.mark.parametrize("command", ["solve", "cost", "show"])
def test_a_bad_table_is_one_message(
    chipsched: Any, tmp_path: Path, command: str
) -> None:
    """Exit code 1, every fault with its line, nothing on stdout."""
    path = tmp_path / "bad.csv"
    path.write_text(SLOWER.replace("a,k,5", "a,k,-5").replace("m,b", "m,c"))
    code, out, err = chipsched(command, COMPUTE, "--costs", path)
    assert (code, out) == (1, "")
    assert f"{path}:2: latency_ticks: got '-5'" in err
    assert f"{path}:3: layer: got 'c'" in err
    assert f"{path}: layer: got no row of m/b" in err
    assert "Traceback" not in err


def test_no_such_table(chipsched: Any, tmp_path: Path) -> None:
    code, out, err = chipsched("solve", COMPUTE, "--costs", tmp_path / "no.csv")
    assert (code, out) == (1, "")
    assert "no.csv: No such file" in err
    assert chipsched("solve", COMPUTE, "--costs", tmp_path)[0] == 1

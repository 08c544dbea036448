"""Symmetries, rows, gains, records and the committed tables."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from formulation.outcome import EngineRun, Outcome
from formulation.pipelined.schedule import Schedule
from formulation.solve import DisagreementError
from instances.load import load_instance
from instances.schema import Interface
from instances.variants import with_interfaces, with_package
from results.headline import (
    MONOLITHIC,
    OS,
    WS,
    label_of,
    symmetry_text,
    variants,
)
from results.record import RecordError, Runs, key_of, parse_lines
from results.run import joined
from results.sensitivity import VARIATIONS, sides, types_of
from results.symmetry import mixes, symmetries
from results.tables import headline as headline_table
from results.tables import sensitivity as sensitivity_table
from results.tables.table import as_csv, markdown

if TYPE_CHECKING:
    from pathlib import Path

    from instances.schema import Instance, Package


@pytest.fixture(scope="module")
def package() -> Package:
    return load_instance("headline").package


def doors(package: Package, *routers: int, mode: str = "shared") -> Package:
    shares = [Interface(r, Fraction(1, len(routers))) for r in routers]
    return with_interfaces(package, shares, mode)


def headline_on(package: Package) -> Instance:
    return with_package(load_instance("headline"), package, "headline-on")


# A 2x2 mesh is a square: 8 symmetries. XY routes go along x first, so that swapping
# x and y (a diagonal, a quarter turn) changes them: left are the identity, the two
# mirrors and the half turn, as far as the interfaces allow.
LEFT_RIGHT, UPSIDE_DOWN, HALF_TURN = (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)
SAME = (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("routers", "mode", "expected", "classes"),
    [
        ((0, 1), "shared", [SAME, LEFT_RIGHT], 10),
        ((0, 2), "shared", [SAME, UPSIDE_DOWN], 10),
        ((0, 1, 2, 3), "shared", [SAME, LEFT_RIGHT, UPSIDE_DOWN, HALF_TURN], 7),
        ((0,), "shared", [SAME], 16),
        # 1 and 2 are as near to 0 as to 3: both take the first, which no turn keeps.
        ((0, 3), "shared", [SAME], 16),
        # Spread over all interfaces nobody has one of his own.
        ((0, 3), "interleaved", [SAME, HALF_TURN], 10),
    ],
)
def test_symmetries_of_the_2x2_package(
    package: Package,
    routers: tuple[int, ...],
    mode: str,
    expected: list[tuple[int, ...]],
    classes: int,
) -> None:
    found = symmetries(headline_on(doors(package, *routers, mode=mode)))
    assert found == expected
    groups = mixes((OS, WS), found)
    assert len(groups) == classes
    assert sum(len(group) for group in groups) == 16


def test_unequal_shares_are_no_symmetry(package: Package) -> None:
    shares = [Interface(0, Fraction(1, 4)), Interface(1, Fraction(3, 4))]
    assert symmetries(headline_on(with_interfaces(package, shares))) == [SAME]


def test_rows_of_the_headline() -> None:
    rows = variants()
    labels = [row.label for row in rows]
    assert labels[:3] == [MONOLITHIC, "OO/OO", "WW/WW"]
    assert len(labels) == 11
    members = [label for row in rows for label in row.about["members"]]
    assert len(set(members)) == len(members) == 16
    for row in rows[1:]:
        types = [chiplet.type for chiplet in row.instance.package.chiplets]
        assert label_of(types, 2) == row.label
        assert types_of(row.label) == tuple(types)
    base = load_instance("headline-contiguous")
    assert "16 mixes fall into 10 classes" in symmetry_text(base)


def test_every_variation_is_an_instance_of_its_own() -> None:
    names = [(v.group, v.name) for v in VARIATIONS]
    assert len(set(names)) == len(names)
    reference = sides(VARIATIONS[0], "OW/WO")
    for variation in VARIATIONS[1:]:
        changed = sides(variation, "OW/WO")
        assert list(changed) == [MONOLITHIC, "OW/WO"]
        assert changed != reference, variation
    with pytest.raises(ValueError, match="OW/WO"):
        types_of("XY")


# Outcomes of two engines

NO_LAYERS = Schedule((), (), (), (), ())


def outcome(engine: str, value: int | None, bound: int | None) -> Outcome[Schedule]:
    run = EngineRun(engine, "1", ("period",), (value,), (bound,), False, "gap", 1.0)
    schedule = None if value is None else NO_LAYERS
    return Outcome(("period",), schedule, (value,), (bound,), (run,), "gap", 1.0)


def test_joined_takes_the_best_value_and_the_best_bound() -> None:
    both = joined([outcome("cpsat", 10, 7), outcome("milp", 9, 9)])
    assert (both.value, both.bound, both.claim) == ((9,), (9,), "optimal-1")
    both = joined([outcome("cpsat", 9, 9), outcome("milp", 9, 9)])
    assert both.claim == "optimal-2"
    both = joined([outcome("cpsat", 9, None), outcome("milp", None, None)])
    assert (both.value, both.bound, both.claim) == ((9,), (None,), "feasible")
    with pytest.raises(DisagreementError, match="above the value"):
        joined([outcome("cpsat", 9, 9), outcome("milp", 10, 10)])


# Records


def test_runs_are_appended_and_found(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    runs = Runs(path)
    key = key_of({"a": 1})
    assert runs.find(key) is None
    runs.add({"schema": "run/2", "key": key, "x": None})
    before = path.read_bytes()
    runs.add({"schema": "run/2", "key": "other"})
    assert path.read_bytes().startswith(before)
    again = Runs(path)
    assert again.find(key) == {"schema": "run/2", "key": key, "x": None}
    assert len(path.read_text().splitlines()) == 2
    # A run that was made again counts, at its old place.
    again.add({"schema": "run/2", "key": key, "x": 1})
    assert [run.get("x") for run in Runs(path).lines] == [1, None]
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", [1, 9, 25])
def test_a_line_that_was_cut_off_is_no_run(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "runs.jsonl"
    Runs(path).add({"schema": "run/2", "key": "a"})
    whole = path.read_bytes()
    Runs(path).add({"schema": "run/2", "key": "b"})
    path.write_bytes(path.read_bytes()[:-cut])
    runs = Runs(path)
    assert [run["key"] for run in runs.lines] == ["a"]
    runs.add({"schema": "run/2", "key": "c"})
    assert [run["key"] for run in Runs(path).lines] == ["a", "c"]
    assert path.read_bytes().startswith(whole)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("precious, without a last newline")
    with pytest.raises(RecordError, match=r"notes\.txt:1: not JSON"):
        Runs(path)


def test_keys_tell_what_was_asked_for() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": "run/0"}', '{"schema": "run/2"}']
)
def test_files_that_are_no_runs(text: str) -> None:
    with pytest.raises(RecordError, match="file:2"):
        parse_lines(f"\n{text}\n", "file")


# Tables


def line(variant: str, period: int | None, energy: float | None) -> dict[str, Any]:
    facts = {
        "total_pes": 16384,
        "total_l2_bytes": 40 * 2**20,
        "total_noc_bytes_per_cycle": 1024.0,
        "dram_total_gb_s": 64.0,
        "dram_mode": "shared",
        "dram_routers": [0, 1],
        "dram_shares_gb_s": [32.0, 32.0],
    }
    binding = [
        {"rule": "compute", "where": "chiplet 1", "ticks": period},
        {"rule": "compute", "where": "chiplet 0", "ticks": period},
        {"rule": "dram", "where": "interface 0", "ticks": period},
    ]
    return {
        "variant": variant,
        "status": "unknown" if period is None else "optimal",
        "value": period,
        "claim": "unknown" if period is None else "optimal-1",
        "objective": "period",
        "why_stopped": "time limit" if period is None else "finished",
        "period_ticks": period,
        "tick_ps": 2000,
        "bound": period,
        "gap": None if period is None else 0.0,
        "energy_pj": energy,
        "seconds": 1.25,
        "instance_sha256": "i",
        "table_sha256": "t",
        "facts": facts,
        "about": {"base": facts, "symmetry": "none", "members": [variant]},
        "explain": {
            "bounds": {"largest_layer_ticks": 5},
            "binding": None if period is None else binding,
        },
    }


LINES = [
    line(MONOLITHIC, 1200, 30.0),
    line("OW/WO", 1000, 40.0),
    line("WW/WW", None, None),
]


def test_gains_are_over_the_die() -> None:
    die, mix, none = headline_table.with_gains(LINES)
    assert die["throughput_gain"] == die["energy_gain"] == 1
    assert mix["throughput_gain"] == pytest.approx(1.2)
    assert mix["energy_gain"] == pytest.approx(0.75)
    assert none["throughput_gain"] is none["energy_gain"] is None
    [alone] = headline_table.with_gains(LINES[1:2])
    assert alone["throughput_gain"] is None


def test_the_headline_table() -> None:
    text = markdown(headline_table.table(LINES))
    rows = text.splitlines()
    held = "chiplet 0, 1; dram interface 0"
    assert rows[3] == (
        f"| OW/WO | 1 000 | 1.200x | 0.750x | 0 % | optimal-1 | {held} | 1.2 |"
    )
    assert rows[4] == (
        "| WW/WW | time limit | time limit | time limit | time limit | unknown | – "
        "| 1.2 |"
    )
    for word in ("16 384 PEs", "40 MiB", "64 GB/s", "1024 B/cycle", "2.2x", "1.9x"):
        assert word in text
    narrow = headline_table.as_text(LINES, 60).splitlines()
    assert max(map(len, narrow)) <= 60
    text = as_csv(headline_table.table(LINES))
    assert text.splitlines()[3].startswith("WW/WW,time limit,")


def test_the_sensitivity_table_names_what_is_missing() -> None:
    about = {"group": "tokens", "name": "64"}
    die = {**LINES[0], "about": {**about, "side": MONOLITHIC}}
    mix = {**LINES[1], "about": {**about, "side": "OW/WO"}}
    text = markdown(sensitivity_table.table([die, mix]))
    assert "| tokens | 64 | 1 200 | 1 000 | 1.200x | 0.750x | 0 % | 0 % |" in text
    alone = markdown(sensitivity_table.table([die]))
    assert "| 1 200 | not run | not run | not run | 0 % | not run | – |" in alone

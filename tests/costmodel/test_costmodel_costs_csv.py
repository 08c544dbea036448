"""Cost tables as CSV: the round trip, units, defaults, every fault with its line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import pytest
from costmodel_cases import chiplet, gemm, instance, single

from costmodel.build import build_table
from costmodel.costs_csv import from_csv, load_csv, to_csv
from costmodel.costs_rows import ACCESSES
from costmodel.table import CostTable, Mode, TableError
from instances.load import instance_sha256, load_instance
from instances.schema import Layer, Model, Tensor
from tests.tiny_random import tiny_instance

if TYPE_CHECKING:
    from pathlib import Path

    from instances.schema import Instance

# A layer with weights and the input `in`, two types; ticks of 2000 ps, quanta of 10 fJ.
GIVEN = instance(
    [chiplet("ws"), chiplet("os", clock_mhz=Fraction(300))], (single(gemm(4, 2, 2)),)
)
HEAD = "model,layer,chiplet_type,latency_ticks,energy_quanta"
ROW = "m,gemm,ws,7,8"


def read(*lines: str, given: Instance = GIVEN) -> CostTable:
    return from_csv("\n".join(lines) + "\n", given, "t.csv")


def faults(*lines: str, given: Instance = GIVEN) -> tuple[str, ...]:
    with pytest.raises(TableError) as caught:
        read(*lines, given=given)
    return caught.value.faults


def only(table: CostTable, kind: str = "ws") -> Mode:
    [mode] = table.rows["m", "gemm", kind]
    return mode


def test_round_trip_of_the_headline(tmp_path: Path) -> None:
    given = load_instance("headline")
    table = build_table(given)
    path = tmp_path / "t.csv"
    path.write_text(to_csv(table), encoding="utf-8")
    again = load_csv(path, given)
    assert again == table
    assert again.sha256 == table.sha256


AWKWARD = (
    "a",
    "b;c",
    "50%",
    "x=y",
    "%3B",
    'say "no"',
    "two,three",
    "a\nb",
    "c\rd",
    "ü ",
)


def random_table(seed: int) -> tuple[Instance, CostTable]:
    """An instance with awkward names, and a table with every field drawn."""
    rng = Random(seed)
    names = rng.sample(AWKWARD, 5)
    layers = tuple(
        Layer(name, "opaque", None, rng.choice((0, 9))) for name in names[:2]
    )
    tensors = (
        Tensor(names[2], None, (names[0], names[1]), 4),
        Tensor(names[3], names[0], (names[1],), 5),
    )
    kinds = [chiplet(name) for name in rng.sample(AWKWARD, 2)]
    given = instance(kinds, (Model(names[4], layers, tensors),), costs=())
    inputs = {names[0]: names[2:3], names[1]: names[2:4]}
    rows = {
        (names[4], layer.name, kind.name): tuple(
            Mode(
                latency_ticks=rng.randrange(2**53),
                energy_quanta=rng.randrange(2**53),
                ws_bytes=rng.randrange(99),
                rw_bytes=rng.randrange(9) if layer.weight_bytes else 0,
                ri_bytes={u: rng.randrange(9) for u in inputs[layer.name]},
                ro_bytes=rng.randrange(9),
                holds_weights=rng.random() < 0.5,
                macs=rng.randrange(9),
                utilisation=rng.choice((0.0, 1.0, 1e-9, rng.random())),
                accesses={x: rng.randrange(9) for x in rng.sample(ACCESSES, 3)},
                mapping=rng.choice(("", " ", *AWKWARD)),
            )
            for _ in range(rng.randint(1, 4))
        )
        for layer in layers
        for kind in kinds[: rng.randint(1, 2)]
    }
    table = CostTable(
        instance_sha256(given), given.tick_ps, given.energy_quantum_fj, rows
    )
    return given, table


@pytest.mark.parametrize("seed", range(60))
def test_round_trip_of_random_tables(seed: int, tmp_path: Path) -> None:
    given, table = random_table(seed)
    path = tmp_path / "t.csv"
    path.write_bytes(to_csv(table).encode())
    again = load_csv(path, given)
    assert again == table
    assert again.sha256 == table.sha256
    assert to_csv(again) == to_csv(table)


@pytest.mark.parametrize("seed", range(30))
def test_round_trip_of_given_costs(seed: int) -> None:
    given = tiny_instance(seed)
    table = build_table(given)
    assert from_csv(to_csv(table), given) == table


def test_equal_modes_that_an_instance_gives_stay_two() -> None:
    mode = Mode(7, 8, 9)
    rows = {("m", "gemm", "ws"): (mode, mode)}
    table = replace(read(HEAD, ROW), rows=rows)
    assert from_csv(to_csv(table), GIVEN) == table


def test_what_is_left_out_is_neutral() -> None:
    """No refetch, no working set, all weights held: `Mode`'s own defaults."""
    assert read(HEAD, ROW).rows == {("m", "gemm", "ws"): (Mode(7, 8, 0),)}
    full = f"{HEAD},ws_bytes,rw_bytes,ri_bytes,ro_bytes,holds_weights,macs,utilisation"
    assert only(read(full, f"{ROW},,,,,,,")) == Mode(7, 8, 0)
    found = only(read(full, f"{ROW},1,2,in=3,4,False,16,.5"))
    assert found == Mode(7, 8, 1, 2, {"in": 3}, 4, False, 16, 0.5)


def test_a_layer_without_a_row_is_not_supported_there() -> None:
    assert set(read(HEAD, "m,gemm,os,1,1").rows) == {("m", "gemm", "os")}


def test_modes_keep_the_order_of_the_file() -> None:
    table = read(f"{HEAD},mode", f"{ROW},slow", "m,gemm,os,1,1,x", "m,gemm,ws,2,3,7")
    assert table.rows["m", "gemm", "ws"] == (Mode(7, 8, 0), Mode(2, 3, 0))


@pytest.mark.parametrize(
    ("column", "text", "kind", "ticks"),
    [
        ("latency_ticks", "7", "ws", 7),
        ("latency_ticks", "7e2", "ws", 700),
        ("latency_cycles", "5", "ws", 5),  # 500 MHz: a cycle is a tick
        ("latency_cycles", "5", "os", 9),  # 300 MHz: 5/3 ticks a cycle, 8.33
        ("latency_cycles", "3", "os", 5),  # exactly 5
        ("latency_ns", "4", "ws", 2),
        ("latency_ns", "4.0000000000000000000001", "ws", 3),
        ("latency_ns", "0.1e1", "ws", 1),
    ],
)
def test_latency_is_rounded_up_once(
    column: str, text: str, kind: str, ticks: int
) -> None:
    head = HEAD.replace("latency_ticks", column)
    assert only(read(head, f"m,gemm,{kind},{text},0"), kind).latency_ticks == ticks


def test_cycles_are_those_of_the_scaled_clock() -> None:
    """500 MHz at 45 nm are more at 16 nm, and 5 cycles take fewer ticks."""
    kind = chiplet("ws", technology_nm=16, clock_at_nm=45)
    given = instance([kind], GIVEN.models)
    head = HEAD.replace("latency_ticks", "latency_cycles")
    # 12.5/6.396 = 1.954 times the clock: 2.56 ticks.
    assert only(read(head, "m,gemm,ws,5,0", given=given)).latency_ticks == 3


@pytest.mark.parametrize(
    ("column", "text", "quanta"),
    [
        ("energy_quanta", "8", 8),
        ("energy_pj", "0.08", 8),  # 0.08 is no binary fraction
        ("energy_pj", "0.080000000000000000001", 9),
        ("energy_pj", "1e-30", 1),
        ("energy_pj", "0", 0),
    ],
)
def test_energy_is_rounded_up_once(column: str, text: str, quanta: int) -> None:
    head = HEAD.replace("energy_quanta", column)
    assert only(read(head, f"m,gemm,ws,7,{text}")).energy_quanta == quanta


def test_mark_at_the_start_crlf_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEAD}\r\n\r\n{ROW}\r\n,,,,\r\n".encode())
    assert load_csv(path, GIVEN) == read(HEAD, ROW)


HEADERS = [
    ("", "t.csv:1: header: got an empty file"),
    ("\n\n", "t.csv:1: header: got an empty file"),
    (HEAD, "t.csv:1: rows: got none"),
    (HEAD.replace(",", ";"), "t.csv:1: header: got columns separated by semicolons"),
    (HEAD.replace(",", "\t"), "t.csv:1: header: got columns separated by tabs"),
    (f"{HEAD},colour", "t.csv:1: header: got the unknown column 'colour'"),
    (f"{HEAD},", "t.csv:1: header: got the unknown column ''"),
    (f"{HEAD},ws_byte", "did you mean 'ws_bytes'?"),
    (f"{HEAD},macs,macs", "t.csv:1: header: got 2 columns 'macs', expected one"),
    (HEAD.removeprefix("model,"), "got nothing, expected the column 'model'"),
    (HEAD.replace(",layer", ""), "got nothing, expected the column 'layer'"),
    (HEAD.replace(",chiplet_type", ""), "expected the column 'chiplet_type'"),
    (f"{HEAD},energy_pj", "got energy_quanta and energy_pj, expected one of"),
    (HEAD.replace(",latency_ticks", ""), "got nothing, expected one of the columns"),
]


@pytest.mark.parametrize(("text", "expected"), HEADERS)
def test_faults_of_the_header(text: str, expected: str) -> None:
    [fault] = faults(text)
    assert fault.startswith("t.csv:1: ")
    assert expected in fault


OPTIONAL = "ws_bytes,rw_bytes,ri_bytes,ro_bytes,holds_weights,macs,utilisation,accesses"
CELLS = [
    ("model", "n", "got 'n', expected a model: one of 'm'"),
    ("model", "", "got nothing, expected a model"),
    ("layer", "gem", "got 'gem', expected a layer: did you mean 'gemm'?"),
    ("chiplet_type", "rs", "got 'rs', expected a chiplet type: one of 'ws', 'os'"),
    ("latency_ticks", "-1", "got '-1', expected an integer of at least 0"),
    ("latency_ticks", "1.5", "got '1.5', expected an integer"),
    ("latency_ticks", "", "latency_ticks or latency_cycles or latency_ns: got nothing"),
    ("latency_ticks", "9007199254740992", "expected an integer from 0 to 2**53 - 1"),
    ("latency_ticks", "9" * 5000, "expected an integer of at least 0"),
    ("energy_quanta", "nan", "got 'nan', expected an integer"),
    ("energy_quanta", "inf", "got 'inf', expected an integer"),
    ("energy_quanta", "1e999999999", "expected an integer"),
    ("energy_quanta", "٣", "got '٣', expected an integer"),
    ("ws_bytes", "many", "got 'many', expected an integer"),
    ("ws_bytes", "0.5", "got '0.5', expected an integer"),
    ("rw_bytes", "-3", "got '-3', expected an integer"),
    ("ri_bytes", "5", "got '5', expected name=number pairs"),
    ("ri_bytes", "in=", "ri_bytes in: got '', expected an integer"),
    ("ri_bytes", "in=1;", "got '', expected name=number pairs"),
    ("ri_bytes", "in=1;in=2", "got 'in' twice, expected each name once"),
    ("ri_bytes", "out=1", "got 'out', expected a tensor read by 'gemm': one of 'in'"),
    ("ro_bytes", "1_000", "got '1_000', expected an integer"),
    ("holds_weights", "yes", "got 'yes', expected true or false"),
    ("macs", "NaN", "got 'NaN', expected an integer"),
    ("utilisation", "1.01", "got 1.01, expected a number from 0 to 1"),
    ("utilisation", "-0.1", "got '-0.1', expected a number"),
    ("accesses", "l3/input=1", "got 'l3/input', expected a level/operand"),
]


@pytest.mark.parametrize(("column", "text", "expected"), CELLS)
def test_faults_of_a_cell(column: str, text: str, expected: str) -> None:
    """One fault, in line 3, under its column; the sound rows bring none."""
    head = f"{HEAD},{OPTIONAL}"
    cells = dict.fromkeys(head.split(","), "")
    cells |= dict(zip(HEAD.split(","), ROW.split(","), strict=True)) | {column: text}
    sound = f"m,gemm,os,1,1{',' * 8}"
    [fault] = faults(head, sound, ",".join(cells.values()), sound + "l1/input=2")
    assert fault.startswith(f"t.csv:3: {column}")
    assert expected in fault


def test_energy_beyond_all_integers_of_an_instance() -> None:
    head = HEAD.replace("energy_quanta", "energy_pj")
    [fault] = faults(head, "m,gemm,ws,7,1e20")
    assert "less than 2**53 ticks or quanta" in fault


def test_refetched_weights_where_there_are_none() -> None:
    bare = replace(GIVEN.models[0].layers[0], weight_bytes=0)
    given = replace(GIVEN, models=(replace(GIVEN.models[0], layers=(bare,)),))
    [fault] = faults(f"{HEAD},rw_bytes", f"{ROW},1", given=given)
    assert "t.csv:2: rw_bytes: got 1, expected 0 for 'gemm', which has no" in fault


def test_a_mode_that_stands_twice() -> None:
    labelled = faults(f"{HEAD},mode", f"{ROW},a", "m,gemm,os,7,8,a", "m,gemm,ws,1,1,a")
    assert labelled == (
        "t.csv:4: mode: got a second mode 'a' of m/gemm/ws, expected a mode that is "
        "not in line 2 already",
    )
    [fault] = faults(HEAD, ROW, "m,gemm,ws,7,9", ROW)
    assert fault.startswith("t.csv:4: mode: got a second mode 'without a label'")


@pytest.mark.parametrize("row", [ROW + ",5", "m,gemm,ws,7"])
def test_a_line_of_another_length(row: str) -> None:
    [fault] = faults(HEAD, row, ROW)
    assert fault.startswith(
        f"t.csv:2: line: got {row.count(',') + 1} cells, expected 5"
    )


def test_quotes_that_do_not_end() -> None:
    [fault] = faults(HEAD, ROW, 'm,"gemm,ws,7,8')
    assert fault.startswith("t.csv:3: line: ")
    assert "expected comma-separated values" in fault


def test_lines_are_counted_through_quoted_cells() -> None:
    [fault] = faults(f"{HEAD},mapping", f'{ROW},"two\nlines"', "m,gemm,ws,-1,8,")
    assert fault.startswith("t.csv:4: latency_ticks: ")


def test_layers_that_the_package_cannot_run() -> None:
    """`b` has a row only for a type that no chiplet has; `c` has none."""
    layers = tuple(Layer(name, "opaque", None, 0) for name in "abc")
    given = instance([chiplet("ws")], (Model("m", layers, ()),), costs=())
    spare = replace(given.package, types={**given.package.types, "os": chiplet("os")})
    given = replace(given, package=spare)
    found = faults(HEAD, "m,a,ws,1,1", "m,b,os,1,1", given=given)
    assert [fault.split(" for a")[0] for fault in found] == [
        "t.csv: layer: got no row of m/b",
        "t.csv: layer: got no row of m/c",
    ]
    assert all(fault.endswith("expected one for any of ws") for fault in found)


def test_all_faults_are_told_at_once() -> None:
    found = faults(HEAD, "m,gemm,ws,x,-8", "n,gemm,ws,1,1", "m,gemm,os,1")
    assert [fault.split(": got")[0] for fault in found] == [
        "t.csv:4: line",
        "t.csv:2: latency_ticks",
        "t.csv:2: energy_quanta",
        "t.csv:3: model",
    ]


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xff\xfem\x00")
    with pytest.raises(TableError, match="not UTF-8 text") as caught:
        load_csv(path, GIVEN)
    assert caught.value.faults[0].startswith(str(path))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_csv(tmp_path / "t.csv", GIVEN)

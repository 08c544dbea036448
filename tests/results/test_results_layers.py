"""The command `layers`: MAESTRO's rows through it, what it reads, what it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costmodel.families import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "data" / "maestro-reference.csv"
HEADER = "name,type,K,C,R,S,Y,X,stride,groups,batch\n"
ARRAY = ("--pes", 256, "--noc-bandwidth", 64)
WHOLE = "an integer from 1 to 2**31 - 1"


@pytest.fixture
def costed(chipsched: Any, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Cost lines under the header; return the objects of `--json`."""

    def call(lines: str, *args: object) -> list[dict[str, Any]]:
        path = tmp_path / "layers.csv"
        path.write_text(HEADER + lines)
        code, out, err = chipsched("layers", path, *args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)  # type: ignore[no-any-return]

    return call


@pytest.fixture
def refused(chipsched: Any, tmp_path: Path) -> Callable[..., list[str]]:
    """Return the faults of a file's text, without its folder."""

    def call(text: str, *args: object) -> list[str]:
        path = tmp_path / "layers.csv"
        path.write_text(text)
        rest = args or ("--dataflow", "kcp_ws", *ARRAY)
        code, out, err = chipsched("layers", path, *rest)
        assert (code, out) == (1, "")
        assert err.startswith("Error: ")
        return err.removeprefix("Error: ").replace(f"{tmp_path}/", "").splitlines()

    return call


@pytest.mark.parametrize("pes", [256, 4096])
@pytest.mark.parametrize("bandwidth", [64, 1000000])
@pytest.mark.parametrize(
    ("dataflow", "unflagged"), [("kcp_ws", 72), ("yxp_os", 63), ("rs", 72)]
)
def test_every_unflagged_row_of_maestro(
    chipsched: Any,
    tmp_path: Path,
    dataflow: str,
    unflagged: int,
    pes: int,
    bandwidth: int,
) -> None:
    if not REFERENCE.exists():
        pytest.skip(f"no reference results: {REFERENCE} is absent")
    with REFERENCE.open(newline="") as file:
        wanted = [
            row
            for row in csv.DictReader(file)
            if (row["dataflow"], row["flag"]) == (dataflow, "")
            and (int(row["num_pes"]), int(row["noc_bw"])) == (pes, bandwidth)
        ]
    assert len(wanted) == unflagged
    path = tmp_path / "layers.csv"
    columns = ["type", *"KCRSYX", "stride", "groups"]
    lines = [[row["layer"], *(row[c] for c in columns)] for row in wanted]
    text = "\n".join(",".join(line) for line in [["name", *columns], *lines])
    path.write_text(text)
    hardware = "--pes", pes, "--noc-bandwidth", bandwidth
    code, out, _ = chipsched(
        "layers", path, "--dataflow", dataflow, *hardware, "--input-sizes", "--json"
    )
    assert code == 0
    for got, row in zip(json.loads(out), wanted, strict=True):
        assert got["name"] == row["layer"]
        assert got["cycles"] == int(row["runtime_cycles"])
        assert got["macs"] == int(row["macs_true"])
        for level in ("l1", "l2"):
            for kind in ("read", "write"):
                assert got[f"{level}_{kind}s"] == int(row[f"{level}_{kind}"])
        assert got["energy_xmac"] == pytest.approx(float(row["energy_xmac"]), rel=1e-5)
        assert got["utilisation"] == pytest.approx(float(row["utilization"]), abs=1e-6)


def test_output_and_input_sizes_are_the_same_layer(costed: Any) -> None:
    """Stride 2: 5 output rows of a 3-row filter read 4*2 + 3 = 11 rows."""
    array = ("--dataflow", "rs", *ARRAY)
    given = costed("a,CONV,4,5,3,3,5,6,2,1,1\n", *array)
    padded = costed("a,CONV,4,5,3,3,11,13,2,1,1\n", *array, "--input-sizes")
    assert given == padded
    assert given[0]["macs"] == 4 * 5 * 9 * 5 * 6


def test_defaults_case_and_other_names_of_a_gemm(
    chipsched: Any, costed: Any, tmp_path: Path
) -> None:
    """Columns in any order and case; R, S, stride, groups, batch are 1 if absent."""
    array = ("--dataflow", "kcp_ws", *ARRAY)
    path = tmp_path / "short.csv"
    path.write_text("\ufeffTYPE, x, y,c,k,Name\nfc,1,7,30,20,a\n\ngemm_y,1,7,30,20,a\n")
    code, out, _ = chipsched("layers", path, *array, "--json")
    assert code == 0
    (one,) = costed("a,GEMM,20,30,1,1,7,1,1,1,1\n", *array)
    (conv,) = costed("a,CONV,20,30,1,1,7,1,1,1,1\n", *array)
    assert json.loads(out) == [one, one]
    assert one == conv


@pytest.mark.parametrize("dataflow", ["kcp_ws", "yxp_os", "rs"])
def test_groups_and_samples_run_one_after_the_other(costed: Any, dataflow: str) -> None:
    array = ("--dataflow", dataflow, *ARRAY)
    one, six = costed("a,CONV,4,5,3,3,9,9,1,1,1\nb,CONV,4,5,3,3,9,9,1,2,3\n", *array)
    for key in ("cycles", "macs", "l1_reads", "l1_writes", "l2_reads", "l2_writes"):
        assert six[key] == 6 * one[key]
    assert six["utilisation"] == one["utilisation"]


def test_depthwise_by_hand(costed: Any) -> None:
    """Three channels, 1x1, two columns, 2 PEs, no limit: 2 folds of 2 steps."""
    array = ("--dataflow", "kcp_ws", "--pes", 2, "--noc-bandwidth", "inf")
    rows = costed("a,DSCONV,1,3,1,1,1,2,1,3,1\nb,DSCONV,3,3,1,1,1,2,1,1,2\n", *array)
    assert [(row["cycles"], row["macs"]) for row in rows] == [(4, 6), (8, 12)]
    assert rows[0]["utilisation"] == 6 / (4 * 2)


def test_no_limit_is_a_large_bandwidth_and_fractions_are_exact(costed: Any) -> None:
    """kcp_ws, K = C = 1, 1x1, one step: d + tau(2) = 1 + tau(2) + tau(2)."""
    line = "a,GEMM,1,1,1,1,1,1,1,1,1\n"

    def cycles(bandwidth: str) -> int:
        array = ("--pes", 64, "--noc-bandwidth", bandwidth)
        return costed(line, "--dataflow", "kcp_ws", *array)[0]["cycles"]  # type: ignore[no-any-return]

    assert cycles("inf") == cycles("1e9") == cycles("2") == 1
    assert cycles("1.5") == 3
    assert cycles("0.4") == 1 + 4 + 4
    assert cycles("2/5") == 9


@pytest.mark.parametrize("dataflow", ["ws", "os", "rs_searched"])
def test_searched_dataflows_are_bounded_by_the_array(
    costed: Any, dataflow: str
) -> None:
    lines = (
        "a,CONV,16,8,3,3,8,8,1,1,1\n"
        "b,DSCONV,1,16,3,3,8,8,1,16,2\n"
        "c,GEMM,32,16,1,1,8,1,1,1,1\n"
    )
    macs = [16 * 8 * 9 * 64, 2 * 16 * 9 * 64, 32 * 16 * 8]
    slow = costed(lines, "--dataflow", dataflow, *ARRAY)
    fast = costed(lines, "--dataflow", dataflow, "--pes", 256, "--noc-bandwidth", "inf")
    for one, two, count in zip(slow, fast, macs, strict=True):
        assert one["macs"] == two["macs"] == count
        assert one["cycles"] * 256 >= two["cycles"] * 256 >= count
        l1 = one["l1_reads"] + one["l1_writes"]
        l2 = one["l2_reads"] + one["l2_writes"]
        assert one["energy_xmac"] == pytest.approx(count + 1.68 * l1 + 18.61 * l2)
        assert one["l1_reads"] == 3 * count


def test_precision_of_searched_dataflows_moves_only_the_memories(costed: Any) -> None:
    line = "a,CONV,64,64,3,3,28,28,1,1,1\n"
    array = ("--dataflow", "ws", *ARRAY)
    (wide,) = costed(line, *array, "--bytes-per-element", 2, "--l2", 2 * 60000)
    (narrow,) = costed(line, *array, "--l2", 60000, "--l1", 256)
    assert wide == narrow
    (roomy,) = costed(line, *array)
    assert roomy["cycles"] <= narrow["cycles"]


def test_csv_and_table(chipsched: Any, tmp_path: Path) -> None:
    path = tmp_path / "layers.csv"
    path.write_text(HEADER + "b,GEMM,20,30,,,7,1,,,\na,CONV,4,5,3,3,9,9,1,1,1\n")
    array = ("layers", path, "--dataflow", "kcp_ws", *ARRAY)
    rows = json.loads(chipsched(*array, "--json")[1])
    listed = list(csv.DictReader(io.StringIO(chipsched(*array, "--csv")[1])))
    assert [{k: str(v) for k, v in row.items()} for row in rows] == listed
    code, text, _ = chipsched(*array)
    lines = text.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[:4]] == ["layer", "b", "a", "total"]
    total = sum(row["cycles"] for row in rows)
    assert f" {total:,} ".replace(",", " ") in lines[3]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_table_fits_the_terminal(
    chipsched: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    path = tmp_path / "layers.csv"
    name = "model/stage.3/block.12/convolution.of.a.long.name"
    path.write_text(HEADER + f"{name},CONV,512,512,3,3,224,224,1,1,64\n")
    _, text, _ = chipsched("layers", path, "--dataflow", "kcp_ws", *ARRAY)
    longest = max(len(line) for line in text.splitlines())
    assert longest <= max(48, min(80, columns))


def test_all_faults_of_a_file_at_once(refused: Any) -> None:
    lines = (
        "ok,CONV,4,5,3,3,9,9,1,1,1\n"
        ",CONV,4,5,3,3,9,9,1,1,1\n"
        "a,POOL,4,5,3,3,9,9,1,1,1\n"
        "b,CONV,0,x,3,3,9,,-1,1.5,1\n"
        "c,CONV,4,5,3,,9,9,1,1,1\n"
        "d,DSCONV,7,5,3,3,9,9,1,2,1\n"
        "e,CONV,4,5,3,3,9,9\n"
    )
    assert refused(HEADER + lines) == [
        "layers.csv:3: name: got nothing, expected a name",
        "layers.csv:4: type: got 'POOL', expected one of 'CONV', 'DSCONV', 'GEMM', "
        "'GEMM_Y', 'GEMM_YX', 'FC'",
        f"layers.csv:5: K: got 0, expected {WHOLE}",
        f"layers.csv:5: C: got 'x', expected {WHOLE}",
        f"layers.csv:5: X: got nothing, expected {WHOLE}",
        f"layers.csv:5: stride: got '-1', expected {WHOLE}",
        f"layers.csv:5: groups: got '1.5', expected {WHOLE}",
        f"layers.csv:6: S: got nothing, expected {WHOLE}",
        "layers.csv:7: K: got 7, expected 1 or C = 5 of a depthwise layer",
        "layers.csv:7: groups: got 2, expected 1 or C = 5 of a depthwise layer",
        "layers.csv:8: got 8 cells, expected 11, as the header has",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_marks_and_line_ends_do_not_matter(
    chipsched: Any, tmp_path: Path, mark: str, end: str
) -> None:
    lines = HEADER + "a,CONV,4,5,3,3,9,9,1,1,1\n\nb,FC,20,30,,,1,1,,,\n"
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_bytes(lines.encode())
    other.write_bytes((mark + lines.replace("\n", end)).encode())
    array = ("--dataflow", "rs", *ARRAY, "--json")
    assert chipsched("layers", one, *array) == chipsched("layers", other, *array)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", ": got no header, expected a list of layers"),
        (b"\xef\xbb\xbf", ": got no header, expected a list of layers"),
        (HEADER.encode(), ": got a header alone, expected at least one layer"),
        (
            HEADER.replace(",", ";").encode() + b"a;CONV;4;5;3;3;9;9;1;1;1\n",
            ":1: header: got semicolons, expected commas between cells",
        ),
        (
            HEADER.encode("utf-16"),
            ": got no UTF-8 text, expected a CSV file in UTF-8",
        ),
        (
            HEADER.encode() + b"a,COMV,4,5,3,3,9,9,1,1,1\n",
            ":2: type: got 'COMV', expected a known word: did you mean 'CONV'?",
        ),
        (
            HEADER.encode() + b'"a\nb",CONV,4,5,3,3,9,9,1,1,1\n',
            r":3: name: got 'a\nb', expected a name of one line",
        ),
        (
            HEADER.encode() + b"a,CONV,99999999999999999999,5,3,3,9,9,1,1,1\n",
            ":2: K: got 99999999999999999999, expected an integer from 1 to 2**31 - 1",
        ),
    ],
)
def test_files_of_another_kind(
    chipsched: Any, tmp_path: Path, text: bytes, expected: str
) -> None:
    """One fault each, not one for every column and line."""
    path = tmp_path / "layers.csv"
    path.write_bytes(text)
    code, out, err = chipsched("layers", path, "--dataflow", "rs", *ARRAY)
    assert (code, out) == (1, "")
    assert err.removeprefix("Error: ").splitlines() == [f"{path}{expected}"]


@pytest.mark.parametrize("name", ["flow.yaml", "none/flow.yaml", "wss"])
def test_a_dataflow_of_a_file(chipsched: Any, tmp_path: Path, name: str) -> None:
    """The path is the caller's; a file like a built-in one costs the same."""
    path = tmp_path / "layers.csv"
    path.write_text(HEADER + "a,CONV,4,5,3,3,9,9,1,1,1\n")
    (tmp_path / "flow.yaml").write_text((FOLDER / "ws.yaml").read_text())
    given = str(tmp_path / name) if name != "wss" else name
    code, out, err = chipsched("layers", path, "--dataflow", given, *ARRAY, "--json")
    if name == "flow.yaml":
        ws = chipsched("layers", path, "--dataflow", "ws", *ARRAY, "--json")
        assert (code, out, err) == ws
    else:
        assert (code, out) == (1, "")
        assert "No such file" in err or "got 'wss', expected one of os, rs," in err


def test_faults_of_the_header_and_of_the_lines(refused: Any) -> None:
    got = refused("name,type,K,C,R,S,Y,y,strides\na,CONV,1,1,1,1,1,1,0\n")
    assert got == [
        "layers.csv:1: header: got 'Y' twice, expected one",
        "layers.csv:1: header: got 'strides', expected a column: "
        "did you mean 'stride'?",
        "layers.csv:1: header: got no column 'X', expected one",
    ]


def test_filter_larger_than_the_input(refused: Any) -> None:
    array = ("--dataflow", "rs", *ARRAY, "--input-sizes")
    assert refused(HEADER + "a,CONV,1,1,3,4,2,3,1,1,1\n", *array) == [
        "layers.csv:2: Y: got 2, expected at least R = 3: the filter is larger "
        "than the input",
        "layers.csv:2: X: got 3, expected at least S = 4: the filter is larger "
        "than the input",
    ]


def test_counts_beyond_64_bits_are_refused(refused: Any) -> None:
    (fault,) = refused(HEADER + f"a,CONV,{2**30},{2**30},1,1,{2**20},1,1,1,1\n")
    assert fault.startswith("layers.csv:2: got ")
    assert fault.endswith(f"MACs or elements, expected fewer than {2**45}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a list of layers"),
        ("\n \n", "a list of layers"),
        (HEADER, "at least one layer"),
        (HEADER + 'a,"CONV', "a CSV file"),
    ],
)
def test_no_list_at_all(refused: Any, text: str, expected: str) -> None:
    (fault,) = refused(text)
    assert expected in fault


def test_a_file_that_is_not_there(chipsched: Any, tmp_path: Path) -> None:
    code, out, err = chipsched(
        "layers", tmp_path / "no.csv", "--dataflow", "rs", *ARRAY
    )
    assert (code, out) == (1, "")
    assert "no.csv: got No such file" in err


def test_fewer_pes_than_a_cluster_names_the_layers(refused: Any) -> None:
    lines = (
        "a,CONV,4,5,3,3,9,9,1,1,1\nb,CONV,4,5,5,5,9,9,1,1,1\n"
        "c,DSCONV,1,5,5,5,9,9,1,5,1\nd,CONV,4,5,5,1,9,9,1,1,1\n"
    )
    got = refused(HEADER + lines, "--dataflow", "rs", "--pes", 2, "--noc-bandwidth", 1)
    assert got == [
        "pes: got 2, expected at least 3, a cluster of rs: a (line 2)",
        "pes: got 2, expected at least 5, a cluster of rs: b (line 3), d (line 5)",
    ]


def test_an_l2_that_holds_no_tile_names_the_layers(refused: Any) -> None:
    array = ("--dataflow", "os", *ARRAY, "--l2", 4)
    (fault,) = refused(HEADER + "a,CONV,4,5,3,3,9,9,1,1,1\n", *array)
    assert fault == (
        "layer a (line 2): got 4 bytes of L2, expected room for its smallest tile"
    )


@pytest.mark.parametrize("name", ["nope", "no-such-family.yaml"])
def test_a_dataflow_that_does_not_exist(refused: Any, name: str) -> None:
    line = HEADER + "a,CONV,4,5,3,3,9,9,1,1,1\n"
    faults = refused(line, "--dataflow", name, *ARRAY)
    assert len(faults) == 1
    assert name in faults[0]


@pytest.mark.parametrize("bandwidth", ["0", "-1", "nan", "x", "1e-9", "0.0001"])
def test_bandwidths_that_are_none(chipsched: Any, bandwidth: str) -> None:
    array = ("--pes", 256, f"--noc-bandwidth={bandwidth}")
    code, out, err = chipsched("layers", "x.csv", "--dataflow", "rs", *array)
    assert (code, out) == (1, "")
    assert "--noc-bandwidth" in err

"""Tables from lines, and their three texts."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from results.tables import affinity, chiplets, front, gaps, scaling, solvers
from results.tables.lines import BelowBoundError
from results.tables.table import (
    Cell,
    Column,
    Missing,
    Table,
    as_csv,
    as_text,
    escaped,
    latex,
    markdown,
)

KINDS = ("text", "count", "factor", "share", "seconds", "number")


def one(*rows: tuple[Cell, ...], **more: Any) -> Table:
    columns = [Column("name", "name"), Column("n", "n (all)", "count")]
    columns += [Column("x", "gap", "share"), Column("hidden")]
    return Table("Of one thing.", tuple(columns), rows, **more)


ROWS: tuple[tuple[Cell, ...], ...] = (
    ("a|b & 50 %", 1234567, 0.00531, "k_1"),
    ("c", Missing("time limit"), 1e-9, None),
    ("d", None, 0.0, "x,y"),
)


def test_markdown() -> None:
    assert markdown(one(*ROWS, notes=("a note",))) == (
        "| name | n (all) | gap |\n"
        "| --- | ---: | ---: |\n"
        "| a\\|b & 50 % | 1 234 567 | 0.531 % |\n"
        "| c | time limit | < 0.001 % |\n"
        "| d | – | 0 % |\n"
        "\n- a note\n"
    )


def test_csv_has_every_column_and_digit_and_reason() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(one(*ROWS)))))
    assert rows == [
        ["name", "n", "x", "hidden"],
        ["a|b & 50 %", "1234567", "0.00531", "k_1"],
        ["c", "time limit", "1e-09", ""],
        ["d", "", "0.0", "x,y"],
    ]


def test_latex() -> None:
    assert latex(one(*ROWS, notes=("a note",))) == (
        "% Of one thing.\n"
        "% a note\n"
        "\\begin{tabular}{@{} l S[table-format=7.0] S[table-format=1.2] @{}}\n"
        "\\toprule\n"
        "name & {n (all)} & {gap (\\%)} \\\\\n"
        "\\midrule\n"
        "a|b \\& 50 \\% & 1234567 & 0.53 \\\\\n"
        "c & {time limit} & {$<$0.01} \\\\\n"
        "d & {--} & 0.00 \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_groups_name_their_first_cell_once() -> None:
    table = one(("a", 1, 0.1, ""), ("a", 2, 0.1, ""), ("b", 3, 0.1, ""), grouped=True)
    assert [row.split(" | ")[0] for row in markdown(table).splitlines()[2:]] == [
        "| a",
        "| ",
        "| b",
    ]
    body = latex(table).split("\\midrule\n")[1].splitlines()
    assert body[1].startswith(" & 2")
    assert body[2] == "\\addlinespace"
    assert as_csv(table).count("a,") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 % of a_b & c#1", r"10 \% of a\_b \& c\#1"),
        ("{x} ^ ~ \\", r"\{x\} \textasciicircum{} \textasciitilde{} \textbackslash{}"),
        ("≤ 3 × 2 – µ < $", r"$\leq$ 3 $\times$ 2 -- \textmu{} \textless{} \$"),
    ],
)
def test_latex_is_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_letters_that_latex_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="ж"):
        escaped("ж")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_says_why_in_every_kind(kind: str) -> None:
    assert as_text(Missing("crashed: SIGKILL"), kind) == "crashed: SIGKILL"
    table = Table("x", (Column("k", "k", kind),), ((Missing("crashed"),),))
    assert "crashed" in latex(table)
    assert "crashed" in as_csv(table)


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="row 0: got 1 cells, expected 4"):
        one(("a",))


# Lines


def line(variant: str, method: str, value: int | None, bound: int | None = None,
         **more: Any) -> dict[str, Any]:  # fmt: skip
    found = "feasible" if value is not None else "unknown"
    return {
        "study": "gaps",
        "variant": variant,
        "method": method,
        "status": "optimal" if value is not None and value == bound else found,
        "claim": found,
        "why_stopped": "time limit" if value is None else "finished",
        "objective": "period",
        "value": value,
        "bound": bound,
        "gap": None if None in (value, bound) else (value - bound) / value,  # type: ignore[operator]
        "seconds": 5.0,
        "nodes": 3,
        "instance_sha256": variant,
        "table_sha256": "t",
        "limits": {"seconds": [10]},
        **more,
    }


GAPS = [
    line("s", "cpsat", 100, 80),
    line("s", "annealing", 100),
    line("s", "annealing", 160),
    line("u", "cpsat", 90, 90),
    line("u", "annealing", 90),
    line("u", "annealing", None),
]


def cells_of(table: Table) -> list[dict[str, Cell]]:
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, row, strict=True)) for row in table.rows]


def test_gaps_are_to_the_best_bound_of_the_problem() -> None:
    rows = cells_of(gaps.table(GAPS))
    exact, annealing = rows[0], rows[1]
    assert (exact["gap_best"], exact["bound_ticks"]) == (0.2, 80)
    # (100 − 80)/100 = 0.2 and (160 − 80)/160 = 0.5, in the mean 0.35.
    assert annealing["gap_best"] == 0.2
    assert annealing["gap_mean"] == pytest.approx(0.35)
    assert annealing["gap_worst"] == 0.5
    assert (annealing["period_ticks"], annealing["runs"]) == (100, 2)
    # With one of two runs missing there is no mean, here and over all scenarios.
    assert rows[3]["gap_mean"] == Missing("time limit (1 of 2)")
    assert rows[3]["period_ticks"] == 90
    totals = [row for row in rows if row["scenario"] == gaps.ALL]
    means = {row["method"]: row["gap_mean"] for row in totals}
    # Shifted by 0.01: sqrt(0.21 · 0.01) − 0.01.
    assert means["cpsat"] == pytest.approx((0.21 * 0.01) ** 0.5 - 0.01)
    assert means["annealing"] == Missing("1 of 2 missing")


def test_a_scenario_that_a_method_has_not_run_says_so() -> None:
    rows = cells_of(gaps.table([*GAPS[:3], line("u", "cpsat", None)]))
    assert rows[3]["gap_best"] == Missing("not run")
    assert rows[2]["gap_best"] == Missing("time limit")
    assert rows[2]["bound_ticks"] == Missing("no bound")


def test_a_heuristic_below_a_proved_bound_is_refused() -> None:
    with pytest.raises(BelowBoundError, match=r"annealing: the value 79 .* bound 80"):
        gaps.table([GAPS[0], line("s", "annealing", 79)])
    # Another cost table is another problem.
    gaps.table([GAPS[0], line("s", "annealing", 79, table_sha256="other")])


def test_the_solvers_table_averages_proofs_only() -> None:
    some = [
        line("s", "cpsat", 9, 9, seconds=10.0),
        line("s", "milp", 9, 8, seconds=60.0, why_stopped="time limit"),
        line("u", "cpsat", 9, 9, seconds=30.0),
        line("u", "milp", None, status="failed", why_stopped="crashed: SIGKILL"),
    ]
    rows = cells_of(solvers.table(some))
    assert [row["scenario"] for row in rows[:4]] == ["s", "s", "u", "u"]
    assert rows[1]["seconds"] == Missing("time limit")
    assert rows[3]["value"] == rows[3]["nodes"] == Missing("crashed: SIGKILL")
    assert rows[3]["bound"] == Missing("none")
    mean = {row["engine"]: row["seconds"] for row in rows[4:]}
    # sqrt((10 + 10)(30 + 10)) − 10
    assert mean["cpsat"] == pytest.approx(800**0.5 - 10)
    assert mean["milp"] == Missing("0 of 2 proved")


def test_the_scaling_table() -> None:
    """Of each size the best of all runs; what is proved early stays proved."""
    sizes = [{"layers": n, "chiplets": 2, "models": 1} for n in (8, 9, 10)]
    short, long = {"seconds": [20]}, {"seconds": [600]}
    some = [
        line("a", "cpsat", 9, 9, about=sizes[0], limits=short),
        line("b", "cpsat", 8, 6, about=sizes[1], limits=short),
        line("c", "cpsat", 8, 6, about=sizes[2], limits=short),
        line("b", "cpsat", 8, 7, about=sizes[1], limits=long),
    ]
    for one in some[1:]:
        one["why_stopped"] = "time limit"
    found = scaling.table(some)
    proved, left, out = cells_of(found)
    assert (proved["seconds_to_gap_0"], proved["gap_after_600"]) == (5.0, 0.0)
    assert (left["gap_after_20"], left["gap_after_600"]) == (0.25, 0.125)
    assert (left["bound"], left["seconds_to_gap_0"]) == (7, Missing("time limit"))
    assert (out["gap_after_20"], out["gap_after_600"]) == (0.25, Missing("not run"))
    assert found.notes == (scaling.LEFT_OUT,)
    assert not scaling.table(some[:2]).notes


def chiplet(name: str, work: int, wait: int) -> dict[str, Any]:
    what = {"name": name, "type": "k", "layers": 1, "energy_pj": {"mac": 1e9}}
    return {**what, "work_ticks": work, "wait_ticks": wait}


def test_where_the_period_goes() -> None:
    parts = dict.fromkeys(chiplets.PARTS, 0.0) | {"mac": 2e9, "dram": 3e9}
    some = [chiplet("0", 50, 25), chiplet("1", 100, 0)]
    best = {"period_ticks": 100, "energy_pj": 1.0, "energy_parts_pj": parts}
    lines = [
        line("OW/WW", "cpsat", 100, **best, chiplets=some),
        line("OO/OW", "cpsat", 110, **{**best, "period_ticks": 110}, chiplets=some),
        line("WW/WW", "cpsat", None, **{**best, "period_ticks": None}, chiplets=None),
    ]
    rows = cells_of(chiplets.table(lines))
    assert [row["variant"] for row in rows] == ["WW/WW", *["OW/WW"] * 3]
    assert rows[0]["work"] == Missing("time limit")
    assert (rows[1]["work"], rows[1]["wait"], rows[1]["idle"]) == (0.5, 0.25, 0.25)
    assert rows[3]["mac_mj"] == pytest.approx(2)
    assert rows[3]["dram_mj"] == pytest.approx(3)


def test_the_affinity_of_layers() -> None:
    def layer(op: str, **kinds: list[int]) -> dict[str, Any]:
        return {"model": "m", "layer": op, "op": op, "kinds": kinds}

    layers = [
        layer("conv", a=[10, 1], b=[20, 1]),
        layer("conv", a=[40, 1], b=[20, 1]),
        layer("conv", a=[10, 1], b=[40, 1]),
        layer("pool", a=[5, 1]),
    ]
    conv, pool, everything = cells_of(
        affinity.table([line("s", "costs", None, layers=layers)])
    )
    assert (conv["faster_on_first"], conv["faster_on_second"]) == (2, 1)
    # 2 · 1/2 · 4 = 4, whose third root is 1.587.
    assert conv["ticks_ratio"] == pytest.approx(4 ** (1 / 3))
    assert conv["energy_ratio"] == pytest.approx(1)
    assert (
        pool["ticks_ratio"] == everything["ticks_ratio"] == Missing("1 not supported")
    )


def test_the_ends_of_a_front() -> None:
    def at(ticks: int, energy: int) -> dict[str, Any]:
        named = {"period_ticks": ticks, "energy_pj": str(energy), "proved": True}
        return {**named, "energy_quanta": energy, "edp": ticks * energy}

    data = {"status": "complete", "points": [at(10, 90), at(20, 30), at(60, 20)]}
    what = {"front": {**data, "boxes": []}, "tick_ps": 1000, "energy_quantum_fj": 1}
    short = line("s", "front", None, limits={"seconds": [1]}, **what)
    some = {"tick_ps": 1000, "period_ticks": 30, "energy_pj": 40.0}
    lines = [
        line("s", "front", None, **what),
        {**short, "front": None},
        line("s", "annealing", 30, **some),
    ]
    table = front.table(lines)
    rows = cells_of(table)
    assert [row["period_ticks"] for row in rows] == [10, 60, 20, 30, 30, 30]
    # 20 ns · 30 pJ = 600e-21 Js.
    assert rows[2]["edp_ujs"] == pytest.approx(600e-15)
    assert "3 points" in table.notes[0]


LATEX_ROW = re.compile(r"(?:[^&\\]|\\[^\\]|\{\})*")


def parsed(text: str) -> tuple[list[str], list[list[str]]]:
    """Column letters and rows of a tabular: what booktabs and siunitx will see."""
    assert text.isascii()
    depth = 0
    for letter in re.sub(r"\\[{}\\]", "", text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    lines = [row for row in text.splitlines() if not row.startswith("%")]
    assert lines[0].startswith(r"\begin{tabular}{@{} ")
    assert lines[1] == r"\toprule"
    assert lines[3] == r"\midrule"
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    letters = re.findall(
        r"l|>\{[^}]*\}p\{[^}]*\}|S\[table-format=\d+\.\d+\]",
        lines[0].partition("@{}")[2],
    )
    rows = []
    for row in [lines[2], *lines[4:-2]]:
        if row != r"\addlinespace":
            assert row.endswith(r" \\")
            rows.append(re.split(r"(?<!\\) & |^ & ", row[:-3]))
    return letters, rows


def check_latex(text: str) -> None:
    letters, rows = parsed(text)
    for row in rows:
        assert len(row) == len(letters), row
    for k, cells in enumerate(zip(letters, *rows[1:], strict=True)):
        if cells[0].startswith("S"):
            wide = re.fullmatch(r"S\[table-format=(\d+)\.(\d+)\]", cells[0])
            assert wide is not None
            for cell in cells[1:]:
                number = re.fullmatch(r"(\d+)(?:\.(\d+))?", cell)
                same = k == 0 and cell == ""  # as in the row above
                assert same or number or re.fullmatch(r"\{.*\}", cell), cell
                if number:
                    assert len(number[1]) <= int(wide[1])
                    assert len(number[2] or "") <= int(wide[2])


@pytest.mark.parametrize("table", [one(*ROWS), gaps.table(GAPS)])
def test_latex_rows_are_what_siunitx_reads(table: Table) -> None:
    check_latex(latex(table))

"""Dataflow files: what comes along, and what is wrong with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from costmodel_cases import chiplet, conv, fastest, gemm, instance, single

from costmodel.build import build_table
from costmodel.families import FOLDER, builtin_names, dataflow_of
from costmodel.mapper import best_mappings
from costmodel.show import loop_nest
from instances.dataflow import read_dataflow, staying
from instances.faults import InstanceError
from instances.schema import LoopBounds

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """dataflow: mine
array:
  - loops: [k, c]
order: [g, k, c, y, x]
stays: weights
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_built_in() -> None:
    assert builtin_names() == ["os", "rs", "tpu", "ws"]
    for name in builtin_names():
        found = dataflow_of(name)
        assert found.name == name
        assert found.about
        assert found.source
        assert found.stays in staying(found)
    assert dataflow_of("ws") is dataflow_of("ws")


def test_every_key_is_explained() -> None:
    text = (FOLDER / "README.md").read_text()
    for key in ("array", "hold", "order", "stays", "multicast", "reduce"):
        assert f"| `{key}` |" in text
    for name in builtin_names():
        assert f"`{name}`" in text


@pytest.mark.parametrize(
    ("order", "slides", "able"),
    [
        ("gkcyx", False, ("weights",)),
        ("gkyxc", False, ("output",)),
        ("gcyxk", False, ("input",)),
        ("gkycx", True, ("weights", "rows")),
        ("gkycx", False, ("weights",)),
        ("kcyxg", False, ("weights", "input", "output")),
    ],
)
def test_what_stays_follows_from_the_order(
    order: str, slides: bool, able: tuple[str, ...], tmp_path: Path
) -> None:
    """The operand whose innermost own loop stands furthest out, all of a tie."""
    text = GOOD.replace("[g, k, c, y, x]", str(list(order)))
    text += "slides: x\n" if slides else ""
    for stays in ("weights", "input", "output", "rows"):
        path = written(tmp_path, text.replace("stays: weights", f"stays: {stays}"))
        if stays in able:
            assert read_dataflow(path).stays == stays
        else:
            with pytest.raises(
                InstanceError, match=f"mine.yaml:5: stays: got '{stays}'"
            ):
                read_dataflow(path)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("stays:", "colour: red\nstays:", 5, "colour: got an unknown key"),
        ("stays: weights\n", "", 1, "got nothing, expected the key 'stays'"),
        ("[k, c]", "[k, q]", 3, r"array\[0\].loops\[1\]: got 'q', expected a loop"),
        ("[k, c]", "[k, k]", 3, r"loops\[1\]: got 'k' again, expected each name once"),
        ("[k, c]", "[]", 3, "loops: got no loop, expected at least one"),
        ("[k, c]", "k", 3, "loops: got 'k', expected a list"),
        ("[k, c]", "[k, c]\n    pes: 0", 4, "pes: got 0, expected an integer of at"),
        ("[k, c]", "[k, c]\n    pes: 2.5", 4, "pes: got 5/2, expected an integer"),
        ("  - loops: [k, c]\n", "  []\n", 2, "array: got no axis, expected at least"),
        ("[g, k, c, y, x]", "[g, k, c, y]", 4, "order: got no x, expected each of g"),
        ("[g, k, c, y, x]", "[g, k, c, y, r]", 4, r"order\[4\]: got 'r', expected a"),
        ("[g, k, c, y, x]", "[g, k, c, y, y]", 4, r"order\[4\]: got 'y' again"),
        ("stays: weights", "stays: outputs", 5, "got 'outputs', expected a known word"),
        ("stays: weights", "stays: Weights", 5, "word: did you mean 'weights'"),
        ("[k, c]", "[K, c]", 3, r"\[0\]: got 'K', expected a loop: did you mean 'k'"),
        ("loops: [k, c]", "loop: [k, c]", 3, "expected the key 'loops' of an axis"),
        ("  - loops", "\t- loops", 3, "got a syntax error \\(found"),
        ("stays: weights", "stays: output", 5, "stays: got 'output', expected weights"),
        ("stays:", "slides: y\nstays:", 5, "slides: got 'y', expected x"),
        ("stays:", "hold: [r]\nstays:", 5, r"hold\[0\]: got 'r', expected a loop a PE"),
        ("stays:", "multicast: [sums]\nstays:", 5, r"multicast\[0\]: got 'sums'"),
        ("stays:", "reduce: [y]\nstays:", 5, r"reduce\[0\]: got 'y', expected a loop"),
        ("stays:", "reduce: [r]\nstays:", 5, r"reduce\[0\]: got 'r', expected a l"),
        ("[k, c]", "[k, x]\nslides: x", 4, "slides: got 'x', expected an array"),
        ("dataflow: mine", "dataflow: [1]", 1, "dataflow: got a list, expected a text"),
        ("order:", "order: [g]\norder:", 5, "order: got a second entry of this name"),
    ],
)  # fmt: skip
def test_faults(old: str, new: str, line: int, expected: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InstanceError, match=expected) as caught:
        read_dataflow(path)
    assert any(str(f).startswith(f"{path}:{line}: ") for f in caught.value.faults)


def test_slides_needs_x_innermost(tmp_path: Path) -> None:
    text = GOOD.replace("y, x]\nstays: weights", "x, y]\nslides: x\nstays: weights")
    with pytest.raises(
        InstanceError, match="slides: got 'x', expected an order with x"
    ):
        read_dataflow(written(tmp_path, text))


def test_all_faults_in_one_error(tmp_path: Path) -> None:
    text = GOOD.replace("[k, c]", "[k, k]").replace("weights", "output") + "odd: 1\n"
    with pytest.raises(InstanceError) as caught:
        read_dataflow(written(tmp_path, text))
    assert len(caught.value.faults) == 3


def test_no_file_and_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="No such file"):
        read_dataflow(tmp_path / "none.yaml")
    with pytest.raises(InstanceError, match="expected YAML") as caught:
        read_dataflow(written(tmp_path, "a: ["))
    assert len(caught.value.faults) == 1
    with pytest.raises(ValueError, match="got 'wss', expected one of os, rs, tpu, ws"):
        dataflow_of("wss")


def test_a_file_is_a_dataflow_of_a_table(tmp_path: Path) -> None:
    """4 rows on 4 PEs, of which the axis has 2: 8 weights in 4 folds, 16 cycles."""
    text = GOOD.replace("[k, c]", "[k, c]\n    pes: 2")
    kind = chiplet(read_dataflow(written(tmp_path, text)))
    table = build_table(instance([kind], (single(gemm(4, 2, 4)),)), "0" * 64)
    modes = table.rows["m", "gemm", kind.name]
    assert modes[0].latency_ticks == 16
    free = read_dataflow(written(tmp_path, GOOD))
    assert fastest(gemm(4, 2, 4), chiplet(free)).cycles == 8


def test_systolic_array() -> None:
    """3 rows, 512 columns, inner size 600: 3 x 2 folds of 256 x 256, 3 cycles each.

    An even cut fits too: 200 x 256. Partial sums go up after each of 3 folds of
    channels and come down before the second and third.
    """
    found = fastest(gemm(3, 512, 600), chiplet("tpu", num_pes=1 << 16))
    assert found.compute_cycles == 3 * 2 * 3
    assert (found.split["k"], found.split["c"]) == (256, 200)
    assert found.noc_w == 512 * 600
    assert found.noc_in == 3 * 600 * (found.noc_in // 1800)
    assert found.noc_up - found.noc_down == 3 * 512


def test_a_loop_on_two_axes(tmp_path: Path) -> None:
    """8 columns on 2 x 4 PEs: no axis holds them all, both together do."""
    axes = "[k]\n    pes: 2\n  - loops: [k]\n    pes: 4"
    flow = read_dataflow(written(tmp_path, GOOD.replace("[k, c]", axes)))
    found = fastest(gemm(5, 8, 1), chiplet(flow, num_pes=8))
    assert found.split["k"] == 8
    assert found.cycles == 5


def test_loop_nest_shows_every_loop() -> None:
    """3x3 filters on 2 PEs and little L2; what turns once is left out."""
    layer = conv(LoopBounds(k=4, c=2, oy=4, ox=3, r=3, s=3, stride=2))
    kind = chiplet("ws", num_pes=2, l2_bytes=300, l1_bytes_per_pe=16)
    found = fastest(layer, kind)
    text = loop_nest(found)
    turns: dict[str, int] = {}
    for line in text.splitlines():
        loop, colon, rest = line.strip().removeprefix("parallel ").partition(": ")
        if colon and loop.startswith("for "):
            turns[loop[4:]] = turns.get(loop[4:], 1) * int(rest.split()[0])
    assert turns == {"k": 4, "c": 2, "r": 3, "s": 3, "y": 4, "x": 3}
    assert text.splitlines()[0] == "DRAM"
    assert "out[g, k, y, x] += in[g, c, 2y + r, 2x + s]" in text
    sizes = f"{found.tile_w} weights, {found.tile_in} inputs, {found.tile_out} outputs"
    assert sizes in text
    depths = [len(line) - len(line.lstrip()) for line in text.splitlines()]
    assert depths == sorted(depths)


def test_loop_nest_of_a_fixed_mapping() -> None:
    found = fastest(gemm(4, 2, 2), chiplet("yxp_os", num_pes=64))
    assert "the fixed mapping" in loop_nest(found)
    assert found.text.startswith("fixed mapping; L2 tile")


def test_fixed_mappings_know_no_dilation() -> None:
    """No mapping, so no row; the searched dataflows have one."""
    layer = conv(LoopBounds(k=2, c=2, oy=4, ox=4, r=3, s=3, dilation=2))
    assert best_mappings(layer, chiplet("yxp_os", num_pes=64)) == ()
    assert fastest(layer, chiplet("os")) is not None

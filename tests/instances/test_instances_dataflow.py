"""A dataflow of one's own in an instance: where it is, what it is, what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from costmodel.build import build_table
from costmodel.families import FOLDER
from instances.dataflow import Axis, Dataflow, read_dataflow
from instances.faults import InstanceError
from instances.load import (
    from_canonical_json,
    instance_sha256,
    load_instance,
    to_canonical_json,
)
from instances.variants import with_types

if TYPE_CHECKING:
    from pathlib import Path

    from instances.schema import Instance

INSTANCE = """
schema: instance/1
name: own
package:
  base: 2x2
  name: own
  chiplets: [mine, mine, nvdla, nvdla]
  types:
    mine: {base: nvdla, dataflow: flows/mine.yaml}
models:
  - name: m
    layers:
      - {name: a, op: gemm, bounds: {k: 64, c: 64, oy: 8}}
    tensors:
      - {name: x, consumers: [a], bytes: 512}
      - {name: y, producer: a, bytes: 512}
"""
FLOW = """dataflow: mine
array:
  - loops: [k, c]
    pes: 16
order: [g, k, c, y, x]
stays: weights
multicast: [input]
reduce: [c]
"""


def written(folder: Path, flow: str = FLOW) -> Path:
    """Write both files; return the instance's."""
    path = folder / "own.yaml"
    path.write_text(INSTANCE)
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "mine.yaml").write_text(flow)
    return path


def sha(folder: Path, flow: str) -> str:
    return instance_sha256(load_instance(written(folder, flow)))


def flow_of(instance: Instance) -> Dataflow:
    found = instance.package.types["mine"].dataflow
    assert isinstance(found, Dataflow)
    return found


def test_the_path_starts_from_the_file_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    written(here)
    flow = read_dataflow(here / "flows" / "mine.yaml")
    monkeypatch.chdir(elsewhere)
    found = load_instance(here / "own.yaml")
    assert flow_of(found) == flow
    assert found.package.types["mine"].dataflow_name == "mine"
    assert found.package.types["nvdla"].dataflow == "ws"
    monkeypatch.chdir(tmp_path)
    assert load_instance("here/own.yaml") == found
    other = here / "packages"
    other.mkdir()
    (other / "p.yaml").write_text(
        "schema: package/1\nname: own\nbase: 2x2\n"
        "chiplets: [mine, mine, nvdla, nvdla]\n"
        "types: {mine: {base: nvdla, dataflow: ../flows/mine.yaml}}\n"
    )
    text = INSTANCE[: INSTANCE.index("package:")] + "package: packages/p.yaml\n"
    (here / "two.yaml").write_text(text + INSTANCE[INSTANCE.index("models:") :])
    assert flow_of(load_instance(here / "two.yaml")) == flow


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pes: 16", "pes: 8"),
        ("    pes: 16\n", ""),
        ("[k, c]", "[c, k]"),
        ("multicast: [input]\n", ""),
        ("reduce: [c]\n", ""),
        ("reduce: [c]\n", "reduce: [c]\nhold: [k]\n"),
        ("reduce: [c]\n", "reduce: [c]\nslides: x\n"),
        ("[g, k, c, y, x]", "[k, g, c, y, x]"),
        ("dataflow: mine", "dataflow: yours"),
    ],
)
def test_the_identity_covers_what_the_file_says(
    old: str, new: str, tmp_path: Path
) -> None:
    assert old in FLOW
    assert sha(tmp_path, FLOW) != sha(tmp_path, FLOW.replace(old, new))


def test_the_identity_does_not_cover_how_the_file_says_it(tmp_path: Path) -> None:
    lines = FLOW.splitlines(keepends=True)
    turned = "# a comment\n" + "".join([*lines[4:], *lines[:4]])
    assert sha(tmp_path, FLOW) == sha(tmp_path, turned)
    moved = tmp_path / "moved"
    moved.mkdir()
    assert sha(tmp_path, FLOW) == sha(moved, FLOW)


def test_a_built_in_dataflow_stands_by_its_name() -> None:
    """What is known by a name is text in the canonical form: hashes of old stay."""
    text = to_canonical_json(load_instance("headline"))
    types = json.loads(text)["instance"]["package"]["types"]
    assert {kind["dataflow"] for kind in types.values()} == {"ws", "os"}


def test_the_canonical_text_needs_no_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    one = load_instance(path)
    text = to_canonical_json(one)
    (tmp_path / "flows" / "mine.yaml").unlink()
    again = from_canonical_json(text)
    assert again == one
    assert to_canonical_json(again) == text
    saved = tmp_path / "saved.json"
    saved.write_text(text)
    assert load_instance(saved) == one
    assert build_table(again).rows == build_table(one).rows


def test_an_own_file_like_a_built_in_costs_the_same(tmp_path: Path) -> None:
    """The file of `ws`, copied, gives the rows of `ws`."""
    path = written(tmp_path, (FOLDER / "ws.yaml").read_text())
    rows = build_table(load_instance(path)).rows
    assert rows["m", "a", "mine"] == rows["m", "a", "nvdla"]


def test_faults_of_both_files_come_together(tmp_path: Path) -> None:
    path = written(tmp_path, FLOW.replace("[c]", "[r]").replace("weights", "output"))
    path.write_text(INSTANCE.replace("oy: 8", "oy: 0"))
    with pytest.raises(InstanceError) as caught:
        load_instance(path)
    flow = tmp_path / "flows" / "mine.yaml"
    assert {(f.file, f.line, f.path) for f in caught.value.faults} == {
        (str(flow), 6, "stays"),
        (str(flow), 8, "reduce[0]"),
        (str(path), 13, "models[0].layers[0].bounds.oy"),
    }


def test_a_file_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "flows" / "mine.yaml").unlink()
    with pytest.raises(InstanceError) as caught:
        load_instance(path)
    [fault] = caught.value.faults
    assert (fault.file, fault.line) == (str(path), 9)
    assert fault.path == "package.types.mine.dataflow"
    assert fault.expected == f"a file; there is no {tmp_path / 'flows' / 'mine.yaml'}"


def test_a_canonical_text_is_checked_too(tmp_path: Path) -> None:
    text = to_canonical_json(load_instance(written(tmp_path)))
    bad = text.replace('"stays":"weights"', '"stays":"output"')
    with pytest.raises(InstanceError) as caught:
        from_canonical_json(bad)
    [fault] = caught.value.faults
    assert fault.path == "package.types.mine.dataflow.stays"
    with pytest.raises(InstanceError, match="exactly the fields of a Dataflow"):
        from_canonical_json(text.replace('"slides":false,', ""))


def test_an_object_made_in_code_is_checked_too(tmp_path: Path) -> None:
    one = load_instance(written(tmp_path))
    flow = flow_of(one)
    bad = replace(flow, array=(Axis(("k", "q"), 0), Axis(())), order=("g", "k"))
    with pytest.raises(InstanceError) as caught:
        replace(one, package=with_types(one.package, dataflow=bad))
    ends = {f.path.partition("dataflow.")[2] for f in caught.value.faults}
    assert ends == {
        "array[0].loops[1]",
        "array[0].pes",
        "array[1].loops",
        "reduce[0]",
        "order",
    }

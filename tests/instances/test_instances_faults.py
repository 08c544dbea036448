"""Every kind of fault, all of a file at once, each at its line."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from fractions import Fraction

import pytest

from instances.faults import InstanceError
from instances.load import instance_from_mapping, load_instance, load_package
from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    Instance,
    Interface,
    Layer,
    Link,
    Model,
    Options,
    Package,
    Tensor,
)

BAD = """\
schema: instance/1
nmae: many
package:
  name: p
  topology: mesh
  width: 2
  height: 1
  chiplets: [nvdla, nvdIa]
  link: {bandwidth_gb_s: 0, hop_latency_ns: -1, energy_pj_per_bit: 2 pJ}
  port: {in: 5}
  dram:
    latency_ns: 200
    energy_pj_per_bit: 14.8
    interfaces: [{router: 0, share: 0.5}, {router: 2, share: 0.6}]
    mode: sharded
models:
  - build: gpt2
    size: smal
    tokens: 0
    layers: 3
  - name: m
    layers:
      - {name: a, op: gemm, bounds: {k: 2, c: 0, oy: 1}}
      - {name: a, op: conv}
      - {name: b, op: matmul, weight_bytes: 4, bounds: {k: 1, c: 1, oy: 1.5}}
    tensors:
      - {name: x, producer: b, consumers: [a, c], bytes: -1}
      - {name: y, output: true, bytes: 1}
      - {name: z, producer: a, consumers: [b]}
      - {name: z, producer: q, bytes: 99999999999999999999}
options:
  contiguous: yes
  sram: some
  max_stage: {m: -1, n: 2}
  colocate: [[[m, a], [m, k]], [], [m]]
tick_ps: 0
tick_ps: 5
costs:
  - {model: m, layer: a, chiplet_type: t, latency_ticks: 1, energy_quanta: 1,
     ws_bytes: 1, rw_bytes: 3, ri_bytes: {y: 1}}
"""

EXPECTED = [
    (1, "", "the key 'name' of a scenario"),
    (2, "nmae", "did you mean 'name'?"),
    (8, "package.chiplets[1]", "did you mean 'nvdla'?"),
    (9, "package.link.bandwidth_gb_s", "a number above 0"),
    (9, "package.link.energy_pj_per_bit", "a number"),
    (9, "package.link.hop_latency_ns", "a number of at least 0"),
    (10, "package.port.in", "one of 'in_gb_s', 'out_gb_s'"),
    (14, "package.dram.interfaces[1].router", "a router from 0 to 1"),
    (15, "package.dram.mode", "did you mean 'shared'?"),
    (18, "models[0].size", "did you mean 'small'?"),
    (19, "models[0].tokens", "an integer of at least 1"),
    (20, "models[0].layers", "a key of a model built by 'gpt2'"),
    (23, "models[1].layers[0].bounds.c", "an integer of at least 1"),
    (24, "models[1].layers[1].bounds", "loop bounds of a conv"),
    (24, "models[1].layers[1].name", "not at models[1].layers[0]"),
    (25, "models[1].layers[2].bounds.oy", "an integer"),
    (25, "models[1].layers[2].weight_bytes", "0 (both operands"),
    (27, "models[1].tensors[0].bytes", "an integer of at least 0"),
    (27, "models[1].tensors[0].consumers[0]", "topological order"),
    (27, "models[1].tensors[0].consumers[1]", "a layer of this model"),
    (28, "models[1].tensors[1].output", "a model input"),
    (29, "models[1].tensors[2]", "the key 'bytes' of a tensor"),
    (30, "models[1].tensors[3].bytes", "below 2**53"),
    (30, "models[1].tensors[3].name", "not at models[1].tensors[2]"),
    (30, "models[1].tensors[3].producer", "a layer of this model"),
    (32, "options.contiguous", "true or false"),
    (33, "options.sram", "one of 'full', 'residents'"),
    (34, "options.max_stage.m", "an integer of at least 0"),
    (34, "options.max_stage.n", "a model"),
    (35, "options.colocate[0][1]", "a layer of 'm'"),
    (35, "options.colocate[1]", "at least one"),
    (35, "options.colocate[2][0]", "a list"),
    (36, "tick_ps", "an integer of at least 1"),
    (37, "tick_ps", "one (the first is at line 36)"),
    (39, "costs[0].chiplet_type", "a chiplet type"),
    (40, "costs[0].ri_bytes.y", "a tensor read by 'a'"),
    (40, "costs[0].rw_bytes", "no weights"),
]


def test_all_faults_of_a_file_at_once(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    with pytest.raises(InstanceError) as error:
        load_instance(file)
    found = sorted((f.line or 0, f.path, f.expected) for f in error.value.faults)
    shown = "\n".join(map(str, found))
    assert [entry[:2] for entry in found] == [entry[:2] for entry in EXPECTED], shown
    for (_, _, text), (line, path, due) in zip(found, EXPECTED, strict=True):
        assert due in text, (line, path)
    lines = str(error.value).splitlines()
    assert len(lines) == len(EXPECTED)
    want = f"{file}:33: options.sram: got 'some', expected one of 'full', 'residents'"
    assert want in lines
    assert [f.line for f in error.value.faults] == sorted(
        f.line or 0 for f in error.value.faults
    )
    again = pickle.loads(pickle.dumps(error.value))
    assert again.faults == error.value.faults


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file, expected a mapping"),
        ("a: [", "expected YAML"),
        ("- 1", "got a list, expected a mapping"),
        ("a: &x [*x]", "got endless nesting"),
        ("schema: !!python/name:os.system ''", "got the tag"),
        ("schema: package/1", "schema: got 'package/1', expected instance/1"),
        ("\x00", "expected YAML"),
        ("? [a]\n: b", "expected a text as key"),
    ],
)
def test_files_that_are_no_scenario(tmp_path, text, message):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(InstanceError) as error:
        load_instance(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


def test_files_that_cannot_be_found(tmp_path):
    with pytest.raises(InstanceError, match="did you mean 'headline'"):
        load_instance("headlin")
    with pytest.raises(InstanceError, match="No such file"):
        load_instance(tmp_path / "none.yaml")
    with pytest.raises(InstanceError, match="a packaged package"):
        load_package("2x3")
    with pytest.raises(InstanceError, match="No such file"):
        load_package("./none.yaml")


def test_endless_packages(tmp_path):
    file = tmp_path / "loop.yaml"
    file.write_text("schema: package/1\nname: loop\nbase: loop.yaml\n")
    with pytest.raises(InstanceError, match="an end of this chain"):
        load_package(file)


DATA = {
    "schema": "instance/1",
    "name": "x",
    "package": {"base": "2x2"},
    "models": [
        {
            "name": "m",
            "layers": [{"name": "a", "op": "opaque"}, {"name": "b", "op": "opaque"}],
            "tensors": [{"name": "t", "producer": "a", "consumers": ["b"], "bytes": 3}],
        }
    ],
    "costs": [],
}


def changed(path, value):
    data = copy.deepcopy(DATA)
    *way, last = path
    place = data
    for key in way:
        place = place[key]
    place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        (["package"], "9x9", "package", "a packaged package"),
        (["package"], 4, "package", "a package: a name"),
        (["package"], {}, "package", "a package: a name"),
        (["package", "width"], 3, "chiplets", "6, one per router"),
        (["package", "topology"], "ring", "package.topology", "one of 'mesh'"),
        (["package", "links"], [], "package.links", "no list"),
        (["package", "chiplets"], [None] * 4, "package.chiplets", "at least one"),
        (["package", "dram"], {"interfaces": 3}, "package.dram.interfaces", "even"),
        (["package", "dram"], {"interfaces": []}, "package.dram.interfaces", "least"),
        (
            ["package", "dram"],
            {"interfaces": [{"router": 0, "share": "1/3"}]},
            "package.dram.interfaces",
            "a sum of 1",
        ),
        (
            ["package", "types"],
            {"nvdla": {"base": "nvdla", "clock_mhz": 700}},
            "",
            "the key 'tick_ps'",
        ),
        (
            ["package", "types"],
            {"nvdla": {"base": "tpu"}},
            "package.types.nvdla.base",
            "another packaged chiplet type",
        ),
        (
            ["package", "types"],
            {"nvdla": {"base": "nvdla", "num_pes": 0}},
            "package.types.nvdla.num_pes",
            "at least 1",
        ),
        (["package"], {"monolithic": {"of": "2x2"}}, "package.monolithic", "'type'"),
        (
            ["package"],
            {"name": "x", "monolithic": {"of": "2x2", "type": "tpu"}},
            "package.monolithic.type",
            "a chiplet type",
        ),
        (
            ["package"],
            {
                "name": "x",
                "monolithic": {"of": "2x2", "type": "nvdla", "dram_gb_s": 0},
            },
            "package.monolithic.dram_gb_s",
            "above 0",
        ),
        (["models"], [], "models", "at least one"),
        (["models", 0, "layers"], [], "models[0].layers", "at least one"),
        (["models", 0, "samples"], 0, "models[0].samples", "at least 1"),
        (["models", 0, "name"], 7, "models[0].name", "a text (in quotes)"),
        (["models", 0], {"build": "gtp2"}, "models[0].build", "did you mean 'gpt2'"),
        (["models", 0], {"build": "gpt2", "tokens": [1]}, "models[0].tokens", "or a"),
        (
            ["models", 0, "layers", 0, "bounds"],
            {"k": 1, "c": 1, "oy": 1},
            "models[0].layers[0].bounds",
            "none (an opaque",
        ),
        (
            ["models", 0, "tensors", 0, "consumers"],
            ["b", "b"],
            "models[0].tensors[0].consumers[1]",
            "already",
        ),
        (
            ["models", 0, "tensors", 0, "transfer_ticks"],
            {"nvdla": 1},
            "models[0].tensors[0].transfer_ticks",
            "the option serial",
        ),
        (["costs"], None, "models[0].layers[0]", "costs in the instance"),
        (
            ["costs"],
            [{"model": "k", "layer": "a", "chiplet_type": "nvdla"}],
            "costs[0].model",
            "a model: one of 'm'",
        ),
        (["options"], {"latency_cap_ticks": {"m": -1}}, "options.lat", "at least 0"),
        (["options"], {"energy_cap_pj": -1}, "options.energy_cap_pj", "at least 0"),
        (["options"], {"period_cap_ticks": 0.5}, "options.period", "an integer"),
        (["options"], {"serail": True}, "options.serail", "did you mean 'serial'"),
        (["energy_quantum_fj"], 2**53, "energy_quantum_fj", "below 2**53"),
        (["bytes_per_element"], 0, "bytes_per_element", "at least 1"),
    ],
)
def test_single_faults(path, value, place, message):
    with pytest.raises(InstanceError) as error:
        instance_from_mapping(changed(path, value), "here.yaml")
    lines = [str(fault) for fault in error.value.faults]
    found = [fault for fault in error.value.faults if message in fault.expected]
    assert found, lines
    assert any(fault.path.startswith(place) for fault in found), lines


def test_the_data_of_the_faults_above_is_sound():
    assert instance_from_mapping(DATA).costs == ()


ONE = Fraction(1)
TYPE = ChipletType("t", "ws", 1, 0, 0, ONE, ONE, 0 * ONE, 0 * ONE, 0 * ONE)
PACKAGE = Package(
    name="p",
    topology="mesh",
    width=2,
    height=1,
    types={"t": TYPE},
    chiplets=(Chiplet("t", 0), Chiplet("t", 1)),
    links=(Link(0, 1, None, 0 * ONE, 0 * ONE), Link(1, 0, None, 0 * ONE, 0 * ONE)),
    port_in_gb_s=None,
    port_out_gb_s=None,
    dram=Dram(None, 0 * ONE, 0 * ONE, (Interface(0, ONE),)),
)
MODEL = Model(
    "m",
    (Layer("a", "opaque", None, 0), Layer("b", "opaque", None, 0)),
    (Tensor("t", "a", ("b",), 0), Tensor("u", None, (), 0)),
)
TINY = Instance("i", (MODEL,), PACKAGE, Options(), 1000, costs=())
LINK = PACKAGE.links[0]


def package(**changes):
    return {"package": replace(PACKAGE, **changes)}


def dram(**changes):
    return package(dram=replace(PACKAGE.dram, **changes))


def kind(**changes):
    return package(types={"t": replace(TYPE, **changes)})


def tensor(*, serial=False, **changes):
    made = replace(MODEL.tensors[0], **changes)
    model = replace(MODEL, tensors=(made,))
    return {"models": (model,), "options": Options(serial=serial)}


def test_zero_where_zero_means_something():
    assert replace(TINY, options=Options(max_stage={"m": 0}, period_cap_ticks=0))
    assert replace(TINY, **tensor(serial=True, transfer_ticks={"t": 0}))
    assert replace(TINY, **package(topology="none", links=()))
    assert replace(TINY, **package(chiplets=(Chiplet("t", 0), Chiplet("t", 0))))


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"name": ""}, "name", "a name"),
        ({"tick_ps": 0}, "tick_ps", "at least 1"),
        ({"tick_ps": 0.5}, "tick_ps", "an integer"),
        ({"tick_ps": True}, "tick_ps", "an integer"),
        ({"models": ()}, "models", "at least one"),
        ({"models": (MODEL, MODEL)}, "models[1].name", "already"),
        ({"costs": None}, "models[0].layers[0]", "costs in the instance"),
        (package(topology="torus", height=2), "package.links", "a 2x2 torus"),
        (package(links=(LINK,)), "package.links", "the links of a 2x1 mesh"),
        (package(links=(LINK, LINK)), "package.links[1]", "one of each"),
        (package(topology="none"), "package.links", "the links of a 2x1 none"),
        (package(topology="explicit", links=(LINK,)), "package.links", "a path"),
        (
            package(links=(replace(LINK, dst=0),)),
            "package.links[0]",
            "two different routers",
        ),
        (package(chiplets=()), "package.chiplets", "at least one"),
        (package(chiplets=(Chiplet("t", 2),)), "package.chiplets[0].router", "0 to 1"),
        (package(chiplets=(Chiplet("s", 0),)), "package.chiplets[0].type", "'t'"),
        (package(types={"s": TYPE}), "package.types.s.name", "'s'"),
        (package(width=10**9), "package.width", "at most 4096"),
        (package(port_in_gb_s=0 * ONE), "package.port.in_gb_s", "above 0"),
        (package(port_out_gb_s=0.5), "package.port.out_gb_s", "exact number"),
        (dram(bandwidth_gb_s=-ONE), "package.dram.bandwidth_gb_s", "above 0"),
        (dram(interfaces=()), "package.dram.interfaces", "at least one"),
        (dram(interfaces=(Interface(0, ONE / 2),)), "package.dram.interfaces", "of 1"),
        (
            dram(interfaces=(Interface(0, ONE), Interface(1, 0 * ONE))),
            "package.dram.interfaces[1].share",
            "above 0",
        ),
        (dram(latency_ns=-ONE), "package.dram.latency_ns", "at least 0"),
        (dram(mode="own"), "package.dram.mode", "one of"),
        (kind(clock_mhz=0 * ONE), "package.types.t.clock_mhz", "above 0"),
        (kind(l2_bytes=-1), "package.types.t.l2_bytes", "at least 0"),
        (kind(dataflow=""), "package.types.t.dataflow", "a name"),
        (
            kind(mac_energy_pj=Fraction(1, 2**53)),
            "package.types.t.mac_energy_pj",
            "below 2**53",
        ),
        (tensor(producer="b"), "models[0].tensors[0].consumers[0]", "topological"),
        (tensor(producer=None, output=True), "models[0].tensors[0].output", "input"),
        (tensor(transfer_ticks={}), "models[0].tensors[0].transfer_ticks", "serial"),
        (
            tensor(serial=True, bytes=1, transfer_ticks={}),
            "models[0].tensors[0].bytes",
            "0 beside",
        ),
        (
            tensor(serial=True, transfer_ticks={"s": 1}),
            "models[0].tensors[0].transfer_ticks.s",
            "a chiplet type",
        ),
        (
            tensor(serial=True, producer=None, transfer_ticks={}),
            "models[0].tensors[0].transfer_ticks",
            "comes from DRAM",
        ),
    ],
)
def test_objects_made_in_code_are_checked_too(changes, place, message):
    with pytest.raises(InstanceError) as error:
        replace(TINY, **changes)
    found = [(fault.path, fault.expected) for fault in error.value.faults]
    assert any(path == place and message in text for path, text in found), found

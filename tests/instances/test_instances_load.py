"""Files in, canonical text out, identity."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from fractions import Fraction

import pytest

from instances.faults import InstanceError
from instances.load import (
    from_canonical_json,
    instance_from_mapping,
    instance_sha256,
    load_instance,
    load_package,
    packages,
    scenarios,
    to_canonical_json,
)
from instances.schema import Interface
from instances.topology import route
from instances.variants import (
    monolithic,
    with_chiplets,
    with_interfaces,
    with_models,
    with_package,
    with_types,
)

HEADLINE = "231e905cab9c762a10d6e78522134dab652637ed70225121d21f1a4c60824475"
TINY = """
schema: instance/1
name: tiny
tick_ps: 1000
package:
  name: pair
  topology: explicit
  types:
    t:
      dataflow: ws
      num_pes: 4
      l1_bytes_per_pe: 0
      l2_bytes: 1e3
      noc_bytes_per_cycle: 25.6
      clock_mhz: 0.5e3
      mac_energy_pj: .25
      l1_energy_pj_per_byte: 0
      l2_energy_pj_per_byte: 1/3
  chiplets: [t, null, t]
  link: {hop_latency_ns: 0, energy_pj_per_bit: 0, bandwidth_gb_s: 12.8}
  links:
    - {src: 0, dst: 2}
    - {src: 2, dst: 0, bandwidth_gb_s: null}
  dram:
    latency_ns: 0
    energy_pj_per_bit: 14.8
    interfaces: [{router: 0, share: 1/3}, {router: 2, share: 2/3}]
    mode: private
models:
  - name: on
    samples: 2
    layers:
      - {name: no, op: gemm, bounds: {k: 2, c: 3, oy: 1}}
      - {name: "1", op: opaque, weight_bytes: 7}
    tensors:
      - {name: x, consumers: [no], bytes: 0}
      - {name: y, producer: no, consumers: ["1"], transfer_ticks: {t: 5}}
      - {name: z, producer: "1", bytes: 3, output: true}
options:
  serial: true
  colocate: [[[on, no], [on, "1"]]]
  max_stage: {on: 0}
  latency_cap_ticks: {on: 100}
  energy_cap_pj: 0.1
  period_cap_ticks: 50
costs:
  - {model: on, layer: no, chiplet_type: t, latency_ticks: 5, energy_quanta: 1,
     ws_bytes: 9, rw_bytes: 1, ri_bytes: {x: 2}, ro_bytes: 3, holds_weights: false}
  - {model: on, layer: "1", chiplet_type: t, latency_ticks: 0, energy_quanta: 0,
     ws_bytes: 0}
"""


@pytest.fixture
def tiny(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return load_instance(file)


def test_every_number_is_exact_and_in_its_place(tiny):
    kind = tiny.package.types["t"]
    assert kind.noc_bytes_per_cycle == Fraction(128, 5)
    assert kind.clock_mhz == 500
    assert kind.mac_energy_pj == Fraction(1, 4)
    assert kind.l2_energy_pj_per_byte == Fraction(1, 3)
    assert kind.l2_bytes == 1000
    assert isinstance(kind.l2_bytes, int)
    assert [chiplet.router for chiplet in tiny.package.chiplets] == [0, 2]
    assert (tiny.package.width, tiny.package.height) == (3, 1)
    assert [link.bandwidth_gb_s for link in tiny.package.links] == [
        Fraction(64, 5),
        None,
    ]
    assert tiny.package.port_in_gb_s is None
    assert tiny.package.dram.interfaces[1] == Interface(2, Fraction(2, 3))
    assert tiny.package.dram.bandwidth_gb_s is None
    [model] = tiny.models
    assert [layer.weight_bytes for layer in model.layers] == [6, 7]
    assert model.tensors[1].transfer_ticks == {"t": 5}
    assert model.tensors[1].bytes == 0
    assert tiny.options.colocate == ((("on", "no"), ("on", "1")),)
    assert tiny.options.energy_cap_pj == Fraction(1, 10)
    assert tiny.costs is not None
    assert tiny.costs[0].ri_bytes == {"x": 2}
    assert not tiny.costs[0].holds_weights
    assert tiny.costs[1].holds_weights


def test_traps_of_yaml_1_1_do_not_bite(tmp_path):
    """``on`` and ``no`` are names in `TINY`; here 1:30, 010 and a date."""
    file = tmp_path / "a.yaml"
    text = TINY.replace("tick_ps: 1000", "tick_ps: 010")
    text = text.replace("name: x,", "name: 1:30,").replace("{x: 2}", "{1:30: 2}")
    text = text.replace("name: tiny", "name: 2026-01-02")
    file.write_text(text)
    made = load_instance(file)
    assert made.tick_ps == 10
    assert made.models[0].tensors[0].name == "1:30"
    assert made.name == "2026-01-02"


def test_canonical_text_is_the_identity(tiny):
    text = to_canonical_json(tiny)
    again = from_canonical_json(text)
    assert again == tiny
    assert to_canonical_json(again) == text
    assert instance_sha256(again) == instance_sha256(tiny)
    assert '"1/3"' in text
    assert "." not in text.replace("tiny", "")


def test_canonical_text_is_a_file_too(tiny, tmp_path):
    file = tmp_path / "canonical.json"
    file.write_text(to_canonical_json(tiny) + "\n")
    assert load_instance(file) == tiny


def test_identity_ignores_comments_key_order_and_spelling(tiny, tmp_path):
    def read(text):
        file = tmp_path / "x.yaml"
        file.write_text(text)
        return load_instance(file)

    lines = TINY.replace("tick_ps: 1000\n", "").splitlines()
    text = "\n".join([*lines, "tick_ps: 1e3  # a comment", "bytes_per_element: 1"])
    text = text.replace("25.6", "25.60").replace("{k: 2, c: 3", "{c: 3, k: 2, r: 1")
    assert instance_sha256(read(text)) == instance_sha256(tiny)
    other = read(text.replace("25.60", "25.61"))
    assert instance_sha256(other) != instance_sha256(tiny)


def test_identity_of_the_headline_scenario_is_stable():
    """Moves only when the scenario or the canonical layout is meant to change."""
    assert instance_sha256(load_instance("headline")) == HEADLINE


def test_json_with_tabs(tiny, tmp_path):
    data = {
        "schema": "instance/1",
        "name": "j",
        "package": "2x2",
        "models": [{"build": "resnet18", "image": 32}],
        "options": {"energy_cap_pj": "1/3"},
    }
    file = tmp_path / "x.json"
    file.write_text(json.dumps(data, indent="\t"))
    made = load_instance(file)
    assert made == instance_from_mapping(data)
    assert made.options.energy_cap_pj == Fraction(1, 3)
    assert made.tick_ps == 2000


def test_floats_of_a_mapping_count_as_their_text():
    data = {"base": "2x2", "dram": {"energy_pj_per_bit": 0.1}}
    assert load_package(data).dram.energy_pj_per_bit == Fraction(1, 10)


def test_package_file_beside_the_scenario(tmp_path):
    (tmp_path / "sub").mkdir()
    package = "schema: package/1\nname: mine\nbase: ../big.yaml\ndram: {interfaces: 4}"
    (tmp_path / "sub" / "mine.yaml").write_text(package)
    (tmp_path / "big.yaml").write_text("schema: package/1\nname: b\nbase: 3x3-os")
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "schema: instance/1\nname: s\npackage: sub/mine.yaml\n"
        "models: [{build: resnet18, name: r}]\n"
    )
    made = load_instance(str(scenario))
    assert made.package.name == "mine"
    assert [entry.router for entry in made.package.dram.interfaces] == [0, 2, 6, 8]
    assert set(made.package.types) == {"shidiannao"}
    assert made.models[0].name == "r"
    assert load_package(tmp_path / "sub" / "mine.yaml") == made.package


@pytest.mark.parametrize("name", scenarios())
def test_packaged_scenarios(name):
    made = load_instance(name)
    assert made.name == name
    assert made.tick_ps == 2000
    layers = sum(len(model.layers) for model in made.models)
    # SCAR's: 192 a large transformer, 96 BERT-base, 54, 23 and 58 the CNNs.
    due = {"headline": 151, "sc1": 384, "sc2": 438, "sc3": 438, "sc4": 461, "sc5": 615}
    # AR/VR: D2Go 138, Emformer 168, EyeCoD 105, hand 224, HRViT 493, MiDaS 97,
    # PlaneRCNN 153, Sparse-to-Dense 34.
    due |= {"sc6": 1049, "sc7": 474, "sc8": 306, "sc9": 363, "sc10": 329, "tiny": 4}
    assert layers == due[name.partition("-")[0].replace("scar", "sc")]
    assert from_canonical_json(to_canonical_json(made)) == made
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize("name", packages())
def test_packaged_packages(name):
    assert load_package(name).name == name


def test_names_of_packaged_data():
    assert scenarios() == [
        *("headline", "headline-contiguous", "headline-monolithic"),
        "headline-timed",
        *(f"sc{number}-{size}" for number in range(1, 6) for size in ("2x2", "3x3")),
        *("scar1", "scar10", "scar2", "scar3", "scar4"),
        *("scar4-6x6", "scar5", "scar6", "scar7", "scar8", "scar9"),
        "tiny-windowed",
    ]
    assert packages() == [
        "2x2",
        *("3x3-het-cb", "3x3-het-cb-256", "3x3-het-sides", "3x3-het-sides-256"),
        *("3x3-os", "3x3-os-256", "3x3-t-het", "3x3-t-os", "3x3-t-ws"),
        *("3x3-ws", "3x3-ws-256"),
        "6x6-het-cross",
        "6x6-os",
        "6x6-ws",
        "monolithic",
    ]


def test_mixes_of_packages():
    def count(name):
        types = [chiplet.type for chiplet in load_package(name).chiplets]
        return types.count("nvdla"), types.count("shidiannao")

    assert count("2x2") == (2, 2)
    assert count("3x3-het-cb") == (5, 4)
    assert count("3x3-het-sides") == (6, 3)
    assert count("6x6-het-cross") == (16, 20)
    assert count("6x6-os") == (0, 36)
    assert count("3x3-t-het") == count("3x3-het-sides")


def test_packages_of_the_ar_vr_size():
    """As those of 4096 PEs, chiplet by chiplet, but for the PEs (I19)."""
    for name in ("3x3-ws", "3x3-os", "3x3-het-cb", "3x3-het-sides"):
        large, small = load_package(name), load_package(f"{name}-256")
        for one, other in zip(large.chiplets, small.chiplets, strict=True):
            assert (other.type, other.router) == (f"{one.type}-256", one.router)
            kind = replace(large.types[one.type], name=other.type, num_pes=256)
            assert small.types[other.type] == kind
        assert (small.links, small.dram) == (large.links, large.dram)


def test_triangular_packages():
    """A mesh's 24 links and two each way a cell; corner to corner in two hops."""
    for name in ("ws", "os", "het"):
        made = load_package(f"3x3-t-{name}")
        assert len(made.links) == 24 + 8
        assert len(route(made, 0, 8)) == len(route(made, 8, 0)) == 2
        assert len(route(made, 2, 6)) == 4


def test_monolithic_has_the_sum_and_every_part_can_be_given():
    """4·4096 PEs, 4·10 MiB, 4·256 bytes/cycle, 64 GB/s."""
    made = load_package("monolithic")
    [(name, kind)] = made.types.items()
    assert name == kind.name == "shidiannao-monolithic"
    assert (kind.num_pes, kind.l2_bytes) == (16_384, 41_943_040)
    assert (kind.noc_bytes_per_cycle, made.dram.bandwidth_gb_s) == (1024, 64)
    assert kind.dataflow == "os"
    assert made.dram.interfaces == (Interface(0, Fraction(1)),)
    assert made.port_in_gb_s is None
    assert made.links == ()
    mix = load_package("2x2")
    assert replace(monolithic(mix, "shidiannao"), name="monolithic") == made
    given = monolithic(
        mix,
        "eyeriss",
        num_pes=5,
        l2_bytes=6,
        noc_bytes_per_cycle=Fraction(7),
        dram_gb_s=Fraction(8),
    )
    in_file = load_package(
        "monolithic",
        {
            "name": "monolithic-eyeriss",
            "monolithic": {
                "type": "eyeriss",
                "num_pes": 5,
                "l2_bytes": 6,
                "noc_bytes_per_cycle": 7,
                "dram_gb_s": 8,
            },
        },
    )
    assert given == in_file
    assert given.dram.bandwidth_gb_s == 8
    assert given.types["eyeriss-monolithic"].noc_bytes_per_cycle == 7


def test_monolithic_sums_vector_lanes_where_a_type_says_them():
    """Two of 64 lanes and two that say none (4096 PEs): 2·64 + 2·4096 = 8320."""
    assert (
        load_package("monolithic").types["shidiannao-monolithic"].vector_lanes is None
    )
    few = {"types": {"nvdla": {"base": "nvdla", "vector_lanes": 64}}}
    mix = load_package("2x2", few)
    assert mix.types["nvdla"].vector_lanes == 64
    [kind] = monolithic(mix, "shidiannao").types.values()
    assert kind.vector_lanes == 8320
    with pytest.raises(InstanceError, match="vector_lanes: got 0, expected an integer"):
        load_package("2x2", {"types": {"nvdla": {"base": "nvdla", "vector_lanes": 0}}})


def test_variants_agree_with_overrides():
    base = load_instance("headline")
    four = load_instance("headline", {"package": {"dram": {"interfaces": 4}}})
    made = with_package(base, with_interfaces(base.package, 4))
    assert made == four
    all_ws = load_package("2x2", {"chiplets": ["nvdla"] * 4})
    assert with_chiplets(load_package("2x2"), ["nvdla"] * 4) == all_ws
    wide = with_types(all_ws, noc_bytes_per_cycle=Fraction(512))
    assert wide.types["nvdla"].noc_bytes_per_cycle == 512
    override = {"types": {"nvdla": {"base": "nvdla", "noc_bytes_per_cycle": 512}}}
    other = load_package("2x2", {"chiplets": ["nvdla"] * 4, **override})
    assert wide == other
    mode = with_interfaces(base.package, [Interface(3, Fraction(1))], "interleaved")
    assert mode.dram.mode == "interleaved"
    short = load_instance("headline", {"models": [{"build": "resnet50"}]})
    assert with_models(base, base.models[1:]) == short


@pytest.mark.parametrize(
    "call",
    [
        lambda mix: with_chiplets(mix, ["nvdla"]),
        lambda mix: with_chiplets(mix, ["nvdia"] * 4),
        lambda mix: with_interfaces(mix, 3),
        lambda mix: monolithic(mix, "tpu"),
    ],
)
def test_variants_that_are_refused(call):
    with pytest.raises(InstanceError, match="expected"):
        call(load_package("2x2"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected canonical JSON"),
        ("[1]", "expected a mapping"),
        ('{"schema":"instance/1","instance":{}}', "canonical-instance/1"),
        ('{"schema":"canonical-instance/1","instance":{"x":1}}', "difference at"),
        ('{"a":1,"a":2}', "stands twice"),
        ('{"a":1.5}', "the number 1.5"),
        ('{"a":NaN}', "the number NaN"),
    ],
)
def test_texts_that_are_not_canonical(text, message):
    with pytest.raises(InstanceError, match=message):
        from_canonical_json(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"tick_ps":1000', '"tick_ps":"1000"', "tick_ps: got '1000'"),
        ('"tick_ps":1000', '"tick_ps":0', "tick_ps: got 0"),
        ('"1/3"', '"2/6"', "got '2/6', expected an integer or"),
        ('"1/3"', '"/3"', "got '/3', expected an integer or"),
        ('"serial":true', '"serial":1', "options.serial: got 1"),
        ('[["on","no"],', '[["on"],', "expected \\[model, layer\\]"),
    ],
)
def test_canonical_texts_with_a_wrong_value(tiny, old, new, message):
    text = to_canonical_json(tiny)
    assert old in text
    with pytest.raises(InstanceError, match=message):
        from_canonical_json(text.replace(old, new, 1))

"""The comparisons with published figures: worked by hand, and as committed."""

from __future__ import annotations

import math
from itertools import product

import pytest

from instances.dataflow import read_dataflow
from instances.models.alexnet import alexnet
from instances.models.resnet import resnet
from instances.schema import Layer, LoopBounds
from results import paper, validate
from results.tables.document import document
from results.validation import eyeriss, nvdla, tables
from results.validation.nvdla import Costed, Rule, Size


@pytest.fixture(scope="module")
def layers():
    model = alexnet(samples=4, bytes_per_element=2)
    return {layer.name: layer for layer in model.layers}


@pytest.fixture(scope="module")
def mappings(layers):
    return {
        name: eyeriss.published_mapping(layers[name], published)
        for name, published in eyeriss.PUBLISHED.items()
    }


@pytest.fixture(scope="module")
def rows():
    return eyeriss.rows()


@pytest.fixture(scope="module")
def sizes():
    return nvdla.costed()


@pytest.fixture(scope="module")
def own():
    return nvdla.costed(by_primer=False)


@pytest.mark.parametrize("name", eyeriss.PUBLISHED)
def test_published_mappings_fit_the_array(mappings, name):
    """Each split can be shared out over the 12 rows and 14 columns of the file."""
    array = read_dataflow(eyeriss.DATAFLOW).array
    assert [axis.pes for axis in array] == [12, 14]
    left = {d: turns for d, turns in mappings[name].split.items() if turns > 1}
    ways = []
    for turns in left.values():
        pairs = product(range(1, turns + 1), repeat=2)
        ways.append([pair for pair in pairs if math.prod(pair) >= turns])

    def fits(chosen):
        for at, axis in enumerate(array):
            used = {d: pair[at] for d, pair in zip(left, chosen, strict=True)}
            if math.prod(used.values()) > axis.pes:
                return False
            if any(size > 1 and d not in axis.loops for d, size in used.items()):
                return False
        return True

    assert any(fits(chosen) for chosen in product(*ways))


@pytest.mark.parametrize(
    ("name", "input_kb", "sums_kb"),
    [
        ("conv1", 15.5, 72.1),
        ("conv2", 3.8, 91.1),
        ("conv3", 7.0, 84.5),
        ("conv4", 10.5, 84.5),
        ("conv5", 10.5, 84.5),
    ],
)
def test_what_waits_in_the_buffer_is_table_iii(mappings, name, input_kb, sums_kb):
    """The published shares, which round the second figure down."""
    found = mappings[name]
    assert 2 * found.tile_in / 1024 == pytest.approx(input_kb, abs=0.1)
    assert 2 * found.tile_out / 1024 == pytest.approx(sums_kb, abs=0.1)


def test_active_pes_are_the_measured_ones(rows):
    for row in rows:
        assert row.pes == row.published.pes, row.name


def test_conv5_by_hand(mappings):
    """Passes: 2 groups · 128/(16·2) filters · 192/(3·2) channels · 4/4 samples = 256.

    A pass computes 16·3 rows of 3 taps for 13 columns of 4 samples: 16·3·3·13·4 =
    7488 cycles. Filters: 32·6·9 = 1728 words at 4 a cycle: 432 cycles; the window,
    15 rows of 3 words of 6 channels, 270 cycles, hides behind them. Sums out:
    256·169·4·32 = 5 537 792 words at 4 a cycle, less than the computing.
    """
    found = mappings["conv5"]
    assert math.prod(found.folds[d] for d in "gkcy") == 256
    assert found.compute_cycles == 256 * 7488
    assert found.noc_up == 5_537_792
    assert eyeriss.filled_cycles(found) == 256 * (7488 + 432)


def test_conv2_waits_for_its_window(mappings):
    """1536 passes; filters 16·2·25/4 = 200 cycles; window 31 rows · 5 · 2 = 310."""
    found = mappings["conv2"]
    assert eyeriss.filled_cycles(found) == 1536 * (16 * 2 * 5 * 27 + 310)


def test_conv3_waits_for_its_sums(mappings):
    """384·169·4 sums leave 64 times, 4 words a cycle: more than 384·9984 cycles."""
    found = mappings["conv3"]
    assert found.noc_up == 64 * 384 * 169 * 4
    assert found.noc_down == 63 * 384 * 169 * 4
    assert found.compute_cycles == 384 * 9984 < found.noc_up / 4
    assert eyeriss.filled_cycles(found) == 384 * 64 * 4 * 9 // 4 + found.noc_up // 4


def test_conv1_reads_halos_and_filters_again(mappings):
    """8 strips of 35 input rows (the last of 31); 32 times all filters; outputs once.

    Inputs: 4·3·(7·35 + 31)·227 words; filters 4·8·34 848; outputs 4·96·55·55.
    """
    found = mappings["conv1"]
    expected = 4 * 3 * (7 * 35 + 31) * 227 + 32 * 34_848 + 4 * 96 * 55 * 55
    assert eyeriss.outside(found) == expected


def test_eyeriss_keeps_its_aim(rows):
    filled, alone, own = tables.mean_errors(rows)
    assert filled <= tables.EYERISS_MEAN < alone < own
    assert all(row.alone_ms < row.published.ms for row in rows)


@pytest.mark.parametrize("size", nvdla.SIZES, ids=lambda size: str(size.macs))
def test_arrays_of_nvdla_are_its_atomics(size):
    found = read_dataflow(nvdla.FOLDER / f"nvdla-{size.atomic_c}x{size.atomic_k}.yaml")
    first = read_dataflow(nvdla.FOLDER / "nvdla-64x32.yaml")
    shape = [(axis.loops, axis.pes) for axis in found.array]
    assert shape == [(("c", "s"), size.atomic_c), (("k",), size.atomic_k)]
    for part in ("order", "hold", "slides", "multicast", "reduce"):
        assert getattr(found, part) == getattr(first, part)


def test_first_layer_packs_channels_and_columns(sizes):
    """64x32: 21 of 64 along C, 2 folds of K. 8x8: 7 columns, 3 folds of C, 8 of K."""
    macs = {one.size.macs: one.layers[0][0] for one in sizes}
    assert macs[2048] == 112 * 112 * 7 * 2
    assert macs[64] == 112 * 112 * 7 * 3 * 8


def test_nothing_is_faster_than_it_can_be(sizes):
    model = resnet(50)
    total = sum(layer.macs for layer in model.layers)
    least = sum(
        u.bytes * (len(u.consumers) + (u.producer is not None)) for u in model.tensors
    ) + sum(x.weight_bytes for x in model.layers)
    for one in sizes:
        assert len(one.layers) == len(model.layers) == 54
        assert sum(cycles for cycles, _ in one.layers) >= total / one.size.macs
        assert sum(moved for _, moved in one.layers) >= least


def toy(frames_per_s: float, *layers: tuple[int, int]) -> Costed:
    return Costed(Size(8, 8, 128, 1.0, frames_per_s), layers)


@pytest.mark.parametrize(
    ("rule", "microseconds"),
    [
        (Rule(), 3 + 4),
        (Rule(exposed=1), 3 + 1 + 2 + 4),
        (Rule(exposed=0.5), 3.5 + 5),
        (Rule(efficiency=0.5), 3 + 8),
        (Rule(exposed=0.5, efficiency=0.25), 4 + 1.5 + 16 + 1),
    ],
)
def test_rules_by_hand(rule, microseconds):
    """3000 cycles are 3 us at 1 GHz, 1000 bytes are 1 us at 1 GB/s."""
    found = toy(1.0, (3000, 1000), (2000, 4000))
    assert found.frames_per_s(rule) == pytest.approx(1e6 / microseconds)
    assert found.error(rule) == pytest.approx(1e6 / microseconds - 1)


def test_fit_balances_the_largest_errors():
    """Both are MACs = DRAM = 1 us: 1e6/(1 + h) fps. Against 1e6 and 5e5 the errors
    are -h/(1+h) and 2/(1+h) - 1 = (1-h)/(1+h): equal in size at h = 1/2."""
    pair = [toy(1e6, (1000, 1000)), toy(5e5, (1000, 1000))]
    assert nvdla.fit(pair, nvdla.EXPOSED) == Rule(exposed=0.5)
    assert nvdla.worst(pair, Rule(exposed=0.5)) == pytest.approx(1 / 3)
    assert nvdla.mean(pair, Rule(exposed=1)) == pytest.approx(1 / 4)


def test_split_is_three_and_three(sizes):
    on, shown = nvdla.split(sizes)
    assert [one.size.macs for one in on] == [2048, 256, 64]
    assert [one.size.macs for one in shown] == [1024, 512, 128]


@pytest.mark.parametrize(
    ("buffer_kib", "bounds", "expected"),
    [
        # 3 rows of 10 columns of 64: 1920 bytes; 14 464 beside them for 36 864.
        (16, LoopBounds(k=64, c=64, oy=8, ox=8, r=3, s=3), 3),
        # A row of 8 columns: 512 bytes; 15 872 beside them for 4096.
        (16, LoopBounds(k=64, c=64, oy=8, ox=8), 1),
        # 8704 beside them for 8704, and for 64 more.
        (9, LoopBounds(k=136, c=64, oy=8, ox=8), 1),
        (9, LoopBounds(k=137, c=64, oy=8, ox=8), 2),
        # Stride 2: 5 rows of 19 columns of 4 are 380 bytes; 644 for 600 and for 700.
        (1, LoopBounds(k=6, c=4, oy=8, ox=8, r=5, s=5, stride=2), 1),
        (1, LoopBounds(k=7, c=4, oy=8, ox=8, r=5, s=5, stride=2), 2),
    ],
)
def test_passes_by_hand(buffer_kib, bounds, expected):
    weights = bounds.k * bounds.c * bounds.r * bounds.s
    size = Size(8, 8, buffer_kib, 1.0, 1.0)
    assert nvdla.passes(size, Layer("l", "conv", bounds, weights)) == expected


def test_a_support_region_beyond_the_buffer_is_refused():
    layer = Layer("l", "conv", LoopBounds(k=1, c=1024, oy=1, ox=1), 1024)
    with pytest.raises(ValueError, match="layer l: its support region exceeds"):
        nvdla.passes(Size(8, 8, 1, 1.0, 1.0), layer)


def test_the_primer_reads_inputs_again_and_nothing_else(sizes, own):
    """Every pass reads the input; the second summand, weights and outputs cross once.

    MACs are those of the mapper's fastest mode, whoever says what DRAM carries.
    """
    model = resnet(50)
    for one, other in zip(sizes, own, strict=True):
        both = zip(model.layers, one.layers, other.layers, strict=True)
        for layer, (cycles, moved), (own_cycles, _) in both:
            read = [u for u in model.tensors if layer.name in u.consumers]
            least = sum(u.bytes for u in read) + layer.weight_bytes
            least += layer.bounds.outputs
            [over] = [u for u in read if u.name in layer.operands or len(read) == 1]
            assert cycles == own_cycles
            again, rest = divmod(moved - least, over.bytes)
            assert (rest, again) == (0, nvdla.passes(one.size, layer) - 1)


def test_nvdla_is_where_the_page_says(sizes, own):
    """With the primer's passes one constant meets both aims; else none does."""
    for found, met in ((sizes, True), (own, False)):
        on, of = nvdla.split(found)[0], nvdla.counted(found)
        exposed = nvdla.fit(on, nvdla.EXPOSED)
        efficient = nvdla.fit(on, nvdla.EFFICIENT)
        assert nvdla.worst(of, exposed) <= tables.MOST
        assert nvdla.mean(of, exposed) > tables.MEAN
        assert (nvdla.worst(of, efficient) <= tables.MOST) == met
        assert (nvdla.mean(of, efficient) <= tables.MEAN) == met
        least = nvdla.best_mean_within(found, tables.MOST)
        assert least is not None
        assert (least <= tables.MEAN) == met
        assert least <= nvdla.mean(of, exposed)
        assert nvdla.best_mean_within(found, 0.05) is None
        assert all(one.error(nvdla.PRIMER) > 0 for one in of)
        slow = {one.size.macs for one in of if one.error(nvdla.NO_OVERLAP) >= 0}
        assert slow <= {64}


def test_every_split_holds_the_one_chosen(sizes):
    on, shown = nvdla.split(sizes)
    rule = nvdla.fit(on, nvdla.EXPOSED)
    over = nvdla.every_split(sizes, nvdla.EXPOSED)
    assert over.rules[0].exposed < rule.exposed < over.rules[1].exposed
    assert over.means[0] <= nvdla.mean(shown, rule) <= over.means[1]
    assert over.worsts[0] <= nvdla.worst(shown, rule) <= over.worsts[1]


def test_committed_tables_are_what_the_command_makes(rows, sizes, own):
    page = (validate.FOLDER / validate.PAGE).read_text(encoding="utf-8")
    for name, text in validate.texts(page, rows, sizes, own).items():
        assert (validate.FOLDER / name).read_text(encoding="utf-8") == text, name


def test_the_document_holds_every_table_and_figure(rows, sizes, own):
    lines = paper.read()
    every = {**paper.tables(lines), **validate.tables_of(rows, sizes, own)}
    captions = {name: x.caption for name, x in paper.drawings(lines).items()}
    text = document(every, captions)
    assert (paper.FOLDER / "paper.tex").read_text(encoding="utf-8") == text
    assert text.isascii()
    assert all(f"\\input{{{name}}}" in text for name in every)
    assert all(f"{{{name}.pdf}}" in text for name in captions)


def test_a_page_without_markers_is_an_error():
    page = "<!-- table: eyeriss -->\nold\n<!-- end -->\ntext"
    filled = validate.between(page, "eyeriss", "new\n")
    assert filled == "<!-- table: eyeriss -->\nnew\n<!-- end -->\ntext"
    with pytest.raises(ValueError, match="got 0 tables 'nvdla', expected 1"):
        validate.between(page, "nvdla", "new\n")

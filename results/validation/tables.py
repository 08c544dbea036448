"""The two comparisons as tables, and all their digits as CSV. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.tables.table import Column, Table
from results.text import NONE
from results.validation import nvdla

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.validation.eyeriss import Row
    from results.validation.nvdla import Costed, Rule

MOST, MEAN = 0.20, 0.12  # aims for NVDLA: every size, mean of the six
EYERISS_MEAN = 0.10  # aim for Eyeriss: mean of the five layers


def signed(error: float) -> str:
    """Return an error in whole percent: ``+13 %``; ``0 %`` has no sign."""
    rounded = round(100 * error)
    return f"{rounded:+d} %" if rounded else "0 %"


def share(value: float) -> str:
    """Return a share in percent, one decimal."""
    return f"{100 * value:.1f} %"


def whole(value: float) -> str:
    """Return a share in whole percent."""
    return f"{100 * value:.0f} %"


def verdict(value: float, aim: float) -> str:
    """Whether an error is within its aim."""
    return "met" if value <= aim else "missed"


def _table(caption: str, header: Sequence[str], rows: Sequence[tuple[str, ...]],
           notes: Sequence[str]) -> Table:  # fmt: skip
    """Return a table of texts, all but the first column aligned on the right."""
    kinds = ["text", *(["right"] * (len(header) - 1))]
    columns = [
        Column(head, head, kind) for head, kind in zip(header, kinds, strict=True)
    ]
    return Table(caption, tuple(columns), tuple(rows), tuple(notes))


def nvdla_table(found: Sequence[Costed], own: Sequence[Costed]) -> Table:
    """Return the table of NVDLA's sizes and what was fitted on which.

    Parameters
    ----------
    found, own
        With the primer's DRAM traffic, and with that of the mapper's own tilings.
    """
    exposed, efficient = _rules(found)
    fitted = _rules(own)
    header = (
        "MACs",
        "published fps",
        "all hidden (primer's rule)",
        "nothing hidden",
        f"{100 * exposed.exposed:.0f} % exposed (fitted)",
        f"DRAM at {100 * efficient.efficiency:.0f} % (fitted)",
        "own tilings, all hidden",
        f"own tilings, {100 * fitted[0].exposed:.0f} % exposed (fitted)",
        f"own tilings, DRAM at {100 * fitted[1].efficiency:.0f} % (fitted)",
        "role",
    )
    rules = (nvdla.PRIMER, nvdla.NO_OVERLAP, exposed, efficient)
    own_rules = (nvdla.PRIMER, *fitted)
    rows = []
    for one, other in zip(found, own, strict=True):
        both = [(one, rule) for rule in rules] + [(other, rule) for rule in own_rules]
        cells = [f"{x.frames_per_s(r):.3g} ({signed(x.error(r))})" for x, r in both]
        size = one.size
        rows.append((str(size.macs), f"{size.frames_per_s:g}", *cells, _role(one)))
    of, of_own = nvdla.counted(found), nvdla.counted(own)
    pairs = [(of, rule) for rule in rules] + [(of_own, rule) for rule in own_rules]
    means = (share(nvdla.mean(sizes, rule)) for sizes, rule in pairs)
    worsts = (share(nvdla.worst(sizes, rule)) for sizes, rule in pairs)
    rows.append(("mean of the six", NONE, *means, NONE))
    rows.append(("largest of the six", NONE, *worsts, NONE))
    caption = "NVDLA's own estimates for ResNet-50 in frames per second, and ours."
    notes = [*_nvdla_notes(found, exposed, efficient), _nvdla_own(own)]
    return _table(caption, header, rows, notes)


def _rules(found: Sequence[Costed]) -> tuple[Rule, Rule]:
    """The two rules of one constant, fitted."""
    on, _ = nvdla.split(found)
    return nvdla.fit(on, nvdla.EXPOSED), nvdla.fit(on, nvdla.EFFICIENT)


def _role(one: Costed) -> str:
    """Whether a size was fitted on, shown, or does not count."""
    macs = one.size.macs
    if macs not in nvdla.COUNTED:
        return "beside"
    return "fitted" if macs in nvdla.FITTED else "shown"


def _nvdla_notes(found: Sequence[Costed], exposed: Rule, efficient: Rule) -> list[str]:
    """The aims, and how much hangs on the choice of sizes."""
    of, (_, shown) = nvdla.counted(found), nvdla.split(found)
    lines = []
    named = (
        ("exposed share", exposed, nvdla.EXPOSED),
        ("DRAM efficiency", efficient, nvdla.EFFICIENT),
    )
    for name, rule, rules in named:
        largest, mean = nvdla.worst(of, rule), nvdla.mean(of, rule)
        lines.append(
            f"{name}: every size within {whole(MOST)} {verdict(largest, MOST)} "
            f"({share(largest)}); mean of at most {whole(MEAN)} {verdict(mean, MEAN)} "
            f"({share(mean)}); the three sizes shown: "
            f"mean {share(nvdla.mean(shown, rule))}, "
            f"largest {share(nvdla.worst(shown, rule))}"
        )
        over = nvdla.every_split(found, rules)
        low, high = over.rules
        constants = (
            f"{low.exposed:.2f} to {high.exposed:.2f}"
            if rules is nvdla.EXPOSED
            else f"{low.efficiency:.2f} to {high.efficiency:.2f}"
        )
        lines.append(
            f"{name}, all 20 ways to fit on three of the six: constant {constants}, "
            f"mean of the other three {share(over.means[0])} to "
            f"{share(over.means[1])}, their largest {share(over.worsts[0])} to "
            f"{share(over.worsts[1])}"
        )
    least = nvdla.best_mean_within(found, MOST)
    lines.append(
        f"both constants together, fitted on all six (steps of 0.05): least mean "
        f"with every size within {whole(MOST)}: "
        f"{'there is none' if least is None else share(least)}"
    )
    return lines


def _nvdla_own(own: Sequence[Costed]) -> str:
    """The same aims with the traffic of the mapper's own tilings."""
    of, parts = nvdla.counted(own), []
    for name, rule in zip(
        ("exposed share", "DRAM efficiency"), _rules(own), strict=True
    ):
        mean, largest = nvdla.mean(of, rule), nvdla.worst(of, rule)
        parts.append(
            f"{name}: largest {share(largest)} ({verdict(largest, MOST)}), "
            f"mean {share(mean)} ({verdict(mean, MEAN)})"
        )
    return f"with the mapper's own tilings: {'; '.join(parts)}"


def nvdla_csv(found: Sequence[Costed], own: Sequence[Costed]) -> str:
    """Return the same sizes with what the figures were made of."""
    exposed, efficient = _rules(found)
    own_exposed, own_efficient = _rules(own)
    header = (
        "macs,atomic_c,atomic_k,buffer_kib,dram_gb_s,role,published_fps,mac_ms,"
        "dram_mb,hidden_fps,nothing_hidden_fps,exposed_share,exposed_fps,"
        "dram_efficiency,efficient_fps,own_dram_mb,own_hidden_fps,own_exposed_share,"
        "own_exposed_fps,own_dram_efficiency,own_efficient_fps"
    )
    rows = []
    for one, other in zip(found, own, strict=True):
        size = one.size
        cycles = sum(layer[0] for layer in one.layers)
        moved = sum(layer[1] for layer in one.layers)
        own_moved = sum(layer[1] for layer in other.layers)
        rows.append(
            [
                str(size.macs),
                *(str(size.atomic_c), str(size.atomic_k), str(size.buffer_kib)),
                *(f"{size.dram_gb_s:g}", _role(one), f"{size.frames_per_s:g}"),
                *(f"{cycles / (nvdla.CLOCK_MHZ * 1000):.3f}", f"{moved / 1e6:.3f}"),
                f"{one.frames_per_s(nvdla.PRIMER):.3f}",
                f"{one.frames_per_s(nvdla.NO_OVERLAP):.3f}",
                *(f"{exposed.exposed:g}", f"{one.frames_per_s(exposed):.3f}"),
                *(f"{efficient.efficiency:g}", f"{one.frames_per_s(efficient):.3f}"),
                f"{own_moved / 1e6:.3f}",
                f"{other.frames_per_s(nvdla.PRIMER):.3f}",
                f"{own_exposed.exposed:g}",
                f"{other.frames_per_s(own_exposed):.3f}",
                f"{own_efficient.efficiency:g}",
                f"{other.frames_per_s(own_efficient):.3f}",
            ]
        )
    return _csv(header, rows)


def eyeriss_table(rows: Sequence[Row]) -> Table:
    """Return the table of the chip's layers, with totals and mean errors."""
    header = (
        "layer",
        "measured ms",
        "PEs filled before each pass",
        "cost model alone",
        "mapper's own mapping",
        "PEs measured / model",
        "buffer MB measured / model",
        "DRAM MB measured / model",
    )
    table: list[tuple[str, ...]] = []
    for row in rows:
        was = row.published
        times = (f"{value:.1f} ({signed(value / was.ms - 1)})" for value in _times(row))
        filled, alone, own = times
        ratio = signed(row.glb_mb / was.glb_mb - 1)
        pes = f"{was.pes} / {row.pes}"
        buffer = f"{was.glb_mb} / {row.glb_mb:.1f} ({ratio})"
        dram = f"{was.dram_mb} / {row.dram_mb:.1f}"
        table.append((row.name, f"{was.ms}", filled, alone, own, pes, buffer, dram))
    total = sum(row.published.ms for row in rows)
    sums = [sum(column) for column in zip(*map(_times, rows), strict=True)]
    cells = [f"{value:.1f} ({signed(value / total - 1)})" for value in sums]
    table.append(("total", f"{total:.1f}", *cells, NONE, NONE, NONE))
    means = mean_errors(rows)
    of_means = [share(value) for value in means]
    table.append(("mean absolute error", NONE, *of_means, NONE, NONE, NONE))
    note = (
        f"aim, a mean of at most {whole(EYERISS_MEAN)}: with the PEs filled before "
        f"each pass {verdict(means[0], EYERISS_MEAN)}; the cost model alone "
        f"{verdict(means[1], EYERISS_MEAN)}; the mapper's own mappings "
        f"{verdict(means[2], EYERISS_MEAN)}"
    )
    caption = "Eyeriss, measured on AlexNet, and the cost model: time and traffic."
    return _table(caption, header, table, [note])


def _times(row: Row) -> tuple[float, float, float]:
    """The model's three times of a layer."""
    return row.filled_ms, row.alone_ms, row.own_ms


def mean_errors(rows: Sequence[Row]) -> tuple[float, float, float]:
    """Mean absolute error of the times: filled, alone, the mapper's own."""

    def mean(errors: Iterable[float]) -> float:
        return sum(map(abs, errors)) / len(rows)

    filled, alone, own = (
        mean(_times(row)[at] / row.published.ms - 1 for row in rows) for at in range(3)
    )
    return filled, alone, own


def eyeriss_csv(rows: Sequence[Row]) -> str:
    """Return the same layers, a value to a column."""
    header = (
        "layer,measured_ms,filled_ms,alone_ms,own_mapping_ms,measured_pes,pes,"
        "measured_buffer_mb,buffer_mb,measured_dram_mb,uncompressed_dram_mb"
    )
    lines = []
    for row in rows:
        was = row.published
        lines.append(
            [
                *(row.name, f"{was.ms}"),
                *(f"{value:.3f}" for value in _times(row)),
                *(str(was.pes), str(row.pes)),
                *(f"{was.glb_mb}", f"{row.glb_mb:.3f}"),
                *(f"{was.dram_mb}", f"{row.dram_mb:.3f}"),
            ]
        )
    return _csv(header, lines)


def _csv(header: str, rows: Sequence[Sequence[str]]) -> str:
    """Return CSV text; no cell holds a comma."""
    return "".join(f"{line}\n" for line in (header, *map(",".join, rows)))

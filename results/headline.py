"""GPT-2 and ResNet-50: every 2x2 mix of dataflows against one large die.

The comparison of arXiv 2312.09401 as far as it is published: the monolithic
accelerator is output stationary and has the sums of the package's PEs, L2, DRAM
bandwidth and on-chip NoC bandwidth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instances.load import load_instance
from instances.variants import monolithic, with_chiplets, with_package
from results.compare import Effort, package_facts, recorded
from results.symmetry import mixes, symmetries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from formulation.outcome import Report
    from instances.schema import Instance, Package
    from results.record import Runs

SCENARIO = "headline-contiguous"
OS, WS = "shidiannao", "nvdla"
LETTERS = {OS: "O", WS: "W"}
MONOLITHIC = "monolithic"
STUDY = "headline"


@dataclass(frozen=True, slots=True)
class Variant:
    """A row: its label, its instance, the mixes that it stands for."""

    label: str
    instance: Instance
    members: tuple[str, ...] = ()


def label_of(types: Sequence[str], width: int) -> str:
    """Return a mix as letters, mesh row by mesh row: ``WO/OW``."""
    letters = "".join(LETTERS.get(kind, "?") for kind in types)
    return "/".join(letters[k : k + width] for k in range(0, len(letters), width))


def monolithic_of(base: Instance) -> Variant:
    """Return the row of the large output-stationary die."""
    die = monolithic(base.package, OS, name=MONOLITHIC)
    return Variant(MONOLITHIC, with_package(base, die, f"{base.name}-{MONOLITHIC}"))


def mix_of(base: Instance, types: Sequence[str]) -> Instance:
    """Return the instance on the base package with other chiplet types."""
    label = label_of(types, base.package.width)
    name = label.lower().replace("/", "")
    package = with_chiplets(base.package, types, f"{base.package.name}-{name}")
    return with_package(base, package, f"{base.name}-{name}")


def variants(base: Instance) -> list[Variant]:
    """Return all rows: the die, the two pure packages, every mix up to symmetry."""
    rows = [monolithic_of(base)]
    classes = mixes((OS, WS), symmetries(base.package))
    pure = [group for group in classes if len(set(group[0])) == 1]
    mixed = [group for group in classes if len(set(group[0])) > 1]
    for group in [*pure, *mixed]:
        members = tuple(label_of(types, base.package.width) for types in group)
        rows.append(Variant(members[0], mix_of(base, group[0]), members))
    return rows


def symmetry_text(package: Package) -> str:
    """Return one sentence on the symmetries that merge mixes."""
    found = symmetries(package)
    classes = mixes((OS, WS), found)
    total = sum(len(group) for group in classes)
    moves = ", ".join(str(list(to)) for to in found if list(to) != sorted(to))
    return (
        f"{total} mixes fall into {len(classes)} classes: of all permutations of "
        f"positions only the identity and {moves or 'no other'} keep links, XY routes "
        "and DRAM interfaces with their shares"
    )


def headline(
    effort: Effort,
    runs: Runs,
    *,
    scenario: str = SCENARIO,
    stop: Event | None = None,
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """Return one record a row; rows that `runs` holds already are not repeated.

    After Ctrl-C the row at work is kept as it is and the others are left out.
    """
    base = load_instance(scenario)
    text = symmetry_text(base.package)
    lines = []
    for variant in variants(base):
        if stop is not None and stop.is_set():
            break
        about = {
            "scenario": scenario,
            "members": list(variant.members),
            "symmetry": text,
            "base": package_facts(base.package),
        }
        lines.append(
            recorded(
                variant.instance,
                effort,
                runs,
                study=STUDY,
                variant=variant.label,
                about=about,
                stop=stop,
                report=report,
            )
        )
    return lines

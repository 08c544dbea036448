"""GPT-2 and ResNet-50: every 2x2 mix of dataflows against one large die.

The comparison of arXiv 2312.09401 as far as it is published: the monolithic
accelerator is output stationary and has the sums of the package's PEs, L2, DRAM
bandwidth and on-chip NoC bandwidth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.load import load_instance
from instances.variants import monolithic, with_chiplets, with_package
from results.compare import package_facts
from results.experiments.point import Variant
from results.run import pipelined
from results.symmetry import mixes, symmetries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instances.schema import Instance

SCENARIO = "headline-contiguous"
OS, WS = "shidiannao", "nvdla"
LETTERS = {OS: "O", WS: "W"}
MONOLITHIC = "monolithic"


def label_of(types: Sequence[str], width: int) -> str:
    """Return a mix as letters, mesh row by mesh row: ``WO/OW``."""
    letters = "".join(LETTERS.get(kind, "?") for kind in types)
    return "/".join(letters[k : k + width] for k in range(0, len(letters), width))


def mix_of(base: Instance, types: Sequence[str]) -> Instance:
    """Return the instance on the base package with other chiplet types."""
    label = label_of(types, base.package.width)
    name = label.lower().replace("/", "")
    package = with_chiplets(base.package, types, f"{base.package.name}-{name}")
    return with_package(base, package, f"{base.name}-{name}")


def symmetry_text(base: Instance) -> str:
    """Return one sentence on the symmetries that merge mixes."""
    found = symmetries(base)
    classes = mixes((OS, WS), found)
    total = sum(len(group) for group in classes)
    moves = ", ".join(str(list(to)) for to in found if list(to) != sorted(to))
    return (
        f"{total} mixes fall into {len(classes)} classes: of all permutations of "
        f"positions only the identity and {moves or 'no other'} keep links, XY routes "
        "and DRAM interfaces with their shares"
    )


def variants(scenario: str = SCENARIO) -> list[Variant]:
    """Return all rows: the die, the two pure packages, every mix up to symmetry."""
    base = pipelined(load_instance(scenario))
    facts = {
        "scenario": scenario,
        "symmetry": symmetry_text(base),
        "base": package_facts(base.package),
    }
    die = monolithic(base.package, OS, name=MONOLITHIC)
    alone = with_package(base, die, f"{base.name}-{MONOLITHIC}")
    rows = [Variant(MONOLITHIC, alone, {**facts, "members": []})]
    classes = mixes((OS, WS), symmetries(base))
    pure = [group for group in classes if len(set(group[0])) == 1]
    mixed = [group for group in classes if len(set(group[0])) > 1]
    for group in [*pure, *mixed]:
        members = [label_of(types, base.package.width) for types in group]
        about = {**facts, "members": members}
        rows.append(Variant(members[0], mix_of(base, group[0]), about))
    return rows

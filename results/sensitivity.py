"""How far the headline moves with what the paper leaves open.

Every variation is data: entries over the scenario's file, and what the large die
is given. Each is solved for the die and for one mix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from instances.load import load_instance
from instances.variants import monolithic, with_package
from results.compare import package_facts
from results.experiments.point import Variant
from results.headline import LETTERS, MONOLITHIC, OS, SCENARIO, WS, mix_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instances.schema import Instance

MIX = "OW/WO"


@dataclass(frozen=True, slots=True)
class Variation:
    """One thing changed.

    Parameters
    ----------
    group, name
        What is varied, and to what.
    overrides
        Entries over those of the scenario's file.
    die
        Keyword arguments of `instances.variants.monolithic`.
    """

    group: str
    name: str
    overrides: Mapping[str, object] = field(default_factory=dict)
    die: Mapping[str, Any] = field(default_factory=dict)


def _tokens(count: int) -> Variation:
    models = [
        {"build": "gpt2", "size": "small", "tokens": count, "lm_head": "last"},
        {"build": "resnet50", "image": 224},
    ]
    return Variation("tokens of GPT-2", str(count), {"models": models})


def _doors(name: str, *routers: int, mode: str = "shared") -> Variation:
    shares = [{"router": r, "share": f"1/{len(routers)}"} for r in routers]
    dram = {"interfaces": shares, "mode": mode}
    return Variation("DRAM interfaces", name, {"package": {"dram": dram}})


TEMPLATES = {WS: "kcp_ws", OS: "yxp_os"}
VARIATIONS = (
    Variation("as the headline", "tokens 128, 8 bit, 2 interfaces, NoC summed"),
    *(_tokens(count) for count in (64, 256, 512, 1024)),
    Variation("precision", "16 bit", {"bytes_per_element": 2}),
    _doors("1, at a corner", 0),
    _doors("2, on the left", 0, 2),
    _doors("2, on a diagonal", 0, 3),
    _doors("4, one a chiplet", 0, 1, 2, 3),
    _doors("2, interleaved", 0, 1, mode="interleaved"),
    _doors("4, interleaved", 0, 1, 2, 3, mode="interleaved"),
    Variation(
        "NoC of the die",
        "that of one chiplet",
        die={"noc_bytes_per_cycle": Fraction(256)},
    ),
    Variation(
        "NoC of the die",
        "that of two chiplets",
        die={"noc_bytes_per_cycle": Fraction(512)},
    ),
    Variation(
        "mappings",
        "fixed templates kcp_ws and yxp_os",
        {
            "package": {
                "types": {
                    name: {"base": name, "dataflow": dataflow}
                    for name, dataflow in TEMPLATES.items()
                }
            }
        },
    ),
)


def types_of(mix: str) -> tuple[str, ...]:
    """Return the chiplet types of a mix such as ``OW/WO``.

    Raises
    ------
    ValueError
        For a letter that is neither O nor W.
    """
    kinds = {letter: kind for kind, letter in LETTERS.items()}
    letters = mix.replace("/", "")
    if not letters or not set(letters) <= set(kinds):
        raise ValueError(f"mix: got {mix!r}, expected letters O and W, as OW/WO")
    return tuple(kinds[letter] for letter in letters)


def sides(
    variation: Variation, mix: str, scenario: str = SCENARIO
) -> dict[str, Instance]:
    """Return the instances that a variation compares: the die and the mix."""
    base = load_instance(scenario, variation.overrides or None)
    die = monolithic(base.package, OS, name=MONOLITHIC, **variation.die)
    return {
        MONOLITHIC: with_package(base, die, f"{base.name}-{MONOLITHIC}"),
        mix: mix_of(base, types_of(mix)),
    }


def variants(scenario: str = SCENARIO) -> list[Variant]:
    """Return two rows a variation: the die and the mix."""
    rows = []
    for variation in VARIATIONS:
        for side, instance in sides(variation, MIX, scenario).items():
            about = {
                "group": variation.group,
                "name": variation.name,
                "side": side,
                "base": package_facts(instance.package),
            }
            label = f"{variation.group}: {variation.name}: {side}"
            rows.append(Variant(label, instance, about))
    return rows

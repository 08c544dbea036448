"""What modes are worth: at most 1, 2 or 4 of them a layer and chiplet type.

A scenario as it is, and with a half and a quarter of its L2. On the headline all L2
together then holds at most 28, 14 and 7 % of the weights. A slower or hungrier mapping
may leave more room for weights, and that is worth more the less L2 there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.load import load_instance
from instances.variants import with_package, with_types
from results.experiments.point import Variant
from results.headline import SCENARIO

if TYPE_CHECKING:
    from instances.schema import Instance

SHARES = (1, 2, 4)  # of the L2 of a chiplet: all, a half, a quarter
MODES = (1, 2, 4)


def with_share(instance: Instance, share: int) -> Instance:
    """Return the instance with 1/`share` of every chiplet's L2."""
    if share == 1:
        return instance
    types = instance.package.types.values()
    l2_bytes = max(kind.l2_bytes for kind in types) // share
    package = with_types(instance.package, l2_bytes=l2_bytes)
    return with_package(instance, package, f"{instance.name}-l2-{share}")


def variants(scenario: str = SCENARIO) -> list[Variant]:
    """Return a row for every share of the L2 and number of modes."""
    base, rows = load_instance(scenario), []
    for share in SHARES:
        instance = with_share(base, share)
        kinds = instance.package.types.values()
        for most in MODES:
            about = {
                "l2_bytes": max(kind.l2_bytes for kind in kinds),
                "max_modes": most,
            }
            label = f"1-{share} of the L2: {most} modes"
            rows.append(Variant(label, instance, about, most))
    return rows

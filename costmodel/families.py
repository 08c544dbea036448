"""The dataflow families: what may be spread over the PEs and what stays in them.

A family leaves the mapping open; `costmodel.mapper` searches it. Dimensions:
``g`` groups, ``k`` and ``c`` output and input channels of a group, ``r`` and
``s`` filter rows and columns, ``y`` and ``x`` output rows and columns (samples
of a mini-batch follow each other along ``y``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One dataflow family, as data.

    Parameters
    ----------
    name
        As `ChipletType.dataflow` names it.
    template
        The fixed mapping that the family contains (a key of `TEMPLATES`).
    spread
        Dimensions that may be split over the PEs. ``r`` and ``s`` are split
        fully or not at all.
    local
        Dimensions of which a PE may also hold several in its L1.
    weights_stay
        Weights stay in the PEs while all positions of an L2 tile pass (then they
        cross the NoC once per L2 tile of positions, else once per fold).
    sums_stay
        Partial sums stay in the PEs while all channels of an L2 tile pass (then
        they cross the NoC once per L2 tile of channels, else once per fold).
    columns_pass
        A PE walks along whole output rows, so ``x`` is never split.
    """

    name: str
    template: str
    spread: tuple[str, ...]
    local: tuple[str, ...]
    weights_stay: bool
    sums_stay: bool
    columns_pass: bool


FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="ws",
            template="kcp_ws",
            spread=("g", "k", "c", "r", "s"),
            local=("k", "c"),
            weights_stay=True,
            sums_stay=False,
            columns_pass=True,
        ),
        Family(
            name="os",
            template="yxp_os",
            spread=("g", "k", "y", "x"),
            local=("k", "y"),
            weights_stay=False,
            sums_stay=True,
            columns_pass=False,
        ),
        Family(
            name="rs",
            template="rs",
            spread=("g", "k", "c", "r", "y"),
            local=("k", "c"),
            weights_stay=False,
            sums_stay=False,
            columns_pass=True,
        ),
    )
}

# `ChipletType.dataflow` of a fixed mapping -> its key in `TEMPLATES`. The fixed
# row-stationary one is `rs_fixed` here because `rs` is the searched family.
FIXED = {"kcp_ws": "kcp_ws", "yxp_os": "yxp_os", "rs_fixed": "rs"}

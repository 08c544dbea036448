"""Which positions of a package are interchangeable, and which mixes are then one.

Chiplet types are left out: two packages whose types differ by a symmetry have the same
schedules.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from formulation.network import network_of
from formulation.symmetry import elements, things
from instances.variants import with_chiplets, with_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.symmetry import Permutation
    from instances.schema import Instance


def symmetries(instance: Instance) -> list[Permutation]:
    """Return the identity and symmetries of an instance's package, types left out.

    All of them, or where there are many, some that make up all.
    """
    package = instance.package
    count = len(package.chiplets)
    same = [package.chiplets[0].type] * count
    net = network_of(with_package(instance, with_chiplets(package, same, package.name)))
    found = things(net.chiplets, net.resources, net.links, net.routes, [None] * count)
    return [tuple(range(count)), *elements(found)]


def mixes(
    kinds: Sequence[str], symmetry: Sequence[Permutation]
) -> list[tuple[tuple[str, ...], ...]]:
    """Return the classes of all ways to give positions a kind, each sorted.

    Parameters
    ----------
    kinds
        Chiplet types, the one to name first in front.
    symmetry
        As `symmetries` returns it.
    """
    classes: list[tuple[tuple[str, ...], ...]] = []
    seen: set[tuple[int, ...]] = set()
    for types in product(range(len(kinds)), repeat=len(symmetry[0])):
        if types in seen:
            continue
        todo, members = [types], {types}
        while todo:
            mine = todo.pop()
            for to in symmetry:
                image = [0] * len(to)
                for c, d in enumerate(to):
                    image[d] = mine[c]
                if tuple(image) not in members:
                    members.add(tuple(image))
                    todo.append(tuple(image))
        seen |= members
        classes.append(tuple(tuple(kinds[k] for k in x) for x in sorted(members)))
    return classes

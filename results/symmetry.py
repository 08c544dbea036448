"""Which positions of a package are interchangeable, found by trying.

A permutation of routers is a symmetry if it maps links onto links of the same
numbers, every route (they are fixed, XY on a mesh) onto the route between the
images, interfaces onto interfaces of the same share, and every chiplet's
interface onto that of its image. Chiplet types are left out: two packages whose
types differ by a symmetry have the same schedules.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from instances.topology import route

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instances.schema import Package


def _routers(package: Package) -> list[int]:
    found = {c.router for c in package.chiplets}
    found |= {end for x in package.links for end in (x.src, x.dst)}
    return sorted(found | {i.router for i in package.dram.interfaces})


def _automorphisms(package: Package) -> Iterator[dict[int, int]]:
    """Yield the permutations of routers that keep links, chiplets and shares."""
    routers = _routers(package)
    links = {
        (x.src, x.dst): (x.bandwidth_gb_s, x.hop_latency_ns, x.energy_pj_per_bit)
        for x in package.links
    }

    def marks(router: int) -> tuple[object, ...]:
        chiplets = sum(c.router == router for c in package.chiplets)
        shares = [i.share for i in package.dram.interfaces if i.router == router]
        return chiplets, sorted(shares)

    def extend(image: dict[int, int]) -> Iterator[dict[int, int]]:
        if len(image) == len(routers):
            yield dict(image)
            return
        router = routers[len(image)]
        for to in routers:
            if to in image.values() or marks(to) != marks(router):
                continue
            fits = all(
                links.get((router, other)) == links.get((to, at))
                and links.get((other, router)) == links.get((at, to))
                for other, at in image.items()
            )
            if fits:
                image[router] = to
                yield from extend(image)
                del image[router]

    return extend({})


def _hops(package: Package, src: int, dst: int) -> list[tuple[int, int]]:
    links = (package.links[k] for k in route(package, src, dst))
    return [(link.src, link.dst) for link in links]


def _homes(package: Package) -> list[int]:
    """Return the router of every chiplet's interface: fewest hops, then first."""
    doors = [i.router for i in package.dram.interfaces]
    return [
        min(doors, key=lambda door: len(_hops(package, door, c.router)))
        for c in package.chiplets
    ]


def _keeps_routes(package: Package, image: dict[int, int]) -> bool:
    places = [c.router for c in package.chiplets]
    doors = [i.router for i in package.dram.interfaces]
    ways = [*product(places, places), *product(places, doors), *product(doors, places)]
    return all(
        [(image[a], image[b]) for a, b in _hops(package, src, dst)]
        == _hops(package, image[src], image[dst])
        for src, dst in ways
    )


def symmetries(package: Package) -> list[tuple[int, ...]]:
    """Return the symmetries as permutations of chiplets: c goes to entry c.

    A package with several chiplets or interfaces at a router is taken to have
    none but the identity.
    """
    places = [c.router for c in package.chiplets]
    doors = [i.router for i in package.dram.interfaces]
    if len(set(places)) < len(places) or len(set(doors)) < len(doors):
        return [tuple(range(len(places)))]
    homes = _homes(package)
    spread = package.dram.mode == "interleaved"
    found = []
    for image in _automorphisms(package):
        to = [places.index(image[router]) for router in places]
        at_home = all(homes[d] == image[homes[c]] for c, d in enumerate(to))
        if (spread or at_home) and _keeps_routes(package, image):
            found.append(tuple(to))
    return sorted(found)


def mixes(
    kinds: Sequence[str], symmetry: Sequence[tuple[int, ...]]
) -> list[tuple[tuple[str, ...], ...]]:
    """Return the classes of all ways to give positions a kind, each sorted.

    Parameters
    ----------
    kinds
        Chiplet types, the one to name first in front.
    symmetry
        As `symmetries` returns it.
    """
    rank = {kind: k for k, kind in enumerate(kinds)}
    groups: dict[tuple[int, ...], list[tuple[str, ...]]] = {}
    for types in product(kinds, repeat=len(symmetry[0])):
        images = []
        for to in symmetry:
            image = [0] * len(to)
            for c, d in enumerate(to):
                image[d] = rank[types[c]]
            images.append(tuple(image))
        groups.setdefault(min(images), []).append(types)
    return [tuple(groups[key]) for key in sorted(groups)]

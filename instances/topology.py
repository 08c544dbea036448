"""Links of a topology, routes on a package, places of DRAM interfaces."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from instances.vocabulary import GRIDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instances.schema import Package


def link_pairs(topology: str, width: int, height: int) -> tuple[tuple[int, int], ...]:
    """All directed links (source router, destination router), sorted.

    Parameters
    ----------
    topology
        ``mesh``; ``torus`` (mesh plus wrap-around links; on an axis of two
        routers these are the mesh's own); ``triangular`` (mesh plus links
        between (x, y) and (x+1, y+1)); ``none`` has no links.
    width, height
        Routers along x and y; router = y*width + x.

    Raises
    ------
    ValueError
        If the topology does not follow from width and height.
    """
    if topology == "none":
        return ()
    if topology not in GRIDS:
        raise ValueError(f"no links follow from topology {topology!r}")
    steps = [(1, 0), (0, 1)] + ([(1, 1)] if topology == "triangular" else [])
    pairs = set()
    for y in range(height):
        for x in range(width):
            for step_x, step_y in steps:
                to_x, to_y = x + step_x, y + step_y
                if topology == "torus":
                    to_x, to_y = to_x % width, to_y % height
                if to_x < width and to_y < height and (to_x, to_y) != (x, y):
                    here, there = y * width + x, to_y * width + to_x
                    pairs |= {(here, there), (there, here)}
    return tuple(sorted(pairs))


def interface_places(
    topology: str, width: int, height: int, count: int | None = None
) -> tuple[tuple[int, Fraction], ...]:
    """Routers and equal shares of `count` DRAM interfaces.

    One interface is at router 0. An even number stands half on the left and
    half on the right column, n on each, at rows i*(height-1)//(n-1) (row 0 for
    n = 1), listed row by row, left before right: two are at the first router
    of either column, four at the corners. A package of one column has all
    `count` there, at rows spread the same way.

    Parameters
    ----------
    count
        `None`: two, or one where there is one column or no grid.

    Raises
    ------
    ValueError
        If the places of so many interfaces are not defined; the text says
        which numbers are.
    """
    grid = topology in GRIDS
    if count is None:
        count = 2 if grid and width > 1 else 1
    columns = (0, width - 1) if width > 1 else (0,)
    most = height * len(columns) if grid else 1
    even = count % len(columns) == 0
    if count < 1 or count > most or (count > 1 and not even):
        kind = "even number" if len(columns) > 1 else "number"
        more = f" or an {kind} up to {most}" if most > 1 else ""
        raise ValueError(f"1{more}, or a list of routers and shares")
    if count == 1:
        return ((0, Fraction(1)),)
    per_column = count // len(columns)
    gaps = max(per_column - 1, 1)
    rows = [index * (height - 1) // gaps for index in range(per_column)]
    return tuple((y * width + x, Fraction(1, count)) for y in rows for x in columns)


def route(package: Package, src_router: int, dst_router: int) -> tuple[int, ...]:
    """Links from a router to another, as indices into `package.links`.

    On a mesh along x first, then along y. On a torus, triangular mesh or
    explicit topology the path of the breadth-first tree from the source in
    which the parent of a router is, among its neighbours one step nearer to
    the source, the one with the smallest number. Empty for topology ``none``
    and from a router to itself.

    Raises
    ------
    ValueError
        If no path leads there.
    """
    if package.topology == "none" or src_router == dst_router:
        return ()
    index = {(link.src, link.dst): i for i, link in enumerate(package.links)}
    if package.topology == "mesh":
        path = _xy_path(package.width, src_router, dst_router)
    else:
        path = _tree_path(breadth_first_parents(index, src_router), dst_router)
    try:
        return tuple(index[hop] for hop in pairwise(path))
    except KeyError as missing:
        raise ValueError(f"no link {missing.args[0]} in {package.name!r}") from None


def breadth_first_parents(
    pairs: Iterable[tuple[int, int]], source: int
) -> dict[int, int]:
    """Parent of every router that can be reached; the source is its own."""
    heads: dict[int, list[int]] = {}
    for src, dst in pairs:
        heads.setdefault(src, []).append(dst)
    parents = {source: source}
    level = [source]
    while level:
        # Ascending order makes the first router that reaches another the
        # smallest of those one step nearer.
        fresh: dict[int, int] = {}
        for router in sorted(level):
            for head in heads.get(router, ()):
                if head not in parents:
                    fresh.setdefault(head, router)
        parents.update(fresh)
        level = list(fresh)
    return parents


def _xy_path(width: int, src: int, dst: int) -> list[int]:
    """Routers along x to the column of `dst`, then along y."""
    path = [src]
    while path[-1] % width != dst % width:
        path.append(path[-1] + (1 if dst % width > path[-1] % width else -1))
    while path[-1] != dst:
        path.append(path[-1] + (width if dst > path[-1] else -width))
    return path


def _tree_path(parents: dict[int, int], dst: int) -> list[int]:
    """Routers from the root of a tree to one of its nodes."""
    if dst not in parents:
        raise ValueError(f"router {dst} cannot be reached")
    path = [dst]
    while parents[path[-1]] != path[-1]:
        path.append(parents[path[-1]])
    return path[::-1]

"""Links, routes and places of interfaces on examples done by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from instances.schema import Chiplet, ChipletType, Dram, Interface, Link, Package
from instances.topology import interface_places, link_pairs, route

ONE = Fraction(1)
TYPE = ChipletType("t", "ws", 1, 1, 1, ONE, ONE, ONE, ONE, ONE)


def package(topology, width, height, pairs=None):
    if pairs is None:
        pairs = link_pairs(topology, width, height)
    return Package(
        name="p",
        topology=topology,
        width=width,
        height=height,
        types={"t": TYPE},
        chiplets=tuple(Chiplet("t", i) for i in range(width * height)),
        links=tuple(Link(a, b, None, ONE, ONE) for a, b in pairs),
        port_in_gb_s=None,
        port_out_gb_s=None,
        dram=Dram(None, ONE, ONE, (Interface(0, ONE),)),
    )


def routers(made, src, dst):
    """Routers that a route visits, after checking that links join up."""
    path = [src]
    for index in route(made, src, dst):
        link = made.links[index]
        assert link.src == path[-1]
        path.append(link.dst)
    return path


def test_links_of_a_mesh():
    assert link_pairs("mesh", 2, 2) == (
        (0, 1), (0, 2), (1, 0), (1, 3), (2, 0), (2, 3), (3, 1), (3, 2),
    )  # fmt: skip
    assert len(link_pairs("mesh", 6, 6)) == 2 * 2 * 6 * 5


def test_links_of_other_grids():
    """3x3 torus: 2 axes · 9 · 2 directions; triangular: 24 + 2·4 diagonals."""
    assert len(link_pairs("torus", 3, 3)) == 36
    assert link_pairs("torus", 2, 2) == link_pairs("mesh", 2, 2)
    assert link_pairs("torus", 1, 1) == ()
    extra = set(link_pairs("triangular", 3, 3)) - set(link_pairs("mesh", 3, 3))
    forward = {(0, 4), (1, 5), (3, 7), (4, 8)}
    assert extra == forward | {(b, a) for a, b in forward}
    assert link_pairs("none", 3, 3) == ()
    with pytest.raises(ValueError, match="explicit"):
        link_pairs("explicit", 3, 3)


def test_mesh_goes_along_x_first():
    """3x2, numbered 0 1 2 / 3 4 5."""
    made = package("mesh", 3, 2)
    assert routers(made, 0, 5) == [0, 1, 2, 5]
    assert routers(made, 5, 0) == [5, 4, 3, 0]
    assert routers(made, 2, 3) == [2, 1, 0, 3]
    assert route(made, 4, 4) == ()


def test_torus_takes_the_short_way_and_the_smallest_parent():
    """4x4. From 0: 3 is a neighbour. 15 has the neighbours 3 and 12, both one
    step from 0: parent 3. 10 = (2, 2) is four away; its neighbours 6, 9, 11,
    14 are three away: parent 6, whose neighbours two away are 2, 5, 7: parent
    2, whose neighbours one away are 1 and 3: parent 1.
    """
    made = package("torus", 4, 4)
    assert routers(made, 0, 3) == [0, 3]
    assert routers(made, 0, 15) == [0, 3, 15]
    assert routers(made, 0, 10) == [0, 1, 2, 6, 10]


def test_triangular_uses_diagonals():
    """3x3. 0 to 5: neighbours of 5 are 1, 2, 4, 8; 1 and 4 are one from 0."""
    made = package("triangular", 3, 3)
    assert routers(made, 0, 8) == [0, 4, 8]
    assert routers(made, 0, 5) == [0, 1, 5]
    assert routers(made, 2, 6) == [2, 1, 0, 3, 6]


def test_explicit_tree_counts_directions():
    """0→2→3 and 0→1→3, 3→0: from 0 to 3 the parent is 1, the way back is short."""
    made = package("explicit", 4, 1, [(0, 2), (2, 3), (0, 1), (1, 3), (3, 0)])
    assert route(made, 0, 3) == (2, 3)
    assert routers(made, 1, 2) == [1, 3, 0, 2]
    with pytest.raises(ValueError, match="cannot be reached"):
        route(package("explicit", 3, 1, [(0, 1)]), 1, 2)


def test_none_has_empty_routes():
    assert route(package("none", 3, 1), 0, 2) == ()


@pytest.mark.parametrize("topology", ["mesh", "torus", "triangular"])
def test_routes_of_36_chiplets_are_shortest(topology):
    made = package(topology, 6, 6)
    for src in range(36):
        for dst in range(36):
            x, y = dst % 6 - src % 6, dst // 6 - src // 6
            hops = abs(x) + abs(y)
            if topology == "torus":
                hops = min(abs(x), 6 - abs(x)) + min(abs(y), 6 - abs(y))
            if topology == "triangular" and x * y > 0:
                hops = max(abs(x), abs(y))
            assert len(routers(made, src, dst)) == hops + 1


@pytest.mark.parametrize(
    ("size", "count", "places"),
    [
        ((2, 2), None, [0, 1]),
        ((2, 2), 1, [0]),
        ((2, 2), 2, [0, 1]),
        ((2, 2), 4, [0, 1, 2, 3]),
        ((3, 3), None, [0, 2]),
        ((3, 3), 4, [0, 2, 6, 8]),
        ((3, 3), 6, [0, 2, 3, 5, 6, 8]),
        ((1, 1), None, [0]),
        ((1, 4), None, [0]),
        ((1, 4), 2, [0, 3]),
        ((6, 6), 6, [0, 5, 12, 17, 30, 35]),
    ],
)
def test_places_of_interfaces(size, count, places):
    """6x6 with 6: three a side at rows 0, ⌊5/2⌋ = 2 and 5."""
    found = interface_places("mesh", *size, count)
    assert [router for router, _ in found] == places
    assert {share for _, share in found} == {Fraction(1, len(places))}


@pytest.mark.parametrize("count", [0, 3, 8, -2])
def test_places_that_are_not_defined(count):
    with pytest.raises(ValueError, match="an even number up to 6"):
        interface_places("mesh", 3, 3, count)
    with pytest.raises(ValueError, match="1, or a list"):
        interface_places("explicit", 3, 3, 2)

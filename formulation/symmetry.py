"""Which chiplets of a package can change places (MODEL.md §4.11).

A permutation of chiplets is a symmetry if it leaves everything that a rule or a
quantity reads as it is: of every resource and every link the numbers and the marks of
what loads it, of every chiplet its colour. Routers and interfaces have no names here:
they are what their marks say.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from formulation.problem import Chiplet, Flow, NopLink, Problem, Resource

    Routes = tuple[tuple[tuple[int, ...], ...], ...]

Permutation = tuple[int, ...]  # chiplet c goes to entry c
Mark = tuple[str, tuple[int, ...], int]  # what, of which chiplets, how much
MOST_ALL = 24  # of a group of which every element is given
MOST_NODES = 50_000  # of the search


@dataclass(frozen=True, slots=True)
class Things:
    """Resources and links of a package: their numbers, and who loads them how.

    Parameters
    ----------
    numbers, marks
        Of every thing. A mark names the chiplets it is about, in order.
    colours
        Of every chiplet: what else has to be the same.
    """

    numbers: tuple[Hashable, ...]
    marks: tuple[frozenset[Mark], ...]
    colours: tuple[Hashable, ...]

    def kept_by(self, to: Permutation) -> bool:
        """Whether a permutation maps every thing onto an equal one."""
        images = (
            frozenset((what, tuple(to[c] for c in of), n) for what, of, n in marks)
            for marks in self.marks
        )
        mine = Counter(zip(self.numbers, self.marks, strict=True))
        alike = all(self.colours[d] == self.colours[c] for c, d in enumerate(to))
        return alike and mine == Counter(zip(self.numbers, images, strict=True))


def things(
    chiplets: Sequence[Chiplet],
    resources: Sequence[Resource],
    links: Sequence[NopLink],
    routes: Routes,
    colours: Sequence[Hashable],
) -> Things:
    """Return what a symmetry must keep.

    Marks of a resource: into and out of c (its ports), read (c, e): load units of a
    byte that c reads of what lies behind the interface of e, write c, over (c, d): it
    is a link of the route. Of a link: over (c, d). Energies of reading and writing a
    byte are things without numbers.
    """
    loads: list[Counter[tuple[str, tuple[int, ...]]]] = [Counter() for _ in resources]
    over: list[Counter[tuple[str, tuple[int, ...]]]] = [Counter() for _ in links]
    spent: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for c, chiplet in enumerate(chiplets):
        for what, port in (("into", chiplet.port_in), ("out of", chiplet.port_out)):
            if port is not None:
                loads[port][what, (c,)] += 1
        ways: list[tuple[str, tuple[int, ...], Flow]] = [("write", (c,), chiplet.write)]
        ways += [
            ("read", (c, e), chiplet.reads[other.home])
            for e, other in enumerate(chiplets)
        ]
        for what, of, flow in ways:
            spent[what, of] = flow.energy
            for r, units in flow.loads:
                loads[r][what, of] += units
        for d, route in enumerate(routes[c]):
            for k in route:
                over[k]["over", (c, d)] += 1
                resource = links[k].resource
                if resource is not None:
                    loads[resource]["over", (c, d)] += 1
    numbers = [(r.kind, r.rate, r.stream_rate, r.counts_streams) for r in resources]
    marks = [
        frozenset((what, of, n) for (what, of), n in count.items())
        for count in (*loads, *over, spent)
    ]
    energies = [("energy", link.energy) for link in links]
    mine = tuple((x.l2_bytes, y) for x, y in zip(chiplets, colours, strict=True))
    return Things((*numbers, *energies, "spent"), tuple(marks), mine)


def _relations(of: Things) -> list[list[int]]:
    """Return numbers [c][d] that a symmetry keeps: what c and d have together.

    Of every thing the marks on c and d alone; on the diagonal the colour as well.
    """
    n = len(of.colours)
    found: list[list[Counter[Hashable]]] = [
        [Counter() for _ in range(n)] for _ in range(n)
    ]
    for numbers, marks in zip(of.numbers, of.marks, strict=True):
        own: dict[int, set[Hashable]] = {}
        both: dict[tuple[int, int], set[Hashable]] = {}
        for what, on, amount in marks:
            first, last = on[0], on[-1]
            if first == last:
                own.setdefault(first, set()).add((what, amount))
            else:
                both.setdefault((first, last), set()).add((what, amount))
        for c, mine in own.items():
            for d, other in own.items():
                found[c][d][numbers, frozenset(mine), frozenset(other)] += 1
        for (c, d), some in both.items():
            found[c][d][numbers, frozenset(some)] += 1
    index: dict[Hashable, int] = {}
    return [
        [
            index.setdefault(
                (frozenset(found[c][d].items()), of.colours[c] if c == d else None),
                len(index),
            )
            for d in range(n)
        ]
        for c in range(n)
    ]


@dataclass
class _Finder:
    """Backtracking over images of the chiplets, first to last."""

    of: Things
    relations: list[list[int]] = field(init=False)
    nodes: int = 0

    def __post_init__(self) -> None:
        """Prepare what is compared on the way."""
        self.relations = _relations(self.of)

    def extend(self, image: list[int]) -> Iterator[Permutation]:
        """Yield the symmetries that begin with some images; few if there are many."""
        n, c = len(self.relations), len(image)
        self.nodes += 1
        if self.nodes > MOST_NODES:
            return
        if c == n:
            if self.of.kept_by(tuple(image)):
                yield tuple(image)
            return
        for d in range(n):
            if d not in image and self.fits(image, d):
                yield from self.extend([*image, d])

    def fits(self, image: list[int], d: int) -> bool:
        """Whether the next chiplet may go to d, as far as pairs can tell."""
        rel, c = self.relations, len(image)
        return rel[c][c] == rel[d][d] and all(
            rel[c][e] == rel[d][f] and rel[e][c] == rel[f][d]
            for e, f in enumerate(image)
        )


def elements(of: Things) -> tuple[Permutation, ...]:
    """Return symmetries other than the identity.

    All, if there are few; else for every chiplet c and every later one d that a
    symmetry takes c to while it leaves all before c alone, one that does. Where the
    search is cut short, fewer: any symmetries will do.
    """
    n, find = len(of.colours), _Finder(of)
    movers, sizes = [], []
    for c in range(n):
        before = list(range(c))
        some = [
            next(find.extend([*before, d]), None)
            for d in range(c + 1, n)
            if find.fits(before, d)
        ]
        kept = [to for to in some if to is not None]
        movers += kept
        sizes.append(1 + len(kept))
    if prod(sizes) <= MOST_ALL:
        movers = [to for to in find.extend([]) if to != tuple(range(n))]
    return tuple(sorted(movers))


def symmetries(p: Problem) -> tuple[Permutation, ...]:
    """Return symmetries of a problem, as `elements` does.

    Nothing but chiplets, links, resources, modes and transfer times speaks of
    chiplets: all options and caps are of models, layers or the whole package.
    """
    colours = [
        (
            tuple(task.modes[c] for task in p.tasks),
            tuple(u.transfer and u.transfer[c] for u in p.tensors),
        )
        for c in range(len(p.chiplets))
    ]
    return elements(things(p.chiplets, p.resources, p.links, p.routes, colours))

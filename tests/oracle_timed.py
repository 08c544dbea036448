"""What timed schedules are worth, by another hand: a judge, and the least values.

Written from `formulation/MODEL.md` (§1, §2, §6) and the dataclasses of
`formulation/problem.py` alone; it shares no code with what it is used to check. The
numbers of a `Problem` that only timed schedules use are checked against
`tests/oracle.py`, which reads instances, in `test_oracle_timed.py`.

`judge` advances a clock: in every tick it asks who holds what and what lies where.
`best` enumerates decisions, and for each of them the *orders* of what cannot be
together.

Why `best` is exhaustive
------------------------
Fix chiplets, modes, residencies and places, and let every movement last q (exact,
none) or some D ≥ q of its own (fluid). What is left are start times, one variable
each, and:

(a) `release`, `precedence` and the length of runs are inequalities v ≥ u + constant;
(b) `no-overlap`, `bandwidth` and `sram` say for *items* (half-open intervals with a
    demand: a run on its chiplet, a movement on a resource, bytes in an L2) that the
    demands of those that share a tick fit a capacity.

The inequalities have a least solution, componentwise. It is found by relaxation
from below. Rounds, caps and objectives are monotone in all end times (§6.3), so what
the least solution is worth bounds all others, and a broken cap stays broken. If no
tick of it breaks (b), it is a best schedule under these inequalities. Otherwise some
tick has a set F of items that do not fit together. In whatever schedule, intervals
that meet pairwise meet in a common tick, so an item of F is empty or two are
disjoint: one ends no later than the other starts. An item ends at the largest of some
end times, so either is again a set of inequalities (a). `best` tries all of them,
depth first; every branch adds inequalities that do not hold in the least solution, and
a least solution that keeps all disjoint pairs of a schedule disjoint is no later and
as valid, so all schedules that matter are reached. The search ends: there are finitely
many pairs, and a branch puts one in order that is not.

*Fluid.* An item's demand is b/D, the larger D, the smaller. A node knows D ≥ some
bound and takes D at this bound: starts and ends are then at their least. F may also
fit because some D in it is larger: one branch for each, in which its bound rises by one
tick (and the D of the branches before are fixed, so that no two branches share
anything). D is at most (2·M − 1)·Q: in an interval without a start or end of a
movement that is longer than Q, all q together, the movements that take it can be done
one after another instead, starting no earlier and ending no later; there are at most
2·M − 1 intervals between starts and ends. Longer D are left out.

No horizon, and no order of tasks, enters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import permutations, product
from math import gcd, lcm, prod
from typing import TYPE_CHECKING

from formulation.timed.schedule import Schedule, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from formulation.problem import Flow, Problem

    Times = dict[tuple[int, int], int]  # (task, round) or (model, round) -> ticks

NONE: frozenset[str] = frozenset()
RULES = (
    "release",
    "duration",
    "precedence",
    "no-overlap",
    "bandwidth",
    "sram",
    "contiguous",
    "convex",
    "exclusive",
    "colocate",
    "latency_cap",
    "energy_cap",
    "cap",
)


@dataclass(frozen=True)
class Choice:
    """The decisions without times; a schedule has the same attributes."""

    chiplet: tuple[int, ...]
    mode: tuple[int, ...]
    resident: tuple[bool | None, ...]
    place: tuple[str | None, ...]


@dataclass(frozen=True)
class Movement:
    """Bytes under way (§6.1).

    Parameters
    ----------
    loads
        b(μ, ρ) in load units, of finite resources, none of them 0.
    energy
        In energy units.
    ticks
        q(μ).
    passes
        Resource, and from when to when it is passed, counted from the start;
        `None` unless `store_and_forward` says it (all of them, all the time).
    """

    loads: dict[int, int]
    energy: int
    ticks: int
    passes: tuple[tuple[int, int, int], ...] | None = None


@dataclass(frozen=True)
class Values:
    """The quantities of §6.3, in ticks and quanta; per model and round."""

    makespan: int
    latency: tuple[tuple[int, ...], ...]
    tardiness: tuple[tuple[int, ...], ...]
    energy: int

    @property
    def edp(self) -> int:
        return self.energy * self.makespan


@dataclass(frozen=True)
class Verdict:
    """What §6.2 and §6.3 say of a schedule; no values if `assignment` fails.

    `peak` has the most bytes that lie in each L2 in any tick.
    """

    violated: frozenset[str]
    values: Values | None = None
    peak: tuple[int, ...] = ()


# What moves (§2, §6.1).


def streamed(p: Problem, s: Choice | Schedule, t: int) -> Movement | None:
    """The stream of a layer in every round, if its DRAM bytes are not 0."""
    task, here = p.tasks[t], p.chiplets[s.chiplet[t]]
    mode = task.modes[s.chiplet[t]][s.mode[t]]
    own = here.reads[here.home]  # through f(c)
    moved: list[tuple[Flow, int]] = []
    if task.weight_bytes and not s.resident[t]:
        moved.append((own, mode.weight_bytes))
    for u, again in zip(task.inputs, mode.ri_bytes, strict=True):
        x = p.tensors[u]
        if x.producer is None:
            moved.append((own, x.bytes + again))
        elif s.place[u] == "dram":
            behind = p.chiplets[s.chiplet[x.producer]].home
            moved.append((here.reads[behind], x.bytes + again))
    dram = [u for u in task.outputs if s.place[u] != "package"]
    if dram:
        moved += [(own, mode.ro_bytes), (here.write, mode.ro_bytes)]
    for u in task.outputs:
        if u in dram or p.tensors[u].output:
            moved.append((here.write, p.tensors[u].bytes))
    return dram_movement(p, moved) if sum(size for _, size in moved) else None


def loaded(p: Problem, s: Choice | Schedule, t: int) -> Movement | None:
    """The load of a resident layer, if there is one."""
    if not s.resident[t] or p.timing.weights != "fetched":
        return None
    here = p.chiplets[s.chiplet[t]]
    return dram_movement(p, [(here.reads[here.home], p.tasks[t].weight_bytes)])


def dram_movement(p: Problem, moved: list[tuple[Flow, int]]) -> Movement:
    loads: dict[int, int] = {}
    for flow, size in moved:
        for resource, units in flow.loads:
            if units * size:
                loads[resource] = loads.get(resource, 0) + units * size
    energy = sum(flow.energy * size for flow, size in moved)
    return Movement(
        loads, energy, max((ticks(p, *x) for x in loads.items()), default=0)
    )


def ticks(p: Problem, resource: int, units: int) -> int:
    """⌈bytes / bandwidth⌉."""
    rate = p.resources[resource].bandwidth
    return -((-units * rate.den) // rate.num)


def transferred(
    p: Problem, s: Choice | Schedule, u: int
) -> dict[tuple[int, ...], Movement]:
    """The transfers of a tensor in every round, by where they arrive."""
    x = p.tensors[u]
    if s.place[u] != "package" or x.producer is None:
        return {}
    source = s.chiplet[x.producer]
    ends = tuple(sorted({s.chiplet[j] for j in x.consumers} - {source}))
    groups = [ends] if p.multicast and ends else [(d,) for d in ends]
    return {to: transfer(p, source, to, x.bytes) for to in groups}


def transfer(p: Problem, source: int, to: tuple[int, ...], size: int) -> Movement:
    units = size * p.load_unit
    links = {n for d in to for n in p.routes[source][d]}
    energy = sum(p.links[n].energy for n in links) * size
    loads: dict[int, int] = {}
    passes: dict[int, tuple[int, int]] = {}
    longest = 0
    for d in to:
        way = [p.chiplets[source].port_out]
        way += [p.links[n].resource for n in p.routes[source][d]]
        way.append(p.chiplets[d].port_in)
        at = 0
        for resource in way:
            if resource is not None and units:
                loads[resource] = units
                passes[resource] = (at, at + ticks(p, resource, units))
                at = passes[resource][1]
        longest = max(longest, at)
    if p.timing.store_and_forward:
        held = tuple((r, *span) for r, span in sorted(passes.items()))
        return Movement(loads, energy, longest, held)
    q = max((ticks(p, *x) for x in loads.items()), default=0)
    return Movement(loads, energy, q)


def rounds_of(p: Problem, model: int) -> range:
    return range(len(p.timing.releases[model]))


def fixed_energy(p: Problem, s: Choice | Schedule) -> int:
    """Energy units that do not depend on times."""
    total = 0
    for t, task in enumerate(p.tasks):
        k = len(rounds_of(p, task.model))
        total += k * task.modes[s.chiplet[t]][s.mode[t]].energy
        stream, load = streamed(p, s, t), loaded(p, s, t)
        total += k * stream.energy if stream else 0
        total += load.energy if load else 0
    for u, x in enumerate(p.tensors):
        for move in transferred(p, s, u).values():
            total += len(rounds_of(p, x.model)) * move.energy
    return total


# Quantities and objectives (§6.3).


def values_of(p: Problem, ends: Times, fixed: int) -> Values:
    """`ends` has E of every run, `fixed` the energy that does not depend on it."""
    makespan = max(ends.values())
    latency = tuple(
        tuple(max(ends[t, k] for t in model.tasks) - r for k, r in enumerate(releases))
        for model, releases in zip(p.models, p.timing.releases, strict=True)
    )
    tardiness = tuple(
        tuple(0 if due is None else max(0, late - due) for late in lates)
        for lates, due in zip(latency, p.timing.due_ticks, strict=True)
    )
    energy = -((-fixed - p.static_energy * makespan) // p.energy_den)
    return Values(makespan, latency, tardiness, energy)


Part = tuple[bool, tuple[tuple[int, str, str | None], ...]]
"""Whether it is the largest one, and (weight, quantity, model) of each term."""


def parse(p: Problem, part: str) -> Part:
    """Read `2*makespan+1/3*energy`, `latency_sum.gpt2`, `latency:2*gpt2:resnet50`."""
    head, *models = part.split(":")
    terms: list[tuple[Fraction, str, str | None]] = []
    largest = head in ("latency", "tardiness")
    if largest:
        for term in models or [model.name for model in p.models]:
            weight, _, name = term.rpartition("*")
            terms.append((Fraction(weight or 1), head, name))
    else:
        for term in part.split("+"):
            weight, _, name = term.rpartition("*")
            quantity, _, model = name.partition(".")
            terms.append((Fraction(weight or 1), quantity, model or None))
    scale = lcm(*(w.denominator for w, _, _ in terms))
    whole = [int(w * scale) for w, _, _ in terms]
    divisor = gcd(*whole)
    return largest, tuple(
        (w // divisor, quantity, model)
        for w, (_, quantity, model) in zip(whole, terms, strict=True)
    )


def worth(p: Problem, part: Part, v: Values) -> int:
    largest, terms = part
    found = []
    for weight, quantity, model in terms:
        if quantity in ("makespan", "energy", "edp"):
            found.append(weight * getattr(v, quantity))
            continue
        rows = getattr(v, quantity.removesuffix("_sum"))
        chosen = [
            x
            for m, row in zip(p.models, rows, strict=True)
            if model in (None, m.name)
            for x in row
        ]
        found.append(weight * (max(chosen) if largest else sum(chosen)))
    return max(found) if largest else sum(found)


def broken_caps(p: Problem, v: Values, without: frozenset[str] = NONE) -> Iterator[str]:
    """`latency_cap`, `energy_cap`, `cap`."""
    for model, latency in zip(p.models, v.latency, strict=True):
        cap = model.latency_cap_ticks
        if cap is not None and max(latency) > cap:
            yield "latency_cap"
    if p.energy_cap_quanta is not None and v.energy > p.energy_cap_quanta:
        yield "energy_cap"
    for part, most in p.timing.caps:
        if worth(p, parse(p, part), v) > most:
            yield "cap"


def broken_options(p: Problem, chiplet: Sequence[int]) -> Iterator[str]:
    """`contiguous`, `convex`, `exclusive`, `colocate`."""
    for model in p.models if p.contiguous else ():
        own = [chiplet[t] for t in model.tasks]
        for c in set(own):
            where = [n for n, d in enumerate(own) if d == c]
            if where[-1] - where[0] + 1 != len(where):
                yield "contiguous"
    if p.convex:
        after: list[set[int]] = [set() for _ in p.tasks]
        for t in reversed(range(len(p.tasks))):
            for u in p.tasks[t].outputs:
                for j in p.tensors[u].consumers:
                    after[t] |= {j} | after[j]
        for i, later in enumerate(after):
            for j in later:
                if chiplet[j] != chiplet[i] and any(
                    chiplet[k] == chiplet[i] for k in after[j]
                ):
                    yield "convex"
    owners = {(c, t.model) for c, t in zip(chiplet, p.tasks, strict=True)}
    if p.exclusive and len(owners) > len({c for c, _ in owners}):
        yield "exclusive"
    for group in p.colocate:
        if len({chiplet[t] for t in group}) > 1:
            yield "colocate"


# The judge.


def judge(p: Problem, s: Schedule) -> Verdict:
    """Return what §6 says of a schedule of a problem."""
    if not assigned(p, s):
        return Verdict(frozenset({"assignment"}))
    ends: Times = {}
    for t, starts in enumerate(s.runs):
        latency = p.tasks[t].modes[s.chiplet[t]][s.mode[t]].latency_ticks
        for k, start in enumerate(starts):
            span = s.streams[t][k]
            long = latency if span is None else max(latency, span[1] - span[0])
            ends[t, k] = start + long
    violated = set(broken_options(p, s.chiplet))
    violated |= set(broken_starts(p, s, ends))
    moves = list(moves_of(p, s))
    for move, (start, end) in moves:
        lasts = end - start
        if lasts < move.ticks or (
            lasts > move.ticks and p.timing.contention != "fluid"
        ):
            violated.add("duration")
    violated |= set(watch(p, s, ends, moves))
    lying = list(lies(p, s, ends))
    peak = [0] * len(p.chiplets)
    first = min([0, *(start for *_, start, _ in lying)])
    for tick in range(first, max([0, *(end for *_, end in lying)])):
        held = [0] * len(p.chiplets)
        for c, size, start, end in lying:
            if start <= tick < end:
                held[c] += size
        peak = list(map(max, peak, held))
    if any(x > c.l2_bytes for x, c in zip(peak, p.chiplets, strict=True)):
        violated.add("sram")
    values = values_of(p, ends, fixed_energy(p, s))
    violated |= set(broken_caps(p, values))
    return Verdict(frozenset(violated), values, tuple(peak))


def assigned(p: Problem, s: Schedule) -> bool:
    """`assignment`."""
    for t, task in enumerate(p.tasks):
        if not 0 <= s.chiplet[t] < len(p.chiplets):
            return False
        if not 0 <= s.mode[t] < len(task.modes[s.chiplet[t]]):
            return False
        if (s.resident[t] is None) != (task.weight_bytes == 0):
            return False
        if s.resident[t] and p.timing.weights == "streamed":
            return False
    for x, place in zip(p.tensors, s.place, strict=True):
        inner = x.producer is not None and len(x.consumers) > 0
        if place not in (("package", "dram") if inner else (None,)):
            return False
    for t, task in enumerate(p.tasks):
        k = len(rounds_of(p, task.model))
        if len(s.runs[t]) != k or len(s.streams[t]) != k:
            return False
        moves = streamed(p, s, t) is not None
        if any((span is not None) != moves for span in s.streams[t]):
            return False
        if (s.loads[t] is not None) != (loaded(p, s, t) is not None):
            return False
    for u, x in enumerate(p.tensors):
        due = sorted(transferred(p, s, u))
        if len(s.transfers[u]) != len(rounds_of(p, x.model)):
            return False
        if any(sorted(y.to for y in row) != due for row in s.transfers[u]):
            return False
    return True


def moves_of(p: Problem, s: Schedule) -> Iterator[tuple[Movement, tuple[int, int]]]:
    """Every movement with its start and end."""
    for t in range(len(p.tasks)):
        load, stream = loaded(p, s, t), streamed(p, s, t)
        for move, span in ((load, s.loads[t]), *((stream, x) for x in s.streams[t])):
            if move and span:
                yield move, span
    for u in range(len(p.tensors)):
        due = transferred(p, s, u)
        for row in s.transfers[u]:
            for x in row:
                yield due[x.to], x.span


def broken_starts(p: Problem, s: Schedule, ends: Times) -> Iterator[str]:
    """`release` and `precedence`."""
    for t, task in enumerate(p.tasks):
        for k, release in enumerate(p.timing.releases[task.model]):
            if s.runs[t][k] < release:
                yield "release"
            span, load = s.streams[t][k], s.loads[t]
            if span and (span[0] < s.runs[t][k] or span[1] > ends[t, k]):
                yield "precedence"
            if load and load[1] > s.runs[t][k]:
                yield "precedence"
        load = s.loads[t]
        if load and load[0] < 0:
            yield "release"
    for u, x in enumerate(p.tensors):
        i = x.producer
        if i is None:
            continue
        for j in x.consumers:
            c, d = s.chiplet[i], s.chiplet[j]
            for k in rounds_of(p, x.model):
                ready = ends[i, k]
                if s.place[u] == "dram":
                    ready += p.dram_ticks
                elif c != d:
                    span = next(y.span for y in s.transfers[u][k] if d in y.to)
                    if span[0] < ready:
                        yield "precedence"
                    ready = span[1] + p.route_ticks[c][d]
                if s.runs[j][k] < ready:
                    yield "precedence"


def watch(
    p: Problem,
    s: Schedule,
    ends: Times,
    moves: list[tuple[Movement, tuple[int, int]]],
) -> Iterator[str]:
    """`no-overlap` and `bandwidth`, tick by tick."""
    runs = [(s.chiplet[t], s.runs[t][k], end) for (t, k), end in ends.items()]
    last = max([end for *_, end in runs] + [end for _, (_, end) in moves])
    first = min([start for _, start, _ in runs] + [start for _, (start, _) in moves])
    for tick in range(first, last):
        busy = [c for c, start, end in runs if start <= tick < end]
        if len(busy) > len(set(busy)):
            yield "no-overlap"
        held: list[int] = []
        rate: dict[int, Fraction] = {}
        for move, (start, end) in moves:
            if move.passes is not None:
                held += [r for r, a, b in move.passes if start + a <= tick < start + b]
            elif start <= tick < end:
                held += move.loads
            if p.timing.contention == "fluid" and start <= tick < end:
                for resource, units in move.loads.items():
                    rate.setdefault(resource, Fraction(0))
                    rate[resource] += Fraction(units, end - start)
        if p.timing.contention == "exact" and len(held) > len(set(held)):
            yield "no-overlap"
        for resource, taken in rate.items():
            bandwidth = p.resources[resource].bandwidth
            if taken > Fraction(bandwidth.num, bandwidth.den):
                yield "bandwidth"


def lies(p: Problem, s: Schedule, ends: Times) -> Iterator[tuple[int, int, int, int]]:
    """`sram`: (chiplet, bytes, from, to)."""
    makespan = max(ends.values())
    for t, task in enumerate(p.tasks):
        c = s.chiplet[t]
        if s.resident[t]:
            load = s.loads[t]
            yield c, task.weight_bytes, load[0] if load else 0, makespan
        for k in rounds_of(p, task.model) if not p.residents_only else ():
            size = task.modes[c][s.mode[t]].ws_bytes
            yield c, size, s.runs[t][k], ends[t, k]
    for u, x in enumerate(p.tensors):
        if s.place[u] != "package" or x.producer is None or p.residents_only:
            continue
        c = s.chiplet[x.producer]
        for k in rounds_of(p, x.model):
            until = [ends[x.producer, k]]
            until += [ends[j, k] for j in x.consumers if s.chiplet[j] == c]
            until += [y.span[1] for y in s.transfers[u][k]]
            yield c, x.bytes, s.runs[x.producer][k], max(until)
            for y in s.transfers[u][k]:
                for d in y.to:
                    used = [ends[j, k] for j in x.consumers if s.chiplet[j] == d]
                    yield d, x.bytes, y.span[0], max(used)


# The least value.

Row = tuple[int, int, int, int]
Event = tuple[int, int | None]
"""A variable and what is added to it; `None`: the length of the task."""


@dataclass(frozen=True)
class Item:
    """Something that takes a part of a capacity from `start` to the largest of `ends`.

    `demand` is divided by the length of the task `of`, if there is one (fluid).
    """

    start: tuple[int, int]
    ends: tuple[Event, ...]
    demand: int
    of: int | None = None


@dataclass
class Node:
    """Inequalities, and their least solution once `settle` has been there.

    An inequality (u, w, c, kind) says value[w] ≥ value[u] + c, plus the length of u
    (kinds 1 and 2), less the length of w (kind 2).
    """

    value: list[int]
    length: list[int]
    rows: list[Row]
    fixed: frozenset[int] = frozenset()  # whose length may not grow

    def at(self, event: Event) -> int:
        v, more = event
        return self.value[v] + (self.length[v] if more is None else more)

    def settle(self) -> bool:
        """Find the least solution from below; False if there is none."""
        value, length = self.value, self.length
        for _ in range(len(value) + 1):
            changed = False
            for u, w, c, kind in self.rows:
                low = value[u] + c
                if kind:
                    low += length[u]
                    if kind == 2:
                        low -= length[w]
                if low > value[w]:
                    value[w] = low
                    changed = True
            if value[0]:  # variable 0 is tick 0
                return False
            if not changed:
                return True
        return False


@dataclass
class Trial:
    """One choice of decisions: its variables, inequalities and items.

    Parameters
    ----------
    run, stream, load, sending
        Variables of (task, round), (task, round), task, (tensor, round, to).
    most
        Largest length of a movement (fluid).
    groups
        (capacity, items) of each chiplet, resource and L2.
    """

    p: Problem
    choice: Choice
    without: frozenset[str]
    run: Times = field(default_factory=dict)
    stream: Times = field(default_factory=dict)
    load: dict[int, int] = field(default_factory=dict)
    sending: dict[tuple[int, int, tuple[int, ...]], int] = field(default_factory=dict)
    latency: dict[int, int] = field(default_factory=dict)  # t of the run's variable
    run_of: dict[int, int] = field(default_factory=dict)  # of a stream's variable
    moves: dict[int, Movement] = field(default_factory=dict)
    groups: list[tuple[int | Fraction, list[Item]]] = field(default_factory=list)
    orders: dict[tuple[Item, Item], bool] = field(default_factory=dict)  # possible?
    fixed: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self.root = Node([0], [0], [])
        self._tasks()
        self._transfers()
        if "precedence" not in self.without:
            self._precedence()
        self.fixed = fixed_energy(self.p, self.choice)
        total = sum(self.root.length[v] for v in self.moves)
        self.most = max(1, 2 * len(self.moves) - 1) * total
        self._groups()

    def _variable(self, least: int, length: int) -> int:
        self.root.value.append(least)
        self.root.length.append(length)
        return len(self.root.value) - 1

    def _movement(self, move: Movement) -> int:
        v = self._variable(0, 0 if "duration" in self.without else move.ticks)
        self.moves[v] = move
        return v

    def _tasks(self) -> None:
        p, s = self.p, self.choice
        for t, task in enumerate(p.tasks):
            stream, load = streamed(p, s, t), loaded(p, s, t)
            latency = task.modes[s.chiplet[t]][s.mode[t]].latency_ticks
            for k, release in enumerate(p.timing.releases[task.model]):
                v = self._variable(0 if "release" in self.without else release, latency)
                self.run[t, k], self.latency[v] = v, latency
                if stream:
                    x = self._movement(stream)
                    self.stream[t, k], self.run_of[x] = x, v
                    self.root.length[v] = max(latency, self.root.length[x])
            if load:
                self.load[t] = self._movement(load)

    def _transfers(self) -> None:
        for u, x in enumerate(self.p.tensors):
            for to, move in transferred(self.p, self.choice, u).items():
                for k in rounds_of(self.p, x.model):
                    self.sending[u, k, to] = self._movement(move)

    def _precedence(self) -> None:
        p, s, rows = self.p, self.choice, self.root.rows
        for key, x in self.stream.items():
            rows += [(self.run[key], x, 0, 0), (x, self.run[key], 0, 2)]
        for (t, _), v in self.run.items():
            if t in self.load:
                rows.append((self.load[t], v, 0, 1))
        for u, tensor in enumerate(p.tensors):
            i = tensor.producer
            if i is None:
                continue
            for k in rounds_of(p, tensor.model):
                for j in tensor.consumers:
                    c, d = s.chiplet[i], s.chiplet[j]
                    if s.place[u] == "dram" or c == d:
                        lag = p.dram_ticks if s.place[u] == "dram" else 0
                        rows.append((self.run[i, k], self.run[j, k], lag, 1))
                for (w, n, to), x in self.sending.items():
                    if (w, n) == (u, k):
                        rows.append((self.run[i, k], x, 0, 1))
                        rows += [
                            (x, self.run[j, k], p.route_ticks[s.chiplet[i]][d], 1)
                            for j in tensor.consumers
                            for d in to
                            if s.chiplet[j] == d
                        ]

    def _groups(self) -> None:
        p, contention = self.p, self.p.timing.contention
        found: dict[tuple[str, int], list[Item]] = {}

        def add(kind: str, where: int, item: Item) -> None:
            found.setdefault((kind, where), []).append(item)

        for (t, _), v in self.run.items():
            add("run", self.choice.chiplet[t], Item((v, 0), ((v, None),), 1))
        for x, move in self.moves.items():
            if contention == "exact" and "duration" not in self.without:
                for r, a, b in move.passes or ():
                    add("held", r, Item((x, a), ((x, b),), 1))
                for r in move.loads if move.passes is None else ():
                    add("held", r, Item((x, 0), ((x, None),), 1))
            if contention == "fluid":
                for r, units in move.loads.items():
                    add("rate", r, Item((x, 0), ((x, None),), units, x))
        for c, item in self._lies():
            add("sram", c, item)
        rule = {"run": "no-overlap", "held": "no-overlap", "rate": "bandwidth"}
        for (kind, where), items in found.items():
            capacity: int | Fraction = 1
            if kind == "sram":
                capacity = p.chiplets[where].l2_bytes
            elif kind == "rate":
                bandwidth = p.resources[where].bandwidth
                capacity = Fraction(bandwidth.num, bandwidth.den)
            needed = [x for x in items if x.demand]
            if rule.get(kind, kind) not in self.without and needed:
                self.groups.append((capacity, needed))

    def _lies(self) -> Iterator[tuple[int, Item]]:
        """What lies in the L2s, with its chiplet."""
        p, s = self.p, self.choice
        everything = tuple((v, None) for v in self.run.values())
        for t, task in enumerate(p.tasks):
            if s.resident[t]:
                start = (self.load.get(t, 0), 0)
                yield s.chiplet[t], Item(start, everything, task.weight_bytes)
        if p.residents_only:
            return
        for (t, _), v in self.run.items():
            ws = p.tasks[t].modes[s.chiplet[t]][s.mode[t]].ws_bytes
            yield s.chiplet[t], Item((v, 0), ((v, None),), ws)
        for u, x in enumerate(p.tensors):
            if s.place[u] != "package" or x.producer is None:
                continue
            here = s.chiplet[x.producer]
            for k in rounds_of(p, x.model):
                used: dict[int, list[Event]] = {}
                for j in x.consumers:
                    used.setdefault(s.chiplet[j], []).append((self.run[j, k], None))
                v = self.run[x.producer, k]
                ends: list[Event] = [(v, None), *used.get(here, [])]
                for (w, n, to), y in self.sending.items():
                    if (w, n) == (u, k):
                        ends.append((y, None))
                        for d in to:
                            yield d, Item((y, 0), tuple(used[d]), x.bytes)
                yield here, Item((v, 0), tuple(ends), x.bytes)

    def values(self, node: Node) -> Values:
        ends = {key: node.at((v, None)) for key, v in self.run.items()}
        return values_of(self.p, ends, self.fixed)

    def clash(self, node: Node) -> list[Item] | None:
        """The smallest set of items that do not fit in one tick, if there is any."""
        smallest: list[Item] | None = None
        for capacity, items in self.groups:
            spans = [
                (node.at(x.start), max(map(node.at, x.ends)), demand(node, x), x)
                for x in items
            ]
            for tick in {start for start, *_ in spans}:
                alive = [x for x in spans if x[0] <= tick < x[1]]
                if sum(x[2] for x in alive) <= capacity:
                    continue
                alive.sort(key=lambda x: -x[2])
                count, total = 0, Fraction(0)
                while total <= capacity:
                    total += alive[count][2]
                    count += 1
                if smallest is None or count < len(smallest):
                    chosen = sorted(alive[:count], key=lambda x: x[0])
                    smallest = [x[3] for x in chosen]
        return smallest

    def branches(self, node: Node, clash: list[Item]) -> Iterator[Node]:
        """Every way out of a clash."""
        pairs = [*permutations(clash, 2), *((x, x) for x in clash)]
        for before, after in pairs:
            rows = self._order(before, after)
            if rows is not None:
                yield Node(node.value[:], node.length[:], node.rows + rows, node.fixed)
        fixed = node.fixed
        for x in clash:
            if x.of is None or x.of in fixed or node.length[x.of] >= self.most:
                continue
            length = node.length[:]
            length[x.of] += 1
            if x.of in self.run_of:
                v = self.run_of[x.of]
                length[v] = max(self.latency[v], length[x.of])
            yield Node(node.value[:], length, node.rows, fixed)
            fixed = fixed | {x.of}

    def _order(
        self, before: Item, after: Item
    ) -> list[tuple[int, int, int, int]] | None:
        """All ends of one no later than the start of the other; `None`: never.

        With itself: the item is empty.
        """
        w, more = after.start
        rows = [
            (v, w, -more, 1) if off is None else (v, w, off - more, 0)
            for v, off in before.ends
        ]
        pair = (before, after)
        if pair not in self.orders:
            trial = Node(self.root.value[:], self.root.length[:], self.root.rows + rows)
            self.orders[pair] = trial.settle()
        return rows if self.orders[pair] else None

    def schedule(self, node: Node) -> Schedule:
        """The choice at the times of a node."""

        def span(v: int | None) -> tuple[int, int] | None:
            return None if v is None else (node.value[v], node.at((v, None)))

        def sent(u: int, k: int) -> tuple[Transfer, ...]:
            return tuple(
                Transfer(to, (node.value[v], node.at((v, None))))
                for (w, n, to), v in self.sending.items()
                if (w, n) == (u, k)
            )

        p, s = self.p, self.choice
        rounds = [rounds_of(p, task.model) for task in p.tasks]
        return Schedule(
            chiplet=s.chiplet,
            mode=s.mode,
            resident=s.resident,
            place=s.place,
            runs=tuple(
                tuple(node.value[self.run[t, k]] for k in row)
                for t, row in enumerate(rounds)
            ),
            streams=tuple(
                tuple(span(self.stream.get((t, k))) for k in row)
                for t, row in enumerate(rounds)
            ),
            loads=tuple(span(self.load.get(t)) for t in range(len(p.tasks))),
            transfers=tuple(
                tuple(sent(u, k) for k in rounds_of(p, x.model))
                for u, x in enumerate(p.tensors)
            ),
        )


def demand(node: Node, x: Item) -> int | Fraction:
    if x.of is None:
        return x.demand
    return Fraction(x.demand, node.length[x.of]) if node.length[x.of] else 0


def choices(p: Problem, without: frozenset[str] = NONE) -> Iterator[Choice]:
    """Every choice of chiplets, modes, residencies and places."""
    places = [
        ("package", "dram") if x.producer is not None and x.consumers else (None,)
        for x in p.tensors
    ]
    keep: tuple[bool, ...] = (True, False)
    if p.timing.weights == "streamed":
        keep = (False,)
    resident = [keep if t.weight_bytes else (None,) for t in p.tasks]
    for chiplet in product(
        *([c for c, modes in enumerate(t.modes) if modes] for t in p.tasks)
    ):
        if set(broken_options(p, chiplet)) - without:
            continue
        counts = [range(len(t.modes[c])) for t, c in zip(p.tasks, chiplet, strict=True)]
        for mode in product(*counts):
            for r, o in product(product(*resident), product(*places)):
                yield Choice(chiplet, mode, r, o)


def choice_count(p: Problem) -> int:
    """Return how many choices there are, before the options."""
    weights = 1 if p.timing.weights == "streamed" else 2
    ways = prod(
        sum(len(modes) for modes in t.modes) * (weights if t.weight_bytes else 1)
        for t in p.tasks
    )
    inner = [x for x in p.tensors if x.producer is not None and x.consumers]
    return ways * 1 << len(inner)


class TooLarge(Exception):
    """A search needs more nodes than it may have."""


@dataclass
class Search:
    """Depth first, over all choices."""

    p: Problem
    parts: tuple[Part, ...]
    without: frozenset[str] = NONE
    best: tuple[int, ...] | None = None
    found: Schedule | None = None
    nodes: int = 0
    limit: int | None = None  # of nodes: a search that needs more is given up

    def bound(self, trial: Trial, node: Node) -> tuple[int, ...] | None:
        """What the least solution is worth; `None` if nothing here can count."""
        if not node.settle():
            return None
        v = trial.values(node)
        if set(broken_caps(self.p, v)) - self.without:
            return None
        found = tuple(worth(self.p, part, v) for part in self.parts)
        return None if self.best is not None and found >= self.best else found

    def explore(self, trial: Trial, node: Node) -> None:
        self.nodes += 1
        if self.limit is not None and self.nodes > self.limit:
            raise TooLarge
        found = self.bound(trial, node)
        if found is None:
            return
        clash = trial.clash(node)
        if clash is None:
            self.best, self.found = found, trial.schedule(node)
            return
        for child in trial.branches(node, clash):
            self.explore(trial, child)

    def all(self) -> None:
        trials = []
        for choice in choices(self.p, self.without):
            trial = Trial(self.p, choice, self.without)
            found = self.bound(trial, trial.root)
            if found is not None:
                trials.append((found, trial))
        trials.sort(key=lambda pair: pair[0])
        for _, trial in trials:
            self.explore(trial, trial.root)


def parts_of(p: Problem, objective: str) -> tuple[Part, ...]:
    return tuple(parse(p, part) for part in objective.split(","))


def best(
    p: Problem, objective: str, without: frozenset[str] = NONE
) -> tuple[int, ...] | None:
    """Return the least value of each part of an objective, `None` if infeasible.

    Parameters
    ----------
    objective
        Parts as in §6.3, separated by commas: the first counts most.
    without
        Labels of rules to leave out (`RULES`). Without `duration` movements take no
        time.
    """
    return solve(p, objective, without).best


def solve(
    p: Problem,
    objective: str,
    without: frozenset[str] = NONE,
    limit: int | None = None,
) -> Search:
    """Return the finished search: `best`, and in `found` a schedule worth it."""
    search = Search(p, parts_of(p, objective), without, limit=limit)
    search.all()
    return search


def some(p: Problem, choice: Choice, rng: Random, nodes: int = 60) -> Schedule | None:
    """Return a valid schedule of a choice, found at random; `None` if none was."""
    trial = Trial(p, choice, NONE)
    search = Search(p, ())
    left = nodes

    def explore(node: Node) -> Schedule | None:
        nonlocal left
        left -= 1
        if left < 0 or search.bound(trial, node) is None:
            return None
        clash = trial.clash(node)
        if clash is None:
            return trial.schedule(node)
        children = list(trial.branches(node, clash))
        rng.shuffle(children)
        return next(filter(None, map(explore, children)), None)

    return explore(trial.root)

"""What windowed schedules are worth, by another hand: a judge, and the least values.

Written from `formulation/MODEL.md` (§1, §2, §6.1, §7) and the dataclasses of
`formulation/problem.py` alone; it shares no code with what it is used to check. The
numbers of a `Problem` that only windowed schedules use are checked against
`tests/oracle.py`, which reads instances, in `test_oracle_windowed.py`.

`judge` transcribes §7.2 to §7.4. Amounts are rationals; only what §7 rounds is rounded.

`optimum` enumerates. A schedule is a window for every layer and, for every *block*
(the layers of a model in a window), chiplets, modes and g: a *course*. Courses that
break `segment`, `adjacent` or `sram` by themselves are left out, then every
combination of windows and courses is formed. Nothing is dominated and no order of
windows is built up from shorter ones. That these are all schedules is checked against
every vector of decisions, judged one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from math import ceil, prod
from typing import TYPE_CHECKING

from formulation.windowed.schedule import Schedule
from tests.oracle_timed import TooLarge, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from formulation.problem import Flow, Mode, Problem
    from tests.oracle_timed import Part


@dataclass(frozen=True)
class Values:
    """The quantities of §7.4, in ticks and quanta.

    `times` is time(m, w) per model and window, `lengths` is per window, `latency` per
    model.
    """

    times: tuple[tuple[int, ...], ...]
    lengths: tuple[int, ...]
    latency: tuple[int, ...]
    energy: int

    @property
    def makespan(self) -> int:
        return sum(self.lengths)

    @property
    def edp(self) -> int:
        return self.energy * self.makespan


@dataclass(frozen=True)
class Verdict:
    """What §7.3 and §7.4 say of a schedule; no values where they are not defined."""

    violated: frozenset[str]
    values: Values | None = None


@dataclass(frozen=True)
class Segment:
    """Layers a, …, b − 1 of the chain of a model on one chiplet."""

    chiplet: int
    a: int
    b: int
    first: bool
    last: bool


@dataclass(frozen=True)
class Amounts:
    """What a group puts on a segment (§7.2); bytes, but for `compute`, in ticks."""

    compute: Fraction
    read: Fraction  # D_s
    weights: Fraction  # V_s
    written: Fraction  # Q_s
    handed: Fraction  # H_s; 0 for the last one


@dataclass(frozen=True)
class Course:
    """How a model goes through a window: decisions, and what follows from them.

    Parameters
    ----------
    start
        Its first layer i, in the chain.
    time
        time(m, w).
    energy
        Its part of the sum in `energy`, in energy units, not rounded.
    violated
        What of `segment`, `adjacent` and `sram` it breaks by itself.
    """

    model: int
    start: int
    chiplet: tuple[int, ...]
    mode: tuple[int, ...]
    g: int
    time: int
    energy: Fraction
    violated: frozenset[str]


# The chain of a model (§7.1). Layers are numbered 0, …, N − 1 in each model.


def tensors_of(p: Problem, m: int) -> list[int]:
    return [u for u, x in enumerate(p.tensors) if x.model == m]


def maker(p: Problem, u: int) -> int | None:
    """The layer that makes a tensor; `None` for a model input."""
    x = p.tensors[u]
    return None if x.producer is None else x.producer - p.models[x.model].first


def users(p: Problem, u: int) -> list[int]:
    x = p.tensors[u]
    return [j - p.models[x.model].first for j in x.consumers]


def live(p: Problem, m: int, i: int) -> set[int]:
    """L(i)."""
    found = set()
    for u in tensors_of(p, m):
        made = maker(p, u)
        if made is not None and made < i and any(j >= i for j in users(p, u)):
            found.add(u)
    return found


def in_group(p: Problem, m: int, g: int, amount: int) -> Fraction:
    """g mini-batches' part of what a round has."""
    return Fraction(amount * g, p.windowing.mini_batches[m])


def group_bytes(p: Problem, m: int, g: int, tensors: set[int]) -> Fraction:
    return sum((in_group(p, m, g, p.tensors[u].bytes) for u in tensors), Fraction(0))


def weights_read(p: Problem, t: int, mode: Mode, g: int) -> Fraction:
    """v(l)."""
    if not p.windowing.refetch or p.windowing.weights_once:
        return Fraction(p.tasks[t].weight_bytes)
    # A mode with one fetch holds its weights, or its model has one mini-batch.
    times = 1 if mode.fetches == 1 else g
    return Fraction(mode.weight_bytes, mode.fetches) * times


# Movements (§7.1).


def q(p: Problem, loads: dict[int, Fraction]) -> int:
    """Ticks that bytes of a movement take, given by finite resource."""
    longest = 0
    for resource, size in loads.items():
        rate = p.resources[resource].bandwidth
        bandwidth = Fraction(rate.num, rate.den * p.load_unit)  # bytes per tick
        longest = max(longest, ceil(size / bandwidth))
    return longest


def over_dram(p: Problem, flow: Flow, size: Fraction, late: int) -> int:
    if size == 0:
        return 0
    loads = {r: size * Fraction(units, p.load_unit) for r, units in flow.loads}
    return q(p, loads) + late + p.windowing.conflict_ticks


def read(p: Problem, c: int, size: Fraction) -> int:
    return over_dram(p, reading(p, c), size, p.windowing.read_ticks[c])


def write(p: Problem, c: int, size: Fraction) -> int:
    return over_dram(p, p.chiplets[c].write, size, p.windowing.write_ticks[c])


def reading(p: Problem, c: int) -> Flow:
    return p.chiplets[c].reads[p.chiplets[c].home]


def send(p: Problem, c: int, d: int, size: Fraction) -> int:
    if size == 0:
        return 0
    way = [p.links[n].resource for n in p.routes[c][d]]
    way += [p.chiplets[c].port_out, p.chiplets[d].port_in]
    loads = {resource: size for resource in way if resource is not None}
    return q(p, loads) + p.route_ticks[c][d] + p.windowing.conflict_ticks


# Segments (§7.2).


def segments_of(start: int, chiplet: Sequence[int]) -> list[Segment]:
    """The longest runs on one chiplet, of the layers from `start` on."""
    cuts = [0, *(n for n in range(1, len(chiplet)) if chiplet[n] != chiplet[n - 1])]
    ends = [*cuts[1:], len(chiplet)]
    return [
        Segment(chiplet[a], start + a, start + b, a == 0, b == len(chiplet))
        for a, b in zip(cuts, ends, strict=True)
    ]


def amounts_of(p: Problem, m: int, s: Segment, modes: list[Mode], g: int) -> Amounts:
    """`modes` has a mode for every layer of the segment."""
    layers = range(s.a, s.b)
    inside = [p.tasks[p.models[m].first + layer] for layer in layers]
    own = dict(zip(layers, modes, strict=True))
    arriving, leaving = live(p, m, s.a), live(p, m, s.b)
    inputs = {u for u in tensors_of(p, m) if maker(p, u) is None}
    made = {u for task in inside for u in task.outputs}
    outputs = {u for u in made if p.tensors[u].output or not users(p, u)}
    wanted = {u for u in inputs if set(layers) & set(users(p, u))}
    from_dram = inputs | (arriving if s.first else set())
    to_dram = outputs | (leaving if s.last else set())
    again = Fraction(0)  # r_i
    partial = Fraction(0)  # r_o
    if p.windowing.refetch:
        for layer, task in zip(layers, inside, strict=True):
            for u, size in zip(task.inputs, own[layer].ri_bytes, strict=True):
                if u in from_dram:
                    again += in_group(p, m, g, size)
            if to_dram & set(task.outputs):
                partial += in_group(p, m, g, own[layer].ro_bytes)
    needed = wanted | (arriving if s.first else set())
    first = p.models[m].first
    return Amounts(
        compute=sum(
            (in_group(p, m, g, mode.latency_ticks) for mode in modes), Fraction(0)
        ),
        read=group_bytes(p, m, g, needed) + again + partial,
        weights=sum(
            (weights_read(p, first + layer, own[layer], g) for layer in layers),
            Fraction(0),
        ),
        written=group_bytes(p, m, g, to_dram) + partial,
        handed=Fraction(0) if s.last else group_bytes(p, m, g, leaving),
    )


def need(p: Problem, m: int, s: Segment, modes: list[Mode], g: int) -> Fraction:
    """What `sram` says a segment needs, in bytes."""
    if not p.windowing.segments_fit:
        return Fraction(max(mode.ws_bytes for mode in modes))
    arriving, leaving = live(p, m, s.a), live(p, m, s.b)
    most = Fraction(0)
    for layer, mode in zip(range(s.a, s.b), modes, strict=True):
        lying = set()
        for u in tensors_of(p, m):
            made = maker(p, u)
            there = u in arriving or (made is not None and s.a <= made <= layer)
            kept = u in leaving or any(layer <= j < s.b for j in users(p, u))
            if there and kept:
                lying.add(u)
        most = max(most, mode.ws_bytes + group_bytes(p, m, g, lying))
    if p.windowing.weights_once:
        first = p.models[m].first
        most += sum(p.tasks[first + layer].weight_bytes for layer in range(s.a, s.b))
    return most


def course_of(
    p: Problem,
    m: int,
    start: int,
    chiplet: tuple[int, ...],
    mode: tuple[int, ...],
    g: int,
) -> Course:
    """Follow the layers of a model from `start` on through a window."""
    options = p.windowing
    groups = options.mini_batches[m] // g  # r
    tasks = [p.tasks[p.models[m].first + start + n] for n in range(len(chiplet))]
    modes = [t.modes[c][k] for t, c, k in zip(tasks, chiplet, mode, strict=True)]
    segments = segments_of(start, chiplet)
    violated = set()
    if len({s.chiplet for s in segments}) < len(segments):
        violated.add("segment")
    amounts = []
    for s in segments:
        its = modes[s.a - start : s.b - start]
        amounts.append(amounts_of(p, m, s, its, g))
        if need(p, m, s, its, g) > p.chiplets[s.chiplet].l2_bytes:
            violated.add("sram")
    energy = Fraction(sum(mode.energy for mode in modes))
    firsts, nexts = [], []
    for s, x in zip(segments, amounts, strict=True):
        c = s.chiplet
        rest = x.compute + write(p, c, x.written)
        firsts.append(rest + read(p, c, x.read + x.weights))
        nexts.append(
            rest + read(p, c, x.read + (0 if options.weights_once else x.weights))
        )
        energy += groups * x.read * reading(p, c).energy
        energy += groups * x.written * p.chiplets[c].write.energy
        energy += (
            (1 if options.weights_once else groups) * x.weights * reading(p, c).energy
        )
    for n, (s, after) in enumerate(pairwise(segments)):
        c, d = s.chiplet, after.chiplet
        if len(p.routes[c][d]) > 1:
            violated.add("adjacent")
        takes = send(p, c, d, amounts[n].handed)
        for row in (firsts, nexts):
            row[n + 1] += takes
            if not options.receiver_only:
                row[n] += takes
        crossed = sum(p.links[k].energy for k in p.routes[c][d])
        energy += groups * amounts[n].handed * crossed
    time = sum(firsts) + (groups - 1) * max(nexts)
    assert time.denominator == 1, "all times are whole ticks"
    return Course(m, start, chiplet, mode, g, int(time), energy, frozenset(violated))


# Quantities and objectives (§7.4).


def values_of(p: Problem, windows: Sequence[Sequence[Course]]) -> Values:
    """`windows` has the courses of every window."""
    models = range(len(p.models))
    lengths = [max(x.time for x in courses) for courses in windows]
    times = [[0] * len(windows) for _ in models]
    latency = [0 for _ in models]
    energy = Fraction(p.static_energy * sum(lengths))
    for w, courses in enumerate(windows):
        for x in courses:
            times[x.model][w] = x.time
            latency[x.model] = sum(lengths[:w]) + x.time
            energy += x.energy
    return Values(
        times=tuple(map(tuple, times)),
        lengths=tuple(lengths),
        latency=tuple(latency),
        energy=ceil(energy / p.energy_den),
    )


def worth(p: Problem, part: Part, v: Values) -> int:
    largest, terms = part
    if not largest:
        return sum(weight * int(getattr(v, name)) for weight, name, _ in terms)
    late = {m.name: x for m, x in zip(p.models, v.latency, strict=True)}
    return max(weight * late[str(model)] for weight, _, model in terms)


def broken_caps(p: Problem, v: Values) -> Iterator[str]:
    """`latency_cap`, `energy_cap`, `cap`."""
    for model, late in zip(p.models, v.latency, strict=True):
        if model.latency_cap_ticks is not None and late > model.latency_cap_ticks:
            yield "latency_cap"
    if p.energy_cap_quanta is not None and v.energy > p.energy_cap_quanta:
        yield "energy_cap"
    for part, most in p.windowing.caps:
        if worth(p, parse(p, part), v) > most:
            yield "cap"


# The judge (§7.3).


def judge(p: Problem, s: Schedule) -> Verdict:
    """Return what §7 says of a schedule of a problem."""
    violated = set(undefined(p, s))
    if violated:
        return Verdict(frozenset(violated))
    count = max(s.window) + 1
    if count > p.windowing.windows:
        violated.add("limit")
    windows: list[list[Course]] = [[] for _ in range(count)]
    for m, model in enumerate(p.models):
        for w in range(count):
            own = [t for t in model.tasks if s.window[t] == w]
            if own:
                g = s.groups[m][w]
                assert g is not None
                chiplet = tuple(s.chiplet[t] for t in own)
                mode = tuple(s.mode[t] for t in own)
                at = own[0] - model.first
                windows[w].append(course_of(p, m, at, chiplet, mode, g))
    for courses in windows:
        taken = [set(x.chiplet) for x in courses]
        if sum(map(len, taken)) > len(set().union(*taken)):
            violated.add("segment")
        for x in courses:
            violated |= x.violated
    values = values_of(p, windows)
    violated |= set(broken_caps(p, values))
    return Verdict(frozenset(violated), values)


def undefined(p: Problem, s: Schedule) -> Iterator[str]:
    """`assignment`, `window`, `mini_batch`: without them nothing else is defined."""
    for t, task in enumerate(p.tasks):
        c = s.chiplet[t]
        if not 0 <= c < len(p.chiplets) or not 0 <= s.mode[t] < len(task.modes[c]):
            yield "assignment"
    windows = range(max(s.window) + 1)
    together = {(t.model, w) for t, w in zip(p.tasks, s.window, strict=True)}
    for m, row in enumerate(s.groups):
        due = [(m, w) in together for w in windows]
        if [g is not None for g in row] != due:
            yield "assignment"
    if set(s.window) != set(windows):
        yield "window"
    for model in p.models:
        if any(s.window[t] < s.window[t - 1] for t in list(model.tasks)[1:]):
            yield "window"
    for n, row in zip(p.windowing.mini_batches, s.groups, strict=True):
        for g in row:
            if g is not None and (g < 1 or n % g or (p.windowing.single and g != 1)):
                yield "mini_batch"


# The least values.


@dataclass(frozen=True)
class Found:
    """The least value of each part of an objective, and a schedule worth it."""

    best: tuple[int, ...]
    schedule: Schedule


def courses_of(p: Problem, m: int, i: int, j: int) -> list[Course]:
    """All courses of layers i, …, j − 1 that break no rule by themselves."""
    tasks = [p.tasks[p.models[m].first + layer] for layer in range(i, j)]
    n = p.windowing.mini_batches[m]
    sizes = [g for g in range(1, n + 1) if n % g == 0]
    if p.windowing.single:
        sizes = [1]
    found = []
    for chiplet in product(*([c for c, k in enumerate(t.modes) if k] for t in tasks)):
        counts = [range(len(t.modes[c])) for t, c in zip(tasks, chiplet, strict=True)]
        for mode in product(*counts):
            for g in sizes:
                x = course_of(p, m, i, chiplet, mode, g)
                if not x.violated:
                    found.append(x)
    return found


def timetables(p: Problem) -> Iterator[list[list[tuple[int, int, int]]]]:
    """Every way to give layers windows: the blocks (m, i, j) of each window."""
    for count in range(1, min(p.windowing.windows, len(p.tasks)) + 1):
        rows = [
            list(combinations_with_replacement(range(count), len(model.tasks)))
            for model in p.models
        ]
        for window in product(*rows):
            blocks: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]
            for m, row in enumerate(window):
                for w in sorted(set(row)):
                    i = row.index(w)
                    blocks[w].append((m, i, i + row.count(w)))
            if all(blocks):
                yield blocks


def plans(
    p: Problem, limit: int | None = None
) -> Iterator[tuple[Sequence[Course], ...]]:
    """Every schedule that breaks no rule, caps aside: the courses of its windows.

    Raises
    ------
    TooLarge
        If there may be more than `limit` of them.
    """
    known: dict[tuple[int, int, int], list[Course]] = {}
    left = limit
    for blocks in timetables(p):
        windows = []
        for row in blocks:
            for block in row:
                if block not in known:
                    known[block] = courses_of(p, *block)
            if left is not None and prod(len(known[x]) for x in row) > left:
                raise TooLarge
            windows.append(
                [
                    courses
                    for courses in product(*(known[block] for block in row))
                    if apart(courses)
                ]
            )
        if left is not None:
            left -= prod(map(len, windows))
            if left < 0:
                raise TooLarge
        yield from product(*windows)


def apart(courses: Sequence[Course]) -> bool:
    taken = [set(x.chiplet) for x in courses]
    return sum(map(len, taken)) == len(set().union(*taken))


def optimum(p: Problem, objective: str, limit: int | None = None) -> Found | None:
    """Return the best of all schedules; `None` if none breaks no rule.

    Parameters
    ----------
    objective
        Parts as in §7.4, separated by commas: the first counts most.
    limit
        How many schedules there may be.

    Raises
    ------
    TooLarge
        If there are more.
    """
    return optima(p, (objective,), limit)[0]


def optima(
    p: Problem, objectives: Sequence[str], limit: int | None = None
) -> list[Found | None]:
    """Return `optimum` of several objectives, in one enumeration."""
    parts = [[parse(p, part) for part in text.split(",")] for text in objectives]
    best: list[tuple[tuple[int, ...], tuple[Sequence[Course], ...]] | None]
    best = [None for _ in objectives]
    for plan in plans(p, limit):
        v = values_of(p, plan)
        if next(broken_caps(p, v), None) is not None:
            continue
        for n, row in enumerate(parts):
            value = tuple(worth(p, part, v) for part in row)
            now = best[n]
            if now is None or value < now[0]:
                best[n] = value, plan
    return [None if x is None else Found(x[0], written(p, x[1])) for x in best]


def written(p: Problem, plan: Sequence[Sequence[Course]]) -> Schedule:
    """A plan as a schedule."""
    chiplet, mode, window = ([0] * len(p.tasks) for _ in range(3))
    groups: list[list[int | None]] = [[None] * len(plan) for _ in p.models]
    for w, courses in enumerate(plan):
        for x in courses:
            groups[x.model][w] = x.g
            at = p.models[x.model].first + x.start
            for n, (c, k) in enumerate(zip(x.chiplet, x.mode, strict=True)):
                chiplet[at + n], mode[at + n], window[at + n] = c, k, w
    return Schedule(
        chiplet=tuple(chiplet),
        mode=tuple(mode),
        window=tuple(window),
        groups=tuple(map(tuple, groups)),
    )

"""What a windowed schedule is and what it costs: the one definition (MODEL.md §7).

`RULES` maps every label to a function that yields violations, `QUANTITIES` every
quantity to a function; `evaluate` puts them together. Heuristics, read-back of
engines' answers and the checker all come here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from formulation import rules
from formulation.objective import ObjectiveError, Part
from formulation.rules import KindError, UnassignedError, Violation
from formulation.windowed.objective import caps_of, part_value
from formulation.windowed.segments import (
    Cost,
    Segment,
    kept_bytes,
    need_bytes,
    path_costs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.problem import Mode, Problem
    from formulation.windowed.schedule import Schedule

REFUSED = {
    **{name: name for name in ("contiguous", "convex", "exclusive", "colocate")},
    **{name: name for name in ("multicast", "serial", "guaranteed")},
    "private": "private (DRAM)",
    "residents_only": "sram: residents",
}
"""Options that windowed schedules do not have: attribute of `Problem` → its name."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules and quantities are computed from.

    Parameters
    ----------
    segments
        Per window and model, in order; () where the model has no layers there.
    costs
        Likewise.
    time_ticks
        Per window and model: time(m, w).
    """

    segments: tuple[tuple[tuple[Segment, ...], ...], ...]
    costs: tuple[tuple[tuple[Cost, ...], ...], ...]
    time_ticks: tuple[tuple[int, ...], ...]

    @property
    def length_ticks(self) -> tuple[int, ...]:
        """How long every window is."""
        return tuple(max(times) for times in self.time_ticks)


@dataclass(frozen=True, slots=True)
class Worth:
    """The quantities of a schedule; latencies are per model."""

    makespan_ticks: int
    latency_ticks: tuple[int, ...]
    energy_quanta: int

    @property
    def edp(self) -> int:
        """Energy times makespan, in quanta·ticks."""
        return self.energy_quanta * self.makespan_ticks


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A schedule's worth. `violations` is empty exactly for a valid schedule."""

    violations: tuple[Violation, ...]
    worth: Worth
    facts: Facts


def assignment(p: Problem, s: Schedule) -> Iterator[Violation]:
    """Every layer on a chiplet that supports it; a g exactly where it is due."""
    yield from rules.mapping(p, s)
    windows = max(0, max(s.window) + 1)
    for m, model in enumerate(p.models):
        if len(s.groups[m]) != windows:
            where = f"{model.name}: groups of {len(s.groups[m])} of {windows} windows"
            yield Violation("assignment", where, 1, "groups")
            continue
        used = {s.window[t] for t in model.tasks}
        for w, group in enumerate(s.groups[m]):
            if (group is not None) != (w in used):
                where = f"{model.name}, window {w}: a group goes with layers"
                yield Violation("assignment", where, 1, "groups")


def window(p: Problem, s: Schedule) -> Iterator[Violation]:
    """Windows follow the order of the layers, from 0 on, and none is empty."""
    for t, w in enumerate(s.window):
        back = max(0, -w)
        if t > p.models[p.tasks[t].model].first:
            back = max(back, s.window[t - 1] - w)
        if back:
            yield Violation("window", p.full_name(t), back, "windows")
    for w in sorted(set(range(max(s.window) + 1)) - set(s.window)):
        yield Violation("window", f"window {w} is empty", 1, "windows")


def mini_batch(p: Problem, s: Schedule) -> Iterator[Violation]:
    """A g divides n; with ``single`` it is 1."""
    for m, model in enumerate(p.models):
        n = p.windowing.mini_batches[m]
        for w, group in enumerate(s.groups[m]):
            if group is not None and not _allowed(p, n, group):
                where = f"{model.name}, window {w}: {group} of {n}"
                yield Violation("mini_batch", where, 1, "groups")


def _allowed(p: Problem, n: int, group: int) -> bool:
    if p.windowing.single:
        return group == 1
    return group >= 1 and n % group == 0


def limit(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """There are at most W windows."""
    over = len(facts.segments) - p.windowing.windows
    if over > 0:
        yield Violation("limit", "package", over, "windows")


def segment(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """In a window a chiplet has at most one segment."""
    for w, models in enumerate(facts.segments):
        used = Counter(x.chiplet for own in models for x in own)
        for c, count in sorted(used.items()):
            if count > 1:
                where = f"chiplet {p.chiplets[c].name} in window {w}"
                yield Violation("segment", where, count - 1, "segments")


def adjacent(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """A hand-over crosses at most one link."""
    for w, models in enumerate(facts.segments):
        for own in models:
            for x, after in pairwise(own):
                over = len(p.routes[x.chiplet][after.chiplet]) - 1
                if over > 0:
                    where = f"after {p.full_name(x.end - 1)} in window {w}"
                    yield Violation("adjacent", where, over, "links")


def sram(p: Problem, s: Schedule, facts: Facts) -> Iterator[Violation]:
    """What a segment needs fits the L2 of its chiplet."""
    for models in facts.segments:
        for x in (x for own in models for x in own):
            chiplet, kept = p.chiplets[x.chiplet], kept_bytes(p, x)
            for t in x.tasks:
                need = kept + need_bytes(p, x, t, _mode(p, s, t))
                if need > chiplet.l2_bytes:
                    where = f"{p.full_name(t)} on chiplet {chiplet.name}"
                    over = need - chiplet.l2_bytes
                    yield Violation("sram", where, over, "bytes")


def latency_cap(p: Problem, worth: Worth) -> Iterator[Violation]:
    """The latency of a model ≤ its cap."""
    for model, ticks in zip(p.models, worth.latency_ticks, strict=True):
        cap_ticks = model.latency_cap_ticks
        if cap_ticks is not None and ticks > cap_ticks:
            yield Violation("latency_cap", model.name, ticks - cap_ticks, "ticks")


def energy_cap(p: Problem, worth: Worth) -> Iterator[Violation]:
    """The energy of everything ≤ its cap."""
    return rules.energy_cap(p, worth.energy_quanta)


def cap(p: Problem, worth: Worth) -> Iterator[Violation]:
    """Every capped part of an objective ≤ its cap."""
    for part, most in caps_of(p):
        over = value(p, part, worth) - most
        if over > 0:
            yield Violation("cap", part.text, over, part.unit)


FORM_RULES: dict[str, Callable[[Problem, Schedule], Iterator[Violation]]] = {
    "assignment": assignment,
    "window": window,
    "mini_batch": mini_batch,
}
"""Where one of these is broken nothing else is defined."""
WINDOW_RULES: dict[str, Callable[[Problem, Schedule, Facts], Iterator[Violation]]] = {
    "limit": limit,
    "segment": segment,
    "adjacent": adjacent,
    "sram": sram,
}
CAP_RULES: dict[str, Callable[[Problem, Worth], Iterator[Violation]]] = {
    "latency_cap": latency_cap,
    "energy_cap": energy_cap,
    "cap": cap,
}
RULES = (*FORM_RULES, *WINDOW_RULES, *CAP_RULES)


def _mode(p: Problem, s: Schedule, t: int) -> Mode:
    return p.tasks[t].modes[s.chiplet[t]][s.mode[t]]


def segments_of(p: Problem, s: Schedule, m: int, w: int) -> tuple[Segment, ...]:
    """Return the segments of a model in a window, in order."""
    group = s.groups[m][w]
    if group is None:
        return ()
    here = [t for t in p.models[m].tasks if s.window[t] == w]
    cuts = [t for t in here[1:] if s.chiplet[t] != s.chiplet[t - 1]]
    starts, ends = [here[0], *cuts], [*cuts, here[-1] + 1]
    chiplets = [s.chiplet[a] for a in starts]
    return tuple(
        Segment(m, c, a, b, a == here[0], b == ends[-1], group)
        for c, a, b in zip(chiplets, starts, ends, strict=True)
    )


def time(costs: tuple[Cost, ...], groups: int) -> int:
    """Return how long a model takes in a window with r = `groups`."""
    if not costs:
        return 0
    slowest = max(x.next_ticks for x in costs)
    return sum(x.first_ticks for x in costs) + (groups - 1) * slowest


def makespan(facts: Facts) -> int:
    """Return the lengths of all windows together."""
    return sum(facts.length_ticks)


def latency(p: Problem, facts: Facts) -> tuple[int, ...]:
    """Return, per model, when it is done."""
    found = []
    for m in range(len(p.models)):
        last = max(w for w, models in enumerate(facts.segments) if models[m])
        before = sum(facts.length_ticks[:last])
        found.append(before + facts.time_ticks[last][m])
    return tuple(found)


def energy(p: Problem, facts: Facts, makespan_ticks: int) -> int:
    """Return the energy of everything in quanta, rounded up once."""
    units = sum(x.energy for models in facts.costs for own in models for x in own)
    return -(-(units + p.static_energy * makespan_ticks) // p.energy_den)


QUANTITIES = ("makespan", "latency", "energy", "edp")


def facts_of(p: Problem, s: Schedule) -> Facts:
    """Return segments, costs and times of a schedule of the right form."""
    segments, costs, times = [], [], []
    for w in range(max(s.window) + 1):
        row = [segments_of(p, s, m, w) for m in range(len(p.models))]
        priced = [path_costs(p, own, partial(_mode, p, s)) for own in row]
        segments.append(tuple(row))
        costs.append(tuple(priced))
        times.append(
            tuple(
                time(own, n // (s.groups[m][w] or n))
                for m, (own, n) in enumerate(
                    zip(priced, p.windowing.mini_batches, strict=True)
                )
            )
        )
    return Facts(tuple(segments), tuple(costs), tuple(times))


def check_options(p: Problem) -> None:
    """Refuse a problem with options that windowed schedules do not have.

    Raises
    ------
    KindError
        With a line for every such option, and for every cap that is no part of an
        objective.
    """
    faults = [
        f"windowed schedules have no option {name}"
        for attribute, name in REFUSED.items()
        if getattr(p, attribute)
    ]
    try:
        caps_of(p)
    except ObjectiveError as error:
        faults += str(error).splitlines()
    if faults:
        raise KindError("\n".join(faults))


def value(p: Problem, part: Part, worth: Worth) -> int:
    """Return what an evaluated schedule is worth in a part of an objective."""
    return part_value(
        p, part, worth.makespan_ticks, worth.energy_quanta, worth.latency_ticks
    )


def evaluate(
    p: Problem, s: Schedule, without: frozenset[str] = frozenset()
) -> Evaluation:
    """Judge a schedule and say what it is worth.

    Parameters
    ----------
    without
        Labels of rules that are left out (relaxations, tests).

    Raises
    ------
    KindError
        If the problem has options that windowed schedules do not have.
    UnassignedError
        If a rule of `FORM_RULES` fails: nothing else is defined then.
    """
    check_options(p)
    malformed = tuple(v for rule in FORM_RULES.values() for v in rule(p, s))
    if malformed:
        raise UnassignedError(malformed)
    facts = facts_of(p, s)
    long = makespan(facts)
    worth = Worth(long, latency(p, facts), energy(p, facts, long))
    found = [v for rule in WINDOW_RULES.values() for v in rule(p, s, facts)]
    found += [v for limits in CAP_RULES.values() for v in limits(p, worth)]
    kept = tuple(v for v in found if v.rule not in without)
    return Evaluation(kept, worth, facts)

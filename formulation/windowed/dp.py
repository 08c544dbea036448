"""Windowed schedules by dynamic programs: exact, for tiny and small problems.

The programs and why they lose nothing: MODEL.md §7.8. Nothing here is a solver's word;
the schedule that comes out is valued by the semantics all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from formulation.outcome import EngineError
from formulation.windowed.dp_ways import Way, undominated, ways
from formulation.windowed.objective import caps_of, part_value
from formulation.windowed.schedule import Schedule
from formulation.windowed.search import PRICED, Search, bounded, stopped
from formulation.windowed.semantics import CAP_RULES, check_options, evaluate, value
from formulation.windowed.steps import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formulation.objective import Part
    from formulation.outcome import Answer, Limits, Report
    from formulation.problem import Problem

STRENGTHENINGS = (PRICED,)
Cuts = tuple[int, ...]
"""Per model: its first layer that is not done."""


class OutOfTimeError(Exception):
    """The time is up."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the models do in a window.

    Parameters
    ----------
    ways
        Per model; `None` for one that does nothing.
    ends
        Where it leaves the models.
    ticks
        Its length.
    done
        Per model: time(m, w) if it ends in this window, else `None`.
    """

    ways: tuple[Way | None, ...]
    ends: Cuts
    ticks: int
    energy: int
    done: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """Some first windows of a schedule.

    Parameters
    ----------
    energy
        Energy units without static power.
    latency
        Per model: when it was done; `None` if it is not.
    """

    ticks: int
    energy: int
    latency: tuple[int | None, ...]
    windows: tuple[Window, ...]


def _vector(x: Window | Label, watched: bool) -> tuple[int, ...]:
    """Return what no other one with the same ends may be at most in.

    Of two with the same ends the same models are done. `watched`: whether it matters
    when.
    """
    when = x.done if isinstance(x, Window) else x.latency
    return (x.ticks, x.energy, *(ticks or 0 for ticks in when if watched))


def _watched(p: Problem, part: Part) -> bool:
    """Whether objective or caps ask when a model is done."""
    capped = any(model.latency_cap_ticks is not None for model in p.models)
    return part.largest or capped or any(x.largest for x, _ in caps_of(p))


def _windows(
    p: Problem, cuts: Cuts, watched: bool, check: Callable[[], None]
) -> list[Window]:
    """Return the undominated windows from some cuts on."""
    idle: list[Way | None] = [None] * len(cuts)
    found: dict[Cuts, list[Window]] = {}
    for chosen, ends in _choices(p, cuts, 0, 0, idle, cuts, check):
        check()
        if ends == cuts:
            continue
        some = [way for way in chosen if way is not None]
        done = tuple(
            way.ticks if way is not None and end == model.last + 1 else None
            for way, end, model in zip(chosen, ends, p.models, strict=True)
        )
        ticks, energy = max(x.ticks for x in some), sum(x.energy for x in some)
        found.setdefault(ends, []).append(
            Window(tuple(chosen), ends, ticks, energy, done)
        )
    vector = partial(_vector, watched=watched)
    return [x for same in found.values() for x in undominated(same, vector)]


def _choices(
    p: Problem,
    cuts: Cuts,
    m: int,
    used: int,
    chosen: list[Way | None],
    ends: Cuts,
    check: Callable[[], None],
) -> Iterator[tuple[list[Way | None], Cuts]]:
    """Yield what models m, m + 1, … may do beside the chiplets that are used.

    `chosen` is one list, changed between what is yielded.
    """
    if m == len(cuts):
        yield chosen, ends
        return
    yield from _choices(p, cuts, m + 1, used, chosen, ends, check)
    if cuts[m] <= p.models[m].last:
        for end, some in ways(p, m, cuts[m], check).items():
            after = (*ends[:m], end, *ends[m + 1 :])
            for way in some:
                if not way.chiplets & used:
                    chosen[m] = way
                    free = used | way.chiplets
                    yield from _choices(p, cuts, m + 1, free, chosen, after, check)
        chosen[m] = None


def _energy_quanta(p: Problem, label: Label) -> int:
    return -(-(label.energy + p.static_energy * label.ticks) // p.energy_den)


def _labels(p: Problem, watched: bool, check: Callable[[], None]) -> list[Label]:
    """Return the undominated labels of complete schedules."""
    start = tuple(model.first for model in p.models)
    ends = tuple(model.last + 1 for model in p.models)
    follow: dict[Cuts, list[Window]] = {}
    states = {start: [Label(0, 0, (None,) * len(start), ())]}
    vector = partial(_vector, watched=watched)
    complete: list[Label] = []
    for _ in range(p.windowing.windows):
        found: dict[Cuts, list[Label]] = {}
        for cuts, labels in states.items():
            if cuts not in follow:
                follow[cuts] = _windows(p, cuts, watched, check)
            for window in follow[cuts]:
                check()
                some = found.setdefault(window.ends, [])
                some += [_after(label, window) for label in labels]
        states = {}
        for cuts, labels in found.items():
            check()
            states[cuts] = undominated(labels, vector)
        complete += states.pop(ends, [])
        if not states:
            break
    return undominated(complete, vector)


def _after(label: Label, window: Window) -> Label:
    """Return a label with a window behind it."""
    return Label(
        label.ticks + window.ticks,
        label.energy + window.energy,
        tuple(
            was if own is None else label.ticks + own
            for was, own in zip(label.latency, window.done, strict=True)
        ),
        (*label.windows, window),
    )


def read(p: Problem, label: Label) -> Schedule:
    """Return the schedule of a complete label."""
    count = len(p.tasks)
    chiplet, mode, window = [0] * count, [0] * count, [0] * count
    groups: list[list[int | None]] = [[] for _ in p.models]
    for w, x in enumerate(label.windows):
        for m, way in enumerate(x.ways):
            groups[m].append(None if way is None else way.group)
            for c, start, modes in () if way is None else way.segments:
                for t, k in enumerate(modes, start):
                    chiplet[t], mode[t], window[t] = c, k, w
    return Schedule(
        tuple(chiplet), tuple(mode), tuple(window), tuple(tuple(x) for x in groups)
    )


def _best(p: Problem, part: Part, labels: list[Label]) -> tuple[Schedule, int] | None:
    """Return the best valid schedule of complete labels and its value.

    Raises
    ------
    EngineError
        If the semantics value one of them otherwise, or refuse it but for caps.
    """
    worths = [
        part_value(p, part, x.ticks, _energy_quanta(p, x), [n or 0 for n in x.latency])
        for x in labels
    ]
    for k in sorted(range(len(labels)), key=worths.__getitem__):
        s = read(p, labels[k])
        found = evaluate(p, s)
        broken = {v.rule for v in found.violations}
        if value(p, part, found.worth) != worths[k] or broken - CAPS:
            lines = "; ".join(str(v) for v in found.violations)
            raise EngineError(f"the programs say {worths[k]}: {found.worth}; {lines}")
        if not broken:
            return s, worths[k]
    return None


CAPS = frozenset(CAP_RULES)


class DpSearch(Search):
    """One call of `minimise`."""

    engine: ClassVar[str] = "dp"


def minimise(
    p: Problem,
    part: Part,
    limits: Limits,
    *,
    report: Report | None = None,
    hint: Schedule | None = None,
    without: frozenset[str] = frozenset(),
    strengthenings: frozenset[str] = frozenset(STRENGTHENINGS),
) -> Answer[Schedule]:
    """Minimise a part of an objective (MODEL.md §7.4).

    Of `limits`, seconds, gap (before the programs) and the call to stop hold; when the
    time is up only bounds that need no programs are known.

    Parameters
    ----------
    hint
        A schedule to start from.
    without
        Labels of rules left out: see `steps`, which frees the problem itself of them.
    strengthenings
        Those of `STRENGTHENINGS` that are on.

    Raises
    ------
    KindError
        If the problem has options that windowed schedules do not have, or rules are to
        be left out that are always there.
    EngineError
        If the semantics contradict the programs.
    """
    check_options(p)
    search = DpSearch(steps(p, without).p, limits, report, frozenset(), part)
    if hint is not None:
        search.begin(hint)
    why = bounded(search, strengthenings)
    return search.answer(why or _search(search))


def _search(search: Search) -> str:
    """Run the programs; return why it stopped."""
    p, part = search.p, search.part
    check = partial(_check, search)
    try:
        best = _best(p, part, _labels(p, _watched(p, part), check))
    except OutOfTimeError as over:
        return str(over)
    if best is None:
        return "infeasible"
    search.must(best[0])
    search.raise_bound(best[1])
    return "finished"


def _check(search: Search) -> None:
    """Stop when it is time to.

    Raises
    ------
    OutOfTimeError
        With the reason.
    """
    if search.over:
        raise OutOfTimeError(stopped(search))

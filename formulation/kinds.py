"""The kinds of schedules, and what loops over parts, files and checker ask of each.

A kind is one entry of `KINDS`. No solver is imported here; `solve` says which engines
there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from formulation.dual import Linear
from formulation.objective import Part, pipelined_parts
from formulation.pipelined import relaxation as pipelined_relaxation
from formulation.pipelined import schedule as pipelined_schedule
from formulation.pipelined import semantics as pipelined
from formulation.timed import objective as timed_objective
from formulation.timed import schedule as timed_schedule
from formulation.timed import semantics as timed
from formulation.timed.bounds import least
from formulation.windowed import objective as windowed_objective
from formulation.windowed import schedule as windowed_schedule
from formulation.windowed import semantics as windowed
from formulation.windowed.energy import parts_of_energy
from formulation.windowed.steps import STANDING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from formulation.objective import Workload
    from formulation.problem import Problem
    from formulation.rules import Violation
    from formulation.windowed.program import PricedTime

S = TypeVar("S")
E = TypeVar("E", bound="Judged")
S_in = TypeVar("S_in", contravariant=True)
E_out = TypeVar("E_out", covariant=True, bound="Judged")
Values = tuple[int | None, ...]


class Judged(Protocol):
    """An evaluated schedule of any kind."""

    @property
    def violations(self) -> tuple[Violation, ...]:
        """The broken rules; empty exactly for a valid schedule."""


class Evaluate(Protocol[S_in, E_out]):
    """A kind's semantics."""

    def __call__(
        self, p: Problem, s: S_in, /, *, without: frozenset[str] = ...
    ) -> E_out:
        """Judge a schedule under the rules that are not left out."""


class Parts(Protocol):
    """A kind's objectives."""

    def __call__(
        self, p: Workload, objective: Sequence[str], /, without: frozenset[str] = ...
    ) -> tuple[Part, ...]:
        """Return the parts of an objective, or refuse it with every fault."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[S, E]):
    """One kind of schedules.

    Parameters
    ----------
    rules
        Labels of its rules.
    objective
        What is minimised if nothing else is asked for.
    keys, says
        What a certificate states of a schedule, and a sentence of it.
    check
        Refuses problems with options that the kind does not have (`KindError`).
    parts, value
        Parts of an objective; what an evaluated schedule is worth in one.
    facts
        `keys` of an evaluated schedule, but for ``energy_pj``.
    rounds, units
        How often each model runs, and where the energy units of all that go: chiplets,
        NoP, DRAM, static power.
    relaxation
        Of a problem, an objective, its values and the number of a part: a program
        whose recomputed bounds hold for that part; `None` if there is none.
    standing
        Labels of rules that no engine leaves out.
    """

    name: str
    rules: tuple[str, ...]
    objective: tuple[str, ...]
    keys: tuple[str, ...]
    says: str
    check: Callable[[Problem], None]
    parts: Parts
    evaluate: Evaluate[S, E]
    value: Callable[[Problem, Part, E], int]
    facts: Callable[[Problem, E], dict[str, Any]]
    to_dict: Callable[[Problem, S], dict[str, Any]]
    from_dict: Callable[[Problem, object], S]
    rounds: Callable[[Problem], Sequence[int]]
    units: Callable[[Problem, S, E], dict[str, int]]
    relaxation: Callable[
        [Problem, Sequence[str], Sequence[int | None], int],
        Linear | PricedTime | None,
    ]
    standing: tuple[str, ...] = ("assignment",)


def _by_model(p: Problem, values: Sequence[Any]) -> dict[str, Any]:
    names = [model.name for model in p.models]
    return dict(zip(names, values, strict=True))


def _no_check(p: Problem) -> None:
    """Every problem has pipelined schedules, as far as options go."""


def _pipelined_value(p: Problem, part: Part, found: pipelined.Evaluation) -> int:
    return part.value(p, found)


def _pipelined_facts(p: Problem, found: pipelined.Evaluation) -> dict[str, Any]:
    return {
        "period_ticks": found.period_ticks,
        "energy_quanta": found.energy_quanta,
        "latency_ticks": _by_model(p, found.latency_ticks),
    }


def _one_round(p: Problem) -> list[int]:
    return [1] * len(p.models)


def _pipelined_units(
    p: Problem, s: pipelined_schedule.Schedule, found: pipelined.Evaluation
) -> dict[str, int]:
    return pipelined.energy_parts(p, s, pipelined.facts_of(p, s), found.period_ticks)


def _pipelined_relaxation(
    p: Problem, objective: Sequence[str], value: Sequence[int | None], k: int
) -> Linear | None:
    """Return the relaxation of MODEL.md §4.8 under the values of earlier parts."""
    target = pipelined_relaxation.target_of(objective, value, k)
    return None if target is None else pipelined_relaxation.relaxation(p, target)


def _timed_value(p: Problem, part: Part, found: timed.Evaluation) -> int:
    return timed_objective.value(p, part, found.worth)


def _timed_facts(p: Problem, found: timed.Evaluation) -> dict[str, Any]:
    worth = found.worth
    return {
        "makespan_ticks": worth.makespan_ticks,
        "energy_quanta": worth.energy_quanta,
        "latency_ticks": _by_model(p, [list(x) for x in worth.latency_ticks]),
        "tardiness_ticks": _by_model(p, [list(x) for x in worth.tardiness_ticks]),
    }


def _all_rounds(p: Problem) -> list[int]:
    return [len(releases) for releases in p.timing.releases]


def _timed_units(
    p: Problem, s: timed_schedule.Schedule, found: timed.Evaluation
) -> dict[str, int]:
    return timed.parts_of_energy(p, s, found.facts.traffic, found.worth.makespan_ticks)


def _timed_relaxation(
    p: Problem, objective: Sequence[str], value: Sequence[int | None], k: int
) -> Linear | None:
    """Return the bounds of MODEL.md §6.5: a program of one column and no rows."""
    bound = least(p, timed_objective.timed_part(p, objective[k]))
    program = Linear()
    program.cost[program.column("value", bound, bound)] = 1
    return program


def _windowed_facts(p: Problem, found: windowed.Evaluation) -> dict[str, Any]:
    worth = found.worth
    return {
        "makespan_ticks": worth.makespan_ticks,
        "energy_quanta": worth.energy_quanta,
        "latency_ticks": _by_model(p, worth.latency_ticks),
        "window_ticks": [*found.facts.length_ticks],
    }


def _windowed_value(p: Problem, part: Part, found: windowed.Evaluation) -> int:
    return windowed.value(p, part, found.worth)


def _windowed_units(
    p: Problem, s: windowed_schedule.Schedule, found: windowed.Evaluation
) -> dict[str, int]:
    return parts_of_energy(p, s, found.facts, found.worth.makespan_ticks)


def _priced_time(
    p: Problem, objective: Sequence[str], value: Sequence[int | None], k: int
) -> PricedTime:
    """Return the bounds of MODEL.md §7.7; values of earlier parts do not enter."""
    from formulation.windowed.program import PricedTime  # numpy: only when needed

    part = windowed_objective.windowed_part(p, objective[k])
    return PricedTime(p, part, value[k])


PIPELINED = Kind(
    name="pipelined",
    rules=tuple(pipelined.RULES),
    objective=("period",),
    keys=("period_ticks", "energy_quanta", "energy_pj", "latency_ticks"),
    says="it has a period of {period_ticks} ticks and takes {energy_pj} pJ per round",
    check=_no_check,
    parts=pipelined_parts,
    evaluate=pipelined.evaluate,
    value=_pipelined_value,
    facts=_pipelined_facts,
    to_dict=pipelined_schedule.to_dict,
    from_dict=pipelined_schedule.from_dict,
    rounds=_one_round,
    units=_pipelined_units,
    relaxation=_pipelined_relaxation,
)
TIMED = Kind(
    name="timed",
    rules=timed.RULES,
    objective=("makespan",),
    keys=(
        *("makespan_ticks", "energy_quanta", "energy_pj"),
        *("latency_ticks", "tardiness_ticks"),
    ),
    says="it has a makespan of {makespan_ticks} ticks and takes {energy_pj} pJ",
    check=timed.check_options,
    parts=timed_objective.timed_parts,
    evaluate=timed.evaluate,
    value=_timed_value,
    facts=_timed_facts,
    to_dict=timed_schedule.to_dict,
    from_dict=timed_schedule.from_dict,
    rounds=_all_rounds,
    units=_timed_units,
    relaxation=_timed_relaxation,
)
WINDOWED = Kind(
    name="windowed",
    rules=windowed.RULES,
    objective=("makespan",),
    keys=(
        *("makespan_ticks", "energy_quanta", "energy_pj"),
        *("latency_ticks", "window_ticks"),
    ),
    says="it has a makespan of {makespan_ticks} ticks and takes {energy_pj} pJ",
    check=windowed.check_options,
    parts=windowed_objective.windowed_parts,
    evaluate=windowed.evaluate,
    value=_windowed_value,
    facts=_windowed_facts,
    to_dict=windowed_schedule.to_dict,
    from_dict=windowed_schedule.from_dict,
    rounds=_one_round,
    units=_windowed_units,
    relaxation=_priced_time,
    standing=STANDING,
)
KINDS: Mapping[str, Kind[Any, Any]] = {
    kind.name: kind for kind in (PIPELINED, TIMED, WINDOWED)
}


def objective_of(kind: str, given: Workload, text: str | None) -> tuple[str, ...]:
    """Return the parts of an objective such as ``period,energy`` in their one text.

    Parameters
    ----------
    given
        The problem or instance.
    text
        `None`: what the kind minimises by itself.

    Raises
    ------
    ObjectiveError
        With every fault.
    """
    if text is None:
        return KINDS[kind].objective
    return tuple(part.text for part in KINDS[kind].parts(given, text.split(",")))


def kind_of(p: Problem) -> Kind[Any, Any]:
    """Return the kind of schedule that a problem asks for."""
    return KINDS[p.kind]

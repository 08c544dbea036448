"""Which rules of an infeasible problem cannot hold together."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from formulation.kinds import kind_of
from formulation.outcome import Limits
from formulation.solve import STEPS, engine_of

if TYPE_CHECKING:
    from formulation.problem import Problem

ENGINE = "cpsat"
SECONDS_EACH = 10.0


def clashing_rules(
    p: Problem, without: frozenset[str] = frozenset(), limits: Limits | None = None
) -> tuple[str, ...]:
    """Return a minimal set of rules that is infeasible, by a deletion filter.

    Rules are left out one at a time; one stays out if the rest is still proved
    infeasible (within a time limit for each, so the set may then be larger than
    needed, never smaller). What is left clashes, and every one of it is needed; rules
    that no engine leaves out hold beside them, and are named where they alone clash.
    """
    kind, (engine, _) = kind_of(p), engine_of(p.kind, ENGINE)
    # Any schedule will do: with that gap the first one ends it.
    limits = replace(limits or Limits(), seconds=SECONDS_EACH, gap=Fraction(1))
    out = without
    kept = []
    for label in reversed(kind.rules):
        if label in kind.standing or label in out:
            continue
        if limits.stop is not None and limits.stop.is_set():
            return ()
        trial = out | {label}
        steps = STEPS[p.kind](p, trial)
        parts = steps.groups(kind.objective)[0]
        if steps.minimise(parts, ENGINE, engine, limits, None, None).infeasible:
            out = trial
        else:
            kept.append(label)
    return tuple(label for label in kind.rules if label in kept) or kind.standing

"""Which rules of an infeasible problem cannot hold together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from formulation.outcome import Limits, Target
from formulation.pipelined.semantics import RULES

if TYPE_CHECKING:
    from formulation.problem import Problem

SECONDS_EACH = 10.0


def clashing_rules(
    p: Problem, without: frozenset[str] = frozenset(), limits: Limits | None = None
) -> tuple[str, ...]:
    """Return a minimal set of rules that is infeasible, by a deletion filter.

    Rules are left out one at a time; one stays out if the rest is still proved
    infeasible (within a time limit for each, so the set may then be larger than
    needed, never smaller). What is left clashes, and every one of it is needed.
    """
    from formulation.pipelined.cpsat import minimise

    limits = replace(limits or Limits(), seconds=SECONDS_EACH)
    out = without
    kept = []
    for label in reversed(RULES):
        if label == "assignment" or label in out:
            continue
        if limits.stop is not None and limits.stop.is_set():
            return ()
        trial = out | {label}
        if minimise(p, Target("period"), limits, without=trial).infeasible:
            out = trial
        else:
            kept.append(label)
    return tuple(label for label in RULES if label in kept) or ("assignment",)

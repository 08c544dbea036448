"""The engines of timed schedules, asked for the least values as the oracle is."""

from __future__ import annotations

from formulation.outcome import Limits
from formulation.timed import cpsat, milp
from formulation.timed.objective import earned, timed_part

ENGINES = {"cpsat": cpsat.minimise, "milp": milp.minimise}
LIMITS = Limits(workers=1)


def proved(engine: str, p, objective: str, **how) -> tuple[int, ...] | None:
    """Return the proved optimum of an objective, `None` if it is proved infeasible."""
    values = []
    for text in objective.split(","):
        part = timed_part(p, text)
        answer = ENGINES[engine](p, part, LIMITS, **how)
        assert answer.why_stopped == "finished"
        if answer.infeasible:
            assert not values
            return None
        assert answer.proved
        values.append(answer.value)
        p = earned(p, part, answer.value)
    return tuple(values)

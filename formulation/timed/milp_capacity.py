"""`bandwidth` of MODEL.md §6.2 for the MILP, and sums of it and `sram` at every start.

What a tick holds rises only where something starts, so that it fits in all ticks
exactly if it fits at the start of everything (MODEL.md §6.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formulation.milp_decisions import minus
from formulation.timed.milp_flows import flows

if TYPE_CHECKING:
    from formulation.engines.milp import Terms, Var
    from formulation.timed.milp_vars import Span, Timed

FASTEST = 1.5
"""What `_pace` is at most: at 0 ticks, where nothing is there."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a span takes of a capacity of 1.

    Parameters
    ----------
    amount
        How much: 0 where the span is not there.
    most
        The largest `amount`.
    there
        The literal that it is there.
    ticks
        Whether it has some ticks wherever it is there.
    """

    span: Span
    amount: Terms
    most: float
    there: Terms
    ticks: bool


def capacity(m: Timed, label: str, loads: list[Load], room: float) -> None:
    """Σ of what others take at the start of a, and of a itself, ≤ room ∀ a.

    Span b takes its amount there unless done[b, a] or later[b, a]; a itself unless it
    has no ticks, done[a, a].
    """
    if sum(x.most for x in loads) <= room:
        return
    for n, at in enumerate(loads):
        taken: Terms = []
        for k, other in enumerate(loads):
            away: Terms = []
            if other is not at:
                done = m.order("done", other.span, at.span)
                away = [*done, *m.order("later", other.span, at.span)]
            elif not at.ticks:
                away = m.order("done", at.span, at.span)
            takes = m.program.real(f"{label}_{at.span.name}_{n}_{k}", 0, other.most)
            # takes ≥ amount − most·(away + 1 − there)
            off = [(var, other.most * c) for var, c in (*away, *minus(at.there))]
            terms = [(takes, 1.0), *minus(other.amount), *off]
            m.program.row(f"{label}_takes", terms, ">=", -other.most)
            taken.append((takes, 1.0))
        m.program.row(label, taken, "<=", room)


def bandwidth(m: Timed) -> None:
    """With ``fluid``: Σ bytes / (y − x) ≤ bandwidth at every start.

    A movement takes no more than all of a resource: y − x ≥ q ≥ bytes / bandwidth.
    """
    if not m.fluid:
        return
    loads: dict[int, list[Load]] = {}
    paces: dict[str, Var] = {}
    for flow in flows(m):
        name, rate = flow.span.name, m.p.resources[flow.resource].bandwidth
        if name not in paces:
            paces[name] = _pace(m, name, m.pace[flow.span.start.var])
        amount: Terms = []
        for n, (literal, units) in enumerate(flow.units):
            share = m.program.real(f"share_{name}_{flow.resource}_{n}", 0, 1)
            off = [(paces[name], -1.0), (literal, -FASTEST)]
            m.program.row("share", [(share, 1.0), *off], ">=", -FASTEST)
            amount.append((share, units * rate.den / rate.num))
        load = Load(flow.span, amount, 1.0, flow.there, True)
        loads.setdefault(flow.resource, []).append(load)
    for r, some in loads.items():
        capacity(m, f"bandwidth_{r}", some, 1.0)


def _pace(m: Timed, name: str, length: Var) -> Var:
    """Return at least 1/n for a length of n ticks.

    On whole n ≥ 1 it is the largest of the lines through (k, 1/k) and its neighbour
    (k + 1, 1/(k + 1)): pace ≥ (2k + 1 − n) / (k·(k + 1)), k = 1, 2, … With fewer than
    all lines longer movements are too cheap, which is a relaxation.
    """
    pace = m.program.real(f"pace_{name}", 0, FASTEST)
    for k in range(1, max(2, min(m.lines, int(length.upBound)))):
        slope = 1 / (k * (k + 1))
        line = [(pace, 1.0), (length, slope)]
        m.program.row("pace", line, ">=", (2 * k + 1) * slope)
    return pace

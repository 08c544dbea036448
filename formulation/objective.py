"""Objectives as data: what may be minimised, its text and its value (MODEL.md §2).

    objective = part {"," part}             in the order in which they are minimised
    part      = term {"+" term}             a weighted sum of quantities
              | "latency" {":" weighted}    the largest weighted latency
    term      = [weight "*"] ("period" | "energy" | "edp")
    weighted  = [weight "*"] MODEL

A weight is a positive rational: ``2``, ``0.5``, ``1/3``. Weights of a part are scaled
by one positive rational to coprime integers, which moves no optimum and makes every
value a Python integer. ``latency`` without models is that of all of them, weighing 1.
The period is the same for all models, so that the largest weighted period is `period`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from formulation.pipelined.semantics import Evaluation

QUANTITIES = ("period", "energy", "edp")
LATENCY = "latency"
UNITS = {
    **dict.fromkeys(("period", "makespan", "latency_sum", "tardiness_sum"), "ticks"),
    "energy": "quanta",
    "edp": "quanta·ticks",
}


class ObjectiveError(ValueError):
    """A text that is no objective, or none of this problem; one line a fault."""


class Named(Protocol):
    """A model, as far as objectives know it."""

    @property
    def name(self) -> str:
        """What it is called."""


class Workload(Protocol):
    """A problem or an instance, as far as objectives know it."""

    @property
    def models(self) -> Sequence[Named]:
        """The models, in order."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an objective.

    Parameters
    ----------
    largest
        The largest weighted latency; else a weighted sum of quantities.
    terms
        (model or quantity, weight): coprime positive integers, in a fixed order. Of
        `largest`: () for all models, weighing 1.
    head
        What `largest` is the largest of.
    """

    largest: bool
    terms: tuple[tuple[str, int], ...]
    head: str = LATENCY

    @property
    def text(self) -> str:
        """The one text of this part."""
        words = [name if k == 1 else f"{k}*{name}" for name, k in self.terms]
        return ":".join([self.head, *words]) if self.largest else "+".join(words)

    @property
    def direct(self) -> bool:
        """Whether engines minimise it themselves: ``period`` or ``energy``."""
        return self.text in ("period", "energy")

    @property
    def unit(self) -> str:
        """What its values are counted in."""
        if self.largest:
            return "ticks" if all(k == 1 for _, k in self.terms) else "weighted ticks"
        if len(self.terms) > 1:
            return "weighted"
        return UNITS[self.terms[0][0].partition(".")[0]]

    def of(self, period_ticks: int, energy_quanta: int) -> int:
        """Return a sum's value; it never falls when period or energy rise."""
        worth = {
            "period": period_ticks,
            "energy": energy_quanta,
            "edp": period_ticks * energy_quanta,
        }
        return sum(k * worth[name] for name, k in self.terms)

    def weights(self, p: Workload) -> dict[int, int]:
        """Return model number → weight of a largest latency.

        Raises
        ------
        ObjectiveError
            For every model that the problem does not have.
        """
        names = {model.name: m for m, model in enumerate(p.models)}
        given = self.terms or tuple((name, 1) for name in names)
        unknown = [name for name, _ in given if name not in names]
        if unknown:
            known = ", ".join(names)
            raise ObjectiveError(
                "\n".join(
                    f"objective: {self.text}: no model {name!r}, there are {known}"
                    for name in unknown
                )
            )
        return {names[name]: k for name, k in given}

    def value(self, p: Workload, found: Evaluation) -> int:
        """Return what an evaluated schedule is worth."""
        if not self.largest:
            return self.of(found.period_ticks, found.energy_quanta)
        weights = self.weights(p)
        return max(k * found.latency_ticks[m] for m, k in weights.items())


def _weighted(text: str) -> tuple[str, Fraction]:
    """Return (name, weight) of ``weight*name``.

    Raises
    ------
    ObjectiveError
        If the weight is no positive rational.
    """
    weight, star, name = text.rpartition("*")
    if not star:
        return name.strip(), Fraction(1)
    try:
        number = Fraction(weight.strip())
    except (ValueError, ZeroDivisionError):
        number = Fraction(0)
    if number <= 0:
        raise ObjectiveError(f"{weight.strip()!r} is no positive weight")
    return name.strip(), number


def parse_part(
    text: str,
    quantities: Sequence[str] = QUANTITIES,
    largest_of: Sequence[str] = (LATENCY,),
) -> Part:
    """Return a part of an objective.

    Parameters
    ----------
    quantities, largest_of
        What may be summed, and what the largest weighted one may be asked of.

    Raises
    ------
    ObjectiveError
        With every fault in it.
    """
    head, *models = text.split(":")
    head = head.strip()
    largest = head in largest_of
    faults: list[str] = []
    weights: dict[str, Fraction] = {}
    for word in models if largest else text.split("+"):
        try:
            name, weight = _weighted(word)
        except ObjectiveError as error:
            faults.append(str(error))
            continue
        if name in weights:
            faults.append(f"{name} twice")
        elif not largest and name not in quantities:
            known, alone = ", ".join(quantities), " or ".join(largest_of)
            faults.append(
                f"{name!r} is none of {known} (which may be summed) or {alone}"
            )
        weights[name] = weight
    if faults:
        raise ObjectiveError("\n".join(f"objective: {text}: {f}" for f in faults))
    order = sorted(weights) if largest else [q for q in quantities if q in weights]
    scale = lcm(*(weights[name].denominator for name in order))
    whole = [int(weights[name] * scale) for name in order]
    common = gcd(*whole)
    return Part(
        largest,
        tuple((name, k // common) for name, k in zip(order, whole, strict=True)),
        head if largest else LATENCY,
    )


def parts_of(objective: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of an objective, in order.

    Raises
    ------
    ObjectiveError
        With every fault: texts that are no parts, a part that is there twice, no part
        at all, ``latency`` after a part that only branching on the period minimises.
    """
    parts, faults = collected(objective, parse_part)
    for n, part in enumerate(parts):
        if part.largest and any(not (x.direct or x.largest) for x in parts[:n]):
            faults.append(
                f"objective: {part.text} cannot come after edp or a sum: no engine "
                "keeps their value while it looks for stages"
            )
    if faults:
        raise ObjectiveError("\n".join(faults))
    return tuple(parts)


def collected(
    objective: Sequence[str], parse: Callable[[str], Part]
) -> tuple[list[Part], list[str]]:
    """Return the parts of an objective and its faults: no part, no parts, one twice."""
    parts: list[Part] = []
    faults = [] if objective else ["objective: expected at least one part"]
    for text in objective:
        try:
            part = parse(text)
        except ObjectiveError as error:
            faults.append(str(error))
            continue
        if part in parts:
            faults.append(f"objective: {part.text} twice")
        parts.append(part)
    return parts, faults


def capped_parts(
    objective: Sequence[str], parse: Callable[[str], Part], without: frozenset[str]
) -> tuple[Part, ...]:
    """Return the parts of an objective in which earlier parts become caps.

    Raises
    ------
    ObjectiveError
        With every fault; and where a second part stands on the rule `cap` and that is
        left out.
    """
    parts, faults = collected(objective, parse)
    if "cap" in without and len(parts) > 1:
        faults.append("objective: a second part needs the rule cap")
    if faults:
        raise ObjectiveError("\n".join(faults))
    return tuple(parts)


def pipelined_parts(
    p: Workload, objective: Sequence[str], without: frozenset[str] = frozenset()
) -> tuple[Part, ...]:
    """Return the parts of an objective of a problem.

    Raises
    ------
    ObjectiveError
        With every fault; see `parts_of`; models that are not there, and rules left out
        (`without`) that a latency stands on.
    """
    parts = parts_of(objective)
    faults = []
    for part in parts:
        if not part.largest:
            continue
        try:
            part.weights(p)
        except ObjectiveError as error:
            faults.append(str(error))
        for rule in sorted(without & {"stage", "latency_cap"}):
            faults.append(f"objective: {part.text} needs the rule {rule}")
    if faults:
        raise ObjectiveError("\n".join(faults))
    return parts


def capped(
    caps: Sequence[tuple[str, int]], parse: Callable[[str], Part]
) -> tuple[tuple[Part, int], ...]:
    """Return capped parts of objectives with their largest values.

    Raises
    ------
    ObjectiveError
        With every fault in all of them.
    """
    found: list[tuple[Part, int]] = []
    faults: list[str] = []
    for text, most in caps:
        try:
            part = parse(text)
            if part.text != text:  # else it would not be clear what `most` weighs
                faults.append(f"caps: got {text!r}, expected its form {part.text!r}")
            found.append((part, most))
        except ObjectiveError as error:
            faults += [f"caps: {line}" for line in str(error).splitlines()]
    if faults:
        raise ObjectiveError("\n".join(faults))
    return tuple(found)


def parse_objective(text: str) -> tuple[str, ...]:
    """Return the parts of an objective such as ``period,energy`` in their one text.

    Raises
    ------
    ObjectiveError
        With every fault; see `parts_of`.
    """
    return tuple(part.text for part in parts_of(text.split(",")))


def steps_of(objective: Sequence[str]) -> list[tuple[Part, ...]]:
    """Return the parts in groups: each is minimised at once, under the ones before.

    From the first `edp` or sum on, all the rest is one group.
    """
    parts = parts_of(objective)
    first = next(
        (n for n, x in enumerate(parts) if not (x.direct or x.largest)), len(parts)
    )
    groups: list[tuple[Part, ...]] = [(part,) for part in parts[:first]]
    return [*groups, parts[first:]] if parts[first:] else groups

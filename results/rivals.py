"""Schedules and heuristics against what is proved: the work of `chipsched compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from formulation.bounded import with_duals
from formulation.certificate import CertificateError, form_faults
from formulation.checker import check
from formulation.heuristics import run_heuristic
from formulation.kinds import kind_of
from formulation.outcome import STATUS, DisagreementError, Outcome
from formulation.rules import KindError
from formulation.solve import solve
from formulation.starts import AUTO
from results.compare import RefusedError
from results.run import finish
from results.schedules import judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.heuristics import Budget
    from formulation.outcome import Limits, Report
    from results.run import Prepared
    from results.schedules import Rival

SOLVED, BOUNDS = "solved", "bounds without search"
HASHES = ("instance_sha256", "table_sha256")


@dataclass(frozen=True, slots=True)
class Proof:
    """What is proved of a problem and an objective.

    Parameters
    ----------
    source
        Where it is from: a certificate's path, `SOLVED`, or, without an engine,
        `BOUNDS`.
    bound
        The proved bounds, up to the first part that is open: nothing is below this
        tuple.
    best
        The schedule that came with it.
    """

    source: str
    claim: str
    why_stopped: str
    seconds: float
    bound: tuple[int, ...]
    best: Rival

    @property
    def optimal(self) -> bool:
        """Whether the schedule that came with it is proved optimal."""
        return STATUS.get(self.claim, self.claim) == "optimal"


def _proved(
    value: Sequence[int | None], bound: Sequence[int | None]
) -> tuple[int, ...]:
    """Return the bounds up to the first part that is open."""
    found = []
    for best, known in zip(value, bound, strict=True):
        if known is None:
            break
        found.append(known)
        if best != known:
            break
    return tuple(found)


def proof_of(
    data: dict[str, Any], path: str, prepared: Prepared, objective: tuple[str, ...]
) -> Proof:
    """Return what a certificate proves of a scenario.

    Raises
    ------
    CertificateError
        If it is one of another instance, cost table or objective.
    RefusedError
        If the checker refuses it.
    """
    faults = [f"{path}: {fault}" for fault in form_faults(data)]
    if faults:
        raise CertificateError("\n".join(faults))
    problem = prepared.problem
    faults = [
        f"{path}: {key}: got {data[key]}, {problem.name} has {getattr(problem, key)}"
        for key in HASHES
        if data[key] != getattr(problem, key)
    ]
    theirs = tuple(data["objective"])
    if theirs[: len(objective)] != objective:
        faults.append(
            f"{path}: objective: got {','.join(theirs)}, asked for "
            f"{','.join(objective)}"
        )
    if faults:
        raise CertificateError("\n".join(faults))
    verdict = check(data)
    if not verdict.accepted:
        lines = "\n".join(verdict.violations)
        raise RefusedError(f"{path}: the checker refuses it:\n{lines}")
    found = data["schedule"]
    schedule = None if found is None else kind_of(problem).from_dict(problem, found)
    n = len(objective)
    return Proof(
        source=path,
        claim=data["claim"],
        why_stopped=data["why_stopped"],
        seconds=data["seconds"],
        bound=_proved(data["value"][:n], data["bound"][:n]),
        best=judged("certificate", problem, schedule, objective),
    )


def prove(
    prepared: Prepared,
    objective: tuple[str, ...],
    rivals: Sequence[Rival],
    limits: Limits,
    report: Report | None = None,
) -> Proof:
    """Return what CP-SAT proves within its limits, from the best of the rivals.

    Where it does not do such problems (``fluid``), what bounds without search prove.

    Raises
    ------
    RefusedError
        If our own checker refuses the answer.
    """
    start = min(
        (r for r in rivals if r.value is not None),
        key=lambda r: r.value or (),
        default=None,
    )
    outcome = _outcome(prepared, objective, start, limits, report)
    return Proof(
        source=SOLVED if outcome.runs else BOUNDS,
        claim=outcome.claim,
        why_stopped=outcome.why_stopped,
        seconds=outcome.seconds,
        bound=_proved(outcome.value, outcome.bound),
        best=judged("solved", prepared.problem, outcome.schedule, objective),
    )


def _outcome(
    prepared: Prepared,
    objective: tuple[str, ...],
    start: Rival | None,
    limits: Limits,
    report: Report | None,
) -> Outcome[Any]:
    """Return what CP-SAT finds; if it does not do such problems, start and bounds.

    Raises
    ------
    KindError
        If the problem has options that its kind has not.
    RefusedError
        If our own checker refuses the answer.
    """
    problem, schedule = prepared.problem, None if start is None else start.schedule
    kind_of(problem).check(problem)
    first = AUTO if schedule is None else schedule
    try:
        found = solve(
            problem, objective, "cpsat", limits, report, start=first, clashes=False
        )
    except KindError as error:
        unknown = (None,) * len(objective)
        value = unknown if start is None else start.value or unknown
        alone = Outcome(objective, schedule, value, unknown, (), str(error), 0.0)
        return with_duals(problem, alone)
    return finish(prepared, found).outcome


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared.

    Parameters
    ----------
    schedules
        By name.
    heuristics
        Names or files (`formulation.heuristics`), each with its own budget.
    limits
        Of the solver.
    certificate
        Its path and contents; `None`: solve.
    """

    objective: tuple[str, ...]
    schedules: dict[str, Any]
    heuristics: tuple[str, ...]
    budget: Budget
    limits: Limits
    certificate: tuple[str, dict[str, Any]] | None = None


def compared(
    prepared: Prepared, asked: Asked, report: Report | None = None
) -> tuple[list[Rival], Proof]:
    """Return schedules and heuristics' finds, judged, and what is proved.

    Raises
    ------
    CertificateError, RefusedError
        See `proof_of` and `prove`.
    HeuristicError
        If a heuristic fails.
    DisagreementError
        If a schedule contradicts a proof.
    """
    problem, objective, seed = prepared.problem, asked.objective, asked.limits.seed
    rivals = [
        judged(name, problem, schedule, objective)
        for name, schedule in asked.schedules.items()
    ]
    proof = None
    if asked.certificate is not None:
        path, data = asked.certificate
        proof = proof_of(data, path, prepared, objective)
    for name in asked.heuristics:
        run = run_heuristic(problem, name, objective, asked.budget, seed, report)
        rivals.append(judged(name, problem, run.schedule, objective, run))
    if proof is None:
        proof = prove(prepared, objective, rivals, asked.limits, report)
    agreed(rivals, proof)
    return rivals, proof


def agreed(rivals: Sequence[Rival], proof: Proof) -> None:
    """Fail loudly where a schedule is better than what is proved.

    Raises
    ------
    DisagreementError
        For a value below the bound, or a schedule of what is proved infeasible.
    """
    for rival in rivals:
        if rival.value is None:
            continue
        if proof.claim == "infeasible":
            raise DisagreementError(
                f"{rival.name}: valid, of what is proved infeasible"
            )
        if rival.value[: len(proof.bound)] < proof.bound:
            raise DisagreementError(
                f"{rival.name}: a value of {rival.value} below a bound of {proof.bound}"
            )

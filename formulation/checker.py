"""Replays a certificate from its file alone; imports no solver.

Instance and table are read back and hashed again, compiled, and the schedule is
judged by the semantics under *all* rules, relaxed or not: a bound that was proved
with fewer rules stays a bound. Bounds with multipliers are recomputed in exact
arithmetic. What else the engines proved cannot be replayed from a certificate; the
checker says so and checks that the claim follows from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costmodel.table import CostTable, TableError
from formulation.certificate import dumps, facts_of, form_faults, read_dual, seal_of
from formulation.compile import CompileError, compile_problem
from formulation.decisions import ScheduleError
from formulation.kinds import KINDS
from formulation.objective import ObjectiveError
from formulation.outcome import CLAIMS, EngineRun, Outcome
from formulation.rules import KindError, UnassignedError
from instances.faults import InstanceError
from instances.load import from_canonical_json, instance_sha256, to_canonical_json

if TYPE_CHECKING:
    from formulation.problem import Problem
    from instances.schema import Instance

ENGINES = ("cpsat", "milp", "dp")
NOT_REPLAYED = (
    "not replayed: the proof of the bound (it stands on the word of "
    "{engines}); times, versions and notes are a record"
)
ALL_REPLAYED = "replayed: schedule and bounds; times, versions and notes are a record"
NO_SCHEDULE = {
    "infeasible": (
        "accepted as a record only: that there is no schedule was proved by "
        "{engines} and cannot be replayed from a certificate"
    ),
    "unknown": "accepted as a record only: no schedule was found and none is claimed",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found.

    Parameters
    ----------
    claim
        As the certificate states it.
    violations
        One line each, with amounts; empty exactly if the certificate is accepted.
    checked
        What was replayed, in sentences for people.
    notes
        What was not, and why.
    """

    claim: str
    violations: tuple[str, ...]
    checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against the certificate."""
        return not self.violations


def check(certificate: dict[str, Any]) -> Verdict:
    """Replay a certificate.

    Parameters
    ----------
    certificate
        As `formulation.certificate.read_certificate` returns it.
    """
    faults = form_faults(certificate)
    if faults:
        claim = certificate.get("claim")
        return Verdict(claim if isinstance(claim, str) else "unknown", tuple(faults))
    found = _Replay(certificate)
    found.seal()
    problem = found.problem()
    outcome = None if problem is None else found.outcome(problem)
    if problem is not None:
        found.schedule(problem)
    if problem is not None and outcome is not None:
        found.duals(problem, outcome)
        found.claims(outcome)
    return Verdict(
        certificate["claim"],
        tuple(found.violations),
        tuple(found.checked),
        tuple(found.notes),
    )


def check_against(
    certificate: dict[str, Any], instance: Instance, table: CostTable | None = None
) -> Verdict:
    """Replay a certificate and compare its hashes with an instance at hand.

    Parameters
    ----------
    table
        The cost table to compare with; `None`: that of our own cost model, built
        anew.
    """
    verdict = check(certificate)
    violations, checked = list(verdict.violations), list(verdict.checked)
    if table is None:
        from costmodel.build import build_table  # slow to import, not always needed

        table = build_table(instance)
    expected = {
        "instance_sha256": instance_sha256(instance),
        "table_sha256": table.sha256,
    }
    for key, value in expected.items():
        if certificate.get(key) == value:
            checked.append(f"{key} is that of {instance.name}")
        else:
            violations.append(
                f"{key}: got {certificate.get(key)}, {instance.name} has {value}"
            )
    return Verdict(verdict.claim, tuple(violations), tuple(checked), verdict.notes)


class _Replay:
    """Collects violations while a well-formed certificate is gone through."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.kind = KINDS[data["kind"]]
        self.violations: list[str] = []
        self.checked: list[str] = []
        self.notes: list[str] = []

    def same(self, key: str, replayed: object, because: str) -> bool:
        """Note a violation unless the certificate says what was replayed."""
        stated = self.data[key]
        if stated == replayed and type(stated) is type(replayed):
            return True
        self.violations.append(f"{key}: got {stated!r}, {because} {replayed!r}")
        return False

    def seal(self) -> None:
        """The file is as it was written."""
        self.same("seal", seal_of(self.data), "the contents give")

    def problem(self) -> Problem | None:
        """Instance and table have the stated hashes and compile."""
        try:
            instance = from_canonical_json(dumps(self.data["instance"]))
            table = CostTable.from_json(dumps(self.data["table"]))
            again = compile_problem(instance, table)
            self.kind.check(again)
        except (InstanceError, TableError, CompileError, KindError) as error:
            self.violations += str(error).splitlines()
            return None
        hashes = [
            self.same("instance_sha256", instance_sha256(instance), "it hashes to"),
            self.same("table_sha256", table.sha256, "it hashes to"),
        ]
        if again.kind != self.kind.name:
            text = f"kind: got {self.kind.name!r}, the instance asks for {again.kind!r}"
            self.violations.append(text)
            return None
        canonical = {"instance": to_canonical_json(instance), "table": table.to_json()}
        for key, text in canonical.items():
            if dumps(self.data[key]) != dumps(json.loads(text)):
                self.violations.append(f"{key}: not in canonical form")
        if all(hashes):
            self.checked.append("instance and cost table have the stated SHA-256")
        return again

    def outcome(self, problem: Problem) -> Outcome[Any] | None:
        """Values, bounds and runs do not contradict each other."""
        data, objective = self.data, tuple(self.data["objective"])
        try:
            parts = self.kind.parts(problem, objective)
        except ObjectiveError as error:
            self.violations += str(error).splitlines()
            return None
        texts = tuple(part.text for part in parts)
        if texts != objective:
            self.violations.append(
                f"objective: got {list(objective)}, its one form is {list(texts)}"
            )
            return None
        for key in ("relaxed", "clashing"):
            for label in sorted(set(data[key]) - set(self.kind.rules)):
                self.violations.append(f"{key}: there is no rule {label!r}")
        runs = tuple(_engine_run(run) for run in data["runs"])
        for k, run in enumerate(runs):
            self._run(k, run, objective)
        try:
            return Outcome(
                objective=objective,
                # The claim asks only whether there is one; its worth is replayed.
                schedule=data["schedule"],
                value=tuple(data["value"]),
                bound=tuple(data["bound"]),
                runs=runs,
                why_stopped=data["why_stopped"],
                seconds=data["seconds"],
                relaxed=tuple(data["relaxed"]),
                clashing=tuple(data["clashing"]),
                duals=tuple(read_dual(dual) for dual in data["duals"]),
            )
        except ValueError as error:
            self.violations.append(str(error))
            return None

    def _run(self, k: int, run: EngineRun, objective: tuple[str, ...]) -> None:
        where = f"runs[{k}]"
        if run.engine not in ENGINES:
            known = ", ".join(ENGINES)
            self.violations.append(
                f"{where}.engine: got {run.engine!r}, expected one of {known}"
            )
        if run.quantity != objective:
            self.violations.append(
                f"{where}.quantity: got {list(run.quantity)}, "
                f"the objective is {list(objective)}"
            )
        if not len(run.value) == len(run.bound) == len(run.quantity):
            self.violations.append(f"{where}: one value and one bound per quantity")
        for value, bound in zip(run.value, run.bound, strict=False):
            if value is not None and bound is not None and bound > value:
                over = bound - value
                self.violations.append(f"{where}: its bound is {over} above its value")

    def schedule(self, problem: Problem) -> None:
        """The schedule satisfies every rule and is worth what is stated."""
        if self.data["schedule"] is None:
            for key in self.kind.keys:
                if self.data[key] is not None:
                    self.violations.append(f"{key}: without a schedule")
            return
        try:
            schedule = self.kind.from_dict(problem, self.data["schedule"])
            worth = self.kind.evaluate(problem, schedule)
        except (ScheduleError, UnassignedError) as error:
            self.violations += str(error).splitlines()
            return
        self.violations += [str(violation) for violation in worth.violations]
        if not worth.violations:
            self.checked.append(
                f"the schedule satisfies all {len(self.kind.rules)} rules"
            )
        facts, because = facts_of(problem, worth), "the schedule gives"
        agree = [self.same(key, facts[key], because) for key in self.kind.keys]
        pairs = zip(self.data["objective"], self.data["value"], strict=False)
        for k, (text, stated) in enumerate(pairs):
            try:
                (part,) = self.kind.parts(problem, (text,))
            except ObjectiveError:
                continue  # told by `outcome`
            replayed = self.kind.value(problem, part, worth)
            if stated != replayed and (stated is not None or k == 0):
                agree.append(False)
                self.violations.append(
                    f"value of {text}: got {stated}, {because} {replayed}"
                )
        if all(agree):
            self.checked.append(self.kind.says.format(**facts))

    def duals(self, problem: Problem, outcome: Outcome[Any]) -> None:
        """The multipliers prove the bounds that are stated for them.

        The program is built from the instance and table of the certificate, later
        parts under the values of earlier ones, which `schedule` replays.
        """
        for k, dual in enumerate(outcome.duals):
            program = self.kind.relaxation(problem, outcome.objective, outcome.value, k)
            if program is None:
                self.violations.append(f"duals[{k}]: an earlier part has no value")
                continue
            try:
                proved = program.proved(dual.multipliers)
            except ValueError as error:
                self.violations.append(f"duals[{k}]: {error}")
                continue
            if dual.bound > proved:
                self.violations.append(
                    f"duals[{k}]: got a bound of {dual.bound} on {dual.quantity}, "
                    f"the multipliers prove {proved}"
                )
            else:
                how = f"from {len(dual.multipliers)} multipliers"
                self.checked.append(
                    f"no schedule has {dual.quantity} below {dual.bound}: recomputed "
                    f"{how if dual.multipliers else 'without search'}"
                )

    def claims(self, outcome: Outcome[Any]) -> None:
        """The claim follows from value, bound and who proved the bound."""
        for k, part in enumerate(outcome.objective):
            known = [run.bound[k] for run in outcome.runs if k < len(run.bound)]
            known.append(outcome.recomputed[k])
            best = max((b for b in known if b is not None), default=None)
            if outcome.bound[k] != best:
                self.violations.append(
                    f"bound of {part}: got {outcome.bound[k]}, runs and duals state "
                    f"{best}"
                )
        values = [run.value[0] for run in outcome.runs if run.value]
        found = min((v for v in values if v is not None), default=None)
        if outcome.value[0] != found:
            self.violations.append(
                f"value of {outcome.objective[0]}: got {outcome.value[0]}, "
                f"the runs state {found}"
            )
        if outcome.clashing and outcome.claim != "infeasible":
            self.violations.append("clashing: only of what is proved infeasible")
        if self.data["claim"] not in CLAIMS:
            self.violations.append(f"claim: got {self.data['claim']!r}")
        elif self.same("claim", outcome.claim, "what is stated gives"):
            self.checked.append(
                f"the claim {outcome.claim} follows from values and bounds"
            )
        provers = [r.engine for r in outcome.runs if r.infeasible]
        if not provers:
            provers = [r.engine for r in outcome.runs if None not in r.bound]
        engines = " and ".join(dict.fromkeys(provers)) or "nobody"
        text = NO_SCHEDULE.get(outcome.claim, NOT_REPLAYED)
        if text == NOT_REPLAYED and outcome.bound == outcome.recomputed:
            text = ALL_REPLAYED
        self.notes.append(text.format(engines=engines))


def _engine_run(run: dict[str, Any]) -> EngineRun:
    return EngineRun(
        engine=run["engine"],
        version=run["version"],
        quantity=tuple(run["quantity"]),
        value=tuple(run["value"]),
        bound=tuple(run["bound"]),
        infeasible=run["infeasible"],
        why_stopped=run["why_stopped"],
        seconds=run["seconds"],
        notes=tuple(run["notes"]),
        nodes=run["nodes"],
    )

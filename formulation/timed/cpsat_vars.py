"""Variables of the CP-SAT model of timed schedules (MODEL.md §6.1).

Everything is tied both ways: what a literal or a length stands for is exactly what the
decisions make it, so that a schedule is a solution exactly if it is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from formulation.choices import add_flow, choices
from formulation.cpsat_decisions import Decided, Lit, weighted
from formulation.timed.movements import passes, ticks_alone
from formulation.timed.read import sending
from formulation.traffic import send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ortools.sat.python import cp_model

    from formulation.choices import Choice
    from formulation.problem import Problem
    from formulation.timed.read import Sending
    from formulation.timed.schedule import Span

Made = TypeVar("Made")


@dataclass
class Timed(Decided):
    """A model under construction; attributes are indexed like the problem.

    Parameters
    ----------
    horizon
        No time is later.
    """

    horizon: int
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Create decisions and times."""
        super().__post_init__()
        self._once: dict[str, object] = {}
        self.makespan = self.time("makespan")
        self._runs()
        self._loads()
        self._tie()
        self._transfers()

    def time(self, name: str, most: int | None = None) -> cp_model.IntVar:
        """Return a new time, or number of ticks."""
        last = self.horizon if most is None else most
        return self.model.new_int_var(0, last, name)

    def once(self, name: str, make: Callable[[Timed], Made]) -> Made:
        """Return what `make` makes of the model, made once."""
        if name not in self._once:
            self._once[name] = make(self)
        return cast("Made", self._once[name])

    def offered(self, t: int, c: int) -> tuple[Choice, ...]:
        """Return the choices of a layer; none is resident if weights are streamed."""
        streamed = self.p.timing.weights == "streamed"
        return tuple(k for k in choices(self.p, t, c) if not (streamed and k.resident))

    def product(self, name: str, literals: list[Lit]) -> Lit:
        """Return a Boolean that is the product of `literals`."""
        result = super().product(name, literals)
        for x in literals if len(literals) > 1 else ():
            self.model.add_implication(result, x)
        return result

    def any_of(self, name: str, literals: list[Lit]) -> Lit:
        """Return a Boolean that is true exactly if one of `literals` is."""
        known = len(literals) == 1 or name in self._any
        result = super().any_of(name, literals)
        if not known:
            self.model.add_bool_or([*literals, result.negated()])
        return result

    def alone(self, units: dict[int, int]) -> int:
        """Return q of a movement; 0 if `duration` is left out."""
        return 0 if "duration" in self.without else ticks_alone(self.p, units)

    def rounds(self, model: int) -> range:
        """Return the rounds of a model."""
        return range(len(self.p.timing.releases[model]))

    def _runs(self) -> None:
        """Runs and their streams: start, length and end; of streams the end is q on."""
        self.start: list[list[cp_model.IntVar]] = []
        self.end: list[list[cp_model.IntVar]] = []
        self.stream: list[list[cp_model.IntVar]] = []
        self.stream_end: list[list[cp_model.IntVar]] = []
        self.long: list[cp_model.IntVar] = []
        self.stream_long: list[cp_model.IntVar] = []
        for t, task in enumerate(self.p.tasks):
            q = self.time(f"q_t{t}", min(self.horizon, self._slowest(t)))
            long = self.time(f"long_t{t}")
            self.stream_long.append(q)
            self.long.append(long)
            rows = []
            for name in ("start", "end", "stream", "stream_end"):
                rows.append(
                    [self.time(f"{name}_t{t}_r{k}") for k in self.rounds(task.model)]
                )
                getattr(self, name).append(rows[-1])
            self._length(t)
            for start, end, x, y in zip(*rows, strict=True):
                self.model.add(end == start + long)
                self.model.add(y == x + q)
                self.model.add(self.makespan >= end)

    @cached_property
    def loose(self) -> list[bool]:
        """Whether the length of a layer's stream depends on more than its choice."""
        return [
            any(
                n
                for c in self.p.supported(t)
                for item in self.items[t, c]
                for n in item.units.values()
            )
            for t in range(len(self.p.tasks))
        ]

    def picks(self, t: int) -> list[tuple[Lit, Choice, int]]:
        """Return (literal, choice, t) of every choice of a layer."""
        return [
            (z, k, self.p.tasks[t].modes[c][k.mode].latency_ticks)
            for c in self.p.supported(t)
            for z, k in zip(self.pick[t, c], self.options[t, c], strict=True)
        ]

    def _length(self, t: int) -> None:
        """A run lasts max(t, q)."""
        some = self.picks(t)
        if self.loose[t]:
            least = weighted([(z, ticks) for z, _, ticks in some])
            self.model.add_max_equality(self.long[t], [least, self.stream_long[t]])
            return
        fixed = [(z, max(n, self.alone(dict(k.units)))) for z, k, n in some]
        self.model.add(self.long[t] == weighted(fixed))

    def _slowest(self, t: int) -> int:
        """Return a q that no stream of a task exceeds."""
        if "duration" in self.without:
            return 0
        most: dict[int, int] = {}
        for c in self.p.supported(t):
            units: dict[int, int] = {}
            for k in self.options[t, c]:
                for r, n in k.units:
                    units[r] = max(units.get(r, 0), n)
            for item in self.items[t, c]:
                for r, n in item.units.items():
                    units[r] = units.get(r, 0) + n
            for r, n in units.items():
                most[r] = max(most.get(r, 0), n)
        return ticks_alone(self.p, most)

    def _loads(self) -> None:
        """Residency, and what brings the weights."""
        self.resident: dict[tuple[int, int], Lit] = {}
        self.load: dict[int, cp_model.IntVar] = {}
        for (t, c), options in self.options.items():
            picks = zip(self.pick[t, c], options, strict=True)
            some = [z for z, k in picks if k.resident]
            if some:
                self.resident[t, c] = self.any_of(f"resident_t{t}_c{c}", some)
                if self.p.timing.weights == "fetched" and t not in self.load:
                    self.load[t] = self.time(f"load_t{t}")

    def load_units(self, t: int, c: int) -> tuple[dict[int, int], int]:
        """Return load units and energy units of the load of a layer on a chiplet."""
        units: dict[int, int] = {}
        chiplet = self.p.chiplets[c]
        weights = self.p.tasks[t].weight_bytes
        energy = add_flow(units, chiplet.reads[chiplet.home], weights)
        return units, energy

    def _tie(self) -> None:
        """What arrives is package, made elsewhere and used there; what is sent, too."""
        for (u, d), arrives in self.arrives.items():
            tensor = self.p.tensors[u]
            assert tensor.producer is not None
            self.model.add_implication(
                arrives, self.value(tensor.producer, d).negated()
            )
            for package in self.package(u):
                self.model.add_implication(arrives, package)
            there = [self.value(j, d) for j in tensor.consumers]
            self.model.add_bool_or([*there, arrives.negated()])
        for (u, c, d), sent in self.sent.items():
            producer = self.p.tensors[u].producer
            assert producer is not None
            self.model.add_implication(sent, self.value(producer, c))
            self.model.add_implication(sent, self.arrives[u, d])

    def sending(self, u: int, d: int) -> Sending:
        """Return the transfer that brings a tensor to a chiplet."""
        return sending(self.p, u, d)

    @cached_property
    def runs(self) -> dict[tuple[int, int], list[tuple[int, cp_model.IntervalVar]]]:
        """(t, c): (number of a choice, interval) of the runs of a layer on a chiplet.

        A run without ticks holds nothing and may lie in another one, so it is absent.
        """
        return {(t, c): list(self._intervals(t, c)) for t, c in self.options}

    def _intervals(self, t: int, c: int) -> Iterator[tuple[int, cp_model.IntervalVar]]:
        long = self.long[t]
        for n, k in enumerate(self.options[t, c]):
            literal = self.pick[t, c][n]
            least = self.p.tasks[t].modes[c][k.mode].latency_ticks
            ticks = max(least, self.alone(dict(k.units)))
            if self.loose[t] and not ticks:
                some = self.bool(f"some_t{t}_c{c}_k{n}")
                self.model.add(long >= 1).only_enforce_if(some)
                self.model.add(long == 0).only_enforce_if(some.negated())
                literal = self.product(f"busy_t{t}_c{c}_k{n}", [literal, some])
            elif not ticks:
                continue
            for r, (start, end) in enumerate(
                zip(self.start[t], self.end[t], strict=True)
            ):
                name = f"run_t{t}_c{c}_k{n}_r{r}"
                if self.loose[t]:
                    yield (
                        n,
                        self.model.new_optional_interval_var(
                            start, long, end, literal, name
                        ),
                    )
                else:
                    yield (
                        n,
                        self.model.new_optional_fixed_size_interval_var(
                            start, ticks, literal, name
                        ),
                    )

    @cached_property
    def held(self) -> dict[tuple[int, int, int], dict[int, Span]]:
        """(u, c, d): what a transfer holds when, counted from its start."""
        return {key: passes_of(self.p, *key) for key in self.sent}

    def sent_ticks(self, u: int, c: int, d: int) -> int:
        """Return q of a transfer; 0 if `duration` is left out."""
        if "duration" in self.without:
            return 0
        return max((until for _, until in self.held[u, c, d].values()), default=0)

    def _transfers(self) -> None:
        """Start and end of every transfer, length of those of a tensor."""
        self.send: dict[Sending, list[cp_model.IntVar]] = {}
        self.send_end: dict[Sending, list[cp_model.IntVar]] = {}
        self.send_long: dict[Sending, cp_model.IntVar] = {}
        ways: dict[Sending, list[tuple[Lit, int]]] = {}
        for (u, c, d), literal in self.sent.items():
            way = (literal, self.sent_ticks(u, c, d))
            ways.setdefault(self.sending(u, d), []).append(way)
        for key, some in ways.items():
            u, to = key
            rounds = self.rounds(self.p.tensors[u].model)
            long = self.time(f"q_u{u}_c{to}")
            # No more than one is sent unless all go together: the longest of them.
            self.model.add_max_equality(long, [ticks * x for x, ticks in some])
            self.send_long[key] = long
            self.send[key] = [self.time(f"send_u{u}_c{to}_r{k}") for k in rounds]
            self.send_end[key] = [self.time(f"sent_u{u}_c{to}_r{k}") for k in rounds]
            for x, y in zip(self.send[key], self.send_end[key], strict=True):
                self.model.add(y == x + long)


def passes_of(p: Problem, u: int, c: int, d: int) -> dict[int, Span]:
    """Return what a tensor on its way from chiplet to chiplet holds when."""
    return passes(p, c, [d], send(p, u, c, [d]).units)

"""What layers, tensors and chiplets cost, looked up again and again.

Every entry is made by `formulation.traffic` and `pipelined.traffic`, so by the
semantics' own functions, for the few decisions that it depends on, and kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulation.choices import dominated, fitting
from formulation.decisions import DRAM, PACKAGE
from formulation.pipelined.heuristics.l2 import Option
from formulation.pipelined.schedule import Schedule
from formulation.pipelined.traffic import copies, duration
from formulation.traffic import Transfer, stream, task_mode, transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.problem import Problem

# What the choice of modes and residency leans to, chiplet by chiplet.
LEANS = ("ticks", "ticks and DRAM", "energy", "ticks and energy", "DRAM")
Places = tuple[str | None, ...]


class Tables:
    """Costs of one problem's layers and tensors, made when they are asked for."""

    def __init__(self, p: Problem) -> None:
        self.p = p
        n = len(p.tasks)
        self.zeros = (0,) * n
        self.modes: dict[int, tuple[int, ...]] = {}
        self.kept = {True: (True,) * n, False: (False,) * n}
        self._choices: dict[tuple[int, int], tuple[tuple[int, bool | None], ...]] = {}
        self._options: dict[tuple[object, ...], tuple[Option, ...]] = {}
        self._moves: dict[tuple[object, ...], Transfer] = {}
        self._copies: dict[tuple[object, ...], dict[int, int]] = {}
        flat = [
            [k for c in range(len(p.chiplets)) for k in fitting(p, t, c)]
            for t in range(n)
        ]
        self.fits = all(flat)
        self.able = [
            [bool(self.choices(t, c)) for c in range(len(p.chiplets))] for t in range(n)
        ]
        ticks = sum(min((k.ticks for k in row), default=0) for row in flat)
        energy = sum(min((k.energy for k in row), default=0) for row in flat)
        self.sums = (max(1, ticks), max(1, energy))

    def choices(self, t: int, c: int) -> tuple[tuple[int, bool | None], ...]:
        """Return (mode, residency) of a layer on a chiplet worth looking at."""
        found = self._choices.get((t, c))
        if found is None:
            some = fitting(self.p, t, c)
            gone = dominated(self.p, t, c, some)
            found = tuple(
                (k.mode, k.resident) for n, k in enumerate(some) if n not in gone
            )
            self._choices[t, c] = found
        return found

    def options(
        self,
        t: int,
        c: int,
        lean: int = 0,
        near: tuple[tuple[int, int], ...] = (),
        chiplet: tuple[int, ...] = (),
    ) -> tuple[Option, ...]:
        """Return what a layer can be on a chiplet, the cheapest first.

        Parameters
        ----------
        lean
            Whose price counts.
        near
            (tensor, its producer's chiplet) of those of its tensors that are dram by
            their place.
        chiplet
            Of every layer; needed where `near` is not empty.
        """
        key = (t, c, lean, near)
        found = self._options.get(key)
        if found is None:
            p = self.p
            place: list[str | None] = [PACKAGE] * len(p.tensors)
            for u, _ in near:
                place[u] = DRAM
            where = chiplet if near else (c,) * len(p.tasks)
            some = [
                self._option(t, c, mode, resident, where, tuple(place))
                for mode, resident in self.choices(t, c)
            ]
            found = tuple(sorted(some, key=lambda o: o.prices[lean]))
            self._options[key] = found
        return found

    def _option(
        self,
        t: int,
        c: int,
        mode: int,
        resident: bool | None,
        chiplet: tuple[int, ...],
        place: Places,
    ) -> Option:
        p = self.p
        if mode not in self.modes:
            self.modes[mode] = (mode,) * len(p.tasks)
        s = Schedule(
            chiplet, self.modes[mode], self.zeros, self.kept[bool(resident)], place
        )
        own = stream(p, s, t)
        ticks = duration(p, s, t, own)
        chosen = task_mode(p, s, t)
        energy = chosen.energy + own.energy
        return Option(
            mode=mode,
            resident=resident,
            ticks=ticks,
            energy=energy,
            units=tuple(own.units.items()),
            ws_bytes=0 if p.residents_only else chosen.ws_bytes,
            resident_bytes=p.tasks[t].weight_bytes if resident else 0,
            prices=self._prices(ticks, energy, own.units),
        )

    def _prices(
        self, ticks: int, energy: int, units: dict[int, int]
    ) -> tuple[int, ...]:
        """Return the prices of an option, in the order of `LEANS`."""
        p = self.p
        doors = [(r, n) for r, n in units.items() if p.resources[r].kind == "dram"]
        dram = sum(p.resources[r].rate.ticks(n) for r, n in doors)
        all_ticks, all_energy = self.sums
        both = ticks * all_energy * len(p.chiplets) + energy * all_ticks
        return (64 * ticks + dram, ticks + dram, energy, both, ticks + 64 * dram)

    def move(
        self, u: int, here: int, to: tuple[int, ...], chiplet: tuple[int, ...]
    ) -> Transfer:
        """Return the package traffic of a package tensor, `to` all its consumers."""
        key = (u, here, to)
        found = self._moves.get(key)
        if found is None:
            found = transfer(self.p, self._sent(chiplet, self.zeros), u)
            self._moves[key] = found
        return found

    def held(
        self,
        u: int,
        where: tuple[tuple[int, int], ...],
        chiplet: tuple[int, ...],
        stage: Sequence[int],
    ) -> dict[int, int]:
        """Return the copies of a package tensor.

        Parameters
        ----------
        where
            (chiplet, stage less the producer's) of the producer and of every consumer.
        """
        key = (u, where)
        found = self._copies.get(key)
        if found is None:
            found = copies(self.p, self._sent(chiplet, tuple(stage)), u)
            self._copies[key] = found
        return found

    def _sent(self, chiplet: tuple[int, ...], stage: tuple[int, ...]) -> Schedule:
        place = (PACKAGE,) * len(self.p.tensors)
        return Schedule(chiplet, self.zeros, stage, (None,) * len(self.p.tasks), place)

"""What files of classical scheduling problems share: rows of integers, machines.

A machine is a chiplet with a type of its own. Nothing but tasks takes time, room or
energy: topology ``none``, no bandwidths, no latencies. A time unit is a tick of 1 ns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError
from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    GivenMode,
    Instance,
    Interface,
    Layer,
    Model,
    Options,
    Package,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MOST = 2**31
"""Times of a file stay below this."""
MOST_THINGS = 10**5
"""There are fewer jobs, machines, and operations of a job."""
TICK_PS = 1000


@dataclass
class Rows:
    """The rows of a file that are not blank, and the faults found in them so far.

    Parameters
    ----------
    rows
        Line number and words of each.
    """

    file: str
    rows: list[tuple[int, list[str]]]
    faults: list[Fault] = field(default_factory=list)

    def fault(self, line: int | None, place: str, got: str, expected: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(place, got, expected, self.file, line))

    def integer(self, line: int, place: str, word: str, least: int) -> int | None:
        """Return a word's integer; `None`, and a fault, if it is none to accept."""
        number = int(word) if word.isascii() and word.isdecimal() else -1
        if least <= number < MOST:
            return number
        got = word if word.isdecimal() else repr(word)
        self.fault(line, place, got, f"an integer from {least} to 2**31 - 1")
        return None

    def count(self, index: int, name: str) -> int | None:
        """Return the number of jobs or machines that is all of a row."""
        (number,) = self.integers(index, [name], 1, name)
        return self.few(index, name, number)

    def few(self, index: int, name: str, number: int | None) -> int | None:
        """Return a number of things; `None`, and a fault, if there are too many."""
        if number is None or number < MOST_THINGS:
            return number
        self.fault(self.rows[index][0], name, str(number), f"below {MOST_THINGS}")
        return None

    def integers(
        self, index: int, places: Sequence[str], least: int, row: str
    ) -> list[int | None]:
        """Return the integers of a row, one for each place; `None` where one fails.

        Parameters
        ----------
        row
            What stands in it.
        """
        if index >= len(self.rows):
            self.fault(None, row, "the end of the file", _numbers(len(places)))
            return [None] * len(places)
        line, words = self.rows[index]
        if len(words) != len(places):
            self.fault(line, row, _numbers(len(words)), _numbers(len(places)))
            return [None] * len(places)
        return [
            self.integer(line, place, word, least)
            for place, word in zip(places, words, strict=True)
        ]

    def end(self, count: int) -> None:
        """Note rows beyond the `count` that a file has."""
        if len(self.rows) > count:
            line, words = self.rows[count]
            self.fault(line, "", _numbers(len(words)), "the end of the file")

    def refuse(self) -> None:
        """Raise all faults, if there are any, in the order of the file."""
        if self.faults:
            end = self.rows[-1][0] + 1 if self.rows else 0
            raise InstanceError(sorted(self.faults, key=lambda x: x.line or end))


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def read_rows(path: Path) -> Rows:
    """Return the rows of a file.

    Raises
    ------
    InstanceError
        If it cannot be read, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        fault = Fault("", f"{error.strerror}", "a file to read", str(path))
        raise InstanceError([fault]) from error
    except UnicodeDecodeError as error:
        fault = Fault("", "no UTF-8 text", "rows of numbers", str(path))
        raise InstanceError([fault]) from error
    lines = enumerate(text.split("\n"), start=1)
    rows = Rows(str(path), [(n, x.split()) for n, x in lines if x.strip()])
    if not rows.rows:
        rows.fault(None, "", "no numbers", "rows of numbers")
        rows.refuse()
    return rows


def machine(number: int) -> str:
    """Return the name of a machine, from 1 on: of its chiplet type, too."""
    return f"machine{number}"


def task(name: str) -> Layer:
    """Return a layer of given costs, without weights."""
    return Layer(name, "opaque", None, 0)


def mode(model: str, layer: str, number: int, ticks: int) -> GivenMode:
    """Return the cost of a task on a machine."""
    return GivenMode(model, layer, machine(number), ticks, energy_quanta=0, ws_bytes=0)


def instance_of(
    path: Path,
    machines: int,
    models: Iterable[Model],
    costs: Iterable[GivenMode],
    options: Options,
) -> Instance:
    """Return the instance of a file's tasks on so many machines."""
    names = [machine(number + 1) for number in range(machines)]
    nothing, one = Fraction(0), Fraction(1)
    types = {
        name: ChipletType(
            name=name,
            dataflow="given",
            num_pes=1,
            l1_bytes_per_pe=1,
            l2_bytes=1,
            noc_bytes_per_cycle=one,
            clock_mhz=Fraction(10**6, TICK_PS),
            mac_energy_pj=nothing,
            l1_energy_pj_per_byte=nothing,
            l2_energy_pj_per_byte=nothing,
        )
        for name in names
    }
    package = Package(
        name="machines",
        topology="none",
        width=machines,
        height=1,
        types=types,
        chiplets=tuple(Chiplet(name, router) for router, name in enumerate(names)),
        links=(),
        port_in_gb_s=None,
        port_out_gb_s=None,
        dram=Dram(None, nothing, nothing, (Interface(0, one),)),
    )
    return Instance(
        name=path.stem,
        models=tuple(models),
        package=package,
        options=options,
        tick_ps=TICK_PS,
        costs=tuple(costs),
    )

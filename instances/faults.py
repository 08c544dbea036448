"""Faults of an instance, and the small tests that find them.

A fault is a line of text with a place: every function here appends to a list
that its caller owns, so that all faults of a file are reported at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIMIT = 2**53
"""Integers, numerators and denominators stay below this (exact in a double)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where.

    Parameters
    ----------
    path
        Keys and indices from the top: ``models[0].layers[3].weight_bytes``.
    got, expected
        What stands there and what should.
    file, line
        Where it was read, if it was read from a file.
    """

    path: str
    got: str
    expected: str
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """One line, ``file:line: path: got X, expected Y``."""
        file = self.file if self.line is None else f"{self.file}:{self.line}"
        head = ": ".join(part for part in (file, self.path) if part)
        message = f"got {self.got}, expected {self.expected}"
        return f"{head}: {message}" if head else message


class InstanceError(ValueError):
    """An instance is not acceptable; `faults` says everything that is wrong."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[InstanceError], tuple[tuple[Fault, ...]]]:
        """Rebuild from the faults, so that the error crosses processes."""
        return type(self), (self.faults,)


def join(path: str, key: str | int) -> str:
    """Path of an entry of a mapping (`key` a text) or of a list (an index)."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say what was meant: the nearest known name, or the list of a few names."""
    names = list(known)
    close = [entry for entry in names if entry.casefold() == name.casefold()]
    close = close or get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(names) <= 12:
        return "one of " + ", ".join(repr(entry) for entry in names)
    return f"one of {len(names)} names, {names[0]!r} to {names[-1]!r}"


def word_of(name: str, known: Iterable[str]) -> str:
    """Say which words there are, or which one was meant: a whole expectation."""
    said = suggestion(name, known)
    return said if said.startswith("one of") else f"a known word: {said}"


def check_integer(faults: list[Fault], path: str, value: object, least: int) -> None:
    """Fault unless `value` is an integer with least ≤ value < 2**53."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole:
        faults.append(Fault(path, repr(value), "an integer"))
    elif value < least:  # type: ignore[operator]
        faults.append(Fault(path, str(value), f"an integer of at least {least}"))
    elif value >= LIMIT:  # type: ignore[operator]
        faults.append(Fault(path, str(value), "an integer below 2**53"))


def check_exact(
    faults: list[Fault], path: str, value: object, *, positive: bool = False
) -> None:
    """Fault unless `value` is an exact number ≥ 0 (`positive`: > 0).

    Numerator and denominator stay below 2**53. Floats are refused: what they
    stand for is not what was written.
    """
    if not isinstance(value, int | Fraction) or isinstance(value, bool):
        faults.append(Fault(path, repr(value), "an exact number (int or Fraction)"))
        return
    if value < 0 or (positive and value == 0):
        sign = "above 0" if positive else "of at least 0"
        faults.append(Fault(path, str(value), f"a number {sign}"))
    elif max(value.numerator, value.denominator) >= LIMIT:
        faults.append(Fault(path, str(value), "numerator and denominator below 2**53"))


def check_bandwidth(faults: list[Fault], path: str, value: object) -> None:
    """Fault unless `value` is `None` (unlimited) or an exact number > 0."""
    if value is not None:
        check_exact(faults, path, value, positive=True)


def check_text(faults: list[Fault], path: str, value: object) -> None:
    """Fault unless `value` is a text that is not empty."""
    if not isinstance(value, str) or not value:
        faults.append(Fault(path, repr(value), "a name"))


def check_flag(faults: list[Fault], path: str, value: object) -> None:
    """Fault unless `value` is `True` or `False`."""
    if not isinstance(value, bool):
        faults.append(Fault(path, repr(value), "true or false"))


def check_choice(
    faults: list[Fault], path: str, value: object, choices: Sequence[str]
) -> None:
    """Fault unless `value` is one of `choices`."""
    if value not in choices:
        expected = word_of(str(value), choices)
        faults.append(Fault(path, repr(value), expected))


def check_known(
    faults: list[Fault], path: str, name: str, known: Iterable[str], what: str
) -> bool:
    """Fault unless `name` is among the `known` names of a `what`; say which."""
    names = list(known)
    if name in names:
        return True
    faults.append(Fault(path, repr(name), f"a {what}: {suggestion(name, names)}"))
    return False


def check_unique(
    faults: list[Fault], path: str, names: Sequence[str], key: str | None = "name"
) -> None:
    """Fault for every name that stood earlier in the list at `path`."""
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in seen:
            here = join(path, index)
            place = join(here, key) if key else here
            expected = f"a name that is not at {join(path, seen[name])} already"
            faults.append(Fault(place, repr(name), expected))
        seen.setdefault(name, index)

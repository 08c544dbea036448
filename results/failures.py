"""Errors that are the user's to mend, as one message and an exit code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

# Exit codes of the command.
OPTIMAL, BAD_INPUT, INFEASIBLE, STOPPED, REFUSED = 0, 1, 2, 3, 4
EXIT_CODES = {
    "optimal": OPTIMAL,
    "infeasible": INFEASIBLE,
    "feasible": STOPPED,
    "unknown": STOPPED,
    "failed": STOPPED,
}


class Refused(click.ClickException):
    """An answer of our own that does not stand; nothing is claimed."""

    exit_code = REFUSED


@contextmanager
def input_errors() -> Iterator[None]:
    """Turn what is wrong with the user's files into one message.

    Raises
    ------
    click.ClickException
        Instead of the errors of files, instances, tables, certificates, schedules,
        heuristics and kinds.
    """
    from costmodel.table import TableError
    from formulation.certificate import CertificateError
    from formulation.compile import CompileError
    from formulation.decisions import ScheduleError
    from formulation.heuristics.custom import HeuristicError
    from formulation.objective import ObjectiveError
    from formulation.rules import KindError
    from instances.faults import InstanceError
    from results.experiments.point import GridError
    from results.record import RecordError

    try:
        yield
    except (
        InstanceError,
        TableError,
        CompileError,
        CertificateError,
        RecordError,
        GridError,
        ObjectiveError,
        ScheduleError,
        HeuristicError,
        KindError,
    ) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn a contradiction between engines, semantics and checker into code 4.

    Raises
    ------
    Refused
        Instead of the errors by which solving fails loudly.
    """
    from formulation.outcome import ContradictionError
    from results.best_known import CrossingError

    try:
        yield
    except CrossingError as error:
        raise Refused(f"best known values are contradicted:\n{error}") from error
    except ContradictionError as error:
        raise Refused(f"the answer does not stand:\n{error}") from error


@contextmanager
def failures() -> Iterator[None]:
    """Both: what can go wrong while something is solved."""
    with input_errors(), engine_errors():
        yield

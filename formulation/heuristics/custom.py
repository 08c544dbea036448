"""A user's own heuristic: a Python file with ``def schedule(search)``."""

from __future__ import annotations

import inspect
import sys
import traceback
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from formulation.heuristics.budget import SpentError
from formulation.outcome import DisagreementError

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTION = "schedule"


class HeuristicError(ValueError):
    """A heuristic that cannot be found or loaded, or that fails; says where."""


def _where(path: Path, error: BaseException) -> str:
    """Return ``file:line: what went wrong``, the line being one of the user's file."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}: {error.msg}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    line = f":{lines[-1]}" if lines else ""
    return f"{path}{line}: {type(error).__name__}: {error}"


def _guarded(path: Path, function: Callable[..., Any], *args: object) -> Any:
    """Call what the user wrote; its failure is an error with file and line.

    Raises
    ------
    HeuristicError
        Instead of whatever exception leaves the user's code.
    """
    try:
        return function(*args)
    except (SpentError, DisagreementError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raised = HeuristicError(_where(path, error))
        raised.__cause__ = error
    raise raised


def load_file(name: str, schedule: type) -> Callable[[Any], Any]:
    """Return the heuristic in a file, which may return a schedule of a type.

    Raises
    ------
    HeuristicError
        If the file cannot be read or imported, or has no function ``schedule`` that
        takes one argument.
    """
    path = Path(name)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise HeuristicError(f"{path}: {text}") from error
    module = ModuleType(f"heuristic_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look there
    code = _guarded(path, compile, source, str(path), "exec")
    _guarded(path, exec, code, module.__dict__)
    function = module.__dict__.get(FUNCTION)
    wanted = "expected a function def schedule(search)"
    if not callable(function):
        raise HeuristicError(f"{path}: no {FUNCTION}: {wanted}")
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError) as error:
        line = getattr(getattr(function, "__code__", None), "co_firstlineno", 1)
        raise HeuristicError(f"{path}:{line}: {error}: {wanted}") from error

    @wraps(function)
    def run(search: Any) -> Any:
        found = _guarded(path, function, search)
        if found is not None and not isinstance(found, schedule):
            line = getattr(getattr(function, "__code__", None), "co_firstlineno", 1)
            raise HeuristicError(
                f"{path}:{line}: {FUNCTION} returned a {type(found).__name__}, "
                "expected a Schedule or nothing"
            )
        return found

    return run

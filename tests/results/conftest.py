"""What the tests of the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from results.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def chipsched(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run the command here; return exit code, stdout and stderr."""

    def call(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err  # type: ignore[return-value]

    return call

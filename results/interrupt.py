"""Ctrl-C that keeps the best schedule: once to stop, twice to abort."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

T = TypeVar("T")


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT sets.

    Raises
    ------
    KeyboardInterrupt
        In the main thread, at the second SIGINT.
    """
    stop = threading.Event()

    def handle(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class _Work(threading.Thread, Generic[T]):
    """A thread that keeps what its function returned or raised."""

    def __init__(self, function: Callable[[], T]) -> None:
        # Daemon: a second Ctrl-C must not wait for a solver.
        super().__init__(daemon=True)
        self.function = function
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call the function."""
        try:
            self.result = self.function()
        except BaseException as error:  # handed over to the caller's thread
            self.error = error


def in_background(function: Callable[[], T]) -> T:
    """Return `function()`, run in a thread so that signals are handled at once.

    Python handles signals in the main thread only, and not while it is inside a
    solver.

    Raises
    ------
    BaseException
        Whatever the function raised.
    """
    work = _Work(function)
    work.start()
    while work.is_alive():
        work.join(0.1)
    if work.error is not None:
        raise work.error
    return work.result  # type: ignore[return-value]

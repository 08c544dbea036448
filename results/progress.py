"""News of a solve on stderr: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from formulation.outcome import relative_gap
from results.text import grouped, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from formulation.outcome import Progress, Report

SPACING_SECONDS = 0.5


def line(news: Progress) -> str:
    """Return one line: seconds, engine, quantity, value, bound, gap."""
    gap = percent(relative_gap(news.value, news.bound))
    return (
        f"{news.seconds:7.1f} s  {news.engine:<6} {news.quantity:<6} "
        f"best {grouped(news.value)}  bound {grouped(news.bound)}  gap {gap}"
    )


class PlainReport:
    """Writes a line when value or bound has changed, twice a second at most.

    News may come from any thread. What has to wait is written by a timer: the next
    news may be long in coming.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.lock = threading.Lock()
        self.last: tuple[str, str, int | None, int | None] | None = None
        self.waiting: Progress | None = None
        self.written_at = float("-inf")
        self.timer: threading.Timer | None = None

    def __call__(self, news: Progress) -> None:
        """Take one line of news."""
        with self.lock:
            other = self.waiting is not None and (
                (self.waiting.engine, self.waiting.quantity)
                != (news.engine, news.quantity)
            )
            if other:
                self._write()
            self.waiting = news
            if time.monotonic() - self.written_at >= SPACING_SECONDS:
                self._write()
            elif self.timer is None:
                self.timer = threading.Timer(SPACING_SECONDS, self.flush)
                self.timer.daemon = True
                self.timer.start()

    def flush(self) -> None:
        """Write what is still waiting."""
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
            self._write()

    def _write(self) -> None:
        news, self.waiting = self.waiting, None
        if news is None:
            return
        key = (news.engine, news.quantity, news.value, news.bound)
        if key != self.last:
            self.last, self.written_at = key, time.monotonic()
            self.stream.write(line(news) + "\n")
            self.stream.flush()


@contextmanager
def _live(console: Console) -> Iterator[Report]:
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, transient=True, refresh_per_second=4) as live:

        def report(news: Progress, /) -> None:
            live.update(Text(line(news), no_wrap=True, overflow="ellipsis"))

        yield report


@contextmanager
def reporting(quiet: bool = False) -> Iterator[Report | None]:
    """Yield a report for stderr, or `None` if nothing is to be said."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        from rich.console import Console

        with _live(Console(stderr=True)) as report:
            yield report
    else:
        plain = PlainReport(sys.stderr)
        try:
            yield plain
        finally:
            plain.flush()

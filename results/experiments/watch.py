"""Progress of experiments on stderr: a live picture on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from results.progress import line as news_line
from results.text import clipped, grouped, percent, screen_width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.live import Live

    from formulation.outcome import Progress
    from results.experiments.point import Point
    from results.experiments.runner import Planned, Watcher

Line = dict[str, Any]
UNLIMITED_SECONDS = 60.0  # what a run without limit is expected to take
OVERHEAD_SECONDS = 2.0  # a process's start, its cost table, the check


def duration(seconds: float) -> str:
    """Return a time for people: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class Estimate:
    """What is left: limits, times the share of them that a method has used so far."""

    def __init__(self, planned: Sequence[Planned], jobs: int) -> None:
        self.jobs = jobs
        self.left = list({x.key: x.point for x in planned if x.line is None}.values())
        self.total = len(self.left)
        self.failed = 0
        self.used: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, point: Point, line: Line) -> None:
        """Take note of a run that has ended."""
        self.left.remove(point)
        self.failed += line["status"] == "failed"
        if line["status"] != "failed" and line["seconds"] is not None:
            share = line["seconds"] / (point.most_seconds or UNLIMITED_SECONDS)
            self.used[point.method].append(share)

    def seconds(self) -> float:
        """Return about how long the rest takes."""
        total = 0.0
        for point in self.left:
            shares = [1.0, *self.used[point.method]]
            limit = point.most_seconds or UNLIMITED_SECONDS
            total += limit * sum(shares) / len(shares) + OVERHEAD_SECONDS
        return total / self.jobs

    def text(self) -> str:
        """Return how far it is: ``12 of 80 runs, 1 failed, about 20 min left``."""
        done = self.total - len(self.left)
        parts = [f"{done} of {self.total} runs"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.left:
            parts.append(f"about {duration(self.seconds())} left")
        return ", ".join(parts)


def ended_text(point: Point, line: Line) -> str:
    """Return what came of a run, in one line."""
    if line["status"] == "failed":
        return f"{point.label}: {line['why_stopped']}"
    what = line["claim"]
    if line["value"] is not None:
        what = f"{point.objective[0]} {grouped(line['value'])}, {what}"
        if line["gap"]:
            what += f", gap {percent(line['gap'])}"
    return f"{point.label}: {what}, {line['seconds']:.1f} s"


class PlainWatch:
    """A line for every run that has ended."""

    def __init__(self, stream: TextIO, estimate: Estimate) -> None:
        self.stream, self.estimate = stream, estimate

    def began(self, point: Point) -> None:
        """Say nothing."""

    def moved(self, point: Point, news: Progress) -> None:
        """Say nothing."""

    def ended(self, point: Point, line: Line) -> None:
        """Write what came of it, and how far all is."""
        self.estimate.note(point, line)
        text = f"{ended_text(point, line)}; {self.estimate.text()}\n"
        self.stream.write(text)
        self.stream.flush()


class LiveWatch:
    """Ended runs scroll by; below, the running ones and how far all is."""

    def __init__(self, live: Live, estimate: Estimate) -> None:
        self.live, self.estimate = live, estimate
        self.lock = threading.Lock()
        self.running: dict[str, str] = {}

    def began(self, point: Point) -> None:
        """Show it as running."""
        with self.lock:
            self.running[point.label] = "building"
        self._draw()

    def moved(self, point: Point, news: Progress) -> None:
        """Show the latest news of it."""
        with self.lock:
            if point.label in self.running:
                self.running[point.label] = " ".join(news_line(news).split())
        self._draw()

    def ended(self, point: Point, line: Line) -> None:
        """Write what came of it."""
        from rich.text import Text

        self.estimate.note(point, line)
        with self.lock:
            self.running.pop(point.label, None)
        self.live.console.print(Text(ended_text(point, line)))
        self._draw()

    def _draw(self) -> None:
        from rich.text import Text

        width = screen_width()
        with self.lock:
            rows = []
            for label, news in self.running.items():
                rows += [f"▸ {label}", f"  {news}"]
        rows.append(self.estimate.text())
        shown = "\n".join(clipped(row, width) for row in rows)
        self.live.update(Text(shown, no_wrap=True))


@contextmanager
def _live(console: Console, estimate: Estimate) -> Iterator[Watcher]:
    from rich.live import Live

    with Live(console=console, transient=True, refresh_per_second=4) as live:
        yield LiveWatch(live, estimate)


@contextmanager
def watching(planned: Sequence[Planned], jobs: int) -> Iterator[Watcher]:
    """Yield a watcher for stderr."""
    estimate = Estimate(planned, jobs)
    if sys.stderr.isatty():
        from rich.console import Console

        with _live(Console(stderr=True), estimate) as watcher:
            yield watcher
    else:
        yield PlainWatch(sys.stderr, estimate)
